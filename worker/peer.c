/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is known of a peer: see peer.h.
 */
#include "worker/peer.h"

struct peer_row *peer_row(const struct ups *us, uint32_t peer)
{
	return board_peer(us->cs->board, us->cs->settings->peers[peer].row);
}

struct peer_traffic_row *peer_traffic(const struct ups *us, uint32_t peer)
{
	return board_peer_traffic(us->cs->board, us->cs->worker_row,
				  us->cs->settings->peers[peer].row);
}

uint64_t peer_active(const struct ups *us, uint32_t peer)
{
	return board_shared_get(&peer_row(us, peer)->active);
}

uint64_t peer_weight(const struct ups *us, uint32_t peer)
{
	return us->cs->settings->peers[peer].weight;
}

/* A third of a pool's peers, and at least one, are always kept: a request that every peer fails
 * must not take the whole pool away. */
static bool may_go(const struct ups *us, uint32_t peer)
{
	const struct settings *s = us->cs->settings;
	const struct upstream *pool = &s->upstreams[s->peers[peer].upstream];
	uint32_t gone = 0;

	for (uint32_t k = 0; k < pool->peers_count; k++) {
		uint32_t p = pool->first_peer + k;

		if (p != peer &&
		    (s->peers[p].down || s->peers[p].addr_len == 0 ||
		     board_shared_get(&peer_row(us, p)->failed_until_us) > us->cs->clock->now_us))
			gone++;
	}
	return gone + 1 <= pool->peers_count * 2 / 3;
}

void peer_failed(struct ups *us, uint32_t peer)
{
	const struct peer *p = &us->cs->settings->peers[peer];
	struct peer_row *row = peer_row(us, peer);
	uint64_t now = us->cs->clock->now_us, before;

	if (p->max_fails == 0)
		return;
	before = board_shared_add(&row->fails, 1);
	if (before == 0 || board_shared_get(&row->failed_us) + p->fail_us < now) {
		(void)board_shared_set(&row->failed_us, now);
		(void)board_shared_set(&row->fails, 1);
		before = 0;
	}
	if (before + 1 < p->max_fails || !may_go(us, peer))
		return;
	(void)board_shared_set(&row->fails, 0);
	(void)board_shared_set(&row->failed_until_us, now + p->fail_us);
	(void)board_shared_add(&row->ejections, 1);
}

void peer_succeeded(struct ups *us, uint32_t peer)
{
	struct peer_row *row = peer_row(us, peer);

	/* Looked at first: a word that all workers write is not written for nothing. */
	if (board_shared_get(&row->fails) != 0)
		(void)board_shared_set(&row->fails, 0);
}

bool peer_well(const struct ups *us, uint32_t peer)
{
	const struct peer *p = &us->cs->settings->peers[peer];
	const struct peer_row *row = peer_row(us, peer);

	return !p->down && p->addr_len != 0 &&
	       board_shared_get(&row->failed_until_us) <= us->cs->clock->now_us &&
	       (p->max_conns == 0 || board_shared_get(&row->active) < p->max_conns);
}
