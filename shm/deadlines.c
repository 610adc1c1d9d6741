/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The rules by which deadlines go together. Called by the configuration check and by droverctl
 * doctor, so that both say the same.
 */
#include "shm/deadlines.h"

#include <inttypes.h>
#include <stdio.h>

#define DIM(a) (sizeof(a) / sizeof((a)[0]))

/* The first runs while the second does: if it is the shorter one, it ends what the second would
 * allow. */
static const struct {
	unsigned outer, inner;
	const char *why;
} rules[] = {
    {DEADLINE_REQUEST, DEADLINE_HEADER, "which it ends"},
    {DEADLINE_REQUEST, DEADLINE_BODY, "which it ends"},
    {DEADLINE_MAX_AGE, DEADLINE_IDLE, "which it ends"},
    {DEADLINES_DRAIN, DEADLINE_REQUEST, "and a stop cuts responses that may still take as long"},
};

_Static_assert(DIM(rules) < DEADLINES_CLASHES, "each rule may be broken, and min_rate_after");

const char *deadlines_name(unsigned setting)
{
#define NAME(X, sym, name, advice) [DEADLINE_##sym] = #name,
	static const char *const names[] = {DEADLINES(NAME, )[DEADLINES_DRAIN] = "drain"};
#undef NAME

	if (setting == DEADLINE_MIN_RATE)
		return "min_rate_after";
	return setting < DIM(names) ? names[setting] : "?";
}

unsigned deadlines_check(const struct deadlines *d, struct deadlines_clash out[DEADLINES_CLASHES])
{
	unsigned n = 0;

	for (size_t i = 0; i < DIM(rules); i++) {
		uint64_t outer = d->at_us[rules[i].outer], inner = d->at_us[rules[i].inner];

		if (outer == 0 || inner == 0 || outer >= inner)
			continue;
		out[n].one = rules[i].outer;
		out[n].other = rules[i].inner;
		snprintf(out[n].text, sizeof(out[n].text),
			 "%s (%" PRIu64 "ms) is shorter than %s (%" PRIu64 "ms), %s",
			 deadlines_name(rules[i].outer), outer / 1000,
			 deadlines_name(rules[i].inner), inner / 1000, rules[i].why);
		n++;
	}
	if (d->at_us[DEADLINE_MIN_RATE] == 0 && d->min_rate != 0) {
		out[n].one = out[n].other = DEADLINE_MIN_RATE;
		snprintf(out[n].text, sizeof(out[n].text),
			 "min_rate_after is 0: whatever does not come at once is too slow "
			 "(min_rate = 0 turns the check off)");
		n++;
	}
	return n;
}
