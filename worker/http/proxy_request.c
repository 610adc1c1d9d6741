/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Bodies of requests on their way to a peer: see proxy_parts.h.
 */
#include "worker/http/proxy_parts.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "worker/http/fcgi.h"
#include "worker/http/iov.h"

/* Goes to the peer; what its socket does not take is kept. False: there is no room for it. A peer
 * that is gone is noticed when it is read from. */
bool proxy_write(struct http *h, struct up *up, struct iovec *iov, size_t count)
{
	size_t total = iov_total(iov, count), done;
	ssize_t n = 0;

	if (up->state != UP_CONNECT) {
		n = iov_send(up->fd, iov, count, MSG_NOSIGNAL);
		if (n < 0 && errno != EAGAIN) {
			up->flags |= UP_READABLE;
			return true;
		}
	}
	done = n > 0 ? (size_t)n : 0;
	board_add(&peer_traffic(h->ups, up->peer)->bytes_out, done);
	if (done == total)
		return true;
	up->out_buf = buf_take(&h->cs->bufs, total - done);
	if (up->out_buf == BUF_NONE)
		return false;
	up->out_off = 0;
	up->out_len = (uint32_t)(total - done);
	iov_copy_rest(buf_data(&h->cs->bufs, up->out_buf), iov, count, done);
	return true;
}

/* What was kept for the peer. True: nothing is left. */
bool proxy_flush(struct http *h, struct up *up)
{
	while (up->out_buf != BUF_NONE && up->out_off < up->out_len) {
		ssize_t n = send(up->fd, buf_data(&h->cs->bufs, up->out_buf) + up->out_off,
				 up->out_len - up->out_off, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return false;
		if (n < 0) { /* gone: reading tells */
			up->flags |= UP_READABLE;
			break;
		}
		up->out_off += (uint32_t)n;
		board_add(&peer_traffic(h->ups, up->peer)->bytes_out, (uint64_t)n);
	}
	buf_drop(&h->cs->bufs, &up->out_buf);
	up->out_off = up->out_len = 0;
	return true;
}

/* The head, and p[0 .. len) behind it, into a buffer of the size that they need. */
static bool move_raw(struct http *h, uint32_t i, const char *p, size_t len)
{
	struct conn *c = conn_at(h->cs, i);
	uint32_t other = buf_take(&h->cs->bufs, c->head_len + len);

	if (other == BUF_NONE)
		return false;
	memcpy(buf_data(&h->cs->bufs, other), buf_data(&h->cs->bufs, c->in_buf), c->head_len);
	memcpy(buf_data(&h->cs->bufs, other) + c->head_len, p, len);
	buf_drop(&h->cs->bufs, &c->in_buf);
	c->in_buf = other;
	return true;
}

/* A body may take long to come: its head does not keep one of the few large buffers that its
 * beginning came in. */
static bool place_raw(struct http *h, uint32_t i, const char *p, size_t len)
{
	struct conn *c = conn_at(h->cs, i);
	size_t all = c->head_len + len, room;

	if (all == 0) {
		buf_drop(&h->cs->bufs, &c->in_buf);
		return true;
	}
	if (c->in_buf == BUF_NONE) {
		c->in_buf = buf_take(&h->cs->bufs, all);
		if (c->in_buf != BUF_NONE)
			memcpy(buf_data(&h->cs->bufs, c->in_buf), p, len);
		return c->in_buf != BUF_NONE;
	}
	room = buf_size(&h->cs->bufs, c->in_buf);
	if (room == buf_most(&h->cs->bufs) && all <= room / 8 && move_raw(h, i, p, len))
		return true;
	if (all > room)
		return move_raw(h, i, p, len);
	memmove(buf_data(&h->cs->bufs, c->in_buf) + c->head_len, p, len);
	return true;
}

/* Keeps raw bytes behind the head in the record. They may lie there already. */
static bool keep_raw(struct http *h, uint32_t i, const char *p, size_t len)
{
	struct conn *c = conn_at(h->cs, i);

	if (!place_raw(h, i, p, len))
		return false;
	c->in_len = (uint32_t)(c->head_len + len);
	return true;
}

/* A relay may live for days: unless its log line needs the request's head, it holds no buffer. */
void proxy_forget_head(struct http *h, uint32_t i)
{
	struct conn *c = conn_at(h->cs, i);
	uint32_t head = c->head_len;

	if (exchange_server(h, i)->log >= 0 || c->in_buf == BUF_NONE)
		return;
	c->head_len = 0;
	(void)keep_raw(h, i, buf_data(&h->cs->bufs, c->in_buf) + head, c->in_len - head);
}

static void end_body(struct http *h, uint32_t i)
{
	struct conn *c = conn_at(h->cs, i);

	c->flags &= (uint16_t)~CONN_BODY_OPEN;
	if (conn_row(h->cs, i)->state == CONN_BODY)
		exchange_received(h, i);
	/* An interim response that waits for the client goes first. */
	if (proxy_waits(c))
		exchange_wait(h, i);
	else if (proxy_up(h, i)->state == UP_HEAD)
		proxy_set_deadline(h, proxy_up(h, i), proxy_pool(h, proxy_up(h, i))->response_us);
}

/* The request cannot be gone on with. */
static void refuse_body(struct http *h, uint32_t i, enum http_refusal refusal)
{
	struct conn *c = conn_at(h->cs, i);
	uint32_t u = c->up - 1;
	bool begun = proxy_has_begun(c, up_at(h->ups, u));

	up_cancel(h->ups, u);
	c->flags &= (uint16_t)~CONN_BODY_OPEN;
	if (begun)
		(void)exchange_abandon(h, i, CLOSE_REFUSED, true);
	else
		proxy_after(h, i,
			    exchange_refuse(
				h, i,
				exchange_recall(h, i) ? buf_data(&h->cs->bufs, c->in_buf) : NULL,
				refusal));
}

/* Passes one piece of raw[0 .. len) on. Returns the bytes used, or -1: the exchange is over. */
static ssize_t pass_up(struct http *h, uint32_t i, char *raw, size_t len)
{
	struct conn *c = conn_at(h->cs, i);
	struct up *up = proxy_up(h, i);
	bool relay = up->state == UP_RELAY;
	size_t most = proxy_piece_most(h), n = len < most ? len : most;
	enum http_refusal refusal;
	struct iovec iov[3];
	struct piece p;
	char text[PIECE_TEXT];

	if (relay) {
		p = (struct piece){.used = n, .data = raw, .len = n};
		conn_extend(h->cs, i);
	} else if ((c->flags & CONN_BODY_CHUNKED) == 0) {
		piece_counted(raw, n, &c->body_left, &p);
	} else {
		uint64_t limit = exchange_server(h, i)->locations[up->location].max_body;

		if (!piece_unchunk(&c->chunk, raw, len, most, &p, &refusal) ||
		    (p.at_trailers && !proxy_take_trailers(&c->chunk, raw, len, &p, &refusal))) {
			refuse_body(h, i, refusal);
			return -1;
		}
		c->body_seen += p.len;
		if (limit != 0 && c->body_seen > limit) {
			refuse_body(h, i, HTTP_REFUSED_BODY_TOO_LARGE);
			return -1;
		}
	}
	c->request_in += p.used;
	c->flags &= (uint16_t)~CONN_CONTINUE;
	if (p.len > 0 || p.whole)
		up->flags |= UP_BODY_SENT;
	if (up->fcgi.on)
		fcgi_frame(p.data, p.len, p.whole, text, iov);
	else
		piece_frame(&p, (up->flags & UP_CHUNK_IN) != 0 && !relay, text, iov);
	if (iov[0].iov_len + iov[1].iov_len + iov[2].iov_len > 0 && !proxy_write(h, up, iov, 3)) {
		proxy_no_buffer(h, c->up - 1);
		return -1;
	}
	if (p.whole && !relay)
		end_body(h, i);
	else if (up->state == UP_HEAD && up->out_buf != BUF_NONE)
		proxy_set_deadline(h, up, proxy_pool(h, up)->between_us);
	return (ssize_t)p.used;
}

/* More from the client's socket into scratch, behind the first bytes there. Returns the bytes, 0:
 * none now, -1: the client is gone. */
static ssize_t read_client(struct http *h, uint32_t i, size_t behind)
{
	struct conn *c = conn_at(h->cs, i);
	ssize_t n, most = (ssize_t)proxy_piece_most(h);

	if ((c->flags & CONN_READABLE) == 0)
		return 0;
	do
		n = recv(c->fd, h->scratch + behind, (size_t)most, 0);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN) {
		c->flags &= (uint16_t)~CONN_READABLE;
		return 0;
	}
	if (n <= 0)
		return -1;
	if (n < most && (c->flags & CONN_PEER_DONE) == 0)
		c->flags &= (uint16_t)~CONN_READABLE;
	board_add(&h->cs->row->bytes_in, (uint64_t)n);
	board_add(&conn_row(h->cs, i)->bytes_in, (uint64_t)n);
	return n;
}

/* Does the client have anything for the peer, and the peer room for it? */
static bool takes_more(const struct http *h, uint32_t i)
{
	const struct conn *c = conn_at(h->cs, i);
	const struct up *up;

	if (c->doomed || c->up == 0)
		return false;
	up = proxy_up(h, i);
	return ((c->flags & CONN_BODY_OPEN) != 0 || up->state == UP_RELAY) &&
	       up->state != UP_CONNECT && up->out_buf == BUF_NONE;
}

/* All of raw[0 .. len) that goes; the rest is kept. */
static void pass_up_all(struct http *h, uint32_t i, char *raw, size_t len)
{
	size_t off = 0;

	while (off < len && takes_more(h, i)) {
		ssize_t n = pass_up(h, i, raw + off, len - off);

		if (n < 0)
			return;
		off += (size_t)n;
		if (n == 0)
			break;
	}
	if (!conn_at(h->cs, i)->doomed && !keep_raw(h, i, raw + off, len - off))
		(void)exchange_abandon(h, i, CLOSE_NO_ROOM, true);
}

void proxy_client_gone(struct http *h, uint32_t i)
{
	(void)exchange_abandon(h, i, CLOSE_CLIENT_ABORT, false);
}

void proxy_pump_request(struct http *h, uint32_t i)
{
	struct conn *c = conn_at(h->cs, i);

	for (int reads = 0; takes_more(h, i); reads++) {
		size_t kept = c->in_len - c->head_len;
		ssize_t n;

		if (reads == PROXY_READS_A_TURN) {
			conn_ready(h->cs, i);
			return;
		}
		if (kept > 0 && !proxy_wants_trailers(&c->chunk)) {
			pass_up_all(h, i, buf_data(&h->cs->bufs, c->in_buf) + c->head_len, kept);
			continue;
		}
		/* Some of the trailers: they are looked at when they are all there. */
		if (kept > 0)
			memcpy(h->scratch, buf_data(&h->cs->bufs, c->in_buf) + c->head_len, kept);
		n = read_client(h, i, kept);
		if (n < 0)
			proxy_client_gone(h, i);
		if (n <= 0)
			return;
		pass_up_all(h, i, h->scratch, kept + (size_t)n);
	}
}
