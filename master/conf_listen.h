/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Listeners and names: which addresses are listened on, which servers share one, and who answers
 * there to which host.
 */
#ifndef DROVER_MASTER_CONF_LISTEN_H
#define DROVER_MASTER_CONF_LISTEN_H

#include <stdint.h>

#include "master/conf_fill.h"

/* listen, names, backlog and reuseport of a server. */
void conf_listen_server(struct conf_fill *f, cfg_t *sec, uint32_t number,
			const struct conf_extra *extra);

/* After all servers: the default server of each listener. */
void conf_listen_defaults(struct conf_fill *f);

#endif
