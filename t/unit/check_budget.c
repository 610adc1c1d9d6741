/* SPDX-License-Identifier: BSD-2-Clause */
/* tests worker/budget.c: the share, what is allowed anyway, and many writers at once. */
#include "worker/budget.h"

#include <check.h>
#include <pthread.h>
#include <stdlib.h>

enum {
	START_US = 5000000
};

static unsigned take_all(const struct budget *b, uint64_t *spent, uint64_t *allowed, uint64_t now)
{
	unsigned n = 0;

	while (n < 100000 && budget_take(b, spent, allowed, now))
		n++;
	return n;
}

static const struct {
	struct budget b;
	unsigned at_once, after_100, after_second;
} shares[] = {
    {{20, 0}, 100, 20, 0}, {{20, 10}, 110, 20, 10},  {{0, 0}, 0, 0, 0},  {{0, 7}, 7, 0, 7},
    {{1, 0}, 5, 1, 0},     {{200, 0}, 1000, 200, 0}, {{3, 1}, 16, 3, 1},
};

START_TEST(test_share)
{
	const struct budget *b = &shares[_i].b;
	uint64_t spent = 0, allowed = 0;

	ck_assert_uint_eq(take_all(b, &spent, &allowed, START_US), shares[_i].at_once);
	ck_assert_uint_eq(budget_left(b, spent), 0);
	for (unsigned k = 0; k < 100; k++)
		budget_earn(b, &spent);
	ck_assert_uint_eq(budget_left(b, spent), shares[_i].after_100);
	ck_assert_uint_eq(take_all(b, &spent, &allowed, START_US), shares[_i].after_100);
	ck_assert_uint_eq(take_all(b, &spent, &allowed, START_US + BUDGET_SECOND_US),
			  shares[_i].after_second);
	/* What was not used is not saved up for longer than a second. */
	ck_assert_uint_eq(take_all(b, &spent, &allowed, START_US + 20 * BUDGET_SECOND_US),
			  shares[_i].after_second);
}
END_TEST

START_TEST(test_paid_back)
{
	const struct budget b = {20, 0};
	uint64_t spent = 0, allowed = 0;

	for (unsigned k = 0; k < 1000; k++)
		budget_earn(&b, &spent);
	ck_assert_uint_eq(spent, 0);
	ck_assert(budget_take(&b, &spent, &allowed, START_US));
	ck_assert_uint_eq(spent, BUDGET_RETRY);
	for (unsigned k = 0; k < 6; k++)
		budget_earn(&b, &spent);
	ck_assert_uint_eq(spent, 0);
}
END_TEST

static struct budget shared_budget = {20, 0};
static uint64_t shared_spent, shared_allowed;

static void *many(void *arg)
{
	unsigned *taken = arg;

	for (unsigned k = 0; k < 50000; k++) {
		budget_earn(&shared_budget, &shared_spent);
		*taken += budget_take(&shared_budget, &shared_spent, &shared_allowed, START_US);
	}
	return NULL;
}

START_TEST(test_many_writers)
{
	pthread_t thread[4];
	unsigned taken[4] = {0}, all = 0;

	for (unsigned k = 0; k < 4; k++)
		ck_assert_int_eq(pthread_create(&thread[k], NULL, many, &taken[k]), 0);
	for (unsigned k = 0; k < 4; k++) {
		ck_assert_int_eq(pthread_join(thread[k], NULL), 0);
		all += taken[k];
	}
	/* A fifth of 200,000, and the share of 500 that was there to begin with. */
	ck_assert_uint_le(all, 40100);
	ck_assert_uint_ge(all, 39000);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("budget");
	TCase *t = tcase_create("budget");
	SRunner *r;
	int failed;

	tcase_add_loop_test(t, test_share, 0, sizeof shares / sizeof shares[0]);
	tcase_add_test(t, test_paid_back);
	tcase_add_test(t, test_many_writers);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
