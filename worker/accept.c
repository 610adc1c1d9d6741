/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Accepting: see accept.h. When descriptors, memory or records run out, the sockets are taken out
 * of epoll (no spinning), the pause is counted and said once a minute, and accepting goes on when
 * patience is over or as soon as a connection of this worker has ended. Clients wait in the accept
 * queue meanwhile; when the pause lasts, the reserve descriptor lets one at a time be told 503.
 */
#include "worker/accept.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "worker/errlog.h"

enum {
	BATCH_MOST = 64,
	EVICT = 8,
	PAUSES_BEFORE_REFUSING = 6,
	FULL_LOOK_US = 100000
};

enum accept_class accept_classify(int error)
{
	switch (error) {
	case EAGAIN:
		return ACCEPT_NONE;
	case EMFILE:
	case ENFILE:
		return ACCEPT_NO_FDS;
	case ENOBUFS:
	case ENOMEM:
		return ACCEPT_NO_MEMORY;
	/* accept(2): errors of the connection that was to be accepted are reported here and are no
	 * errors of ours. */
	case EINTR:
	case ECONNABORTED:
	case EPERM:
	case EPROTO:
	case ENETDOWN:
	case ENOPROTOOPT:
	case EHOSTDOWN:
	case ENONET:
	case EHOSTUNREACH:
	case EOPNOTSUPP:
	case ENETUNREACH:
	case ETIMEDOUT:
	case ECONNRESET:
		return ACCEPT_RETRY;
	default:
		return ACCEPT_BROKEN;
	}
}

uint64_t accept_patience_us(unsigned pauses)
{
	const uint64_t least = 10000, most = 1000000;

	return pauses >= 7 ? most : least << pauses < most ? least << pauses : most;
}

static int open_reserve(void)
{
	return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void unwatch(struct acceptor *a)
{
	for (uint32_t k = 0; k < a->env->listen_count && a->watching; k++)
		(void)epoll_ctl(a->epoll_fd, EPOLL_CTL_DEL, a->env->listen_fds[k], NULL);
	a->watching = false;
}

/* All of them or none: one that is watched while accepting pauses would be told of without end. */
static int watch(struct acceptor *a)
{
	a->watching = true;
	for (uint32_t k = 0; k < a->env->listen_count; k++) {
		struct epoll_event e = {.events = EPOLLIN | EPOLLEXCLUSIVE, .data.u64 = a->tag | k};

		if (epoll_ctl(a->epoll_fd, EPOLL_CTL_ADD, a->env->listen_fds[k], &e) != 0 &&
		    errno != EEXIST) {
			int saved = errno;

			unwatch(a);
			errno = saved;
			return -1;
		}
	}
	return 0;
}

void acceptor_init_stopped(struct acceptor *a, struct conns *cs, const struct worker_env *env,
			   int epoll_fd, uint64_t tag)
{
	*a = (struct acceptor){.cs = cs,
			       .env = env,
			       .epoll_fd = epoll_fd,
			       .tag = tag,
			       .reserve_fd = open_reserve(),
			       .stopped = true,
			       .batch = 1};
}

int acceptor_init(struct acceptor *a, struct conns *cs, const struct worker_env *env, int epoll_fd,
		  uint64_t tag)
{
	acceptor_init_stopped(a, cs, env, epoll_fd, tag);
	a->stopped = false;
	return watch(a);
}

void acceptor_free(struct acceptor *a)
{
	if (a->reserve_fd >= 0)
		close(a->reserve_fd);
	a->reserve_fd = -1;
}

static void pause_accepting(struct acceptor *a, const char *what, uint64_t *counter)
{
	static struct errlog_limit limit;
	uint64_t patience = accept_patience_us(a->pauses);

	board_add(counter, 1);
	board_add(&a->cs->row->accept_pauses, 1);
	unwatch(a);
	a->pauses++;
	a->resume_us = a->cs->clock->now_us + patience;
	errlog_limited(
	    &limit, ERRLOG_WARN,
	    "accepting pauses: %s (%llu of %u connections, %llu of %llu descriptors in use)", what,
	    (unsigned long long)a->cs->row->conns, a->cs->max, (unsigned long long)a->cs->row->fds,
	    (unsigned long long)a->cs->row->fds_max);
}

static int accept_from(const struct acceptor *a, uint32_t k, struct sockaddr_storage *peer)
{
	socklen_t len = sizeof *peer;

	peer->ss_family = AF_UNSPEC;
	return accept4(a->env->listen_fds[k], (struct sockaddr *)peer, &len,
		       SOCK_NONBLOCK | SOCK_CLOEXEC);
}

static void send_refusal(int fd)
{
	static const char text[] =
	    "HTTP/1.1 503 Service Unavailable\r\nServer: drover\r\nRetry-After: 1\r\n"
	    "Content-Length: 0\r\nConnection: close\r\n\r\n";
	char discard[4096];

	(void)send(fd, text, sizeof text - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
	(void)shutdown(fd, SHUT_WR);
	/* What the client has sent so far must not turn the answer into a reset. */
	(void)recv(fd, discard, sizeof discard, MSG_DONTWAIT);
}

/* The only descriptor left is the reserve: with it one client is answered instead of left waiting
 * for ever. */
static void turn_one_away(struct acceptor *a, uint32_t k)
{
	struct sockaddr_storage peer;
	int fd;

	/* It may have been lost the last time, to whoever was quicker. */
	if (a->reserve_fd < 0)
		a->reserve_fd = open_reserve();
	if (a->reserve_fd < 0)
		return;
	close(a->reserve_fd);
	fd = accept_from(a, k, &peer);
	if (fd >= 0) {
		send_refusal(fd);
		close(fd);
		board_add(&a->cs->row->accept_turned_away, 1);
	}
	a->reserve_fd = open_reserve();
}

static void out_of_descriptors(struct acceptor *a, uint32_t k, int error)
{
	(void)conns_evict_idle(a->cs, EVICT);
	if (a->pauses >= PAUSES_BEFORE_REFUSING)
		turn_one_away(a, k);
	pause_accepting(a, strerror(error), &a->cs->row->accept_no_fds);
}

static uint32_t open_record(struct acceptor *a, uint32_t k, int fd,
			    const struct sockaddr_storage *peer)
{
	const struct conn_origin origin = {
	    .listener = a->env->listen_ids[k], .fd = fd, .peer = peer};
	enum close_reason reason;
	uint32_t i = conn_open(a->cs, &origin, &reason);

	if (i == CONN_NONE) {
		board_add(reason == CLOSE_ADDRESS_LIMIT ? &a->cs->row->close_address_limit
							: &a->cs->row->close_no_room,
			  1);
		send_refusal(fd);
		close(fd);
	}
	return i;
}

uint32_t acceptor_take(struct acceptor *a, uint32_t k)
{
	static struct errlog_limit limit;
	struct sockaddr_storage peer;

	/* Bounded, so that a socket in a bad state cannot hold the loop: what is left is reported
	 * again. */
	if (a->given_up)
		return CONN_NONE;
	for (int tries = 0; tries < BATCH_MOST && (a->watching || a->stopped); tries++) {
		int fd;
		uint32_t i;

		if (!conns_have_room(a->cs)) {
			if (conns_evict_idle(a->cs, EVICT) == 0 || a->pauses == 0)
				pause_accepting(a, "worker_connections reached",
						&a->cs->row->accept_no_records);
			return CONN_NONE;
		}
		fd = accept_from(a, k, &peer);
		if (fd >= 0) {
			a->pauses = 0;
			i = open_record(a, k, fd, &peer);
			if (i != CONN_NONE)
				return i;
			continue;
		}
		switch (accept_classify(errno)) {
		case ACCEPT_NONE:
			return CONN_NONE;
		case ACCEPT_RETRY:
			board_add(&a->cs->row->accept_retries, 1);
			continue;
		case ACCEPT_NO_FDS:
			out_of_descriptors(a, k, errno);
			return CONN_NONE;
		case ACCEPT_NO_MEMORY:
			pause_accepting(a, strerror(errno), &a->cs->row->accept_no_memory);
			return CONN_NONE;
		case ACCEPT_BROKEN:
			errlog_limited(&limit, ERRLOG_ERROR, "accept: %s", strerror(errno));
			pause_accepting(a, strerror(errno), &a->cs->row->accept_retries);
			return CONN_NONE;
		}
	}
	return CONN_NONE;
}

uint32_t acceptor_batch(const struct acceptor *a)
{
	return a->batch;
}

/* A full batch says that more are waiting; an unfilled one has cost a call in vain. */
void acceptor_learn(struct acceptor *a, uint32_t taken)
{
	if (taken >= a->batch)
		a->batch = a->batch * 2 < BATCH_MOST ? a->batch * 2 : BATCH_MOST;
	else
		a->batch = taken > 1 ? taken : 1;
}

static bool is_full(struct acceptor *a)
{
	return !conns_have_room(a->cs) && !conns_may_evict(a->cs);
}

static bool somebody_waits(const struct acceptor *a)
{
	for (uint32_t k = 0; k < a->env->listen_count; k++) {
		struct pollfd p = {.fd = a->env->listen_fds[k], .events = POLLIN};

		if (poll(&p, 1, 0) > 0)
			return true;
	}
	return false;
}

static void resume(struct acceptor *a)
{
	a->resume_us = 0;
	if (watch(a) != 0)
		pause_accepting(a, strerror(errno), &a->cs->row->accept_no_memory);
}

/* Of the workers that watch a socket the kernel wakes one for each client (EPOLLEXCLUSIVE). One
 * that has no room and is woken leaves the client waiting, and would be woken for it again and
 * again, while others have room: so it does not watch until it has some. */
void acceptor_turn(struct acceptor *a)
{
	bool due = a->resume_us <= a->cs->clock->now_us || a->cs->freed;

	if (a->stopped || (!a->watching && !due))
		return;
	if (!is_full(a)) {
		if (!a->watching)
			resume(a);
	} else if (!a->watching && somebody_waits(a)) {
		pause_accepting(a, "worker_connections reached", &a->cs->row->accept_no_records);
	} else {
		unwatch(a);
		a->resume_us = a->cs->clock->now_us + FULL_LOOK_US;
	}
}

uint64_t acceptor_wait_us(const struct acceptor *a, uint64_t most)
{
	uint64_t now = a->cs->clock->now_us;

	if (a->stopped || a->resume_us == 0)
		return most;
	if (a->resume_us <= now)
		return 0;
	return a->resume_us - now < most ? a->resume_us - now : most;
}

void acceptor_stop(struct acceptor *a)
{
	unwatch(a);
	a->stopped = true;
	a->resume_us = 0;
}

void acceptor_give_up(struct acceptor *a)
{
	a->given_up = true;
	if (a->reserve_fd < 0)
		a->reserve_fd = open_reserve();
	for (uint32_t k = 0; k < a->env->listen_count && a->reserve_fd >= 0; k++)
		(void)dup3(a->reserve_fd, a->env->listen_fds[k], O_CLOEXEC);
}
