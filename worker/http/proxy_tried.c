/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which peers a request has been given to: see proxy_parts.h. A choice that avoids only the last
 * one would come back to the first that failed, while a third one is well.
 */
#include "worker/http/proxy_parts.h"

uint8_t proxy_tried_bit(const struct upstream *pool, uint32_t peer)
{
	return (uint8_t)(1u << ((peer - pool->first_peer) % 8));
}

static bool is_fresh(const struct http *h, const struct upstream *pool, uint32_t peer)
{
	return (h->tried & proxy_tried_bit(pool, peer)) == 0;
}

uint32_t proxy_untried(const struct http *h, const struct upstream *pool, uint32_t peer)
{
	uint32_t count = pool->peers_count, from = peer - pool->first_peer;

	if (is_fresh(h, pool, peer))
		return peer;
	for (int backup = 0; backup < 2; backup++)
		for (uint32_t k = 1; k < count; k++) {
			uint32_t p = pool->first_peer + (from + k) % count;

			if (h->settings->peers[p].backup == (backup != 0) && is_fresh(h, pool, p) &&
			    peer_well(h->ups, p))
				return p;
		}
	/* One that failed before may be well by now. */
	for (uint32_t k = 1; k < count; k++) {
		uint32_t p = pool->first_peer + (from + k) % count;

		if (is_fresh(h, pool, p) && peer_last_resort(h->ups, p))
			return p;
	}
	return peer;
}
