/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tests shm/active.c: both words go together; whatever moment workers are killed at, the count of
 * all is right again once their rows have successors, and it is never taken for wrong while
 * workers go on counting.
 */
#include "shm/active.h"

#include <check.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
	WORKERS = 4,
	PEER = 1,
	MOST = 5,
	KILLS = 300
};

static const struct board_sizes sizes = {.slots = WORKERS / 2 + 1,
					 .conns_per_worker = 10,
					 .listeners = 1,
					 .servers = 1,
					 .upstreams = 1,
					 .peers = 2};
static char dir[64], path[96];
static struct board board;

static void set_up(void)
{
	strcpy(dir, "/tmp/drover-active-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/%s", dir, BOARD_FILE);
	ck_assert_int_eq(board_create(&board, path, &sizes), 0);
	strcpy(board_peer(&board, PEER)->address, "127.0.0.1:1");
	for (uint32_t w = 0; w < WORKERS; w++)
		board_worker(&board, w)->pid = w + 1;
}

static void tear_down(void)
{
	board_unmap(&board);
	unlink(path);
	ck_assert_int_eq(rmdir(dir), 0);
}

static struct peer_row *all(void)
{
	return board_peer(&board, PEER);
}

static struct peer_traffic_row *part(uint32_t worker)
{
	return board_peer_traffic(&board, worker, PEER);
}

static int64_t recounted(void)
{
	int64_t off = 99;

	ck_assert_int_eq(active_recount(&board, PEER, &off), 1);
	return off;
}

START_TEST(both_words)
{
	active_add(all(), part(0));
	active_add(all(), part(2));
	ck_assert(active_add_below(all(), part(2), 3));
	ck_assert(!active_add_below(all(), part(0), 3));
	ck_assert_uint_eq(all()->active, 3);
	ck_assert_uint_eq(part(0)->active, 1);
	ck_assert_uint_eq(part(2)->active, 2);
	active_less(all(), part(2));
	ck_assert_uint_eq(all()->active, 2);
	ck_assert_uint_eq(part(2)->active, 1);
	ck_assert_int_eq(recounted(), 0);
	active_bury(all(), part(2));
	ck_assert_uint_eq(all()->active, 1);
	ck_assert_uint_eq(part(2)->active, 0);
}
END_TEST

/* {what the word of all says, what is in parts, what is to come out} */
START_TEST(surplus_goes)
{
	static const struct {
		int64_t all, parts[2];
	} of[] = {{5, {2, 3}}, {6, {2, 3}}, {1, {0, 0}}, {-2, {0, 0}}, {-1, {0, 4}}, {9, {1, 0}}};
	int64_t sum = of[_i].parts[0] + of[_i].parts[1];

	all()->active = (uint64_t)of[_i].all;
	part(0)->active = (uint64_t)of[_i].parts[0];
	part(3)->active = (uint64_t)of[_i].parts[1];
	ck_assert_int_eq(recounted(), of[_i].all - sum);
	ck_assert_int_eq((int64_t)all()->active, sum);
	ck_assert_int_eq(recounted(), 0);
}
END_TEST

/* Killed in the middle, and not buried: it may have been before the first word or after it. */
START_TEST(not_while_somebody_is_at_it)
{
	int64_t off;

	all()->active = 1;
	board_write_begin(&part(1)->counting);
	ck_assert_int_eq(active_recount(&board, PEER, &off), 0);
	ck_assert_uint_eq(all()->active, 1);
	active_bury(all(), part(1));
	ck_assert_int_eq(recounted(), 1);
	ck_assert_uint_eq(all()->active, 0);
}
END_TEST

/* A worker: takes and gives back places for ever. */
static _Noreturn void work(uint32_t w)
{
	unsigned held = 0;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (uint32_t n = w;; n = n * 1664525 + 1013904223) {
		if (held > 0 && n >> 31 != 0) {
			active_less(all(), part(w));
			held--;
		} else if ((n >> 30) % 2 != 0) {
			held += active_add_below(all(), part(w), MOST);
		}
		if ((int64_t)board_shared_get(&all()->active) > MOST)
			_exit(1);
	}
}

static pid_t start(uint32_t w)
{
	pid_t pid = fork();

	if (pid == 0)
		work(w);
	ck_assert_int_gt(pid, 0);
	return pid;
}

static void kill_and_bury(pid_t pid, uint32_t w)
{
	int status;

	kill(pid, SIGKILL);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_msg(WIFSIGNALED(status), "more in hand than there may be");
	active_bury(all(), part(w));
}

/* A busy peer has a moment of rest: tried until then. */
static int64_t recount_among_them(void)
{
	int64_t off;

	while (active_recount(&board, PEER, &off) == 0)
		sched_yield();
	return off;
}

START_TEST(killed_at_any_moment)
{
	pid_t pid[WORKERS];
	int64_t left = 0;

	for (uint32_t w = 0; w < WORKERS; w++)
		pid[w] = start(w);
	for (int n = 0; n < KILLS; n++) {
		uint32_t w = (uint32_t)n % WORKERS;
		int64_t off;

		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
		kill_and_bury(pid[w], w);
		off = recount_among_them();
		/* A place that it had taken, or had not given back yet. */
		ck_assert_msg(off == 0 || off == 1, "off by %jd", (intmax_t)off);
		left += off;
		ck_assert_int_eq(recount_among_them(), 0);
		pid[w] = start(w);
	}
	for (uint32_t w = 0; w < WORKERS; w++)
		kill_and_bury(pid[w], w);
	recounted();
	ck_assert_uint_eq(all()->active, 0);
	printf("# %jd places were left behind in %d kills\n", (intmax_t)left, KILLS);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("active");
	TCase *t = tcase_create("active");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, both_words);
	tcase_add_loop_test(t, surplus_goes, 0, 6);
	tcase_add_test(t, not_while_somebody_is_at_it);
	tcase_add_test(t, killed_at_any_moment);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? 0 : 1;
}
