/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reads Accept as far as a choice between two types needs it: see accept.h. Called by pages.c.
 */
#include "worker/http/accept.h"

#include <string.h>
#include <strings.h>

static const char *skip_space(const char *at, const char *end)
{
	while (at < end && (*at == ' ' || *at == '\t'))
		at++;
	return at;
}

/* Thousandths; what is no qvalue (RFC 9110 12.4.2) counts as 0. */
static int parse_weight(const char *at, const char *end)
{
	int q, scale = 100;

	if (at == end || (*at != '0' && *at != '1'))
		return 0;
	q = (*at++ - '0') * 1000;
	if (at < end && *at == '.')
		for (at++; at < end && scale > 0 && *at >= '0' && *at <= '9'; at++, scale /= 10)
			q += (*at - '0') * scale;
	return q <= 1000 ? q : 1000;
}

/* The q among the parameters behind a type. */
static int weight_of(const char *at, const char *end)
{
	while ((at = memchr(at, ';', (size_t)(end - at))) != NULL) {
		at = skip_space(at + 1, end);
		if (end - at >= 2 && (*at == 'q' || *at == 'Q') && at[1] == '=')
			return parse_weight(at + 2, end);
	}
	return 1000;
}

/* One element: type [ ; parameters ]. */
static int element_weight(const char *at, const char *end, const char *type)
{
	size_t n = strlen(type);

	at = skip_space(at, end);
	if ((size_t)(end - at) < n || strncasecmp(at, type, n) != 0)
		return -1;
	at = skip_space(at + n, end);
	if (at < end && *at != ';')
		return -1;
	return weight_of(at, end);
}

static int field_weight(const char *at, const char *end, const char *type)
{
	int best = -1;

	while (at < end) {
		const char *comma = memchr(at, ',', (size_t)(end - at));
		int q;

		if (comma == NULL)
			comma = end;
		q = element_weight(at, comma, type);
		if (q > best)
			best = q;
		at = comma + 1;
	}
	return best;
}

int accept_weight(const char *base, const struct http_request *req, const char *type)
{
	int best = -1;

	for (unsigned i = 0; i < req->fields; i++) {
		const struct http_field *f = &req->field[i];
		const char *value = base + f->value.off;
		int q;

		if (f->name.len != 6 || strncasecmp(base + f->name.off, "accept", 6) != 0)
			continue;
		q = field_weight(value, value + f->value.len, type);
		if (q > best)
			best = q;
	}
	return best;
}
