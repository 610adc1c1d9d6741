/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The limit of descriptors (RLIMIT_NOFILE), raised to what the settings need. Children inherit it.
 */
#ifndef DROVER_MASTER_LIMIT_H
#define DROVER_MASTER_LIMIT_H

#include <stddef.h>
#include <stdint.h>

struct settings;

/* Descriptors that a worker with so many listening sockets needs. */
uint64_t limit_needed(const struct settings *s, unsigned sockets);

/* Connections that fit into a limit: at least half of it, since the file cache gives way, and at
 * least 1. */
uint32_t limit_connections(const struct settings *s, unsigned sockets, uint64_t limit);

/*
 * Raises the limit, the hard one too if the system lets us. Returns 0; or 1 if it stays too low:
 * then worker_connections is what fits and the sentence about it is in warning.
 */
int limit_raise(struct settings *s, unsigned sockets, char *warning, size_t size);

#endif
