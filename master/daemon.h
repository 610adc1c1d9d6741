/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What makes a process a daemon: its run directory, its pid file, and the way into the background.
 */
#ifndef DROVER_MASTER_DAEMON_H
#define DROVER_MASTER_DAEMON_H

#include <stdbool.h>
#include <stddef.h>

/* What says "this daemon is running"; closed in children, or a surviving worker would block the
 * next start. */
struct daemon {
	char pid_path[4096];
	struct pidfh *pid; /* owned: the lock on the pid file */
	int pid_fd;        /* owned: that lock, if another program took it for this process; -1 */
	int lock_fd;       /* owned: the lock on the run directory; -1 */
	int report_fd; /* owned: where the parent waits; -1 in the foreground or once it was told */
};

#define DAEMON_NONE ((struct daemon){.pid_fd = -1, .lock_fd = -1, .report_fd = -1})

/* Standard streams that somebody closed lead nowhere: else what is opened first would be taken for
 * them, and be closed in the background. To be called before anything is opened. */
void daemon_open_streams(void);

/* Makes the run directory (0755) if it is not there, and refuses one that others could tamper with.
 * Returns 0, or -1 with the sentence in error. */
int daemon_make_rundir(const char *path, char *error, size_t size);

/* Locks run directory and pid file. pid_file NULL: the one in the run directory; place stands in
 * front of what is wrong with it. Returns 0, or -1 with the sentence ("already running (pid N)") in
 * error. */
int daemon_lock(struct daemon *d, const char *rundir, const char *pid_file, const char *place,
		char *error, size_t size);

/*
 * Goes into the background: returns 0 in the child, with standard streams that lead nowhere and "/"
 * as its working directory; the parent stays until daemon_report() and exits with its status. -1
 * with errno if that cannot be.
 */
int daemon_fork(struct daemon *d);

/* Writes the pid file, once the process has its final pid. Returns 0, or -1 with the sentence in
 * error. */
int daemon_write_pid(struct daemon *d, char *error, size_t size);

/* The descriptor of the lock on the pid file, which stays the daemon's. */
int daemon_pid_fd(const struct daemon *d);

/* Tells the waiting parent the exit status, and what to say on standard error if it is not 0. In
 * the foreground just says it. */
void daemon_report(struct daemon *d, int status, const char *text);

/* In a child: closes, and removes nothing. */
void daemon_forget(struct daemon *d);

/* Removes the pid file. */
void daemon_remove_pid(struct daemon *d);

/* At the end: the same, and gives everything back. */
void daemon_close(struct daemon *d);

#endif
