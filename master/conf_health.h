/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What an upstream says about the health of its peers, beyond what the schema checks by itself.
 */
#ifndef DROVER_MASTER_CONF_HEALTH_H
#define DROVER_MASTER_CONF_HEALTH_H

#include "master/conf_fill.h"

/* sec: of the upstream; check: its check section, or NULL. The options of both are filled. */
void conf_health_fill(struct conf_fill *f, cfg_t *sec, cfg_t *check, struct upstream *u);

#endif
