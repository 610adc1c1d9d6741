/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The standby's sleep: see standby.h. What it does when it wakes is in takeover.c.
 */
#include "worker/standby.h"

#include <errno.h>
#include <linux/sched.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
	CRASH_LOOP_US = 10000000
};

bool standby_must_give_up(struct standby_history *h, uint64_t now_us)
{
	bool third = h->taken_us[0] != 0 && now_us - h->taken_us[0] < CRASH_LOOP_US;

	h->taken_us[0] = h->taken_us[1];
	h->taken_us[1] = now_us;
	return third;
}

pid_t standby_clone(void)
{
	/* With CLONE_PARENT the signal at its end is that of this process: the kernel wants none
	 * named here. */
	struct clone_args args = {.flags = CLONE_FILES | CLONE_PARENT};
	long pid = syscall(SYS_clone3, &args, sizeof args);

	if (pid < 0 && (errno == ENOSYS || errno == EPERM))
		pid = syscall(SYS_clone, CLONE_FILES | CLONE_PARENT | SIGCHLD, NULL, NULL, NULL,
			      NULL);
	return (pid_t)pid;
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
