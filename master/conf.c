/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The way from a file to settings, in order: conf_source (files, includes, names and forms),
 * conf_tree (libconfuse), conf_fill (values and inheritance), the look-up tables. One place catches
 * shortage of memory and frees what each step holds.
 */
#include "master/conf.h"

#include <limits.h>
#include <malloc.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "master/conf_check.h"
#include "master/conf_fill.h"
#include "master/pool.h"
#include "worker/http/mime.h"
#include "worker/http/route.h"

/* What is to be loaded: a file, or a text with a name. */
struct origin {
	const char *file;
	const char *text;
	size_t len;
	const char *dir;
};

/* All that a load holds. */
struct load {
	struct conf_source src;
	struct conf_fill fill;
	struct settings *settings;
	cfg_t *tree;
	jmp_buf out;
};

void settings_free(struct settings *s)
{
	if (s == NULL)
		return;
	route_free(s->route);
	mime_free(s->mime);
	pool_free(s->memory);
}

static void say_no_memory(struct conf_messages *m, const char *file, ...)
{
	va_list ap;

	va_start(ap, file);
	conf_messages_add(m, CONF_ERROR, file, 0, 0, "out of memory", ap);
	va_end(ap);
}

/* The directory of a file, absolute. */
static const char *directory_of(struct pool *pool, const char *file)
{
	const char *slash = strrchr(file, '/');
	const char *dir = slash == NULL   ? "."
			  : slash == file ? "/"
					  : pool_strndup(pool, file, (size_t)(slash - file));
	char real[PATH_MAX];

	return pool_strdup(pool, realpath(dir, real) != NULL ? real : dir);
}

static int read_source(struct load *l, const struct origin *o)
{
	struct conf_source *src = &l->src;
	char real[PATH_MAX];

	if (o->text == NULL)
		src->dir = directory_of(src->pool, o->file);
	else
		src->dir = pool_strdup(src->pool, o->dir != NULL                ? o->dir
						  : realpath(".", real) != NULL ? real
										: ".");
	if (o->text == NULL)
		return conf_source_file(src, o->file);
	return conf_source_text(src, o->file, o->text, o->len);
}

/* Fills l->settings. Returns -1 if there was an error. */
static int build(struct load *l, const struct origin *o)
{
	struct settings *s = l->settings;

	if (read_source(l, o) < 0)
		return -1;
	l->tree = conf_tree_parse(&l->src, l->src.pool);
	if (l->tree == NULL)
		return -1;
	if (o->text == NULL)
		s->file = pool_strdup(s->memory, o->file);
	l->fill.s = s;
	l->fill.pool = s->memory;
	l->fill.scratch = l->src.pool;
	l->fill.src = &l->src;
	l->fill.dir = l->src.dir;
	l->fill.root = l->tree;
	conf_fill(&l->fill);
	if (l->src.m->errors > 0)
		return -1;
	s->route = route_build(s);
	if (s->route == NULL)
		pool_empty(s->memory);
	conf_check_routes(&l->fill);
	return 0;
}

/* Makes what a load needs before it can jump. */
static int begin(struct load *l, struct conf_messages *m)
{
	struct pool *memory = pool_new();

	l->src.m = m;
	l->src.pool = pool_new();
	l->src.names = memory;
	if (memory != NULL)
		l->settings = pool_alloc(memory, sizeof(*l->settings));
	if (l->settings == NULL)
		pool_free(memory);
	else
		l->settings->memory = memory;
	return l->settings == NULL || l->src.pool == NULL ? -1 : 0;
}

static struct settings *finish(struct load *l, int result)
{
	struct settings *s = l->settings;
	bool large;

	if (l->tree != NULL)
		cfg_free(l->tree);
	/* libconfuse's copies of its tables are many times the size of a large configuration. The
	 * workers to come need not inherit the holes that they leave. */
	large = l->src.len > 256 * 1024;
	pool_free(l->src.pool);
	if (s != NULL)
		pool_escape(s->memory, NULL);
	if (result < 0) {
		settings_free(s);
		s = NULL;
	}
	free(l);
	if (large)
		malloc_trim(0);
	return s;
}

static struct settings *load(const struct origin *o, struct conf_messages *m)
{
	/* Not on the stack: what longjmp leaves of a changed local is undefined. */
	struct load *l = calloc(1, sizeof(*l));

	if (l == NULL || begin(l, m) < 0) {
		say_no_memory(m, o->file);
		return l == NULL ? NULL : finish(l, -1);
	}
	if (setjmp(l->out) != 0) {
		say_no_memory(m, o->file);
		return finish(l, -1);
	}
	pool_escape(l->src.pool, &l->out);
	pool_escape(l->settings->memory, &l->out);
	return finish(l, build(l, o));
}

struct settings *conf_load(const char *file, struct conf_messages *m)
{
	return load(&(struct origin){.file = file}, m);
}

struct settings *conf_parse_text(const char *name, const char *text, size_t len, const char *dir,
				 struct conf_messages *m)
{
	return load(&(struct origin){.file = name, .text = text, .len = len, .dir = dir}, m);
}
