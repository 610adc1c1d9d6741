/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See upgrade.h. Decides nothing about when: that is change.c, who calls it.
 */
#include "master/upgrade.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "master/conf.h"
#include "master/notify.h"
#include "master/policy.h"
#include "master/realm.h"
#include "master/wayback.h"
#include "worker/errlog.h"

/* Checking. */

static void name_descriptors(int state_fd, int program_fd)
{
	char text[32];

	snprintf(text, sizeof(text), "%d %d", state_fd, program_fd);
	setenv(WAYBACK_INHERIT, text, 1);
}

static _Noreturn void run_check(const struct realm *r, const struct state *s, int state_fd,
				int out_fd)
{
	const char *argv[OPTIONS_ARGS];
	sigset_t none;

	for (int sig = 1; sig < NSIG; sig++)
		signal(sig, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	dup2(out_fd, STDOUT_FILENO);
	dup2(out_fd, STDERR_FILENO);
	fcntl(state_fd, F_SETFD, 0);
	name_descriptors(state_fd, s->program_fd);
	options_args(r->options, true, argv);
	execv(r->options->program, (char *const *)(uintptr_t)argv);
	dprintf(STDERR_FILENO, "%s cannot be executed: %s\n", r->options->program, strerror(errno));
	_exit(126);
}

int upgrade_check(struct upgrade *u, const struct realm *r, const struct state *s, uint64_t now_us)
{
	int state_fd = state_write(s), ends[2] = {-1, -1};

	*u = UPGRADE_IDLE;
	if (state_fd < 0 || pipe2(ends, O_CLOEXEC | O_NONBLOCK))
		goto fail;
	pid_t pid = fork();

	if (pid < 0)
		goto fail;
	if (pid == 0)
		run_check(r, s, state_fd, ends[1]);
	close(state_fd);
	close(ends[1]);
	u->pid = pid;
	u->out_fd = ends[0];
	u->deadline_us = now_us + POLICY_CHECK_US;
	return 0;
fail:
	snprintf(u->why, sizeof(u->why), "the new program cannot be checked: %s", strerror(errno));
	if (state_fd >= 0)
		close(state_fd);
	for (int i = 0; i < 2; i++)
		if (ends[i] >= 0)
			close(ends[i]);
	return -1;
}

bool upgrade_checks(const struct upgrade *u)
{
	return u->pid > 0;
}

bool upgrade_died(struct upgrade *u, pid_t pid, int status)
{
	if (!u->pid || pid != u->pid)
		return false;
	u->dead = true;
	u->status = status;
	return true;
}

/* Keeps the beginning: that is where the reason stands. */
static void listen_to(struct upgrade *u)
{
	char more[1024];
	ssize_t n;

	while ((n = read(u->out_fd, more, sizeof(more))) > 0) {
		size_t room = sizeof(u->out) - 1 - u->out_len;
		size_t len = (size_t)n < room ? (size_t)n : room;

		memcpy(u->out + u->out_len, more, len);
		u->out_len += len;
	}
	u->out[u->out_len] = '\0';
}

static void log_output(const struct upgrade *u)
{
	char copy[sizeof(u->out)], *rest = copy, *line;

	memcpy(copy, u->out, u->out_len + 1);
	while ((line = strsep(&rest, "\n")))
		if (*line)
			errlog(ERRLOG_ERROR, "the new program says: %s", line);
}

/* What it said, in one line; else how it ended. */
static void tell_failure(struct upgrade *u)
{
	char text[400];
	size_t n = 0;

	for (size_t i = 0; i < u->out_len && n < sizeof(text) - 3; i++) {
		if (u->out[i] != '\n')
			text[n++] = u->out[i];
		else if (u->out[i + 1])
			n += (size_t)snprintf(text + n, 3, "; ");
	}
	text[n] = '\0';
	if (WIFSIGNALED(u->status))
		snprintf(u->why, sizeof(u->why),
			 "the check of the new program was killed by signal %d (%s)%s%s",
			 WTERMSIG(u->status), sigabbrev_np(WTERMSIG(u->status)), n ? ": " : "",
			 text);
	else if (WEXITSTATUS(u->status) == 126 && n)
		snprintf(u->why, sizeof(u->why), "%s", text);
	else if (WEXITSTATUS(u->status))
		snprintf(u->why, sizeof(u->why),
			 "the check of the new program ended with status %d%s%s",
			 WEXITSTATUS(u->status), n ? ": " : "", text);
	else
		snprintf(u->why, sizeof(u->why),
			 "the new program does not say that it can take over from this one%s%s",
			 n ? ": " : "", text);
}

static void end_check(struct upgrade *u)
{
	close(u->out_fd);
	u->out_fd = -1;
	u->pid = 0;
}

enum upgrade_outcome upgrade_step(struct upgrade *u, uint64_t now_us)
{
	if (!u->pid)
		return UPGRADE_NONE;
	listen_to(u);
	if (!u->dead && now_us < u->deadline_us)
		return UPGRADE_NONE;
	if (!u->dead) {
		snprintf(u->why, sizeof(u->why),
			 "the check of the new program did not end within %d s",
			 (int)(POLICY_CHECK_US / POLICY_SECOND_US));
		upgrade_cancel(u);
		return UPGRADE_FAILED;
	}
	end_check(u);
	if (WIFEXITED(u->status) && WEXITSTATUS(u->status) == 0 && strstr(u->out, UPGRADE_PROOF))
		return UPGRADE_PASSED;
	tell_failure(u);
	log_output(u);
	return UPGRADE_FAILED;
}

/* Its death is nobody's news any more. */
void upgrade_cancel(struct upgrade *u)
{
	if (!u->pid)
		return;
	if (!u->dead)
		kill(u->pid, SIGKILL);
	end_check(u);
}

/* Executing. */

int upgrade_execute(const struct realm *r, const struct state *s, char *error, size_t size)
{
	const char *argv[OPTIONS_ARGS];
	int state_fd = state_write(s);

	if (state_fd < 0) {
		snprintf(error, size, "the state cannot be written: %s", strerror(errno));
		return -1;
	}
	options_args(r->options, false, argv);
	name_descriptors(state_fd, s->program_fd);
	notify_export();
	state_close_on_exec(s, false);
	fcntl(state_fd, F_SETFD, 0);
	execv(r->options->program, (char *const *)(uintptr_t)argv);
	snprintf(error, size, "%s cannot be executed: %s", r->options->program, strerror(errno));
	state_close_on_exec(s, true);
	close(state_fd);
	unsetenv(WAYBACK_INHERIT);
	notify_open();
	return -1;
}
