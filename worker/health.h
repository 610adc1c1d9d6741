/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is made of the good and the bad that is known of a peer, as pure functions of numbers: no
 * clock, no board and no log in here, so that tables can test it. The prober keeps by it what its
 * checks say, all workers together what they have seen (worker/peer.c).
 */
#ifndef DROVER_WORKER_HEALTH_H
#define DROVER_WORKER_HEALTH_H

#include <stdbool.h>
#include <stdint.h>

#include "shm/board.h"

/* Checks in a row: one that fails warns, `fall` of them bring the peer down, `rise` that are well
 * bring it back. */
struct health_check {
	enum check_state state;
	uint32_t row; /* of those that speak against the state */
};

/* What a change of state is to be told as. */
enum health_news {
	HEALTH_SAME,
	HEALTH_WARNS, /* the first miss */
	HEALTH_FALLS,
	HEALTH_RISES, /* from down */
	HEALTH_HEALS  /* it had only been warned of */
};
enum health_news health_step(struct health_check *h, bool well, uint32_t fall, uint32_t rise);

/* How long what a check says counts if no other follows. */
uint64_t health_valid_us(uint64_t interval_us, uint64_t timeout_us, uint32_t fall);

/* When the next check begins: after `interval`, a tenth more or less by random. */
uint64_t health_interval_us(uint64_t interval_us, uint32_t random);

/*
 * How long a peer is left alone that was so `series` times in a row before: first_us, doubled with
 * each of them, at most max_us (but never less than first_us).
 */
uint64_t health_eject_us(uint64_t series, uint64_t first_us, uint64_t max_us);

/* What is left of the series: one step is forgiven for each time that the peer, since it was used
 * again at until_us, has been well for as long as it was left alone last. */
uint64_t health_series(uint64_t series, uint64_t until_us, uint64_t now_us, uint64_t first_us,
		       uint64_t max_us);

/*
 * Errors among requests, over a sliding window in two halves, each a word: number of the half,
 * requests, errors. Requests beyond a million in a half count no more.
 */
uint64_t health_half(uint64_t now_us, uint64_t window_us);
bool health_is_half(uint64_t word, uint64_t half);
/* The word with one request more; of another half: begun anew. */
uint64_t health_count(uint64_t word, uint64_t half, bool error);

struct health_rate {
	uint64_t requests;
	uint32_t percent; /* of them that were errors */
};
/* The half before counts as far as the window still covers it. */
struct health_rate health_rate(uint64_t word, uint64_t before, uint64_t now_us, uint64_t window_us);

/* A weight that grows from a tenth to the whole within slow_us from since_us on. */
uint64_t health_weight(uint64_t weight, uint64_t since_us, uint64_t now_us, uint64_t slow_us);

#endif
