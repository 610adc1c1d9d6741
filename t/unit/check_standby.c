/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tests worker/standby.c: when a standby gives up, who may take the records, that crashes are noted
 * (also one of the stack), and that a clone shares descriptors and wakes when its worker has died.
 */
#include "worker/standby.h"

#include <check.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define S UINT64_C(1000000)

/* Deaths one after the other: by what signal (0: killed), when, and whether that is the end. */
static const struct {
	struct {
		int signal;
		uint64_t at_us;
		bool end;
	} death[6];
} loops[] = {
    {{{SIGSEGV, 100 * S, false}, {SIGSEGV, 101 * S, false}, {SIGSEGV, 102 * S, true}}},
    {{{SIGSEGV, 100 * S, false}, {SIGSEGV, 101 * S, false}, {SIGABRT, 110 * S - 1, true}}},
    {{{SIGSEGV, 100 * S, false},
      {SIGSEGV, 101 * S, false},
      {SIGABRT, 110 * S, false},
      {SIGSEGV, 111 * S - 1, true}}},
    {{{SIGSEGV, 100 * S, false},
      {SIGSEGV, 109 * S, false},
      {SIGSEGV, 118 * S, false},
      {SIGSEGV, 127 * S, false}}},
    {{{0, 100 * S, false}, {0, 101 * S, false}, {0, 102 * S, false}, {0, 103 * S, false}}},
    {{{SIGSEGV, 100 * S, false},
      {0, 101 * S, false},
      {0, 102 * S, false},
      {SIGSEGV, 103 * S, false},
      {0, 104 * S, false},
      {SIGSEGV, 105 * S, true}}},
    {{{SIGSEGV, 1, false}, {SIGSEGV, 2, false}, {SIGSEGV, 3, true}}},
};

START_TEST(test_give_up)
{
	struct standby_history h = {0};

	for (int k = 0; k < 6 && loops[_i].death[k].at_us != 0; k++) {
		h.signal = loops[_i].death[k].signal;
		ck_assert_msg(standby_must_give_up(&h, loops[_i].death[k].at_us) ==
				  loops[_i].death[k].end,
			      "loop %d, death %d", _i, k);
		ck_assert_int_eq(h.signal, 0);
	}
}
END_TEST

START_TEST(test_claim)
{
	struct standby_history h = {.owner = 77};

	ck_assert(!standby_claim(&h, 76));
	ck_assert_int_eq(h.owner, 77);
	ck_assert(standby_claim(&h, 77));
	ck_assert_int_eq(h.owner, getpid());
	ck_assert(!standby_claim(&h, 77));
}
END_TEST

static struct standby_history *shared(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	ck_assert_ptr_ne(p, MAP_FAILED);
	return p;
}

static const int crashes[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};

START_TEST(test_note)
{
	struct standby_history *h = shared();
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		(void)signal(crashes[_i], SIG_DFL);
		standby_note_crashes(h);
		raise(crashes[_i]);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFSIGNALED(status));
	ck_assert_int_eq(WTERMSIG(status), crashes[_i]);
	ck_assert_int_eq(h->signal, crashes[_i]);
}
END_TEST

/* Nobody has a stack to note it on but the handler. */
static int __attribute__((noinline)) overflow(volatile const char *above)
{
	volatile char here[4096];

	here[0] = above[0];
	return above[0] == 0 ? 0 : overflow(here) + here[0];
}

START_TEST(test_note_overflow)
{
	struct standby_history *h = shared();
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		char top = 1;

		(void)signal(SIGSEGV, SIG_DFL);
		standby_note_crashes(h);
		_exit(overflow(&top));
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFSIGNALED(status));
	ck_assert_int_eq(h->signal, SIGSEGV);
}
END_TEST

/* Worker, and in its clone the standby. The pipe says who spoke. */
static _Noreturn void worker(int in, int out, struct worker_row *row, bool finished)
{
	int self = (int)syscall(SYS_pidfd_open, getpid(), 0), standby = -1;
	pid_t pid = standby_clone(&standby);
	char c;

	if (pid < 0)
		_exit(2);
	if (pid == 0) {
		bool take = standby_wait(self, row);

		/* Opened after the clone, by the one that is dead: the number was left in the row.
		 */
		if (write((int)row->touching, take ? "t" : "f", 1) != 1)
			_exit(3);
		_exit(0);
	}
	row->touching = (uint32_t)fcntl(out, F_DUPFD_CLOEXEC, 100);
	if (!standby_lives(standby) || write(out, "w", 1) != 1 || read(in, &c, 1) != 1)
		_exit(4);
	if (finished)
		row->state = WORKER_GONE;
	_exit(finished ? 0 : 7);
}

START_TEST(test_clone)
{
	bool finished = _i == 1;
	struct worker_row *row = mmap(NULL, 65536, PROT_READ | PROT_WRITE,
				      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int in[2], out[2], status, statuses = 0;
	char c;
	pid_t pid;

	ck_assert_ptr_ne(row, MAP_FAILED);
	row->state = WORKER_READY;
	ck_assert_int_eq(pipe(in), 0);
	ck_assert_int_eq(pipe(out), 0);
	pid = fork();
	if (pid == 0)
		worker(in[0], out[1], row, finished);
	close(out[1]);
	ck_assert_int_eq(read(out[0], &c, 1), 1);
	ck_assert_int_eq(c, 'w');
	/* It sleeps as long as the worker lives. */
	ck_assert_int_eq(poll(&(struct pollfd){.fd = out[0], .events = POLLIN}, 1, 50), 0);
	ck_assert_int_eq(write(in[1], "x", 1), 1);
	ck_assert_int_eq(read(out[0], &c, 1), 1);
	ck_assert_int_eq(c, finished ? 'f' : 't');
	/* Both are children of this process. */
	for (int k = 0; k < 2; k++) {
		ck_assert_int_gt(wait(&status), 0);
		ck_assert(WIFEXITED(status));
		statuses += WEXITSTATUS(status);
	}
	ck_assert_int_eq(statuses, finished ? 0 : 7);
}
END_TEST

START_TEST(test_lives)
{
	ck_assert(!standby_lives(-1));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("standby");
	TCase *c = tcase_create("standby");
	SRunner *r;
	int failed;

	tcase_add_loop_test(c, test_give_up, 0, sizeof loops / sizeof loops[0]);
	tcase_add_test(c, test_claim);
	tcase_add_loop_test(c, test_note, 0, sizeof crashes / sizeof crashes[0]);
	tcase_add_test(c, test_note_overflow);
	tcase_add_loop_test(c, test_clone, 0, 2);
	tcase_add_test(c, test_lives);
	suite_add_tcase(s, c);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
