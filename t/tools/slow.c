/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A client that misbehaves slowly, for tests of deadlines: heads that never end, requests byte by
 * byte, connections that say nothing, readers that hardly read. It prints how each connection
 * ended, and how old the first and the last one were then. It ends when all connections have, when
 * all that are open were answered (-e), or when its time is over, which begins when all are made;
 * what is still open then is counted as such.
 */
#include <sys/epoll.h>

#include "t/tools/net.h"

enum fate {
	FATE_NONE,
	FATE_OPEN,
	FATE_FAILED,
	FATE_CLOSED,
	FATE_RESET
};

struct slow {
	int fd; /* -1 once it has a fate */
	bool connected;
	enum fate fate;
	uint64_t born_us, next_us;
	size_t sent;
	int status; /* of its first answer; 0 if there was none */
	char line[12];
	size_t line_len;
};

static struct {
	unsigned conns;
	double interval_ms, duration_s;
	size_t bytes; /* that a slow reader reads in an interval */
	bool silent, reader, till_answered;
	const char *text, *path, *ready_file;
	struct net_addr to;
} opt = {.conns = 1, .interval_ms = 1000, .duration_s = 30, .path = "/"};

/* What a connection sends for ever when it has no text: a head that never ends. */
static const char loris_head[] = "GET / HTTP/1.1\r\nHost: slow\r\n";
static const char loris_field[] = "X-Slow: 1\r\n";

static struct {
	struct slow *all;
	unsigned pending, alive, answered;
	int epoll;
	uint64_t now_us, start_us;
	uint64_t bytes_in, bytes_out, first_us, last_us;
	unsigned status[600];
} run;

static void end(struct slow *s, enum fate fate)
{
	uint64_t age = run.now_us - s->born_us;

	close(s->fd);
	s->fd = -1;
	s->fate = fate;
	run.alive--;
	run.answered -= s->status != 0; /* of those alive */
	if (!s->connected)
		run.pending--;
	if (fate == FATE_FAILED)
		return;
	if (run.first_us == 0 || age < run.first_us)
		run.first_us = age;
	if (age > run.last_us)
		run.last_us = age;
}

static void end_by_error(struct slow *s, int error)
{
	static unsigned complaints;

	if (!s->connected)
		end(s, FATE_FAILED);
	else
		end(s, FATE_RESET);
	if (error != ECONNRESET && error != EPIPE && complaints++ < 5)
		warnx("connection %u: %s", (unsigned)(s - run.all), strerror(error));
}

/* The next bytes that the connection sends; *len_out is 0 if it has sent all. */
static const char *next_bytes(const struct slow *s, size_t *len_out)
{
	size_t head = sizeof(loris_head) - 1;

	*len_out = 0;
	if (opt.silent)
		return NULL;
	if (opt.text != NULL) {
		*len_out = strlen(opt.text) - s->sent;
		if (*len_out > 1 && !opt.reader)
			*len_out = 1;
		return opt.text + s->sent;
	}
	*len_out = 1;
	if (s->sent < head)
		return loris_head + s->sent;
	return loris_field + (s->sent - head) % (sizeof(loris_field) - 1);
}

static void send_some(struct slow *s)
{
	size_t len;
	const char *bytes = next_bytes(s, &len);
	ssize_t n;

	if (len == 0)
		return;
	n = send(s->fd, bytes, len, MSG_NOSIGNAL);
	if (n > 0) {
		s->sent += (size_t)n;
		run.bytes_out += (uint64_t)n;
	} else if (errno != EAGAIN && errno != EPIPE && errno != ECONNRESET) {
		/* After a reset, the event that tells of it decides the fate. */
		end_by_error(s, errno);
	}
}

static void note_status(struct slow *s, const char *data, size_t len)
{
	size_t room = sizeof(s->line) - s->line_len;

	if (s->status != 0)
		return;
	len = len < room ? len : room;
	memcpy(s->line + s->line_len, data, len);
	s->line_len += len;
	if (s->line_len < sizeof(s->line))
		return;
	if (memcmp(s->line, "HTTP/1.", 7) == 0)
		s->status = (s->line[9] - '0') * 100 + (s->line[10] - '0') * 10 + s->line[11] - '0';
	if (s->status < 100 || s->status > 599)
		s->status = 599;
	run.status[s->status]++;
	run.answered++;
}

/* Reads up to `room` bytes once. Returns whether there may be more. */
static bool read_some(struct slow *s, size_t room)
{
	static char buf[65536];
	ssize_t n = recv(s->fd, buf, room < sizeof(buf) ? room : sizeof(buf), 0);

	if (n > 0) {
		run.bytes_in += (uint64_t)n;
		note_status(s, buf, (size_t)n);
		return true;
	}
	if (n == 0)
		end(s, FATE_CLOSED);
	else if (errno != EAGAIN && errno != EINTR)
		end_by_error(s, errno);
	return false;
}

static void start(struct slow *s)
{
	struct epoll_event ev = {.events = EPOLLOUT | EPOLLRDHUP, .data.ptr = s};
	int small = 4096;

	s->fate = FATE_OPEN;
	s->born_us = net_now_us();
	s->fd = socket(opt.to.sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (s->fd < 0)
		err(2, "socket");
	if (opt.reader)
		setsockopt(s->fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	run.alive++;
	run.pending++;
	if (net_connect(s->fd, &opt.to) < 0 && errno != EINPROGRESS)
		end_by_error(s, errno);
	else if (epoll_ctl(run.epoll, EPOLL_CTL_ADD, s->fd, &ev) < 0)
		err(2, "epoll_ctl");
}

static void connected(struct slow *s)
{
	/* A slow reader reads by the clock; it is told of a reset only. */
	struct epoll_event ev = {.events = opt.reader ? 0 : EPOLLIN | EPOLLRDHUP, .data.ptr = s};

	s->connected = true;
	run.pending--;
	s->born_us = run.now_us;
	s->next_us = run.now_us + (uint64_t)(opt.interval_ms * 1000);
	if (epoll_ctl(run.epoll, EPOLL_CTL_MOD, s->fd, &ev) < 0)
		err(2, "epoll_ctl");
	send_some(s);
}

static void on_event(struct slow *s, uint32_t events)
{
	int error = 0;
	socklen_t len = sizeof(error);

	if (events & EPOLLERR) {
		getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &error, &len);
		if (error != 0) {
			end_by_error(s, error);
			return;
		}
	}
	if (!s->connected)
		connected(s);
	if (s->fd < 0 || !(events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)))
		return;
	while (read_some(s, SIZE_MAX))
		;
}

/* What connection s does once in an interval. */
static void on_interval(struct slow *s)
{
	s->next_us += (uint64_t)(opt.interval_ms * 1000);
	send_some(s);
	if (s->fd >= 0 && opt.reader && opt.bytes > 0)
		read_some(s, opt.bytes);
}

/* Does what is due, and what a standstill has left; returns milliseconds until there is more. */
static int do_due(void)
{
	uint64_t next = run.start_us + (uint64_t)(opt.duration_s * 1e6);

	run.now_us = net_now_us();
	for (unsigned i = 0; i < opt.conns; i++) {
		struct slow *s = &run.all[i];

		while (s->fd >= 0 && s->connected && run.now_us >= s->next_us)
			on_interval(s);
		if (s->fd >= 0 && s->connected && s->next_us < next)
			next = s->next_us;
	}
	return next <= run.now_us ? 0 : (int)((next - run.now_us + 999) / 1000);
}

static bool goes_on(void)
{
	uint64_t end_us = run.start_us + (uint64_t)(opt.duration_s * 1e6);

	return run.alive > 0 && run.now_us < end_us &&
	       !(opt.till_answered && run.answered == run.alive);
}

static void all_made(void)
{
	run.start_us = run.now_us;
	if (opt.ready_file != NULL)
		net_say_ready(opt.ready_file);
}

static void work(void)
{
	struct epoll_event events[256];
	bool said = false;

	while (goes_on()) {
		int n = epoll_wait(run.epoll, events, 256, do_due());

		if (n < 0 && errno != EINTR)
			err(2, "epoll_wait");
		run.now_us = net_now_us();
		for (int i = 0; i < n; i++) {
			struct slow *s = events[i].data.ptr;

			if (s->fd >= 0)
				on_event(s, events[i].events);
		}
		if (run.pending == 0 && !said)
			all_made();
		said |= run.pending == 0;
	}
	if (!opt.till_answered)
		do_due();
}

static void print_summary(void)
{
	unsigned fates[FATE_RESET + 1] = {0}, established = 0;

	for (unsigned i = 0; i < opt.conns; i++) {
		fates[run.all[i].fate]++;
		established += run.all[i].connected;
	}
	printf("connected %u\nconnect_failed %u\n", established, fates[FATE_FAILED]);
	for (unsigned i = 0; i < 600; i++)
		if (run.status[i] > 0)
			printf("status_%u %u\n", i, run.status[i]);
	printf("closed %u\nreset %u\nstill_open %u\n", fates[FATE_CLOSED], fates[FATE_RESET],
	       fates[FATE_OPEN]);
	printf("first_close_ms %llu\nlast_close_ms %llu\nbytes_in %llu\nbytes_out %llu\n"
	       "duration_ms %llu\n",
	       (unsigned long long)run.first_us / 1000, (unsigned long long)run.last_us / 1000,
	       (unsigned long long)run.bytes_in, (unsigned long long)run.bytes_out,
	       (unsigned long long)(run.now_us - run.start_us) / 1000);
}

static void usage(void)
{
	fputs("usage: slow [options] ADDR:PORT\n"
	      "  -c CONNS    connections (1)\n"
	      "  -i MS       interval (1000)\n"
	      "  -d SECONDS  give up after (30)\n"
	      "  -e          end when all that are open were answered\n"
	      "  -s TEXT     sent a byte each interval; without it, a head that never ends\n"
	      "  -a          send nothing\n"
	      "  -r          send the whole request, then read slowly\n"
	      "  -n BYTES    read by -r in each interval (0: never read)\n"
	      "  -p PATH     requested by -r (/)\n"
	      "  -w FILE     create FILE when all connections are made\n",
	      stderr);
	exit(2);
}

static void parse_options(int argc, char **argv)
{
	static char *request;
	int c;

	/* In parentheses: libbsd's overlay makes getopt a macro, and tools do not link libbsd. */
	while ((c = (getopt)(argc, argv, "c:i:d:es:arn:p:w:")) != -1) {
		switch (c) {
		case 'c':
			opt.conns = (unsigned)net_number(optarg, c, 1, 1000000);
			break;
		case 'i':
			opt.interval_ms = net_number(optarg, c, 1, 1e6);
			break;
		case 'd':
			opt.duration_s = net_number(optarg, c, 0, 1e5);
			break;
		case 'e':
			opt.till_answered = true;
			break;
		case 's':
			opt.text = optarg;
			break;
		case 'a':
			opt.silent = true;
			break;
		case 'r':
			opt.reader = true;
			break;
		case 'n':
			opt.bytes = (size_t)net_number(optarg, c, 0, 1e9);
			break;
		case 'p':
			opt.path = optarg;
			break;
		case 'w':
			opt.ready_file = optarg;
			break;
		default:
			usage();
		}
	}
	if (argc - optind != 1)
		usage();
	opt.to = net_parse(argv[optind]);
	if (opt.reader && opt.text == NULL) {
		if (asprintf(&request, "GET %s HTTP/1.1\r\nHost: slow\r\n\r\n", opt.path) < 0)
			err(2, "request");
		opt.text = request;
	}
}

int main(int argc, char **argv)
{
	parse_options(argc, argv);
	net_want_descriptors(opt.conns + 16UL);
	run.epoll = epoll_create1(EPOLL_CLOEXEC);
	run.all = calloc(opt.conns, sizeof(*run.all));
	if (run.epoll < 0 || run.all == NULL)
		err(2, "setting up");
	run.start_us = run.now_us = net_now_us();
	for (unsigned i = 0; i < opt.conns; i++)
		start(&run.all[i]);
	work();
	print_summary();
	free(run.all);
	return fflush(stdout) != 0 ? 2 : 0;
}
