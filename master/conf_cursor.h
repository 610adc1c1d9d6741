/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A place in a configuration file that is being walked: takes token after token, appends what is
 * right to the text of a conf_source, line by line as in the file, and leaves out what is wrong.
 */
#ifndef DROVER_MASTER_CONF_CURSOR_H
#define DROVER_MASTER_CONF_CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "master/conf_scan.h"

struct conf_source;

/* A file being walked. */
struct conf_cursor {
	const char *name;
	const struct conf_cursor *outer; /* that includes it */
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

/* Where the text was before a statement. */
struct conf_mark {
	size_t len;
	int line;
	int written;
};

/* The line of the text that a token stands on. */
int conf_cursor_line(const struct conf_source *src, const struct conf_cursor *f,
		     const struct conf_token *t);

struct conf_mark conf_cursor_mark(const struct conf_source *src, const struct conf_cursor *f);
void conf_cursor_undo(struct conf_source *src, struct conf_cursor *f, const struct conf_mark *m);

/* Appends a token on its own line. */
void conf_cursor_emit(struct conf_source *src, struct conf_cursor *f, const struct conf_token *t);

/* The next token, or a look at it. What is no token is said, here alone: CONF_TOKEN_BAD. */
struct conf_token conf_cursor_next(struct conf_source *src, struct conf_cursor *f);
struct conf_token conf_cursor_peek(struct conf_source *src, struct conf_cursor *f);

bool conf_cursor_is_value(const struct conf_token *t);

/* "'token'", or "the end of the file"; of src's pool. */
const char *conf_cursor_describe(const struct conf_source *src, const struct conf_token *t);

/* Says that the section which begins at a line of the text has no end. */
void conf_cursor_not_closed(const struct conf_source *src, const struct conf_cursor *f, int at,
			    const char *name);

/* Skips to the '}' that belongs to a '{' just read; or what is left on the line of a statement that
 * makes no sense, with a section that it opens. Return -1 if the walk cannot go on. */
int conf_cursor_skip_braces(struct conf_source *src, struct conf_cursor *f, int at,
			    const char *name);
int conf_cursor_skip_statement(struct conf_source *src, struct conf_cursor *f, int line,
			       const char *name);

#endif
