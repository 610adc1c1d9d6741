/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Proxied exchanges: a client's record, a record of a connection to a peer (worker/up.h), and bytes
 * that go between them in both directions at the same time, each as fast as its reader takes it.
 * The client's record names the peer's and the other way round; nothing else is kept.
 *
 * The client's state: BODY while its request is still coming in and no answer has begun; RESPOND
 * while the peer is waited for; SEND while the client is; RELAY after a 101.
 */
#ifndef DROVER_WORKER_HTTP_PROXY_H
#define DROVER_WORKER_HTTP_PROXY_H

#include "worker/http/exchange.h"
#include "worker/http/serve.h"
#include "worker/up.h"

/* Is the request at ctx one for a peer? */
bool proxy_wants(struct http *h, const struct reply_ctx *ctx);

/*
 * Begins the exchange for the request in h->req, whose head is at base and whose location ctx
 * names. The caller keeps the head and what has come behind it in the record: STEP_AGAIN. Or an
 * error has been answered.
 */
enum step proxy_begin(struct http *h, uint32_t i, const char *base, const struct reply_ctx *ctx);

/* Goes on in both directions, as far as it goes. */
void proxy_go_on(struct http *h, uint32_t i);

/* The client's body is not read on: first its peer has to be there, and take what it was given. */
bool proxy_holds(const struct http *h, uint32_t i);

/* A deadline of the client's record has passed. */
void proxy_expire(struct http *h, uint32_t i, enum deadline d);

/* A request that waits for a peer with room: its client did something, or its time is over. */
void proxy_queued(struct http *h, uint32_t i);
void proxy_queue_expire(struct http *h, uint32_t i);

/* At the end of a turn: those that wait are given to peers that have room now. */
void proxy_queue_run(struct http *h);

/* epoll events of a connection to a peer, and its timer. */
void proxy_event(struct http *h, uint32_t u, uint32_t events);
void proxy_timer(struct http *h, uint32_t u);

#endif
