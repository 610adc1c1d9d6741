/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The error log: one line, one write(2), for master and workers alike. A line is
 *   2026-11-21T21:40:00.123Z level pid [slot] message
 * Bytes that are not printable ASCII are written as \xNN, so nothing that a client sent can forge a
 * line. Low functions return errors; who decides, logs, once. Full disks are counted and cost
 * nothing else.
 */
#ifndef DROVER_WORKER_ERRLOG_H
#define DROVER_WORKER_ERRLOG_H

#include <stdint.h>

enum errlog_level {
	ERRLOG_DEBUG,
	ERRLOG_INFO,
	ERRLOG_NOTICE,
	ERRLOG_WARN,
	ERRLOG_ERROR,
	ERRLOG_ALERT
};

/* "debug" .. "alert"; NULL if there is no such level. -1 if there is no such name. */
const char *errlog_level_name(int level);
int errlog_level_parse(const char *name);

/* Where lines go (a descriptor, kept by the caller; 2 at first) and from which level on (NOTICE at
 * first). Slot -1: the master. */
void errlog_open(int fd, int level, int slot);

void errlog(int level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/*
 * For what may repeat without end: at most one line a minute for each place that calls it; the next
 * line says how many were left out. `last` is a static of the caller, zeroed.
 */
struct errlog_limit {
	uint64_t last_us;
	uint64_t left_out;
};
void errlog_limited(struct errlog_limit *limit, int level, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#endif
