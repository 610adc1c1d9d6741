/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The end of the daemon. Politely: lame duck, then slot by slot drained, the next when the one
 * before is gone or has had its share of the time, all by the end of `drain`. At once: all are told
 * to quit, and killed a second later.
 */
#ifndef DROVER_MASTER_STOP_H
#define DROVER_MASTER_STOP_H

#include <stdbool.h>
#include <stdint.h>

#include "master/slot.h"

enum stop_state {
	STOP_NOT,
	STOP_LAME,
	STOP_DRAINING,
	STOP_QUITTING
};

struct stop {
	enum stop_state state;
	uint64_t lame_until_us;
	uint64_t began_us, drain_us; /* of the drain */
	uint32_t slots;              /* there were with workers when it began */
	uint32_t number;             /* of the slot being drained, from 0 */
	struct slot *at;             /* that slot; NULL: none yet */
};

/* Nobody is started from here on. */
void stop_begin(struct stop *t, struct slots *s, uint64_t now_us, uint64_t lame_duck_us,
		uint64_t drain_us);
void stop_at_once(struct stop *t, struct slots *s, uint64_t now_us);

/*
 * One step, to be called in each turn. What nobody accepts from any more is closed before the last
 * worker that served it is told, so that the kernel queues nothing which that worker does not find.
 * Returns true when nothing is left to wait for.
 */
bool stop_step(struct stop *t, struct slots *s, struct generation *generations,
	       struct listen_set *set, uint64_t now_us);

/* The soonest moment at which stop_step() has something to do; 0 = none. */
uint64_t stop_next_us(const struct stop *t);

#endif
