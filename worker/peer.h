/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is known of a peer, by all workers together: shared words of its row on the board, each
 * changed by one atomic operation. Peers are named by their index in settings.
 */
#ifndef DROVER_WORKER_PEER_H
#define DROVER_WORKER_PEER_H

#include "worker/up.h"

/* The peer's rows on the board: that of all workers, and this worker's. */
struct peer_row *peer_row(const struct ups *us, uint32_t peer);
struct peer_traffic_row *peer_traffic(const struct ups *us, uint32_t peer);

/* Requests that the peer has in hand, over all workers. */
uint64_t peer_active(const struct ups *us, uint32_t peer);

/* How much of its pool's requests the peer is to get now, in proportion to the others. */
uint64_t peer_weight(const struct ups *us, uint32_t peer);

/* May requests go to this peer now? It is well, and has fewer in hand than it may have. */
bool peer_well(const struct ups *us, uint32_t peer);

/* The peer did (not) do what it should: a number of failures in a row has it left alone for a
 * while. */
void peer_failed(struct ups *us, uint32_t peer);
void peer_succeeded(struct ups *us, uint32_t peer);

#endif
