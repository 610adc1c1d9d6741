/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Rebalancing: workers with many connections give idle ones to those with few, in rounds, each
 * giver to one taker at a time, until the policy finds nothing more to move.
 */
#ifndef DROVER_MASTER_REBALANCE_H
#define DROVER_MASTER_REBALANCE_H

#include <stdbool.h>
#include <stdint.h>

#include "master/slot.h"

enum rebalance_outcome {
	REBALANCE_NONE,
	REBALANCE_DONE,
	REBALANCE_FAILED /* a worker did not give in time, or died of something meanwhile */
};

struct rebalance {
	bool asked;   /* by somebody, who waits for the outcome */
	bool again;   /* once more, meanwhile */
	bool waiting; /* a round is under way */
	uint64_t deadline_us;
	uint64_t check_us; /* when to look again unasked */
	uint64_t moved;    /* so far */
	uint32_t rounds;
};

void rebalance_ask(struct rebalance *r);

/*
 * To be called in each turn. may_begin: no worker is being replaced. unasked: looks every few
 * seconds. Tells the outcome once: always to somebody who asked, else if anything moved.
 */
enum rebalance_outcome rebalance_step(struct rebalance *r, struct slots *s, bool may_begin,
				      bool unasked, uint64_t now_us);

/* The soonest moment at which rebalance_step() has something to do; 0 = none. */
uint64_t rebalance_next_us(const struct rebalance *r);

#endif
