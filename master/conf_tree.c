/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * libconfuse's tables are made from the schema: every option is a value of our own kind, made by
 * one callback that notes text and line, so that no value is judged while libconfuse parses (it
 * would stop at the first bad one).
 */
#include "master/conf_tree.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "master/conf_schema.h"
#include "master/conf_source.h"
#include "master/pool.h"

/* The option that conf_source puts into each section. */
#define OPENING "#"

/* libconfuse passes nothing of ours to its callbacks; its lexer is global as well. */
static struct {
	struct pool *pool;
	const struct conf_source *src;
} parsing;

static int note_word(cfg_t *cfg, cfg_opt_t *opt, const char *value, void *result)
{
	struct conf_word *w = pool_alloc(parsing.pool, sizeof(*w));

	(void)opt;
	if (w != NULL)
		w->text = pool_strdup(parsing.pool, value);
	if (w == NULL || w->text == NULL)
		return -1;
	w->at = cfg->line;
	*(void **)result = w;
	return 0;
}

/* conf_walk lets nothing pass that libconfuse refuses: this is for what nobody thought of. */
static void note_error(cfg_t *cfg, const char *fmt, va_list ap)
    __attribute__((format(printf, 2, 0)));

static void note_error(cfg_t *cfg, const char *fmt, va_list ap)
{
	char text[256];

	vsnprintf(text, sizeof(text), fmt, ap);
	conf_source_error(parsing.src, cfg->line, "%s", text);
}

/* libconfuse's form of a table of the schema. It copies what it is given. */
static cfg_opt_t *options(struct pool *pool, const struct conf_option *table)
{
	const cfg_opt_t opening[] = {CFG_PTR_LIST_CB(OPENING, NULL, CFGF_NONE, note_word, NULL)};
	const cfg_opt_t end[] = {CFG_END()};
	cfg_opt_t *opts;
	size_t n = 0;

	while (table[n].name != NULL)
		n++;
	opts = pool_array(pool, n + 2, sizeof(*opts));
	for (size_t i = 0; i < n; i++) {
		const struct conf_option *o = &table[i];
		bool list = o->kind == CONF_LIST;
		const cfg_opt_t value[] = {
		    CFG_PTR_CB(o->name, NULL, list ? CFGF_LIST : CFGF_NONE, note_word, NULL)};
		const cfg_opt_t section[] = {CFG_SEC(o->name, NULL, CFGF_MULTI)};

		opts[i] = o->kind == CONF_SECTION ? section[0] : value[0];
		if (o->kind == CONF_SECTION)
			opts[i].subopts = options(pool, o->inside);
	}
	opts[n] = opening[0];
	opts[n + 1] = end[0];
	return opts;
}

cfg_t *conf_tree_parse(struct conf_source *src, struct pool *pool)
{
	size_t errors = src->m->errors;
	cfg_opt_t *opts = options(pool, conf_schema());
	jmp_buf *out = pool_escape(pool, NULL);
	cfg_t *cfg = cfg_init(opts, CFGF_NONE);
	int rc = CFG_PARSE_ERROR;

	parsing.pool = pool;
	parsing.src = src;
	if (cfg != NULL) {
		cfg_set_error_function(cfg, note_error);
		rc = cfg_parse_buf(cfg, src->text);
	}
	if (rc != CFG_SUCCESS && src->m->errors > errors) {
		cfg_free(cfg);
		cfg = NULL;
	} else if (rc != CFG_SUCCESS) {
		/* libconfuse 3.3 leaves half-made sections when memory runs out, and crashes when
		 * they are freed: they stay. */
		conf_source_error(src, 1, "out of memory");
		cfg = NULL;
	}
	pool_escape(pool, out);
	return cfg;
}

unsigned conf_tree_sections(cfg_t *sec, const char *name)
{
	return cfg_size(sec, name);
}

cfg_t *conf_tree_section(cfg_t *sec, const char *name, unsigned i)
{
	return cfg_getnsec(sec, name, i);
}

const struct conf_word *conf_tree_word(cfg_t *sec, const char *name, unsigned i)
{
	cfg_opt_t *opt = cfg_getopt(sec, name);

	return opt != NULL && i < cfg_opt_size(opt) ? cfg_opt_getnptr(opt, i) : NULL;
}

bool conf_tree_given(cfg_t *sec, const char *name)
{
	cfg_opt_t *opt = cfg_getopt(sec, name);

	return opt != NULL && (opt->flags & CFGF_MODIFIED) != 0;
}

int conf_tree_number(cfg_t *sec)
{
	const struct conf_word *w = conf_tree_word(sec, OPENING, 0);

	return w == NULL ? -1 : atoi(w->text);
}

int conf_tree_at(const struct conf_source *src, cfg_t *sec)
{
	int number = conf_tree_number(sec);

	return number < 0 ? 1 : src->openings[number].at;
}

const char *conf_tree_title(cfg_t *sec)
{
	const struct conf_word *w = conf_tree_word(sec, OPENING, 1);

	return w == NULL ? NULL : w->text;
}
