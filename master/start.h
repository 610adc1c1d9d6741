/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From the first turn until all workers serve: a fresh start; one beside the workers of the program
 * before or of a master that died (the second half of an upgrade); and the way back, if workers of
 * this program cannot start.
 */
#ifndef DROVER_MASTER_START_H
#define DROVER_MASTER_START_H

struct master;

void start_begin(struct master *m);

/* To be called in each turn while the phase is BOOTING. */
void start_step(struct master *m);

/* The same while it is RETURNING. */
void start_return_step(struct master *m);

#endif
