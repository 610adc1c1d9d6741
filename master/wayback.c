/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See wayback.h. All that the way back needs is made ready when it is opened, since a handler may
 * have to take it: arguments, environment, a stack. Called by inherit.c and start.c.
 */
#include "master/wayback.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "master/state.h"

enum {
	OPEN_SECONDS = 30, /* beyond all deadlines that the master's loop has for it */
	VARIABLES = 1024,
	STACK_BYTES = 64 * 1024
};

static const int crashes[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGSYS, SIGALRM};

static struct {
	pid_t pid; /* of the process that it is open in; 0: closed */
	int state_fd, program_fd;
	const struct state *state; /* NULL: not known yet, and no descriptor changed */
	const char *argv[OPTIONS_ARGS];
	char *envp[VARIABLES + 2];
	char returned[sizeof(WAYBACK_RETURNED) + 600];
	char stack[STACK_BYTES];
} way;

/* Safe in a signal handler. */
static void execute(const char *why)
{
	size_t n = sizeof(WAYBACK_RETURNED);

	memcpy(way.returned, WAYBACK_RETURNED "=", n);
	for (size_t i = 0; why[i] && n < sizeof(way.returned) - 1; i++)
		way.returned[n++] = why[i];
	way.returned[n] = '\0';
	alarm(0);
	if (way.state)
		state_close_on_exec(way.state, false);
	fcntl(way.state_fd, F_SETFD, 0);
	fcntl(way.program_fd, F_SETFD, 0);
	syscall(SYS_execveat, way.program_fd, "", way.argv, way.envp, AT_EMPTY_PATH);
}

static const char *what_happened(int sig)
{
	switch (sig) {
	case SIGSEGV:
		return "it crashed at its start: SEGV";
	case SIGBUS:
		return "it crashed at its start: BUS";
	case SIGILL:
		return "it crashed at its start: ILL";
	case SIGFPE:
		return "it crashed at its start: FPE";
	case SIGABRT:
		return "it crashed at its start: ABRT";
	case SIGALRM:
		return "it did not serve in time";
	default:
		return "it crashed at its start";
	}
}

static void on_crash(int sig)
{
	if (way.pid == getpid())
		execute(what_happened(sig));
	_exit(128 + sig);
}

static void on_exit_called(void)
{
	if (way.pid == getpid())
		execute("it ended at its start");
}

static void keep_environment(void)
{
	size_t n = 0;

	for (char **e = environ; *e && n < VARIABLES; e++)
		if (strncmp(*e, WAYBACK_RETURNED "=", sizeof(WAYBACK_RETURNED)))
			way.envp[n++] = strdup(*e);
	way.envp[n++] = way.returned;
	way.envp[n] = NULL;
}

static void catch_crashes(void)
{
	struct sigaction a = {.sa_handler = on_crash, .sa_flags = SA_ONSTACK | SA_NODEFER};
	stack_t stack = {.ss_sp = way.stack, .ss_size = sizeof(way.stack)};

	sigaltstack(&stack, NULL);
	for (size_t i = 0; i < sizeof(crashes) / sizeof(crashes[0]); i++)
		sigaction(crashes[i], &a, NULL);
	atexit(on_exit_called);
	alarm(OPEN_SECONDS);
}

void wayback_open(const struct options *o, int state_fd, int program_fd)
{
	way.state_fd = state_fd;
	way.program_fd = program_fd;
	options_args(o, false, way.argv);
	keep_environment();
	way.pid = getpid();
	catch_crashes();
}

void wayback_knows(const struct state *s)
{
	way.state = s;
	state_close_on_exec(s, true);
	fcntl(way.state_fd, F_SETFD, FD_CLOEXEC);
	fcntl(way.program_fd, F_SETFD, FD_CLOEXEC);
}

int wayback_take(const char *why)
{
	if (way.pid == getpid())
		execute(why);
	else
		errno = ESRCH;
	return -1;
}

void wayback_close(void)
{
	alarm(0);
	way.pid = 0;
	way.state = NULL;
	for (size_t i = 0; i < sizeof(crashes) / sizeof(crashes[0]); i++)
		signal(crashes[i], SIG_DFL);
}
