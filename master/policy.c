/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The master's decisions, apart from everything that carries them out, so that tables can test
 * them. Called by slot.c, child.c, roll.c, stop.c and supervise.c; calls nobody.
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
