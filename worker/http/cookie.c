/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Cookies: see cookie.h.
 */
#include "worker/http/cookie.h"

#include <string.h>

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

const char *cookie_next(const char *field, size_t len, size_t *at, const char *name,
			size_t *value_len_out)
{
	size_t name_len = strlen(name);

	while (*at < len) {
		const char *p = field + *at;
		const char *semicolon = memchr(p, ';', len - *at);
		const char *end = semicolon != NULL ? semicolon : field + len;

		*at = (size_t)(end - field) + (semicolon != NULL);
		while (p < end && is_blank(*p))
			p++;
		while (end > p && is_blank(end[-1]))
			end--;
		if ((size_t)(end - p) <= name_len || memcmp(p, name, name_len) != 0 ||
		    p[name_len] != '=')
			continue;
		p += name_len + 1;
		if (end - p >= 2 && p[0] == '"' && end[-1] == '"') {
			p++;
			end--;
		}
		*value_len_out = (size_t)(end - p);
		return p;
	}
	return NULL;
}
