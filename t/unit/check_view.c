/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tests shm/view.c and shm/alive.c: who counts as alive, hung or dead, and that totals never go
 * down while the levels of the dead are left out. Also shm/suggest.c and shm/rundir.c.
 */
#include "shm/view.h"

#include <check.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shm/alive.h"
#include "shm/rundir.h"
#include "shm/suggest.h"
#include "shm/times.h"

static const struct board_sizes sizes = {
    .slots = 2, .conns_per_worker = 100, .listeners = 3, .servers = 3};
static char dir[64], path[96];
static struct board board;
static struct reader *reader;
static struct view view;
static pid_t other; /* a process that does nothing */

static void set_up(void)
{
	char why[256] = "";

	strcpy(dir, "/tmp/drover-view-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/%s", dir, BOARD_FILE);
	ck_assert_int_eq(board_create(&board, path, &sizes), 0);
	reader = reader_open(path, why, sizeof(why));
	ck_assert_msg(reader != NULL, "%s", why);
	memset(&view, 0, sizeof(view));
	other = fork();
	ck_assert_int_ge(other, 0);
	if (other == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
}

static void end_other(void)
{
	if (other > 0) {
		kill(other, SIGKILL);
		waitpid(other, NULL, 0);
	}
	other = 0;
}

static void tear_down(void)
{
	end_other();
	view_free(&view);
	reader_close(reader);
	board_unmap(&board);
	unlink(path);
	ck_assert_msg(rmdir(dir) == 0, "something is left in %s", dir);
}

static struct worker_row *start_worker(uint32_t row, enum worker_state state, pid_t pid)
{
	struct worker_row *w = board_worker(&board, row);

	w->state = state;
	w->slot = row / BOARD_HALVES;
	w->pid = (uint64_t)pid;
	w->started_us = w->beat_us = times_mono_us();
	return w;
}

static enum view_life life_of(uint32_t row)
{
	ck_assert_int_eq(view_load(&view, reader), 0);
	return view.workers[row].life;
}

START_TEST(test_life)
{
	struct worker_row *w;

	ck_assert_int_eq(life_of(0), VIEW_NONE);
	w = start_worker(0, WORKER_READY, other);
	ck_assert_int_eq(life_of(0), VIEW_ALIVE);
	w->started_us = 0;
	w->beat_us = times_mono_us() - (uint64_t)VIEW_HUNG_MS * 1000 - 500000;
	ck_assert_int_eq(life_of(0), VIEW_DEAD); /* its pid is younger than its last word */
	w->pid = 1;                              /* older than all */
	ck_assert_int_eq(life_of(0), VIEW_HUNG);
	w->pid = (uint64_t)other;
	w->beat_us = times_mono_us();
	end_other();
	ck_assert_int_eq(life_of(0), VIEW_DEAD);
	w->state = WORKER_GONE;
	ck_assert_int_eq(life_of(0), VIEW_GONE);
	w->state = WORKER_DEAD;
	ck_assert_int_eq(life_of(0), VIEW_DEAD);
	w->state = WORKER_EMPTY;
	ck_assert_int_eq(life_of(0), VIEW_NONE);
}
END_TEST

START_TEST(test_master_life)
{
	ck_assert_int_eq(view_load(&view, reader), 0);
	ck_assert_int_eq(view.master_life, VIEW_NONE);
	board.master->pid = (uint64_t)other;
	board.master->beat_us = times_mono_us();
	ck_assert_int_eq(view_load(&view, reader), 0);
	ck_assert_int_eq(view.master_life, VIEW_ALIVE);
	end_other();
	ck_assert_int_eq(view_load(&view, reader), 0);
	ck_assert_int_eq(view.master_life, VIEW_DEAD);
	board.master->state = MASTER_STOPPED;
	ck_assert_int_eq(view_load(&view, reader), 0);
	ck_assert_int_eq(view.master_life, VIEW_GONE);
}
END_TEST

/* A process that has ended but was not waited for is no longer one. */
START_TEST(test_zombie)
{
	uint64_t now = times_mono_us();
	siginfo_t info;

	ck_assert(alive_check((uint64_t)other, now));
	kill(other, SIGKILL);
	ck_assert_int_eq(waitid(P_PID, (id_t)other, &info, WEXITED | WNOWAIT), 0);
	ck_assert(!alive_check((uint64_t)other, now));
}
END_TEST

START_TEST(test_alive)
{
	uint64_t self = (uint64_t)getpid(), now = times_mono_us();

	ck_assert(alive_check(self, now));
	ck_assert(alive_check(self, 0));
	ck_assert_msg(!alive_check(self, 1), "a process that is younger than the row");
	ck_assert(!alive_check(0, now));
	ck_assert(!alive_check((uint64_t)INT32_MAX, now));
	ck_assert(!alive_check(UINT64_MAX, now));               /* -1 as a pid: everybody */
	ck_assert(!alive_check((uint64_t)1 << 32 | self, now)); /* cut to 32 bits it would live */
	ck_assert(alive_belongs_to(self, geteuid()));
	ck_assert(!alive_belongs_to(self, geteuid() + 1));
}
END_TEST

START_TEST(test_is_drover)
{
	uint64_t self = (uint64_t)getpid();

	prctl(PR_SET_NAME, "drover: master");
	ck_assert(alive_is_drover(self));
	prctl(PR_SET_NAME, "droverctl");
	ck_assert(!alive_is_drover(self));
	prctl(PR_SET_NAME, "ssh) drover");
	ck_assert(!alive_is_drover(self));
	ck_assert_msg(alive_check(self, times_mono_us()), "brackets in the name");
	ck_assert(!alive_is_drover(0));
}
END_TEST

START_TEST(test_sums)
{
	struct worker_row *a = start_worker(0, WORKER_READY, other);
	struct worker_row *b = start_worker(1, WORKER_DEAD, 1);
	struct worker_row *c = start_worker(2, WORKER_GONE, 1);
	uint64_t h[HIST_BUCKETS] = {0};

	a->requests = 1;
	b->requests = 20;
	c->requests = 300;
	board_worker(&board, 3)->requests = 4000; /* never used: not looked at */
	a->conns = 5;
	b->conns = 60;
	c->conns = 700;
	a->latency[7] = 1;
	b->latency[7] = 2;
	c->latency[8] = 3;
	ck_assert_int_eq(view_load(&view, reader), 0);
	ck_assert_uint_eq(view_sum(&view, "requests"), 321);
	ck_assert_uint_eq(view_sum(&view, "conns"), 5);
	ck_assert_uint_eq(view_sum(&view, "pid"), 0);
	ck_assert_uint_eq(view_sum(&view, "latency"), 0);
	ck_assert_uint_eq(view_sum(&view, "no_such_field"), 0);
	view_hist(&view, reader_field(reader, reader_table(reader, "worker"), "latency"), h);
	ck_assert_uint_eq(h[7], 3);
	ck_assert_uint_eq(h[8], 3);
	end_other();
	ck_assert_int_eq(view_load(&view, reader), 0);
	ck_assert_uint_eq(view_sum(&view, "requests"), 321);
	ck_assert_uint_eq(view_sum(&view, "conns"), 0);
}
END_TEST

START_TEST(test_group)
{
	const struct board_table *t = reader_table(reader, "listener_traffic");
	uint64_t *sums = calloc(t->fields, sizeof(*sums));
	char *bytes = malloc(t->stride);

	ck_assert(sums != NULL && bytes != NULL);
	start_worker(0, WORKER_READY, other);
	start_worker(2, WORKER_DEAD, 1);
	for (uint32_t w = 0; w < 4; w++)
		for (uint32_t i = 0; i < 3; i++) {
			board_listener_traffic(&board, w, i)->accepts = 100 * w + 10 * i + 1;
			board_listener_traffic(&board, w, i)->conns = 1;
		}
	ck_assert_int_eq(view_load(&view, reader), 0);
	view_group(&view, t, 2, sums, bytes);
	ck_assert_uint_eq(sums[0], 21 + 221); /* rows 0 and 2 are in use */
	ck_assert_uint_eq(sums[1], 1);        /* and one of them is alive */
	view_group(&view, t, 3, sums, bytes);
	ck_assert_uint_eq(sums[0], 0);
	free(sums);
	free(bytes);
}
END_TEST

static struct conn_row *conn_at(uint32_t worker, uint32_t i)
{
	return (struct conn_row *)(void *)((char *)board_conns(&board, worker) +
					   (size_t)i * board.conn_stride);
}

START_TEST(test_states)
{
	struct worker_row *w = start_worker(2, WORKER_READY, other);
	uint64_t states[VIEW_STATES] = {0};

	for (uint32_t i = 0; i < 100; i++)
		conn_at(2, i)->state = i < 70 ? CONN_IDLE : CONN_SEND;
	conn_at(2, 3)->state = 250; /* no state at all */
	w->conns_high = 80;
	ck_assert_int_eq(view_load(&view, reader), 0);
	view_states(&view, &view.workers[2], states);
	ck_assert_uint_eq(states[CONN_IDLE], 69);
	ck_assert_uint_eq(states[CONN_SEND], 10);
	w->conns_high = UINT32_MAX; /* nonsense ends with the worker's rows */
	ck_assert_int_eq(view_load(&view, reader), 0);
	ck_assert_uint_eq(view_conns_used(&view.workers[2], reader_table(reader, "conn")), 100);
	ck_assert_uint_eq(view_conns_used(&view.workers[0], reader_table(reader, "conn")), 0);
}
END_TEST

static const struct {
	const char *a, *b;
	size_t distance;
} words[] = {
    {"", "", 0},
    {"", "abc", 3},
    {"stat", "stat", 0},
    {"stats", "stat", 1},
    {"sttaus", "status", 1},
    {"kitten", "sitting", 3},
    {"requests", "reqests", 1},
    {"ab", "ba", 1},
};

START_TEST(test_distance)
{
	ck_assert_uint_eq(suggest_distance(words[_i].a, words[_i].b), words[_i].distance);
	ck_assert_uint_eq(suggest_distance(words[_i].b, words[_i].a), words[_i].distance);
}
END_TEST

START_TEST(test_nearest)
{
	static const char *const names[] = {"status", "stat", "stop", "conns"};
	char long_word[500];

	memset(long_word, 's', sizeof(long_word) - 1);
	long_word[sizeof(long_word) - 1] = '\0';
	ck_assert_str_eq(suggest_nearest("statsu", names, 4), "status");
	ck_assert_str_eq(suggest_nearest("conn", names, 4), "conns");
	ck_assert_ptr_null(suggest_nearest("frobnicate", names, 4));
	ck_assert_ptr_null(suggest_nearest("x", names, 4));
	ck_assert_ptr_null(suggest_nearest(long_word, names, 4));
}
END_TEST

START_TEST(test_rundir)
{
	char out[100], tiny[4];

	setenv("DROVER_RUN_DIR", "/some/where", 1);
	ck_assert_int_eq(rundir_default(out, sizeof(out)), 0);
	ck_assert_str_eq(out, "/some/where");
	ck_assert_int_eq(rundir_default(tiny, sizeof(tiny)), -1);
	ck_assert_int_eq(errno, ENAMETOOLONG);
	setenv("DROVER_RUN_DIR", "", 1); /* as good as none */
	setenv("XDG_RUNTIME_DIR", "/run/user/7", 1);
	ck_assert_int_eq(rundir_default(out, sizeof(out)), 0);
	ck_assert_str_eq(out, geteuid() == 0 ? "/run/drover" : "/run/user/7/drover");
	if (geteuid() == 0)
		ck_assert_int_eq(seteuid(65534), 0);
	ck_assert_int_eq(rundir_default(out, sizeof(out)), 0);
	ck_assert_str_eq(out, "/run/user/7/drover");
	setenv("XDG_RUNTIME_DIR", "not/absolute", 1);
	ck_assert_int_eq(rundir_default(out, sizeof(out)), 0);
	ck_assert(strncmp(out, "/tmp/drover-", 12) == 0);
	if (getuid() == 0)
		ck_assert_int_eq(seteuid(0), 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("view");
	TCase *c = tcase_create("view");
	SRunner *r;
	int bad;

	tcase_add_checked_fixture(c, set_up, tear_down);
	tcase_add_test(c, test_life);
	tcase_add_test(c, test_master_life);
	tcase_add_test(c, test_zombie);
	tcase_add_test(c, test_alive);
	tcase_add_test(c, test_is_drover);
	tcase_add_test(c, test_sums);
	tcase_add_test(c, test_group);
	tcase_add_test(c, test_states);
	tcase_add_loop_test(c, test_distance, 0, sizeof(words) / sizeof(words[0]));
	tcase_add_test(c, test_nearest);
	tcase_add_test(c, test_rundir);
	suite_add_tcase(s, c);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	bad = srunner_ntests_failed(r) + (srunner_ntests_run(r) == 0);
	srunner_free(r);
	return bad != 0;
}
