/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The loop of the master. It reads its post in one written order: deaths, stop, reload, the rest,
 * then what children say; it acts on deadlines; then it lets roll, slots, stop and reopening take a
 * step each. Signals arrive by signalfd: no handler runs. Called by boot.c.
 */
#include "master/supervise.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "master/estate.h"
#include "master/inherit.h"
#include "master/load.h"
#include "master/notify.h"
#include "master/policy.h"
#include "master/prober_child.h"
#include "master/realm.h"
#include "master/rebalance.h"
#include "master/reopen.h"
#include "master/roll.h"
#include "master/rows.h"
#include "master/slot.h"
#include "master/stop.h"
#include "master/upgrade.h"
#include "master/wayback.h"
#include "shm/carry.h"
#include "worker/clock.h"
#include "worker/errlog.h"

enum phase {
	BOOTING, /* until all workers are ready: a worker that cannot start ends the daemon */
	RUNNING,
	RETURNING, /* an upgrade failed: this program's workers hand back what they have */
	STOPPING
};

enum {
	NOBODY_ASKED = -1
};

/* Signals read in one turn. */
struct post {
	bool deaths, stop, stop_now, reload, reopen, upgrade, empty, rebalance;
	int more, fewer;
};

struct master {
	struct realm *realm;
	enum phase phase;
	struct slots slots;
	struct roll roll;
	struct stop stop;
	struct reopen reopen;
	struct rebalance rebalance;
	struct upgrade upgrade;
	struct prober_child prober;
	bool upgrade_asked; /* once nothing else is under way */
	uint64_t return_until_us;
	char return_why[300];
	uint32_t workers;     /* in force: as configured, then TTIN, TTOU and WINCH */
	bool reloading;       /* the roll under way is a reload */
	bool reload_asked;    /* one more after it */
	int workers_asked;    /* by TTIN and TTOU, after it; NOBODY_ASKED */
	uint32_t last_number; /* of a generation, even if it failed */
	int signal_fd;        /* owned */
	struct pollfd *polls; /* owned; [0] is signal_fd */
	uint64_t now_us;      /* of this turn */
	uint64_t turn_us;     /* of the one before */
	uint64_t tick_us;     /* when the once-a-second work is due */
	uint64_t boot_until_us;
	int status; /* of the daemon's exit */
	bool over;
};

static void status_text(const struct master *m, char *out, size_t size)
{
	snprintf(out, size, "generation %u, %u of %u workers ready", m->realm->gen->number,
		 slots_serving(&m->slots), m->workers);
}

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
	listen_forget(&m->realm->listeners, self->share.fds, self->share.count);
	for (uint32_t i = 0; i < slots_children(&m->slots); i++) {
		if (slots_child(&m->slots, i)->control_fd >= 0)
			close(slots_child(&m->slots, i)->control_fd);
		if (slots_child(&m->slots, i)->pid_fd >= 0)
			close(slots_child(&m->slots, i)->pid_fd);
	}
}

/* What slots want. */

static void set_workers(struct master *m, uint32_t workers)
{
	m->workers = workers;
	board_set(&m->realm->board.master->workers_wanted, workers);
}

static void want_all(struct master *m, struct generation *gen, uint32_t workers)
{
	for (uint32_t i = 0; i < m->slots.room; i++)
		slot_want(&m->slots.slot[i], i < workers ? gen : NULL, workers);
}

/* Boot. */

static bool is_upgrading(const struct master *m)
{
	return m->realm->heir && !m->realm->heir->adopting;
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
	status_text(m, text, sizeof(text));
	rows_state(&m->realm->board, MASTER_RUNNING);
	notify_ready(text);
	daemon_report(&m->realm->daemon, 0, "");
	errlog(ERRLOG_NOTICE, "drover " DROVER_VERSION " serves: %s", text);
	if (m->realm->options->dir)
		printf("drover serves %s at http://%s/\n  look at it:  droverctl -r %s status\n  "
		       "end it:      Ctrl-C\n",
		       m->realm->options->dir, m->realm->gen->bound[0]->text,
		       m->realm->options->rundir);
	fflush(stdout);
}

/* The other half of an upgrade: from here on the old workers are those of a reload. */
static void upgrade_done(struct master *m)
{
	struct realm *r = m->realm;
	char text[128], from[32];

	strlcpy(from, r->heir->state.version, sizeof(from));
	m->phase = RUNNING;
	status_text(m, text, sizeof(text));
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

static void return_step(struct master *m)
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

static void boot_failed(struct master *m)
{
	if (is_upgrading(m)) {
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

static void boot_step(struct master *m)
{
	bool settled = true;

	for (uint32_t i = 0; i < m->slots.room; i++) {
		if (m->slots.slot[i].failed_starts) {
			boot_failed(m);
			return;
		}
		settled = settled && slot_standing(&m->slots.slot[i]) == SLOT_SETTLED;
	}
	if (is_upgrading(m) && settled)
		upgrade_done(m);
	else if (is_upgrading(m) && m->now_us >= m->boot_until_us)
		return_begin(m, "its workers were not ready in time");
	else if (settled || (m->now_us >= m->boot_until_us && slots_serving(&m->slots)))
		boot_done(m);
}

/* Reload. */

static void reload_over(struct master *m, enum result result)
{
	char text[128];

	m->reloading = false;
	if (m->reload_asked)
		return; /* one more follows at once, and its result is the one that counts */
	rows_reload_ended(&m->realm->board, result, m->now_us);
	if (m->phase != RUNNING)
		return;
	rows_state(&m->realm->board, MASTER_RUNNING);
	status_text(m, text, sizeof(text));
	notify_ready(text);
}

static void reload_failed(struct master *m, const char *why)
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
		reload_failed(m, why);
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
	set_workers(m, m->roll.to_workers);
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
		reload_failed(m, m->roll.why);
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

/* Upgrade: the first half. */

static void upgrade_failed(struct master *m, const char *why)
{
	char text[128];

	m->upgrade_asked = false;
	errlog(ERRLOG_ERROR, "upgrade failed, drover " DROVER_VERSION " serves on: %s", why);
	rows_upgrade_ended(&m->realm->board, why, m->now_us);
	if (m->phase != RUNNING)
		return;
	rows_state(&m->realm->board, MASTER_RUNNING);
	status_text(m, text, sizeof(text));
	notify_ready(text);
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
		upgrade_failed(m, why);
		return;
	}
	if (upgrade_check(&m->upgrade, r, &state, m->now_us))
		upgrade_failed(m, m->upgrade.why);
	estate_forget(&state);
}

static void upgrade_go(struct master *m)
{
	struct realm *r = m->realm;
	struct state state;
	char why[512];

	if (estate_describe(&state, r, &m->slots, m->workers, m->last_number, why, sizeof(why))) {
		upgrade_failed(m, why);
		return;
	}
	errlog(ERRLOG_NOTICE, "upgrade: executing %s", r->options->program);
	fflush(stdout);
	prober_child_kill(&m->prober, m->now_us);
	upgrade_execute(r, &state, why, sizeof(why));
	upgrade_failed(m, why);
	estate_forget(&state);
}

static void upgrade_turn(struct master *m)
{
	switch (upgrade_step(&m->upgrade, m->now_us)) {
	case UPGRADE_NONE:
		break;
	case UPGRADE_PASSED:
		upgrade_go(m);
		break;
	case UPGRADE_FAILED:
		upgrade_failed(m, m->upgrade.why);
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

static void roll_turn(struct master *m)
{
	do {
		switch (roll_step(&m->roll, &m->slots)) {
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

/* Orders from outside. */

static void leave_running(struct master *m)
{
	bool pending = m->reloading || m->reload_asked;
	bool upgrading = m->upgrade_asked || upgrade_checks(&m->upgrade) || is_upgrading(m);

	m->phase = STOPPING;
	m->slots.held = false;
	upgrade_cancel(&m->upgrade);
	if (m->realm->heir)
		inherit_settle(m->realm);
	if (upgrading)
		upgrade_failed(m, "drover was told to stop");
	m->reload_asked = false;
	want_all(m, NULL, 0);
	if (m->roll.state != ROLL_IDLE && m->roll.to != m->realm->gen)
		dismiss(m, m->roll.to);
	m->roll.state = ROLL_IDLE;
	if (pending)
		reload_failed(m, "drover was told to stop");
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
		reload_failed(m, "drover is stopping");
	else
		m->reload_asked = true;
}

static void on_upgrade(struct master *m)
{
	rows_upgrade_asked(&m->realm->board);
	if (m->phase == STOPPING)
		upgrade_failed(m, "drover is stopping");
	else if (!*m->realm->options->program)
		upgrade_failed(m, "it is not known as which file drover was started");
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
	set_workers(m, 0);
	want_all(m, NULL, 0);
}

static void read_signal(struct post *post, const struct signalfd_siginfo *info)
{
	/* A terminal sends these to whoever runs in it: its end stops the daemon, its size is no
	 * order. */
	bool from_terminal = info->ssi_code == SI_KERNEL;

	/* No constant. */
	if (info->ssi_signo == (uint32_t)SIGRTMIN)
		post->rebalance = true;
	switch (info->ssi_signo) {
	case SIGCHLD:
		post->deaths = true;
		break;
	case SIGTERM:
	case SIGQUIT:
		post->stop = true;
		break;
	case SIGINT:
		post->stop_now = true;
		break;
	case SIGHUP:
		if (from_terminal)
			post->stop = true;
		else
			post->reload = true;
		break;
	case SIGUSR1:
		post->reopen = true;
		break;
	case SIGUSR2:
		post->upgrade = true;
		break;
	case SIGTTIN:
		post->more++;
		break;
	case SIGTTOU:
		post->fewer++;
		break;
	case SIGWINCH:
		post->empty = post->empty || !from_terminal;
		break;
	default:
		break;
	}
}

static struct post read_post(int fd)
{
	struct signalfd_siginfo info;
	struct post post = {0};

	while (read(fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
		read_signal(&post, &info);
	return post;
}

/* What the workers of another program count on their own board. */
static void carry_workers(struct master *m)
{
	bool any = false;

	for (uint32_t i = 0; m->realm->carry && i < slots_children(&m->slots); i++) {
		const struct child *c = slots_child(&m->slots, i);

		if (!child_lives(c) || !c->gen->foreign)
			continue;
		carry_worker(m->realm->carry, c->row);
		any = true;
	}
	if (any)
		return;
	carry_close(m->realm->carry);
	m->realm->carry = NULL;
}

/* Those who are no children of this process. */
static void bury_adopted(struct master *m)
{
	for (uint32_t i = 0; i < slots_children(&m->slots); i++) {
		struct child *c = slots_child(&m->slots, i);

		if (!child_lives(c) || !child_has_ended(c))
			continue;
		carry_workers(m);
		slots_died(&m->slots, c->pid, child_end_status(c), m->now_us);
	}
}

static void bury_dead(struct master *m)
{
	siginfo_t info = {0};
	int status;

	/* Its last words on the board are read when it is dead and still has its place. */
	while (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid > 0) {
		if (m->realm->carry)
			carry_workers(m);
		if (waitpid(info.si_pid, &status, WNOHANG) != info.si_pid)
			return;
		if (!upgrade_died(&m->upgrade, info.si_pid, status) &&
		    !prober_child_died(&m->prober, info.si_pid, status, m->now_us))
			slots_died(&m->slots, info.si_pid, status, m->now_us);
		info.si_pid = 0;
	}
	carry_workers(m);
}

static void act_on_post(struct master *m)
{
	struct post post = read_post(m->signal_fd);

	if (post.deaths)
		bury_dead(m);
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

static void hear_children(struct master *m)
{
	for (uint32_t i = 0; i < slots_children(&m->slots); i++)
		if (slots_child(&m->slots, i)->control_fd >= 0)
			child_listen(slots_child(&m->slots, i), m->now_us);
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
	carry_workers(m);
	errlog_tick(m->now_us, false);
	if (every_us)
		notify_watchdog();
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

/* It goes on while workers drain, whose requests go by what it finds, and leaves after the last of
 * them. */
static void prober_turn(struct master *m)
{
	bool wanted = m->phase == RUNNING || (m->phase == STOPPING && !m->over);

	prober_child_tend(&m->prober, wanted ? m->realm->gen : NULL, m->now_us);
	if (m->over && m->prober.state != PROBER_NONE && m->prober.state != PROBER_KILLED)
		m->over = false;
}

static void turn(struct master *m)
{
	read_time(m);
	act_on_post(m);
	hear_children(m);
	bury_adopted(m);
	slots_watch(&m->slots, m->now_us);
	if (m->phase == BOOTING)
		boot_step(m);
	if (m->phase == RUNNING)
		upgrade_turn(m);
	if (m->phase == RUNNING)
		roll_turn(m);
	if (m->phase == RETURNING)
		return_step(m);
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

static int open_signals(void)
{
	static const int signals[] = {SIGCHLD, SIGTERM, SIGQUIT, SIGINT,  SIGHUP,
				      SIGUSR1, SIGUSR2, SIGTTIN, SIGTTOU, SIGWINCH};
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		sigaddset(&set, signals[i]);
	sigaddset(&set, SIGRTMIN);
	if (sigprocmask(SIG_BLOCK, &set, NULL))
		return -1;
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static int open_master(struct master *m)
{
	struct realm *r = m->realm;

	m->signal_fd = open_signals();
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

/* As it was before another program was tried. */
static void begin_again(struct master *m)
{
	struct realm *r = m->realm;
	char why[sizeof(r->heir->why)];

	strlcpy(why, r->heir->why, sizeof(why));
	m->phase = RUNNING;
	rows_inherit(&r->board, MASTER_RUNNING, m->now_us);
	rows_settle(&r->board, r->gen);
	set_workers(m, r->heir->state.workers);
	want_all(m, r->gen, m->workers);
	hear_children(m);
	bury_dead(m);
	inherit_mourn(r->heir, &m->slots, m->now_us);
	inherit_end_strangers(&m->slots);
	inherit_settle(r);
	upgrade_failed(m, why);
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
	set_workers(m, changed && from->workers <= m->slots.room ? from->workers
								 : r->gen->settings->workers);
	m->slots.held = true;
	want_all(m, r->gen, m->workers);
	bury_dead(m);
	slots_tend(&m->slots, m->now_us);
}

static void begin(struct master *m)
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
	set_workers(m, r->gen->settings->workers);
	want_all(m, r->gen, m->workers);
	slots_tend(&m->slots, m->now_us);
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
	begin(&m);
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
