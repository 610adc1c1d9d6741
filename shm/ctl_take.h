/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Ends a connection of a worker that does not answer: by a copy of its descriptor, which the kernel
 * gives to whoever may trace the worker (pidfd_getfd, Linux 5.6).
 */
#ifndef DROVER_SHM_CTL_TAKE_H
#define DROVER_SHM_CTL_TAKE_H

#include <stddef.h>
#include <stdint.h>

#include "shm/ctl_conn.h"
#include "shm/view.h"

enum take_result {
	TAKE_ENDED,
	TAKE_GONE,    /* it is not (or no longer) where it was seen: look again */
	TAKE_CHANGED, /* not in the wanted state */
	TAKE_FAILED
};

/*
 * A descriptor for the process of a worker row, if it still is that process: -1 with errno; ESRCH:
 * it is gone.
 */
int take_open(const struct view_worker *w);

/*
 * Shuts the connection down, if its row says the same of it after its descriptor was taken as
 * before: a worker withdraws the number from the row before it closes the descriptor. state: that
 * it must be in, or 0. With TAKE_FAILED, why says what is the matter.
 */
enum take_result take_end(struct reader *r, int pid_fd, const struct ctl_conn *conn, uint64_t state,
			  char *why, size_t why_bytes);

#endif
