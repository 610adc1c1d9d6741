/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tests worker/takeover.c: proxied exchanges and connections to peers after a crash. Both halves of
 * an exchange go on or neither does; idle lists, timers, gauges and the words that all workers
 * share are made from the records; records that a crash has spoilt are dropped and do no harm.
 */
#include "worker/takeover.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "worker/http/response.h"
#include "worker/up.h"
#include "t/unit/fds.h"
#include "t/unit/rig.h"
#include "t/unit/run.h"

enum {
	CONNS = 64,
	UNSERVED_US = 3000000,
	ELSEWHERE = 5 /* requests that other workers have in hand at each peer */
};

static struct location locations[2] = {{.match = ""}, {.match = "/"}};
static struct server servers[1] = {
    {.name = "s", .locations = locations, .locations_count = 2, .log = -1}};
static struct listener listeners[1] = {{.address = "127.0.0.1:1"}};
static struct peer peers[2] = {{.address = "127.0.0.1:9000", .row = 0},
			       {.address = "127.0.0.1:9001", .row = 1}};
static struct upstream pools[1] = {{.name = "pool", .peers_count = 2, .keepalive_conns = 32}};
static struct settings settings = {.worker_connections = CONNS,
				   .file_cache = 4,
				   .listeners = listeners,
				   .listeners_count = 1,
				   .servers = servers,
				   .servers_count = 1,
				   .upstreams = pools,
				   .upstreams_count = 1,
				   .peers = peers,
				   .peers_count = 2};
static struct clock now;
static struct board board;
static struct arena arena;
static struct conns cs;
static struct ups us;
static struct takeover t;
static int far_end[4 * CONNS];
static unsigned far_ends;
static int foreign[100];
static uint32_t foreign_count;
static int elsewhere[3]; /* what another process has of ours */
static unsigned elsewhere_count;

static void set_up(void)
{
	const struct board_sizes sizes = {2, CONNS, 1, 1, 1, 2};
	const struct conns_env env = {&settings, &now, &board, 0, (uint64_t)5 << 32};

	now.now_us = 500000000;
	far_ends = 0;
	rig_board(&board, &sizes);
	for (uint32_t p = 0; p < 2; p++) {
		strcpy(board_peer(&board, p)->address, peers[p].address);
		(void)board_shared_set(&board_peer(&board, p)->active, ELSEWHERE);
	}
	rig_make(&cs, &us, &arena, &env);
	us.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	foreign_count = elsewhere_count = 0;
	for (int fd = 3; fd < 100; fd++) {
		if (fds_is_open(fd))
			foreign[foreign_count++] = fd;
	}
}

static void tear_down(void)
{
	for (unsigned k = 0; k < far_ends; k++)
		close(far_end[k]);
	close(us.epoll_fd);
	rig_free(&cs, &arena);
	board_unmap(&board);
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
			      .location = 1,
			      .deadline_us = now.now_us + 7000000};
	uint32_t i = rig_exchange(&cs, client, &up);
	struct conn *c = conn_at(&cs, i);

	rig_give(&cs, &c->in_buf, &c->in_len, "GET / HTTP/1.1\r\n\r\n");
	c->head_len = c->in_len;
	rig_state(&cs, i, state);
	return i;
}

static struct up *up_of(uint32_t i)
{
	return rig_up(&cs, i);
}

static uint32_t open_idle(uint32_t peer)
{
	const struct up up = {.state = UP_IDLE,
			      .fd = one_end(),
			      .peer = peer,
			      .flags = UP_KEEP,
			      .deadline_us = now.now_us + 9000000};

	return rig_idle(&us, &up);
}

static void close_strays(void)
{
	int mine[6 * CONNS];
	uint32_t count = 0;

	for (; count < foreign_count; count++)
		mine[count] = foreign[count];
	for (unsigned k = 0; k < far_ends; k++)
		mine[count++] = far_end[k];
	for (unsigned k = 0; k < elsewhere_count; k++)
		mine[count++] = elsewhere[k];
	mine[count++] = us.epoll_fd;
	takeover_close_strays(&cs, mine, count);
}

/* The standby's heap is as it was when it was cloned: lists are of any age. */
static void crash(uint32_t touched)
{
	cs.row->touching = touched + 1;
	us.free = us.doomed = 7;
	us.open = us.idle_all = 99;
	memset(us.timer.head, 5, sizeof us.timer.head);
	for (uint32_t p = 0; p < 2; p++)
		us.idle[p] = (struct up_list){.first = 3, .last = 60, .count = 17};
	cs.free = cs.doomed = cs.ready = 7;
	for (int k = 0; k < BUF_CLASSES; k++)
		cs.bufs.of[k].high = cs.bufs.of[k].free = 0;
	cs.row->up_conns = cs.row->up_idle = cs.row->fds = 1234;
	now.now_us += UNSERVED_US;
	takeover_rebuild(&cs, UNSERVED_US, &t);
	close_strays();
	ups_watch_idle(&us);
}

/* What the board says, and the lists, agree with the records. */
static void is_exact(void)
{
	uint32_t open = 0, idle = 0;

	for (uint32_t p = 0; p < 2; p++) {
		const struct peer_traffic_row *row = board_peer_traffic(&board, 0, p);
		uint32_t active = 0, kept = 0, opened = 0, n = 0, before = UP_NONE;

		for (uint32_t u = 0; u < us.legacy->high; u++) {
			const struct up *up = up_at(&us, u);

			if (up->state == UP_FREE || up->peer != p)
				continue;
			opened++;
			active += up->state != UP_IDLE;
			kept += up->state == UP_IDLE;
			ck_assert(fds_is_open(up->fd));
			ck_assert_uint_eq(timer_at(&us.timer, u) != 0, up->deadline_us != 0);
			if (up->state != UP_IDLE)
				ck_assert_uint_eq(conn_at(&cs, up->conn)->up, u + 1);
		}
		for (uint32_t u = us.idle[p].first; u != UP_NONE; u = up_at(&us, u)->link) {
			ck_assert_int_eq(up_at(&us, u)->state, UP_IDLE);
			ck_assert_uint_eq(up_at(&us, u)->prev, before);
			ck_assert_uint_le(++n, kept);
			before = u;
		}
		ck_assert_uint_eq(n, kept);
		ck_assert_uint_eq(us.idle[p].last, before);
		ck_assert_uint_eq(us.idle[p].count, kept);
		ck_assert_uint_eq(row->active, active);
		ck_assert_uint_eq(row->open, opened);
		ck_assert_uint_eq(row->idle, kept);
		ck_assert_uint_eq(board_shared_get(&board_peer(&board, p)->active),
				  ELSEWHERE + active);
		open += opened;
		idle += kept;
	}
	ck_assert_uint_eq(us.open, open);
	ck_assert_uint_eq(us.idle_all, idle);
	ck_assert_uint_eq(cs.row->up_conns, open);
	ck_assert_uint_eq(cs.row->up_idle, idle);
	ck_assert_uint_eq(cs.row->fds, cs.row->conns + open);
	ck_assert_uint_eq(cs.row->touching, 0);
}

/* Every free record can be taken, each once; then all are closed, and nothing is left. */
static void is_usable(void)
{
	uint32_t opened[CONNS], n = 0;

	is_exact();
	while (us.open < us.max) {
		const struct up up = {.state = UP_HEAD, .fd = one_end()};

		ck_assert_uint_lt(n, CONNS);
		opened[n] = up_adopt(&us, &up);
		ck_assert_uint_ne(opened[n], UP_NONE);
		n++;
	}
	while (n > 0)
		up_close(&us, opened[--n]);
	rig_close_all(&cs);
	is_exact();
	ck_assert_uint_eq(us.open, 0);
	ck_assert_uint_eq(cs.row->conns, 0);
	ck_assert_uint_eq(cs.row->buffers, 0);
}

START_TEST(test_all_kinds)
{
	static const struct {
		enum conn_state conn;
		enum up_state up;
	} kinds[] = {{CONN_BODY, UP_CONNECT}, {CONN_RESPOND, UP_CONNECT}, {CONN_BODY, UP_HEAD},
		     {CONN_RESPOND, UP_HEAD}, {CONN_SEND, UP_HEAD},       {CONN_RESPOND, UP_BODY},
		     {CONN_SEND, UP_BODY},    {CONN_RELAY, UP_RELAY}};
	enum {
		KINDS = sizeof kinds / sizeof kinds[0]
	};
	uint32_t i[KINDS], idle, number;
	uint64_t deadline;

	for (int k = 0; k < KINDS; k++)
		i[k] = open_exchange(kinds[k].conn, kinds[k].up, (uint32_t)k % 2);
	rig_give(&cs, &up_of(i[5])->in_buf, &up_of(i[5])->in_len, "from the peer");
	rig_give(&cs, &up_of(i[5])->out_buf, &up_of(i[5])->out_len, "to the peer");
	up_of(i[5])->out_off = 3;
	up_of(i[7])->deadline_us = 0;
	idle = open_idle(0);
	for (int k = 0; k < 5; k++)
		(void)open_idle(1);
	deadline = up_at(&us, idle)->deadline_us;
	number = us.legacy->numbers;
	crash(UINT32_MAX);
	ck_assert_uint_eq(t.kept, KINDS);
	ck_assert_uint_eq(t.lost + t.away, 0);
	for (int k = 0; k < KINDS; k++) {
		ck_assert_int_eq(conn_row(&cs, i[k])->state, kinds[k].conn);
		ck_assert_int_eq(up_of(i[k])->state, kinds[k].up);
	}
	ck_assert_mem_eq(buf_data(&cs.bufs, up_of(i[5])->in_buf), "from the peer", 13);
	ck_assert_mem_eq(buf_data(&cs.bufs, up_of(i[5])->out_buf), "to the peer", 11);
	ck_assert_uint_eq(up_at(&us, idle)->deadline_us, deadline + UNSERVED_US);
	ck_assert_uint_ge(timer_at(&us.timer, idle), deadline + UNSERVED_US);
	/* Numbers are never used again. */
	ck_assert_uint_eq(us.legacy->numbers, number);
	is_usable();
}
END_TEST

/* Both ends are lost, and nobody else's. */
START_TEST(test_suspect)
{
	uint32_t other = open_exchange(CONN_RELAY, UP_RELAY, 0), i, idle = open_idle(0);
	int fd;

	i = open_exchange(CONN_SEND, UP_BODY, 1);
	fd = up_of(i)->fd;
	rig_give(&cs, &up_of(i)->in_buf, &up_of(i)->in_len, "half");
	crash(i);
	ck_assert_uint_eq(t.kept, 1);
	ck_assert_uint_eq(t.lost, 1);
	ck_assert(!fds_is_open(fd));
	ck_assert_int_eq(fds_seen_by(far_end[0]), 'o');
	ck_assert_int_eq(fds_seen_by(far_end[1]), 'o');
	ck_assert_int_eq(fds_seen_by(far_end[2]), 'o');
	ck_assert_int_eq(fds_seen_by(far_end[3]), 'e');
	ck_assert_int_eq(fds_seen_by(far_end[4]), 'e');
	ck_assert_int_eq(up_at(&us, idle)->state, UP_IDLE);
	ck_assert_int_eq(up_of(other)->state, UP_RELAY);
	is_usable();
}
END_TEST

/* An exchange on its way is another worker's with both ends; an idle one on its way is that one's,
 * or nobody's. */
START_TEST(test_away)
{
	uint32_t i = open_exchange(CONN_RELAY, UP_RELAY, 0), idle = open_idle(0), kept;

	elsewhere[0] = dup(conn_at(&cs, i)->fd);
	elsewhere[1] = dup(up_of(i)->fd);
	elsewhere[2] = dup(up_at(&us, idle)->fd);
	elsewhere_count = 3;
	kept = open_idle(0);
	conn_at(&cs, i)->flags |= _i == 0 ? CONN_MOVING : CONN_ARRIVING;
	if (_i == 0)
		up_withdraw(&us, idle);
	else
		up_at(&us, idle)->flags |= UP_ARRIVING;
	crash(UINT32_MAX);
	ck_assert_uint_eq(t.kept + t.lost, 0);
	ck_assert_uint_eq(t.away, 1);
	for (unsigned k = 0; k < 3; k++)
		ck_assert_int_eq(fds_seen_by(far_end[k]), 'o');
	ck_assert_uint_eq(us.idle[0].count, 1);
	ck_assert_uint_eq(us.idle[0].first, kept);
	is_usable();
	for (unsigned k = 0; k < 3; k++)
		close(elsewhere[k]);
}
END_TEST

/* In the middle of the change of a list, of the taking of a record, of a burial: the records say
 * how it is. */
START_TEST(test_half_done)
{
	uint32_t u[6], i = open_exchange(CONN_RESPOND, UP_HEAD, 1), kept = 5;

	for (int k = 0; k < 6; k++)
		u[k] = open_idle(0);
	switch (_i) {
	case 0: /* links that lead nowhere, and in a circle */
		up_at(&us, u[1])->link = u[0];
		up_at(&us, u[2])->link = 4000000000;
		up_at(&us, u[3])->prev = u[3];
		kept = 6;
		break;
	case 1: /* taken off its list to be used, given to nobody yet */
		up_at(&us, u[2])->state = UP_HEAD;
		break;
	case 2: /* closed, not buried */
		up_close(&us, u[2]);
		break;
	case 3: /* its descriptor closed, and no more */
		close(up_at(&us, u[2])->fd);
		break;
	case 4: /* counted in, not filled */
		us.legacy->high++;
		kept = 6;
		break;
	case 5: /* opened, given to nobody yet */
		up_at(&us, u[2])->state = UP_CONNECT;
		break;
	case 6: /* parted from its client, not idle yet */
		up_at(&us, u[2])->state = UP_BODY;
		break;
	case 7: /* with more records than there are */
		us.legacy->high = us.max + 1000;
		kept = 6;
		break;
	}
	crash(UINT32_MAX);
	ck_assert_uint_eq(us.idle[0].count, kept);
	ck_assert_uint_eq(t.kept, 1);
	ck_assert_int_eq(up_of(i)->state, UP_HEAD);
	is_usable();
}
END_TEST

/* What a dying worker may have written into the record of a connection to a peer. */
static void spoil(int how, uint32_t i, uint32_t other)
{
	struct conn *c = conn_at(&cs, i);
	struct up *up = up_of(i);

	switch (how) {
	case 0:
		c->up = 0;
		break;
	case 1:
		c->up = 60;
		break;
	case 2:
		c->up = UINT32_MAX;
		break;
	case 3:
		c->up = conn_at(&cs, other)->up;
		break;
	case 4:
		up->conn = CONN_NONE;
		break;
	case 5:
		up->conn = other;
		break;
	case 6:
		up->conn = CONNS;
		break;
	case 7:
		up->state = UP_IDLE;
		break;
	case 8:
		up->state = UP_FREE;
		break;
	case 9:
		up->state = UP_IDLE + 1;
		break;
	case 10:
		up->state = 255;
		break;
	case 11:
		up->state = UP_RELAY;
		break;
	case 12:
		up->doomed = 1;
		break;
	case 13:
		up->peer = 2;
		break;
	case 14:
		up->peer = UINT32_MAX;
		break;
	case 15:
		up->location = 2;
		break;
	case 16:
		up->method = HTTP_OTHER + 1;
		break;
	case 17:
		up->body = HTTP_BODY_UNTIL_CLOSE + 1;
		break;
	case 18:
		up->in_buf = 0xffffffff;
		break;
	case 19:
		up->in_buf = up_of(other)->in_buf;
		break;
	case 20:
		up->in_buf = c->in_buf;
		break;
	case 21:
		up->in_len = 4097;
		break;
	case 22:
		up->out_len = 1;
		break;
	case 23:
		up->out_off = 1;
		break;
	case 24:
		up->scanned = up->in_len + 1;
		break;
	case 25:
		up->chunk.extra = CHUNK_EXTRA_MAX + 1;
		break;
	case 26:
		up->flags |= 1 << 13;
		break;
	case 27:
		up->flags |= UP_MOVING;
		break;
	case 28:
		up->fd = -1;
		break;
	case 29:
		up->fd = 4000;
		break;
	case 30:
		up->fd = foreign[0];
		break;
	case 31:
		up->fd = c->fd;
		break;
	case 32:
		c->server = 1;
		break;
	case 33:
		conn_row(&cs, i)->state = CONN_IDLE;
		break;
	case 34:
		conn_row(&cs, i)->state = CONN_RELAY;
		break;
	case 35:
		conn_row(&cs, i)->state = 255;
		break;
	case 36:
		c->parts_buf = up->in_buf;
		up->in_buf = BUF_NONE;
		up->in_len = 0;
		break;
	}
}

enum {
	SPOILT = 37
};

/* What it names is looked at, and nothing of others is touched. */
START_TEST(test_spoilt)
{
	uint32_t other = open_exchange(CONN_RELAY, UP_RELAY, 0), i, idle = open_idle(1);

	rig_give(&cs, &up_of(other)->in_buf, &up_of(other)->in_len, "other's");
	i = open_exchange(CONN_RESPOND, UP_HEAD, 1);
	rig_give(&cs, &up_of(i)->in_buf, &up_of(i)->in_len, "HTTP");
	spoil(_i, i, other);
	crash(UINT32_MAX);
	ck_assert_msg(t.kept == 1 && t.lost == 1, "case %d: kept %u, lost %u", _i, t.kept, t.lost);
	ck_assert_int_eq(conn_row(&cs, i)->state, CONN_FREE);
	ck_assert_int_eq(up_of(other)->state, UP_RELAY);
	ck_assert_mem_eq(buf_data(&cs.bufs, up_of(other)->in_buf), "other's", 7);
	ck_assert_int_eq(up_at(&us, idle)->state, UP_IDLE);
	ck_assert_int_eq(fds_seen_by(far_end[0]), 'o');
	ck_assert_int_eq(fds_seen_by(far_end[1]), 'o');
	ck_assert_int_eq(fds_seen_by(far_end[2]), 'o');
	/* Whatever it named, its peer's end is closed. */
	ck_assert_int_eq(fds_seen_by(far_end[4]), 'e');
	is_usable();
}
END_TEST

/* Idle ones that are not what they seem. */
START_TEST(test_spoilt_idle)
{
	uint32_t u = open_idle(0), other = open_idle(0);
	struct up *up = up_at(&us, u);
	uint32_t ignored;

	switch (_i) {
	case 0:
		up->conn = 0;
		break;
	case 1:
		up->peer = 2;
		break;
	case 2:
		rig_give(&cs, &up->in_buf, &ignored, "x");
		break;
	case 3:
		rig_give(&cs, &up->out_buf, &ignored, "x");
		break;
	case 4:
		up->flags |= 1 << 13;
		break;
	case 5:
		up->doomed = 1;
		break;
	}
	crash(UINT32_MAX);
	ck_assert_uint_eq(us.idle[0].count, 1);
	ck_assert_uint_eq(us.idle[0].first, other);
	ck_assert_int_eq(fds_seen_by(far_end[0]), 'e');
	is_usable();
}
END_TEST

int main(void)
{
	Suite *s = suite_create("takeover_up");
	TCase *c = tcase_create("takeover_up");

	tcase_add_checked_fixture(c, set_up, tear_down);
	tcase_add_test(c, test_all_kinds);
	tcase_add_test(c, test_suspect);
	tcase_add_loop_test(c, test_away, 0, 2);
	tcase_add_loop_test(c, test_half_done, 0, 8);
	tcase_add_loop_test(c, test_spoilt, 0, SPOILT);
	tcase_add_loop_test(c, test_spoilt_idle, 0, 6);
	tcase_set_timeout(c, 60);
	suite_add_tcase(s, c);
	return run_suite(s);
}
