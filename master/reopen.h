/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reopening of logs: the master opens them, gives the descriptors to all workers, and waits, not
 * for ever, until they have taken them.
 */
#ifndef DROVER_MASTER_REOPEN_H
#define DROVER_MASTER_REOPEN_H

#include <stdbool.h>
#include <stdint.h>

#include "master/slot.h"

enum reopen_outcome {
	REOPEN_NONE,
	REOPEN_DONE,
	REOPEN_FAILED
};

struct reopen {
	bool waiting;
	bool again; /* asked for once more meanwhile */
	uint64_t deadline_us;
	unsigned failed; /* logs that could not be opened, and workers that could not be told */
};

void reopen_begin(struct reopen *r, struct generation *generations, struct slots *s,
		  uint64_t now_us);

/* To be called in each turn; tells the outcome once. */
enum reopen_outcome reopen_step(struct reopen *r, struct generation *generations, struct slots *s,
				uint64_t now_us);

#endif
