/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The master's writing on the board. A look-up table from name to row is made for each assignment,
 * so that ten thousand servers are no more than ten thousand steps. Called by boot.c, reload.c,
 * reopen.c and supervise.c.
 */
#include "master/rows.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "master/generation.h"
#include "worker/settings.h"

enum {
	SLOTS_MIN = 16,
	SLOTS_MAX = 256,
	LISTENERS_MIN = 64,
	SERVERS_MIN = 256,
	NO_ROW = UINT32_MAX
};

static uint32_t max_u32(uint32_t a, uint32_t b)
{
	return a > b ? a : b;
}

struct board_sizes rows_sizes(const struct settings *s)
{
	uint32_t slots = max_u32(SLOTS_MIN, 2 * s->workers);

	return (struct board_sizes){
	    .slots = slots > SLOTS_MAX ? SLOTS_MAX : slots,
	    .conns_per_worker = max_u32(1, s->worker_connections),
	    .listeners = max_u32(LISTENERS_MIN, 2 * s->listeners_count),
	    .servers = max_u32(SERVERS_MIN, 2 * s->servers_count),
	};
}

int rows_fit(const struct board *b, const struct settings *s, char *error, size_t size)
{
	const struct {
		const char *what;
		uint32_t wanted, room;
	} rows[] = {
	    {"workers", s->workers, b->sizes.slots},
	    {"worker_connections", s->worker_connections, b->sizes.conns_per_worker},
	    {"listeners", s->listeners_count, b->sizes.listeners},
	    {"servers", s->servers_count, b->sizes.servers},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (rows[i].wanted <= rows[i].room)
			continue;
		snprintf(error, size,
			 "%s: %s = %u, but the board of this daemon has room for %u: stop drover "
			 "and start it again",
			 s->file ? s->file : "(built in)", rows[i].what, rows[i].wanted,
			 rows[i].room);
		return -1;
	}
	return 0;
}

/* A table of rows under assignment: how to reach the parts of a row that count here. */
struct book {
	const struct board *board;
	uint32_t rows;
	char *(*text)(const struct board *, uint32_t row); /* "": never used */
	uint32_t *(*used)(const struct board *, uint32_t row);
	uint32_t *(*seq)(const struct board *, uint32_t row);
	size_t text_size;
	const char *what;
	uint32_t *bucket; /* rows by hash of text, open addressing; NO_ROW = free */
	uint32_t mask;
	bool *claimed;  /* by row: this generation has it */
	uint32_t spare; /* where the search for a row without a name goes on */
};

static char *listener_text(const struct board *b, uint32_t row)
{
	return board_listener(b, row)->address;
}

static uint32_t *listener_used(const struct board *b, uint32_t row)
{
	return &board_listener(b, row)->used;
}

static uint32_t *listener_seq(const struct board *b, uint32_t row)
{
	return &board_listener(b, row)->seq;
}

static char *server_text(const struct board *b, uint32_t row)
{
	return board_server(b, row)->name;
}

static uint32_t *server_used(const struct board *b, uint32_t row)
{
	return &board_server(b, row)->used;
}

static uint32_t *server_seq(const struct board *b, uint32_t row)
{
	return &board_server(b, row)->seq;
}

static uint32_t hash(const char *text)
{
	uint32_t h = 2166136261u; /* FNV-1a */

	for (; *text; text++)
		h = (h ^ (unsigned char)*text) * 16777619u;
	return h;
}

static void book_enter(struct book *k, uint32_t row)
{
	uint32_t at = hash(k->text(k->board, row)) & k->mask;

	while (k->bucket[at] != NO_ROW)
		at = (at + 1) & k->mask;
	k->bucket[at] = row;
}

static void book_close(struct book *k)
{
	free(k->bucket);
	free(k->claimed);
	k->bucket = NULL;
	k->claimed = NULL;
}

static int book_open(struct book *k)
{
	uint32_t buckets = 4;

	while (buckets < 2 * k->rows)
		buckets *= 2;
	k->mask = buckets - 1;
	k->spare = 0;
	k->bucket = malloc(buckets * sizeof(*k->bucket));
	k->claimed = calloc(k->rows, sizeof(*k->claimed));
	if (!k->bucket || !k->claimed) {
		book_close(k);
		return -1;
	}
	memset(k->bucket, 0xff, buckets * sizeof(*k->bucket));
	for (uint32_t row = 0; row < k->rows; row++)
		if (*k->text(k->board, row))
			book_enter(k, row);
	return 0;
}

/* The row that has this name and is not claimed yet. */
static uint32_t book_find(const struct book *k, const char *name)
{
	for (uint32_t at = hash(name) & k->mask; k->bucket[at] != NO_ROW; at = (at + 1) & k->mask)
		if (!strcmp(k->text(k->board, k->bucket[at]), name) && !k->claimed[k->bucket[at]])
			return k->bucket[at];
	return NO_ROW;
}

/* A row that never had a name, else one whose name is out of use. */
static uint32_t book_spare(struct book *k)
{
	for (; k->spare < k->rows; k->spare++)
		if (!*k->text(k->board, k->spare))
			return k->spare;
	for (uint32_t row = 0; row < k->rows; row++)
		if (!*k->used(k->board, row) && !k->claimed[row])
			return row;
	return NO_ROW;
}

static uint32_t book_row(struct book *k, const char *full_name)
{
	char name[128];

	strlcpy(name, full_name, k->text_size < sizeof(name) ? k->text_size : sizeof(name));
	uint32_t row = book_find(k, name);

	if (row == NO_ROW) {
		row = book_spare(k);
		if (row == NO_ROW)
			return NO_ROW;
		uint32_t *seq = k->seq(k->board, row);

		board_write_begin(seq);
		strlcpy(k->text(k->board, row), name, k->text_size);
		*k->used(k->board, row) = 1;
		board_write_end(seq);
	}
	k->claimed[row] = true;
	return row;
}

static struct book listener_book(const struct board *b)
{
	return (struct book){b,
			     b->sizes.listeners,
			     listener_text,
			     listener_used,
			     listener_seq,
			     sizeof(((struct listener_row *)0)->address),
			     "listeners",
			     NULL,
			     0,
			     NULL,
			     0};
}

static struct book server_book(const struct board *b)
{
	return (struct book){b,
			     b->sizes.servers,
			     server_text,
			     server_used,
			     server_seq,
			     sizeof(((struct server_row *)0)->name),
			     "servers",
			     NULL,
			     0,
			     NULL,
			     0};
}

/* An address that is bound already keeps its row whatever its text. */
static int assign_listeners(struct book *k, struct generation *g)
{
	struct settings *s = g->settings;

	for (uint32_t i = 0; i < s->listeners_count; i++) {
		uint32_t row = book_row(k, g->bound[i]->text);

		if (row == NO_ROW)
			return -1;
		s->listeners[i].row = g->bound[i]->row = row;
	}
	return 0;
}

static int assign_servers(struct book *k, struct generation *g)
{
	struct settings *s = g->settings;

	for (uint32_t i = 0; i < s->servers_count; i++) {
		s->servers[i].row = book_row(k, s->servers[i].name);
		if (s->servers[i].row == NO_ROW)
			return -1;
	}
	return 0;
}

static int assign(struct book *k, struct generation *g,
		  int (*rows)(struct book *, struct generation *), char *error, size_t size)
{
	int bad = book_open(k) || rows(k, g);

	if (bad)
		snprintf(error, size,
			 "the board has no room for all %s, those of before included: stop drover "
			 "and start it again",
			 k->what);
	book_close(k);
	return bad ? -1 : 0;
}

int rows_assign(const struct board *b, struct generation *g, char *error, size_t size)
{
	struct book listeners = listener_book(b), servers = server_book(b);

	if (assign(&listeners, g, assign_listeners, error, size))
		return -1;
	return assign(&servers, g, assign_servers, error, size);
}

static void settle_listeners(const struct board *b, const struct generation *g)
{
	uint32_t in_use = 0;

	for (uint32_t row = 0; row < b->sizes.listeners; row++) {
		struct listener_row *r = board_listener(b, row);
		const struct bound *bound = NULL;

		for (uint32_t i = 0; i < g->settings->listeners_count && !bound; i++)
			if (g->bound[i]->row == row)
				bound = g->bound[i];
		if (!bound && !r->used)
			continue;
		board_write_begin(&r->seq);
		if (bound)
			r->generation = bound->opened;
		r->used = bound ? 1 : 0;
		r->sockets = bound ? bound->count : 0;
		board_write_end(&r->seq);
		in_use += r->used;
	}
	board_set(&b->master->listeners, in_use);
}

/* Rows that stay in use are not touched, so that no reader misses them for a moment. */
static void settle_servers(const struct board *b, const struct generation *g)
{
	bool *named = calloc(b->sizes.servers, sizeof(*named));

	for (uint32_t i = 0; named && i < g->settings->servers_count; i++)
		named[g->settings->servers[i].row] = true;
	for (uint32_t row = 0; named && row < b->sizes.servers; row++) {
		struct server_row *r = board_server(b, row);

		if (r->used != named[row])
			__atomic_store_n(&r->used, named[row], __ATOMIC_RELAXED);
	}
	free(named);
	board_set(&b->master->servers, g->settings->servers_count);
}

void rows_settle(const struct board *b, const struct generation *g)
{
	settle_listeners(b, g);
	settle_servers(b, g);
}

void rows_queues(const struct board *b, const struct generation *g)
{
	for (uint32_t i = 0; g->bound && i < g->settings->listeners_count; i++) {
		struct listener_row *r = board_listener(b, g->bound[i]->row);
		uint64_t queue, queue_max;

		listen_queue(g->bound[i], &queue, &queue_max);
		board_set(&r->queue, queue);
		board_set(&r->queue_max, queue_max);
	}
}

void rows_start(const struct board *b, uint64_t now_us, uint64_t pid)
{
	struct master_row *m = b->master;

	board_write_begin(&m->seq);
	m->state = MASTER_STARTING;
	m->pid = pid;
	m->started_us = m->beat_us = now_us;
	m->slots = b->sizes.slots;
	strlcpy(m->version, DROVER_VERSION, sizeof(m->version));
	board_write_end(&m->seq);
}

void rows_state(const struct board *b, enum master_state state)
{
	board_write_begin(&b->master->seq);
	b->master->state = state;
	board_write_end(&b->master->seq);
}

void rows_in_force(const struct board *b, const struct generation *g, uint64_t now_us)
{
	struct master_row *m = b->master;

	board_write_begin(&m->seq);
	m->generation = g->number;
	m->configured_us = now_us;
	m->drain_ms = g->settings->drain_us / 1000;
	strlcpy(m->config, g->settings->file ? g->settings->file : "", sizeof(m->config));
	board_write_end(&m->seq);
}

void rows_reload_asked(const struct board *b)
{
	struct master_row *m = b->master;

	board_write_begin(&m->seq);
	m->reloads++;
	m->reload_result = RESULT_PENDING;
	m->reload_error[0] = '\0';
	board_write_end(&m->seq);
}

void rows_reload_failed(const struct board *b, const char *why, uint64_t now_us)
{
	struct master_row *m = b->master;

	board_write_begin(&m->seq);
	m->reload_failures++;
	m->reload_us = now_us;
	strlcpy(m->reload_error, why, sizeof(m->reload_error));
	board_write_end(&m->seq);
}

void rows_reload_ended(const struct board *b, enum result result, uint64_t now_us)
{
	struct master_row *m = b->master;

	board_write_begin(&m->seq);
	m->reload_result = result;
	m->reload_us = now_us;
	board_write_end(&m->seq);
}

void rows_upgrade_asked(const struct board *b)
{
	struct master_row *m = b->master;

	board_write_begin(&m->seq);
	m->upgrades++;
	m->upgrade_result = RESULT_PENDING;
	m->upgrade_error[0] = '\0';
	board_write_end(&m->seq);
}

void rows_upgrade_ended(const struct board *b, const char *why, uint64_t now_us)
{
	struct master_row *m = b->master;

	board_write_begin(&m->seq);
	m->upgrade_failures += why != NULL;
	m->upgrade_result = why ? RESULT_FAILED : RESULT_OK;
	m->upgrade_us = now_us;
	strlcpy(m->upgrade_error, why ? why : "", sizeof(m->upgrade_error));
	board_write_end(&m->seq);
}

void rows_inherit(const struct board *b, enum master_state state, uint64_t now_us)
{
	struct master_row *m = b->master;

	board_write_begin(&m->seq);
	m->state = state;
	m->pid = (uint64_t)getpid();
	m->beat_us = now_us;
	m->slots = b->sizes.slots;
	strlcpy(m->version, DROVER_VERSION, sizeof(m->version));
	board_write_end(&m->seq);
}

void rows_rebalanced(const struct board *b, enum result result, uint64_t conns)
{
	struct master_row *m = b->master;

	board_write_begin(&m->seq);
	m->rebalances++;
	m->rebalance_result = result;
	m->rebalanced += conns;
	board_write_end(&m->seq);
}

void rows_reopened(const struct board *b, enum result result)
{
	struct master_row *m = b->master;

	board_write_begin(&m->seq);
	m->reopens++;
	m->reopen_result = result;
	board_write_end(&m->seq);
}
