/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tests worker/conn.c: the moves between states, each state's deadline, which deadline is due,
 * records that are used again, limits by address, the row that readers see, min_rate, and what is
 * evicted. The clock is the test's.
 */
#include "worker/conn.h"

#include <arpa/inet.h>
#include <check.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	CONNS = 64,
	START_US = 500000000
};

static struct location location;
static struct server servers[2] = {
    {.name = "other", .locations = &location, .locations_count = 1, .log = -1},
    {.name = "s", .locations = &location, .locations_count = 1, .log = -1}};
static struct listener listeners[2] = {{.address = "127.0.0.1:1"},
				       {.address = "127.0.0.1:2", .row = 1, .default_server = 1}};
static struct settings settings = {.worker_connections = CONNS,
				   .file_cache = 4,
				   .listeners = listeners,
				   .listeners_count = 2,
				   .servers = servers,
				   .servers_count = 2};
static struct clock now = {.now_us = START_US};
static struct board board;
static struct arena arena;
static struct conns cs;
static char path[64];

static void begin(void)
{
	const struct board_sizes sizes = {1, CONNS, 2, 2, 1, 1};
	const struct conns_env env = {&settings, &now, &board, 0, 1000};

	now.now_us = START_US;
	snprintf(path, sizeof path, "/tmp/check_conn.%d", (int)getpid());
	ck_assert_int_eq(board_create(&board, path, &sizes), 0);
	ck_assert_int_eq(arena_create(&arena, "test", conns_room(&settings)), 0);
	ck_assert_int_eq(conns_init(&cs, &env, &arena), 0);
}

static void set_up(void)
{
	settings.max_conns_per_address = 0;
	servers[1].deadlines = (struct deadline_settings){.min_rate = 240};
	for (int d = 0; d < DEADLINES_COUNT; d++)
		servers[1].deadlines.at_us[d] = (uint64_t)(d + 1) * 1000000;
	servers[1].deadlines.at_us[DEADLINE_REQUEST] = 0;
	servers[1].deadlines.at_us[DEADLINE_MAX_AGE] = 0;
	begin();
}

static void tear_down(void)
{
	conns_free(&cs);
	arena_destroy(&arena);
	board_unmap(&board);
	unlink(path);
}

static uint32_t open_from(const char *address, enum close_reason *reason)
{
	struct sockaddr_storage peer = {0};
	struct sockaddr_in *in = (struct sockaddr_in *)&peer;
	const struct conn_origin origin = {.listener = 1, .fd = dup(1), .peer = &peer};
	uint32_t i;

	in->sin_family = AF_INET;
	in->sin_port = htons(4711);
	ck_assert_int_eq(inet_pton(AF_INET, address, &in->sin_addr), 1);
	i = conn_open(&cs, &origin, reason);
	if (i == CONN_NONE)
		close(origin.fd);
	return i;
}

static uint32_t open_one(void)
{
	enum close_reason reason;
	uint32_t i = open_from("192.0.2.7", &reason);

	ck_assert_uint_ne(i, CONN_NONE);
	return i;
}

static void go(uint32_t i, const enum conn_state *states)
{
	for (; *states != CONN_FREE; states++) {
		uint32_t seq = conn_row(&cs, i)->seq;

		conn_set_state(&cs, i, *states);
		/* State, stamp and deadline are one update. */
		ck_assert_uint_eq(conn_row(&cs, i)->seq, seq + 2);
	}
}

START_TEST(test_row)
{
	uint32_t i = open_one();
	const struct conn_row *row = conn_row(&cs, i);
	static const uint8_t mapped[16] = {[10] = 0xff, 0xff, 192, 0, 2, 7};

	ck_assert_int_eq(row->state, CONN_HEAD);
	ck_assert_uint_eq(row->id, 1000);
	ck_assert_uint_eq(row->listener, 1);
	ck_assert_uint_eq(conn_at(&cs, i)->listener, 1);
	ck_assert_uint_eq(conn_at(&cs, i)->server, 1);
	ck_assert_mem_eq(row->peer, mapped, 16);
	ck_assert_uint_eq(row->port, 4711);
	ck_assert_uint_eq(row->family, 4);
	ck_assert_uint_eq(row->accepted_us, START_US);
	ck_assert_uint_eq(row->seq % 2, 0);
	ck_assert_uint_eq(cs.row->conns, 1);
	ck_assert_uint_eq(cs.row->accepts, 1);
	ck_assert_uint_eq(cs.row->conns_high, 1);
}
END_TEST

/* Every state's deadline, from the moment that it is come into. */
static const struct {
	enum conn_state path[4];
	enum deadline deadline;
} deadline_rows[] = {
    {{CONN_FREE}, DEADLINE_HEADER},
    {{CONN_BODY, CONN_FREE}, DEADLINE_BODY},
    {{CONN_RESPOND, CONN_SEND, CONN_FREE}, DEADLINE_SEND},
    {{CONN_RESPOND, CONN_IDLE, CONN_FREE}, DEADLINE_IDLE},
    {{CONN_RESPOND, CONN_LINGER, CONN_FREE}, DEADLINE_LINGER},
    {{CONN_RESPOND, CONN_RELAY, CONN_FREE}, DEADLINE_RELAY_IDLE},
};

START_TEST(test_deadline)
{
	uint32_t i = open_one();
	enum deadline d = deadline_rows[_i].deadline;

	now.now_us += 250000;
	if (deadline_rows[_i].path[0] != CONN_FREE)
		go(i, deadline_rows[_i].path);
	else
		now.now_us -= 250000;
	ck_assert_uint_eq(conn_row(&cs, i)->deadline_us,
			  now.now_us + servers[1].deadlines.at_us[d]);
	now.now_us += servers[1].deadlines.at_us[d] - 1;
	ck_assert_int_eq(conn_due(&cs, i), DEADLINES_COUNT);
	now.now_us += 1;
	ck_assert_int_eq(conn_due(&cs, i), d);
}
END_TEST

/* The request's own deadline is never exceeded by that of a state inside it. */
START_TEST(test_request_deadline)
{
	static const enum conn_state to_send[] = {CONN_RESPOND, CONN_SEND, CONN_FREE};
	uint32_t i = open_one();

	servers[1].deadlines.at_us[DEADLINE_REQUEST] = 3000000;
	conn_row(&cs, i)->request_us = now.now_us;
	now.now_us += 500000;
	go(i, to_send);
	ck_assert_uint_eq(conn_row(&cs, i)->deadline_us, START_US + 3000000);
	now.now_us = START_US + 3000000;
	ck_assert_int_eq(conn_due(&cs, i), DEADLINE_REQUEST);
}
END_TEST

/* Nor by that of its head, which on a new connection began before the request. */
START_TEST(test_request_deadline_in_head)
{
	static const enum conn_state to_idle[] = {CONN_RESPOND, CONN_IDLE, CONN_FREE};
	uint64_t header;
	uint32_t i;

	servers[1].deadlines.at_us[DEADLINE_HEADER] = 8000000;
	servers[1].deadlines.at_us[DEADLINE_REQUEST] = 3000000;
	header = START_US + 8000000;
	i = open_one();
	ck_assert_uint_eq(conn_row(&cs, i)->deadline_us, header);
	now.now_us += 4000000;
	ck_assert_int_eq(conn_due(&cs, i), DEADLINES_COUNT);
	conn_begin_request(&cs, i);
	ck_assert_uint_eq(conn_row(&cs, i)->deadline_us, now.now_us + 3000000);
	now.now_us += 3000000;
	ck_assert_int_eq(conn_due(&cs, i), DEADLINE_REQUEST);
	/* What is left of the head's time counts if it is less. */
	i = open_one();
	header = now.now_us + 8000000;
	now.now_us += 6000000;
	conn_begin_request(&cs, i);
	ck_assert_uint_eq(conn_row(&cs, i)->deadline_us, header);
	now.now_us = header;
	ck_assert_int_eq(conn_due(&cs, i), DEADLINE_HEADER);
	/* A later request has both from its first byte. */
	i = open_one();
	conn_begin_request(&cs, i);
	go(i, to_idle);
	conn_row(&cs, i)->request_us = 0;
	now.now_us += 500000;
	conn_set_state(&cs, i, CONN_HEAD);
	conn_begin_request(&cs, i);
	ck_assert_uint_eq(conn_row(&cs, i)->deadline_us, now.now_us + 3000000);
}
END_TEST

START_TEST(test_max_age)
{
	static const enum conn_state to_idle[] = {CONN_RESPOND, CONN_IDLE, CONN_FREE};
	uint32_t i;

	servers[1].deadlines.at_us[DEADLINE_MAX_AGE] = 1000000;
	servers[1].deadlines.at_us[DEADLINE_IDLE] = 60000000;
	for (int k = 0; k < 30; k++) {
		i = open_one();
		ck_assert_uint_ge(conn_at(&cs, i)->max_age_us, START_US + 900000);
		ck_assert_uint_le(conn_at(&cs, i)->max_age_us, START_US + 1100000);
	}
	ck_assert_uint_ne(conn_at(&cs, 0)->max_age_us, conn_at(&cs, 1)->max_age_us);
	go(i, to_idle);
	now.now_us += 1200000;
	ck_assert_int_eq(conn_due(&cs, i), DEADLINE_MAX_AGE);
	/* Whoever asked a moment ago may be about to ask again. */
	i = open_one();
	now.now_us += 1099999;
	go(i, to_idle);
	now.now_us += 999999;
	ck_assert_int_eq(conn_due(&cs, i), DEADLINES_COUNT);
	now.now_us += 1;
	ck_assert_int_eq(conn_due(&cs, i), DEADLINE_MAX_AGE);
}
END_TEST

/* The table of moves: each pair, by what must be allowed. */
START_TEST(test_moves)
{
	static const char *const allowed =
	    "free>handshake free>head handshake>head handshake>free idle>head idle>linger "
	    "idle>free head>body head>respond head>free body>respond body>free respond>send "
	    "respond>body respond>idle respond>relay respond>linger respond>free send>respond "
	    "send>idle "
	    "send>linger "
	    "send>free relay>linger relay>free linger>free ";

	for (int a = 0; a < CONN_STATES_COUNT; a++) {
		for (int b = 0; b < CONN_STATES_COUNT; b++) {
			char pair[64];
			bool want;

			snprintf(pair, sizeof pair, "%s>%s ", conn_state_name((unsigned)a),
				 conn_state_name((unsigned)b));
			want = strstr(allowed, pair) != NULL;
			ck_assert_msg(conn_move_allowed((enum conn_state)a, (enum conn_state)b) ==
					  want,
				      "%s", pair);
		}
	}
}
END_TEST

START_TEST(test_forbidden_move)
{
	conn_set_state(&cs, open_one(), CONN_SEND);
}
END_TEST

START_TEST(test_used_again)
{
	uint32_t first = open_one(), again;
	uint64_t id = conn_row(&cs, first)->id;

	conn_close(&cs, first, CLOSE_CLIENT, false);
	conn_close(&cs, first, CLOSE_ERROR, false);
	ck_assert_uint_eq(cs.row->close_client, 1);
	ck_assert_uint_eq(cs.row->close_error, 0);
	ck_assert_int_eq(conn_row(&cs, first)->state, CONN_HEAD);
	conns_bury(&cs);
	ck_assert_int_eq(conn_row(&cs, first)->state, CONN_FREE);
	ck_assert_uint_eq(cs.row->conns, 0);
	again = open_one();
	ck_assert_uint_eq(again, first);
	ck_assert_uint_gt(conn_row(&cs, again)->id, id);
	ck_assert_uint_eq(cs.row->conns_high, 1);
}
END_TEST

START_TEST(test_full)
{
	enum close_reason reason;

	for (int k = 0; k < CONNS; k++)
		(void)open_one();
	ck_assert(!conns_have_room(&cs));
	ck_assert_uint_eq(open_from("192.0.2.8", &reason), CONN_NONE);
	ck_assert_int_eq(reason, CLOSE_NO_ROOM);
	conn_close(&cs, 5, CLOSE_CLIENT, false);
	conns_bury(&cs);
	ck_assert_uint_eq(open_one(), 5);
}
END_TEST

START_TEST(test_address_limit)
{
	enum close_reason reason;
	uint32_t a;

	tear_down();
	settings.max_conns_per_address = 2;
	begin();
	a = open_from("192.0.2.1", &reason);
	ck_assert_uint_ne(a, CONN_NONE);
	ck_assert_uint_ne(open_from("192.0.2.1", &reason), CONN_NONE);
	ck_assert_uint_eq(open_from("192.0.2.1", &reason), CONN_NONE);
	ck_assert_int_eq(reason, CLOSE_ADDRESS_LIMIT);
	ck_assert_uint_ne(open_from("192.0.2.2", &reason), CONN_NONE);
	conn_close(&cs, a, CLOSE_CLIENT, false);
	conns_bury(&cs);
	ck_assert_uint_ne(open_from("192.0.2.1", &reason), CONN_NONE);
	ck_assert_uint_eq(open_from("192.0.2.1", &reason), CONN_NONE);
}
END_TEST

START_TEST(test_min_rate)
{
	uint32_t i = open_one();

	servers[1].deadlines.at_us[DEADLINE_MIN_RATE] = 5000000;
	conn_set_state(&cs, i, CONN_BODY);
	now.now_us += 4999999;
	ck_assert(!conn_too_slow(&cs, i, 0));
	now.now_us += 1;
	ck_assert(!conn_too_slow(&cs, i, 5 * 240));
	now.now_us += 5000000;
	ck_assert(!conn_too_slow(&cs, i, 10 * 240));
	now.now_us += 5000000;
	/* A fast beginning does not excuse a slow end. */
	ck_assert(conn_too_slow(&cs, i, 15 * 240 - 1));
	servers[1].deadlines.min_rate = 0;
	now.now_us += 50000000;
	ck_assert(!conn_too_slow(&cs, i, 0));
}
END_TEST

START_TEST(test_timer)
{
	uint32_t i = open_one();
	static const enum conn_state to_idle[] = {CONN_RESPOND, CONN_IDLE, CONN_FREE};

	conn_settle(&cs, i);
	ck_assert_uint_ge(timer_at(&cs.timer, i), conn_row(&cs, i)->deadline_us);
	go(i, to_idle);
	servers[1].deadlines.at_us[DEADLINE_IDLE] = 500000;
	conn_extend(&cs, i);
	conn_settle(&cs, i);
	ck_assert_uint_ge(timer_at(&cs.timer, i), now.now_us + 500000);
	ck_assert_uint_lt(timer_at(&cs.timer, i), now.now_us + 600000);
	conn_close(&cs, i, CLOSE_CLIENT, false);
	conns_bury(&cs);
	ck_assert_uint_eq(timer_at(&cs.timer, i), 0);
}
END_TEST

START_TEST(test_evict)
{
	static const enum conn_state to_idle[] = {CONN_RESPOND, CONN_IDLE, CONN_FREE};

	for (int k = 0; k < 6; k++) {
		go(open_one(), to_idle);
		now.now_us += 1000000;
	}
	(void)open_one();
	ck_assert_uint_eq(conns_evict_idle(&cs, 2), 2);
	ck_assert(conn_at(&cs, 0)->doomed && conn_at(&cs, 1)->doomed && !conn_at(&cs, 2)->doomed);
	conns_bury(&cs);
	ck_assert_uint_eq(conns_evict_idle(&cs, 100), 4);
	conns_bury(&cs);
	ck_assert_uint_eq(cs.row->conns, 1);
	ck_assert_uint_eq(cs.row->close_no_room, 6);
}
END_TEST

/* A process that died left rows behind: its successor begins with none. */
START_TEST(test_successor)
{
	for (int k = 0; k < 3; k++)
		(void)open_one();
	conns_free(&cs);
	arena_destroy(&arena);
	{
		const struct conns_env env = {&settings, &now, &board, 0, 5000};

		ck_assert_int_eq(arena_create(&arena, "test", conns_room(&settings)), 0);
		ck_assert_int_eq(conns_init(&cs, &env, &arena), 0);
	}
	ck_assert_uint_eq(cs.row->conns, 0);
	ck_assert_uint_eq(cs.row->accepts, 3);
	ck_assert_int_eq(conn_row(&cs, 1)->state, CONN_FREE);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("conn");
	TCase *c = tcase_create("conn");
	SRunner *r;
	int bad;

	tcase_add_checked_fixture(c, set_up, tear_down);
	tcase_add_test(c, test_row);
	tcase_add_loop_test(c, test_deadline, 0, sizeof deadline_rows / sizeof deadline_rows[0]);
	tcase_add_test(c, test_request_deadline);
	tcase_add_test(c, test_request_deadline_in_head);
	tcase_add_test(c, test_max_age);
	tcase_add_test(c, test_moves);
	if (getenv("CK_FORK") == NULL)
		tcase_add_test_raise_signal(c, test_forbidden_move, SIGABRT);
	tcase_add_test(c, test_used_again);
	tcase_add_test(c, test_full);
	tcase_add_test(c, test_address_limit);
	tcase_add_test(c, test_min_rate);
	tcase_add_test(c, test_timer);
	tcase_add_test(c, test_evict);
	tcase_add_test(c, test_successor);
	suite_add_tcase(s, c);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	bad = srunner_ntests_failed(r) + (srunner_ntests_run(r) == 0);
	srunner_free(r);
	return bad != 0;
}
