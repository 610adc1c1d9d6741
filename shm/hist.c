/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Bounds and quantiles of the histograms that workers keep on the board. Only readers come here; a
 * writer needs no more than hist_bucket().
 */
#include "shm/hist.h"

#include <stddef.h>

/* Smallest value that falls into the bucket. */
static uint64_t lowest(unsigned bucket)
{
	if (bucket < 4)
		return bucket;
	return (uint64_t)(4 + bucket % 4) << (bucket / 4 - 1);
}

uint64_t hist_bound(unsigned bucket)
{
	if (bucket >= HIST_BUCKETS - 1)
		return UINT64_MAX;
	return lowest(bucket + 1);
}

/* Where in its bucket a value lies is not known: the last one, without an end, counts as its start.
 */
static double within(unsigned bucket, double share)
{
	double low = (double)lowest(bucket);

	if (bucket == HIST_BUCKETS - 1)
		return low;
	return low + ((double)hist_bound(bucket) - low) * share;
}

double hist_quantile(const uint64_t buckets[HIST_BUCKETS], double q)
{
	uint64_t total = 0;
	double wanted, below = 0;
	unsigned last = 0;

	for (unsigned i = 0; i < HIST_BUCKETS; i++) {
		total += buckets[i];
		if (buckets[i] != 0)
			last = i;
	}
	if (total == 0)
		return 0;
	wanted = (q < 0 ? 0 : q > 1 ? 1 : q) * (double)total;
	for (unsigned i = 0; i < last; i++) {
		double here = (double)buckets[i];

		if (here > 0 && below + here >= wanted)
			return within(i, (wanted - below) / here);
		below += here;
	}
	return within(last, (wanted - below) / (double)buckets[last]);
}
