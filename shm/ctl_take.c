/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See ctl_take.h. Called by ctl_kill.c. The order matters: take the descriptor, then look at the
 * row, then act.
 */
#include "shm/ctl_take.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "shm/alive.h"

int take_open(const struct view_worker *w)
{
	int fd = (int)syscall(SYS_pidfd_open, (pid_t)w->pid, 0);

	if (fd < 0)
		return -1;
	if (alive_check(w->pid, w->heard_us) && alive_is_drover(w->pid))
		return fd;
	close(fd);
	errno = ESRCH;
	return -1;
}

/* Is the socket's peer whom the row names? Clients of unix sockets have no name. */
static bool same_peer(int fd, const struct ctl_conn *conn)
{
	struct sockaddr_storage peer = {0};
	socklen_t len = sizeof(peer);
	const struct sockaddr_in *in = (const struct sockaddr_in *)&peer;
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&peer;

	if (getpeername(fd, (struct sockaddr *)&peer, &len) != 0)
		return errno == ENOTCONN; /* it has gone: all the better */
	if (peer.ss_family == AF_INET)
		return conn->family == 4 && ntohs(in->sin_port) == conn->port &&
		       memcmp(&in->sin_addr, conn->peer + 12, 4) == 0;
	if (peer.ss_family == AF_INET6)
		return conn->family == 6 && ntohs(in6->sin6_port) == conn->port &&
		       memcmp(&in6->sin6_addr, conn->peer, 16) == 0;
	return peer.ss_family == AF_UNIX && conn->family != 4 && conn->family != 6;
}

/* What the row says now, after the descriptor was taken. */
static enum take_result check_row(struct reader *r, const struct ctl_conn *conn, uint64_t state,
				  char *why, size_t why_bytes)
{
	const struct board_table *t = reader_table(r, "conn");
	struct reader_row row = {0};
	enum take_result result = TAKE_ENDED;
	int status = reader_copy(r, t, conn->worker * t->group_rows + conn->row, &row);
	const char *text;

	if (status < 0 || status == READER_TORN) {
		snprintf(why, why_bytes, "%s",
			 status < 0 ? strerror(errno) : "its row is half written");
		result = TAKE_FAILED;
	} else {
		text = reader_row_enum(&row, "state");
		if (status == READER_LOST || strcmp(text, "free") == 0 ||
		    reader_row_u64(&row, "id") != conn->id ||
		    (int)reader_row_u64(&row, "fd") != conn->fd)
			result = TAKE_GONE;
		else if (state != 0 && reader_row_u64(&row, "state") != state)
			result = TAKE_CHANGED;
	}
	reader_row_free(&row);
	return result;
}

enum take_result take_end(struct reader *r, int pid_fd, const struct ctl_conn *conn, uint64_t state,
			  char *why, size_t why_bytes)
{
	int fd = conn->fd < 0 ? -1 : (int)syscall(SYS_pidfd_getfd, pid_fd, conn->fd, 0);
	enum take_result result;

	if (fd < 0) {
		if (conn->fd < 0 || errno == EBADF || errno == ESRCH)
			return TAKE_GONE;
		snprintf(why, why_bytes,
			 "its worker does not answer, and its descriptor cannot be taken: %s%s",
			 strerror(errno),
			 errno == EPERM ? " (that needs root with CAP_SYS_PTRACE)" : "");
		return TAKE_FAILED;
	}
	result = check_row(r, conn, state, why, why_bytes);
	if (result == TAKE_ENDED && !same_peer(fd, conn))
		result = TAKE_GONE;
	if (result == TAKE_ENDED && shutdown(fd, SHUT_RDWR) != 0 && errno != ENOTCONN) {
		snprintf(why, why_bytes, "shutdown: %s", strerror(errno));
		result = TAKE_FAILED;
	}
	close(fd);
	return result;
}
