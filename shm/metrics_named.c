/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Metrics of rows with a name: listeners, servers, upstreams and peers; what stands in the rows
 * themselves, and what workers counted for them. A field of these tables becomes a metric by
 * standing in shm/fields.h. Rows beyond a table's share are added up in one, "~other", so that the
 * number of series is bounded whatever is configured.
 */
#include <stdlib.h>
#include <string.h>

#include "shm/metrics_parts.h"
#include "shm/peers.h"

enum {
	/* Of their histograms: one bound for each power of two. */
	HIST_STEP = 4
};

static const struct named_table {
	const char *table;   /* rows with a name */
	const char *text;    /* the field that names them, and the label's value */
	const char *of;      /* the field that names what they belong to, and the label; NULL */
	const char *traffic; /* what workers counted for each of them; it need not exist */
	uint32_t rows;       /* that have series of their own */
} named_tables[] = {
    {"listener", "address", NULL, "listener_traffic", METRICS_ROWS},
    {"server", "name", NULL, "server_traffic", METRICS_ROWS},
    {"upstream", "name", NULL, "upstream_traffic", METRICS_ROWS},
    {"peer", "address", "upstream", "peer_traffic", METRICS_PEERS},
};

/* Numbers that are settings, and yet drawn: they change what other numbers mean. */
static const char *const settings[] = {"weight", "max_conns", "backup", "down"};

/* What is known of a peer's state, as levels: metrics drover_peer_<name>. */
enum level {
	LEVEL_UP,
	LEVEL_EJECTED,
	LEVEL_TROUBLED,
	LEVELS
};

static const struct {
	const char *name, *help;
} levels[LEVELS] = {
    [LEVEL_UP] = {"drover_peer_up", "1 while requests may go to the peer"},
    [LEVEL_EJECTED] = {"drover_peer_ejected", "1 while the peer is left alone for its failures"},
    [LEVEL_TROUBLED] = {"drover_peer_troubled",
			"1 while no requests go to the peer, though nobody meant it so: ejected, "
			"its checks fail, or its name is not resolved"},
};

/* The rows of a table that are in use, for two scopes: what stands in them, and what workers
 * counted for them. */
struct named {
	const struct named_table *table;
	struct metrics_scope own, traffic; /* traffic.t may be NULL */
	struct reader_row row;
	uint64_t *sums;                 /* of one row */
	char *bytes;                    /* room for a row of the traffic table */
	uint64_t (*levels)[LEVELS];     /* by row; NULL: these are no peers */
	uint64_t (*hist)[HIST_BUCKETS]; /* likewise: of the only histogram that workers keep */
};

static bool is_setting(const struct board_field *f)
{
	for (size_t i = 0; i < METRICS_DIM(settings); i++)
		if (f->kind == BOARD_ID && strcmp(f->name, settings[i]) == 0)
			return true;
	return false;
}

/* What stands in the rows; what is for finding faults is left out. */
static bool is_own(const struct metrics_writer *w, const struct named *n,
		   const struct board_field *f)
{
	return is_setting(f) || (metrics_is_plain(w, &n->own, f) && f->level != BOARD_DEBUG);
}

/* Counted by workers, and not told by the row itself. */
static bool is_counted(const struct metrics_writer *w, const struct named *n,
		       const struct board_field *f)
{
	return metrics_is_plain(w, &n->traffic, f) &&
	       reader_field(w->v->reader, n->own.t, f->name) == NULL;
}

static const struct board_field *histogram(const struct metrics_writer *w,
					   const struct board_table *t)
{
	for (uint32_t k = 0; k < t->fields; k++) {
		const struct board_field *f = reader_field_at(w->v->reader, t, k);

		if (f->kind == BOARD_HIST)
			return f;
	}
	return NULL;
}

static void add_traffic(const struct metrics_writer *w, struct named *n, uint32_t r)
{
	const struct board_field *hist = histogram(w, n->traffic.t);

	view_group(w->v, n->traffic.t, n->row.index, n->sums, n->bytes);
	for (uint32_t k = 0; k < n->traffic.t->fields; k++)
		metrics_scope_row(&n->traffic, r)[k] += n->sums[k];
	if (n->hist != NULL)
		view_group_hist(w->v, n->traffic.t, n->row.index, hist, n->hist[r], n->bytes);
}

static void add_levels(const struct metrics_writer *w, struct named *n, uint32_t r)
{
	enum peers_state state = peers_state(w->v->reader, &n->row, w->v->now_us, NULL);
	bool up = peers_state_is_up(state);

	n->levels[r][LEVEL_UP] += up;
	n->levels[r][LEVEL_EJECTED] += state == PEERS_EJECTED;
	n->levels[r][LEVEL_TROUBLED] += !up && !peers_state_is_meant(state);
}

static void name_row(struct named *n, struct metrics_scope *s, uint32_t r, bool other,
		     const char *name)
{
	snprintf(s->names[r], METRICS_LABEL_BYTES, "%s", other ? "~other" : name);
	if (s->of == NULL)
		return;
	if (other)
		snprintf(s->owners[r], METRICS_LABEL_BYTES, "~other");
	else
		reader_row_text(&n->row, s->of, s->owners[r], METRICS_LABEL_BYTES);
}

static void add_row(const struct metrics_writer *w, struct named *n, const char *name)
{
	bool other = n->own.rows >= n->table->rows;
	uint32_t r = other ? n->table->rows : n->own.rows;

	name_row(n, &n->own, r, other, name);
	n->own.rows = r + 1;
	for (uint32_t k = 0; k < n->own.t->fields; k++) {
		const struct board_field *f = reader_field_at(w->v->reader, n->own.t, k);

		if (is_own(w, n, f))
			metrics_scope_row(&n->own, r)[k] += reader_u64(n->row.bytes, f);
	}
	if (n->levels != NULL)
		add_levels(w, n, r);
	if (n->traffic.t == NULL)
		return;
	name_row(n, &n->traffic, r, other, name);
	n->traffic.rows = r + 1;
	add_traffic(w, n, r);
}

static int collect(const struct metrics_writer *w, struct named *n)
{
	const struct board_table *t = n->own.t;
	const struct board_field *used = reader_field(w->v->reader, t, "used");
	char name[METRICS_LABEL_BYTES];

	n->own.rows = n->traffic.rows = 0;
	for (uint32_t i = 0; used != NULL && i < t->rows; i++) {
		if (reader_copy(w->v->reader, t, i, &n->row) < 0)
			return -1;
		if (reader_u64(n->row.bytes, used) != 0)
			add_row(w, n, reader_row_text(&n->row, n->table->text, name, sizeof(name)));
	}
	return 0;
}

/* An enum of each row: a series for each of its texts, 1 for the one that holds. */
static void put_enum(const struct metrics_writer *w, const struct named *n,
		     const struct board_field *field)
{
	struct reader *r = w->v->reader;
	struct metrics_family f = {.type = "gauge", .unit = "", .scale = 1};
	struct reader_row row = {0};
	const char *text, *key = strrchr(field->name, '_');
	char name[METRICS_LABEL_BYTES], owner[METRICS_LABEL_BYTES];
	uint32_t rows = 0;

	snprintf(f.name, sizeof(f.name), "%s%s", n->own.prefix, field->name);
	metrics_head(w, &f, field->help);
	for (uint32_t i = 0; i < n->own.t->rows && rows < n->table->rows; i++) {
		if (reader_copy(r, n->own.t, i, &row) < 0 || reader_row_u64(&row, "used") == 0)
			continue;
		rows++;
		for (uint64_t value = 0;
		     strcmp(text = reader_enum_text(r, field->unit, value), "?") != 0; value++) {
			const struct metrics_label labels[] = {
			    {n->table->of,
			     n->table->of == NULL
				 ? NULL
				 : reader_row_text(&row, n->table->of, owner, sizeof(owner))},
			    {n->table->table,
			     reader_row_text(&row, n->table->text, name, sizeof(name))},
			    {key != NULL ? key + 1 : field->name, text}};

			metrics_sample(w, &f, labels, 3, reader_u64(row.bytes, field) == value);
		}
	}
	reader_row_free(&row);
}

static void put_level(const struct metrics_writer *w, const struct named *n, enum level level)
{
	struct metrics_family f;
	struct metrics_label labels[2];

	metrics_gauge(w, &f, levels[level].name, "", levels[level].help);
	for (uint32_t r = 0; r < n->own.rows; r++) {
		metrics_scope_labels(&n->own, r, labels);
		metrics_sample(w, &f, labels, 2, n->levels[r][level]);
	}
}

static void put_hist(const struct metrics_writer *w, const struct named *n)
{
	const struct board_field *hist = histogram(w, n->traffic.t);
	struct metrics_family f;
	struct metrics_label labels[2];
	uint32_t sum = n->traffic.t->fields;

	metrics_name(&f, n->traffic.prefix, hist->name, hist);
	metrics_head(w, &f, hist->help);
	for (uint32_t k = 0; k < n->traffic.t->fields; k++) {
		const char *name = reader_field_at(w->v->reader, n->traffic.t, k)->name;
		size_t length = strlen(hist->name);

		if (strncmp(name, hist->name, length) == 0 && strcmp(name + length, "_sum") == 0)
			sum = k;
	}
	for (uint32_t r = 0; r < n->traffic.rows; r++) {
		metrics_scope_labels(&n->traffic, r, labels);
		metrics_hist(w, &f, labels, 2, n->hist[r], HIST_STEP, sum < n->traffic.t->fields,
			     sum < n->traffic.t->fields ? metrics_scope_row(&n->traffic, r)[sum]
							: 0);
	}
}

static void put_named(const struct metrics_writer *w, const struct named *n)
{
	for (uint32_t k = 0; k < n->own.t->fields; k++) {
		const struct board_field *f = reader_field_at(w->v->reader, n->own.t, k);

		if (is_own(w, n, f))
			metrics_field(w, &n->own, k);
		else if (f->kind == BOARD_ENUM)
			put_enum(w, n, f);
	}
	for (enum level level = 0; n->levels != NULL && level < LEVELS; level++)
		put_level(w, n, level);
	if (n->traffic.t == NULL)
		return;
	for (uint32_t k = 0; k < n->traffic.t->fields; k++)
		if (is_counted(w, n, reader_field_at(w->v->reader, n->traffic.t, k)))
			metrics_field(w, &n->traffic, k);
	if (n->hist != NULL)
		put_hist(w, n);
}

static int scope_init(struct metrics_scope *s, const struct named_table *table,
		      const struct board_table *t, const char *prefix)
{
	if (metrics_scope_init(s, t, prefix, table->table, table->rows) != 0)
		return -1;
	if (table->of == NULL)
		return 0;
	s->of = table->of;
	s->owners = calloc(table->rows + 1, sizeof(*s->owners));
	return s->owners == NULL ? -1 : 0;
}

/* Room for all that is collected. Returns 0, or -1. */
static int named_init(const struct metrics_writer *w, struct named *n,
		      const struct board_table *own, const struct board_table *traffic,
		      const char *prefix)
{
	if (scope_init(&n->own, n->table, own, prefix) != 0)
		return -1;
	if (strcmp(n->table->table, "peer") == 0) {
		n->levels = calloc(n->table->rows + 1, sizeof(*n->levels));
		if (n->levels == NULL)
			return -1;
	}
	if (traffic == NULL)
		return 0;
	if (histogram(w, traffic) != NULL) {
		n->hist = calloc(n->table->rows + 1, sizeof(*n->hist));
		if (n->hist == NULL)
			return -1;
	}
	n->sums = calloc(traffic->fields + 1, sizeof(*n->sums));
	n->bytes = malloc(traffic->stride);
	return scope_init(&n->traffic, n->table, traffic, prefix) == 0 && n->sums != NULL &&
		       n->bytes != NULL
		   ? 0
		   : -1;
}

static int write_table(const struct metrics_writer *w, const struct named_table *table)
{
	const struct board_table *own = reader_table(w->v->reader, table->table);
	struct named n = {.table = table};
	char prefix[64];
	int result = -1;

	if (own == NULL)
		return 0;
	snprintf(prefix, sizeof(prefix), "drover_%s_", table->table);
	if (named_init(w, &n, own, reader_table(w->v->reader, table->traffic), prefix) == 0 &&
	    collect(w, &n) == 0) {
		if (n.own.rows > 0)
			put_named(w, &n);
		result = 0;
	}
	metrics_scope_free(&n.own);
	metrics_scope_free(&n.traffic);
	reader_row_free(&n.row);
	free(n.sums);
	free(n.bytes);
	free(n.levels);
	free(n.hist);
	return result;
}

int metrics_named(const struct metrics_writer *w)
{
	for (size_t i = 0; i < METRICS_DIM(named_tables); i++)
		if (write_table(w, &named_tables[i]) != 0)
			return -1;
	return 0;
}
