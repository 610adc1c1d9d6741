/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The standby: a process that sleeps beside a worker, cloned by it with the same descriptor table
 * and the arena mapped at the same address. When the worker dies, it is the worker. Its parent is
 * the master.
 */
#ifndef DROVER_WORKER_STANDBY_H
#define DROVER_WORKER_STANDBY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "shm/board.h"

/* In the arena. Times are CLOCK_MONOTONIC us; 0 = never. */
struct standby_history {
	uint64_t crashed_us[2]; /* the last two takeovers after a crash */
	int32_t signal; /* that the worker dies of by its own fault; 0: none, or it was killed */
	int32_t owner;  /* process that the records belong to */
};

/*
 * From now on, a crash of this process (SEGV, BUS, FPE, ILL, ABRT) is noted in h before it dies.
 */
void standby_note_crashes(struct standby_history *h);

/*
 * Should the standby rather not take over? After a third crash within ten seconds: what the arena
 * holds may be what kills. A worker that somebody killed is no crash. Pure but for the note it
 * takes.
 */
bool standby_must_give_up(struct standby_history *h, uint64_t now_us);

/* Only one process ever takes the records from the one that has died: true for that one. */
bool standby_claim(struct standby_history *h, pid_t from);

/*
 * Clones this process: CLONE_FILES, parent = this process's parent. Returns 0 in the standby, its
 * pid in the worker (*pid_fd_out is a descriptor of it), or -1 with errno. Falls back from clone3
 * to clone, which containers do not refuse.
 */
pid_t standby_clone(int *pid_fd_out);

/* Does the process behind pid_fd (-1: none) still live? */
bool standby_lives(int pid_fd);

/*
 * Sleeps until the process behind pid_fd has died. True: it left its work behind, so take over;
 * false: it had finished (its row says so), or the system does not let us wait.
 */
bool standby_wait(int pid_fd, const struct worker_row *row);

#endif
