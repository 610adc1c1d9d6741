/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Bodies of requests, read and thrown away where nobody wants them: how long they may be, how much
 * of what was read belongs to them, and the 100 that asks for one (RFC 9110 10.1.1).
 */
#ifndef DROVER_WORKER_HTTP_BODY_H
#define DROVER_WORKER_HTTP_BODY_H

#include <stddef.h>

#include "worker/http/exchange.h"

/* The most that the body of the request in h->req may have; 0: no limit. A location may set its own
 * limit; where there is none yet, the fallback location holds the server's. */
uint64_t body_limit(struct http *h, uint32_t i, const char *base);

/* Sets the record up for a body. Returns STEP_NEXT if it is to be read. */
enum step body_begin(struct http *h, uint32_t i, const char *base);

/* Returns 1: the body is whole, *used bytes belonged to it; 0: more is to come; -1: refused. */
int body_eat(struct http *h, uint32_t i, const char *p, size_t len, uint64_t max_body, size_t *used,
	     enum http_refusal *refusal);

/* Tells a client that waits for our word to send the body: now, or when the socket takes it. */
enum step body_invite(struct http *h, uint32_t i);

#endif
