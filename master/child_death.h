/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is said and written of a child that has died: in the log, and on its row of the board.
 */
#ifndef DROVER_MASTER_CHILD_DEATH_H
#define DROVER_MASTER_CHILD_DEATH_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "shm/board.h"

struct child;

/* "exited with status 1", "killed by signal 9 (KILL)": of waitpid(2), or CHILD_UNKNOWN. */
void child_death_how(int status, char *out, size_t size);

/* Says how its process pid ended, which nobody had asked it to, and what it was working on; counts
 * it. That is its epitaph from then on, with `more` at its end. */
void child_death_tell(struct child *c, pid_t pid, int status, const char *more);

/* Nobody goes on with its connections: says what they were doing. A standby says it itself, of rows
 * that are its own by now. */
void child_death_tell_requests(const struct child *c, uint64_t now_us);

/* The writer of its row is dead: its last words on the board are the master's. An update that it
 * did not finish ends with this one. */
void child_death_mark(const struct child *c, enum worker_state state);

#endif
