/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One look at a board: who of its writers lives, and what their rows add up to. Counters add up
 * over all rows, so that totals never go down; gauges only over workers that live, since a dead
 * one's level is nobody's. Rows that were never used are not touched.
 */
#ifndef DROVER_SHM_VIEW_H
#define DROVER_SHM_VIEW_H

#include <stdint.h>

#include "shm/hist.h"
#include "shm/reader.h"

enum {
	VIEW_HUNG_MS = 3000
}; /* writers beat at least once a second */

enum view_life {
	VIEW_NONE, /* the row was never used, or not yet */
	VIEW_ALIVE,
	VIEW_HUNG, /* the process is there, its heartbeat is not */
	VIEW_DEAD, /* the process is not there, though nobody asked it to go */
	VIEW_GONE  /* it went as it was asked to */
};

struct view_worker {
	enum view_life life;
	uint32_t index; /* of its row */
	uint32_t slot;
	uint32_t half; /* which of the slot's rows */
	uint64_t pid;
	uint64_t generation;
	uint64_t started_us, drain_us;
	uint64_t heard_us; /* its last heartbeat, or its start */
	uint64_t conns, requests, conns_high;
	const char *state;
	struct reader_row row;
};

struct view {
	struct reader *reader;
	uint64_t now_us; /* in the board's monotonic time */
	struct reader_row master;
	enum view_life master_life;
	uint64_t master_heard_us;
	struct view_worker *workers; /* in the order of their rows, rows never used included */
	uint32_t workers_count;
};

/* Looks; v is zeroed or a view loaded before. Returns 0, or -1 with errno = ENOMEM. */
int view_load(struct view *v, struct reader *r);
void view_free(struct view *v);

/* True if what the worker's gauges and connections say is so now. */
bool view_lives(const struct view_worker *w);

const char *view_life_name(enum view_life life);
bool view_life_lives(enum view_life life);

/* How long ago a time on the board was; 0 if it lies ahead. */
uint64_t view_age_us(const struct view *v, uint64_t us);

/* A worker field over all workers; 0 for kinds that cannot be added up. */
uint64_t view_sum(const struct view *v, const char *field);
void view_hist(const struct view *v, const struct board_field *f, uint64_t sum[HIST_BUCKETS]);

/*
 * Row i of each worker's share of a grouped table, added up field by field: sums[] has
 * table->fields elements. bytes is room for one row.
 */
void view_group(const struct view *v, const struct board_table *t, uint32_t i, uint64_t *sums,
		char *bytes);

/* The same for a histogram, which is added to sum. */
void view_group_hist(const struct view *v, const struct board_table *t, uint32_t i,
		     const struct board_field *f, uint64_t sum[HIST_BUCKETS], char *bytes);

/* First of the worker's rows in a grouped table, and how many of them it ever used (conns_high). */
uint32_t view_group_first(const struct view_worker *w, const struct board_table *t);
uint32_t view_conns_used(const struct view_worker *w, const struct board_table *conns);

enum {
	VIEW_STATES = 32
};

/* Adds to counts[state] the worker's connections by state; states from VIEW_STATES on are left out.
 */
void view_states(const struct view *v, const struct view_worker *w, uint64_t counts[VIEW_STATES]);

#endif
