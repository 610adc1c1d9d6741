/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the service manager is told (sd_notify(3)), without its library. All do nothing if there is
 * none. The variables are taken out of the environment by notify_open, so that no child speaks for
 * the master.
 */
#ifndef DROVER_MASTER_NOTIFY_H
#define DROVER_MASTER_NOTIFY_H

#include <stdint.h>

/* Reads NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID. */
void notify_open(void);

/* Puts the variables back into the environment, for a program that is executed in this process. */
void notify_export(void);

void notify_ready(const char *status);
void notify_reloading(uint64_t now_us); /* CLOCK_MONOTONIC */
void notify_stopping(void);
void notify_status(const char *status);

/* How often notify_watchdog must be called: half of what the manager waits; 0 = never. */
uint64_t notify_watchdog_us(void);
void notify_watchdog(void);

#endif
