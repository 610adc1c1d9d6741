/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * droverctl workers, listeners, servers: a line for each row in use.
 */
#include "shm/ctl.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define U64 "%" PRIu64

const char *ctl_worker_state(const struct view_worker *w, char out[PRINT_SHORT])
{
	const char *mark = "";

	if (w->row.status == READER_TORN)
		mark = "(torn)";
	else if (w->life == VIEW_HUNG)
		mark = "(hung)";
	snprintf(out, PRINT_SHORT, "%.20s%s", w->life == VIEW_DEAD ? "dead" : w->state, mark);
	return out;
}

static bool shown(const struct ctl *c, const struct view_worker *w)
{
	return w->life != VIEW_NONE && (c->all || w->life != VIEW_GONE);
}

static void worker_json(const struct ctl *c, struct json *j, const struct view_worker *w)
{
	json_object(j, NULL);
	json_u64(j, "slot", w->slot);
	json_u64(j, "half", w->half);
	json_u64(j, "pid", w->pid);
	json_text(j, "state", w->state);
	json_text(j, "life", view_life_name(w->life));
	json_bool(j, "torn", w->row.status == READER_TORN);
	json_u64(j, "generation", w->generation);
	json_u64(j, "conns", w->conns);
	json_u64(j, "requests", w->requests);
	json_u64(j, "beat_age_ms", view_age_us(&c->view, w->heard_us) / 1000);
	ctl_json_time(c, j, "started", w->started_us);
	ctl_json_time(c, j, "drain", w->drain_us);
	json_end(j);
}

static int finish(const struct ctl *c, struct print_table *t)
{
	if (print_table_end(t, print_width(stdout)) != 0)
		return ctl_fail(c, CTL_USAGE, "%s", strerror(errno));
	return CTL_OK;
}

static int workers_json(const struct ctl *c)
{
	struct json j;

	ctl_json(c, &j);
	json_array(&j, "workers");
	for (uint32_t i = 0; i < c->view.workers_count; i++)
		if (shown(c, &c->view.workers[i]))
			worker_json(c, &j, &c->view.workers[i]);
	json_finish(&j);
	return CTL_OK;
}

int ctl_workers(struct ctl *c)
{
	static const char *const titles[] = {"SLOT",       "HALF",  "PID",      "STATE",
					     "GENERATION", "CONNS", "REQUESTS", "BEAT_AGE_MS"};
	struct print_table *t;
	char state[PRINT_SHORT];

	if (ctl_open(c) != CTL_OK)
		return CTL_USAGE;
	if (c->json)
		return workers_json(c);
	t = print_table_new(stdout, c->raw, titles, "rrrlrrrr");
	for (uint32_t i = 0; i < c->view.workers_count; i++) {
		const struct view_worker *w = &c->view.workers[i];

		if (!shown(c, w))
			continue;
		print_cell(t, "%u", w->slot);
		print_cell(t, "%u", w->half);
		print_cell(t, U64, w->pid);
		print_cell(t, "%s", ctl_worker_state(w, state));
		print_cell(t, U64, w->generation);
		print_cell(t, U64, w->conns);
		print_cell(t, U64, w->requests);
		print_cell(t, U64, view_age_us(&c->view, w->heard_us) / 1000);
	}
	return finish(c, t);
}

bool ctl_named_first(struct ctl_named *n, const struct ctl *c, const char *table, const char *key)
{
	char traffic[64];

	snprintf(traffic, sizeof(traffic), "%s_traffic", table);
	memset(n, 0, sizeof(*n));
	n->c = c;
	n->key = key;
	n->table = reader_table(c->reader, table);
	n->traffic = reader_table(c->reader, traffic);
	if (n->traffic != NULL) {
		n->sums = calloc(n->traffic->fields + 1, sizeof(*n->sums));
		n->bytes = malloc(n->traffic->stride);
		if (n->sums == NULL || n->bytes == NULL)
			return false;
	}
	return ctl_named_next(n);
}

/* A peer's address is a name in its upstream only. */
static void take_name(struct ctl_named *n)
{
	char upstream[64];

	n->name[0] = '\0';
	if (strcmp(n->table->name, "peer") == 0) {
		reader_row_text(&n->row, "upstream", upstream, sizeof(upstream));
		if (upstream[0] != '\0')
			snprintf(n->name, sizeof(n->name), "%s/", upstream);
	}
	reader_row_text(&n->row, n->key, n->name + strlen(n->name),
			sizeof(n->name) - strlen(n->name));
}

bool ctl_named_next(struct ctl_named *n)
{
	struct reader *r = n->c->reader;

	while (n->table != NULL && n->next < n->table->rows) {
		uint32_t i = n->next++;
		int status = reader_copy(r, n->table, i, &n->row);

		if (status != READER_OK && status != READER_TORN)
			return false;
		take_name(n);
		if (n->name[0] == '\0' || (!n->c->all && reader_row_u64(&n->row, "used") == 0))
			continue;
		if (n->traffic != NULL)
			view_group(&n->c->view, n->traffic, i, n->sums, n->bytes);
		return true;
	}
	return false;
}

void ctl_named_free(struct ctl_named *n)
{
	reader_row_free(&n->row);
	free(n->sums);
	free(n->bytes);
}

uint64_t ctl_named_sum(const struct ctl_named *n, const char *field)
{
	const struct board_field *f = reader_field(n->c->reader, n->traffic, field);

	if (f == NULL)
		return 0;
	return n->sums[f - reader_field_at(n->c->reader, n->traffic, 0)];
}

void ctl_named_hist(const struct ctl_named *n, const char *field, uint64_t sum[HIST_BUCKETS])
{
	const struct board_field *f = reader_field(n->c->reader, n->traffic, field);

	if (f != NULL)
		view_group_hist(&n->c->view, n->traffic, n->row.index, f, sum, n->bytes);
}

/* A column: its title, which in lower case is its key in JSON, and the field behind it. */
struct column {
	const char *title;
	const char *key;
	const char *field;
	bool traffic;
	bool size; /* bytes: printed short for humans */
};

static uint64_t column_value(const struct ctl_named *n, const struct column *column)
{
	if (column->traffic)
		return ctl_named_sum(n, column->field);
	return reader_row_u64(&n->row, column->field);
}

static void named_json(struct ctl *c, const char *table, const char *key, const char *list,
		       const struct column *columns, size_t count)
{
	struct ctl_named n;
	struct json j;

	ctl_json(c, &j);
	json_array(&j, list);
	for (bool ok = ctl_named_first(&n, c, table, key); ok; ok = ctl_named_next(&n)) {
		json_object(&j, NULL);
		json_text(&j, key, n.name);
		for (size_t i = 0; i < count; i++)
			json_u64(&j, columns[i].key, column_value(&n, &columns[i]));
		json_end(&j);
	}
	ctl_named_free(&n);
	json_finish(&j);
}

static void named_row(const struct ctl *c, struct print_table *t, const struct ctl_named *n,
		      const struct column *columns, size_t count)
{
	char size[PRINT_SHORT];

	print_cell(t, "%s", n->name);
	for (size_t i = 0; i < count; i++) {
		uint64_t value = column_value(n, &columns[i]);

		if (columns[i].size && !c->raw)
			print_cell(t, "%s", print_size(value, size));
		else
			print_cell(t, U64, value);
	}
}

/* Prints the rows of a table that have a name, which is the first column. */
static int named_table(struct ctl *c, const char *table, const char *key, const char *list,
		       const struct column *columns, size_t count)
{
	const char *titles[16];
	char align[16];
	struct ctl_named n;
	struct print_table *t;

	if (ctl_open(c) != CTL_OK)
		return CTL_USAGE;
	if (c->json) {
		named_json(c, table, key, list, columns, count);
		return CTL_OK;
	}
	titles[0] = strcmp(key, "address") == 0 ? "ADDRESS" : "NAME";
	align[0] = 'l';
	for (size_t i = 0; i < count; i++) {
		titles[i + 1] = columns[i].title;
		align[i + 1] = 'r';
	}
	align[count + 1] = '\0';
	t = print_table_new(stdout, c->raw, titles, align);
	for (bool ok = ctl_named_first(&n, c, table, key); ok; ok = ctl_named_next(&n))
		named_row(c, t, &n, columns, count);
	ctl_named_free(&n);
	return finish(c, t);
}

int ctl_listeners(struct ctl *c)
{
	static const struct column columns[] = {
	    {"QUEUE", "queue", "queue", false, false},
	    {"QUEUE_MAX", "queue_max", "queue_max", false, false},
	    {"ACCEPTS", "accepts", "accepts", true, false},
	    {"CONNS", "conns", "conns", true, false},
	};

	return named_table(c, "listener", "address", "listeners", columns,
			   sizeof(columns) / sizeof(columns[0]));
}

int ctl_servers(struct ctl *c)
{
	static const struct column columns[] = {
	    {"REQUESTS", "requests", "requests", true, false},
	    {"2XX", "2xx", "responses_2xx", true, false},
	    {"3XX", "3xx", "responses_3xx", true, false},
	    {"4XX", "4xx", "responses_4xx", true, false},
	    {"5XX", "5xx", "responses_5xx", true, false},
	    {"IN", "in", "bytes_in", true, true},
	    {"OUT", "out", "bytes_out", true, true},
	};

	return named_table(c, "server", "name", "servers", columns,
			   sizeof(columns) / sizeof(columns[0]));
}
