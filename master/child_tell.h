/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is said to a child on its control channel (worker/worker.h). Never blocks.
 */
#ifndef DROVER_MASTER_CHILD_TELL_H
#define DROVER_MASTER_CHILD_TELL_H

#include <stdint.h>

struct child;

/* Tells it something. Returns 0, or -1 with errno: a child that cannot be told hangs, and its
 * heartbeat will tell. */
int child_tell(const struct child *c, uint32_t kind, uint32_t flags, uint64_t arg_us);

/* Tells it with descriptors: `first` is the index of the first, n at most CHILD_FDS. */
enum {
	CHILD_FDS = 60 /* a worker takes 64 */
};
int child_tell_fds(const struct child *c, uint32_t kind, uint64_t first, const int *fds,
		   unsigned n);

/* As child_tell(). An order that does not arrive is said ("could not be told to WHAT"); the
 * deadline that goes with it still holds. */
void child_tell_order(const struct child *c, uint32_t kind, uint32_t flags, uint64_t arg_us,
		      const char *what);

/* Gives c, by an order of this kind, and the taker the two ends of a channel of their own:
 * connections go that way. Returns 0, or -1 with errno. */
int child_tell_introduce(const struct child *c, const struct child *taker, uint32_t kind,
			 uint64_t arg);

#endif
