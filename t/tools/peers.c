/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Fast peers for tests of the proxy that keep accounts: `peers COUNT` listens on so many free ports
 * and prints "listening K ADDRESS" for each. One thread, epoll, level-triggered. Requests are
 * answered with the peer's number in the body and in X-Peer, after the peer's delay; bodies are
 * read and thrown away. What a path means:
 *   /for/MS        this one answer takes so long
 *   /cookie        with a Set-Cookie of the peer's own
 * and, asked for directly at any of the ports and not counted:
 *   /~counts       a line for each peer: number, requests begun, in hand, most in hand at a time,
 *                  requests whose client went away before the answer
 *   /~reset        begins to count anew
 *   /~delay/K/MS   of all answers of peer K
 */
#include <signal.h>
#include <sys/epoll.h>

#include "t/tools/net.h"

enum {
	PEERS_MOST = 128,
	CONNS_MOST = 8192,
	ROOM = 16384,
	LISTEN_TAG = CONNS_MOST
};

struct peer {
	int fd;
	uint64_t delay_us, requests, in_hand, most, gone;
};

struct conn {
	int fd; /* -1: free */
	unsigned peer;
	bool busy; /* a request is in hand until due_us */
	uint64_t due_us;
	size_t body; /* bytes of a body still to be thrown away */
	bool cookie;
	size_t len;
	char in[ROOM];
};

static struct peer peers[PEERS_MOST];
static unsigned peers_count;
static struct conn conns[CONNS_MOST];
static unsigned conns_high;
static int epoll_fd;
static uint64_t now_us;

static void say(const struct conn *c, const char *fields, const char *body)
{
	char text[PEERS_MOST * 64 + 512];
	int n = snprintf(text, sizeof(text), "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n%s\r\n%s",
			 strlen(body), fields, body);

	/* Small enough for any socket's buffer. */
	if (write(c->fd, text, (size_t)n) != n)
		shutdown(c->fd, SHUT_RDWR);
}

static void end(struct conn *c)
{
	if (c->busy) {
		peers[c->peer].in_hand--;
		peers[c->peer].gone++;
	}
	close(c->fd);
	c->fd = -1;
	c->busy = false;
}

static void answer(struct conn *c)
{
	char fields[80], body[32];

	snprintf(fields, sizeof(fields), "X-Peer: %u\r\n%s", c->peer,
		 c->cookie ? "Set-Cookie: own=1; Path=/\r\n" : "");
	snprintf(body, sizeof(body), "%u\n", c->peer);
	c->busy = false;
	peers[c->peer].in_hand--;
	say(c, fields, body);
}

static void begin(struct conn *c, const char *path)
{
	struct peer *p = &peers[c->peer];
	unsigned ms;

	p->requests++;
	if (++p->in_hand > p->most)
		p->most = p->in_hand;
	c->busy = true;
	c->cookie = strncmp(path, "/cookie ", 8) == 0;
	c->due_us = now_us +
		    (sscanf(path, "/for/%u", &ms) == 1 ? ms * (uint64_t)1000 : p->delay_us);
	if (c->due_us == now_us)
		answer(c);
}

static void control(struct conn *c, const char *path)
{
	char body[PEERS_MOST * 64] = "";
	unsigned k, ms;
	size_t n = 0;

	if (sscanf(path, "/~delay/%u/%u", &k, &ms) == 2 && k < peers_count)
		peers[k].delay_us = ms * (uint64_t)1000;
	for (k = 0; k < peers_count; k++) {
		struct peer *p = &peers[k];

		if (strncmp(path, "/~reset", 7) == 0) {
			p->requests = p->gone = 0;
			p->most = p->in_hand;
		}
		n += (size_t)snprintf(body + n, sizeof(body) - n, "%u %ju %ju %ju %ju\n", k,
				      (uintmax_t)p->requests, (uintmax_t)p->in_hand,
				      (uintmax_t)p->most, (uintmax_t)p->gone);
	}
	say(c, "", body);
}

/* Serves what has come, as far as it is whole. */
static void serve(struct conn *c)
{
	while (!c->busy && c->len > 0) {
		size_t skip = c->body < c->len ? c->body : c->len;
		char *head_end, *path, *length;

		memmove(c->in, c->in + skip, c->len - skip);
		c->len -= skip;
		c->body -= skip;
		if (c->len == 0)
			return;
		c->in[c->len] = '\0';
		head_end = strstr(c->in, "\r\n\r\n");
		path = strchr(c->in, ' ');
		if (head_end == NULL || path == NULL)
			return;
		*head_end = '\0';
		length = strcasestr(c->in, "\r\nContent-Length:");
		if (length != NULL)
			c->body = strtoul(length + 17, NULL, 10);
		if (path[1] == '/' && path[2] == '~')
			control(c, path + 1);
		else
			begin(c, path + 1);
		skip = (size_t)(head_end + 4 - c->in);
		memmove(c->in, c->in + skip, c->len - skip);
		c->len -= skip;
	}
}

static void readable(struct conn *c)
{
	ssize_t n = read(c->fd, c->in + c->len, ROOM - 1 - c->len);

	if (n == 0 || (n < 0 && errno != EAGAIN)) {
		end(c);
		return;
	}
	if (n > 0)
		c->len += (size_t)n;
	serve(c);
}

static void come(unsigned k)
{
	int fd = accept4(peers[k].fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct epoll_event e = {.events = EPOLLIN | EPOLLRDHUP};
	unsigned i = 0;
	int on = 1;

	if (fd < 0)
		return;
	while (i < conns_high && conns[i].fd >= 0)
		i++;
	if (i == CONNS_MOST) {
		close(fd);
		return;
	}
	if (i == conns_high)
		conns_high++;
	conns[i].fd = fd;
	conns[i].peer = k;
	conns[i].busy = false;
	conns[i].body = conns[i].len = 0;
	e.data.u32 = i;
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &e) != 0)
		err(2, "epoll");
}

/* Answers what is due; returns the milliseconds to the next one, -1: there is none. */
static int answer_due(void)
{
	uint64_t next = UINT64_MAX;

	for (unsigned i = 0; i < conns_high; i++) {
		struct conn *c = &conns[i];

		if (c->fd < 0 || !c->busy)
			continue;
		if (c->due_us <= now_us) {
			answer(c);
			serve(c);
		}
		if (c->busy && c->due_us < next)
			next = c->due_us;
	}
	return next == UINT64_MAX ? -1 : next > now_us ? (int)((next - now_us + 999) / 1000) : 0;
}

static void listen_all(void)
{
	for (unsigned k = 0; k < peers_count; k++) {
		struct sockaddr_in sin = {.sin_family = AF_INET,
					  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
		socklen_t len = sizeof(sin);
		struct epoll_event e = {.events = EPOLLIN, .data.u32 = LISTEN_TAG + k};
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

		if (fd < 0 || bind(fd, (struct sockaddr *)&sin, len) != 0 ||
		    listen(fd, 1024) != 0 || getsockname(fd, (struct sockaddr *)&sin, &len) != 0 ||
		    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &e) != 0)
			err(2, "listen");
		peers[k].fd = fd;
		printf("listening %u 127.0.0.1:%u\n", k, ntohs(sin.sin_port));
	}
	fflush(stdout);
}

int main(int argc, char **argv)
{
	int wait_ms = -1;

	if (argc != 2)
		errx(2, "usage: peers COUNT");
	(void)signal(SIGPIPE, SIG_IGN);
	peers_count = (unsigned)net_number(argv[1], 'n', 1, PEERS_MOST);
	net_want_descriptors(CONNS_MOST + PEERS_MOST);
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	listen_all();
	for (;;) {
		struct epoll_event events[256];
		int n = epoll_wait(epoll_fd, events, 256, wait_ms);

		now_us = net_now_us();
		for (int k = 0; k < n; k++) {
			uint32_t which = events[k].data.u32;

			if (which >= LISTEN_TAG)
				come(which - LISTEN_TAG);
			else if (conns[which].fd < 0)
				continue;
			else if (conns[which].busy &&
				 (events[k].events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0)
				end(&conns[which]);
			else
				readable(&conns[which]);
		}
		wait_ms = answer_due();
	}
}
