/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tests worker/http/mime.c: the built-in table, a file over it, and lines that are none.
 */
#include "worker/http/mime.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ROWS(table) (int)(sizeof(table) / sizeof((table)[0]))
#define FALLBACK    "application/octet-stream"

static struct {
	const char *name;
	const char *want;
} built_in[] = {
    {"index.html", "text/html; charset=utf-8"},
    {"a/b/INDEX.HTML", "text/html; charset=utf-8"},
    {"x.css", "text/css; charset=utf-8"},
    {"x.min.js", "text/javascript; charset=utf-8"},
    {"x.json", "application/json"},
    {"x.svg", "image/svg+xml"},
    {"x.woff2", "font/woff2"},
    {"x.tar.gz", "application/gzip"},
    {"x.wasm", "application/wasm"},
    {"README", FALLBACK},
    {"x.", FALLBACK},
    {"", FALLBACK},
    {".", FALLBACK},
    {".html", FALLBACK},
    {"a/.html", FALLBACK},
    {"a.html/b", FALLBACK},
    {"x.unheard-of", FALLBACK},
    {"x.aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", FALLBACK},
};

START_TEST(built_in_type)
{
	struct mime *m = mime_load(NULL);
	const char *name = built_in[_i].name;

	ck_assert_ptr_nonnull(m);
	ck_assert_str_eq(mime_type(m, name, strlen(name), FALLBACK), built_in[_i].want);
	mime_free(m);
}
END_TEST

static struct mime *load(const char *text)
{
	char path[] = "/tmp/check_mime.XXXXXX";
	int fd = mkstemp(path);
	struct mime *m;

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, strlen(text)), (int)strlen(text));
	close(fd);
	m = mime_load(path);
	unlink(path);
	ck_assert_ptr_nonnull(m);
	return m;
}

static void expect(const struct mime *m, const char *name, const char *want)
{
	ck_assert_pstr_eq(mime_type(m, name, strlen(name), NULL), want);
}

START_TEST(file_over_table)
{
	struct mime *m = load("# comment\n"
			      "\n"
			      "application/x-mine\t\tMine other # trailing\n"
			      "text/x-page html\n"
			      "text/empty\n"
			      "not-a-type bad1\n"
			      "evil/ty\x01pe bad2\n"
			      "evil/type\xc3\xa4 bad3\n"
			      "a/b/c bad4\n"
			      "application/last last");

	expect(m, "x.mine", "application/x-mine");
	expect(m, "x.MINE", "application/x-mine");
	expect(m, "x.other", "application/x-mine");
	expect(m, "x.html", "text/x-page; charset=utf-8");
	expect(m, "x.css", "text/css; charset=utf-8");
	expect(m, "x.last", "application/last");
	expect(m, "x.trailing", NULL);
	expect(m, "x.bad1", NULL);
	expect(m, "x.bad2", NULL);
	expect(m, "x.bad3", NULL);
	expect(m, "x.bad4", NULL);
	mime_free(m);
}
END_TEST

START_TEST(many)
{
	static char text[200000];
	char name[32], want[64];
	struct mime *m;
	int len = 0;

	for (int i = 0; i < 5000; i++)
		len += sprintf(text + len, "application/x-%d e%d\n", i, i);
	m = load(text);
	for (int i = 0; i < 5000; i++) {
		sprintf(name, "f.e%d", i);
		sprintf(want, "application/x-%d", i);
		expect(m, name, want);
	}
	expect(m, "x.html", "text/html; charset=utf-8");
	mime_free(m);
}
END_TEST

START_TEST(missing_file)
{
	struct mime *m;

	errno = 0;
	m = mime_load("/nonexistent/mime.types");
	ck_assert_ptr_nonnull(m);
	ck_assert_int_eq(errno, ENOENT);
	expect(m, "x.png", "image/png");
	mime_free(m);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("mime");
	TCase *tc = tcase_create("mime");
	SRunner *runner = srunner_create(s);
	int run, failed;

	suite_add_tcase(s, tc);
	tcase_add_loop_test(tc, built_in_type, 0, ROWS(built_in));
	tcase_add_test(tc, file_over_table);
	tcase_add_test(tc, many);
	tcase_add_test(tc, missing_file);
	srunner_run_all(runner, CK_ENV);
	run = srunner_ntests_run(runner);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return run == 0 || failed > 0;
}
