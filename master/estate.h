/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What of a running master is its state (state.h), and what becomes of a state in the next one:
 * each thing is written down and put back side by side, so that no field is forgotten on one of the
 * two ways.
 */
#ifndef DROVER_MASTER_ESTATE_H
#define DROVER_MASTER_ESTATE_H

#include <stddef.h>
#include <stdint.h>

#include "master/listen.h"
#include "master/slot.h"
#include "master/state.h"

struct realm;

/* What is to be inherited. Its descriptors program_fd and board_fd are opened for it: give all back
 * by estate_forget(). Returns 0, or -1 with the sentence in error. */
int estate_describe(struct state *out, const struct realm *r, struct slots *s, uint32_t workers,
		    uint32_t last_number, char *error, size_t size);
void estate_forget(struct state *s);

/* The listeners, each with one user, until they are released. Returns 0, or -1 with errno. */
int estate_restore_listeners(struct listen_set *set, const struct state *s);
void estate_release_listeners(struct listen_set *set, const struct state *s);

/* The generations that children run with, but for the one in force: foreign ones. Returns 0, or -1
 * with errno. */
int estate_restore_generations(struct realm *r, const struct state *s);

/* Enters the children of the heir's state; that of a child without a place is said. Returns 0, or
 * -1 with errno. */
int estate_restore_children(const struct realm *r, struct slots *s);

#endif
