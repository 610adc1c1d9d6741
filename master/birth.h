/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The start of a worker: what the master prepares before the fork, and what the child does between
 * the fork and worker_run().
 */
#ifndef DROVER_MASTER_BIRTH_H
#define DROVER_MASTER_BIRTH_H

#include <stdint.h>

#include "master/child.h"

struct birth {
	const struct board *board;
	struct generation *gen;
	uint32_t workers;  /* how many there are to be: decides over shares of reuseport sockets */
	uint64_t instance; /* number of this start, from 1, never used twice */
	uint64_t now_us;
	int rundir_fd; /* where a new master finds the worker if this one dies; -1: nowhere */
	/* Runs in the child: closes what belongs to the master and to other children. */
	void (*forget)(void *arg, const struct child *self);
	void *forget_arg;
};

/*
 * Starts the worker of c->slot and c->row, which has no process. Returns 0 with the child STARTING,
 * or -1 with errno and nothing changed. Does not return in the child.
 */
int birth_worker(struct child *c, const struct birth *b);

/* In a child: signals as a program finds them, but for those that are meant for the master. */
void birth_reset_signals(void);

#endif
