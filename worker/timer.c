/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The timing wheel: see timer.h. Level 0 holds the next 64 ticks, each further level 64 times as
 * long; a slot of a higher level is spread over the level below when its time begins.
 */
#include "worker/timer.h"

#define SLOT_MASK (TIMER_SLOTS - 1)
#define FIRING    (TIMER_LEVELS * TIMER_SLOTS)

static struct timer_node *node(const struct timer *t, uint32_t i)
{
	return (struct timer_node *)(void *)(t->nodes + (size_t)i * t->stride);
}

void timer_init(struct timer *t, void *first, size_t stride, uint64_t now_us)
{
	*t = (struct timer){.nodes = first, .stride = stride, .base_us = now_us};
	for (size_t i = 0; i < sizeof t->head / sizeof t->head[0]; i++)
		t->head[i] = TIMER_NONE;
}

void timer_node_init(struct timer_node *n)
{
	*n = (struct timer_node){TIMER_NONE, TIMER_NONE, TIMER_NONE, 0};
}

/* Rounded up, so that a timer never fires before its time. */
static uint64_t tick_of(const struct timer *t, uint64_t at_us)
{
	const uint64_t most = (uint64_t)1 << (6 * TIMER_LEVELS);
	uint64_t ticks;

	if (at_us <= t->base_us)
		return t->tick;
	ticks = (at_us - t->base_us + (1u << TIMER_TICK_SHIFT) - 1) >> TIMER_TICK_SHIFT;
	if (ticks < t->tick)
		return t->tick;
	return ticks - t->tick < most ? ticks : t->tick + most - 1;
}

/* A node's tick in full. It is near the wheel's; that of one that is firing lies just behind. */
static uint64_t full_tick(const struct timer *t, uint32_t tick)
{
	return t->tick + (uint64_t)(int64_t)(int32_t)(tick - (uint32_t)t->tick);
}

static void link_node(struct timer *t, uint32_t i, uint64_t tick)
{
	struct timer_node *n = node(t, i);
	uint64_t ahead = tick - t->tick;
	unsigned level = 0;
	uint32_t slot;

	while (level < TIMER_LEVELS - 1 && ahead >= (uint64_t)1 << (6 * (level + 1)))
		level++;
	slot = level * TIMER_SLOTS + (uint32_t)(tick >> (6 * level) & SLOT_MASK);
	n->tick = (uint32_t)tick;
	n->slot = slot;
	n->prev = TIMER_NONE;
	n->next = t->head[slot];
	if (n->next != TIMER_NONE)
		node(t, n->next)->prev = i;
	t->head[slot] = i;
	t->busy[level] |= (uint64_t)1 << (slot & SLOT_MASK);
}

void timer_cancel(struct timer *t, uint32_t i)
{
	struct timer_node *n = node(t, i);

	if (n->slot == TIMER_NONE)
		return;
	if (n->next != TIMER_NONE)
		node(t, n->next)->prev = n->prev;
	if (n->prev != TIMER_NONE)
		node(t, n->prev)->next = n->next;
	else
		t->head[n->slot] = n->next;
	if (t->head[n->slot] == TIMER_NONE)
		t->busy[n->slot / TIMER_SLOTS] &= ~((uint64_t)1 << (n->slot & SLOT_MASK));
	timer_node_init(n);
}

void timer_arm(struct timer *t, uint32_t i, uint64_t at_us)
{
	uint64_t tick = tick_of(t, at_us);

	if (node(t, i)->slot != TIMER_NONE) {
		if (node(t, i)->tick == (uint32_t)tick)
			return;
		timer_cancel(t, i);
	}
	link_node(t, i, tick);
}

uint64_t timer_at(const struct timer *t, uint32_t i)
{
	const struct timer_node *n = node(t, i);

	return n->slot == TIMER_NONE ? 0 : t->base_us + (full_tick(t, n->tick) << TIMER_TICK_SHIFT);
}

/* Takes a slot's list off the wheel and spreads it over the levels below. */
static void cascade(struct timer *t, unsigned level)
{
	uint32_t slot = level * TIMER_SLOTS + (uint32_t)(t->tick >> (6 * level) & SLOT_MASK);
	uint32_t i = t->head[slot];

	t->head[slot] = TIMER_NONE;
	t->busy[level] &= ~((uint64_t)1 << (slot & SLOT_MASK));
	while (i != TIMER_NONE) {
		uint32_t next = node(t, i)->next;

		link_node(t, i, full_tick(t, node(t, i)->tick));
		i = next;
	}
}

/*
 * Serves the current tick. Its timers move to a list of their own first: what fire() arms may land
 * in the same slot, 64 ticks on, and what it cancels must still be found.
 */
static void run_tick(struct timer *t, void (*fire)(void *, uint32_t), void *arg)
{
	uint32_t slot = (uint32_t)(t->tick & SLOT_MASK);

	for (unsigned level = 1; level < TIMER_LEVELS; level++) {
		if ((t->tick & (((uint64_t)1 << (6 * level)) - 1)) != 0)
			break;
		cascade(t, level);
	}
	t->tick++;
	t->head[FIRING] = t->head[slot];
	t->head[slot] = TIMER_NONE;
	t->busy[0] &= ~((uint64_t)1 << slot);
	for (uint32_t i = t->head[FIRING]; i != TIMER_NONE; i = node(t, i)->next)
		node(t, i)->slot = FIRING;
	while (t->head[FIRING] != TIMER_NONE) {
		uint32_t i = t->head[FIRING];

		timer_cancel(t, i);
		fire(arg, i);
	}
}

void timer_run(struct timer *t, uint64_t now_us, void (*fire)(void *arg, uint32_t i), void *arg)
{
	uint64_t now = now_us <= t->base_us ? 0 : (now_us - t->base_us) >> TIMER_TICK_SHIFT;

	while (t->tick <= now) {
		/* Nothing on level 0: go straight to the next time that a higher level is spread.
		 */
		if (t->busy[0] == 0 && (t->tick & SLOT_MASK) != 0) {
			uint64_t edge = (t->tick | SLOT_MASK) + 1;

			t->tick = edge <= now ? edge : now + 1;
			continue;
		}
		run_tick(t, fire, arg);
	}
}

uint64_t timer_wait_us(const struct timer *t, uint64_t now_us, uint64_t most)
{
	uint32_t first = (uint32_t)(t->tick & SLOT_MASK);
	uint64_t ahead = t->busy[0] >> first | (first ? t->busy[0] << (TIMER_SLOTS - first) : 0);
	uint64_t tick, edge, at_us;

	if (ahead != 0)
		tick = t->tick + (uint64_t)__builtin_ctzll(ahead);
	else
		tick = (t->tick | SLOT_MASK) + 1;
	/* A higher level may be due at the next edge, before the slot found. */
	edge = (t->tick + SLOT_MASK) & ~(uint64_t)SLOT_MASK;
	if ((t->busy[1] | t->busy[2] | t->busy[3]) != 0 && tick > edge)
		tick = edge;
	at_us = t->base_us + (tick << TIMER_TICK_SHIFT);
	if (at_us <= now_us)
		return 0;
	return at_us - now_us < most ? at_us - now_us : most;
}
