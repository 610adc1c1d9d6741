/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tests worker/http/files.c and files_load.c: what is sent of a file, and what becomes of it when
 * it changes.
 */
#include <sys/wait.h>

#include "t/unit/run.h"
#include "t/unit/site.h"

START_TEST(small_file)
{
	get("/small.txt", "");
	expect_pattern(200, 0, SMALL);
	ck_assert_int_eq(reply.body, REPLY_BYTES);
	ck_assert(reply.ready);
	ck_assert_str_eq(field("Content-Type"), "text/plain; charset=utf-8");
	ck_assert_str_eq(field("Last-Modified"), "Sun, 06 Nov 1994 08:49:37 GMT");
	ck_assert_str_eq(field("ETag"), "\"3e8-ae1b981bc490a00\"");
	ck_assert_str_eq(field("Accept-Ranges"), "bytes");
	ck_assert_ptr_null(field("Vary"));
	ck_assert_ptr_null(field("Cache-Control"));
	ck_assert_ptr_null(field("Content-Encoding"));
	ck_assert_uint_eq(row.file_cache_misses, 1);
	ck_assert_uint_eq(row.file_cache_hits, 0);
	ck_assert_uint_eq(row.file_cache_entries, 1);
	get("/small.txt?query=1", "");
	expect_pattern(200, 0, SMALL);
	ck_assert(reply.ready);
	ck_assert_uint_eq(row.file_cache_misses, 1);
	ck_assert_uint_eq(row.file_cache_hits, 1);
	/* No descriptor is held for it. */
	ck_assert_uint_eq(open_gauge, 0);
}
END_TEST

START_TEST(big_file)
{
	get("/big.bin", "");
	expect_pattern(200, 0, BIG);
	ck_assert_int_eq(reply.body, REPLY_FILE);
	ck_assert(!reply.ready);
	ck_assert_str_eq(field("Content-Type"), "application/octet-stream");
	ck_assert_uint_eq(open_gauge, 1);
	get("/big.bin", "");
	expect_pattern(200, 0, BIG);
	ck_assert_uint_eq(open_gauge, 1);
	ck_assert_uint_eq(row.file_cache_hits, 1);
}
END_TEST

/* On both sides of what is kept in memory. */
START_TEST(sizes)
{
	static const size_t size[] = {0, 1, 16383, 16384, 16385};

	write_pattern("www/x", size[_i]);
	for (int n = 0; n < 2; n++) {
		get("/x", "");
		expect_pattern(200, 0, size[_i]);
		ck_assert(reply.ready == (size[_i] <= 16384));
		ask_at(1, "HEAD", "/x", "");
		expect_status(200);
		ck_assert_int_eq(reply.body, REPLY_EMPTY);
		ck_assert(!reply.ready);
		ck_assert_uint_eq((size_t)atoll(field("Content-Length")), size[_i]);
	}
	ck_assert_uint_eq(open_gauge, size[_i] > 16384);
}
END_TEST

START_TEST(head_only)
{
	char first[1024];

	for (int n = 0; n < 2; n++) {
		get("/big.bin", "");
		memcpy(first, reply.head, reply.head_len);
		ask_at(1, "HEAD", "/big.bin", "Range: bytes=0-1");
		ck_assert(memcmp(first, reply.head, reply.head_len) == 0);
		expect_status(200);
		ck_assert_uint_eq(body_len, 0);
	}
}
END_TEST

START_TEST(date_moves)
{
	get("/small.txt", "");
	expect_status(200);
	/* The second turns while the entry is still good. */
	pass(900000);
	get("/small.txt", "");
	expect_status(200);
	pass(600000);
	get("/small.txt", "");
	expect_status(200);
	pass(30 * SECOND);
	get("/small.txt", "");
	expect_pattern(200, 0, SMALL);
	ck_assert_uint_eq(row.file_cache_misses, 1);
}
END_TEST

START_TEST(changed_in_place)
{
	char etag[64];

	write_file("www/x.html", "one");
	get("/x.html", "");
	expect_body("one");
	strcpy(etag, field("ETag"));
	write_file("www/x.html", "two");
	set_time("www/x.html", 784111778);
	pass(999999);
	get("/x.html", "");
	expect_body("one");
	pass(1);
	get("/x.html", "");
	expect_body("two");
	ck_assert_str_ne(field("ETag"), etag);
	ck_assert_uint_eq(row.file_cache_misses, 2);
	/* The same times and size: the change of the inode tells. */
	write_file("www/x.html", "six");
	set_time("www/x.html", 784111778);
	pass(SECOND);
	get("/x.html", "");
	expect_body("six");
	ck_assert_uint_eq(row.file_cache_entries, 1);
}
END_TEST

/* A file changed within the second of its loading is loaded again once more. */
START_TEST(young_file)
{
	write_file("www/x", "one");
	set_time("www/x", now.real_s);
	get("/x", "");
	expect_body("one");
	pass(SECOND);
	get("/x", "");
	ck_assert_uint_eq(row.file_cache_misses, 2);
	pass(SECOND);
	get("/x", "");
	ck_assert_uint_eq(row.file_cache_misses, 3);
	pass(SECOND);
	get("/x", "");
	ck_assert_uint_eq(row.file_cache_misses, 3);
	ck_assert_ptr_nonnull(field("Last-Modified"));
	/* From the future: no date at all. */
	set_time("www/x", now.real_s + 100);
	pass(SECOND);
	get("/x", "If-Modified-Since: Fri, 31 Dec 9999 23:59:59 GMT");
	expect_body("one");
	ck_assert_ptr_null(field("Last-Modified"));
	ck_assert_ptr_nonnull(field("ETag"));
}
END_TEST

START_TEST(replaced_while_sent)
{
	uint32_t old;

	get("/big.bin", "");
	old = reply.file;
	openfile_ref(&opened, old);
	write_file("www/new", "new");
	ck_assert_int_eq(rename(path_of("www/new"), path_of("www/big.bin")), 0);
	pass(SECOND);
	get("/big.bin", "");
	expect_body("new");
	pass(SECOND);
	files_tick(files, &now);
	/* The connection that sends it still can. */
	ck_assert_uint_eq(open_gauge, 1);
	body_len = 0;
	carry_file(old, 0, BIG);
	ck_assert(is_pattern(body, 0, BIG));
	openfile_unref(&opened, old);
	ck_assert_uint_eq(open_gauge, 0);
}
END_TEST

/* The memory of an answer outlives the entry until the end of the turn. */
START_TEST(replaced_in_the_turn)
{
	struct reply first;
	char name[32];

	get("/small.txt", "");
	first = reply;
	for (int i = 0; i < 40; i++) {
		sprintf(name, "www/f%d", i);
		write_file(name, "x");
		get(name + 3, "");
		expect_body("x");
	}
	ck_assert_uint_eq(row.file_cache_entries, 12);
	ck_assert(is_pattern(first.bytes, 0, SMALL));
	ck_assert(memcmp(first.head, "HTTP/1.1 200 OK\r\n", 17) == 0);
}
END_TEST

START_TEST(shrunk)
{
	get("/big.bin", "");
	expect_pattern(200, 0, BIG);
	ck_assert_int_eq(truncate(path_of("www/big.bin"), 50000), 0);
	pass(SECOND);
	get("/big.bin", "");
	expect_pattern(200, 0, 50000);
	ck_assert_int_eq(truncate(path_of("www/big.bin"), 10), 0);
	pass(SECOND);
	get("/big.bin", "");
	expect_pattern(200, 0, 10);
	ck_assert(reply.ready);
}
END_TEST

/* A log, say: it grows between any two looks at it. */
START_TEST(never_still)
{
	int fd, status = -1;
	pid_t writer;

	write_file("www/log", "x");
	writer = fork();
	if (writer == 0) {
		fd = open(path_of("www/log"), O_WRONLY | O_APPEND | O_CLOEXEC);
		for (int i = 0; i < 16000; i++)
			if (write(fd, "x", 1) != 1)
				_exit(1);
		_exit(0);
	}
	do {
		get("/log", "");
		expect_status(200);
		ck_assert_uint_eq(strspn(body, "x"), body_len);
		pass(SECOND);
	} while (waitpid(writer, &status, WNOHANG) == 0);
	ck_assert_int_eq(status, 0);
	get("/log", "");
	ck_assert_uint_eq(body_len, 16001);
	ck_assert_uint_eq(row.file_errors, 0);
}
END_TEST

START_TEST(removed_and_back)
{
	get("/small.txt", "");
	ck_assert_int_eq(unlink(path_of("www/small.txt")), 0);
	pass(SECOND);
	get("/small.txt", "");
	expect_status(404);
	write_file("www/small.txt", "back");
	get("/small.txt", "");
	expect_status(404);
	pass(SECOND);
	get("/small.txt", "");
	expect_body("back");
}
END_TEST

START_TEST(no_leave)
{
	make_folder("www/closed");
	write_file("www/closed/x", "x");
	ck_assert_int_eq(chmod(path_of("www/closed"), 0), 0);
	get("/small.txt", "");
	ck_assert_int_eq(chmod(path_of("www/small.txt"), 0), 0);
	pass(SECOND);
	as_nobody(true);
	get("/small.txt", "");
	expect_status(403);
	get("/small.txt", "");
	expect_status(403);
	get("/closed/x", "");
	expect_status(403);
	get("/closed/", "");
	expect_status(403);
	as_nobody(false);
	ck_assert_int_eq(chmod(path_of("www/small.txt"), 0644), 0);
	ck_assert_int_eq(chmod(path_of("www/closed"), 0755), 0);
	pass(SECOND);
	get("/small.txt", "");
	expect_pattern(200, 0, SMALL);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("files");
	TCase *tc = tcase_create("files");

	suite_add_tcase(s, tc);
	tcase_set_timeout(tc, 30);
	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test(tc, small_file);
	tcase_add_test(tc, big_file);
	tcase_add_loop_test(tc, sizes, 0, 5);
	tcase_add_test(tc, head_only);
	tcase_add_test(tc, date_moves);
	tcase_add_test(tc, changed_in_place);
	tcase_add_test(tc, young_file);
	tcase_add_test(tc, replaced_while_sent);
	tcase_add_test(tc, replaced_in_the_turn);
	tcase_add_test(tc, shrunk);
	tcase_add_test(tc, never_still);
	tcase_add_test(tc, removed_and_back);
	tcase_add_test(tc, no_leave);
	return run_suite(s);
}
