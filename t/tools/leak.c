/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * leak PID FD [COUNT]: makes another process leak descriptors: it calls dup(FD) COUNT times (1) and
 * knows nothing of it. The process is stopped with ptrace for a moment in the system call that it
 * sleeps in, which is then made again as the other one. For tests of who finds leaks. Exit status
 * 77: not possible here.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/user.h>
#include <sys/wait.h>

enum {
	IMPOSSIBLE = 77
};

#ifdef __x86_64__
enum {
	SYSCALL_BYTES = 2 /* of the instruction */
};

static int await_stop(pid_t pid)
{
	int status;

	return waitpid(pid, &status, __WALL) == pid && WIFSTOPPED(status) ? 0 : -1;
}

/* Makes the process call dup(fd) in the place where it stands, behind a system call. */
static long call_dup(pid_t pid, const struct user_regs_struct *there, unsigned long fd)
{
	struct user_regs_struct r = *there;

	r.rip -= SYSCALL_BYTES;
	r.rax = SYS_dup;
	r.orig_rax = (unsigned long)-1;
	r.rdi = fd;
	if (ptrace(PTRACE_SETREGS, pid, NULL, &r) != 0 ||
	    ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL) != 0 || await_stop(pid) != 0 ||
	    ptrace(PTRACE_GETREGS, pid, NULL, &r) != 0)
		return -1;
	return (long)r.rax;
}

static int leak(pid_t pid, unsigned long fd, long count)
{
	struct user_regs_struct there;
	long got = -1;
	unsigned short code;

	if (ptrace(PTRACE_SEIZE, pid, NULL, NULL) != 0 ||
	    ptrace(PTRACE_INTERRUPT, pid, NULL, NULL) != 0 || await_stop(pid) != 0 ||
	    ptrace(PTRACE_GETREGS, pid, NULL, &there) != 0) {
		fprintf(stderr, "leak: ptrace: %s\n", strerror(errno));
		return IMPOSSIBLE;
	}
	code = (unsigned short)ptrace(PTRACE_PEEKTEXT, pid, (char *)there.rip - SYSCALL_BYTES,
				      NULL);
	for (long i = 0; code == 0x050f && i < count; i++) {
		got = call_dup(pid, &there, fd);
		if (got < 0)
			break;
	}
	(void)ptrace(PTRACE_SETREGS, pid, NULL, &there);
	(void)ptrace(PTRACE_DETACH, pid, NULL, NULL);
	if (code != 0x050f)
		fprintf(stderr, "leak: the process is in no system call\n");
	else if (got < 0)
		fprintf(stderr, "leak: dup: %ld\n", got);
	return got < 0;
}
#else
static int leak(pid_t pid, unsigned long fd, long count)
{
	(void)pid;
	(void)fd;
	(void)count;
	fprintf(stderr, "leak: not on this machine\n");
	return IMPOSSIBLE;
}
#endif

int main(int argc, char **argv)
{
	if (argc < 3) {
		fprintf(stderr, "usage: leak PID FD [COUNT]\n");
		return 2;
	}
	return leak(atoi(argv[1]), strtoul(argv[2], NULL, 10), argc > 3 ? atol(argv[3]) : 1);
}
