/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A peer for the proxy that carries thousands of connections: WebSockets, which it echoes, and
 * short requests.
 *
 *   wspeer ADDR:PORT        port 0: any; it prints "listening ADDR:PORT"
 *
 * GET /count answers what it has seen: "connections N requests N websockets N open N". A request
 * with Upgrade: websocket is answered 101. Any other is answered by 1 KiB.
 */
#include <arpa/inet.h>
#include <signal.h>
#include <strings.h>
#include <sys/epoll.h>

#include "net.h"
#include "websocket.h"

enum {
	HEAD_MAX = 16 * 1024,
	ROOM = 256 * 1024, /* of a message, and of what a slow reader leaves */
	EVENTS = 256
};

struct bytes {
	unsigned char *p;
	size_t len, room;
};

struct peer {
	int fd;
	bool websocket;
	bool over; /* nothing more is read */
	struct bytes in, out;
};

static struct {
	unsigned long connections, requests, websockets, open;
} seen;

static int epoll_fd;

static void append(struct bytes *b, const void *p, size_t len)
{
	if (b->len + len > b->room) {
		b->room = (b->len + len) * 2;
		b->p = realloc(b->p, b->room);
		if (b->p == NULL)
			err(2, "memory");
	}
	memcpy(b->p + b->len, p, len);
	b->len += len;
}

static void consume(struct bytes *b, size_t len)
{
	b->len -= len;
	memmove(b->p, b->p + len, b->len);
	if (b->len > 0)
		return;
	free(b->p);
	*b = (struct bytes){0};
}

/* The value of a field of a head that ends with a NUL. */
static const char *field(const char *head, const char *name)
{
	const char *p = head;

	while ((p = strstr(p, "\r\n")) != NULL) {
		p += 2;
		if (strncasecmp(p, name, strlen(name)) == 0 && p[strlen(name)] == ':')
			return p + strlen(name) + 1 + strspn(p + strlen(name) + 1, " ");
	}
	return NULL;
}

static void answer(struct peer *c, const char *body)
{
	char head[128];
	int n = snprintf(
	    head, sizeof head,
	    "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %zu\r\n\r\n",
	    strlen(body));

	append(&c->out, head, (size_t)n);
	append(&c->out, body, strlen(body));
}

static void upgrade(struct peer *c, const char *key)
{
	char accept[WS_ACCEPT_LEN + 1], head[256];
	int n;

	ws_accept(key, accept);
	n = snprintf(head, sizeof head,
		     "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
		     "Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n",
		     accept);
	append(&c->out, head, (size_t)n);
	c->websocket = true;
	seen.websockets++;
}

static void serve_request(struct peer *c, const char *head)
{
	static char kib[1025];
	const char *key = field(head, "Sec-WebSocket-Key");
	char text[160];

	for (size_t k = 0; kib[0] == '\0' || k < sizeof kib - 1; k++)
		kib[k] = "0123456789abcdef"[k % 16];
	seen.requests++;
	if (key != NULL && strlen(key) > WS_KEY_LEN) {
		upgrade(c, key);
	} else if (strncmp(head, "GET /count ", 11) == 0) {
		snprintf(text, sizeof text,
			 "connections %lu requests %lu websockets %lu open %lu\n", seen.connections,
			 seen.requests, seen.websockets, seen.open);
		answer(c, text);
	} else {
		answer(c, kib);
	}
}

/* Returns the bytes used; 0: more are needed. */
static size_t take_request(struct peer *c)
{
	unsigned char *end = memmem(c->in.p, c->in.len, "\r\n\r\n", 4);
	size_t len;

	if (end == NULL) {
		c->over = c->in.len > HEAD_MAX;
		return 0;
	}
	len = (size_t)(end - c->in.p) + 4;
	c->in.p[len - 1] = '\0';
	serve_request(c, (const char *)c->in.p);
	return len;
}

/* A message goes back as it came, without its mask. */
static size_t take_frame(struct peer *c)
{
	unsigned char head[WS_HEAD_MAX], *data;
	struct ws_frame f;

	if (!ws_parse(c->in.p, c->in.len, &f))
		return 0;
	c->over = !f.masked || !f.last || f.len > ROOM;
	if (c->over || c->in.len < f.head_len + f.len)
		return 0;
	data = c->in.p + f.head_len;
	for (size_t k = 0; k < f.len; k++)
		data[k] ^= f.mask[k % 4];
	c->over = f.opcode == WS_CLOSE;
	append(&c->out, head, ws_head(head, f.opcode == WS_PING ? WS_PONG : f.opcode, f.len, NULL));
	append(&c->out, data, f.len);
	return f.head_len + f.len;
}

static void end(struct peer *c)
{
	close(c->fd);
	free(c->in.p);
	free(c->out.p);
	free(c);
	seen.open--;
}

/* False: the connection is over. */
static bool flush(struct peer *c)
{
	while (c->out.len > 0) {
		ssize_t n = send(c->fd, c->out.p, c->out.len, MSG_NOSIGNAL);

		if (n < 0 && errno == EAGAIN)
			return true;
		if (n <= 0)
			return false;
		consume(&c->out, (size_t)n);
	}
	return !c->over;
}

static bool serve(struct peer *c)
{
	static unsigned char buffer[65536];
	size_t used;

	while (!c->over && c->out.len < ROOM) {
		ssize_t n = recv(c->fd, buffer, sizeof buffer, 0);

		if (n < 0 && errno == EAGAIN)
			break;
		if (n <= 0)
			return false;
		append(&c->in, buffer, (size_t)n);
		while (c->in.len > 0 && !c->over &&
		       (used = c->websocket ? take_frame(c) : take_request(c)) > 0)
			consume(&c->in, used);
		if ((size_t)n < sizeof buffer)
			break;
	}
	return flush(c);
}

static void watch(int fd, void *what, uint32_t events)
{
	struct epoll_event e = {.events = events, .data.ptr = what};

	if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &e) != 0)
		err(2, "epoll_ctl");
}

static void accept_all(int listener)
{
	int fd;

	while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		struct peer *c = calloc(1, sizeof *c);
		const int on = 1;

		if (c == NULL)
			err(2, "memory");
		c->fd = fd;
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
		seen.connections++;
		seen.open++;
		watch(fd, c, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET);
	}
}

static int listen_at(const char *address)
{
	struct net_addr a = net_parse(address);
	struct sockaddr_in in;
	const int on = 1;
	int fd = socket(a.sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
	    bind(fd, (struct sockaddr *)&a.sa, a.len) != 0 || listen(fd, 4096) != 0)
		err(2, "%s", address);
	a.len = sizeof in;
	if (getsockname(fd, (struct sockaddr *)&in, &a.len) != 0 || in.sin_family != AF_INET)
		errx(2, "%s: not an IPv4 address", address);
	printf("listening %s:%u\n", inet_ntoa(in.sin_addr), ntohs(in.sin_port));
	fflush(stdout);
	return fd;
}

int main(int argc, char **argv)
{
	struct epoll_event events[EVENTS];
	int listener, n;

	if (argc != 2)
		errx(2, "usage: wspeer ADDR:PORT");
	(void)signal(SIGPIPE, SIG_IGN);
	net_want_descriptors(8192);
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	listener = listen_at(argv[1]);
	watch(listener, NULL, EPOLLIN);
	while ((n = epoll_wait(epoll_fd, events, EVENTS, -1)) >= 0 || errno == EINTR) {
		for (int k = 0; k < n; k++) {
			struct peer *c = events[k].data.ptr;

			if (c == NULL)
				accept_all(listener);
			else if (!serve(c))
				end(c);
		}
	}
	err(2, "epoll_wait");
}
