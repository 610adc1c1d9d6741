/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * droverctl conns: the connection table, also of workers that hang or are dead. What to leave out
 * and in which order to show the rest is read in shm/ctl_filter.c.
 */
#include "shm/ctl_conn.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "shm/ctl.h"

#define U64 "%" PRIu64

static_assert(CTL_PEER_BYTES >= INET6_ADDRSTRLEN + 10, "room for an address and a port");

/* The fields of a row, looked up once. */
struct fields {
	const struct board_field *id, *state, *family, *port, *peer, *server, *status, *fd,
	    *listener;
	const struct board_field *requests, *accepted, *since, *deadline, *in, *out, *request;
	const struct board_field *id_form, *id_high, *id_low, *trace_high, *trace_low;
};

/* Names of the rows of a table, as far as looked up. */
struct names {
	const struct board_table *table; /* NULL: the board has none */
	const char *field;
	char **all;
};

struct ctl_listing_inside {
	const struct ctl *c;
	const struct board_table *table;
	struct fields f;
	const struct ctl_filter *filter;
	size_t room;
	uint64_t limit;
	struct names servers, listeners;
};

static void find_fields(struct ctl_listing_inside *l)
{
	const struct {
		const struct board_field **to;
		const char *name;
	} wanted[] = {
	    {&l->f.id, "id"},
	    {&l->f.state, "state"},
	    {&l->f.family, "family"},
	    {&l->f.port, "port"},
	    {&l->f.peer, "peer"},
	    {&l->f.server, "server"},
	    {&l->f.status, "status"},
	    {&l->f.fd, "fd"},
	    {&l->f.listener, "listener"},
	    {&l->f.requests, "requests"},
	    {&l->f.accepted, "accepted_us"},
	    {&l->f.since, "since_us"},
	    {&l->f.deadline, "deadline_us"},
	    {&l->f.in, "bytes_in"},
	    {&l->f.out, "bytes_out"},
	    {&l->f.request, "request"},
	    {&l->f.id_form, "id_form"},
	    {&l->f.id_high, "request_high"},
	    {&l->f.id_low, "request_low"},
	    {&l->f.trace_high, "trace_high"},
	    {&l->f.trace_low, "trace_low"},
	};

	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
		*wanted[i].to = reader_field(l->c->reader, l->table, wanted[i].name);
}

static void names_init(struct names *n, const struct ctl *c, const char *table, const char *field)
{
	n->table = reader_table(c->reader, table);
	n->field = field;
	if (n->table != NULL)
		n->all = calloc(n->table->rows + (size_t)1, sizeof(*n->all));
}

static void names_free(struct names *n)
{
	for (uint32_t i = 0; n->all != NULL && i < n->table->rows; i++)
		free(n->all[i]);
	free(n->all);
}

/* Name of a row, read once each. "-" if the row is not there. */
static const char *name_of(struct names *n, const struct ctl *c, uint64_t row)
{
	struct reader_row copy = {0};
	char name[128];
	uint32_t i = (uint32_t)row;

	if (n->all == NULL || row >= n->table->rows)
		return "-";
	if (n->all[i] == NULL) {
		if (reader_copy(c->reader, n->table, i, &copy) >= 0)
			n->all[i] = strdup(reader_row_text(&copy, n->field, name, sizeof(name)));
		reader_row_free(&copy);
	}
	return n->all[i] != NULL && n->all[i][0] != '\0' ? n->all[i] : "-";
}

/* A worker that is gone tells no time any more: its connections stand as they were at its last
 * word. */
static void fill_times(const struct ctl_listing_inside *l, const struct view_worker *w,
		       const char *bytes, struct ctl_conn *conn)
{
	uint64_t now = conn->dead ? w->heard_us : l->c->view.now_us;
	uint64_t accepted = reader_u64(bytes, l->f.accepted);
	uint64_t deadline = reader_u64(bytes, l->f.deadline);

	conn->accepted_us = accepted;
	conn->since_us = reader_u64(bytes, l->f.since);
	conn->age_ms = accepted != 0 && accepted < now ? (now - accepted) / 1000 : 0;
	conn->since_ms = conn->since_us != 0 && conn->since_us < now ? (now - conn->since_us) / 1000
								     : 0;
	conn->left_ms = -1;
	if (deadline != 0)
		conn->left_ms = deadline > now ? (int64_t)((deadline - now) / 1000) : 0;
}

static void fill(struct ctl_listing_inside *l, const struct view_worker *w,
		 const struct reader_row *row, struct ctl_conn *conn)
{
	uint64_t server = reader_u64(row->bytes, l->f.server);
	const char *bytes = row->bytes;

	memset(conn, 0, sizeof(*conn));
	conn->dead = !view_lives(w);
	conn->torn = row->status == READER_TORN;
	conn->state_value = reader_u64(bytes, l->f.state);
	conn->state = reader_enum_text(l->c->reader, l->f.state->unit, conn->state_value);
	conn->slot = w->slot;
	conn->pid = w->pid;
	conn->worker = w->index;
	conn->row = row->index - view_group_first(w, l->table);
	conn->fd = l->f.fd != NULL ? (int)reader_u64(bytes, l->f.fd) : -1;
	conn->id = reader_u64(bytes, l->f.id);
	conn->family = (unsigned)reader_u64(bytes, l->f.family);
	conn->port = (unsigned)reader_u64(bytes, l->f.port);
	conn->status = (unsigned)reader_u64(bytes, l->f.status);
	conn->requests = reader_u64(bytes, l->f.requests);
	conn->in = reader_u64(bytes, l->f.in);
	conn->out = reader_u64(bytes, l->f.out);
	conn->server = server != 0 ? name_of(&l->servers, l->c, server - 1) : "-";
	conn->listener = "-";
	if (l->f.listener != NULL)
		conn->listener = name_of(&l->listeners, l->c, reader_u64(bytes, l->f.listener));
	reader_addr(bytes, l->f.peer, conn->peer);
	reader_text(bytes, l->f.request, conn->request, sizeof(conn->request));
	ident_text((unsigned)reader_u64(bytes, l->f.id_form), reader_u64(bytes, l->f.id_high),
		   reader_u64(bytes, l->f.id_low), conn->request_id);
	/* A request whose head is not whole has none yet. */
	if (conn->request_id[0] != '\0')
		ident_trace(reader_u64(bytes, l->f.trace_high), reader_u64(bytes, l->f.trace_low),
			    conn->trace_id);
	fill_times(l, w, bytes, conn);
}

static struct ctl_conn *add(struct ctl_listing *l)
{
	if (l->count == l->inside->room) {
		size_t room = l->inside->room == 0 ? 256 : l->inside->room * 2;
		struct ctl_conn *more = reallocarray(l->all, room, sizeof(*more));

		if (more == NULL)
			return NULL;
		l->all = more;
		l->inside->room = room;
	}
	return &l->all[l->count];
}

static int collect_worker(struct ctl_listing *l, const struct view_worker *w,
			  struct reader_row *row)
{
	struct ctl_listing_inside *in = l->inside;
	uint32_t used = view_conns_used(w, in->table), first = view_group_first(w, in->table);

	for (uint32_t i = 0; i < used && (in->limit == 0 || l->count < in->limit); i++) {
		int status = reader_copy(in->c->reader, in->table, first + i, row);
		struct ctl_conn *conn = add(l);

		if (status < 0 || conn == NULL)
			return -1;
		if (status == READER_LOST)
			continue;
		fill(in, w, row, conn);
		if (strcmp(conn->state, "free") != 0 && ctl_filter_passes(in->filter, conn))
			l->count++;
	}
	return 0;
}

int ctl_listing_load(struct ctl_listing *l, const struct ctl *c, const struct ctl_filter *filter,
		     uint64_t limit)
{
	const struct view *v = &c->view;
	struct reader_row row = {0};
	struct ctl_listing_inside *in = calloc(1, sizeof(*in));
	int err = 0;

	*l = (struct ctl_listing){.inside = in};
	if (in == NULL)
		return -1;
	in->c = c;
	in->filter = filter;
	in->limit = limit;
	in->table = reader_table(c->reader, "conn");
	find_fields(in);
	if (in->table == NULL || in->f.state == NULL)
		return 0;
	names_init(&in->servers, c, "server", "name");
	names_init(&in->listeners, c, "listener", "address");
	for (uint32_t i = 0; i < v->workers_count && err == 0; i++)
		err = collect_worker(l, &v->workers[i], &row);
	reader_row_free(&row);
	return err;
}

void ctl_listing_free(struct ctl_listing *l)
{
	if (l->inside != NULL) {
		names_free(&l->inside->servers);
		names_free(&l->inside->listeners);
	}
	free(l->inside);
	free(l->all);
	*l = (struct ctl_listing){0};
}

const char *ctl_peer_text(const struct ctl_conn *conn, char out[CTL_PEER_BYTES])
{
	char addr[INET6_ADDRSTRLEN];

	if (conn->family == 4) {
		inet_ntop(AF_INET, conn->peer + 12, addr, sizeof(addr));
		snprintf(out, CTL_PEER_BYTES, "%s:%u", addr, conn->port);
	} else if (conn->family == 6) {
		inet_ntop(AF_INET6, conn->peer, addr, sizeof(addr));
		snprintf(out, CTL_PEER_BYTES, "[%s]:%u", addr, conn->port);
	} else {
		snprintf(out, CTL_PEER_BYTES, "unix");
	}
	return out;
}

static void put_json_text(struct json *j, const char *name, const char *text)
{
	if (text[0] == '\0')
		json_null(j, name);
	else
		json_text(j, name, text);
}

void ctl_conn_json(const struct ctl *c, struct json *j, const struct ctl_conn *conn)
{
	char peer[CTL_PEER_BYTES];

	json_u64(j, "id", conn->id);
	json_u64(j, "slot", conn->slot);
	json_u64(j, "pid", conn->pid);
	json_text(j, "state", conn->state);
	json_bool(j, "dead", conn->dead);
	json_bool(j, "torn", conn->torn);
	json_text(j, "peer", ctl_peer_text(conn, peer));
	json_u64(j, "age_ms", conn->age_ms);
	if (conn->left_ms < 0)
		json_null(j, "left_ms");
	else
		json_i64(j, "left_ms", conn->left_ms);
	ctl_json_time(c, j, "accepted", conn->accepted_us);
	ctl_json_time(c, j, "since", conn->since_us);
	json_u64(j, "requests", conn->requests);
	json_u64(j, "in", conn->in);
	json_u64(j, "out", conn->out);
	json_u64(j, "status", conn->status);
	if (strcmp(conn->server, "-") == 0)
		json_null(j, "server");
	else
		json_text(j, "server", conn->server);
	if (strcmp(conn->listener, "-") == 0)
		json_null(j, "listener");
	else
		json_text(j, "listener", conn->listener);
	json_text(j, "request", conn->request);
	put_json_text(j, "request_id", conn->request_id);
	put_json_text(j, "trace_id", conn->trace_id);
}

static void put_raw(struct print_table *t, const struct ctl_conn *conn)
{
	print_cell(t, U64, conn->age_ms);
	print_cell(t, "%" PRId64, conn->left_ms);
	print_cell(t, U64, conn->requests);
	print_cell(t, U64, conn->in);
	print_cell(t, U64, conn->out);
}

static void put_short(struct print_table *t, const struct ctl_conn *conn)
{
	char text[PRINT_SHORT];

	print_cell(t, "%s", print_duration(conn->age_ms * 1000, text));
	if (conn->left_ms < 0)
		print_cell(t, "-");
	else
		print_cell(t, "%s", print_duration((uint64_t)conn->left_ms * 1000, text));
	print_cell(t, U64, conn->requests);
	print_cell(t, "%s", print_size(conn->in, text));
	print_cell(t, "%s", print_size(conn->out, text));
}

static void put_row(const struct ctl *c, struct print_table *t, const struct ctl_conn *conn)
{
	char peer[CTL_PEER_BYTES];

	print_cell(t, U64, conn->id);
	print_cell(t, "%u", conn->slot);
	print_cell(t, "%s%s%s", conn->state, conn->dead ? "(dead)" : "",
		   conn->torn ? "(torn)" : "");
	print_cell(t, "%s", ctl_peer_text(conn, peer));
	if (c->raw)
		put_raw(t, conn);
	else
		put_short(t, conn);
	print_cell(t, "%s", conn->server);
	print_cell(t, "%s", conn->request[0] != '\0' ? conn->request : "-");
	if (!c->raw)
		return;
	/* Too wide for a screen; filters find them there, too. */
	print_cell(t, "%s", conn->request_id[0] != '\0' ? conn->request_id : "-");
	print_cell(t, "%s", conn->trace_id[0] != '\0' ? conn->trace_id : "-");
}

static int put_all(const struct ctl *c, const struct ctl_listing *l)
{
	static const char *const titles[] = {"ID",      "SLOT",       "STATE",   "PEER", "AGE",
					     "LEFT",    "REQUESTS",   "IN",      "OUT",  "SERVER",
					     "REQUEST", "REQUEST_ID", "TRACE_ID"};
	size_t n = c->limit != 0 && c->limit < l->count ? c->limit : l->count;
	struct print_table *t;
	struct json j;

	if (c->json) {
		ctl_json(c, &j);
		json_array(&j, "conns");
		for (size_t i = 0; i < n; i++) {
			json_object(&j, NULL);
			ctl_conn_json(c, &j, &l->all[i]);
			json_end(&j);
		}
		json_finish(&j);
		return CTL_OK;
	}
	t = print_table_new(stdout, c->raw, titles, c->raw ? "rrllrrrrrllll" : "rrllrrrrrll");
	for (size_t i = 0; i < n; i++)
		put_row(c, t, &l->all[i]);
	if (print_table_end(t, print_width(stdout)) != 0)
		return ctl_fail(c, CTL_USAGE, "%s", strerror(errno));
	return CTL_OK;
}

int ctl_conns(struct ctl *c)
{
	struct ctl_listing l = {0};
	struct ctl_filter filter = {0};
	int status;

	if (ctl_open(c) != CTL_OK)
		return CTL_USAGE;
	status = ctl_filter_parse(c, &filter);
	/* Unsorted, there is no need to look further than the limit. */
	if (status == CTL_OK &&
	    ctl_listing_load(&l, c, &filter, c->sort == NULL ? c->limit : 0) != 0)
		status = ctl_fail(c, CTL_USAGE, "%s", strerror(errno));
	if (status == CTL_OK && l.count > 1)
		ctl_conn_sort(&filter, l.all, l.count);
	if (status == CTL_OK)
		status = put_all(c, &l);
	ctl_listing_free(&l);
	ctl_filter_free(&filter);
	return status;
}
