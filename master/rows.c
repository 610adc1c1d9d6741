/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The master's writing on the board. A look-up table from name to row is made for each assignment,
 * so that ten thousand servers are no more than ten thousand steps. Called by boot.c, reload.c,
 * reopen.c and supervise.c.
 */
#include "master/rows.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "master/generation.h"
#include "worker/address.h"
#include "worker/clock.h"
#include "worker/settings.h"

enum {
	SLOTS_MIN = 16,
	SLOTS_MAX = 256,
	LISTENERS_MIN = 64,
	SERVERS_MIN = 256,
	UPSTREAMS_MIN = 64,
	PEERS_MIN = 256,
	KEY_BYTES = 192,
	JUST_NAMED = 1, /* as a time: before any */
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
	    .upstreams = max_u32(UPSTREAMS_MIN, 2 * s->upstreams_count),
	    .peers = max_u32(PEERS_MIN, 2 * s->peers_count),
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
	    {"upstreams", s->upstreams_count, b->sizes.upstreams},
	    {"peers", s->peers_count, b->sizes.peers},
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
	/* By what a row is found again; "": never used. It may be made in scratch. */
	const char *(*key)(const struct board *, uint32_t row, char scratch[KEY_BYTES]);
	void (*name)(const struct board *, uint32_t row, const char *key);
	uint32_t *(*used)(const struct board *, uint32_t row);
	uint32_t *(*seq)(const struct board *, uint32_t row);
	size_t key_size; /* longer ones are cut */
	const char *what;
	uint32_t *bucket; /* rows by hash of key, open addressing; NO_ROW = free */
	uint32_t mask;
	bool *claimed;  /* by row: this generation has it */
	uint32_t spare; /* where the search for a row without a name goes on */
};

static const char *listener_key(const struct board *b, uint32_t row, char scratch[KEY_BYTES])
{
	(void)scratch;
	return board_listener(b, row)->address;
}

static void listener_name(const struct board *b, uint32_t row, const char *key)
{
	struct listener_row *r = board_listener(b, row);

	strlcpy(r->address, key, sizeof(r->address));
}

static uint32_t *listener_used(const struct board *b, uint32_t row)
{
	return &board_listener(b, row)->used;
}

static uint32_t *listener_seq(const struct board *b, uint32_t row)
{
	return &board_listener(b, row)->seq;
}

static const char *server_key(const struct board *b, uint32_t row, char scratch[KEY_BYTES])
{
	(void)scratch;
	return board_server(b, row)->name;
}

static void server_name(const struct board *b, uint32_t row, const char *key)
{
	struct server_row *r = board_server(b, row);

	strlcpy(r->name, key, sizeof(r->name));
}

static uint32_t *server_used(const struct board *b, uint32_t row)
{
	return &board_server(b, row)->used;
}

static uint32_t *server_seq(const struct board *b, uint32_t row)
{
	return &board_server(b, row)->seq;
}

static const char *upstream_key(const struct board *b, uint32_t row, char scratch[KEY_BYTES])
{
	(void)scratch;
	return board_upstream(b, row)->name;
}

static void upstream_name(const struct board *b, uint32_t row, const char *key)
{
	struct upstream_row *r = board_upstream(b, row);

	strlcpy(r->name, key, sizeof(r->name));
	memset(r->balance, 0, sizeof(r->balance)); /* it has not been in force yet */
}

static uint32_t *upstream_used(const struct board *b, uint32_t row)
{
	return &board_upstream(b, row)->used;
}

static uint32_t *upstream_seq(const struct board *b, uint32_t row)
{
	return &board_upstream(b, row)->seq;
}

/* A peer is one of its upstream: the same address in another is another peer. No title has a line
 * feed. */
static void peer_key_of(char key[KEY_BYTES], const char *upstream, const char *address)
{
	snprintf(key, KEY_BYTES, "%.63s\n%.111s", upstream, address);
}

static const char *peer_key(const struct board *b, uint32_t row, char scratch[KEY_BYTES])
{
	const struct peer_row *r = board_peer(b, row);

	if (r->address[0] == '\0')
		return "";
	peer_key_of(scratch, r->upstream, r->address);
	return scratch;
}

/* What failed under another name says nothing of this one. `active` stays: whoever has requests in
 * hand takes them off when they end. */
static void peer_name(const struct board *b, uint32_t row, const char *key)
{
	struct peer_row *r = board_peer(b, row);
	size_t upstream = strcspn(key, "\n");

	memset(r->upstream, 0, sizeof(r->upstream));
	memcpy(r->upstream, key, upstream);
	strlcpy(r->address, key + upstream + 1, sizeof(r->address));
	board_shared_set(&r->fails, 0);
	board_shared_set(&r->failed_us, 0);
	board_shared_set(&r->failed_until_us, 0);
	board_shared_set(&r->eject_series, 0);
	board_shared_set(&r->rate_now, 0);
	board_shared_set(&r->rate_before, 0);
	board_shared_set(&r->told, PEER_TOLD_NONE);
	board_shared_set(&r->told_weight, 0);
	board_shared_set(&r->told_us, 0);
	board_shared_set(&r->told_uid, 0);
	board_shared_set(&r->returned_us, JUST_NAMED);
	/* The prober's words: none checks a peer that is in no configuration in force. */
	r->check_state = CHECK_UNKNOWN;
	r->check_reason = CHECK_FAILED_NONE;
	r->check_detail = 0;
	board_set(&r->check_until_us, 0);
	board_set(&r->checked_us, 0);
	address_clear(b, row);
	board_shared_set(&r->answer_time, 0);
}

static uint32_t *peer_used(const struct board *b, uint32_t row)
{
	return &board_peer(b, row)->used;
}

static uint32_t *peer_seq(const struct board *b, uint32_t row)
{
	return &board_peer(b, row)->seq;
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
	char scratch[KEY_BYTES];
	uint32_t at = hash(k->key(k->board, row, scratch)) & k->mask;

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
	char scratch[KEY_BYTES];

	while (buckets < 2 * k->rows)
		buckets *= 2;
	k->mask = buckets - 1;
	k->spare = 0;
	k->bucket = malloc(buckets * sizeof(*k->bucket));
	k->claimed = calloc((size_t)k->rows + 1, sizeof(*k->claimed));
	if (!k->bucket || !k->claimed) {
		book_close(k);
		return -1;
	}
	memset(k->bucket, 0xff, buckets * sizeof(*k->bucket));
	for (uint32_t row = 0; row < k->rows; row++)
		if (*k->key(k->board, row, scratch))
			book_enter(k, row);
	return 0;
}

/* The row that has this name and is not claimed yet. */
static uint32_t book_find(const struct book *k, const char *key)
{
	char scratch[KEY_BYTES];

	for (uint32_t at = hash(key) & k->mask; k->bucket[at] != NO_ROW; at = (at + 1) & k->mask)
		if (!strcmp(k->key(k->board, k->bucket[at], scratch), key) &&
		    !k->claimed[k->bucket[at]])
			return k->bucket[at];
	return NO_ROW;
}

/* A row that never had a name, else one whose name is out of use. */
static uint32_t book_spare(struct book *k)
{
	char scratch[KEY_BYTES];

	for (; k->spare < k->rows; k->spare++)
		if (!*k->key(k->board, k->spare, scratch))
			return k->spare;
	for (uint32_t row = 0; row < k->rows; row++)
		if (!*k->used(k->board, row) && !k->claimed[row])
			return row;
	return NO_ROW;
}

static uint32_t book_row(struct book *k, const char *full_key)
{
	char key[KEY_BYTES];

	strlcpy(key, full_key, k->key_size < sizeof(key) ? k->key_size : sizeof(key));
	uint32_t row = book_find(k, key);

	if (row == NO_ROW) {
		row = book_spare(k);
		if (row == NO_ROW)
			return NO_ROW;
		uint32_t *seq = k->seq(k->board, row);

		board_write_begin(seq);
		k->name(k->board, row, key);
		*k->used(k->board, row) = 1;
		board_write_end(seq);
	}
	k->claimed[row] = true;
	return row;
}

static struct book listener_book(const struct board *b)
{
	return (struct book){.board = b,
			     .rows = b->sizes.listeners,
			     .key = listener_key,
			     .name = listener_name,
			     .used = listener_used,
			     .seq = listener_seq,
			     .key_size = sizeof(((struct listener_row *)0)->address),
			     .what = "listeners"};
}

static struct book server_book(const struct board *b)
{
	return (struct book){.board = b,
			     .rows = b->sizes.servers,
			     .key = server_key,
			     .name = server_name,
			     .used = server_used,
			     .seq = server_seq,
			     .key_size = sizeof(((struct server_row *)0)->name),
			     .what = "servers"};
}

static struct book upstream_book(const struct board *b)
{
	return (struct book){.board = b,
			     .rows = b->sizes.upstreams,
			     .key = upstream_key,
			     .name = upstream_name,
			     .used = upstream_used,
			     .seq = upstream_seq,
			     .key_size = sizeof(((struct upstream_row *)0)->name),
			     .what = "upstreams"};
}

static struct book peer_book(const struct board *b)
{
	return (struct book){.board = b,
			     .rows = b->sizes.peers,
			     .key = peer_key,
			     .name = peer_name,
			     .used = peer_used,
			     .seq = peer_seq,
			     .key_size = KEY_BYTES,
			     .what = "peers"};
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

static int assign_upstreams(struct book *k, struct generation *g)
{
	struct settings *s = g->settings;

	for (uint32_t i = 0; i < s->upstreams_count; i++) {
		s->upstreams[i].row = book_row(k, s->upstreams[i].name);
		if (s->upstreams[i].row == NO_ROW)
			return -1;
	}
	return 0;
}

/* A peer that is new in an upstream which was in force before begins slowly. */
static void welcome(const struct board *b, const struct settings *s, const struct peer *p)
{
	struct peer_row *r = board_peer(b, p->row);
	const struct upstream_row *u = board_upstream(b, s->upstreams[p->upstream].row);

	if (board_shared_get(&r->returned_us) == JUST_NAMED)
		board_shared_set(&r->returned_us, u->balance[0] != '\0' ? clock_now_us() : 0);
}

static int assign_peers(struct book *k, struct generation *g)
{
	struct settings *s = g->settings;
	char key[KEY_BYTES];

	for (uint32_t i = 0; i < s->peers_count; i++) {
		peer_key_of(key, s->upstreams[s->peers[i].upstream].name, s->peers[i].address);
		s->peers[i].row = book_row(k, key);
		if (s->peers[i].row == NO_ROW)
			return -1;
		welcome(k->board, s, &s->peers[i]);
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
	struct book upstreams = upstream_book(b), peers = peer_book(b);

	if (assign(&listeners, g, assign_listeners, error, size) ||
	    assign(&servers, g, assign_servers, error, size) ||
	    assign(&upstreams, g, assign_upstreams, error, size))
		return -1;
	return assign(&peers, g, assign_peers, error, size);
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
		r->backlog = bound ? (uint64_t)bound->backlog * bound->count : 0;
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

/* "round_robin", "hash:header:X-User" */
static void write_balance(char *out, size_t size, const struct upstream *u)
{
	static const char *const of[] = {[HASH_ADDRESS] = "address",
					 [HASH_PATH] = "path",
					 [HASH_HEADER] = "header:",
					 [HASH_COOKIE] = "cookie:"};

	switch (u->balance) {
	case BALANCE_ROUND_ROBIN:
		snprintf(out, size, "round_robin");
		break;
	case BALANCE_LEAST_CONN:
		snprintf(out, size, "least_conn");
		break;
	case BALANCE_LEAST_TIME:
		snprintf(out, size, "least_time");
		break;
	case BALANCE_HASH:
		snprintf(out, size, "hash:%s%s", of[u->hash_of],
			 u->hash_name != NULL ? u->hash_name : "");
		break;
	}
}

static void settle_upstreams(const struct board *b, const struct generation *g)
{
	const struct settings *s = g->settings;
	bool *named = calloc((size_t)b->sizes.upstreams + 1, sizeof(*named));

	for (uint32_t i = 0; named && i < s->upstreams_count; i++) {
		struct upstream_row *r = board_upstream(b, s->upstreams[i].row);

		named[s->upstreams[i].row] = true;
		board_write_begin(&r->seq);
		write_balance(r->balance, sizeof(r->balance), &s->upstreams[i]);
		r->queue_size = s->upstreams[i].queue_size;
		board_write_end(&r->seq);
	}
	for (uint32_t row = 0; named && row < b->sizes.upstreams; row++) {
		struct upstream_row *r = board_upstream(b, row);

		if (r->used != named[row])
			__atomic_store_n(&r->used, named[row], __ATOMIC_RELAXED);
	}
	free(named);
}

static void settle_peer(const struct board *b, const struct settings *s, const struct peer *p)
{
	struct peer_row *r = board_peer(b, p->row);

	/* Back in the configuration, or no longer down by it. */
	if ((r->used == 0 || r->down > p->down) && r->upstream_row == s->upstreams[p->upstream].row)
		board_shared_set(&r->returned_us, clock_now_us());
	board_write_begin(&r->seq);
	r->weight = p->weight;
	r->max_conns = p->max_conns;
	r->backup = p->backup;
	r->down = p->down;
	r->check_on = s->upstreams[p->upstream].check.on;
	r->resolved = p->addr_len != 0;
	r->named = p->host != NULL;
	r->upstream_row = s->upstreams[p->upstream].row;
	board_write_end(&r->seq);
}

static void settle_peers(const struct board *b, const struct generation *g)
{
	const struct settings *s = g->settings;
	bool *named = calloc((size_t)b->sizes.peers + 1, sizeof(*named));

	for (uint32_t i = 0; named && i < s->peers_count; i++) {
		named[s->peers[i].row] = true;
		settle_peer(b, s, &s->peers[i]);
	}
	for (uint32_t row = 0; named && row < b->sizes.peers; row++) {
		struct peer_row *r = board_peer(b, row);

		if (r->used != named[row])
			__atomic_store_n(&r->used, named[row], __ATOMIC_RELAXED);
	}
	free(named);
}

/* The deadline_<name>_ms fields stand in the row in the order of the enum. */
static_assert(offsetof(struct server_row, deadline_min_rate_ms) -
		      offsetof(struct server_row, deadline_handshake_ms) ==
		  (DEADLINES_COUNT - 1) * sizeof(uint64_t),
	      "publish_deadlines indexes the settings by the enum");

static void publish_deadlines(const struct board *b, const struct settings *s)
{
	for (uint32_t i = 0; i < s->servers_count; i++) {
		struct server_row *r = board_server(b, s->servers[i].row);
		const struct deadline_settings *d = &s->servers[i].deadlines;

		for (unsigned k = 0; k < DEADLINES_COUNT; k++)
			board_set(&(&r->deadline_handshake_ms)[k], d->at_us[k] / 1000);
		board_set(&r->min_rate, d->min_rate);
	}
}

void rows_settle(const struct board *b, const struct generation *g)
{
	settle_listeners(b, g);
	settle_servers(b, g);
	settle_upstreams(b, g);
	settle_peers(b, g);
	publish_deadlines(b, g->settings);
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
	m->conns_wanted = g->settings->worker_connections_wanted;
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
