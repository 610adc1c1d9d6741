/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The loop of the master. In each turn it reads its post, then what children say; it acts on
 * deadlines; then it lets start, change, stop and the others take a step each. Called by boot.c.
 */
#include "master/supervise.h"

#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <errno.h>

#include "master/change.h"
#include "master/children.h"
#include "master/estate.h"
#include "master/inherit.h"
#include "master/master.h"
#include "master/notify.h"
#include "master/orders.h"
#include "master/policy.h"
#include "master/rows.h"
#include "master/signals.h"
#include "master/start.h"
#include "shm/carry.h"
#include "worker/clock.h"
#include "worker/errlog.h"

/* Runs in a child. */
static void forget(void *arg, const struct child *self)
{
	struct master *m = arg;

	close(m->signal_fd);
	daemon_forget(&m->realm->daemon);
	if (m->upgrade.out_fd >= 0)
		close(m->upgrade.out_fd);
	if (m->realm->heir)
		inherit_forget(m->realm->heir);
	prober_child_forget(&m->prober);
	carry_close(m->realm->carry);
	listen_forget(&m->realm->listeners, self->share.fds, self->share.count);
	for (uint32_t i = 0; i < slots_children(&m->slots); i++) {
		if (slots_child(&m->slots, i)->control_fd >= 0)
			close(slots_child(&m->slots, i)->control_fd);
		if (slots_child(&m->slots, i)->pid_fd >= 0)
			close(slots_child(&m->slots, i)->pid_fd);
	}
}

static void reopen_turn(struct master *m)
{
	enum reopen_outcome outcome = reopen_step(&m->reopen, m->realm->generations, &m->slots,
						  m->now_us);

	if (outcome == REOPEN_NONE)
		return;
	generation_use_log(m->realm->gen);
	prober_child_reopen(&m->prober);
	rows_reopened(&m->realm->board, outcome == REOPEN_DONE ? RESULT_OK : RESULT_FAILED);
	errlog(ERRLOG_NOTICE, "logs reopened%s",
	       outcome == REOPEN_DONE ? "" : ", but not all of them");
}

static void rebalance_turn(struct master *m)
{
	bool may_begin = m->phase == RUNNING && m->roll.state == ROLL_IDLE && !m->slots.held;
	enum rebalance_outcome outcome = rebalance_step(
	    &m->rebalance, &m->slots, may_begin, m->realm->gen->settings->rebalance, m->now_us);

	if (outcome == REBALANCE_NONE)
		return;
	rows_rebalanced(&m->realm->board, outcome == REBALANCE_DONE ? RESULT_OK : RESULT_FAILED,
			m->rebalance.moved);
	errlog(ERRLOG_NOTICE, "rebalanced: %" PRIu64 " connections have another worker%s",
	       m->rebalance.moved,
	       outcome == REBALANCE_DONE ? "" : "; a worker did not give in time");
}

static void tick(struct master *m)
{
	uint64_t every_us = notify_watchdog_us();

	if (m->now_us < m->tick_us)
		return;
	m->tick_us = m->now_us +
		     (every_us && every_us < POLICY_SECOND_US ? every_us : POLICY_SECOND_US);
	board_set(&m->realm->board.master->beat_us, m->now_us);
	rows_queues(&m->realm->board, m->realm->gen);
	children_carry(m);
	if (!m->realm->carry)
		recount_step(&m->recount, &m->realm->board);
	errlog_tick(m->now_us, false);
	if (every_us)
		notify_watchdog();
}

/* It goes on while workers drain, whose requests go by what it finds, and leaves after the last of
 * them. */
static void prober_turn(struct master *m)
{
	bool wanted = m->phase == RUNNING || (m->phase == STOPPING && !m->over);

	prober_child_tend(&m->prober, wanted ? m->realm->gen : NULL, m->now_us);
	if (m->over && m->prober.state != PROBER_NONE && m->prober.state != PROBER_KILLED)
		m->over = false;
}

static void wait_for_post(struct master *m)
{
	uint64_t deadlines[] = {
	    slots_next_us(&m->slots, m->now_us),
	    stop_next_us(&m->stop),
	    m->reopen.waiting ? m->reopen.deadline_us : 0,
	    rebalance_next_us(&m->rebalance),
	    upgrade_checks(&m->upgrade) ? m->upgrade.deadline_us : 0,
	    m->phase == RETURNING ? m->return_until_us : 0,
	    prober_child_next_us(&m->prober, m->now_us),
	    m->tick_us,
	};
	nfds_t n = 0;

	m->polls[n++] = (struct pollfd){.fd = m->signal_fd, .events = POLLIN};
	if (upgrade_checks(&m->upgrade))
		m->polls[n++] = (struct pollfd){.fd = m->upgrade.out_fd, .events = POLLIN};
	for (uint32_t i = 0; i < slots_children(&m->slots); i++)
		if (slots_child(&m->slots, i)->control_fd >= 0)
			m->polls[n++] = (struct pollfd){.fd = slots_child(&m->slots, i)->control_fd,
							.events = POLLIN};
	for (uint32_t i = 0; i < slots_children(&m->slots); i++)
		if (slots_child(&m->slots, i)->pid_fd >= 0)
			m->polls[n++] = (struct pollfd){.fd = slots_child(&m->slots, i)->pid_fd,
							.events = POLLIN};
	poll(m->polls, n,
	     policy_wait_ms(m->now_us, deadlines, sizeof(deadlines) / sizeof(deadlines[0]),
			    POLICY_SECOND_US));
}

static void read_time(struct master *m)
{
	uint64_t late_us;

	m->now_us = clock_now_us();
	late_us = policy_late_us(m->now_us, m->turn_us);
	m->turn_us = m->now_us;
	if (!late_us)
		return;
	errlog(ERRLOG_WARN,
	       "the master itself was held up for %" PRIu64
	       " ms: everybody gets that much more time",
	       late_us / 1000);
	slots_postpone(&m->slots, m->now_us, late_us);
	prober_child_postpone(&m->prober, m->now_us, late_us);
}

static void turn(struct master *m)
{
	read_time(m);
	orders_obey(m);
	children_hear(m);
	children_bury_adopted(m);
	slots_watch(&m->slots, m->now_us);
	if (m->phase == BOOTING)
		start_step(m);
	if (m->phase == RUNNING)
		change_upgrade_step(m);
	if (m->phase == RUNNING)
		change_turn(m);
	if (m->phase == RETURNING)
		start_return_step(m);
	if (m->phase == BOOTING)
		slots_tend(&m->slots, m->now_us);
	if (m->phase == STOPPING)
		m->over = stop_step(&m->stop, &m->slots, m->realm->generations,
				    &m->realm->listeners, m->now_us);
	prober_turn(m);
	reopen_turn(m);
	rebalance_turn(m);
	tick(m);
}

static int open_master(struct master *m)
{
	struct realm *r = m->realm;

	m->signal_fd = signals_open();
	if (m->signal_fd < 0 || slots_open(&m->slots, &r->board) ||
	    roll_open(&m->roll, m->slots.room))
		return -1;
	m->polls = calloc(2 + 2 * (size_t)slots_children(&m->slots), sizeof(*m->polls));
	if (!m->polls)
		return -1;
	m->slots.forget = forget;
	m->slots.forget_arg = m;
	prober_child_open(&m->prober, &r->board, forget, m);
	m->slots.rundir_fd = r->daemon.lock_fd;
	m->workers_asked = NOBODY_ASKED;
	m->last_number = r->heir && r->heir->restoring ? r->heir->state.last : r->gen->number;
	return r->heir ? estate_restore_children(r, &m->slots) : 0;
}

static void close_master(struct master *m)
{
	upgrade_cancel(&m->upgrade);
	free(m->polls);
	roll_close(&m->roll);
	slots_close(&m->slots);
	if (m->signal_fd >= 0)
		close(m->signal_fd);
}

int supervise(struct realm *realm)
{
	struct master m = {
	    .realm = realm, .signal_fd = -1, .upgrade = UPGRADE_IDLE, .prober = {.control_fd = -1}};

	if (open_master(&m)) {
		daemon_report(&realm->daemon, 1, strerror(errno));
		close_master(&m);
		return 1;
	}
	start_begin(&m);
	while (!m.over) {
		wait_for_post(&m);
		turn(&m);
	}
	rows_state(&realm->board, MASTER_STOPPED);
	errlog_tick(m.now_us, true);
	errlog(ERRLOG_NOTICE, "stopped");
	if (m.status) {
		/* Whoever waits for this daemon finds it gone. */
		daemon_remove_pid(&realm->daemon);
		daemon_report(&realm->daemon, m.status, m.slots.failure);
	}
	close_master(&m);
	return m.status;
}
