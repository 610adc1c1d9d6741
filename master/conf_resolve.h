/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The section resolve: how names of peers are looked up.
 */
#ifndef DROVER_MASTER_CONF_RESOLVE_H
#define DROVER_MASTER_CONF_RESOLVE_H

struct conf_fill;

enum {
	CONF_RESOLVE_SERVERS = 8
};

/* What the schema's rows have not filled, and whether all of it makes sense. */
void conf_resolve_fill(struct conf_fill *f);

#endif
