/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See metrics.h. What there is once (the master), and what there is by worker: the sum over all of
 * them, and for each slot the figures by which workers out of balance are seen.
 */
#include "shm/metrics_parts.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
	HIST_STEP = 2 /* of histogram bounds: two for each power of two */
};

/* What is told for each slot: the figures by which workers out of balance are seen. */
static const char *const by_slot[] = {"requests", "accepts", "conns", "conns_max", "lag_us"};

static void put_hist(const struct metrics_writer *w, const struct board_table *t,
		     const struct board_field *f)
{
	uint64_t buckets[HIST_BUCKETS] = {0};
	struct metrics_family family;
	char name[sizeof(f->name) + 8];

	view_hist(w->v, f, buckets);
	metrics_name(&family, "drover_", f->name, f);
	metrics_head(w, &family, f->help);
	snprintf(name, sizeof(name), "%s_sum", f->name);
	metrics_hist(w, &family, NULL, 0, buckets, HIST_STEP,
		     reader_field(w->v->reader, t, name) != NULL, view_sum(w->v, name));
}

static void put_build(const struct metrics_writer *w)
{
	const struct metrics_family f = {
	    .name = "drover_build", .type = "info", .unit = "", .scale = 1};
	char version[METRICS_LABEL_BYTES];

	reader_row_text(&w->v->master, "version", version, sizeof(version));
	metrics_head(w, &f, "Version of the master");
	fputs("drover_build_info", w->out);
	metrics_labels(w, &(struct metrics_label){"version", version}, 1, NULL);
	fputs(" 1\n", w->out);
}

static void put_master_life(const struct metrics_writer *w)
{
	struct metrics_family f;

	metrics_gauge(w, &f, "drover_master_up", "",
		      "1 while the master lives and has a heartbeat; workers serve on without it");
	metrics_sample(w, &f, NULL, 0, w->v->master_life == VIEW_ALIVE);
	metrics_gauge(w, &f, "drover_master_heartbeat_age_seconds", "seconds",
		      "Time since the master's last heartbeat");
	metrics_sample(w, &f, NULL, 0, view_age_us(w->v, w->v->master_heard_us));
}

/* Each text of the enum is a series: 1 for the one that holds, 0 for the others. */
static void put_enum(const struct metrics_writer *w, const char *prefix,
		     const struct reader_row *row, const struct board_field *field)
{
	const struct reader *r = w->v->reader;
	const char *key = strrchr(field->name, '_');
	uint64_t now = reader_u64(row->bytes, field);
	struct metrics_family f = {.type = "gauge", .unit = "", .scale = 1};
	const char *text;

	snprintf(f.name, sizeof(f.name), "%s%s", prefix, field->name);
	metrics_head(w, &f, field->help);
	for (uint64_t value = 0; strcmp(text = reader_enum_text(r, field->unit, value), "?") != 0;
	     value++)
		metrics_sample(w, &f,
			       &(struct metrics_label){key != NULL ? key + 1 : field->name, text},
			       1, value == now);
}

static void put_time(const struct metrics_writer *w, const char *prefix,
		     const struct board_field *field, uint64_t us)
{
	struct metrics_family f;

	metrics_name(&f, prefix, field->name, field);
	f.scale = 1000;
	metrics_head(w, &f, field->help);
	metrics_sample(w, &f, NULL, 0, reader_unix_ms(w->v->reader, us));
}

static int put_master(const struct metrics_writer *w)
{
	const struct board_table *t = w->v->master.table;
	struct metrics_scope s;

	put_build(w);
	put_master_life(w);
	if (t == NULL)
		return 0;
	if (metrics_scope_init(&s, t, "drover_master_", NULL, 1) != 0) {
		metrics_scope_free(&s);
		return -1;
	}
	for (uint32_t k = 0; k < t->fields; k++) {
		const struct board_field *f = reader_field_at(w->v->reader, t, k);
		uint64_t value = reader_u64(w->v->master.bytes, f);

		s.values[k] = value;
		if (metrics_is_plain(w, &s, f) || strcmp(f->name, "generation") == 0)
			metrics_field(w, &s, k);
		else if (f->kind == BOARD_ENUM)
			put_enum(w, s.prefix, &w->v->master, f);
		else if (f->kind == BOARD_TIME && strcmp(f->name, "beat_us") != 0)
			put_time(w, s.prefix, f, value);
	}
	metrics_scope_free(&s);
	return 0;
}

/* The rows of a slot stand side by side. */
static uint32_t slots(const struct view *v)
{
	return v->workers_count / BOARD_HALVES;
}

/* The slot's worker of whom there is most to say: one that lives, the youngest. NULL: the slot was
 * never used, or its worker left as it was asked to. */
static const struct view_worker *slot_worker(const struct view *v, uint32_t slot)
{
	const struct view_worker *best = NULL;

	for (uint32_t i = slot * BOARD_HALVES; i < (slot + 1) * BOARD_HALVES; i++) {
		const struct view_worker *k = &v->workers[i];

		if (k->life == VIEW_NONE || k->life == VIEW_GONE)
			continue;
		if (best == NULL || view_lives(k) > view_lives(best) ||
		    (view_lives(k) == view_lives(best) && k->started_us > best->started_us))
			best = k;
	}
	return best;
}

static bool slot_was_used(const struct view *v, uint32_t slot)
{
	for (uint32_t i = slot * BOARD_HALVES; i < (slot + 1) * BOARD_HALVES; i++)
		if (v->workers[i].life != VIEW_NONE)
			return true;
	return false;
}

static void put_worker_counts(const struct metrics_writer *w)
{
	static const char *const states[] = {"starting", "ready", "draining", "hung", "dead"};
	uint64_t counts[METRICS_DIM(states)] = {0};
	struct metrics_family f;

	for (uint32_t i = 0; i < w->v->workers_count; i++) {
		const struct view_worker *k = &w->v->workers[i];
		const char *state = k->life == VIEW_HUNG   ? "hung"
				    : k->life == VIEW_DEAD ? "dead"
							   : k->state;

		/* A dead worker whose slot another one fills is history. */
		if (!view_lives(k) &&
		    (k->life != VIEW_DEAD || slot_worker(w->v, i / BOARD_HALVES) != k))
			continue;
		for (size_t s = 0; s < METRICS_DIM(states); s++)
			counts[s] += strcmp(state, states[s]) == 0;
	}
	metrics_gauge(w, &f, "drover_workers", "", "Worker processes, by what they are doing");
	for (size_t s = 0; s < METRICS_DIM(states); s++)
		metrics_sample(w, &f, &(struct metrics_label){"state", states[s]}, 1, counts[s]);
}

/* One figure of each slot that has, or should have, a worker. */
static void put_slots(const struct metrics_writer *w, const struct metrics_family *f,
		      uint64_t (*figure)(const struct metrics_writer *, const struct view_worker *))
{
	for (uint32_t i = 0; i < slots(w->v); i++) {
		const struct view_worker *k = slot_worker(w->v, i);
		char slot[16];

		if (k == NULL)
			continue;
		snprintf(slot, sizeof(slot), "%u", i);
		metrics_sample(w, f, &(struct metrics_label){"slot", slot}, 1, figure(w, k));
	}
}

static uint64_t is_up(const struct metrics_writer *w, const struct view_worker *k)
{
	(void)w;
	return k->life == VIEW_ALIVE;
}

static uint64_t beat_age(const struct metrics_writer *w, const struct view_worker *k)
{
	return view_age_us(w->v, k->heard_us);
}

static uint64_t started_ms(const struct metrics_writer *w, const struct view_worker *k)
{
	return reader_unix_ms(w->v->reader, k->started_us);
}

static void put_worker_life(const struct metrics_writer *w)
{
	struct metrics_family f;

	put_worker_counts(w);
	metrics_gauge(w, &f, "drover_worker_up", "",
		      "1 while the slot has a worker that lives and has a heartbeat");
	put_slots(w, &f, is_up);
	metrics_gauge(w, &f, "drover_worker_heartbeat_age_seconds", "seconds",
		      "Time since the last turn of the event loop of the slot's worker began");
	put_slots(w, &f, beat_age);
	metrics_gauge(w, &f, "drover_worker_started_timestamp_seconds", "seconds",
		      "When the slot's worker started");
	f.scale = 1000;
	put_slots(w, &f, started_ms);
}

static bool is_by_slot(const struct board_field *f)
{
	for (size_t i = 0; i < METRICS_DIM(by_slot); i++)
		if (strcmp(f->name, by_slot[i]) == 0)
			return true;
	return false;
}

/* What both rows of a slot come to. */
static uint64_t slot_sum(const struct view *v, uint32_t slot, const struct board_field *f)
{
	uint64_t sum = 0;

	for (uint32_t i = slot * BOARD_HALVES; i < (slot + 1) * BOARD_HALVES; i++)
		if (v->workers[i].life != VIEW_NONE &&
		    (f->kind == BOARD_COUNTER || view_lives(&v->workers[i])))
			sum += reader_u64(v->workers[i].row.bytes, f);
	return sum;
}

static int put_by_slot(const struct metrics_writer *w, const struct board_table *t)
{
	struct metrics_scope s;

	if (metrics_scope_init(&s, t, "drover_worker_", "slot", slots(w->v)) != 0) {
		metrics_scope_free(&s);
		return -1;
	}
	s.rows = 0;
	for (uint32_t i = 0; i < slots(w->v); i++) {
		if (!slot_was_used(w->v, i))
			continue;
		snprintf(s.names[s.rows], METRICS_LABEL_BYTES, "%u", i);
		for (uint32_t k = 0; k < t->fields; k++) {
			const struct board_field *f = reader_field_at(w->v->reader, t, k);

			if (is_by_slot(f))
				metrics_scope_row(&s, s.rows)[k] = slot_sum(w->v, i, f);
		}
		s.rows++;
	}
	for (uint32_t k = 0; k < t->fields; k++)
		if (is_by_slot(reader_field_at(w->v->reader, t, k)))
			metrics_field(w, &s, k);
	metrics_scope_free(&s);
	return 0;
}

static int put_workers(const struct metrics_writer *w)
{
	const struct board_table *t = reader_table(w->v->reader, "worker");
	struct metrics_scope s;

	put_worker_life(w);
	if (t == NULL)
		return 0;
	if (metrics_scope_init(&s, t, "drover_", NULL, 1) != 0) {
		metrics_scope_free(&s);
		return -1;
	}
	for (uint32_t k = 0; k < t->fields; k++) {
		const struct board_field *f = reader_field_at(w->v->reader, t, k);

		if (metrics_is_plain(w, &s, f))
			s.values[k] = view_sum(w->v, f->name);
	}
	for (uint32_t k = 0; k < t->fields; k++) {
		const struct board_field *f = reader_field_at(w->v->reader, t, k);

		/* A level of the loops is no sum. */
		if (metrics_is_plain(w, &s, f) && strcmp(f->name, "lag_us") != 0)
			metrics_field(w, &s, k);
		else if (f->kind == BOARD_HIST)
			put_hist(w, t, f);
	}
	metrics_scope_free(&s);
	return put_by_slot(w, t);
}

const char *metrics_type(enum metrics_format format)
{
	return format == METRICS_OPENMETRICS
		   ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
		   : "text/plain; version=0.0.4; charset=utf-8";
}

int metrics_write(const struct view *v, enum metrics_format format, FILE *out)
{
	const struct metrics_writer w = {
	    .out = out, .openmetrics = format == METRICS_OPENMETRICS, .v = v};

	if (put_master(&w) != 0 || put_workers(&w) != 0)
		return -1;
	if (metrics_named(&w) != 0)
		return -1;
	if (w.openmetrics)
		fputs("# EOF\n", out);
	return ferror(out) ? -1 : 0;
}
