/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The grammar of what stands behind name =: one value, or a list of them in braces.
 */
#ifndef DROVER_MASTER_CONF_WALK_VALUE_H
#define DROVER_MASTER_CONF_WALK_VALUE_H

#include <stdbool.h>

struct conf_cursor;
struct conf_option;
struct conf_source;
struct conf_token;

/* The value of an assignment to o on a line of the file, appended to the text; *good becomes false
 * where it is wrong, which is said. Returns -1 if the walk cannot go on. */
int conf_walk_value(struct conf_source *src, struct conf_cursor *f, const char *name, int line,
		    const struct conf_option *o, bool *good);

/* Skips the value of an assignment that was refused before it was looked at. */
int conf_walk_value_skip(struct conf_source *src, struct conf_cursor *f, int line,
			 const char *name);

/* Is the token a value that must stand in quotes? Says so. */
bool conf_walk_value_unquoted(const struct conf_source *src, const struct conf_cursor *f,
			      const struct conf_token *t);

#endif
