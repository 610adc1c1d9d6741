/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tests worker/ending.c and shm/kill.c: which messages pass, and which connections a request ends:
 * those that are in the row that it names, under the id that it names, and no others.
 */
#include "worker/ending.h"

#include <arpa/inet.h>
#include <check.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "worker/errlog.h"

enum {
	CONNS = 16,
	FIRST_ID = 1000,
	WORKER = 0
};

/* Messages. */

static const struct {
	const char *name;
	uint32_t magic, version, worker, count;
	int bytes; /* more than its count asks for */
	bool passes;
} requests[] = {
    {"one", KILL_MAGIC, KILL_VERSION, 3, 1, 0, true},
    {"as many as may be", KILL_MAGIC, KILL_VERSION, 3, KILL_BATCH, 0, true},
    {"none", KILL_MAGIC, KILL_VERSION, 3, 0, 0, false},
    {"one too many", KILL_MAGIC, KILL_VERSION, 3, KILL_BATCH + 1, 0, false},
    {"far too many", KILL_MAGIC, KILL_VERSION, 3, UINT32_MAX, 0, false},
    {"so many that the length is small again", KILL_MAGIC, KILL_VERSION, 3, 0x10000001, 0, false},
    {"another kind", KILL_MAGIC + 1, KILL_VERSION, 3, 1, 0, false},
    {"an older version", KILL_MAGIC, KILL_VERSION - 1, 3, 1, 0, false},
    {"a newer version", KILL_MAGIC, KILL_VERSION + 1, 3, 1, 0, false},
    {"another worker's", KILL_MAGIC, KILL_VERSION, 4, 1, 0, false},
    {"a byte short", KILL_MAGIC, KILL_VERSION, 3, 2, -1, false},
    {"a byte long", KILL_MAGIC, KILL_VERSION, 3, 2, 1, false},
    {"an item short", KILL_MAGIC, KILL_VERSION, 3, 2, -16, false},
};

START_TEST(test_request)
{
	static struct kill_request q[2];
	size_t bytes;

	q->magic = requests[_i].magic;
	q->version = requests[_i].version;
	q->worker = requests[_i].worker;
	q->count = requests[_i].count;
	bytes = (size_t)((int64_t)kill_request_bytes(q->count % 1024) + requests[_i].bytes);
	ck_assert_msg((kill_check_request(q, bytes, 3) == NULL) == requests[_i].passes, "%s",
		      requests[_i].name);
	for (size_t cut = 0; cut < bytes && cut != kill_request_bytes(q->count); cut++)
		ck_assert_msg(kill_check_request(q, cut, 3) != NULL, "%s cut to %zu",
			      requests[_i].name, cut);
}
END_TEST

START_TEST(test_answer)
{
	struct kill_answer a = {.magic = KILL_MAGIC,
				.version = KILL_VERSION,
				.count = 3,
				.ended = 2,
				.result = {KILL_ENDED, KILL_GONE, KILL_ENDED}};
	size_t bytes = kill_answer_bytes(3);

	ck_assert_ptr_null(kill_check_answer(&a, bytes));
	for (size_t cut = 0; cut < bytes; cut++)
		ck_assert_ptr_nonnull(kill_check_answer(&a, cut));
	ck_assert_ptr_nonnull(kill_check_answer(&a, bytes + 1));
	a.ended = 1;
	ck_assert_ptr_nonnull(kill_check_answer(&a, bytes));
	a.ended = 2;
	a.result[1] = 0;
	ck_assert_ptr_nonnull(kill_check_answer(&a, bytes));
	a.result[1] = KILL_RESULTS;
	ck_assert_ptr_nonnull(kill_check_answer(&a, bytes));
	a.result[1] = KILL_CHANGED;
	ck_assert_ptr_null(kill_check_answer(&a, bytes));
	a.count = 0;
	ck_assert_ptr_nonnull(kill_check_answer(&a, kill_answer_bytes(0)));
	a.count = KILL_BATCH + 1;
	ck_assert_ptr_nonnull(kill_check_answer(&a, kill_answer_bytes(KILL_BATCH + 1)));
}
END_TEST

/* Connections. */

static struct location location;
static struct server server = {
    .name = "s", .locations = &location, .locations_count = 1, .log = -1};
static struct listener listener = {.address = "127.0.0.1:1"};
static struct settings settings = {.worker_connections = CONNS,
				   .file_cache = 4,
				   .listeners = &listener,
				   .listeners_count = 1,
				   .servers = &server,
				   .servers_count = 1};
static struct clock now = {.now_us = 500000000};
static struct board board;
static struct arena arena;
static struct conns cs;
static struct ending ending;
static char path[64];

static void end_it(void *arg, uint32_t i)
{
	conn_close(arg, i, CLOSE_KILLED, false);
}

static void set_up(void)
{
	const struct board_sizes sizes = {1, CONNS, 1, 1, 1, 1};
	const struct conns_env env = {&settings, &now, &board, WORKER, FIRST_ID};

	snprintf(path, sizeof path, "/tmp/check_kill.%d", (int)getpid());
	ck_assert_int_eq(board_create(&board, path, &sizes), 0);
	ck_assert_int_eq(arena_create(&arena, "test", conns_room(&settings)), 0);
	ck_assert_int_eq(conns_init(&cs, &env, &arena), 0);
	ending = (struct ending){
	    .fd = -1, .row = WORKER, .uid = getuid(), .cs = &cs, .end = end_it, .arg = &cs};
}

static void tear_down(void)
{
	conns_free(&cs);
	arena_destroy(&arena);
	board_unmap(&board);
	unlink(path);
}

static uint32_t open_conn(void)
{
	struct sockaddr_storage peer = {.ss_family = AF_UNIX};
	const struct conn_origin origin = {.listener = 0, .fd = dup(STDOUT_FILENO), .peer = &peer};
	enum close_reason reason;
	uint32_t i = conn_open(&cs, &origin, &reason);

	ck_assert_uint_ne(i, CONN_NONE);
	return i;
}

static enum kill_result end_one(uint64_t id, uint32_t row, uint32_t state)
{
	static struct kill_request q;
	static struct kill_answer a;

	q = (struct kill_request){
	    .magic = KILL_MAGIC, .version = KILL_VERSION, .worker = WORKER, .count = 1, .token = 9};
	q.item[0] = (struct kill_item){id, row, state};
	ending_obey(&ending, &q, &a);
	ck_assert_uint_eq(a.token, 9);
	ck_assert_ptr_null(kill_check_answer(&a, kill_answer_bytes(a.count)));
	return (enum kill_result)a.result[0];
}

START_TEST(test_by_id)
{
	uint32_t i = open_conn(), k = open_conn();
	uint64_t id = conn_row(&cs, i)->id, other = conn_row(&cs, k)->id;
	int fd = conn_at(&cs, i)->fd;
	struct stat st;

	ck_assert_int_eq(end_one(id + 77, i, 0), KILL_GONE);
	ck_assert_int_eq(end_one(other, i, 0), KILL_GONE);
	ck_assert_int_eq(end_one(id, k, 0), KILL_GONE);
	ck_assert_int_eq(end_one(id, CONNS - 1, 0), KILL_GONE);
	ck_assert_int_eq(end_one(id, UINT32_MAX, 0), KILL_GONE);
	ck_assert_int_eq(end_one(id, i, CONN_IDLE), KILL_CHANGED);
	ck_assert_int_eq(end_one(id, i, CONN_HEAD), KILL_ENDED);
	ck_assert_int_eq(fstat(fd, &st), -1);
	/* Who looks at the row now must not take the number for this connection's. */
	ck_assert_uint_eq(conn_row(&cs, i)->fd, UINT32_MAX);
	ck_assert_int_eq(end_one(id, i, 0), KILL_GONE);
	ck_assert_uint_eq(cs.row->close_killed, 1);
	conns_bury(&cs);
	ck_assert_int_eq(end_one(id, i, 0), KILL_GONE);
	/* The row is another one's now. */
	ck_assert_uint_eq(open_conn(), i);
	ck_assert_int_eq(end_one(id, i, 0), KILL_GONE);
	ck_assert_int_eq(end_one(id, i, CONN_HEAD), KILL_GONE);
	ck_assert_uint_eq(conn_row(&cs, i)->state, CONN_HEAD);
	ck_assert_uint_eq(cs.row->close_killed, 1);
	ck_assert_int_eq(end_one(other, k, 0), KILL_ENDED);
	conns_bury(&cs);
}
END_TEST

/* Whoever has it will be asked. */
START_TEST(test_moving)
{
	static const uint16_t flags[] = {CONN_MOVING, CONN_ARRIVING};
	uint32_t i = open_conn();
	uint64_t id = conn_row(&cs, i)->id;

	for (size_t k = 0; k < 2; k++) {
		conn_at(&cs, i)->flags |= flags[k];
		ck_assert_int_eq(end_one(id, i, 0), KILL_MOVING);
		ck_assert(!conn_at(&cs, i)->doomed);
		conn_at(&cs, i)->flags &= (uint16_t)~flags[k];
	}
	ck_assert_int_eq(end_one(id, i, 0), KILL_ENDED);
	conns_bury(&cs);
}
END_TEST

START_TEST(test_several)
{
	static struct kill_request q;
	static struct kill_answer a;
	uint32_t i = open_conn();
	uint64_t id = conn_row(&cs, i)->id;

	q = (struct kill_request){
	    .magic = KILL_MAGIC, .version = KILL_VERSION, .worker = WORKER, .count = KILL_BATCH};
	for (uint32_t k = 0; k < KILL_BATCH; k++)
		q.item[k] = (struct kill_item){id + k, i + k, 0};
	q.item[5] = q.item[0];
	ending_obey(&ending, &q, &a);
	ck_assert_uint_eq(a.ended, 1);
	ck_assert_uint_eq(a.result[0], KILL_ENDED);
	ck_assert_uint_eq(a.result[5], KILL_GONE);
	ck_assert_uint_eq(a.result[KILL_BATCH - 1], KILL_GONE);
	conns_bury(&cs);
}
END_TEST

/* By a socket: answered, or counted. */
START_TEST(test_socket)
{
	static struct kill_request q;
	static struct kill_answer a;
	int pair[2], on = 1;
	uint32_t i = open_conn();

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair), 0);
	ck_assert_int_eq(setsockopt(pair[0], SOL_SOCKET, SO_PASSCRED, &on, sizeof on), 0);
	ending.fd = pair[0];
	errlog_open(open("/dev/null", O_WRONLY | O_CLOEXEC), ERRLOG_ERROR, 0);
	q = (struct kill_request){
	    .magic = KILL_MAGIC, .version = KILL_VERSION, .worker = WORKER, .count = 1};
	q.item[0] = (struct kill_item){conn_row(&cs, i)->id, i, 0};
	ending_serve(&ending); /* nothing is there */
	ck_assert_int_eq(send(pair[1], &q, 30, 0), 30);
	ending_serve(&ending);
	ck_assert_int_eq(send(pair[1], &q, sizeof q, 0), sizeof q);
	ending_serve(&ending);
	ck_assert_uint_eq(cs.row->gossip, 2);
	ck_assert(!conn_at(&cs, i)->doomed);
	/* Root may in any case. */
	ending.uid = getuid() + 1;
	ck_assert_int_eq(send(pair[1], &q, kill_request_bytes(1), 0),
			 (ssize_t)kill_request_bytes(1));
	ending_serve(&ending);
	ck_assert_uint_eq(cs.row->gossip, getuid() == 0 ? 2 : 3);
	ck_assert_uint_eq(conn_at(&cs, i)->doomed, getuid() == 0);
	ck_assert_int_le(recv(pair[1], &a, sizeof a, MSG_DONTWAIT), (ssize_t)kill_answer_bytes(1));
	close(pair[0]);
	close(pair[1]);
	conns_bury(&cs);
}
END_TEST

static const struct {
	uint32_t magic, version, worker, kind, weight;
	int bytes; /* more than there should be */
	bool endless, passes;
} orders[] = {
    {ORDER_MAGIC, ORDER_VERSION, 3, ORDER_UP, 0, 0, false, true},
    {ORDER_MAGIC, ORDER_VERSION, 3, ORDER_WEIGHT, ORDER_WEIGHT_MOST, 0, false, true},
    {ORDER_MAGIC, ORDER_VERSION, 3, ORDER_WEIGHT, 0, 0, false, true},
    {ORDER_MAGIC, ORDER_VERSION, 3, ORDER_WEIGHT, ORDER_WEIGHT_MOST + 1, 0, false, false},
    {ORDER_MAGIC, ORDER_VERSION, 3, ORDER_DRAIN, 1, 0, false, false},
    {ORDER_MAGIC, ORDER_VERSION, 3, 0, 0, 0, false, false},
    {ORDER_MAGIC, ORDER_VERSION, 3, ORDER_KINDS, 0, 0, false, false},
    {KILL_MAGIC, ORDER_VERSION, 3, ORDER_UP, 0, 0, false, false},
    {ORDER_MAGIC, ORDER_VERSION + 1, 3, ORDER_UP, 0, 0, false, false},
    {ORDER_MAGIC, ORDER_VERSION, 4, ORDER_UP, 0, 0, false, false},
    {ORDER_MAGIC, ORDER_VERSION, 3, ORDER_UP, 0, -1, false, false},
    {ORDER_MAGIC, ORDER_VERSION, 3, ORDER_UP, 0, -200, false, false},
    {ORDER_MAGIC, ORDER_VERSION, 3, ORDER_UP, 0, 0, true, false},
};

START_TEST(test_order_request)
{
	struct order_request q = {.magic = orders[_i].magic,
				  .version = orders[_i].version,
				  .worker = orders[_i].worker,
				  .kind = orders[_i].kind,
				  .weight = orders[_i].weight};

	if (orders[_i].endless)
		memset(q.address, 'x', sizeof q.address);
	ck_assert_int_eq(order_check_request(&q, (size_t)((int)sizeof q + orders[_i].bytes), 3) ==
			     NULL,
			 orders[_i].passes);
}
END_TEST

/* Obeyed for the peer that it names, in time, and for no other. */
START_TEST(test_order)
{
	struct peer_row *row = board_peer(ending.cs->board, 0);
	struct order_request q = {.kind = ORDER_DRAIN, .token = 7, .upstream = "u", .address = "a"};
	struct order_answer a;

	q.until_us = ending.cs->clock->now_us + 1;
	ending_order(&ending, &q, 5, &a);
	ck_assert_uint_eq(a.result, ORDER_GONE);
	row->used = 1;
	memcpy(row->upstream, "u", 2);
	memcpy(row->address, "a", 2);
	ending_order(&ending, &q, 5, &a);
	ck_assert_uint_eq(a.result, ORDER_DONE);
	ck_assert_uint_eq(a.token, 7);
	ck_assert_uint_eq(row->told, PEER_TOLD_DRAIN);
	ck_assert_uint_eq(row->told_uid, 5);
	row->failed_until_us = UINT64_MAX;
	row->fails = row->eject_series = 3;
	q.kind = ORDER_UP;
	ending_order(&ending, &q, 5, &a);
	ck_assert_uint_eq(row->told, PEER_TOLD_NONE);
	ck_assert_uint_eq(row->failed_until_us + row->fails + row->eject_series, 0);
	ck_assert_uint_eq(row->returned_us, ending.cs->clock->now_us);
	q.kind = ORDER_WEIGHT;
	q.weight = 9;
	ending_order(&ending, &q, 5, &a);
	ck_assert_uint_eq(row->told_weight, 10);
	q.kind = ORDER_WEIGHT_DEFAULT;
	q.until_us = ending.cs->clock->now_us - 1;
	ending_order(&ending, &q, 5, &a);
	ck_assert_uint_eq(a.result, ORDER_LATE);
	ck_assert_uint_eq(row->told_weight, 10);
	q.row = UINT32_MAX;
	q.until_us = UINT64_MAX;
	ending_order(&ending, &q, 5, &a);
	ck_assert_uint_eq(a.result, ORDER_GONE);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("kill");
	TCase *t = tcase_create("messages");
	SRunner *runner;
	int failed;

	tcase_add_loop_test(t, test_request, 0, sizeof requests / sizeof requests[0]);
	tcase_add_test(t, test_answer);
	suite_add_tcase(s, t);
	tcase_add_loop_test(t, test_order_request, 0, sizeof orders / sizeof orders[0]);
	t = tcase_create("connections");
	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_test(t, test_by_id);
	tcase_add_test(t, test_moving);
	tcase_add_test(t, test_several);
	tcase_add_test(t, test_order);
	tcase_add_test(t, test_socket);
	suite_add_tcase(s, t);
	runner = srunner_create(s);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
