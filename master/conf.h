/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The configuration file, from text to settings (worker/settings.h) and back. drover.conf(5) is the
 * language. Every function can be called as often as one likes in one process, one at a time (the
 * parser below is a single one).
 */
#ifndef DROVER_MASTER_CONF_H
#define DROVER_MASTER_CONF_H

#include <stddef.h>
#include <stdio.h>

#include "master/conf_messages.h"
#include "worker/settings.h"

/*
 * Reads a file and all that it includes, checks everything, and returns the settings; NULL if there
 * is any error: then m says all of them. There may be warnings in either case. Nothing but files is
 * looked at, and nothing is changed: no socket is bound, no log opened.
 */
struct settings *conf_load(const char *file, struct conf_messages *m);

/*
 * The same from a text: name stands for the file in messages, relative paths begin at dir (the
 * working directory if NULL).
 */
struct settings *conf_parse_text(const char *name, const char *text, size_t len, const char *dir,
				 struct conf_messages *m);

/*
 * What `drover DIR` serves without a file: one server "site" on listen (127.0.0.1:8080 if NULL),
 * the folder dir with directory listings.
 */
struct settings *conf_embedded(const char *listen, const char *dir, struct conf_messages *m);

/*
 * The settings in the configuration's own language with every default, each level with what it
 * inherits. Loading the output gives the same settings.
 */
void conf_print(const struct settings *s, FILE *out);

/* Also takes NULL. */
void settings_free(struct settings *s);

#endif
