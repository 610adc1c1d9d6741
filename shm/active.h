/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Requests in hand at a peer, in two words: `active` of its row is that of all workers together,
 * which max_conns goes by; `active` of its peer_traffic row is the part of one worker. Only this
 * file changes either.
 *
 * A worker may be killed between the two. Then they do not agree any more, and would not for good:
 * a place less for a peer with max_conns. `counting` is odd as long as a worker is at it and grows
 * by every change, so that another process can tell a moment in which nobody was: what the words
 * said then is off by what the dead have left.
 */
#ifndef DROVER_SHM_ACTIVE_H
#define DROVER_SHM_ACTIVE_H

#include "shm/board.h"

/* One request more. */
static inline void active_add(struct peer_row *all, struct peer_traffic_row *mine)
{
	board_write_begin(&mine->counting);
	(void)board_shared_add(&all->active, 1);
	board_add(&mine->active, 1);
	board_write_end(&mine->counting);
}

static inline void active_less(struct peer_row *all, struct peer_traffic_row *mine)
{
	board_write_begin(&mine->counting);
	board_set(&mine->active, mine->active - 1);
	(void)board_shared_add(&all->active, (uint64_t)-1);
	board_write_end(&mine->counting);
}

/* The same, if there are fewer than `most` in hand; at no moment are there more. */
static inline bool active_add_below(struct peer_row *all, struct peer_traffic_row *mine,
				    uint64_t most)
{
	uint64_t n = board_shared_get(&all->active);

	board_write_begin(&mine->counting);
	while ((int64_t)n < (int64_t)most && !board_shared_swap(&all->active, &n, n + 1))
		;
	if ((int64_t)n < (int64_t)most)
		board_add(&mine->active, 1);
	board_write_end(&mine->counting);
	return (int64_t)n < (int64_t)most;
}

/* What a worker that died had in hand is nobody's any more: by whoever owns the row now. */
void active_bury(struct peer_row *all, struct peer_traffic_row *mine);

/*
 * Takes off the word of all workers what is in the part of none, while they go on. Returns 1: it is
 * right, *off_out is what it was off by; 0: somebody was counting meanwhile, or died of it and has
 * no successor yet; try again.
 */
int active_recount(const struct board *b, uint32_t peer, int64_t *off_out);

#endif
