/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Carries a roll out by changing what slots want; starting and draining is slot.c's. Called by
 * change.c.
 */
#include "master/roll.h"

#include <stdio.h>
#include <stdlib.h>

#include "master/policy.h"
#include "worker/errlog.h"

int roll_open(struct roll *r, uint32_t slots)
{
	*r = (struct roll){.slots = slots, .at = -1};
	r->mark = calloc(slots, sizeof(*r->mark));
	return r->mark ? 0 : -1;
}

void roll_close(struct roll *r)
{
	free(r->mark);
	r->mark = NULL;
}

/* Slots beyond the number of workers come last: they are drained when all others are there. */
static void mark_all(struct roll *r, const struct slots *s, uint32_t workers)
{
	for (uint32_t i = 0; i < r->slots; i++)
		r->mark[i] = i >= workers               ? POLICY_DONE
			     : slot_serves(&s->slot[i]) ? POLICY_TODO
							: POLICY_DOWN;
}

void roll_begin(struct roll *r, struct slots *s, struct generation *from, uint32_t from_workers,
		struct generation *to, uint32_t to_workers)
{
	r->state = ROLL_FORWARD;
	r->from = from;
	r->from_workers = from_workers;
	r->to = to;
	r->to_workers = to_workers;
	r->at = -1;
	r->why[0] = '\0';
	mark_all(r, s, to_workers);
}

static void surplus_leaves(const struct roll *r, struct slots *s, uint32_t workers)
{
	for (uint32_t i = workers; i < r->slots; i++)
		if (s->slot[i].want)
			slot_want(&s->slot[i], NULL, 0);
}

static void want_back(const struct roll *r, struct slots *s, uint32_t i)
{
	if (i < r->from_workers)
		slot_want(&s->slot[i], r->from, r->from_workers);
	else
		slot_want(&s->slot[i], NULL, 0);
}

/* The slot that failed still has its old worker. The others are sent back one by one if they were
 * sent forward. */
static void turn_back(struct roll *r, struct slots *s)
{
	snprintf(r->why, sizeof(r->why), "%s", s->failure);
	errlog(ERRLOG_WARN, "%s: going back to generation %u", r->why, r->from->number);
	want_back(r, s, (uint32_t)r->at);
	r->state = ROLL_BACK;
	r->at = -1;
	for (uint32_t i = 0; i < r->slots; i++) {
		const struct slot *slot = &s->slot[i];
		bool sent = slot->want != r->from || slot->want_workers != r->from_workers;

		r->mark[i] = i < r->from_workers && sent ? POLICY_TODO : POLICY_DONE;
	}
}

static void end(struct roll *r, struct slots *s)
{
	bool forward = r->state == ROLL_FORWARD;

	surplus_leaves(r, s, forward ? r->to_workers : r->from_workers);
	r->state = forward ? ROLL_DONE_SOON : ROLL_FAILED_SOON;
}

static enum roll_outcome settle(struct roll *r, struct slots *s, uint64_t now_us)
{
	bool done = r->state == ROLL_DONE_SOON;

	if (!slots_heard(s, now_us))
		return ROLL_NONE;
	r->state = ROLL_IDLE;
	return done ? ROLL_DONE : ROLL_FAILED;
}

/* Takes up the next slot. False: there is none. */
static bool take_next(struct roll *r, struct slots *s)
{
	r->at = policy_roll_next(r->mark, r->slots);
	if (r->at < 0)
		return false;
	if (r->state == ROLL_FORWARD)
		slot_want(&s->slot[r->at], r->to, r->to_workers);
	else
		want_back(r, s, (uint32_t)r->at);
	return true;
}

enum roll_outcome roll_step(struct roll *r, struct slots *s, uint64_t now_us)
{
	if (r->state == ROLL_IDLE)
		return ROLL_NONE;
	if (r->state == ROLL_DONE_SOON || r->state == ROLL_FAILED_SOON)
		return settle(r, s, now_us);
	for (;;) {
		if (r->at < 0 && !take_next(r, s)) {
			end(r, s);
			return ROLL_NONE; /* the last ones are told at the end of this turn */
		}
		enum slot_standing standing = slot_standing(&s->slot[r->at]);

		if (standing == SLOT_PENDING)
			return ROLL_NONE;
		if (standing == SLOT_FAILED && r->state == ROLL_FORWARD) {
			turn_back(r, s);
			continue;
		}
		/* On the way back a start that fails is tried again by the slot, with patience. */
		r->mark[r->at] = POLICY_DONE;
		r->at = -1;
	}
}
