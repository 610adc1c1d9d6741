/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Forks a worker. The child keeps its share of the sockets, its logs, its end of the control
 * channel and the board, and nothing else of the master's. Called by slot.c.
 */
#include "master/birth.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "master/adopt.h"
#include "master/policy.h"
#include "master/privilege.h"
#include "worker/errlog.h"
#include "worker/worker.h"

/*
 * As a program finds them, but for PIPE, which a server must not die of, and for those that a
 * terminal or a service manager sends to the whole process group: they are meant for the master,
 * who tells its children.
 */
void birth_reset_signals(void)
{
	static const int ignored[] = {SIGPIPE, SIGHUP,  SIGINT,  SIGQUIT, SIGTERM,
				      SIGUSR1, SIGUSR2, SIGTTIN, SIGTTOU, SIGWINCH};
	struct sigaction dfl = {.sa_handler = SIG_DFL};
	sigset_t none;

	for (int sig = 1; sig < NSIG; sig++)
		sigaction(sig, &dfl, NULL); /* KILL and STOP refuse, and need nothing */
	for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
		signal(ignored[i], SIG_IGN);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* From here on the row is this process's, so that it is known by name if it dies early. */
static void take_row(const struct child *c, const struct birth *b)
{
	struct worker_row *row = board_worker(b->board, c->row);

	board_write_begin(&row->seq);
	row->state = WORKER_STARTING;
	row->slot = c->slot;
	row->generation = b->gen->number;
	row->pid = (uint64_t)getpid();
	row->started_us = b->now_us;
	row->drain_us = 0;
	row->touching = 0;
	row->beat_us = b->now_us;
	board_write_end(&row->seq);
}

/* What a worker has in the run directory; -1: it could not be made. */
struct sockets {
	int adopt_fd, ctl_fd;
};

static _Noreturn void live(const struct child *c, const struct birth *b, int control_fd,
			   const struct sockets *own, pid_t master)
{
	const struct settings *s = b->gen->settings;
	struct worker_env env = {
	    .settings = s,
	    .board = (struct board *)(uintptr_t)b->board,
	    .slot = c->slot,
	    .generation = b->gen->number,
	    .row = c->row,
	    .control_fd = control_fd,
	    .adopt_fd = own->adopt_fd,
	    .ctl_fd = own->ctl_fd,
	    .master_uid = geteuid(),
	    .master_pid = master,
	    .instance = b->instance,
	    .listen_fds = c->share.fds,
	    .listen_ids = c->share.ids,
	    .listen_count = c->share.count,
	    .log_fds = b->gen->logs.fds,
	    .error_log_fd = b->gen->logs.error_fd,
	    .next_conn_id = b->instance << 32,
	};
	char error[256], name[16];

	birth_reset_signals();
	take_row(c, b);
	b->forget(b->forget_arg, c);
	generation_forget_others(b->gen);
	setproctitle("-drover: worker %u gen %u", c->slot, b->gen->number);
	snprintf(name, sizeof(name), "drover-w%u", c->slot);
	prctl(PR_SET_NAME, name);
	errlog_open(env.error_log_fd, s->log_level, (int)c->slot);
	if (privilege_drop(s, error, sizeof(error))) {
		errlog(ERRLOG_ERROR, "%s", error);
		_exit(1);
	}
	_exit(worker_run(&env));
}

/* A worker without them serves as well as others: it is only not found when the master dies, and
 * not reached by droverctl kill. */
static struct sockets open_sockets(const struct child *c, const struct birth *b)
{
	static struct errlog_limit limit;
	struct sockets own = {-1, -1};

	if (b->rundir_fd < 0)
		return own;
	own.adopt_fd = adopt_listen(b->rundir_fd, c->slot, c->row % BOARD_HALVES);
	own.ctl_fd = own.adopt_fd < 0
			 ? -1
			 : adopt_open_ctl(b->rundir_fd, c->slot, c->row % BOARD_HALVES);
	if (own.ctl_fd < 0)
		errlog_limited(&limit, ERRLOG_WARN,
			       "worker %u has no socket in the run directory: %s", c->slot,
			       strerror(errno));
	return own;
}

static void close_sockets(const struct sockets *own)
{
	if (own->adopt_fd >= 0)
		close(own->adopt_fd);
	if (own->ctl_fd >= 0)
		close(own->ctl_fd);
}

int birth_worker(struct child *c, const struct birth *b)
{
	int pair[2];

	if (share_list(&c->share, b->gen, c->slot, b->workers))
		return -1;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair))
		goto fail_pair;
	c->control_fd = pair[0];
	struct sockets own = open_sockets(c, b);
	pid_t master = getpid(), pid = fork();

	if (pid < 0)
		goto fail_fork;
	if (pid == 0)
		live(c, b, pair[1], &own, master);
	close(pair[1]);
	close_sockets(&own);
	generation_use(b->gen);
	c->state = CHILD_STARTING;
	c->cause = CAUSE_NONE;
	c->reopening = false;
	c->pid = pid;
	c->instance = b->instance;
	c->gen = b->gen;
	c->started_us = b->now_us;
	c->ready_us = 0;
	c->deadline_us = b->now_us + POLICY_START_US;
	c->board = b->board;
	board_add(&b->board->master->worker_starts, 1);
	return 0;
fail_fork:;
	int e = errno;

	close_sockets(&own);
	close(pair[0]);
	close(pair[1]);
	c->control_fd = -1;
	errno = e;
fail_pair:
	share_free(&c->share);
	return -1;
}
