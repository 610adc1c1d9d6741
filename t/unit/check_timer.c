/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tests worker/timer.c: every timer fires once, in the tick after its time, at every distance and
 * in company; cancelled ones never do. Random schedules are held against a plain list.
 */
#include "worker/timer.h"

#include <check.h>
#include <stdbool.h>
#include <stdlib.h>

#define N        500
#define TICK_US  ((uint64_t)1 << TIMER_TICK_SHIFT)
#define START_US 1000000007u

struct record {
	uint32_t before;
	struct timer_node node;
	uint64_t due_us; /* 0: not armed */
	unsigned fired;
};

static struct record records[N];
static struct timer wheel;
static uint64_t now_us;

static void set_up(void)
{
	now_us = START_US;
	timer_init(&wheel, &records[0].node, sizeof records[0], now_us);
	for (int i = 0; i < N; i++) {
		records[i] = (struct record){0};
		timer_node_init(&records[i].node);
	}
}

static void fire(void *arg, uint32_t i)
{
	struct record *r = &records[i];

	(void)arg;
	if (r->due_us == 0)
		ck_abort_msg("timer %u fired without being armed", i);
	if (r->due_us > now_us)
		ck_abort_msg("timer %u fired %llu us early", i,
			     (unsigned long long)(r->due_us - now_us));
	r->due_us = 0;
	r->fired++;
}

static void arm(uint32_t i, uint64_t at_us)
{
	records[i].due_us = at_us;
	timer_arm(&wheel, i, at_us);
}

static const uint64_t distances[] = {0,
				     1,
				     TICK_US - 1,
				     TICK_US,
				     TICK_US + 1,
				     63 * TICK_US,
				     64 * TICK_US,
				     65 * TICK_US,
				     1000000,
				     10000000,
				     65000000,
				     4095 * TICK_US,
				     4096 * TICK_US,
				     4097 * TICK_US,
				     600000000,
				     3600000000u,
				     86400000000u};

START_TEST(test_one)
{
	uint64_t d = distances[_i];

	set_up();
	arm(3, now_us + d);
	ck_assert_uint_ge(timer_at(&wheel, 3), now_us + d);
	now_us += d;
	if (d >= TICK_US) {
		now_us -= TICK_US;
		timer_run(&wheel, now_us, fire, NULL);
		ck_assert_uint_eq(records[3].fired, 0);
		now_us += TICK_US;
	}
	now_us += 2 * TICK_US;
	timer_run(&wheel, now_us, fire, NULL);
	ck_assert_msg(records[3].fired == 1, "armed %llu us ahead: fired %u times",
		      (unsigned long long)d, records[3].fired);
	ck_assert_uint_eq(timer_at(&wheel, 3), 0);
}
END_TEST

/* Goes by timer_wait_us alone, as the event loop does: nothing may fire later than two ticks after
 * its time. */
START_TEST(test_wait)
{
	uint64_t d = distances[_i];

	set_up();
	arm(0, now_us + d);
	for (int turns = 0; records[0].fired == 0; turns++) {
		uint64_t wait = timer_wait_us(&wheel, now_us, 1000000);

		if (turns > 200000)
			ck_abort_msg("no end");
		now_us += wait != 0 ? wait : 1;
		timer_run(&wheel, now_us, fire, NULL);
	}
	ck_assert_uint_le(now_us, START_US + d + 2 * TICK_US);
}
END_TEST

START_TEST(test_random)
{
	set_up();
	srandom((unsigned)_i + 1);
	for (int step = 0; step < 20000; step++) {
		uint32_t i = (uint32_t)random() % N;
		uint64_t scale = (uint64_t)1 << (random() % 30);

		if (random() % 4 == 0) {
			timer_cancel(&wheel, i);
			records[i].due_us = 0;
		} else {
			arm(i, now_us + (uint64_t)random() % (scale + 1));
		}
		if (random() % 8 == 0) {
			now_us += (uint64_t)random() % ((uint64_t)1 << (random() % 27));
			timer_run(&wheel, now_us, fire, NULL);
			for (int k = 0; k < N; k++)
				if (records[k].due_us != 0 &&
				    records[k].due_us + 2 * TICK_US <= now_us)
					ck_abort_msg(
					    "timer %d is overdue by %llu us", k,
					    (unsigned long long)(now_us - records[k].due_us));
		}
	}
}
END_TEST

static void fire_and_meddle(void *arg, uint32_t i)
{
	(void)arg;
	records[i].fired++;
	if (i == 0) {
		timer_cancel(&wheel, 1);
		timer_arm(&wheel, 2, now_us + 64 * TICK_US);
		timer_arm(&wheel, 0, now_us + 63 * TICK_US);
	}
}

START_TEST(test_meddling_callback)
{
	set_up();
	for (uint32_t i = 0; i < 4; i++)
		timer_arm(&wheel, 3 - i, now_us + 5 * TICK_US);
	now_us += 7 * TICK_US;
	timer_run(&wheel, now_us, fire_and_meddle, NULL);
	ck_assert_uint_eq(records[0].fired, 1);
	ck_assert_uint_eq(records[1].fired, 0);
	ck_assert_uint_eq(records[2].fired, 0);
	ck_assert_uint_eq(records[3].fired, 1);
	now_us += 70 * TICK_US;
	timer_run(&wheel, now_us, fire_and_meddle, NULL);
	ck_assert_uint_eq(records[0].fired, 2);
}
END_TEST

START_TEST(test_out_of_reach)
{
	set_up();
	arm(0, now_us + (uint64_t)1000 * 3600 * 1000000);
	ck_assert_uint_lt(timer_at(&wheel, 0), records[0].due_us);
	ck_assert_uint_gt(timer_at(&wheel, 0), now_us + (uint64_t)70 * 3600 * 1000000);
}
END_TEST

/* A worker that is never replaced: the ticks of two years are more than 32 bits have room for. */
START_TEST(test_two_years)
{
	const unsigned all = sizeof distances / sizeof distances[0];
	uint64_t began_us;

	set_up();
	wheel.tick = UINT32_MAX - (uint32_t)_i;
	now_us = began_us = START_US + wheel.tick * TICK_US;
	for (unsigned i = 0; i < all; i++) {
		arm(i, began_us + distances[i]);
		ck_assert_uint_ge(timer_at(&wheel, i), records[i].due_us);
	}
	for (unsigned i = 0; i < all; i++) {
		now_us = began_us + distances[i] + TICK_US;
		timer_run(&wheel, now_us, fire, NULL);
		ck_assert_uint_eq(records[i].fired, 1);
		ck_assert_uint_le(timer_wait_us(&wheel, now_us, 1000000), 1000000);
	}
	arm(0, now_us + 5000000);
	ck_assert_uint_ge(timer_at(&wheel, 0), now_us + 5000000);
	ck_assert_uint_lt(timer_at(&wheel, 0), now_us + 5000000 + 2 * TICK_US);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("timer");
	TCase *c = tcase_create("timer");
	SRunner *r;
	int bad;

	tcase_add_loop_test(c, test_one, 0, sizeof distances / sizeof distances[0]);
	tcase_add_loop_test(c, test_wait, 0, sizeof distances / sizeof distances[0]);
	tcase_add_loop_test(c, test_random, 0, 8);
	tcase_add_test(c, test_meddling_callback);
	tcase_add_test(c, test_out_of_reach);
	tcase_add_loop_test(c, test_two_years, 0, 70);
	tcase_set_timeout(c, 30);
	suite_add_tcase(s, c);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	bad = srunner_ntests_failed(r) + (srunner_ntests_run(r) == 0);
	srunner_free(r);
	return bad != 0;
}
