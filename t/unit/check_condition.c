/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tests worker/http/condition.c: the precedence of RFC 9110 13.2.2, both comparisons of entity
 * tags, lists, If-Range; requests go through the real parser.
 */
#include "worker/http/condition.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

#define ROWS(table) (int)(sizeof(table) / sizeof((table)[0]))

#define DATE   "Sun, 06 Nov 1994 08:49:37 GMT"
#define BEFORE "Sun, 06 Nov 1994 08:49:36 GMT"
#define AFTER  "Sun, 06 Nov 1994 08:49:38 GMT"

enum {
	DATE_S = 784111777
};

static const struct validators strong = {
    .etag = "\"abc\"", .has_date = true, .strong_date = true, .date = DATE_S};
static const struct validators weak = {
    .etag = "W/\"abc\"", .has_date = true, .strong_date = false, .date = DATE_S};
static const struct validators none = {.etag = NULL};

static char head[4096];
static struct http_request req;

/* fields: separated by '|'. */
static void parse(const char *fields)
{
	static const struct http_limits limits = {
	    .max_header = 4096, .max_uri = 1024, .max_fields = 64};
	enum http_refusal refusal;
	uint32_t scanned = 0;
	char *at = head + sprintf(head, "GET / HTTP/1.1\r\nHost: a\r\n");

	while (*fields != '\0') {
		size_t len = strcspn(fields, "|");

		at += sprintf(at, "%.*s\r\n", (int)len, fields);
		fields += len + (fields[len] == '|');
	}
	at += sprintf(at, "\r\n");
	ck_assert_int_eq(http_parse(head, (size_t)(at - head), &limits, &scanned, &req, &refusal),
			 1);
}

static const struct {
	const struct validators *have;
	const char *fields;
	enum condition want;
} rows[] = {
    {&strong, "", CONDITION_PROCEED},
    {&strong, "If-None-Match: \"abc\"", CONDITION_NOT_MODIFIED},
    {&strong, "If-None-Match: W/\"abc\"", CONDITION_NOT_MODIFIED},
    {&weak, "If-None-Match: \"abc\"", CONDITION_NOT_MODIFIED},
    {&strong, "If-None-Match: \"x\", \"abc\"", CONDITION_NOT_MODIFIED},
    {&strong, "If-None-Match: , \"x\" ,\"abc\",", CONDITION_NOT_MODIFIED},
    {&strong, "If-None-Match: \"x\"|If-None-Match: \"abc\"", CONDITION_NOT_MODIFIED},
    {&strong, "If-None-Match: \"a,b\", \"abc\"", CONDITION_NOT_MODIFIED},
    {&strong, "If-None-Match: *", CONDITION_NOT_MODIFIED},
    {&none, "If-None-Match: *", CONDITION_NOT_MODIFIED},
    {&strong, "If-None-Match: \"x\"", CONDITION_PROCEED},
    {&strong, "If-None-Match: \"ab\"", CONDITION_PROCEED},
    {&strong, "If-None-Match: \"abcd\"", CONDITION_PROCEED},
    {&strong, "If-None-Match: \"ABC\"", CONDITION_PROCEED},
    {&strong, "If-None-Match: abc", CONDITION_PROCEED},
    {&strong, "If-None-Match: \"abc", CONDITION_PROCEED},
    {&strong, "If-None-Match: w/\"abc\"", CONDITION_PROCEED},
    {&strong, "If-None-Match: W/ \"abc\"", CONDITION_PROCEED},
    {&strong, "If-None-Match: \"x\" \"abc\"", CONDITION_PROCEED},
    {&strong, "If-None-Match: *, \"abc\"", CONDITION_PROCEED},
    {&strong, "If-None-Match:", CONDITION_PROCEED},
    {&none, "If-None-Match: \"abc\"", CONDITION_PROCEED},
    {&strong, "If-Modified-Since: " DATE, CONDITION_NOT_MODIFIED},
    {&strong, "If-Modified-Since: " AFTER, CONDITION_NOT_MODIFIED},
    {&strong, "If-Modified-Since: " BEFORE, CONDITION_PROCEED},
    {&strong, "If-Modified-Since: Sunday, 06-Nov-94 08:49:37 GMT", CONDITION_NOT_MODIFIED},
    {&strong, "If-Modified-Since: yesterday", CONDITION_PROCEED},
    {&strong, "If-Modified-Since: " DATE "|If-Modified-Since: " DATE, CONDITION_PROCEED},
    {&none, "If-Modified-Since: " AFTER, CONDITION_PROCEED},
    /* If-None-Match makes If-Modified-Since void. */
    {&strong, "If-None-Match: \"x\"|If-Modified-Since: " DATE, CONDITION_PROCEED},
    {&strong, "If-None-Match: \"abc\"|If-Modified-Since: " BEFORE, CONDITION_NOT_MODIFIED},
    {&strong, "If-Match: \"abc\"", CONDITION_PROCEED},
    {&strong, "If-Match: *", CONDITION_PROCEED},
    {&none, "If-Match: *", CONDITION_PROCEED},
    {&strong, "If-Match: \"x\"|If-Match: \"abc\"", CONDITION_PROCEED},
    {&strong, "If-Match: \"x\"", CONDITION_FAILED},
    {&strong, "If-Match: W/\"abc\"", CONDITION_FAILED},
    {&weak, "If-Match: W/\"abc\"", CONDITION_FAILED},
    {&strong, "If-Match: abc", CONDITION_FAILED},
    {&strong, "If-Match:", CONDITION_FAILED},
    {&none, "If-Match: \"abc\"", CONDITION_FAILED},
    {&strong, "If-Unmodified-Since: " DATE, CONDITION_PROCEED},
    {&strong, "If-Unmodified-Since: " AFTER, CONDITION_PROCEED},
    {&strong, "If-Unmodified-Since: " BEFORE, CONDITION_FAILED},
    {&strong, "If-Unmodified-Since: never", CONDITION_PROCEED},
    {&none, "If-Unmodified-Since: " BEFORE, CONDITION_PROCEED},
    /* If-Match makes If-Unmodified-Since void. */
    {&strong, "If-Match: \"abc\"|If-Unmodified-Since: " BEFORE, CONDITION_PROCEED},
    {&strong, "If-Match: \"x\"|If-Unmodified-Since: " DATE, CONDITION_FAILED},
    /* The first pair is looked at before the second. */
    {&strong, "If-Match: \"abc\"|If-None-Match: \"abc\"", CONDITION_NOT_MODIFIED},
    {&strong, "If-Match: \"x\"|If-None-Match: \"abc\"", CONDITION_FAILED},
    {&strong, "If-Unmodified-Since: " DATE "|If-Modified-Since: " DATE, CONDITION_NOT_MODIFIED},
};

START_TEST(check)
{
	enum condition got;

	parse(rows[_i].fields);
	got = condition_check(head, &req, rows[_i].have);
	ck_assert_msg(got == rows[_i].want, "'%s': %d, not %d", rows[_i].fields, (int)got,
		      (int)rows[_i].want);
}
END_TEST

static const struct {
	const struct validators *have;
	const char *fields;
	bool want;
} range_rows[] = {
    {&strong, "", true},
    {&strong, "If-Range: \"abc\"", true},
    {&strong, "If-Range: \"x\"", false},
    {&strong, "If-Range: W/\"abc\"", false},
    {&weak, "If-Range: W/\"abc\"", false},
    {&weak, "If-Range: \"abc\"", false},
    {&strong, "If-Range: \"x\", \"abc\"", false},
    {&strong, "If-Range: *", false},
    {&strong, "If-Range:", false},
    {&strong, "If-Range: " DATE, true},
    {&strong, "If-Range: " AFTER, false},
    {&strong, "If-Range: " BEFORE, false},
    {&weak, "If-Range: " DATE, false},
    {&none, "If-Range: " DATE, false},
    {&none, "If-Range: \"abc\"", false},
    {&strong, "If-Range: \"abc\"|If-Range: \"abc\"", false},
};

START_TEST(range)
{
	parse(range_rows[_i].fields);
	ck_assert_msg(condition_range(head, &req, range_rows[_i].have) == range_rows[_i].want,
		      "'%s'", range_rows[_i].fields);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("condition");
	TCase *tc = tcase_create("condition");
	SRunner *runner = srunner_create(s);
	int run, failed;

	suite_add_tcase(s, tc);
	tcase_add_loop_test(tc, check, 0, ROWS(rows));
	tcase_add_loop_test(tc, range, 0, ROWS(range_rows));
	srunner_run_all(runner, CK_ENV);
	run = srunner_ntests_run(runner);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return run == 0 || failed > 0;
}
