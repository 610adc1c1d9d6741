/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Queues: see queue.h.
 */
#include "worker/queue.h"

#include <stdlib.h>

int queues_init(struct queues *qs, struct conns *cs)
{
	*qs = (struct queues){.cs = cs};
	qs->queue = calloc((size_t)cs->settings->upstreams_count + 1, sizeof qs->queue[0]);
	if (qs->queue == NULL)
		return -1;
	queues_forget(qs);
	return 0;
}

void queues_free(struct queues *qs)
{
	free(qs->queue);
	qs->queue = NULL;
}

static struct upstream_traffic_row *traffic_of(const struct queues *qs, uint32_t upstream)
{
	return board_upstream_traffic(qs->cs->board, qs->cs->worker_row,
				      qs->cs->settings->upstreams[upstream].row);
}

static struct upstream_row *row_of(const struct queues *qs, uint32_t upstream)
{
	return board_upstream(qs->cs->board, qs->cs->settings->upstreams[upstream].row);
}

static uint64_t *shared_word(const struct queues *qs, uint32_t upstream)
{
	return &row_of(qs, upstream)->waiting_us;
}

void queues_forget(struct queues *qs)
{
	qs->waiting = 0;
	for (uint32_t u = 0; u < qs->cs->settings->upstreams_count; u++) {
		qs->queue[u] = (struct queue){.first = CONN_NONE, .last = CONN_NONE};
		board_set(&traffic_of(qs, u)->queued, 0);
	}
}

/* Behind the record `after`; CONN_NONE: in front of all. */
static void link_in(struct queues *qs, uint32_t i, uint32_t after)
{
	struct conn_queued *mine = &conn_at(qs->cs, i)->queued;
	struct queue *q = &qs->queue[mine->upstream];

	mine->prev = after;
	mine->next = after != CONN_NONE ? conn_at(qs->cs, after)->queued.next : q->first;
	if (mine->prev != CONN_NONE)
		conn_at(qs->cs, mine->prev)->queued.next = i;
	else
		q->first = i;
	if (mine->next != CONN_NONE)
		conn_at(qs->cs, mine->next)->queued.prev = i;
	else
		q->last = i;
	q->count++;
	qs->waiting++;
	board_set(&traffic_of(qs, mine->upstream)->queued, q->count);
}

/*
 * Others are told since when the first one waits. The word is the least of what all queues say, as
 * far as they have looked lately; ours is taken out of it by who put it there.
 */
static void tell(struct queues *qs, uint32_t upstream)
{
	struct queue *q = &qs->queue[upstream];
	uint64_t *word = shared_word(qs, upstream), there = board_shared_get(word);
	uint64_t mine = q->first != CONN_NONE ? conn_at(qs->cs, q->first)->queued.since_us : 0;
	bool ours = there != 0 && there == q->told_us;

	if (there == mine)
		q->told_us = mine;
	if (there == mine || (!ours && (mine == 0 || (there != 0 && there < mine))))
		return;
	if (board_shared_swap(word, &there, mine))
		q->told_us = mine;
}

void queue_join(struct queues *qs, uint32_t i, uint32_t upstream, uint32_t tries)
{
	struct conn *c = conn_at(qs->cs, i);

	c->queued = (struct conn_queued){
	    .since_us = qs->cs->clock->now_us, .upstream = upstream, .tries = tries};
	link_in(qs, i, qs->queue[upstream].last);
	c->flags |= CONN_QUEUED;
	tell(qs, upstream);
}

/* In the order in which they came; they are restored in any order. */
void queue_restore(struct queues *qs, uint32_t i)
{
	const struct conn_queued *mine = &conn_at(qs->cs, i)->queued;
	uint32_t after = qs->queue[mine->upstream].last;

	while (after != CONN_NONE && conn_at(qs->cs, after)->queued.since_us > mine->since_us)
		after = conn_at(qs->cs, after)->queued.prev;
	link_in(qs, i, after);
}

static void count(const struct queues *qs, const struct conn_queued *place, enum queue_end end)
{
	struct upstream_traffic_row *t = traffic_of(qs, place->upstream);
	uint64_t now = qs->cs->clock->now_us;
	uint64_t waited_us = now > place->since_us ? now - place->since_us : 0;

	switch (end) {
	case QUEUE_GIVEN:
		board_add(&t->waited, 1);
		board_add(&t->wait_sum, waited_us);
		board_add(&t->wait[hist_bucket(waited_us)], 1);
		break;
	case QUEUE_EXPIRED:
		board_add(&t->queue_expired, 1);
		break;
	case QUEUE_LEFT:
		board_add(&t->queue_left, 1);
		break;
	}
}

void queue_leave(struct queues *qs, uint32_t i, enum queue_end end)
{
	struct conn *c = conn_at(qs->cs, i);
	const struct conn_queued place = c->queued;
	struct queue *q = &qs->queue[place.upstream];

	if (place.prev != CONN_NONE)
		conn_at(qs->cs, place.prev)->queued.next = place.next;
	else
		q->first = place.next;
	if (place.next != CONN_NONE)
		conn_at(qs->cs, place.next)->queued.prev = place.prev;
	else
		q->last = place.prev;
	q->count--;
	qs->waiting--;
	c->flags &= (uint16_t)~CONN_QUEUED;
	c->queued = (struct conn_queued){0};
	board_set(&traffic_of(qs, place.upstream)->queued, q->count);
	count(qs, &place, end);
	tell(qs, place.upstream);
}

bool queue_is_before(const struct queues *qs, uint32_t upstream)
{
	return qs->queue[upstream].count != 0 || board_shared_get(shared_word(qs, upstream)) != 0;
}

bool queue_may_go(struct queues *qs, uint32_t upstream, bool room)
{
	struct queue *q = &qs->queue[upstream];
	uint64_t *word = shared_word(qs, upstream), there, mine, now = qs->cs->clock->now_us;

	if (q->first == CONN_NONE)
		return false;
	tell(qs, upstream);
	if (!room) {
		q->yield_us = 0;
		return false;
	}
	there = board_shared_get(word);
	mine = conn_at(qs->cs, q->first)->queued.since_us;
	if (there == 0 || there + QUEUE_FAIR_US >= mine) {
		q->yield_us = 0;
		return true;
	}
	if (q->yield_us == 0)
		q->yield_us = now;
	if (now - q->yield_us < QUEUE_YIELD_US)
		return false;
	/* Nobody has come for it. */
	q->yield_us = 0;
	if (board_shared_swap(word, &there, mine))
		q->told_us = mine;
	return true;
}
