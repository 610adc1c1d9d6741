/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the master says on the control channel (enum control_kind), and whom it sends to do it.
 */
#ifndef DROVER_WORKER_ORDERS_H
#define DROVER_WORKER_ORDERS_H

struct worker;

/* Reads all that is there. */
void orders_read(struct worker *w);

#endif
