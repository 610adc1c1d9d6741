/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * HTTP/1.1 on a connection: see serve.h. Reading is done into a scratch buffer of the worker and
 * requests are parsed and answered in place, so a request that arrives whole and is answered at
 * once never needs a buffer of its own. What has to wait is copied to the record's.
 *
 * Steps return NEXT (go on with what is there), AGAIN (wait for an event), or CLOSE (the connection
 * is closed or lingers).
 */
#include "worker/http/serve.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "worker/errlog.h"
#include "worker/http/path.h"
#include "worker/http/route.h"
#include "worker/http/send.h"

enum step {
	STEP_NEXT,
	STEP_AGAIN,
	STEP_CLOSE
};

/* Fairness: so many requests, and so many reads, of one connection before the others get their
 * turn. */
enum {
	REQUESTS_A_TURN = 32,
	READS_A_TURN = 16
};

/* For one more request of an idle connection that had to stay behind. */
enum {
	STAY_GRACE_US = 1000000
};

static const struct server *server_of(const struct http *h, uint32_t i)
{
	return &h->settings->servers[conn_at(h->cs, i)->server];
}

static uint64_t now_us(const struct http *h)
{
	return h->cs->clock->now_us;
}

static void expired(struct http *h, enum deadline d)
{
	/* The expired_<name> counters stand in the row in the order of the enum. */
	board_add(&(&h->cs->row->expired_handshake)[d], 1);
}

static_assert(offsetof(struct worker_row, expired_min_rate) -
		      offsetof(struct worker_row, expired_handshake) ==
		  (DEADLINES_COUNT - 1) * sizeof(uint64_t),
	      "expired() indexes the counters by the enum");

static_assert(offsetof(struct worker_row, refused_path) -
		      offsetof(struct worker_row, refused_method) ==
		  (HTTP_REFUSALS - 2) * sizeof(uint64_t),
	      "refuse() indexes the counters by the enum");

/* The response under way will be the last: the first reason given stands. */
static void close_after(struct conn *c, enum close_reason reason)
{
	if ((c->flags & CONN_CLOSE_AFTER) != 0)
		return;
	c->flags |= CONN_CLOSE_AFTER;
	c->close_reason = (uint8_t)reason;
}

static void drop_input(struct http *h, uint32_t i)
{
	struct conn *c = conn_at(h->cs, i);

	buf_drop(&h->cs->bufs, &c->in_buf);
	c->in_len = c->head_len = c->scanned = 0;
}

/* Reads what still comes and throws it away, until the peer has seen our end and closes (RFC
 * 9112 9.6). */
static void linger(struct http *h, uint32_t i)
{
	struct conn *c = conn_at(h->cs, i);

	for (int reads = 0; reads < READS_A_TURN; reads++) {
		ssize_t n = recv(c->fd, h->scratch, sizeof h->scratch, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0) {
			conn_close(h->cs, i, (enum close_reason)c->close_reason, false);
			return;
		}
		board_add(&h->cs->row->bytes_in, (uint64_t)n);
		board_add(&conn_row(h->cs, i)->bytes_in, (uint64_t)n);
	}
	conn_ready(h->cs, i);
}

static enum step end_connection(struct http *h, uint32_t i)
{
	struct conn *c = conn_at(h->cs, i);

	drop_input(h, i);
	if ((c->flags & (CONN_PEER_QUIET | CONN_READABLE)) == CONN_PEER_QUIET) {
		conn_close(h->cs, i, (enum close_reason)c->close_reason, false);
		return STEP_CLOSE;
	}
	/* A close with unread input would be a reset, which can overtake the response: shut down,
	 * then read until the peer closes. */
	(void)shutdown(c->fd, SHUT_WR);
	conn_set_state(h->cs, i, CONN_LINGER);
	linger(h, i);
	return STEP_CLOSE;
}

static void count_class(struct http *h, uint32_t i, int status, uint64_t in, uint64_t out)
{
	struct worker_row *w = h->cs->row;
	struct server_traffic_row *s = board_server_traffic(h->cs->board, h->cs->worker_row,
							    server_of(h, i)->row);

	board_add(&w->requests, 1);
	board_add(&s->requests, 1);
	board_add(&s->bytes_in, in);
	board_add(&s->bytes_out, out);
	switch (status / 100) {
	case 2:
		board_add(&w->responses_2xx, 1);
		board_add(&s->responses_2xx, 1);
		break;
	case 3:
		board_add(&w->responses_3xx, 1);
		board_add(&s->responses_3xx, 1);
		break;
	case 4:
		board_add(&w->responses_4xx, 1);
		board_add(&s->responses_4xx, 1);
		break;
	default:
		board_add(&w->responses_5xx, 1);
		board_add(&s->responses_5xx, 1);
	}
}

/* Counts and logs the response that has ended, whole or not. base: of h->req's spans; NULL: the
 * request could not be read. */
static void account(struct http *h, uint32_t i, const char *base, const char *ended)
{
	const struct conn *c = conn_at(h->cs, i);
	struct conn_row *row = conn_row(h->cs, i);
	uint64_t now = clock_now_us();
	uint64_t duration = row->request_us != 0 && now > row->request_us ? now - row->request_us
									  : 0;

	count_class(h, i, row->status, c->request_in, c->sent);
	board_add(&h->cs->row->latency[hist_bucket(duration)], 1);
	if (server_of(h, i)->log >= 0) {
		const struct logline l = {
		    .clock = h->cs->clock,
		    .conn = row,
		    .server = server_of(h, i),
		    .listener = h->settings->listeners[c->listener].address,
		    .base = base,
		    .req = base != NULL ? &h->req : NULL,
		    .status = row->status,
		    .body_bytes = c->sent > c->reply_head ? c->sent - c->reply_head : 0,
		    .total_bytes = c->sent,
		    .request_bytes = c->request_in,
		    .duration_us = duration,
		    .ended = ended,
		};

		accesslog_add(h->log, &l);
	}
}

/* After its response has left: the connection goes on or ends. */
static enum step finish(struct http *h, uint32_t i, const char *base)
{
	struct conn *c = conn_at(h->cs, i);
	bool last = (c->flags & CONN_CLOSE_AFTER) != 0;

	account(h, i, base, last ? close_reason_name((enum close_reason)c->close_reason) : "");
	conn_row(h->cs, i)->request_us = 0;
	if (last) {
		if (h->cs->draining || (c->flags & CONN_STAYS) != 0)
			board_add(&h->cs->row->drained_finished, 1);
		return end_connection(h, i);
	}
	c->flags &= (uint16_t) ~(CONN_HEAD_REQUEST | CONN_BODY_CHUNKED | CONN_CONTINUE);
	conn_set_state(h->cs, i, CONN_IDLE);
	/* Its head was written before the drain began: it could not say that it is the last. */
	if (h->cs->draining || (c->flags & CONN_STAYS) != 0)
		conn_set_deadline(h->cs, i, now_us(h) + STAY_GRACE_US);
	return STEP_NEXT;
}

/* The head of the request under way, kept in the record because the response had to wait. False: it
 * was not needed, or not readable. */
static bool recall_head(struct http *h, uint32_t i)
{
	/* It was accepted once, perhaps by the limits of another server. */
	static const struct http_limits no_limits = {HTTP_SCRATCH, HTTP_SCRATCH, HTTP_FIELDS_MAX};
	const struct conn *c = conn_at(h->cs, i);
	enum http_refusal refusal;
	uint32_t scanned = 0;

	return c->head_len > 0 && http_parse(buf_data(&h->cs->bufs, c->in_buf), c->head_len,
					     &no_limits, &scanned, &h->req, &refusal) == 1;
}

/* The connection ends in the middle of a response. */
static enum step abandon(struct http *h, uint32_t i, enum close_reason reason, bool with_reset)
{
	const char *base = NULL;

	if (recall_head(h, i))
		base = buf_data(&h->cs->bufs, conn_at(h->cs, i)->in_buf);
	account(h, i, base, close_reason_name(reason));
	conn_close(h->cs, i, reason, with_reset);
	return STEP_CLOSE;
}

static enum step sent(struct http *h, uint32_t i, enum send_result result, const char *base)
{
	switch (result) {
	case SEND_DONE:
		return finish(h, i, base);
	case SEND_PAUSED:
		conn_ready(h->cs, i);
		/* fallthrough */
	case SEND_BLOCKED:
		if (conn_row(h->cs, i)->state != CONN_SEND) {
			conn_at(h->cs, i)->progress = send_acked(h->cs, i);
			conn_set_state(h->cs, i, CONN_SEND);
		}
		return STEP_AGAIN;
	case SEND_LOST:
		account(h, i, base, close_reason_name(CLOSE_CLIENT_ABORT));
		conn_close(h->cs, i, CLOSE_CLIENT_ABORT, false);
		return STEP_CLOSE;
	case SEND_FAILED:
		account(h, i, base, close_reason_name(CLOSE_ERROR));
		conn_close(h->cs, i, CLOSE_ERROR, true);
		return STEP_CLOSE;
	}
	return STEP_CLOSE;
}

/* Sends h->reply; what the connection's end demands is decided here, once. */
static enum step send_reply(struct http *h, uint32_t i, const char *base)
{
	struct conn *c = conn_at(h->cs, i);
	struct conn_row *row = conn_row(h->cs, i);
	const struct server *server = server_of(h, i);
	bool old = base != NULL && h->req.minor == 0;

	row->status = (uint16_t)h->reply.status;
	if (h->reply.close)
		close_after(c, CLOSE_REFUSED);
	if (h->cs->draining || h->lame_duck || (c->flags & CONN_STAYS) != 0)
		close_after(c, CLOSE_DRAIN);
	if (server->keepalive_requests != 0 && row->requests >= server->keepalive_requests)
		close_after(c, CLOSE_REQUEST_LIMIT);
	if (c->max_age_us != 0 && c->max_age_us <= now_us(h)) {
		if ((c->flags & CONN_CLOSE_AFTER) == 0)
			expired(h, DEADLINE_MAX_AGE);
		close_after(c, CLOSE_MAX_AGE);
	}
	return sent(h, i,
		    send_begin(h->cs, i, &h->reply,
			       (c->flags & CONN_CLOSE_AFTER) != 0 ? SEND_CLOSE
			       : old                              ? SEND_KEEP_SAID
								  : SEND_KEEP_SILENT),
		    base);
}

static struct reply_ctx ctx_of(const struct http *h, uint32_t i)
{
	return (struct reply_ctx){.clock = h->cs->clock, .server = server_of(h, i)};
}

/* Answers with an error where the request is not to be looked at any further. */
static enum step answer_error(struct http *h, uint32_t i, const char *base, int status,
			      enum close_reason reason)
{
	struct reply_ctx ctx = ctx_of(h, i);

	close_after(conn_at(h->cs, i), reason);
	/* Some of the request may still be on its way. */
	conn_at(h->cs, i)->flags &= (uint16_t)~CONN_PEER_QUIET;
	if (conn_row(h->cs, i)->state != CONN_RESPOND)
		conn_set_state(h->cs, i, CONN_RESPOND);
	ctx.base = base;
	ctx.req = base != NULL ? &h->req : NULL;
	reply_error(&h->reply, &ctx, status);
	return send_reply(h, i, base);
}

static enum step refuse(struct http *h, uint32_t i, const char *base, enum http_refusal refusal)
{
	board_add(&(&h->cs->row->refused_method)[refusal - 1], 1);
	return answer_error(h, i, base, http_refusal_status(refusal), CLOSE_REFUSED);
}

/* Where the request goes. Returns 0, or the status of an error. */
static int find(struct http *h, uint32_t i, struct reply_ctx *ctx)
{
	struct http_request *req = &h->req;
	struct in6_addr peer;

	if (req->method == HTTP_OTHER)
		return 501;
	if (req->method == HTTP_CONNECT || req->method == HTTP_TRACE)
		return 405;
	if (req->path.len == 1 && ctx->base[req->path.off] == '*')
		return 0;
	if (path_normalise(ctx->base + req->path.off, req->path.len, h->path, sizeof h->path,
			   &ctx->path_len) != 0) {
		board_add(&h->cs->row->refused_path, 1);
		return 400;
	}
	ctx->path = h->path;
	ctx->location = route_location(h->settings->route, conn_at(h->cs, i)->server, ctx->path,
				       ctx->path_len);
	memcpy(&peer, conn_row(h->cs, i)->peer, sizeof peer);
	if (ctx->location->rules_count > 0 && !route_admits(ctx->location, &peer)) {
		board_add(&h->cs->row->access_denied, 1);
		return 403;
	}
	if (ctx->location->kind == LOCATION_NONE)
		return 404;
	if ((ctx->location->kind == LOCATION_FILES || ctx->location->kind == LOCATION_HEALTH) &&
	    req->method != HTTP_GET && req->method != HTTP_HEAD && req->method != HTTP_OPTIONS)
		return 405;
	return 0;
}

static void build(struct http *h, const struct reply_ctx *ctx)
{
	if (ctx->location == NULL ||
	    (h->req.method == HTTP_OPTIONS && ctx->location->kind != LOCATION_REDIRECT)) {
		reply_options(&h->reply, ctx);
		return;
	}
	switch (ctx->location->kind) {
	case LOCATION_FILES:
		files_reply(h->files, &h->reply, ctx);
		break;
	case LOCATION_REDIRECT:
		reply_location_redirect(&h->reply, ctx);
		break;
	case LOCATION_STATUS:
		reply_location_status(&h->reply, ctx);
		break;
	case LOCATION_HEALTH:
		reply_health(&h->reply, ctx, !h->lame_duck && !h->cs->draining);
		break;
	case LOCATION_CRASH:
		(void)raise(SIGSEGV);
		/* fallthrough */
	case LOCATION_NONE:
		reply_error(&h->reply, ctx, 404);
		break;
	}
}

static enum step respond(struct http *h, uint32_t i, const char *base)
{
	struct reply_ctx ctx = ctx_of(h, i);
	int status;

	conn_set_state(h->cs, i, CONN_RESPOND);
	ctx.base = base;
	ctx.req = &h->req;
	status = find(h, i, &ctx);
	if (status != 0)
		reply_error(&h->reply, &ctx, status);
	else
		build(h, &ctx);
	/* What follows a CONNECT is no request of ours (RFC 9110 9.3.6). */
	if (h->req.method == HTTP_CONNECT)
		close_after(conn_at(h->cs, i), CLOSE_REFUSED);
	return send_reply(h, i, base);
}

/* Returns 1: the body is whole, *used bytes belonged to it; 0: more is to come; -1: refused. */
static int eat_body(struct http *h, uint32_t i, const char *p, size_t len, uint64_t max_body,
		    size_t *used, enum http_refusal *refusal)
{
	struct conn *c = conn_at(h->cs, i);

	*used = 0;
	if ((c->flags & CONN_BODY_CHUNKED) == 0) {
		*used = len < c->body_left ? len : (size_t)c->body_left;
		c->body_left -= *used;
		board_add(&h->cs->row->body_bytes_discarded, *used);
		return c->body_left == 0;
	}
	while (*used < len) {
		struct http_span data;
		size_t n;
		int r = chunk_decode(&c->chunk, p + *used, len - *used, &n, &data, refusal);

		*used += n;
		c->body_seen += data.len;
		board_add(&h->cs->row->body_bytes_discarded, data.len);
		if (r == 0 && max_body != 0 && c->body_seen > max_body) {
			*refusal = HTTP_REFUSED_BODY_TOO_LARGE;
			return -1;
		}
		if (r != 0)
			return r;
	}
	return 0;
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
		drop_input(h, i);
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

/* A location may set its own limit; where there is none yet, the fallback location holds the
 * server's. */
static uint64_t body_limit(struct http *h, uint32_t i, const char *base)
{
	const struct server *server = server_of(h, i);
	size_t len;

	if (path_normalise(base + h->req.path.off, h->req.path.len, h->path, sizeof h->path,
			   &len) != 0)
		return server->locations[0].max_body;
	return route_location(h->settings->route, conn_at(h->cs, i)->server, h->path, len)
	    ->max_body;
}

/* Sets the record up for a body. Returns STEP_NEXT if it is to be read. */
static enum step begin_body(struct http *h, uint32_t i, const char *base)
{
	struct conn *c = conn_at(h->cs, i);
	struct reply_ctx ctx = {.base = base, .req = &h->req};
	uint64_t limit = body_limit(h, i, base);

	c->flags &= (uint16_t) ~(CONN_BODY_CHUNKED | CONN_CONTINUE);
	if (!h->req.chunked && limit != 0 && h->req.content_length > limit)
		return refuse(h, i, base, HTTP_REFUSED_BODY_TOO_LARGE);
	if (h->req.expect_continue) {
		int status = find(h, i, &ctx);

		/* The client waits for our word: an answer that needs no body spares it the sending
		 * (RFC 9110 10.1.1). */
		if (status != 0)
			return answer_error(h, i, base, status, CLOSE_REFUSED);
		c->flags |= CONN_CONTINUE;
	}
	if (h->req.chunked)
		c->flags |= CONN_BODY_CHUNKED;
	c->body_left = h->req.content_length;
	c->body_seen = 0;
	c->chunk = (struct chunk_state){0};
	return STEP_NEXT;
}

/* Tells a client that waits for our word to send the body: now, or when the socket takes it. */
static enum step invite(struct http *h, uint32_t i)
{
	struct conn *c = conn_at(h->cs, i);
	enum send_result result = SEND_DONE;

	if ((c->flags & CONN_CONTINUE) != 0)
		result = send_continue(h->cs, i);
	if (result == SEND_DONE)
		c->flags &= (uint16_t)~CONN_CONTINUE;
	if (result != SEND_LOST)
		return STEP_AGAIN;
	conn_close(h->cs, i, CLOSE_CLIENT_ABORT, false);
	return STEP_CLOSE;
}

/* The head is whole at base; len bytes are there. *used: how many belonged to this request. */
static enum step serve_body(struct http *h, uint32_t i, const char *base, size_t len, size_t *used)
{
	struct conn *c = conn_at(h->cs, i);
	enum http_refusal refusal;
	enum step step = begin_body(h, i, base);
	size_t eaten;
	int r;

	if (step != STEP_NEXT)
		return step;
	r = eat_body(h, i, base + h->req.head_len, len - h->req.head_len, body_limit(h, i, base),
		     &eaten, &refusal);
	*used = h->req.head_len + eaten;
	c->request_in += eaten;
	if (r < 0)
		return refuse(h, i, base, refusal);
	if (r > 0)
		return respond(h, i, base);
	if (eaten > 0)
		c->flags &= (uint16_t)~CONN_CONTINUE;
	conn_set_state(h->cs, i, CONN_BODY);
	return invite(h, i);
}

/* Publishes what is asked for: method and path, never the query, which may hold what is nobody
 * else's business. */
static void publish(struct http *h, uint32_t i, const char *base)
{
	struct conn_row *row = conn_row(h->cs, i);
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
	row->server = server_of(h, i)->row + 1;
	row->requests++;
	row->status = 0;
	board_write_end(&row->seq);
}

static enum step serve_request(struct http *h, uint32_t i, const char *base, size_t len,
			       size_t *used)
{
	struct conn *c = conn_at(h->cs, i);
	const struct http_request *req = &h->req;

	*used = req->head_len;
	c->server = route_server(h->settings->route, c->listener, base + req->host.off,
				 req->host.len);
	c->flags &= (uint16_t) ~(CONN_CLOSE_AFTER | CONN_PEER_QUIET);
	publish(h, i, base);
	board_add(&h->cs->row->requests_started, 1);
	if (!req->keep_alive)
		close_after(c, CLOSE_NO_KEEPALIVE);
	if (req->close_requested)
		c->flags |= CONN_PEER_QUIET;
	if (req->chunked || req->content_length > 0)
		return serve_body(h, i, base, len, used);
	return respond(h, i, base);
}

static enum step refuse_head(struct http *h, uint32_t i, enum http_refusal refusal)
{
	struct conn *c = conn_at(h->cs, i);

	c->flags &= (uint16_t) ~(CONN_CLOSE_AFTER | CONN_PEER_QUIET);
	board_add(&h->cs->row->requests_started, 1);
	conn_row(h->cs, i)->requests++;
	return refuse(h, i, NULL, refusal);
}

static enum step no_room(struct http *h, uint32_t i)
{
	/* A response that has begun is counted and logged. */
	if (conn_row(h->cs, i)->state == CONN_SEND)
		return abandon(h, i, CLOSE_NO_ROOM, true);
	conn_close(h->cs, i, CLOSE_NO_ROOM, true);
	return STEP_CLOSE;
}

/* Bytes of a request are there: the state is HEAD from its first byte. */
static void begin_head(struct http *h, uint32_t i)
{
	struct conn_row *row = conn_row(h->cs, i);

	if (row->state == CONN_IDLE)
		conn_set_state(h->cs, i, CONN_HEAD);
	if (row->request_us == 0)
		board_set(&row->request_us, now_us(h));
}

/* While the body comes in, and for the log line of a response that waits. */
static bool needs_head(const struct http *h, uint32_t i)
{
	return conn_row(h->cs, i)->state == CONN_BODY || server_of(h, i)->log >= 0;
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
		r = http_parse(base + off, len - off, &server_of(h, i)->limits, &c->scanned,
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

	if (!recall_head(h, i))
		return no_room(h, i);
	c->flags &= (uint16_t)~CONN_CONTINUE;
	r = eat_body(h, i, h->scratch, len, body_limit(h, i, head), &eaten, &refusal);
	c->request_in += eaten;
	if (r < 0)
		return refuse(h, i, head, refusal);
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
	step = respond(h, i, head);
	return step == STEP_NEXT ? take_kept(h, i) : step;
}

static enum step peer_closed(struct http *h, uint32_t i)
{
	const struct conn_row *row = conn_row(h->cs, i);
	bool between = row->state == CONN_IDLE ||
		       (row->state == CONN_HEAD && conn_at(h->cs, i)->in_len == 0);

	conn_close(h->cs, i, between ? CLOSE_CLIENT : CLOSE_CLIENT_ABORT, false);
	return STEP_CLOSE;
}

static bool reading(const struct http *h, uint32_t i)
{
	const struct conn *c = conn_at(h->cs, i);
	uint8_t state = conn_row(h->cs, i)->state;

	return !c->doomed && (state == CONN_IDLE || state == CONN_HEAD || state == CONN_BODY);
}

/* Where the next bytes go: bodies into scratch, an unfinished head behind what there is of it. */
static char *read_place(struct http *h, uint32_t i, size_t *have, size_t *room)
{
	struct conn *c = conn_at(h->cs, i);

	*have = 0;
	*room = sizeof h->scratch;
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
	if (n < 0) {
		conn_close(h->cs, i, CLOSE_RESET, false);
		return STEP_CLOSE;
	}
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
		if (recall_head(h, i))
			base = buf_data(&h->cs->bufs, c->in_buf);
		send_end(h->cs, i);
	}
	if (sent(h, i, result, base) == STEP_NEXT)
		(void)take_kept(h, i);
}

/* Goes on with whatever the connection was doing, as far as it goes. */
static void step_on(struct http *h, uint32_t i)
{
	switch ((enum conn_state)conn_row(h->cs, i)->state) {
	case CONN_IDLE:
	case CONN_HEAD:
		break;
	case CONN_BODY:
		(void)invite(h, i);
		break;
	case CONN_SEND:
		write_on(h, i);
		break;
	case CONN_LINGER:
		linger(h, i);
		return;
	case CONN_FREE:
	case CONN_HANDSHAKE:
	case CONN_RESPOND:
	case CONN_RELAY:
	case CONN_STATES_COUNT:
		return;
	}
	read_all(h, i);
}

/* The record being worked on is marked on the board, so that after a crash it is known which one it
 * was. */
static void touch(struct http *h, uint32_t i)
{
	__atomic_store_n(&h->cs->row->touching, i + 1, __ATOMIC_RELAXED);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

static void settle(struct http *h, uint32_t i)
{
	conn_settle(h->cs, i);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	__atomic_store_n(&h->cs->row->touching, 0, __ATOMIC_RELAXED);
}

void http_open(struct http *h, uint32_t i)
{
	touch(h, i);
	conn_at(h->cs, i)->flags |= CONN_READABLE;
	read_all(h, i);
	settle(h, i);
}

void http_event(struct http *h, uint32_t i, uint32_t events)
{
	struct conn *c = conn_at(h->cs, i);
	bool sending = conn_row(h->cs, i)->state == CONN_SEND;

	if (c->doomed)
		return;
	touch(h, i);
	if ((events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0)
		c->flags |= CONN_READABLE;
	if ((events & (EPOLLRDHUP | EPOLLHUP)) != 0)
		c->flags |= CONN_PEER_DONE;
	if (sending && (events & (EPOLLHUP | EPOLLERR)) != 0)
		(void)abandon(h, i, CLOSE_CLIENT_ABORT, false);
	else if (!sending || (events & EPOLLOUT) != 0)
		step_on(h, i);
	settle(h, i);
}

void http_go_on(struct http *h, uint32_t i)
{
	struct conn *c = conn_at(h->cs, i);
	uint8_t state = conn_row(h->cs, i)->state;

	touch(h, i);
	if ((state == CONN_IDLE || state == CONN_HEAD) && c->in_len > 0)
		(void)take_kept(h, i);
	if (!c->doomed)
		step_on(h, i);
	settle(h, i);
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
	else if (c->in_len > c->head_len && (row->state == CONN_IDLE || row->state == CONN_HEAD))
		conn_ready(h->cs, i);
	conn_settle(h->cs, i);
}

/* Answers 408 where the client can still be told (RFC 9110 15.5.9). */
static void time_out(struct http *h, uint32_t i)
{
	const char *base = NULL;

	if (recall_head(h, i))
		base = buf_data(&h->cs->bufs, conn_at(h->cs, i)->in_buf);
	if (conn_row(h->cs, i)->state == CONN_HEAD)
		conn_at(h->cs, i)->request_in = conn_at(h->cs, i)->in_len;
	(void)answer_error(h, i, base, 408, CLOSE_EXPIRED);
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
	expired(h, d);
	if (state == CONN_HEAD || state == CONN_BODY)
		time_out(h, i);
	else if (state == CONN_SEND)
		(void)abandon(h, i, CLOSE_EXPIRED, true);
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
	touch(h, i);
	d = due(h, i);
	if (conn_at(h->cs, i)->doomed) {
		settle(h, i);
		return;
	}
	if (d == DEADLINES_COUNT && conn_too_slow(h->cs, i, moved_bytes(h, i)))
		d = DEADLINE_MIN_RATE;
	if (d != DEADLINES_COUNT)
		expire(h, i, d);
	else if (conn_row(h->cs, i)->state == CONN_SEND)
		/* A file that shrank gives no edge: trying finds out. */
		step_on(h, i);
	settle(h, i);
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

unsigned http_force(struct http *h)
{
	enum {
		SAY_MOST = 10
	};
	unsigned n = 0;

	for (uint32_t i = 0; i < h->cs->row->conns_high; i++) {
		const struct conn_row *row = conn_row(h->cs, i);
		char peer[48];

		if (row->state == CONN_FREE || conn_at(h->cs, i)->doomed)
			continue;
		logline_addr(row, peer);
		if (n++ < SAY_MOST)
			errlog(ERRLOG_WARN,
			       "cut at the end of the drain: connection %llu from %s, %s, \"%s\"",
			       (unsigned long long)row->id, peer, conn_state_name(row->state),
			       row->request);
		board_add(&h->cs->row->drained_forced, 1);
		if (row->state == CONN_SEND)
			(void)abandon(h, i, CLOSE_FORCED, true);
		else
			conn_close(h->cs, i, CLOSE_FORCED, row->state == CONN_BODY);
	}
	return n;
}
