/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A worker whose master has died serves on and listens for the next one, whom it tells what that
 * must know (orphan.h); if none comes in time it drains and leaves.
 */
#ifndef DROVER_WORKER_ADOPTION_H
#define DROVER_WORKER_ADOPTION_H

struct worker;

/* The master is gone. */
void adoption_await(struct worker *w);

/* A new one is at the door: it drains this worker as one of a generation before. */
void adoption_accept(struct worker *w);

#endif
