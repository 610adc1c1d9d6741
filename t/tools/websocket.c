/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A client that holds WebSockets (RFC 6455) to a server that echoes, and checks every echo. It
 * accounts for the fate of each connection:
 *
 *   opened     handshakes that were right        refused    connects and handshakes that failed
 *   echoes     messages that came back right     wrong      frames that are not what was sent
 *   lost       connections that ended unasked    late       no answer within the time (-t)
 *   closed     that ended by their closing handshake, when the load was over
 *   max_us     the longest wait for an echo
 *
 * Exit status 0: none was refused, lost, wrong or late.
 */
#include <signal.h>
#include <sys/epoll.h>

#include "net.h"
#include "websocket.h"

enum {
	EVENTS = 256,
	SCAN_US = 5000
};

enum state {
	NONE,
	HANDSHAKE,
	RESTING, /* until the next message is due */
	WAITING, /* for its echo */
	CLOSING,
	ENDED
};

struct ws {
	int fd;
	enum state state;
	uint32_t seed;    /* of the message that was sent */
	size_t size;      /* of it */
	uint64_t due_us;  /* of the next message */
	uint64_t sent_us; /* of this one */
	char accept[WS_ACCEPT_LEN + 1];
	unsigned char *out, *in;
	size_t out_off, out_len, in_len;
};

static struct options {
	struct net_addr to;
	const char *path, *ready;
	unsigned count, interval_ms, size;
	double seconds, timeout_ms;
	bool reopen;
} options = {.path = "/ws",
	     .count = 1,
	     .interval_ms = 1000,
	     .size = 2000,
	     .seconds = 10,
	     .timeout_ms = 5000};

static struct {
	unsigned long opened, refused, echoes, wrong, lost, late, closed, max_us;
} fate;

static struct ws *all;
static int epoll_fd;
static uint64_t now_us;
static volatile sig_atomic_t told_to_end;

static void on_signal(int number)
{
	(void)number;
	told_to_end = 1;
}

static uint32_t next_random(uint32_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state;
}

static uint32_t draw(void)
{
	static uint32_t state = 2463534242u;

	return next_random(&state);
}

static size_t room(void)
{
	return (options.size > 4096 ? options.size : 4096) + 64;
}

static void finish(struct ws *w, unsigned long *count)
{
	(*count)++;
	if (w->fd >= 0)
		close(w->fd);
	w->fd = -1;
	w->state = ENDED;
	w->in_len = w->out_len = w->out_off = 0;
}

/* False: the connection is gone. */
static bool flush(struct ws *w)
{
	while (w->out_off < w->out_len) {
		ssize_t n = send(w->fd, w->out + w->out_off, w->out_len - w->out_off, MSG_NOSIGNAL);

		if (n < 0 && (errno == EAGAIN || errno == ENOTCONN))
			return true;
		if (n <= 0)
			return false;
		w->out_off += (size_t)n;
	}
	return true;
}

static void ask(struct ws *w)
{
	unsigned char raw[16];
	char key[WS_KEY_LEN + 1];

	for (size_t k = 0; k < sizeof raw; k++)
		raw[k] = (unsigned char)draw();
	ws_base64(raw, sizeof raw, key);
	ws_accept(key, w->accept);
	w->out_off = 0;
	w->out_len = (size_t)snprintf((char *)w->out, room(),
				      "GET %s HTTP/1.1\r\nHost: echo.example\r\n"
				      "Connection: Upgrade\r\nUpgrade: websocket\r\n"
				      "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\n\r\n",
				      options.path, key);
}

static void begin(struct ws *w)
{
	struct epoll_event e = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = w};
	const int on = 1;

	w->fd = socket(options.to.sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (w->fd < 0)
		err(2, "socket");
	(void)setsockopt(w->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	w->state = HANDSHAKE;
	w->sent_us = now_us;
	ask(w);
	if (net_connect(w->fd, &options.to) != 0 && errno != EINPROGRESS)
		finish(w, &fate.refused);
	else if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, w->fd, &e) != 0)
		err(2, "epoll_ctl");
}

static void rest(struct ws *w)
{
	w->state = RESTING;
	w->due_us = now_us + options.interval_ms * (uint64_t)(500 + draw() % 1000);
}

static void write_frame(struct ws *w, int opcode, const unsigned char *p, size_t len)
{
	unsigned char mask[4];
	size_t head;

	for (size_t k = 0; k < sizeof mask; k++)
		mask[k] = (unsigned char)draw();
	head = ws_head(w->out, opcode, len, mask);
	for (size_t k = 0; k < len; k++)
		w->out[head + k] = p[k] ^ mask[k % 4];
	w->out_off = 0;
	w->out_len = head + len;
	if (!flush(w))
		finish(w, &fate.lost);
}

/* Any byte of a message follows from its seed. */
static void make_message(uint32_t seed, unsigned char *p, size_t len)
{
	for (size_t k = 0; k < len; k++)
		p[k] = (unsigned char)next_random(&seed);
}

static void send_message(struct ws *w)
{
	static unsigned char *message;

	if (message == NULL && (message = malloc(room())) == NULL)
		err(2, "memory");
	w->seed = draw() | 1;
	w->size = 1 + draw() % options.size;
	make_message(w->seed, message, w->size);
	w->state = WAITING;
	w->sent_us = now_us;
	write_frame(w, WS_BINARY, message, w->size);
}

static void send_close(struct ws *w)
{
	static const unsigned char normal[2] = {1000 >> 8, 1000 & 255};

	w->state = CLOSING;
	w->sent_us = now_us;
	write_frame(w, WS_CLOSE, normal, sizeof normal);
}

static void take_handshake(struct ws *w)
{
	unsigned char *end = memmem(w->in, w->in_len, "\r\n\r\n", 4);
	size_t used;
	bool right;

	if (end == NULL)
		return;
	used = (size_t)(end - w->in) + 4;
	right = w->in_len == used && memcmp(w->in, "HTTP/1.1 101 ", 13) == 0 &&
		memmem(w->in, used, w->accept, WS_ACCEPT_LEN) != NULL;
	w->in_len = 0;
	if (!right) {
		finish(w, &fate.refused);
		return;
	}
	fate.opened++;
	rest(w);
}

static bool is_echo(const struct ws *w, const struct ws_frame *f)
{
	uint32_t seed = w->seed;
	bool same = f->opcode == WS_BINARY && f->last && !f->masked && f->len == w->size &&
		    w->in_len == f->head_len + f->len;

	for (size_t k = 0; same && k < f->len; k++)
		same = w->in[f->head_len + k] == (unsigned char)next_random(&seed);
	return same;
}

static void take_frame(struct ws *w)
{
	struct ws_frame f;

	if (!ws_parse(w->in, w->in_len, &f))
		return;
	if (f.len + f.head_len > room()) {
		finish(w, &fate.wrong);
		return;
	}
	if (w->in_len < f.head_len + f.len)
		return;
	if (w->state == CLOSING && f.opcode == WS_CLOSE) {
		finish(w, &fate.closed);
	} else if (w->state != WAITING || !is_echo(w, &f)) {
		finish(w, &fate.wrong);
	} else {
		if (now_us - w->sent_us > fate.max_us)
			fate.max_us = now_us - w->sent_us;
		fate.echoes++;
		w->in_len = 0;
		rest(w);
	}
}

static void serve(struct ws *w)
{
	while (w->state != ENDED) {
		ssize_t n = recv(w->fd, w->in + w->in_len, room() - w->in_len, 0);

		if (n < 0 && (errno == EAGAIN || errno == ENOTCONN))
			break;
		if (n <= 0) {
			finish(w, w->state == HANDSHAKE ? &fate.refused : &fate.lost);
			return;
		}
		w->in_len += (size_t)n;
		if (w->state == HANDSHAKE)
			take_handshake(w);
		else
			take_frame(w);
	}
	if (w->state != ENDED && !flush(w))
		finish(w, w->state == HANDSHAKE ? &fate.refused : &fate.lost);
}

static bool is_late(const struct ws *w)
{
	return (w->state == WAITING || w->state == HANDSHAKE || w->state == CLOSING) &&
	       (double)(now_us - w->sent_us) > options.timeout_ms * 1000;
}

/* Those whose time has come. Returns how many are not at their end. */
static unsigned scan(bool ending)
{
	unsigned alive = 0;

	for (unsigned k = 0; k < options.count; k++) {
		struct ws *w = &all[k];

		if (is_late(w))
			finish(w, &fate.late);
		if (w->state == ENDED && options.reopen && !ending)
			begin(w);
		else if (w->state == RESTING && ending)
			send_close(w);
		else if (w->state == RESTING && w->due_us <= now_us)
			send_message(w);
		alive += w->state != ENDED;
	}
	return alive;
}

static void report(void)
{
	printf("opened %lu\nrefused %lu\nechoes %lu\nwrong %lu\nlost %lu\nlate %lu\nclosed %lu\n"
	       "max_us %lu\n",
	       fate.opened, fate.refused, fate.echoes, fate.wrong, fate.lost, fate.late,
	       fate.closed, fate.max_us);
}

static void run(void)
{
	uint64_t end_us = net_now_us() + (uint64_t)(options.seconds * 1e6), scan_us = 0;
	struct epoll_event events[EVENTS];
	bool said = options.ready == NULL;

	for (;;) {
		int n = epoll_wait(epoll_fd, events, EVENTS, SCAN_US / 1000);
		bool ending;

		now_us = net_now_us();
		ending = told_to_end || now_us >= end_us;
		for (int k = 0; k < n; k++)
			serve(events[k].data.ptr);
		if (!said && fate.opened >= options.count) {
			net_say_ready(options.ready);
			said = true;
		}
		if (now_us < scan_us)
			continue;
		scan_us = now_us + SCAN_US;
		if (scan(ending) == 0 && (ending || !options.reopen))
			return;
	}
}

static void read_options(int argc, char **argv)
{
	int o;

	/* In parentheses: libbsd's overlay makes getopt a macro, and tools do not link libbsd. */
	while ((o = (getopt)(argc, argv, "c:d:i:s:t:p:w:k")) != -1) {
		switch (o) {
		case 'c':
			options.count = (unsigned)net_number(optarg, o, 1, 100000);
			break;
		case 'd':
			options.seconds = net_number(optarg, o, 0, 86400);
			break;
		case 'i':
			options.interval_ms = (unsigned)net_number(optarg, o, 1, 1000000);
			break;
		case 's':
			options.size = (unsigned)net_number(optarg, o, 1, 200000);
			break;
		case 't':
			options.timeout_ms = net_number(optarg, o, 1, 1e6);
			break;
		case 'p':
			options.path = optarg;
			break;
		case 'w':
			options.ready = optarg;
			break;
		case 'k':
			options.reopen = true;
			break;
		default:
			optind = argc;
		}
	}
	if (optind + 1 != argc)
		errx(2, "usage: websocket [-c CONNS] [-d SECONDS] [-i INTERVAL_MS] [-s BYTES] "
			"[-t TIMEOUT_MS] [-p PATH] [-w READY_FILE] [-k] ADDR:PORT\n"
			"  -k  connections that end are opened again");
	options.to = net_parse(argv[optind]);
}

int main(int argc, char **argv)
{
	read_options(argc, argv);
	(void)signal(SIGTERM, on_signal);
	(void)signal(SIGINT, on_signal);
	net_want_descriptors(options.count + 64);
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	all = calloc(options.count, sizeof *all);
	if (epoll_fd < 0 || all == NULL)
		err(2, "memory");
	now_us = net_now_us();
	for (unsigned k = 0; k < options.count; k++) {
		all[k].in = malloc(room());
		all[k].out = malloc(room() + WS_HEAD_MAX);
		if (all[k].in == NULL || all[k].out == NULL)
			err(2, "memory");
		begin(&all[k]);
	}
	run();
	report();
	return fate.refused + fate.lost + fate.wrong + fate.late != 0;
}
