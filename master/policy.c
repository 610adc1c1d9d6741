/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The master's decisions, apart from everything that carries them out, so that tables can test
 * them. Called by slot.c, child.c, roll.c, stop.c, start.c and others; calls nobody.
 */
#include "master/policy.h"

unsigned policy_deaths(unsigned before, uint64_t healthy_us)
{
	if (healthy_us >= POLICY_FORGIVE_US)
		return 1;
	return before == UINT32_MAX ? before : before + 1;
}

uint64_t policy_patience_us(unsigned deaths)
{
	if (deaths <= 1)
		return 0;
	unsigned doublings = deaths - 2;

	if (doublings >= 6) /* 2^6 s is above the limit of 60 s */
		return POLICY_PATIENCE_US;
	return POLICY_SECOND_US << doublings;
}

bool policy_hung(uint64_t now_us, uint64_t beat_us, uint64_t fresh_us, uint64_t hang_us)
{
	uint64_t last_us = beat_us > fresh_us ? beat_us : fresh_us;

	return hang_us && now_us > last_us && now_us - last_us > hang_us;
}

bool policy_hangs_still(bool hung, uint64_t now_us, uint64_t *doubt_us)
{
	if (!hung)
		*doubt_us = 0;
	else if (!*doubt_us)
		*doubt_us = now_us;
	return hung && now_us - *doubt_us >= POLICY_DOUBT_US;
}

uint64_t policy_late_us(uint64_t now_us, uint64_t last_turn_us)
{
	if (!last_turn_us || now_us <= last_turn_us || now_us - last_turn_us <= POLICY_LATE_US)
		return 0;
	return now_us - last_turn_us;
}

unsigned policy_starts(unsigned missing, unsigned starting)
{
	unsigned room = starting < POLICY_START_AT_ONCE ? POLICY_START_AT_ONCE - starting : 0;

	return missing < room ? missing : room;
}

enum policy_step policy_slot(const struct policy_slot *slot, uint64_t now_us)
{
	if (slot->others && (!slot->wanted || slot->current_ready))
		return POLICY_DRAIN;
	if (!slot->wanted || slot->current_ready || slot->current_starting)
		return POLICY_REST;
	if (slot->crowded)
		return POLICY_CLEAR;
	if (slot->current_dying || !slot->free_half || now_us < slot->next_start_us)
		return POLICY_REST;
	return POLICY_START;
}

int policy_roll_next(const uint8_t *marks, uint32_t n)
{
	int first = -1;

	for (uint32_t i = 0; i < n; i++) {
		if (marks[i] == POLICY_DOWN)
			return (int)i;
		if (marks[i] == POLICY_TODO && first < 0)
			first = (int)i;
	}
	return first;
}

uint64_t policy_stop_next_us(uint64_t began_us, uint64_t drain_us, uint32_t number, uint32_t slots)
{
	if (!slots || number >= slots)
		return began_us + drain_us;
	return began_us + drain_us / slots * (number + 1);
}

/* Is it worth while? Sets the share of each, rounded down and up. */
static bool is_uneven(const struct policy_load *loads, uint32_t n, uint64_t *low, uint64_t *high)
{
	uint64_t sum = 0, most = 0, fewest = UINT64_MAX;

	for (uint32_t i = 0; i < n; i++) {
		sum += loads[i].conns;
		most = loads[i].conns > most ? loads[i].conns : most;
		fewest = loads[i].conns < fewest ? loads[i].conns : fewest;
	}
	if (n < 2 || most - fewest < POLICY_UNEVEN || (most - fewest) * 10 <= most)
		return false;
	*low = sum / n;
	*high = *low + (sum % n != 0);
	return true;
}

/* What it can give. Its idle ones may be more than it has, for a moment. */
static uint64_t surplus(const struct policy_load *load, uint64_t share)
{
	uint64_t over = load->conns > share ? load->conns - share : 0;

	return over < load->idle ? over : load->idle;
}

uint32_t policy_rebalance(const struct policy_load *loads, uint32_t n, struct policy_move *moves)
{
	uint64_t low, high, gives = 0, takes = 0;
	uint32_t from = 0, to = 0, count = 0;

	if (!is_uneven(loads, n, &low, &high))
		return 0;
	/* Each step ends the giving of one worker or the taking of one: never more than n moves. */
	while (count < n) {
		for (; !gives && from < n; from++)
			gives = surplus(&loads[from], high);
		for (; !takes && to < n; to++)
			takes = loads[to].conns < low ? low - loads[to].conns : 0;
		if (!gives || !takes)
			break;
		moves[count] = (struct policy_move){from - 1, to - 1,
						    gives < takes ? gives : takes};
		gives -= moves[count].count;
		takes -= moves[count].count;
		count++;
	}
	return count;
}

int policy_wait_ms(uint64_t now_us, const uint64_t *deadlines, unsigned n, uint64_t tick_us)
{
	uint64_t wait_us = tick_us;

	for (unsigned i = 0; i < n; i++) {
		if (!deadlines[i])
			continue;
		if (deadlines[i] <= now_us)
			return 0;
		if (deadlines[i] - now_us < wait_us)
			wait_us = deadlines[i] - now_us;
	}
	return (int)((wait_us + 999) / 1000);
}
