/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The worker and its standby: cloning it, and, in the standby when the worker has died, becoming
 * the worker. How the one sleeps and the other is noticed is standby.h's; how records are made
 * whole again, takeover.h's.
 */
#ifndef DROVER_WORKER_GUARD_H
#define DROVER_WORKER_GUARD_H

struct worker;

/*
 * Clones the standby. Returns in the worker; and once more, in the standby, when the worker has
 * died and the standby has taken its place, with a standby of its own.
 */
void guard_clone(struct worker *w);

#endif
