/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Makes, shares and frees generations. Reads no file and starts nobody. Called by boot.c, load.c,
 * change.c, slot.c and child.c.
 */
#include "master/generation.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "master/conf.h"
#include "master/pool.h"
#include "worker/errlog.h"

static int bind_all(struct generation *g, uint32_t workers, struct listen_set *set, char *error,
		    size_t size)
{
	const struct settings *s = g->settings;
	unsigned ticket = ++set->tickets;
	char why[256];

	for (uint32_t i = 0; i < s->listeners_count; i++) {
		const struct listener *l = &s->listeners[i];

		g->bound[i] = listen_get(set, l, ticket, workers, why, sizeof(why));
		if (g->bound[i]) {
			if (!g->bound[i]->opened)
				g->bound[i]->opened = g->number;
			continue;
		}
		if (l->pos.file)
			snprintf(error, size, "%s:%d: %s", l->pos.file, l->pos.line, why);
		else
			snprintf(error, size, "%s", why);
		return -1;
	}
	return 0;
}

static struct generation *make(struct settings *s, uint32_t number)
{
	struct generation *g = calloc(1, sizeof(*g));

	if (!g)
		return NULL;
	g->number = number;
	g->settings = s;
	g->logs = LOGS_CLOSED;
	g->bound = calloc(s->listeners_count + 1, sizeof(struct bound *));
	if (g->bound)
		return g;
	free(g);
	return NULL;
}

static struct generation *enter(struct generation *g, struct generation **list)
{
	g->users = 1;
	g->list = list;
	g->next = *list;
	*list = g;
	return g;
}

struct generation *generation_open(struct generation **list, struct settings *s, uint32_t number,
				   uint32_t workers, struct listen_set *set, char *error,
				   size_t size)
{
	struct generation *g = make(s, number);

	snprintf(error, size, "no memory for the configuration");
	if (!g)
		return NULL;
	if (bind_all(g, workers ? workers : 1, set, error, size))
		goto fail;
	if (logs_open(&g->logs, s, error, size))
		goto fail;
	return enter(g, list);
fail:
	generation_retire(g, set);
	free(g);
	return NULL;
}

struct generation *generation_restore(struct generation **list, struct settings *s, uint32_t number,
				      struct listen_set *set, const struct logs *logs, char *error,
				      size_t size)
{
	struct generation *g = make(s, number);

	snprintf(error, size, "no memory for the configuration");
	if (!g)
		return NULL;
	if (bind_all(g, 1, set, error, size)) {
		generation_retire(g, set);
		free(g);
		return NULL;
	}
	g->logs = *logs;
	return enter(g, list);
}

struct generation *generation_foreign(struct generation **list, uint32_t number, uint64_t drain_us,
				      uint64_t hang_us)
{
	struct pool *memory = pool_new();
	struct settings *s = memory ? pool_alloc(memory, sizeof(*s)) : NULL;
	struct generation *g;

	if (!s) {
		if (memory)
			pool_free(memory);
		return NULL;
	}
	*s = (struct settings){.memory = memory, .drain_us = drain_us, .hang_us = hang_us};
	g = make(s, number);
	if (!g) {
		pool_free(memory);
		return NULL;
	}
	g->foreign = true;
	return enter(g, list);
}

void generation_use(struct generation *g)
{
	g->users++;
}

void generation_release(struct generation *g)
{
	struct generation **at = g->list;

	if (--g->users)
		return;
	while (*at != g)
		at = &(*at)->next;
	*at = g->next;
	logs_close(&g->logs);
	settings_free(g->settings);
	free(g->bound);
	free(g);
}

void generation_forget_others(const struct generation *own)
{
	for (const struct generation *g = *own->list; g; g = g->next)
		if (g != own)
			logs_forget(&g->logs);
}

void generation_retire(struct generation *g, struct listen_set *set)
{
	for (uint32_t i = 0; g->bound && i < g->settings->listeners_count; i++)
		if (g->bound[i])
			listen_put(set, g->bound[i]);
	free(g->bound);
	g->bound = NULL;
}

int generation_grow(struct generation *g, uint32_t workers, char *error, size_t size)
{
	for (uint32_t i = 0; g->bound && i < g->settings->listeners_count; i++) {
		if (listen_grow(g->bound[i], workers)) {
			snprintf(error, size, "cannot add a socket to %s: %s", g->bound[i]->text,
				 strerror(errno));
			return -1;
		}
	}
	return 0;
}

void generation_apply(struct generation *g)
{
	for (uint32_t i = 0; i < g->settings->listeners_count; i++) {
		const struct listener *l = &g->settings->listeners[i];

		listen_apply(g->bound[i], l);
		if (l->reuseport != g->bound[i]->reuseport && l->addr.sa.sa_family != AF_UNIX)
			errlog(ERRLOG_WARN,
			       "%s:%d: reuseport of %s changes only when drover is started again",
			       l->pos.file ? l->pos.file : "(built in)", l->pos.line, l->address);
	}
}

void generation_use_log(const struct generation *g)
{
	errlog_open(g->logs.error_fd, g->settings->log_level, -1);
}

bool generation_has_groups(const struct generation *g)
{
	for (uint32_t i = 0; g->bound && i < g->settings->listeners_count; i++)
		if (g->bound[i]->reuseport)
			return true;
	return false;
}

unsigned generation_sockets(const struct generation *g)
{
	unsigned n = 0;

	for (uint32_t i = 0; g->bound && i < g->settings->listeners_count; i++)
		n += g->bound[i]->count;
	return n;
}

/* Whether the worker of a slot serves socket j of an address. An inherited group may have fewer
 * sockets than there are workers: then they share. */
static bool serves(const struct bound *b, unsigned j, uint32_t slot, uint32_t workers)
{
	if (b->fds[j] < 0)
		return false;
	if (!b->reuseport)
		return true;
	return b->count < workers ? slot % b->count == j : j % (workers ? workers : 1) == slot;
}

/* Calls of it walk the same sockets in the same order, so that lists can be compared. */
static uint32_t walk(const struct generation *g, uint32_t slot, uint32_t workers, int *fds,
		     uint32_t *ids)
{
	uint32_t n = 0;

	for (uint32_t i = 0; g->bound && i < g->settings->listeners_count; i++) {
		for (unsigned j = 0; j < g->bound[i]->count; j++) {
			if (!serves(g->bound[i], j, slot, workers))
				continue;
			if (fds) {
				fds[n] = g->bound[i]->fds[j];
				ids[n] = i;
			}
			n++;
		}
	}
	return n;
}

int share_list(struct share *out, const struct generation *g, uint32_t slot, uint32_t workers)
{
	*out = (struct share){.count = walk(g, slot, workers, NULL, NULL)};
	out->fds = calloc(out->count + 1, sizeof(*out->fds));
	out->ids = calloc(out->count + 1, sizeof(*out->ids));
	if (!out->fds || !out->ids) {
		share_free(out);
		errno = ENOMEM;
		return -1;
	}
	walk(g, slot, workers, out->fds, out->ids);
	return 0;
}

bool share_is(const struct share *s, const struct generation *g, uint32_t slot, uint32_t workers)
{
	struct share now;
	bool same;

	if (!generation_has_groups(g))
		return true;
	if (share_list(&now, g, slot, workers))
		return true; /* without memory nobody is replaced */
	same = now.count == s->count && !memcmp(now.fds, s->fds, now.count * sizeof(*now.fds));
	share_free(&now);
	return same;
}

void share_free(struct share *s)
{
	free(s->fds);
	free(s->ids);
	*s = (struct share){0};
}
