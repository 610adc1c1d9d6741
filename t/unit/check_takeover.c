/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tests worker/takeover.c: from records of all kinds in an arena lists, timers, buffers, open
 * files, addresses and gauges are made anew; records that a crash has spoilt are dropped, whatever
 * is wrong with them, and do no harm; strays are closed.
 */
#include "worker/takeover.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "t/unit/fds.h"
#include "t/unit/rig.h"
#include "t/unit/run.h"

enum {
	CONNS = 64,
	START_US = 500000000,
	UNSERVED_US = 3000000
};

static struct location location;
static struct server servers[2] = {
    {.name = "other", .locations = &location, .locations_count = 1, .log = -1},
    {.name = "s", .locations = &location, .locations_count = 1, .log = -1}};
static struct listener listeners[2] = {{.address = "127.0.0.1:1"},
				       {.address = "127.0.0.1:2", .row = 1, .default_server = 1}};
static struct settings settings = {.worker_connections = CONNS,
				   .max_conns_per_address = 1000,
				   .file_cache = 4,
				   .listeners = listeners,
				   .listeners_count = 2,
				   .servers = servers,
				   .servers_count = 2};
static struct clock now;
static struct board board;
static struct arena arena;
static struct conns cs;
static struct takeover t;
static int peer[CONNS];  /* other ends, by record */
static int foreign[100]; /* what the test program has open besides */
static uint32_t foreign_count;

static void set_up(void)
{
	const struct board_sizes sizes = {1, CONNS, 2, 2, 1, 1};
	const struct conns_env env = {&settings, &now, &board, 0, (uint64_t)5 << 32};

	now.now_us = START_US;
	for (int d = 0; d < DEADLINES_COUNT; d++)
		servers[1].deadlines.at_us[d] = (uint64_t)(d + 1) * 1000000;
	servers[1].deadlines.at_us[DEADLINE_REQUEST] = 0;
	servers[1].deadlines.at_us[DEADLINE_MAX_AGE] = 0;
	servers[1].deadlines.min_rate = 240;
	rig_board(&board, &sizes);
	rig_make(&cs, NULL, &arena, &env);
	foreign_count = 0;
	for (int fd = 3; fd < 100; fd++) {
		if (fds_is_open(fd))
			foreign[foreign_count++] = fd;
	}
}

static void tear_down(void)
{
	rig_free(&cs, &arena);
	board_unmap(&board);
}

static uint32_t open_one(void)
{
	struct sockaddr_storage from = {0};
	struct sockaddr_in *in = (struct sockaddr_in *)&from;
	enum close_reason reason;
	struct conn_origin origin = {.listener = 1, .peer = &from};
	int far_end;
	uint32_t i;

	in->sin_family = AF_INET;
	in->sin_port = htons(4711);
	ck_assert_int_eq(inet_pton(AF_INET, "192.0.2.7", &in->sin_addr), 1);
	origin.fd = fds_pair(&far_end);
	i = conn_open(&cs, &origin, &reason);
	ck_assert_uint_ne(i, CONN_NONE);
	peer[i] = far_end;
	conn_settle(&cs, i);
	return i;
}

static uint32_t open_in(enum conn_state state)
{
	uint32_t i = open_one();
	struct conn *c = conn_at(&cs, i);

	if (state == CONN_HEAD)
		return i;
	if (state == CONN_BODY) {
		rig_give(&cs, &c->in_buf, &c->in_len, "POST / HTTP/1.1\r\n\r\n");
		c->head_len = c->in_len;
		conn_set_state(&cs, i, CONN_BODY);
	} else {
		conn_set_state(&cs, i, CONN_RESPOND);
		conn_set_state(&cs, i, state);
	}
	conn_settle(&cs, i);
	return i;
}

/* A download: something to send, then a file. */
static uint32_t open_download(int *file_fd)
{
	uint32_t i = open_in(CONN_SEND);
	struct conn *c = conn_at(&cs, i);

	*file_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	rig_give(&cs, &c->out_buf, &c->out_len, "HTTP/1.1 200 OK\r\n\r\n");
	c->out_off = 3;
	c->file = openfile_add(&cs.files, *file_fd);
	c->file_off = 10;
	c->file_left = 1000;
	return i;
}

/* What the standby has: its heap is as it was when it was cloned, at the very beginning. */
static void crash(uint32_t touched)
{
	const struct conns_env env = {&settings, &now, &board, 0, (uint64_t)5 << 32};
	uint32_t high = cs.row->conns_high;
	struct conns stale = cs;

	cs.row->touching = touched + 1;
	conns_free(&cs);
	stale.next_id = env.first_id;
	stale.free = stale.doomed = stale.ready = 7;
	stale.addrs = addrs_new(CONNS);
	memset(stale.timer.head, 5, sizeof stale.timer.head);
	stale.files.high = stale.files.free = 1;
	for (int k = 0; k < BUF_CLASSES; k++)
		stale.bufs.of[k].high = stale.bufs.of[k].free = 0;
	cs = stale;
	now.now_us += UNSERVED_US;
	takeover_rebuild(&cs, UNSERVED_US, &t);
	ck_assert_uint_eq(cs.row->conns_high, high);
	ck_assert_uint_eq(cs.row->touching, 0);
}

static void close_strays(int more)
{
	int mine[sizeof foreign / sizeof foreign[0] + CONNS + 1];
	uint32_t count = 0;

	for (; count < foreign_count; count++)
		mine[count] = foreign[count];
	for (int k = 0; k < CONNS; k++)
		mine[count++] = peer[k];
	mine[count++] = more;
	takeover_close_strays(&cs, mine, count);
}

/* Every record is free, or in one of the right states; a new one can be opened and closed in each
 * place that is free, and buffers can be taken until there are none. */
static void is_usable(void)
{
	uint32_t opened[CONNS], n = 0, kept = t.kept, buf, bufs = 0;

	ck_assert_uint_eq(cs.row->conns, kept);
	while (conns_have_room(&cs)) {
		ck_assert_uint_lt(n, CONNS);
		opened[n++] = open_one();
	}
	ck_assert_uint_eq(n + kept, CONNS);
	while ((buf = buf_take(&cs.bufs, 1)) != BUF_NONE)
		memset(buf_data(&cs.bufs, buf), ++bufs & 1, buf_size(&cs.bufs, buf));
	ck_assert_uint_gt(bufs, CONNS);
	for (uint32_t k = 0; k < n; k++)
		conn_close(&cs, opened[k], CLOSE_CLIENT, false);
	conns_bury(&cs);
	ck_assert_uint_eq(cs.row->conns, kept);
	for (uint32_t i = 0; i < cs.row->conns_high; i++)
		conn_close(&cs, i, CLOSE_CLIENT, false);
}

START_TEST(test_all_kinds)
{
	static const enum conn_state states[] = {CONN_IDLE, CONN_HEAD, CONN_BODY, CONN_SEND,
						 CONN_LINGER};
	enum {
		KINDS = sizeof states / sizeof states[0]
	};
	uint64_t deadline[KINDS];
	uint32_t i[KINDS], gone, late, download;
	int file_fd, cached_fd = open("/dev/null", O_RDONLY);

	gone = open_in(CONN_IDLE);
	for (int k = 0; k < KINDS; k++)
		i[k] = open_in(states[k]);
	download = open_download(&file_fd);
	ck_assert_uint_ne(openfile_add(&cs.files, cached_fd), OPENFILE_NONE);
	late = open_one();
	conn_close(&cs, gone, CLOSE_CLIENT, false);
	conn_close(&cs, late, CLOSE_CLIENT, false);
	conns_bury(&cs);
	for (int k = 0; k < KINDS; k++)
		deadline[k] = conn_row(&cs, i[k])->deadline_us;
	conn_ready(&cs, i[1]);
	conn_row(&cs, i[0])->seq++; /* in the middle of an update */
	cs.row->conns = 99;
	cs.row->conns_idle = 98;
	cs.row->fds = 97;
	crash(UINT32_MAX);

	ck_assert_uint_eq(t.kept, KINDS + 1);
	ck_assert_uint_eq(t.lost + t.away, 0);
	ck_assert_uint_eq(t.suspect, 0);
	for (int k = 0; k < KINDS; k++) {
		ck_assert_int_eq(conn_row(&cs, i[k])->state, states[k]);
		ck_assert_uint_eq(conn_row(&cs, i[k])->deadline_us, deadline[k] + UNSERVED_US);
		ck_assert_uint_ne(timer_at(&cs.timer, i[k]), 0);
		ck_assert_uint_ge(timer_at(&cs.timer, i[k]), now.now_us);
		ck_assert_int_eq(fds_seen_by(peer[i[k]]), 'o');
		ck_assert_uint_ne(conn_at(&cs, i[k])->addr_cell, ADDR_NONE);
		ck_assert_int_eq(conn_at(&cs, i[k])->flags & CONN_READY, 0);
	}
	ck_assert_uint_eq(conn_row(&cs, i[0])->seq & 1, 0);
	ck_assert_uint_eq(cs.row->conns, KINDS + 1);
	ck_assert_uint_eq(cs.row->conns_idle, 1);
	ck_assert_uint_eq(board_listener_traffic(&board, 0, 1)->conns, KINDS + 1);
	/* Sockets and the one file that is being sent; what was only cached is a stray. */
	ck_assert_uint_eq(cs.row->fds, KINDS + 2);
	ck_assert_int_eq(openfile_fd(&cs.files, conn_at(&cs, download)->file), file_fd);
	ck_assert_uint_eq(cs.files.file[conn_at(&cs, download)->file].refs, 1);
	ck_assert_uint_eq(cs.row->buffers, 2 * 4096);
	ck_assert_int_eq(memcmp(buf_data(&cs.bufs, conn_at(&cs, download)->out_buf), "HTTP", 4), 0);
	/* Ids go on behind the last one, though that connection is gone. */
	ck_assert_uint_eq(cs.next_id, ((uint64_t)5 << 32) + KINDS + 3);
	/* The lowest free record is used first. */
	ck_assert_uint_eq(open_one(), gone < late ? gone : late);
	t.kept++;
	is_usable();
}
END_TEST

/* Ids of other workers do not take this one's further. */
START_TEST(test_foreign_ids)
{
	uint32_t i = open_in(CONN_IDLE);

	conn_row(&cs, i)->id = (uint64_t)9 << 32 | 5;
	crash(UINT32_MAX);
	ck_assert_uint_eq(t.kept, 1);
	ck_assert_uint_eq(cs.next_id, (uint64_t)5 << 32);
}
END_TEST

START_TEST(test_suspect)
{
	uint32_t before = open_in(CONN_IDLE), i = open_in(CONN_SEND), after = open_in(CONN_IDLE);
	uint64_t id = conn_row(&cs, i)->id;

	memset(conn_row(&cs, i)->request, 'x', sizeof conn_row(&cs, i)->request);
	crash(i);
	ck_assert_uint_eq(t.kept, 2);
	ck_assert_uint_eq(t.lost, 1);
	ck_assert_uint_eq(t.suspect, id);
	ck_assert_uint_eq(strlen(t.request), sizeof t.request - 1);
	ck_assert_int_eq(t.row.port, 4711);
	ck_assert_int_eq(conn_row(&cs, i)->state, CONN_FREE);
	ck_assert_uint_eq(cs.row->close_lost, 1);
	ck_assert_int_eq(fds_seen_by(peer[i]), 'e');
	ck_assert_int_eq(fds_seen_by(peer[before]), 'o');
	ck_assert_int_eq(fds_seen_by(peer[after]), 'o');
	is_usable();
}
END_TEST

/* One that another worker has, or will have: not a word to the peer. */
START_TEST(test_away)
{
	uint16_t flag = _i == 0 ? CONN_MOVING : CONN_ARRIVING;
	uint32_t i = open_in(CONN_IDLE);
	int other = dup(conn_at(&cs, i)->fd), mine = conn_at(&cs, i)->fd;

	conn_at(&cs, i)->flags |= flag;
	crash(UINT32_MAX);
	ck_assert_uint_eq(t.kept + t.lost, 0);
	ck_assert_uint_eq(t.away, 1);
	ck_assert(!fds_is_open(mine));
	ck_assert_int_eq(fds_seen_by(peer[i]), 'o');
	ck_assert_int_eq(send(other, "x", 1, 0), 1);
	ck_assert_uint_eq(cs.row->close_moved, 1);
	is_usable();
}
END_TEST

/* Closed already, not yet buried: its number may be anybody's by now. */
START_TEST(test_doomed)
{
	uint32_t i = open_in(CONN_IDLE), other = open_in(CONN_IDLE);

	conn_close(&cs, i, CLOSE_CLIENT, false);
	crash(UINT32_MAX);
	ck_assert_uint_eq(t.kept, 1);
	ck_assert_uint_eq(t.lost, 0);
	ck_assert_uint_eq(cs.row->close_client, 1);
	ck_assert_uint_eq(cs.row->close_lost, 0);
	ck_assert_int_eq(fds_seen_by(peer[other]), 'o');
	is_usable();
}
END_TEST

/* What a dying worker may have written into a record. */
static void spoil(int how, uint32_t i, uint32_t other)
{
	struct conn *c = conn_at(&cs, i);
	struct conn_row *row = conn_row(&cs, i);

	switch (how) {
	case 0:
		row->state = CONN_RESPOND;
		break;
	case 1:
		row->state = CONN_STATES_COUNT;
		break;
	case 2:
		row->state = 255;
		break;
	case 3:
		row->state = CONN_HANDSHAKE;
		break;
	case 4:
		c->server = 2;
		break;
	case 5:
		c->server = UINT32_MAX;
		break;
	case 6:
		c->listener = 2;
		break;
	case 7:
		row->listener = 7;
		break;
	case 8:
		c->in_buf = 0xffffffff;
		break;
	case 9:
		c->in_buf = 4u << 28;
		break;
	case 10:
		c->in_buf = 1u << 28 | 0x0fffffff;
		break;
	case 11:
		c->in_buf = conn_at(&cs, other)->in_buf;
		break;
	case 12:
		c->in_len = 4097;
		break;
	case 13:
		c->in_len = UINT32_MAX;
		break;
	case 14:
		c->head_len = c->in_len + 1;
		break;
	case 15:
		c->head_len = 0;
		break;
	case 16:
		c->scanned = 1;
		break;
	case 17:
		c->out_off = 1;
		break;
	case 18:
		c->out_len = 1;
		break;
	case 19:
		c->parts_buf = 3u << 28;
		break;
	case 20:
		c->file = 0;
		break;
	case 21:
		c->file = UINT32_MAX - 1;
		break;
	case 22:
		c->file_left = 1;
		break;
	case 23:
		c->fd = -1;
		break;
	case 24:
		c->fd = 1000000;
		break;
	case 25:
		c->fd = conn_at(&cs, other)->fd;
		break;
	case 26:
		c->flags |= CONN_QUEUED; /* in a state in which nobody waits */
		break;
	case 27:
		c->chunk.extra = UINT16_MAX;
		break;
	case 28:
		row->fd = (uint32_t)(c->fd = open("/dev/null", O_RDONLY));
		break;
	case 29:
		c->out_buf = c->in_buf;
		break;
	case 30: /* in a queue that there is not */
		row->state = CONN_RESPOND;
		c->flags |= CONN_QUEUED;
		c->queued.upstream = 7;
		break;
	default:
		ck_abort();
	}
}

enum {
	SPOILS = 31
};

START_TEST(test_spoilt)
{
	uint32_t other = open_in(CONN_BODY), i = open_in(CONN_BODY), last = open_in(CONN_BODY);
	int fd = conn_at(&cs, i)->fd;
	uint32_t in_buf = conn_at(&cs, i)->in_buf;

	spoil(_i, i, other);
	crash(UINT32_MAX);
	ck_assert_msg(t.kept == 2 && t.lost == 1, "spoil %d: %u kept, %u lost", _i, t.kept, t.lost);
	ck_assert_int_eq(conn_row(&cs, i)->state, CONN_FREE);
	ck_assert_int_eq(conn_row(&cs, other)->state, CONN_BODY);
	ck_assert_int_eq(conn_row(&cs, last)->state, CONN_BODY);
	ck_assert_int_eq(fds_seen_by(peer[other]), 'o');
	ck_assert_int_eq(fds_seen_by(peer[last]), 'o');
	ck_assert(fds_is_open(2));
	ck_assert_uint_eq(cs.row->buffers, 2 * 4096);
	/* Its descriptor is gone, or a stray. */
	close_strays(-1);
	ck_assert(!fds_is_open(fd));
	ck_assert_int_eq(fds_seen_by(peer[i]), 'e');
	ck_assert_int_eq(fds_seen_by(peer[other]), 'o');
	ck_assert_uint_ne(conn_at(&cs, other)->in_buf, in_buf);
	is_usable();
}
END_TEST

/* All of it, over and over: nothing but the records that are whole goes on, and nothing dies. */
START_TEST(test_noise)
{
	unsigned seed = (unsigned)_i * 2654435761u + 1;

	for (int k = 0; k < 20; k++)
		(void)open_in(k % 3 == 0 ? CONN_IDLE : k % 3 == 1 ? CONN_BODY : CONN_LINGER);
	for (int k = 0; k < 200; k++) {
		uint32_t i = (uint32_t)rand_r(&seed) % 20;
		char *bytes = rand_r(&seed) % 2 == 0 ? (char *)conn_at(&cs, i)
						     : (char *)conn_row(&cs, i);
		size_t size = bytes == (char *)conn_at(&cs, i) ? sizeof(struct conn)
							       : sizeof(struct conn_row);

		bytes[(size_t)rand_r(&seed) % size] = (char)rand_r(&seed);
	}
	crash((uint32_t)rand_r(&seed) % 21);
	ck_assert_uint_le(t.kept + t.lost + t.away, 20);
	close_strays(-1);
	ck_assert(fds_is_open(1) && fds_is_open(2));
	is_usable();
}
END_TEST

START_TEST(test_strays)
{
	int file_fd, stray = fcntl(1, F_DUPFD, 500), mine = fcntl(1, F_DUPFD, 600);
	uint32_t i = open_download(&file_fd);

	crash(UINT32_MAX);
	close_strays(mine);
	ck_assert(!fds_is_open(stray));
	ck_assert(fds_is_open(mine));
	ck_assert(fds_is_open(file_fd));
	ck_assert(fds_is_open(conn_at(&cs, i)->fd));
	ck_assert(fds_is_open(0) && fds_is_open(1) && fds_is_open(2));
	ck_assert_int_eq(fds_seen_by(peer[i]), 'o');
}
END_TEST

int main(void)
{
	Suite *s = suite_create("takeover");
	TCase *c = tcase_create("takeover");

	tcase_add_checked_fixture(c, set_up, tear_down);
	tcase_add_test(c, test_all_kinds);
	tcase_add_test(c, test_foreign_ids);
	tcase_add_test(c, test_suspect);
	tcase_add_loop_test(c, test_away, 0, 2);
	tcase_add_test(c, test_doomed);
	tcase_add_loop_test(c, test_spoilt, 0, SPOILS);
	tcase_add_loop_test(c, test_noise, 0, 50);
	tcase_add_test(c, test_strays);
	suite_add_tcase(s, c);
	return run_suite(s);
}
