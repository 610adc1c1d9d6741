/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Carries out what the policy says of rebalancing. Who gives and takes are workers that serve and
 * stay; what becomes of them meanwhile is slot.c's. Called by supervise.c.
 */
#include "master/rebalance.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "master/policy.h"
#include "worker/errlog.h"

void rebalance_ask(struct rebalance *r)
{
	if (r->asked)
		r->again = true;
	r->asked = true;
}

static uint32_t list_loads(struct slots *s, struct policy_load *loads, struct child **workers)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < s->room; i++) {
		struct child *c = slot_worker(&s->slot[i]);
		const struct worker_row *row = c ? board_worker(s->board, c->row) : NULL;

		if (!c || c->control_fd < 0)
			continue;
		workers[n] = c;
		loads[n++] = (struct policy_load){row->conns, row->conns_idle + row->conns_relay};
	}
	return n;
}

static bool gives(struct child *giver, const struct child *taker, uint64_t count)
{
	if (!child_give(giver, taker, count)) {
		errlog(ERRLOG_DEBUG, "worker %u gives %" PRIu64 " connections to worker %u",
		       giver->slot, count, taker->slot);
		return true;
	}
	errlog(ERRLOG_WARN, "worker %u could not be told to give connections to worker %u: %s",
	       giver->slot, taker->slot, strerror(errno));
	return false;
}

/* Each giver gives to one taker. Returns whether any does. */
static bool begin_round(struct rebalance *r, struct slots *s, uint64_t now_us)
{
	struct policy_load *loads = calloc(s->room, sizeof(*loads));
	struct policy_move *moves = calloc(s->room, sizeof(*moves));
	struct child **workers = calloc(s->room, sizeof(*workers));
	uint32_t n = 0;
	bool any = false;

	if (loads && moves && workers && r->rounds < s->room)
		n = policy_rebalance(loads, list_loads(s, loads, workers), moves);
	for (uint32_t i = 0; i < n; i++)
		if (!workers[moves[i].from]->giving)
			any |= gives(workers[moves[i].from], workers[moves[i].to], moves[i].count);
	free(loads);
	free(moves);
	free(workers);
	r->waiting = any;
	r->rounds++;
	r->deadline_us = now_us + POLICY_GIVE_US;
	return any;
}

static enum rebalance_outcome end(struct rebalance *r, bool failed, uint64_t now_us)
{
	bool tell = r->asked || r->moved;

	r->waiting = false;
	r->asked = r->again;
	r->again = false;
	r->rounds = 0;
	r->check_us = now_us + POLICY_BALANCE_US;
	if (!tell)
		return REBALANCE_NONE;
	return failed ? REBALANCE_FAILED : REBALANCE_DONE;
}

static enum rebalance_outcome round_step(struct rebalance *r, struct slots *s, bool may_go_on,
					 uint64_t now_us)
{
	uint64_t moved = 0;
	bool late = false;

	for (uint32_t i = 0; i < slots_children(s); i++)
		late |= slots_child(s, i)->giving;
	if (late && now_us < r->deadline_us)
		return REBALANCE_NONE;
	for (uint32_t i = 0; i < slots_children(s); i++) {
		moved += slots_child(s, i)->given;
		slots_child(s, i)->giving = false;
		slots_child(s, i)->given = 0;
	}
	r->moved += moved;
	/* Without progress another round would end like this one. */
	if (!late && moved && may_go_on && begin_round(r, s, now_us))
		return REBALANCE_NONE;
	return end(r, late, now_us);
}

enum rebalance_outcome rebalance_step(struct rebalance *r, struct slots *s, bool may_begin,
				      bool unasked, uint64_t now_us)
{
	if (r->waiting)
		return round_step(r, s, may_begin, now_us);
	if (!may_begin || (!r->asked && (!unasked || now_us < r->check_us)))
		return REBALANCE_NONE;
	r->moved = 0;
	return begin_round(r, s, now_us) ? REBALANCE_NONE : end(r, false, now_us);
}

uint64_t rebalance_next_us(const struct rebalance *r)
{
	return r->waiting ? r->deadline_us : 0;
}
