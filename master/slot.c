/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tends slots: compares what each wants with what it has, asks the policy, and starts or drains. A
 * start that fails costs patience, never an assertion. Called by the files of the loop, by
 * roll.c and stop.c.
 */
#include "master/slot.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "master/adopt.h"
#include "master/birth.h"
#include "master/policy.h"
#include "worker/errlog.h"

int slots_open(struct slots *s, const struct board *b)
{
	*s = (struct slots){.room = b->sizes.slots, .board = b, .rundir_fd = -1};
	s->slot = calloc(s->room, sizeof(*s->slot));
	if (!s->slot)
		return -1;
	for (uint32_t i = 0; i < s->room; i++) {
		s->slot[i].index = i;
		for (unsigned half = 0; half < BOARD_HALVES; half++) {
			struct child *c = &s->slot[i].child[half];

			c->slot = i;
			c->row = i * BOARD_HALVES + half;
			c->control_fd = -1;
			c->pid_fd = -1;
			c->board = b;
		}
	}
	return 0;
}

void slots_close(struct slots *s)
{
	free(s->slot);
	s->slot = NULL;
	s->room = 0;
}

static bool is_current(const struct slot *s, const struct child *c)
{
	return s->want && c->gen == s->want && c->serial == s->want_serial;
}

/* The worker of the slot that has this generation and the sockets that go with so many workers; a
 * ready one before others. */
static const struct child *find(const struct slot *s, const struct generation *gen,
				uint32_t workers)
{
	const struct child *found = NULL;

	for (unsigned half = 0; gen && half < BOARD_HALVES; half++) {
		const struct child *c = &s->child[half];

		if (!child_stays(c) || c->gen != gen ||
		    !share_is(&c->share, gen, s->index, workers))
			continue;
		if (!found || c->state == CHILD_READY)
			found = c;
	}
	return found;
}

void slot_want(struct slot *s, struct generation *gen, uint32_t workers)
{
	const struct child *has = find(s, gen, workers);

	s->want_serial = has ? has->serial : ++s->serials;
	s->want = gen;
	s->want_workers = workers;
	s->deaths = 0;
	s->failed_starts = 0;
	s->failed_forks = 0;
	s->next_start_us = 0;
}

static struct policy_slot view(const struct slot *s)
{
	struct policy_slot v = {.wanted = s->want, .next_start_us = s->next_start_us};
	unsigned staying = 0;

	for (unsigned half = 0; half < BOARD_HALVES; half++) {
		const struct child *c = &s->child[half];

		staying += child_stays(c);
		if (!child_lives(c))
			v.free_half = true;
		else if (child_is_dying(c))
			v.current_dying |= is_current(s, c);
		else if (!child_stays(c))
			continue;
		else if (!is_current(s, c))
			v.others = true;
		else if (c->state == CHILD_READY)
			v.current_ready = true;
		else
			v.current_starting = true;
	}
	v.crowded = staying == BOARD_HALVES;
	return v;
}

enum slot_standing slot_standing(const struct slot *s)
{
	struct policy_slot v = view(s);

	if (!s->want || v.current_ready)
		return SLOT_SETTLED;
	return s->failed_starts || s->failed_forks ? SLOT_FAILED : SLOT_PENDING;
}

struct child *slot_worker(struct slot *s)
{
	for (unsigned half = 0; half < BOARD_HALVES; half++)
		if (s->child[half].state == CHILD_READY && is_current(s, &s->child[half]))
			return &s->child[half];
	return NULL;
}

bool slot_serves(const struct slot *s)
{
	for (unsigned half = 0; half < BOARD_HALVES; half++)
		if (s->child[half].state == CHILD_READY)
			return true;
	return false;
}

bool slot_lives(const struct slot *s)
{
	for (unsigned half = 0; half < BOARD_HALVES; half++)
		if (child_lives(&s->child[half]))
			return true;
	return false;
}

/* The half that no process uses, and not the last one if there is a choice: its connections can be
 * read for longer. */
static unsigned pick_half(const struct slot *s)
{
	unsigned other = (s->last_half + 1) % BOARD_HALVES;

	return child_lives(&s->child[other]) ? s->last_half : other;
}

static void fork_failed(struct slots *s, struct slot *slot, uint64_t now_us)
{
	static struct errlog_limit limit;

	snprintf(s->failure, sizeof(s->failure), "cannot start worker %u: %s", slot->index,
		 strerror(errno));
	board_add(&s->board->master->fork_failures, 1);
	s->fork_failures++;
	slot->failed_forks++;
	s->next_fork_us = now_us + policy_patience_us(s->fork_failures + 1);
	errlog_limited(&limit, ERRLOG_ERROR, "%s; trying again in %" PRIu64 " s", s->failure,
		       policy_patience_us(s->fork_failures + 1) / POLICY_SECOND_US);
}

static void start(struct slots *s, struct slot *slot, uint64_t now_us)
{
	unsigned half = pick_half(slot);
	struct birth birth = {
	    .board = s->board,
	    .gen = slot->want,
	    .workers = slot->want_workers,
	    .instance = s->instances + 1,
	    .now_us = now_us,
	    .rundir_fd = s->rundir_fd,
	    .forget = s->forget,
	    .forget_arg = s->forget_arg,
	};

	if (birth_worker(&slot->child[half], &birth)) {
		fork_failed(s, slot, now_us);
		return;
	}
	slot->child[half].serial = slot->want_serial;
	s->instances++;
	s->fork_failures = 0;
	s->next_fork_us = 0;
	slot->instance = s->instances;
	slot->last_half = half;
}

/* Fewer connections than the other? A worker that has none to lose is the best to give some. */
static bool is_freer(const struct child *a, const struct child *b)
{
	return !b || board_worker(a->board, a->row)->conns < board_worker(b->board, b->row)->conns;
}

/* The one in its slot that has what the slot wants, else the other one there: it passes them on
 * when it has to leave itself. */
static const struct child *successor_in(const struct slot *own, const struct child *leaves)
{
	const struct child *found = NULL;

	for (unsigned half = 0; half < BOARD_HALVES && own->want; half++) {
		const struct child *c = &own->child[half];

		if (c == leaves || c->state != CHILD_READY)
			continue;
		if (!found || is_current(own, c))
			found = c;
	}
	return found;
}

/* Who takes the connections of a worker that leaves: its slot's next one, else, when the slot is
 * given up, the one with the fewest. NULL: nobody. */
static const struct child *successor_of(const struct slots *s, const struct child *leaves)
{
	const struct child *found = successor_in(&s->slot[leaves->slot], leaves);

	if (found)
		return found;
	for (uint32_t i = 0; i < s->room; i++) {
		const struct slot *other = &s->slot[i];

		for (unsigned half = 0; half < BOARD_HALVES && other->want; half++) {
			const struct child *c = &other->child[half];

			if (c != leaves && c->state == CHILD_READY && is_current(other, c) &&
			    is_freer(c, found))
				found = c;
		}
	}
	return found;
}

static void drain(const struct slots *s, struct child *c, uint64_t now_us)
{
	struct child_news news = {.now_us = now_us,
				  .until_us = now_us + c->gen->settings->drain_us,
				  .successor = successor_of(s, c)};

	child_event(c, CHILD_DRAIN, &news);
}

static void drain_others(const struct slots *s, struct slot *slot, uint64_t now_us)
{
	for (unsigned half = 0; half < BOARD_HALVES; half++)
		if (child_stays(&slot->child[half]) && !is_current(slot, &slot->child[half]))
			drain(s, &slot->child[half], now_us);
}

/* One that does not serve yet, else the older one. */
static void clear_half(const struct slots *s, struct slot *slot, uint64_t now_us)
{
	struct child *leaves = &slot->child[0];

	for (unsigned half = 1; half < BOARD_HALVES; half++) {
		struct child *c = &slot->child[half];

		if (leaves->state == CHILD_STARTING)
			break;
		if (c->state == CHILD_STARTING || c->instance < leaves->instance)
			leaves = c;
	}
	drain(s, leaves, now_us);
}

/* How many may be started in this turn. */
static unsigned starts_now(struct slots *s, uint64_t now_us)
{
	unsigned missing = 0, starting = 0;

	if (s->closed || now_us < s->next_fork_us)
		return 0;
	for (uint32_t i = 0; i < s->room; i++) {
		struct policy_slot v = view(&s->slot[i]);

		starting += v.current_starting;
		missing += policy_slot(&v, now_us) == POLICY_START;
	}
	return policy_starts(missing, starting);
}

void slots_tend(struct slots *s, uint64_t now_us)
{
	unsigned starts = starts_now(s, now_us);

	for (uint32_t i = 0; i < s->room; i++) {
		struct slot *slot = &s->slot[i];
		struct policy_slot v = view(slot);

		switch (policy_slot(&v, now_us)) {
		case POLICY_REST:
			break;
		case POLICY_START:
			if (starts && now_us >= s->next_fork_us) {
				start(s, slot, now_us);
				starts--;
			}
			break;
		case POLICY_DRAIN:
			if (!s->held)
				drain_others(s, slot, now_us);
			break;
		case POLICY_CLEAR:
			if (!s->held)
				clear_half(s, slot, now_us);
			break;
		}
	}
}

/* To a new successor, within the same time. */
static void drain_again(const struct slots *s, struct child *c, uint64_t now_us)
{
	struct child_news news = {.now_us = now_us,
				  .until_us = c->until_us,
				  .flags = c->drain_flags,
				  .successor = successor_of(s, c)};

	child_event(c, CHILD_DRAIN, &news);
}

/* No older heartbeat counts against it. */
static uint64_t fresh_us(const struct slots *s, const struct child *c)
{
	if (!c->ready_us) /* told to drain before it was ready: its start counts as fresh */
		return c->started_us + POLICY_START_US;
	return c->ready_us > s->fresh_us ? c->ready_us : s->fresh_us;
}

static bool has_heartbeat(const struct child *c)
{
	return c->state == CHILD_READY || c->state == CHILD_DRAINING;
}

static void watch_child(const struct slots *s, struct child *c, uint64_t now_us)
{
	struct child_news news = {.now_us = now_us};
	bool hung = has_heartbeat(c) && policy_hung(now_us, child_beat_us(c), fresh_us(s, c),
						    c->gen->settings->hang_us);

	if (c->alone && c->state == CHILD_DRAINING)
		drain_again(s, c, now_us);
	if (c->deadline_us && now_us >= c->deadline_us) {
		child_event(c, CHILD_EXPIRES, &news);
		return;
	}
	if (policy_hangs_still(hung, now_us, &c->doubt_us))
		child_event(c, CHILD_HANGS, &news);
}

void slots_watch(struct slots *s, uint64_t now_us)
{
	for (uint32_t i = 0; i < slots_children(s); i++)
		if (child_lives(slots_child(s, i))) {
			watch_child(s, slots_child(s, i), now_us);
			child_guard(slots_child(s, i), now_us);
		}
}

void slots_postpone(struct slots *s, uint64_t now_us, uint64_t late_us)
{
	s->fresh_us = now_us;
	for (uint32_t i = 0; i < slots_children(s); i++)
		if (slots_child(s, i)->deadline_us)
			slots_child(s, i)->deadline_us += late_us;
}

/* The last start of the slot ended unasked: the next one needs patience. */
static void count_death(struct slots *s, struct slot *slot, enum child_fate fate,
			const struct child *c, uint64_t now_us)
{
	uint64_t wait_us;

	slot->deaths = policy_deaths(slot->deaths, c->ready_us ? now_us - c->ready_us : 0);
	wait_us = policy_patience_us(slot->deaths);
	slot->next_start_us = now_us + wait_us;
	if (fate == FATE_UNBORN) {
		slot->failed_starts++;
		snprintf(s->failure, sizeof(s->failure), "%s", c->epitaph);
	}
	if (wait_us && !s->closed)
		errlog(ERRLOG_WARN,
		       "worker %u died %u times in a row: starting it again in %" PRIu64 " s",
		       slot->index, slot->deaths, wait_us / POLICY_SECOND_US);
}

static void died(struct slots *s, struct slot *slot, struct child *c, int status, uint64_t now_us)
{
	struct child_news news = {.now_us = now_us, .status = status};
	bool mourned = c->instance == slot->instance && is_current(slot, c);
	pid_t pid = c->pid;

	child_listen(c, now_us); /* its last words, or the first ones of its standby */
	if (c->pid != pid) {
		child_mourns(c, pid, status, now_us);
		return;
	}
	enum child_fate fate = child_event(c, CHILD_DIES, &news);

	if (!child_lives(c) && s->rundir_fd >= 0)
		adopt_unlink(s->rundir_fd, c->slot, c->row % BOARD_HALVES);

	if (mourned && (fate == FATE_DEAD || fate == FATE_UNBORN))
		count_death(s, slot, fate, c, now_us);
}

void slots_died(struct slots *s, pid_t pid, int status, uint64_t now_us)
{
	for (uint32_t i = 0; i < slots_children(s); i++) {
		struct child *c = slots_child(s, i);

		if (!child_lives(c))
			continue;
		if (c->pid != pid)
			child_listen(c, now_us); /* it may be of a standby that is not known yet */
		if (c->pid == pid) {
			died(s, &s->slot[c->slot], c, status, now_us);
			return;
		}
		if (child_mourns(c, pid, status, now_us))
			return;
	}
	errlog(ERRLOG_DEBUG, "process %ld ended, which is no child of this master", (long)pid);
}

void slots_all(struct slots *s, enum child_event event, const struct child_news *news)
{
	for (uint32_t i = 0; i < slots_children(s); i++)
		if (child_lives(slots_child(s, i)))
			child_event(slots_child(s, i), event, news);
}

uint32_t slots_living(struct slots *s)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < slots_children(s); i++)
		n += child_lives(slots_child(s, i));
	return n;
}

uint32_t slots_serving(const struct slots *s)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < s->room; i++)
		n += slot_serves(&s->slot[i]);
	return n;
}

static uint64_t sooner(uint64_t a, uint64_t b)
{
	return !a || (b && b < a) ? b : a;
}

/* When it will count as hung if no heartbeat follows; 0: never. */
static uint64_t hangs_us(const struct slots *s, const struct child *c)
{
	uint64_t hang_us = c->gen->settings->hang_us, beat_us = child_beat_us(c);
	uint64_t last_us = fresh_us(s, c) > beat_us ? fresh_us(s, c) : beat_us;

	if (c->doubt_us && has_heartbeat(c))
		return c->doubt_us + POLICY_DOUBT_US;
	return has_heartbeat(c) && hang_us ? last_us + hang_us + 1 : 0;
}

bool slots_heard(struct slots *s, uint64_t now_us)
{
	for (uint32_t i = 0; i < slots_children(s); i++)
		if (child_is_unheard(slots_child(s, i), now_us))
			return false;
	return true;
}

uint64_t slots_next_us(struct slots *s, uint64_t now_us)
{
	uint64_t next = s->next_fork_us > now_us ? s->next_fork_us : 0;

	for (uint32_t i = 0; i < s->room; i++)
		if (s->slot[i].want && s->slot[i].next_start_us > now_us)
			next = sooner(next, s->slot[i].next_start_us);
	for (uint32_t i = 0; i < slots_children(s); i++)
		if (child_lives(slots_child(s, i))) {
			next = sooner(next, slots_child(s, i)->deadline_us);
			next = sooner(next, hangs_us(s, slots_child(s, i)));
		}
	if (!slots_heard(s, now_us))
		next = sooner(next, now_us + POLICY_LOOK_US);
	return next;
}
