/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What became of connections that were sent: see handover.h. Until the receiver has said so, each
 * of them is the sender's.
 */
#include "worker/handover_parts.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

void handover_refused(const struct handover_out *o, struct conns *cs, uint32_t i)
{
	board_add(&cs->row->moved_refused, 1);
	if (o->limit == 0)
		conn_at(cs, i)->flags |= CONN_STAYS;
}

void handover_leaves(struct conns *cs, uint32_t i)
{
	if (handover_is_idle_up(i))
		up_close(cs->ups, handover_idle_up(i));
	else
		conn_close(cs, i, CLOSE_MOVED, false);
}

static void stays(struct conns *cs, uint32_t i, const struct handover_ops *ops)
{
	if (handover_is_idle_up(i)) {
		up_settle_in(cs->ups, handover_idle_up(i));
		return;
	}
	conn_at(cs, i)->flags &= (uint16_t)~CONN_MOVING;
	ops->watch(ops->arg, i);
}

static void decide(struct handover_out *o, struct conns *cs, uint32_t i, bool taken,
		   const struct handover_ops *ops)
{
	/* An idle connection to a peer that was refused is one too many. */
	if (taken || handover_is_idle_up(i)) {
		handover_leaves(cs, i);
		o->taken += !handover_is_idle_up(i);
	} else {
		handover_refused(o, cs, i);
		stays(cs, i, ops);
	}
}

/* Acknowledgements come in order; one that does not fit breaks the channel, and nothing is lost by
 * that. */
static bool acknowledge(struct handover_out *o, struct conns *cs, const struct moved_header *h,
			const char *verdict, const struct handover_ops *ops)
{
	if (h->first != o->acked || h->count > o->sent - o->acked || o->messages == 0)
		return false;
	o->messages--;
	for (uint32_t k = 0; k < h->count; k++)
		decide(o, cs, o->window[o->acked++ % HANDOVER_WINDOW], verdict[k] == 1, ops);
	return true;
}

enum handover_state handover_read_acks(struct handover_out *o, struct conns *cs,
				       const struct handover_ops *ops)
{
	while (!o->broken) {
		char bytes[sizeof(struct moved_header) + MOVED_BATCH];
		struct moved_header h;
		ssize_t n = recv(o->fd, bytes, sizeof bytes, MSG_DONTWAIT | MSG_TRUNC);

		if (handover_again(n))
			continue;
		if (n < 0 && errno == EAGAIN)
			return HANDOVER_GOES_ON;
		o->broken = n < (ssize_t)sizeof h || n > (ssize_t)sizeof bytes;
		if (o->broken)
			break;
		memcpy(&h, bytes, sizeof h);
		o->broken = h.magic != MOVED_MAGIC || h.version != MOVED_VERSION ||
			    h.kind != MOVED_ACK || (size_t)n != sizeof h + h.count ||
			    !acknowledge(o, cs, &h, bytes + sizeof h, ops);
	}
	return HANDOVER_BROKEN;
}

void handover_end(struct handover_out *o, struct conns *cs, const struct handover_ops *ops)
{
	const struct moved_header h = {MOVED_MAGIC, MOVED_VERSION, MOVED_END, o->sent, 0};

	if (o->fd < 0)
		return;
	(void)handover_read_acks(o, cs, ops);
	(void)fdpass_send(o->fd, &h, sizeof h, NULL, 0, MSG_DONTWAIT);
	close(o->fd);
	o->fd = -1;
	while (o->acked != o->sent) {
		uint32_t i = o->window[o->acked++ % HANDOVER_WINDOW];

		if (o->broken)
			stays(cs, i, ops);
		else
			handover_leaves(cs, i);
	}
}
