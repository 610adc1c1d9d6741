/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How long a proxied request may take: see proxy_parts.h. Nothing is given to a peer of which
 * nobody would wait for the answer.
 */
#include "worker/http/proxy_parts.h"

#include <string.h>

#include "worker/http/forward.h"
#include "worker/http/route.h"

bool proxy_trusts(const struct location *l, const struct conn_row *row)
{
	struct in6_addr peer;

	memcpy(&peer, row->peer, sizeof peer);
	return route_in_networks(l->trusted, l->trusted_count, &peer);
}

void proxy_take_limit(struct http *h, uint32_t i, const char *base, const struct location *l)
{
	struct conn_row *row = conn_row(h->cs, i);
	uint64_t ms;

	if (!proxy_trusts(l, row))
		return;
	ms = forward_asked_ms(base, &h->req, l->timeout_name);
	/* Whoever asks for more than seven weeks asks for no limit. */
	if (ms <= UINT32_MAX)
		__atomic_store_n(&row->limit_ms, (uint32_t)ms, __ATOMIC_RELAXED);
}

uint64_t proxy_time_left(const struct http *h, uint32_t i)
{
	uint64_t limit = conn_request_limit(h->cs, i), began = conn_row(h->cs, i)->request_us;

	if (limit == 0 || began == 0)
		return 0;
	return began + limit > proxy_now(h) ? began + limit - proxy_now(h) : PROXY_TIME_UP;
}
