/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The way back from an upgrade: the program before this one, held open by descriptor, is executed
 * again in this process, with the same state. Taken by order, and by itself if this process
 * crashes, exits or takes too long while the way is open. What happens before main() cannot be
 * caught here: that is what the check beforehand is for.
 */
#ifndef DROVER_MASTER_WAYBACK_H
#define DROVER_MASTER_WAYBACK_H

#include "master/options.h"

struct state;

/* The environment of a program that is executed in this process. */
#define WAYBACK_INHERIT  "DROVER_INHERIT"  /* descriptors of state and program before: "7 8" */
#define WAYBACK_RETURNED "DROVER_RETURNED" /* the way back was taken: why */

/* Opens the way. Call it before the environment is changed. */
void wayback_open(const struct options *o, int state_fd, int program_fd);

/* From here on the descriptors that the state names are close-on-exec, but for the way back. */
void wayback_knows(const struct state *s);

/* Takes it. Returns only if the old program cannot be executed, with errno. */
int wayback_take(const char *why);

/* From here on this program stands on its own. */
void wayback_close(void);

#endif
