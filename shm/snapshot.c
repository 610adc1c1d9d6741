/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See snapshot.h. Figures are raw: rates and percentiles are made by who reads it, from two of
 * these and the time between them.
 */
#include "shm/snapshot.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "shm/json.h"

enum {
	TEXT_BYTES = 600,
	BLOCK_ROWS = 64,
	LEAST_ROWS = 256 /* of a worker's connections looked at, however many workers there are */
};

static uint64_t master_u64(const struct view *v, const char *name)
{
	return reader_row_u64(&v->master, name);
}

static void put_master_text(const struct view *v, struct json *j, const char *name)
{
	char text[TEXT_BYTES];

	json_text(j, name, reader_row_text(&v->master, name, text, sizeof(text)));
}

static void put_master(const struct view *v, struct json *j)
{
	static const char *const numbers[] = {"pid",           "generation",    "workers_wanted",
					      "worker_starts", "worker_deaths", "worker_hangs",
					      "drain_ms"};

	json_object(j, "master");
	json_text(j, "life", view_life_name(v->master_life));
	json_text(j, "state", reader_row_enum(&v->master, "state"));
	json_u64(j, "up_ms", view_age_us(v, master_u64(v, "started_us")) / 1000);
	json_u64(j, "configured_age_ms", view_age_us(v, master_u64(v, "configured_us")) / 1000);
	json_u64(j, "beat_age_ms", view_age_us(v, v->master_heard_us) / 1000);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		json_u64(j, numbers[i], master_u64(v, numbers[i]));
	put_master_text(v, j, "version");
	put_master_text(v, j, "config");
	json_end(j);
}

/* What came of the last reload or upgrade. */
static void put_last(const struct view *v, struct json *j, const char *what)
{
	char field[48], text[TEXT_BYTES];
	uint64_t us;

	json_object(j, what);
	snprintf(field, sizeof(field), "%ss", what);
	json_u64(j, "count", master_u64(v, field));
	snprintf(field, sizeof(field), "%s_failures", what);
	json_u64(j, "failures", master_u64(v, field));
	snprintf(field, sizeof(field), "%s_result", what);
	json_text(j, "result", reader_row_enum(&v->master, field));
	snprintf(field, sizeof(field), "%s_error", what);
	json_text(j, "error", reader_row_text(&v->master, field, text, sizeof(text)));
	snprintf(field, sizeof(field), "%s_us", what);
	us = master_u64(v, field);
	if (us == 0)
		json_null(j, "age_ms");
	else
		json_u64(j, "age_ms", view_age_us(v, us) / 1000);
	json_end(j);
}

/* A dead worker whose slot another one fills is history. */
static bool is_shown(const struct view *v, const struct view_worker *w)
{
	if (w->life == VIEW_NONE || w->life == VIEW_GONE)
		return false;
	for (uint32_t i = 0; w->life == VIEW_DEAD && i < v->workers_count; i++)
		if (v->workers[i].slot == w->slot && view_lives(&v->workers[i]))
			return false;
	return true;
}

static void put_workers(const struct view *v, struct json *j)
{
	static const char *const numbers[] = {"lag_us", "conns_max", "accepts", "bytes_out",
					      "takeovers"};

	json_array(j, "workers");
	for (uint32_t i = 0; i < v->workers_count; i++) {
		const struct view_worker *w = &v->workers[i];

		if (!is_shown(v, w))
			continue;
		json_object(j, NULL);
		json_u64(j, "slot", w->slot);
		json_u64(j, "pid", w->pid);
		json_text(j, "life", view_life_name(w->life));
		json_text(j, "state", w->state);
		json_u64(j, "generation", w->generation);
		json_u64(j, "up_ms", view_age_us(v, w->started_us) / 1000);
		json_u64(j, "beat_age_ms", view_age_us(v, w->heard_us) / 1000);
		json_u64(j, "conns", view_lives(w) ? w->conns : 0);
		json_u64(j, "requests", w->requests);
		for (size_t k = 0; k < sizeof(numbers) / sizeof(numbers[0]); k++)
			json_u64(j, numbers[k], reader_row_u64(&w->row, numbers[k]));
		json_end(j);
	}
	json_end(j);
}

/* The conns_<state> gauges. */
static void put_states(const struct view *v, struct json *j)
{
	char field[64];
	const char *text;

	json_object(j, "states");
	for (uint64_t s = 0; strcmp(text = reader_enum_text(v->reader, "conn_state", s), "?") != 0;
	     s++) {
		snprintf(field, sizeof(field), "conns_%s", text);
		if (reader_field(v->reader, reader_table(v->reader, "worker"), field) != NULL)
			json_u64(j, text, view_sum(v, field));
	}
	json_end(j);
}

static void put_counters(const struct view *v, struct json *j)
{
	const struct board_table *t = reader_table(v->reader, "worker");

	json_object(j, "counters");
	for (uint32_t k = 0; t != NULL && k < t->fields; k++) {
		const struct board_field *f = reader_field_at(v->reader, t, k);

		if (f->kind == BOARD_COUNTER)
			json_u64(j, f->name, view_sum(v, f->name));
	}
	json_end(j);
}

static void put_latency(const struct view *v, struct json *j)
{
	const struct board_table *t = reader_table(v->reader, "worker");
	uint64_t counts[HIST_BUCKETS] = {0};

	view_hist(v, reader_field(v->reader, t, "latency"), counts);
	json_object(j, "latency");
	json_array(j, "below_us");
	for (unsigned i = 0; i + 1 < HIST_BUCKETS; i++)
		json_u64(j, NULL, hist_bound(i));
	json_end(j);
	json_array(j, "counts");
	for (unsigned i = 0; i < HIST_BUCKETS; i++)
		json_u64(j, NULL, counts[i]);
	json_end(j);
	json_end(j);
}

/* The numbers of a row, by the names that its table gives them. */
static void put_numbers(const struct view *v, struct json *j, const struct board_table *t,
			const char *bytes, const uint64_t *sums)
{
	for (uint32_t k = 0; k < t->fields; k++) {
		const struct board_field *f = reader_field_at(v->reader, t, k);

		if (f->kind == BOARD_COUNTER || f->kind == BOARD_GAUGE)
			json_u64(j, f->name, sums != NULL ? sums[k] : reader_u64(bytes, f));
	}
}

struct named {
	const struct board_table *own, *traffic;
	const char *text; /* the field that names a row */
	uint64_t *sums;
	char *bytes;
	struct reader_row row;
};

static void put_named_row(const struct view *v, struct json *j, struct named *n)
{
	char text[TEXT_BYTES];

	json_object(j, NULL);
	json_text(j, "name", reader_row_text(&n->row, n->text, text, sizeof(text)));
	put_numbers(v, j, n->own, n->row.bytes, NULL);
	view_group(v, n->traffic, n->row.index, n->sums, n->bytes);
	put_numbers(v, j, n->traffic, NULL, n->sums);
	json_end(j);
}

/* An array of the rows in use, and how many more there are. */
static int put_named(const struct view *v, struct json *j, const char *table, const char *text)
{
	struct named n = {.own = reader_table(v->reader, table), .text = text};
	uint32_t used = 0;
	char name[64];
	int result = -1;

	snprintf(name, sizeof(name), "%s_traffic", table);
	n.traffic = reader_table(v->reader, name);
	if (n.own == NULL || n.traffic == NULL)
		return 0;
	n.sums = calloc(n.traffic->fields + 1, sizeof(*n.sums));
	n.bytes = malloc(n.traffic->stride);
	snprintf(name, sizeof(name), "%ss", table);
	json_array(j, name);
	for (uint32_t i = 0; n.sums != NULL && n.bytes != NULL && i < n.own->rows; i++) {
		if (reader_copy(v->reader, n.own, i, &n.row) < 0)
			goto out;
		if (reader_row_u64(&n.row, "used") != 0 && used++ < SNAPSHOT_NAMED)
			put_named_row(v, j, &n);
	}
	result = n.sums != NULL && n.bytes != NULL ? 0 : -1;
out:
	json_end(j);
	snprintf(name, sizeof(name), "%ss_more", table);
	json_u64(j, name, used > SNAPSHOT_NAMED ? used - SNAPSHOT_NAMED : 0);
	free(n.sums);
	free(n.bytes);
	reader_row_free(&n.row);
	return result;
}

/* Requests in flight, the one that began first in front. */
struct slow {
	uint64_t request_us;
	const struct view_worker *worker;
	uint32_t row;
};

struct search {
	const struct view *v;
	const struct board_table *t;
	const struct board_field *state, *request_us;
	struct slow slow[SNAPSHOT_SLOWEST];
	unsigned count;
	uint64_t looked; /* rows */
	bool cut;        /* there are requests in flight in others */
};

static void note(struct search *s, uint64_t request_us, const struct view_worker *w, uint32_t row)
{
	unsigned at = s->count;

	if (at == SNAPSHOT_SLOWEST && request_us >= s->slow[at - 1].request_us)
		return;
	if (at == SNAPSHOT_SLOWEST)
		at--;
	else
		s->count++;
	for (; at > 0 && s->slow[at - 1].request_us > request_us; at--)
		s->slow[at] = s->slow[at - 1];
	s->slow[at] = (struct slow){request_us, w, row};
}

/* How many of the worker's connections have a request under way. */
static uint64_t in_flight(const struct view_worker *w)
{
	return reader_row_u64(&w->row, "conns_head") + reader_row_u64(&w->row, "conns_body") +
	       reader_row_u64(&w->row, "conns_respond") + reader_row_u64(&w->row, "conns_send") +
	       reader_row_u64(&w->row, "conns_relay");
}

/* Up to most rows, and no more once all that are in flight were seen. */
static void search_worker(struct search *s, const struct view_worker *w, uint32_t most, char *block)
{
	uint32_t used = view_conns_used(w, s->t), first = view_group_first(w, s->t), n;
	uint64_t left = in_flight(w);

	for (uint32_t i = 0; i < used && i < most && left > 0; i += n) {
		n = used - i < BLOCK_ROWS ? used - i : BLOCK_ROWS;
		reader_block(s->v->reader, s->t, first + i, n, block);
		s->looked += n;
		for (uint32_t k = 0; k < n && left > 0; k++) {
			const char *row = block + (size_t)k * s->t->stride;
			uint64_t request_us = reader_u64(row, s->request_us);

			if (reader_u64(row, s->state) == 0 || request_us == 0)
				continue;
			note(s, request_us, w, first + i + k);
			left--;
		}
	}
	s->cut |= left > 0 && used > most;
}

static uint32_t rows_each(const struct view *v)
{
	uint32_t busy = 0;

	for (uint32_t i = 0; i < v->workers_count; i++)
		busy += view_lives(&v->workers[i]) && in_flight(&v->workers[i]) > 0;
	busy = busy == 0 ? 1 : busy;
	return SNAPSHOT_CONNS / busy > LEAST_ROWS ? SNAPSHOT_CONNS / busy : LEAST_ROWS;
}

static void put_peer(const struct reader_row *row, struct json *j)
{
	static const uint8_t v4[12] = {[10] = 0xff, [11] = 0xff};
	char text[INET6_ADDRSTRLEN] = "";
	uint8_t addr[16];

	reader_addr(row->bytes, reader_field(row->reader, row->table, "peer"), addr);
	if (reader_row_u64(row, "family") == 1)
		snprintf(text, sizeof(text), "unix");
	else if (memcmp(addr, v4, sizeof(v4)) == 0)
		inet_ntop(AF_INET, addr + 12, text, sizeof(text));
	else
		inet_ntop(AF_INET6, addr, text, sizeof(text));
	json_text(j, "peer", text);
}

static void put_server_name(const struct view *v, const struct reader_row *conn, struct json *j)
{
	const struct board_table *t = reader_table(v->reader, "server");
	uint64_t server = reader_row_u64(conn, "server");
	struct reader_row row = {.bytes = NULL};
	char text[TEXT_BYTES] = "";

	if (t != NULL && server > 0 && server <= t->rows &&
	    reader_copy(v->reader, t, (uint32_t)server - 1, &row) >= 0)
		reader_row_text(&row, "name", text, sizeof(text));
	json_text(j, "server", text);
	reader_row_free(&row);
}

static void put_slow(const struct search *s, const struct slow *slow, struct reader_row *row,
		     struct json *j)
{
	uint64_t touching = reader_row_u64(&slow->worker->row, "touching");
	char text[TEXT_BYTES];

	if (reader_copy(s->v->reader, s->t, slow->row, row) < 0)
		return;
	/* It may have ended in the meantime. */
	if (reader_row_u64(row, "request_us") != slow->request_us)
		return;
	reader_row_text(row, "request", text, sizeof(text));
	text[strcspn(text, "?")] = '\0';
	json_object(j, NULL);
	json_u64(j, "id", reader_row_u64(row, "id"));
	json_u64(j, "slot", slow->worker->slot);
	json_text(j, "state", reader_row_enum(row, "state"));
	json_u64(j, "age_ms", view_age_us(s->v, slow->request_us) / 1000);
	put_peer(row, j);
	put_server_name(s->v, row, j);
	json_text(j, "request", text);
	json_u64(j, "status", reader_row_u64(row, "status"));
	json_u64(j, "bytes_out", reader_row_u64(row, "bytes_out"));
	json_bool(j, "touched",
		  touching != 0 &&
		      view_group_first(slow->worker, s->t) + touching - 1 == slow->row);
	json_end(j);
}

static int put_slowest(const struct view *v, struct json *j)
{
	struct search s = {.v = v, .t = reader_table(v->reader, "conn")};
	struct reader_row row = {.bytes = NULL};
	uint32_t most = rows_each(v);
	char *block;

	if (s.t == NULL)
		return 0;
	s.state = reader_field(v->reader, s.t, "state");
	s.request_us = reader_field(v->reader, s.t, "request_us");
	block = malloc((size_t)BLOCK_ROWS * s.t->stride);
	if (block == NULL)
		return -1;
	for (uint32_t i = 0; i < v->workers_count; i++)
		if (view_lives(&v->workers[i]))
			search_worker(&s, &v->workers[i], most, block);
	free(block);
	json_array(j, "slowest");
	for (unsigned i = 0; i < s.count; i++)
		put_slow(&s, &s.slow[i], &row, j);
	json_end(j);
	json_u64(j, "conn_rows_searched", s.looked);
	json_bool(j, "slowest_complete", !s.cut);
	reader_row_free(&row);
	return 0;
}

int snapshot_write(const struct view *v, FILE *out)
{
	struct json j;

	json_init(&j, out);
	json_object(&j, NULL);
	json_text(&j, "schema", "drover-status/1");
	json_u64(&j, "now_us", v->now_us);
	json_u64(&j, "now_unix_ms", reader_unix_ms(v->reader, v->now_us));
	put_master(v, &j);
	put_last(v, &j, "reload");
	put_last(v, &j, "upgrade");
	put_workers(v, &j);
	json_u64(&j, "conns", view_sum(v, "conns"));
	json_u64(&j, "conns_max", view_sum(v, "conns_max"));
	put_states(v, &j);
	put_counters(v, &j);
	put_latency(v, &j);
	if (put_named(v, &j, "listener", "address") != 0 ||
	    put_named(v, &j, "server", "name") != 0 || put_slowest(v, &j) != 0) {
		errno = ENOMEM;
		return -1;
	}
	return json_finish(&j);
}
