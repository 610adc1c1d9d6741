/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is different in an exchange with a peer that speaks FastCGI: how a request begins, and how
 * what comes back is read. All else is as with HTTP (proxy_parts.h). Called by the proxy's files.
 */
#ifndef DROVER_WORKER_HTTP_FASTCGI_H
#define DROVER_WORKER_HTTP_FASTCGI_H

#include "worker/http/proxy_parts.h"

/*
 * Does a script answer the request at ctx, of a location that is LOCATION_FASTCGI? Then h->script
 * says which. If not, it is a file to be served, or nothing.
 */
bool fastcgi_finds_script(struct http *h, const struct reply_ctx *ctx);

/* Begins the request in h->reply.text, out of the head_len bytes of its head as a peer would get it
 * by HTTP, which lie behind PROXY_HEAD_MOST. Returns the length, or -1. */
int fastcgi_write_head(struct http *h, uint32_t i, const char *base, const struct reply_ctx *ctx,
		       const struct up *up, size_t head_len);

/*
 * raw[0 .. len) came from the peer: what of it is the response is moved together at its beginning.
 * Returns the length of that; -1: the exchange is over.
 */
ssize_t fastcgi_unframe(struct http *h, struct up *up, char *raw, size_t len);

/* Looks for a whole head in raw[0 .. len), as proxy_response.c's take_head(). */
ssize_t fastcgi_take_head(struct http *h, uint32_t i, char *raw, size_t len);

/*
 * The next piece of the body, of at most so many bytes. Where its length is known, the last byte is
 * left until the end of the request has come: what a peer does not end is never passed on as whole.
 * False: it is longer or shorter than it was said to be.
 */
bool fastcgi_take_piece(struct up *up, char *raw, size_t len, size_t most, struct piece *p);

#endif
