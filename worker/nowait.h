/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Writing to a log without ever waiting for whoever reads it. What is opened by name is opened with
 * O_NONBLOCK (master/logs.c). A socket that was inherited as standard error (a service manager's
 * journal) cannot be opened anew, and O_NONBLOCK on it would be seen by all who have it: there each
 * write says that it will not wait.
 */
#ifndef DROVER_WORKER_NOWAIT_H
#define DROVER_WORKER_NOWAIT_H

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

static inline ssize_t nowait_write(int fd, const void *bytes, size_t n)
{
	ssize_t done = send(fd, bytes, n, MSG_DONTWAIT | MSG_NOSIGNAL);

	return done < 0 && errno == ENOTSOCK ? write(fd, bytes, n) : done;
}

#endif
