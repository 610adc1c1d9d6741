/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sticky { } of an upstream: judged, and what its cookie says for each peer. Called by
 * conf_upstream.c when all peers are there.
 */
#ifndef DROVER_MASTER_CONF_STICKY_H
#define DROVER_MASTER_CONF_STICKY_H

#include "master/conf_fill.h"

/* sec: the section sticky, or NULL. */
void conf_sticky_fill(struct conf_fill *f, cfg_t *sec, struct upstream *u);

#endif
