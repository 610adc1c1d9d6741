/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Histograms of microseconds in shared memory: four buckets for each power of two, so that a
 * percentile, interpolated in its bucket, is off by a quarter at worst and by far less as a rule.
 * The last bucket takes all from 117 s on. Buckets are counters: those of several workers add up.
 */
#ifndef DROVER_SHM_HIST_H
#define DROVER_SHM_HIST_H

#include <stdint.h>

enum {
	HIST_BUCKETS = 104
};

/* Bucket of a value, always < HIST_BUCKETS. */
static inline unsigned hist_bucket(uint64_t us)
{
	if (us < 4)
		return (unsigned)us;
	unsigned log2 = 63 - (unsigned)__builtin_clzll(us);
	unsigned bucket = (log2 - 1) * 4 + (unsigned)((us >> (log2 - 2)) & 3);

	return bucket < HIST_BUCKETS ? bucket : HIST_BUCKETS - 1;
}

/* Smallest value above the bucket: its upper bound, exclusive. */
uint64_t hist_bound(unsigned bucket);

/* The value below which the share q (0..1) of the n = sum of buckets[] lies, interpolated; 0 if all
 * are empty. */
double hist_quantile(const uint64_t buckets[HIST_BUCKETS], double q);

#endif
