/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tests worker/health.c and worker/check_answer.c: what is made of the good and the bad that is
 * known of a peer.
 */
#include "worker/health.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "worker/check_answer.h"

#define S UINT64_C(1000000)

/* w well, f failed; what each is told as: '.' same, W warns, F falls, R rises, H heals. */
static const struct {
	uint32_t fall, rise;
	enum check_state from;
	const char *checks, *news;
	enum check_state to;
} steps[] = {
    {3, 2, CHECK_UNKNOWN, "w", ".", CHECK_UP},
    {3, 2, CHECK_UNKNOWN, "f", "W", CHECK_WARNED},
    {3, 2, CHECK_UP, "ff", "W.", CHECK_WARNED},
    {3, 2, CHECK_UP, "fff", "W.F", CHECK_DOWN},
    {3, 2, CHECK_UP, "fffff", "W.F..", CHECK_DOWN},
    {3, 2, CHECK_UP, "fffw", "W.F.", CHECK_DOWN},
    {3, 2, CHECK_UP, "fffww", "W.F.R", CHECK_UP},
    {3, 2, CHECK_UP, "fffwfw", "W.F...", CHECK_DOWN},
    {3, 2, CHECK_UP, "fffwfww", "W.F...R", CHECK_UP},
    {3, 2, CHECK_UP, "ffwffwfff", "W.HW.HW.F", CHECK_DOWN},
    {1, 1, CHECK_UP, "fwf", "FRF", CHECK_DOWN},
    {2, 1, CHECK_UNKNOWN, "ff", "WF", CHECK_DOWN},
    {3, 2, CHECK_DOWN, "ww", ".R", CHECK_UP},
};

START_TEST(test_steps)
{
	static const char letters[] = {[HEALTH_SAME] = '.',
				       [HEALTH_WARNS] = 'W',
				       [HEALTH_FALLS] = 'F',
				       [HEALTH_RISES] = 'R',
				       [HEALTH_HEALS] = 'H'};
	struct health_check h = {.state = steps[_i].from};

	for (size_t k = 0; steps[_i].checks[k] != '\0'; k++) {
		enum health_news news = health_step(&h, steps[_i].checks[k] == 'w', steps[_i].fall,
						    steps[_i].rise);

		ck_assert_msg(letters[news] == steps[_i].news[k], "step %zu of %s: %c", k,
			      steps[_i].checks, letters[news]);
	}
	ck_assert_int_eq(h.state, steps[_i].to);
}
END_TEST

START_TEST(test_interval)
{
	ck_assert_uint_eq(health_interval_us(2 * S, 0), 1800000);
	ck_assert_uint_le(health_interval_us(2 * S, UINT32_MAX), 2200000);
	ck_assert_uint_ge(health_interval_us(2 * S, UINT32_MAX), 2199000);
	ck_assert_uint_eq(health_interval_us(2 * S, UINT32_MAX / 2 + 1), 2 * S);
	ck_assert_uint_eq(health_valid_us(2 * S, S, 3), 27 * S);
}
END_TEST

/* First 10 s, at most 5 min. */
static const struct {
	uint64_t series, seconds;
} ejects[] = {{0, 10}, {1, 20}, {2, 40}, {3, 80}, {4, 160}, {5, 300}, {6, 300}, {UINT64_MAX, 300}};

START_TEST(test_ejects)
{
	ck_assert_uint_eq(health_eject_us(ejects[_i].series, 10 * S, 300 * S),
			  ejects[_i].seconds * S);
}
END_TEST

START_TEST(test_eject_limits)
{
	ck_assert_uint_eq(health_eject_us(0, 600 * S, 300 * S), 600 * S);
	ck_assert_uint_eq(health_eject_us(9, 600 * S, 300 * S), 600 * S);
	ck_assert_uint_eq(health_eject_us(9, 0, 300 * S), 0);
}
END_TEST

/* After so many seconds of health, steps are left. */
static const struct {
	uint64_t series, well, left;
} series[] = {
    {0, 1000, 0}, {1, 0, 1},  {1, 9, 1},  {1, 10, 0}, {3, 39, 3},
    {3, 40, 2},   {3, 59, 2}, {3, 60, 1}, {3, 70, 0}, {6, 300, 5},
};

START_TEST(test_series)
{
	ck_assert_uint_eq(
	    health_series(series[_i].series, S, S + series[_i].well * S, 10 * S, 300 * S),
	    series[_i].left);
}
END_TEST

START_TEST(test_rate)
{
	const uint64_t window = 10 * S;
	uint64_t at = 1000 * S, word = 0, before = 0;
	struct health_rate r;

	for (int i = 0; i < 40; i++)
		word = health_count(word, health_half(at, window), i % 4 == 0);
	r = health_rate(word, 0, at, window);
	ck_assert_uint_eq(r.requests, 40);
	ck_assert_uint_eq(r.percent, 25);
	/* The next half begins: the one before counts less and less. */
	before = word;
	at += 5 * S;
	ck_assert(!health_is_half(word, health_half(at, window)));
	word = health_count(word, health_half(at, window), true);
	r = health_rate(word, before, at, window);
	ck_assert_uint_eq(r.requests, 41);
	r = health_rate(word, before, at + 2500000, window);
	ck_assert_uint_eq(r.requests, 21);
	ck_assert_uint_eq(r.percent, 28);
	/* A half without any request, and one of long ago. */
	r = health_rate(before, 0, at + S, window);
	ck_assert_uint_eq(r.requests, 32);
	r = health_rate(word, before, at + 10 * S, window);
	ck_assert_uint_eq(r.requests, 0);
	ck_assert_uint_eq(r.percent, 0);
}
END_TEST

/* A million is enough. */
START_TEST(test_rate_is_bounded)
{
	uint64_t word = 0, last = 0;

	for (int i = 0; i < 1200000; i++) {
		last = word;
		word = health_count(word, 7, true);
	}
	ck_assert_uint_eq(word, last);
	ck_assert(health_is_half(word, 7));
}
END_TEST

static const struct {
	uint64_t weight, age, slow, want;
} weights[] = {
    {10, 0, 30, 1}, {10, 15, 30, 5},    {10, 29, 30, 9},    {10, 30, 30, 10},
    {10, 0, 0, 10}, {1000, 0, 30, 100}, {1000, 3, 30, 190}, {1, 0, 30, 1},
};

START_TEST(test_weights)
{
	ck_assert_uint_eq(
	    health_weight(weights[_i].weight, S, S + weights[_i].age * S, weights[_i].slow * S),
	    weights[_i].want);
	ck_assert_uint_eq(health_weight(weights[_i].weight, 0, S, 30 * S), weights[_i].weight);
}
END_TEST

/* Answers. */

static struct status_range ranges[] = {{200, 299}, {304, 304}};
static const struct check_settings plain = {.status = ranges, .status_count = 2};
static const struct check_settings text = {.status = ranges, .status_count = 2, .body = "all well"};

#define OK "HTTP/1.1 200 OK\r\n"

static const struct {
	const struct check_settings *c;
	const char *answer;
	enum check_verdict verdict; /* of the whole, with its end */
	enum check_reason reason;
	uint64_t detail;
} answers[] = {
    {&plain, OK "Content-Length: 5\r\n\r\n", CHECK_WELL, 0, 0}, /* the body is not waited for */
    {&plain, "HTTP/1.1 304 x\r\n\r\n", CHECK_WELL, 0, 0},
    {&plain, "HTTP/1.1 503 x\r\n\r\n", CHECK_FAILS, CHECK_FAILED_STATUS, 503},
    {&plain, "HTTP/1.1 103 x\r\n\r\nHTTP/1.1 100 x\r\n\r\n" OK "\r\n", CHECK_WELL, 0, 0},
    {&plain, "HTTP/1.1 101 x\r\n\r\n", CHECK_FAILS, CHECK_FAILED_STATUS, 101},
    {&plain, "", CHECK_FAILS, CHECK_FAILED_CLOSED, 0},
    {&plain, OK, CHECK_FAILS, CHECK_FAILED_CLOSED, 0},
    {&plain, "hello\r\n\r\n", CHECK_FAILS, CHECK_FAILED_RESPONSE, HTTP_FAULT_STATUS_LINE},
    {&plain, OK "Content-Length: 1\r\nContent-Length: 2\r\n\r\n", CHECK_FAILS,
     CHECK_FAILED_RESPONSE, HTTP_FAULT_LENGTH},
    {&text, OK "Content-Length: 12\r\n\r\nit: all well", CHECK_WELL, 0, 0},
    {&text, OK "Content-Length: 11\r\n\r\nit: all well", CHECK_FAILS, CHECK_FAILED_BODY, 0},
    {&text, OK "Content-Length: 99\r\n\r\nit: all wel", CHECK_FAILS, CHECK_FAILED_CLOSED, 0},
    {&text, OK "Content-Length: 0\r\n\r\n", CHECK_FAILS, CHECK_FAILED_BODY, 0},
    {&text, OK "\r\nuntil the end: all well", CHECK_WELL, 0, 0},
    {&text, OK "\r\nuntil the end: not well", CHECK_FAILS, CHECK_FAILED_BODY, 0},
    {&text, "HTTP/1.1 204 x\r\n\r\nall well", CHECK_FAILS, CHECK_FAILED_BODY, 0},
    {&text,
     OK "Transfer-Encoding: chunked\r\n\r\n4\r\nall \r\n2;x=1\r\nwe\r\n3\r\nll!\r\n0\r\n\r\n",
     CHECK_WELL, 0, 0},
    {&text, OK "Transfer-Encoding: chunked\r\n\r\n4\r\nall \r\n4\r\nwoll\r\n0\r\n\r\n", CHECK_FAILS,
     CHECK_FAILED_BODY, 0},
    {&text, OK "Transfer-Encoding: chunked\r\n\r\n4\r\nall \r\n", CHECK_FAILS, CHECK_FAILED_CLOSED,
     0},
    {&text, OK "Transfer-Encoding: chunked\r\n\r\nx\r\n", CHECK_FAILS, CHECK_FAILED_RESPONSE,
     HTTP_FAULT_TRANSFER_CODING},
    {&text, "HTTP/1.1 500 x\r\n\r\nall well", CHECK_FAILS, CHECK_FAILED_STATUS, 500},
};

/* In pieces of so many bytes. */
static void expect(const char *answer, size_t len, size_t step, const struct check_settings *c,
		   enum check_verdict want, enum check_reason reason, uint64_t detail)
{
	static char buffer[CHECK_ROOM];
	struct check_answer a = {0};
	enum check_reason why = CHECK_FAILED_NONE;
	enum check_verdict got = CHECK_MORE;
	uint64_t what = 0;

	for (size_t at = 0; got == CHECK_MORE; at += step) {
		size_t n = at >= len ? 0 : len - at < step ? len - at : step;

		ck_assert_uint_le(a.len + n, CHECK_ROOM);
		memcpy(buffer + a.len, answer + at, n);
		a.len += (uint32_t)n;
		got = check_answer(&a, buffer, n == 0, c, &why, &what);
		ck_assert(n != 0 || got != CHECK_MORE);
	}
	ck_assert_int_eq(got, want);
	ck_assert_int_eq(why, reason);
	ck_assert_uint_eq(what, detail);
}

START_TEST(test_answers)
{
	for (size_t step = 1; step < 64; step += 3)
		expect(answers[_i].answer, strlen(answers[_i].answer), step, answers[_i].c,
		       answers[_i].verdict, answers[_i].reason, answers[_i].detail);
}
END_TEST

/* Only the beginning of a body is looked at, and a head is bounded. */
START_TEST(test_bounds)
{
	const size_t size = 4 * CHECK_ROOM;
	char *big = malloc(size);

	memset(big, 'x', size);
	memcpy(big, OK "\r\n", 19);
	memcpy(big + 19 + CHECK_BODY_MOST - 8, "all well", 8);
	expect(big, size, 1000, &text, CHECK_WELL, 0, 0);
	memset(big + 19 + CHECK_BODY_MOST - 8, 'x', 8);
	memcpy(big + 19 + CHECK_BODY_MOST, "all well", 8);
	expect(big, size, 1000, &text, CHECK_FAILS, CHECK_FAILED_BODY, 0);
	memcpy(big, OK "X: ", 20);
	expect(big, size, 1000, &text, CHECK_FAILS, CHECK_FAILED_RESPONSE,
	       HTTP_FAULT_HEAD_TOO_LARGE);
	free(big);
}
END_TEST

#define DIM(a) ((int)(sizeof(a) / sizeof((a)[0])))

int main(void)
{
	Suite *s = suite_create("health");
	TCase *c = tcase_create("health");

	tcase_add_loop_test(c, test_steps, 0, DIM(steps));
	tcase_add_test(c, test_interval);
	tcase_add_loop_test(c, test_ejects, 0, DIM(ejects));
	tcase_add_test(c, test_eject_limits);
	tcase_add_loop_test(c, test_series, 0, DIM(series));
	tcase_add_test(c, test_rate);
	tcase_add_test(c, test_rate_is_bounded);
	tcase_add_loop_test(c, test_weights, 0, DIM(weights));
	tcase_add_loop_test(c, test_answers, 0, DIM(answers));
	tcase_add_test(c, test_bounds);
	suite_add_tcase(s, c);

	SRunner *r = srunner_create(s);

	srunner_run_all(r, CK_NORMAL);
	int failed = srunner_ntests_failed(r);

	srunner_free(r);
	return failed != 0;
}
