/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How many connections each client address holds, for max_conns_per_address. A hash table with a
 * random seed; cells are named by index and go back when their count is 0.
 */
#ifndef DROVER_WORKER_ADDR_H
#define DROVER_WORKER_ADDR_H

#include <stdint.h>

#define ADDR_NONE 0u

struct addrs;

/* most: cells, one for each connection at most. NULL if memory is out. */
struct addrs *addrs_new(uint32_t most);
void addrs_free(struct addrs *t);

/*
 * Counts one more connection of the 16-byte address if that keeps it at or below the limit: returns
 * its cell, to be kept in the record; ADDR_NONE if the limit is reached.
 */
uint32_t addr_take(struct addrs *t, const uint8_t addr[16], uint32_t limit);
void addr_drop(struct addrs *t, uint32_t cell);

#endif
