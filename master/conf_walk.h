/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The grammar of the configuration: goes through a file statement by statement, checks names and
 * forms against the schema, expands includes, and appends what is right to the text of a
 * conf_source.
 */
#ifndef DROVER_MASTER_CONF_WALK_H
#define DROVER_MASTER_CONF_WALK_H

#include <stddef.h>
#include <sys/stat.h>

struct conf_source;

/*
 * Walks a whole configuration, from its first file on (st: what fstat said of it, NULL if it is no
 * file). Returns -1 if it cannot be read to its end: then libconfuse has no use for the text.
 */
int conf_walk(struct conf_source *src, const char *file, const char *text, size_t len,
	      const struct stat *st);

#endif
