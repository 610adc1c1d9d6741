/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The part of the prober that looks up the names of peers again and again, as their TTLs want it,
 * and writes what it finds on the board, where workers take it from (address.h). What cannot be
 * looked up keeps the address that it had.
 */
#ifndef DROVER_WORKER_RESOLVER_H
#define DROVER_WORKER_RESOLVER_H

#include <stdbool.h>

struct prober;
struct settings;

/* As struct prober_module has them. */
bool resolver_wanted(const struct settings *s);
int resolver_start(struct prober *p);

#endif
