/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From files to one text that libconfuse can be given: includes are expanded, comments are gone,
 * every statement is known to have a form and a name that the schema allows, and every line can be
 * traced back to its file. What is wrong so far has been said, and is not in the text.
 *
 * The text has positions that libconfuse cannot tell: each section begins with the option "#", a
 * list of its number (index of openings) and, if it has one, its title. Nobody else can write that
 * name, since names in quotes are refused.
 */
#ifndef DROVER_MASTER_CONF_SOURCE_H
#define DROVER_MASTER_CONF_SOURCE_H

#include <stdbool.h>
#include <stddef.h>

#include "master/conf_messages.h"

enum {
	CONF_FILE_MAX = 64 << 20, /* bytes of one file, and of the whole text */
	CONF_FILES_MAX = 100000,  /* included by one configuration */
	CONF_INCLUDE_DEPTH_MAX = 16
};

struct conf_pos;
struct conf_segment;
struct pool;

/* Where a section begins. */
struct conf_opening {
	int at;       /* line of the text */
	bool damaged; /* something in it was refused: what it lacks may be that */
};

struct conf_source {
	struct pool *pool;       /* of the text and this struct's arrays */
	struct pool *names;      /* of file names, which outlive the text */
	struct conf_messages *m; /* what is wrong */
	const char *dir;         /* where relative includes begin */
	char *text;              /* NUL-terminated */
	size_t len, room;
	int line; /* of the text's end */
	struct conf_segment *segments;
	size_t segments_count;
	struct conf_opening *openings;
	size_t openings_count;
	size_t files;
	bool damaged; /* at top level */
};

/*
 * Reads a file and what it includes. Returns 0 if the text can be parsed (there may have been
 * errors), -1 if not.
 */
int conf_source_file(struct conf_source *src, const char *path);
int conf_source_text(struct conf_source *src, const char *name, const char *text, size_t len);

/* For conf_walk.c, which builds the text. */
void conf_source_put(struct conf_source *src, const char *bytes, size_t len);
void conf_source_newline(struct conf_source *src);
/* What follows comes from a line of a file. */
void conf_source_segment(struct conf_source *src, const char *file, int line);
/* A new section that begins at a line of the text; returns its number. */
int conf_source_opening(struct conf_source *src, int at);

/* File and line of a line of the text. */
struct conf_pos conf_source_pos(const struct conf_source *src, int at);

/* Says something about a line of the text. */
void conf_source_error(const struct conf_source *src, int at, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void conf_source_warn(const struct conf_source *src, int at, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#endif
