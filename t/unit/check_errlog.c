/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tests worker/errlog.c: form of a line, levels, escapes, one write for each line, repeated lines,
 * and a log that cannot be written for a while.
 */
#include "worker/errlog.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <regex.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static char text[70000];

/* Datagrams: each read gives what one write wrote. */
static int ends[2];

static void set_up(void)
{
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, ends), 0);
	errlog_open(ends[1], ERRLOG_DEBUG, -1);
}

static void tear_down(void)
{
	close(ends[0]);
	close(ends[1]);
}

/* The next line, or "" if there is none. */
static const char *next_line(void)
{
	ssize_t n = read(ends[0], text, sizeof text - 1);

	text[n > 0 ? n : 0] = '\0';
	return text;
}

static void expect_match(const char *line, const char *pattern)
{
	regex_t re;

	ck_assert_int_eq(regcomp(&re, pattern, REG_EXTENDED | REG_NOSUB), 0);
	ck_assert_msg(regexec(&re, line, 0, NULL, 0) == 0, "'%s' is not as '%s'", line, pattern);
	regfree(&re);
}

static void expect_line(const char *pattern)
{
	expect_match(next_line(), pattern);
}

static void expect_nothing(void)
{
	ck_assert_str_eq(next_line(), "");
}

#define START "^[0-9]{4}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-6][0-9]\\.[0-9]{3}Z "

START_TEST(test_form)
{
	char pattern[256];

	errlog(ERRLOG_WARN, "%s has %d", "this", 2);
	snprintf(pattern, sizeof pattern, START "warn %d \\[-\\] this has 2\n$", (int)getpid());
	expect_line(pattern);
	errlog_open(ends[1], ERRLOG_NOTICE, 3);
	errlog(ERRLOG_ALERT, "x");
	snprintf(pattern, sizeof pattern, START "alert %d \\[3\\] x\n$", (int)getpid());
	expect_line(pattern);
	expect_nothing();
}
END_TEST

/* The time of a line is now, in UTC. */
START_TEST(test_time)
{
	struct tm tm = {0};
	time_t before = time(NULL), then;

	setenv("TZ", "Pacific/Kiritimati", 1);
	tzset();
	errlog(ERRLOG_NOTICE, "x");
	ck_assert_ptr_nonnull(strptime(next_line(), "%Y-%m-%dT%H:%M:%S", &tm));
	then = timegm(&tm);
	ck_assert(then >= before && then <= time(NULL));
}
END_TEST

START_TEST(test_level)
{
	for (int from = ERRLOG_DEBUG; from <= ERRLOG_ALERT; from++) {
		errlog_open(ends[1], from, -1);
		for (int level = ERRLOG_DEBUG - 1; level <= ERRLOG_ALERT + 1; level++) {
			errlog(level, "x");
			if (level >= from && level <= ERRLOG_ALERT)
				expect_line(errlog_level_name(level));
			else
				expect_nothing();
		}
	}
}
END_TEST

START_TEST(test_level_names)
{
	for (int level = ERRLOG_DEBUG; level <= ERRLOG_ALERT; level++)
		ck_assert_int_eq(errlog_level_parse(errlog_level_name(level)), level);
	ck_assert_int_eq(errlog_level_parse("debug"), ERRLOG_DEBUG);
	ck_assert_int_eq(errlog_level_parse("alert"), ERRLOG_ALERT);
	ck_assert_int_eq(errlog_level_parse("Debug"), -1);
	ck_assert_int_eq(errlog_level_parse(""), -1);
	ck_assert_ptr_null(errlog_level_name(-1));
	ck_assert_ptr_null(errlog_level_name(ERRLOG_ALERT + 1));
}
END_TEST

START_TEST(test_escape)
{
	errlog(ERRLOG_ERROR, "a\r\n2026 alert forged\t\x1b[1m\x7f\xc3\xa9~ \"");
	expect_line("\\] a\\\\x0d\\\\x0a2026 alert forged\\\\x09\\\\x1b\\[1m\\\\x7f\\\\xc3\\\\xa9~ "
		    "\"\n$");
	expect_nothing();
}
END_TEST

/* Cut at 2 KiB, not within an escape. */
START_TEST(test_long)
{
	static char long_text[5000];

	for (int shift = 0; shift < 8; shift++) {
		memset(long_text, 'a', (size_t)shift);
		memset(long_text + shift, '\n', sizeof long_text - 1 - (size_t)shift);
		errlog(ERRLOG_ERROR, "%s", long_text);
		expect_line("\\] a{0,8}(\\\\x0a)*\n$");
		ck_assert_uint_le(strlen(text), 2048);
		ck_assert_uint_ge(strlen(text), 2048 - 4);
		expect_nothing();
	}
	memset(long_text, 'a', sizeof long_text - 1);
	errlog(ERRLOG_ERROR, "%s", long_text);
	ck_assert_uint_eq(strlen(next_line()), 2048);
}
END_TEST

START_TEST(test_errno)
{
	struct errlog_limit limit = {0};

	errno = ENOTEMPTY;
	errlog(ERRLOG_ERROR, "%m");
	ck_assert_int_eq(errno, ENOTEMPTY);
	expect_line("\\] Directory not empty\n$");
	errno = ENOTEMPTY;
	errlog_limited(&limit, ERRLOG_ERROR, "%m");
	ck_assert_int_eq(errno, ENOTEMPTY);
	expect_line("\\] Directory not empty\n$");
	errlog_open(-1, ERRLOG_NOTICE, -1);
	errno = ENOTEMPTY;
	errlog(ERRLOG_ERROR, "lost");
	ck_assert_int_eq(errno, ENOTEMPTY);
	errlog_open(ends[1], ERRLOG_NOTICE, -1);
	errlog(ERRLOG_ERROR, "%m");
	ck_assert_int_eq(errno, ENOTEMPTY);
	expect_line("1 line of this log could not be written: Bad file descriptor\n$");
	expect_line("\\] Directory not empty\n$");
}
END_TEST

START_TEST(test_limited)
{
	static struct errlog_limit limit, other;

	for (int i = 0; i < 1205; i++)
		errlog_limited(&limit, ERRLOG_WARN, "again %d", i);
	expect_line("\\] again 0\n$");
	expect_nothing();
	errlog_limited(&other, ERRLOG_WARN, "elsewhere");
	expect_line("\\] elsewhere\n$");
	limit.window_us -= 61000000;
	errlog_limited(&limit, ERRLOG_WARN, "later");
	expect_line("warn [0-9]+ \\[-\\] suppressed 1,204 similar: again 1\n$");
	expect_line("\\] later\n$");
	limit.window_us -= 59000000;
	errlog_limited(&limit, ERRLOG_WARN, "later");
	expect_nothing();
}
END_TEST

static void say_long(struct errlog_limit *limit)
{
	static char long_text[3000];

	memset(long_text, 'a', sizeof long_text - 1);
	errlog_limited(limit, ERRLOG_WARN, "%s", long_text);
}

START_TEST(test_limited_length)
{
	static struct errlog_limit limit;

	say_long(&limit);
	ck_assert_uint_le(strlen(next_line()), 2048);
	say_long(&limit);
	errlog_tick(UINT64_MAX, true);
	expect_line("\\] suppressed 1 similar: a{159}\n$");
}
END_TEST

/* So many of a place are said; the sum comes by itself, once, and counts them all. */
START_TEST(test_limited_tick)
{
	static struct errlog_limit limit = {.burst = 3};
	uint64_t counter = 0, left_out_us;

	errlog_set_counter(&counter);
	for (int i = 0; i < 1234570; i++)
		errlog_limited(&limit, ERRLOG_ERROR, "flood %d", i);
	for (int i = 0; i < 3; i++)
		expect_line("\\] flood [012]\n$");
	expect_nothing();
	ck_assert_uint_eq(counter, 1234567);
	left_out_us = limit.since_us;
	errlog_tick(left_out_us + 9000000, false);
	expect_nothing();
	errlog_tick(left_out_us + 10000000, false);
	expect_line("error [0-9]+ \\[-\\] suppressed 1,234,567 similar: flood 3\n$");
	errlog_tick(left_out_us + 100000000, true);
	expect_nothing();
	errlog_limited(&limit, ERRLOG_ERROR, "flood");
	errlog_tick(limit.since_us, true);
	expect_line("\\] suppressed 1 similar: flood\n$");
	ck_assert_uint_eq(counter, 1234568);
	errlog_set_counter(NULL);
}
END_TEST

/* After a fork: what the parent left out is the parent's to say. */
START_TEST(test_limited_forgotten)
{
	static struct errlog_limit limit;

	errlog_limited(&limit, ERRLOG_WARN, "one");
	errlog_limited(&limit, ERRLOG_WARN, "two");
	expect_line("\\] one\n$");
	errlog_open(ends[1], ERRLOG_DEBUG, 3);
	errlog_tick(UINT64_MAX, true);
	expect_nothing();
	errlog_limited(&limit, ERRLOG_WARN, "three");
	expect_line("\\[3\\] three\n$");
}
END_TEST

static void subject(const void *arg, char *out, size_t size)
{
	snprintf(out, size, "%s", (const char *)arg);
}

START_TEST(test_subject)
{
	static struct errlog_limit limit;

	errlog_set_subject(subject, "conn=1 req=ab\n ");
	errlog(ERRLOG_WARN, "said");
	expect_line("\\[-\\] conn=1 req=ab\\\\x0a said\n$");
	errlog_limited(&limit, ERRLOG_WARN, "said");
	expect_line("\\[-\\] conn=1 req=ab\\\\x0a said\n$");
	errlog_limited(&limit, ERRLOG_WARN, "said");
	/* The sum is about no connection. */
	errlog_tick(UINT64_MAX, true);
	expect_line("\\[-\\] suppressed 1 similar: said\n$");
	errlog_set_subject(NULL, NULL);
	errlog(ERRLOG_WARN, "said");
	expect_line("\\[-\\] said\n$");
}
END_TEST

/* What the level keeps out is neither written nor counted. */
START_TEST(test_limited_level)
{
	static struct errlog_limit limit;

	errlog_open(ends[1], ERRLOG_ERROR, -1);
	errlog_limited(&limit, ERRLOG_WARN, "no");
	ck_assert_uint_eq(limit.window_us, 0);
	expect_nothing();
}
END_TEST

START_TEST(test_loss)
{
	int full = open("/dev/full", O_WRONLY | O_CLOEXEC);

	ck_assert_int_ge(full, 0);
	errlog_open(full, ERRLOG_NOTICE, -1);
	for (int i = 0; i < 5; i++)
		errlog(ERRLOG_WARN, "lost");
	errlog_open(ends[1], ERRLOG_NOTICE, -1);
	errlog(ERRLOG_WARN, "heard");
	expect_line("warn [0-9]+ \\[-\\] 5 lines of this log could not be written: "
		    "No space left on device\n$");
	expect_line("\\] heard\n$");
	errlog(ERRLOG_WARN, "and again");
	expect_line("\\] and again\n$");
	expect_nothing();
	close(full);
}
END_TEST

/* A file at its limit takes the first bytes of a line: the next one does not continue it. */
START_TEST(test_torn)
{
	FILE *file = tmpfile();
	struct rlimit old, limit;
	ssize_t n;

	ck_assert_ptr_nonnull(file);
	signal(SIGXFSZ, SIG_IGN);
	ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &old), 0);
	limit = (struct rlimit){.rlim_cur = 20, .rlim_max = old.rlim_max};
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	errlog_open(fileno(file), ERRLOG_NOTICE, -1);
	errlog(ERRLOG_WARN, "torn");
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &old), 0);
	errlog(ERRLOG_WARN, "heard");
	n = pread(fileno(file), text, sizeof text - 1, 0);
	ck_assert_int_gt(n, 20);
	text[n] = '\0';
	ck_assert_int_eq(text[20], '\n');
	expect_match(text + 21,
		     START "warn [0-9]+ \\[-\\] 1 line of this log could not be written: ");
	expect_match(text, "\\] heard\n$");
	fclose(file);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("errlog");
	TCase *c = tcase_create("errlog");
	SRunner *r;
	int bad;

	tcase_add_checked_fixture(c, set_up, tear_down);
	tcase_add_test(c, test_form);
	tcase_add_test(c, test_time);
	tcase_add_test(c, test_level);
	tcase_add_test(c, test_level_names);
	tcase_add_test(c, test_escape);
	tcase_add_test(c, test_long);
	tcase_add_test(c, test_errno);
	tcase_add_test(c, test_limited);
	tcase_add_test(c, test_limited_length);
	tcase_add_test(c, test_limited_tick);
	tcase_add_test(c, test_limited_forgotten);
	tcase_add_test(c, test_subject);
	tcase_add_test(c, test_limited_level);
	tcase_add_test(c, test_loss);
	tcase_add_test(c, test_torn);
	suite_add_tcase(s, c);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	bad = srunner_ntests_failed(r) + (srunner_ntests_run(r) == 0);
	srunner_free(r);
	return bad != 0;
}
