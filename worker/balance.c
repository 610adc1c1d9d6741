/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Balancing: see balance.h.
 */
#include "worker/balance.h"

#include <math.h>
#include <stdlib.h>

#include "worker/peer.h"
#include "worker/peer_load.h"

enum {
	LOOK_US = 10000,
	DRAWS_MOST = 4, /* turns of round robin that may fall on peers that are full */
	ACTIVE_MOST = 1 << 20
};

#define NOBODY UINT32_MAX

/* A peer that was well at the last look. */
struct candidate {
	const struct peer_row *row;
	uint64_t key; /* for rendezvous */
	uint32_t peer;
	uint32_t weight;
	uint32_t until; /* turns of a round up to the end of its own */
	uint32_t max_conns;
};

struct balance_pool {
	struct candidate *candidates; /* all backups, or none of them is */
	uint32_t count;
	uint32_t round; /* turns: what they weigh together */
	uint32_t step;  /* has no divisor in common with round */
	bool even;      /* all weigh the same */
	uint64_t seen_us;
};

struct choice {
	struct ups *us;
	const struct upstream *pool;
	const struct balance_pool *b;
	uint32_t avoid;
};

struct balance_pool *balance_new(const struct settings *s)
{
	size_t pools = (size_t)s->upstreams_count + 1, peers = (size_t)s->peers_count + 1;
	struct balance_pool *b;
	struct candidate *c;

	/* One piece of memory. */
	b = calloc(1, pools * sizeof *b + peers * sizeof *c);
	if (b == NULL)
		return NULL;
	c = (struct candidate *)(void *)(b + pools);
	for (uint32_t k = 0; k < s->upstreams_count; k++)
		b[k].candidates = c + s->upstreams[k].first_peer;
	return b;
}

void balance_free(struct balance_pool *pools)
{
	free(pools);
}

/* Looking. */

static uint64_t peer_key(const struct peer *p)
{
	uint64_t h = 14695981039346656037u;

	for (const char *s = p->address; *s != '\0'; s++)
		h = (h ^ (unsigned char)*s) * 1099511628211u;
	return h;
}

static uint32_t divisor(uint32_t a, uint32_t b)
{
	while (b != 0) {
		uint32_t rest = a % b;

		a = b;
		b = rest;
	}
	return a;
}

static uint32_t step_of(uint32_t round)
{
	uint32_t step = (uint32_t)(round * 0.6180339887498949);

	while (step > 1 && divisor(round, step) != 1)
		step--;
	return step != 0 ? step : 1;
}

static void gather(struct ups *us, const struct upstream *pool, struct balance_pool *b, bool backup)
{
	const struct peer *peers = us->cs->settings->peers;

	b->count = b->round = 0;
	b->even = true;
	for (uint32_t p = pool->first_peer; p < pool->first_peer + pool->peers_count; p++) {
		uint32_t weight = (uint32_t)peer_weight(us, p);

		if (peers[p].backup != backup || weight == 0 || !peer_able(us, p))
			continue;
		b->round += weight;
		b->candidates[b->count++] = (struct candidate){.row = peer_row(us, p),
							       .key = peer_key(&peers[p]),
							       .peer = p,
							       .weight = weight,
							       .until = b->round,
							       .max_conns = peers[p].max_conns};
		b->even = b->even && weight == b->candidates[0].weight;
	}
	b->step = step_of(b->round);
}

static struct balance_pool *look(struct ups *us, const struct upstream *pool, bool anew)
{
	struct balance_pool *b = &us->balance[pool - us->cs->settings->upstreams];
	uint64_t now = us->cs->clock->now_us;

	if (!anew && b->count != 0 && now - b->seen_us < LOOK_US)
		return b;
	gather(us, pool, b, false);
	if (b->count == 0)
		gather(us, pool, b, true);
	b->seen_us = now;
	return b;
}

/* Choosing: each returns the index of a candidate, or NOBODY. */

static inline uint64_t active_of(const struct candidate *c)
{
	uint64_t n = peer_row_active(c->row);

	return n < ACTIVE_MOST ? n : ACTIVE_MOST;
}

static inline bool is_full(const struct candidate *c)
{
	return c->max_conns != 0 && peer_row_active(c->row) >= c->max_conns;
}

static inline bool may_take(const struct choice *c, const struct candidate *k)
{
	return k->peer != c->avoid && !is_full(k);
}

static uint64_t turn(const struct choice *c)
{
	return board_shared_add(&board_upstream(c->us->cs->board, c->pool->row)->turn, 1);
}

/* Whose turn is the one at this place of the round? */
static uint32_t turn_of(const struct balance_pool *b, uint32_t at)
{
	uint32_t low = 0, high = b->count - 1;

	if (b->even)
		return at / b->candidates[0].weight;
	while (low < high) {
		uint32_t middle = (low + high) / 2;

		if (at < b->candidates[middle].until)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

/* Weighted: of each round a peer has as many turns as it weighs. The round is that of all workers;
 * the turns of those that cannot take it now are left out. */
static uint32_t round_robin(const struct choice *c)
{
	const struct balance_pool *b = c->b;
	uint32_t k = 0;

	for (int draws = 0; draws < DRAWS_MOST; draws++) {
		k = turn_of(b, (uint32_t)(turn(c) % b->round * b->step % b->round));
		if (may_take(c, &b->candidates[k]))
			return k;
	}
	for (uint32_t n = 1; n < b->count; n++) {
		if (++k == b->count)
			k = 0;
		if (may_take(c, &b->candidates[k]))
			return k;
	}
	return NOBODY;
}

/* The candidate of the lowest cost for its weight. Several such take turns among themselves: were
 * it the next one in the row of all, the one behind a candidate of higher cost would get the turns
 * of both. */
static inline uint32_t cheapest(const struct choice *c,
				uint64_t (*cost)(const struct choice *, const struct candidate *))
{
	const struct balance_pool *b = c->b;
	uint32_t best = NOBODY, same = 0, left;
	uint64_t best_cost = 0, best_weight = 1, its_turn = turn(c);

	for (uint32_t k = 0; k < b->count; k++) {
		const struct candidate *one = &b->candidates[k];
		uint64_t its = cost(c, one);
		uint64_t here = its * best_weight, there = best_cost * one->weight;

		if ((best != NOBODY && here > there) || !may_take(c, one))
			continue;
		if (best == NOBODY || here < there) {
			best = k;
			best_cost = its;
			best_weight = one->weight;
			same = 0;
		}
		same++;
	}
	left = same > 1 ? (uint32_t)(its_turn % same) : 0;
	for (uint32_t k = best + 1; left > 0 && k < b->count; k++) {
		const struct candidate *one = &b->candidates[k];

		if (cost(c, one) * best_weight == best_cost * one->weight && may_take(c, one) &&
		    --left == 0)
			return k;
	}
	return best;
}

static inline uint64_t cost_in_hand(const struct choice *c, const struct candidate *k)
{
	(void)c;
	return active_of(k) + 1;
}

/* Below 2^53: times a weight it still fits. */
static inline uint64_t cost_in_time(const struct choice *c, const struct candidate *k)
{
	uint64_t us_taken = peer_time_at(k->row, c->us->cs->clock->now_us), active = active_of(k);

	/* Nobody knows, and somebody is finding out. */
	if (us_taken == 0 && active != 0)
		us_taken = UINT32_MAX;
	return us_taken * (active + 1);
}

static uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
	x = (x ^ x >> 27) * 0x94d049bb133111ebu;
	return x ^ x >> 31;
}

/* What the candidate draws for this key: where all weigh the same, any order will do. */
static double score(const struct choice *c, const struct candidate *k, uint64_t key)
{
	double draw = ((double)(mix(key ^ k->key) >> 11) + 1) * 0x1p-53;

	if (c->b->even)
		return draw;
	return draw < 1 ? k->weight / -log(draw) : HUGE_VAL;
}

/*
 * Rendezvous hashing (Thaler and Ravishankar, A name-based mapping scheme for rendezvous, 1996;
 * weighted by Schindelhauer and Schomaker, SPAA 2005): each peer draws a number from the key, the
 * highest wins; when a peer goes, only what it had moves. Those are passed over that would come to
 * more than a quarter above their share of all requests in hand, rounded up (Mirrokni, Thorup,
 * Zadimoghaddam: Consistent hashing with bounded loads, SODA 2018): at least one never does.
 */
static uint32_t by_hash(const struct choice *c, uint64_t key)
{
	const struct balance_pool *b = c->b;
	uint32_t best = NOBODY, spare = NOBODY;
	double best_score = 0, spare_score = 0;
	uint64_t all = 1; /* with this one */

	for (uint32_t k = 0; k < b->count; k++)
		all += active_of(&b->candidates[k]);
	for (uint32_t k = 0; k < b->count; k++) {
		const struct candidate *one = &b->candidates[k];
		double its = score(c, one, key);

		if (best != NOBODY && its <= best_score)
			continue;
		if (!may_take(c, one))
			continue;
		if (spare == NOBODY || its > spare_score) {
			spare = k;
			spare_score = its;
		}
		if (4 * active_of(one) * b->round < 5 * all * one->weight) {
			best = k;
			best_score = its;
		}
	}
	return best != NOBODY ? best : spare;
}

static uint32_t choose(const struct choice *c, uint64_t key)
{
	switch (c->pool->balance) {
	case BALANCE_LEAST_CONN:
		return cheapest(c, cost_in_hand);
	case BALANCE_LEAST_TIME:
		return cheapest(c, cost_in_time);
	case BALANCE_HASH:
		return by_hash(c, key);
	case BALANCE_ROUND_ROBIN:
		break;
	}
	return round_robin(c);
}

/* Where the candidates cannot take it: the backup with the fewest requests, else one that failed
 * before, else the one that has just failed, rather than none. */
static uint32_t overflow(const struct choice *c)
{
	const struct peer *peers = c->us->cs->settings->peers;
	const struct upstream *pool = c->pool;
	uint32_t best = BALANCE_NONE;

	for (uint32_t p = pool->first_peer; p < pool->first_peer + pool->peers_count; p++) {
		if (peers[p].backup && p != c->avoid && peer_well(c->us, p) &&
		    (best == BALANCE_NONE || peer_active(c->us, p) < peer_active(c->us, best)))
			best = p;
	}
	for (uint32_t p = pool->first_peer;
	     best == BALANCE_NONE && p < pool->first_peer + pool->peers_count; p++) {
		if (p != c->avoid &&
		    (peer_last_resort(c->us, p) || (!peers[p].backup && peer_well(c->us, p))))
			best = p;
	}
	if (best == BALANCE_NONE && c->avoid != UINT32_MAX && peer_well(c->us, c->avoid))
		best = c->avoid;
	return best;
}

/* The choice found nobody. */
static uint32_t without(const struct choice *c)
{
	bool avoided = false;
	uint32_t p = BALANCE_NONE;

	for (uint32_t k = 0; k < c->b->count && !avoided; k++)
		avoided = c->b->candidates[k].peer == c->avoid;
	/* Others are well, and there is a queue to wait for them in. */
	if (c->b->count > (avoided ? 1 : 0) && c->pool->queue_size != 0)
		return BALANCE_FULL;
	p = overflow(c);
	if (p == BALANCE_NONE && c->b->count != 0)
		p = BALANCE_FULL;
	return p;
}

uint32_t balance_pick(struct ups *us, const struct upstream *pool, uint32_t avoid, uint64_t key)
{
	struct choice c = {us, pool, look(us, pool, false), avoid};

	for (int looks = 0; looks < 2; looks++) {
		uint32_t k = c.b->count != 0 ? choose(&c, key) : NOBODY;

		/* It may have failed since the last look, others may have come back. */
		if (k != NOBODY && peer_able(us, c.b->candidates[k].peer))
			return c.b->candidates[k].peer;
		if (looks == 0)
			c.b = look(us, pool, true);
	}
	return without(&c);
}

bool balance_is_full(struct ups *us, const struct upstream *pool)
{
	const struct balance_pool *b = look(us, pool, false);

	for (uint32_t k = 0; k < b->count; k++) {
		if (!is_full(&b->candidates[k]))
			return false;
	}
	return b->count != 0;
}
