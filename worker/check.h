/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Active checks of peers, a module of the prober: each peer of an upstream with check {} is asked
 * every `interval`, a tenth more or less, by a connection of its own that lives for one check. What
 * came of it goes into the peer's row, in words that nobody else writes.
 */
#ifndef DROVER_WORKER_CHECK_H
#define DROVER_WORKER_CHECK_H

#include "worker/prober.h"

bool check_wanted(const struct settings *s);
int check_start(struct prober *p);

#endif
