/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Connections and accept queues, as the kernel shows them: counted as they come. Called by
 * shm/ctl_facts.c.
 */
#include <stdlib.h>
#include <string.h>

#include "shm/ctl_gather.h"

enum {
	QUIET_MS = 500, /* a window that was closed for less is nothing */
	TRIES_MANY = 4
};

/* The same at both looks: a socket without a process has no number but its ends. */
static uint64_t key_of(const struct sockdiag_socket *s)
{
	uint64_t key = UINT64_C(14695981039346656037);

	if (s->inode != 0)
		return s->inode;
	for (size_t i = 0; i < sizeof(s->peer); i++)
		key = (key ^ s->peer[i]) * UINT64_C(1099511628211);
	key = (key ^ s->peer_port) * UINT64_C(1099511628211);
	key = (key ^ s->local_port) * UINT64_C(1099511628211);
	return key | UINT64_C(1) << 63;
}

static void begin_count(void *arg)
{
	struct gather *g = arg;
	struct facts_sockets *k = &g->f->sockets;

	memset(k->now, 0, sizeof(k->now));
	k->stayed = k->stayed_queued = k->segments = k->retrans = k->stuck = k->shut = 0;
	k->info = false;
	memset(k->slow, 0, sizeof(k->slow));
	memset(k->resent, 0, sizeof(k->resent));
	g->stayed.count = 0;
	if (!g->second)
		g->closing.count = 0;
}

/* Keeps the worst, sorted by one of their numbers. */
static void keep_peer(struct facts_peer worst[FACTS_PEERS], const struct sockdiag_socket *s,
		      size_t by)
{
	struct facts_peer p = {.unsent = s->wqueue,
			       .retrans = s->retrans,
			       .segments = s->segments,
			       .quiet_us = s->quiet_ms * 1000};

	sockdiag_text(s->peer, s->peer_port, p.address, sizeof(p.address));
	for (size_t i = 0; i < FACTS_PEERS; i++) {
		struct facts_peer out = worst[i];

		if (out.address[0] != '\0' && *(const uint64_t *)((const char *)&out + by) >=
						  *(const uint64_t *)((const char *)&p + by))
			continue;
		worst[i] = p;
		p = out;
		if (p.address[0] == '\0')
			return;
	}
}

static void take_traffic(struct facts_sockets *k, const struct sockdiag_socket *s)
{
	k->info = true;
	k->segments += s->segments;
	k->retrans += s->retrans;
	k->stuck += s->tries >= TRIES_MANY && !s->probing;
	if (s->retrans > 0)
		keep_peer(k->resent, s, offsetof(struct facts_peer, retrans));
	if (!s->probing || s->wqueue == 0 || s->quiet_ms < QUIET_MS)
		return;
	k->shut++;
	keep_peer(k->slow, s, offsetof(struct facts_peer, quiet_us));
}

static void take_socket(const struct sockdiag_socket *s, size_t end, void *arg)
{
	struct gather *g = arg;
	struct facts_sockets *k = &g->f->sockets;
	size_t at;

	(void)end;
	k->now[s->state]++;
	if (s->has_info && s->state != TCPS_LISTEN)
		take_traffic(k, s);
	if (g->second && s->inode != 0) {
		at = set_find(&g->unclaimed, s->inode);
		if (at < g->unclaimed.count)
			g->unclaimed.mark[at] = true;
	}
	if (s->state != TCPS_CLOSE_WAIT)
		return;
	if (!g->second) {
		set_add(&g->closing, key_of(s));
		return;
	}
	if (set_find(&g->closing, key_of(s)) == g->closing.count)
		return;
	k->stayed++;
	k->stayed_queued += s->inode == 0;
	if (s->inode != 0)
		set_add(&g->stayed, s->inode);
}

static void begin_queues(void *arg)
{
	struct gather *g = arg;

	for (size_t i = 0; i < g->ends_count; i++) {
		struct facts_listener *l = &g->f->listeners[g->end_listener[i]];

		l->queue = l->queue_max = 0;
		/* The first look's stands in dropped, and the second's difference is made then. */
		if (!g->second)
			l->dropped = FACTS_UNKNOWN;
		l->dropped_since = FACTS_UNKNOWN;
	}
}

static void take_queue(const struct sockdiag_socket *s, size_t end, void *arg)
{
	struct gather *g = arg;
	struct facts_listener *l = &g->f->listeners[g->end_listener[end]];
	uint64_t *sum = g->second ? &l->dropped_since : &l->dropped;

	/* A group of sockets on one address: all that they hold. */
	l->queue += s->rqueue;
	l->queue_max += s->wqueue;
	if (s->has_drops)
		*sum = (*sum == FACTS_UNKNOWN ? 0 : *sum) + s->drops;
}

/* From the second total to the difference. */
static void settle_drops(struct gather *g)
{
	for (size_t i = 0; i < g->f->listeners_count; i++) {
		struct facts_listener *l = &g->f->listeners[i];
		uint64_t then = l->dropped, now = l->dropped_since;

		if (now == FACTS_UNKNOWN || then == FACTS_UNKNOWN)
			continue;
		l->dropped = now;
		l->dropped_since = now > then ? now - then : 0;
	}
}

static void count_sockets(struct gather *g)
{
	struct facts_sockets *k = &g->f->sockets;
	struct sockdiag_query q = {.endpoints = g->ends,
				   .count = g->ends_count,
				   .side = SOCKDIAG_LOCAL,
				   .states = 1u << TCPS_LISTEN,
				   .drops = true,
				   .begin = begin_queues,
				   .each = take_queue,
				   .arg = g};

	if (k->unknown[0] != '\0' || sockdiag_dump(&q, k->unknown, sizeof(k->unknown)) != 0)
		return;
	q.states = ~(1u << TCPS_LISTEN) & ((1u << TCPS_COUNT) - 2);
	q.drops = false;
	q.info = g->second;
	q.begin = begin_count;
	q.each = take_socket;
	if (g->second)
		memcpy(k->before, k->now, sizeof(k->before));
	if (sockdiag_dump(&q, k->unknown, sizeof(k->unknown)) != 0)
		return;
	if (!g->second)
		set_sort(&g->closing);
}

void gather_sockets(struct gather *g)
{
	count_sockets(g);
	if (g->second)
		settle_drops(g);
}

struct ports {
	struct facts_upstream *all;
};

static void take_port(const struct sockdiag_socket *s, size_t end, void *arg)
{
	struct ports *p = arg;

	p->all[end].used++;
	p->all[end].time_wait += s->state == TCPS_TIME_WAIT;
}

void gather_ports(struct gather *g)
{
	struct facts *f = g->f;
	struct ports p = {f->upstreams};
	struct sockdiag_endpoint *ends = calloc(f->upstreams_count + 1, sizeof(*ends));
	struct sockdiag_query q = {.endpoints = ends,
				   .count = f->upstreams_count,
				   .side = SOCKDIAG_PEER,
				   .states = ((1u << TCPS_COUNT) - 2) & ~(1u << TCPS_LISTEN),
				   .each = take_port,
				   .arg = &p};

	for (size_t i = 0; ends != NULL && i < f->upstreams_count; i++) {
		(void)sockdiag_parse(f->upstreams[i].address, &ends[i]);
		f->upstreams[i].used = f->upstreams[i].time_wait = 0;
	}
	if (ends != NULL && f->sockets.unknown[0] == '\0')
		(void)sockdiag_dump(&q, f->sockets.unknown, sizeof(f->sockets.unknown));
	free(ends);
}
