/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a worker is doing, or was when it stopped or died, in words: the connection that it works on
 * and its request that is under way for the longest.
 */
#ifndef DROVER_SHM_CTL_BLACKBOX_H
#define DROVER_SHM_CTL_BLACKBOX_H

#include <stdint.h>

#include "shm/reader.h"
#include "shm/view.h"

enum {
	CTL_DOING_TEXT = 320
};

struct ctl_doing {
	char touching[CTL_DOING_TEXT]; /* "" if it was working on none */
	uint64_t in_flight;            /* requests under way */
	uint64_t slowest_us;           /* when the longest of them began; 0 = none */
	char slowest[CTL_DOING_TEXT];
};

/* Ages are as of the worker's last heartbeat if it is dead. */
void ctl_doing_read(struct ctl_doing *d, struct reader *r, const struct view_worker *w);

#endif
