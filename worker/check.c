/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Active checks: see check.h. One record for each peer that is checked, with one timer: while a
 * check is under way its deadline, else the beginning of the next one. Called by prober.c.
 */
#include "worker/check.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "worker/address.h"
#include "worker/check_answer.h"
#include "worker/errlog.h"
#include "worker/health.h"

enum {
	REQUEST_MOST = CHECK_PATH_MAX + CHECK_HOST_MAX + 256,
	READS_A_TURN = 4,
	FIRST_US = 1000000 /* the first checks are spread over so long */
};

enum check_step {
	STEP_RESTS,
	STEP_CONNECTS,
	STEP_SENDS,
	STEP_READS
};

struct check {
	struct prober *p;
	const struct peer *peer;
	const struct upstream *pool;
	struct peer_row *row;
	struct prober_watch watch;
	int fd; /* owned; -1 while it rests */
	uint32_t timer;
	enum check_step step;
	struct health_check health;
	uint64_t began_us;
	uint32_t request_len, sent;
	struct check_answer answer;
	char *buffer; /* CHECK_ROOM bytes, of which only pages that were used exist */
	char request[REQUEST_MOST];
};

bool check_wanted(const struct settings *s)
{
	for (uint32_t i = 0; i < s->upstreams_count; i++)
		if (s->upstreams[i].check.on)
			return true;
	return false;
}

/* What came of it. */

static void describe(enum check_reason reason, uint64_t detail, char *out, size_t size)
{
	char name[64];

	strlcpy(name, check_reason_name(reason), sizeof name);
	for (char *s = name; *s != '\0'; s++)
		*s = *s == '_' ? ' ' : *s;

	if (reason == CHECK_FAILED_STATUS)
		snprintf(out, size, "%s %u", name, (unsigned)detail);
	else if (reason == CHECK_FAILED_RESPONSE)
		snprintf(out, size, "%s: %s", name, http_fault_name((enum http_fault)detail));
	else if (detail != 0)
		snprintf(out, size, "%s: %s", name, strerror((int)detail));
	else
		snprintf(out, size, "%s", name);
}

static void tell(const struct check *c, enum health_news news, const char *why)
{
	const char *peer = c->peer->address, *pool = c->pool->name;

	switch (news) {
	case HEALTH_SAME:
		break;
	case HEALTH_WARNS:
		errlog(ERRLOG_WARN, "peer %s of upstream \"%s\" failed a check: %s", peer, pool,
		       why);
		break;
	case HEALTH_FALLS:
		errlog(ERRLOG_ERROR,
		       "peer %s of upstream \"%s\" is down: %u checks failed in a row, the last "
		       "one: %s",
		       peer, pool, c->pool->check.fall, why);
		break;
	case HEALTH_RISES:
		errlog(ERRLOG_NOTICE,
		       "peer %s of upstream \"%s\" is up again: %u checks in a row were well", peer,
		       pool, c->pool->check.rise);
		break;
	case HEALTH_HEALS:
		errlog(ERRLOG_NOTICE, "peer %s of upstream \"%s\" passes its checks again", peer,
		       pool);
		break;
	}
}

/* The state last: what belongs to it is there when it is seen. */
static void publish(const struct check *c)
{
	const struct check_settings *s = &c->pool->check;
	uint64_t now = c->p->now_us;

	board_set(&c->row->checked_us, now);
	board_set(&c->row->check_took_us, now - c->began_us);
	board_set(&c->row->check_until_us,
		  now + health_valid_us(s->interval_us, s->timeout_us, s->fall));
	board_add(&c->row->checks, 1);
	__atomic_store_n(&c->row->check_state, (uint32_t)c->health.state, __ATOMIC_RELEASE);
}

static void rest(struct check *c)
{
	const struct check_settings *s = &c->pool->check;
	uint64_t next = c->began_us + health_interval_us(s->interval_us, arc4random());

	if (c->fd >= 0) {
		prober_unwatch(c->p, &c->watch);
		close(c->fd);
	}
	c->fd = -1;
	c->step = STEP_RESTS;
	prober_arm(c->p, c->timer, next > c->p->now_us ? next : c->p->now_us);
}

static void judge(struct check *c, bool well, const char *why)
{
	const struct check_settings *s = &c->pool->check;
	enum health_news news = health_step(&c->health, well, s->fall, s->rise);

	if (news == HEALTH_FALLS)
		board_add(&c->row->check_falls, 1);
	if (news == HEALTH_RISES)
		(void)board_shared_set(&c->row->returned_us, c->p->now_us);
	publish(c);
	tell(c, news, why);
	rest(c);
}

static void passed(struct check *c)
{
	judge(c, true, "");
}

static void failed(struct check *c, enum check_reason reason, uint64_t detail)
{
	char why[128];

	board_add(&c->row->check_failures, 1);
	board_set(&c->row->check_detail, detail);
	__atomic_store_n(&c->row->check_reason, (uint32_t)reason, __ATOMIC_RELAXED);
	describe(reason, detail, why, sizeof why);
	judge(c, false, why);
}

/* It says nothing of the peer. */
static void failed_here(struct check *c, const char *what)
{
	static struct errlog_limit limit;

	errlog_limited(&limit, ERRLOG_ERROR, "peer %s of upstream \"%s\" cannot be checked: %s: %s",
		       c->peer->address, c->pool->name, what, strerror(errno));
	rest(c);
}

/* One check. */

static void read_answer(struct check *c)
{
	enum check_reason reason = CHECK_FAILED_NONE;
	uint64_t detail = 0;

	for (int i = 0; i < READS_A_TURN; i++) {
		ssize_t n = recv(c->fd, c->buffer + c->answer.len, CHECK_ROOM - c->answer.len, 0);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n < 0) {
			failed(c, CHECK_FAILED_CLOSED, (uint64_t)errno);
			return;
		}
		c->answer.len += (uint32_t)n;
		switch (check_answer(&c->answer, c->buffer, n == 0, &c->pool->check, &reason,
				     &detail)) {
		case CHECK_MORE:
			break;
		case CHECK_WELL:
			passed(c);
			return;
		case CHECK_FAILS:
			failed(c, reason, detail);
			return;
		}
	}
}

static void send_request(struct check *c)
{
	ssize_t n = send(c->fd, c->request + c->sent, c->request_len - c->sent, MSG_NOSIGNAL);

	if (n < 0 && errno != EAGAIN && errno != EINTR) {
		failed(c, CHECK_FAILED_CLOSED, (uint64_t)errno);
		return;
	}
	if (n > 0)
		c->sent += (uint32_t)n;
	if (c->sent < c->request_len)
		return;
	c->step = STEP_READS;
	if (prober_rewatch(c->p, &c->watch, EPOLLIN) != 0)
		failed_here(c, "epoll");
}

static void connected(struct check *c)
{
	int error = 0;
	socklen_t len = sizeof error;

	if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0)
		error = errno;
	if (error != 0) {
		failed(c, CHECK_FAILED_CONNECT, (uint64_t)error);
		return;
	}
	if (c->request_len == 0) {
		passed(c);
		return;
	}
	c->step = STEP_SENDS;
	send_request(c);
}

static void ready(void *arg, uint32_t events)
{
	struct check *c = arg;

	(void)events;
	switch (c->step) {
	case STEP_RESTS:
		break;
	case STEP_CONNECTS:
		connected(c);
		break;
	case STEP_SENDS:
		send_request(c);
		break;
	case STEP_READS:
		read_answer(c);
		break;
	}
}

/* Where the peer is checked. Returns the length, 0 if nobody knows. */
static socklen_t address(const struct check *c, union peer_addr *out)
{
	in_port_t port = htons((uint16_t)c->pool->check.port);
	struct address a;

	if (!address_of(c->p->board, c->peer, false, &a))
		return 0;
	*out = a.addr;
	if (port != 0 && out->sa.sa_family == AF_INET)
		out->in.sin_port = port;
	else if (port != 0 && out->sa.sa_family == AF_INET6)
		out->in6.sin6_port = port;
	return a.len;
}

/* This machine has not what it takes. */
static bool is_ours(int error)
{
	return error == ENOMEM || error == ENOBUFS || error == EADDRNOTAVAIL || error == EMFILE ||
	       error == ENFILE;
}

static void dial(struct check *c, const union peer_addr *to, socklen_t len)
{
	c->fd = socket(to->sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (c->fd < 0) {
		failed_here(c, "socket");
		return;
	}
	if (connect(c->fd, &to->sa, len) != 0 && errno != EINPROGRESS) {
		if (is_ours(errno))
			failed_here(c, "connect");
		else
			failed(c, CHECK_FAILED_CONNECT, (uint64_t)errno);
		return;
	}
	c->step = STEP_CONNECTS;
	if (prober_watch(c->p, &c->watch, c->fd, EPOLLOUT) != 0)
		failed_here(c, "epoll");
}

static void begin(struct check *c)
{
	union peer_addr to;
	socklen_t len = address(c, &to);

	c->began_us = c->p->now_us;
	c->sent = 0;
	c->answer = (struct check_answer){0};
	if (len == 0) {
		rest(c);
		return;
	}
	prober_arm(c->p, c->timer, c->began_us + c->pool->check.timeout_us);
	dial(c, &to, len);
}

static void fire(void *arg)
{
	struct check *c = arg;

	if (c->step == STEP_RESTS)
		begin(c);
	else
		failed(c, CHECK_FAILED_TIMEOUT, 0);
}

/* The start. */

static void write_request(struct check *c)
{
	const struct check_settings *s = &c->pool->check;
	const char *host = s->host;

	if (s->path == NULL)
		return;
	if (host == NULL)
		host = strncmp(c->peer->address, "unix:", 5) == 0 ? "localhost" : c->peer->address;
	c->request_len = (uint32_t)snprintf(
	    c->request, sizeof c->request,
	    "GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: drover/" DROVER_VERSION
	    " (check)\r\nAccept: */*\r\nConnection: close\r\n\r\n",
	    s->path, host);
	if (c->request_len >= sizeof c->request)
		c->request_len = sizeof c->request - 1; /* settings forbid it */
}

/* What the prober before this one knew is gone on with. */
static void recall(struct check *c)
{
	c->health.state = CHECK_UNKNOWN;
	if (__atomic_load_n(&c->row->check_until_us, __ATOMIC_RELAXED) <= c->p->now_us)
		return;
	c->health.state = (enum check_state)__atomic_load_n(&c->row->check_state, __ATOMIC_ACQUIRE);
	c->health.row = c->health.state == CHECK_WARNED;
}

static int init(struct check *c, struct prober *p, uint32_t peer, char *buffer)
{
	const struct settings *s = p->settings;

	*c = (struct check){.p = p,
			    .peer = &s->peers[peer],
			    .pool = &s->upstreams[s->peers[peer].upstream],
			    .row = board_peer(p->board, s->peers[peer].row),
			    .fd = -1,
			    .watch = {.ready = ready, .arg = c, .fd = -1},
			    .buffer = buffer};
	c->timer = prober_timer(p, fire, c);
	if (c->timer == PROBER_TIMER_NONE)
		return -1;
	write_request(c);
	recall(c);
	prober_arm(p, c->timer, p->now_us + arc4random_uniform(FIRST_US));
	return 0;
}

static bool is_checked(const struct settings *s, uint32_t peer)
{
	return s->upstreams[s->peers[peer].upstream].check.on;
}

/* One that is not checked any more is not known to be anything. */
static void forget(const struct prober *p, uint32_t peer)
{
	struct peer_row *row = board_peer(p->board, p->settings->peers[peer].row);

	__atomic_store_n(&row->check_state, CHECK_UNKNOWN, __ATOMIC_RELAXED);
	board_set(&row->check_until_us, 0);
}

int check_start(struct prober *p)
{
	const struct settings *s = p->settings;
	uint32_t count = 0, k = 0;

	for (uint32_t i = 0; i < s->peers_count; i++)
		count += is_checked(s, i);
	struct check *all = calloc(count, sizeof *all);
	char *buffers = mmap(NULL, (size_t)count * CHECK_ROOM, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (all == NULL || buffers == MAP_FAILED)
		return -1;
	for (uint32_t i = 0; i < s->peers_count; i++) {
		if (!is_checked(s, i))
			forget(p, i);
		else if (init(&all[k], p, i, buffers + (size_t)k * CHECK_ROOM) != 0)
			return -1;
		else
			k++;
	}
	return 0;
}
