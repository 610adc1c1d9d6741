/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a peer has in hand and how long it takes to answer, by all workers together: shared words of
 * its row on the board, each changed by one atomic operation. Peers are named by their index in
 * settings.
 *
 * A request's place is taken before a connection is looked for (by compare-and-swap, so that
 * max_conns is never exceeded, however many workers ask at the same moment) and given to the
 * connection by up_assign(), which counts one that nobody took.
 *
 * The time to the head of an answer is a decaying average in the manner of Finagle's peak EWMA
 * (com.twitter.finagle.loadbalancer.PeakEwma): what is old counts for less by its age alone, half
 * after each second, so that a peer that was slow once is tried again; one that has not answered
 * yet gets no second request before it has. Unlike there one slow answer is no peak: each counts
 * an eighth, as in the smoothed round-trip time of TCP (Jacobson, SIGCOMM 1988; RFC 6298 2), and
 * more if the last one was long ago.
 */
#ifndef DROVER_WORKER_PEER_LOAD_H
#define DROVER_WORKER_PEER_LOAD_H

#include "worker/up.h"

/* Requests in hand. Off by some for a moment after a worker has died: never less than 0. */
static inline uint64_t peer_row_active(const struct peer_row *row)
{
	uint64_t n = board_shared_get(&row->active);

	return (int64_t)n > 0 ? n : 0;
}

/* Has the peer as many requests in hand as it may have? */
bool peer_full(const struct ups *us, uint32_t peer);

/* Takes the place of one more request. False: the peer is full. At most one place is held at a
 * time: it goes to up_assign(), or back. */
bool peer_reserve(struct ups *us, uint32_t peer);
void peer_unreserve(struct ups *us);

/* Microseconds to the head of an answer, as far as they are known at now; 0: nothing is. */
uint64_t peer_time_at(const struct peer_row *row, uint64_t now_us);

/* An answer's head took so long; or (at_least) it had not come when nobody wanted it any more. */
void peer_time_note(struct ups *us, uint32_t peer, uint64_t us_taken, bool at_least);

/* Of a connection whose request is given up now: does nothing unless its pool goes by time. */
void peer_time_cancelled(struct ups *us, uint32_t u);

#endif
