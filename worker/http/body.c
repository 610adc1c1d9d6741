/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Bodies of requests: see body.h.
 */
#include "worker/http/body.h"

#include "worker/http/path.h"
#include "worker/http/route.h"

/* Returns 1: the body is whole, *used bytes belonged to it; 0: more is to come; -1: refused. */
int body_eat(struct http *h, uint32_t i, const char *p, size_t len, uint64_t max_body, size_t *used,
	     enum http_refusal *refusal)
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

/* A location may set its own limit; where there is none yet, the fallback location holds the
 * server's. */
uint64_t body_limit(struct http *h, uint32_t i, const char *base)
{
	const struct server *server = exchange_server(h, i);
	size_t len;

	if (path_normalise(base + h->req.path.off, h->req.path.len, h->path, sizeof h->path,
			   &len) != 0)
		return server->locations[0].max_body;
	return route_location(h->settings->route, conn_at(h->cs, i)->server, h->path, len)
	    ->max_body;
}

/* Sets the record up for a body. Returns STEP_NEXT if it is to be read. */
enum step body_begin(struct http *h, uint32_t i, const char *base)
{
	struct conn *c = conn_at(h->cs, i);
	struct reply_ctx ctx = {.base = base, .req = &h->req};
	uint64_t limit = body_limit(h, i, base);

	c->flags &= (uint16_t) ~(CONN_BODY_CHUNKED | CONN_CONTINUE);
	if (!h->req.chunked && limit != 0 && h->req.content_length > limit)
		return exchange_refuse(h, i, base, HTTP_REFUSED_BODY_TOO_LARGE);
	if (h->req.expect_continue) {
		int status = exchange_find(h, i, &ctx);

		/* The client waits for our word: an answer that needs no body spares it the sending
		 * (RFC 9110 10.1.1). */
		if (status != 0) {
			exchange_count_refused(h, status);
			return exchange_error(h, i, base, status, CLOSE_REFUSED);
		}
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
enum step body_invite(struct http *h, uint32_t i)
{
	struct conn *c = conn_at(h->cs, i);
	enum send_result result = SEND_DONE;

	if ((c->flags & CONN_CONTINUE) != 0)
		result = send_continue(h->cs, i);
	if (result == SEND_DONE)
		c->flags &= (uint16_t)~CONN_CONTINUE;
	if (result != SEND_LOST)
		return STEP_AGAIN;
	return exchange_break(h, i, CLOSE_CLIENT_ABORT, false);
}
