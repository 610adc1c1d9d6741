/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Gathers the facts for a diagnosis: two looks at the board, at the kernel's sockets of our own
 * addresses and at /proc, some time apart. Judges nothing.
 */
#ifndef DROVER_SHM_CTL_FACTS_H
#define DROVER_SHM_CTL_FACTS_H

#include "shm/diagnose.h"

struct ctl;

/*
 * c is open, and looks again; its arguments are "upstream=ADDRESS:PORT", for upstreams that the
 * board does not name. Returns CTL_OK, or another status once it has said why; free in either case.
 */
int ctl_facts_gather(struct ctl *c, double interval_s, struct facts *f);
void ctl_facts_free(struct facts *f);

#endif
