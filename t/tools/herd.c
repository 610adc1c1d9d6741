/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A load client that holds thousands of keep-alive HTTP/1.1 connections at a fixed total rate and
 * accounts for the fate of each: one thread, epoll. A run has phases: every connection is made and
 * sends its first request (RAMP); then requests are due evenly over time, or as fast as each
 * connection answers (LOAD); what is in flight is waited for (DRAIN); connections may be held idle
 * (HOLD). In control mode (-C) loads are started by lines on standard input, with PAUSE between
 * them. A lost connection is counted by what it was doing and made anew. The exit status is 0 if
 * nothing failed, 1 if something did, 2 if the run was not possible. It ends by itself, whatever
 * the server does.
 */
#include <signal.h>
#include <sys/epoll.h>
#include <sys/queue.h>
#include <sys/signalfd.h>

#include "t/tools/herd_options.h"
#include "t/tools/latency.h"
#include "t/tools/net.h"
#include "t/tools/response.h"

#define RETRY_US     100000 /* patience after a connection that never had an answer */
#define CONNECTS_MAX 64     /* connects in one turn, so that answers are not left waiting */
#define HEAD_ROOM    8192
#define COMPLAINTS   5 /* failures that are described one by one */

/* Each is a line of the summary. X(name) */
#define COUNTERS(X)                                                                                \
	X(connects)                                                                                \
	X(connect_failed)                                                                          \
	X(requests)                                                                                \
	X(answered)                                                                                \
	X(status_2xx)                                                                              \
	X(status_3xx)                                                                              \
	X(status_4xx)                                                                              \
	X(status_5xx)                                                                              \
	X(answered_close) /* answered, close announced, then closed as announced: not a failure */ \
	X(closed_idle)    /* closed unannounced, no request in flight */                           \
	X(closed_in_flight) /* closed before the first byte of the answer to a request sent */     \
	X(reset)                                                                                   \
	X(late)      /* no whole answer, or no announced close, within the deadline */             \
	X(bad)       /* not HTTP as response.h wants it, not the body of -x, or unasked bytes */   \
	X(truncated) /* closed in the middle of an answer */                                       \
	X(reconnects)                                                                              \
	X(bytes_in)

struct counters {
#define X(name) uint64_t name;
	COUNTERS(X)
#undef X
};

enum slot_state {
	SLOT_DOWN,       /* no connection; one is made at since_us + patience_us */
	SLOT_SPARE,      /* no connection, and none before a request is due (-1) */
	SLOT_CONNECTING, /* deadline */
	SLOT_IDLE,
	SLOT_BUSY,    /* request sent, at least in part; deadline */
	SLOT_CLOSING, /* the close that was announced is waited for; deadline */
};

TAILQ_HEAD(slot_list, slot);

struct slot {
	TAILQ_ENTRY(slot) link;
	struct slot_list *list; /* the list it is in, by state; NULL before its first connect */
	enum slot_state state;
	int fd;            /* -1 in DOWN and SPARE */
	bool settled;      /* its first attempt came to something: RAMP waits for this */
	bool counted;      /* in herd.ready */
	bool want;         /* send a request as soon as connected */
	bool was_answered; /* this connection has had an answer */
	uint64_t since_us; /* when the state was entered */
	uint64_t sent_us;  /* when the request was sent */
	uint64_t patience_us;
	size_t sent; /* bytes of the request */
	struct response in;
};

enum phase {
	RAMP,
	PAUSE,
	LOAD,
	DRAIN,
	HOLD,
	DONE
};

static struct {
	struct counters n;
	enum phase phase;
	uint64_t now_us, start_us, load_us, load_end_us, drained_us, hold_end_us, tick_us;
	uint64_t claimed;     /* requests sent or about to be, for -n */
	uint64_t load_sent;   /* of these, in this load */
	uint64_t load_before; /* answered before this load */
	uint64_t gap_us;      /* the longest that a load stood still, from one turn to the next */
	struct slot *slots;
	unsigned started, settled, ready, complaints;
	bool ready_said;
	struct slot_list idle;    /* IDLE or SPARE; the next request goes to the first */
	struct slot_list waiting; /* CONNECTING, BUSY, CLOSING; the first has the first deadline */
	struct slot_list down;    /* DOWN; the first is the next to be made */
	char *request;
	size_t request_len;
	int epoll, signals;
	char line[64]; /* control mode: the command that is not whole yet */
	size_t line_len;
	struct latency latency;
	char buf[256 * 1024];
} herd;

static void slot_connect(struct slot *s);

static uint64_t failures(void)
{
	const struct counters *n = &herd.n;

	return n->closed_in_flight + n->reset + n->late + n->bad + n->truncated + n->connect_failed;
}

static struct slot_list *list_of(enum slot_state state)
{
	switch (state) {
	case SLOT_DOWN:
		return &herd.down;
	case SLOT_SPARE:
	case SLOT_IDLE:
		return &herd.idle;
	case SLOT_CONNECTING:
	case SLOT_BUSY:
	case SLOT_CLOSING:
		break;
	}
	return &herd.waiting;
}

static void slot_set(struct slot *s, enum slot_state state)
{
	if (s->list != NULL)
		TAILQ_REMOVE(s->list, s, link);
	s->state = state;
	s->since_us = herd.now_us;
	s->list = list_of(state);
	/* A slot without patience goes before those that have some, which keeps the list in order.
	 */
	if (state == SLOT_DOWN && s->patience_us == 0)
		TAILQ_INSERT_HEAD(s->list, s, link);
	else
		TAILQ_INSERT_TAIL(s->list, s, link);
}

static void slot_settle(struct slot *s, bool well)
{
	if (!s->settled) {
		s->settled = true;
		herd.settled++;
	}
	if (well && !s->counted) {
		s->counted = true;
		herd.ready++;
	}
	if (herd.ready == opt.conns && !herd.ready_said) {
		herd.ready_said = true;
		if (opt.ready_file != NULL)
			net_say_ready(opt.ready_file);
	}
}

static bool claim_request(void)
{
	if (opt.requests != 0 && herd.claimed >= opt.requests)
		return false;
	herd.claimed++;
	return true;
}

/* Drops the connection, if there is one, and decides when the slot gets another. */
static void slot_down(struct slot *s)
{
	bool had = s->was_answered;

	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
	s->was_answered = false;
	response_begin(&s->in, false, false);
	s->patience_us = had ? 0 : RETRY_US;
	slot_set(s, had && opt.one_each ? SLOT_SPARE : SLOT_DOWN);
}

/* A failure: counted under its name, described if it is among the first. */
static void slot_fail(struct slot *s, uint64_t *counter, const char *what)
{
	++*counter;
	if (herd.complaints++ < COMPLAINTS)
		warnx("%.3f s, connection %u: %s", (double)(herd.now_us - herd.start_us) / 1e6,
		      (unsigned)(s - herd.slots), what);
	slot_settle(s, false);
	slot_down(s);
}

/* The connection ended with an error. */
static void slot_broken(struct slot *s, int error)
{
	if (s->state == SLOT_CONNECTING)
		slot_fail(s, &herd.n.connect_failed, strerror(error));
	else if (error == EPIPE)
		slot_fail(s, s->in.seen ? &herd.n.truncated : &herd.n.closed_in_flight,
			  "closed before the whole request was sent");
	else
		slot_fail(s, &herd.n.reset,
			  s->state == SLOT_IDLE ? "reset while idle"
						: "reset with a request in flight");
}

/* The server ended its half of the connection. */
static void slot_eof(struct slot *s)
{
	if (s->state == SLOT_IDLE) {
		herd.n.closed_idle++;
		slot_down(s);
	} else if (s->state == SLOT_CLOSING) {
		herd.n.answered_close++;
		slot_down(s);
	} else if (s->in.seen) {
		slot_fail(s, &herd.n.truncated, "closed in the middle of an answer");
	} else {
		slot_fail(s, &herd.n.closed_in_flight, "closed with a request in flight");
	}
}

static void slot_send(struct slot *s)
{
	while (s->sent < herd.request_len) {
		ssize_t n = send(s->fd, herd.request + s->sent, herd.request_len - s->sent,
				 MSG_NOSIGNAL);

		if (n >= 0) {
			s->sent += (size_t)n;
		} else if (errno == EAGAIN) {
			return;
		} else if (errno != EINTR) {
			slot_broken(s, errno);
			return;
		}
	}
}

/* Sends a request that has been claimed; a SPARE slot connects first. */
static void slot_request(struct slot *s)
{
	if (s->state == SLOT_SPARE) {
		s->want = true;
		slot_connect(s);
		return;
	}
	response_begin(&s->in, strcmp(opt.method, "HEAD") == 0, opt.check_body);
	herd.n.requests++;
	s->sent = 0;
	s->sent_us = herd.now_us;
	slot_set(s, SLOT_BUSY);
	slot_send(s);
}

static void slot_connected(struct slot *s)
{
	herd.n.connects++;
	slot_set(s, SLOT_IDLE);
	if (s->want) {
		s->want = false;
		slot_request(s);
	} else {
		slot_settle(s, true);
	}
}

static int slot_socket(const struct slot *s, const struct net_addr *to)
{
	int fd = socket(to->sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	unsigned index = (unsigned)(s - herd.slots);
	int small = 4096;

	if (fd < 0)
		return -1;
	if (opt.read_rate > 0)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	if (opt.sources > 0 && to->sa.ss_family == AF_INET &&
	    net_bind_loopback(fd, 2 + index % opt.sources) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

static void slot_connect(struct slot *s)
{
	const struct net_addr *to = &opt.addrs[(unsigned)(s - herd.slots) % opt.addrs_n];
	struct epoll_event ev = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
				 .data.ptr = s};
	int error = 0;

	slot_set(s, SLOT_CONNECTING);
	s->fd = slot_socket(s, to);
	if (s->fd < 0 || (net_connect(s->fd, to) < 0 && errno != EINPROGRESS))
		error = errno;
	if (error == 0 && epoll_ctl(herd.epoll, EPOLL_CTL_ADD, s->fd, &ev) < 0)
		err(2, "epoll_ctl");
	if (error != 0) {
		s->want = false;
		slot_broken(s, error);
	}
}

static bool body_is_right(const struct slot *s)
{
	if (!opt.check_body || s->in.to_head || s->in.status != 200)
		return true;
	return s->in.body_bytes == opt.body_len && s->in.crc == opt.body_crc;
}

static void count_status(int status)
{
	uint64_t *by_class[] = {&herd.n.status_2xx, &herd.n.status_3xx, &herd.n.status_4xx,
				&herd.n.status_5xx};

	++*by_class[status / 100 - 2];
}

/* A whole answer came, and nothing after it. */
static void slot_answered(struct slot *s)
{
	herd.now_us = net_now_us();
	if (!body_is_right(s)) {
		slot_fail(s, &herd.n.bad, "another body than expected");
		return;
	}
	herd.n.answered++;
	count_status(s->in.status);
	latency_add(&herd.latency, herd.now_us - s->sent_us);
	s->was_answered = true;
	slot_settle(s, true);
	if (s->in.close || opt.one_each) {
		slot_set(s, SLOT_CLOSING);
		return;
	}
	slot_set(s, SLOT_IDLE);
	if (herd.phase == LOAD && opt.rate == 0 && herd.now_us < herd.load_end_us &&
	    claim_request())
		slot_request(s);
}

static void slot_take(struct slot *s, const char *data, size_t len)
{
	size_t used = 0;

	if (s->state != SLOT_BUSY) {
		slot_fail(s, &herd.n.bad, "bytes that nobody asked for");
		return;
	}
	switch (response_feed(&s->in, data, len, &used)) {
	case RESPONSE_MORE:
		return;
	case RESPONSE_BAD:
		slot_fail(s, &herd.n.bad, s->in.why);
		return;
	case RESPONSE_DONE:
		break;
	}
	if (used < len)
		slot_fail(s, &herd.n.bad, "bytes after the end of the answer");
	else if (s->sent < herd.request_len)
		slot_fail(s, &herd.n.bad, "answered before the request was whole");
	else
		slot_answered(s);
}

/*
 * In control mode the client shall not be what is measured: bodies that nobody looks at are dropped
 * by the kernel without a copy, and first reads are short, so that little of a body comes with the
 * head. Lowers *room to what was asked for.
 */
static ssize_t slot_recv(const struct slot *s, size_t *room)
{
	bool body = s->in.step == STEP_BODY && s->in.left > 0;

	if (!opt.control || opt.check_body || opt.read_rate > 0)
		return recv(s->fd, herd.buf, *room, 0);
	*room = body ? (s->in.left < *room ? (size_t)s->in.left : *room) : HEAD_ROOM;
	return recv(s->fd, herd.buf, *room, body ? MSG_TRUNC : 0);
}

/* Reads at most `most` bytes at a time until there are no more, or once if `once`. */
static void slot_read(struct slot *s, size_t most, bool once, bool hangup)
{
	while (s->fd >= 0) {
		size_t room = most;
		ssize_t n = slot_recv(s, &room);

		if (n > 0) {
			herd.n.bytes_in += (uint64_t)n;
			slot_take(s, herd.buf, (size_t)n);
			/* A short read emptied the socket; only an end that is known of is left. */
			if (once || ((size_t)n < room && !hangup))
				return;
		} else if (n == 0) {
			slot_eof(s);
			return;
		} else if (errno == EAGAIN) {
			return;
		} else if (errno != EINTR) {
			slot_broken(s, errno);
			return;
		}
	}
}

static void slot_event(struct slot *s, uint32_t events)
{
	bool hangup = events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR);
	int error = 0;
	socklen_t len = sizeof(error);

	if (s->fd < 0)
		return;
	if (s->state == SLOT_CONNECTING) {
		if (getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
			error = errno;
		if (error != 0) {
			s->want = false;
			slot_broken(s, error);
			return;
		}
		if (!(events & EPOLLOUT))
			return;
		slot_connected(s);
	} else if (s->state == SLOT_BUSY && s->sent < herd.request_len && (events & EPOLLOUT)) {
		slot_send(s);
	}
	/* A slow reader reads by the tick; an error is told at once. */
	if (opt.read_rate > 0 && s->state != SLOT_IDLE && !(events & EPOLLERR))
		return;
	if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
		slot_read(s, sizeof(herd.buf), false, hangup);
}

static uint64_t tick_bytes(void)
{
	uint64_t bytes = (uint64_t)(opt.read_rate / 10);

	return bytes > sizeof(herd.buf) ? sizeof(herd.buf) : bytes > 0 ? bytes : 1;
}

/* The slow reader's turn: a few bytes from every connection that expects some. */
static void read_slowly(void)
{
	struct slot *s, *next;

	if (opt.read_rate == 0 || herd.now_us < herd.tick_us)
		return;
	herd.tick_us = herd.now_us + (uint64_t)((double)tick_bytes() * 1e6 / opt.read_rate);
	for (s = TAILQ_FIRST(&herd.waiting); s != NULL; s = next) {
		next = TAILQ_NEXT(s, link);
		if (s->state != SLOT_CONNECTING)
			slot_read(s, tick_bytes(), true, false);
		/* Its edge may have passed while it was read slowly. */
		if (s->state == SLOT_IDLE)
			slot_read(s, sizeof(herd.buf), false, true);
	}
}

static void expire(void)
{
	struct slot *s;

	while ((s = TAILQ_FIRST(&herd.waiting)) != NULL &&
	       herd.now_us >= s->since_us + opt.deadline_us) {
		if (s->state == SLOT_CONNECTING) {
			s->want = false;
			slot_fail(s, &herd.n.connect_failed, "no connection within the deadline");
		} else {
			slot_fail(s, &herd.n.late,
				  s->state == SLOT_BUSY ? "no answer within the deadline"
							: "announced a close, but did not close");
		}
	}
}

/* When the next first connection is due. */
static uint64_t next_connect_us(void)
{
	if (opt.connect_rate == 0)
		return herd.start_us;
	return herd.start_us + (uint64_t)((double)herd.started * 1e6 / opt.connect_rate);
}

static void make_connections(void)
{
	struct slot *s;

	for (int i = 0; i < CONNECTS_MAX && herd.started < opt.conns; i++) {
		if (herd.phase != RAMP || herd.now_us < next_connect_us())
			break;
		s = &herd.slots[herd.started++];
		s->want = claim_request();
		slot_connect(s);
	}
	if (herd.phase >= DRAIN)
		return;
	for (int i = 0; i < CONNECTS_MAX && (s = TAILQ_FIRST(&herd.down)) != NULL; i++) {
		if (herd.now_us < s->since_us + s->patience_us)
			break;
		if (opt.one_each) {
			slot_set(s, SLOT_SPARE);
			continue;
		}
		herd.n.reconnects++;
		slot_connect(s);
	}
}

static uint64_t due_requests(void)
{
	if (opt.rate == 0)
		return UINT64_MAX;
	return (uint64_t)((double)(herd.now_us - herd.load_us) * opt.rate / 1e6);
}

static void send_due(void)
{
	uint64_t due;
	struct slot *s;

	if (herd.phase != LOAD)
		return;
	due = due_requests();
	/* A connect that fails at once puts its slot back: no more than one round of them in a
	 * turn. */
	for (unsigned i = 0; i < opt.conns && herd.load_sent < due; i++) {
		s = TAILQ_FIRST(&herd.idle);
		if (s == NULL || !claim_request())
			break;
		herd.load_sent++;
		slot_request(s);
	}
}

static void start_load(double seconds)
{
	herd.phase = LOAD;
	herd.load_us = herd.now_us;
	herd.load_end_us = herd.now_us + (uint64_t)(seconds * 1e6);
	herd.load_sent = 0;
	herd.load_before = herd.n.answered;
}

static void end_ramp(void)
{
	if (!opt.control) {
		start_load(opt.duration_s);
		return;
	}
	herd.phase = PAUSE;
	puts("ready");
	fflush(stdout);
}

static void end_drain(void)
{
	herd.drained_us = herd.now_us;
	if (opt.control) {
		herd.phase = PAUSE;
		printf("requests %llu us %llu failed %llu\n",
		       (unsigned long long)(herd.n.answered - herd.load_before),
		       (unsigned long long)(herd.now_us - herd.load_us),
		       (unsigned long long)failures());
		fflush(stdout);
		return;
	}
	herd.phase = HOLD;
	herd.hold_end_us = herd.now_us + (uint64_t)(opt.hold_s * 1e6);
}

/* Moves to the next phase when the present one has done its work. */
static void step_phase(void)
{
	if (herd.phase == RAMP && herd.settled == opt.conns)
		end_ramp();
	if (herd.phase == LOAD && (herd.now_us >= herd.load_end_us ||
				   (opt.requests != 0 && herd.claimed >= opt.requests)))
		herd.phase = DRAIN;
	if (herd.phase == DRAIN && TAILQ_EMPTY(&herd.waiting))
		end_drain();
	if (herd.phase == HOLD && herd.now_us >= herd.hold_end_us)
		herd.phase = DONE;
}

/* The first signal lets what is in flight be answered, the second ends at once. */
static void on_signal(void)
{
	struct signalfd_siginfo info;

	if (read(herd.signals, &info, sizeof(info)) < 0)
		return;
	if (herd.phase >= DRAIN) {
		herd.phase = DONE;
		return;
	}
	herd.phase = DRAIN;
	herd.drained_us = herd.now_us;
	opt.hold_s = 0;
	opt.control = false;
}

static void on_command(char *line)
{
	double ms;
	char *end = line;

	if (strcmp(line, "quit") == 0) {
		herd.phase = DONE;
		return;
	}
	ms = strncmp(line, "go ", 3) == 0 ? strtod(line + 3, &end) : 0;
	if (!(ms > 0) || *end != '\0' || herd.phase != PAUSE)
		errx(2, "command '%s': not 'go MS' or 'quit', or still busy with the last one",
		     line);
	start_load(ms / 1000);
}

static void on_stdin(void)
{
	size_t room = sizeof(herd.line) - herd.line_len;
	ssize_t n = read(STDIN_FILENO, herd.line + herd.line_len, room);
	char *lf;

	if (n <= 0) {
		if (n == 0 || errno != EAGAIN)
			herd.phase = DONE;
		return;
	}
	herd.line_len += (size_t)n;
	while ((lf = memchr(herd.line, '\n', herd.line_len)) != NULL) {
		*lf = '\0';
		on_command(herd.line);
		herd.line_len -= (size_t)(lf + 1 - herd.line);
		memmove(herd.line, lf + 1, herd.line_len);
	}
	if (herd.line_len == sizeof(herd.line))
		errx(2, "command too long");
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* When there is something to do without any event. */
static uint64_t next_wake_us(void)
{
	const struct slot *waiting = TAILQ_FIRST(&herd.waiting), *down = TAILQ_FIRST(&herd.down);
	uint64_t wake = UINT64_MAX;

	if (herd.phase == RAMP && herd.started < opt.conns)
		wake = next_connect_us();
	if (waiting != NULL)
		wake = earlier(wake, waiting->since_us + opt.deadline_us);
	if (waiting != NULL && opt.read_rate > 0)
		wake = earlier(wake, herd.tick_us);
	if (down != NULL && herd.phase < DRAIN)
		wake = earlier(wake, down->since_us + down->patience_us);
	if (herd.phase == LOAD)
		wake = earlier(wake, herd.load_end_us);
	if (herd.phase == LOAD && !TAILQ_EMPTY(&herd.idle))
		wake = earlier(wake, opt.rate == 0
					 ? herd.now_us
					 : herd.load_us + (uint64_t)((double)(herd.load_sent + 1) *
								     1e6 / opt.rate));
	if (herd.phase == HOLD)
		wake = earlier(wake, herd.hold_end_us);
	return wake;
}

static int wait_ms(void)
{
	uint64_t wake = next_wake_us(), now = herd.now_us;

	if (wake <= now)
		return 0;
	wake = (wake - now + 999) / 1000;
	return wake < 60000 ? (int)wake : 60000;
}

static void turn(void)
{
	struct epoll_event events[512];
	uint64_t before_us = herd.now_us;
	int n = epoll_wait(herd.epoll, events, 512, wait_ms());

	if (n < 0 && errno != EINTR)
		err(2, "epoll_wait");
	herd.now_us = net_now_us();
	if (herd.phase == LOAD && herd.now_us - before_us > herd.gap_us)
		herd.gap_us = herd.now_us - before_us;
	for (int i = 0; i < n; i++) {
		if (events[i].data.ptr == &herd.signals)
			on_signal();
		else if (events[i].data.ptr == herd.line)
			on_stdin();
		else
			slot_event(events[i].data.ptr, events[i].events);
	}
	herd.now_us = net_now_us();
	read_slowly();
	expire();
	make_connections();
	send_due();
	step_phase();
}

static void print_value(const char *name, uint64_t value)
{
	static bool more;

	if (opt.json)
		printf("%s\"%s\": %llu", more ? ", " : "{", name, (unsigned long long)value);
	else
		printf("%s %llu\n", name, (unsigned long long)value);
	more = true;
}

static void print_summary(uint64_t held)
{
	uint64_t ramp_us = (herd.load_us ? herd.load_us : herd.now_us) - herd.start_us;
	uint64_t due = herd.load_us && opt.rate > 0
			   ? (uint64_t)((double)(earlier(herd.drained_us, herd.load_end_us) -
						 herd.load_us) *
					opt.rate / 1e6)
			   : 0;

#define X(name) print_value(#name, herd.n.name);
	COUNTERS(X)
#undef X
	print_value("failed", failures());
	print_value("held", held);
	print_value("behind", opt.requests == 0 && due > herd.load_sent ? due - herd.load_sent : 0);
	print_value("p50_us", latency_quantile(&herd.latency, 0.5));
	print_value("p90_us", latency_quantile(&herd.latency, 0.9));
	print_value("p99_us", latency_quantile(&herd.latency, 0.99));
	print_value("p999_us", latency_quantile(&herd.latency, 0.999));
	print_value("max_us", herd.latency.max_us);
	print_value("gap_us", herd.gap_us);
	print_value("ramp_us", ramp_us);
	print_value("duration_us", herd.load_us ? herd.drained_us - herd.load_us : 0);
	if (opt.json)
		puts("}");
}

static void watch(int fd, void *mark)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.ptr = mark};

	if (epoll_ctl(herd.epoll, EPOLL_CTL_ADD, fd, &ev) < 0)
		err(2, "epoll_ctl");
}

static void set_up(const char *host)
{
	sigset_t set;

	net_want_descriptors(opt.conns + 16UL);
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	herd.epoll = epoll_create1(EPOLL_CLOEXEC);
	herd.signals = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	herd.slots = calloc(opt.conns, sizeof(*herd.slots));
	if (herd.epoll < 0 || herd.signals < 0 || herd.slots == NULL)
		err(2, "setting up");
	watch(herd.signals, &herd.signals);
	if (opt.control) {
		if (fcntl(STDIN_FILENO, F_SETFL, O_NONBLOCK) < 0)
			err(2, "standard input");
		watch(STDIN_FILENO, herd.line);
	}
	TAILQ_INIT(&herd.idle);
	TAILQ_INIT(&herd.waiting);
	TAILQ_INIT(&herd.down);
	for (unsigned i = 0; i < opt.conns; i++)
		herd.slots[i].fd = -1;
	if (asprintf(&herd.request, "%s %s HTTP/1.1\r\n%s%s%s%s%s\r\n", opt.method, opt.path,
		     opt.has_host ? "" : "Host: ", opt.has_host ? "" : host,
		     opt.has_host ? "" : "\r\n", opt.one_each ? "Connection: close\r\n" : "",
		     opt.headers ? opt.headers : "") < 0)
		err(2, "setting up");
	herd.request_len = strlen(herd.request);
	herd.now_us = herd.start_us = net_now_us();
}

/* Closes what is open and returns how many connections had nothing in flight. */
static uint64_t close_all(void)
{
	uint64_t held = 0;

	for (unsigned i = 0; i < herd.started; i++) {
		struct slot *s = &herd.slots[i];

		held += s->state == SLOT_IDLE;
		if (s->fd >= 0)
			close(s->fd);
		free(s->in.head);
	}
	return held;
}

int main(int argc, char **argv)
{
	uint64_t held;

	set_up(parse_options(argc, argv));
	while (herd.phase != DONE)
		turn();
	held = close_all();
	print_summary(held);
	free(herd.slots);
	free(herd.request);
	free(opt.addrs);
	free(opt.headers);
	if (fflush(stdout) != 0)
		err(2, "standard output");
	return failures() != 0 || (opt.strict_idle && herd.n.closed_idle != 0);
}
