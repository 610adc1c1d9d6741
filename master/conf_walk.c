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

#include "master/conf_read.h"
#include "master/conf_scan.h"
#include "master/conf_schema.h"
#include "master/conf_source.h"
#include "master/pool.h"
#include "worker/settings.h"

/* A file being walked. */
struct file {
	const char *name;
	const struct file *outer; /* that includes it */
	dev_t dev;
	ino_t ino;
	struct conf_scan scan;
	int written; /* line of this file that the end of the text stands for */
	/* The first section whose '}' is indented less than its beginning: where one is missing
	 * somewhere, it is likely this one's. */
	int suspect;
	const char *suspect_name;
	int suspect_before;
};

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

/* Where the text was before a statement. */
struct mark {
	size_t len;
	int line;
	int written;
};

static int walk_body(struct conf_source *src, struct file *f, struct frame *fr, bool whole_file);

static int line_of(const struct conf_source *src, const struct file *f, const struct conf_token *t)
{
	return src->line + t->line - f->written;
}

static struct mark mark(const struct conf_source *src, const struct file *f)
{
	return (struct mark){.len = src->len, .line = src->line, .written = f->written};
}

static void undo(struct conf_source *src, struct file *f, const struct mark *m)
{
	src->len = m->len;
	src->text[src->len] = '\0';
	src->line = m->line;
	f->written = m->written;
}

static void damage(struct conf_source *src, const struct frame *fr)
{
	if (fr->number < 0)
		src->damaged = true;
	else
		src->openings[fr->number].damaged = true;
}

/* Appends a token on its own line. */
static void emit(struct conf_source *src, struct file *f, const struct conf_token *t)
{
	while (f->written < t->line) {
		conf_source_newline(src);
		f->written++;
	}
	conf_source_put(src, " ", 1);
	conf_source_put(src, t->text, t->len);
}

static struct conf_token next(struct conf_source *src, struct file *f)
{
	for (;;) {
		struct conf_token t = conf_scan_next(&f->scan);

		if (t.kind == CONF_TOKEN_BAD)
			conf_source_error(src, line_of(src, f, &t), "%s", f->scan.why);
		if (t.kind != CONF_TOKEN_SEMICOLON)
			return t;
		conf_source_error(src, line_of(src, f, &t),
				  "';' has no meaning: drover.conf uses name = value without ';'");
	}
}

static struct conf_token peek(struct conf_source *src, struct file *f)
{
	struct conf_scan before = f->scan;
	struct conf_token t = next(src, f);

	f->scan = before;
	return t;
}

static bool is_value(const struct conf_token *t)
{
	return t->kind == CONF_TOKEN_WORD || t->kind == CONF_TOKEN_STRING ||
	       t->kind == CONF_TOKEN_UNQUOTED;
}

static const char *describe(const struct conf_source *src, const struct conf_token *t)
{
	if (t->kind == CONF_TOKEN_END)
		return "the end of the file";
	return pool_printf(src->pool, "'%.*s'%s", t->len > 40 ? 40 : (int)t->len, t->text,
			   t->len > 40 ? "..." : "");
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

static void not_closed(const struct conf_source *src, const struct file *f, int at,
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

/* To the '}' that belongs to a '{' just read. */
static int skip_braces(struct conf_source *src, struct file *f, int at, const char *name)
{
	for (int depth = 1; depth > 0;) {
		struct conf_token t = next(src, f);

		if (t.kind == CONF_TOKEN_BAD)
			return -1;
		if (t.kind == CONF_TOKEN_END) {
			not_closed(src, f, at, name);
			return -1;
		}
		if (t.kind == CONF_TOKEN_OPEN)
			depth++;
		if (t.kind == CONF_TOKEN_CLOSE)
			depth--;
	}
	return 0;
}

/* What is left on the line of a statement that makes no sense, with a section that it opens. */
static int skip_statement(struct conf_source *src, struct file *f, int line, const char *name)
{
	for (;;) {
		struct conf_token t = peek(src, f);

		if (t.kind == CONF_TOKEN_BAD)
			return -1;
		if (t.line != line || t.kind == CONF_TOKEN_CLOSE || t.kind == CONF_TOKEN_END)
			return 0;
		next(src, f);
		if (t.kind == CONF_TOKEN_OPEN)
			return skip_braces(src, f, line_of(src, f, &t), name);
	}
}

/* Is what follows a value on its line one more of them, and not the next statement? */
static bool one_more(struct conf_source *src, struct file *f, const struct conf_token *after,
		     int line)
{
	struct conf_scan before = f->scan;
	struct conf_token beyond;

	if (after->kind == CONF_TOKEN_COMMA)
		return true;
	if (!is_value(after) || after->line != line)
		return false;
	if (after->kind == CONF_TOKEN_STRING)
		return true;
	next(src, f);
	beyond = peek(src, f);
	f->scan = before;
	return beyond.line != line || beyond.kind == CONF_TOKEN_COMMA ||
	       beyond.kind == CONF_TOKEN_CLOSE || beyond.kind == CONF_TOKEN_END;
}

/* The value of an assignment that was refused before it was looked at. */
static int skip_value(struct conf_source *src, struct file *f, int line, const char *name)
{
	struct conf_token t = peek(src, f), after;

	if (t.kind == CONF_TOKEN_BAD)
		return -1;
	if (t.kind == CONF_TOKEN_OPEN) {
		next(src, f);
		return skip_braces(src, f, line_of(src, f, &t), name);
	}
	if (!is_value(&t))
		return 0;
	next(src, f);
	after = peek(src, f);
	if (one_more(src, f, &after, t.line) ||
	    (after.kind == CONF_TOKEN_OPEN && after.line == t.line))
		return skip_statement(src, f, line, name);
	return 0;
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
static int no_statement(struct conf_source *src, struct file *f, struct frame *fr,
			const struct conf_token *t, const char *name, const struct conf_option *o)
{
	if (o == NULL)
		unknown(src, fr, line_of(src, f, t), name);
	else
		say_form(src, line_of(src, f, t), o);
	damage(src, fr);
	return skip_statement(src, f, t->line, name);
}

static bool needs_quotes(const struct conf_source *src, const struct file *f,
			 const struct conf_token *t)
{
	if (t->kind != CONF_TOKEN_UNQUOTED)
		return false;
	conf_source_error(src, line_of(src, f, t), "write \"%.*s\" in quotes", (int)t->len,
			  t->text);
	return true;
}

/* The elements of a list and its '}'. Returns how many, -1 if the walk cannot go on. */
static int walk_list(struct conf_source *src, struct file *f, int began, bool *good)
{
	int n = 0;

	for (;;) {
		struct conf_token t = next(src, f);

		if (is_value(&t)) {
			n++;
			if (needs_quotes(src, f, &t))
				*good = false;
			emit(src, f, &t);
			t = next(src, f);
		} else if (t.kind == CONF_TOKEN_COMMA) {
			conf_source_error(src, line_of(src, f, &t),
					  "',' without a value before it");
			return -1;
		}
		if (t.kind == CONF_TOKEN_BAD)
			return -1;
		emit(src, f, &t);
		if (t.kind == CONF_TOKEN_CLOSE)
			return n;
		if (t.kind == CONF_TOKEN_COMMA)
			continue;
		conf_source_error(src, line_of(src, f, &t),
				  "%s where ',' or the '}' of the list of line %d is missing",
				  describe(src, &t), began);
		return -1;
	}
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

/* A list, where an option may have one. */
static int walk_braces(struct conf_source *src, struct file *f, const struct conf_token *open,
		       const struct conf_option *o, bool *good)
{
	int at = line_of(src, f, open), n;

	emit(src, f, open);
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

/* The value of an assignment, appended to the text. Returns -1 if the walk cannot go on. */
static int walk_value(struct conf_source *src, struct file *f, const char *name, int line,
		      const struct conf_option *o, bool *good)
{
	struct conf_scan before = f->scan;
	struct conf_token v = next(src, f), after;

	if (v.kind == CONF_TOKEN_BAD)
		return -1;
	if (v.kind == CONF_TOKEN_OPEN)
		return walk_braces(src, f, &v, o, good);
	if (!is_value(&v) || v.line != line) {
		v.line = line;
		conf_source_error(src, line_of(src, f, &v), "the value is missing after '%s ='",
				  name);
		*good = false;
		f->scan = before;
		return 0;
	}
	if (needs_quotes(src, f, &v))
		*good = false;
	emit(src, f, &v);
	after = peek(src, f);
	if (!one_more(src, f, &after, v.line))
		return 0;
	if (*good && o->kind == CONF_LIST)
		conf_source_error(src, line_of(src, f, &after),
				  "several values stand in braces (write %s = { ..., ... })", name);
	else if (*good)
		conf_source_error(src, line_of(src, f, &after), "'%s' takes one value", name);
	*good = false;
	return skip_statement(src, f, after.line, name);
}

static int walk_assignment(struct conf_source *src, struct file *f, struct frame *fr,
			   const struct conf_token *t, const char *name,
			   const struct conf_option *o)
{
	int at = line_of(src, f, t);
	struct conf_token equals = next(src, f);
	bool append = equals.kind == CONF_TOKEN_APPEND;
	struct mark before = mark(src, f);
	bool good = assignable(src, fr, at, name, o, append);

	if (!good && (o == NULL || o->kind == CONF_SECTION || o->kind == CONF_INCLUDE)) {
		damage(src, fr);
		return skip_value(src, f, t->line, name);
	}
	emit(src, f, t);
	emit(src, f, &equals);
	if (walk_value(src, f, name, equals.line, o, &good) < 0)
		return -1;
	if (good && !append)
		good = first_time(src, fr, at, o);
	if (!good) {
		undo(src, f, &before);
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
static bool section_allowed(const struct conf_source *src, const struct file *f,
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
	else if (title == NULL || !needs_quotes(src, f, title))
		return true;
	return false;
}

static int walk_section(struct conf_source *src, struct file *f, struct frame *fr,
			const struct conf_token *t, const char *name, const struct conf_option *o,
			const struct conf_token *title)
{
	struct frame inner = {.outer = fr, .at = line_of(src, f, t), .column = t->column};
	struct conf_token open = next(src, f);
	size_t options = 0;

	if (!section_allowed(src, f, fr, inner.at, name, o, title) ||
	    (!o->titled && !first_time(src, fr, inner.at, o)))
		damage(src, fr);
	if (o == NULL || o->kind != CONF_SECTION)
		return skip_braces(src, f, inner.at, name);
	while (o->inside[options].name != NULL)
		options++;
	inner.name = o->name;
	inner.options = o->inside;
	inner.seen = pool_array(src->pool, options, sizeof(*inner.seen));
	inner.first = t->first;
	inner.number = conf_source_opening(src, inner.at);
	emit(src, f, t);
	emit(src, f, &open);
	put_opening(src, inner.number, title);
	return walk_body(src, f, &inner, false);
}

/* Has the file been entered and not left yet? */
static bool being_read(const struct file *f, const struct stat *st)
{
	for (; f != NULL; f = f->outer) {
		if (f->ino != 0 && f->ino == st->st_ino && f->dev == st->st_dev)
			return true;
	}
	return false;
}

static int depth_of(const struct file *f)
{
	int depth = 0;

	for (; f->outer != NULL; f = f->outer)
		depth++;
	return depth;
}

static int include_file(struct conf_source *src, struct file *f, struct frame *fr, int at,
			const char *path)
{
	struct file inner = {.outer = f, .written = 1};
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
static int include_pattern(struct conf_source *src, struct file *f, struct frame *fr, int at,
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

static int walk_include(struct conf_source *src, struct file *f, struct frame *fr,
			const struct conf_token *t)
{
	struct conf_token open = next(src, f), name = next(src, f), close = next(src, f);
	const char *path = plain_string(src, &name);
	int at;

	if (open.kind == CONF_TOKEN_BAD || name.kind == CONF_TOKEN_BAD ||
	    close.kind == CONF_TOKEN_BAD)
		return -1;
	if (path == NULL || close.kind != CONF_TOKEN_UNPAREN) {
		conf_source_error(
		    src, line_of(src, f, t),
		    "write include(\"conf.d/*.conf\"), a plain string without \"\\\" or "
		    "\"${\"");
		return -1;
	}
	if (depth_of(f) == CONF_INCLUDE_DEPTH_MAX) {
		conf_source_error(src, line_of(src, f, t), "includes are nested more than %d deep",
				  CONF_INCLUDE_DEPTH_MAX);
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

static int walk_statement(struct conf_source *src, struct file *f, struct frame *fr,
			  const struct conf_token *t)
{
	const char *name = pool_strndup(src->pool, t->text, t->len);
	const struct conf_option *o = conf_schema_find(fr->options, name);
	struct conf_token follows = peek(src, f), title;

	if (follows.kind == CONF_TOKEN_BAD)
		return -1;
	if (follows.kind == CONF_TOKEN_EQUALS || follows.kind == CONF_TOKEN_APPEND)
		return walk_assignment(src, f, fr, t, name, o);
	if (follows.kind == CONF_TOKEN_OPEN)
		return walk_section(src, f, fr, t, name, o, NULL);
	if (follows.kind == CONF_TOKEN_PAREN && o != NULL && o->kind == CONF_INCLUDE)
		return walk_include(src, f, fr, t);
	if (is_value(&follows) && follows.line == t->line) {
		struct conf_scan before = f->scan;

		title = next(src, f);
		if (peek(src, f).kind == CONF_TOKEN_OPEN)
			return walk_section(src, f, fr, t, name, o, &title);
		f->scan = before;
	}
	return no_statement(src, f, fr, t, name, o);
}

/* What cannot begin a statement. */
static int not_a_name(const struct conf_source *src, const struct file *f,
		      const struct conf_token *t)
{
	if (t->kind == CONF_TOKEN_STRING)
		conf_source_error(
		    src, line_of(src, f, t),
		    "%s where an option is expected (their names stand without quotes)",
		    describe(src, t));
	else if (t->kind != CONF_TOKEN_BAD)
		conf_source_error(src, line_of(src, f, t), "%s where an option is expected",
				  describe(src, t));
	return -1;
}

static void note_indent(struct file *f, const struct frame *fr, const struct conf_token *close)
{
	if (f->suspect != 0 || !close->first || !fr->first || close->column >= fr->column)
		return;
	f->suspect = fr->at;
	f->suspect_name = fr->name;
	f->suspect_before = close->line;
}

/* Statements up to the '}' of the section, or to the end of a file. */
static int walk_body(struct conf_source *src, struct file *f, struct frame *fr, bool whole_file)
{
	for (;;) {
		struct conf_token t = next(src, f);

		if (t.kind == CONF_TOKEN_WORD) {
			if (walk_statement(src, f, fr, &t) < 0)
				return -1;
		} else if (t.kind == CONF_TOKEN_END && whole_file) {
			return 0;
		} else if (t.kind == CONF_TOKEN_END) {
			not_closed(src, f, fr->at, fr->name);
			return -1;
		} else if (t.kind == CONF_TOKEN_CLOSE && !whole_file) {
			note_indent(f, fr, &t);
			emit(src, f, &t);
			return 0;
		} else if (t.kind == CONF_TOKEN_CLOSE) {
			conf_source_error(src, line_of(src, f, &t), "'}' closes nothing");
			return -1;
		} else {
			return not_a_name(src, f, &t);
		}
	}
}

int conf_walk(struct conf_source *src, const char *file, const char *text, size_t len,
	      const struct stat *st)
{
	struct file f = {.name = file, .written = 1};
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
