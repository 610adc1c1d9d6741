/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See child_tell.h. Called by child.c, stop.c and reopen.c.
 */
#include "master/child_tell.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "master/child.h"
#include "worker/errlog.h"
#include "worker/fdpass.h"
#include "worker/worker.h"

int child_tell_fds(const struct child *c, uint32_t kind, uint64_t first, const int *fds, unsigned n)
{
	struct control_msg msg = {
	    .kind = kind, .generation = c->gen->number, .slot = c->slot, .arg_us = first};

	if (n > CHILD_FDS) {
		errno = EINVAL;
		return -1;
	}
	return fdpass_send(c->control_fd, &msg, sizeof(msg), fds, (int)n, MSG_DONTWAIT) < 0 ? -1
											    : 0;
}

int child_tell(const struct child *c, uint32_t kind, uint32_t flags, uint64_t arg_us)
{
	struct control_msg msg = {kind, flags, c->gen->number, c->slot, arg_us};

	return send(c->control_fd, &msg, sizeof(msg), MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? -1 : 0;
}

void child_tell_order(const struct child *c, uint32_t kind, uint32_t flags, uint64_t arg_us,
		      const char *what)
{
	if (child_tell(c, kind, flags, arg_us))
		errlog(ERRLOG_WARN, "worker %u (pid %ld) could not be told to %s: %s", c->slot,
		       (long)c->pid, what, strerror(errno));
}

int child_tell_introduce(const struct child *c, const struct child *taker, uint32_t kind,
			 uint64_t arg)
{
	int ends[2], error;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends))
		return -1;
	error = child_tell_fds(taker, CONTROL_TAKE, 0, &ends[1], 1) ||
		child_tell_fds(c, kind, arg, &ends[0], 1);
	close(ends[0]);
	close(ends[1]);
	return error ? -1 : 0;
}
