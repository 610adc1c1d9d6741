/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See conf_cursor.h. Called by conf_walk.c and conf_walk_value.c.
 */
#include "master/conf_cursor.h"

#include "master/conf_source.h"
#include "master/pool.h"

int conf_cursor_line(const struct conf_source *src, const struct conf_cursor *f,
		     const struct conf_token *t)
{
	return src->line + t->line - f->written;
}

struct conf_mark conf_cursor_mark(const struct conf_source *src, const struct conf_cursor *f)
{
	return (struct conf_mark){.len = src->len, .line = src->line, .written = f->written};
}

void conf_cursor_undo(struct conf_source *src, struct conf_cursor *f, const struct conf_mark *m)
{
	src->len = m->len;
	src->text[src->len] = '\0';
	src->line = m->line;
	f->written = m->written;
}

void conf_cursor_emit(struct conf_source *src, struct conf_cursor *f, const struct conf_token *t)
{
	while (f->written < t->line) {
		conf_source_newline(src);
		f->written++;
	}
	conf_source_put(src, " ", 1);
	conf_source_put(src, t->text, t->len);
}

struct conf_token conf_cursor_next(struct conf_source *src, struct conf_cursor *f)
{
	for (;;) {
		struct conf_token t = conf_scan_next(&f->scan);

		if (t.kind == CONF_TOKEN_BAD)
			conf_source_error(src, conf_cursor_line(src, f, &t), "%s", f->scan.why);
		if (t.kind != CONF_TOKEN_SEMICOLON)
			return t;
		conf_source_error(src, conf_cursor_line(src, f, &t),
				  "';' has no meaning: drover.conf uses name = value without ';'");
	}
}

struct conf_token conf_cursor_peek(struct conf_source *src, struct conf_cursor *f)
{
	struct conf_scan before = f->scan;
	struct conf_token t = conf_cursor_next(src, f);

	f->scan = before;
	return t;
}

bool conf_cursor_is_value(const struct conf_token *t)
{
	return t->kind == CONF_TOKEN_WORD || t->kind == CONF_TOKEN_STRING ||
	       t->kind == CONF_TOKEN_UNQUOTED;
}

const char *conf_cursor_describe(const struct conf_source *src, const struct conf_token *t)
{
	if (t->kind == CONF_TOKEN_END)
		return "the end of the file";
	return pool_printf(src->pool, "'%.*s'%s", t->len > 40 ? 40 : (int)t->len, t->text,
			   t->len > 40 ? "..." : "");
}

void conf_cursor_not_closed(const struct conf_source *src, const struct conf_cursor *f, int at,
			    const char *name)
{
	if (f->suspect != 0)
		conf_source_error(src, f->suspect,
				  "section '%s' is not closed: its '}' is missing before line %d",
				  f->suspect_name, f->suspect_before);
	else
		conf_source_error(
		    src, at,
		    "section '%s' is not closed: there is no '}' for it before the end "
		    "of the file",
		    name);
}

int conf_cursor_skip_braces(struct conf_source *src, struct conf_cursor *f, int at,
			    const char *name)
{
	for (int depth = 1; depth > 0;) {
		struct conf_token t = conf_cursor_next(src, f);

		if (t.kind == CONF_TOKEN_BAD)
			return -1;
		if (t.kind == CONF_TOKEN_END) {
			conf_cursor_not_closed(src, f, at, name);
			return -1;
		}
		if (t.kind == CONF_TOKEN_OPEN)
			depth++;
		if (t.kind == CONF_TOKEN_CLOSE)
			depth--;
	}
	return 0;
}

int conf_cursor_skip_statement(struct conf_source *src, struct conf_cursor *f, int line,
			       const char *name)
{
	for (;;) {
		struct conf_token t = conf_cursor_peek(src, f);

		if (t.kind == CONF_TOKEN_BAD)
			return -1;
		if (t.line != line || t.kind == CONF_TOKEN_CLOSE || t.kind == CONF_TOKEN_END)
			return 0;
		conf_cursor_next(src, f);
		if (t.kind == CONF_TOKEN_OPEN)
			return conf_cursor_skip_braces(src, f, conf_cursor_line(src, f, &t), name);
	}
}
