/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One exchange: see exchange.h.
 */
#include "worker/http/exchange.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>

#include "worker/errlog.h"
#include "worker/http/path.h"
#include "worker/http/route.h"

/* Fairness: so many reads of a lingering connection before the others get their turn. */
enum {
	LINGER_READS_A_TURN = 16
};

static uint64_t now_us(const struct http *h)
{
	return h->cs->clock->now_us;
}

void exchange_expired(struct http *h, enum deadline d)
{
	/* The expired_<name> counters stand in the row in the order of the enum. */
	board_add(&(&h->cs->row->expired_handshake)[d], 1);
}

static_assert(offsetof(struct worker_row, expired_min_rate) -
		      offsetof(struct worker_row, expired_handshake) ==
		  (DEADLINES_COUNT - 1) * sizeof(uint64_t),
	      "exchange_expired() indexes the counters by the enum");

static_assert(offsetof(struct worker_row, refused_path) -
		      offsetof(struct worker_row, refused_method) ==
		  (HTTP_REFUSALS - 2) * sizeof(uint64_t),
	      "exchange_refuse() indexes the counters by the enum");

/* The response under way will be the last: the first reason given stands. */
void exchange_last(struct conn *c, enum close_reason reason)
{
	if ((c->flags & CONN_CLOSE_AFTER) != 0)
		return;
	c->flags |= CONN_CLOSE_AFTER;
	c->close_reason = (uint8_t)reason;
}

void exchange_drop_input(struct http *h, uint32_t i)
{
	struct conn *c = conn_at(h->cs, i);

	buf_drop(&h->cs->bufs, &c->in_buf);
	c->in_len = c->head_len = c->scanned = 0;
}

/* Reads what still comes and throws it away, until the peer has seen our end and closes (RFC
 * 9112 9.6). */
void exchange_linger(struct http *h, uint32_t i)
{
	struct conn *c = conn_at(h->cs, i);

	for (int reads = 0; reads < LINGER_READS_A_TURN; reads++) {
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

	exchange_drop_input(h, i);
	if ((c->flags & (CONN_PEER_QUIET | CONN_READABLE)) == CONN_PEER_QUIET) {
		conn_close(h->cs, i, (enum close_reason)c->close_reason, false);
		return STEP_CLOSE;
	}
	/* A close with unread input would be a reset, which can overtake the response: shut down,
	 * then read until the peer closes. */
	(void)shutdown(c->fd, SHUT_WR);
	conn_set_state(h->cs, i, CONN_LINGER);
	exchange_linger(h, i);
	return STEP_CLOSE;
}

static void count_class(struct http *h, uint32_t i, int status, uint64_t in, uint64_t out)
{
	struct worker_row *w = h->cs->row;
	struct server_traffic_row *s = board_server_traffic(h->cs->board, h->cs->worker_row,
							    exchange_server(h, i)->row);

	board_add(&s->bytes_in, in);
	board_add(&s->bytes_out, out);
	/* Nothing was answered. */
	if (status == 0) {
		board_add(&w->requests_cut, 1);
		return;
	}
	board_add(&w->requests, 1);
	board_add(&s->requests, 1);
	switch (status / 100) {
	case 1: /* 101: the connection has been relayed */
		board_add(&w->responses_1xx, 1);
		break;
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

static uint64_t duration_of(const struct http *h, uint32_t i)
{
	uint64_t began = conn_row(h->cs, i)->request_us, now = clock_now_us();

	return began != 0 && now > began ? now - began : 0;
}

enum {
	LIVES_ON = -1 /* instead of a reason: the connection does */
};

/* The state in which it was decided that the connection ends. */
static enum conn_state ended_in(const struct conn *c, enum conn_state state)
{
	if ((c->flags & CONN_HEAD_BROKEN) != 0)
		return CONN_HEAD;
	return (c->flags & CONN_BODY_BROKEN) != 0 ? CONN_BODY : state;
}

/* A proxied exchange goes to and fro between its last two phases: which one it is in says its
 * status. */
static enum conn_state phase_of(const struct conn_row *row, enum conn_state state)
{
	if (state != CONN_RESPOND && state != CONN_SEND)
		return state;
	return row->status != 0 ? CONN_SEND : CONN_RESPOND;
}

/* Counts and logs the exchange that has ended in this state, whole or not. base: of h->req's spans;
 * NULL: the request could not be read. */
static void account(struct http *h, uint32_t i, const char *base, int reason, enum conn_state state)
{
	const struct conn *c = conn_at(h->cs, i);
	struct conn_row *row = conn_row(h->cs, i);

	uint64_t duration = duration_of(h, i);

	count_class(h, i, row->status, c->request_in, c->sent);
	if (row->status != 0) {
		board_add(&h->cs->row->latency[hist_bucket(duration)], 1);
		board_add(&h->cs->row->latency_sum, duration);
	}
	if (exchange_server(h, i)->log >= 0) {
		const struct logline l = {
		    .clock = h->cs->clock,
		    .conn = row,
		    .server = exchange_server(h, i),
		    .listener = h->settings->listeners[c->listener].address,
		    .base = base,
		    .req = base != NULL ? &h->req : NULL,
		    .status = row->status,
		    .body_bytes = c->sent > c->reply_head ? c->sent - c->reply_head : 0,
		    .total_bytes = c->sent,
		    .request_bytes = c->request_in,
		    .duration_us = duration,
		    .head_us = c->head_us,
		    .body_us = c->body_us,
		    .first_us = c->first_us,
		    .state = phase_of(row, state),
		    .in = ended_in(c, state),
		    .ended = reason == LIVES_ON ? "" : close_reason_name((enum close_reason)reason),
		    .by = reason == LIVES_ON ? "" : close_reason_by((enum close_reason)reason),
		};

		accesslog_add(h->log, &l);
	}
}

/* After its response has left: the connection goes on or ends. */
static enum step finish(struct http *h, uint32_t i, const char *base)
{
	struct conn *c = conn_at(h->cs, i);
	struct conn_row *row = conn_row(h->cs, i);
	bool last = (c->flags & CONN_CLOSE_AFTER) != 0;

	account(h, i, base, last ? c->close_reason : LIVES_ON,
		row->state == CONN_RELAY ? CONN_RELAY : CONN_SEND);
	row->request_us = 0;
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
bool exchange_recall(struct http *h, uint32_t i)
{
	/* It was accepted once, perhaps by the limits of another server. */
	static const struct http_limits no_limits = {HTTP_SCRATCH, HTTP_SCRATCH, HTTP_FIELDS_MAX};
	const struct conn *c = conn_at(h->cs, i);
	enum http_refusal refusal;
	uint32_t scanned = 0;

	return c->head_len > 0 && http_parse(buf_data(&h->cs->bufs, c->in_buf), c->head_len,
					     &no_limits, &scanned, &h->req, &refusal) == 1;
}

enum step exchange_cut(struct http *h, uint32_t i, const char *base, enum close_reason reason,
		       bool with_reset)
{
	static struct errlog_limit limit = {.burst = 10};

	account(h, i, base, reason, (enum conn_state)conn_row(h->cs, i)->state);
	errlog_limited(&limit, ERRLOG_INFO, "request cut: %s", close_reason_name(reason));
	conn_close(h->cs, i, reason, with_reset);
	return STEP_CLOSE;
}

enum step exchange_abandon(struct http *h, uint32_t i, enum close_reason reason, bool with_reset)
{
	const char *base = NULL;

	if (exchange_recall(h, i))
		base = buf_data(&h->cs->bufs, conn_at(h->cs, i)->in_buf);
	return exchange_cut(h, i, base, reason, with_reset);
}

void exchange_wait(struct http *h, uint32_t i)
{
	if (conn_row(h->cs, i)->state == CONN_SEND)
		return;
	conn_at(h->cs, i)->progress = send_acked(h->cs, i);
	conn_set_state(h->cs, i, CONN_SEND);
}

enum step exchange_break(struct http *h, uint32_t i, enum close_reason reason, bool with_reset)
{
	uint8_t state = conn_row(h->cs, i)->state;

	if (state == CONN_BODY || state == CONN_RESPOND || state == CONN_SEND ||
	    state == CONN_RELAY)
		return exchange_abandon(h, i, reason, with_reset);
	conn_close(h->cs, i, reason, with_reset);
	return STEP_CLOSE;
}

bool exchange_trusts_id(const struct http *h, uint32_t i)
{
	const struct settings *s = h->settings;
	const struct conn_row *row = conn_row(h->cs, i);
	struct in6_addr peer;

	if (s->trusted_count == 0)
		return false;
	/* A unix socket has no address: whoever can reach it was let in by its mode. */
	if (row->family == 1)
		return true;
	memcpy(&peer, row->peer, sizeof peer);
	return route_in_networks(s->trusted, s->trusted_count, &peer);
}

enum step exchange_sent(struct http *h, uint32_t i, enum send_result result, const char *base)
{
	switch (result) {
	case SEND_DONE:
		return finish(h, i, base);
	case SEND_PAUSED:
		conn_ready(h->cs, i);
		/* fallthrough */
	case SEND_BLOCKED:
		exchange_wait(h, i);
		return STEP_AGAIN;
	case SEND_LOST:
		account(h, i, base, CLOSE_CLIENT_ABORT, CONN_SEND);
		conn_close(h->cs, i, CLOSE_CLIENT_ABORT, false);
		return STEP_CLOSE;
	case SEND_FAILED:
		account(h, i, base, CLOSE_ERROR, CONN_SEND);
		conn_close(h->cs, i, CLOSE_ERROR, true);
		return STEP_CLOSE;
	}
	return STEP_CLOSE;
}

#define REQUEST_ID_NAME "X-Request-Id: "

enum {
	REQUEST_ID_FIELD = sizeof REQUEST_ID_NAME - 1 + TRACE_ID_MAX + 2
};

static size_t put_request_id(const struct http *h, uint32_t i, const char *base,
			     char out[REQUEST_ID_FIELD])
{
	size_t name = sizeof REQUEST_ID_NAME - 1;
	size_t len = trace_id(conn_row(h->cs, i), base != NULL ? &h->req : NULL, base, out + name);

	if (len == 0)
		return 0;
	memcpy(out, REQUEST_ID_NAME, name);
	memcpy(out + name + len, "\r\n", 2);
	return name + len + 2;
}

void exchange_received(struct http *h, uint32_t i)
{
	struct conn_row *row = conn_row(h->cs, i);

	if (row->state == CONN_HEAD || row->state == CONN_BODY)
		conn_at(h->cs, i)->body_us = exchange_since(row, now_us(h));
	if (row->state != CONN_RESPOND)
		conn_set_state(h->cs, i, CONN_RESPOND);
}

void exchange_first_byte(struct http *h, uint32_t i)
{
	/* The time within the turn is worth a look at the clock only if somebody reads it. */
	conn_at(h->cs, i)->first_us = exchange_since(
	    conn_row(h->cs, i), exchange_server(h, i)->log >= 0 ? clock_now_us() : now_us(h));
}

/* What the connection's end demands is decided here, once. */
enum send_result exchange_begin(struct http *h, uint32_t i, bool old_client, const char *extra,
				size_t extra_len)
{
	struct conn *c = conn_at(h->cs, i);
	struct conn_row *row = conn_row(h->cs, i);
	const struct server *server = exchange_server(h, i);

	row->status = (uint16_t)h->reply.status;
	/* A 100 that could not be written yet may not come behind it. */
	c->flags &= (uint16_t)~CONN_CONTINUE;
	if (h->reply.close)
		exchange_last(c, CLOSE_REFUSED);
	if (h->cs->draining || h->lame_duck || (c->flags & CONN_STAYS) != 0)
		exchange_last(c, CLOSE_DRAIN);
	if (server->keepalive_requests != 0 && row->requests >= server->keepalive_requests)
		exchange_last(c, CLOSE_REQUEST_LIMIT);
	if (c->max_age_us != 0 && c->max_age_us <= now_us(h)) {
		if ((c->flags & CONN_CLOSE_AFTER) == 0)
			exchange_expired(h, DEADLINE_MAX_AGE);
		exchange_last(c, CLOSE_MAX_AGE);
	}
	exchange_first_byte(h, i);
	return send_begin(h->cs, i, &h->reply,
			  (c->flags & CONN_CLOSE_AFTER) != 0 ? SEND_CLOSE
			  : old_client                       ? SEND_KEEP_SAID
							     : SEND_KEEP_SILENT,
			  extra, extra_len);
}

/* Sends h->reply. */
static enum step send_reply(struct http *h, uint32_t i, const char *base)
{
	bool old_client = base != NULL && h->req.minor == 0;
	char extra[REQUEST_ID_FIELD];
	size_t extra_len = 0;

	if (exchange_server(h, i)->request_id)
		extra_len = put_request_id(h, i, base, extra);
	return exchange_sent(h, i, exchange_begin(h, i, old_client, extra, extra_len), base);
}

struct reply_ctx exchange_ctx(const struct http *h, uint32_t i)
{
	return (struct reply_ctx){.clock = h->cs->clock,
				  .server = exchange_server(h, i),
				  .retry_after_s = h->retry_after_s};
}

/* An error has the pages and headers of the location that the request is for; of the server, where
 * that cannot be told. base: NULL if the head was not read. */
static void find_pages(struct http *h, uint32_t i, const char *base, struct reply_ctx *ctx)
{
	ctx->location = &ctx->server->locations[0];
	if (base != NULL && path_normalise(base + h->req.path.off, h->req.path.len, h->path,
					   sizeof h->path, &ctx->path_len) == 0)
		ctx->location = route_location(h->settings->route, conn_at(h->cs, i)->server,
					       h->path, ctx->path_len);
}

static void build_error(struct http *h, uint32_t i, const char *base, int status)
{
	struct reply_ctx ctx = exchange_ctx(h, i);

	ctx.base = base;
	ctx.req = base != NULL ? &h->req : NULL;
	find_pages(h, i, base, &ctx);
	reply_error(&h->reply, &ctx, status);
}

/* Answers with an error where the request is not to be looked at any further. */
enum step exchange_error(struct http *h, uint32_t i, const char *base, int status,
			 enum close_reason reason)
{
	exchange_last(conn_at(h->cs, i), reason);
	/* Some of the request may still be on its way. */
	conn_at(h->cs, i)->flags &= (uint16_t)~CONN_PEER_QUIET;
	if (conn_row(h->cs, i)->state == CONN_HEAD)
		conn_at(h->cs, i)->flags |= CONN_HEAD_BROKEN;
	if (conn_row(h->cs, i)->state == CONN_BODY)
		conn_at(h->cs, i)->flags |= CONN_BODY_BROKEN;
	exchange_received(h, i);
	build_error(h, i, base, status);
	return send_reply(h, i, base);
}

enum step exchange_fail(struct http *h, uint32_t i, const char *base, int status)
{
	exchange_received(h, i);
	build_error(h, i, base, status);
	return send_reply(h, i, base);
}

enum step exchange_refuse(struct http *h, uint32_t i, const char *base, enum http_refusal refusal)
{
	static struct errlog_limit limit = {.burst = 10};

	board_add(&(&h->cs->row->refused_method)[refusal - 1], 1);
	errlog_limited(&limit, ERRLOG_INFO, "request refused: %s (%d)", http_refusal_name(refusal),
		       http_refusal_status(refusal));
	return exchange_error(h, i, base, http_refusal_status(refusal), CLOSE_REFUSED);
}

/* Locations that something can be got from, and nothing done to. */
static bool is_read_only(enum location_kind kind)
{
	return kind == LOCATION_FILES || kind == LOCATION_HEALTH || kind == LOCATION_METRICS ||
	       kind == LOCATION_STATUS_PAGE;
}

/* Where the request goes. Returns 0, or the status of an error. */
int exchange_find(struct http *h, uint32_t i, struct reply_ctx *ctx)
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
			   &ctx->path_len) != 0)
		return 400;
	ctx->path = h->path;
	ctx->location = route_location(h->settings->route, conn_at(h->cs, i)->server, ctx->path,
				       ctx->path_len);
	memcpy(&peer, conn_row(h->cs, i)->peer, sizeof peer);
	if (ctx->location->rules_count > 0 && !route_admits(ctx->location, &peer))
		return 403;
	if (ctx->location->kind == LOCATION_NONE)
		return 404;
	if (is_read_only(ctx->location->kind) && req->method != HTTP_GET &&
	    req->method != HTTP_HEAD && req->method != HTTP_OPTIONS)
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
	case LOCATION_PROXY: /* what its rewrite has no name for: all else goes another way */
		reply_error(&h->reply, ctx, 404);
		break;
	case LOCATION_FASTCGI: /* what is no script */
		if (!ctx->location->static_files)
			reply_error(&h->reply, ctx, 404);
		else if (h->req.method != HTTP_GET && h->req.method != HTTP_HEAD)
			reply_error(&h->reply, ctx, 405);
		else
			files_reply(h->files, &h->reply, ctx);
		break;
	case LOCATION_METRICS:
		pages_metrics(&h->pages, &h->reply, ctx);
		break;
	case LOCATION_STATUS_PAGE:
		pages_status(&h->pages, &h->reply, ctx);
		break;
	case LOCATION_CRASH:
		(void)raise(SIGSEGV);
		/* fallthrough */
	case LOCATION_NONE:
		reply_error(&h->reply, ctx, 404);
		break;
	}
}

void exchange_count_refused(struct http *h, int status)
{
	if (status == 400)
		board_add(&h->cs->row->refused_path, 1);
	else if (status == 403)
		board_add(&h->cs->row->access_denied, 1);
}

enum step exchange_respond(struct http *h, uint32_t i, const char *base)
{
	struct reply_ctx ctx = exchange_ctx(h, i);
	int status;

	exchange_received(h, i);
	ctx.base = base;
	ctx.req = &h->req;
	status = exchange_find(h, i, &ctx);
	exchange_count_refused(h, status);
	if (status != 0)
		build_error(h, i, base, status);
	else
		build(h, &ctx);
	/* What follows a CONNECT is no request of ours (RFC 9110 9.3.6). */
	if (h->req.method == HTTP_CONNECT)
		exchange_last(conn_at(h->cs, i), CLOSE_REFUSED);
	return send_reply(h, i, base);
}
