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

/*
 * Once a second while it is: a master that lives after all has given this worker up. It was a
 * standby whose worker was killed before it could name it, and has a successor; so it drains.
 */
void adoption_check(struct worker *w);

/* A new one is at the door: it drains this worker as one of a generation before. */
void adoption_accept(struct worker *w);

#endif
