/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Requests that wait while all peers are full: see proxy_parts.h and worker/queue.h. Such a request
 * has been read but for its body, which waits in the socket; its state is RESPOND with no
 * connection to a peer, its deadline the smaller of the queue's and its own. What has waited for
 * longer than that is never sent.
 */
#include "worker/http/proxy_parts.h"

#include "worker/balance.h"

bool proxy_must_wait(const struct http *h, uint32_t i, uint32_t upstream)
{
	return (conn_at(h->cs, i)->flags & CONN_QUEUED) == 0 &&
	       queue_is_before(h->cs->queues, upstream);
}

static void set_deadline(struct http *h, uint32_t i, const struct upstream *pool)
{
	uint64_t own = conn_row(h->cs, i)->deadline_us, wait = proxy_now(h) + pool->queue_wait_us;

	if (pool->queue_wait_us != 0 && (own == 0 || wait < own))
		conn_set_deadline(h->cs, i, wait);
}

bool proxy_wait(struct http *h, uint32_t i, uint32_t upstream, unsigned tries)
{
	const struct upstream *pool = &h->settings->upstreams[upstream];
	struct conn *c = conn_at(h->cs, i);

	if ((c->flags & CONN_QUEUED) != 0)
		return true;
	if (h->cs->queues->queue[upstream].count >= pool->queue_size) {
		board_add(
		    &board_upstream_traffic(h->cs->board, h->cs->worker_row, pool->row)->queue_full,
		    1);
		return false;
	}
	if (conn_row(h->cs, i)->state != CONN_RESPOND)
		conn_set_state(h->cs, i, CONN_RESPOND);
	else
		conn_extend(h->cs, i);
	set_deadline(h, i, pool);
	queue_join(h->cs->queues, i, upstream, tries);
	/* That the client is gone has been told already, and will not be again. */
	if ((c->flags & CONN_PEER_DONE) != 0)
		conn_ready(h->cs, i);
	return true;
}

void proxy_wait_over(struct http *h, uint32_t i, enum queue_end end)
{
	struct conn *c = conn_at(h->cs, i);

	if ((c->flags & CONN_QUEUED) == 0)
		return;
	queue_leave(h->cs->queues, i, end);
	if ((c->flags & CONN_BODY_OPEN) == 0) {
		conn_extend(h->cs, i);
		return;
	}
	conn_set_state(h->cs, i, CONN_BODY);
	/* What has come of it is looked at. */
	conn_ready(h->cs, i);
}

void proxy_queued(struct http *h, uint32_t i)
{
	const struct conn *c = conn_at(h->cs, i);

	if ((c->flags & CONN_QUEUED) != 0 && (c->flags & CONN_PEER_DONE) != 0)
		proxy_client_gone(h, i);
}

void proxy_queue_expire(struct http *h, uint32_t i)
{
	if (proxy_time_left(h, i) == PROXY_TIME_UP)
		exchange_expired(h, DEADLINE_REQUEST);
	proxy_wait_over(h, i, QUEUE_EXPIRED);
	proxy_answer(h, i, 504);
}

/* A timer may be late. */
static bool is_over(const struct http *h, uint32_t i)
{
	uint64_t at = conn_row(h->cs, i)->deadline_us;

	return at != 0 && at <= proxy_now(h);
}

static void run(struct http *h, uint32_t upstream)
{
	const struct upstream *pool = &h->settings->upstreams[upstream];
	struct queues *qs = h->cs->queues;

	while (queue_may_go(qs, upstream, !balance_is_full(h->ups, pool))) {
		uint32_t i = queue_first(qs, upstream);

		http_touch(h, i);
		h->tried = 0;
		if (is_over(h, i))
			proxy_queue_expire(h, i);
		else
			proxy_resume(h, i, UINT32_MAX, conn_at(h->cs, i)->queued.tries, false);
		http_settle(h, i);
		/* Another worker was there first. */
		if (queue_first(qs, upstream) == i)
			return;
	}
}

void proxy_queue_run(struct http *h)
{
	for (uint32_t u = 0; u < h->settings->upstreams_count; u++) {
		if (h->cs->queues->queue[u].count != 0)
			run(h, u);
	}
}
