/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The queues of upstreams, for droverctl upstreams: those who wait, or waited, for a peer with
 * room.
 */
#ifndef DROVER_SHM_CTL_QUEUES_H
#define DROVER_SHM_CTL_QUEUES_H

#include "shm/ctl.h"

/* The member "queue" of the upstream that is the present row of n. */
void ctl_queues_json(struct json *j, const struct ctl_named *n);

/* A table for people, after an empty line; nothing if there is no queue. Returns 0, or -1 with
 * errno. */
int ctl_queues_show(const struct ctl *c);

#endif
