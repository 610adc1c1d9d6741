/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Options of locations with a proxy that are more than a word or a number.
 */
#ifndef DROVER_MASTER_CONF_PROXY_H
#define DROVER_MASTER_CONF_PROXY_H

#include "master/conf_fill.h"

void conf_proxy_fill(struct conf_fill *f, cfg_t *sec, struct location *place);

#endif
