/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a request is hashed by: see proxy_parts.h.
 */
#include "worker/http/proxy_parts.h"

#include <string.h>

#include "worker/http/cookie.h"

static uint64_t hash_bytes(const void *p, size_t len)
{
	const unsigned char *s = p;
	uint64_t h = 14695981039346656037u; /* FNV-1a */

	for (size_t k = 0; k < len; k++)
		h = (h ^ s[k]) * 1099511628211u;
	return h;
}

static bool same_name(const char *a, size_t len, const char *name)
{
	return strncasecmp(a, name, len) == 0 && name[len] == '\0';
}

/* The value of a cookie in a Cookie field; len 0: it is not there. */
static struct http_span find_cookie(const char *base, struct http_span field, const char *name)
{
	size_t at = 0, len;
	const char *value = cookie_next(base + field.off, field.len, &at, name, &len);

	if (value == NULL)
		return (struct http_span){0, 0};
	return (struct http_span){(uint32_t)(value - base), (uint32_t)len};
}

static uint64_t hash_field(const struct http *h, const struct upstream *pool, const char *base)
{
	bool cookie = pool->hash_of == HASH_COOKIE;
	const char *name = cookie ? "cookie" : pool->hash_name;

	for (uint16_t k = 0; k < h->req.fields; k++) {
		const struct http_field *f = &h->req.field[k];
		struct http_span value = f->value;

		if (!same_name(base + f->name.off, f->name.len, name))
			continue;
		if (cookie)
			value = find_cookie(base, value, pool->hash_name);
		if (value.len > 0)
			return hash_bytes(base + value.off, value.len);
	}
	return 0;
}

uint64_t proxy_hash_key(const struct http *h, uint32_t i, const char *base,
			const struct reply_ctx *ctx)
{
	const struct upstream *pool = &h->settings->upstreams[ctx->location->upstream];
	uint64_t key = 0;

	if (pool->hash_of == HASH_PATH)
		key = hash_bytes(ctx->path, ctx->path_len);
	else if (pool->hash_of != HASH_ADDRESS)
		key = hash_field(h, pool, base);
	return key != 0 ? key : hash_bytes(conn_row(h->cs, i)->peer, 16);
}
