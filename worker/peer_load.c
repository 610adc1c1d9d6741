/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a peer has in hand: see peer_load.h.
 */
#include "worker/peer_load.h"

#include "shm/active.h"
#include "worker/peer.h"

enum {
	HALF_SHIFT = 10, /* an average is worth half after 2^10 ms */
	ONE = 1 << HALF_SHIFT,
	OLD_MOST = ONE - ONE / 8, /* of an average with a new sample: what the old one counts */
	SWAPS_MOST = 8
};

bool peer_full(const struct ups *us, uint32_t peer)
{
	uint32_t most = us->cs->settings->peers[peer].max_conns;

	return most != 0 && peer_row_active(peer_row(us, peer)) >= most;
}

bool peer_reserve(struct ups *us, uint32_t peer)
{
	uint32_t most = us->cs->settings->peers[peer].max_conns;

	if (most == 0)
		active_add(peer_row(us, peer), peer_traffic(us, peer));
	else if (!active_add_below(peer_row(us, peer), peer_traffic(us, peer), most))
		return false;
	us->reserved = peer;
	peer_taken(us, peer);
	return true;
}

void peer_unreserve(struct ups *us)
{
	uint32_t peer = us->reserved;

	if (peer == UP_NONE)
		return;
	us->reserved = UP_NONE;
	active_less(peer_row(us, peer), peer_traffic(us, peer));
}

/* v, so many milliseconds later: halves, and straight lines between them. */
static uint64_t decayed(uint64_t v, uint32_t age_ms)
{
	uint32_t halves = age_ms >> HALF_SHIFT;

	if (halves >= 32)
		return 0;
	v >>= halves;
	return v - (v * (age_ms & (ONE - 1)) >> (HALF_SHIFT + 1));
}

/* The word: milliseconds of the clock, then the average. The clock's go round in 49 days: a word
 * that is as old as that may count for some seconds. */
static uint32_t age_of(uint64_t word, uint32_t now_ms)
{
	uint32_t age = now_ms - (uint32_t)(word >> 32);

	/* Written by a worker whose turn began a little later. */
	return age > UINT32_MAX / 2 ? 0 : age;
}

uint64_t peer_time_at(const struct peer_row *row, uint64_t now_us)
{
	uint64_t word = board_shared_get(&row->answer_time);

	return decayed((uint32_t)word, age_of(word, (uint32_t)(now_us / 1000)));
}

static uint64_t averaged(uint64_t word, uint32_t now_ms, uint64_t us_taken)
{
	uint64_t old = decayed(ONE, age_of(word, now_ms));

	if ((uint32_t)word == 0)
		return us_taken;
	if (old > OLD_MOST)
		old = OLD_MOST;
	return ((uint32_t)word * old + us_taken * (ONE - old)) >> HALF_SHIFT;
}

void peer_time_note(struct ups *us, uint32_t peer, uint64_t us_taken, bool at_least)
{
	uint64_t *word = &peer_row(us, peer)->answer_time;
	uint32_t now_ms = (uint32_t)(us->cs->clock->now_us / 1000);

	if (us_taken > UINT32_MAX)
		us_taken = UINT32_MAX;
	/* With so many others at it one sample less does not matter. */
	for (int k = 0; k < SWAPS_MOST; k++) {
		uint64_t was = board_shared_get(word), now;

		if (at_least && us_taken <= decayed((uint32_t)was, age_of(was, now_ms)))
			return;
		now = averaged(was, now_ms, us_taken);
		if (now == 0)
			now = 1;
		if (board_shared_swap(word, &was, (uint64_t)now_ms << 32 | now))
			return;
	}
}

void peer_time_cancelled(struct ups *us, uint32_t u)
{
	const struct up *up = up_at(us, u);
	uint64_t now = us->cs->clock->now_us;

	if (up_upstream(us, u)->balance == BALANCE_LEAST_TIME &&
	    (up->state == UP_CONNECT || up->state == UP_HEAD) && now > up->since_us)
		peer_time_note(us, up->peer, now - up->since_us, true);
}
