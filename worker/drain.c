/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See drain.h. Called by loop.c, orders.c, guard.c and worker.c.
 */
#include "worker/drain.h"

#include <unistd.h>

#include "worker/channels.h"
#include "worker/errlog.h"
#include "worker/orphan.h"
#include "worker/process.h"

enum {
	ALONE_US = 2 * PROCESS_SECOND_US /* another successor is waited for so long */
};

/* The polite way, for what does not move. */
static void drain_in_place(struct worker *w)
{
	uint64_t until_us = w->legacy->drain_us;
	uint64_t left = until_us > w->clock.now_us ? until_us - w->clock.now_us : 0;

	if (w->conns.draining)
		return;
	/* Idle clients get a moment for one more request, which is answered with Connection: close;
	 * spread, so that they do not all come back at once. */
	http_drain(w->http, left / 3 < PROCESS_SECOND_US ? left / 3 : PROCESS_SECOND_US);
	errlog(ERRLOG_INFO, "draining %llu connections", (unsigned long long)w->row->conns);
}

/* Nobody accepts after this worker: what waits in the queues is served before they are closed. */
static void accept_the_rest(struct worker *w)
{
	for (uint32_t k = 0; k < w->env->listen_count; k++) {
		uint32_t i;

		while ((i = acceptor_take(&w->acceptor, k)) != CONN_NONE)
			process_open_conn(w, i);
	}
}

/* Whoever else has the sockets goes on accepting; if nobody has, clients are refused. */
static void stop_listening(struct worker *w)
{
	if (w->legacy->final && !w->legacy->deaf)
		accept_the_rest(w);
	w->legacy->deaf = true;
	acceptor_give_up(&w->acceptor);
}

/* The connections of a draining worker have nowhere to go: the master is asked for another
 * successor. */
static void be_alone(struct worker *w)
{
	if (w->orphan) {
		drain_in_place(w);
		return;
	}
	w->alone_us = w->clock.now_us + ALONE_US;
	process_say(w, CONTROL_ALONE, 0);
}

static struct outcome outcome_now(const struct worker *w)
{
	return (struct outcome){.moved = w->row->close_moved,
				.finished = w->row->drained_finished,
				.idle = w->row->drained_idle,
				.forced = w->row->drained_forced,
				.refused = w->row->moved_refused};
}

/* By moving to the worker at the other end of successor_fd, or (-1) by ending. */
static void send_away(struct worker *w, int successor_fd)
{
	w->alone_us = 0;
	if (successor_fd >= 0 && w->out.fd < 0 && !w->conns.draining &&
	    channels_begin(w, &w->out, successor_fd, 0) == 0)
		return;
	if (successor_fd >= 0)
		close(successor_fd);
	if (w->out.fd < 0)
		drain_in_place(w);
}

void drain_obey(struct worker *w, uint64_t deadline_us, bool final, int successor_fd)
{
	bool begins = w->row->state != WORKER_DRAINING;

	w->legacy->drain_us = deadline_us;
	if (begins) {
		acceptor_stop(&w->acceptor);
		handover_stop(&w->gift);
		w->legacy->before = outcome_now(w);
		w->legacy->final = final;
		board_set(&w->row->drain_us, w->clock.now_us);
		process_set_state(w, WORKER_DRAINING);
		/* From an orphan the next master gets its sockets. */
		if (!w->orphan)
			stop_listening(w);
	}
	if (begins || w->alone_us != 0)
		send_away(w, successor_fd);
	else if (successor_fd >= 0)
		close(successor_fd);
}

void drain_resume(struct worker *w)
{
	if (w->legacy->final || w->legacy->deaf)
		stop_listening(w);
	be_alone(w);
}

void drain_give(struct worker *w)
{
	if (channels_go_on(w, &w->out) == HANDOVER_BROKEN) {
		errlog(ERRLOG_WARN, "the successor is gone: %llu connections have not moved",
		       (unsigned long long)w->row->conns);
		channels_end(w, &w->out);
		be_alone(w);
	} else if (w->row->conns == 0 && w->takes == 0) {
		channels_end(w, &w->out);
	}
}

void drain_check(struct worker *w)
{
	bool draining = w->row->state == WORKER_DRAINING, over;

	over = w->legacy->drain_us <= w->clock.now_us ||
	       (w->orphan && !draining && orphan_was_told_to_end());
	if (!draining) {
		if (over)
			drain_obey(w, w->clock.now_us + w->env->settings->drain_us, false, -1);
		return;
	}
	if (w->alone_us != 0 && w->alone_us <= w->clock.now_us)
		send_away(w, -1);
	if (over && w->row->conns > 0) {
		channels_end(w, &w->out);
		channels_end(w, &w->gift);
		(void)http_force(w->http);
	}
	conns_bury(&w->conns);
	/* Who gives to this worker would have to give up: what still comes is passed on. */
	if (w->row->conns == 0 && (w->takes == 0 || over))
		w->leave = true;
}

void drain_tell(const struct worker *w)
{
	struct outcome now = outcome_now(w);
	const struct outcome *b = &w->legacy->before;
	bool all_moved = now.finished == b->finished && now.idle == b->idle &&
			 now.forced == b->forced && now.refused == b->refused;

	errlog(all_moved ? ERRLOG_INFO : ERRLOG_NOTICE,
	       "drained in %llu ms: %llu connections moved, %llu ended after their response, "
	       "%llu closed idle, %llu cut; %llu could not move",
	       (unsigned long long)(clock_now_us() - w->row->drain_us) / 1000,
	       (unsigned long long)(now.moved - b->moved),
	       (unsigned long long)(now.finished - b->finished),
	       (unsigned long long)(now.idle - b->idle),
	       (unsigned long long)(now.forced - b->forced),
	       (unsigned long long)(now.refused - b->refused));
}
