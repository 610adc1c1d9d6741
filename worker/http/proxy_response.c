/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Answers of peers on their way to the client: see proxy_parts.h.
 */
#include "worker/http/proxy_parts.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "worker/http/fastcgi.h"
#include "worker/http/forward.h"
#include "worker/peer_load.h"

enum {
	STALE_US = 2000000 /* an end on the way comes in a round trip, or with a retransmission */
};

/* What writing to the client came to, while there is more to come. False: it is over. */
static bool passed(struct http *h, uint32_t i, enum send_result result)
{
	struct conn *c = conn_at(h->cs, i);

	if (result == SEND_DONE)
		return true;
	if (result == SEND_BLOCKED) {
		if (proxy_room(h, i) == 0)
			up_set_deadline(h->ups, c->up - 1, 0);
		/* An interim response may have to wait while the request's body still comes. */
		if (proxy_up(h, i)->state != UP_RELAY && conn_row(h->cs, i)->state != CONN_BODY)
			exchange_wait(h, i);
		return true;
	}
	(void)exchange_abandon(h, i, result == SEND_LOST ? CLOSE_CLIENT_ABORT : CLOSE_ERROR,
			       result != SEND_LOST);
	return false;
}

static void count_response(struct http *h, const struct up *up, uint32_t i)
{
	struct peer_traffic_row *t = peer_traffic(h->ups, up->peer);
	uint64_t *const by_class[] = {
	    NULL, NULL, &t->responses_2xx, &t->responses_3xx, &t->responses_4xx, &t->responses_5xx};
	unsigned class = conn_row(h->cs, i)->status / 100;
	uint64_t us = proxy_now(h) - up->since_us;

	peer_answered(h->ups, up->peer, conn_row(h->cs, i)->status);
	if (class >= 2 && class <= 5)
		board_add(by_class[class], 1);
	board_add(&t->latency[hist_bucket(us)], 1);
	board_add(&t->latency_sum, us);
}

/* The response is whole; result: what writing its last piece came to. rest: bytes that nobody asked
 * for. */
static void complete(struct http *h, uint32_t i, enum send_result result, size_t rest)
{
	struct conn *c = conn_at(h->cs, i);
	uint32_t u = c->up - 1;
	struct up *up = up_at(h->ups, u);
	bool open = (c->flags & CONN_BODY_OPEN) != 0;

	if (rest > 0 || open || up->fcgi.unclean)
		up->flags &= (uint16_t)~UP_KEEP;
	count_response(h, up, i);
	/* What is still to come of the request's body is nobody's, and no request. */
	if (open) {
		exchange_last(c, CLOSE_ERROR);
		c->flags &= (uint16_t)~CONN_PEER_QUIET;
	}
	up_release(h->ups, u);
	if (result == SEND_DONE && c->file != OPENFILE_NONE)
		send_end(h->cs, i);
	c->flags &= (uint16_t)~CONN_BODY_OPEN;
	proxy_after(h, i, exchange_sent(h, i, result, proxy_log_base(h, i)));
}

/* 1xx of the peer but for 101: passed on to who understands it. Our own 100 has been said. */
static bool pass_interim(struct http *h, uint32_t i, const char *base)
{
	struct up *up = proxy_up(h, i);
	struct forward_response f = {.base = base, .response = &h->response, .whole = true};
	struct iovec iov = {h->reply.text, 0};
	int len;

	if (h->response.status == 100 || (up->flags & UP_OLD_CLIENT) != 0)
		return true;
	len = forward_response(h->reply.text, PROXY_HEAD_MOST, &f);
	if (len < 0)
		return true;
	iov.iov_len = (size_t)len;
	board_add(&h->cs->row->responses_1xx, 1);
	return passed(h, i, send_pieces(h->cs, i, &iov, 1));
}

/* One piece of the body out of raw[0 .. len), of at most so many bytes. False: it is malformed. */
static bool take_piece(struct up *up, char *raw, size_t len, size_t most, struct piece *p)
{
	enum http_refusal refusal;

	if (up->fcgi.on)
		return fastcgi_take_piece(up, raw, len, most, p);
	switch ((enum http_body_kind)up->body) {
	case HTTP_BODY_NONE:
		*p = (struct piece){.data = raw, .whole = true};
		return true;
	case HTTP_BODY_LENGTH:
		piece_counted(raw, len < most ? len : most, &up->body_left, p);
		return true;
	case HTTP_BODY_CHUNKED:
		return piece_unchunk(&up->chunk, raw, len, most, p, &refusal) &&
		       (!p->at_trailers || proxy_take_trailers(&up->chunk, raw, len, p, &refusal));
	case HTTP_BODY_UNTIL_CLOSE:
		*p = (struct piece){.data = raw, .len = len < most ? len : most};
		p->used = p->len;
		return true;
	}
	return false;
}

/* Bytes either way from here on. */
static void begin_relay(struct http *h, uint32_t i)
{
	struct up *up = proxy_up(h, i);
	enum send_result result;

	conn_row(h->cs, i)->status = 101;
	up->flags |= UP_ANSWERED;
	up->state = UP_RELAY;
	up_set_deadline(h->ups, conn_at(h->cs, i)->up - 1, 0);
	exchange_first_byte(h, i);
	result = send_begin(h->cs, i, &h->reply, SEND_KEEP_SILENT, NULL, 0);
	conn_set_state(h->cs, i, CONN_RELAY);
	proxy_forget_head(h, i);
	/* What the client has sent behind its request goes on next turn: no event tells of it. */
	if (passed(h, i, result))
		conn_ready(h->cs, i);
}

static const struct location *location_of(const struct http *h, uint32_t i)
{
	return &exchange_server(h, i)->locations[proxy_up(h, i)->location];
}

/* The request's id for the client, in place of what the peer says; NULL: it is not told. */
static const char *told_id(struct http *h, uint32_t i, char id[TRACE_ID_MAX + 1])
{
	const struct conn_row *row = conn_row(h->cs, i);
	const char *base = NULL;

	if (!exchange_server(h, i)->request_id)
		return NULL;
	/* The row has but the beginning. */
	if (row->id_form == IDENT_CUT && exchange_recall(h, i))
		base = buf_data(&h->cs->bufs, conn_at(h->cs, i)->in_buf);
	id[trace_id(row, base != NULL ? &h->req : NULL, base, id)] = '\0';
	return id[0] != '\0' ? id : NULL;
}

ssize_t proxy_begin_response(struct http *h, uint32_t i, const char *base, char *raw, size_t len)
{
	struct conn *c = conn_at(h->cs, i);
	struct up *up = proxy_up(h, i);
	struct reply *reply = &h->reply;
	char id[TRACE_ID_MAX + 1];
	const struct http_response *r = &h->response;
	struct forward_response f = {.base = base,
				     .response = r,
				     .location = location_of(h, i),
				     .head_request = up->method == HTTP_HEAD,
				     .date = h->cs->clock->http_date,
				     .request_id = told_id(h, i, id),
				     .set_cookie = (up->flags & UP_STICKY) != 0
						       ? h->settings->peers[up->peer].set_cookie
						       : NULL};
	struct piece p;
	enum send_result result;
	char text[PIECE_TEXT];
	int head;

	/* How long the client took to send its body says nothing of the peer. */
	if (proxy_pool(h, up)->balance == BALANCE_LEAST_TIME && (up->flags & UP_BODY_SENT) == 0)
		peer_time_note(h->ups, up->peer, proxy_now(h) - up->since_us, false);
	up->body = (uint8_t)http_response_body(r, (enum http_method)up->method);
	up->chunk = (struct chunk_state){0};
	up->body_left = r->content_length;
	up->reserved = 0;
	f.framing = forward_framing_of(r, (enum http_method)up->method,
				       (up->flags & UP_OLD_CLIENT) != 0 ? 0 : 1);
	if (f.framing == FORWARD_CHUNKED) {
		up->flags |= UP_CHUNK_OUT;
		up->chunk.stop_at_trailers = 1;
	}
	f.length = r->content_length;
	head = forward_response(reply->text, PROXY_HEAD_MOST, &f);
	if (head < 0) {
		proxy_bad_response(h, c->up - 1, "size of the head");
		return -1;
	}
	if (up->fcgi.on || (r->keep_alive && up->body != HTTP_BODY_UNTIL_CLOSE))
		up->flags |= UP_KEEP;
	reply_reset(reply);
	reply->status = r->status;
	reply->head = reply->text;
	reply->head_len = (uint32_t)head;
	reply->close = false;
	if (r->status == 101) {
		begin_relay(h, i);
		return c->doomed ? -1 : 0;
	}
	if (!take_piece(up, raw, len, proxy_piece_most(h), &p)) {
		proxy_bad_response(h, c->up - 1, "chunk");
		return -1;
	}
	piece_frame(&p, (up->flags & UP_CHUNK_OUT) != 0, text, reply->piece);
	reply->body = REPLY_PIECE;
	up->flags |= UP_ANSWERED;
	up->state = UP_BODY;
	if (f.framing == FORWARD_UNTIL_CLOSE)
		exchange_last(c, CLOSE_NO_KEEPALIVE);
	/* The client is still sending what the peer no longer waits for. */
	if (p.whole && (c->flags & CONN_BODY_OPEN) != 0)
		exchange_last(c, CLOSE_ERROR);
	exchange_received(h, i);
	if (p.whole)
		up_served(h->ups, c->up - 1);
	result = exchange_begin(h, i, (up->flags & UP_OLD_CLIENT) != 0, NULL, 0);
	if (p.whole) {
		complete(h, i, result, len - p.used);
		return -1;
	}
	/* The head has come; it is the body that is waited for. */
	proxy_set_deadline(h, up, proxy_pool(h, up)->between_us);
	return passed(h, i, result) ? (ssize_t)p.used : -1;
}

/* The next piece of the body. Returns the bytes used; -1: the exchange is over. */
static ssize_t go_on_with_response(struct http *h, uint32_t i, char *raw, size_t len)
{
	struct conn *c = conn_at(h->cs, i);
	struct up *up = proxy_up(h, i);
	struct iovec iov[3];
	enum send_result result;
	struct piece p;
	char text[PIECE_TEXT];
	size_t most = proxy_room(h, i);

	if (up->state == UP_RELAY) {
		p = (struct piece){.data = raw, .len = len < most ? len : most};
		p.used = p.len;
		conn_extend(h->cs, i);
	} else if (!take_piece(up, raw, len, most, &p)) {
		proxy_bad_response(h, c->up - 1, up->fcgi.on ? "length of the body" : "chunk");
		return -1;
	}
	if (p.used == 0 && !p.whole)
		return 0;
	/* Trailers may be left out (RFC 9110 6.5.1), the answer may not fail for want of room. */
	if (p.end != NULL && !proxy_fits(h, i, PIECE_TEXT + p.len + p.end_len))
		p.end = NULL;
	piece_frame(&p, (up->flags & UP_CHUNK_OUT) != 0, text, iov);
	if (p.whole)
		up_served(h->ups, c->up - 1);
	result = proxy_put(h, i, iov, 3);
	if (p.whole) {
		complete(h, i, result, len - p.used);
		return -1;
	}
	return passed(h, i, result) ? (ssize_t)p.used : -1;
}

/* Looks for a whole head in raw[0 .. len). Returns the bytes used, 0: it is not whole; -1: the
 * exchange is over. */
static ssize_t take_head(struct http *h, uint32_t i, char *raw, size_t len)
{
	uint32_t u = conn_at(h->cs, i)->up - 1;
	struct up *up = up_at(h->ups, u);
	const struct http_limits limits = {.max_header = proxy_pool(h, up)->max_head,
					   .max_fields = HTTP_FIELDS_MAX};
	struct http_response *r = &h->response;
	enum http_fault fault;
	ssize_t used;
	int got;

	if (up->fcgi.on)
		return fastcgi_take_head(h, i, raw, len);
	got = http_parse_response(raw, len, &limits, &up->scanned, r, &fault);
	if (got < 0) {
		proxy_bad_response(h, u, http_fault_name(fault));
		return -1;
	}
	if (got == 0)
		return 0;
	up->scanned = 0;
	if (r->status == 101 && ((up->flags & UP_UPGRADE) == 0 || !r->upgrade)) {
		proxy_bad_response(h, u, "101 that nobody asked for");
		return -1;
	}
	if (r->status < 200 && r->status != 101)
		return pass_interim(h, i, raw) ? (ssize_t)r->head_len : -1;
	used = proxy_begin_response(h, i, raw, raw + r->head_len, len - r->head_len);
	return used < 0 ? -1 : (ssize_t)r->head_len + used;
}

/* Keeps raw bytes from the peer; they may lie there already. */
static bool keep_from_peer(struct http *h, struct up *up, const char *p, size_t len)
{
	uint32_t bigger;

	if (len == 0) {
		buf_drop(&h->cs->bufs, &up->in_buf);
	} else if (up->in_buf == BUF_NONE || buf_size(&h->cs->bufs, up->in_buf) < len) {
		bigger = buf_take(&h->cs->bufs, len);
		if (bigger == BUF_NONE)
			return false;
		memcpy(buf_data(&h->cs->bufs, bigger), p, len);
		buf_drop(&h->cs->bufs, &up->in_buf);
		up->in_buf = bigger;
	} else {
		memmove(buf_data(&h->cs->bufs, up->in_buf), p, len);
	}
	up->in_len = (uint32_t)len;
	return true;
}

/* As much of raw[0 .. len) as the client takes; the rest is kept. False: the exchange is over, or
 * waits. */
static bool pass_down(struct http *h, uint32_t i, char *raw, size_t len)
{
	struct up *up = proxy_up(h, i);
	size_t off = 0;

	while ((off < len || up->fcgi.ended) && proxy_room(h, i) > 0) {
		ssize_t n = up->state == UP_HEAD ? take_head(h, i, raw + off, len - off)
						 : go_on_with_response(h, i, raw + off, len - off);

		if (n < 0)
			return false;
		off += (size_t)n;
		if (n == 0)
			break;
	}
	if (!keep_from_peer(h, up, raw + off, len - off)) {
		proxy_no_buffer(h, (uint32_t)(up - h->ups->up));
		return false;
	}
	return proxy_room(h, i) > 0;
}

/* Where the next bytes go: behind what there is of a head, or into scratch. */
static char *read_place(struct http *h, struct up *up, size_t *room)
{
	uint32_t bigger;

	*room = PIECE_MOST;
	if (up->in_len == 0)
		return h->scratch;
	if (up->in_len == buf_size(&h->cs->bufs, up->in_buf)) {
		bigger = buf_take(&h->cs->bufs, (size_t)up->in_len + 1);
		if (bigger == BUF_NONE)
			return NULL;
		memcpy(buf_data(&h->cs->bufs, bigger), buf_data(&h->cs->bufs, up->in_buf),
		       up->in_len);
		buf_drop(&h->cs->bufs, &up->in_buf);
		up->in_buf = bigger;
	}
	*room = buf_size(&h->cs->bufs, up->in_buf) - up->in_len;
	return buf_data(&h->cs->bufs, up->in_buf) + up->in_len;
}

/*
 * A kept connection that the peer closed in the moment in which it was used again: its end was on
 * the way when the request was. What closes later had the request, and failed.
 */
static bool was_stale(const struct http *h, const struct up *up)
{
	return up->state == UP_HEAD && up->in_len == 0 && !up->fcgi.begun && up->requests > 1 &&
	       proxy_now(h) - up->since_us < STALE_US;
}

/* The peer has closed, or its connection broke. */
static void peer_closed(struct http *h, uint32_t i, bool clean)
{
	struct conn *c = conn_at(h->cs, i);
	uint32_t u = c->up - 1;
	struct up *up = up_at(h->ups, u);
	struct piece none = {.whole = true};
	struct iovec iov[3];
	char text[PIECE_TEXT];

	if (up->state == UP_BODY && up->body == HTTP_BODY_UNTIL_CLOSE && clean && !up->fcgi.on) {
		piece_frame(&none, (up->flags & UP_CHUNK_OUT) != 0, text, iov);
		complete(h, i, proxy_put(h, i, iov, 3), 0);
	} else if (up->state == UP_RELAY) {
		up_close(h->ups, u);
		exchange_last(c, CLOSE_NO_KEEPALIVE);
		proxy_after(h, i, exchange_sent(h, i, SEND_DONE, proxy_log_base(h, i)));
	} else {
		bool stale = was_stale(h, up);

		if (!stale && up->state != UP_HEAD)
			proxy_count_bad(h, up);
		proxy_peer_failed(h, u, 502, stale);
	}
}

/* Is there anything that could go to the client? Behind an interim response that had to wait for
 * it, a head that nobody has looked at; else of the body, or its end. */
static bool has_kept(const struct up *up)
{
	if (up->state == UP_HEAD)
		return up->in_len > 0 && up->scanned == 0 && !up->fcgi.on;
	return !proxy_wants_trailers(&up->chunk) && (up->in_len > up->fcgi.held || up->fcgi.ended);
}

void proxy_pump_response(struct http *h, uint32_t i)
{
	size_t takes;

	for (int reads = 0; (takes = proxy_room(h, i)) > 0; reads++) {
		struct up *up = proxy_up(h, i);
		size_t room;
		char *p;
		ssize_t n;

		if (up->state == UP_CONNECT)
			return;
		if (has_kept(up)) {
			p = up->in_len > 0 ? buf_data(&h->cs->bufs, up->in_buf) : h->scratch;
			if (!pass_down(h, i, p, up->in_len))
				return;
			continue;
		}
		if ((up->flags & UP_READABLE) == 0)
			return;
		if (reads == PROXY_READS_A_TURN) {
			conn_ready(h->cs, i);
			return;
		}
		p = read_place(h, up, &room);
		if (p == NULL) {
			proxy_no_buffer(h, conn_at(h->cs, i)->up - 1);
			return;
		}
		if (room > takes)
			room = takes;
		do
			n = recv(up->fd, p, room, 0);
		while (n < 0 && errno == EINTR);
		if (n < 0 && errno == EAGAIN) {
			up->flags &= (uint16_t)~UP_READABLE;
			return;
		}
		if (n <= 0) {
			peer_closed(h, i, n == 0);
			return;
		}
		if ((size_t)n < room && (up->flags & UP_PEER_DONE) == 0)
			up->flags &= (uint16_t)~UP_READABLE;
		board_add(&peer_traffic(h->ups, up->peer)->bytes_in, (uint64_t)n);
		if (up->state == UP_BODY)
			proxy_set_deadline(h, up, proxy_pool(h, up)->between_us);
		if (up->fcgi.on) {
			n = fastcgi_unframe(h, up, p, (size_t)n);
			if (n < 0)
				return;
		}
		if (p != h->scratch)
			(void)pass_down(h, i, buf_data(&h->cs->bufs, up->in_buf),
					up->in_len + (size_t)n);
		else
			(void)pass_down(h, i, p, (size_t)n);
	}
}
