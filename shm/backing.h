/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The board is a sparse file: a page of it exists from the moment that somebody touches it. Where
 * the file system of the run directory is full by then, that is SIGBUS. So pages are asked for
 * before: what the master writes when the file is made (board.c), a worker's own here, by which a
 * full file system is an error like any other.
 *
 * Asking is MADV_POPULATE_*, Linux 5.14. Before that nothing is asked.
 */
#ifndef DROVER_SHM_BACKING_H
#define DROVER_SHM_BACKING_H

#include "shm/board.h"

/* Bytes of a mapping, and what else is in their pages, will be there. 0, or -1 with errno. */
int backing_write(const void *from, size_t bytes);
/* The same for one who only reads, wherever they lie. */
int backing_read(const void *from, size_t bytes);

/* A worker's connection rows [first .. first + count). */
int backing_conns(const struct board *b, uint32_t worker_row, uint32_t first, uint32_t count);

/* Its rows of listener_traffic, server_traffic, upstream_traffic and peer_traffic: the first so
 * many of each. */
int backing_traffic(const struct board *b, uint32_t worker_row, const struct board_sizes *rows);

#endif
