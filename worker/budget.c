/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The retry budget: see budget.h. Called by whoever gives requests to peers.
 */
#include "worker/budget.h"

static bool swap(uint64_t *word, uint64_t *was, uint64_t is)
{
	return __atomic_compare_exchange_n(word, was, is, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
}

void budget_pay_back(uint64_t *spent, uint32_t percent)
{
	uint64_t was = board_shared_get(spent);

	while (was != 0 && !swap(spent, &was, was > percent ? was - percent : 0))
		;
}

static uint64_t share_of(const struct budget *b)
{
	return (uint64_t)BUDGET_REQUESTS * b->percent;
}

static bool take_of_share(const struct budget *b, uint64_t *spent)
{
	uint64_t was = board_shared_get(spent);

	while (was + BUDGET_RETRY <= share_of(b)) {
		if (swap(spent, &was, was + BUDGET_RETRY))
			return true;
	}
	return false;
}

/* Each takes its part of a second, of which there is never more than one to be had. */
static bool take_of_second(const struct budget *b, uint64_t *allowed_us, uint64_t now_us)
{
	uint64_t was = board_shared_get(allowed_us), from;
	uint64_t part = BUDGET_SECOND_US / b->min;
	uint64_t earliest = now_us > BUDGET_SECOND_US ? now_us - BUDGET_SECOND_US : 0;

	do {
		from = was > earliest ? was : earliest;
		if (from + part > now_us)
			return false;
	} while (!swap(allowed_us, &was, from + part));
	return true;
}

bool budget_take(const struct budget *b, uint64_t *spent, uint64_t *allowed_us, uint64_t now_us)
{
	return take_of_share(b, spent) || (b->min != 0 && take_of_second(b, allowed_us, now_us));
}

uint64_t budget_left(const struct budget *b, uint64_t spent)
{
	return share_of(b) > spent ? (share_of(b) - spent) / BUDGET_RETRY : 0;
}
