/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Locations, and what they inherit: index, rules, added headers, error pages.
 */
#ifndef DROVER_MASTER_CONF_PLACE_H
#define DROVER_MASTER_CONF_PLACE_H

#include "master/conf_fill.h"

/* The header and error_page sections of a level, merged into what it has from outside. */
void conf_place_headers(struct conf_fill *f, cfg_t *sec, struct location *place);
void conf_place_pages(struct conf_fill *f, cfg_t *sec, struct location *place);

/*
 * The locations of a server. *place has what the server inherits and its own plain options; it
 * becomes location 0 and what the others begin as.
 */
void conf_place_server(struct conf_fill *f, cfg_t *sec, struct server *srv, struct location *place,
		       const struct conf_extra *extra);

#endif
