/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The event loop of a worker. It owns the epoll descriptor and reads the clock once a turn.
 */
#ifndef DROVER_WORKER_LOOP_H
#define DROVER_WORKER_LOOP_H

struct worker;

/* Turns until the worker is to leave. Its standby, when it takes over, returns from here too. */
void loop_run(struct worker *w);

#endif
