/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tests worker/buf.c: buffers are distinct, of at least the size asked for, run out cleanly, and
 * the pages of those that a second did not need go back to the system.
 */
#include "worker/buf.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

enum {
	CONNS = 100
};

static struct arena arena;
static struct worker_row row;
static struct bufs bufs;

static void set_up(void)
{
	row = (struct worker_row){0};
	ck_assert_int_eq(arena_create(&arena, "test", bufs_room(CONNS)), 0);
	ck_assert_int_eq(bufs_init(&bufs, &arena, CONNS, &row), 0);
}

static void tear_down(void)
{
	arena_destroy(&arena);
}

static uint64_t blocks(void)
{
	struct stat st;

	ck_assert_int_eq(fstat(arena.fd, &st), 0);
	return (uint64_t)st.st_blocks * 512;
}

static const size_t sizes[] = {1, 4096, 4097, 16384, 16385, 65536 + 4096};

START_TEST(test_sizes)
{
	uint32_t a = buf_take(&bufs, sizes[_i]), b = buf_take(&bufs, sizes[_i]);

	ck_assert_uint_ne(a, BUF_NONE);
	ck_assert_uint_ne(b, BUF_NONE);
	ck_assert_uint_ge(buf_size(&bufs, a), sizes[_i]);
	memset(buf_data(&bufs, a), 'a', buf_size(&bufs, a));
	memset(buf_data(&bufs, b), 'b', buf_size(&bufs, b));
	ck_assert_int_eq(buf_data(&bufs, a)[buf_size(&bufs, a) - 1], 'a');
	ck_assert_int_eq(buf_data(&bufs, a)[0], 'a');
	ck_assert_uint_eq(row.buffers, buf_size(&bufs, a) + buf_size(&bufs, b));
	buf_drop(&bufs, &a);
	buf_drop(&bufs, &b);
	ck_assert_uint_eq(a, BUF_NONE);
	ck_assert_uint_eq(row.buffers, 0);
	buf_drop(&bufs, &a);
}
END_TEST

START_TEST(test_too_large)
{
	ck_assert_uint_eq(buf_take(&bufs, (size_t)buf_most(&bufs) + 1), BUF_NONE);
	ck_assert_uint_eq(row.buffer_failures, 1);
}
END_TEST

/* When a size is used up a larger one serves, and when all are, none does. */
START_TEST(test_run_out)
{
	enum {
		MOST = 1000
	};
	uint32_t taken[MOST], n = 0, again;

	while ((taken[n] = buf_take(&bufs, 10)) != BUF_NONE)
		ck_assert_uint_lt(++n, MOST);
	ck_assert_uint_ge(n, 4 * CONNS - CONNS / 2);
	for (uint32_t i = 0; i < n; i++)
		memcpy(buf_data(&bufs, taken[i]), &i, sizeof i);
	for (uint32_t i = 0; i < n; i++)
		ck_assert_mem_eq(buf_data(&bufs, taken[i]), &i, sizeof i);
	again = taken[n / 2];
	buf_drop(&bufs, &taken[n / 2]);
	ck_assert_uint_eq(buf_take(&bufs, 10), again);
}
END_TEST

START_TEST(test_trim)
{
	uint32_t taken[CONNS];
	uint64_t used;

	for (int i = 0; i < CONNS; i++) {
		taken[i] = buf_take(&bufs, 4096);
		memset(buf_data(&bufs, taken[i]), 1, 4096);
	}
	used = blocks();
	ck_assert_uint_ge(used, CONNS * 4096);
	for (int i = 0; i < CONNS; i++)
		buf_drop(&bufs, &taken[i]);
	bufs_trim(&bufs);
	/* The first trim only begins the second in which they are not needed. */
	ck_assert_uint_eq(row.buffers_resident, CONNS * 4096);
	taken[0] = buf_take(&bufs, 4096);
	memset(buf_data(&bufs, taken[0]), 1, 4096);
	bufs_trim(&bufs);
	ck_assert_uint_eq(row.buffers_resident, 4096);
	/* One page more: that of the stack of free chunks. */
	ck_assert_uint_le(blocks(), used - (CONNS - 2) * 4096);
	/* What comes again works. */
	taken[1] = buf_take(&bufs, 4096);
	ck_assert_int_eq(buf_data(&bufs, taken[1])[17], 0);
	ck_assert_uint_eq(row.buffers_resident, 2 * 4096);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("buf");
	TCase *c = tcase_create("buf");
	SRunner *r;
	int bad;

	tcase_add_checked_fixture(c, set_up, tear_down);
	tcase_add_loop_test(c, test_sizes, 0, sizeof sizes / sizeof sizes[0]);
	tcase_add_test(c, test_too_large);
	tcase_add_test(c, test_run_out);
	tcase_add_test(c, test_trim);
	suite_add_tcase(s, c);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	bad = srunner_ntests_failed(r) + (srunner_ntests_run(r) == 0);
	srunner_free(r);
	return bad != 0;
}
