/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The rows of the board that the master writes: its own, one for each listener,
 * server, upstream and peer. A row stays with its address or name over reloads, and is kept for it
 * when the configuration names it no more, as long as there is room.
 */
#ifndef DROVER_MASTER_ROWS_H
#define DROVER_MASTER_ROWS_H

#include <stddef.h>
#include <stdint.h>

#include "shm/board.h"

struct generation;
struct settings;

/* Room for these settings and for what a reload may add to them. */
struct board_sizes rows_sizes(const struct settings *s);

/* Whether the board has room for these settings. Returns 0, or -1 with a sentence that says what to
 * do in error. */
int rows_fit(const struct board *b, const struct settings *s, char *error, size_t size);

/* Gives each listener, server, upstream and peer of a generation its row. Returns 0, or -1 with the
 * sentence in error. */
int rows_assign(const struct board *b, struct generation *g, char *error, size_t size);

/* Says which rows are in use: those of the generation in force, and nobody else's. */
void rows_settle(const struct board *b, const struct generation *g);

/* Accept queues of its listeners. */
void rows_queues(const struct board *b, const struct generation *g);

/* The master's own row. */
void rows_start(const struct board *b, uint64_t now_us, uint64_t pid);
void rows_state(const struct board *b, enum master_state state);
void rows_in_force(const struct board *b, const struct generation *g, uint64_t now_us);
void rows_reload_asked(const struct board *b);
/* Says why, and counts; the result stays pending until rows_reload_ended(). */
void rows_reload_failed(const struct board *b, const char *why, uint64_t now_us);
void rows_reload_ended(const struct board *b, enum result result, uint64_t now_us);
/* The same for an upgrade in place; why: NULL if it succeeded. */
void rows_upgrade_asked(const struct board *b);
void rows_upgrade_ended(const struct board *b, const char *why, uint64_t now_us);
/* Another program goes on in this process: the row stays, its version is ours. */
void rows_inherit(const struct board *b, enum master_state state, uint64_t now_us);
void rows_reopened(const struct board *b, enum result result);
void rows_rebalanced(const struct board *b, enum result result, uint64_t conns);

#endif
