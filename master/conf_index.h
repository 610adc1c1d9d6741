/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From keys to numbers, in memory of a pool: for "has this been seen before, and where?" in time
 * that does not grow with the configuration.
 */
#ifndef DROVER_MASTER_CONF_INDEX_H
#define DROVER_MASTER_CONF_INDEX_H

#include <stddef.h>

struct conf_index_slot;
struct pool;

/* Set pool, leave the rest zero. */
struct conf_index {
	struct pool *pool;
	struct conf_index_slot *slots;
	size_t used, room;
};

/* The number of a key, to be read and set: -1 for a new one. Valid until the next call. */
int *conf_index_at(struct conf_index *x, const void *key, size_t len);
int *conf_index_text(struct conf_index *x, const char *key);

#endif
