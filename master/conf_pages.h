/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Error pages of a level, merged into what it has from outside.
 */
#ifndef DROVER_MASTER_CONF_PAGES_H
#define DROVER_MASTER_CONF_PAGES_H

#include "master/conf_fill.h"

/* The sections error_page: their files are read here. */
void conf_pages_fill(struct conf_fill *f, cfg_t *sec, struct location *place);

#endif
