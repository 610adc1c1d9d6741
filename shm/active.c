/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Requests in hand at a peer: see active.h. Recounted by the master alone: two that find the same
 * surplus would both take it off.
 */
#include "shm/active.h"

void active_bury(struct peer_row *all, struct peer_traffic_row *mine)
{
	uint64_t had = mine->active;

	board_write_begin(&mine->counting);
	board_set(&mine->active, 0);
	if (had != 0)
		(void)board_shared_add(&all->active, -had);
	board_write_end(&mine->counting);
}

/* Rows of workers that there never was are not touched: each would cost a page. */
static bool was_used(const struct board *b, uint32_t worker_row)
{
	return __atomic_load_n(&board_worker(b, worker_row)->pid, __ATOMIC_RELAXED) != 0;
}

/* False: somebody is at it. Counts only grow, so that an equal sum says that none has. */
static bool all_rest(const struct board *b, uint32_t peer, uint64_t *changes_out)
{
	*changes_out = 0;
	for (uint32_t w = 0; w < b->sizes.slots * BOARD_HALVES; w++) {
		uint32_t n;

		if (!was_used(b, w))
			continue;
		n = __atomic_load_n(&board_peer_traffic(b, w, peer)->counting, __ATOMIC_ACQUIRE);
		if (n % 2 != 0)
			return false;
		*changes_out += n;
	}
	return true;
}

static uint64_t sum_of_parts(const struct board *b, uint32_t peer)
{
	uint64_t sum = 0;

	for (uint32_t w = 0; w < b->sizes.slots * BOARD_HALVES; w++)
		if (was_used(b, w))
			sum += board_shared_get(&board_peer_traffic(b, w, peer)->active);
	return sum;
}

int active_recount(const struct board *b, uint32_t peer, int64_t *off_out)
{
	uint64_t *word = &board_peer(b, peer)->active, before, after, off;

	*off_out = 0;
	if (!all_rest(b, peer, &before))
		return 0;
	off = board_shared_get(word) - sum_of_parts(b, peer);
	/* As in a reader of a row with a sequence count: what was read was read before this. */
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	if (!all_rest(b, peer, &after) || after != before)
		return 0;
	/* What was off stays off by as much, whatever is counted meanwhile. */
	if (off != 0)
		(void)board_shared_add(word, -off);
	*off_out = (int64_t)off;
	return 1;
}
