/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tests worker/http/trace.c and shm/ident.c: traceparent by the examples and rules of W3C Trace
 * Context, request ids that are kept in each form, made ids that are never the same.
 */
#include "worker/http/trace.h"

#include <check.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TRACE  "4bf92f3577b34da6a3ce929d0e0e4736"
#define PARENT "00f067aa0ba902b7"
#define GOOD   "00-" TRACE "-" PARENT "-01"

static const struct {
	const char *text;
	bool good;
	uint8_t flags;
} parents[] = {
    {GOOD, true, 1}, /* the example of section 3.2.4 */
    {"00-" TRACE "-" PARENT "-00", true, 0},
    {"00-" TRACE "-" PARENT "-09", true, 1}, /* other bits mean nothing yet */
    {"00-" TRACE "-" PARENT "-fe", true, 0},
    {"cc-" TRACE "-" PARENT "-01", true, 1}, /* a later version */
    {"cc-" TRACE "-" PARENT "-01-what-the-future-will-be-like", true, 1},
    {"cc-" TRACE "-" PARENT "-01-", true, 1},
    {"cc-" TRACE "-" PARENT "-01.what", false, 0},
    {"00-" TRACE "-" PARENT "-01-more", false, 0},
    {"00-" TRACE "-" PARENT "-01-", false, 0},
    {"00-" TRACE "-" PARENT "-01 ", false, 0},
    {"ff-" TRACE "-" PARENT "-01", false, 0},
    {"0-" TRACE "-" PARENT "-01", false, 0},
    {"000-" TRACE "-" PARENT "-01", false, 0},
    {"0x-" TRACE "-" PARENT "-01", false, 0},
    {"00_" TRACE "-" PARENT "-01", false, 0},
    {"00-" TRACE "_" PARENT "-01", false, 0},
    {"00-" TRACE "-" PARENT "_01", false, 0},
    {"00-" TRACE "-" PARENT "-1", false, 0},
    {"00-" TRACE "-" PARENT "-", false, 0},
    {"00-" TRACE "-" PARENT, false, 0},
    {"00-" TRACE "-" PARENT "-0A", false, 0},
    {"00-4BF92F3577B34DA6A3CE929D0E0E4736-" PARENT "-01", false, 0},
    {"00-" TRACE "-00F067AA0BA902B7-01", false, 0},
    {"00-4bf92f3577b34da6a3ce929d0e0e473g-" PARENT "-01", false, 0},
    {"00-00000000000000000000000000000000-" PARENT "-01", false, 0},
    {"00-" TRACE "-0000000000000000-01", false, 0},
    {"00-00000000000000000000000000000001-0000000000000001-01", true, 1},
    {"00-ffffffffffffffffffffffffffffffff-ffffffffffffffff-01", true, 1},
    {"", false, 0},
    {"00", false, 0},
};

START_TEST(test_parent)
{
	const char *text = parents[_i].text;
	size_t len = strlen(text);
	char *exact = malloc(len + 1); /* so that a sanitizer sees a step too far */
	struct trace_parent p;
	char trace[IDENT_ROOM];

	memcpy(exact, text, len);
	exact = realloc(exact, len > 0 ? len : 1);
	ck_assert_msg(trace_parent_read(exact, len, &p) == parents[_i].good, "%s", text);
	if (parents[_i].good) {
		ck_assert_uint_eq(p.flags, parents[_i].flags);
		ck_assert_uint_eq(ident_trace(p.high, p.low, trace), 32);
		ck_assert_int_eq(memcmp(trace, text + 3, 32), 0);
	}
	free(exact);
}
END_TEST

static const struct trace_key key = {UINT64_C(0x243f6a8885a308d3), UINT64_C(0x13198a2e03707344)};
static struct conn_row row;
static struct http_request req;
static char head[2000];

static void set_up(void)
{
	memset(&row, 0, sizeof row);
	row.id = (UINT64_C(7) << 32) + 1;
	row.requests = 1;
	row.accepted_us = 123456789;
	row.port = 54321;
}

/* As the server reads it, with these fields. */
static void ask(const char *fields, bool trusted)
{
	const struct http_limits limits = {sizeof head, sizeof head, 100};
	enum http_refusal refusal;
	uint32_t scanned = 0;
	int len = snprintf(head, sizeof head, "GET / HTTP/1.1\r\nHost: a\r\n%s\r\n", fields);

	ck_assert_int_eq(http_parse(head, (size_t)len, &limits, &scanned, &req, &refusal), 1);
	trace_begin(&key, &row, &req, head, trusted);
}

static const char *id_of(const struct http_request *from)
{
	static char out[TRACE_ID_MAX + 1];

	out[trace_id(&row, from, head, out)] = '\0';
	return out;
}

/* A request id and how it is kept: whole, and on the board. */
static const struct {
	const char *sent;
	bool kept;
	enum ident_form form;
	const char *board; /* NULL: the same */
} ids[] = {
    {"0123456789abcdef0123456789abcdef", true, IDENT_HEX, NULL},
    {"f81d4fae-7dec-11d0-a765-00a0c91e6bf6", true, IDENT_UUID, NULL},
    {"F81D4FAE-7DEC-11D0-A765-00A0C91E6BF6", true, IDENT_CUT, "F81D4FAE-7DEC-11"},
    {"f81d4fae_7dec_11d0_a765_00a0c91e6bf6", true, IDENT_CUT, "f81d4fae_7dec_11"},
    {"0123456789ABCDEF0123456789ABCDEF", true, IDENT_CUT, "0123456789ABCDEF"},
    {"00000000000000000000000000000000", true, IDENT_CUT, "0000000000000000"},
    {"x", true, IDENT_CHARS, NULL},
    {"sixteen-letters!", false, 0, NULL},
    {"sixteen-letters_", true, IDENT_CHARS, NULL},
    {"01ARZ3NDEKTSV4RRFFQ69G5FAV", true, IDENT_CUT, "01ARZ3NDEKTSV4RR"},
    {"Root=1-67891233-abcdef012345678912345678", true, IDENT_CUT, "Root=1-67891233-"},
    {"a.b_c~d:e+f/g=h-", true, IDENT_CHARS, NULL},
    {"0123456789012345678901234567890123456789012345678901234567890123", true, IDENT_CUT,
     "0123456789012345"},
    {"01234567890123456789012345678901234567890123456789012345678901234", false, 0, NULL},
    {"with space", false, 0, NULL},
    {"quo\"te", false, 0, NULL},
    {"back\\slash", false, 0, NULL},
    {"semi;colon", false, 0, NULL},
    {"<b>", false, 0, NULL},
    {"um\xc3\xa4", false, 0, NULL},
    {"", false, 0, NULL},
};

START_TEST(test_id)
{
	char fields[200], own[TRACE_ID_MAX + 1];

	ask("", true);
	strcpy(own, id_of(&req));
	snprintf(fields, sizeof fields, "X-Request-ID: %s\r\n", ids[_i].sent);
	ask(fields, true);
	ck_assert_str_eq(id_of(&req), ids[_i].kept ? ids[_i].sent : own);
	if (ids[_i].kept) {
		ck_assert_uint_eq(row.id_form, ids[_i].form);
		ck_assert_str_eq(id_of(NULL), ids[_i].board != NULL ? ids[_i].board : ids[_i].sent);
	}
	/* Its trace is made all the same, and not of what a client chose. */
	ck_assert_uint_ne(row.trace_high | row.trace_low, 0);
	ask(fields, false);
	ck_assert_str_eq(id_of(&req), own);
}
END_TEST

START_TEST(test_several)
{
	ask("X-Request-Id: a\r\nX-Request-Id: b\r\n", true);
	ck_assert_uint_eq(row.id_form, IDENT_HEX);
	ask("traceparent: " GOOD "\r\ntraceparent: " GOOD "\r\n", true);
	ck_assert_uint_eq(row.trace_flags & TRACE_KEPT, 0);
}
END_TEST

START_TEST(test_write)
{
	struct trace t;
	char parent[TRACE_PARENT_LEN + 1] = "", want[80];

	ask("traceparent: " GOOD "\r\nX-Request-Id: abc\r\n", true);
	trace_write(&row, &req, head, &t);
	ck_assert_uint_eq(t.parent_len, TRACE_PARENT_LEN);
	memcpy(parent, t.parent, t.parent_len);
	snprintf(want, sizeof want, "00-" TRACE "-%016llx-01",
		 (unsigned long long)trace_span(&row));
	ck_assert_str_eq(parent, want);
	ck_assert_ptr_null(strstr(parent, PARENT));
	ck_assert(t.keeps_state);
	ck_assert_uint_eq(t.id_len, 3);
	/* Not sampled stays so; what was made is. */
	ask("traceparent: 00-" TRACE "-" PARENT "-00\r\n", true);
	trace_write(&row, &req, head, &t);
	ck_assert_int_eq(memcmp(t.parent + 53, "00", 2), 0);
	ask("traceparent: nonsense\r\n", true);
	trace_write(&row, &req, head, &t);
	ck_assert_int_eq(memcmp(t.parent + 53, "01", 2), 0);
	ck_assert(!t.keeps_state);
	ck_assert_uint_eq(t.id_len, 32);
	ck_assert_int_eq(memcmp(t.parent + 3, t.id, 32), 0);
	/* A row that never had a request. */
	memset(&row, 0, sizeof row);
	trace_write(&row, NULL, NULL, &t);
	ck_assert_uint_eq(t.id_len + t.parent_len, 0);
}
END_TEST

struct made {
	uint64_t high, low, span;
};

static int by_id(const void *a, const void *b)
{
	return memcmp(a, b, 2 * sizeof(uint64_t));
}

static int by_span(const void *a, const void *b)
{
	const struct made *x = a, *y = b;

	return (x->span > y->span) - (x->span < y->span);
}

/* A thousand requests on each of a thousand connections, of two generations. */
START_TEST(test_unique)
{
	enum {
		CONNS = 1000,
		REQUESTS = 1000
	};
	static struct made made[CONNS * REQUESTS];
	size_t n = 0;

	for (uint64_t c = 0; c < CONNS; c++) {
		row.id = ((c % 2 + 1) << 32) + c / 2;
		for (row.requests = 1; row.requests <= REQUESTS; row.requests++) {
			trace_begin(&key, &row, NULL, NULL, false);
			made[n++] = (struct made){row.request_high, row.request_low,
						  trace_span(&row)};
		}
	}
	qsort(made, n, sizeof made[0], by_id);
	for (size_t i = 1; i < n; i++)
		ck_assert_int_ne(by_id(&made[i - 1], &made[i]), 0);
	qsort(made, n, sizeof made[0], by_span);
	for (size_t i = 1; i < n; i++)
		ck_assert_int_ne(by_span(&made[i - 1], &made[i]), 0);
}
END_TEST

START_TEST(test_key)
{
	struct trace_key a = {0, 0}, b = {0, 0};

	ck_assert_int_eq(trace_key_draw(&a), 0);
	ck_assert_int_eq(trace_key_draw(&b), 0);
	ck_assert(a.high != b.high && a.low != b.low);
}
END_TEST

/* Whatever stands on a board of another program. */
START_TEST(test_text)
{
	char out[IDENT_ROOM], want[IDENT_ROOM];

	for (unsigned form = 0; form < 256; form++)
		ck_assert_uint_lt(ident_text(form, UINT64_MAX, UINT64_MAX, out), IDENT_ROOM);
	ck_assert_uint_eq(ident_text(IDENT_NONE, 1, 1, out), 0);
	ck_assert_uint_eq(ident_trace(0, 0, out), 0);
	for (uint64_t k = 1, w = 0x123456789abcdef; k < 100000;
	     k++, w = w * 6364136223846793005u + k) {
		*ident_put_hex(out, w) = '\0';
		snprintf(want, sizeof want, "%016llx", (unsigned long long)w);
		ck_assert_str_eq(out, want);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("trace");
	TCase *c = tcase_create("trace");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(c, set_up, NULL);
	tcase_add_loop_test(c, test_parent, 0, sizeof parents / sizeof parents[0]);
	tcase_add_loop_test(c, test_id, 0, sizeof ids / sizeof ids[0]);
	tcase_add_test(c, test_several);
	tcase_add_test(c, test_write);
	tcase_add_test(c, test_unique);
	tcase_add_test(c, test_key);
	tcase_add_test(c, test_text);
	tcase_set_timeout(c, 60);
	suite_add_tcase(s, c);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r) > 0 || srunner_ntests_run(r) == 0;
	srunner_free(r);
	return failed;
}
