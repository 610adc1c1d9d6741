/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How many rows there are, and what the master writes into those of listeners, servers, upstreams
 * and peers that have been assigned (rows_assign.c). Called by boot.c, load.c and the files of the
 * loop.
 */
#include "master/rows.h"

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "master/generation.h"
#include "worker/clock.h"
#include "worker/settings.h"

enum {
	SLOTS_MIN = 16,
	SLOTS_MAX = 256,
	LISTENERS_MIN = 64,
	SERVERS_MIN = 256,
	UPSTREAMS_MIN = 64,
	PEERS_MIN = 256
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
			 "%s: %s = %u, but the board of this daemon has room for %u: 'droverctl "
			 "upgrade' makes a larger one, and loses nothing",
			 s->file ? s->file : "(built in)", rows[i].what, rows[i].wanted,
			 rows[i].room);
		return -1;
	}
	return 0;
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
