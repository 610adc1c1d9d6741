/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See prober_child.h. Called by supervise.c.
 */
#include "master/prober_child.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "master/birth.h"
#include "master/policy.h"
#include "master/privilege.h"
#include "worker/errlog.h"
#include "worker/fdpass.h"
#include "worker/prober.h"
#include "worker/worker.h"

enum {
	KILL_ROUNDS = 100, /* of a millisecond */
	ROUND_NS = 1000000
};

/* The row's words: from the fork on those of the child, so that both write the same. */
static void name_in_row(const struct board *b, uint64_t pid, uint32_t generation, uint64_t now_us)
{
	struct master_row *m = b->master;

	board_set(&m->prober_generation, generation);
	board_set(&m->prober_started_us, now_us);
	board_set(&m->prober_beat_us, now_us);
	__atomic_store_n(&m->prober_pid, pid, __ATOMIC_RELEASE);
}

/* It writes no access log, and would keep a rotated one open. */
static void close_access_logs(const struct generation *g)
{
	for (uint32_t i = 0; i < g->logs.count; i++)
		if (g->logs.fds[i] > STDERR_FILENO && g->logs.fds[i] != g->logs.error_fd)
			close(g->logs.fds[i]);
}

static _Noreturn void live(const struct prober_child *p, struct generation *g, int control_fd,
			   pid_t master, uint64_t now_us)
{
	static const struct child nobody = {.control_fd = -1};
	const struct settings *s = g->settings;
	struct prober_env env = {
	    .settings = s,
	    .board = (struct board *)(uintptr_t)p->board,
	    .generation = g->number,
	    .control_fd = control_fd,
	    .error_log_fd = g->logs.error_fd,
	};
	char error[256];

	birth_reset_signals();
	p->forget(p->forget_arg, &nobody);
	generation_forget_others(g);
	close_access_logs(g);
	setproctitle("-drover: prober gen %u", g->number);
	prctl(PR_SET_NAME, "drover-prober");
	errlog_open(g->logs.error_fd, s->log_level, -1);
	if (privilege_drop(s, error, sizeof(error))) {
		errlog(ERRLOG_ERROR, "%s", error);
		_exit(1);
	}
	/* Changing the user has the kernel forget this, so it comes behind it. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != master)
		_exit(0);
	name_in_row(p->board, (uint64_t)getpid(), g->number, now_us);
	_exit(prober_run(&env));
}

void prober_child_open(struct prober_child *p, const struct board *b,
		       void (*forget)(void *arg, const struct child *self), void *forget_arg)
{
	*p = (struct prober_child){
	    .control_fd = -1, .forget = forget, .forget_arg = forget_arg, .board = b};
	/* One of the master before is dead, or leaves when it sees this. */
	__atomic_store_n(&b->master->prober_pid, 0, __ATOMIC_RELEASE);
}

static void wait_before_next(struct prober_child *p, const char *what, uint64_t now_us)
{
	uint64_t wait_us = policy_patience_us(p->deaths);

	p->next_start_us = now_us + wait_us;
	if (wait_us)
		errlog(ERRLOG_WARN,
		       "the prober %s %u times in a row: starting it again in %" PRIu64 " s", what,
		       p->deaths, wait_us / POLICY_SECOND_US);
}

static int make(struct prober_child *p, struct generation *g, uint64_t now_us)
{
	int pair[2];
	pid_t master = getpid();

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair))
		return -1;
	pid_t pid = fork();

	if (pid == 0) {
		close(pair[0]);
		live(p, g, pair[1], master, now_us);
	}
	close(pair[1]);
	if (pid < 0) {
		close(pair[0]);
		return -1;
	}
	p->control_fd = pair[0];
	p->pid = pid;
	return 0;
}

static void start(struct prober_child *p, struct generation *g, uint64_t now_us)
{
	if (make(p, g, now_us)) {
		board_add(&p->board->master->fork_failures, 1);
		p->deaths++;
		errlog(ERRLOG_ERROR, "cannot start the prober: %s", strerror(errno));
		p->deaths += p->deaths == 1; /* not again at once */
		wait_before_next(p, "could not be started", now_us);
		return;
	}
	generation_use(g);
	p->gen = g;
	p->state = PROBER_RUNNING;
	p->asked = false;
	p->started_us = p->fresh_us = now_us;
	p->deadline_us = 0;
	name_in_row(p->board, (uint64_t)p->pid, g->number, now_us);
	board_add(&p->board->master->prober_starts, 1);
	errlog(ERRLOG_INFO, "prober (pid %ld, generation %u) started", (long)p->pid, g->number);
}

static void tell(const struct prober_child *p, uint32_t kind)
{
	struct control_msg msg = {.kind = kind, .generation = p->gen->number};

	(void)send(p->control_fd, &msg, sizeof(msg), MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void quit(struct prober_child *p, uint64_t now_us)
{
	tell(p, CONTROL_QUIT);
	p->asked = true;
	p->state = PROBER_ENDING;
	p->deadline_us = now_us + POLICY_QUIT_US;
}

static void kill_now(struct prober_child *p, uint64_t now_us)
{
	kill(p->pid, SIGKILL);
	p->state = PROBER_KILLED;
	p->deadline_us = now_us + POLICY_STUCK_US;
}

static uint64_t beat_us(const struct prober_child *p)
{
	const struct master_row *m = p->board->master;

	return m->prober_pid == (uint64_t)p->pid
		   ? __atomic_load_n(&m->prober_beat_us, __ATOMIC_RELAXED)
		   : 0;
}

static void end_hung(struct prober_child *p, uint64_t now_us)
{
	uint64_t beat = beat_us(p);

	errlog(ERRLOG_ERROR,
	       "the prober (pid %ld) hangs: no heartbeat for %" PRIu64 " ms; ending it with ABRT",
	       (long)p->pid, (now_us - (beat ? beat : p->started_us)) / 1000);
	kill(p->pid, SIGABRT);
	kill(p->pid, SIGCONT);
	p->state = PROBER_ENDING;
	p->deadline_us = now_us + POLICY_ABORT_US;
}

static void watch(struct prober_child *p, uint64_t now_us)
{
	switch (p->state) {
	case PROBER_NONE:
	case PROBER_STATES:
		break;
	case PROBER_RUNNING:
		if (policy_hung(now_us, beat_us(p), p->fresh_us, p->gen->settings->hang_us))
			end_hung(p, now_us);
		break;
	case PROBER_ENDING:
		if (now_us >= p->deadline_us)
			kill_now(p, now_us);
		break;
	case PROBER_KILLED:
		if (now_us < p->deadline_us)
			break;
		errlog(ERRLOG_ALERT,
		       "the prober (pid %ld) does not die of KILL: the kernel holds it",
		       (long)p->pid);
		p->deadline_us = now_us + POLICY_STUCK_US;
		break;
	}
}

void prober_child_tend(struct prober_child *p, struct generation *want, uint64_t now_us)
{
	if (want && !prober_wanted(want->settings))
		want = NULL;
	watch(p, now_us);
	if (p->state == PROBER_RUNNING && p->gen != want)
		quit(p, now_us);
	else if (p->state == PROBER_NONE && want && now_us >= p->next_start_us)
		start(p, want, now_us);
}

static void describe(int status, char *out, size_t size)
{
	if (WIFSIGNALED(status))
		snprintf(out, size, "was killed by signal %d (%s)", WTERMSIG(status),
			 sigabbrev_np(WTERMSIG(status)) ? sigabbrev_np(WTERMSIG(status)) : "?");
	else
		snprintf(out, size, "exited with status %d", WEXITSTATUS(status));
}

static void bury(struct prober_child *p)
{
	close(p->control_fd);
	p->control_fd = -1;
	generation_release(p->gen);
	p->gen = NULL;
	p->pid = 0;
	p->state = PROBER_NONE;
	p->deadline_us = 0;
	__atomic_store_n(&p->board->master->prober_pid, 0, __ATOMIC_RELEASE);
}

bool prober_child_died(struct prober_child *p, pid_t pid, int status, uint64_t now_us)
{
	char how[64];

	if (p->state == PROBER_NONE || pid != p->pid)
		return false;
	describe(status, how, sizeof(how));
	errlog(p->asked ? ERRLOG_INFO : ERRLOG_ERROR, "the prober (pid %ld, generation %u) %s%s",
	       (long)pid, p->gen->number, how, p->asked ? ", as it was told to end" : "");
	if (p->asked) {
		p->deaths = 0;
		p->next_start_us = 0;
	} else {
		board_add(&p->board->master->prober_deaths, 1);
		p->deaths = policy_deaths(p->deaths, now_us - p->started_us);
		wait_before_next(p, "died", now_us);
	}
	bury(p);
	return true;
}

void prober_child_postpone(struct prober_child *p, uint64_t now_us, uint64_t late_us)
{
	p->fresh_us = now_us;
	if (p->deadline_us)
		p->deadline_us += late_us;
}

void prober_child_reopen(const struct prober_child *p)
{
	struct control_msg msg = {.kind = CONTROL_REOPEN};

	if (p->state == PROBER_RUNNING && fdpass_send(p->control_fd, &msg, sizeof(msg),
						      &p->gen->logs.error_fd, 1, MSG_DONTWAIT) < 0)
		errlog(ERRLOG_WARN, "the prober could not be given its log: %s", strerror(errno));
}

void prober_child_kill(struct prober_child *p, uint64_t now_us)
{
	const struct timespec round = {.tv_nsec = ROUND_NS};
	int status;

	if (p->state == PROBER_NONE)
		return;
	p->asked = true;
	kill_now(p, now_us);
	for (int i = 0; i < KILL_ROUNDS; i++) {
		if (waitpid(p->pid, &status, WNOHANG) == p->pid) {
			prober_child_died(p, p->pid, status, now_us);
			return;
		}
		nanosleep(&round, NULL);
	}
}

void prober_child_forget(const struct prober_child *p)
{
	if (p->control_fd >= 0)
		close(p->control_fd);
}

uint64_t prober_child_next_us(const struct prober_child *p, uint64_t now_us)
{
	if (p->state == PROBER_NONE)
		return p->next_start_us > now_us ? p->next_start_us : 0;
	return p->deadline_us;
}
