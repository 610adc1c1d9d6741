/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the operator orders by signal, and what each order means in each phase.
 */
#ifndef DROVER_MASTER_ORDERS_H
#define DROVER_MASTER_ORDERS_H

struct master;

/* Reads the post and acts on it, in one written order: deaths, stop, reload, the rest. */
void orders_obey(struct master *m);

#endif
