/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Stops the daemon by orders to its children. Called by orders.c, start.c and supervise.c.
 */
#include "master/stop.h"

#include <inttypes.h>

#include "master/child_tell.h"
#include "master/policy.h"
#include "worker/errlog.h"
#include "worker/worker.h"

static bool has_staying(const struct slot *s)
{
	for (unsigned half = 0; half < BOARD_HALVES; half++)
		if (child_stays(&s->child[half]))
			return true;
	return false;
}

static uint32_t count_staying(const struct slots *s)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < s->room; i++)
		n += has_staying(&s->slot[i]);
	return n;
}

static void close_slots(struct slots *s)
{
	s->closed = true;
	for (uint32_t i = 0; i < s->room; i++)
		s->slot[i].next_start_us = 0;
}

void stop_begin(struct stop *t, struct slots *s, uint64_t now_us, uint64_t lame_duck_us,
		uint64_t drain_us)
{
	close_slots(s);
	*t = (struct stop){
	    .state = STOP_LAME, .lame_until_us = now_us + lame_duck_us, .drain_us = drain_us};
	for (uint32_t i = 0; i < slots_children(s); i++)
		if (child_stays(slots_child(s, i)))
			child_tell(slots_child(s, i), CONTROL_LAME_DUCK, 0, 0);
}

void stop_at_once(struct stop *t, struct slots *s, uint64_t now_us)
{
	struct child_news news = {.now_us = now_us};

	close_slots(s);
	t->state = STOP_QUITTING;
	slots_all(s, CHILD_QUIT, &news);
}

/* Sockets of a reuseport group that only this child serves: once it is told, the kernel shall queue
 * nothing on them. */
static bool close_group_sockets(struct child *c)
{
	bool any = false;

	for (uint32_t i = 0; c->gen->bound && i < c->share.count; i++) {
		struct bound *b = c->gen->bound[c->share.ids[i]];

		for (unsigned j = 0; b->reuseport && j < b->count; j++) {
			if (b->fds[j] < 0 || b->fds[j] != c->share.fds[i])
				continue;
			listen_close_socket(b, j);
			any = true;
		}
	}
	return any;
}

static void drain_slot(struct slot *s, bool last, uint64_t now_us, uint64_t until_us)
{
	for (unsigned half = 0; half < BOARD_HALVES; half++) {
		struct child *c = &s->child[half];

		if (!child_stays(c))
			continue;
		bool final = close_group_sockets(c) || last;
		struct child_news news = {
		    .now_us = now_us,
		    .until_us = until_us,
		    .flags = final ? CONTROL_FINAL : 0,
		};

		child_event(c, CHILD_DRAIN, &news);
	}
}

static struct slot *next_slot(struct slots *s)
{
	for (uint32_t i = 0; i < s->room; i++)
		if (has_staying(&s->slot[i]))
			return &s->slot[i];
	return NULL;
}

/* Whether the slot being drained still has its turn. */
static bool holds_turn(const struct stop *t, uint64_t now_us)
{
	return t->at && slot_lives(t->at) &&
	       now_us < policy_stop_next_us(t->began_us, t->drain_us, t->number, t->slots);
}

static void drain_step(struct stop *t, struct slots *s, struct generation *generations,
		       struct listen_set *set, uint64_t now_us)
{
	while (!holds_turn(t, now_us)) {
		struct slot *next = next_slot(s);
		bool last = count_staying(s) <= 1;

		for (struct generation *g = last ? generations : NULL; g; g = g->next)
			generation_retire(g, set);
		if (!next)
			return;
		if (t->at)
			t->number++;
		t->at = next;
		drain_slot(next, last, now_us, t->began_us + t->drain_us);
	}
}

/* Who is in the kernel's hands for good is not waited for. */
static bool all_gone(struct slots *s)
{
	for (uint32_t i = 0; i < slots_children(s); i++)
		if (child_lives(slots_child(s, i)) && slots_child(s, i)->state != CHILD_STUCK)
			return false;
	return true;
}

bool stop_step(struct stop *t, struct slots *s, struct generation *generations,
	       struct listen_set *set, uint64_t now_us)
{
	if (t->state == STOP_NOT)
		return false;
	if (t->state == STOP_LAME && now_us >= t->lame_until_us) {
		t->state = STOP_DRAINING;
		t->began_us = now_us;
		t->slots = count_staying(s);
	}
	if (t->state == STOP_DRAINING)
		drain_step(t, s, generations, set, now_us);
	return all_gone(s);
}

uint64_t stop_next_us(const struct stop *t)
{
	if (t->state == STOP_LAME)
		return t->lame_until_us;
	if (t->state == STOP_DRAINING && t->at)
		return policy_stop_next_us(t->began_us, t->drain_us, t->number, t->slots);
	return 0;
}
