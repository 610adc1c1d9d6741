/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From the parsed configuration to settings: values are judged, levels inherit, names get indices.
 * All that is wrong is said with its place; the settings are only good if no error was.
 */
#ifndef DROVER_MASTER_CONF_FILL_H
#define DROVER_MASTER_CONF_FILL_H

#include "master/conf_index.h"
#include "master/conf_schema.h"
#include "master/conf_source.h"
#include "master/conf_tree.h"
#include "worker/settings.h"

/* Beside an upstream. */
struct conf_pool {
	cfg_t *sec; /* NULL: made of an address that a location names */
	bool named; /* by a location */
	bool fastcgi;
	int spoken_at; /* where a location says so; 0: none yet */
};

/* What the parts of the filling share, for as long as it lasts. */
struct conf_fill {
	struct settings *s;
	struct pool *pool;    /* of the settings */
	struct pool *scratch; /* gone afterwards */
	const struct conf_source *src;
	const char *dir; /* where relative paths begin */
	cfg_t *root;

	/* The global level, which every server begins as a copy of. */
	struct server server;
	struct location place;
	struct conf_extra extra;

	struct conf_index logs;         /* settings.logs by path */
	struct conf_index listeners;    /* settings.listeners by address */
	struct conf_index names;        /* server by listener and name */
	struct conf_index titles;       /* server by title */
	struct conf_listener *bindings; /* beside settings.listeners */
	int *log_at;                    /* beside settings.logs: first use */
	cfg_t **sections;               /* beside settings.servers */
	struct conf_index upstreams;    /* settings.upstreams by name */
	struct conf_pool *pools;        /* beside settings.upstreams */
};

/* Fills s from root. s->memory and s->file are set already. Everything but route is made. */
void conf_fill(struct conf_fill *f);

/* For the parts: the defaults of a table and of its sections without title. */
void conf_fill_defaults(struct conf_fill *f, const struct conf_option *table,
			void *const base[CONF_BASES]);
/* All options of a section that have a field of their own. */
void conf_fill_options(struct conf_fill *f, cfg_t *sec, const struct conf_option *table,
		       void *const base[CONF_BASES]);
/* Where an option of a section stands; 0 if it does not. */
int conf_fill_at(cfg_t *sec, const char *option);
/* Did the walk leave something out of this section? Then what it lacks may be that. */
bool conf_fill_damaged(const struct conf_fill *f, cfg_t *sec);
/* The table of media types, loaded when it is first asked for. */
const struct mime *conf_fill_mime(struct conf_fill *f);
/* "FILE:LINE" */
const char *conf_fill_where(const struct conf_fill *f, int at);
struct conf_pos conf_fill_pos(const struct conf_fill *f, int at);

#endif
