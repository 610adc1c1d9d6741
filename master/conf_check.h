/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is possible and yet cannot be meant: warnings about deadlines that cut each other short, a
 * drain without time, redirects in a circle; and errors that only the whole shows.
 */
#ifndef DROVER_MASTER_CONF_CHECK_H
#define DROVER_MASTER_CONF_CHECK_H

#include "master/conf_fill.h"

void conf_check_server(struct conf_fill *f, cfg_t *sec, const struct server *srv);
void conf_check_global(struct conf_fill *f);

/* After route_build(). */
void conf_check_routes(struct conf_fill *f);

#endif
