/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Asks a list of requests over some keep-alive connections and tells of each who answered it. Each
 * line of standard input is a request: its path, and header fields, with tabs between them. For
 * each, in their order, a line is printed: status (0: none), X-Peer of the answer ("-": it has
 * none), how many others were answered while it was under way, and the values of its Set-Cookie
 * fields, with tabs between them. A thread for each connection; or (-q) one request at a time, by
 * all connections in turn. The exit status is 0 if every request was answered.
 */
#include <pthread.h>

#include "t/tools/net.h"

enum {
	HEAD_ROOM = 16384
};

static struct {
	unsigned conns;
	unsigned patience_ms;
	bool one_each; /* a connection for each request */
	bool queue;    /* one request at a time */
	struct net_addr to;
	const char *host;
} opt = {.conns = 16, .patience_ms = 20000};

struct request {
	char *line;
	int status;
	char peer[16];
	size_t meanwhile;
	char cookies[512];
};

static struct request *requests;
static size_t requests_count, next_request, answered;

struct client {
	int fd;
	size_t len;
	char in[HEAD_ROOM];
};

static void hang_up(struct client *c)
{
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
	c->len = 0;
}

static bool call(struct client *c)
{
	const struct timeval patience = {opt.patience_ms / 1000, opt.patience_ms % 1000 * 1000};
	int on = 1;

	if (c->fd >= 0)
		return true;
	c->fd = socket(opt.to.sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->fd < 0 ||
	    setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) != 0)
		err(2, "socket");
	(void)setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (net_connect(c->fd, &opt.to) == 0)
		return true;
	hang_up(c);
	return false;
}

static bool send_request(struct client *c, const char *line)
{
	char text[HEAD_ROOM];
	size_t path = strcspn(line, "\t");
	int n = snprintf(text, sizeof(text), "GET %.*s HTTP/1.1\r\nHost: %s\r\n", (int)path, line,
			 opt.host);

	for (const char *p = line + path; *p == '\t';) {
		size_t len = strcspn(++p, "\t");

		n += snprintf(text + n, sizeof(text) - (size_t)n, "%.*s\r\n", (int)len, p);
		if (n >= (int)sizeof(text) - 3)
			errx(2, "a line is too long");
		p += len;
	}
	n += snprintf(text + n, sizeof(text) - (size_t)n, "\r\n");
	return send(c->fd, text, (size_t)n, MSG_NOSIGNAL) == n;
}

static bool more(struct client *c)
{
	ssize_t n;

	/* One that has a limit ends so when the process is stopped and goes on. */
	do {
		n = recv(c->fd, c->in + c->len, HEAD_ROOM - 1 - c->len, 0);
	} while (n < 0 && errno == EINTR);
	if (n <= 0)
		return false;
	c->len += (size_t)n;
	c->in[c->len] = '\0';
	return true;
}

static void take_fields(struct request *r, char *head, size_t *length, bool *last)
{
	char *rest, *line = strtok_r(head, "\r\n", &rest);

	*last = opt.one_each;
	*length = 0;
	if (line == NULL || sscanf(line, "HTTP/1.%*d %d", &r->status) != 1)
		return;
	while ((line = strtok_r(NULL, "\r\n", &rest)) != NULL) {
		if (strncasecmp(line, "content-length:", 15) == 0)
			*length = strtoul(line + 15, NULL, 10);
		else if (strncasecmp(line, "x-peer: ", 8) == 0)
			snprintf(r->peer, sizeof(r->peer), "%s", line + 8);
		else if (strncasecmp(line, "connection: close", 17) == 0)
			*last = true;
		else if (strncasecmp(line, "set-cookie: ", 12) == 0)
			snprintf(r->cookies + strlen(r->cookies),
				 sizeof(r->cookies) - strlen(r->cookies), "\t%s", line + 12);
	}
}

static bool read_answer(struct client *c, struct request *r)
{
	size_t length, head;
	bool last;
	char *end;

	c->in[c->len] = '\0';
	while ((end = strstr(c->in, "\r\n\r\n")) == NULL) {
		if (c->len == HEAD_ROOM - 1 || !more(c))
			return false;
	}
	head = (size_t)(end + 4 - c->in);
	*end = '\0';
	take_fields(r, c->in, &length, &last);
	if (r->status == 0 || head + length >= HEAD_ROOM)
		return false;
	while (c->len < head + length) {
		if (!more(c))
			return false;
	}
	memmove(c->in, c->in + head + length, c->len - head - length);
	c->len -= head + length;
	if (last)
		hang_up(c);
	return true;
}

/* A kept connection may have been closed: once more on a fresh one. */
static void ask(struct client *c, struct request *r)
{
	size_t before = __atomic_load_n(&answered, __ATOMIC_RELAXED);
	uint64_t start = net_now_us();

	for (int tries = 0; tries < 2 && r->status == 0; tries++) {
		if (!call(c))
			continue;
		if (!send_request(c, r->line) || !read_answer(c, r)) {
			r->status = 0;
			hang_up(c);
			if (net_now_us() - start > opt.patience_ms * (uint64_t)1000)
				break;
		}
	}
	r->meanwhile = __atomic_fetch_add(&answered, 1, __ATOMIC_RELAXED) - before;
}

static void *work(void *arg)
{
	struct client *c = arg;
	size_t k;

	while ((k = __atomic_fetch_add(&next_request, 1, __ATOMIC_RELAXED)) < requests_count)
		ask(c, &requests[k]);
	hang_up(c);
	return NULL;
}

static void read_requests(void)
{
	char *line = NULL;
	size_t room = 0, places = 0;
	ssize_t n;

	while ((n = getline(&line, &room, stdin)) > 0) {
		if (line[n - 1] == '\n')
			line[n - 1] = '\0';
		if (requests_count == places) {
			places = places * 2 + 64;
			requests = realloc(requests, places * sizeof(*requests));
		}
		if (requests == NULL)
			err(2, "memory");
		requests[requests_count++] = (struct request){.line = strdup(line), .peer = "-"};
	}
	free(line);
}

static void options(int argc, char **argv)
{
	int o;

	while ((o = (getopt)(argc, argv, "c:t:1q")) != -1) {
		if (o == 'c')
			opt.conns = (unsigned)net_number(optarg, o, 1, 1000);
		else if (o == 't')
			opt.patience_ms = (unsigned)net_number(optarg, o, 1, 1e6);
		else if (o == '1')
			opt.one_each = true;
		else if (o == 'q')
			opt.queue = true;
		else
			errx(2, "usage: ask [-1q] [-c CONNS] [-t MS] ADDR:PORT <requests");
	}
	if (argc - optind != 1)
		errx(2, "usage: ask [-1q] [-c CONNS] [-t MS] ADDR:PORT <requests");
	opt.host = argv[optind];
	opt.to = net_parse(argv[optind]);
}

static void work_in_turn(struct client *clients)
{
	for (size_t k = 0; k < requests_count; k++)
		ask(&clients[k % opt.conns], &requests[k]);
	for (unsigned k = 0; k < opt.conns; k++)
		hang_up(&clients[k]);
}

static void work_at_once(struct client *clients)
{
	pthread_t *threads = calloc(opt.conns, sizeof(*threads));

	if (threads == NULL)
		err(2, "memory");
	for (unsigned k = 0; k < opt.conns; k++) {
		if (pthread_create(&threads[k], NULL, work, &clients[k]) != 0)
			errx(2, "no thread");
	}
	for (unsigned k = 0; k < opt.conns; k++)
		pthread_join(threads[k], NULL);
	free(threads);
}

int main(int argc, char **argv)
{
	struct client *clients;
	bool all = true;

	options(argc, argv);
	read_requests();
	clients = calloc(opt.conns, sizeof(*clients));
	if (clients == NULL)
		err(2, "memory");
	for (unsigned k = 0; k < opt.conns; k++)
		clients[k].fd = -1;
	if (opt.queue)
		work_in_turn(clients);
	else
		work_at_once(clients);
	for (size_t k = 0; k < requests_count; k++) {
		const struct request *r = &requests[k];

		printf("%d\t%s\t%zu%s\n", r->status, r->peer, r->meanwhile, r->cookies);
		all = all && r->status != 0;
		free(requests[k].line);
	}
	free(requests);
	free(clients);
	return all ? 0 : 1;
}
