/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Taking over after a crash: everything that a worker keeps outside its records (lists, timers,
 * counts, the table of open files) is made anew from the records in the arena, which are checked
 * one by one: a dying worker may have spoilt them.
 */
#ifndef DROVER_WORKER_TAKEOVER_H
#define DROVER_WORKER_TAKEOVER_H

#include <stdint.h>

#include "worker/conn.h"

struct takeover {
	uint32_t kept;    /* connections that go on */
	uint32_t lost;    /* that could not: the one being served, and records that were spoilt */
	uint32_t away;    /* that were on their way to or from another worker, which has them */
	uint64_t suspect; /* id of the connection that was being served; 0 = none */
	char request[sizeof(((struct conn_row *)0)->request)]; /* of it */
	struct conn_row row;                                   /* of it */
};

/*
 * Rebuilds cs, whose heap half may be of any age, from its records. Timers are armed, with
 * deadlines later by the time that nobody served; nothing is polled yet. Descriptors of connections
 * that are not kept are closed.
 */
void takeover_rebuild(struct conns *cs, uint64_t unserved_us, struct takeover *t);

/* Closes every descriptor of this process that neither a record claims nor the list `mine` of count
 * numbers, but for the first three. */
void takeover_close_strays(const struct conns *cs, const int *mine, uint32_t count);

#endif
