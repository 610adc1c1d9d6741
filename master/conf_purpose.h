/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a location is for. It has exactly one purpose: files, a redirect, a status, health, metrics,
 * the status page, a proxy, or FastCGI; and options that go with that one alone.
 */
#ifndef DROVER_MASTER_CONF_PURPOSE_H
#define DROVER_MASTER_CONF_PURPOSE_H

#include "master/conf_fill.h"

/* Finds the purpose in a section whose options *loc has, and checks all that depends on it. A
 * location without any serves files if there is an inherited root (else NULL). */
void conf_purpose_fill(struct conf_fill *f, cfg_t *sec, struct location *loc,
		       const struct conf_extra *extra, const char *inherited_root);

/* Is the path that an option names a directory? */
void conf_purpose_directory(const struct conf_fill *f, int at, const char *option,
			    const char *path);

#endif
