/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The rows that a worker is going to count in, asked for before it serves: a run directory without
 * room is then a reason not to start, and no SIGBUS later (shm/backing.h).
 */
#ifndef DROVER_WORKER_BACKED_H
#define DROVER_WORKER_BACKED_H

#include "shm/board.h"
#include "worker/settings.h"

/* Returns 0, or -1 with errno. */
int backed_traffic(const struct board *b, uint32_t worker_row, const struct settings *s);

#endif
