/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See orphan.h. Called by adoption.c, which decides.
 */
#include "worker/orphan.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "worker/fdpass.h"

static volatile sig_atomic_t told_to_end;

int orphan_accept(int listen_fd, uid_t master)
{
	const struct timeval most = {.tv_usec = 500000};
	struct ucred peer;
	socklen_t len = sizeof peer;
	int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);

	if (fd < 0)
		return -1;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 &&
	    (peer.uid == 0 || peer.uid == master) &&
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &most, sizeof most) == 0)
		return fd;
	close(fd);
	return -1;
}

static int send_one(int fd, const void *p, size_t len, int passed)
{
	return fdpass_send(fd, p, len, &passed, passed >= 0, 0) == (ssize_t)len ? 0 : -1;
}

int orphan_introduce(int fd, const struct worker_env *env, const struct orphan_hello *hello)
{
	if (send_one(fd, hello, sizeof *hello, -1) != 0)
		return -1;
	for (uint32_t k = 0; k < hello->sockets; k++) {
		const struct listener *l = &env->settings->listeners[env->listen_ids[k]];
		struct orphan_socket s = {.msg = {.kind = CONTROL_SOCKET,
						  .generation = env->generation,
						  .slot = env->slot},
					  .addr_len = l->addr_len,
					  .reuseport = l->reuseport,
					  .backlog = (uint32_t)l->backlog};

		memcpy(&s.addr, &l->addr, l->addr_len);
		if (send_one(fd, &s, sizeof s, env->listen_fds[k]) != 0)
			return -1;
	}
	return fcntl(fd, F_SETFL, O_NONBLOCK);
}

static void note(int signal)
{
	(void)signal;
	told_to_end = 1;
}

void orphan_heed_term(bool on)
{
	struct sigaction a = {.sa_handler = on ? note : SIG_IGN};

	told_to_end = 0;
	(void)sigaction(SIGTERM, &a, NULL);
}

bool orphan_was_told_to_end(void)
{
	return told_to_end != 0;
}
