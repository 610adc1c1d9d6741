/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See conf_walk_value.h. Called by conf_walk.c.
 */
#include "master/conf_walk_value.h"

#include "master/conf_cursor.h"
#include "master/conf_schema.h"
#include "master/conf_source.h"

bool conf_walk_value_unquoted(const struct conf_source *src, const struct conf_cursor *f,
			      const struct conf_token *t)
{
	if (t->kind != CONF_TOKEN_UNQUOTED)
		return false;
	conf_source_error(src, conf_cursor_line(src, f, t), "write \"%.*s\" in quotes", (int)t->len,
			  t->text);
	return true;
}

/* Is what follows a value on its line one more of them, and not the next statement? */
static bool one_more(struct conf_source *src, struct conf_cursor *f, const struct conf_token *after,
		     int line)
{
	struct conf_scan before = f->scan;
	struct conf_token beyond;

	if (after->kind == CONF_TOKEN_COMMA)
		return true;
	if (!conf_cursor_is_value(after) || after->line != line)
		return false;
	if (after->kind == CONF_TOKEN_STRING)
		return true;
	conf_cursor_next(src, f);
	beyond = conf_cursor_peek(src, f);
	f->scan = before;
	return beyond.line != line || beyond.kind == CONF_TOKEN_COMMA ||
	       beyond.kind == CONF_TOKEN_CLOSE || beyond.kind == CONF_TOKEN_END;
}

/* The elements of a list and its '}'. Returns how many, -1 if the walk cannot go on. */
static int walk_list(struct conf_source *src, struct conf_cursor *f, int began, bool *good)
{
	int n = 0;

	for (;;) {
		struct conf_token t = conf_cursor_next(src, f);

		if (conf_cursor_is_value(&t)) {
			n++;
			if (conf_walk_value_unquoted(src, f, &t))
				*good = false;
			conf_cursor_emit(src, f, &t);
			t = conf_cursor_next(src, f);
		} else if (t.kind == CONF_TOKEN_COMMA) {
			conf_source_error(src, conf_cursor_line(src, f, &t),
					  "',' without a value before it");
			return -1;
		}
		if (t.kind == CONF_TOKEN_BAD)
			return -1;
		conf_cursor_emit(src, f, &t);
		if (t.kind == CONF_TOKEN_CLOSE)
			return n;
		if (t.kind == CONF_TOKEN_COMMA)
			continue;
		conf_source_error(src, conf_cursor_line(src, f, &t),
				  "%s where ',' or the '}' of the list of line %d is missing",
				  conf_cursor_describe(src, &t), began);
		return -1;
	}
}

/* A list, where an option may have one. */
static int walk_braces(struct conf_source *src, struct conf_cursor *f,
		       const struct conf_token *open, const struct conf_option *o, bool *good)
{
	int at = conf_cursor_line(src, f, open), n;

	conf_cursor_emit(src, f, open);
	n = walk_list(src, f, open->line, good);
	if (n < 0)
		return -1;
	if (*good && o->kind != CONF_LIST) {
		conf_source_error(src, at, "'%s' takes one value, not a list", o->name);
		*good = false;
	} else if (*good && n == 0 && !o->may_be_empty) {
		conf_source_error(src, at, "'%s' is an empty list", o->name);
		*good = false;
	}
	return 0;
}

int conf_walk_value(struct conf_source *src, struct conf_cursor *f, const char *name, int line,
		    const struct conf_option *o, bool *good)
{
	struct conf_scan before = f->scan;
	struct conf_token v = conf_cursor_next(src, f), after;

	if (v.kind == CONF_TOKEN_BAD)
		return -1;
	if (v.kind == CONF_TOKEN_OPEN)
		return walk_braces(src, f, &v, o, good);
	if (!conf_cursor_is_value(&v) || v.line != line) {
		v.line = line;
		conf_source_error(src, conf_cursor_line(src, f, &v),
				  "the value is missing after '%s ='", name);
		*good = false;
		f->scan = before;
		return 0;
	}
	if (conf_walk_value_unquoted(src, f, &v))
		*good = false;
	conf_cursor_emit(src, f, &v);
	after = conf_cursor_peek(src, f);
	if (!one_more(src, f, &after, v.line))
		return 0;
	if (*good && o->kind == CONF_LIST)
		conf_source_error(src, conf_cursor_line(src, f, &after),
				  "several values stand in braces (write %s = { ..., ... })", name);
	else if (*good)
		conf_source_error(src, conf_cursor_line(src, f, &after), "'%s' takes one value",
				  name);
	*good = false;
	return conf_cursor_skip_statement(src, f, after.line, name);
}

int conf_walk_value_skip(struct conf_source *src, struct conf_cursor *f, int line, const char *name)
{
	struct conf_token t = conf_cursor_peek(src, f), after;

	if (t.kind == CONF_TOKEN_BAD)
		return -1;
	if (t.kind == CONF_TOKEN_OPEN) {
		conf_cursor_next(src, f);
		return conf_cursor_skip_braces(src, f, conf_cursor_line(src, f, &t), name);
	}
	if (!conf_cursor_is_value(&t))
		return 0;
	conf_cursor_next(src, f);
	after = conf_cursor_peek(src, f);
	if (one_more(src, f, &after, t.line) ||
	    (after.kind == CONF_TOKEN_OPEN && after.line == t.line))
		return conf_cursor_skip_statement(src, f, line, name);
	return 0;
}
