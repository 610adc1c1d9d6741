/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Giving a request to a peer: see proxy_parts.h. Which peer, the head that it gets, and what is
 * done when it fails.
 */
#include "worker/http/proxy_parts.h"

#include <errno.h>
#include <string.h>

#include "worker/balance.h"
#include "worker/errlog.h"
#include "worker/http/body.h"
#include "worker/http/fastcgi.h"
#include "worker/http/forward.h"
#include "worker/peer_load.h"

static bool is_idempotent(unsigned method)
{
	return method == HTTP_GET || method == HTTP_HEAD || method == HTTP_OPTIONS ||
	       method == HTTP_PUT || method == HTTP_DELETE;
}

/* For each request: not by inet_ntop, which prints. */
const char *proxy_address_of(const struct conn_row *row, char text[LOGLINE_ADDR])
{
	if (row->family != 4 && row->family != 6)
		return NULL;
	logline_addr(row, text);
	return text;
}

/* The request's id and traceparent as text. Returns whether its tracestate goes on, too. */
static bool identify(const struct conn_row *row, const struct http_request *req, const char *base,
		     char id[TRACE_ID_MAX + 1], char parent[TRACE_PARENT_LEN + 1])
{
	struct trace t;

	trace_write(row, req, base, &t);
	memcpy(id, t.id, t.id_len);
	id[t.id_len] = '\0';
	memcpy(parent, t.parent, t.parent_len);
	parent[t.parent_len] = '\0';
	return t.keeps_state;
}

/* The head for the peer, in h->reply.text. Returns its length, or -1. */
static int write_head(struct http *h, uint32_t i, const char *base, const struct reply_ctx *ctx,
		      const struct up *up)
{
	const struct conn_row *row = conn_row(h->cs, i);
	uint64_t left = proxy_time_left(h, i);
	char address[LOGLINE_ADDR], by[PROXY_BY], id[TRACE_ID_MAX + 1],
	    parent[TRACE_PARENT_LEN + 1];
	bool keeps_state = identify(row, &h->req, base, id, parent);
	const struct forward_request f = {
	    .base = base,
	    .req = &h->req,
	    .location = ctx->location,
	    .path = ctx->path,
	    .path_len = ctx->path_len,
	    .peer = h->settings->peers[up->peer].address,
	    .address = proxy_address_of(row, address),
	    .scheme = "http",
	    .by = ctx->location->forwarded_form != PROXY_FORM_X ? proxy_by(h, i, by) : NULL,
	    .trusted = proxy_trusts(ctx->location, row),
	    .upgrade = (up->flags & UP_UPGRADE) != 0,
	    .framing = h->req.chunked      ? FORWARD_CHUNKED
		       : h->req.has_length ? FORWARD_LENGTH
					   : FORWARD_NO_BODY,
	    .length = h->req.content_length,
	    .timeout_ms = left != 0 ? (left + 999) / 1000 : 0,
	    .timeout_name = ctx->location->timeout_name,
	    .request_id = id[0] != '\0' ? id : NULL,
	    .traceparent = parent[0] != '\0' ? parent : NULL,
	    .drop_tracestate = !keeps_state,
	};

	int len;

	if (!up->fcgi.on)
		return forward_request(h->reply.text, REPLY_TEXT_SIZE, &f);
	len = forward_request(h->reply.text + PROXY_HEAD_MOST, REPLY_TEXT_SIZE - PROXY_HEAD_MOST,
			      &f);
	return len < 0 ? -1 : fastcgi_write_head(h, i, base, ctx, up, (size_t)len);
}

static void describe(struct http *h, struct up *up, const char *base, const struct reply_ctx *ctx)
{
	up->location = ctx->location->id;
	up->method = h->req.method;
	up->flags &= UP_READABLE | UP_PEER_DONE;
	up->fcgi = (struct fcgi_state){.on = ctx->location->kind == LOCATION_FASTCGI};
	if (h->req.minor == 0)
		up->flags |= UP_OLD_CLIENT;
	if (h->req.chunked)
		up->flags |= UP_CHUNK_IN;
	if (is_idempotent(h->req.method))
		up->flags |= UP_IDEMPOTENT;
	if (!up->fcgi.on && forward_may_upgrade(base, &h->req))
		up->flags |= UP_UPGRADE;
}

/* The peer has been given the request, or as much of it as there is. */
void proxy_await(struct http *h, uint32_t i, struct up *up)
{
	up->since_us = proxy_now(h);
	if (up->state == UP_CONNECT)
		proxy_set_deadline(h, up, proxy_pool(h, up)->connect_us);
	else if ((conn_at(h->cs, i)->flags & CONN_BODY_OPEN) == 0)
		proxy_set_deadline(h, up, proxy_pool(h, up)->response_us);
	else
		proxy_set_deadline(h, up, 0);
}

/* Gives the request to the connection u. begins: a session with its peer. Returns 0, or the status
 * of why not. */
static int give(struct http *h, uint32_t i, const char *base, const struct reply_ctx *ctx,
		uint32_t u, unsigned tries, bool begins)
{
	struct up *up = up_at(h->ups, u);
	struct iovec iov = {h->reply.text, 0};
	int len;

	describe(h, up, base, ctx);
	up->tries = (uint8_t)tries;
	up->tried = h->tried;
	if (begins)
		up->flags |= UP_STICKY;
	up_assign(h->ups, u, i);
	if (tries > 1)
		board_add(&peer_traffic(h->ups, up->peer)->retries, 1);
	len = write_head(h, i, base, ctx, up);
	if (len < 0) {
		up_close(h->ups, u);
		return 431;
	}
	iov.iov_len = (size_t)len;
	if (!proxy_write(h, up, &iov, 1)) {
		up_close(h->ups, u);
		return 503;
	}
	proxy_await(h, i, up);
	return 0;
}

/* An answer of our own, in place of the peer's. */
static enum step fail(struct http *h, uint32_t i, const char *base, int status)
{
	struct conn *c = conn_at(h->cs, i);

	proxy_wait_over(h, i, QUEUE_LEFT);
	if ((c->flags & CONN_BODY_OPEN) == 0)
		return exchange_fail(h, i, base, status);
	/* The rest of the request's body is not read. */
	c->flags &= (uint16_t)~CONN_BODY_OPEN;
	return exchange_error(h, i, base, status, CLOSE_ERROR);
}

/* No peer takes requests: that is said at once, and when it may be otherwise. */
static enum step nobody(struct http *h, uint32_t i, const char *base, const struct upstream *pool)
{
	enum step step;

	h->retry_after_s = peer_retry_after_s(h->ups, pool);
	step = fail(h, i, base, 503);
	h->retry_after_s = 0;
	return step;
}

/* A peer with a place for the request, which is taken. */
static uint32_t find_peer(struct http *h, uint32_t i, const char *base, const struct reply_ctx *ctx,
			  uint32_t avoid, unsigned tries, bool *begins_out)
{
	const struct upstream *pool = &h->settings->upstreams[ctx->location->upstream];
	uint64_t key = pool->balance == BALANCE_HASH ? proxy_hash_key(h, i, base, ctx) : 0;
	uint32_t peer = BALANCE_NONE;

	*begins_out = false;
	if (pool->sticky_cookie != NULL) {
		peer = proxy_session_peer(h, pool, base, begins_out);
		if (peer != BALANCE_NONE && peer != avoid && peer_reserve(h->ups, peer))
			return peer;
		*begins_out |= peer != BALANCE_NONE && peer == avoid;
	}
	/* Others may have taken the last place since it was looked for. */
	do {
		peer = balance_pick(h->ups, pool, avoid, key);
		if (tries > 1 && peer < BALANCE_FULL)
			peer = proxy_untried(h, pool, peer);
	} while (peer < BALANCE_FULL && !peer_reserve(h->ups, peer));
	return peer;
}

/*
 * Finds a peer for the request and gives it to it. avoid: one that has just failed, or UINT32_MAX.
 * Returns STEP_AGAIN, also if the request waits for a peer with room, or what an error's answer
 * came to.
 */
static enum step attempt(struct http *h, uint32_t i, const char *base, const struct reply_ctx *ctx,
			 uint32_t avoid, unsigned tries, bool fresh)
{
	const struct upstream *pool = &h->settings->upstreams[ctx->location->upstream];
	bool begins;

	if (pool->queue_size != 0 && proxy_must_wait(h, i, ctx->location->upstream))
		return proxy_wait(h, i, ctx->location->upstream, tries) ? STEP_AGAIN
									: nobody(h, i, base, pool);
	for (; tries <= pool->retries + 1; tries++) {
		uint32_t peer, u;

		if (proxy_time_left(h, i) == PROXY_TIME_UP) {
			proxy_wait_over(h, i, QUEUE_EXPIRED);
			exchange_expired(h, DEADLINE_REQUEST);
			return fail(h, i, base, 504);
		}
		peer = find_peer(h, i, base, ctx, avoid, tries, &begins);
		if (peer == BALANCE_FULL && pool->queue_size != 0 &&
		    proxy_wait(h, i, ctx->location->upstream, tries))
			return STEP_AGAIN;
		proxy_wait_over(h, i, peer < BALANCE_FULL ? QUEUE_GIVEN : QUEUE_LEFT);
		if (peer >= BALANCE_FULL)
			return nobody(h, i, base, pool);
		u = up_take(h->ups, peer, fresh);
		if (u != UP_NONE) {
			int refused = give(h, i, base, ctx, u, tries, begins);

			return refused == 0 ? STEP_AGAIN : fail(h, i, base, refused);
		}
		peer_unreserve(h->ups);
		if (errno == ENOBUFS || errno == EMFILE || errno == ENFILE)
			return fail(h, i, base, 503);
		peer_failed(h->ups, peer);
		avoid = peer;
		h->tried |= proxy_tried_bit(pool, peer);
		if (tries > pool->retries || !proxy_budget_take(h, pool))
			break;
		board_add(&h->cs->row->up_retries, 1);
	}
	return fail(h, i, base, 502);
}

/* A prefix "/api" that "/v1/" takes the place of is that folder, and not the half of a name: of
 * "/api../x" it would make "/v1/../x". */
static bool is_below_prefix(const struct reply_ctx *ctx)
{
	const struct location *l = ctx->location;
	size_t len = l->rewrite != NULL ? strlen(l->rewrite) : 0;

	return len == 0 || l->rewrite[len - 1] != '/' || l->path_len == 0 ||
	       l->path[l->path_len - 1] == '/' || ctx->path_len <= l->path_len ||
	       ctx->path[l->path_len] == '/';
}

bool proxy_wants(struct http *h, const struct reply_ctx *ctx)
{
	return (ctx->location->kind == LOCATION_PROXY && is_below_prefix(ctx)) ||
	       (ctx->location->kind == LOCATION_FASTCGI && fastcgi_finds_script(h, ctx));
}

enum step proxy_begin(struct http *h, uint32_t i, const char *base, const struct reply_ctx *ctx)
{
	struct conn *c = conn_at(h->cs, i);
	bool body = h->req.chunked || h->req.content_length > 0;
	enum step step;

	/* CGI tells the length of a body before it (RFC 3875 4.2). */
	if (h->req.chunked && ctx->location->kind == LOCATION_FASTCGI)
		return exchange_refuse(h, i, base, HTTP_REFUSED_LENGTH_REQUIRED);
	if (ctx->location->trusted_count > 0)
		proxy_take_limit(h, i, base, ctx->location);
	proxy_budget_earn(h, &h->settings->upstreams[ctx->location->upstream]);
	if (body) {
		step = body_begin(h, i, base);
		if (step != STEP_NEXT)
			return step;
		c->chunk.stop_at_trailers = h->req.chunked;
		c->flags |= CONN_BODY_OPEN;
	}
	if (body)
		conn_set_state(h->cs, i, CONN_BODY);
	else
		exchange_received(h, i);
	/* Its end came together with the request, of which nobody waits for the answer. */
	if ((c->flags & CONN_PEER_DONE) != 0)
		return exchange_cut(h, i, base, CLOSE_CLIENT_ABORT, false);
	h->tried = 0;
	step = attempt(h, i, base, ctx, UINT32_MAX, 1, false);
	/* What has come of the body is looked at once it lies in the record. */
	if (body && step == STEP_AGAIN)
		conn_ready(h->cs, i);
	return step;
}

/* A proxied connection has answered, and lives on or not. */
void proxy_after(struct http *h, uint32_t i, enum step step)
{
	if (step == STEP_NEXT)
		http_continue(h, i);
}

/* For the log line, the request's head is read again. */
const char *proxy_log_base(struct http *h, uint32_t i)
{
	if (exchange_server(h, i)->log < 0 || !exchange_recall(h, i))
		return NULL;
	return buf_data(&h->cs->bufs, conn_at(h->cs, i)->in_buf);
}

void proxy_answer(struct http *h, uint32_t i, int status)
{
	const struct conn *c = conn_at(h->cs, i);
	const char *base = exchange_recall(h, i) ? buf_data(&h->cs->bufs, c->in_buf) : NULL;

	proxy_after(h, i, fail(h, i, base, status));
}

static bool may_repeat(const struct http *h, const struct up *up, bool stale)
{
	if ((up->flags & UP_BODY_SENT) != 0)
		return false;
	if (up->state != UP_CONNECT && (up->flags & UP_IDEMPOTENT) == 0)
		return false;
	return stale || (up->tries <= proxy_pool(h, up)->retries &&
			 proxy_time_left(h, up->conn) != PROXY_TIME_UP &&
			 proxy_budget_take(h, proxy_pool(h, up)));
}

/* Where the request under way goes, from its head in the record. False: nowhere any more. */
static bool find_again(struct http *h, uint32_t i, struct reply_ctx *ctx)
{
	*ctx = exchange_ctx(h, i);
	if (!exchange_recall(h, i))
		return false;
	ctx->base = buf_data(&h->cs->bufs, conn_at(h->cs, i)->in_buf);
	ctx->req = &h->req;
	return exchange_find(h, i, ctx) == 0 && ctx->location != NULL && proxy_wants(h, ctx);
}

bool proxy_write_anew(struct http *h, uint32_t i, struct up *up)
{
	struct iovec iov = {h->reply.text, 0};
	struct reply_ctx ctx;
	int len;

	if (!find_again(h, i, &ctx))
		return false;
	len = write_head(h, i, ctx.base, &ctx, up);
	if (len < 0)
		return false;
	iov.iov_len = (size_t)len;
	buf_drop(&h->cs->bufs, &up->out_buf);
	up->out_off = up->out_len = 0;
	return proxy_write(h, up, &iov, 1);
}

void proxy_resume(struct http *h, uint32_t i, uint32_t avoid, unsigned tries, bool fresh)
{
	struct reply_ctx ctx;
	enum step step;

	if (!find_again(h, i, &ctx)) {
		proxy_answer(h, i, 502);
		return;
	}
	step = attempt(h, i, ctx.base, &ctx, avoid, tries, fresh);
	/* A kept connection gives no event: what has come of the body goes on next turn. */
	if (step == STEP_AGAIN && (conn_at(h->cs, i)->flags & CONN_BODY_OPEN) != 0)
		conn_ready(h->cs, i);
	proxy_after(h, i, step);
}

/* Nobody is asked any more. */
static void end_without(struct http *h, uint32_t i, bool begun, int status)
{
	if (begun)
		(void)exchange_abandon(h, i, CLOSE_ERROR, true);
	else
		proxy_answer(h, i, status);
}

void proxy_no_buffer(struct http *h, uint32_t u)
{
	struct up *up = up_at(h->ups, u);
	uint32_t i = up->conn;
	bool begun = proxy_has_begun(conn_at(h->cs, i), up);

	up_close(h->ups, u);
	end_without(h, i, begun, 503);
}

/* The peer did not do what it should have done: another one may, or the client is told. */
void proxy_peer_failed(struct http *h, uint32_t u, int status, bool stale)
{
	struct up *up = up_at(h->ups, u);
	uint32_t i = up->conn, peer = up->peer;
	bool begun = proxy_has_begun(conn_at(h->cs, i), up);
	bool again = !begun && may_repeat(h, up, stale);
	unsigned tries = up->tries;

	h->tried = up->tried;
	if (!stale) {
		h->tried |= proxy_tried_bit(proxy_pool(h, up), peer);
		peer_failed(h->ups, peer);
	}
	up_close(h->ups, u);
	if (again) {
		board_add(&h->cs->row->up_retries, 1);
		proxy_resume(h, i, stale ? UINT32_MAX : peer, stale ? tries : tries + 1, stale);
	} else {
		end_without(h, i, begun, status);
	}
}

void proxy_count_bad(struct http *h, const struct up *up)
{
	board_add(&h->cs->row->up_bad_responses, 1);
	board_add(&peer_traffic(h->ups, up->peer)->bad_responses, 1);
}

void proxy_bad_response(struct http *h, uint32_t u, const char *what)
{
	const struct up *up = up_at(h->ups, u);

	proxy_count_bad(h, up);
	errlog(ERRLOG_WARN, "peer %s of upstream \"%s\": bad response: %s; connection %llu, \"%s\"",
	       h->settings->peers[up->peer].address, proxy_pool(h, up)->name, what,
	       (unsigned long long)conn_row(h->cs, up->conn)->id,
	       conn_row(h->cs, up->conn)->request);
	proxy_peer_failed(h, u, 502, false);
}
