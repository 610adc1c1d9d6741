/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See metrics.h. A scope is a set of series with the same fields: one row (the master, or the sum
 * over all workers) or several, told apart by one label (slot, listener, server). A field becomes a
 * family of metrics; fields that say the same of different things (close_<reason>) become one
 * family with a label. All of a family's samples stand together, as both formats demand.
 */
#include "shm/metrics_parts.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "shm/utf8.h"

enum {
	/* Histogram bounds: two for each power of two, from 16 us to 100 s. */
	HIST_FIRST = 12,
	HIST_STEP = 2
};

/* Fields that begin so become one family; the rest of their name is a label. */
struct fold {
	const char *begin;
	const char *name;
	const char *label;
	const char *help;
	const char *of; /* NULL, or: only where the rest is a text of this enum */
};

static const struct fold folds[] = {
    {"close_", "connections_closed", "reason", "Connections that ended, by why", NULL},
    {"expired_", "deadlines_expired", "deadline", "Deadlines that passed, by which", NULL},
    {"refused_", "requests_refused", "reason", "Requests refused as malformed or too large, by why",
     NULL},
    {"responses_", "responses", "class", "Responses sent, by class of their status", NULL},
    {"drained_", "connections_drained", "how", "Connections ended by drains, by how", NULL},
    {"conns_", "connections", "state", "Open client connections, by what they wait for",
     "conn_state"},
};

/* Names that say more, or have their unit where metrics have it. */
static const struct {
	const char *field, *name;
} other_names[] = {
    {"conns", "connections_open"},
    {"conns_max", "connections_max"},
    {"accepts", "connections_accepted"},
    {"bytes_in", "received_bytes"},
    {"bytes_out", "sent_bytes"},
    {"body_bytes_discarded", "request_body_discarded_bytes"},
    {"buffers", "buffer"},
    {"buffers_resident", "buffer_resident"},
    {"fds", "open_fds"},
    {"fds_max", "max_fds"},
    {"latency", "request_duration"},
    {"turns", "loop_turns"},
    {"events", "loop_events"},
    {"turn", "loop_turn_duration"},
    {"lag_us", "loop_lag_us"},
    {"active", "requests_active"},
    {"open", "connections_open"},
    {"idle", "connections_idle"},
    {"connects", "connections_opened"},
};

/* What is told for each slot: the figures by which workers out of balance are seen. */
static const char *const by_slot[] = {"requests", "accepts", "conns", "conns_max", "lag_us"};

/* Text of any bytes as part of a line: escaped, well-formed UTF-8, without control characters. */
static void put_escaped(const struct metrics_writer *w, const char *text, bool quotes)
{
	size_t length = strlen(text), n;

	for (size_t i = 0; i < length; i += n == 0 ? 1 : n) {
		unsigned char c = (unsigned char)text[i];

		n = utf8_length(text + i, length - i);
		if (c == '\n')
			fputs("\\n", w->out);
		else if (n == 0 || (n == 1 && (c < 0x20 || c == 0x7f)))
			fputs("\xef\xbf\xbd", w->out);
		else if (c == '\\' || (c == '"' && quotes))
			fprintf(w->out, "\\%c", c);
		else
			fwrite(text + i, 1, n, w->out);
	}
}

static const char *total(const struct metrics_family *f)
{
	return strcmp(f->type, "counter") == 0 ? "_total" : "";
}

/* In OpenMetrics a family's name lacks the suffix of its samples; the older format knows no infos.
 */
void metrics_head(const struct metrics_writer *w, const struct metrics_family *f, const char *help)
{
	bool info = strcmp(f->type, "info") == 0;
	const char *suffix = w->openmetrics ? "" : info ? "_info" : total(f);
	const char *type = info && !w->openmetrics ? "gauge" : f->type;

	fprintf(w->out, "# HELP %s%s ", f->name, suffix);
	put_escaped(w, help, w->openmetrics);
	fprintf(w->out, "\n# TYPE %s%s %s\n", f->name, suffix, type);
	if (w->openmetrics && f->unit[0] != '\0')
		fprintf(w->out, "# UNIT %s %s\n", f->name, f->unit);
}

/* In the family's unit, exactly. */
static void put_number(const struct metrics_writer *w, uint64_t value, unsigned scale)
{
	int digits = scale == 1000000 ? 6 : 3;

	if (scale == 1)
		fprintf(w->out, "%" PRIu64, value);
	else
		fprintf(w->out, "%" PRIu64 ".%0*" PRIu64, value / scale, digits, value % scale);
}

static void put_labels(const struct metrics_writer *w, const struct metrics_label *labels,
		       unsigned count, const char *bound)
{
	char before = '{';

	for (unsigned i = 0; i < count; i++) {
		if (labels[i].key == NULL)
			continue;
		fprintf(w->out, "%c%s=\"", before, labels[i].key);
		put_escaped(w, labels[i].value, true);
		fputc('"', w->out);
		before = ',';
	}
	if (bound != NULL) {
		fprintf(w->out, "%cle=\"%s\"", before, bound);
		before = ',';
	}
	if (before == ',')
		fputc('}', w->out);
}

void metrics_sample(const struct metrics_writer *w, const struct metrics_family *f,
		    const struct metrics_label *labels, unsigned count, uint64_t value)
{
	fprintf(w->out, "%s%s", f->name, total(f));
	put_labels(w, labels, count, NULL);
	fputc(' ', w->out);
	put_number(w, value, f->scale);
	fputc('\n', w->out);
}

static bool ends_with(const char *text, const char *end)
{
	size_t n = strlen(text), m = strlen(end);

	return n >= m && strcmp(text + n - m, end) == 0;
}

static const char *type_of(const struct board_field *f)
{
	switch (f->kind) {
	case BOARD_COUNTER:
		return "counter";
	case BOARD_HIST:
		return "histogram";
	default:
		return "gauge";
	}
}

void metrics_name(struct metrics_family *out, const char *prefix, const char *name,
		  const struct board_field *f)
{
	bool us = strcmp(f->unit, "us") == 0, ms = strcmp(f->unit, "ms") == 0;
	size_t length;

	for (size_t i = 0; i < METRICS_DIM(other_names); i++)
		if (strcmp(name, other_names[i].field) == 0)
			name = other_names[i].name;
	length = strlen(name);
	if ((us && ends_with(name, "_us")) || (ms && ends_with(name, "_ms")))
		length -= 3;
	out->type = type_of(f);
	out->unit = us || ms ? "seconds" : strcmp(f->unit, "bytes") == 0 ? "bytes" : "";
	out->scale = us ? 1000000 : ms ? 1000 : 1;
	snprintf(out->name, sizeof(out->name), "%s%.*s%s%s%s", prefix, (int)length, name,
		 f->kind == BOARD_TIME ? "_timestamp" : "",
		 out->unit[0] != '\0' && !ends_with(name, out->unit) ? "_" : "",
		 ends_with(name, out->unit) ? "" : out->unit);
}

static const struct fold *fold_of(const struct metrics_writer *w, const struct board_field *f)
{
	uint64_t value;

	for (size_t i = 0; i < METRICS_DIM(folds); i++) {
		size_t n = strlen(folds[i].begin);

		if (strncmp(f->name, folds[i].begin, n) != 0 || f->kind == BOARD_HIST)
			continue;
		if (folds[i].of == NULL ||
		    reader_enum_value(w->v->reader, folds[i].of, f->name + n, &value))
			return &folds[i];
	}
	return NULL;
}

int metrics_scope_init(struct metrics_scope *s, const struct board_table *t, const char *prefix,
		       const char *label, uint32_t rows)
{
	*s = (struct metrics_scope){.prefix = prefix, .t = t, .label = label, .rows = rows};
	s->names = calloc(rows + 1, sizeof(*s->names));
	s->values = calloc((size_t)(rows + 1) * (t->fields + 1), sizeof(*s->values));
	return s->names == NULL || s->values == NULL ? -1 : 0;
}

void metrics_scope_free(struct metrics_scope *s)
{
	free(s->names);
	free(s->owners);
	free(s->values);
}

void metrics_scope_labels(const struct metrics_scope *s, uint32_t row, struct metrics_label out[2])
{
	out[0] = (struct metrics_label){s->of, s->of != NULL ? s->owners[row] : NULL};
	out[1] = (struct metrics_label){s->label, s->names[row]};
}

uint64_t *metrics_scope_row(const struct metrics_scope *s, uint32_t row)
{
	return s->values + (size_t)row * s->t->fields;
}

/* The sum of a histogram's values is a field beside it, and part of its family. */
static bool is_sum(const struct metrics_writer *w, const struct metrics_scope *s,
		   const struct board_field *f)
{
	char name[sizeof(f->name)];
	const struct board_field *hist;

	if (!ends_with(f->name, "_sum"))
		return false;
	snprintf(name, sizeof(name), "%.*s", (int)(strlen(f->name) - 4), f->name);
	hist = reader_field(w->v->reader, s->t, name);
	return hist != NULL && hist->kind == BOARD_HIST;
}

bool metrics_is_plain(const struct metrics_writer *w, const struct metrics_scope *s,
		      const struct board_field *f)
{
	return (f->kind == BOARD_COUNTER || f->kind == BOARD_GAUGE) && !is_sum(w, s, f);
}

static void put_rows(const struct metrics_writer *w, const struct metrics_scope *s,
		     const struct metrics_family *f, uint32_t field,
		     const struct metrics_label *more)
{
	for (uint32_t r = 0; r < s->rows; r++) {
		struct metrics_label labels[3];

		metrics_scope_labels(s, r, labels);
		labels[2] = *more;
		metrics_sample(w, f, labels, 3, metrics_scope_row(s, r)[field]);
	}
}

/* All fields of a fold, from its first one on. */
static void put_fold(const struct metrics_writer *w, const struct metrics_scope *s, uint32_t first,
		     const struct fold *fold)
{
	const struct board_field *f = reader_field_at(w->v->reader, s->t, first);
	struct metrics_family family = {.type = type_of(f), .unit = "", .scale = 1};

	snprintf(family.name, sizeof(family.name), "%s%s", s->prefix, fold->name);
	metrics_head(w, &family, fold->help);
	for (uint32_t k = first; k < s->t->fields; k++) {
		f = reader_field_at(w->v->reader, s->t, k);
		if (fold_of(w, f) == fold)
			put_rows(
			    w, s, &family, k,
			    &(struct metrics_label){fold->label, f->name + strlen(fold->begin)});
	}
}

static bool fold_begins(const struct metrics_writer *w, const struct metrics_scope *s, uint32_t k,
			const struct fold *fold)
{
	for (uint32_t i = 0; i < k; i++)
		if (fold_of(w, reader_field_at(w->v->reader, s->t, i)) == fold)
			return false;
	return true;
}

void metrics_field(const struct metrics_writer *w, const struct metrics_scope *s, uint32_t k)
{
	const struct board_field *f = reader_field_at(w->v->reader, s->t, k);
	const struct fold *fold = fold_of(w, f);
	struct metrics_family family;

	if (fold != NULL) {
		if (fold_begins(w, s, k, fold))
			put_fold(w, s, k, fold);
		return;
	}
	metrics_name(&family, s->prefix, f->name, f);
	metrics_head(w, &family, f->help);
	put_rows(w, s, &family, k, &(struct metrics_label){NULL, NULL});
}

/* "0.000016": microseconds as seconds, without zeros at its end. */
static const char *bound_text(uint64_t us, char out[32])
{
	size_t n = (size_t)snprintf(out, 32, "%" PRIu64 ".%06" PRIu64, us / 1000000, us % 1000000);

	while (out[n - 1] == '0' && out[n - 2] != '.')
		out[--n] = '\0';
	return out;
}

static void put_bucket(const struct metrics_writer *w, const struct metrics_family *f,
		       const struct metrics_label *labels, unsigned count, const char *bound,
		       uint64_t below)
{
	fprintf(w->out, "%s_bucket", f->name);
	put_labels(w, labels, count, bound);
	fprintf(w->out, " %" PRIu64 "\n", below);
}

void metrics_hist(const struct metrics_writer *w, const struct metrics_family *f,
		  const struct metrics_label *labels, unsigned count,
		  const uint64_t buckets[HIST_BUCKETS], unsigned step, bool has_sum, uint64_t sum)
{
	uint64_t below = 0;
	unsigned i = 0;
	char bound[32];

	for (unsigned at = HIST_FIRST; at < HIST_BUCKETS; at += step) {
		while (i < at)
			below += buckets[i++];
		put_bucket(w, f, labels, count, bound_text(hist_bound(at - 1), bound), below);
	}
	while (i < HIST_BUCKETS)
		below += buckets[i++];
	put_bucket(w, f, labels, count, "+Inf", below);
	if (has_sum) {
		fprintf(w->out, "%s_sum", f->name);
		put_labels(w, labels, count, NULL);
		fputc(' ', w->out);
		put_number(w, sum, f->scale);
		fputc('\n', w->out);
	}
	fprintf(w->out, "%s_count", f->name);
	put_labels(w, labels, count, NULL);
	fprintf(w->out, " %" PRIu64 "\n", below);
}

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

void metrics_gauge(const struct metrics_writer *w, struct metrics_family *f, const char *name,
		   const char *unit, const char *help)
{
	*f = (struct metrics_family){
	    .type = "gauge", .unit = unit, .scale = unit[0] != '\0' ? 1000000 : 1};
	snprintf(f->name, sizeof(f->name), "%s", name);
	metrics_head(w, f, help);
}

static void put_build(const struct metrics_writer *w)
{
	const struct metrics_family f = {
	    .name = "drover_build", .type = "info", .unit = "", .scale = 1};
	char version[METRICS_LABEL_BYTES];

	reader_row_text(&w->v->master, "version", version, sizeof(version));
	metrics_head(w, &f, "Version of the master");
	fputs("drover_build_info", w->out);
	put_labels(w, &(struct metrics_label){"version", version}, 1, NULL);
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
