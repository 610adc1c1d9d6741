/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The board at a glance, as JSON, for the status page: the master, workers, connections by state,
 * counters, the histogram of latency, listeners, servers, the slowest requests in flight. Bounded:
 * of listeners and servers the first SNAPSHOT_NAMED, of connections no more than SNAPSHOT_CONNS are
 * looked at. Of what clients sent only their addresses and the methods and paths of the slowest
 * requests are in it, without queries.
 */
#ifndef DROVER_SHM_SNAPSHOT_H
#define DROVER_SHM_SNAPSHOT_H

#include <stdio.h>

#include "shm/view.h"

enum {
	SNAPSHOT_NAMED = 100,
	SNAPSHOT_SLOWEST = 10,
	SNAPSHOT_CONNS = 32768
};

/* Writes what a loaded view shows. Returns 0, or -1 with errno if memory or the stream failed. */
int snapshot_write(const struct view *v, FILE *out);

#endif
