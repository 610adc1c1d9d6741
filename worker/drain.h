/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The end of a worker's service: its connections move to a successor, or end in the polite way; at
 * the deadline those that are left are cut. By order of the master, of a dead master's clock, or
 * inherited from the process that this one has taken over from.
 */
#ifndef DROVER_WORKER_DRAIN_H
#define DROVER_WORKER_DRAIN_H

#include <stdbool.h>
#include <stdint.h>

struct worker;

/* Leaves when the last connection has gone. The order may come again, with another deadline or
 * another successor. successor_fd (-1: none) is drain's from then on. */
void drain_obey(struct worker *w, uint64_t deadline_us, bool final, int successor_fd);

/* The standby goes on with the drain of the process that it took over from. */
void drain_resume(struct worker *w);

/* To be called once a turn while connections move to a successor (out.fd >= 0). */
void drain_give(struct worker *w);

/* To be called once a turn by a worker that drains, and by an orphan, which will if no master
 * comes. */
void drain_check(struct worker *w);

/* Says what became of the connections. */
void drain_tell(const struct worker *w);

#endif
