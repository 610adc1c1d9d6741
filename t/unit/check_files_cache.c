/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tests worker/http/files_cache.c: what is kept of files, for how long, and how little of it there
 * may be.
 */
#include <sys/resource.h>

#include "t/unit/run.h"
#include "t/unit/site.h"

START_TEST(without_cache)
{
	settings.file_cache = 0;
	restart();
	for (int n = 0; n < 3; n++) {
		get("/small.txt", "");
		expect_pattern(200, 0, SMALL);
		get("/big.bin", "");
		expect_pattern(200, 0, BIG);
		get("/none", "");
		expect_status(404);
		pass(1);
	}
	ck_assert_uint_eq(row.file_cache_entries, 0);
	ck_assert_uint_eq(row.file_cache_hits, 0);
	ck_assert_uint_eq(row.file_cache_misses, 9);
	/* The last turn's only. */
	ck_assert_uint_le(open_gauge, 1);
	files_tick(files, &now);
	ck_assert_uint_eq(open_gauge, 0);
}
END_TEST

/* Asking for what is not there pushes nothing out. */
START_TEST(unknown_names)
{
	char target[32];

	get("/small.txt", "");
	get("/big.bin", "");
	for (int i = 0; i < 1000; i++) {
		sprintf(target, "/none%d", i);
		get(target, "");
		expect_status(404);
		pass(10);
	}
	ck_assert_uint_eq(row.file_cache_entries, 2 + 4);
	row.file_cache_misses = 0;
	get("/small.txt", "");
	get("/big.bin", "");
	ck_assert_uint_eq(row.file_cache_misses, 0);
}
END_TEST

/* What was used last stays. */
START_TEST(least_recently_used)
{
	char name[32];

	get("/small.txt", "");
	for (int i = 0; i < 30; i++) {
		sprintf(name, "www/f%d", i);
		write_file(name, "x");
		get(name + 3, "");
		get("/small.txt", "");
		pass(SECOND);
	}
	ck_assert_uint_eq(row.file_cache_entries, 12);
	row.file_cache_misses = 0;
	get("/small.txt", "");
	get("/f29", "");
	get("/f19", "");
	ck_assert_uint_eq(row.file_cache_misses, 0);
	get("/f0", "");
	ck_assert_uint_eq(row.file_cache_misses, 1);
}
END_TEST

START_TEST(idle_is_forgotten)
{
	get("/small.txt", "");
	get("/big.bin", "");
	get("/none", "");
	pass(59 * SECOND);
	files_tick(files, &now);
	ck_assert_uint_eq(row.file_cache_entries, 3);
	get("/small.txt", "");
	pass(2 * SECOND);
	files_tick(files, &now);
	ck_assert_uint_eq(row.file_cache_entries, 1);
	pass(1);
	files_tick(files, &now);
	ck_assert_uint_eq(open_gauge, 0);
	pass(60 * SECOND);
	files_tick(files, &now);
	pass(1);
	files_tick(files, &now);
	ck_assert_uint_eq(row.file_cache_entries, 0);
	/* The location's directory is closed as well. */
	ck_assert_uint_eq(fds_count(), fds_before);
	get("/small.txt", "");
	expect_pattern(200, 0, SMALL);
}
END_TEST

START_TEST(release)
{
	uint32_t busy;

	write_pattern("www/big2.bin", BIG);
	get("/big.bin", "");
	busy = reply.file;
	openfile_ref(&opened, busy);
	get("/big2.bin", "");
	get("/small.txt", "");
	pass(1);
	/* The second file and the directory; not the one that is being sent. */
	ck_assert_uint_eq(files_release(files), 2);
	ck_assert_uint_eq(open_gauge, 1);
	ck_assert_int_eq(fds_count(), fds_before + 1);
	ck_assert_uint_eq(files_release(files), 0);
	get("/big2.bin", "");
	expect_pattern(200, 0, BIG);
	get("/big.bin", "");
	expect_pattern(200, 0, BIG);
	openfile_unref(&opened, busy);
	ck_assert_uint_eq(open_gauge, 2);
}
END_TEST

START_TEST(descriptors_are_short)
{
	struct rlimit limit, tight;
	char name[32];
	int next;

	for (int i = 0; i < 5; i++) {
		sprintf(name, "www/b%d", i);
		write_pattern(name, BIG);
		get(name + 3, "");
	}
	pass(1);
	next = dup(0);
	close(next);
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	tight = limit;
	tight.rlim_cur = (rlim_t)next;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &tight), 0);
	/* The cache gives some back. */
	get("/small.txt", "");
	expect_pattern(200, 0, SMALL);
	ck_assert_uint_eq(open_gauge, 0);
	/* There is nothing to give: nobody lies in the cache for it. */
	tight.rlim_cur = 3;
	restart();
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &tight), 0);
	next = dup(0);
	ck_assert_int_lt(next, 0);
	get("/big.bin", "");
	expect_status(503);
	ck_assert_ptr_nonnull(field("Retry-After"));
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	get("/big.bin", "");
	expect_pattern(200, 0, BIG);
}
END_TEST

/* The table of open files is shorter than the cache. */
START_TEST(table_is_full)
{
	char name[32];

	openfiles_init(&opened, open_memory, 2, &open_gauge);
	for (int i = 0; i < 6; i++) {
		sprintf(name, "www/b%d", i);
		write_pattern(name, BIG);
		get(name + 3, "");
		expect_pattern(200, 0, BIG);
		ck_assert_uint_le(open_gauge, 2);
		pass(1);
	}
	openfile_ref(&opened, reply.file);
	get("/b0", "");
	openfile_ref(&opened, reply.file);
	get("/b1", "");
	expect_status(503);
	get("/small.txt", "");
	expect_pattern(200, 0, SMALL);
	openfile_unref(&opened, 0);
	openfile_unref(&opened, 1);
}
END_TEST

/* Many servers, each with its own tree and the same paths. */
START_TEST(locations_are_apart)
{
	make_folder("www/pictures");
	write_file("www/pictures/small.txt", "other");
	locations[2].alias = NULL;
	locations[2].root = keep(path_of("www/pictures"));
	restart();
	for (int n = 0; n < 2; n++) {
		get("/small.txt", "");
		expect_pattern(200, 0, SMALL);
		ask_at(2, "GET", "/small.txt", "");
		expect_body("other");
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("files_cache");
	TCase *tc = tcase_create("files_cache");

	suite_add_tcase(s, tc);
	tcase_set_timeout(tc, 30);
	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test(tc, without_cache);
	tcase_add_test(tc, unknown_names);
	tcase_add_test(tc, least_recently_used);
	tcase_add_test(tc, idle_is_forgotten);
	tcase_add_test(tc, release);
	tcase_add_test(tc, descriptors_are_short);
	tcase_add_test(tc, table_is_full);
	tcase_add_test(tc, locations_are_apart);
	return run_suite(s);
}
