/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which deadlines contradict each other: one table for what `drover -t` warns of and for what
 * `droverctl doctor` finds in force. Times are in microseconds; 0 is no deadline.
 */
#ifndef DROVER_SHM_DEADLINES_H
#define DROVER_SHM_DEADLINES_H

#include <stdint.h>

#include "shm/board.h"

enum {
	DEADLINES_DRAIN = DEADLINES_COUNT, /* the setting of that name, beside those of a server */
	DEADLINES_SETTINGS
};

struct deadlines {
	uint64_t at_us[DEADLINES_SETTINGS]; /* [DEADLINE_MIN_RATE] is min_rate_after */
	uint64_t min_rate;                  /* bytes a second; 0 = off */
};

struct deadlines_clash {
	unsigned one, other; /* settings; the same one twice if it is wrong by itself */
	char text[160];
};

enum {
	DEADLINES_CLASHES = 8
};

/* Returns how many there are in out. */
unsigned deadlines_check(const struct deadlines *d, struct deadlines_clash out[DEADLINES_CLASHES]);

/* Name of a setting in the configuration: "header", "min_rate_after", "drain". */
const char *deadlines_name(unsigned setting);

#endif
