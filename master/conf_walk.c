/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Errors that leave no doubt about where the next statement begins (an unknown name, a value that
 * needs quotes, a second assignment) are said, the statement is left out of the text, its section
 * counts as damaged, and the walk goes on: so that all of them are found at once.
 */
#include "master/conf_walk.h"

#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <string.h>

#include "master/conf_cursor.h"
#include "master/conf_read.h"
#include "master/conf_schema.h"
#include "master/conf_source.h"
#include "master/conf_walk_value.h"
#include "master/pool.h"
#include "worker/settings.h"

/* A section being walked, or the top level. */
struct frame {
	const struct frame *outer;
	const char *name; /* NULL: top level */
	const struct conf_option *options;
	int *seen; /* by option: line of the text where it stands, 0 if nowhere */
	int number;
	int at;
	int column;
	bool first;
};

static int walk_body(struct conf_source *src, struct conf_cursor *f, struct frame *fr,
		     bool whole_file);

static void damage(struct conf_source *src, const struct frame *fr)
{
	if (fr->number < 0)
		src->damaged = true;
	else
		src->openings[fr->number].damaged = true;
}

static const char *place(const struct conf_source *src, const char *name)
{
	return name == NULL ? "at top level" : pool_printf(src->pool, "in %s", name);
}

static const char *pos_text(const struct conf_source *src, int at)
{
	struct conf_pos pos = conf_source_pos(src, at);

	return pool_printf(src->pool, "%s:%d", pos.file, pos.line);
}

/* The section inside that knows the name, if there is one. */
static const char *section_with(const struct conf_option *options, const char *name)
{
	for (const struct conf_option *o = options; o->name != NULL; o++) {
		const char *deeper;

		if (o->kind != CONF_SECTION)
			continue;
		if (conf_schema_find(o->inside, name) != NULL)
			return o->name;
		deeper = section_with(o->inside, name);
		if (deeper != NULL)
			return deeper;
	}
	return NULL;
}

static void unknown(const struct conf_source *src, const struct frame *fr, int at, const char *name)
{
	const char *near = conf_schema_nearest(fr->options, name);
	const char *inner = section_with(fr->options, name);
	const char *here = place(src, fr->name);

	for (const struct frame *o = fr->outer; o != NULL; o = o->outer) {
		const struct conf_option *known = conf_schema_find(o->options, name);

		if (known == NULL)
			continue;
		conf_source_error(src, at, "no such option '%s' %s (it belongs %s%s)", name, here,
				  place(src, o->name),
				  known->kind == CONF_SECTION ? "; is a '}' missing above?" : "");
		return;
	}
	if (inner != NULL)
		conf_source_error(src, at, "no such option '%s' %s (it belongs in %s)", name, here,
				  inner);
	else if (near != NULL)
		conf_source_error(src, at, "no such option '%s' %s (did you mean '%s'?)", name,
				  here, near);
	else
		conf_source_error(src, at, "no such option '%s' %s", name, here);
}

static void say_form(const struct conf_source *src, int at, const struct conf_option *o)
{
	if (o->kind == CONF_SECTION)
		conf_source_error(src, at, "'%s' is a section (write %s%s { ... })", o->name,
				  o->name, o->titled ? " \"...\"" : "");
	else if (o->kind == CONF_INCLUDE)
		conf_source_error(src, at, "write include(\"conf.d/*.conf\")");
	else
		conf_source_error(src, at, "'=' is missing after '%s' (write %s = ...)", o->name,
				  o->name);
}

/* A name that nothing sensible follows. */
static int no_statement(struct conf_source *src, struct conf_cursor *f, struct frame *fr,
			const struct conf_token *t, const char *name, const struct conf_option *o)
{
	if (o == NULL)
		unknown(src, fr, conf_cursor_line(src, f, t), name);
	else
		say_form(src, conf_cursor_line(src, f, t), o);
	damage(src, fr);
	return conf_cursor_skip_statement(src, f, t->line, name);
}

/* May this option be assigned to in this way? */
static bool assignable(const struct conf_source *src, const struct frame *fr, int at,
		       const char *name, const struct conf_option *o, bool append)
{
	if (o == NULL)
		unknown(src, fr, at, name);
	else if (o->kind == CONF_SECTION || o->kind == CONF_INCLUDE)
		say_form(src, at, o);
	else if (append && o->kind != CONF_LIST)
		conf_source_error(src, at, "'%s' takes one value, nothing can be added to it",
				  name);
	else
		return true;
	return false;
}

/* Notes where an option stands. Returns false, and says so, if it has been seen before. */
static bool first_time(const struct conf_source *src, const struct frame *fr, int at,
		       const struct conf_option *o)
{
	int *seen = &fr->seen[o - fr->options];

	if (*seen == 0) {
		*seen = at;
		return true;
	}
	conf_source_error(src, at, "'%s' is set twice %s (first at %s)", o->name,
			  place(src, fr->name), pos_text(src, *seen));
	return false;
}

static int walk_assignment(struct conf_source *src, struct conf_cursor *f, struct frame *fr,
			   const struct conf_token *t, const char *name,
			   const struct conf_option *o)
{
	int at = conf_cursor_line(src, f, t);
	struct conf_token equals = conf_cursor_next(src, f);
	bool append = equals.kind == CONF_TOKEN_APPEND;
	struct conf_mark before = conf_cursor_mark(src, f);
	bool good = assignable(src, fr, at, name, o, append);

	if (!good && (o == NULL || o->kind == CONF_SECTION || o->kind == CONF_INCLUDE)) {
		damage(src, fr);
		return conf_walk_value_skip(src, f, t->line, name);
	}
	conf_cursor_emit(src, f, t);
	conf_cursor_emit(src, f, &equals);
	if (conf_walk_value(src, f, name, equals.line, o, &good) < 0)
		return -1;
	if (good && !append)
		good = first_time(src, fr, at, o);
	if (!good) {
		conf_cursor_undo(src, f, &before);
		damage(src, fr);
	}
	return 0;
}

/* The option that says where a section stands and what it is called. */
static void put_opening(struct conf_source *src, int number, const struct conf_token *title)
{
	const char *text = pool_printf(src->pool, " \"#\" = { \"%d\"", number);

	conf_source_put(src, text, strlen(text));
	if (title != NULL && title->kind != CONF_TOKEN_UNQUOTED) {
		bool bare = title->kind == CONF_TOKEN_WORD;

		conf_source_put(src, bare ? ", \"" : ", ", bare ? 3 : 2);
		conf_source_put(src, title->text, title->len);
		conf_source_put(src, "\"", bare ? 1 : 0);
	}
	conf_source_put(src, " }", 2);
}

/* May this section stand here, with this title or without one? */
static bool section_allowed(const struct conf_source *src, const struct conf_cursor *f,
			    const struct frame *fr, int at, const char *name,
			    const struct conf_option *o, const struct conf_token *title)
{
	if (o == NULL)
		unknown(src, fr, at, name);
	else if (o->kind != CONF_SECTION)
		conf_source_error(src, at, "'%s' is an option, not a section (write %s = ...)",
				  name, name);
	else if (o->titled && title == NULL)
		conf_source_error(src, at, "'%s' needs a title (write %s \"...\" { ... })", name,
				  name);
	else if (!o->titled && title != NULL)
		conf_source_error(src, at, "'%s' takes no title (write %s { ... })", name, name);
	else if (title == NULL || !conf_walk_value_unquoted(src, f, title))
		return true;
	return false;
}

static int walk_section(struct conf_source *src, struct conf_cursor *f, struct frame *fr,
			const struct conf_token *t, const char *name, const struct conf_option *o,
			const struct conf_token *title)
{
	struct frame inner = {.outer = fr, .at = conf_cursor_line(src, f, t), .column = t->column};
	struct conf_token open = conf_cursor_next(src, f);
	size_t options = 0;

	if (!section_allowed(src, f, fr, inner.at, name, o, title) ||
	    (!o->titled && !first_time(src, fr, inner.at, o)))
		damage(src, fr);
	if (o == NULL || o->kind != CONF_SECTION)
		return conf_cursor_skip_braces(src, f, inner.at, name);
	while (o->inside[options].name != NULL)
		options++;
	inner.name = o->name;
	inner.options = o->inside;
	inner.seen = pool_array(src->pool, options, sizeof(*inner.seen));
	inner.first = t->first;
	inner.number = conf_source_opening(src, inner.at);
	conf_cursor_emit(src, f, t);
	conf_cursor_emit(src, f, &open);
	put_opening(src, inner.number, title);
	return walk_body(src, f, &inner, false);
}

/* Has the file been entered and not left yet? */
static bool being_read(const struct conf_cursor *f, const struct stat *st)
{
	for (; f != NULL; f = f->outer) {
		if (f->ino != 0 && f->ino == st->st_ino && f->dev == st->st_dev)
			return true;
	}
	return false;
}

static int depth_of(const struct conf_cursor *f)
{
	int depth = 0;

	for (; f->outer != NULL; f = f->outer)
		depth++;
	return depth;
}

static int include_file(struct conf_source *src, struct conf_cursor *f, struct frame *fr, int at,
			const char *path)
{
	struct conf_cursor inner = {.outer = f, .written = 1};
	struct stat st;
	size_t len;
	const char *text = conf_read(src->pool, path, CONF_FILE_MAX, &len, &st);

	if (text == NULL) {
		conf_source_error(src, at, "%s cannot be read: %s", path, conf_read_why(errno));
		damage(src, fr);
		return 0;
	}
	if (being_read(f, &st)) {
		conf_source_error(src, at, "%s includes itself", path);
		damage(src, fr);
		return 0;
	}
	if (++src->files > CONF_FILES_MAX || src->len + len > CONF_FILE_MAX) {
		conf_source_error(src, at, "too much is included: more than %d files or %d MiB",
				  CONF_FILES_MAX, CONF_FILE_MAX >> 20);
		return -1;
	}
	inner.name = pool_strdup(src->names, path);
	inner.dev = st.st_dev;
	inner.ino = st.st_ino;
	conf_scan_start(&inner.scan, text, len);
	conf_source_newline(src);
	conf_source_segment(src, inner.name, 1);
	if (walk_body(src, &inner, fr, true) < 0)
		return -1;
	conf_source_newline(src);
	conf_source_segment(src, f->name, f->written);
	return 0;
}

/* All files of a pattern in the order of their names; none is fine. */
static int include_pattern(struct conf_source *src, struct conf_cursor *f, struct frame *fr, int at,
			   const char *pattern)
{
	jmp_buf *out;
	char **paths = NULL;
	glob_t found;
	size_t n;
	int rc = glob(pattern, 0, NULL, &found);

	if (rc == GLOB_NOMATCH)
		return 0;
	if (rc != 0) {
		conf_source_error(src, at, "%s: %s", pattern,
				  rc == GLOB_NOSPACE ? strerror(ENOMEM) : strerror(EIO));
		return 0;
	}
	/* Copied, so that nothing jumps out of here past globfree(). */
	out = pool_escape(src->pool, NULL);
	n = found.gl_pathc;
	paths = pool_array(src->pool, n, sizeof(*paths));
	for (size_t i = 0; paths != NULL && i < n; i++)
		paths[i] = pool_strdup(src->pool, found.gl_pathv[i]);
	globfree(&found);
	pool_escape(src->pool, out);
	for (size_t i = 0; i < n; i++) {
		const char *path = paths != NULL && paths[i] != NULL ? paths[i] : "";

		if (include_file(src, f, fr, at, path) < 0)
			return -1;
	}
	return 0;
}

/* The text of a plain string or word: without escapes, since libconfuse never sees it. */
static const char *plain_string(const struct conf_source *src, const struct conf_token *t)
{
	if (t->kind == CONF_TOKEN_WORD)
		return pool_strndup(src->pool, t->text, t->len);
	if (t->kind != CONF_TOKEN_STRING || t->len < 3 || memchr(t->text, '\\', t->len) != NULL ||
	    memmem(t->text, t->len, "${", 2) != NULL)
		return NULL;
	return pool_strndup(src->pool, t->text + 1, t->len - 2);
}

static int walk_include(struct conf_source *src, struct conf_cursor *f, struct frame *fr,
			const struct conf_token *t)
{
	struct conf_token open = conf_cursor_next(src, f), name = conf_cursor_next(src, f),
			  close = conf_cursor_next(src, f);
	const char *path = plain_string(src, &name);
	int at;

	if (open.kind == CONF_TOKEN_BAD || name.kind == CONF_TOKEN_BAD ||
	    close.kind == CONF_TOKEN_BAD)
		return -1;
	if (path == NULL || close.kind != CONF_TOKEN_UNPAREN) {
		conf_source_error(
		    src, conf_cursor_line(src, f, t),
		    "write include(\"conf.d/*.conf\"), a plain string without \"\\\" or "
		    "\"${\"");
		return -1;
	}
	if (depth_of(f) == CONF_INCLUDE_DEPTH_MAX) {
		conf_source_error(src, conf_cursor_line(src, f, t),
				  "includes are nested more than %d deep", CONF_INCLUDE_DEPTH_MAX);
		damage(src, fr);
		return 0;
	}
	while (f->written < t->line) {
		conf_source_newline(src);
		f->written++;
	}
	at = src->line;
	if (path[0] != '/')
		path = pool_printf(src->pool, "%s/%s", src->dir, path);
	if (strpbrk(path, "*?[") != NULL)
		return include_pattern(src, f, fr, at, path);
	return include_file(src, f, fr, at, path);
}

static int walk_statement(struct conf_source *src, struct conf_cursor *f, struct frame *fr,
			  const struct conf_token *t)
{
	const char *name = pool_strndup(src->pool, t->text, t->len);
	const struct conf_option *o = conf_schema_find(fr->options, name);
	struct conf_token follows = conf_cursor_peek(src, f), title;

	if (follows.kind == CONF_TOKEN_BAD)
		return -1;
	if (follows.kind == CONF_TOKEN_EQUALS || follows.kind == CONF_TOKEN_APPEND)
		return walk_assignment(src, f, fr, t, name, o);
	if (follows.kind == CONF_TOKEN_OPEN)
		return walk_section(src, f, fr, t, name, o, NULL);
	if (follows.kind == CONF_TOKEN_PAREN && o != NULL && o->kind == CONF_INCLUDE)
		return walk_include(src, f, fr, t);
	if (conf_cursor_is_value(&follows) && follows.line == t->line) {
		struct conf_scan before = f->scan;

		title = conf_cursor_next(src, f);
		if (conf_cursor_peek(src, f).kind == CONF_TOKEN_OPEN)
			return walk_section(src, f, fr, t, name, o, &title);
		f->scan = before;
	}
	return no_statement(src, f, fr, t, name, o);
}

/* What cannot begin a statement. */
static int not_a_name(const struct conf_source *src, const struct conf_cursor *f,
		      const struct conf_token *t)
{
	if (t->kind == CONF_TOKEN_STRING)
		conf_source_error(
		    src, conf_cursor_line(src, f, t),
		    "%s where an option is expected (their names stand without quotes)",
		    conf_cursor_describe(src, t));
	else if (t->kind != CONF_TOKEN_BAD)
		conf_source_error(src, conf_cursor_line(src, f, t),
				  "%s where an option is expected", conf_cursor_describe(src, t));
	return -1;
}

static void note_indent(struct conf_cursor *f, const struct frame *fr,
			const struct conf_token *close)
{
	if (f->suspect != 0 || !close->first || !fr->first || close->column >= fr->column)
		return;
	f->suspect = fr->at;
	f->suspect_name = fr->name;
	f->suspect_before = close->line;
}

/* Statements up to the '}' of the section, or to the end of a file. */
static int walk_body(struct conf_source *src, struct conf_cursor *f, struct frame *fr,
		     bool whole_file)
{
	for (;;) {
		struct conf_token t = conf_cursor_next(src, f);

		if (t.kind == CONF_TOKEN_WORD) {
			if (walk_statement(src, f, fr, &t) < 0)
				return -1;
		} else if (t.kind == CONF_TOKEN_END && whole_file) {
			return 0;
		} else if (t.kind == CONF_TOKEN_END) {
			conf_cursor_not_closed(src, f, fr->at, fr->name);
			return -1;
		} else if (t.kind == CONF_TOKEN_CLOSE && !whole_file) {
			note_indent(f, fr, &t);
			conf_cursor_emit(src, f, &t);
			return 0;
		} else if (t.kind == CONF_TOKEN_CLOSE) {
			conf_source_error(src, conf_cursor_line(src, f, &t), "'}' closes nothing");
			return -1;
		} else {
			return not_a_name(src, f, &t);
		}
	}
}

int conf_walk(struct conf_source *src, const char *file, const char *text, size_t len,
	      const struct stat *st)
{
	struct conf_cursor f = {.name = file, .written = 1};
	struct frame root = {.options = conf_schema(), .number = -1};
	size_t options = 0;

	if (st != NULL) {
		f.dev = st->st_dev;
		f.ino = st->st_ino;
	}
	while (root.options[options].name != NULL)
		options++;
	root.seen = pool_array(src->pool, options, sizeof(*root.seen));
	conf_scan_start(&f.scan, text, len);
	return walk_body(src, &f, &root, true);
}
