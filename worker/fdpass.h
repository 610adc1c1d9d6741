/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Descriptors that travel beside a message (SCM_RIGHTS): between workers, and between them and the
 * master. Those in flight count against the limit of the sender.
 */
#ifndef DROVER_WORKER_FDPASS_H
#define DROVER_WORKER_FDPASS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* With one message: SCM_MAX_FD. */
enum {
	FDPASS_MOST = 253
};

/*
 * Sends the message p[0 .. len) with count descriptors, at most FDPASS_MOST, which stay open here.
 * flags as of sendmsg(), whose result this is; a signal does not interrupt it.
 */
ssize_t fdpass_send(int fd, const void *p, size_t len, const int *fds, int count, int flags);

/* What came with a message: the caller's to close. */
struct fdpass {
	int fds[FDPASS_MOST];
	int count;
	bool cut;       /* some did not come: there was no room for them in this process */
	bool truncated; /* so was the message */
};

/* Receives one message, without waiting: the result of recvmsg(). Descriptors are close-on-exec. */
ssize_t fdpass_receive(int fd, void *p, size_t size, struct fdpass *got);

/* Closes those from number first on. */
void fdpass_close(const struct fdpass *got, int first);

#endif
