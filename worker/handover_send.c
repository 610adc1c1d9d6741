/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Connections on their way out, a batch in a message: see handover.h. Called between
 * the events of a turn, when every record is a plain record.
 */
#include "worker/handover_parts.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

enum {
	RESCAN_US = 50000,
	PAUSE_US = 5000
};

static_assert((int)MOVED_FDS <= (int)FDPASS_MOST, "a message has room for its descriptors");

void handover_channel(int fd)
{
	const int bytes = 2 * MOVED_MESSAGE;

	(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
}

void handover_begin(struct handover_out *o, int fd, uint32_t limit)
{
	*o = (struct handover_out){.fd = fd, .limit = limit, .most = MOVED_BATCH};
	handover_channel(fd);
}

bool handover_done(const struct handover_out *o, const struct conns *cs)
{
	return o->acked == o->sent &&
	       (o->stopped || o->sent >= o->limit || o->next_row >= cs->row->conns_high);
}

void handover_stop(struct handover_out *o)
{
	o->stopped = true;
}

/* Which ones a worker that stays gives away: those that are there for long. */
static bool is_lasting(unsigned state)
{
	return state == CONN_IDLE || state == CONN_RELAY;
}

static bool free_to_go(const struct handover_out *o, const struct conns *cs, uint32_t i)
{
	uint8_t state = conn_row(cs, i)->state;

	return state != CONN_FREE && (o->limit == 0 || is_lasting(state)) &&
	       (conn_at(cs, i)->flags & CONN_MOVING) == 0 && moved_portable(cs, i);
}

/* A message being put together. */
struct batch {
	struct moved_header *header;
	size_t len;
	int fds[FDPASS_MOST];
	int fd_count;
	uint32_t row[MOVED_BATCH];
	char bytes[MOVED_MESSAGE];
};

static struct batch batch;

static bool add(struct conns *cs, uint32_t i)
{
	const struct conn *c = conn_at(cs, i);
	const char *listener = board_listener(cs->board, conn_row(cs, i)->listener)->address;

	if (moved_write(cs, i, listener, cs->settings->servers[c->server].name, batch.bytes,
			sizeof batch.bytes, &batch.len) != 0)
		return false;
	batch.fds[batch.fd_count++] = c->fd;
	if (c->file != OPENFILE_NONE)
		batch.fds[batch.fd_count++] = openfile_fd(&cs->files, c->file);
	if (c->up != 0)
		batch.fds[batch.fd_count++] = up_at(cs->ups, c->up - 1)->fd;
	batch.row[batch.header->count++] = i;
	return true;
}

static void begin_batch(const struct handover_out *o)
{
	batch.header = (struct moved_header *)(void *)batch.bytes;
	*batch.header = (struct moved_header){MOVED_MAGIC, MOVED_VERSION, MOVED_CONNS, o->sent, 0};
	batch.len = sizeof *batch.header;
	batch.fd_count = 0;
}

static bool has_room_for(int fds)
{
	return batch.fd_count + fds <= MOVED_FDS &&
	       (fds < MOVED_FDS_EACH || batch.header->count == 0);
}

static void fill(struct handover_out *o, struct conns *cs, uint32_t most)
{
	uint32_t high = cs->row->conns_high;

	begin_batch(o);
	for (; o->next_row < high && batch.header->count < most; o->next_row++) {
		int fds;

		if (!free_to_go(o, cs, o->next_row))
			continue;
		fds = moved_descriptors_of(cs, o->next_row);
		if (!has_room_for(fds))
			return;
		/* One that fits no message has four buffers that are all but full: it is looked at
		 * again, when some of that has left. */
		if (!add(cs, o->next_row) && batch.header->count > 0)
			return;
		if (fds == MOVED_FDS_EACH)
			most = 0;
	}
}

/* Idle connections to peers. */
static void fill_idle(const struct handover_out *o, struct ups *us, uint32_t most)
{
	begin_batch(o);
	for (uint32_t p = 0; p < us->cs->settings->peers_count; p++) {
		for (uint32_t u = us->idle[p].first; u != UP_NONE; u = up_at(us, u)->link) {
			if (batch.header->count == most ||
			    moved_write_idle(us, u, batch.bytes, sizeof batch.bytes, &batch.len) !=
				0)
				return;
			batch.fds[batch.fd_count++] = up_at(us, u)->fd;
			batch.row[batch.header->count++] = u | HANDOVER_IDLE_UP;
		}
	}
}

static bool send_batch(const struct handover_out *o)
{
	return fdpass_send(o->fd, batch.bytes, batch.len, batch.fds, batch.fd_count,
			   MSG_DONTWAIT) >= 0;
}

/* The batch is in the channel: its connections wait for their acknowledgement. */
static void in_flight(struct handover_out *o)
{
	for (uint32_t k = 0; k < batch.header->count; k++)
		o->window[(o->sent + k) % HANDOVER_WINDOW] = batch.row[k];
	o->sent += batch.header->count;
	o->messages++;
}

static void mark_batch(struct conns *cs, uint16_t flag, bool on)
{
	for (uint32_t k = 0; k < batch.header->count; k++) {
		struct conn *c = conn_at(cs, batch.row[k]);

		c->flags = on ? c->flags | flag : c->flags & (uint16_t)~flag;
	}
}

static void for_batch(const struct handover_ops *ops, void (*what)(void *, uint32_t))
{
	for (uint32_t k = 0; k < batch.header->count; k++)
		what(ops->arg, batch.row[k]);
}

static void for_idle(struct ups *us, void (*what)(struct ups *, uint32_t))
{
	for (uint32_t k = 0; k < batch.header->count; k++)
		what(us, handover_idle_up(batch.row[k]));
}

/* The system will not let this one through, and would not the next time. */
static void cannot_go(struct handover_out *o, struct conns *cs, uint32_t i)
{
	handover_refused(o, cs, i);
	if (o->limit != 0)
		handover_stop(o);
}

/* What did not leave is watched here again. Returns whether the channel may still be used. */
static bool not_sent(struct handover_out *o, struct conns *cs, const struct handover_ops *ops,
		     int error)
{
	bool gone = handover_is_gone(error);
	/* The channel is full, or the kernel will not have more descriptors in flight. */
	bool later = error == EAGAIN || error == ENOBUFS || error == ENOMEM ||
		     error == ETOOMANYREFS;

	if (later)
		o->pause_us = cs->clock->now_us + PAUSE_US;
	else if (!gone && batch.header->count > 1)
		o->most = batch.header->count / 2;
	else if (!gone)
		cannot_go(o, cs, batch.row[0]);
	mark_batch(cs, CONN_MOVING, false);
	for_batch(ops, ops->watch);
	return !gone;
}

/* Asked before connections are taken out of epoll for nothing; an event tells when that changes. */
static bool has_room(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLOUT};

	return poll(&p, 1, 0) > 0;
}

static bool window_is_open(const struct handover_out *o)
{
	return o->sent - o->acked < HANDOVER_WINDOW && o->messages < HANDOVER_MESSAGES &&
	       has_room(o->fd);
}

static bool may_send(struct handover_out *o, const struct conns *cs)
{
	if (o->pause_us > cs->clock->now_us)
		return false;
	o->pause_us = 0;
	if (o->stopped)
		return false;
	if (o->limit != 0 && (o->sent >= o->limit || o->next_row >= cs->row->conns_high))
		return false;
	if (o->next_row >= cs->row->conns_high) {
		if (o->rescan_us > cs->clock->now_us)
			return false;
		o->rescan_us = cs->clock->now_us + RESCAN_US;
		o->next_row = 0;
	}
	return window_is_open(o);
}

static uint32_t batch_most(const struct handover_out *o)
{
	uint32_t room = HANDOVER_WINDOW - (o->sent - o->acked);

	if (o->limit != 0 && o->limit - o->sent < room)
		room = o->limit - o->sent;
	return room < o->most ? room : o->most;
}

/* Idle connections to peers go first, so that the requests that move with their clients find them.
 * What cannot be sent now is not worth a wait. */
static void send_idle(struct handover_out *o, struct ups *us)
{
	while (o->limit == 0 && !o->stopped && us->idle_all > 0 && window_is_open(o)) {
		fill_idle(o, us, batch_most(o));
		if (batch.header->count == 0)
			return;
		for_idle(us, up_withdraw);
		if (!send_batch(o)) {
			for_idle(us, up_settle_in);
			return;
		}
		in_flight(o);
	}
}

enum handover_state handover_send(struct handover_out *o, struct conns *cs,
				  const struct handover_ops *ops)
{
	if (cs->ups != NULL)
		send_idle(o, cs->ups);
	while (may_send(o, cs)) {
		uint32_t first = o->next_row;

		fill(o, cs, batch_most(o));
		if (batch.header->count == 0)
			continue;
		/* epoll would go on watching the open file behind the duplicate that travels. */
		for_batch(ops, ops->unwatch);
		/* Before the message: should this process die now, its standby must not serve what
		 * another worker may have. */
		mark_batch(cs, CONN_MOVING, true);
		if (!send_batch(o)) {
			o->next_row = first;
			if (!not_sent(o, cs, ops, errno))
				return handover_read_acks(o, cs, ops);
			continue;
		}
		in_flight(o);
	}
	return HANDOVER_WAITS;
}

uint64_t handover_wait_us(const struct handover_out *o, uint64_t now_us, uint64_t most)
{
	uint64_t at = o->pause_us > now_us ? o->pause_us : o->rescan_us;

	return o->fd >= 0 && at > now_us && at - now_us < most ? at - now_us : most;
}
