/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sessions that stay with a peer: see proxy_parts.h. What a cookie may say was computed for each
 * peer when the configuration was loaded; here it is only compared.
 */
#include "worker/http/proxy_parts.h"

#include <string.h>

#include "worker/balance.h"
#include "worker/http/cookie.h"
#include "worker/sticky.h"

static uint32_t named_peer(const struct http *h, const struct upstream *pool, uint64_t sticky)
{
	const struct peer *peers = h->settings->peers;
	uint32_t end = pool->first_peer + pool->peers_count;

	for (uint32_t p = pool->first_peer; p < end; p++) {
		if (peers[p].sticky == sticky)
			return p;
	}
	return BALANCE_NONE;
}

/* The peer that a Cookie field names, of those that take sessions: a client may have cookies of
 * several paths or domains. */
static uint32_t peer_in(const struct http *h, const struct upstream *pool, const char *field,
			size_t len)
{
	const char *value;
	size_t at = 0, value_len;

	while ((value = cookie_next(field, len, &at, pool->sticky_cookie, &value_len)) != NULL) {
		uint64_t sticky;
		uint32_t p = sticky_read(value, value_len, &sticky) ? named_peer(h, pool, sticky)
								    : BALANCE_NONE;

		if (p != BALANCE_NONE && peer_takes_session(h->ups, p))
			return p;
	}
	return BALANCE_NONE;
}

uint32_t proxy_session_peer(const struct http *h, const struct upstream *pool, const char *base,
			    bool *begins_out)
{
	uint32_t peer = BALANCE_NONE;

	for (uint16_t k = 0; k < h->req.fields && peer == BALANCE_NONE; k++) {
		const struct http_field *f = &h->req.field[k];

		if (f->name.len == 6 && strncasecmp(base + f->name.off, "cookie", 6) == 0)
			peer = peer_in(h, pool, base + f->value.off, f->value.len);
	}
	*begins_out = peer == BALANCE_NONE;
	return peer;
}
