/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * droverctl conns: the connection table, also of workers that hang or are dead. What to leave out
 * and in which order to show the rest is read in shm/ctl_filter.c.
 */
#include "shm/ctl_conn.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "shm/ctl.h"

#define U64 "%" PRIu64

enum {
	PEER_BYTES = INET6_ADDRSTRLEN + 10
};

/* The fields of a row, looked up once. */
struct fields {
	const struct board_field *id, *state, *family, *port, *peer, *server, *status;
	const struct board_field *requests, *accepted, *since, *deadline, *in, *out, *request;
};

struct listing {
	const struct ctl *c;
	const struct board_table *table, *servers;
	struct fields f;
	struct ctl_filter filter;
	struct ctl_conn *all;
	size_t count, room;
	char **names; /* of server rows, as far as looked up */
};

static void find_fields(struct listing *l)
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
	    {&l->f.requests, "requests"},
	    {&l->f.accepted, "accepted_us"},
	    {&l->f.since, "since_us"},
	    {&l->f.deadline, "deadline_us"},
	    {&l->f.in, "bytes_in"},
	    {&l->f.out, "bytes_out"},
	    {&l->f.request, "request"},
	};

	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
		*wanted[i].to = reader_field(l->c->reader, l->table, wanted[i].name);
}

/* Name of a server row, read once each. "-" if the row is not there. */
static const char *server_name(struct listing *l, uint64_t row_plus_one)
{
	struct reader_row row = {0};
	char name[128];
	uint32_t i = (uint32_t)row_plus_one - 1;

	if (row_plus_one == 0 || l->names == NULL || row_plus_one > l->servers->rows)
		return "-";
	if (l->names[i] == NULL) {
		if (reader_copy(l->c->reader, l->servers, i, &row) >= 0)
			l->names[i] = strdup(reader_row_text(&row, "name", name, sizeof(name)));
		reader_row_free(&row);
	}
	return l->names[i] != NULL && l->names[i][0] != '\0' ? l->names[i] : "-";
}

/* A worker that is gone tells no time any more: its connections stand as they were at its last
 * word. */
static void fill_times(const struct listing *l, const struct view_worker *w, const char *bytes,
		       struct ctl_conn *conn)
{
	uint64_t now = conn->dead ? w->heard_us : l->c->view.now_us;
	uint64_t accepted = reader_u64(bytes, l->f.accepted);
	uint64_t deadline = reader_u64(bytes, l->f.deadline);

	conn->accepted_us = accepted;
	conn->since_us = reader_u64(bytes, l->f.since);
	conn->age_ms = accepted != 0 && accepted < now ? (now - accepted) / 1000 : 0;
	conn->left_ms = -1;
	if (deadline != 0)
		conn->left_ms = deadline > now ? (int64_t)((deadline - now) / 1000) : 0;
}

static void fill(struct listing *l, const struct view_worker *w, const struct reader_row *row,
		 struct ctl_conn *conn)
{
	const char *bytes = row->bytes;

	memset(conn, 0, sizeof(*conn));
	conn->dead = !view_lives(w);
	conn->torn = row->status == READER_TORN;
	conn->state = reader_enum_text(l->c->reader, l->f.state->unit,
				       reader_u64(bytes, l->f.state));
	conn->slot = w->slot;
	conn->pid = w->pid;
	conn->id = reader_u64(bytes, l->f.id);
	conn->family = (unsigned)reader_u64(bytes, l->f.family);
	conn->port = (unsigned)reader_u64(bytes, l->f.port);
	conn->status = (unsigned)reader_u64(bytes, l->f.status);
	conn->requests = reader_u64(bytes, l->f.requests);
	conn->in = reader_u64(bytes, l->f.in);
	conn->out = reader_u64(bytes, l->f.out);
	conn->server = server_name(l, reader_u64(bytes, l->f.server));
	reader_addr(bytes, l->f.peer, conn->peer);
	reader_text(bytes, l->f.request, conn->request, sizeof(conn->request));
	fill_times(l, w, bytes, conn);
}

static struct ctl_conn *add(struct listing *l)
{
	if (l->count == l->room) {
		size_t room = l->room == 0 ? 256 : l->room * 2;
		struct ctl_conn *more = reallocarray(l->all, room, sizeof(*more));

		if (more == NULL)
			return NULL;
		l->all = more;
		l->room = room;
	}
	return &l->all[l->count];
}

/* Unsorted, there is no need to look further than the limit. */
static bool enough(const struct listing *l)
{
	return l->c->limit != 0 && l->c->sort == NULL && l->count >= l->c->limit;
}

static int collect_worker(struct listing *l, const struct view_worker *w, struct reader_row *row)
{
	uint32_t used = view_conns_used(w, l->table), first = view_group_first(w, l->table);

	for (uint32_t i = 0; i < used && !enough(l); i++) {
		int status = reader_copy(l->c->reader, l->table, first + i, row);
		struct ctl_conn *conn = add(l);

		if (status < 0 || conn == NULL)
			return -1;
		if (status == READER_LOST)
			continue;
		fill(l, w, row, conn);
		if (strcmp(conn->state, "free") != 0 && ctl_filter_passes(&l->filter, conn))
			l->count++;
	}
	return 0;
}

static int collect(struct listing *l)
{
	const struct view *v = &l->c->view;
	struct reader_row row = {0};
	int err = 0;

	if (l->table == NULL || l->f.state == NULL)
		return 0;
	if (l->servers != NULL)
		l->names = calloc(l->servers->rows + (size_t)1, sizeof(*l->names));
	for (uint32_t i = 0; i < v->workers_count && err == 0; i++)
		err = collect_worker(l, &v->workers[i], &row);
	reader_row_free(&row);
	return err;
}

static const char *peer_text(const struct ctl_conn *conn, char out[PEER_BYTES])
{
	char addr[INET6_ADDRSTRLEN];

	if (conn->family == 4) {
		inet_ntop(AF_INET, conn->peer + 12, addr, sizeof(addr));
		snprintf(out, PEER_BYTES, "%s:%u", addr, conn->port);
	} else if (conn->family == 6) {
		inet_ntop(AF_INET6, conn->peer, addr, sizeof(addr));
		snprintf(out, PEER_BYTES, "[%s]:%u", addr, conn->port);
	} else {
		snprintf(out, PEER_BYTES, "unix");
	}
	return out;
}

static void put_json(const struct ctl *c, struct json *j, const struct ctl_conn *conn)
{
	char peer[PEER_BYTES];

	json_object(j, NULL);
	json_u64(j, "id", conn->id);
	json_u64(j, "slot", conn->slot);
	json_u64(j, "pid", conn->pid);
	json_text(j, "state", conn->state);
	json_bool(j, "dead", conn->dead);
	json_bool(j, "torn", conn->torn);
	json_text(j, "peer", peer_text(conn, peer));
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
	json_text(j, "request", conn->request);
	json_end(j);
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
	char peer[PEER_BYTES];

	print_cell(t, U64, conn->id);
	print_cell(t, "%u", conn->slot);
	print_cell(t, "%s%s%s", conn->state, conn->dead ? "(dead)" : "",
		   conn->torn ? "(torn)" : "");
	print_cell(t, "%s", peer_text(conn, peer));
	if (c->raw)
		put_raw(t, conn);
	else
		put_short(t, conn);
	print_cell(t, "%s", conn->server);
	print_cell(t, "%s", conn->request[0] != '\0' ? conn->request : "-");
}

static int put_all(const struct listing *l)
{
	static const char *const titles[] = {"ID",  "SLOT",   "STATE",    "PEER",
					     "AGE", "LEFT",   "REQUESTS", "IN",
					     "OUT", "SERVER", "REQUEST"};
	const struct ctl *c = l->c;
	size_t n = c->limit != 0 && c->limit < l->count ? c->limit : l->count;
	struct print_table *t;
	struct json j;

	if (c->json) {
		ctl_json(c, &j);
		json_array(&j, "conns");
		for (size_t i = 0; i < n; i++)
			put_json(c, &j, &l->all[i]);
		json_finish(&j);
		return CTL_OK;
	}
	t = print_table_new(stdout, c->raw, titles, "rrllrrrrrll");
	for (size_t i = 0; i < n; i++)
		put_row(c, t, &l->all[i]);
	if (print_table_end(t, print_width(stdout)) != 0)
		return ctl_fail(c, CTL_USAGE, "%s", strerror(errno));
	return CTL_OK;
}

static void listing_free(struct listing *l)
{
	for (uint32_t i = 0; l->names != NULL && i < l->servers->rows; i++)
		free(l->names[i]);
	free(l->names);
	free(l->all);
	ctl_filter_free(&l->filter);
}

int ctl_conns(struct ctl *c)
{
	struct listing l = {.c = c};
	int status;

	if (ctl_open(c) != CTL_OK)
		return CTL_USAGE;
	l.table = reader_table(c->reader, "conn");
	l.servers = reader_table(c->reader, "server");
	find_fields(&l);
	status = ctl_filter_parse(c, &l.filter);
	if (status == CTL_OK && collect(&l) != 0)
		status = ctl_fail(c, CTL_USAGE, "%s", strerror(errno));
	if (status == CTL_OK && l.count > 1)
		ctl_conn_sort(&l.filter, l.all, l.count);
	if (status == CTL_OK)
		status = put_all(&l);
	listing_free(&l);
	return status;
}
