/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tests shm/rates.c: rates and percentiles of an interval, and that nothing is told where nothing
 * can be.
 */
#include "shm/rates.h"

#include <check.h>
#include <math.h>
#include <string.h>

static const struct {
	uint64_t now, before;
	double seconds, want; /* NAN: not known */
} pairs[] = {
    {100, 0, 1, 100},  {100, 100, 1, 0},   {150, 100, 0.5, 100},
    {3, 0, 1.5, 2},    {99, 100, 1, NAN},  {100, 0, 0, NAN},
    {100, 0, -1, NAN}, {100, 0, NAN, NAN}, {UINT64_MAX, 0, 1, 18446744073709551616.},
};

START_TEST(test_per_s)
{
	double got = rates_per_s(pairs[_i].now, pairs[_i].before, pairs[_i].seconds);

	if (isnan(pairs[_i].want))
		ck_assert_msg(isnan(got), "pair %d: %f", _i, got);
	else
		ck_assert_msg(got == pairs[_i].want, "pair %d: %f", _i, got);
}
END_TEST

/* Ten slow values after a thousand quick ones: the interval knows the slow ones only. */
START_TEST(test_interval)
{
	uint64_t before[HIST_BUCKETS] = {0}, now[HIST_BUCKETS], since[HIST_BUCKETS];

	before[hist_bucket(100)] = 1000;
	memcpy(now, before, sizeof(now));
	now[hist_bucket(50000)] += 10;
	ck_assert(rates_hist(now, before, since));
	ck_assert(rates_quantile(now, 0.5) < 200);
	ck_assert(fabs(rates_quantile(since, 0.5) - 50000) < 12500);
	ck_assert(fabs(rates_quantile(since, 0.99) - 50000) < 12500);
}
END_TEST

START_TEST(test_interval_of_nothing)
{
	uint64_t h[HIST_BUCKETS] = {[5] = 7}, since[HIST_BUCKETS];

	ck_assert(rates_hist(h, h, since));
	ck_assert(isnan(rates_quantile(since, 0.5)));
	ck_assert(!isnan(rates_quantile(h, 0.5)));
}
END_TEST

/* Another board, or a row that began anew: one bucket lower spoils all. */
START_TEST(test_interval_backwards)
{
	uint64_t before[HIST_BUCKETS] = {[5] = 7, [9] = 3}, now[HIST_BUCKETS] = {[5] = 9, [9] = 2};
	uint64_t since[HIST_BUCKETS];

	ck_assert(!rates_hist(now, before, since));
	for (unsigned i = 0; i < HIST_BUCKETS; i++)
		ck_assert_uint_eq(since[i], 0);
}
END_TEST

static const struct {
	double n;
	const char *number, *bytes, *duration;
} texts[] = {
    {NAN, "-", "-", "-"},
    {INFINITY, "-", "-", "-"},
    {0, "0.0", "0", "0 us"},
    {0.04, "0.0", "0", "0 us"},
    {12345.67, "12345.7", "12k", "12 ms"},
    {999999.9, "999999.9", "977k", "1.0 s"},
    {999999.96, "1.0M", "977k", "1.0 s"},
    {1e9, "1.0G", "954M", "16m40s"},
    {1e30, "1000000000000.0E", "16E", "213503982d8h"},
};

START_TEST(test_texts)
{
	char out[PRINT_SHORT];

	ck_assert_str_eq(rates_number(texts[_i].n, out), texts[_i].number);
	ck_assert_str_eq(rates_bytes(texts[_i].n, out), texts[_i].bytes);
	ck_assert_str_eq(rates_duration(texts[_i].n, out), texts[_i].duration);
}
END_TEST

START_TEST(test_totals)
{
	char out[PRINT_SHORT];

	ck_assert_str_eq(rates_total(0, out), "0");
	ck_assert_str_eq(rates_total(9999999999, out), "9999999999");
	ck_assert_str_eq(rates_total(10000000000, out), "10.0G");
	ck_assert_str_eq(rates_total(UINT64_MAX, out), "18.4E");
}
END_TEST

#define LOOP(c, test, table) \
	tcase_add_loop_test(c, test, 0, (int)(sizeof(table) / sizeof((table)[0])))

int main(void)
{
	Suite *s = suite_create("rates");
	TCase *c = tcase_create("rates");
	SRunner *r;
	int bad;

	LOOP(c, test_per_s, pairs);
	tcase_add_test(c, test_interval);
	tcase_add_test(c, test_interval_of_nothing);
	tcase_add_test(c, test_interval_backwards);
	LOOP(c, test_texts, texts);
	tcase_add_test(c, test_totals);
	suite_add_tcase(s, c);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	bad = srunner_ntests_failed(r) + (srunner_ntests_run(r) == 0);
	srunner_free(r);
	return bad != 0;
}
