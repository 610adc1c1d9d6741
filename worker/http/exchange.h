/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One exchange: a request whose head has been read is routed, its response built and sent, counted
 * and logged; then the connection goes on or ends.
 */
#ifndef DROVER_WORKER_HTTP_EXCHANGE_H
#define DROVER_WORKER_HTTP_EXCHANGE_H

#include <stdbool.h>
#include <stdint.h>

#include "worker/http/send.h"
#include "worker/http/serve.h"

/* What a step of a connection left. */
enum step {
	STEP_NEXT,  /* go on with what is there */
	STEP_AGAIN, /* wait for an event */
	STEP_CLOSE  /* the connection is closed or lingers */
};

/* For one more request of an idle connection that had to stay behind. */
enum {
	STAY_GRACE_US = 1000000
};

struct reply_ctx exchange_ctx(const struct http *h, uint32_t i);

static inline const struct server *exchange_server(const struct http *h, uint32_t i)
{
	return &h->settings->servers[conn_at(h->cs, i)->server];
}

/* Counts a deadline that has passed. */
void exchange_expired(struct http *h, enum deadline d);

/* The response under way will be the last: the first reason given stands. */
void exchange_last(struct conn *c, enum close_reason reason);

void exchange_drop_input(struct http *h, uint32_t i);

/* Reads what still comes and throws it away, until the peer has seen our end and closes (RFC
 * 9112 9.6). */
void exchange_linger(struct http *h, uint32_t i);

/*
 * The head of the request under way, kept in the record because the response had to wait, is parsed
 * into h->req. False: it was not needed, or not readable.
 */
bool exchange_recall(struct http *h, uint32_t i);

/*
 * In what follows, base is what h->req's spans refer to; NULL: the request could not be read.
 */

/* Finds where the request goes. Returns 0, or the status of an error, which is counted by who
 * answers with it: it may be looked for more than once. */
int exchange_find(struct http *h, uint32_t i, struct reply_ctx *ctx);
void exchange_count_refused(struct http *h, int status);

/* Answers the request; its body has been read. */
enum step exchange_respond(struct http *h, uint32_t i, const char *base);

/* Answers with an error where the request is not to be looked at any further. */
enum step exchange_error(struct http *h, uint32_t i, const char *base, int status,
			 enum close_reason reason);
enum step exchange_refuse(struct http *h, uint32_t i, const char *base, enum http_refusal refusal);

/* What sending came to, at its begin or later. */
enum step exchange_sent(struct http *h, uint32_t i, enum send_result result, const char *base);

/*
 * The response in h->reply begins, and says what the connection's end demands. old_client: it
 * speaks HTTP/1.0. extra: as in send_begin().
 */
enum send_result exchange_begin(struct http *h, uint32_t i, bool old_client, const char *extra,
				size_t extra_len);

/* The request is whole, or its rest is not waited for: the state is RESPOND from here. */
void exchange_received(struct http *h, uint32_t i);

/* The first byte of the response is about to be written. */
void exchange_first_byte(struct http *h, uint32_t i);

/* Answers with an error after which the connection may go on. */
enum step exchange_fail(struct http *h, uint32_t i, const char *base, int status);

/* Not all of a response has been written: the client's taking it is waited for. */
void exchange_wait(struct http *h, uint32_t i);

/* The connection ends in the middle of a request whose head is whole, and at base (NULL: it was not
 * kept), or of its response. exchange_abandon() takes the head from the record. */
enum step exchange_cut(struct http *h, uint32_t i, const char *base, enum close_reason reason,
		       bool with_reset);
enum step exchange_abandon(struct http *h, uint32_t i, enum close_reason reason, bool with_reset);

/* The connection ends, whatever it was doing: a request that is under way is accounted for. */
enum step exchange_break(struct http *h, uint32_t i, enum close_reason reason, bool with_reset);

/* May the client's own X-Request-Id be kept? */
bool exchange_trusts_id(const struct http *h, uint32_t i);

/* Microseconds since the first byte of the request under way, as far as they are kept. */
static inline uint32_t exchange_since(const struct conn_row *row, uint64_t now_us)
{
	uint64_t us = row->request_us != 0 && now_us > row->request_us ? now_us - row->request_us
								       : 0;

	return us < UINT32_MAX ? (uint32_t)us : UINT32_MAX;
}

#endif
