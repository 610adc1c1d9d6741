/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See channels.h. Called by loop.c, by drain.c for what a worker that leaves has, and by orders.c.
 */
#include "worker/channels.h"

#include <unistd.h>

#include "worker/process.h"

/* A connection leaves epoll, or comes (back) to it. */
static void unwatch(void *arg, uint32_t i)
{
	struct worker *w = arg;
	const struct conn *c = conn_at(&w->conns, i);

	(void)epoll_ctl(w->epoll_fd, EPOLL_CTL_DEL, c->fd, NULL);
	if (c->up != 0)
		up_unwatch(&w->ups, c->up - 1);
}

static void watch(void *arg, uint32_t i)
{
	struct worker *w = arg;

	process_watch_conn(w, i);
	process_watch_up(w, i);
	http_resume(w->http, i);
}

static struct handover_ops handover_ops(struct worker *w)
{
	return (struct handover_ops){.unwatch = unwatch, .watch = watch, .arg = w};
}

void channels_end(struct worker *w, struct handover_out *o)
{
	const struct handover_ops ops = handover_ops(w);

	handover_end(o, &w->conns, &ops);
}

int channels_begin(struct worker *w, struct handover_out *o, int fd, uint32_t limit)
{
	struct epoll_event e = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.u64 = TAG_GIVE};

	if (epoll_ctl(w->epoll_fd, EPOLL_CTL_ADD, fd, &e) != 0)
		return -1;
	handover_begin(o, fd, limit);
	return 0;
}

enum handover_state channels_go_on(struct worker *w, struct handover_out *o)
{
	const struct handover_ops ops = handover_ops(w);
	enum handover_state state = handover_read_acks(o, &w->conns, &ops);

	if (state != HANDOVER_BROKEN)
		state = handover_send(o, &w->conns, &ops);
	ups_bury(&w->ups);
	conns_bury(&w->conns);
	return state;
}

void channels_gift(struct worker *w, uint64_t count, int fd)
{
	bool may = w->row->state == WORKER_READY && w->gift.fd < 0 && count > 0 &&
		   count <= UINT32_MAX;

	if (fd >= 0 && may && channels_begin(w, &w->gift, fd, (uint32_t)count) == 0)
		return;
	if (fd >= 0)
		close(fd);
	process_say(w, CONTROL_GIVEN, 0);
}

void channels_give(struct worker *w)
{
	if (channels_go_on(w, &w->gift) != HANDOVER_BROKEN && !handover_done(&w->gift, &w->conns))
		return;
	channels_end(w, &w->gift);
	conns_bury(&w->conns);
	process_say(w, CONTROL_GIVEN, w->gift.taken);
}

void channels_open(struct worker *w, int fd)
{
	struct epoll_event e = {.events = EPOLLIN, .data.u64 = TAG_TAKE | (uint32_t)fd};

	if (epoll_ctl(w->epoll_fd, EPOLL_CTL_ADD, fd, &e) != 0) {
		close(fd);
		return;
	}
	handover_channel(fd);
	w->takes++;
}

/* A few messages a turn: who is served here already must not wait for a whole herd to come in. */
void channels_take(struct worker *w, int fd)
{
	enum {
		MESSAGES_A_TURN = 4
	};
	uint32_t taken[MOVED_BATCH], count;

	for (int k = 0; k < MESSAGES_A_TURN; k++) {
		int more = handover_receive(fd, &w->conns, taken, &count);

		for (uint32_t n = 0; n < count; n++)
			watch(w, taken[n]);
		if (more > 0)
			continue;
		if (more < 0) {
			/* The master may hold it for another moment: epoll would go on with it. */
			(void)epoll_ctl(w->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
			close(fd);
			w->takes--;
		}
		return;
	}
}
