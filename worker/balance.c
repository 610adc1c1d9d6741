/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Balancing: see balance.h.
 */
#include "worker/balance.h"

#include <math.h>

#include "worker/peer.h"

struct choice {
	struct ups *us;
	const struct upstream *pool;
	bool backup;
	uint32_t avoid;
};

static const struct peer *peer_at(const struct choice *c, uint32_t p)
{
	return &c->us->cs->settings->peers[p];
}

static bool eligible(const struct choice *c, uint32_t p)
{
	return p != c->avoid && peer_at(c, p)->backup == c->backup && peer_well(c->us, p);
}

static uint32_t next(const struct choice *c, uint32_t p)
{
	uint32_t end = c->pool->first_peer + c->pool->peers_count;

	while (p < end && !eligible(c, p))
		p++;
	return p < end ? p : BALANCE_NONE;
}

static uint64_t turn(const struct choice *c)
{
	return board_shared_add(&board_upstream(c->us->cs->board, c->pool->row)->turn, 1);
}

/* Weighted: of each round a peer has as many turns as it weighs. The round is that of all workers.
 */
static uint32_t round_robin(const struct choice *c)
{
	uint32_t first = c->pool->first_peer;
	uint64_t total = 0, at;

	for (uint32_t p = next(c, first); p != BALANCE_NONE; p = next(c, p + 1))
		total += peer_weight(c->us, p);
	if (total == 0)
		return BALANCE_NONE;
	at = turn(c) % total;
	for (uint32_t p = next(c, first); p != BALANCE_NONE; p = next(c, p + 1)) {
		if (at < peer_weight(c->us, p))
			return p;
		at -= peer_weight(c->us, p);
	}
	return next(c, first);
}

/* Fewest requests in hand for its weight; of several such the next in turn. */
static uint32_t least_conn(const struct choice *c)
{
	uint32_t best = BALANCE_NONE, count = c->pool->peers_count;
	uint64_t from = turn(c), best_active = 0;

	for (uint32_t k = 0; k < count; k++) {
		uint32_t p = c->pool->first_peer + (uint32_t)((from + k) % count);
		uint64_t active;

		if (!eligible(c, p))
			continue;
		active = peer_active(c->us, p) + 1;
		if (best == BALANCE_NONE ||
		    active * peer_weight(c->us, best) < best_active * peer_weight(c->us, p)) {
			best = p;
			best_active = active;
		}
	}
	return best;
}

static uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
	x = (x ^ x >> 27) * 0x94d049bb133111ebu;
	return x ^ x >> 31;
}

static uint64_t peer_key(const struct peer *p)
{
	uint64_t h = 14695981039346656037u;

	for (const char *s = p->address; *s != '\0'; s++)
		h = (h ^ (unsigned char)*s) * 1099511628211u;
	return h;
}

/* More than its fair share, and a quarter? (Mirrokni, Thorup, Zadimoghaddam: Consistent hashing
 * with bounded loads, SODA 2018) */
static bool overloaded(const struct choice *c, uint32_t p, uint64_t active, uint64_t weight)
{
	double fair = (double)(active + 1) * peer_weight(c->us, p) / (double)weight;

	return (double)peer_active(c->us, p) + 1 > fair * 1.25 + 1;
}

/*
 * Rendezvous hashing (Thaler and Ravishankar 1998), weighted: each peer draws a number from the
 * key, the highest wins; when a peer goes, only what it had moves. Those that are overloaded are
 * passed over as long as another one is not.
 */
static uint32_t by_hash(const struct choice *c, uint64_t key)
{
	uint32_t first = c->pool->first_peer, best = BALANCE_NONE, spare = BALANCE_NONE;
	uint64_t active = 0, weight = 0;
	double best_score = 0, spare_score = 0;

	for (uint32_t p = next(c, first); p != BALANCE_NONE; p = next(c, p + 1)) {
		active += peer_active(c->us, p);
		weight += peer_weight(c->us, p);
	}
	for (uint32_t p = next(c, first); p != BALANCE_NONE; p = next(c, p + 1)) {
		double draw = ((double)(mix(key ^ peer_key(peer_at(c, p))) >> 11) + 1) * 0x1p-53;
		double score = draw < 1 ? peer_weight(c->us, p) / -log(draw) : HUGE_VAL;

		if (spare == BALANCE_NONE || score > spare_score) {
			spare = p;
			spare_score = score;
		}
		if (!overloaded(c, p, active, weight) &&
		    (best == BALANCE_NONE || score > best_score)) {
			best = p;
			best_score = score;
		}
	}
	return best != BALANCE_NONE ? best : spare;
}

static uint32_t pick(const struct choice *c, uint64_t key)
{
	switch (c->pool->balance) {
	case BALANCE_LEAST_CONN:
		return least_conn(c);
	case BALANCE_HASH:
		return by_hash(c, key);
	case BALANCE_ROUND_ROBIN:
		break;
	}
	return round_robin(c);
}

uint32_t balance_pick(struct ups *us, const struct upstream *pool, uint32_t avoid, uint64_t key)
{
	for (int backup = 0; backup < 2; backup++) {
		const struct choice c = {us, pool, backup != 0, avoid};
		uint32_t p = pick(&c, key);

		if (p != BALANCE_NONE)
			return p;
	}
	/* Rather the one that has just failed than none. */
	return avoid != UINT32_MAX && peer_well(us, avoid) ? avoid : BALANCE_NONE;
}
