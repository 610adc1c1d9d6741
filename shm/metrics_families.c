/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Families of metrics as text: see metrics_parts.h. A field becomes a family; fields that say the
 * same of different things (close_<reason>) become one family with a label. All of a family's
 * samples stand together, as both formats demand.
 */
#include "shm/metrics_parts.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "shm/utf8.h"

enum {
	HIST_FIRST = 12 /* the lowest bound of a histogram: 16 us; the highest is 100 s */
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

void metrics_labels(const struct metrics_writer *w, const struct metrics_label *labels,
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
	metrics_labels(w, labels, count, NULL);
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
	metrics_labels(w, labels, count, bound);
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
		metrics_labels(w, labels, count, NULL);
		fputc(' ', w->out);
		put_number(w, sum, f->scale);
		fputc('\n', w->out);
	}
	fprintf(w->out, "%s_count", f->name);
	metrics_labels(w, labels, count, NULL);
	fprintf(w->out, " %" PRIu64 "\n", below);
}

void metrics_gauge(const struct metrics_writer *w, struct metrics_family *f, const char *name,
		   const char *unit, const char *help)
{
	*f = (struct metrics_family){
	    .type = "gauge", .unit = unit, .scale = unit[0] != '\0' ? 1000000 : 1};
	snprintf(f->name, sizeof(f->name), "%s", name);
	metrics_head(w, f, help);
}
