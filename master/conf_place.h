/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Locations, and what they inherit from their server.
 */
#ifndef DROVER_MASTER_CONF_PLACE_H
#define DROVER_MASTER_CONF_PLACE_H

#include "master/conf_fill.h"

/*
 * The locations of a server. *place has what the server inherits and its own plain options; it
 * becomes location 0 and what the others begin as.
 */
void conf_place_server(struct conf_fill *f, cfg_t *sec, struct server *srv, struct location *place,
		       const struct conf_extra *extra);

#endif
