/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is known of a peer: see peer.h.
 */
#include "worker/peer.h"

#include "worker/address.h"
#include "worker/errlog.h"
#include "worker/health.h"
#include "worker/peer_load.h"

enum {
	RETURN_US = 1000000, /* after its first failure; no pool turns faster than that */
	TRIAL_US = 1000000   /* from one request to the next of a peer that has answered none yet */
};

struct peer_row *peer_row(const struct ups *us, uint32_t peer)
{
	return board_peer(us->cs->board, us->cs->settings->peers[peer].row);
}

struct peer_traffic_row *peer_traffic(const struct ups *us, uint32_t peer)
{
	return board_peer_traffic(us->cs->board, us->cs->worker_row,
				  us->cs->settings->peers[peer].row);
}

static const struct upstream *pool_of(const struct ups *us, uint32_t peer)
{
	const struct settings *s = us->cs->settings;

	return &s->upstreams[s->peers[peer].upstream];
}

uint64_t peer_active(const struct ups *us, uint32_t peer)
{
	return board_shared_get(&peer_row(us, peer)->active);
}

/* When it came back, or into a pool that was there: after the operator, a check, an ejection. */
static uint64_t returned_us(const struct peer_row *row)
{
	uint64_t returned = board_shared_get(&row->returned_us);
	uint64_t until = board_shared_get(&row->failed_until_us);

	return until > returned ? until : returned;
}

uint64_t peer_weight(const struct ups *us, uint32_t peer)
{
	const struct upstream *pool = pool_of(us, peer);
	const struct peer_row *row = peer_row(us, peer);
	uint64_t told = board_shared_get(&row->told_weight);
	uint64_t weight = told > 1 ? told - 1 : us->cs->settings->peers[peer].weight;

	if (pool->slow_start_us == 0)
		return weight;
	return health_weight(weight * PEER_SLOW_SCALE, returned_us(row), us->cs->clock->now_us,
			     pool->slow_start_us);
}

/* What the prober found, as long as it counts: one that stopped checking wedges nothing. */
static bool is_down_by_check(const struct ups *us, uint32_t peer, const struct peer_row *row)
{
	return __atomic_load_n(&row->check_state, __ATOMIC_RELAXED) == CHECK_DOWN &&
	       board_shared_get(&row->check_until_us) > us->cs->clock->now_us &&
	       pool_of(us, peer)->check.on;
}

/* Neither configuration nor checks keep it from being used. */
static bool is_there(const struct ups *us, uint32_t peer, const struct peer_row *row)
{
	const struct peer *p = &us->cs->settings->peers[peer];

	return !p->down && address_known(us->cs->board, p) && !is_down_by_check(us, peer, row);
}

static bool is_ejected(const struct ups *us, const struct peer_row *row)
{
	return board_shared_get(&row->failed_until_us) > us->cs->clock->now_us;
}

/* It is back, and nobody knows yet whether it is well: one request is enough to find out, where a
 * peer that hangs would have one of each client until it is late. */
static bool is_on_trial(const struct ups *us, const struct peer_row *row)
{
	return board_shared_get(&row->trial_us) > us->cs->clock->now_us;
}

static bool is_fit(const struct ups *us, uint32_t peer, const struct peer_row *row)
{
	return is_there(us, peer, row) && !is_ejected(us, row);
}

/* Nor does the operator. A weight of 0 is like drain. */
static bool is_wanted(const struct peer_row *row)
{
	return board_shared_get(&row->told) == PEER_TOLD_NONE &&
	       board_shared_get(&row->told_weight) != 1;
}

bool peer_able(const struct ups *us, uint32_t peer)
{
	const struct peer_row *row = peer_row(us, peer);

	return is_fit(us, peer, row) && !is_on_trial(us, row) && is_wanted(row);
}

void peer_taken(struct ups *us, uint32_t peer)
{
	struct peer_row *row = peer_row(us, peer);

	if (board_shared_get(&row->trial_us) != 0)
		(void)board_shared_set(&row->trial_us, us->cs->clock->now_us + TRIAL_US);
}

bool peer_last_resort(const struct ups *us, uint32_t peer)
{
	const struct peer_row *row = peer_row(us, peer);

	return (is_ejected(us, row) || is_on_trial(us, row)) && is_there(us, peer, row) &&
	       is_wanted(row) && !peer_full(us, peer);
}

bool peer_well(const struct ups *us, uint32_t peer)
{
	return peer_able(us, peer) && !peer_full(us, peer);
}

bool peer_takes_session(const struct ups *us, uint32_t peer)
{
	const struct peer_row *row = peer_row(us, peer);

	return is_fit(us, peer, row) && board_shared_get(&row->told) != PEER_TOLD_DOWN;
}

/* A third of a pool's peers, and at least one, are always kept: a request that every peer fails
 * must not take the whole pool away. */
static bool may_go(const struct ups *us, uint32_t peer)
{
	const struct upstream *pool = pool_of(us, peer);
	uint32_t gone = 0;

	for (uint32_t k = 0; k < pool->peers_count; k++) {
		uint32_t p = pool->first_peer + k;
		const struct peer_row *row = peer_row(us, p);

		gone += p != peer && (!is_fit(us, p, row) || !is_wanted(row));
	}
	return gone + 1 <= pool->peers_count * 2 / 3;
}

/* All that was left of the pool fails as well: those that failed before may be well by now. Returns
 * whether there is any. */
static bool others_return(struct ups *us, uint32_t peer)
{
	static struct errlog_limit limit = {.burst = 10};
	const struct upstream *pool = pool_of(us, peer);
	uint64_t now = us->cs->clock->now_us;
	uint32_t returned = 0;

	for (uint32_t k = 0; k < pool->peers_count; k++) {
		struct peer_row *row = peer_row(us, pool->first_peer + k);

		if (pool->first_peer + k != peer && is_ejected(us, row) &&
		    board_shared_get(&row->failed_us) + RETURN_US <= now) {
			(void)board_shared_set(&row->trial_us, now);
			returned += board_shared_set(&row->failed_until_us, 0) > now;
		}
	}
	if (returned != 0)
		errlog_limited(&limit, ERRLOG_WARN,
			       "upstream \"%s\": what is left of it fails: %u peers that were left "
			       "alone are tried again",
			       pool->name, returned);
	return returned != 0;
}

/* Leaves it alone, twice as long as the last time. Of several workers that come to it one does. */
static void eject(struct ups *us, uint32_t peer, bool fails_always, const char *why)
{
	static struct errlog_limit limit = {.burst = 60};
	const struct peer *p = &us->cs->settings->peers[peer];
	const struct upstream *pool = pool_of(us, peer);
	struct peer_row *row = peer_row(us, peer);
	uint64_t now = us->cs->clock->now_us;
	uint64_t until = board_shared_get(&row->failed_until_us), series, alone_us;

	if (until > now || p->fail_us == 0)
		return;
	if (!may_go(us, peer) && (!fails_always || !others_return(us, peer) || !may_go(us, peer)))
		return;
	series = health_series(board_shared_get(&row->eject_series), until, now, p->fail_us,
			       pool->eject_max_us);
	alone_us = health_eject_us(series, p->fail_us, pool->eject_max_us);
	if (!board_shared_swap(&row->failed_until_us, &until, now + alone_us))
		return;
	(void)board_shared_set(&row->trial_us, now + alone_us);
	(void)board_shared_set(&row->eject_series, series + 1);
	(void)board_shared_set(&row->fails, 0);
	(void)board_shared_set(&row->rate_now, 0);
	(void)board_shared_set(&row->rate_before, 0);
	(void)board_shared_add(&row->ejections, 1);
	errlog_limited(&limit, ERRLOG_WARN,
		       "peer %s of upstream \"%s\" is left alone for %llu ms: %s", p->address,
		       pool->name, (unsigned long long)alone_us / 1000, why);
}

static void count_in_row(struct ups *us, uint32_t peer)
{
	const struct peer *p = &us->cs->settings->peers[peer];
	struct peer_row *row = peer_row(us, peer);
	uint64_t now = us->cs->clock->now_us, before;

	before = board_shared_add(&row->fails, 1);
	if (before == 0 || board_shared_get(&row->failed_us) + p->fail_us < now) {
		(void)board_shared_set(&row->failed_us, now);
		(void)board_shared_set(&row->fails, 1);
		before = 0;
	}
	if (before + 1 >= p->max_fails || board_shared_get(&row->trial_us) != 0)
		eject(us, peer, true, "too many failures in a row");
}

/* Of two workers that begin a half the faster one keeps the half before. */
static void count_rate(struct ups *us, const struct upstream *pool, uint32_t peer, bool error)
{
	struct peer_row *row = peer_row(us, peer);
	uint64_t now = us->cs->clock->now_us, half = health_half(now, pool->error_window_us);
	uint64_t word = board_shared_get(&row->rate_now), next;
	struct health_rate rate;

	do {
		next = health_count(word, half, error);
	} while (!board_shared_swap(&row->rate_now, &word, next));
	if (!health_is_half(word, half))
		(void)board_shared_set(&row->rate_before, word);
	if (!error)
		return;
	rate = health_rate(next, board_shared_get(&row->rate_before), now, pool->error_window_us);
	if (rate.requests >= pool->error_requests && rate.percent >= pool->error_rate)
		eject(us, peer, false, "too many errors among its requests");
}

void peer_failed(struct ups *us, uint32_t peer)
{
	const struct upstream *pool = pool_of(us, peer);

	if (us->cs->settings->peers[peer].max_fails != 0)
		count_in_row(us, peer);
	if (pool->error_rate != 0)
		count_rate(us, pool, peer, true);
}

void peer_answered(struct ups *us, uint32_t peer, int status)
{
	const struct upstream *pool = pool_of(us, peer);
	struct peer_row *row = peer_row(us, peer);

	/* Looked at first: a word that all workers write is not written for nothing. */
	if (board_shared_get(&row->fails) != 0)
		(void)board_shared_set(&row->fails, 0);
	if (board_shared_get(&row->trial_us) != 0 && !is_ejected(us, row))
		(void)board_shared_set(&row->trial_us, 0);
	if (pool->error_rate != 0)
		count_rate(us, pool, peer, status >= 500);
}

/* When this peer may be used again; 0: nobody knows. */
static uint64_t back_us(const struct ups *us, const struct upstream *pool, uint32_t peer)
{
	const struct peer_row *row = peer_row(us, peer);
	uint64_t now = us->cs->clock->now_us, until = board_shared_get(&row->failed_until_us);

	if (us->cs->settings->peers[peer].down || !is_wanted(row) ||
	    !address_known(us->cs->board, &us->cs->settings->peers[peer]))
		return 0;
	if (until < now + 1)
		until = now + 1;
	if (is_down_by_check(us, peer, row) &&
	    until < now + pool->check.interval_us * pool->check.rise)
		until = now + pool->check.interval_us * pool->check.rise;
	return until;
}

uint32_t peer_retry_after_s(const struct ups *us, const struct upstream *pool)
{
	uint64_t now = us->cs->clock->now_us, soonest = now + PEER_RETRY_MOST_S * UINT64_C(1000000);

	for (uint32_t k = 0; k < pool->peers_count; k++) {
		uint64_t back = back_us(us, pool, pool->first_peer + k);

		if (back != 0 && back < soonest)
			soonest = back;
	}
	return (uint32_t)((soonest - now + 999999) / 1000000);
}

/* What failed before is forgiven: the operator knows better. Returns whether the peer was kept from
 * being used by it. */
static bool forgive(struct peer_row *row, uint64_t now_us)
{
	(void)board_shared_set(&row->fails, 0);
	(void)board_shared_set(&row->trial_us, 0);
	(void)board_shared_set(&row->eject_series, 0);
	(void)board_shared_set(&row->rate_now, 0);
	(void)board_shared_set(&row->rate_before, 0);
	return board_shared_set(&row->failed_until_us, 0) > now_us;
}

/* Returns whether it may be used again, and might not before. */
static bool obey(struct peer_row *row, enum order_kind kind, uint32_t weight, uint64_t now_us)
{
	bool forgiven;

	switch (kind) {
	case ORDER_UP:
		forgiven = forgive(row, now_us);
		/* A weight of 0 is a drain by another name. */
		if (board_shared_get(&row->told_weight) == 1)
			forgiven |= board_shared_set(&row->told_weight, 0) == 1;
		return board_shared_set(&row->told, PEER_TOLD_NONE) != PEER_TOLD_NONE || forgiven;
	case ORDER_DRAIN:
		(void)board_shared_set(&row->told, PEER_TOLD_DRAIN);
		return false;
	case ORDER_DOWN:
		(void)board_shared_set(&row->told, PEER_TOLD_DOWN);
		return false;
	case ORDER_WEIGHT:
		return board_shared_set(&row->told_weight, (uint64_t)weight + 1) == 1 &&
		       weight != 0;
	case ORDER_WEIGHT_DEFAULT:
		return board_shared_set(&row->told_weight, 0) == 1;
	case ORDER_KINDS:
		break;
	}
	return false;
}

void peer_tell(struct peer_row *row, enum order_kind kind, uint32_t weight, uint64_t uid,
	       uint64_t now_us)
{
	if (obey(row, kind, weight, now_us))
		(void)board_shared_set(&row->returned_us, now_us);
	(void)board_shared_set(&row->told_us, now_us);
	(void)board_shared_set(&row->told_uid, uid);
}
