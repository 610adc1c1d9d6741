/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The channels to other workers by which connections leave and come, as the loop has them: begun by
 * an order of the master, gone on with in each turn. What goes through them is handover.h's.
 */
#ifndef DROVER_WORKER_CHANNELS_H
#define DROVER_WORKER_CHANNELS_H

#include <stdint.h>

#include "worker/handover.h"

struct worker;

/* Gives connections by fd; limit and o as in handover.h. Returns 0, or -1 with errno: then fd is
 * still the caller's. */
int channels_begin(struct worker *w, struct handover_out *o, int fd, uint32_t limit);

/* Goes on with it, as far as the other worker lets this one. */
enum handover_state channels_go_on(struct worker *w, struct handover_out *o);

/* No more of it: what did not move is served on. */
void channels_end(struct worker *w, struct handover_out *o);

/* A worker that stays gives some: count idle connections go by fd (-1: it did not arrive), and the
 * master is told how many did. */
void channels_gift(struct worker *w, uint64_t count, int fd);

/* To be called once a turn while that is so (gift.fd >= 0). */
void channels_give(struct worker *w);

/* Connections may come by fd, from here on; and what is to be done when some have. */
void channels_open(struct worker *w, int fd);
void channels_take(struct worker *w, int fd);

#endif
