/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Descriptors beside a message: see fdpass.h. Called by both ends of every channel on which some
 * travel.
 */
#include "worker/fdpass.h"

#include <errno.h>
#include <stdalign.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

ssize_t fdpass_send(int fd, const void *p, size_t len, const int *fds, int count, int flags)
{
	alignas(struct cmsghdr) char space[CMSG_SPACE(FDPASS_MOST * sizeof(int))];
	struct iovec iov = {(void *)(uintptr_t)p, len};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
	ssize_t n;

	if (count > 0) {
		size_t bytes = (size_t)count * sizeof(int);
		struct cmsghdr *c;

		memset(space, 0, CMSG_SPACE(bytes));
		m.msg_control = space;
		m.msg_controllen = CMSG_SPACE(bytes);
		c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(bytes);
		memcpy(CMSG_DATA(c), fds, bytes);
	}
	do
		n = sendmsg(fd, &m, flags | MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n;
}

ssize_t fdpass_receive(int fd, void *p, size_t size, struct fdpass *got)
{
	alignas(struct cmsghdr) char space[CMSG_SPACE(FDPASS_MOST * sizeof(int))];
	struct iovec iov = {p, size};
	struct msghdr m = {
	    .msg_iov = &iov, .msg_iovlen = 1, .msg_control = space, .msg_controllen = sizeof space};
	ssize_t n;

	do
		n = recvmsg(fd, &m, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	got->count = 0;
	got->cut = n >= 0 && (m.msg_flags & MSG_CTRUNC) != 0;
	got->truncated = n >= 0 && (m.msg_flags & MSG_TRUNC) != 0;
	for (struct cmsghdr *c = n >= 0 ? CMSG_FIRSTHDR(&m) : NULL; c != NULL;
	     c = CMSG_NXTHDR(&m, c)) {
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS) {
			got->count = (int)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
			memcpy(got->fds, CMSG_DATA(c), (size_t)got->count * sizeof(int));
		}
	}
	return n;
}

void fdpass_close(const struct fdpass *got, int first)
{
	for (; first < got->count; first++)
		close(got->fds[first]);
}
