/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Locations whose requests go to FastCGI peers.
 */
#ifndef DROVER_MASTER_CONF_FASTCGI_H
#define DROVER_MASTER_CONF_FASTCGI_H

#include "master/conf_fill.h"

/* What is of FastCGI alone in a location that names the upstream (UINT32_MAX: there is none). */
void conf_fastcgi_fill(struct conf_fill *f, cfg_t *sec, struct location *loc);

#endif
