/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A histogram of microseconds for test clients, finer than the board's: 32 steps for each power of
 * two, so a quantile is at most 3 % too high.
 */
#ifndef DROVER_T_LATENCY_H
#define DROVER_T_LATENCY_H

#include <stdint.h>

#define LATENCY_STEPS 32
#define LATENCY_SIZE  (LATENCY_STEPS * 40)

struct latency {
	uint64_t bucket[LATENCY_SIZE], n, max_us;
};

static inline unsigned latency_bucket(uint64_t us)
{
	unsigned shift = 0;

	while (us >> shift >= LATENCY_STEPS * 2)
		shift++;
	us = (us >> shift) + (uint64_t)shift * LATENCY_STEPS;
	return us < LATENCY_SIZE ? (unsigned)us : LATENCY_SIZE - 1;
}

static inline void latency_add(struct latency *l, uint64_t us)
{
	l->bucket[latency_bucket(us)]++;
	l->n++;
	if (us > l->max_us)
		l->max_us = us;
}

/* The upper end of the bucket below which `part` of all values lie; 0 if there are none. */
static inline uint64_t latency_quantile(const struct latency *l, double part)
{
	uint64_t want = (uint64_t)(part * (double)l->n), sum = 0, us;
	unsigned i = 0;

	while (i < LATENCY_SIZE - 1 && (sum += l->bucket[i]) <= want)
		i++;
	us = i < LATENCY_STEPS * 2
		 ? i
		 : ((uint64_t)(i % LATENCY_STEPS + LATENCY_STEPS + 1) << (i / LATENCY_STEPS - 1)) -
		       1;
	return us < l->max_us ? us : l->max_us;
}

#endif
