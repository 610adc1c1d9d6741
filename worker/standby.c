/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The standby's sleep: see standby.h. What it does when it wakes is in guard.c.
 */
#include "worker/standby.h"

#include <errno.h>
#include <linux/sched.h>
#include <poll.h>
#include <signal.h>
#include <stdalign.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
	CRASH_LOOP_US = 10000000,
	STACK_BYTES = 64 * 1024
};

static struct standby_history *noted;

/* Of the handler: the usual one may be what overflowed. */
static alignas(16) char note_stack[STACK_BYTES];

/* Handlers only post: the signal is raised again, and its default action ends the process. */
static void note(int signal)
{
	noted->signal = signal;
	raise(signal);
}

void standby_note_crashes(struct standby_history *h)
{
	static const int signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
	struct sigaction a = {.sa_handler = note,
			      .sa_flags = (int)SA_RESETHAND | SA_NODEFER | SA_ONSTACK};
	const stack_t stack = {.ss_sp = note_stack, .ss_size = sizeof note_stack};
	stack_t had;

	noted = h;
	if (sigaltstack(NULL, &had) == 0 && (had.ss_flags & SS_DISABLE) != 0)
		(void)sigaltstack(&stack, NULL);
	for (size_t k = 0; k < sizeof signals / sizeof signals[0]; k++) {
		struct sigaction old;

		/* Not where a sanitizer wants to tell of it first. */
		if (sigaction(signals[k], NULL, &old) == 0 && old.sa_handler == SIG_DFL)
			(void)sigaction(signals[k], &a, NULL);
	}
}

bool standby_must_give_up(struct standby_history *h, uint64_t now_us)
{
	bool third;

	if (h->signal == 0)
		return false;
	third = h->crashed_us[0] != 0 && now_us - h->crashed_us[0] < CRASH_LOOP_US;
	h->signal = 0;
	h->crashed_us[0] = h->crashed_us[1];
	h->crashed_us[1] = now_us;
	return third;
}

bool standby_claim(struct standby_history *h, pid_t from)
{
	int32_t expected = from;

	return __atomic_compare_exchange_n(&h->owner, &expected, getpid(), false, __ATOMIC_ACQ_REL,
					   __ATOMIC_ACQUIRE);
}

pid_t standby_clone(int *pid_fd_out)
{
	const unsigned long flags = CLONE_FILES | CLONE_PARENT | CLONE_PIDFD;
	/* With CLONE_PARENT the signal at its end is that of this process: the kernel wants none
	 * named here. */
	struct clone_args args = {.flags = flags, .pidfd = (uintptr_t)pid_fd_out};
	long pid = syscall(SYS_clone3, &args, sizeof args);

	if (pid < 0 && (errno == ENOSYS || errno == EPERM))
		pid = syscall(SYS_clone, flags | SIGCHLD, NULL, pid_fd_out, NULL, NULL);
	return (pid_t)pid;
}

bool standby_lives(int pid_fd)
{
	struct pollfd p = {.fd = pid_fd, .events = POLLIN};

	return pid_fd >= 0 && poll(&p, 1, 0) == 0;
}

bool standby_wait(int pid_fd, const struct worker_row *row)
{
	struct pollfd p = {.fd = pid_fd, .events = POLLIN};
	int n;

	do
		n = poll(&p, 1, -1);
	while (n < 0 && errno == EINTR);
	return n == 1 && (p.revents & POLLIN) != 0 &&
	       __atomic_load_n(&row->state, __ATOMIC_ACQUIRE) != WORKER_GONE;
}
