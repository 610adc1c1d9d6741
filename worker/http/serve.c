/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * HTTP/1.1 on a connection: see serve.h. Reading is done into a scratch buffer of the worker and
 * requests are parsed and answered in place, so a request that arrives whole and is answered at
 * once never needs a buffer of its own. What has to wait is copied to the record's.
 */
#include "worker/http/serve.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "worker/errlog.h"
#include "worker/http/body.h"
#include "worker/http/exchange.h"
#include "worker/http/logline.h"
#include "worker/http/proxy.h"
#include "worker/http/route.h"

/* Fairness: so many requests, and so many reads, of one connection before the others get their
 * turn. */
enum {
	REQUESTS_A_TURN = 32,
	READS_A_TURN = 16
};

static uint64_t now_us(const struct http *h)
{
	return h->cs->clock->now_us;
}

/*
 * Keeps p[0 .. len) in the record's buffer, of which the first head bytes are the head of the
 * request under way. p may lie in that buffer already.
 */
static int keep_input(struct http *h, uint32_t i, const char *p, size_t len, size_t head)
{
	struct conn *c = conn_at(h->cs, i);
	uint32_t old = c->in_buf;

	if (len == 0) {
		exchange_drop_input(h, i);
		return 0;
	}
	if (old == BUF_NONE || buf_size(&h->cs->bufs, old) < len) {
		c->in_buf = buf_take(&h->cs->bufs, len);
		if (c->in_buf == BUF_NONE) {
			c->in_buf = old;
			return -1;
		}
		memcpy(buf_data(&h->cs->bufs, c->in_buf), p, len);
		buf_drop(&h->cs->bufs, &old);
	} else {
		memmove(buf_data(&h->cs->bufs, old), p, len);
	}
	c->in_len = (uint32_t)len;
	c->head_len = (uint32_t)head;
	return 0;
}

/* The head is whole at base; len bytes are there. *used: how many belonged to this request. */
static enum step serve_body(struct http *h, uint32_t i, const char *base, size_t len, size_t *used)
{
	struct conn *c = conn_at(h->cs, i);
	enum http_refusal refusal;
	enum step step = body_begin(h, i, base);
	size_t eaten;
	int r;

	if (step != STEP_NEXT)
		return step;
	r = body_eat(h, i, base + h->req.head_len, len - h->req.head_len, body_limit(h, i, base),
		     &eaten, &refusal);
	*used = h->req.head_len + eaten;
	c->request_in += eaten;
	if (r < 0)
		return exchange_refuse(h, i, base, refusal);
	if (r > 0)
		return exchange_respond(h, i, base);
	if (eaten > 0)
		c->flags &= (uint16_t)~CONN_CONTINUE;
	conn_set_state(h->cs, i, CONN_BODY);
	return body_invite(h, i);
}

/* Publishes what is asked for: method and path, never the query, which may hold what is nobody
 * else's business. */
static void publish(struct http *h, uint32_t i, const char *base)
{
	struct conn_row *row = conn_row(h->cs, i);
	struct conn *c = conn_at(h->cs, i);
	const struct http_request *req = &h->req;
	size_t room = sizeof row->request - 1;
	size_t m = req->method_text.len < room ? req->method_text.len : room;
	size_t p = req->path.len < room - m ? req->path.len : room - m;

	board_write_begin(&row->seq);
	memcpy(row->request, base + req->method_text.off, m);
	if (m < room && p > 0) {
		p = p < room - m - 1 ? p : room - m - 1;
		row->request[m++] = ' ';
		memcpy(row->request + m, base + req->path.off, p);
	}
	row->request[m + p] = '\0';
	row->server = exchange_server(h, i)->row + 1;
	row->requests++;
	row->status = 0;
	trace_begin(&h->key, row, req, base,
		    req->known[HTTP_F_X_REQUEST_ID].off != 0 && exchange_trusts_id(h, i));
	board_write_end(&row->seq);
	c->head_us = exchange_since(row, now_us(h));
	c->sent = 0;
	c->reply_head = 0;
}

/* A request whose head cannot be read, or does not come, is one all the same. */
static void identify_unread(struct http *h, uint32_t i)
{
	struct conn_row *row = conn_row(h->cs, i);

	board_write_begin(&row->seq);
	row->requests++;
	trace_begin(&h->key, row, NULL, NULL, false);
	board_write_end(&row->seq);
	conn_at(h->cs, i)->head_us = exchange_since(row, now_us(h));
}

/* Whether the request is proxied: what is wrong with it otherwise is found out where it is
 * answered. */
static bool goes_to_peer(struct http *h, uint32_t i, const char *base, struct reply_ctx *ctx)
{
	if (h->settings->upstreams_count == 0)
		return false;
	*ctx = exchange_ctx(h, i);
	ctx->base = base;
	ctx->req = &h->req;
	return exchange_find(h, i, ctx) == 0 && ctx->location != NULL && proxy_wants(h, ctx);
}

static enum step serve_request(struct http *h, uint32_t i, const char *base, size_t len,
			       size_t *used)
{
	struct conn *c = conn_at(h->cs, i);
	const struct http_request *req = &h->req;
	struct reply_ctx ctx;

	*used = req->head_len;
	c->server = route_server(h->settings->route, c->listener, base + req->host.off,
				 req->host.len);
	c->flags &= (uint16_t) ~(CONN_CLOSE_AFTER | CONN_PEER_QUIET | CONN_HEAD_BROKEN |
				 CONN_BODY_BROKEN);
	publish(h, i, base);
	board_add(&h->cs->row->requests_started, 1);
	if (!req->keep_alive)
		exchange_last(c, CLOSE_NO_KEEPALIVE);
	if (req->close_requested)
		c->flags |= CONN_PEER_QUIET;
	if (goes_to_peer(h, i, base, &ctx))
		return proxy_begin(h, i, base, &ctx);
	if (req->chunked || req->content_length > 0)
		return serve_body(h, i, base, len, used);
	return exchange_respond(h, i, base);
}

static enum step refuse_head(struct http *h, uint32_t i, enum http_refusal refusal)
{
	struct conn *c = conn_at(h->cs, i);

	c->flags &= (uint16_t) ~(CONN_CLOSE_AFTER | CONN_PEER_QUIET | CONN_HEAD_BROKEN |
				 CONN_BODY_BROKEN);
	board_add(&h->cs->row->requests_started, 1);
	identify_unread(h, i);
	return exchange_refuse(h, i, NULL, refusal);
}

static enum step no_room(struct http *h, uint32_t i)
{
	return exchange_break(h, i, CLOSE_NO_ROOM, true);
}

/* Bytes of a request are there: the state is HEAD from its first byte. */
static void begin_head(struct http *h, uint32_t i)
{
	struct conn_row *row = conn_row(h->cs, i);

	if (row->state == CONN_IDLE)
		conn_set_state(h->cs, i, CONN_HEAD);
	if (row->request_us == 0) {
		struct conn *c = conn_at(h->cs, i);

		conn_begin_request(h->cs, i);
		c->head_us = c->body_us = c->first_us = 0;
		row->id_form = IDENT_NONE;
	}
}

/* While the body comes in, and for the log line of a response that waits. */
static bool needs_head(const struct http *h, uint32_t i)
{
	return conn_row(h->cs, i)->state == CONN_BODY || exchange_server(h, i)->log >= 0 ||
	       conn_at(h->cs, i)->up != 0 || (conn_at(h->cs, i)->flags & CONN_QUEUED) != 0;
}

/* Serves the requests in base[0 .. len), which lies in scratch or in the record's buffer; keeps
 * what is not whole. */
static enum step take_requests(struct http *h, uint32_t i, char *base, size_t len)
{
	struct conn *c = conn_at(h->cs, i);
	size_t off = 0;

	for (unsigned served = 0; off < len; served++) {
		enum http_refusal refusal;
		enum step step;
		size_t used;
		int r;

		begin_head(h, i);
		if (served == REQUESTS_A_TURN) {
			conn_ready(h->cs, i);
			break;
		}
		r = http_parse(base + off, len - off, &exchange_server(h, i)->limits, &c->scanned,
			       &h->req, &refusal);
		if (r == 0)
			break;
		c->scanned = 0;
		c->request_in = r < 0 ? len - off : h->req.head_len;
		if (r < 0)
			return refuse_head(h, i, refusal);
		step = serve_request(h, i, base + off, len - off, &used);
		if (step == STEP_CLOSE)
			return step;
		if (step == STEP_AGAIN) {
			/* The head, if it will be needed, and what follows the request stay
			 * together in the record. */
			size_t head = needs_head(h, i) ? h->req.head_len : 0,
			       rest = len - off - used;

			memmove(base + off + head, base + off + used, rest);
			if (keep_input(h, i, base + off, head + rest, head) != 0)
				return no_room(h, i);
			return STEP_AGAIN;
		}
		off += used;
	}
	if (keep_input(h, i, base + off, len - off, 0) != 0)
		return no_room(h, i);
	return STEP_AGAIN;
}

/* What the record still holds behind the request that has been answered. */
static enum step take_kept(struct http *h, uint32_t i)
{
	struct conn *c = conn_at(h->cs, i);
	uint32_t head = c->head_len;

	if (c->in_buf == BUF_NONE)
		return STEP_AGAIN;
	c->head_len = 0;
	return take_requests(h, i, buf_data(&h->cs->bufs, c->in_buf) + head, c->in_len - head);
}

/* More of a body, read into scratch. */
static enum step take_body(struct http *h, uint32_t i, size_t len)
{
	struct conn *c = conn_at(h->cs, i);
	enum http_refusal refusal;
	char *head = buf_data(&h->cs->bufs, c->in_buf);
	uint32_t head_len = c->head_len;
	enum step step;
	size_t eaten;
	int r;

	if (!exchange_recall(h, i))
		return no_room(h, i);
	c->flags &= (uint16_t)~CONN_CONTINUE;
	r = body_eat(h, i, h->scratch, len, body_limit(h, i, head), &eaten, &refusal);
	c->request_in += eaten;
	if (r < 0)
		return exchange_refuse(h, i, head, refusal);
	if (r == 0)
		return STEP_AGAIN;
	/* The next request may have begun behind the body: it waits behind the head in the record.
	 */
	if (len > eaten) {
		uint32_t rest = (uint32_t)(len - eaten), bigger = BUF_NONE;

		if (head_len + rest > buf_size(&h->cs->bufs, c->in_buf)) {
			bigger = buf_take(&h->cs->bufs, head_len + rest);
			if (bigger == BUF_NONE)
				return no_room(h, i);
			memcpy(buf_data(&h->cs->bufs, bigger), head, head_len);
			buf_drop(&h->cs->bufs, &c->in_buf);
			c->in_buf = bigger;
			head = buf_data(&h->cs->bufs, bigger);
		}
		memcpy(head + head_len, h->scratch + eaten, rest);
		c->in_len = head_len + rest;
	}
	step = exchange_respond(h, i, head);
	return step == STEP_NEXT ? take_kept(h, i) : step;
}

static enum step peer_closed(struct http *h, uint32_t i)
{
	const struct conn_row *row = conn_row(h->cs, i);
	bool between = row->state == CONN_IDLE ||
		       (row->state == CONN_HEAD && conn_at(h->cs, i)->in_len == 0);

	return exchange_break(h, i, between ? CLOSE_CLIENT : CLOSE_CLIENT_ABORT, false);
}

static bool reading(const struct http *h, uint32_t i)
{
	const struct conn *c = conn_at(h->cs, i);
	uint8_t state = conn_row(h->cs, i)->state;

	return !c->doomed && c->up == 0 &&
	       (state == CONN_IDLE || state == CONN_HEAD || state == CONN_BODY);
}

/* Where the next bytes go: bodies into scratch, no more than fits behind their head in a buffer,
 * for it may be the next requests; an unfinished head behind what there is of it. */
static char *read_place(struct http *h, uint32_t i, size_t *have, size_t *room)
{
	struct conn *c = conn_at(h->cs, i);

	*have = 0;
	*room = sizeof h->scratch;
	if (conn_row(h->cs, i)->state == CONN_BODY && buf_most(&h->cs->bufs) - c->head_len < *room)
		*room = buf_most(&h->cs->bufs) - c->head_len;
	if (c->in_buf == BUF_NONE || conn_row(h->cs, i)->state == CONN_BODY)
		return h->scratch;
	if (c->in_len == buf_size(&h->cs->bufs, c->in_buf)) {
		uint32_t bigger = buf_take(&h->cs->bufs, (size_t)c->in_len + 1);

		if (bigger == BUF_NONE)
			return NULL;
		memcpy(buf_data(&h->cs->bufs, bigger), buf_data(&h->cs->bufs, c->in_buf),
		       c->in_len);
		buf_drop(&h->cs->bufs, &c->in_buf);
		c->in_buf = bigger;
	}
	*have = c->in_len;
	*room = buf_size(&h->cs->bufs, c->in_buf) - c->in_len;
	return buf_data(&h->cs->bufs, c->in_buf);
}

static enum step read_once(struct http *h, uint32_t i)
{
	struct conn *c = conn_at(h->cs, i);
	size_t have, room;
	char *base = read_place(h, i, &have, &room);
	ssize_t n;

	if (base == NULL)
		return no_room(h, i);
	do
		n = recv(c->fd, base + have, room, 0);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN) {
		c->flags &= (uint16_t)~CONN_READABLE;
		return STEP_AGAIN;
	}
	if (n < 0)
		return exchange_break(h, i, CLOSE_RESET, false);
	if (n == 0)
		return peer_closed(h, i);
	/* Less than asked for: the socket is empty, and an edge will tell of more. Not so once the
	 * peer's end is on its way. */
	if ((size_t)n < room && (c->flags & CONN_PEER_DONE) == 0)
		c->flags &= (uint16_t)~CONN_READABLE;
	board_add(&h->cs->row->bytes_in, (uint64_t)n);
	board_add(&conn_row(h->cs, i)->bytes_in, (uint64_t)n);
	if (conn_row(h->cs, i)->state == CONN_BODY)
		return take_body(h, i, (size_t)n);
	return take_requests(h, i, base, have + (size_t)n);
}

static void read_all(struct http *h, uint32_t i)
{
	for (int reads = 0; reading(h, i) && (conn_at(h->cs, i)->flags &
					      (CONN_READABLE | CONN_READY)) == CONN_READABLE;
	     reads++) {
		if (reads == READS_A_TURN) {
			conn_ready(h->cs, i);
			return;
		}
		(void)read_once(h, i);
	}
}

static void write_on(struct http *h, uint32_t i)
{
	struct conn *c = conn_at(h->cs, i);
	uint64_t before = c->sent;
	enum send_result result = send_more(h->cs, i);
	const char *base = NULL;

	if (result == SEND_BLOCKED || result == SEND_PAUSED) {
		if (c->sent > before)
			conn_extend(h->cs, i);
	} else {
		if (exchange_recall(h, i))
			base = buf_data(&h->cs->bufs, c->in_buf);
		send_end(h->cs, i);
	}
	if (exchange_sent(h, i, result, base) == STEP_NEXT)
		(void)take_kept(h, i);
}

/* Goes on with whatever the connection was doing, as far as it goes. */
static void step_on(struct http *h, uint32_t i)
{
	if (conn_at(h->cs, i)->up != 0) {
		proxy_go_on(h, i);
		return;
	}
	switch ((enum conn_state)conn_row(h->cs, i)->state) {
	case CONN_IDLE:
	case CONN_HEAD:
		break;
	case CONN_BODY:
		(void)body_invite(h, i);
		break;
	case CONN_SEND:
		write_on(h, i);
		break;
	case CONN_LINGER:
		exchange_linger(h, i);
		return;
	case CONN_RESPOND:
		proxy_queued(h, i);
		return;
	case CONN_FREE:
	case CONN_HANDSHAKE:
	case CONN_RELAY:
	case CONN_STATES_COUNT:
		return;
	}
	read_all(h, i);
}

/* The record being worked on is marked on the board, so that after a crash it is known which one it
 * was. */
void http_touch(struct http *h, uint32_t i)
{
	__atomic_store_n(&h->cs->row->touching, i + 1, __ATOMIC_RELAXED);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

static void untouch(struct http *h)
{
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	__atomic_store_n(&h->cs->row->touching, 0, __ATOMIC_RELAXED);
}

void http_settle(struct http *h, uint32_t i)
{
	conn_settle(h->cs, i);
	untouch(h);
}

void http_continue(struct http *h, uint32_t i)
{
	(void)take_kept(h, i);
	read_all(h, i);
}

void http_open(struct http *h, uint32_t i)
{
	http_touch(h, i);
	conn_at(h->cs, i)->flags |= CONN_READABLE;
	read_all(h, i);
	http_settle(h, i);
}

void http_event(struct http *h, uint32_t i, uint32_t events)
{
	struct conn *c = conn_at(h->cs, i);
	bool sending = conn_row(h->cs, i)->state == CONN_SEND && conn_at(h->cs, i)->up == 0;

	if (c->doomed)
		return;
	http_touch(h, i);
	if ((events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0)
		c->flags |= CONN_READABLE;
	if ((events & (EPOLLRDHUP | EPOLLHUP)) != 0)
		c->flags |= CONN_PEER_DONE;
	if ((sending || c->up != 0 || (c->flags & CONN_QUEUED) != 0) &&
	    (events & (EPOLLHUP | EPOLLERR)) != 0)
		(void)exchange_abandon(h, i, CLOSE_CLIENT_ABORT, false);
	else if (!sending || (events & EPOLLOUT) != 0)
		step_on(h, i);
	http_settle(h, i);
}

void http_go_on(struct http *h, uint32_t i)
{
	struct conn *c = conn_at(h->cs, i);
	uint8_t state = conn_row(h->cs, i)->state;

	http_touch(h, i);
	if ((state == CONN_IDLE || state == CONN_HEAD) && c->in_len > 0)
		(void)take_kept(h, i);
	if (!c->doomed)
		step_on(h, i);
	http_settle(h, i);
}

void http_resume(struct http *h, uint32_t i)
{
	struct conn *c = conn_at(h->cs, i);
	const struct conn_row *row = conn_row(h->cs, i);
	bool quiet = row->state == CONN_IDLE || (row->state == CONN_HEAD && row->bytes_in == 0);

	if (c->doomed)
		return;
	if ((h->cs->draining || (c->flags & CONN_STAYS) != 0) && quiet)
		conn_set_deadline(h->cs, i, now_us(h) + STAY_GRACE_US);
	else if (c->up != 0 ||
		 (c->in_len > c->head_len && (row->state == CONN_IDLE || row->state == CONN_HEAD)))
		conn_ready(h->cs, i);
	conn_settle(h->cs, i);
}

/* Answers 408 where the client can still be told (RFC 9110 15.5.9). */
static void time_out(struct http *h, uint32_t i)
{
	const char *base = NULL;

	if (exchange_recall(h, i))
		base = buf_data(&h->cs->bufs, conn_at(h->cs, i)->in_buf);
	if (conn_row(h->cs, i)->state == CONN_HEAD) {
		conn_at(h->cs, i)->request_in = conn_at(h->cs, i)->in_len;
		identify_unread(h, i);
	}
	(void)exchange_error(h, i, base, 408, CLOSE_EXPIRED);
}

/* No write for the length of the deadline: has the client taken anything of what lies in our send
 * queue? */
static bool moves_on(struct http *h, uint32_t i)
{
	struct conn *c = conn_at(h->cs, i);
	uint64_t acked = send_acked(h->cs, i);

	if (acked <= c->progress)
		return false;
	c->progress = acked;
	conn_extend(h->cs, i);
	return true;
}

static void expire(struct http *h, uint32_t i, enum deadline d)
{
	enum conn_state state = (enum conn_state)conn_row(h->cs, i)->state;
	bool untouched = state == CONN_IDLE ||
			 (state == CONN_HEAD && conn_row(h->cs, i)->bytes_in == 0);

	if ((h->cs->draining || (conn_at(h->cs, i)->flags & CONN_STAYS) != 0) && untouched) {
		board_add(&h->cs->row->drained_idle, 1);
		conn_close(h->cs, i, CLOSE_DRAIN, false);
		return;
	}
	if (state == CONN_SEND && d == DEADLINE_SEND && moves_on(h, i))
		return;
	if (conn_at(h->cs, i)->up != 0) {
		proxy_expire(h, i, d);
		return;
	}
	if ((conn_at(h->cs, i)->flags & CONN_QUEUED) != 0) {
		proxy_queue_expire(h, i);
		return;
	}
	exchange_expired(h, d);
	if (state == CONN_HEAD || state == CONN_BODY)
		time_out(h, i);
	else if (state == CONN_SEND)
		(void)exchange_abandon(h, i, CLOSE_EXPIRED, true);
	else if (state == CONN_LINGER)
		conn_close(h->cs, i, (enum close_reason)conn_at(h->cs, i)->close_reason, false);
	else
		conn_close(h->cs, i, d == DEADLINE_MAX_AGE ? CLOSE_MAX_AGE : CLOSE_EXPIRED, false);
}

static uint64_t moved_bytes(const struct http *h, uint32_t i)
{
	if (conn_row(h->cs, i)->state == CONN_SEND)
		return send_acked(h->cs, i);
	return conn_row(h->cs, i)->bytes_in;
}

/* Is it us whom the client waits for, to send on? */
static bool is_held(const struct http *h, uint32_t i)
{
	return conn_at(h->cs, i)->up != 0 && proxy_holds(h, i);
}

/*
 * Which deadline has passed: DEADLINES_COUNT if none. After a standstill, or in a crowd that is
 * more than the events of a turn, a connection's time may be over before its bytes were looked at:
 * they come first.
 */
static enum deadline due(struct http *h, uint32_t i)
{
	enum deadline d = conn_due(h->cs, i);
	struct conn *c = conn_at(h->cs, i);

	if (d == DEADLINES_COUNT || !reading(h, i))
		return d;
	c->flags |= CONN_READABLE;
	read_all(h, i);
	/* On the ready list: requests wait for their turn in what was read. */
	return c->doomed || (c->flags & CONN_READY) != 0 ? DEADLINES_COUNT : conn_due(h->cs, i);
}

void http_timer(struct http *h, uint32_t i)
{
	enum deadline d;

	/* One that is on its way is settled when it comes back, or by its new worker. */
	if (conn_at(h->cs, i)->doomed || (conn_at(h->cs, i)->flags & CONN_MOVING) != 0)
		return;
	http_touch(h, i);
	d = due(h, i);
	if (conn_at(h->cs, i)->doomed) {
		http_settle(h, i);
		return;
	}
	if (d == DEADLINES_COUNT && conn_too_slow(h->cs, i, moved_bytes(h, i)) && !is_held(h, i))
		d = DEADLINE_MIN_RATE;
	if (d != DEADLINES_COUNT)
		expire(h, i, d);
	else if (conn_row(h->cs, i)->state == CONN_SEND)
		/* A file that shrank gives no edge: trying finds out. */
		step_on(h, i);
	http_settle(h, i);
}

void http_drain(struct http *h, uint64_t grace_us)
{
	h->cs->draining = true;
	for (uint32_t i = 0; i < h->cs->row->conns_high; i++) {
		const struct conn_row *row = conn_row(h->cs, i);

		if (row->state == CONN_IDLE || (row->state == CONN_HEAD && row->bytes_in == 0)) {
			conn_set_deadline(h->cs, i,
					  now_us(h) + grace_us / 2 +
					      arc4random_uniform((uint32_t)(grace_us / 2) + 1));
			conn_settle(h->cs, i);
		}
	}
}

/* What is under way is logged with the reason, and the peer sees that something is missing. */
static void cut(struct http *h, uint32_t i, enum close_reason reason)
{
	uint8_t state = conn_row(h->cs, i)->state;

	(void)exchange_break(h, i, reason,
			     state == CONN_SEND || state == CONN_BODY || state == CONN_RESPOND);
}

void http_kill(struct http *h, uint32_t i)
{
	http_touch(h, i);
	cut(h, i, CLOSE_KILLED);
	http_settle(h, i);
}

unsigned http_force(struct http *h)
{
	enum {
		SAY_MOST = 10
	};
	unsigned n = 0;

	for (uint32_t i = 0; i < h->cs->row->conns_high; i++) {
		const struct conn_row *row = conn_row(h->cs, i);
		char peer[LOGLINE_ADDR];

		if (row->state == CONN_FREE || conn_at(h->cs, i)->doomed)
			continue;
		http_touch(h, i);
		logline_addr(row, peer);
		if (n++ < SAY_MOST)
			errlog(ERRLOG_WARN,
			       "cut at the end of the drain: connection %llu from %s, %s, \"%s\"",
			       (unsigned long long)row->id, peer, conn_state_name(row->state),
			       row->request);
		board_add(&h->cs->row->drained_forced, 1);
		cut(h, i, CLOSE_FORCED);
		untouch(h);
	}
	return n;
}
