/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A hierarchical timing wheel (Varghese and Lauck, SOSP 1987, scheme 7): arm and cancel in O(1),
 * whatever the number of timers. Nodes lie inside flat records and are linked by index, so the
 * wheel can be built again from the records alone. One tick is 2^14 us (16 ms); a timer fires in
 * the tick after its time, never before it.
 */
#ifndef DROVER_WORKER_TIMER_H
#define DROVER_WORKER_TIMER_H

#include <stddef.h>
#include <stdint.h>

enum {
	TIMER_LEVELS = 4,
	TIMER_SLOTS = 64,
	TIMER_TICK_SHIFT = 14
};

#define TIMER_NONE UINT32_MAX

struct timer_node {
	uint32_t next;
	uint32_t prev;
	uint32_t slot; /* TIMER_NONE: not armed; else level * TIMER_SLOTS + slot */
	uint32_t tick; /* the tick in which it fires, counted from timer.base_us; modulo 2^32 */
};

struct timer {
	char *nodes; /* node i is at nodes + i * stride */
	size_t stride;
	uint64_t base_us;
	uint64_t tick;                   /* all ticks before this one have been served */
	uint64_t busy[TIMER_LEVELS + 1]; /* a bit for each slot that is not empty */
	uint32_t head[TIMER_LEVELS * TIMER_SLOTS + 1]; /* the last one: those that are firing */
};

/* first: the node inside record 0. Nodes must be set to timer_node_init() before they are used. */
void timer_init(struct timer *t, void *first, size_t stride, uint64_t now_us);

void timer_node_init(struct timer_node *n);

/* Arms node i for at_us (moves it if it is armed). Times beyond the wheel's reach (76 h) fire early
 * and are for the caller to arm again. */
void timer_arm(struct timer *t, uint32_t i, uint64_t at_us);
void timer_cancel(struct timer *t, uint32_t i);

/* When node i will fire at the earliest; 0 if it is not armed. */
uint64_t timer_at(const struct timer *t, uint32_t i);

/* Calls fire(arg, i) for every node whose time is up, after taking it off the wheel; fire may arm
 * and cancel any node. */
void timer_run(struct timer *t, uint64_t now_us, void (*fire)(void *arg, uint32_t i), void *arg);

/* Microseconds from now until timer_run may have work to do, at most `most`. */
uint64_t timer_wait_us(const struct timer *t, uint64_t now_us, uint64_t most);

#endif
