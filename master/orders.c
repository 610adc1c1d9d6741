/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See orders.h. What takes time is only noted here, and begun by change.c. Called by supervise.c.
 */
#include "master/orders.h"

#include "master/change.h"
#include "master/children.h"
#include "master/master.h"
#include "master/notify.h"
#include "master/rows.h"
#include "master/signals.h"
#include "worker/errlog.h"

static void leave_running(struct master *m)
{
	m->phase = STOPPING;
	m->slots.held = false;
	change_abandon(m, "drover was told to stop");
	rows_state(&m->realm->board, MASTER_STOPPING);
	notify_stopping();
}

static void on_stop(struct master *m, bool at_once)
{
	const struct settings *s = m->realm->gen->settings;

	if (m->phase == STOPPING)
		at_once = true; /* asked for a second time */
	else
		leave_running(m);
	errlog(ERRLOG_NOTICE, at_once ? "stopping at once" : "stopping");
	if (at_once)
		stop_at_once(&m->stop, &m->slots, m->now_us);
	else
		stop_begin(&m->stop, &m->slots, m->now_us, s->lame_duck_us, s->drain_us);
}

static void on_reload(struct master *m)
{
	rows_reload_asked(&m->realm->board);
	if (m->phase == STOPPING)
		change_reload_failed(m, "drover is stopping");
	else
		m->reload_asked = true;
}

static void on_upgrade(struct master *m)
{
	rows_upgrade_asked(&m->realm->board);
	if (m->phase == STOPPING)
		change_upgrade_failed(m, "drover is stopping");
	else if (!*m->realm->options->program)
		change_upgrade_failed(m, "it is not known as which file drover was started");
	else
		m->upgrade_asked = true;
}

static void on_resize(struct master *m, int more)
{
	int64_t workers = m->workers_asked != NOBODY_ASKED ? m->workers_asked : (int64_t)m->workers;

	workers += more;
	if (workers < 1 || workers > m->slots.room) {
		errlog(ERRLOG_WARN, "the number of workers stays between 1 and %u", m->slots.room);
		return;
	}
	m->workers_asked = (int)workers;
}

/* All workers drain and none is started, until HUP or TTIN. Nobody accepts meanwhile: the kernel
 * queues. */
static void on_empty(struct master *m)
{
	if (m->roll.state != ROLL_IDLE) {
		errlog(ERRLOG_WARN, "WINCH is not obeyed while workers are being replaced");
		return;
	}
	errlog(ERRLOG_NOTICE, "draining all workers; HUP or TTIN starts workers again");
	master_set_workers(m, 0);
	master_want_all(m, NULL, 0);
}

void orders_obey(struct master *m)
{
	struct post post = signals_read(m->signal_fd);

	if (post.deaths)
		children_bury(m);
	if (post.stop_now || post.stop)
		on_stop(m, post.stop_now);
	if (post.reload)
		on_reload(m);
	if (post.reopen)
		reopen_begin(&m->reopen, m->realm->generations, &m->slots, m->now_us);
	if (post.more != post.fewer && m->phase != STOPPING)
		on_resize(m, post.more - post.fewer);
	if (post.empty && m->phase == RUNNING)
		on_empty(m);
	if (post.upgrade)
		on_upgrade(m);
	if (post.rebalance)
		rebalance_ask(&m->rebalance);
}
