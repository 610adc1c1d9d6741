/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See metrics.h. A scope is a set of series with the same fields: one row (the master, or the sum
 * over all workers) or several, told apart by one label (slot, listener, server). A field becomes a
 * family of metrics; fields that say the same of different things (close_<reason>) become one
 * family with a label. All of a family's samples stand together, as both formats demand.
 */
#include "shm/metrics.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "shm/utf8.h"

#define DIM(a) (sizeof(a) / sizeof((a)[0]))

enum {
	NAME_BYTES = 120,
	LABEL_BYTES = 128,
	/* Histogram bounds: two for each power of two, from 16 us to 100 s. */
	HIST_FIRST = 12,
	HIST_STEP = 2
};

struct writer {
	FILE *out;
	bool openmetrics;
	const struct view *v;
};

struct label {
	const char *key;
	const char *value;
};

/* A family of metrics: a name without the suffix of its type, what it is measured in, and how many
 * units of the board make one of that. */
struct family {
	char name[NAME_BYTES];
	const char *type;
	const char *unit; /* "" for a plain number */
	unsigned scale;
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
};

/* What is told for each slot: the figures by which workers out of balance are seen. */
static const char *const by_slot[] = {"requests", "accepts", "conns", "conns_max", "lag_us"};

static const struct {
	const char *table;   /* rows with a name */
	const char *text;    /* the field that names them, and the label's value */
	const char *traffic; /* what workers counted for each of them */
} named_tables[] = {
    {"listener", "address", "listener_traffic"},
    {"server", "name", "server_traffic"},
};

/* Text of any bytes as part of a line: escaped, well-formed UTF-8, without control characters. */
static void put_escaped(const struct writer *w, const char *text, bool quotes)
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

static const char *total(const struct family *f)
{
	return strcmp(f->type, "counter") == 0 ? "_total" : "";
}

/* In OpenMetrics a family's name lacks the suffix of its samples; the older format knows no infos.
 */
static void put_head(const struct writer *w, const struct family *f, const char *help)
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
static void put_number(const struct writer *w, uint64_t value, unsigned scale)
{
	int digits = scale == 1000000 ? 6 : 3;

	if (scale == 1)
		fprintf(w->out, "%" PRIu64, value);
	else
		fprintf(w->out, "%" PRIu64 ".%0*" PRIu64, value / scale, digits, value % scale);
}

static void put_labels(const struct writer *w, const struct label *labels, unsigned count)
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
	if (before == ',')
		fputc('}', w->out);
}

/* Labels with a NULL key are left out. */
static void put_sample(const struct writer *w, const struct family *f, const struct label *labels,
		       unsigned count, uint64_t value)
{
	fprintf(w->out, "%s%s", f->name, total(f));
	put_labels(w, labels, count);
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

/* A family's name: prefix, the field's name in the words of metrics, and the unit at its end. */
static void name_family(struct family *out, const char *prefix, const char *name,
			const struct board_field *f)
{
	bool us = strcmp(f->unit, "us") == 0, ms = strcmp(f->unit, "ms") == 0;
	size_t length;

	for (size_t i = 0; i < DIM(other_names); i++)
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

static const struct fold *fold_of(const struct writer *w, const struct board_field *f)
{
	uint64_t value;

	for (size_t i = 0; i < DIM(folds); i++) {
		size_t n = strlen(folds[i].begin);

		if (strncmp(f->name, folds[i].begin, n) != 0 || f->kind == BOARD_HIST)
			continue;
		if (folds[i].of == NULL ||
		    reader_enum_value(w->v->reader, folds[i].of, f->name + n, &value))
			return &folds[i];
	}
	return NULL;
}

/* Series with the same fields. */
struct scope {
	const char *prefix;
	const struct board_table *t;
	const char *label; /* NULL: one row without */
	uint32_t rows;
	char (*names)[LABEL_BYTES]; /* of the rows */
	uint64_t *values;           /* row by row: t->fields of each */
};

static int scope_init(struct scope *s, const struct board_table *t, const char *prefix,
		      const char *label, uint32_t rows)
{
	*s = (struct scope){.prefix = prefix, .t = t, .label = label, .rows = rows};
	s->names = calloc(rows + 1, sizeof(*s->names));
	s->values = calloc((size_t)(rows + 1) * (t->fields + 1), sizeof(*s->values));
	return s->names == NULL || s->values == NULL ? -1 : 0;
}

static void scope_free(struct scope *s)
{
	free(s->names);
	free(s->values);
}

static uint64_t *scope_row(const struct scope *s, uint32_t row)
{
	return s->values + (size_t)row * s->t->fields;
}

/* The sum of a histogram's values is a field beside it, and part of its family. */
static bool is_sum(const struct writer *w, const struct scope *s, const struct board_field *f)
{
	char name[sizeof(f->name)];
	const struct board_field *hist;

	if (!ends_with(f->name, "_sum"))
		return false;
	snprintf(name, sizeof(name), "%.*s", (int)(strlen(f->name) - 4), f->name);
	hist = reader_field(w->v->reader, s->t, name);
	return hist != NULL && hist->kind == BOARD_HIST;
}

static bool is_plain(const struct writer *w, const struct scope *s, const struct board_field *f)
{
	return (f->kind == BOARD_COUNTER || f->kind == BOARD_GAUGE) && !is_sum(w, s, f);
}

static void put_rows(const struct writer *w, const struct scope *s, const struct family *f,
		     uint32_t field, const struct label *more)
{
	for (uint32_t r = 0; r < s->rows; r++) {
		const struct label labels[] = {{s->label, s->names[r]}, *more};

		put_sample(w, f, labels, 2, scope_row(s, r)[field]);
	}
}

/* All fields of a fold, from its first one on. */
static void put_fold(const struct writer *w, const struct scope *s, uint32_t first,
		     const struct fold *fold)
{
	const struct board_field *f = reader_field_at(w->v->reader, s->t, first);
	struct family family = {.type = type_of(f), .unit = "", .scale = 1};

	snprintf(family.name, sizeof(family.name), "%s%s", s->prefix, fold->name);
	put_head(w, &family, fold->help);
	for (uint32_t k = first; k < s->t->fields; k++) {
		f = reader_field_at(w->v->reader, s->t, k);
		if (fold_of(w, f) == fold)
			put_rows(w, s, &family, k,
				 &(struct label){fold->label, f->name + strlen(fold->begin)});
	}
}

static bool fold_begins(const struct writer *w, const struct scope *s, uint32_t k,
			const struct fold *fold)
{
	for (uint32_t i = 0; i < k; i++)
		if (fold_of(w, reader_field_at(w->v->reader, s->t, i)) == fold)
			return false;
	return true;
}

static void put_field(const struct writer *w, const struct scope *s, uint32_t k)
{
	const struct board_field *f = reader_field_at(w->v->reader, s->t, k);
	const struct fold *fold = fold_of(w, f);
	struct family family;

	if (fold != NULL) {
		if (fold_begins(w, s, k, fold))
			put_fold(w, s, k, fold);
		return;
	}
	name_family(&family, s->prefix, f->name, f);
	put_head(w, &family, f->help);
	put_rows(w, s, &family, k, &(struct label){NULL, NULL});
}

/* "0.000016": microseconds as seconds, without zeros at its end. */
static const char *bound_text(uint64_t us, char out[32])
{
	size_t n = (size_t)snprintf(out, 32, "%" PRIu64 ".%06" PRIu64, us / 1000000, us % 1000000);

	while (out[n - 1] == '0' && out[n - 2] != '.')
		out[--n] = '\0';
	return out;
}

static void put_hist(const struct writer *w, const struct board_table *t,
		     const struct board_field *f)
{
	uint64_t buckets[HIST_BUCKETS] = {0}, below = 0;
	char name[sizeof(f->name) + 8], bound[32];
	struct family family;
	unsigned i = 0;

	view_hist(w->v, f, buckets);
	name_family(&family, "drover_", f->name, f);
	put_head(w, &family, f->help);
	for (unsigned at = HIST_FIRST; at < HIST_BUCKETS; at += HIST_STEP) {
		while (i < at)
			below += buckets[i++];
		fprintf(w->out, "%s_bucket{le=\"%s\"} %" PRIu64 "\n", family.name,
			bound_text(hist_bound(at - 1), bound), below);
	}
	while (i < HIST_BUCKETS)
		below += buckets[i++];
	fprintf(w->out, "%s_bucket{le=\"+Inf\"} %" PRIu64 "\n", family.name, below);
	snprintf(name, sizeof(name), "%s_sum", f->name);
	if (reader_field(w->v->reader, t, name) != NULL) {
		fprintf(w->out, "%s_sum ", family.name);
		put_number(w, view_sum(w->v, name), family.scale);
		fputc('\n', w->out);
	}
	fprintf(w->out, "%s_count %" PRIu64 "\n", family.name, below);
}

/* Families that no single field makes. */
static void put_gauge_head(const struct writer *w, struct family *f, const char *name,
			   const char *unit, const char *help)
{
	*f = (struct family){.type = "gauge", .unit = unit, .scale = unit[0] != '\0' ? 1000000 : 1};
	snprintf(f->name, sizeof(f->name), "%s", name);
	put_head(w, f, help);
}

static void put_build(const struct writer *w)
{
	const struct family f = {.name = "drover_build", .type = "info", .unit = "", .scale = 1};
	char version[LABEL_BYTES];

	reader_row_text(&w->v->master, "version", version, sizeof(version));
	put_head(w, &f, "Version of the master");
	fputs("drover_build_info", w->out);
	put_labels(w, &(struct label){"version", version}, 1);
	fputs(" 1\n", w->out);
}

static void put_master_life(const struct writer *w)
{
	struct family f;

	put_gauge_head(w, &f, "drover_master_up", "",
		       "1 while the master lives and has a heartbeat; workers serve on without it");
	put_sample(w, &f, NULL, 0, w->v->master_life == VIEW_ALIVE);
	put_gauge_head(w, &f, "drover_master_heartbeat_age_seconds", "seconds",
		       "Time since the master's last heartbeat");
	put_sample(w, &f, NULL, 0, view_age_us(w->v, w->v->master_heard_us));
}

/* Each text of the enum is a series: 1 for the one that holds, 0 for the others. */
static void put_enum(const struct writer *w, const char *prefix, const struct reader_row *row,
		     const struct board_field *field)
{
	const struct reader *r = w->v->reader;
	const char *key = strrchr(field->name, '_');
	uint64_t now = reader_u64(row->bytes, field);
	struct family f = {.type = "gauge", .unit = "", .scale = 1};
	const char *text;

	snprintf(f.name, sizeof(f.name), "%s%s", prefix, field->name);
	put_head(w, &f, field->help);
	for (uint64_t value = 0; strcmp(text = reader_enum_text(r, field->unit, value), "?") != 0;
	     value++)
		put_sample(w, &f, &(struct label){key != NULL ? key + 1 : field->name, text}, 1,
			   value == now);
}

static void put_time(const struct writer *w, const char *prefix, const struct board_field *field,
		     uint64_t us)
{
	struct family f;

	name_family(&f, prefix, field->name, field);
	f.scale = 1000;
	put_head(w, &f, field->help);
	put_sample(w, &f, NULL, 0, reader_unix_ms(w->v->reader, us));
}

static int put_master(const struct writer *w)
{
	const struct board_table *t = w->v->master.table;
	struct scope s;

	put_build(w);
	put_master_life(w);
	if (t == NULL)
		return 0;
	if (scope_init(&s, t, "drover_master_", NULL, 1) != 0) {
		scope_free(&s);
		return -1;
	}
	for (uint32_t k = 0; k < t->fields; k++) {
		const struct board_field *f = reader_field_at(w->v->reader, t, k);
		uint64_t value = reader_u64(w->v->master.bytes, f);

		s.values[k] = value;
		if (is_plain(w, &s, f) || strcmp(f->name, "generation") == 0)
			put_field(w, &s, k);
		else if (f->kind == BOARD_ENUM)
			put_enum(w, s.prefix, &w->v->master, f);
		else if (f->kind == BOARD_TIME && strcmp(f->name, "beat_us") != 0)
			put_time(w, s.prefix, f, value);
	}
	scope_free(&s);
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

static void put_worker_counts(const struct writer *w)
{
	static const char *const states[] = {"starting", "ready", "draining", "hung", "dead"};
	uint64_t counts[DIM(states)] = {0};
	struct family f;

	for (uint32_t i = 0; i < w->v->workers_count; i++) {
		const struct view_worker *k = &w->v->workers[i];
		const char *state = k->life == VIEW_HUNG   ? "hung"
				    : k->life == VIEW_DEAD ? "dead"
							   : k->state;

		/* A dead worker whose slot another one fills is history. */
		if (!view_lives(k) &&
		    (k->life != VIEW_DEAD || slot_worker(w->v, i / BOARD_HALVES) != k))
			continue;
		for (size_t s = 0; s < DIM(states); s++)
			counts[s] += strcmp(state, states[s]) == 0;
	}
	put_gauge_head(w, &f, "drover_workers", "", "Worker processes, by what they are doing");
	for (size_t s = 0; s < DIM(states); s++)
		put_sample(w, &f, &(struct label){"state", states[s]}, 1, counts[s]);
}

/* One figure of each slot that has, or should have, a worker. */
static void put_slots(const struct writer *w, const struct family *f,
		      uint64_t (*figure)(const struct writer *, const struct view_worker *))
{
	for (uint32_t i = 0; i < slots(w->v); i++) {
		const struct view_worker *k = slot_worker(w->v, i);
		char slot[16];

		if (k == NULL)
			continue;
		snprintf(slot, sizeof(slot), "%u", i);
		put_sample(w, f, &(struct label){"slot", slot}, 1, figure(w, k));
	}
}

static uint64_t is_up(const struct writer *w, const struct view_worker *k)
{
	(void)w;
	return k->life == VIEW_ALIVE;
}

static uint64_t beat_age(const struct writer *w, const struct view_worker *k)
{
	return view_age_us(w->v, k->heard_us);
}

static uint64_t started_ms(const struct writer *w, const struct view_worker *k)
{
	return reader_unix_ms(w->v->reader, k->started_us);
}

static void put_worker_life(const struct writer *w)
{
	struct family f;

	put_worker_counts(w);
	put_gauge_head(w, &f, "drover_worker_up", "",
		       "1 while the slot has a worker that lives and has a heartbeat");
	put_slots(w, &f, is_up);
	put_gauge_head(w, &f, "drover_worker_heartbeat_age_seconds", "seconds",
		       "Time since the last turn of the event loop of the slot's worker began");
	put_slots(w, &f, beat_age);
	put_gauge_head(w, &f, "drover_worker_started_timestamp_seconds", "seconds",
		       "When the slot's worker started");
	f.scale = 1000;
	put_slots(w, &f, started_ms);
}

static bool is_by_slot(const struct board_field *f)
{
	for (size_t i = 0; i < DIM(by_slot); i++)
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

static int put_by_slot(const struct writer *w, const struct board_table *t)
{
	struct scope s;

	if (scope_init(&s, t, "drover_worker_", "slot", slots(w->v)) != 0) {
		scope_free(&s);
		return -1;
	}
	s.rows = 0;
	for (uint32_t i = 0; i < slots(w->v); i++) {
		if (!slot_was_used(w->v, i))
			continue;
		snprintf(s.names[s.rows], LABEL_BYTES, "%u", i);
		for (uint32_t k = 0; k < t->fields; k++) {
			const struct board_field *f = reader_field_at(w->v->reader, t, k);

			if (is_by_slot(f))
				scope_row(&s, s.rows)[k] = slot_sum(w->v, i, f);
		}
		s.rows++;
	}
	for (uint32_t k = 0; k < t->fields; k++)
		if (is_by_slot(reader_field_at(w->v->reader, t, k)))
			put_field(w, &s, k);
	scope_free(&s);
	return 0;
}

static int put_workers(const struct writer *w)
{
	const struct board_table *t = reader_table(w->v->reader, "worker");
	struct scope s;

	put_worker_life(w);
	if (t == NULL)
		return 0;
	if (scope_init(&s, t, "drover_", NULL, 1) != 0) {
		scope_free(&s);
		return -1;
	}
	for (uint32_t k = 0; k < t->fields; k++) {
		const struct board_field *f = reader_field_at(w->v->reader, t, k);

		if (is_plain(w, &s, f))
			s.values[k] = view_sum(w->v, f->name);
	}
	for (uint32_t k = 0; k < t->fields; k++) {
		const struct board_field *f = reader_field_at(w->v->reader, t, k);

		/* A level of the loops is no sum. */
		if (is_plain(w, &s, f) && strcmp(f->name, "lag_us") != 0)
			put_field(w, &s, k);
		else if (f->kind == BOARD_HIST)
			put_hist(w, t, f);
	}
	scope_free(&s);
	return put_by_slot(w, t);
}

/* The rows of a table that are in use, for two scopes: what stands in them, and what workers
 * counted for them. Rows beyond METRICS_ROWS are added up in one. */
struct named {
	struct scope own, traffic;
	struct reader_row row;
	uint64_t *sums; /* of one row */
	char *bytes;    /* room for a row of the traffic table */
};

static void named_add(const struct writer *w, struct named *n, const char *name)
{
	bool other = n->own.rows >= METRICS_ROWS;
	uint32_t r = other ? METRICS_ROWS : n->own.rows;

	snprintf(n->own.names[r], LABEL_BYTES, "%s", other ? "~other" : name);
	snprintf(n->traffic.names[r], LABEL_BYTES, "%s", n->own.names[r]);
	for (uint32_t k = 0; k < n->own.t->fields; k++) {
		const struct board_field *f = reader_field_at(w->v->reader, n->own.t, k);

		if (is_plain(w, &n->own, f))
			scope_row(&n->own, r)[k] += reader_u64(n->row.bytes, f);
	}
	view_group(w->v, n->traffic.t, n->row.index, n->sums, n->bytes);
	for (uint32_t k = 0; k < n->traffic.t->fields; k++)
		scope_row(&n->traffic, r)[k] += n->sums[k];
	n->own.rows = n->traffic.rows = r + 1;
}

static int named_collect(const struct writer *w, struct named *n, const char *text)
{
	const struct board_table *t = n->own.t;
	const struct board_field *used = reader_field(w->v->reader, t, "used");
	char name[LABEL_BYTES];

	n->own.rows = n->traffic.rows = 0;
	for (uint32_t i = 0; i < t->rows && i < n->traffic.t->group_rows; i++) {
		if (reader_copy(w->v->reader, t, i, &n->row) < 0)
			return -1;
		if (reader_u64(n->row.bytes, used) != 0)
			named_add(w, n, reader_row_text(&n->row, text, name, sizeof(name)));
	}
	return 0;
}

static void put_scope(const struct writer *w, const struct scope *s)
{
	for (uint32_t k = 0; k < s->t->fields; k++)
		if (is_plain(w, s, reader_field_at(w->v->reader, s->t, k)))
			put_field(w, s, k);
}

static int put_named(const struct writer *w, const char *table, const char *text,
		     const char *traffic)
{
	const struct board_table *own = reader_table(w->v->reader, table);
	const struct board_table *counted = reader_table(w->v->reader, traffic);
	struct named n = {.bytes = NULL};
	char prefix[64];
	int result = -1;

	if (own == NULL || counted == NULL)
		return 0;
	snprintf(prefix, sizeof(prefix), "drover_%s_", table);
	n.sums = calloc(counted->fields + 1, sizeof(*n.sums));
	n.bytes = malloc(counted->stride);
	if (scope_init(&n.own, own, prefix, table, METRICS_ROWS) == 0 &&
	    scope_init(&n.traffic, counted, prefix, table, METRICS_ROWS) == 0 && n.sums != NULL &&
	    n.bytes != NULL && named_collect(w, &n, text) == 0) {
		put_scope(w, &n.own);
		put_scope(w, &n.traffic);
		result = 0;
	}
	scope_free(&n.own);
	scope_free(&n.traffic);
	reader_row_free(&n.row);
	free(n.sums);
	free(n.bytes);
	return result;
}

const char *metrics_type(enum metrics_format format)
{
	return format == METRICS_OPENMETRICS
		   ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
		   : "text/plain; version=0.0.4; charset=utf-8";
}

int metrics_write(const struct view *v, enum metrics_format format, FILE *out)
{
	const struct writer w = {.out = out, .openmetrics = format == METRICS_OPENMETRICS, .v = v};

	if (put_master(&w) != 0 || put_workers(&w) != 0)
		return -1;
	for (size_t i = 0; i < DIM(named_tables); i++)
		if (put_named(&w, named_tables[i].table, named_tables[i].text,
			      named_tables[i].traffic) != 0)
			return -1;
	if (w.openmetrics)
		fputs("# EOF\n", out);
	return ferror(out) ? -1 : 0;
}
