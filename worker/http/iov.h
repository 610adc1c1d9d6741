/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Bytes that lie in several places, on their way into a socket: to it in one call, and what it did
 * not take into one buffer. For clients (send.c) and peers (proxy_request.c).
 */
#ifndef DROVER_WORKER_HTTP_IOV_H
#define DROVER_WORKER_HTTP_IOV_H

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

/* As sendmsg() returns. Of one piece, send() does the same and costs the kernel less. */
static inline ssize_t iov_send(int fd, struct iovec *iov, size_t count, int flags)
{
	const struct msghdr m = {.msg_iov = iov, .msg_iovlen = count};
	ssize_t n;

	do
		n = count == 1 ? send(fd, iov[0].iov_base, iov[0].iov_len, flags)
			       : sendmsg(fd, &m, flags);
	while (n < 0 && errno == EINTR);
	return n;
}

static inline size_t iov_total(const struct iovec *iov, size_t count)
{
	size_t total = 0;

	for (size_t k = 0; k < count; k++)
		total += iov[k].iov_len;
	return total;
}

/* What stands behind the first done bytes; to has room for it. */
static inline void iov_copy_rest(char *to, const struct iovec *iov, size_t count, size_t done)
{
	for (size_t k = 0; k < count; k++) {
		size_t skip = done < iov[k].iov_len ? done : iov[k].iov_len;

		memcpy(to, (const char *)iov[k].iov_base + skip, iov[k].iov_len - skip);
		to += iov[k].iov_len - skip;
		done -= skip;
	}
}

#endif
