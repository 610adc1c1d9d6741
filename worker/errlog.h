/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The error log: one line, one write(2), for master and workers alike. A line is
 *   2026-11-21T21:40:00.123Z level pid [slot] message
 * and, while a connection is being served, "conn=N" and the "req=ID" of its request before the
 * message, so that the lines of one connection, of the access log and the board find each other.
 * Bytes that are not printable ASCII are written as \xNN, so nothing that a client sent can forge a
 * line. Low functions return errors; who decides, logs, once. Full disks are counted and cost
 * nothing else.
 */
#ifndef DROVER_WORKER_ERRLOG_H
#define DROVER_WORKER_ERRLOG_H

#include <stdbool.h>
#include <stddef.h>
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
 * first). Slot -1: the master. What another process left out before the fork is forgotten. */
void errlog_open(int fd, int level, int slot);

void errlog(int level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/*
 * For what may repeat without end: of each place that calls it at most `burst` lines a minute. What
 * is left out is summed up by errlog_tick() ("suppressed 1,204 similar: ..."), so the first is
 * always said, and nothing goes uncounted. `limit` is a static of the caller, zeroed but for burst
 * (0 = 1).
 */
struct errlog_limit {
	uint32_t burst;
	uint32_t said;      /* in the window */
	uint64_t window_us; /* its begin; 0 = none yet */
	uint64_t left_out;  /* since the last sum */
	uint64_t since_us;  /* when the first of those was left out */
	int level;
	bool known;                /* on the list of those that errlog_tick() looks at */
	struct errlog_limit *next; /* on it */
	char text[160];            /* of the last one left out, cut */
};
void errlog_limited(struct errlog_limit *limit, int level, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Sums up what was left out 10 s ago or more; all of it if `all` is set: for the end. */
void errlog_tick(uint64_t now_us, bool all);

/* Asked for every line what stands before its message: writes "conn=1 req=... " or "" to out. NULL:
 * nobody is asked. */
typedef void errlog_subject(const void *arg, char *out, size_t size);
void errlog_set_subject(errlog_subject *ask, const void *arg);

/* A counter on the board of lines left out; NULL: none. */
void errlog_set_counter(uint64_t *suppressed);

#endif
