/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Judges the board's writers and adds their rows up, for droverctl's commands. Fields are found by
 * name: one that this board has not got counts as 0.
 */
#include "shm/view.h"

#include <stdlib.h>
#include <string.h>

#include "shm/alive.h"

enum {
	BLOCK_ROWS = 64
};

const char *view_life_name(enum view_life life)
{
	static const char *const names[] = {
	    [VIEW_NONE] = "none", [VIEW_ALIVE] = "alive", [VIEW_HUNG] = "hung",
	    [VIEW_DEAD] = "dead", [VIEW_GONE] = "gone",
	};

	return names[life];
}

bool view_lives(const struct view_worker *w)
{
	return view_life_lives(w->life);
}

bool view_life_lives(enum view_life life)
{
	return life == VIEW_ALIVE || life == VIEW_HUNG;
}

uint64_t view_age_us(const struct view *v, uint64_t us)
{
	return us < v->now_us ? v->now_us - us : 0;
}

/* What the process list says of a writer that did not say goodbye. */
static enum view_life process_life(const struct view *v, uint64_t pid, uint64_t heard_us)
{
	if (!reader_same_boot(v->reader) || !alive_check(pid, heard_us))
		return VIEW_DEAD;
	if (view_age_us(v, heard_us) > VIEW_HUNG_MS * 1000)
		return VIEW_HUNG;
	return VIEW_ALIVE;
}

static uint64_t later(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static void judge_master(struct view *v)
{
	uint64_t pid = reader_row_u64(&v->master, "pid");

	v->master_heard_us = later(reader_row_u64(&v->master, "beat_us"),
				   reader_row_u64(&v->master, "started_us"));
	v->master_life = VIEW_NONE;
	if (pid == 0)
		return;
	v->master_life = process_life(v, pid, v->master_heard_us);
	if (v->master_life == VIEW_DEAD &&
	    strcmp(reader_row_enum(&v->master, "state"), "stopped") == 0)
		v->master_life = VIEW_GONE;
}

static void judge_worker(const struct view *v, struct view_worker *w)
{
	w->state = reader_row_enum(&w->row, "state");
	w->slot = (uint32_t)reader_row_u64(&w->row, "slot");
	w->half = w->index % BOARD_HALVES;
	w->pid = reader_row_u64(&w->row, "pid");
	w->generation = reader_row_u64(&w->row, "generation");
	w->started_us = reader_row_u64(&w->row, "started_us");
	w->drain_us = reader_row_u64(&w->row, "drain_us");
	w->heard_us = later(reader_row_u64(&w->row, "beat_us"), w->started_us);
	w->conns = reader_row_u64(&w->row, "conns");
	w->requests = reader_row_u64(&w->row, "requests");
	w->conns_high = reader_row_u64(&w->row, "conns_high");
	if (strcmp(w->state, "empty") == 0 || w->row.status == READER_LOST)
		w->life = VIEW_NONE;
	else if (strcmp(w->state, "gone") == 0)
		w->life = VIEW_GONE;
	else if (strcmp(w->state, "dead") == 0)
		w->life = VIEW_DEAD;
	else
		w->life = process_life(v, w->pid, w->heard_us);
}

/* Room for n workers; rows that were there keep theirs. */
static int make_room(struct view *v, uint32_t n)
{
	struct view_worker *more;

	if (n <= v->workers_count)
		return 0;
	more = reallocarray(v->workers, n, sizeof(*more));
	if (more == NULL)
		return -1;
	memset(more + v->workers_count, 0, (n - v->workers_count) * sizeof(*more));
	v->workers = more;
	v->workers_count = n;
	return 0;
}

static int load_worker(struct view *v, const struct board_table *t, struct view_worker *w)
{
	if (reader_copy(v->reader, t, w->index, &w->row) < 0)
		return -1;
	judge_worker(v, w);
	return 0;
}

int view_load(struct view *v, struct reader *r)
{
	const struct board_table *master = reader_table(r, "master");
	const struct board_table *workers = reader_table(r, "worker");

	if (v->reader != r)
		view_free(v);
	v->reader = r;
	if (master != NULL && reader_copy(r, master, 0, &v->master) < 0)
		return -1;
	if (workers != NULL && make_room(v, workers->rows) != 0)
		return -1;
	v->now_us = reader_now_us(r);
	judge_master(v);
	for (uint32_t i = 0; workers != NULL && i < workers->rows; i++) {
		v->workers[i].index = i;
		if (load_worker(v, workers, &v->workers[i]) != 0)
			return -1;
	}
	return 0;
}

void view_free(struct view *v)
{
	for (uint32_t i = 0; i < v->workers_count; i++)
		reader_row_free(&v->workers[i].row);
	free(v->workers);
	reader_row_free(&v->master);
	memset(v, 0, sizeof(*v));
}

/* Whether the row's word of this kind belongs into a total. */
static bool counts(const struct view_worker *w, const struct board_field *f)
{
	if (w->life == VIEW_NONE)
		return false;
	if (f->kind == BOARD_GAUGE)
		return view_lives(w);
	return f->kind == BOARD_COUNTER || f->kind == BOARD_HIST;
}

uint64_t view_sum(const struct view *v, const char *field)
{
	const struct board_table *t = reader_table(v->reader, "worker");
	const struct board_field *f = reader_field(v->reader, t, field);
	uint64_t sum = 0;

	for (uint32_t i = 0; f != NULL && f->kind != BOARD_HIST && i < v->workers_count; i++)
		if (counts(&v->workers[i], f))
			sum += reader_u64(v->workers[i].row.bytes, f);
	return sum;
}

void view_hist(const struct view *v, const struct board_field *f, uint64_t sum[HIST_BUCKETS])
{
	for (uint32_t i = 0; f != NULL && i < v->workers_count; i++)
		if (counts(&v->workers[i], f))
			reader_hist(v->workers[i].row.bytes, f, sum);
}

void view_group(const struct view *v, const struct board_table *t, uint32_t i, uint64_t *sums,
		char *bytes)
{
	memset(sums, 0, t->fields * sizeof(*sums));
	if (i >= t->group_rows)
		return;
	for (uint32_t n = 0; n < v->workers_count; n++) {
		const struct view_worker *w = &v->workers[n];

		if (w->life == VIEW_NONE ||
		    reader_block(v->reader, t, view_group_first(w, t) + i, 1, bytes) != 0)
			continue;
		for (uint32_t k = 0; k < t->fields; k++) {
			const struct board_field *f = reader_field_at(v->reader, t, k);

			if (counts(w, f) && f->kind != BOARD_HIST)
				sums[k] += reader_u64(bytes, f);
		}
	}
}

void view_group_hist(const struct view *v, const struct board_table *t, uint32_t i,
		     const struct board_field *f, uint64_t sum[HIST_BUCKETS], char *bytes)
{
	for (uint32_t n = 0; i < t->group_rows && n < v->workers_count; n++) {
		const struct view_worker *w = &v->workers[n];

		if (w->life != VIEW_NONE &&
		    reader_block(v->reader, t, view_group_first(w, t) + i, 1, bytes) == 0)
			reader_hist(bytes, f, sum);
	}
}

/* A table too small for all workers has no row there: the answer is then beyond any real table. */
uint32_t view_group_first(const struct view_worker *w, const struct board_table *t)
{
	uint64_t first = (uint64_t)w->index * t->group_rows;

	return first < t->rows && t->rows - first >= t->group_rows ? (uint32_t)first
								   : UINT32_MAX / 2;
}

uint32_t view_conns_used(const struct view_worker *w, const struct board_table *conns)
{
	if (w->life == VIEW_NONE || conns == NULL || view_group_first(w, conns) >= conns->rows)
		return 0;
	return w->conns_high < conns->group_rows ? (uint32_t)w->conns_high : conns->group_rows;
}

void view_states(const struct view *v, const struct view_worker *w,
		 uint64_t counts_out[VIEW_STATES])
{
	const struct board_table *t = reader_table(v->reader, "conn");
	const struct board_field *state = reader_field(v->reader, t, "state");
	uint32_t used = view_conns_used(w, t), n;
	char *block;

	if (used == 0 || state == NULL || (block = malloc((size_t)BLOCK_ROWS * t->stride)) == NULL)
		return;
	for (uint32_t i = 0; i < used; i += n) {
		n = used - i < BLOCK_ROWS ? used - i : BLOCK_ROWS;
		reader_block(v->reader, t, view_group_first(w, t) + i, n, block);
		for (uint32_t k = 0; k < n; k++) {
			uint64_t s = reader_u64(block + (size_t)k * t->stride, state);

			if (s < VIEW_STATES)
				counts_out[s]++;
		}
	}
	free(block);
}
