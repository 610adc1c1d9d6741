/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whether the process behind a row of the board still runs, and whether it is drover that one would
 * signal. Process ids come round again, so a bare number proves nothing.
 */
#ifndef DROVER_SHM_ALIVE_H
#define DROVER_SHM_ALIVE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * True if there is a process pid (no zombie) that did not start after last_us: the last moment, in
 * CLOCK_MONOTONIC, at which the row's writer was heard of.
 */
bool alive_check(uint64_t pid, uint64_t last_us);

/* True if the process's name begins with "drover", droverctl itself excepted. */
bool alive_is_drover(uint64_t pid);

/* True if the process belongs to uid, or if that cannot be seen. */
bool alive_belongs_to(uint64_t pid, uid_t uid);

#endif
