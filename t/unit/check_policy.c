/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tests master/policy.c: every decision over tables of numbers.
 */
#include "master/policy.h"

#include <check.h>
#include <stdlib.h>

#define S POLICY_SECOND_US

static const struct {
	unsigned deaths;
	uint64_t wait_us;
} patience[] = {
    {0, 0},      {1, 0},      {2, S},      {3, 2 * S},  {4, 4 * S},     {5, 8 * S},
    {6, 16 * S}, {7, 32 * S}, {8, 60 * S}, {9, 60 * S}, {1000, 60 * S}, {UINT32_MAX, 60 * S},
};

enum {
	LOADS = 4
};

static const struct {
	uint32_t n;
	struct policy_load loads[LOADS];
	struct policy_move moves[LOADS + 1]; /* ends with a count of 0 */
} balances[] = {
    {0, {{0, 0}}, {{0, 0, 0}}},
    {1, {{600, 600}}, {{0, 0, 0}}},
    {2, {{600, 600}, {600, 600}}, {{0, 0, 0}}},
    {2, {{15, 15}, {0, 0}}, {{0, 0, 0}}},
    {2, {{16, 16}, {0, 0}}, {{0, 1, 8}}},
    {2, {{0, 0}, {16, 16}}, {{1, 0, 8}}},
    /* A tenth of the most. */
    {2, {{1000, 1000}, {900, 900}}, {{0, 0, 0}}},
    {2, {{1000, 1000}, {899, 899}}, {{0, 1, 50}}},
    {3, {{600, 600}, {0, 0}, {0, 0}}, {{0, 1, 200}, {0, 2, 200}}},
    {3, {{0, 0}, {0, 0}, {601, 601}}, {{2, 0, 200}, {2, 1, 200}}},
    {4, {{400, 400}, {0, 0}, {400, 400}, {0, 0}}, {{0, 1, 200}, {2, 3, 200}}},
    {4, {{500, 500}, {300, 300}, {0, 0}, {0, 0}}, {{0, 2, 200}, {0, 3, 100}, {1, 3, 100}}},
    /* Busy ones stay. */
    {2, {{600, 100}, {0, 0}}, {{0, 1, 100}}},
    {2, {{600, 0}, {0, 0}}, {{0, 0, 0}}},
    {3, {{600, 50}, {300, 300}, {0, 0}}, {{0, 2, 50}}},
    /* Gauges of a moment. */
    {2, {{100, 200}, {0, 5}}, {{0, 1, 50}}},
};

START_TEST(test_rebalance)
{
	const struct policy_move *want = balances[_i].moves;
	struct policy_move moves[LOADS] = {{0, 0, 0}};
	uint32_t n = policy_rebalance(balances[_i].loads, balances[_i].n, moves), k;

	for (k = 0; want[k].count != 0; k++) {
		ck_assert_msg(k < n, "row %d: only %u moves", _i, n);
		ck_assert_msg(moves[k].from == want[k].from && moves[k].to == want[k].to &&
				  moves[k].count == want[k].count,
			      "row %d, move %u: %u to %u: %llu", _i, k, moves[k].from, moves[k].to,
			      (unsigned long long)moves[k].count);
	}
	ck_assert_msg(k == n, "row %d: %u moves", _i, n);
}
END_TEST

/* Whatever the numbers: nobody gives more than it has idle, or below the share of all, and after
 * enough rounds of idle ones all are even. */
START_TEST(test_rebalance_any)
{
	enum {
		N = 16
	};
	unsigned seed = (unsigned)_i + 1;
	uint32_t n = 2 + (uint32_t)rand_r(&seed) % (N - 1);
	struct policy_load loads[N];
	struct policy_move moves[N];
	uint64_t sum = 0, most = 0, fewest = UINT64_MAX;

	for (uint32_t k = 0; k < n; k++) {
		loads[k].conns = loads[k].idle = (uint64_t)rand_r(&seed) % 5000;
		sum += loads[k].conns;
	}
	for (uint32_t round = 0; round <= n; round++) {
		uint32_t count = policy_rebalance(loads, n, moves);

		ck_assert_uint_le(count, n);
		for (uint32_t k = 0; k < count; k++) {
			struct policy_load *from = &loads[moves[k].from];

			ck_assert_uint_gt(moves[k].count, 0);
			ck_assert_uint_ge(from->conns, sum / n + moves[k].count);
			from->conns = from->idle -= moves[k].count;
			loads[moves[k].to].idle = loads[moves[k].to].conns += moves[k].count;
			ck_assert_uint_le(loads[moves[k].to].conns, sum / n + 1);
		}
	}
	for (uint32_t k = 0; k < n; k++) {
		most = loads[k].conns > most ? loads[k].conns : most;
		fewest = loads[k].conns < fewest ? loads[k].conns : fewest;
	}
	ck_assert(most - fewest < POLICY_UNEVEN || (most - fewest) * 10 <= most);
}
END_TEST

START_TEST(test_patience)
{
	ck_assert_msg(policy_patience_us(patience[_i].deaths) == patience[_i].wait_us,
		      "%u deaths: %llu us", patience[_i].deaths,
		      (unsigned long long)policy_patience_us(patience[_i].deaths));
}
END_TEST

static const struct {
	unsigned before;
	uint64_t healthy_us;
	unsigned deaths;
} deaths[] = {
    {0, 0, 1},
    {1, 0, 2},
    {5, POLICY_FORGIVE_US - 1, 6},
    {5, POLICY_FORGIVE_US, 1},
    {0, POLICY_FORGIVE_US, 1},
    {UINT32_MAX, 0, UINT32_MAX},
};

START_TEST(test_deaths)
{
	ck_assert_uint_eq(policy_deaths(deaths[_i].before, deaths[_i].healthy_us),
			  deaths[_i].deaths);
}
END_TEST

/* A worker that dies at once for ever: how often it was started after so many seconds. */
START_TEST(test_crash_loop)
{
	static const unsigned starts_after[] = {2, 3, 3, 4, 4, 4, 4, 5};
	uint64_t now_us = 0, next_us = 0;
	unsigned in_a_row = 0, starts = 0;

	for (int second = 0; second < 8; second++) {
		for (; now_us < (uint64_t)(second + 1) * S; now_us += S / 100) {
			if (now_us < next_us)
				continue;
			starts++;
			in_a_row = policy_deaths(in_a_row, 0);
			next_us = now_us + policy_patience_us(in_a_row);
		}
		ck_assert_msg(starts == starts_after[second], "%u starts in %d s", starts,
			      second + 1);
	}
}
END_TEST

static const struct {
	uint64_t now_us, beat_us, fresh_us, hang_us;
	bool hung;
} hangs[] = {
    {100 * S, 99 * S, 0, 30 * S, false},
    {100 * S, 70 * S, 0, 30 * S, false}, /* not older than the limit */
    {100 * S, 70 * S - 1, 0, 30 * S, true},
    {100 * S, 0, 0, 30 * S, true},       /* never a heartbeat */
    {100 * S, 0, 90 * S, 30 * S, false}, /* given a fresh turn */
    {100 * S, 0, 69 * S, 30 * S, true},
    {100 * S, 0, 0, 0, false},            /* not watched */
    {100 * S, 101 * S, 0, 30 * S, false}, /* a heartbeat later than this turn's time */
};

START_TEST(test_hung)
{
	ck_assert_msg(policy_hung(hangs[_i].now_us, hangs[_i].beat_us, hangs[_i].fresh_us,
				  hangs[_i].hang_us) == hangs[_i].hung,
		      "row %d", _i);
}
END_TEST

/* A standstill makes all look hung: those who are well show it before they are looked at again. */
START_TEST(test_hangs_still)
{
	uint64_t doubt_us = 0;

	ck_assert(!policy_hangs_still(false, 10 * S, &doubt_us));
	ck_assert_uint_eq(doubt_us, 0);
	ck_assert(!policy_hangs_still(true, 20 * S, &doubt_us));
	ck_assert(!policy_hangs_still(true, 20 * S + POLICY_DOUBT_US - 1, &doubt_us));
	ck_assert(!policy_hangs_still(false, 20 * S + POLICY_DOUBT_US, &doubt_us));
	ck_assert(!policy_hangs_still(true, 30 * S, &doubt_us));
	ck_assert_uint_eq(doubt_us, 30 * S);
	ck_assert(policy_hangs_still(true, 30 * S + POLICY_DOUBT_US, &doubt_us));
}
END_TEST

START_TEST(test_late)
{
	ck_assert_uint_eq(policy_late_us(10 * S, 0), 0);
	ck_assert_uint_eq(policy_late_us(10 * S, 9 * S), 0);
	ck_assert_uint_eq(policy_late_us(10 * S, 8 * S), 0);
	ck_assert_uint_eq(policy_late_us(10 * S, 7 * S), 3 * S);
	ck_assert_uint_eq(policy_late_us(10 * S, 11 * S), 0);
}
END_TEST

START_TEST(test_starts)
{
	ck_assert_uint_eq(policy_starts(0, 0), 0);
	ck_assert_uint_eq(policy_starts(3, 0), 3);
	ck_assert_uint_eq(policy_starts(256, 0), POLICY_START_AT_ONCE);
	ck_assert_uint_eq(policy_starts(256, POLICY_START_AT_ONCE - 1), 1);
	ck_assert_uint_eq(policy_starts(256, POLICY_START_AT_ONCE), 0);
	ck_assert_uint_eq(policy_starts(256, 1000), 0);
}
END_TEST

/* wanted, starting, ready, dying, others, free half, crowded, next start; at 10 s */
static const struct {
	struct policy_slot slot;
	enum policy_step step;
} slots[] = {
    {{false, false, false, false, false, true, false, 0}, POLICY_REST},
    {{true, false, false, false, false, true, false, 0}, POLICY_START},
    {{true, false, false, false, false, true, false, 10 * S}, POLICY_START},
    {{true, false, false, false, false, true, false, 10 * S + 1}, POLICY_REST}, /* patience */
    {{true, false, false, false, false, false, false, 0}, POLICY_REST}, /* no half is free */
    {{true, false, false, true, false, true, false, 0}, POLICY_REST},   /* its death counts first */
    {{true, true, false, false, false, true, false, 0}, POLICY_REST},
    {{true, false, true, false, false, true, false, 0}, POLICY_REST},
    {{true, false, false, false, true, true, false, 0}, POLICY_START}, /* beside the old one */
    {{true, true, false, false, true, false, false, 0},
     POLICY_REST}, /* the old one serves until then */
    {{true, false, true, false, true, false, false, 0}, POLICY_DRAIN},
    {{false, false, false, false, true, true, false, 0}, POLICY_DRAIN},
    {{true, false, false, false, true, false, true, 0}, POLICY_CLEAR},
    {{true, false, true, false, true, false, true, 0}, POLICY_DRAIN},
    {{true, true, false, false, true, false, true, 0}, POLICY_REST},
};

START_TEST(test_slot)
{
	ck_assert_msg(policy_slot(&slots[_i].slot, 10 * S) == slots[_i].step, "row %d", _i);
}
END_TEST

START_TEST(test_roll_order)
{
	uint8_t marks[] = {POLICY_TODO, POLICY_DONE, POLICY_DOWN, POLICY_TODO, POLICY_DOWN};
	static const int order[] = {2, 4, 0, 3, -1};

	for (size_t i = 0; i < sizeof order / sizeof order[0]; i++) {
		int next = policy_roll_next(marks, sizeof marks);

		ck_assert_int_eq(next, order[i]);
		if (next >= 0)
			marks[next] = POLICY_DONE;
	}
	ck_assert_int_eq(policy_roll_next(marks, 0), -1);
}
END_TEST

START_TEST(test_stop_shares)
{
	ck_assert_uint_eq(policy_stop_next_us(5 * S, 30 * S, 0, 3), 15 * S);
	ck_assert_uint_eq(policy_stop_next_us(5 * S, 30 * S, 1, 3), 25 * S);
	ck_assert_uint_eq(policy_stop_next_us(5 * S, 30 * S, 2, 3), 35 * S);
	ck_assert_uint_eq(policy_stop_next_us(5 * S, 30 * S, 9, 3), 35 * S);
	ck_assert_uint_eq(policy_stop_next_us(5 * S, 30 * S, 0, 0), 35 * S);
	ck_assert_uint_eq(policy_stop_next_us(5 * S, 0, 0, 3), 5 * S);
}
END_TEST

START_TEST(test_wait)
{
	uint64_t none[] = {0, 0}, soon[] = {0, 10 * S + 1500, 12 * S}, past[] = {11 * S, 9 * S};

	ck_assert_int_eq(policy_wait_ms(10 * S, none, 2, S), 1000);
	ck_assert_int_eq(policy_wait_ms(10 * S, soon, 3, S), 2); /* rounded up: never early */
	ck_assert_int_eq(policy_wait_ms(10 * S, past, 2, S), 0);
	ck_assert_int_eq(policy_wait_ms(10 * S, soon + 2, 1, S), 1000);
	ck_assert_int_eq(policy_wait_ms(10 * S, NULL, 0, S), 1000);
}
END_TEST

#define COUNT(a) (int)(sizeof(a) / sizeof((a)[0]))

int main(void)
{
	Suite *s = suite_create("policy");
	TCase *c = tcase_create("policy");
	SRunner *r;
	int bad;

	tcase_add_loop_test(c, test_rebalance, 0, sizeof(balances) / sizeof(balances[0]));
	tcase_add_loop_test(c, test_rebalance_any, 0, 100);
	tcase_add_loop_test(c, test_patience, 0, COUNT(patience));
	tcase_add_loop_test(c, test_deaths, 0, COUNT(deaths));
	tcase_add_test(c, test_crash_loop);
	tcase_add_loop_test(c, test_hung, 0, COUNT(hangs));
	tcase_add_test(c, test_hangs_still);
	tcase_add_test(c, test_late);
	tcase_add_test(c, test_starts);
	tcase_add_loop_test(c, test_slot, 0, COUNT(slots));
	tcase_add_test(c, test_roll_order);
	tcase_add_test(c, test_stop_shares);
	tcase_add_test(c, test_wait);
	suite_add_tcase(s, c);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	bad = srunner_ntests_failed(r) + (srunner_ntests_run(r) == 0);
	srunner_free(r);
	return bad != 0;
}
