/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tests worker/clock.c: reading the time, and HTTP dates both ways.
 */
#include "worker/clock.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROWS(table) (int)(sizeof(table) / sizeof((table)[0]))

enum {
	NONE = -12345
};

static const struct {
	const char *text;
	long long want;
} dates[] = {
    {"Sun, 06 Nov 1994 08:49:37 GMT", 784111777},
    {"Sunday, 06-Nov-94 08:49:37 GMT", 784111777},
    {"Sun Nov  6 08:49:37 1994", 784111777},
    {"Wed Nov 16 08:49:37 1994", 784975777},
    {"Thu, 01 Jan 1970 00:00:00 GMT", 0},
    {"Wed, 31 Dec 1969 23:59:59 GMT", -1},
    {"Tue, 29 Feb 2000 12:00:00 GMT", 951825600},
    {"Thu, 29 Feb 2024 12:00:00 GMT", 1709208000},
    {"Fri, 31 Dec 9999 23:59:59 GMT", 253402300799},
    {"Sat, 31 Dec 2016 23:59:60 GMT", 1483228800},
    /* 31 December 1999 was a Friday; 2099 is too far ahead. */
    {"Friday, 31-Dec-99 23:59:59 GMT", 946684799},
    {"Saturday, 01-Jan-00 00:00:00 GMT", 946684800},
    {"", NONE},
    {"0", NONE},
    {"784111777", NONE},
    {"Sun, 06 Nov 1994 08:49:37 GM", NONE},
    {"Sun, 06 Nov 1994 08:49:37 GMT ", NONE},
    {" Sun, 06 Nov 1994 08:49:37 GMT", NONE},
    {"Sun, 06 Nov 1994 08:49:37 UTC", NONE},
    {"Sun, 06 Nov 1994 08:49:37 +0000", NONE},
    {"sun, 06 nov 1994 08:49:37 gmt", NONE},
    {"Sun, 6 Nov 1994 08:49:37 GMT", NONE},
    {"Sun, 06 Nov 94 08:49:37 GMT", NONE},
    {"Sun, 06 Nov 1994 8:49:37 GMT", NONE},
    {"Sun, 06 Nov 1994 24:00:00 GMT", NONE},
    {"Sun, 06 Nov 1994 08:60:37 GMT", NONE},
    {"Sun, 06 Nov 1994 08:49:61 GMT", NONE},
    {"Mon, 06 Nov 1994 08:49:37 GMT", NONE},
    {"Sun, 00 Nov 1994 08:49:37 GMT", NONE},
    {"Thu, 31 Nov 1994 08:49:37 GMT", NONE},
    {"Wed, 29 Feb 2023 12:00:00 GMT", NONE},
    {"Sun, 06 Nox 1994 08:49:37 GMT", NONE},
    {"Sun,06 Nov 1994 08:49:37 GMT", NONE},
    {"Sun, 06-Nov-1994 08:49:37 GMT", NONE},
    {"Sun, 06-Nov-94 08:49:37 GMT", NONE},
    {"Sunday, 06-Nov-1994 08:49:37 GMT", NONE},
    {"Monday, 06-Nov-94 08:49:37 GMT", NONE},
    {"Sun Nov 6 08:49:37 1994", NONE},
    {"Sun Nov 06 08:49:37 1994 GMT", NONE},
    {"Sun, 06 Nov 1994", NONE},
    {"Sun, 06 Nov 1994 08:49:37 GMT, Sun, 06 Nov 1994 08:49:37 GMT", NONE},
};

START_TEST(parse)
{
	size_t len = strlen(dates[_i].text);
	char *exact = malloc(len + (len == 0));
	time_t t = NONE;
	int rc;

	memcpy(exact, dates[_i].text, len);
	rc = http_date_parse(exact, len, &t);
	ck_assert_msg(rc == (dates[_i].want == NONE ? -1 : 0) && t == dates[_i].want,
		      "'%s': %d, %lld", dates[_i].text, rc, (long long)t);
	free(exact);
}
END_TEST

START_TEST(there_and_back)
{
	char text[HTTP_DATE_LEN + 1] = "";
	time_t t, back;

	for (t = (time_t)_i * 86400 * 365; t < (time_t)(_i + 1) * 86400 * 365; t += 40009) {
		http_date_write(text, t);
		ck_assert_int_eq(http_date_parse(text, HTTP_DATE_LEN, &back), 0);
		ck_assert_msg(back == t, "%s: %lld, not %lld", text, (long long)back, (long long)t);
	}
}
END_TEST

START_TEST(written)
{
	char text[HTTP_DATE_LEN + 1] = "";

	http_date_write(text, 784111777);
	ck_assert_str_eq(text, "Sun, 06 Nov 1994 08:49:37 GMT");
	http_date_write(text, -62167219200 - 86400); /* before the year 0 */
	ck_assert_uint_eq(strlen(text), HTTP_DATE_LEN);
	http_date_write(text, (time_t)1 << 62); /* no year of an int */
	ck_assert_str_eq(text, "Thu, 01 Jan 1970 00:00:00 GMT");
}
END_TEST

/* Two digits of a year: at most 50 years ahead. */
START_TEST(short_year)
{
	static const char *const days[] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
					   "Thursday", "Friday", "Saturday"};
	time_t now = time(NULL), t, want;
	struct tm tm = *gmtime(&now);
	char text[64];

	tm = (struct tm){.tm_year = tm.tm_year + _i, .tm_mon = 5, .tm_mday = 15};
	want = timegm(&tm);
	snprintf(text, sizeof(text), "%s, 15-Jun-%02d 00:00:00 GMT", days[tm.tm_wday],
		 tm.tm_year % 100);
	ck_assert_msg(http_date_parse(text, strlen(text), &t) == 0, "'%s' refused", text);
	ck_assert_msg(t == want, "'%s': %lld, not %lld", text, (long long)t, (long long)want);
}
END_TEST

START_TEST(reading)
{
	static struct clock c;
	uint64_t before = clock_now_us(), first;
	time_t second = time(NULL);
	char want[64];
	struct tm tm;

	setenv("TZ", "IST-5:30", 1);
	tzset();
	clock_read(&c);
	first = c.now_us;
	ck_assert_uint_ge(first, before);
	ck_assert_uint_lt(c.real_us, 1000000);
	/* time() may be behind by a tick. */
	ck_assert_int_ge(c.real_s, second);
	ck_assert_int_le(c.real_s, time(NULL) + 1);
	strftime(want, sizeof(want), "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&c.real_s, &tm));
	ck_assert_str_eq(c.http_date, want);
	strftime(want, sizeof(want), "%d/%b/%Y:%H:%M:%S %z", localtime_r(&c.real_s, &tm));
	ck_assert_str_eq(c.log_date, want);
	ck_assert_str_eq(c.log_date + 20, " +0530");
	/* A second passes. */
	c.real_s--;
	memset(c.http_date, 'x', HTTP_DATE_LEN);
	clock_read(&c);
	ck_assert_uint_ge(c.now_us, first);
	strftime(want, sizeof(want), "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&c.real_s, &tm));
	ck_assert_str_eq(c.http_date, want);
}
END_TEST

START_TEST(west)
{
	static struct clock c;

	setenv("TZ", "XXX+3:30", 1);
	tzset();
	clock_read(&c);
	ck_assert_str_eq(c.log_date + 20, " -0330");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("clock");
	TCase *tc = tcase_create("clock");
	SRunner *runner = srunner_create(s);
	int run, failed;

	suite_add_tcase(s, tc);
	tcase_add_loop_test(tc, parse, 0, ROWS(dates));
	tcase_add_loop_test(tc, there_and_back, 0, 140);
	tcase_add_test(tc, written);
	tcase_add_loop_test(tc, short_year, -49, 51);
	tcase_add_test(tc, reading);
	tcase_add_test(tc, west);
	srunner_run_all(runner, CK_ENV);
	run = srunner_ntests_run(runner);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return run == 0 || failed > 0;
}
