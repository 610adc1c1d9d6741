/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See backed.h. Called by worker.c at its start.
 */
#include "worker/backed.h"

#include "shm/backing.h"

static void reach(uint32_t *rows, uint32_t row)
{
	if (*rows < row + 1)
		*rows = row + 1;
}

int backed_traffic(const struct board *b, uint32_t worker_row, const struct settings *s)
{
	struct board_sizes rows = {0};

	for (uint32_t i = 0; i < s->listeners_count; i++)
		reach(&rows.listeners, s->listeners[i].row);
	for (uint32_t i = 0; i < s->servers_count; i++)
		reach(&rows.servers, s->servers[i].row);
	for (uint32_t i = 0; i < s->upstreams_count; i++)
		reach(&rows.upstreams, s->upstreams[i].row);
	for (uint32_t i = 0; i < s->peers_count; i++)
		reach(&rows.peers, s->peers[i].row);
	return backing_traffic(b, worker_row, &rows);
}
