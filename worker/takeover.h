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
	uint32_t dropped; /* that could not */
	uint64_t suspect; /* id of the connection that was being served; 0 = none */
	char request[sizeof(((struct conn_row *)0)->request)]; /* of it */
	struct conn_row row;                                   /* of it */
};

/*
 * Rebuilds cs, whose heap half may be of any age, from its records. Timers are armed, connections
 * with unread bytes are on the ready list; nothing is polled yet. Descriptors of connections that
 * are not kept are closed.
 */
void takeover_rebuild(struct conns *cs, struct takeover *t);

/* Closes every descriptor of this process that neither a record claims nor the list `mine` of count
 * numbers. */
void takeover_close_strays(const struct conns *cs, const int *mine, uint32_t count);

#endif
