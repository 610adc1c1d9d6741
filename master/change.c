/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See change.h. Called by supervise.c, and by orders.c and start.c for what fails.
 */
#include "master/change.h"

#include <stdio.h>

#include "master/estate.h"
#include "master/inherit.h"
#include "master/load.h"
#include "master/master.h"
#include "master/notify.h"
#include "master/rows.h"
#include "worker/errlog.h"

/* Reload, and another number of workers. */

static void reload_over(struct master *m, enum result result)
{
	m->reloading = false;
	if (m->reload_asked)
		return; /* one more follows at once, and its result is the one that counts */
	rows_reload_ended(&m->realm->board, result, m->now_us);
	if (m->phase == RUNNING)
		master_tell_running(m);
}

void change_reload_failed(struct master *m, const char *why)
{
	errlog(ERRLOG_ERROR, "reload failed, generation %u serves on: %s", m->realm->gen->number,
	       why);
	rows_reload_failed(&m->realm->board, why, m->now_us);
	reload_over(m, RESULT_FAILED);
}

static void reload_begin(struct master *m)
{
	struct realm *r = m->realm;
	char why[512];

	m->reload_asked = false;
	m->reloading = true;
	notify_reloading(m->now_us);
	rows_state(&r->board, MASTER_RELOADING);
	struct generation *next = load_generation(r->options, &r->board, &r->generations,
						  &r->listeners, m->last_number + 1, why,
						  sizeof(why));

	if (!next) {
		rows_settle(&r->board, r->gen);
		change_reload_failed(m, why);
		return;
	}
	m->last_number++;
	m->workers_asked = NOBODY_ASKED;
	errlog(ERRLOG_INFO, "reload: generation %u takes over slot by slot", next->number);
	roll_begin(&m->roll, &m->slots, r->gen, m->workers, next, next->settings->workers);
}

/* A generation that no child is to be started with any more. */
static void dismiss(struct master *m, struct generation *g)
{
	generation_retire(g, &m->realm->listeners);
	generation_release(g);
}

static void put_in_force(struct master *m, struct generation *g)
{
	struct realm *r = m->realm;
	struct generation *old = r->gen;

	r->gen = g;
	generation_use_log(g);
	generation_apply(g);
	rows_in_force(&r->board, g, m->now_us);
	rows_settle(&r->board, g);
	if (old)
		dismiss(m, old);
}

static void roll_done(struct master *m)
{
	master_set_workers(m, m->roll.to_workers);
	if (m->roll.to != m->realm->gen)
		put_in_force(m, m->roll.to);
	else
		rows_settle(&m->realm->board, m->realm->gen);
	if (!m->reloading)
		return;
	errlog(ERRLOG_NOTICE, "reload done: generation %u serves with %u workers",
	       m->realm->gen->number, m->workers);
	reload_over(m, RESULT_OK);
}

static void roll_failed(struct master *m)
{
	if (m->roll.to != m->realm->gen)
		dismiss(m, m->roll.to);
	rows_settle(&m->realm->board, m->realm->gen);
	if (m->reloading)
		change_reload_failed(m, m->roll.why);
	else
		errlog(ERRLOG_ERROR, "the number of workers stays %u: %s", m->workers, m->roll.why);
}

static void resize_begin(struct master *m)
{
	uint32_t workers = (uint32_t)m->workers_asked;
	char why[256];

	m->workers_asked = NOBODY_ASKED;
	if (workers == m->workers)
		return;
	if (generation_grow(m->realm->gen, workers, why, sizeof(why))) {
		errlog(ERRLOG_ERROR, "the number of workers stays %u: %s", m->workers, why);
		return;
	}
	errlog(ERRLOG_NOTICE, "from %u to %u workers", m->workers, workers);
	roll_begin(&m->roll, &m->slots, m->realm->gen, m->workers, m->realm->gen, workers);
}

/* Another program. */

void change_upgrade_failed(struct master *m, const char *why)
{
	m->upgrade_asked = false;
	errlog(ERRLOG_ERROR, "upgrade failed, drover " DROVER_VERSION " serves on: %s", why);
	rows_upgrade_ended(&m->realm->board, why, m->now_us);
	if (m->phase == RUNNING)
		master_tell_running(m);
}

/* Whether everybody who is here stays: each slot then has room for a worker of the new program. */
static bool nobody_leaves(struct master *m)
{
	for (uint32_t i = 0; i < slots_children(&m->slots); i++) {
		const struct child *c = slots_child(&m->slots, i);

		if (child_lives(c) && !child_stays(c) && c->state != CHILD_STUCK)
			return false;
	}
	return !m->reopen.waiting && !m->realm->carry;
}

static void upgrade_begin(struct master *m)
{
	struct realm *r = m->realm;
	struct state state;
	char why[512];

	m->upgrade_asked = false;
	notify_reloading(m->now_us);
	rows_state(&r->board, MASTER_UPGRADING);
	errlog(ERRLOG_INFO, "upgrade: checking %s", r->options->program);
	if (estate_describe(&state, r, &m->slots, m->workers, m->last_number, why, sizeof(why))) {
		change_upgrade_failed(m, why);
		return;
	}
	if (upgrade_check(&m->upgrade, r, &state, m->now_us))
		change_upgrade_failed(m, m->upgrade.why);
	estate_forget(&state);
}

static void upgrade_go(struct master *m)
{
	struct realm *r = m->realm;
	struct state state;
	char why[512];

	if (estate_describe(&state, r, &m->slots, m->workers, m->last_number, why, sizeof(why))) {
		change_upgrade_failed(m, why);
		return;
	}
	errlog(ERRLOG_NOTICE, "upgrade: executing %s", r->options->program);
	fflush(stdout);
	prober_child_kill(&m->prober, m->now_us);
	upgrade_execute(r, &state, why, sizeof(why));
	change_upgrade_failed(m, why);
	estate_forget(&state);
}

void change_upgrade_step(struct master *m)
{
	switch (upgrade_step(&m->upgrade, m->now_us)) {
	case UPGRADE_NONE:
		break;
	case UPGRADE_PASSED:
		upgrade_go(m);
		break;
	case UPGRADE_FAILED:
		change_upgrade_failed(m, m->upgrade.why);
		break;
	}
}

/* Begins what was asked for while a roll was under way. False: nothing was, or it came to nothing.
 */
static bool take_up(struct master *m)
{
	if (m->phase != RUNNING || m->roll.state != ROLL_IDLE || upgrade_checks(&m->upgrade))
		return false;
	if (m->reload_asked)
		reload_begin(m);
	else if (m->workers_asked != NOBODY_ASKED)
		resize_begin(m);
	else if (m->upgrade_asked && nobody_leaves(m))
		upgrade_begin(m);
	return m->roll.state != ROLL_IDLE;
}

void change_turn(struct master *m)
{
	do {
		switch (roll_step(&m->roll, &m->slots, m->now_us)) {
		case ROLL_NONE:
			break;
		case ROLL_DONE:
			roll_done(m);
			break;
		case ROLL_FAILED:
			roll_failed(m);
			break;
		}
		/* Who was replaced is told before anything else is wanted of the slot. */
		slots_tend(&m->slots, m->now_us);
	} while (take_up(m));
}

void change_abandon(struct master *m, const char *why)
{
	bool pending = m->reloading || m->reload_asked;
	bool upgrading = m->upgrade_asked || upgrade_checks(&m->upgrade) || master_is_upgrading(m);

	upgrade_cancel(&m->upgrade);
	if (m->realm->heir)
		inherit_settle(m->realm);
	if (upgrading)
		change_upgrade_failed(m, why);
	m->reload_asked = false;
	master_want_all(m, NULL, 0);
	if (m->roll.state != ROLL_IDLE && m->roll.to != m->realm->gen)
		dismiss(m, m->roll.to);
	m->roll.state = ROLL_IDLE;
	if (pending)
		change_reload_failed(m, why);
}
