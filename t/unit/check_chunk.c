/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tests worker/http/chunk.c: what bodies decode to, what is refused and by which name, and that the
 * pieces in which the bytes come make no difference.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "worker/http/chunk.h"

#define TEXT(s)  (s), sizeof(s) - 1
#define ROWS(t)  ((int)(sizeof(t) / sizeof(t)[0]))
#define NO(kind) HTTP_REFUSED_##kind

static const struct whole_row {
	const char *text;
	size_t len;
	const char *body;
	const char *rest;
} wholes[] = {
    {TEXT("0\r\n\r\n"), "", ""},
    {TEXT("0\r\n\r\nGET / HTTP/1.1\r\n"), "", "GET / HTTP/1.1\r\n"},
    {TEXT("5\r\nhello\r\n0\r\n\r\n"), "hello", ""},
    {TEXT("5\r\nhello\r\n1\r\n \r\n6\r\nworld!\r\n0\r\n\r\n"), "hello world!", ""},
    {TEXT("a\r\n0123456789\r\nA\r\nabcdefghij\r\n0\r\n\r\n"), "0123456789abcdefghij", ""},
    {TEXT("1A\r\nabcdefghijklmnopqrstuvwxyz\r\n0\r\n\r\n"), "abcdefghijklmnopqrstuvwxyz", ""},
    {TEXT("7\r\n\r\n0\r\n\r\n\r\n0\r\n\r\n"), "\r\n0\r\n\r\n", ""},
    {TEXT("0005\r\nhello\r\n000\r\n\r\n"), "hello", ""},
    {TEXT("0000000000000000000000000000000000000001\r\nx\r\n0\r\n\r\n"), "x", ""},
    {TEXT("1;a\r\nx\r\n0\r\n\r\n"), "x", ""},
    {TEXT("1;a=b\r\nx\r\n0;last\r\n\r\n"), "x", ""},
    {TEXT("1;a;b=c;d=\"e\"\r\nx\r\n0\r\n\r\n"), "x", ""},
    {TEXT("1;a=\"\"\r\nx\r\n0\r\n\r\n"), "x", ""},
    {TEXT("1;a=\"b;c=\\\"\\\\ \t\xff\";d\r\nx\r\n0\r\n\r\n"), "x", ""},
    {TEXT("1;!#$%&'*+-.^_`|~=Z9\r\nx\r\n0\r\n\r\n"), "x", ""},
    {TEXT("1\r\nx\r\n0\r\nA: b\r\n\r\nrest"), "x", "rest"},
    {TEXT("0\r\nA:\r\nB:\t \xff c\r\nC:d\r\n\r\n"), "", ""},
    {TEXT("0\r\nContent-Length: 5\r\nTransfer-Encoding: x\r\n\r\nhello"), "", "hello"},
};

static const struct refused_row {
	const char *text;
	size_t len; /* the last byte is the one that is refused */
	enum http_refusal refusal;
} refused[] = {
    /* Sizes. */
    {TEXT("\r"), NO(CHUNK)},
    {TEXT("\n"), NO(CHUNK)},
    {TEXT(" "), NO(CHUNK)},
    {TEXT("\0"), NO(CHUNK)},
    {TEXT(";"), NO(CHUNK)},
    {TEXT("g"), NO(CHUNK)},
    {TEXT("+"), NO(CHUNK)},
    {TEXT("-"), NO(CHUNK)},
    {TEXT("0x"), NO(CHUNK)},
    {TEXT("1_"), NO(CHUNK)},
    {TEXT("5 "), NO(CHUNK)},
    {TEXT("5\t"), NO(CHUNK)},
    {TEXT("5\n"), NO(CHUNK)},
    {TEXT("5\r5"), NO(CHUNK)},
    {TEXT("5\r\r"), NO(CHUNK)},
    {TEXT("5,"), NO(CHUNK)},
    {TEXT("5."), NO(CHUNK)},
    {TEXT("5h"), NO(CHUNK)},
    {TEXT("5\xb2"), NO(CHUNK)},
    {TEXT("1000000000000000"), NO(CHUNK)},
    {TEXT("ffffffffffffffff"), NO(CHUNK)},
    {TEXT("0000ffffffffffffffff"), NO(CHUNK)},
    /* Data. */
    {TEXT("5\r\nhello0"), NO(CHUNK)},
    {TEXT("5\r\nhello\n"), NO(CHUNK)},
    {TEXT("5\r\nhello\rx"), NO(CHUNK)},
    {TEXT("5\r\nhello\r\n\r"), NO(CHUNK)},
    {TEXT("5\r\nhello!"), NO(CHUNK)},
    {TEXT("1\r\nx\r\n-"), NO(CHUNK)},
    /* Extensions. */
    {TEXT("1;\r"), NO(CHUNK)},
    {TEXT("1;\n"), NO(CHUNK)},
    {TEXT("1;;"), NO(CHUNK)},
    {TEXT("1; "), NO(CHUNK)},
    {TEXT("1;="), NO(CHUNK)},
    {TEXT("1;a\n"), NO(CHUNK)},
    {TEXT("1;a "), NO(CHUNK)},
    {TEXT("1;a\0"), NO(CHUNK)},
    {TEXT("1;a\r;"), NO(CHUNK)},
    {TEXT("1;a=\r"), NO(CHUNK)},
    {TEXT("1;a=;"), NO(CHUNK)},
    {TEXT("1;a= "), NO(CHUNK)},
    {TEXT("1;a=b="), NO(CHUNK)},
    {TEXT("1;a=b\""), NO(CHUNK)},
    {TEXT("1;a\""), NO(CHUNK)},
    {TEXT("1;\""), NO(CHUNK)},
    {TEXT("1;a=\"\r"), NO(CHUNK)},
    {TEXT("1;a=\"\n"), NO(CHUNK)},
    {TEXT("1;a=\"\\\r"), NO(CHUNK)},
    {TEXT("1;a=\"\\\n"), NO(CHUNK)},
    {TEXT("1;a=\"\0"), NO(CHUNK)},
    {TEXT("1;a=\"\x7f"), NO(CHUNK)},
    {TEXT("1;a=\"b\"c"), NO(CHUNK)},
    {TEXT("1;a=\"b\"="), NO(CHUNK)},
    {TEXT("1;a=\"b\"\""), NO(CHUNK)},
    {TEXT("1;a=\"b\" "), NO(CHUNK)},
    {TEXT("1;\xc3"), NO(CHUNK)},
    /* The end and trailers. */
    {TEXT("0\r\n\n"), NO(LINE)},
    {TEXT("0\r\n\rX"), NO(LINE)},
    {TEXT("0\r\n "), NO(FIELD_NAME)},
    {TEXT("0\r\n:"), NO(FIELD_NAME)},
    {TEXT("0\r\nA "), NO(FIELD_NAME)},
    {TEXT("0\r\nA\t"), NO(FIELD_NAME)},
    {TEXT("0\r\nA\r"), NO(FIELD_NAME)},
    {TEXT("0\r\nA\n"), NO(LINE)},
    {TEXT("0\r\nA\0"), NO(FIELD_NAME)},
    {TEXT("0\r\nGET "), NO(FIELD_NAME)},
    {TEXT("0\r\nA: b\n"), NO(LINE)},
    {TEXT("0\r\nA: b\rX"), NO(LINE)},
    {TEXT("0\r\nA: b\0"), NO(FIELD_VALUE)},
    {TEXT("0\r\nA: \x0b"), NO(FIELD_VALUE)},
    {TEXT("0\r\nA: \x7f"), NO(FIELD_VALUE)},
    {TEXT("0\r\nA: b\r\n "), NO(FOLDING)},
    {TEXT("0\r\nA: b\r\n\t"), NO(FOLDING)},
    {TEXT("0\r\nA: b\r\n\n"), NO(LINE)},
    {TEXT("0\r\nA: b\r\n\r\r"), NO(LINE)},
};

struct decoded {
	int verdict;
	enum http_refusal refusal;
	size_t used;
	char body[20000];
	size_t body_len;
};

/* Feeds text to a machine in pieces: the first of cut bytes, the others of step. */
static void decode(struct decoded *d, const char *text, size_t len, size_t cut, size_t step)
{
	struct chunk_state st = {0};
	size_t given = cut < len ? cut : len;

	*d = (struct decoded){0};
	for (;;) {
		struct http_span data;
		size_t used, n = given - d->used;
		char *copy = malloc(n ? n : 1);

		ck_assert_ptr_nonnull(copy);
		memcpy(copy, text + d->used, n);
		d->verdict = chunk_decode(&st, copy, n, &used, &data, &d->refusal);
		ck_assert_uint_le(used, n);
		ck_assert_uint_le(data.off + data.len, used);
		memcpy(d->body + d->body_len, copy + data.off, data.len);
		free(copy);
		d->body_len += data.len;
		d->used += used;
		if (d->verdict != 0 || (d->used == given && given == len))
			break;
		ck_assert(used > 0 || n == 0);
		if (d->used == given)
			given = len - given < step ? len : given + step;
	}
}

START_TEST(whole)
{
	const struct whole_row *row = &wholes[_i];
	struct decoded d;

	for (size_t cut = 0; cut <= row->len; cut++) {
		for (size_t step = 1; step < 8; step++) {
			decode(&d, row->text, row->len, cut, step);
			ck_assert_msg(d.verdict == 1, "%s: cut at %zu, then by %zu: %s", row->text,
				      cut, step, http_refusal_name(d.refusal));
			ck_assert_uint_eq(d.body_len, strlen(row->body));
			ck_assert_mem_eq(d.body, row->body, d.body_len);
			ck_assert_str_eq(row->text + d.used, row->rest);
		}
	}
}
END_TEST

START_TEST(incomplete)
{
	const struct whole_row *row = &wholes[_i];
	struct decoded d;

	for (size_t len = 0; len < row->len - strlen(row->rest); len++) {
		decode(&d, row->text, len, len, 1);
		ck_assert_msg(d.verdict == 0, "%.*s: %d", (int)len, row->text, d.verdict);
		ck_assert_uint_eq(d.used, len);
	}
}
END_TEST

START_TEST(refusal)
{
	const struct refused_row *row = &refused[_i];
	struct decoded d;

	for (size_t cut = 0; cut <= row->len; cut++) {
		decode(&d, row->text, row->len, cut, 1);
		ck_assert_msg(d.verdict == -1 && d.refusal == row->refusal, "row %d, %s: %d, %s",
			      _i, row->text, d.verdict, http_refusal_name(d.refusal));
		ck_assert_uint_eq(d.used, row->len - 1);
	}
}
END_TEST

/* Any one byte more than the bound is too much, wherever in the body it stands. */
static const struct bound_row {
	const char *before;
	char fill;
	const char *after;
	int other; /* bytes besides the fill that count, less those that data has paid for */
} bounds[] = {
    {"1;a", 'b', "\r\nx\r\n0\r\n\r\n", 1},
    {"1;a=\"", 'b', "\"\r\nx\r\n0\r\n\r\n", 4},
    {"1;ab\r\nx\r\n0;a", 'b', "\r\n\r\n", 4},
    {"", '0', "1\r\nx\r\nf;abc\r\n0123456789abcde\r\n0\r\n\r\n", 2},
    {"0\r\nA: ", 'b', "\r\n\r\n", 5},
    {"0\r\n", 'A', ":\r\n\r\n", 3},
    {"1;ab\r\nx\r\n0\r\nA: b\r\nB: ", 'c', "\r\n\r\n", 13},
};

START_TEST(bound)
{
	const struct bound_row *row = &bounds[_i];
	static char text[2 * CHUNK_EXTRA_MAX];
	static struct decoded d;

	for (int more = 0; more <= 1; more++) {
		size_t before = strlen(row->before);
		size_t fill = (size_t)(CHUNK_EXTRA_MAX - row->other + more);

		/* The zero of the last chunk counts as well. */
		fill -= 1;
		memcpy(text, row->before, before);
		memset(text + before, row->fill, fill);
		strcpy(text + before + fill, row->after);
		decode(&d, text, strlen(text), 4096, 100);
		ck_assert_int_eq(d.verdict, more ? -1 : 1);
		ck_assert_int_eq(d.refusal, more ? HTTP_REFUSED_CHUNK_EXTRA : HTTP_ACCEPTED);
	}
}
END_TEST

/* A body may be as long as it likes with something beside each of its chunks, unless that is more
 * than the chunk. */
static const struct each_row {
	const char *chunk;
	bool passes;
} each[] = {
    {"0010\r\n0123456789abcdef\r\n", true}, {"6;ext=1\r\n012345\r\n", true}, {"01\r\nx\r\n", true},
    {"5;ext=1\r\n01234\r\n", false},        {"001\r\nx\r\n", false},
};

START_TEST(something_beside_each)
{
	const struct each_row *row = &each[_i];
	struct chunk_state st = {0};
	size_t len = strlen(row->chunk), used, at;
	enum http_refusal why;
	struct http_span data;
	int verdict = 0;

	for (int n = 0; n <= CHUNK_EXTRA_MAX && verdict == 0; n++)
		for (at = 0; at < len && verdict == 0; at += used)
			verdict = chunk_decode(&st, row->chunk + at, len - at, &used, &data, &why);
	ck_assert_int_eq(verdict, row->passes ? 0 : -1);
	ck_assert_int_eq(why, row->passes ? HTTP_ACCEPTED : HTTP_REFUSED_CHUNK_EXTRA);
}
END_TEST

/* The largest size that can be said is 15 digits, and data is handed out as it comes. */
START_TEST(large)
{
	struct chunk_state st = {0};
	enum http_refusal why;
	struct http_span data;
	size_t used;
	static const char text[] = "fffffffffffffff\r\nabc";

	ck_assert_int_eq(chunk_decode(&st, TEXT(text), &used, &data, &why), 0);
	ck_assert_uint_eq(used, sizeof text - 1);
	ck_assert_uint_eq(data.off, 17);
	ck_assert_uint_eq(data.len, 3);
	ck_assert_uint_eq(st.left, (1ull << 60) - 1 - 3);
}
END_TEST

/* One piece of data a call: what follows it is left for the next. */
START_TEST(one_piece_a_call)
{
	struct chunk_state st = {0};
	enum http_refusal why;
	struct http_span data;
	size_t used;
	static const char text[] = "2\r\nab\r\n1\r\nc\r\n0\r\n\r\nrest";

	ck_assert_int_eq(chunk_decode(&st, TEXT(text), &used, &data, &why), 0);
	ck_assert_uint_eq(used, 5);
	ck_assert_uint_eq(data.off, 3);
	ck_assert_uint_eq(data.len, 2);
	ck_assert_int_eq(chunk_decode(&st, text + 5, sizeof text - 6, &used, &data, &why), 0);
	ck_assert_uint_eq(used, 6);
	ck_assert_uint_eq(data.off, 5);
	ck_assert_uint_eq(data.len, 1);
	ck_assert_int_eq(chunk_decode(&st, text + 11, sizeof text - 12, &used, &data, &why), 1);
	ck_assert_uint_eq(used, 7);
	ck_assert_uint_eq(data.len, 0);
	ck_assert_int_eq(chunk_decode(&st, text + 18, sizeof text - 19, &used, &data, &why), 1);
	ck_assert_uint_eq(used, 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("chunk");
	TCase *tc = tcase_create("chunk");
	SRunner *runner = srunner_create(s);
	int run, failed;

	suite_add_tcase(s, tc);
	tcase_add_loop_test(tc, whole, 0, ROWS(wholes));
	tcase_add_loop_test(tc, incomplete, 0, ROWS(wholes));
	tcase_add_loop_test(tc, refusal, 0, ROWS(refused));
	tcase_add_loop_test(tc, bound, 0, ROWS(bounds));
	tcase_add_loop_test(tc, something_beside_each, 0, ROWS(each));
	tcase_add_test(tc, large);
	tcase_add_test(tc, one_piece_a_call);
	srunner_run_all(runner, CK_ENV);
	run = srunner_ntests_run(runner);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return run == 0 || failed > 0;
}
