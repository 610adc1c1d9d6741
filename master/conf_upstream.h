/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Upstreams and their peers, and how locations name them.
 */
#ifndef DROVER_MASTER_CONF_UPSTREAM_H
#define DROVER_MASTER_CONF_UPSTREAM_H

#include "master/conf_fill.h"

/* The upstream sections. */
void conf_upstream_fill(struct conf_fill *f);

/*
 * The upstream that a location's proxy = "..." means: one of that name, or one made of the address.
 * Returns its index in settings.upstreams, or -1 (said) if there is none. at: of the option.
 */
int conf_upstream_find(struct conf_fill *f, const char *option, int at, const char *text);

/* A location at that line speaks FastCGI, or HTTP, to its peers: all must speak the same. */
void conf_upstream_protocol(struct conf_fill *f, uint32_t n, int at, bool fastcgi);

/* What only the whole shows: upstreams that nobody names, deadlines that servers cut short. After
 * all servers. */
void conf_upstream_check(struct conf_fill *f);

#endif
