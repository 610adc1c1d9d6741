/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Arithmetic between two looks at a board. No clock and no board in here: droverctl's live view
 * comes with numbers.
 */
#include "shm/rates.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

double rates_per_s(uint64_t now, uint64_t before, double seconds)
{
	if (now < before || !(seconds > 0))
		return NAN;
	return (double)(now - before) / seconds;
}

bool rates_hist(const uint64_t now[HIST_BUCKETS], const uint64_t before[HIST_BUCKETS],
		uint64_t out[HIST_BUCKETS])
{
	for (unsigned i = 0; i < HIST_BUCKETS; i++) {
		if (now[i] < before[i]) {
			memset(out, 0, HIST_BUCKETS * sizeof(*out));
			return false;
		}
		out[i] = now[i] - before[i];
	}
	return true;
}

double rates_quantile(const uint64_t hist[HIST_BUCKETS], double q)
{
	for (unsigned i = 0; i < HIST_BUCKETS; i++)
		if (hist[i] != 0)
			return hist_quantile(hist, q);
	return NAN;
}

/* Powers of 1000, for what has got too long for all its digits. */
static char *scaled(double n, char out[PRINT_SHORT])
{
	static const char units[] = "kMGTPE";
	unsigned unit = 0;

	n /= 1000;
	while (n >= 999.95 && unit < sizeof(units) - 2) {
		n /= 1000;
		unit++;
	}
	snprintf(out, PRINT_SHORT, "%.1f%c", n, units[unit]);
	return out;
}

static char *unknown(char out[PRINT_SHORT])
{
	return strcpy(out, "-");
}

char *rates_number(double n, char out[PRINT_SHORT])
{
	if (!isfinite(n))
		return unknown(out);
	if (n >= 999999.95)
		return scaled(n, out);
	snprintf(out, PRINT_SHORT, "%.1f", n);
	return out;
}

/* What fits no 64 bits is no number of bytes or microseconds either. */
static uint64_t whole(double n)
{
	return n < 1.8e19 ? (uint64_t)(n + 0.5) : UINT64_MAX;
}

char *rates_bytes(double n, char out[PRINT_SHORT])
{
	return isfinite(n) && n >= 0 ? print_size(whole(n), out) : unknown(out);
}

char *rates_duration(double us, char out[PRINT_SHORT])
{
	return isfinite(us) && us >= 0 ? print_duration(whole(us), out) : unknown(out);
}

char *rates_total(uint64_t n, char out[PRINT_SHORT])
{
	if (n >= 10000000000)
		return scaled((double)n, out);
	snprintf(out, PRINT_SHORT, "%" PRIu64, n);
	return out;
}
