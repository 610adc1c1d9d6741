/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From the command line's choice of configuration to settings, and for a reload to a whole
 * generation.
 */
#ifndef DROVER_MASTER_LOAD_H
#define DROVER_MASTER_LOAD_H

#include <stddef.h>
#include <stdint.h>

struct board;
struct conf_messages;
struct generation;
struct listen_set;
struct options;
struct settings;

/* The settings of the file, or of the folder without a file. NULL: the messages say why. */
struct settings *load_settings(const struct options *o, struct conf_messages *m);

/*
 * The next generation, checked against the board, its sockets bound and its logs open; all messages
 * go to the error log. NULL: nothing has changed, and the first reason ("file:line: why") is in
 * error.
 */
struct generation *load_generation(const struct options *o, const struct board *b,
				   struct generation **list, struct listen_set *set,
				   uint32_t number, char *error, size_t size);

#endif
