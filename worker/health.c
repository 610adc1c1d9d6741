/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See health.h. Called by peer.c and check.c; calls nobody.
 */
#include "worker/health.h"

enum {
	COUNT_BITS = 20,
	COUNT_MOST = (1 << COUNT_BITS) - 1,
	HALF_BITS = 64 - 2 * COUNT_BITS
};

static enum health_news missed(struct health_check *h, uint32_t fall)
{
	bool first = h->state != CHECK_WARNED;

	if (h->state == CHECK_DOWN) {
		h->row = 0;
		return HEALTH_SAME;
	}
	h->row = first ? 1 : h->row + 1;
	h->state = CHECK_WARNED;
	if (h->row < fall)
		return first ? HEALTH_WARNS : HEALTH_SAME;
	h->state = CHECK_DOWN;
	h->row = 0;
	return HEALTH_FALLS;
}

static enum health_news passed(struct health_check *h, uint32_t rise)
{
	enum check_state was = h->state;

	if (was == CHECK_DOWN && ++h->row < rise)
		return HEALTH_SAME;
	h->state = CHECK_UP;
	h->row = 0;
	if (was == CHECK_DOWN)
		return HEALTH_RISES;
	return was == CHECK_WARNED ? HEALTH_HEALS : HEALTH_SAME;
}

enum health_news health_step(struct health_check *h, bool well, uint32_t fall, uint32_t rise)
{
	return well ? passed(h, rise) : missed(h, fall);
}

uint64_t health_valid_us(uint64_t interval_us, uint64_t timeout_us, uint32_t fall)
{
	return 3 * (interval_us + timeout_us) * fall;
}

uint64_t health_interval_us(uint64_t interval_us, uint32_t random)
{
	uint64_t tenth = interval_us / 10;

	return interval_us - tenth + (2 * tenth * (random >> 16) >> 16);
}

uint64_t health_eject_us(uint64_t series, uint64_t first_us, uint64_t max_us)
{
	uint64_t us = first_us;

	for (; series > 0 && us != 0 && us < max_us; series--)
		us *= 2;
	if (us > max_us)
		us = max_us;
	return us > first_us ? us : first_us;
}

uint64_t health_series(uint64_t series, uint64_t until_us, uint64_t now_us, uint64_t first_us,
		       uint64_t max_us)
{
	uint64_t well_us = now_us > until_us ? now_us - until_us : 0;

	while (series > 0) {
		uint64_t last_us = health_eject_us(series - 1, first_us, max_us);

		if (well_us < last_us || last_us == 0)
			break;
		/* Beyond the maximum all steps are alike: none is waited for twice. */
		well_us -= last_us;
		series--;
	}
	return series;
}

uint64_t health_half(uint64_t now_us, uint64_t window_us)
{
	uint64_t half_us = window_us / 2;

	return (half_us != 0 ? now_us / half_us : 0) & (((uint64_t)1 << HALF_BITS) - 1);
}

static uint64_t requests_of(uint64_t word)
{
	return word >> COUNT_BITS & COUNT_MOST;
}

static uint64_t errors_of(uint64_t word)
{
	return word & COUNT_MOST;
}

bool health_is_half(uint64_t word, uint64_t half)
{
	return word >> 2 * COUNT_BITS == half;
}

uint64_t health_count(uint64_t word, uint64_t half, bool error)
{
	if (!health_is_half(word, half))
		word = half << 2 * COUNT_BITS;
	if (requests_of(word) == COUNT_MOST)
		return word;
	return word + ((uint64_t)1 << COUNT_BITS) + error;
}

struct health_rate health_rate(uint64_t word, uint64_t before, uint64_t now_us, uint64_t window_us)
{
	uint64_t half = health_half(now_us, window_us), half_us = window_us / 2;
	uint64_t last = (half - 1) & (((uint64_t)1 << HALF_BITS) - 1);
	uint64_t requests = 0, errors = 0, rest_us;
	struct health_rate rate = {0};

	if (half_us == 0)
		return rate;
	if (health_is_half(word, half)) {
		requests = requests_of(word);
		errors = errors_of(word);
	} else {
		before = word;
	}
	if (health_is_half(before, last)) {
		rest_us = half_us - now_us % half_us;
		requests += requests_of(before) * rest_us / half_us;
		errors += errors_of(before) * rest_us / half_us;
	}
	rate.requests = requests;
	rate.percent = requests != 0 ? (uint32_t)(100 * errors / requests) : 0;
	return rate;
}

uint64_t health_weight(uint64_t weight, uint64_t since_us, uint64_t now_us, uint64_t slow_us)
{
	uint64_t age_us = now_us > since_us ? now_us - since_us : 0, least = (weight + 9) / 10;

	if (since_us == 0 || age_us >= slow_us)
		return weight;
	return least + (weight - least) * age_us / slow_us;
}
