/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The children grid. What a child says on its channel is gossip: slot, generation and kind are
 * checked, nonsense is counted and said, and the master goes on. Starts nobody: that is birth.c.
 * Called by slot.c, stop.c and reopen.c.
 */
#include "master/child.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "master/adopt.h"
#include "master/child_death.h"
#include "master/child_tell.h"
#include "master/policy.h"
#include "worker/errlog.h"
#include "worker/worker.h"

static const char *const state_names[CHILD_STATES] = {
    [CHILD_NONE] = "none",         [CHILD_STARTING] = "starting", [CHILD_READY] = "ready",
    [CHILD_DRAINING] = "draining", [CHILD_ENDING] = "ending",     [CHILD_KILLED] = "killed",
    [CHILD_STUCK] = "stuck",
};

static const char *const event_names[CHILD_EVENTS] = {
    [CHILD_SAYS_READY] = "says that it is ready",
    [CHILD_SAYS_REOPENED] = "says that it has its new logs",
    [CHILD_SAYS_STANDBY] = "names a standby",
    [CHILD_SAYS_TAKEN] = "says that it took over",
    [CHILD_SAYS_ALONE] = "says that its successor is gone",
    [CHILD_SAYS_GIVEN] = "says that it gave",
    [CHILD_DRAIN] = "is to drain",
    [CHILD_QUIT] = "is to quit",
    [CHILD_HANGS] = "hangs",
    [CHILD_EXPIRES] = "is late",
    [CHILD_DIES] = "died",
};

const char *child_state_name(enum child_state state)
{
	return state < CHILD_STATES ? state_names[state] : "?";
}

const char *child_event_name(enum child_event event)
{
	return event < CHILD_EVENTS ? event_names[event] : "?";
}

bool child_lives(const struct child *c)
{
	return c->state != CHILD_NONE;
}

bool child_stays(const struct child *c)
{
	return c->state == CHILD_STARTING || c->state == CHILD_READY;
}

bool child_is_dying(const struct child *c)
{
	return (c->state == CHILD_ENDING || c->state == CHILD_KILLED) && c->cause != CAUSE_ASKED;
}

uint64_t child_beat_us(const struct child *c)
{
	const struct worker_row *row = board_worker(c->board, c->row);

	return row->pid == (uint64_t)c->pid ? __atomic_load_n(&row->beat_us, __ATOMIC_RELAXED) : 0;
}

bool child_is_unheard(const struct child *c, uint64_t now_us)
{
	const struct worker_row *row = board_worker(c->board, c->row);

	return c->state == CHILD_DRAINING && now_us < c->told_us + POLICY_HEARD_US &&
	       row->pid == (uint64_t)c->pid &&
	       __atomic_load_n(&row->state, __ATOMIC_RELAXED) == WORKER_READY;
}

static void set_state(struct child *c, enum child_state state, uint64_t deadline_us)
{
	errlog(ERRLOG_DEBUG, "worker %u (pid %ld): %s -> %s", c->slot, (long)c->pid,
	       child_state_name(c->state), child_state_name(state));
	c->state = state;
	c->deadline_us = deadline_us;
}

static void kill_standby(struct child *c)
{
	/* The end of one that is no child of ours is not told: another process may be called so. */
	if (c->standby > 0 && (c->pid_fd < 0 || adopt_is_kin(c->standby, 0)))
		kill(c->standby, SIGKILL);
	c->standby = 0;
}

static void kill_child(struct child *c, enum child_cause cause, uint64_t now_us)
{
	if (cause != CAUSE_NONE)
		c->cause = cause;
	/* Nobody is to go on where it stopped, unless it only hung. */
	if (c->cause != CAUSE_HANG)
		kill_standby(c);
	kill(c->pid, SIGKILL);
	set_state(c, CHILD_KILLED, now_us + POLICY_KILL_US);
}

/* Handlers. */

static enum child_fate ignore(struct child *c, const struct child_news *n)
{
	(void)c;
	(void)n;
	return FATE_LIVES;
}

static enum child_fate impossible(struct child *c, const struct child_news *n)
{
	static struct errlog_limit limit;

	(void)n;
	board_add(&c->board->master->gossip, 1);
	errlog_limited(&limit, ERRLOG_WARN,
		       "worker %u (pid %ld) %s, which cannot be in state %s: ignored", c->slot,
		       (long)c->pid, child_event_name(c->heard), child_state_name(c->state));
	return FATE_LIVES;
}

static enum child_fate becomes_ready(struct child *c, const struct child_news *n)
{
	c->ready_us = n->now_us;
	set_state(c, CHILD_READY, 0);
	errlog(ERRLOG_INFO, "worker %u (pid %ld, generation %u) is ready after %" PRIu64 " ms",
	       c->slot, (long)c->pid, c->gen->number, (n->now_us - c->started_us) / 1000);
	return FATE_LIVES;
}

static enum child_fate has_reopened(struct child *c, const struct child_news *n)
{
	(void)n;
	c->reopening = false;
	return FATE_LIVES;
}

static enum child_fate drain(struct child *c, const struct child_news *n)
{
	if (!n->successor || child_tell_introduce(c, n->successor, CONTROL_DRAIN, n->until_us))
		child_tell_order(c, CONTROL_DRAIN, n->flags, n->until_us, "drain");
	c->cause = CAUSE_ASKED;
	c->alone = false;
	c->until_us = n->until_us;
	c->told_us = n->now_us;
	c->drain_flags = n->flags;
	set_state(c, CHILD_DRAINING, n->until_us + POLICY_OVERDUE_US);
	return FATE_LIVES;
}

static enum child_fate is_alone(struct child *c, const struct child_news *n)
{
	(void)n;
	c->alone = true;
	return FATE_LIVES;
}

static enum child_fate has_given(struct child *c, const struct child_news *n)
{
	if (!c->giving)
		return impossible(c, n);
	c->giving = false;
	c->given = n->subject;
	return FATE_LIVES;
}

int child_give(struct child *c, const struct child *taker, uint64_t count)
{
	if (child_tell_introduce(c, taker, CONTROL_GIVE, count))
		return -1;
	c->giving = true;
	c->given = 0;
	return 0;
}

static enum child_fate quit(struct child *c, const struct child_news *n)
{
	child_tell_order(c, CONTROL_QUIT, 0, 0, "quit");
	c->cause = CAUSE_ASKED;
	set_state(c, CHILD_ENDING, n->now_us + POLICY_QUIT_US);
	return FATE_LIVES;
}

static enum child_fate abort_hung(struct child *c, const struct child_news *n)
{
	uint64_t beat_us = child_beat_us(c);

	board_add(&c->board->master->worker_hangs, 1);
	errlog(ERRLOG_ERROR,
	       "worker %u (pid %ld) hangs: no heartbeat for %" PRIu64 " ms; ending it with ABRT",
	       c->slot, (long)c->pid, (n->now_us - (beat_us ? beat_us : c->started_us)) / 1000);
	c->cause = CAUSE_HANG;
	kill(c->pid, SIGABRT);
	kill(c->pid, SIGCONT); /* a stopped process does not even die */
	set_state(c, CHILD_ENDING, n->now_us + POLICY_ABORT_US);
	return FATE_LIVES;
}

static enum child_fate start_expires(struct child *c, const struct child_news *n)
{
	errlog(ERRLOG_ERROR, "worker %u (pid %ld) was not ready after %" PRIu64 " s; killing it",
	       c->slot, (long)c->pid, (n->now_us - c->started_us) / POLICY_SECOND_US);
	kill_child(c, CAUSE_LATE_START, n->now_us);
	return FATE_LIVES;
}

static enum child_fate drain_expires(struct child *c, const struct child_news *n)
{
	errlog(ERRLOG_ERROR, "worker %u (pid %ld) did not end with its drain; killing it", c->slot,
	       (long)c->pid);
	kill_child(c, CAUSE_LATE_DRAIN, n->now_us);
	return FATE_LIVES;
}

static enum child_fate ending_expires(struct child *c, const struct child_news *n)
{
	errlog(ERRLOG_WARN, "worker %u (pid %ld) did not end when it was told to; killing it",
	       c->slot, (long)c->pid);
	kill_child(c, CAUSE_NONE, n->now_us);
	return FATE_LIVES;
}

static enum child_fate kill_expires(struct child *c, const struct child_news *n)
{
	errlog(ERRLOG_ALERT, "worker %u (pid %ld) does not die of KILL: the kernel holds it",
	       c->slot, (long)c->pid);
	set_state(c, CHILD_STUCK, n->now_us + POLICY_STUCK_US);
	return FATE_LIVES;
}

static void bury(struct child *c)
{
	if (c->control_fd >= 0)
		close(c->control_fd);
	c->control_fd = -1;
	if (c->pid_fd >= 0)
		close(c->pid_fd);
	c->pid_fd = -1;
	kill_standby(c);
	c->predecessor = 0;
	c->succeeded = false;
	c->guard_us = 0;
	c->reopening = c->alone = c->giving = false;
	share_free(&c->share);
	set_state(c, CHILD_NONE, 0);
	generation_release(c->gen);
	c->gen = NULL;
	c->pid = 0;
}

/* It left as it was told to, whatever its last state was. */
static enum child_fate goes(struct child *c, const struct child_news *n)
{
	char how[64];

	child_death_how(n->status, how, sizeof(how));
	snprintf(c->epitaph, sizeof(c->epitaph), "worker %u (pid %ld, generation %u) %s", c->slot,
		 (long)c->pid, c->gen->number, how);
	errlog(ERRLOG_INFO, "%s, as it was told to end", c->epitaph);
	child_death_mark(c, WORKER_GONE);
	bury(c);
	return FATE_GONE;
}

int child_adopt(struct child *c)
{
	c->pid_fd = (int)syscall(SYS_pidfd_open, c->pid, 0);
	return c->pid_fd < 0 ? -1 : 0;
}

void child_let_go(struct child *c)
{
	c->standby = 0; /* it goes on as well */
	bury(c);
}

bool child_has_ended(const struct child *c)
{
	struct pollfd p = {.fd = c->pid_fd, .events = POLLIN};

	return c->pid_fd >= 0 && poll(&p, 1, 0) > 0;
}

int child_end_status(const struct child *c)
{
	const struct worker_row *row = board_worker(c->board, c->row);

	return row->pid == (uint64_t)c->pid && row->state == WORKER_GONE ? 0 : CHILD_UNKNOWN;
}

/* The standby is the worker from now on: a draining one drains on, any other serves. */
static void succeed(struct child *c, uint64_t now_us)
{
	c->pid = c->standby;
	c->standby = 0;
	if (c->pid_fd >= 0) {
		int old = c->pid_fd;

		child_adopt(c);
		close(old);
	}
	c->guard_us = now_us + POLICY_GUARD_US;
	c->ready_us = now_us;
	c->giving = false;
	if (c->state == CHILD_DRAINING) {
		/* The order may have died with the one that it was given to. */
		c->alone = true;
		return;
	}
	c->cause = CAUSE_NONE;
	set_state(c, CHILD_READY, 0);
}

static bool may_succeed(const struct child *c)
{
	if (c->standby <= 0 || (c->pid_fd >= 0 && !adopt_is_kin(c->standby, 0)))
		return false;
	return c->state == CHILD_READY || c->state == CHILD_DRAINING || c->cause == CAUSE_HANG;
}

static enum child_fate dies(struct child *c, const struct child_news *n)
{
	bool unborn = !c->ready_us;

	if (may_succeed(c)) {
		child_death_tell(c, c->pid, n->status, "; its standby goes on");
		c->succeeded = true;
		succeed(c, n->now_us);
		return FATE_LIVES;
	}
	child_death_tell(c, c->pid, n->status, unborn ? " before it was ready" : "");
	child_death_tell_requests(c, n->now_us);
	child_death_mark(c, WORKER_DEAD);
	board_bury_peers(c->board, c->row);
	bury(c);
	return unborn ? FATE_UNBORN : FATE_DEAD;
}

/* A child of this process, alive or not waited for yet? The word of a worker is not enough to send
 * signals by. */
static bool is_ours(pid_t pid)
{
	siginfo_t info;

	return pid > 1 && waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

static bool may_be_standby(const struct child *c, uint64_t pid)
{
	if (pid > INT32_MAX)
		return false;
	return c->pid_fd < 0 ? is_ours((pid_t)pid) : adopt_is_kin((pid_t)pid, c->pid);
}

static enum child_fate has_standby(struct child *c, const struct child_news *n)
{
	if (!may_be_standby(c, n->subject))
		return impossible(c, n);
	c->standby = (pid_t)n->subject;
	return FATE_LIVES;
}

/* A worker that is killed at once may not have named its standby, or not be known itself yet: it is
 * who speaks that counts. */
static enum child_fate is_taken(struct child *c, const struct child_news *n)
{
	if (n->subject != 0 && n->subject != (uint64_t)c->pid && may_be_standby(c, n->subject)) {
		c->succeeded = false;
		c->standby = (pid_t)n->subject;
	}
	if (c->succeeded) {
		c->succeeded = false;
	} else if (c->standby > 0) {
		c->predecessor = c->pid;
		succeed(c, n->now_us);
	} else {
		return impossible(c, n);
	}
	errlog(ERRLOG_NOTICE, "worker %u goes on in its standby (pid %ld)", c->slot, (long)c->pid);
	return FATE_LIVES;
}

/* A drain ends with status 0; a crash in it is a crash. */
static enum child_fate drain_dies(struct child *c, const struct child_news *n)
{
	return WIFEXITED(n->status) && WEXITSTATUS(n->status) == 0 ? goes(c, n) : dies(c, n);
}

static enum child_fate ended_dies(struct child *c, const struct child_news *n)
{
	return c->cause == CAUSE_ASKED ? goes(c, n) : dies(c, n);
}

typedef enum child_fate handler(struct child *, const struct child_news *);

static handler *const grid[CHILD_STATES][CHILD_EVENTS] = {
    [CHILD_NONE] =
	{
	    [CHILD_SAYS_READY] = impossible,
	    [CHILD_SAYS_REOPENED] = impossible,
	    [CHILD_SAYS_STANDBY] = impossible,
	    [CHILD_SAYS_TAKEN] = impossible,
	    [CHILD_SAYS_ALONE] = impossible,
	    [CHILD_SAYS_GIVEN] = impossible,
	    [CHILD_DRAIN] = impossible,
	    [CHILD_QUIT] = impossible,
	    [CHILD_HANGS] = impossible,
	    [CHILD_EXPIRES] = impossible,
	    [CHILD_DIES] = impossible,
	},
    [CHILD_STARTING] =
	{
	    [CHILD_SAYS_READY] = becomes_ready,
	    [CHILD_SAYS_REOPENED] = has_reopened,
	    [CHILD_SAYS_STANDBY] = has_standby,
	    [CHILD_SAYS_TAKEN] = is_taken,
	    [CHILD_SAYS_ALONE] = impossible,
	    [CHILD_SAYS_GIVEN] = impossible,
	    [CHILD_DRAIN] = drain,
	    [CHILD_QUIT] = quit,
	    [CHILD_HANGS] = impossible,
	    [CHILD_EXPIRES] = start_expires,
	    [CHILD_DIES] = dies,
	},
    [CHILD_READY] =
	{
	    [CHILD_SAYS_READY] =
		ignore, /* by a standby that was cloned before the worker said it */
	    [CHILD_SAYS_REOPENED] = has_reopened,
	    [CHILD_SAYS_STANDBY] = has_standby,
	    [CHILD_SAYS_TAKEN] = is_taken,
	    [CHILD_SAYS_ALONE] = ignore,
	    [CHILD_SAYS_GIVEN] = has_given,
	    [CHILD_DRAIN] = drain,
	    [CHILD_QUIT] = quit,
	    [CHILD_HANGS] = abort_hung,
	    [CHILD_EXPIRES] = impossible,
	    [CHILD_DIES] = dies,
	},
    [CHILD_DRAINING] =
	{
	    [CHILD_SAYS_READY] = ignore, /* crossed the order */
	    [CHILD_SAYS_REOPENED] = has_reopened,
	    [CHILD_SAYS_STANDBY] = has_standby,
	    [CHILD_SAYS_TAKEN] = is_taken,
	    [CHILD_SAYS_ALONE] = is_alone,
	    [CHILD_SAYS_GIVEN] = has_given,
	    [CHILD_DRAIN] = drain, /* another deadline, or the last worker now */
	    [CHILD_QUIT] = quit,
	    [CHILD_HANGS] = abort_hung,
	    [CHILD_EXPIRES] = drain_expires,
	    [CHILD_DIES] = drain_dies,
	},
    [CHILD_ENDING] =
	{
	    [CHILD_SAYS_READY] = ignore,
	    [CHILD_SAYS_REOPENED] = has_reopened,
	    [CHILD_SAYS_STANDBY] = has_standby,
	    [CHILD_SAYS_TAKEN] = is_taken,
	    [CHILD_SAYS_ALONE] = ignore,
	    [CHILD_SAYS_GIVEN] = ignore,
	    [CHILD_DRAIN] = ignore,
	    [CHILD_QUIT] = ignore,
	    [CHILD_HANGS] = ignore,
	    [CHILD_EXPIRES] = ending_expires,
	    [CHILD_DIES] = ended_dies,
	},
    [CHILD_KILLED] =
	{
	    [CHILD_SAYS_READY] = ignore,
	    [CHILD_SAYS_REOPENED] = ignore,
	    [CHILD_SAYS_STANDBY] = has_standby,
	    [CHILD_SAYS_TAKEN] = is_taken,
	    [CHILD_SAYS_ALONE] = ignore,
	    [CHILD_SAYS_GIVEN] = ignore,
	    [CHILD_DRAIN] = ignore,
	    [CHILD_QUIT] = ignore,
	    [CHILD_HANGS] = ignore,
	    [CHILD_EXPIRES] = kill_expires,
	    [CHILD_DIES] = ended_dies,
	},
    [CHILD_STUCK] =
	{
	    [CHILD_SAYS_READY] = ignore,
	    [CHILD_SAYS_REOPENED] = ignore,
	    [CHILD_SAYS_STANDBY] = has_standby,
	    [CHILD_SAYS_TAKEN] = is_taken,
	    [CHILD_SAYS_ALONE] = ignore,
	    [CHILD_SAYS_GIVEN] = ignore,
	    [CHILD_DRAIN] = ignore,
	    [CHILD_QUIT] = ignore,
	    [CHILD_HANGS] = ignore,
	    [CHILD_EXPIRES] = kill_expires,
	    [CHILD_DIES] = ended_dies,
	},
};

enum child_fate child_event(struct child *c, enum child_event event, const struct child_news *news)
{
	errlog(ERRLOG_DEBUG, "worker %u (pid %ld) %s", c->slot, (long)c->pid,
	       child_event_name(event));
	c->heard = event;
	return grid[c->state][event](c, news);
}

static void gossip(const struct child *c, const char *what, unsigned value)
{
	static struct errlog_limit limit;

	board_add(&c->board->master->gossip, 1);
	errlog_limited(&limit, ERRLOG_WARN,
		       "worker %u (pid %ld, generation %u) talks nonsense: %s %u", c->slot,
		       (long)c->pid, c->gen->number, what, value);
}

static void hear(struct child *c, const struct control_msg *msg, uint64_t now_us)
{
	struct child_news news = {.now_us = now_us, .subject = msg->arg_us};

	if (msg->slot != c->slot)
		gossip(c, "slot", msg->slot);
	else if (msg->generation != c->gen->number)
		gossip(c, "generation", msg->generation);
	else if (msg->kind == CONTROL_READY)
		child_event(c, CHILD_SAYS_READY, &news);
	else if (msg->kind == CONTROL_REOPENED)
		child_event(c, CHILD_SAYS_REOPENED, &news);
	else if (msg->kind == CONTROL_STANDBY)
		child_event(c, CHILD_SAYS_STANDBY, &news);
	else if (msg->kind == CONTROL_TAKEN)
		child_event(c, CHILD_SAYS_TAKEN, &news);
	else if (msg->kind == CONTROL_ALONE)
		child_event(c, CHILD_SAYS_ALONE, &news);
	else if (msg->kind == CONTROL_GIVEN)
		child_event(c, CHILD_SAYS_GIVEN, &news);
	else
		gossip(c, "message of kind", msg->kind);
}

bool child_mourns(struct child *c, pid_t pid, int status, uint64_t now_us)
{
	if (pid == c->predecessor) {
		child_death_tell(c, pid, status, "; its standby goes on");
		c->predecessor = 0;
		return true;
	}
	if (pid != c->standby)
		return false;
	c->standby = 0;
	/* At once, if this has not just happened before. */
	if (c->guard_us < now_us)
		c->guard_us = now_us;
	errlog(ERRLOG_WARN, "the standby of worker %u (pid %ld) is gone", c->slot, (long)pid);
	return true;
}

void child_guard(struct child *c, uint64_t now_us)
{
	if (c->state != CHILD_READY || c->standby > 0 || !c->gen->settings->standby ||
	    now_us < c->guard_us)
		return;
	/* Asked for a while after the start, too: the word of a standby may be on its way. */
	if (c->guard_us != 0)
		child_tell(c, CONTROL_GUARD, 0, 0);
	c->guard_us = now_us + POLICY_GUARD_US;
}

void child_listen(struct child *c, uint64_t now_us)
{
	enum {
		AT_ONCE = 64
	}; /* a child that never stops talking does not hold the master up */
	struct control_msg msg;

	for (int i = 0; c->control_fd >= 0 && i < AT_ONCE; i++) {
		ssize_t n = recv(c->control_fd, &msg, sizeof(msg), MSG_DONTWAIT | MSG_TRUNC);

		if (n == (ssize_t)sizeof(msg)) {
			hear(c, &msg, now_us);
		} else if (n > 0) {
			gossip(c, "message of bytes", (unsigned)n);
		} else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
			close(c->control_fd); /* it ends, or will be found out by its heartbeat */
			c->control_fd = -1;
		} else {
			return;
		}
	}
}
