/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The master's loop: waits for signals, children and deadlines, and lets those decide and act whose
 * business it is. It never blocks elsewhere.
 */
#ifndef DROVER_MASTER_SUPERVISE_H
#define DROVER_MASTER_SUPERVISE_H

#include "master/daemon.h"
#include "master/generation.h"
#include "master/listen.h"
#include "master/options.h"
#include "shm/board.h"

/* What boot has made. All is given back by the caller. */
struct realm {
	const struct options *options;
	struct daemon daemon;
	struct board board; /* base NULL: not made yet */
	struct listen_set listeners;
	struct generation *generations; /* alive */
	struct generation *gen;         /* in force */
};

/* Serves until it is stopped. Returns the exit status of the daemon. */
int supervise(struct realm *realm);

#endif
