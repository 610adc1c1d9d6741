/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tests worker/balance.c, worker/peer_load.c and worker/queue.c: each way of choosing a peer
 * against its definition, on a board with no daemon; places that are taken and given back; the
 * average of times; the order of those that wait.
 */
#include "worker/balance.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "worker/peer.h"
#include "worker/peer_load.h"
#include "worker/queue.h"

enum {
	PEERS = 100,
	KEYS = 10000,
	CONNS = 16,
	SECOND = 1000000
};

static struct peer peers[PEERS];
static struct upstream pool;
static char addresses[PEERS][16];
static struct settings settings = {
    .upstreams = &pool, .upstreams_count = 1, .peers = peers, .worker_connections = CONNS};
static struct clock now;
static struct board board;
static struct conn conns[CONNS];
static struct conns cs;
static struct ups us;
static struct queues queues, others;
static char path[64];

/* So many peers, each of weight 1. */
static void set_up(uint32_t count)
{
	const struct board_sizes sizes = {2, CONNS, 1, 1, 1, PEERS};

	snprintf(path, sizeof path, "/tmp/check_balance.%d", (int)getpid());
	ck_assert_int_eq(board_create(&board, path, &sizes), 0);
	memset(&now, 0, sizeof now);
	now.now_us = 1000 * SECOND;
	pool = (struct upstream){.name = "p", .peers_count = count};
	settings.peers_count = count;
	for (uint32_t k = 0; k < PEERS; k++) {
		snprintf(addresses[k], sizeof addresses[k], "10.0.0.%u:80", k);
		peers[k] = (struct peer){
		    .address = addresses[k], .addr_len = 1, .weight = 1, .row = k};
	}
	memset(conns, 0, sizeof conns);
	cs = (struct conns){
	    .settings = &settings, .clock = &now, .board = &board, .conn = conns, .max = CONNS};
	us = (struct ups){.cs = &cs, .reserved = UP_NONE, .balance = balance_new(&settings)};
	ck_assert_ptr_nonnull(us.balance);
}

static void tear_down(void)
{
	balance_free(us.balance);
	us.balance = NULL;
	board_unmap(&board);
	(void)unlink(path);
	(void)unlink(strcat(path, ".prev"));
}

static uint32_t pick(uint64_t key)
{
	return balance_pick(&us, &pool, UINT32_MAX, key);
}

static void hold(uint32_t peer, uint64_t requests)
{
	board_peer(&board, peer)->active = requests;
}

/* What is looked up now and then is looked up again. */
static void later(void)
{
	now.now_us += SECOND;
}

START_TEST(test_round_robin)
{
	static const uint32_t weights[] = {1, 2, 5, 7, 1000};
	uint32_t got[5] = {0}, round = 1015;

	set_up(5);
	for (int k = 0; k < 5; k++)
		peers[k].weight = weights[k];
	for (uint32_t n = 0; n < 10 * round; n++)
		got[pick(0)]++;
	for (int k = 0; k < 5; k++)
		ck_assert_uint_eq(got[k], 10 * weights[k]);
	tear_down();
}
END_TEST

START_TEST(test_equal_turns)
{
	uint32_t got[PEERS] = {0};

	set_up(PEERS);
	for (uint32_t n = 0; n < KEYS; n++)
		got[pick(0)]++;
	for (int k = 0; k < PEERS; k++)
		ck_assert_uint_eq(got[k], KEYS / PEERS);
	tear_down();
}
END_TEST

/* Those that are full, or not well, are left out; the others keep their shares. */
START_TEST(test_left_out)
{
	uint32_t got[5] = {0};

	set_up(5);
	peers[0].down = true;
	peers[1].max_conns = 3;
	peers[4].backup = true;
	hold(1, 3);
	board_peer(&board, 2)->failed_until_us = now.now_us + 1;
	for (uint32_t n = 0; n < 100; n++)
		got[pick(0)]++;
	ck_assert_uint_eq(got[3], 100);
	hold(3, 5);
	peers[3].max_conns = 5;
	later(); /* 2 is well again */
	ck_assert_uint_eq(pick(0), 2);
	peers[2].max_conns = 1;
	hold(2, 1);
	later();
	ck_assert_uint_eq(pick(0), 4); /* no queue: the backup */
	ck_assert(balance_is_full(&us, &pool));
	pool.queue_size = 1;
	ck_assert_uint_eq(pick(0), BALANCE_FULL);
	peers[1].down = peers[2].down = peers[3].down = true;
	later();
	ck_assert_uint_eq(pick(0), 4);
	peers[4].down = true;
	ck_assert_uint_eq(pick(0), BALANCE_NONE);
	tear_down();
}
END_TEST

/* One that fails between two looks is not chosen. */
START_TEST(test_fails_since)
{
	set_up(2);
	(void)pick(0);
	board_peer(&board, 0)->failed_until_us = now.now_us + SECOND;
	for (int n = 0; n < 10; n++)
		ck_assert_uint_eq(pick(0), 1);
	tear_down();
}
END_TEST

/* One that comes back gets a request a second, until it has answered one. */
START_TEST(test_trial)
{
	struct peer_row *row;

	set_up(2);
	peers[0].max_fails = 3;
	peers[0].fail_us = SECOND;
	row = board_peer(&board, 0);
	for (int n = 0; n < 3; n++)
		peer_failed(&us, 0);
	ck_assert_uint_eq(row->failed_until_us, now.now_us + SECOND);
	ck_assert_uint_eq(row->trial_us, row->failed_until_us);
	now.now_us = row->failed_until_us;
	ck_assert(peer_able(&us, 0));
	peer_taken(&us, 0);
	ck_assert(!peer_able(&us, 0) && peer_last_resort(&us, 0));
	for (int n = 0; n < 10; n++)
		ck_assert_uint_eq(pick(0), 1);
	now.now_us += SECOND;
	ck_assert(peer_able(&us, 0));
	peer_failed(&us, 0); /* once is enough now */
	ck_assert_uint_gt(row->failed_until_us, now.now_us);
	peer_answered(&us, 0, 200); /* a request of before */
	ck_assert_uint_ne(row->trial_us, 0);
	now.now_us = row->failed_until_us;
	peer_taken(&us, 0);
	peer_answered(&us, 0, 200);
	ck_assert_uint_eq(row->trial_us, 0);
	peer_taken(&us, 0);
	ck_assert(peer_able(&us, 0));
	peer_failed(&us, 0);
	ck_assert(peer_able(&us, 0));
	tear_down();
}
END_TEST

START_TEST(test_avoid)
{
	pool.balance = BALANCE_ROUND_ROBIN;
	set_up(2);
	pool.balance = (enum balance)_i;
	for (int n = 0; n < 10; n++)
		ck_assert_uint_eq(balance_pick(&us, &pool, 0, (uint64_t)n), 1);
	peers[1].down = true;
	later();
	ck_assert_uint_eq(balance_pick(&us, &pool, 0, 0), 0); /* rather than none */
	tear_down();
}
END_TEST

START_TEST(test_least_conn)
{
	set_up(3);
	pool.balance = BALANCE_LEAST_CONN;
	hold(0, 5);
	hold(1, 4);
	hold(2, 6);
	ck_assert_uint_eq(pick(0), 1);
	peers[2].weight = 2; /* 7 / 2 */
	later();
	ck_assert_uint_eq(pick(0), 2);
	tear_down();
}
END_TEST

START_TEST(test_ties_in_turn)
{
	uint32_t got[3] = {0};

	set_up(3);
	pool.balance = _i == 0 ? BALANCE_LEAST_CONN : BALANCE_LEAST_TIME;
	for (int n = 0; n < 300; n++)
		got[pick(0)]++;
	for (int k = 0; k < 3; k++)
		ck_assert_uint_eq(got[k], 100);
	tear_down();
}
END_TEST

START_TEST(test_ties_beside_another)
{
	uint32_t got[3] = {0};

	set_up(3);
	pool.balance = _i == 0 ? BALANCE_LEAST_CONN : BALANCE_LEAST_TIME;
	hold(1, 1);
	for (int n = 0; n < 300; n++)
		got[pick(0)]++;
	ck_assert_uint_eq(got[0], 150);
	ck_assert_uint_eq(got[1], 0);
	ck_assert_uint_eq(got[2], 150);
	tear_down();
}
END_TEST

START_TEST(test_least_time)
{
	set_up(3);
	pool.balance = BALANCE_LEAST_TIME;
	peer_time_note(&us, 0, 3000, false);
	peer_time_note(&us, 1, 1000, false);
	ck_assert_uint_eq(pick(0), 2); /* not known yet */
	hold(2, 1);
	ck_assert_uint_eq(pick(0), 1); /* somebody finds out */
	hold(1, 3);
	ck_assert_uint_eq(pick(0), 0); /* 3000 against 4 times 1000 */
	peers[1].weight = 2;
	later();
	peer_time_note(&us, 0, 3000, false);
	peer_time_note(&us, 1, 1000, false);
	ck_assert_uint_eq(pick(0), 1);
	tear_down();
}
END_TEST

static uint64_t time_of(uint32_t peer)
{
	return peer_time_at(board_peer(&board, peer), now.now_us);
}

START_TEST(test_time_decays)
{
	set_up(1);
	peer_time_note(&us, 0, 80000, false);
	ck_assert_uint_eq(time_of(0), 80000);
	now.now_us += 1024000;
	ck_assert_uint_eq(time_of(0), 40000);
	now.now_us += 1024000 / 2;
	ck_assert_uint_eq(time_of(0), 30000);
	peer_time_note(&us, 0, 20000, true); /* it was worse before */
	ck_assert_uint_eq(time_of(0), 30000);
	now.now_us += 60 * SECOND;
	ck_assert_uint_eq(time_of(0), 0);
	peer_time_note(&us, 0, 500, true); /* worse than nothing */
	ck_assert_uint_eq(time_of(0), 500);
	for (int n = 0; n < 60; n++)
		peer_time_note(&us, 0, 9000, false);
	ck_assert_uint_gt(time_of(0), 8900);
	peer_time_note(&us, 0, UINT64_MAX, false);
	ck_assert_uint_le(time_of(0), UINT32_MAX);
	tear_down();
}
END_TEST

static uint64_t key_of(uint32_t n)
{
	uint64_t h = 14695981039346656037u;

	for (; n != 0; n /= 10)
		h = (h ^ ('0' + n % 10)) * 1099511628211u;
	return h;
}

/* Each key has its peer; when one goes, only its keys move; the shares are the weights. */
START_TEST(test_hash)
{
	static uint32_t of[KEYS];
	uint32_t got[4] = {0}, moved[4] = {0};

	set_up(4);
	pool.balance = BALANCE_HASH;
	if (_i == 1)
		peers[1].weight = 3;
	for (uint32_t n = 0; n < KEYS; n++)
		got[of[n] = pick(key_of(n))]++;
	for (int k = 0; k < 4; k++) {
		double share = (double)KEYS * peers[k].weight / (_i == 1 ? 6 : 4);

		ck_assert_msg(got[k] > share * 0.93 && got[k] < share * 1.07, "%u of %g", got[k],
			      share);
	}
	peers[3].down = true;
	later();
	for (uint32_t n = 0; n < KEYS; n++) {
		uint32_t p = pick(key_of(n));

		if (of[n] == 3)
			moved[p]++;
		else
			ck_assert_uint_eq(p, of[n]);
	}
	for (int k = 0; k < 3; k++) {
		double share = (double)got[3] * peers[k].weight / (_i == 1 ? 5 : 3);

		ck_assert_msg(moved[k] > share * 0.85 && moved[k] < share * 1.15, "%u of %g",
			      moved[k], share);
	}
	tear_down();
}
END_TEST

/* With any number in hand, and all of one key: none has more than a quarter above its share,
 * rounded up. */
START_TEST(test_bounded_load)
{
	uint64_t active[4] = {0};
	uint64_t weight = 0;

	set_up(4);
	pool.balance = BALANCE_HASH;
	if (_i == 1)
		peers[2].weight = 5;
	for (int k = 0; k < 4; k++)
		weight += peers[k].weight;
	for (uint64_t all = 1; all < 1000; all++) {
		uint32_t p = pick(42);
		uint64_t most = (5 * all * peers[p].weight + 4 * weight - 1) / (4 * weight);

		hold(p, ++active[p]);
		ck_assert_msg(active[p] <= most, "%ju of %ju: %ju", (uintmax_t)active[p],
			      (uintmax_t)all, (uintmax_t)most);
	}
	tear_down();
}
END_TEST

/* As few are taken as there may be, and each goes back once. */
START_TEST(test_places)
{
	set_up(1);
	peers[0].max_conns = 2;
	ck_assert(peer_reserve(&us, 0));
	peer_unreserve(&us);
	peer_unreserve(&us);
	ck_assert_uint_eq(peer_active(&us, 0), 0);
	ck_assert(peer_reserve(&us, 0) && peer_reserve(&us, 0) && !peer_reserve(&us, 0));
	ck_assert(peer_full(&us, 0));
	ck_assert_uint_eq(peer_traffic(&us, 0)->active, 2);
	board_peer(&board, 0)->active = (uint64_t)-1; /* left behind by a crash */
	ck_assert(!peer_full(&us, 0) && peer_reserve(&us, 0));
	tear_down();
}
END_TEST

static struct upstream_traffic_row *traffic(uint32_t worker)
{
	return board_upstream_traffic(&board, worker, 0);
}

START_TEST(test_queue)
{
	set_up(1);
	cs.queues = &queues;
	ck_assert_int_eq(queues_init(&queues, &cs), 0);
	ck_assert(!queue_is_before(&queues, 0) && !queue_may_go(&queues, 0, true));
	for (uint32_t i = 3; i < 6; i++, now.now_us += 10)
		queue_join(&queues, i, 0, 1);
	ck_assert(queue_is_before(&queues, 0));
	ck_assert_uint_eq(traffic(0)->queued, 3);
	queue_leave(&queues, 4, QUEUE_LEFT); /* from the middle */
	ck_assert_uint_eq(queue_first(&queues, 0), 3);
	ck_assert(!queue_may_go(&queues, 0, false) && queue_may_go(&queues, 0, true));
	queue_leave(&queues, 3, QUEUE_GIVEN);
	ck_assert_uint_eq(queue_first(&queues, 0), 5);
	queue_leave(&queues, 5, QUEUE_EXPIRED);
	ck_assert_uint_eq(queues.waiting, 0);
	ck_assert_uint_eq(queue_first(&queues, 0), CONN_NONE);
	ck_assert(!queue_is_before(&queues, 0));
	ck_assert_uint_eq(traffic(0)->queued, 0);
	ck_assert_uint_eq(traffic(0)->waited, 1);
	ck_assert_uint_eq(traffic(0)->queue_left, 1);
	ck_assert_uint_eq(traffic(0)->queue_expired, 1);
	ck_assert_uint_eq(traffic(0)->wait_sum, 30);
	queues_free(&queues);
	tear_down();
}
END_TEST

/* After a crash they come in any order. */
START_TEST(test_queue_restored)
{
	static const uint32_t order[] = {2, 0, 3, 1};

	set_up(1);
	ck_assert_int_eq(queues_init(&queues, &cs), 0);
	for (uint32_t i = 0; i < 4; i++, now.now_us += 10)
		queue_join(&queues, i, 0, 1);
	queues_forget(&queues);
	for (int k = 0; k < 4; k++)
		queue_restore(&queues, order[k]);
	for (uint32_t i = 0; i < 4; i++) {
		ck_assert(queue_may_go(&queues, 0, true));
		ck_assert_uint_eq(queue_first(&queues, 0), i);
		queue_leave(&queues, i, QUEUE_GIVEN);
	}
	ck_assert(!queue_is_before(&queues, 0));
	queues_free(&queues);
	tear_down();
}
END_TEST

/* Another worker's have waited for longer: room is left to them, but not for ever. */
START_TEST(test_queue_is_fair)
{
	struct conns theirs;

	set_up(1);
	theirs = cs;
	theirs.worker_row = 1;
	ck_assert(queues_init(&queues, &cs) == 0 && queues_init(&others, &theirs) == 0);
	queue_join(&others, 0, 0, 1);
	now.now_us += 2 * QUEUE_FAIR_US;
	ck_assert(queue_is_before(&queues, 0));
	queue_join(&queues, 1, 0, 1);
	ck_assert(!queue_may_go(&queues, 0, true));
	ck_assert(queue_may_go(&others, 0, true));
	now.now_us += QUEUE_YIELD_US;
	ck_assert(queue_may_go(&queues, 0, true)); /* nobody came for it */
	ck_assert(queue_may_go(&others, 0, true)); /* says again who is first */
	ck_assert(!queue_may_go(&queues, 0, true));
	queue_leave(&others, 0, QUEUE_GIVEN);
	ck_assert(queue_may_go(&queues, 0, true));
	queue_leave(&queues, 1, QUEUE_GIVEN);
	ck_assert(!queue_is_before(&queues, 0) && !queue_is_before(&others, 0));
	queues_free(&queues);
	queues_free(&others);
	tear_down();
}
END_TEST

int main(void)
{
	Suite *s = suite_create("balance");
	TCase *t = tcase_create("balance");
	SRunner *r;
	int failed;

	tcase_add_test(t, test_round_robin);
	tcase_add_test(t, test_equal_turns);
	tcase_add_test(t, test_left_out);
	tcase_add_test(t, test_fails_since);
	tcase_add_test(t, test_trial);
	tcase_add_loop_test(t, test_avoid, BALANCE_ROUND_ROBIN, BALANCE_LEAST_TIME + 1);
	tcase_add_test(t, test_least_conn);
	tcase_add_loop_test(t, test_ties_in_turn, 0, 2);
	tcase_add_loop_test(t, test_ties_beside_another, 0, 2);
	tcase_add_test(t, test_least_time);
	tcase_add_test(t, test_time_decays);
	tcase_add_loop_test(t, test_hash, 0, 2);
	tcase_add_loop_test(t, test_bounded_load, 0, 2);
	tcase_add_test(t, test_places);
	tcase_add_test(t, test_queue);
	tcase_add_test(t, test_queue_restored);
	tcase_add_test(t, test_queue_is_fair);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? 0 : 1;
}
