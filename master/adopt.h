/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Workers of a master that died. Each has a socket in the run directory (RUN_DIR/worker.SLOT.HALF,
 * mode 0600), made before its fork, on which it accepts the next master when its own is gone. What
 * they tell becomes a state (state.h), so that taking over from them is like taking over from
 * another program in the same process, but for the way back.
 */
#ifndef DROVER_MASTER_ADOPT_H
#define DROVER_MASTER_ADOPT_H

#include <stdint.h>
#include <sys/types.h>

#include "master/state.h"

/* Make the sockets of a worker: on which it waits for a new master, and for droverctl kill. Return
 * them, or -1 with errno. */
int adopt_listen(int rundir_fd, uint32_t slot, uint32_t half);
int adopt_open_ctl(int rundir_fd, uint32_t slot, uint32_t half);
/* Removes both. */
void adopt_unlink(int rundir_fd, uint32_t slot, uint32_t half);

/*
 * Asks all who are there, and makes a state of their answers, with all its descriptors:
 * generations, listeners, children, the board. Takes two seconds at most: who does not answer is
 * killed, so that its standby does; who does not answer then is left to itself. Returns how many
 * were found; 0: none (and the state is empty); -1 with errno.
 */
int adopt_find(struct state *out, const char *rundir, int rundir_fd);

/* Is it a worker or standby of drover, and of the same user as `like`? A worker's word alone is not
 * enough to send signals by. */
int adopt_is_kin(pid_t pid, pid_t like);

#endif
