/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The orders that come by signal, one turn's worth at a time: no handler runs, a signalfd is read.
 */
#ifndef DROVER_MASTER_SIGNALS_H
#define DROVER_MASTER_SIGNALS_H

#include <stdbool.h>

/* Signals read in one turn. */
struct post {
	bool deaths, stop, stop_now, reload, reopen, upgrade, empty, rebalance;
	int more, fewer;
};

/* Blocks the signals that are orders. Returns the descriptor that tells of them, or -1 with errno.
 */
int signals_open(void);

/* What has come since. */
struct post signals_read(int fd);

#endif
