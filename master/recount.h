/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A worker that is killed while it counts a request at a peer leaves the count of all workers wrong
 * (shm/active.h). After each death the master counts anew, until all peers are right again.
 */
#ifndef DROVER_MASTER_RECOUNT_H
#define DROVER_MASTER_RECOUNT_H

#include "shm/board.h"

struct recount {
	bool settled; /* nobody has died since all were right */
};

/* Somebody died. */
void recount_ask(struct recount *r);

/* To be called once a second, while all workers count on this board. */
void recount_step(struct recount *r, const struct board *b);

#endif
