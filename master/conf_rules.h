/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Networks of a level: who is let in (allow, deny), and whose word on the client counts (trust).
 * Each list takes the place of the one from outside.
 */
#ifndef DROVER_MASTER_CONF_RULES_H
#define DROVER_MASTER_CONF_RULES_H

#include "master/conf_fill.h"

void conf_rules_fill(struct conf_fill *f, cfg_t *sec, struct location *place);
void conf_rules_trust(struct conf_fill *f, cfg_t *sec, struct location *place);

/* What drover says of itself is for this machine alone, unless the location itself says whom else
 * it admits: that its server is open to somebody is not enough. */
void conf_rules_protect(struct conf_fill *f, cfg_t *sec, struct location *loc);

#endif
