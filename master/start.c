/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See start.h. Called by supervise.c.
 */
#include "master/start.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "master/change.h"
#include "master/children.h"
#include "master/inherit.h"
#include "master/master.h"
#include "master/notify.h"
#include "master/policy.h"
#include "master/rows.h"
#include "master/wayback.h"
#include "worker/clock.h"
#include "worker/errlog.h"

/* As it was before another program was tried. */
static void begin_again(struct master *m)
{
	struct realm *r = m->realm;
	char why[sizeof(r->heir->why)];

	strlcpy(why, r->heir->why, sizeof(why));
	m->phase = RUNNING;
	rows_inherit(&r->board, MASTER_RUNNING, m->now_us);
	rows_settle(&r->board, r->gen);
	master_set_workers(m, r->heir->state.workers);
	master_want_all(m, r->gen, m->workers);
	children_hear(m);
	children_bury(m);
	inherit_mourn(r->heir, &m->slots, m->now_us);
	inherit_end_strangers(&m->slots);
	inherit_settle(r);
	change_upgrade_failed(m, why);
}

/* Workers of this program beside those of the one before. */
static void begin_beside(struct master *m)
{
	struct realm *r = m->realm;
	const struct state *from = &r->heir->state;
	bool changed = from->workers != from->configured; /* by TTIN, TTOU or WINCH */

	if (r->heir->adopting)
		rows_start(&r->board, m->now_us, (uint64_t)getpid());
	else
		rows_inherit(&r->board, MASTER_UPGRADING, m->now_us);
	master_set_workers(m, changed && from->workers <= m->slots.room
				  ? from->workers
				  : r->gen->settings->workers);
	m->slots.held = true;
	master_want_all(m, r->gen, m->workers);
	children_bury(m);
	slots_tend(&m->slots, m->now_us);
}

void start_begin(struct master *m)
{
	struct realm *r = m->realm;

	m->now_us = m->turn_us = clock_now_us();
	m->boot_until_us = m->now_us + POLICY_START_US;
	setproctitle("-drover: master %s",
		     r->gen->settings->file ? r->gen->settings->file : r->options->dir);
	if (r->heir) {
		if (r->heir->restoring)
			begin_again(m);
		else
			begin_beside(m);
		return;
	}
	rows_start(&r->board, m->now_us, (uint64_t)getpid());
	generation_apply(r->gen);
	rows_in_force(&r->board, r->gen, m->now_us);
	rows_settle(&r->board, r->gen);
	rows_queues(&r->board, r->gen);
	master_set_workers(m, r->gen->settings->workers);
	master_want_all(m, r->gen, m->workers);
	slots_tend(&m->slots, m->now_us);
}

/* The workers of before are those of a reload from here on. */
static void succeed(struct master *m)
{
	struct realm *r = m->realm;

	m->slots.held = false;
	generation_apply(r->gen);
	rows_in_force(&r->board, r->gen, m->now_us);
	inherit_settle(r);
	rows_settle(&r->board, r->gen);
}

static void boot_done(struct master *m)
{
	char text[128];

	if (m->realm->heir)
		succeed(m);

	m->phase = RUNNING;
	master_status(m, text, sizeof(text));
	rows_state(&m->realm->board, MASTER_RUNNING);
	notify_ready(text);
	daemon_report(&m->realm->daemon, 0, "");
	errlog(ERRLOG_NOTICE, "drover " DROVER_VERSION " serves: %s", text);
	if (m->realm->options->dir) {
		const struct bound *b = m->realm->gen->bound[0];
		bool is_url = b->addr.ss_family != AF_UNIX;

		printf("drover serves %s at %s%s%s\n  look at it:  droverctl -r %s status\n  "
		       "end it:      Ctrl-C\n",
		       m->realm->options->dir, is_url ? "http://" : "", b->text, is_url ? "/" : "",
		       m->realm->options->rundir);
	}
	fflush(stdout);
}

/* The other half of an upgrade: from here on the old workers are those of a reload. */
static void upgrade_done(struct master *m)
{
	struct realm *r = m->realm;
	char text[128], from[32];

	strlcpy(from, r->heir->state.version, sizeof(from));
	m->phase = RUNNING;
	master_status(m, text, sizeof(text));
	rows_state(&r->board, MASTER_RUNNING);
	rows_upgrade_ended(&r->board, NULL, m->now_us);
	succeed(m);
	notify_ready(text);
	errlog(ERRLOG_NOTICE, "upgraded from drover %s to " DROVER_VERSION ": %s", from, text);
}

/* Its workers give their connections to those of the old program, which serve all the time. */
static void return_begin(struct master *m, const char *why)
{
	m->phase = RETURNING;
	m->slots.held = false;
	m->slots.closed = true;
	m->return_until_us = m->now_us + POLICY_RETURN_US;
	snprintf(m->return_why, sizeof(m->return_why), "%s", why);
	errlog(ERRLOG_WARN, "going back to drover %s: %s", m->realm->heir->state.version, why);
	for (uint32_t i = 0; i < m->slots.room; i++) {
		struct slot *s = &m->slots.slot[i];
		struct generation *old = NULL;

		for (unsigned half = 0; half < BOARD_HALVES; half++)
			if (child_stays(&s->child[half]) && s->child[half].gen->foreign)
				old = s->child[half].gen;
		slot_want(s, old, 0);
	}
}

static void boot_failed(struct master *m)
{
	if (master_is_upgrading(m)) {
		return_begin(m, m->slots.failure);
		return;
	}
	errlog(ERRLOG_ERROR, "cannot start: %s", m->slots.failure);
	/* Those of a master that died go on as they did before this one came. */
	for (uint32_t i = 0; i < slots_children(&m->slots); i++)
		if (slots_child(&m->slots, i)->pid_fd >= 0)
			child_let_go(slots_child(&m->slots, i));
	m->status = 1;
	m->phase = STOPPING;
	stop_at_once(&m->stop, &m->slots, m->now_us);
}

void start_step(struct master *m)
{
	bool settled = true;

	for (uint32_t i = 0; i < m->slots.room; i++) {
		if (m->slots.slot[i].failed_starts) {
			boot_failed(m);
			return;
		}
		settled = settled && slot_standing(&m->slots.slot[i]) == SLOT_SETTLED;
	}
	if (master_is_upgrading(m) && settled)
		upgrade_done(m);
	else if (master_is_upgrading(m) && m->now_us >= m->boot_until_us)
		return_begin(m, "its workers were not ready in time");
	else if (settled || (m->now_us >= m->boot_until_us && slots_serving(&m->slots)))
		boot_done(m);
}

void start_return_step(struct master *m)
{
	bool left = false;

	slots_tend(&m->slots, m->now_us);
	for (uint32_t i = 0; i < slots_children(&m->slots); i++) {
		const struct child *c = slots_child(&m->slots, i);

		left = left || (child_lives(c) && !c->gen->foreign);
	}
	if (left && m->now_us < m->return_until_us)
		return;
	wayback_take(m->return_why);
	errlog(ERRLOG_ALERT, "the program of before cannot be executed: %s", strerror(errno));
	m->status = 1;
	m->over = true;
}
