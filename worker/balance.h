/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which peer of a pool a request goes to.
 */
#ifndef DROVER_WORKER_BALANCE_H
#define DROVER_WORKER_BALANCE_H

#include "worker/up.h"

#define BALANCE_NONE UINT32_MAX

/*
 * A peer (index in settings) of the pool for the next request: of those that are well, without the
 * one to avoid if there is another; of the backups if none of the others is well; BALANCE_NONE if
 * there is none at all. key: of what the request is hashed by, for BALANCE_HASH.
 */
uint32_t balance_pick(struct ups *us, const struct upstream *pool, uint32_t avoid, uint64_t key);

#endif
