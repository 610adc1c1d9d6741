/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How many requests of a pool may be tried again: a share of its recent requests, and so many a
 * second anyway, over all workers together, so that retries never multiply an outage. Two shared
 * words of the pool's row on the board, each changed by compare-and-swap. A row of zeros has spent
 * nothing, which is also what it comes to while no peer fails: a request then reads one word.
 *
 * Pure but for the words: time is passed in, in microseconds.
 */
#ifndef DROVER_WORKER_BUDGET_H
#define DROVER_WORKER_BUDGET_H

#include <stdbool.h>
#include <stdint.h>

#include "shm/board.h"

enum {
	BUDGET_RETRY = 100,    /* what a retry costs: a request pays `percent` of it back */
	BUDGET_REQUESTS = 500, /* the share is of so many */
	BUDGET_SECOND_US = 1000000
};

struct budget {
	uint32_t percent; /* of the requests */
	uint32_t min;     /* retries a second allowed anyway */
};

void budget_pay_back(uint64_t *spent, uint32_t percent);

/* A request that is not a retry. */
static inline void budget_earn(const struct budget *b, uint64_t *spent)
{
	if (__builtin_expect(board_shared_get(spent) != 0, 0))
		budget_pay_back(spent, b->percent);
}

/*
 * May a request be tried again? It counts at once, whether or not it has to wait then. allowed_us:
 * until when the retries that are allowed anyway have been used up.
 */
bool budget_take(const struct budget *b, uint64_t *spent, uint64_t *allowed_us, uint64_t now_us);

/* How many more there are of the share. */
uint64_t budget_left(const struct budget *b, uint64_t spent);

#endif
