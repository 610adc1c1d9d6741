/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tests worker/handover_*.c: proxied exchanges and idle connections to peers between two workers
 * with different configurations. Each has one owner afterwards, both halves of an exchange
 * together; what the board says of peers is exact; no descriptor is left over.
 */
#include "worker/handover.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "t/unit/fds.h"
#include "t/unit/rig.h"
#include "t/unit/run.h"

enum {
	CONNS = 300,
	KEPT = 8 /* keepalive.conns */
};

static struct location old_locations[] = {{.match = ""}, {.match = "/gone/"}, {.match = "/api/"}};
static struct location new_locations[] = {{.match = ""}, {.match = "/api/"}};
static struct server old_servers[] = {
    {.name = "site", .locations = old_locations, .locations_count = 3, .log = -1}};
static struct server new_servers[] = {
    {.name = "site", .locations = new_locations, .locations_count = 2, .log = -1}};
static struct listener listeners[] = {{.row = 0}};
static struct upstream old_pools[] = {
    {.name = "pool", .peers_count = 2, .keepalive_conns = 64},
    {.name = "other", .first_peer = 2, .peers_count = 1, .keepalive_conns = 64}};
static struct upstream new_pools[] = {
    {.name = "other", .peers_count = 1, .keepalive_conns = KEPT},
    {.name = "pool", .first_peer = 1, .peers_count = 1, .keepalive_conns = KEPT}};
/* The same address is a peer of both. */
static struct peer old_peers[] = {{.address = "127.0.0.1:9000", .row = 0},
				  {.address = "127.0.0.1:9001", .row = 1},
				  {.address = "127.0.0.1:9000", .row = 2, .upstream = 1}};
static struct peer new_peers[] = {{.address = "127.0.0.1:9000", .row = 2},
				  {.address = "127.0.0.1:9000", .row = 0, .upstream = 1}};

enum old_peer {
	STAYING,
	GONE,
	OTHER
};

struct side {
	struct settings settings;
	struct arena arena;
	struct conns cs;
	struct ups us;
	unsigned watched;
};

static struct clock now = {.now_us = 500000000};
static struct board board;
static struct side from, to;
static struct handover_out out;
static int receiving;
static int far_end[2 * CONNS + 100]; /* of client and peer by turns, and of idle ones */
static unsigned far_ends;
static unsigned fds_before;

static void start(struct side *s, uint32_t row, uint32_t max)
{
	const struct conns_env env = {&s->settings, &now, &board, row, 1000 * (row + 1)};

	s->settings.worker_connections = max;
	s->settings.file_cache = 4;
	s->settings.listeners = listeners;
	s->settings.listeners_count = s->settings.servers_count = 1;
	s->settings.upstreams_count = 2;
	rig_make(&s->cs, &s->us, &s->arena, &env);
	s->us.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	s->us.tag = 7ull << 56;
}

static void bury(struct side *s)
{
	ups_bury(&s->us);
	conns_bury(&s->cs);
}

/* What the board says agrees with the records, and with the words that all workers share. */
static void is_exact(const struct side *s)
{
	uint32_t open = 0, idle = 0, conns = 0, files = 0;

	for (uint32_t p = 0; p < s->settings.peers_count; p++) {
		const struct peer_traffic_row *t = board_peer_traffic(&board, s->cs.worker_row,
								      s->settings.peers[p].row);
		uint64_t active = 0, kept = 0;

		for (uint32_t u = 0; u < s->us.legacy->high; u++) {
			const struct up *up = up_at(&s->us, u);

			active += up->state != UP_FREE && up->peer == p && up->conn != CONN_NONE;
			kept += up->state == UP_IDLE && up->peer == p &&
				(up->flags & UP_MOVING) == 0;
		}
		ck_assert_uint_eq(t->active, active);
		ck_assert_uint_eq(t->idle, kept);
		ck_assert_uint_eq(s->us.idle[p].count, kept);
		open += (uint32_t)t->open;
		idle += (uint32_t)kept;
	}
	for (uint32_t i = 0; i < s->cs.row->conns_high; i++)
		conns += conn_row(&s->cs, i)->state != CONN_FREE;
	ck_assert_uint_eq(s->us.open, open);
	ck_assert_uint_eq(s->cs.row->up_conns, open);
	ck_assert_uint_eq(s->cs.row->up_idle, idle);
	ck_assert_uint_eq(s->us.idle_all, idle);
	ck_assert_uint_eq(s->cs.row->conns, conns);
	for (uint32_t k = 0; k < s->cs.files.high; k++)
		files += s->cs.files.file[k].refs > 0;
	ck_assert_uint_eq(s->cs.row->fds, conns + open + files);
}

static void both_exact(void)
{
	bury(&from);
	bury(&to);
	is_exact(&from);
	is_exact(&to);
	for (uint32_t row = 0; row < 3; row++)
		ck_assert_uint_eq(board_shared_get(&board_peer(&board, row)->active),
				  board_peer_traffic(&board, 0, row)->active +
				      board_peer_traffic(&board, 1, row)->active);
}

static void stop(struct side *s)
{
	rig_close_all(&s->cs);
	is_exact(s);
	ck_assert_uint_eq(s->us.open, 0);
	ck_assert_uint_eq(s->cs.row->buffers, 0);
	close(s->us.epoll_fd);
	rig_free(&s->cs, &s->arena);
}

static void watch(void *arg, uint32_t i)
{
	struct side *s = arg;
	uint32_t up = conn_at(&s->cs, i)->up;

	s->watched++;
	if (up != 0)
		ck_assert_int_eq(up_watch(&s->us, up - 1), 0);
}

static void unwatch(void *arg, uint32_t i)
{
	struct side *s = arg;

	if (conn_at(&s->cs, i)->up != 0)
		up_unwatch(&s->us, conn_at(&s->cs, i)->up - 1);
}

static const struct handover_ops ops = {.unwatch = unwatch, .watch = watch, .arg = &from};

static void begin(uint32_t to_max)
{
	static const char *const names[] = {"127.0.0.1:9000", "127.0.0.1:9001", "127.0.0.1:9000"};
	const struct board_sizes sizes = {1, CONNS, 1, 1, 2, 3};
	int pair[2];

	fds_before = fds_count();
	far_ends = 0;
	rig_board(&board, &sizes);
	strcpy(board_listener(&board, 0)->address, "127.0.0.1:80");
	for (uint32_t k = 0; k < 3; k++)
		strcpy(board_peer(&board, k)->address, names[k]);
	memset(&from, 0, sizeof from);
	memset(&to, 0, sizeof to);
	from.settings.servers = old_servers;
	from.settings.upstreams = old_pools;
	from.settings.peers = old_peers;
	from.settings.peers_count = 3;
	to.settings.servers = new_servers;
	to.settings.upstreams = new_pools;
	to.settings.peers = new_peers;
	to.settings.peers_count = 2;
	start(&from, 0, CONNS);
	start(&to, 1, to_max);
	ck_assert_int_eq(
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
	handover_begin(&out, pair[0], 0);
	receiving = pair[1];
	handover_channel(receiving);
}

static void set_up(void)
{
	begin(CONNS);
}

static void finish(void)
{
	both_exact();
	stop(&from);
	stop(&to);
	if (out.fd >= 0)
		close(out.fd);
	if (receiving >= 0)
		close(receiving);
	board_unmap(&board);
	for (unsigned k = 0; k < far_ends; k++)
		close(far_end[k]);
	ck_assert_uint_eq(fds_count(), fds_before);
}

static int one_end(void)
{
	return fds_pair(&far_end[far_ends++]);
}

static uint32_t open_exchange(enum conn_state state, enum up_state up_state, uint32_t peer)
{
	int client = one_end();
	const struct up up = {.state = (uint8_t)up_state,
			      .fd = one_end(),
			      .peer = peer,
			      .location = 2,
			      .method = HTTP_GET,
			      .since_us = now.now_us,
			      .deadline_us = now.now_us + 5000000};
	uint32_t i = rig_exchange(&from.cs, client, &up);
	struct conn *c = conn_at(&from.cs, i);

	ck_assert_int_eq(up_watch(&from.us, c->up - 1), 0);
	if (state == CONN_BODY) {
		rig_fill(&from.cs, &c->in_buf, &c->in_len, 60, 'h');
		c->head_len = 50;
	}
	rig_state(&from.cs, i, state);
	return i;
}

static uint32_t open_idle(uint32_t peer)
{
	const struct up up = {.state = UP_IDLE,
			      .fd = one_end(),
			      .peer = peer,
			      .flags = UP_KEEP,
			      .requests = 3,
			      .opened_us = now.now_us,
			      .deadline_us = now.now_us + 9000000};

	return rig_idle(&from.us, &up);
}

static void receive_all(void)
{
	uint32_t taken[MOVED_BATCH], count;

	while (handover_receive(receiving, &to.cs, taken, &count) > 0)
		for (uint32_t k = 0; k < count; k++)
			watch(&to, taken[k]);
}

static void move_all(void)
{
	for (int turn = 0; turn < 100; turn++) {
		ck_assert_int_ne(handover_read_acks(&out, &from.cs, &ops), HANDOVER_BROKEN);
		bury(&from);
		(void)handover_send(&out, &from.cs, &ops);
		receive_all();
		now.now_us += 1000;
	}
	ck_assert_int_ne(handover_read_acks(&out, &from.cs, &ops), HANDOVER_BROKEN);
	ck_assert_uint_eq(out.sent, out.acked);
	both_exact();
}

static const struct {
	enum conn_state conn;
	enum up_state up;
} kinds[] = {{CONN_BODY, UP_CONNECT}, {CONN_RESPOND, UP_CONNECT}, {CONN_BODY, UP_HEAD},
	     {CONN_RESPOND, UP_HEAD}, {CONN_SEND, UP_HEAD},       {CONN_RESPOND, UP_BODY},
	     {CONN_SEND, UP_BODY},    {CONN_RELAY, UP_RELAY}};

/* With bytes kept in all four places. */
START_TEST(test_all_kinds)
{
	uint32_t i = open_exchange(kinds[_i].conn, kinds[_i].up, STAYING);
	struct conn *c = conn_at(&from.cs, i);
	struct up *up = up_at(&from.us, c->up - 1);
	uint64_t id = conn_row(&from.cs, i)->id, deadline = up->deadline_us;

	buf_drop(&from.cs.bufs, &c->in_buf);
	rig_fill(&from.cs, &c->in_buf, &c->in_len, 3000, 'a');
	c->head_len = 100;
	rig_fill(&from.cs, &c->out_buf, &c->out_len, 30000, 'b');
	c->out_off = 11;
	if (kinds[_i].up != UP_CONNECT)
		rig_fill(&from.cs, &up->in_buf, &up->in_len, 20000, 'c');
	rig_fill(&from.cs, &up->out_buf, &up->out_len, 10000, 'd');
	up->out_off = 12;
	up->flags = UP_READABLE | UP_KEEP | UP_CHUNK_OUT;
	up->requests = 5;
	move_all();
	ck_assert_uint_eq(from.cs.row->conns, 0);
	ck_assert_uint_eq(from.us.open, 0);
	ck_assert_uint_eq(from.cs.row->up_cancelled, 0);
	i = rig_find(&to.cs, id);
	ck_assert_uint_ne(i, CONN_NONE);
	ck_assert_int_eq(conn_row(&to.cs, i)->state, kinds[_i].conn);
	c = conn_at(&to.cs, i);
	up = up_at(&to.us, c->up - 1);
	ck_assert_uint_eq(up->conn, i);
	ck_assert_int_eq(up->state, kinds[_i].up);
	ck_assert_uint_eq(up->peer, 1);
	ck_assert_uint_eq(up->location, 1);
	ck_assert_uint_eq(up->requests, 5);
	ck_assert_uint_eq(up->flags, UP_READABLE | UP_KEEP | UP_CHUNK_OUT);
	ck_assert_uint_eq(up->deadline_us, deadline);
	ck_assert_uint_ge(timer_at(&to.us.timer, c->up - 1), deadline);
	rig_filled(&to.cs, c->in_buf, c->in_len, 0, 'a');
	ck_assert_uint_eq(c->out_len - c->out_off, 30000 - 11);
	rig_filled(&to.cs, c->out_buf, c->out_len, 11, 'b');
	rig_filled(&to.cs, up->in_buf, up->in_len, 0, 'c');
	ck_assert_uint_eq(up->out_len - up->out_off, 10000 - 12);
	rig_filled(&to.cs, up->out_buf, up->out_len, 12, 'd');
	fds_talk(c->fd, far_end[0]);
	fds_talk(up->fd, far_end[1]);
	ck_assert_uint_eq(board_shared_get(&board_peer(&board, 0)->active), 1);
}
END_TEST

/* More than a message holds, with other connections and files among them. */
START_TEST(test_many)
{
	uint64_t ids[CONNS];

	for (uint32_t k = 0; k < CONNS; k++) {
		uint32_t i = open_exchange(k % 5 == 0 ? CONN_SEND : CONN_RELAY,
					   k % 5 == 0 ? UP_BODY : UP_RELAY, k % 3 == 0 ? OTHER : 0);
		struct conn *c = conn_at(&from.cs, i);

		ids[k] = conn_row(&from.cs, i)->id;
		if (k % 5 == 0) {
			c->file = openfile_add(&from.cs.files,
					       open("/dev/null", O_RDONLY | O_CLOEXEC));
			c->file_left = k;
		}
		if (k % 7 == 0)
			rig_fill(&from.cs, &c->out_buf, &c->out_len, 40000, (char)k);
	}
	move_all();
	ck_assert_uint_eq(to.cs.row->conns, CONNS);
	ck_assert_uint_eq(from.cs.row->conns, 0);
	for (uint32_t k = 0; k < CONNS; k++) {
		uint32_t i = rig_find(&to.cs, ids[k]);
		const struct conn *c = conn_at(&to.cs, i);

		ck_assert_uint_ne(i, CONN_NONE);
		fds_talk(c->fd, far_end[2 * k]);
		fds_talk(up_at(&to.us, c->up - 1)->fd, far_end[2 * k + 1]);
		ck_assert_uint_eq(up_at(&to.us, c->up - 1)->peer, k % 3 == 0 ? 0 : 1);
		ck_assert_uint_eq(c->file_left, k % 5 == 0 ? k : 0);
		if (k % 7 == 0)
			rig_filled(&to.cs, c->out_buf, c->out_len, 0, (char)k);
	}
	for (uint32_t k = 0; k < CONNS; k++) {
		uint32_t i = rig_find(&to.cs, ids[k]);

		if (conn_at(&to.cs, i)->file != OPENFILE_NONE)
			openfile_unref(&to.cs.files, conn_at(&to.cs, i)->file);
		conn_at(&to.cs, i)->file = OPENFILE_NONE;
	}
}
END_TEST

/* It drains where it is. */
START_TEST(test_gone)
{
	uint32_t peer = open_exchange(CONN_RELAY, UP_RELAY, GONE), location, other;

	location = open_exchange(CONN_RESPOND, UP_HEAD, STAYING);
	rig_up(&from.cs, location)->location = 1;
	other = open_exchange(CONN_RESPOND, UP_HEAD, STAYING);
	move_all();
	ck_assert_uint_eq(from.cs.row->conns, 2);
	ck_assert_uint_eq(from.cs.row->moved_refused, 2);
	ck_assert_uint_eq(to.cs.row->conns, 1);
	ck_assert_uint_eq(from.watched, 2);
	ck_assert_uint_ne(conn_at(&from.cs, peer)->flags & CONN_STAYS, 0);
	ck_assert_uint_ne(conn_at(&from.cs, location)->flags & CONN_STAYS, 0);
	ck_assert_uint_eq(conn_row(&from.cs, other)->state, CONN_FREE);
	fds_talk(conn_at(&from.cs, peer)->fd, far_end[0]);
	fds_talk(rig_up(&from.cs, peer)->fd, far_end[1]);
	ck_assert_uint_ne(timer_at(&from.us.timer, conn_at(&from.cs, peer)->up - 1), 0);
}
END_TEST

START_TEST(test_receiver_full)
{
	finish();
	begin(5);
	for (int k = 0; k < 20; k++)
		(void)open_exchange(CONN_RELAY, UP_RELAY, STAYING);
	(void)open_idle(STAYING);
	move_all();
	/* The idle one came first, took one of five records, and gave way. */
	ck_assert_uint_eq(to.cs.row->conns, 5);
	ck_assert_uint_eq(to.us.idle[1].count, 0);
	ck_assert_uint_eq(from.cs.row->conns, 15);
}
END_TEST

/* Up to keepalive.conns, on the list of the same peer of the same upstream. */
START_TEST(test_idle)
{
	uint32_t u;

	for (int k = 0; k < KEPT + 3; k++)
		(void)open_idle(STAYING);
	for (int k = 0; k < 2; k++)
		(void)open_idle(OTHER);
	for (int k = 0; k < 2; k++)
		(void)open_idle(GONE);
	both_exact();
	move_all();
	ck_assert_uint_eq(from.us.open, 0);
	ck_assert_uint_eq(from.cs.row->moved_refused, 0);
	ck_assert_uint_eq(from.cs.row->close_moved, 0);
	ck_assert_uint_eq(to.cs.row->moved_in, 0);
	ck_assert_uint_eq(to.us.idle[1].count, KEPT);
	ck_assert_uint_eq(to.us.idle[0].count, 2);
	ck_assert_uint_eq(to.cs.row->up_moved, KEPT + 2);
	u = up_take(&to.us, 0, false);
	ck_assert_uint_ne(u, UP_NONE);
	ck_assert_uint_eq(up_at(&to.us, u)->requests, 3);
	ck_assert_int_eq(up_at(&to.us, u)->state, UP_HEAD);
	ck_assert_uint_ne(timer_at(&to.us.timer, u), 0);
	fds_talk(up_at(&to.us, u)->fd, far_end[KEPT + 3]);
	up_close(&to.us, u);
}
END_TEST

/* One that the peer has closed meanwhile is told of at once. */
START_TEST(test_idle_closed)
{
	struct epoll_event e;

	(void)open_idle(STAYING);
	ck_assert_int_eq(shutdown(far_end[0], SHUT_WR), 0);
	move_all();
	ck_assert_uint_eq(to.us.idle[1].count, 1);
	ck_assert_int_eq(epoll_wait(to.us.epoll_fd, &e, 1, 0), 1);
	ck_assert_uint_eq(up_of_event(&to.us, e.data.u64), to.us.idle[1].first);
	ck_assert_uint_ne(e.events & EPOLLRDHUP, 0);
	ck_assert_int_eq(epoll_wait(from.us.epoll_fd, &e, 1, 0), 0);
}
END_TEST

/* What happened in between comes as an event. */
START_TEST(test_no_edge_lost)
{
	struct epoll_event e;
	uint32_t i = open_exchange(CONN_RELAY, UP_RELAY, STAYING);
	uint64_t id = conn_row(&from.cs, i)->id;

	ck_assert_int_eq(epoll_wait(from.us.epoll_fd, &e, 1, 0), 1); /* room to write */
	(void)handover_send(&out, &from.cs, &ops);
	ck_assert_int_eq(send(far_end[1], "y", 1, 0), 1);
	ck_assert_int_eq(epoll_wait(from.us.epoll_fd, &e, 1, 0), 0);
	receive_all();
	i = rig_find(&to.cs, id);
	ck_assert_int_eq(epoll_wait(to.us.epoll_fd, &e, 1, 0), 1);
	ck_assert_uint_eq(up_of_event(&to.us, e.data.u64), conn_at(&to.cs, i)->up - 1);
	ck_assert_uint_ne(e.events & EPOLLIN, 0);
	ck_assert_int_eq(handover_read_acks(&out, &from.cs, &ops), HANDOVER_GOES_ON);
}
END_TEST

/* All is the sender's again, idle ones too. */
START_TEST(test_receiver_dies)
{
	for (int k = 0; k < 5; k++)
		(void)open_idle(STAYING);
	for (int k = 0; k < 100; k++)
		(void)open_exchange(CONN_RELAY, UP_RELAY, STAYING);
	ck_assert_int_eq(handover_send(&out, &from.cs, &ops), HANDOVER_WAITS);
	ck_assert_uint_eq(from.us.idle_all, 0);
	is_exact(&from);
	close(receiving);
	receiving = -1;
	ck_assert_int_eq(handover_read_acks(&out, &from.cs, &ops), HANDOVER_BROKEN);
	handover_end(&out, &from.cs, &ops);
	both_exact();
	ck_assert_uint_eq(from.us.idle[STAYING].count, 5);
	ck_assert_uint_eq(from.cs.row->conns, 100);
	ck_assert_uint_eq(from.watched, 100);
	for (uint32_t i = 0; i < 100; i++) {
		ck_assert_uint_eq(conn_at(&from.cs, i)->flags & CONN_MOVING, 0);
		fds_talk(rig_up(&from.cs, i)->fd, far_end[5 + 2 * i + 1]);
	}
}
END_TEST

/* The sender leaves: what is on its way is the receiver's. */
START_TEST(test_sender_leaves)
{
	for (int k = 0; k < 5; k++)
		(void)open_idle(STAYING);
	for (int k = 0; k < 100; k++)
		(void)open_exchange(CONN_RELAY, UP_RELAY, STAYING);
	ck_assert_int_eq(handover_send(&out, &from.cs, &ops), HANDOVER_WAITS);
	handover_end(&out, &from.cs, &ops);
	bury(&from);
	ck_assert_uint_eq(from.cs.row->conns, 0);
	ck_assert_uint_eq(from.us.open, 0);
	receive_all();
	both_exact();
	ck_assert_uint_eq(to.cs.row->conns, 100);
	ck_assert_uint_eq(to.us.idle[1].count, 5);
}
END_TEST

/* Who cannot be answered has nothing, and the sender has all. */
START_TEST(test_no_answer)
{
	const int least = 1;
	uint32_t taken[MOVED_BATCH], count;

	ck_assert_int_eq(setsockopt(receiving, SOL_SOCKET, SO_SNDBUF, &least, sizeof least), 0);
	(void)open_idle(STAYING);
	(void)open_exchange(CONN_RELAY, UP_RELAY, STAYING);
	ck_assert_int_eq(handover_send(&out, &from.cs, &ops), HANDOVER_WAITS);
	while (send(receiving, "junk", 4, MSG_DONTWAIT) > 0)
		;
	for (int k = 0; k < 2; k++)
		ck_assert_int_eq(handover_receive(receiving, &to.cs, taken, &count), -1);
	bury(&to);
	ck_assert_uint_eq(to.us.open, 0);
	ck_assert_uint_eq(to.cs.row->conns, 0);
	close(receiving);
	receiving = -1;
	ck_assert_int_eq(handover_read_acks(&out, &from.cs, &ops), HANDOVER_BROKEN);
	handover_end(&out, &from.cs, &ops);
	ck_assert_uint_eq(from.cs.row->conns, 1);
	ck_assert_uint_eq(from.us.idle[STAYING].count, 1);
}
END_TEST

/* A worker that stays gives relays, but keeps its idle connections to peers. */
START_TEST(test_limit)
{
	out.limit = 3;
	(void)open_idle(STAYING);
	(void)open_exchange(CONN_RESPOND, UP_HEAD, STAYING);
	for (int k = 0; k < 5; k++)
		(void)open_exchange(CONN_RELAY, UP_RELAY, STAYING);
	for (int k = 0; k < 5 && !handover_done(&out, &from.cs); k++) {
		(void)handover_send(&out, &from.cs, &ops);
		receive_all();
		(void)handover_read_acks(&out, &from.cs, &ops);
	}
	ck_assert(handover_done(&out, &from.cs));
	ck_assert_uint_eq(out.taken, 3);
	ck_assert_uint_eq(to.cs.row->conns_relay, 3);
	ck_assert_uint_eq(from.us.idle[STAYING].count, 1);
}
END_TEST

/* Who drains itself keeps none. */
START_TEST(test_draining_receiver)
{
	to.cs.draining = true;
	(void)open_idle(STAYING);
	move_all();
	ck_assert_uint_eq(from.us.open, 0);
	ck_assert_uint_eq(to.us.open, 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("handover_up");
	TCase *c = tcase_create("handover_up");

	tcase_add_checked_fixture(c, set_up, finish);
	tcase_add_loop_test(c, test_all_kinds, 0, sizeof kinds / sizeof kinds[0]);
	tcase_add_test(c, test_many);
	tcase_add_test(c, test_gone);
	tcase_add_test(c, test_receiver_full);
	tcase_add_test(c, test_idle);
	tcase_add_test(c, test_idle_closed);
	tcase_add_test(c, test_no_edge_lost);
	tcase_add_test(c, test_receiver_dies);
	tcase_add_test(c, test_sender_leaves);
	tcase_add_test(c, test_no_answer);
	tcase_add_test(c, test_limit);
	tcase_add_test(c, test_draining_receiver);
	tcase_set_timeout(c, 60);
	suite_add_tcase(s, c);
	return run_suite(s);
}
