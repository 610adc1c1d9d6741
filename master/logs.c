/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Opens log files. O_NONBLOCK stays on: it means nothing to a file, and keeps a FIFO or terminal
 * that nobody reads from stopping a worker. Called by generation.c and reopen.c.
 */
#include "master/logs.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "worker/settings.h"

/* Opened anew, a pipe or terminal does not block us, and goes on blocking for those who gave it to
 * us. A socket cannot be opened and stays as it is. */
static int open_inherited(int fd)
{
	char path[32];
	struct stat st;
	int own = -1;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (!fstat(fd, &st) && (S_ISFIFO(st.st_mode) || S_ISCHR(st.st_mode)))
		own = open(path, O_WRONLY | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	return own >= 0 ? own : fcntl(fd, F_DUPFD_CLOEXEC, 3);
}

static int open_log(const char *path)
{
	if (!strcmp(path, "stderr"))
		return open_inherited(STDERR_FILENO);
	if (!strcmp(path, "stdout"))
		return open_inherited(STDOUT_FILENO);
	return open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0640);
}

static int open_said(const char *what, const char *path, char *error, size_t size)
{
	int fd = open_log(path);

	if (fd < 0)
		snprintf(error, size, "cannot open the %s '%s': %s", what, path, strerror(errno));
	return fd;
}

/* The same with the place in the configuration that names it. */
static int open_placed(const char *what, const char *path, const struct conf_pos *pos, char *error,
		       size_t size)
{
	char why[PATH_MAX + 128];
	int fd = open_said(what, path, why, sizeof(why));

	if (fd < 0 && pos->line > 0)
		snprintf(error, size, "%s:%d: %s", pos->file, pos->line, why);
	else if (fd < 0)
		snprintf(error, size, "%s", why);
	return fd;
}

void logs_close(struct logs *l)
{
	for (uint32_t i = 0; l->fds && i < l->count; i++)
		if (l->fds[i] >= 0)
			close(l->fds[i]);
	if (l->error_fd >= 0)
		close(l->error_fd);
	free(l->fds);
	*l = LOGS_CLOSED;
}

void logs_forget(const struct logs *l)
{
	for (uint32_t i = 0; l->fds && i < l->count; i++)
		if (l->fds[i] > STDERR_FILENO)
			close(l->fds[i]);
	if (l->error_fd > STDERR_FILENO)
		close(l->error_fd);
}

int logs_open(struct logs *l, const struct settings *s, char *error, size_t size)
{
	*l = LOGS_CLOSED;
	l->fds = malloc((s->logs_count + 1) * sizeof(*l->fds));
	if (!l->fds) {
		snprintf(error, size, "no memory for %u logs", s->logs_count);
		return -1;
	}
	for (; l->count < s->logs_count; l->count++) {
		const struct log_setting *log = &s->logs[l->count];

		l->fds[l->count] = open_placed("access log", log->path, &log->pos, error, size);
		if (l->fds[l->count] < 0)
			goto fail;
	}
	l->error_fd = open_placed("error log", s->error_log, &s->error_log_pos, error, size);
	if (l->error_fd < 0)
		goto fail;
	return 0;
fail:
	logs_close(l);
	return -1;
}

/* The number stays: whoever writes to it goes on without being told. */
static unsigned reopen(int fd, const char *what, const char *path, char *error, size_t size)
{
	int fresh = open_said(what, path, error, size);

	if (fresh < 0)
		return 1;
	dup3(fresh, fd, O_CLOEXEC);
	close(fresh);
	return 0;
}

unsigned logs_reopen(struct logs *l, const struct settings *s, char *error, size_t size)
{
	unsigned failed = 0;

	for (uint32_t i = 0; i < l->count; i++)
		failed += reopen(l->fds[i], "access log", s->logs[i].path, error, size);
	failed += reopen(l->error_fd, "error log", s->error_log, error, size);
	return failed;
}
