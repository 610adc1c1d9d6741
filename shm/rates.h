/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What two looks at a board tell together: counts per second, histograms of what came in between,
 * and how such numbers are written in a narrow column. What cannot be told, since a counter is
 * lower than before or no time passed, is NAN and written "-": never a number that means nothing.
 */
#ifndef DROVER_SHM_RATES_H
#define DROVER_SHM_RATES_H

#include <stdbool.h>
#include <stdint.h>

#include "shm/hist.h"
#include "shm/print.h"

/* (now - before) / seconds, or NAN. */
double rates_per_s(uint64_t now, uint64_t before, double seconds);

/* now - before, bucket by bucket. False, and out all zero, if a bucket is lower than before. */
bool rates_hist(const uint64_t now[HIST_BUCKETS], const uint64_t before[HIST_BUCKETS],
		uint64_t out[HIST_BUCKETS]);

/* hist_quantile(), but NAN if there are no values. */
double rates_quantile(const uint64_t hist[HIST_BUCKETS], double q);

/* At most 8 columns each: "0.0", "12345.6", "1.2M" (powers of 1000); "-" if NAN. Return out. */
char *rates_number(double n, char out[PRINT_SHORT]);
/* The same of bytes: "512", "1.2k", "34M" (powers of 1024). */
char *rates_bytes(double n, char out[PRINT_SHORT]);
/* The same of microseconds: "350 us", "2.1 ms". */
char *rates_duration(double us, char out[PRINT_SHORT]);
/* A total: all digits up to ten of them, then powers of 1000. */
char *rates_total(uint64_t n, char out[PRINT_SHORT]);

#endif
