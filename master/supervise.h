/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The master's loop: waits for signals, children and deadlines, and lets those decide and act whose
 * business it is. It never blocks elsewhere.
 */
#ifndef DROVER_MASTER_SUPERVISE_H
#define DROVER_MASTER_SUPERVISE_H

struct realm;

/* Serves until it is stopped. All in the realm is given back by the caller. Returns the exit status
 * of the daemon. */
int supervise(struct realm *realm);

#endif
