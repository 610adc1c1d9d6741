/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Loads a configuration whole before anything is touched. Called by boot.c and change.c.
 */
#include "master/load.h"

#include <stdio.h>

#include "master/conf.h"
#include "master/generation.h"
#include "master/limit.h"
#include "master/options.h"
#include "master/resolve.h"
#include "master/rows.h"
#include "worker/errlog.h"

struct settings *load_settings(const struct options *o, struct conf_messages *m)
{
	return o->dir ? conf_embedded(o->listen, o->dir, m) : conf_load(o->config, m);
}

static void log_messages(const struct conf_messages *m)
{
	for (size_t i = 0; i < m->count; i++) {
		const struct conf_message *c = &m->list[i];
		int level = c->severity == CONF_ERROR ? ERRLOG_ERROR : ERRLOG_WARN;

		if (c->line)
			errlog(level, "%s:%d: %s", c->file, c->line, c->text);
		else
			errlog(level, "%s: %s", c->file, c->text);
	}
	if (m->left_out)
		errlog(ERRLOG_ERROR, "%zu more messages about the configuration are left out",
		       m->left_out);
}

static struct settings *read_settings(const struct options *o, char *error, size_t size)
{
	struct conf_messages m = {0};
	struct settings *s = load_settings(o, &m);

	log_messages(&m);
	if (!s && m.errors > 1)
		snprintf(error, size, "%s (and %zu more, see the error log)",
			 conf_messages_first(&m), m.errors - 1);
	else if (!s)
		snprintf(error, size, "%s", conf_messages_first(&m));
	conf_messages_free(&m);
	return s;
}

struct generation *load_generation(const struct options *o, const struct board *b,
				   struct generation **list, struct listen_set *set,
				   uint32_t number, char *error, size_t size)
{
	struct settings *s = read_settings(o, error, size);
	char warning[512];

	if (!s)
		return NULL;
	if (limit_raise(s, s->listeners_count, warning, sizeof(warning)))
		errlog(ERRLOG_WARN, "%s", warning);
	if (rows_fit(b, s, error, size)) {
		settings_free(s);
		return NULL;
	}
	struct generation *g = generation_open(list, s, number, s->workers, set, error, size);

	if (!g) {
		settings_free(s);
		return NULL;
	}
	if (rows_assign(b, g, error, size)) {
		generation_retire(g, set);
		generation_release(g);
		return NULL;
	}
	resolve_logged(s, b, RESOLVE_RELOAD_MS);
	return g;
}
