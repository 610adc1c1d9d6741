/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A roll: the slots go from one generation and number of workers to another, one by one, each when
 * the one before has its new worker ready. If one cannot start, those already replaced go back by
 * the same way. It is over when those that leave accept nothing any more, so that who asks after
 * that is answered by the others alone. Reloads roll to another generation, TTIN and TTOU to
 * another number.
 */
#ifndef DROVER_MASTER_ROLL_H
#define DROVER_MASTER_ROLL_H

#include <stdbool.h>
#include <stdint.h>

#include "master/slot.h"

enum roll_state {
	ROLL_IDLE,
	ROLL_FORWARD,
	ROLL_BACK,
	ROLL_DONE_SOON, /* who was replaced has yet to hear that it is to drain */
	ROLL_FAILED_SOON
};

enum roll_outcome {
	ROLL_NONE, /* nothing to tell: idle or under way */
	ROLL_DONE,
	ROLL_FAILED /* all is as it was before; the reason is in why */
};

struct roll {
	enum roll_state state;
	struct generation *from, *to; /* kept alive by the owner until the roll is over */
	uint32_t from_workers, to_workers;
	uint8_t *mark;  /* enum policy_mark by slot; owned */
	uint32_t slots; /* of mark */
	int at;         /* the slot being replaced; -1: none yet */
	char why[256];
};

/* Room for so many slots. Returns 0, or -1 with errno. */
int roll_open(struct roll *r, uint32_t slots);
void roll_close(struct roll *r);

void roll_begin(struct roll *r, struct slots *s, struct generation *from, uint32_t from_workers,
		struct generation *to, uint32_t to_workers);

/* One step, to be called in each turn before slots_tend(). The outcome is told once; then the roll
 * is idle. */
enum roll_outcome roll_step(struct roll *r, struct slots *s, uint64_t now_us);

#endif
