/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where daemon and droverctl meet when nobody names a run directory: $DROVER_RUN_DIR, else
 * /run/drover for root, else $XDG_RUNTIME_DIR/drover, else /tmp/drover-UID. The folder is neither
 * made nor checked; the last is in a folder that everybody may write, so its maker has to see that
 * it is its own.
 */
#ifndef DROVER_SHM_RUNDIR_H
#define DROVER_SHM_RUNDIR_H

#include <stddef.h>

/* Returns 0, or -1 with errno = ENAMETOOLONG. */
int rundir_default(char *out, size_t size);

#endif
