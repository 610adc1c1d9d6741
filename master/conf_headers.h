/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Header fields of a level (the global one, a server, a location): those that are added, merged
 * into what the level has from outside, and those that are removed.
 */
#ifndef DROVER_MASTER_CONF_HEADERS_H
#define DROVER_MASTER_CONF_HEADERS_H

#include "master/conf_fill.h"

/* The sections header and request_header. */
void conf_headers_fill(struct conf_fill *f, cfg_t *sec, struct location *place);

/* remove_request, remove_response: names of fields, in lower case, that take the place of those
 * from outside. */
void conf_headers_removed(struct conf_fill *f, cfg_t *sec, const char *option, const char ***list);

/* timeout_header: is it the name of a field that may be ours? */
void conf_headers_timeout(struct conf_fill *f, cfg_t *sec);

#endif
