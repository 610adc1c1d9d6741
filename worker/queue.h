/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Requests that wait because every peer of their upstream that is well has as many in hand as it
 * may have: one queue for each upstream and worker, first come, first served. A place in it is a
 * part of the client's record, so that nothing is allocated and a standby finds all of them again.
 * This file links and counts; who waits, for how long and what comes of it decides
 * worker/http/proxy_queue.c.
 *
 * Several workers may wait for the same peers. A word of the upstream's row says since when the
 * request waits that has waited for longest anywhere; who has one that is younger by more than
 * QUEUE_FAIR_US leaves the room that there is to that one. It is found by looking, every
 * QUEUE_LOOK_US while anybody waits, so that no worker has to wake another one. A worker that dies
 * leaves the word behind: room that nobody takes within QUEUE_YIELD_US is anybody's.
 */
#ifndef DROVER_WORKER_QUEUE_H
#define DROVER_WORKER_QUEUE_H

#include "worker/conn.h"

enum {
	QUEUE_LOOK_US = 2000,
	QUEUE_FAIR_US = 10000,
	QUEUE_YIELD_US = 3 * QUEUE_LOOK_US
};

/* What became of one that waited. */
enum queue_end {
	QUEUE_GIVEN,   /* to a peer */
	QUEUE_EXPIRED, /* its time was over */
	QUEUE_LEFT     /* the client is gone, or there is no peer left to wait for */
};

struct queue {
	uint32_t first, last; /* records, CONN_NONE: none */
	uint32_t count;
	uint64_t
	    told_us; /* what was last written into the shared word for this queue; 0: nothing */
	uint64_t yield_us; /* since when room is left to others; 0: it is not */
};

struct queues {
	struct conns *cs;
	struct queue *queue; /* by upstream */
	uint32_t waiting;    /* in all of them */
};

/* Returns 0, or -1 with errno. */
int queues_init(struct queues *qs, struct conns *cs);
void queues_free(struct queues *qs);
/* After a crash: all are empty, queue_restore() fills them again. */
void queues_forget(struct queues *qs);

/* At the end of the upstream's queue. */
void queue_join(struct queues *qs, uint32_t i, uint32_t upstream, uint32_t tries);
void queue_leave(struct queues *qs, uint32_t i, enum queue_end end);
/* A record that says of itself that it waits. */
void queue_restore(struct queues *qs, uint32_t i);

/* The one that has waited for longest in this worker, or CONN_NONE. */
static inline uint32_t queue_first(const struct queues *qs, uint32_t upstream)
{
	return qs->queue[upstream].first;
}

/* Must a request that comes now wait behind others? */
bool queue_is_before(const struct queues *qs, uint32_t upstream);

/* Is there room, and may this worker's first one take it? Also tells the others of that one. */
bool queue_may_go(struct queues *qs, uint32_t upstream, bool room);

#endif
