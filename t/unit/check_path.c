/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tests worker/http/path.c: the normal form of paths, what is refused, dot files, and encoding.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "worker/http/path.h"

#define TEXT(s) (s), sizeof(s) - 1
#define ROWS(t) ((int)(sizeof(t) / sizeof(t)[0]))

static const struct normal_row {
	const char *path;
	size_t len;
	const char *normal; /* NULL: refused */
} normals[] = {
    {TEXT(""), "/"},
    {TEXT("/"), "/"},
    {TEXT("/a"), "/a"},
    {TEXT("/a/"), "/a/"},
    {TEXT("/a/b.html"), "/a/b.html"},
    {TEXT("/!$&'()*+,;=:@-._~"), "/!$&'()*+,;=:@-._~"},
    {TEXT("a"), NULL},
    {TEXT("*"), NULL},
    {TEXT("%2f"), NULL},
    {TEXT("./a"), NULL},
    {TEXT("../a"), NULL},
    {TEXT("http://a/"), NULL},

    /* Slashes. */
    {TEXT("//"), "/"},
    {TEXT("///a"), "/a"},
    {TEXT("//host/x"), "/host/x"},
    {TEXT("/a//b///c//"), "/a/b/c/"},
    {TEXT("/a%2fb"), NULL},
    {TEXT("/a%2Fb"), NULL},
    {TEXT("/%2f"), NULL},
    {TEXT("/..%2fetc/passwd"), NULL},
    {TEXT("/a%5cb"), "/a\\b"},
    {TEXT("/a\\b"), "/a\\b"},
    {TEXT("/..%5c..%5cx"), "/..\\..\\x"},

    /* Dot segments. */
    {TEXT("/."), "/"},
    {TEXT("/./"), "/"},
    {TEXT("/a/."), "/a/"},
    {TEXT("/a/./"), "/a/"},
    {TEXT("/a/./b"), "/a/b"},
    {TEXT("/./a/././b/."), "/a/b/"},
    {TEXT("/a/.."), "/"},
    {TEXT("/a/../"), "/"},
    {TEXT("/a/b/.."), "/a/"},
    {TEXT("/a/b/../"), "/a/"},
    {TEXT("/a/b/../c"), "/a/c"},
    {TEXT("/a/../b/../c"), "/c"},
    {TEXT("/a/b/c/../../d"), "/a/d"},
    {TEXT("/a//../b"), "/b"},
    {TEXT("/a/.//../b"), "/b"},
    {TEXT("/a/b/../../"), "/"},
    {TEXT("/.."), NULL},
    {TEXT("/../"), NULL},
    {TEXT("/../a"), NULL},
    {TEXT("//../a"), NULL},
    {TEXT("/./../a"), NULL},
    {TEXT("/a/../../b"), NULL},
    {TEXT("/a/../.."), NULL},
    {TEXT("/a/b/../../../c"), NULL},
    {TEXT("/a/b/../../../a/c"), NULL},
    {TEXT("/a/.../b"), "/a/.../b"},
    {TEXT("/a/..b/c"), "/a/..b/c"},
    {TEXT("/a/b../c"), "/a/b../c"},
    {TEXT("/a/.b"), "/a/.b"},
    {TEXT("/a./b."), "/a./b."},
    {TEXT("/..."), "/..."},
    {TEXT("/%2e"), "/"},
    {TEXT("/a/%2e/b"), "/a/b"},
    {TEXT("/%2e%2e/"), NULL},
    {TEXT("/%2E%2E/a"), NULL},
    {TEXT("/.%2e/"), NULL},
    {TEXT("/%2e."), NULL},
    {TEXT("/a/%2e%2e/b"), "/b"},
    {TEXT("/a/.%2E"), "/"},
    {TEXT("/%2e%2e%2f"), NULL},
    {TEXT("/%252e%252e/"), "/%2e%2e/"},
    {TEXT("/a/..;/b"), "/a/..;/b"},
    {TEXT("/a/.. /b"), "/a/.. /b"},
    {TEXT("/a/..%20/b"), "/a/.. /b"},

    /* Escapes. */
    {TEXT("/%41%7a%7A"), "/Azz"},
    {TEXT("/a%20b"), "/a b"},
    {TEXT("/%25"), "/%"},
    {TEXT("/%2541"), "/%41"},
    {TEXT("/100%25/x"), "/100%/x"},
    {TEXT("/%3f%23%22"), "/?#\""},
    {TEXT("/%"), NULL},
    {TEXT("/%4"), NULL},
    {TEXT("/%4/"), NULL},
    {TEXT("/%%41"), NULL},
    {TEXT("/%4g"), NULL},
    {TEXT("/%g4"), NULL},
    {TEXT("/%+1"), NULL},
    {TEXT("/% 1"), NULL},
    {TEXT("/%u0041"), NULL},
    {TEXT("/%00"), NULL},
    {TEXT("/a%00.html"), NULL},
    {TEXT("/a\0b"), NULL},
    {TEXT("/%0a"), NULL},
    {TEXT("/%0d%0aX: y"), NULL},
    {TEXT("/%1b[31m"), NULL},
    {TEXT("/%09"), NULL},
    {TEXT("/%7f"), NULL},
    {TEXT("/a\nb"), NULL},
    {TEXT("/a\x7f"), NULL},

    /* UTF-8. */
    {TEXT("/%c3%a4"), "/\xc3\xa4"},
    {TEXT("/%E2%82%AC"), "/\xe2\x82\xac"},
    {TEXT("/%F0%9F%90%84"), "/\xf0\x9f\x90\x84"},
    {TEXT("/\xc3\xa4"), "/\xc3\xa4"},
    {TEXT("/\xc3%a4"), "/\xc3\xa4"},
    {TEXT("/%c2%80"), "/\xc2\x80"},
    {TEXT("/%df%bf"), "/\xdf\xbf"},
    {TEXT("/%e0%a0%80"), "/\xe0\xa0\x80"},
    {TEXT("/%ed%9f%bf"), "/\xed\x9f\xbf"},
    {TEXT("/%ee%80%80"), "/\xee\x80\x80"},
    {TEXT("/%f0%90%80%80"), "/\xf0\x90\x80\x80"},
    {TEXT("/%f4%8f%bf%bf"), "/\xf4\x8f\xbf\xbf"},
    {TEXT("/%c0%ae%c0%ae/"), NULL},
    {TEXT("/%c0%af"), NULL},
    {TEXT("/%c1%9c"), NULL},
    {TEXT("/%c1%bf"), NULL},
    {TEXT("/%e0%80%af"), NULL},
    {TEXT("/%e0%9f%bf"), NULL},
    {TEXT("/%f0%80%80%af"), NULL},
    {TEXT("/%f0%8f%bf%bf"), NULL},
    {TEXT("/%ed%a0%80"), NULL},
    {TEXT("/%f4%90%80%80"), NULL},
    {TEXT("/%f5%80%80%80"), NULL},
    {TEXT("/%f8%80%80%80%af"), NULL},
    {TEXT("/%ff"), NULL},
    {TEXT("/%80"), NULL},
    {TEXT("/%bf/"), NULL},
    {TEXT("/%c3"), NULL},
    {TEXT("/%c3/"), NULL},
    {TEXT("/%c3a"), NULL},
    {TEXT("/%c3%c3"), NULL},
    {TEXT("/%e2%82"), NULL},
    {TEXT("/%e2%82/x"), NULL},
    {TEXT("/%f0%9f%90"), NULL},
    {TEXT("/%c3%"), NULL},
    {TEXT("/%c3%2f"), NULL},
    {TEXT("/\xe4"), NULL},
};

/* From memory of exactly that size, so that a sanitizer sees a byte read beyond it. */
static int normalise(const char *path, size_t len, char *out, size_t size, size_t *out_len)
{
	char *copy = malloc(len ? len : 1);
	int result;

	ck_assert_ptr_nonnull(copy);
	memcpy(copy, path, len);
	result = path_normalise(copy, len, out, size, out_len);
	free(copy);
	return result;
}

START_TEST(normal)
{
	const struct normal_row *row = &normals[_i];
	char out[64] = "";
	size_t len = 0;
	int result = normalise(row->path, row->len, out, sizeof out, &len);

	ck_assert_msg(result == (row->normal ? 0 : -1), "%s: %d, %s", row->path, result, out);
	if (row->normal) {
		ck_assert_str_eq(out, row->normal);
		ck_assert_uint_eq(len, strlen(row->normal));
	}
}
END_TEST

/* The normal form is its own normal form, once encoded again. */
START_TEST(normal_again)
{
	const struct normal_row *row = &normals[_i];
	char encoded[256], out[64];
	size_t len;
	int n;

	if (!row->normal)
		return;
	n = path_encode(row->normal, strlen(row->normal), encoded, sizeof encoded);
	ck_assert_int_gt(n, 0);
	ck_assert_int_eq(normalise(encoded, (size_t)n, out, sizeof out, &len), 0);
	ck_assert_str_eq(out, row->normal);
}
END_TEST

/* A path fits into size bytes with its NUL, or is refused; nothing is written beyond. */
START_TEST(room)
{
	static const char *const paths[] = {"/abc/def", "/abc/%64ef", "//abc/def", "/./abc/def",
					    "/abc/d%65f"};
	size_t need = strlen("/abc/def") + 1, len;

	for (size_t size = 0; size < 16; size++) {
		char *out = malloc(size ? size : 1);
		int result = normalise(paths[_i], strlen(paths[_i]), out, size, &len);

		ck_assert_int_eq(result, size < need ? -1 : 0);
		if (result == 0)
			ck_assert_str_eq(out, "/abc/def");
		free(out);
	}
}
END_TEST

START_TEST(long_path)
{
	static char path[100000], out[100001];
	size_t len;

	memset(path, 'a', sizeof path);
	path[0] = '/';
	ck_assert_int_eq(path_normalise(path, sizeof path, out, sizeof out, &len), 0);
	ck_assert_uint_eq(len, sizeof path);
	ck_assert_int_eq(path_normalise(path, sizeof path, out, sizeof path, &len), -1);
	for (size_t i = 0; i + 2 <= sizeof path; i += 2)
		memcpy(path + i, "/.", 2);
	ck_assert_int_eq(path_normalise(path, sizeof path, out, 2, &len), -1);
	ck_assert_int_eq(path_normalise(path, sizeof path, out, 3, &len), 0);
	ck_assert_str_eq(out, "/");
	for (size_t i = 0; i + 5 <= sizeof path; i += 5)
		memcpy(path + i, "/a/..", 5);
	ck_assert_int_eq(path_normalise(path, sizeof path, out, 16, &len), 0);
	ck_assert_str_eq(out, "/");
}
END_TEST

START_TEST(dotfile)
{
	static const struct {
		const char *path;
		bool has;
	} rows[] = {
	    {"/", false},
	    {"/a", false},
	    {"/a.b", false},
	    {"/a/b.", false},
	    {"/.a", true},
	    {"/a/.b", true},
	    {"/.git/config", true},
	    {"/a/.git/", true},
	    {"/...", true},
	    {"/.well-known", false},
	    {"/.well-known/", false},
	    {"/.well-known/acme/x", false},
	    {"/.well-known/.x", true},
	    {"/.well-knownx", true},
	    {"/.well-known.x", true},
	    {"/.Well-Known/x", true},
	    {"/a/.well-known/x", true},
	    {"/.well-know", true},
	};

	for (int i = 0; i < ROWS(rows); i++)
		ck_assert_msg(path_has_dotfile(rows[i].path) == rows[i].has, "%s", rows[i].path);
}
END_TEST

START_TEST(encode)
{
	static const struct {
		const char *path, *encoded;
	} rows[] = {
	    {"", ""},
	    {"/", "/"},
	    {"/a-b._~!$&'()*+,;=:@/Z9", "/a-b._~!$&'()*+,;=:@/Z9"},
	    {"/a b", "/a%20b"},
	    {"/100%", "/100%25"},
	    {"/?#[]", "/%3F%23%5B%5D"},
	    {"/\\\"<>^`{|}", "/%5C%22%3C%3E%5E%60%7B%7C%7D"},
	    {"/\xc3\xa4\xff", "/%C3%A4%FF"},
	    {"\x01\x7f\r\n", "%01%7F%0D%0A"},
	};

	for (int i = 0; i < ROWS(rows); i++) {
		size_t need = strlen(rows[i].encoded) + 1;

		for (size_t size = 0; size < need + 3; size++) {
			char *out = malloc(size ? size : 1);
			int n = path_encode(rows[i].path, strlen(rows[i].path), out, size);

			ck_assert_int_eq(n, size < need ? -1 : (int)need - 1);
			if (n >= 0)
				ck_assert_str_eq(out, rows[i].encoded);
			free(out);
		}
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("path");
	TCase *tc = tcase_create("path");
	SRunner *runner = srunner_create(s);
	int run, failed;

	suite_add_tcase(s, tc);
	tcase_add_loop_test(tc, normal, 0, ROWS(normals));
	tcase_add_loop_test(tc, normal_again, 0, ROWS(normals));
	tcase_add_loop_test(tc, room, 0, 5);
	tcase_add_test(tc, long_path);
	tcase_add_test(tc, dotfile);
	tcase_add_test(tc, encode);
	srunner_run_all(runner, CK_ENV);
	run = srunner_ntests_run(runner);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return run == 0 || failed > 0;
}
