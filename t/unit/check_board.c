/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tests shm/board.c: the descriptions in the file say what the structs are, rows lie where the
 * descriptions say, and making a board keeps the one before.
 */
#include "shm/board.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shm/reader.h"

static const struct board_sizes sizes = {
    .slots = 3, .conns_per_worker = 70, .listeners = 5, .servers = 7, .upstreams = 2, .peers = 9};
static char dir[64], path[96], prev[112];
static struct board board;
static struct reader *reader;

static void set_up(void)
{
	char why[256] = "";

	strcpy(dir, "/tmp/drover-board-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/%s", dir, BOARD_FILE);
	snprintf(prev, sizeof(prev), "%s.prev", path);
	ck_assert_int_eq(board_create(&board, path, &sizes), 0);
	reader = reader_open(path, why, sizeof(why));
	ck_assert_msg(reader != NULL, "%s", why);
}

static void tear_down(void)
{
	reader_close(reader);
	board_unmap(&board);
	unlink(path);
	unlink(prev);
	ck_assert_msg(rmdir(dir) == 0, "something is left in %s", dir);
}

/* What fields.h says, once more, with the compiler's offsets. */
struct expected {
	const char *name, *unit, *help, *advice;
	unsigned kind, level;
	size_t elem, bytes, offset;
};

#define EXPECTED(knd, type, nam, dim, uni, lev, hlp, adv) \
	{#nam,                                            \
	 uni,                                             \
	 hlp,                                             \
	 adv,                                             \
	 BOARD_##knd,                                     \
	 BOARD_##lev,                                     \
	 sizeof(type),                                    \
	 sizeof(((struct ROW *)0)->nam),                  \
	 offsetof(struct ROW, nam)},

#define ROW master_row
static const struct expected master_expected[] = {MASTER_FIELDS(EXPECTED)};
#undef ROW
#define ROW worker_row
static const struct expected worker_expected[] = {WORKER_FIELDS(EXPECTED)};
#undef ROW
#define ROW listener_row
static const struct expected listener_expected[] = {LISTENER_FIELDS(EXPECTED)};
#undef ROW
#define ROW server_row
static const struct expected server_expected[] = {SERVER_FIELDS(EXPECTED)};
#undef ROW
#define ROW listener_traffic_row
static const struct expected listener_traffic_expected[] = {LISTENER_TRAFFIC_FIELDS(EXPECTED)};
#undef ROW
#define ROW server_traffic_row
static const struct expected server_traffic_expected[] = {SERVER_TRAFFIC_FIELDS(EXPECTED)};
#undef ROW
#define ROW upstream_row
static const struct expected upstream_expected[] = {UPSTREAM_FIELDS(EXPECTED)};
#undef ROW
#define ROW upstream_traffic_row
static const struct expected upstream_traffic_expected[] = {UPSTREAM_TRAFFIC_FIELDS(EXPECTED)};
#undef ROW
#define ROW peer_row
static const struct expected peer_expected[] = {PEER_FIELDS(EXPECTED)};
#undef ROW
#define ROW peer_address_row
static const struct expected peer_address_expected[] = {PEER_ADDRESS_FIELDS(EXPECTED)};
#undef ROW
#define ROW peer_traffic_row
static const struct expected peer_traffic_expected[] = {PEER_TRAFFIC_FIELDS(EXPECTED)};
#undef ROW
#define ROW conn_row
static const struct expected conn_expected[] = {CONN_FIELDS(EXPECTED)};
#undef ROW

#define TABLE(nam, fields, grouped, hlp)                                           \
	{#nam, nam##_expected, sizeof(nam##_expected) / sizeof(nam##_expected[0]), \
	 sizeof(struct nam##_row)},

static const struct {
	const char *name;
	const struct expected *fields;
	size_t count, bytes;
} tables[] = {BOARD_TABLES(TABLE)};

START_TEST(test_description)
{
	const struct board_table *t = reader_table(reader, tables[_i].name);

	ck_assert_ptr_nonnull(t);
	ck_assert_uint_eq(t->fields, tables[_i].count);
	ck_assert_uint_ge(t->stride, tables[_i].bytes);
	ck_assert_uint_lt(t->stride, tables[_i].bytes + 64);
	ck_assert_uint_eq(t->stride % 64, 0);
	ck_assert_uint_eq(t->offset % 64, 0);
	for (size_t i = 0; i < tables[_i].count; i++) {
		const struct expected *e = &tables[_i].fields[i];
		const struct board_field *f = reader_field(reader, t, e->name);

		ck_assert_msg(f != NULL, "%s", e->name);
		ck_assert_msg(f->offset == e->offset && f->elem == e->elem &&
				  f->elem * f->count == e->bytes && f->kind == e->kind &&
				  f->level == e->level,
			      "%s.%s", t->name, e->name);
		ck_assert_str_eq(f->unit, e->unit);
		ck_assert_str_eq(f->help, e->help);
		ck_assert_str_eq(f->advice, e->advice);
	}
}
END_TEST

/* Every name is there once: a reader takes the first. */
START_TEST(test_names_are_unique)
{
	const struct board_table *t = reader_table(reader, tables[_i].name);

	for (uint32_t i = 0; i < t->fields; i++) {
		const struct board_field *f = reader_field_at(reader, t, i);

		ck_assert_msg(reader_field(reader, t, f->name) == f, "%s twice", f->name);
		if (f->kind == BOARD_ENUM)
			ck_assert_str_ne(reader_enum_text(reader, f->unit, 0), "?");
	}
}
END_TEST

START_TEST(test_room)
{
	ck_assert_uint_eq(reader_table(reader, "worker")->rows, 3 * BOARD_HALVES);
	ck_assert_uint_eq(reader_table(reader, "conn")->rows, 3 * BOARD_HALVES * 70);
	ck_assert_uint_eq(reader_table(reader, "conn")->group_rows, 70);
	ck_assert_uint_eq(reader_table(reader, "listener")->group_rows, 0);
	ck_assert_uint_eq(reader_table(reader, "server_traffic")->rows, 3 * BOARD_HALVES * 7);
	ck_assert_uint_eq(reader_table(reader, "upstream")->rows, 2);
	ck_assert_uint_eq(reader_table(reader, "peer")->rows, 9);
	ck_assert_uint_eq(reader_table(reader, "peer_traffic")->group_rows, 9);
	ck_assert_uint_eq(reader_table(reader, "peer_traffic")->rows, 3 * BOARD_HALVES * 9);
}
END_TEST

static uint64_t read_back(const char *table, uint32_t row, const char *field)
{
	struct reader_row copy = {0};
	uint64_t value;

	ck_assert_int_eq(reader_copy(reader, reader_table(reader, table), row, &copy), READER_OK);
	value = reader_row_u64(&copy, field);
	reader_row_free(&copy);
	return value;
}

/* What goes in by the accessors comes out by name and row. */
START_TEST(test_accessors)
{
	struct conn_row *conn = (struct conn_row *)(void *)((char *)board_conns(&board, 5) +
							    (size_t)69 * board.conn_stride);

	board.master->generation = 11;
	board_worker(&board, 5)->requests = 12;
	board_listener(&board, 4)->queue = 13;
	board_server(&board, 6)->used = 14;
	board_listener_traffic(&board, 5, 4)->accepts = 15;
	board_server_traffic(&board, 5, 6)->bytes_out = 16;
	board_upstream(&board, 1)->turn = 18;
	board_peer(&board, 8)->active = 19;
	board_peer_traffic(&board, 5, 8)->reused = 20;
	conn->id = 17;
	conn->state = CONN_LINGER;
	ck_assert_uint_eq(read_back("master", 0, "generation"), 11);
	ck_assert_uint_eq(read_back("worker", 5, "requests"), 12);
	ck_assert_uint_eq(read_back("listener", 4, "queue"), 13);
	ck_assert_uint_eq(read_back("server", 6, "used"), 14);
	ck_assert_uint_eq(read_back("listener_traffic", 5 * 5 + 4, "accepts"), 15);
	ck_assert_uint_eq(read_back("server_traffic", 5 * 7 + 6, "bytes_out"), 16);
	ck_assert_uint_eq(read_back("upstream", 1, "turn"), 18);
	ck_assert_uint_eq(read_back("peer", 8, "active"), 19);
	ck_assert_uint_eq(read_back("peer_traffic", 5 * 9 + 8, "reused"), 20);
	ck_assert_uint_eq(read_back("conn", 5 * 70 + 69, "id"), 17);
	ck_assert_uint_eq(read_back("conn", 5 * 70 + 69, "state"), CONN_LINGER);
	ck_assert_uint_eq(read_back("conn", 0, "id"), 0);
}
END_TEST

START_TEST(test_row_out_of_range)
{
	board_worker(&board, 3 * BOARD_HALVES);
}
END_TEST

START_TEST(test_counters)
{
	uint64_t word = 40;
	uint32_t seq = UINT32_MAX - 1;

	board_add(&word, 2);
	ck_assert_uint_eq(word, 42);
	board_set(&word, 7);
	ck_assert_uint_eq(word, 7);
	board_write_begin(&seq);
	ck_assert_uint_eq(seq & 1, 1);
	board_write_end(&seq);
	ck_assert_uint_eq(seq, 0);
	/* Its writer died in the middle: the next one's updates are odd all the same. */
	seq = 41;
	board_write_begin(&seq);
	ck_assert_uint_eq(seq, 43);
	board_write_end(&seq);
	ck_assert_uint_eq(seq, 44);
}
END_TEST

START_TEST(test_shared)
{
	uint64_t word = 40;

	ck_assert_uint_eq(board_shared_add(&word, 2), 40);
	ck_assert_uint_eq(board_shared_add(&word, -UINT64_C(1)), 42);
	ck_assert_uint_eq(board_shared_get(&word), 41);
	ck_assert_uint_eq(board_shared_set(&word, 7), 41);
	ck_assert_uint_eq(word, 7);
}
END_TEST

/* What a dead worker had in hand is taken off once; what others have stays. */
START_TEST(test_bury)
{
	strcpy(board_peer(&board, 3)->address, "127.0.0.1:80");
	board_peer(&board, 3)->active = 7;
	board_peer_traffic(&board, 5, 3)->active = 4;
	board_peer_traffic(&board, 5, 3)->open = 6;
	board_peer_traffic(&board, 5, 3)->idle = 2;
	board_peer_traffic(&board, 5, 3)->requests = 100;
	board_peer_traffic(&board, 4, 3)->active = 3;
	board_bury_peers(&board, 5);
	board_bury_peers(&board, 5);
	ck_assert_uint_eq(board_peer(&board, 3)->active, 3);
	ck_assert_uint_eq(board_peer_traffic(&board, 5, 3)->open, 0);
	ck_assert_uint_eq(board_peer_traffic(&board, 5, 3)->idle, 0);
	ck_assert_uint_eq(board_peer_traffic(&board, 5, 3)->requests, 100);
	ck_assert_uint_eq(board_peer_traffic(&board, 4, 3)->active, 3);
}
END_TEST

/* A board without upstreams is a board. */
START_TEST(test_no_upstreams)
{
	static const struct board_sizes few = {
	    .slots = 1, .conns_per_worker = 1, .listeners = 1, .servers = 1};
	struct board other;
	struct reader *r;
	char why[256] = "";

	ck_assert_int_eq(board_create(&other, path, &few), 0);
	r = reader_open(path, why, sizeof(why));
	ck_assert_msg(r != NULL, "%s", why);
	ck_assert_uint_eq(reader_table(r, "peer_traffic")->rows, 0);
	board_bury_peers(&other, 0);
	reader_close(r);
	board_unmap(&other);
}
END_TEST

START_TEST(test_mode_is_not_the_umask)
{
	struct board other;
	struct stat st;

	umask(0777);
	ck_assert_int_eq(board_create(&other, path, &sizes), 0);
	umask(022);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_int_eq(st.st_mode & 07777, 0640);
	board_unmap(&other);
}
END_TEST

/* The board before is kept with all it says; an open reader notices. */
START_TEST(test_previous)
{
	struct board second;
	struct reader *old;
	char why[256] = "";

	board.master->generation = 99;
	ck_assert(!reader_stale(reader));
	ck_assert_int_eq(board_create(&second, path, &sizes), 0);
	ck_assert(reader_stale(reader));
	ck_assert_uint_eq(second.master->generation, 0);
	board_unmap(&second);
	old = reader_open(prev, why, sizeof(why));
	ck_assert_msg(old != NULL, "%s", why);
	reader_close(reader);
	reader = old;
	ck_assert_uint_eq(read_back("master", 0, "generation"), 99);
	ck_assert_int_eq(board_create(&second, path, &sizes), 0);
	board_unmap(&second);
}
END_TEST

/* What fails leaves the board that is there alone. */
START_TEST(test_failure)
{
	static const struct board_sizes none = {.slots = 1, .conns_per_worker = 0, 1, 1, 1, 1};
	static const struct board_sizes many = {UINT32_MAX, UINT32_MAX, 1, 1, 1, 1};
	struct board other;
	char too_long[PATH_MAX + 8];

	ck_assert_int_eq(board_create(&other, path, &none), -1);
	ck_assert_int_eq(errno, EINVAL);
	ck_assert_int_eq(board_create(&other, path, &many), -1);
	ck_assert_int_eq(errno, EOVERFLOW);
	ck_assert_int_eq(board_create(&other, "/nonexistent/drover.board", &sizes), -1);
	ck_assert_int_eq(errno, ENOENT);
	memset(too_long, 'x', sizeof(too_long));
	too_long[sizeof(too_long) - 1] = '\0';
	ck_assert_int_eq(board_create(&other, too_long, &sizes), -1);
	ck_assert_int_eq(errno, ENAMETOOLONG);
	ck_assert(!reader_stale(reader));
}
END_TEST

/* Rows are sparse: room for many connections costs nothing until they come. */
START_TEST(test_sparse)
{
	static const struct board_sizes large = {16, 65536, 64, 64, 1, 1};
	struct board other;
	struct stat st;

	ck_assert_int_eq(board_create(&other, path, &large), 0);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_gt((uint64_t)st.st_size, (uint64_t)300 << 20);
	ck_assert_uint_lt((uint64_t)st.st_blocks * 512, 1 << 20);
	board_unmap(&other);
}
END_TEST

START_TEST(test_names)
{
	ck_assert_str_eq(conn_state_name(CONN_IDLE), "idle");
	ck_assert_str_eq(conn_state_name(CONN_STATES_COUNT), "?");
	ck_assert_str_eq(worker_state_name(WORKER_DRAINING), "draining");
	ck_assert_str_eq(worker_state_name(UINT_MAX), "?");
	for (unsigned i = 0; i < CONN_STATES_COUNT; i++)
		ck_assert_str_eq(conn_state_name(i), reader_enum_text(reader, "conn_state", i));
	for (unsigned i = 0; i < WORKER_STATES_COUNT; i++)
		ck_assert_str_eq(worker_state_name(i), reader_enum_text(reader, "worker_state", i));
}
END_TEST

#define TABLES (sizeof(tables) / sizeof(tables[0]))

int main(void)
{
	Suite *s = suite_create("board");
	TCase *c = tcase_create("board");
	SRunner *r;
	int bad;

	tcase_add_checked_fixture(c, set_up, tear_down);
	tcase_add_loop_test(c, test_description, 0, TABLES);
	tcase_add_loop_test(c, test_names_are_unique, 0, TABLES);
	tcase_add_test(c, test_room);
	tcase_add_test(c, test_accessors);
	tcase_add_test(c, test_counters);
	tcase_add_test(c, test_shared);
	tcase_add_test(c, test_bury);
	tcase_add_test(c, test_no_upstreams);
	tcase_add_test(c, test_mode_is_not_the_umask);
	tcase_add_test(c, test_previous);
	tcase_add_test(c, test_failure);
	tcase_add_test(c, test_sparse);
	tcase_add_test(c, test_names);
	suite_add_tcase(s, c);
	if (getenv("CK_FORK") == NULL || strcmp(getenv("CK_FORK"), "no") != 0) {
		c = tcase_create("misuse");
		tcase_add_unchecked_fixture(c, set_up, tear_down);
		tcase_add_test_raise_signal(c, test_row_out_of_range, 6);
		suite_add_tcase(s, c);
	}
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	bad = srunner_ntests_failed(r) + (srunner_ntests_run(r) == 0);
	srunner_free(r);
	return bad != 0;
}
