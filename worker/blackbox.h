/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The black box: what a worker that died was doing, read from the rows that it left on the board.
 * Used by the standby before it touches them, and by the master where there is no standby.
 */
#ifndef DROVER_WORKER_BLACKBOX_H
#define DROVER_WORKER_BLACKBOX_H

#include <stddef.h>
#include <stdint.h>

#include "shm/board.h"

enum {
	BLACKBOX_SLOWEST = 10,
	BLACKBOX_TEXT = 320
};

struct blackbox {
	uint64_t pid;
	uint32_t slot, generation;
	char suspect[BLACKBOX_TEXT]; /* the request that was being served; "" = none */
	uint32_t in_flight;
	uint32_t count;                            /* of slowest, <= BLACKBOX_SLOWEST */
	struct conn_row slowest[BLACKBOX_SLOWEST]; /* copies, the longest under way first */
};

/* Reads the rows of a worker that is dead. Whatever they hold, it is bounded. */
void blackbox_read(struct blackbox *b, const struct board *board, uint32_t worker_row);

/* Logs the requests that were in flight, with their ages and what was left of their deadlines at
 * now_us. Says nothing if there was none. */
void blackbox_tell(const struct blackbox *b, uint64_t now_us);

/*
 * The standby puts the suspect on the board before it takes the row, so that the master, which
 * learns of the death at its own pace, can name it whoever is first.
 */
void blackbox_leave(const struct blackbox *b, struct worker_row *row);

/* What process pid, which died, was working on: from its row as it left it, or from what the
 * standby noted. "" if it was nothing, or is not known. */
void blackbox_suspect(const struct board *board, uint32_t worker_row, uint64_t pid,
		      char out[BLACKBOX_TEXT]);

#endif
