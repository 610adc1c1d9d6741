/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tests worker/handover_*.c: two workers' connections in one process, with a channel between them.
 * Whatever happens to the channel, each connection has exactly one owner afterwards, and no
 * descriptor is left over: each test ends with as many as it began with.
 */
#include "worker/handover.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "t/unit/fds.h"
#include "t/unit/rig.h"
#include "t/unit/run.h"

enum {
	CONNS = 1000,
	FD_ROOM = 4096
};

static struct location location;
static struct server old_servers[] = {
    {.name = "gone", .row = 0, .locations = &location, .locations_count = 1, .log = -1},
    {.name = "site", .row = 1, .locations = &location, .locations_count = 1, .log = -1}};
static struct server new_servers[] = {
    {.name = "fresh", .row = 2, .locations = &location, .locations_count = 1, .log = -1},
    {.name = "other", .row = 3, .locations = &location, .locations_count = 1, .log = -1},
    {.name = "site", .row = 1, .locations = &location, .locations_count = 1, .log = -1}};
static struct listener old_listeners[] = {{.row = 0, .default_server = 1},
					  {.row = 1, .default_server = 1}};
static struct listener new_listeners[] = {{.row = 2, .default_server = 0},
					  {.row = 1, .default_server = 2}};

/* One worker. */
struct side {
	struct settings settings;
	struct arena arena;
	struct conns cs;
	unsigned watched[CONNS]; /* times */
	unsigned unwatched[CONNS];
};

static struct clock now = {.now_us = 500000000};
static struct board board;
static struct side from, to;
static struct handover_out out;
static int receiving; /* the receiver's end */
static int client[CONNS];
static unsigned clients;
static unsigned fds_before;

static void start(struct side *s, uint32_t row, uint32_t max, struct listener *l, struct server *v,
		  uint32_t servers)
{
	const struct conns_env env = {&s->settings, &now, &board, row, 1000 * (row + 1)};

	memset(s, 0, sizeof *s);
	s->settings = (struct settings){.worker_connections = max,
					.file_cache = 4,
					.listeners = l,
					.listeners_count = 2,
					.servers = v,
					.servers_count = servers};
	rig_make(&s->cs, NULL, &s->arena, &env);
}

static void stop(struct side *s)
{
	rig_close_all(&s->cs);
	ck_assert_uint_eq(s->cs.row->conns, 0);
	ck_assert_uint_eq(s->cs.row->conns_idle, 0);
	ck_assert_uint_eq(s->cs.row->fds, 0);
	ck_assert_uint_eq(s->cs.row->buffers, 0);
	rig_free(&s->cs, &s->arena);
}

static void watch(void *arg, uint32_t i)
{
	((struct side *)arg)->watched[i]++;
}

static void unwatch(void *arg, uint32_t i)
{
	((struct side *)arg)->unwatched[i]++;
}

static const struct handover_ops ops = {.unwatch = unwatch, .watch = watch, .arg = &from};

static void channel(void)
{
	int pair[2];

	ck_assert_int_eq(
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
	handover_begin(&out, pair[0], 0);
	receiving = pair[1];
	handover_channel(receiving);
}

static void begin(uint32_t from_max, uint32_t to_max)
{
	static const char *const addresses[] = {"127.0.0.1:80", "127.0.0.1:81", "127.0.0.1:82"};
	const struct board_sizes sizes = {1, CONNS, 3, 4, 1, 1};

	rig_board(&board, &sizes);
	for (uint32_t k = 0; k < 3; k++)
		strcpy(board_listener(&board, k)->address, addresses[k]);
	start(&from, 0, from_max, old_listeners, old_servers, 2);
	start(&to, 1, to_max, new_listeners, new_servers, 3);
	channel();
}

static void finish(void)
{
	stop(&from);
	stop(&to);
	if (out.fd >= 0)
		close(out.fd);
	if (receiving >= 0)
		close(receiving);
	board_unmap(&board);
	for (unsigned k = 0; k < clients; k++)
		close(client[k]);
	ck_assert_uint_eq(fds_count(), fds_before);
}

static void set_up(void)
{
	struct rlimit limit = {FD_ROOM, FD_ROOM};

	(void)setrlimit(RLIMIT_NOFILE, &limit);
	clients = 0;
	fds_before = fds_count();
	begin(CONNS, CONNS);
}

static void again_with(uint32_t from_max, uint32_t to_max)
{
	finish();
	clients = 0;
	begin(from_max, to_max);
}

static uint32_t open_at(uint32_t listener)
{
	int fd = fds_pair(&client[clients++]);

	return rig_open(&from.cs, listener, fd);
}

/* Connection number k of the client is that of index k. */
static uint32_t open_one(void)
{
	return open_at(1);
}

static void open_idle(unsigned count)
{
	while (count-- > 0) {
		uint32_t i = open_one();

		conn_set_state(&from.cs, i, CONN_RESPOND);
		conn_set_state(&from.cs, i, CONN_IDLE);
	}
}

static unsigned receive_all(void)
{
	uint32_t taken[MOVED_BATCH], count;
	unsigned sum = 0;

	while (handover_receive(receiving, &to.cs, taken, &count) > 0)
		sum += count;
	return sum;
}

/* Both take turns until the sender has nothing more that can move. */
static void move_all(void)
{
	for (int turn = 0; turn < 1000; turn++) {
		ck_assert_int_ne(handover_read_acks(&out, &from.cs, &ops), HANDOVER_BROKEN);
		conns_bury(&from.cs);
		(void)handover_send(&out, &from.cs, &ops);
		if (receive_all() == 0 && out.sent == out.acked && out.pause_us == 0 &&
		    out.rescan_us > now.now_us)
			break;
		now.now_us += 1000;
	}
	ck_assert_int_ne(handover_read_acks(&out, &from.cs, &ops), HANDOVER_BROKEN);
	conns_bury(&from.cs);
}

/* Every one of the sender's is watched, none is on its way. */
static void check_all_back(unsigned count)
{
	conns_bury(&from.cs);
	ck_assert_uint_eq(from.cs.row->conns, count);
	for (uint32_t i = 0; i < from.cs.row->conns_high; i++) {
		if (conn_row(&from.cs, i)->state == CONN_FREE)
			continue;
		ck_assert_uint_eq(conn_at(&from.cs, i)->flags & CONN_MOVING, 0);
		ck_assert_uint_eq(from.watched[i], from.unwatched[i]);
		fds_talk(conn_at(&from.cs, i)->fd, client[i]);
	}
}

/* A response in the middle: bytes, then a piece of a file. */
static uint32_t open_sending(uint64_t off, uint64_t left)
{
	uint32_t i = open_one(), skipped = 9;
	struct conn *c = conn_at(&from.cs, i);
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

	conn_set_state(&from.cs, i, CONN_RESPOND);
	conn_set_state(&from.cs, i, CONN_SEND);
	rig_fill(&from.cs, &c->out_buf, &c->out_len, 200, 'o');
	c->out_off = skipped;
	c->file = openfile_add(&from.cs.files, fd);
	c->file_off = off;
	c->file_left = left;
	return i;
}

START_TEST(test_all_kinds)
{
	static const enum conn_state states[] = {CONN_IDLE, CONN_HEAD, CONN_BODY, CONN_LINGER};
	uint64_t ids[5];
	struct conn_row rows[5];
	uint32_t i;

	for (int k = 0; k < 4; k++) {
		struct conn *c;

		i = open_one();
		c = conn_at(&from.cs, i);
		if (states[k] != CONN_HEAD)
			conn_set_state(&from.cs, i,
				       states[k] == CONN_BODY ? CONN_BODY : CONN_RESPOND);
		if (states[k] == CONN_IDLE || states[k] == CONN_LINGER)
			conn_set_state(&from.cs, i, states[k]);
		if (states[k] == CONN_HEAD || states[k] == CONN_BODY)
			rig_fill(&from.cs, &c->in_buf, &c->in_len, 77, 'i');
		if (states[k] == CONN_BODY)
			c->head_len = 50;
		conn_row(&from.cs, i)->requests = 10 + (uint32_t)k;
		conn_row(&from.cs, i)->accepted_us = 400000000 + (uint64_t)k;
		strcpy(conn_row(&from.cs, i)->request, "GET /x");
		rows[k] = *conn_row(&from.cs, i);
		ids[k] = rows[k].id;
	}
	i = open_sending(4, 3);
	conn_row(&from.cs, i)->requests = 1;
	rows[4] = *conn_row(&from.cs, i);
	ids[4] = rows[4].id;
	move_all();
	ck_assert_uint_eq(from.cs.row->conns, 0);
	ck_assert_uint_eq(from.cs.row->close_moved, 5);
	ck_assert_uint_eq(from.cs.row->conns_idle, 0);
	ck_assert_uint_eq(to.cs.row->moved_in, 5);
	ck_assert_uint_eq(to.cs.row->conns, 5);
	ck_assert_uint_eq(to.cs.row->conns_idle, 1);
	ck_assert_uint_eq(to.cs.row->accepts, 0);
	ck_assert_uint_eq(to.cs.row->fds, 6);
	for (unsigned k = 0; k < 5; k++) {
		const struct conn *c;
		const struct conn_row *row;

		i = rig_find(&to.cs, ids[k]);
		c = conn_at(&to.cs, i);
		row = conn_row(&to.cs, i);
		ck_assert_int_eq(row->state, rows[k].state);
		ck_assert_uint_eq(row->seq % 2, 0);
		ck_assert_uint_eq(row->requests, rows[k].requests);
		ck_assert_uint_eq(row->accepted_us, rows[k].accepted_us);
		ck_assert_uint_eq(row->since_us, rows[k].since_us);
		ck_assert_uint_eq(row->deadline_us, rows[k].deadline_us);
		ck_assert_str_eq(row->request, rows[k].request);
		ck_assert_uint_eq(row->listener, 1);
		ck_assert_uint_eq(row->server, 2);
		ck_assert_uint_eq(row->fd, (unsigned)c->fd);
		ck_assert_uint_eq(c->listener, 1);
		ck_assert_uint_eq(c->server, 2);
		ck_assert_uint_eq(c->flags & (CONN_MOVING | CONN_ARRIVING | CONN_READY), 0);
		ck_assert_int_eq(fcntl(c->fd, F_GETFD), FD_CLOEXEC);
		fds_talk(c->fd, client[k]);
		if (row->state == CONN_HEAD || row->state == CONN_BODY) {
			ck_assert_uint_eq(c->in_len, 77);
			rig_filled(&to.cs, c->in_buf, 77, 0, 'i');
		}
		ck_assert_uint_eq(c->head_len, row->state == CONN_BODY ? 50 : 0);
	}
	{
		const struct conn *c = conn_at(&to.cs, rig_find(&to.cs, ids[4]));
		char magic[3];

		ck_assert_uint_eq(c->out_len - c->out_off, 191);
		rig_filled(&to.cs, c->out_buf, 191, 9, 'o');
		ck_assert_uint_eq(c->file_left, 3);
		ck_assert_int_eq(pread(openfile_fd(&to.cs.files, c->file), magic, 3, 1), 3);
		ck_assert_mem_eq(magic, "ELF", 3);
		ck_assert_int_eq(fcntl(openfile_fd(&to.cs.files, c->file), F_GETFD), FD_CLOEXEC);
	}
}
END_TEST

/* Several connections that send one file share its descriptor at the other end; another file has
 * its own. */
START_TEST(test_shared_file)
{
	uint64_t first;
	const struct conn *c;

	for (int k = 0; k < 20; k++)
		(void)open_sending(0, 10);
	first = conn_row(&from.cs, 0)->id;
	openfile_unref(&from.cs.files, conn_at(&from.cs, 19)->file);
	conn_at(&from.cs, 19)->file = openfile_add(&from.cs.files,
						   open("/proc/self/maps", O_RDONLY | O_CLOEXEC));
	move_all();
	ck_assert_uint_eq(to.cs.row->conns, 20);
	ck_assert_uint_eq(to.cs.row->fds, 22);
	c = conn_at(&to.cs, rig_find(&to.cs, first));
	ck_assert_uint_eq(to.cs.files.file[c->file].refs, 19);
}
END_TEST

START_TEST(test_batches)
{
	unsigned seen[CONNS] = {0};

	open_idle(700);
	for (int step = 0; step < 3; step++) { /* nobody reads: it stops at the window */
		ck_assert_int_eq(handover_send(&out, &from.cs, &ops), HANDOVER_WAITS);
		ck_assert_uint_le(out.sent, HANDOVER_WINDOW);
		ck_assert_uint_le(out.messages, HANDOVER_MESSAGES);
	}
	ck_assert_uint_eq(out.sent, HANDOVER_WINDOW);
	move_all();
	ck_assert_uint_eq(to.cs.row->conns, 700);
	ck_assert_uint_eq(from.cs.row->conns, 0);
	for (uint32_t i = 0; i < 700; i++) {
		ck_assert_uint_eq(from.watched[i], 0);
		ck_assert_uint_eq(from.unwatched[i], 1);
		seen[conn_row(&to.cs, i)->id - 1000]++;
	}
	for (uint32_t i = 0; i < 700; i++)
		ck_assert_uint_eq(seen[i], 1);
	handover_end(&out, &from.cs, &ops);
	{
		uint32_t taken[MOVED_BATCH], count;

		ck_assert_int_eq(handover_receive(receiving, &to.cs, taken, &count), -1);
	}
}
END_TEST

/* One in a message: no more of them than can be answered without being read. */
START_TEST(test_messages)
{
	uint32_t taken[MOVED_BATCH], count;

	open_idle(300);
	out.most = 1;
	ck_assert_int_eq(handover_send(&out, &from.cs, &ops), HANDOVER_WAITS);
	ck_assert_uint_eq(out.messages, HANDOVER_MESSAGES);
	ck_assert_uint_eq(out.sent, HANDOVER_MESSAGES);
	ck_assert_int_eq(handover_receive(receiving, &to.cs, taken, &count), 1);
	ck_assert_int_eq(handover_read_acks(&out, &from.cs, &ops), HANDOVER_GOES_ON);
	ck_assert_int_eq(handover_send(&out, &from.cs, &ops), HANDOVER_WAITS);
	ck_assert_uint_eq(out.messages, HANDOVER_MESSAGES);
	ck_assert_uint_eq(out.sent, HANDOVER_MESSAGES + 1);
	move_all();
	ck_assert_uint_eq(to.cs.row->conns, 300);
}
END_TEST

START_TEST(test_large_buffers)
{
	const unsigned count = 120;

	for (unsigned k = 0; k < count; k++) {
		uint32_t i = open_one();
		struct conn *c = conn_at(&from.cs, i);

		conn_set_state(&from.cs, i, CONN_RESPOND);
		conn_set_state(&from.cs, i, CONN_SEND);
		rig_fill(&from.cs, &c->in_buf, &c->in_len, buf_most(&from.cs.bufs), (char)k);
		rig_fill(&from.cs, &c->out_buf, &c->out_len, buf_most(&from.cs.bufs),
			 (char)(k + 1));
	}
	move_all();
	ck_assert_uint_eq(to.cs.row->conns, count);
	for (unsigned k = 0; k < count; k++) {
		const struct conn *c = conn_at(&to.cs, rig_find(&to.cs, 1000 + k));

		ck_assert_uint_eq(c->in_len, buf_most(&from.cs.bufs));
		rig_filled(&to.cs, c->in_buf, c->in_len, 0, (char)k);
		rig_filled(&to.cs, c->out_buf, c->out_len, 0, (char)(k + 1));
	}
}
END_TEST

/* A channel that takes only small messages: what does not fit stays, the rest moves. */
START_TEST(test_small_channel)
{
	const int bytes = 8192;
	uint32_t i;

	open_idle(200);
	i = open_one();
	rig_fill(&from.cs, &conn_at(&from.cs, i)->in_buf, &conn_at(&from.cs, i)->in_len, 70000,
		 'i');
	open_idle(20);
	ck_assert_int_eq(setsockopt(out.fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes), 0);
	move_all();
	ck_assert_uint_eq(to.cs.row->conns, 220);
	ck_assert_uint_eq(from.cs.row->conns, 1);
	ck_assert_uint_eq(from.cs.row->moved_refused, 1);
	ck_assert_uint_ne(conn_at(&from.cs, i)->flags & CONN_STAYS, 0);
	check_all_back(1);
}
END_TEST

START_TEST(test_receiver_full)
{
	again_with(CONNS, 10);
	open_idle(100);
	move_all();
	ck_assert_uint_eq(to.cs.row->conns, 10);
	ck_assert_uint_eq(from.cs.row->conns, 90);
	ck_assert_uint_eq(from.cs.row->moved_refused, 90);
	for (uint32_t i = 0; i < from.cs.row->conns_high; i++)
		ck_assert(conn_row(&from.cs, i)->state == CONN_FREE ||
			  (conn_at(&from.cs, i)->flags & CONN_STAYS) != 0);
	check_all_back(90);
	/* They are not tried again. */
	now.now_us += 10000000;
	move_all();
	ck_assert_uint_eq(from.cs.row->moved_refused, 90);
}
END_TEST

START_TEST(test_unknown_place)
{
	uint32_t gone = open_at(0), other;

	other = open_one();
	conn_at(&from.cs, other)->server = 0;
	(void)open_one();
	move_all();
	ck_assert_uint_eq(to.cs.row->conns, 1);
	ck_assert_uint_eq(from.cs.row->moved_refused, 2);
	ck_assert_uint_ne(conn_at(&from.cs, gone)->flags & CONN_STAYS, 0);
	ck_assert_uint_ne(conn_at(&from.cs, other)->flags & CONN_STAYS, 0);
	check_all_back(2);
}
END_TEST

/* The receiver dies with everything unread, or with some messages read and answered. */
START_TEST(test_receiver_dies)
{
	uint32_t taken[MOVED_BATCH], count;
	unsigned read = 0;

	open_idle(600);
	(void)open_sending(0, 5);
	ck_assert_int_eq(handover_send(&out, &from.cs, &ops), HANDOVER_WAITS);
	for (int k = 0; k < _i; k++) {
		ck_assert_int_eq(handover_receive(receiving, &to.cs, taken, &count), 1);
		read += count;
	}
	close(receiving);
	receiving = -1;
	if (_i % 2 == 0) /* it is found out by writing, or by reading */
		(void)handover_send(&out, &from.cs, &ops);
	ck_assert_int_eq(handover_read_acks(&out, &from.cs, &ops), HANDOVER_BROKEN);
	handover_end(&out, &from.cs, &ops);
	ck_assert_int_eq(out.fd, -1);
	ck_assert_uint_eq(from.cs.row->close_moved, read);
	ck_assert_uint_eq(to.cs.row->conns, read);
	check_all_back(601 - read);
}
END_TEST

/* The sender dies, with acknowledgements unread: what it had sent is the receiver's. */
START_TEST(test_sender_dies)
{
	uint32_t taken[MOVED_BATCH], count;
	unsigned in_channel;

	open_idle(400);
	ck_assert_int_eq(handover_send(&out, &from.cs, &ops), HANDOVER_WAITS);
	in_channel = out.sent;
	for (int k = 0; k < _i; k++)
		ck_assert_int_eq(handover_receive(receiving, &to.cs, taken, &count), 1);
	close(out.fd);
	out.fd = -1;
	(void)receive_all();
	ck_assert_uint_eq(to.cs.row->conns, in_channel);
	for (uint32_t i = 0; i < to.cs.row->conns_high; i++)
		ck_assert_uint_eq(conn_at(&to.cs, i)->flags & CONN_ARRIVING, 0);
	ck_assert_int_eq(handover_receive(receiving, &to.cs, taken, &count), -1);
}
END_TEST

/* The sender has to leave while the receiver is slow: it leaves to it what is on the way, and
 * nobody else has it. */
START_TEST(test_sender_leaves)
{
	uint32_t taken[MOVED_BATCH], count;

	open_idle(600);
	ck_assert_int_eq(handover_send(&out, &from.cs, &ops), HANDOVER_WAITS);
	ck_assert_int_eq(handover_receive(receiving, &to.cs, taken, &count), 1);
	handover_end(&out, &from.cs, &ops);
	check_all_back(600 - HANDOVER_WINDOW);
	(void)receive_all();
	ck_assert_uint_eq(to.cs.row->conns, HANDOVER_WINDOW);
	for (uint32_t i = 0; i < to.cs.row->conns_high; i++)
		fds_talk(conn_at(&to.cs, i)->fd, client[conn_row(&to.cs, i)->id - 1000]);
}
END_TEST

/* What an acknowledgement must not be. */
static const struct {
	const char *why;
	struct moved_header h;
	size_t len;
} bad_acks[] = {
    {"magic", {1, MOVED_VERSION, MOVED_ACK, 0, 2}, sizeof(struct moved_header) + 2},
    {"version", {MOVED_MAGIC, 99, MOVED_ACK, 0, 2}, sizeof(struct moved_header) + 2},
    {"kind", {MOVED_MAGIC, MOVED_VERSION, MOVED_CONNS, 0, 2}, sizeof(struct moved_header) + 2},
    {"end", {MOVED_MAGIC, MOVED_VERSION, MOVED_END, 0, 0}, sizeof(struct moved_header)},
    {"first", {MOVED_MAGIC, MOVED_VERSION, MOVED_ACK, 1, 2}, sizeof(struct moved_header) + 2},
    {"too many", {MOVED_MAGIC, MOVED_VERSION, MOVED_ACK, 0, 41}, sizeof(struct moved_header) + 41},
    {"missing", {MOVED_MAGIC, MOVED_VERSION, MOVED_ACK, 0, 3}, sizeof(struct moved_header) + 2},
    {"spare", {MOVED_MAGIC, MOVED_VERSION, MOVED_ACK, 0, 1}, sizeof(struct moved_header) + 2},
    {"short", {MOVED_MAGIC, MOVED_VERSION, MOVED_ACK, 0, 0}, 5},
    {"long", {MOVED_MAGIC, MOVED_VERSION, MOVED_ACK, 0, MOVED_BATCH}, 1000},
};

START_TEST(test_bad_ack)
{
	char message[1000];

	open_idle(40);
	ck_assert_int_eq(handover_send(&out, &from.cs, &ops), HANDOVER_WAITS);
	memset(message, 1, sizeof message);
	memcpy(message, &bad_acks[_i].h, sizeof bad_acks[_i].h);
	ck_assert_int_gt(send(receiving, message, bad_acks[_i].len, 0), 0);
	ck_assert_msg(handover_read_acks(&out, &from.cs, &ops) == HANDOVER_BROKEN, "%s",
		      bad_acks[_i].why);
	handover_end(&out, &from.cs, &ops);
	ck_assert_uint_eq(from.cs.row->close_moved, 0);
	check_all_back(40);
}
END_TEST

/* A verdict other than 1 is no. */
START_TEST(test_odd_verdict)
{
	struct {
		struct moved_header h;
		char verdict[4];
	} m = {{MOVED_MAGIC, MOVED_VERSION, MOVED_ACK, 0, 4}, {1, 0, 2, (char)255}};

	open_idle(4);
	ck_assert_int_eq(handover_send(&out, &from.cs, &ops), HANDOVER_WAITS);
	ck_assert_int_gt(send(receiving, &m, sizeof m.h + 4, 0), 0);
	ck_assert_int_eq(handover_read_acks(&out, &from.cs, &ops), HANDOVER_GOES_ON);
	ck_assert_uint_eq(from.cs.row->close_moved, 1);
	ck_assert_uint_eq(from.cs.row->moved_refused, 3);
	check_all_back(3);
}
END_TEST

/* The receiver cannot answer: it must not keep what the sender will take back. */
START_TEST(test_no_answer)
{
	uint32_t taken[MOVED_BATCH], count;
	const int least = 1;

	ck_assert_int_eq(setsockopt(receiving, SOL_SOCKET, SO_SNDBUF, &least, sizeof least), 0);
	open_idle(40);
	ck_assert_int_eq(handover_send(&out, &from.cs, &ops), HANDOVER_WAITS);
	while (send(receiving, "junk", 4, MSG_DONTWAIT) > 0)
		;
	ck_assert_int_eq(errno, EAGAIN);
	ck_assert_int_eq(handover_receive(receiving, &to.cs, taken, &count), -1);
	ck_assert_uint_eq(count, 0);
	conns_bury(&to.cs);
	ck_assert_uint_eq(to.cs.row->conns, 0);
	close(receiving);
	receiving = -1;
	ck_assert_int_eq(handover_read_acks(&out, &from.cs, &ops), HANDOVER_BROKEN);
	handover_end(&out, &from.cs, &ops);
	check_all_back(40);
}
END_TEST

static void send_message(const void *p, size_t len, const int *fds, int count)
{
	alignas(struct cmsghdr) char space[CMSG_SPACE(200 * sizeof(int))] = {0};
	struct iovec iov = {(void *)(uintptr_t)p, len};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};

	if (count > 0) {
		struct cmsghdr *c;

		m.msg_control = space;
		m.msg_controllen = CMSG_SPACE((size_t)count * sizeof(int));
		c = CMSG_FIRSTHDR(&m);
		*c = (struct cmsghdr){.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
		c->cmsg_len = CMSG_LEN((size_t)count * sizeof(int));
		memcpy(CMSG_DATA(c), fds, (size_t)count * sizeof(int));
	}
	ck_assert_int_gt(sendmsg(out.fd, &m, 0), 0);
}

static const struct {
	const char *why;
	struct moved_header h;
	size_t len;
	int result;
	int fds;
} bad_messages[] = {
    {"magic", {1, MOVED_VERSION, MOVED_CONNS, 0, 1}, 100, -1, 1},
    {"version", {MOVED_MAGIC, 2, MOVED_CONNS, 0, 1}, 100, -1, 2},
    {"kind", {MOVED_MAGIC, MOVED_VERSION, 77, 0, 1}, 100, -1, 1},
    {"ack", {MOVED_MAGIC, MOVED_VERSION, MOVED_ACK, 0, 1}, 100, -1, 1},
    {"end", {MOVED_MAGIC, MOVED_VERSION, MOVED_END, 0, 0}, sizeof(struct moved_header), -1, 3},
    {"short", {MOVED_MAGIC, MOVED_VERSION, MOVED_CONNS, 0, 1}, 3, -1, 1},
    {"too many", {MOVED_MAGIC, MOVED_VERSION, MOVED_CONNS, 0, MOVED_BATCH + 1}, 100, -1, 1},
    {"too long", {MOVED_MAGIC, MOVED_VERSION, MOVED_CONNS, 0, 1}, MOVED_MESSAGE + 1, -1, 2},
    {"too many descriptors", {MOVED_MAGIC, MOVED_VERSION, MOVED_CONNS, 0, 1}, 100, 1, 150},
    {"nothing in it",
     {MOVED_MAGIC, MOVED_VERSION, MOVED_CONNS, 0, 64},
     sizeof(struct moved_header),
     1,
     5},
    {"malformed", {MOVED_MAGIC, MOVED_VERSION, MOVED_CONNS, 0, 3}, 100, 1, 3},
    {"none", {MOVED_MAGIC, MOVED_VERSION, MOVED_CONNS, 0, 0}, sizeof(struct moved_header), 1, 0},
};

START_TEST(test_bad_message)
{
	static char message[MOVED_MESSAGE + 1];
	uint32_t taken[MOVED_BATCH], count = 9;
	int fds[200] = {0};

	for (int k = 0; k < bad_messages[_i].fds; k++)
		fds[k] = open("/dev/null", O_RDONLY | O_CLOEXEC);
	memset(message, 0, sizeof message);
	memcpy(message, &bad_messages[_i].h, sizeof bad_messages[_i].h);
	send_message(message, bad_messages[_i].len, fds, bad_messages[_i].fds);
	for (int k = 0; k < bad_messages[_i].fds; k++)
		close(fds[k]);
	ck_assert_msg(handover_receive(receiving, &to.cs, taken, &count) == bad_messages[_i].result,
		      "%s", bad_messages[_i].why);
	ck_assert_uint_eq(count, 0);
	ck_assert_uint_eq(to.cs.row->conns, 0);
	if (bad_messages[_i].result == 1) {
		struct {
			struct moved_header h;
			char verdict[MOVED_BATCH];
		} ack;
		uint32_t n = bad_messages[_i].h.count;

		ck_assert_int_eq(recv(out.fd, &ack, sizeof ack, MSG_DONTWAIT), sizeof ack.h + n);
		for (uint32_t k = 0; k < n; k++)
			ck_assert_int_eq(ack.verdict[k], 0);
	}
}
END_TEST

/* Fewer descriptors arrive than were sent: those without one are refused, nothing is left over. */
START_TEST(test_no_descriptors)
{
	struct rlimit limit = {FD_ROOM, FD_ROOM}, less;
	int last = dup(0);

	close(last);
	open_idle(50);
	(void)open_sending(0, 5);
	ck_assert_int_eq(handover_send(&out, &from.cs, &ops), HANDOVER_WAITS);
	last = dup(0);
	close(last);
	less = (struct rlimit){(rlim_t)last + (unsigned)_i * 10, FD_ROOM};
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &less), 0);
	(void)receive_all();
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	ck_assert_int_eq(handover_read_acks(&out, &from.cs, &ops), HANDOVER_GOES_ON);
	ck_assert_uint_eq(to.cs.row->conns, (unsigned)(_i * 10 < 51 ? _i * 10 : 51));
	check_all_back(51 - (unsigned)to.cs.row->conns);
}
END_TEST

/* What cannot move yet is looked at again, not too often; and moves then. */
START_TEST(test_rescan)
{
	uint32_t i = open_one();
	struct conn *c = conn_at(&from.cs, i);
	uint32_t ignored;

	rig_fill(&from.cs, &c->parts_buf, &ignored, 10, 'p');
	ck_assert_int_eq(handover_send(&out, &from.cs, &ops), HANDOVER_WAITS);
	ck_assert_uint_eq(out.sent, 0);
	ck_assert_uint_gt(handover_wait_us(&out, now.now_us, 1000000), 0);
	ck_assert_uint_le(handover_wait_us(&out, now.now_us, 1000000), 50000);
	ck_assert_uint_eq(handover_wait_us(&out, now.now_us, 10), 10);
	buf_drop(&from.cs.bufs, &c->parts_buf);
	ck_assert_int_eq(handover_send(&out, &from.cs, &ops), HANDOVER_WAITS);
	ck_assert_uint_eq(out.sent, 0);
	now.now_us += handover_wait_us(&out, now.now_us, 1000000);
	ck_assert_int_eq(handover_send(&out, &from.cs, &ops), HANDOVER_WAITS);
	ck_assert_uint_eq(out.sent, 1);
	move_all();
	ck_assert_uint_eq(to.cs.row->conns, 1);
}
END_TEST

/* With a limit, only so many go, idle ones, and what is refused goes on as before. */
START_TEST(test_limit)
{
	again_with(CONNS, 30);
	close(out.fd);
	close(receiving);
	channel();
	out.limit = 40;
	(void)open_one();
	(void)open_sending(0, 5);
	open_idle(100);
	ck_assert(!handover_done(&out, &from.cs));
	for (int k = 0; k < 10 && !handover_done(&out, &from.cs); k++) {
		(void)handover_send(&out, &from.cs, &ops);
		ck_assert_uint_le(out.sent, 40);
		(void)receive_all();
		ck_assert_int_eq(handover_read_acks(&out, &from.cs, &ops), HANDOVER_GOES_ON);
	}
	ck_assert(handover_done(&out, &from.cs));
	ck_assert_uint_eq(out.taken, 30);
	ck_assert_uint_eq(to.cs.row->conns_idle, 30);
	for (uint32_t i = 0; i < from.cs.row->conns_high; i++)
		ck_assert_uint_eq(conn_at(&from.cs, i)->flags & CONN_STAYS, 0);
	handover_end(&out, &from.cs, &ops);
	check_all_back(72);
}
END_TEST

/* A record without a server name has its listener's default. */
START_TEST(test_default_server)
{
	static char message[MOVED_MESSAGE];
	uint32_t taken[MOVED_BATCH], count, i = open_one();
	size_t len = sizeof(struct moved_header);
	const struct moved_header h = {MOVED_MAGIC, MOVED_VERSION, MOVED_CONNS, 0, 1};

	memcpy(message, &h, sizeof h);
	ck_assert_int_eq(
	    moved_write(&from.cs, i, "127.0.0.1:82", "", message, sizeof message, &len), 0);
	send_message(message, len, &conn_at(&from.cs, i)->fd, 1);
	ck_assert_int_eq(handover_receive(receiving, &to.cs, taken, &count), 1);
	ck_assert_uint_eq(count, 1);
	ck_assert_uint_eq(conn_at(&to.cs, taken[0])->listener, 0);
	ck_assert_uint_eq(conn_at(&to.cs, taken[0])->server, 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("handover");
	TCase *c = tcase_create("handover");

	tcase_add_checked_fixture(c, set_up, finish);
	tcase_add_test(c, test_all_kinds);
	tcase_add_test(c, test_shared_file);
	tcase_add_test(c, test_batches);
	tcase_add_test(c, test_messages);
	tcase_add_test(c, test_large_buffers);
	tcase_add_test(c, test_small_channel);
	tcase_add_test(c, test_receiver_full);
	tcase_add_test(c, test_unknown_place);
	tcase_add_loop_test(c, test_receiver_dies, 0, 5);
	tcase_add_loop_test(c, test_sender_dies, 0, 4);
	tcase_add_test(c, test_sender_leaves);
	tcase_add_loop_test(c, test_bad_ack, 0, sizeof bad_acks / sizeof bad_acks[0]);
	tcase_add_test(c, test_odd_verdict);
	tcase_add_test(c, test_no_answer);
	tcase_add_loop_test(c, test_bad_message, 0, sizeof bad_messages / sizeof bad_messages[0]);
	tcase_add_loop_test(c, test_no_descriptors, 0, 6);
	tcase_add_test(c, test_rescan);
	tcase_add_test(c, test_limit);
	tcase_add_test(c, test_default_server);
	tcase_set_timeout(c, 60);
	suite_add_tcase(s, c);
	return run_suite(s);
}
