/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is known of a peer, by all workers together: shared words of its row on the board, each
 * changed by one atomic operation, and what the prober writes there. Peers are named by their index
 * in settings.
 */
#ifndef DROVER_WORKER_PEER_H
#define DROVER_WORKER_PEER_H

#include "shm/order.h"
#include "worker/up.h"

enum {
	PEER_SLOW_SCALE = 10, /* of weights in a pool with slow_start */
	PEER_RETRY_MOST_S = 60
};

/* The peer's rows on the board: that of all workers, and this worker's. */
struct peer_row *peer_row(const struct ups *us, uint32_t peer);
struct peer_traffic_row *peer_traffic(const struct ups *us, uint32_t peer);

/* Requests that the peer has in hand, over all workers. */
uint64_t peer_active(const struct ups *us, uint32_t peer);

/*
 * How much of its pool's requests the peer is to get now, in proportion to the others, never 0: its
 * weight, or that which droverctl gave it; in a pool with slow_start PEER_SLOW_SCALE times as much,
 * so that one of 1 can grow, and less of it while the peer has only just come back.
 */
uint64_t peer_weight(const struct ups *us, uint32_t peer);

/* Is it well, and meant to be used, with or without room for a request? */
bool peer_able(const struct ups *us, uint32_t peer);

/* It is given a request. One that came back after its failures is not able again before it has
 * answered that, or a second is over. */
void peer_taken(struct ups *us, uint32_t peer);

/* Nothing but its failures of before keeps it from being used: rather this one than none. */
bool peer_last_resort(const struct ups *us, uint32_t peer);

/* May requests go to this peer now? It is able, and has fewer in hand than it may have. */
bool peer_well(const struct ups *us, uint32_t peer);

/* The same as peer_able() for a request that belongs to a session of this peer, which may still go
 * to one that drains. */
bool peer_takes_session(const struct ups *us, uint32_t peer);

/* Seconds, 1 to PEER_RETRY_MOST_S, after which a peer of the pool may take requests again, if none
 * does now. */
uint32_t peer_retry_after_s(const struct ups *us, const struct upstream *pool);

/* The peer did (not) do what it should: too many failures in a row, or among its requests, have it
 * left alone for a while. */
void peer_failed(struct ups *us, uint32_t peer);
void peer_answered(struct ups *us, uint32_t peer, int status);

/* What droverctl peer asks for (shm/order.h), whatever this worker's own settings know of the peer.
 * uid: who asked. */
void peer_tell(struct peer_row *row, enum order_kind kind, uint32_t weight, uint64_t uid,
	       uint64_t now_us);

#endif
