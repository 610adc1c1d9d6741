/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The views of droverctl top that are lists: their columns, what stands in each cell, by what rows
 * are sorted and which are left out. A view is a row of the last table.
 */
#include "shm/ctl_top.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "shm/rates.h"

#define U64 "%" PRIu64

static char *escaped(const char *text, char out[TOP_CELL])
{
	return print_escape(text, strlen(text), out, TOP_CELL);
}

static char *number(uint64_t n, char out[TOP_CELL])
{
	snprintf(out, TOP_CELL, U64, n);
	return out;
}

/* Workers. */

enum {
	W_SLOT,
	W_PID,
	W_STATE,
	W_GENERATION,
	W_UP,
	W_CONNS,
	W_IDLE,
	W_REQUESTS,
	W_IN,
	W_OUT,
	W_P99,
	W_LAG,
	W_BEAT,
	W_TOTAL,
	W_COLUMNS
};

static const struct top_column worker_columns[W_COLUMNS] = {
    [W_SLOT] =
	{{"SLOT", 4, true, false, 0}, "slot", .up = true, .table = "worker", .field = "slot"},
    [W_PID] = {{"PID", 7, true, false, 2}, "pid", .up = true, .table = "worker", .field = "pid"},
    [W_STATE] = {{"STATE", 14, false, false, 0},
		 "state",
		 .text = true,
		 .search = true,
		 .table = "worker",
		 .field = "state"},
    [W_GENERATION] = {{"GEN", 4, true, false, 3}, "gen", .table = "worker", .field = "generation"},
    [W_UP] = {{"UP", 6, true, false, 3}, "up", .table = "worker", .field = "started_us"},
    [W_CONNS] = {{"CONNS", 6, true, false, 0}, "conns", .table = "worker", .field = "conns"},
    [W_IDLE] = {{"IDLE", 6, true, false, 4}, "idle", .table = "worker", .field = "conns_idle"},
    [W_REQUESTS] = {{"REQ/S", 9, true, false, 0}, "req/s", .table = "worker", .field = "requests"},
    [W_IN] = {{"IN/S", 6, true, false, 4}, "in/s", .table = "worker", .field = "bytes_in"},
    [W_OUT] = {{"OUT/S", 6, true, false, 2}, "out/s", .table = "worker", .field = "bytes_out"},
    [W_P99] = {{"P99", 7, true, false, 1}, "p99", .table = "worker", .field = "latency"},
    [W_LAG] = {{"LAG", 7, true, false, 3}, "lag", .table = "worker", .field = "lag_us"},
    [W_BEAT] = {{"BEAT", 7, true, false, 1}, "beat", .table = "worker", .field = "beat_us"},
    [W_TOTAL] = {{"REQUESTS", 12, true, false, 5},
		 "requests",
		 .table = "worker",
		 .field = "requests"},
};

static size_t worker_rows(const struct top *t)
{
	return t->c->view.workers_count;
}

/* The dead whose place is taken are history, like those that went. */
static bool worker_wanted(const struct top *t, size_t row)
{
	const struct view *v = &t->c->view;
	const struct view_worker *w = &v->workers[row];

	if (w->life == VIEW_NONE)
		return false;
	if (view_lives(w) || t->all)
		return true;
	for (uint32_t i = 0; i < v->workers_count; i++)
		if (v->workers[i].slot == w->slot && view_lives(&v->workers[i]))
			return false;
	return w->life == VIEW_DEAD;
}

static double worker_number(const struct top *t, size_t row, unsigned column)
{
	const struct view *v = &t->c->view;
	const struct view_worker *w = &v->workers[row];
	const struct top_worker *more = &t->workers[row];
	bool lives = view_lives(w);

	switch (column) {
	case W_SLOT:
		return w->slot;
	case W_PID:
		return (double)w->pid;
	case W_GENERATION:
		return (double)w->generation;
	case W_UP:
		return lives ? (double)view_age_us(v, w->started_us) : NAN;
	case W_CONNS:
		return lives ? (double)w->conns : NAN;
	case W_IDLE:
		return lives ? (double)more->idle : NAN;
	case W_REQUESTS:
		return more->requests_s;
	case W_IN:
		return more->in_s;
	case W_OUT:
		return more->out_s;
	case W_P99:
		return more->p99_us;
	case W_LAG:
		return lives ? (double)more->lag_us : NAN;
	case W_BEAT:
		return (double)view_age_us(v, w->heard_us);
	default:
		return (double)w->requests;
	}
}

static char *worker_cell(struct top *t, size_t row, unsigned column, char out[TOP_CELL])
{
	const struct view_worker *w = &t->c->view.workers[row];
	double n = worker_number(t, row, column);

	switch (column) {
	case W_STATE:
		return (char *)strcpy(out, ctl_worker_state(w, (char[PRINT_SHORT]){0}));
	case W_UP:
	case W_P99:
	case W_LAG:
	case W_BEAT:
		return rates_duration(n, out);
	case W_REQUESTS:
		return rates_number(n, out);
	case W_IN:
	case W_OUT:
		return rates_bytes(n, out);
	case W_TOTAL:
		return rates_total(w->requests, out);
	default:
		if (isnan(n))
			return strcpy(out, "-");
		return number((uint64_t)n, out);
	}
}

static uint64_t worker_key(const struct top *t, size_t row)
{
	(void)t;
	return row + 1;
}

static bool worker_loud(const struct top *t, size_t row)
{
	const struct view_worker *w = &t->c->view.workers[row];

	return w->life == VIEW_HUNG || w->life == VIEW_DEAD || w->row.status == READER_TORN;
}

/* Connections, all of them or those with a request in flight. */

enum {
	C_ID,
	C_SLOT,
	C_TIME,
	C_STATE,
	C_PEER,
	C_AGE,
	C_LEFT,
	C_REQUESTS,
	C_IN,
	C_OUT,
	C_STATUS,
	C_SERVER,
	C_REQUEST,
	C_COLUMNS
};

static const struct top_column conn_columns[C_COLUMNS] = {
    [C_ID] = {{"ID", 12, true, false, 7}, "id", .up = true, .table = "conn", .field = "id"},
    [C_SLOT] =
	{{"SLOT", 4, true, false, 4}, "slot", .up = true, .table = "worker", .field = "slot"},
    [C_TIME] = {{"TIME", 7, true, false, 6}, "time", .table = "conn", .field = "request_us"},
    [C_STATE] = {{"STATE", 10, false, false, 0},
		 "state",
		 .text = true,
		 .search = true,
		 .table = "conn",
		 .field = "state"},
    [C_PEER] = {{"PEER", 21, false, false, 2},
		"peer",
		.text = true,
		.search = true,
		.table = "conn",
		.field = "peer"},
    [C_AGE] = {{"AGE", 6, true, false, 0}, "age", .table = "conn", .field = "accepted_us"},
    [C_LEFT] =
	{{"LEFT", 6, true, false, 1}, "left", .up = true, .table = "conn", .field = "deadline_us"},
    [C_REQUESTS] = {{"REQS", 6, true, false, 4}, "requests", .table = "conn", .field = "requests"},
    [C_IN] = {{"IN", 5, true, false, 6}, "in", .table = "conn", .field = "bytes_in"},
    [C_OUT] = {{"OUT", 5, true, false, 5}, "out", .table = "conn", .field = "bytes_out"},
    [C_STATUS] =
	{{"CODE", 4, true, false, 7}, "status", .up = true, .table = "conn", .field = "status"},
    [C_SERVER] = {{"SERVER", 12, false, false, 6},
		  "server",
		  .text = true,
		  .search = true,
		  .table = "conn",
		  .field = "server"},
    [C_REQUEST] = {{"REQUEST", 12, false, true, 0},
		   "request",
		   .text = true,
		   .search = true,
		   .table = "conn",
		   .field = "request"},
};

/* Which columns a request that takes long can do without, where there is not room for all. */
static const unsigned char slow_ranks[C_COLUMNS] = {
    [C_LEFT] = 1,   [C_PEER] = 2,   [C_SLOT] = 3, [C_IN] = 5,  [C_OUT] = 4,
    [C_STATUS] = 6, [C_SERVER] = 6, [C_ID] = 7,   [C_AGE] = 8, [C_REQUESTS] = 8,
};

static size_t conn_rows(const struct top *t)
{
	return t->conns_count;
}

static bool conn_wanted(const struct top *t, size_t row)
{
	(void)t;
	(void)row;
	return true;
}

static bool slow_wanted(const struct top *t, size_t row)
{
	return t->conns[row].in_flight;
}

static double conn_number(const struct top *t, size_t row, unsigned column)
{
	const struct top_conn *conn = &t->conns[row];

	switch (column) {
	case C_ID:
		return (double)conn->id;
	case C_SLOT:
		return t->c->view.workers[conn->worker].slot;
	case C_TIME:
		return conn->in_flight ? (double)top_conn_age_us(conn, conn->request_us) : NAN;
	case C_AGE:
		return (double)top_conn_age_us(conn, conn->accepted_us);
	case C_LEFT:
		if (conn->deadline_us == 0)
			return NAN;
		return conn->deadline_us > conn->now_us ? (double)(conn->deadline_us - conn->now_us)
							: 0;
	case C_REQUESTS:
		return (double)conn->requests;
	case C_IN:
		return (double)conn->in;
	case C_OUT:
		return (double)conn->out;
	default:
		return conn->status;
	}
}

static char *conn_cell(struct top *t, size_t row, unsigned column, char out[TOP_CELL])
{
	const struct top_conn *conn = &t->conns[row];
	double n = conn_number(t, row, column);

	switch (column) {
	case C_STATE:
		snprintf(out, TOP_CELL, "%s%s%s", conn->state, conn->dead ? "(dead)" : "",
			 conn->torn ? "(torn)" : "");
		return out;
	case C_PEER:
		return top_conn_peer(conn, out, TOP_CELL);
	case C_SERVER:
		return escaped(top_conn_server(t, conn), out);
	case C_REQUEST:
		return escaped(conn->request[0] != '\0' ? conn->request : "-", out);
	case C_TIME:
	case C_AGE:
	case C_LEFT:
		return rates_duration(n, out);
	case C_IN:
	case C_OUT:
		return rates_bytes(n, out);
	case C_STATUS:
		return conn->status != 0 ? number(conn->status, out) : strcpy(out, "-");
	case C_ID:
		return number(conn->id, out);
	default:
		return number((uint64_t)n, out);
	}
}

static uint64_t conn_key(const struct top *t, size_t row)
{
	return t->conns[row].id + 1;
}

/* Its deadline has passed, and nobody does anything about it. */
static bool conn_loud(const struct top *t, size_t row)
{
	const struct top_conn *conn = &t->conns[row];

	return conn->torn || (conn->deadline_us != 0 && !conn->dead &&
			      conn->now_us > conn->deadline_us + VIEW_HUNG_MS * 1000);
}

/* Counters: each item, of a histogram each of its figures. */

enum {
	K_NAME,
	K_VALUE,
	K_RATE,
	K_INTERVAL,
	K_UNIT,
	K_COLUMNS
};

static const struct top_column counter_columns[K_COLUMNS] = {
    [K_NAME] = {{"NAME", 16, false, true, 0}, "name", .text = true, .search = true},
    [K_VALUE] = {{"VALUE", 12, true, false, 0}, "value"},
    [K_RATE] = {{"A SECOND", 9, true, false, 0}, "rate"},
    [K_INTERVAL] = {{"INTERVAL", 9, true, false, 1}, "interval"},
    [K_UNIT] = {{"UNIT", 9, false, false, 2}, "unit", .text = true},
};

static const double quantiles[CTL_HIST_FIGURES] = {0.5, 0.9, 0.99, 0.999, 0};

static bool is_count(const struct top_counter *k)
{
	return k->item->hist != NULL && k->figure == CTL_HIST_FIGURES - 1;
}

static bool is_quantile(const struct top_counter *k)
{
	return k->item->hist != NULL && !is_count(k);
}

static bool is_rated(const struct top_counter *k)
{
	return k->item->field->kind == BOARD_COUNTER || is_count(k);
}

static bool in_unit(const struct top_counter *k, const char *unit)
{
	return strcmp(k->item->field->unit, unit) == 0;
}

static uint64_t count_of(const struct ctl_item *item)
{
	return item->hist != NULL ? ctl_hist_figure(item->hist, CTL_HIST_FIGURES - 1) : item->value;
}

static double counter_rate(const struct top *t, const struct top_counter *k)
{
	if (!is_rated(k) || k->before == NULL)
		return NAN;
	return rates_per_s(count_of(k->item), count_of(k->before), t->seconds);
}

/* What the interval brought: a counter's growth, a gauge's change, its own quantiles. */
static double counter_interval(const struct top *t, const struct top_counter *k)
{
	if (k->before == NULL)
		return NAN;
	if (is_quantile(k))
		return top_quantile(t, k->item, true, quantiles[k->figure]);
	if (is_rated(k))
		return rates_per_s(count_of(k->item), count_of(k->before), 1);
	if (k->item->field->kind == BOARD_GAUGE)
		return (double)(int64_t)(k->item->value - k->before->value);
	return NAN;
}

static double counter_number(const struct top *t, size_t row, unsigned column)
{
	const struct top_counter *k = &t->counters[row];

	if (column == K_RATE)
		return counter_rate(t, k);
	if (column == K_INTERVAL)
		return counter_interval(t, k);
	if (is_quantile(k))
		return top_quantile(t, k->item, false, quantiles[k->figure]);
	if (k->item->text != NULL)
		return NAN;
	return (double)count_of(k->item);
}

static size_t counter_rows(const struct top *t)
{
	return t->counters_count;
}

static bool is_zero(const struct top_counter *k)
{
	if (k->item->text != NULL)
		return k->item->field->kind == BOARD_TEXT && k->item->text[0] == '\0';
	return count_of(k->item) == 0;
}

static bool counter_wanted(const struct top *t, size_t row)
{
	const struct top_counter *k = &t->counters[row];

	if (t->zeros && is_zero(k))
		return false;
	return t->all || k->item->field->level <= BOARD_FULL;
}

static char *time_cell(const struct top *t, uint64_t us, char out[TOP_CELL])
{
	if (us == 0)
		return strcpy(out, "never");
	print_duration(view_age_us(&t->c->view, us), out);
	return strcat(out, " ago");
}

static char *value_cell(const struct top *t, const struct top_counter *k, char out[TOP_CELL])
{
	const struct board_field *f = k->item->field;

	if (k->item->text != NULL)
		return escaped(k->item->text, out);
	if (f->kind == BOARD_TIME)
		return time_cell(t, k->item->value, out);
	if (is_quantile(k))
		return rates_duration(top_quantile(t, k->item, false, quantiles[k->figure]), out);
	if (f->kind == BOARD_GAUGE && in_unit(k, "us"))
		return print_duration(k->item->value, out);
	return number(count_of(k->item), out);
}

static char *interval_cell(const struct top *t, const struct top_counter *k, char out[TOP_CELL])
{
	double n = counter_interval(t, k);

	if (is_quantile(k))
		return rates_duration(n, out);
	if (isnan(n))
		return strcpy(out, "-");
	if (in_unit(k, "us")) {
		out[0] = n < 0 ? '-' : '+';
		rates_duration(fabs(n), out + (n != 0));
		return out;
	}
	if (fabs(n) >= 1e8)
		return rates_number(n, out);
	snprintf(out, TOP_CELL, n != 0 ? "%+.0f" : "%.0f", n);
	return out;
}

static char *counter_cell(struct top *t, size_t row, unsigned column, char out[TOP_CELL])
{
	const struct top_counter *k = &t->counters[row];
	const struct ctl_item *item = k->item;

	switch (column) {
	case K_NAME:
		escaped(item->name, out);
		if (item->hist != NULL) {
			size_t n = strlen(out);

			snprintf(out + n, TOP_CELL - n, ".%s", ctl_hist_name(k->figure));
		}
		return out;
	case K_VALUE:
		return value_cell(t, k, out);
	case K_RATE:
		return is_rated(k) ? rates_number(counter_rate(t, k), out) : strcpy(out, "");
	case K_INTERVAL:
		return interval_cell(t, k, out);
	default: /* of what is not written with its unit anyway */
		return escaped(
		    item->field->kind == BOARD_ENUM || in_unit(k, "us") ? "" : item->field->unit,
		    out);
	}
}

/* FNV-1a of the name: rows have no number that lasts. */
static uint64_t counter_key(const struct top *t, size_t row)
{
	const struct top_counter *k = &t->counters[row];
	uint64_t hash = 14695981039346656037U + k->figure;

	for (const char *at = k->item->name; *at != '\0'; at++)
		hash = (hash ^ (unsigned char)*at) * 1099511628211U;
	return hash | 1;
}

static bool counter_loud(const struct top *t, size_t row)
{
	(void)t;
	(void)row;
	return false;
}

static const struct top_listing listings[TOP_VIEWS] = {
    [TOP_OVERVIEW] = {.name = "overview"},
    [TOP_WORKERS] = {"workers", worker_columns, W_COLUMNS, worker_rows, worker_wanted, worker_cell,
		     worker_number, worker_key, worker_loud, -1, NULL},
    [TOP_CONNS] = {"connections", conn_columns, C_COLUMNS, conn_rows, conn_wanted, conn_cell,
		   conn_number, conn_key, conn_loud, -1, NULL},
    [TOP_COUNTERS] = {"counters", counter_columns, K_COLUMNS, counter_rows, counter_wanted,
		      counter_cell, counter_number, counter_key, counter_loud, -1, NULL},
    [TOP_SLOWEST] = {"slowest", conn_columns, C_COLUMNS, conn_rows, slow_wanted, conn_cell,
		     conn_number, conn_key, conn_loud, C_TIME, slow_ranks},
};

const struct top_listing *top_listing(enum top_view view)
{
	return view == TOP_OVERVIEW ? NULL : &listings[view];
}

const char *top_view_name(enum top_view view)
{
	return listings[view].name;
}

enum top_view top_view_find(const char *name)
{
	int found = TOP_VIEWS;

	for (int i = 0; i < TOP_VIEWS; i++)
		if (name[0] != '\0' && strncmp(name, listings[i].name, strlen(name)) == 0)
			found = found == TOP_VIEWS || strcmp(name, listings[i].name) == 0 ? i
											  : found;
	return (enum top_view)found;
}
