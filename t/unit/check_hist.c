/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tests shm/hist.c: buckets and bounds are two views of one division of the numbers, and quantiles
 * are as near to the true ones as the header promises.
 */
#include "shm/hist.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static const uint64_t values[] = {0,  1,  2,   3,    4,     5,       7,       8,         9,
				  15, 16, 100, 1000, 99999, 1 << 20, 1 << 26, 134217727, 134217728};

/* Every value lies below its bucket's bound and not below the one before. */
START_TEST(test_bucket_and_bound)
{
	uint64_t value = values[_i];
	unsigned bucket = hist_bucket(value);

	ck_assert_uint_lt(bucket, HIST_BUCKETS);
	ck_assert_msg(value < hist_bound(bucket), "%llu in bucket %u", (unsigned long long)value,
		      bucket);
	if (bucket > 0)
		ck_assert_msg(value >= hist_bound(bucket - 1), "%llu in bucket %u",
			      (unsigned long long)value, bucket);
}
END_TEST

START_TEST(test_bounds_grow)
{
	for (unsigned b = 1; b < HIST_BUCKETS; b++) {
		ck_assert_uint_gt(hist_bound(b), hist_bound(b - 1));
		ck_assert_uint_eq(hist_bucket(hist_bound(b - 1)), b);
		ck_assert_uint_eq(hist_bucket(hist_bound(b - 1) - 1), b - 1);
	}
	ck_assert_uint_eq(hist_bound(HIST_BUCKETS - 1), UINT64_MAX);
	ck_assert_uint_eq(hist_bucket(UINT64_MAX), HIST_BUCKETS - 1);
}
END_TEST

START_TEST(test_empty)
{
	uint64_t h[HIST_BUCKETS] = {0};

	ck_assert(hist_quantile(h, 0.5) == 0);
}
END_TEST

/* Evenly spread values, for which the true quantile is q times the largest. */
START_TEST(test_quantiles)
{
	static const double shares[] = {0.001, 0.1, 0.5, 0.9, 0.99, 0.999, 1};
	uint64_t h[HIST_BUCKETS] = {0};
	const uint64_t most = 100000;
	double q = shares[_i], wanted = q * (double)most, got;

	for (uint64_t i = 0; i < most; i++)
		h[hist_bucket(i)]++;
	got = hist_quantile(h, q);
	ck_assert_msg(got > wanted * 0.8 && got < wanted * 1.25, "q %f: %f, not %f", q, got,
		      wanted);
}
END_TEST

START_TEST(test_one_value)
{
	uint64_t h[HIST_BUCKETS] = {0};
	unsigned bucket = hist_bucket(values[_i]);
	double got;

	h[bucket] = 1;
	got = hist_quantile(h, 0.5);
	ck_assert(got >= (bucket > 0 ? (double)hist_bound(bucket - 1) : 0));
	ck_assert(got <= (double)hist_bound(bucket));
	ck_assert(hist_quantile(h, -1) <= hist_quantile(h, 2));
}
END_TEST

/* Two workers' histograms, added, are the histogram of both. */
START_TEST(test_sum)
{
	uint64_t a[HIST_BUCKETS] = {0}, both[HIST_BUCKETS] = {0};

	for (unsigned i = 0; i < 100; i++) {
		a[hist_bucket(10)]++;
		both[hist_bucket(10)]++;
		both[hist_bucket(5000)]++;
	}
	ck_assert(hist_quantile(a, 0.99) < 13);
	ck_assert(hist_quantile(both, 0.4) < 13);
	ck_assert(hist_quantile(both, 0.6) > 4000);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("hist");
	TCase *c = tcase_create("hist");
	SRunner *r;
	int bad;

	tcase_add_loop_test(c, test_bucket_and_bound, 0, sizeof(values) / sizeof(values[0]));
	tcase_add_test(c, test_bounds_grow);
	tcase_add_test(c, test_empty);
	tcase_add_loop_test(c, test_quantiles, 0, 7);
	tcase_add_loop_test(c, test_one_value, 0, sizeof(values) / sizeof(values[0]));
	tcase_add_test(c, test_sum);
	suite_add_tcase(s, c);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	bad = srunner_ntests_failed(r) + (srunner_ntests_run(r) == 0);
	srunner_free(r);
	return bad != 0;
}
