/* SPDX-License-Identifier: BSD-2-Clause */
/* See fds.h. */
#include "t/unit/fds.h"

#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>

unsigned fds_count(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned n = 0;

	ck_assert_ptr_nonnull(d);
	while (readdir(d) != NULL)
		n++;
	closedir(d);
	return n;
}

bool fds_is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

int fds_pair(int *far_end)
{
	int pair[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair),
			 0);
	*far_end = pair[0];
	return pair[1];
}

void fds_talk(int fd, int peer)
{
	char c = 0;

	ck_assert_int_eq(send(peer, "x", 1, MSG_NOSIGNAL), 1);
	ck_assert_int_eq(recv(fd, &c, 1, MSG_DONTWAIT), 1);
	ck_assert_int_eq(c, 'x');
}

char fds_seen_by(int end)
{
	char c;
	ssize_t n = recv(end, &c, 1, MSG_DONTWAIT);

	return n < 0 && errno == EAGAIN ? 'o' : 'e';
}
