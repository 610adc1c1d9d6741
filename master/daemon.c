/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Run directory, pid file and background. The lock of libbsd's pidfile is inherited over a fork and
 * its descriptor is not close-on-exec: both are seen to here. Called by boot.c and supervise.c.
 */
#include "master/daemon.h"

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <libutil.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

void daemon_open_streams(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

int daemon_make_rundir(const char *path, char *error, size_t size)
{
	mode_t old = umask(022);
	int made = mkdir(path, 0755);
	struct stat st;

	umask(old);
	if (made && errno != EEXIST) {
		snprintf(error, size, "cannot make the run directory %s: %s", path,
			 strerror(errno));
		return -1;
	}
	if (lstat(path, &st) || !S_ISDIR(st.st_mode)) {
		snprintf(error, size, "the run directory %s is no directory", path);
		return -1;
	}
	if ((st.st_uid != geteuid() && st.st_uid != 0) || (st.st_mode & S_IWOTH)) {
		snprintf(
		    error, size,
		    "others may write in the run directory %s: it must belong to uid %ld alone",
		    path, (long)geteuid());
		return -1;
	}
	return 0;
}

static void say_running(pid_t other, const char *what, char *error, size_t size)
{
	if (other > 0)
		snprintf(error, size, "already running (pid %ld)", (long)other);
	else
		snprintf(error, size, "already running: another one holds %s", what);
}

/* Two daemons with pid files of different names must not share a board either. */
static int lock_rundir(struct daemon *d, const char *rundir, char *error, size_t size)
{
	d->lock_fd = open(rundir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (d->lock_fd < 0) {
		snprintf(error, size, "cannot open the run directory %s: %s", rundir,
			 strerror(errno));
		return -1;
	}
	if (flock(d->lock_fd, LOCK_EX | LOCK_NB) == 0)
		return 0;
	say_running(0, rundir, error, size);
	return -1;
}

int daemon_lock(struct daemon *d, const char *rundir, const char *pid_file, const char *place,
		char *error, size_t size)
{
	pid_t other = 0;

	if (pid_file)
		snprintf(d->pid_path, sizeof(d->pid_path), "%s", pid_file);
	else
		snprintf(d->pid_path, sizeof(d->pid_path), "%s/drover.pid", rundir);
	d->pid = pidfile_open(d->pid_path, 0644, &other);
	if (!d->pid) {
		if (errno == EEXIST)
			say_running(other, d->pid_path, error, size);
		else
			snprintf(error, size, "%scannot open the pid file %s: %s", place,
				 d->pid_path, strerror(errno));
		return -1;
	}
	fcntl(pidfile_fileno(d->pid), F_SETFD, FD_CLOEXEC);
	if (lock_rundir(d, rundir, error, size)) {
		daemon_close(d);
		return -1;
	}
	return 0;
}

/* The parent: one byte of status, then the text. */
static _Noreturn void wait_for_report(int fd)
{
	char report[1024];
	size_t len = 0;
	ssize_t n;

	while (len < sizeof(report) - 1 &&
	       (n = read(fd, report + len, sizeof(report) - 1 - len)) != 0) {
		if (n > 0)
			len += (size_t)n;
		else if (errno != EINTR)
			break;
	}
	report[len] = '\0';
	if (!len)
		errx(1, "ended before it was serving: see the error log");
	if (report[0])
		warnx("%s", report + 1);
	_exit(report[0]);
}

static void close_streams(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	for (int fd = 0; null >= 0 && fd <= STDERR_FILENO; fd++)
		dup2(null, fd);
	if (null > STDERR_FILENO)
		close(null);
}

int daemon_fork(struct daemon *d)
{
	int pair[2];

	if (pipe2(pair, O_CLOEXEC))
		return -1;
	pid_t pid = fork();

	if (pid < 0) {
		int e = errno;

		close(pair[0]);
		close(pair[1]);
		errno = e;
		return -1;
	}
	if (pid > 0) {
		close(pair[1]);
		wait_for_report(pair[0]);
	}
	close(pair[0]);
	d->report_fd = pair[1];
	setsid();
	/* All paths are absolute; where it was started may be unmounted one day. */
	(void)!chdir("/");
	close_streams();
	return 0;
}

int daemon_write_pid(struct daemon *d, char *error, size_t size)
{
	if (!pidfile_write(d->pid))
		return 0;
	snprintf(error, size, "cannot write the pid file %s: %s", d->pid_path, strerror(errno));
	return -1;
}

void daemon_report(struct daemon *d, int status, const char *text)
{
	char report[1024];

	if (d->report_fd < 0) {
		if (status)
			warnx("%s", text);
		return;
	}
	report[0] = (char)status;
	snprintf(report + 1, sizeof(report) - 1, "%s", text);
	(void)!write(d->report_fd, report, 1 + strlen(report + 1));
	close(d->report_fd);
	d->report_fd = -1;
}

int daemon_pid_fd(const struct daemon *d)
{
	return d->pid ? pidfile_fileno(d->pid) : d->pid_fd;
}

static void close_lock(struct daemon *d)
{
	if (d->pid_fd >= 0)
		close(d->pid_fd);
	d->pid_fd = -1;
	if (d->lock_fd >= 0)
		close(d->lock_fd);
	if (d->report_fd >= 0)
		close(d->report_fd);
	d->lock_fd = d->report_fd = -1;
}

void daemon_forget(struct daemon *d)
{
	if (d->pid)
		pidfile_close(d->pid);
	d->pid = NULL;
	close_lock(d);
}

void daemon_remove_pid(struct daemon *d)
{
	struct stat ours, there;

	if (d->pid)
		pidfile_remove(d->pid);
	else if (d->pid_fd >= 0 && !fstat(d->pid_fd, &ours) && !stat(d->pid_path, &there) &&
		 ours.st_dev == there.st_dev && ours.st_ino == there.st_ino)
		unlink(d->pid_path);
	d->pid = NULL;
}

void daemon_close(struct daemon *d)
{
	daemon_remove_pid(d);
	close_lock(d);
}
