/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which peer of a pool a request goes to, by counts that all workers share.
 *
 * What of a pool changes seldom (which peers are well, what they weigh) is looked up every 10 ms at
 * most and kept in the worker's heap, so that a choice costs little however many peers there are;
 * the one that is chosen is looked at once more. Round robin is then a search in a round of as many
 * turns as all peers weigh together; its turns are taken in steps of the golden section, so that
 * those of a heavy peer do not come in a row, and each of them once, so that the shares are exact.
 */
#ifndef DROVER_WORKER_BALANCE_H
#define DROVER_WORKER_BALANCE_H

#include "worker/up.h"

#define BALANCE_NONE UINT32_MAX       /* no peer is well */
#define BALANCE_FULL (UINT32_MAX - 1) /* some are, but have max_conns requests in hand */

struct balance_pool;

/* For all pools of the settings: NULL with errno. */
struct balance_pool *balance_new(const struct settings *s);
void balance_free(struct balance_pool *pools);

/*
 * A peer (index in settings) of the pool for the next request: of those that are well, without the
 * one to avoid if there is another; of the backups if none of the others is well, or if all are
 * full and the pool has no queue. BALANCE_NONE or BALANCE_FULL if there is none. key: of what the
 * request is hashed by, for BALANCE_HASH.
 */
uint32_t balance_pick(struct ups *us, const struct upstream *pool, uint32_t avoid, uint64_t key);

/* Would a pick find that all peers are full? */
bool balance_is_full(struct ups *us, const struct upstream *pool);

#endif
