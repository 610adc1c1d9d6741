/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which row of the board a listener, server, upstream or peer has. A look-up table from name to row
 * is made for each assignment, so that ten thousand servers are no more than ten thousand steps.
 * Called by boot.c, load.c and inherit.c.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "master/generation.h"
#include "master/rows.h"
#include "worker/address.h"
#include "worker/clock.h"
#include "worker/settings.h"

enum {
	KEY_BYTES = 192,
	JUST_NAMED = 1, /* as a time: before any */
	NO_ROW = UINT32_MAX
};

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
	board_shared_set(&r->trial_us, 0);
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
			 "the board has no room for all %s, those of before included: change them "
			 "in two steps, or let 'droverctl upgrade' make a larger one",
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
