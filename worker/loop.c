/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The loop: sleeps until something happens or a deadline comes, and calls those who know what to
 * do: accept.c, http/serve.c, the timers, the master's orders. A callback never frees a record; the
 * loop buries what was closed at the end of its turn. What happens seldom is in files of its own.
 */
#include "worker/loop.h"

#include <sys/epoll.h>

#include "worker/adoption.h"
#include "worker/channels.h"
#include "worker/drain.h"
#include "worker/ending.h"
#include "worker/errlog.h"
#include "worker/guard.h"
#include "worker/http/files.h"
#include "worker/http/proxy.h"
#include "worker/orders.h"
#include "worker/process.h"

static void accept_batch(struct worker *w, uint32_t k)
{
	uint32_t want = acceptor_batch(&w->acceptor), taken;

	for (taken = 0; taken < want; taken++) {
		uint32_t i = acceptor_take(&w->acceptor, k);

		if (i == CONN_NONE)
			break;
		process_open_conn(w, i);
	}
	acceptor_learn(&w->acceptor, taken);
}

static void kill_conn(void *arg, uint32_t i)
{
	struct worker *w = arg;

	http_kill(w->http, i);
}

static void serve_ctl(struct worker *w)
{
	const struct ending e = {.fd = w->env->ctl_fd,
				 .row = w->env->row,
				 .uid = w->env->master_uid,
				 .cs = &w->conns,
				 .end = kill_conn,
				 .arg = w};

	ending_serve(&e);
}

static void serve_up(struct worker *w, uint64_t data, uint32_t events)
{
	uint32_t u = up_of_event(&w->ups, data);

	if (u != UP_NONE)
		proxy_event(w->http, u, events);
}

static void serve_events(struct worker *w, int count)
{
	for (int k = 0; k < count; k++) {
		uint64_t data = w->events[k].data.u64;
		uint64_t tag = data >> TAG_SHIFT << TAG_SHIFT;
		uint32_t which = (uint32_t)data;

		if (tag == TAG_CONN && data != process_conn_data(w, which))
			continue;
		if (tag == TAG_CONN)
			http_event(w->http, which, w->events[k].events);
		else if (tag == TAG_UP)
			serve_up(w, data, w->events[k].events);
		else if (tag == TAG_LISTEN)
			accept_batch(w, which);
		else if (tag == TAG_TAKE)
			channels_take(w, (int)which);
		else if (tag == TAG_ADOPT)
			adoption_accept(w);
		else if (tag == TAG_CTL)
			serve_ctl(w);
		else if (tag == TAG_GIVE)
			continue; /* drain_give() looks at its channel every turn */
		else
			orders_read(w);
	}
}

/* Those that used up their share of the last turn. */
static void serve_ready(struct worker *w)
{
	uint32_t i = w->conns.ready, next;

	w->conns.ready = CONN_NONE;
	for (; i != CONN_NONE; i = next) {
		struct conn *c = conn_at(&w->conns, i);

		next = c->link;
		c->flags &= (uint16_t)~CONN_READY;
		if (c->doomed) {
			c->link = w->conns.doomed;
			w->conns.doomed = i;
			continue;
		}
		if ((c->flags & CONN_MOVING) == 0)
			http_go_on(w->http, i);
	}
}

static void fire(void *arg, uint32_t i)
{
	struct worker *w = arg;

	http_timer(w->http, i);
}

static void fire_up(void *arg, uint32_t u)
{
	struct worker *w = arg;

	proxy_timer(w->http, u);
}

static void tick(struct worker *w)
{
	if (w->clock.now_us < w->tick_us)
		return;
	w->tick_us = w->clock.now_us + PROCESS_SECOND_US;
	board_set(&w->row->lag_us, w->lag_us);
	w->lag_us = 0;
	accesslog_flush(&w->log);
	errlog_tick(w->clock.now_us, false);
	bufs_trim(&w->conns.bufs);
	files_tick(w->http->files, &w->clock);
	pages_tick(&w->http->pages, w->clock.now_us);
	if (w->orphan)
		adoption_check(w);
}

static uint64_t until(const struct worker *w, uint64_t at_us, uint64_t most)
{
	return at_us > w->clock.now_us && at_us - w->clock.now_us < most ? at_us - w->clock.now_us
									 : most;
}

static int wait_ms(const struct worker *w)
{
	uint64_t us = PROCESS_SECOND_US, hang_us = w->env->settings->hang_us;

	if (w->conns.ready != CONN_NONE)
		return 0;
	/* An idle worker has a heartbeat, too. */
	if (hang_us != 0 && hang_us / 4 < us)
		us = hang_us / 4;
	us = timer_wait_us(&w->conns.timer, w->clock.now_us, us);
	us = timer_wait_us(&w->ups.timer, w->clock.now_us, us);
	/* Other workers make room, too. */
	if (w->queues.waiting != 0 && us > QUEUE_LOOK_US)
		us = QUEUE_LOOK_US;
	us = acceptor_wait_us(&w->acceptor, us);
	us = until(w, w->legacy->drain_us, us);
	us = until(w, w->alone_us, us);
	us = handover_wait_us(&w->out, w->clock.now_us, us);
	us = handover_wait_us(&w->gift, w->clock.now_us, us);
	return (int)((us + 999) / 1000);
}

static void turn(struct worker *w)
{
	int count = epoll_wait(w->epoll_fd, w->events, PROCESS_EVENTS, wait_ms(w));
	uint64_t length;

	clock_read(&w->clock);
	board_set(&w->row->beat_us, w->clock.now_us);
	w->conns.freed = false;
	if (count > 0) {
		board_add(&w->row->events, (uint64_t)count);
		serve_events(w, count);
	}
	if (w->conns.ready != CONN_NONE)
		serve_ready(w);
	timer_run(&w->conns.timer, w->clock.now_us, fire, w);
	timer_run(&w->ups.timer, w->clock.now_us, fire_up, w);
	if (w->queues.waiting != 0)
		proxy_queue_run(w->http);
	ups_bury(&w->ups);
	conns_bury(&w->conns);
	if (w->out.fd >= 0)
		drain_give(w);
	if (w->gift.fd >= 0)
		channels_give(w);
	acceptor_turn(&w->acceptor);
	tick(w);
	if (w->orphan || w->row->state == WORKER_DRAINING)
		drain_check(w);
	length = clock_now_us() - w->clock.now_us;
	if (length > w->lag_us)
		w->lag_us = length;
	board_add(&w->row->turns, 1);
	board_add(&w->row->turn[hist_bucket(length)], 1);
	board_add(&w->row->turn_sum, length);
}

void loop_run(struct worker *w)
{
	while (!w->leave) {
		if (w->unguarded)
			guard_clone(w);
		turn(w);
	}
}
