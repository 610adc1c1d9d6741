/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The connections that droverctl top lists. Looked at once a second and by the ten thousand, they
 * are read in blocks: a block that reads the same twice had no writer in between, and only rows
 * that changed are copied one by one.
 */
#include "shm/ctl_top.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

enum {
	BLOCK_ROWS = 64
};

/* The fields of a row, looked up once. */
struct fields {
	const struct board_table *table;
	const struct board_field *seq, *id, *state, *family, *port, *peer, *server, *status;
	const struct board_field *requests, *accepted, *since, *deadline, *began, *in, *out;
	const struct board_field *request;
	uint64_t state_free;
};

static bool find_fields(const struct reader *r, struct fields *f)
{
	const struct {
		const struct board_field **to;
		const char *name;
	} wanted[] = {
	    {&f->seq, "seq"},           {&f->id, "id"},
	    {&f->state, "state"},       {&f->family, "family"},
	    {&f->port, "port"},         {&f->peer, "peer"},
	    {&f->server, "server"},     {&f->status, "status"},
	    {&f->requests, "requests"}, {&f->accepted, "accepted_us"},
	    {&f->since, "since_us"},    {&f->deadline, "deadline_us"},
	    {&f->began, "request_us"},  {&f->in, "bytes_in"},
	    {&f->out, "bytes_out"},     {&f->request, "request"},
	};

	f->table = reader_table(r, "conn");
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
		*wanted[i].to = reader_field(r, f->table, wanted[i].name);
	return f->state != NULL && reader_enum_value(r, f->state->unit, "free", &f->state_free);
}

/* Idle and lingering connections have had their answer. */
static bool in_flight(const struct top_conn *conn)
{
	return conn->request_us != 0 && strcmp(conn->state, "idle") != 0 &&
	       strcmp(conn->state, "linger") != 0;
}

static void fill(const struct reader *r, const struct view *v, const struct view_worker *w,
		 const struct fields *f, const char *bytes, bool torn, struct top_conn *conn)
{
	memset(conn, 0, sizeof(*conn));
	conn->state = reader_enum_text(r, f->state->unit, reader_u64(bytes, f->state));
	conn->worker = w->index;
	conn->dead = !view_lives(w);
	conn->torn = torn;
	conn->now_us = conn->dead ? w->heard_us : v->now_us;
	conn->id = reader_u64(bytes, f->id);
	conn->family = (uint8_t)reader_u64(bytes, f->family);
	conn->port = (uint16_t)reader_u64(bytes, f->port);
	conn->status = (uint16_t)reader_u64(bytes, f->status);
	conn->server = (uint32_t)reader_u64(bytes, f->server);
	conn->requests = reader_u64(bytes, f->requests);
	conn->accepted_us = reader_u64(bytes, f->accepted);
	conn->since_us = reader_u64(bytes, f->since);
	conn->deadline_us = reader_u64(bytes, f->deadline);
	conn->request_us = reader_u64(bytes, f->began);
	conn->in = reader_u64(bytes, f->in);
	conn->out = reader_u64(bytes, f->out);
	reader_addr(bytes, f->peer, conn->peer);
	reader_text(bytes, f->request, conn->request, sizeof(conn->request));
	conn->in_flight = in_flight(conn);
}

static struct top_conn *add(struct top *t)
{
	if (t->conns_count == t->conns_room) {
		size_t room = t->conns_room == 0 ? 256 : t->conns_room * 2;
		struct top_conn *more = reallocarray(t->conns, room, sizeof(*more));

		if (more == NULL)
			return NULL;
		t->conns = more;
		t->conns_room = room;
	}
	return &t->conns[t->conns_count++];
}

/* One row: as it was read twice, or, if it changed in between, copied with patience. */
static int take(struct top *t, const struct view_worker *w, const struct fields *f, uint32_t row,
		const char *first, const char *second, struct reader_row *copy)
{
	struct reader *r = t->c->reader;
	const char *bytes = second;
	struct top_conn *conn;
	int status = READER_OK;

	if (reader_u64(first, f->state) == f->state_free &&
	    reader_u64(second, f->state) == f->state_free)
		return 0;
	if (memcmp(first, second, f->table->stride) != 0 || (reader_u64(second, f->seq) & 1) != 0) {
		status = reader_copy(r, f->table, row, copy);
		if (status < 0)
			return -1;
		bytes = copy->bytes;
	}
	if (status == READER_LOST || reader_u64(bytes, f->state) == f->state_free)
		return 0;
	conn = add(t);
	if (conn == NULL)
		return -1;
	fill(r, &t->c->view, w, f, bytes, status == READER_TORN, conn);
	if (!conn->dead && reader_u64(bytes, f->state) < VIEW_STATES)
		t->states[reader_u64(bytes, f->state)]++;
	return 0;
}

static int collect_worker(struct top *t, const struct view_worker *w, const struct fields *f,
			  char *block, struct reader_row *copy)
{
	uint32_t used = view_conns_used(w, f->table), start = view_group_first(w, f->table);
	char *again = block + (size_t)BLOCK_ROWS * f->table->stride;

	for (uint32_t i = 0, n; i < used; i += n) {
		n = used - i < BLOCK_ROWS ? used - i : BLOCK_ROWS;
		reader_block(t->c->reader, f->table, start + i, n, block);
		reader_block(t->c->reader, f->table, start + i, n, again);
		for (uint32_t k = 0; k < n; k++) {
			size_t at = (size_t)k * f->table->stride;

			if (take(t, w, f, start + i + k, block + at, again + at, copy) != 0)
				return -1;
		}
	}
	return 0;
}

/* What a worker held when it died is history, unless the whole daemon is. */
static bool wanted(const struct top *t, const struct view_worker *w)
{
	enum view_life master = t->c->view.master_life;

	return view_lives(w) || t->all || (master != VIEW_ALIVE && master != VIEW_HUNG);
}

int top_conns_collect(struct top *t)
{
	const struct view *v = &t->c->view;
	struct reader_row copy = {0};
	struct fields f = {0};
	char *block;
	int err = 0;

	t->conns_count = 0;
	memset(t->states, 0, sizeof(t->states));
	if (!find_fields(t->c->reader, &f))
		return 0;
	block = malloc((size_t)2 * BLOCK_ROWS * f.table->stride);
	if (block == NULL)
		return -1;
	for (uint32_t i = 0; i < v->workers_count && err == 0; i++)
		if (wanted(t, &v->workers[i]))
			err = collect_worker(t, &v->workers[i], &f, block, &copy);
	reader_row_free(&copy);
	free(block);
	return err;
}

/* Read once for each look; "-" if it has none. */
const char *top_conn_server(struct top *t, const struct top_conn *conn)
{
	const struct board_table *servers = reader_table(t->c->reader, "server");
	struct reader_row row = {0};
	char name[128];
	uint32_t i = conn->server - 1;

	if (conn->server == 0 || servers == NULL || i >= servers->rows)
		return "-";
	if (t->servers == NULL) {
		t->servers = calloc(servers->rows, sizeof(*t->servers));
		t->servers_count = t->servers != NULL ? servers->rows : 0;
	}
	if (i >= t->servers_count)
		return "-";
	if (t->servers[i] == NULL) {
		if (reader_copy(t->c->reader, servers, i, &row) >= 0)
			t->servers[i] = strdup(reader_row_text(&row, "name", name, sizeof(name)));
		reader_row_free(&row);
	}
	return t->servers[i] != NULL && t->servers[i][0] != '\0' ? t->servers[i] : "-";
}

char *top_conn_peer(const struct top_conn *conn, char *out, size_t bytes)
{
	char address[INET6_ADDRSTRLEN];

	if (conn->family == 4)
		snprintf(out, bytes, "%s:%u",
			 inet_ntop(AF_INET, conn->peer + 12, address, sizeof(address)), conn->port);
	else if (conn->family == 6)
		snprintf(out, bytes, "[%s]:%u",
			 inet_ntop(AF_INET6, conn->peer, address, sizeof(address)), conn->port);
	else
		snprintf(out, bytes, "unix");
	return out;
}

uint64_t top_conn_age_us(const struct top_conn *conn, uint64_t us)
{
	return us != 0 && us < conn->now_us ? conn->now_us - us : 0;
}
