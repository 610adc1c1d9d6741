/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tests worker/http/fcgi.c: what records decode to, what is refused and by which name, and that the
 * pieces in which the bytes come make no difference.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "worker/http/fcgi.h"

#define TEXT(s) (s), sizeof(s) - 1
#define ROWS(t) ((int)(sizeof(t) / sizeof(t)[0]))

#define OUT(len, text, pad) "\1\6\0\1\0" len pad "\0" text
#define ERR(len, text, pad) "\1\7\0\1\0" len pad "\0" text
#define END(app, protocol)  "\1\3\0\1\0\10\0\0" app protocol "\0\0\0"
#define DONE                END("\0\0\0\0", "\0")

static const struct row {
	const char *text;
	size_t len;
	const char *output, *errors;
	size_t rest; /* bytes behind the end */
	const char *wrong;
	unsigned app, protocol;
	bool ended;
} rows[] = {
    {TEXT(""), "", "", 0, NULL, 0, 0, false},
    {TEXT(DONE), "", "", 0, NULL, 0, 0, true},
    {TEXT(OUT("\5", "hello", "\0") DONE), "hello", "", 0, NULL, 0, 0, true},
    {TEXT(OUT("\5", "hello", "\0")), "hello", "", 0, NULL, 0, 0, false},
    {TEXT(OUT("\5", "hel", "\0")), "hel", "", 0, NULL, 0, 0, false},
    {TEXT(OUT("\5", "hello", "\3") "xyz" OUT("\1", "!", "\1") "z" DONE), "hello!", "", 0, NULL, 0,
     0, true},
    {TEXT(OUT("\1", "a", "\0") ERR("\2", "bc", "\1") "x" OUT("\1", "d", "\0") DONE), "ad", "bc", 0,
     NULL, 0, 0, true},
    {TEXT(OUT("\1", "a", "\0") OUT("\0", "", "\2") "xy" ERR("\1", "e", "\0") ERR("\0", "", "\0")
	      DONE),
     "a", "e", 0, NULL, 0, 0, true},
    {TEXT(END("\0\0\1\2", "\2")), "", "", 0, NULL, 258, 2, true},
    {TEXT(END("\xff\xff\xff\xff", "\xff")), "", "", 0, NULL, 0xffffffff, 255, true},
    /* The end's padding belongs to it, what follows does not. */
    {TEXT("\1\3\0\1\0\10\2\0\0\0\0\0\0\0\0\0xyrest"), "", "", 4, NULL, 0, 0, true},
    {TEXT(DONE DONE), "", "", 16, NULL, 0, 0, true},
    /* What nobody knows, and what a server is asked, is skipped, whatever its id. */
    {TEXT("\1\13\0\0\0\10\0\0........"
	  "\1\310\7\7\0\3\1\0abcx" OUT("\1", "o", "\0") DONE),
     "o", "", 0, NULL, 0, 0, true},
    {TEXT("\2"), "", "", 0, "record version", 0, 0, false},
    {TEXT("\0"), "", "", 0, "record version", 0, 0, false},
    {TEXT("HTTP/1.1 200 OK"), "", "", 0, "record version", 0, 0, false},
    {TEXT("\1\0"), "", "", 0, "record type", 0, 0, false},
    {TEXT("\1\1"), "", "", 0, "record type", 0, 0, false},
    {TEXT("\1\2"), "", "", 0, "record type", 0, 0, false},
    {TEXT("\1\4"), "", "", 0, "record type", 0, 0, false},
    {TEXT("\1\5"), "", "", 0, "record type", 0, 0, false},
    {TEXT("\1\6\0\2"), "", "", 0, "request id", 0, 0, false},
    {TEXT("\1\6\1"), "", "", 0, "request id", 0, 0, false},
    {TEXT("\1\7\0\0"), "", "", 0, "request id", 0, 0, false},
    {TEXT("\1\3\0\0"), "", "", 0, "request id", 0, 0, false},
    {TEXT("\1\3\0\1\0\7\0\0"), "", "", 0, "length of the end", 0, 0, false},
    {TEXT("\1\3\0\1\1\10\0\0"), "", "", 0, "length of the end", 0, 0, false},
    {TEXT(OUT("\1", "a", "\0") OUT("\0", "", "\0") "\1\6\0\1\0\1\0\0"), "a", "", 0,
     "output after its end", 0, 0, false},
};

struct decoded {
	char output[256], errors[256];
	size_t output_len, errors_len, used;
	const char *wrong;
	struct fcgi_state st;
};

/* Bytes in pieces of so many. */
static void decode(const char *text, size_t len, size_t piece, struct decoded *d)
{
	memset(d, 0, sizeof(*d));
	for (size_t at = 0; at < len && d->wrong == NULL;) {
		size_t n = len - at < piece ? len - at : piece, used, data_len;
		char *copy = malloc(n), *data;
		enum fcgi_piece kind;

		memcpy(copy, text + at, n);
		d->wrong = fcgi_decode(&d->st, copy, n, &used, &kind, &data, &data_len);
		ck_assert_uint_le(used, n);
		if (kind == FCGI_OUTPUT) {
			memcpy(d->output + d->output_len, data, data_len);
			d->output_len += data_len;
		} else if (kind == FCGI_ERRORS) {
			memcpy(d->errors + d->errors_len, data, data_len);
			d->errors_len += data_len;
		}
		free(copy);
		at += used;
		d->used = at;
		if (used == 0)
			break;
	}
}

START_TEST(test_decode)
{
	const struct row *r = &rows[_i];

	for (size_t piece = 1; piece <= r->len + 1; piece++) {
		struct decoded d;

		decode(r->text, r->len, piece, &d);
		ck_assert_str_eq(d.output, r->output);
		ck_assert_str_eq(d.errors, r->errors);
		ck_assert_pstr_eq(d.wrong, r->wrong);
		ck_assert_uint_eq(d.st.ended, r->ended);
		if (r->wrong == NULL)
			ck_assert_uint_eq(r->len - d.used, r->rest);
		ck_assert_uint_eq(d.st.app_status, r->app);
		ck_assert_uint_eq(d.st.protocol_status, r->protocol);
	}
}
END_TEST

/* The longest record. */
START_TEST(test_large)
{
	size_t len = FCGI_HEADER + FCGI_CONTENT_MOST, used, data_len;
	char *text = calloc(1, len), *data;
	struct fcgi_state st = {0};
	enum fcgi_piece kind;

	fcgi_header(text, FCGI_STDOUT, FCGI_CONTENT_MOST);
	ck_assert_ptr_null(fcgi_decode(&st, text, len, &used, &kind, &data, &data_len));
	ck_assert(kind == FCGI_OUTPUT && used == len && data == text + FCGI_HEADER &&
		  data_len == FCGI_CONTENT_MOST && st.step == 0);
	free(text);
}
END_TEST

START_TEST(test_begin)
{
	char text[16];

	fcgi_begin(text, true);
	ck_assert_mem_eq(text, "\1\1\0\1\0\10\0\0\0\1\1\0\0\0\0\0", 16);
	fcgi_begin(text, false);
	ck_assert_mem_eq(text, "\1\1\0\1\0\10\0\0\0\1\0\0\0\0\0\0", 16);
}
END_TEST

START_TEST(test_frame)
{
	char text[FCGI_HEADER], data[] = "data";
	struct iovec iov[3];

	fcgi_frame(data, 4, false, text, iov);
	ck_assert(iov[0].iov_len == 8 && iov[1].iov_len == 4 && iov[2].iov_len == 0);
	ck_assert_mem_eq(iov[0].iov_base, "\1\5\0\1\0\4\0\0", 8);
	fcgi_frame(data, 4, true, text, iov);
	ck_assert_uint_eq(iov[2].iov_len, 8);
	ck_assert_mem_eq(iov[2].iov_base, "\1\5\0\1\0\0\0\0", 8);
	/* An empty record would be the end. */
	fcgi_frame(data, 0, false, text, iov);
	ck_assert(iov[0].iov_len + iov[1].iov_len + iov[2].iov_len == 0);
	fcgi_frame(data, 0, true, text, iov);
	ck_assert(iov[0].iov_len + iov[1].iov_len == 0 && iov[2].iov_len == 8);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("fcgi");
	TCase *c = tcase_create("fcgi");
	SRunner *r;
	int failed;

	tcase_add_loop_test(c, test_decode, 0, ROWS(rows));
	tcase_add_test(c, test_large);
	tcase_add_test(c, test_begin);
	tcase_add_test(c, test_frame);
	suite_add_tcase(s, c);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r) + (srunner_ntests_run(r) == 0);
	srunner_free(r);
	return failed != 0;
}
