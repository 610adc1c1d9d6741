/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the files of the proxy share: proxy_give.c gives a request to a peer, or to another one when
 * that fails, proxy_key.c tells what it is hashed by, proxy_time.c how
 * long it may take, proxy_budget.c whether it may be tried again; proxy_request.c passes its body
 * on; proxy_response.c passes the answer back; proxy_buffer.c keeps some of it for a slow client;
 * proxy_trailers.c knows what may follow either;
 * proxy.c drives them by events and timers.
 */
#ifndef DROVER_WORKER_HTTP_PROXY_PARTS_H
#define DROVER_WORKER_HTTP_PROXY_PARTS_H

#include <netinet/in.h>
#include <sys/uio.h>

#include "worker/http/logline.h"
#include "worker/http/piece.h"
#include "worker/http/proxy.h"
#include "worker/peer.h"
#include "worker/queue.h"

enum {
	PROXY_HEAD_MOST = 32 * 1024,
	PROXY_PIECE_LEAST = 1024,
	PROXY_READS_A_TURN = 8 /* fairness: of one side before others get their turn */
};

/* How much is read at a time: of that which its reader does not take all may have to be kept, in a
 * buffer, with a head or framing around it. With many slow readers the large ones may be in use. */
static inline size_t proxy_piece_most(const struct http *h)
{
	size_t spare = buf_spare(&h->cs->bufs);

	if (__builtin_expect(spare >= 2 * (size_t)PIECE_MOST, 1))
		return PIECE_MOST;
	return spare != 0 ? spare / 4 * 3 : PROXY_PIECE_LEAST;
}

static inline struct up *proxy_up(const struct http *h, uint32_t i)
{
	return up_at(h->ups, conn_at(h->cs, i)->up - 1);
}

static inline uint64_t proxy_now(const struct http *h)
{
	return h->cs->clock->now_us;
}

static inline const struct upstream *proxy_pool(const struct http *h, const struct up *up)
{
	return &h->settings->upstreams[h->settings->peers[up->peer].upstream];
}

static inline void proxy_set_deadline(struct http *h, const struct up *up, uint64_t setting)
{
	up_set_deadline(h->ups, (uint32_t)(up - h->ups->up),
			setting != 0 ? proxy_now(h) + setting : 0);
}

/* What the pool hashes the request by (its head at base); where it has no such thing, the client's
 * address. */
uint64_t proxy_hash_key(const struct http *h, uint32_t i, const char *base,
			const struct reply_ctx *ctx);

/*
 * What is left of the request's own time, in microseconds: 0: it has no limit; PROXY_TIME_UP:
 * nothing. The limit is the smaller of deadlines { request } and what a believed client asked for,
 * which proxy_take_limit() reads from the head at base into the record.
 */
#define PROXY_TIME_UP UINT64_MAX
uint64_t proxy_time_left(const struct http *h, uint32_t i);
void proxy_take_limit(struct http *h, uint32_t i, const char *base, const struct location *l);
bool proxy_trusts(const struct location *l, const struct conn_row *row);

/* A connection has been established after a while: the head that waits for it, and nothing else
 * does, is to say what is left now. False: it could not be written. */
bool proxy_write_anew(struct http *h, uint32_t i, struct up *up);

/* The pool's retry budget: a request that is given to a peer for the first time adds to it, a retry
 * takes one; false: there is none left, which has been counted. */
void proxy_budget_earn(const struct http *h, const struct upstream *pool);
bool proxy_budget_take(const struct http *h, const struct upstream *pool);

/* Where the client came in, as RFC 7239 writes it; NULL: no address (unix). */
enum {
	PROXY_BY = INET6_ADDRSTRLEN + 10
};
const char *proxy_by(const struct http *h, uint32_t i, char by[PROXY_BY]);

/*
 * The peer that the request's cookie names, if that takes it still; else BALANCE_NONE. *begins_out:
 * the answer is to begin a new session, with whatever peer it comes from.
 */
uint32_t proxy_session_peer(const struct http *h, const struct upstream *pool, const char *base,
			    bool *begins_out);

/* Others wait already, here or in other workers: are they before this request? */
bool proxy_must_wait(const struct http *h, uint32_t i, uint32_t upstream);

/* The request waits (or goes on waiting) for a peer with room. False: the queue is full. */
bool proxy_wait(struct http *h, uint32_t i, uint32_t upstream, unsigned tries);

/* If it did, it does no more: the state is what it was before. */
void proxy_wait_over(struct http *h, uint32_t i, enum queue_end end);

/* The request, whose head is kept in the record, is given to a peer: see attempt(). */
void proxy_resume(struct http *h, uint32_t i, uint32_t avoid, unsigned tries, bool fresh);

/* Goes to the peer; what its socket does not take is kept. False: there is no room for it. A peer
 * that is gone is noticed when it is read from. */
bool proxy_write(struct http *h, struct up *up, struct iovec *iov, size_t count);

/* What was kept for the peer. True: nothing is left. */
bool proxy_flush(struct http *h, struct up *up);

/* The peer has been given the request, or as much of it as there is: its deadline begins. */
void proxy_await(struct http *h, uint32_t i, struct up *up);

/* Peers that a request has been given to are remembered, so that it goes round to all of them
 * before it comes to one again: the bit of a peer in h->tried, and a peer in place of one that has
 * been tried, if there is such a one that is well. */
uint8_t proxy_tried_bit(const struct upstream *pool, uint32_t peer);
uint32_t proxy_untried(const struct http *h, const struct upstream *pool, uint32_t peer);

/*
 * The peer did not do what it should have done: another one is given the request, or the client is
 * told by status, or cut off if its answer has begun. stale: it had closed a kept connection.
 */
void proxy_peer_failed(struct http *h, uint32_t u, int status, bool stale);
void proxy_bad_response(struct http *h, uint32_t u, const char *what);

/* There is no buffer for what is to be kept: that is not the peer's failure, and another one would
 * not help. */
void proxy_no_buffer(struct http *h, uint32_t u);

/* An answer that is no proper or no whole one. */
void proxy_count_bad(struct http *h, const struct up *up);

/* The client's, as text; NULL: it came by a unix socket. */
const char *proxy_address_of(const struct conn_row *row, char text[LOGLINE_ADDR]);

/*
 * The head in h->response goes to the client, with the first piece of the body behind it. raw[0 ..
 * len): what came behind the head. Returns the bytes used of it; -1: the exchange is over.
 */
ssize_t proxy_begin_response(struct http *h, uint32_t i, const char *base, char *raw, size_t len);

/* An answer of our own, in place of the peer's. */
void proxy_answer(struct http *h, uint32_t i, int status);

/* The answer is over: the connection goes on, or not. */
void proxy_after(struct http *h, uint32_t i, enum step step);

/* For the log line, the request's head is read again. NULL: nobody logs. */
const char *proxy_log_base(struct http *h, uint32_t i);

/* Nobody wants the answer any more. */
void proxy_client_gone(struct http *h, uint32_t i);

/* A relay has begun: what only its log line would need is let go if there is none. */
void proxy_forget_head(struct http *h, uint32_t i);

/*
 * The trailers that begin at raw + p->used. They become the end of the piece, which is the last one
 * then; or there is not all of them: proxy_wants_trailers(), and the same bytes are given again
 * with more behind. False: refused.
 */
bool proxy_take_trailers(struct chunk_state *state, const char *raw, size_t len, struct piece *p,
			 enum http_refusal *refusal);

static inline bool proxy_wants_trailers(const struct chunk_state *state)
{
	return state->stop_at_trailers == CHUNK_TRAILERS;
}

/* Does anything wait for the client to take it? */
static inline bool proxy_waits(const struct conn *c)
{
	return c->out_buf != BUF_NONE || c->file_left != 0;
}

/* Is the client in the middle of a response, an interim one perhaps, so that none of our own can
 * begin? */
static inline bool proxy_has_begun(const struct conn *c, const struct up *up)
{
	return (up->flags & UP_ANSWERED) != 0 || proxy_waits(c);
}

/*
 * Towards the client (proxy_buffer.c): bytes of the body that there is room for now; 0: it has to
 * take some first. Behind what waits for it there is only room with buffering. What proxy_put() is
 * given must fit: one piece of so much with its framing always does, proxy_fits() asks for others.
 * proxy_sent(): some of what waited has left.
 */
size_t proxy_room_behind(struct http *h, uint32_t i);
bool proxy_fits(const struct http *h, uint32_t i, size_t len);
enum send_result proxy_put(struct http *h, uint32_t i, struct iovec *iov, size_t count);
void proxy_sent(struct http *h, uint32_t i);

static inline size_t proxy_room(struct http *h, uint32_t i)
{
	const struct conn *c = conn_at(h->cs, i);

	if (c->doomed || c->up == 0)
		return 0;
	return proxy_waits(c) ? proxy_room_behind(h, i) : proxy_piece_most(h);
}

/* As much in each direction as goes. */
void proxy_pump_request(struct http *h, uint32_t i);
void proxy_pump_response(struct http *h, uint32_t i);

#endif
