/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Connections to peers: flat records in the worker's arena, beside those of clients and like them
 * without pointers. One serves one exchange at a time; between two it is idle, kept for its peer's
 * next request, and closed at once when the peer closes it or says anything unasked. A descriptor
 * belongs to a record or is closed.
 */
#ifndef DROVER_WORKER_UP_H
#define DROVER_WORKER_UP_H

#include <stdbool.h>
#include <stdint.h>

#include "shm/arena.h"
#include "worker/conn.h"
#include "worker/http/fcgi.h"
#include "worker/timer.h"

#define UP_NONE UINT32_MAX

enum up_state {
	UP_FREE,
	UP_CONNECT, /* being established; a request waits for it */
	UP_HEAD,    /* the request is on its way, the response's head has not come */
	UP_BODY,    /* the response's body */
	UP_RELAY,   /* bytes either way, after 101 */
	UP_IDLE
};

/* The values travel with a connection from one version of the program to another: they are never
 * renumbered. */
enum up_flag {
	UP_READABLE = 1 << 0,   /* an edge said so and recv has not said EAGAIN since */
	UP_PEER_DONE = 1 << 1,  /* the peer has closed its side: recv until 0 */
	UP_KEEP = 1 << 2,       /* may be used again after this exchange */
	UP_OLD_CLIENT = 1 << 3, /* the client speaks HTTP/1.0 */
	UP_CHUNK_OUT = 1 << 4,  /* the response goes to the client in chunks */
	UP_CHUNK_IN = 1 << 5,   /* the request's body goes to the peer in chunks */
	UP_IDEMPOTENT = 1 << 6, /* the request may be sent again (RFC 9110 9.2.2) */
	UP_BODY_SENT = 1 << 7,  /* some of the request's body has left: it cannot be sent again */
	UP_ANSWERED = 1 << 8,   /* the response has begun towards the client */
	UP_UPGRADE = 1 << 9,    /* the client asks for another protocol */
	UP_READY = 1 << 10,     /* on the ready list */
	UP_OTHER = 1 << 11,     /* opened to the peer's other address, as the first one refused */
	UP_STICKY = 1 << 12     /* the answer begins a session with this peer */
};

/* Flags of its way to another worker, at the other end of the word; and all that there are. A
 * record with others comes from a newer program: a new flag is added here. */
enum {
	UP_ARRIVING = 1 << 14, /* idle: came from another worker and is not acknowledged yet */
	UP_MOVING = 1 << 15,   /* idle: on its way to another worker, on no list of ours */
	UP_FLAGS_KNOWN = ((1 << 13) - 1) | UP_ARRIVING | UP_MOVING
};

/* One connection to a peer. Times are CLOCK_MONOTONIC microseconds. Fields that must survive a
 * handover have a tag in worker/moved.h. */
struct up {
	struct timer_node timer;
	int32_t fd;        /* owned; -1 once closed */
	uint32_t link;     /* next free, next to bury, next ready, or next idle of its peer */
	uint32_t prev;     /* previous idle of its peer */
	uint32_t conn;     /* the client's record, or CONN_NONE */
	uint32_t peer;     /* index in settings */
	uint32_t location; /* of the exchange, in its server */
	uint32_t requests; /* begun on it */
	uint32_t address;  /* mark of the one that it was opened to: see address.h */
	uint32_t number;   /* tells it from the next one in this record */
	uint16_t flags;
	uint8_t state;  /* enum up_state */
	uint8_t doomed; /* closed, waiting to be buried at the end of the turn */
	uint8_t method; /* enum http_method of the request */
	uint8_t body;   /* enum http_body_kind of the response */
	uint8_t tries;  /* peers that this request has been given to */
	uint8_t tried;  /* which ones: a bit for each of a pool's peers, by its number modulo 8 */
	uint64_t opened_us;
	uint64_t since_us; /* of the request: when the peer got it */
	uint64_t deadline_us;

	/* To the peer: bytes that the socket has not taken. */
	uint32_t out_buf;
	uint32_t out_off; /* <= out_len */
	uint32_t out_len;

	/* From the peer: bytes that have been read and not passed on. */
	uint32_t in_buf;
	uint32_t in_len;
	uint32_t scanned; /* of the head */

	/* The response's body, as far as it is still to come. */
	uint64_t body_left;
	struct chunk_state chunk;
	struct fcgi_state fcgi;
	uint64_t reserved; /* of the client's temporary file: bytes that it is sure to have room
			      for; 0 if nobody has asked */
};

/* Idle connections of one peer: most recently used first. */
struct up_list {
	uint32_t first;
	uint32_t last;
	uint32_t count;
};

/* In the arena: what the records alone do not tell a standby. */
struct ups_legacy {
	uint32_t high;    /* records ever used */
	uint32_t numbers; /* given out */
};

struct balance_pool; /* worker/balance.h */

struct ups {
	struct conns *cs;
	struct balance_pool *balance; /* by upstream; what is looked up anew when it is old */
	uint32_t reserved; /* peer that a place has been taken at for the next up_assign(), or
			      UP_NONE */
	uint32_t served;   /* see up_served(); UP_NONE but within a turn */
	struct up *up;     /* in the arena, by index */
	struct ups_legacy *legacy;
	uint32_t max;
	uint32_t free;
	uint32_t doomed;
	uint32_t open;
	struct timer timer;
	struct up_list *idle; /* by peer */
	uint32_t idle_all;    /* on these lists */
	int epoll_fd;
	uint64_t tag; /* of epoll's data; number and index are added */
};

size_t ups_room(const struct settings *s);
/* Returns 0, or -1 with errno. */
int ups_init(struct ups *us, struct conns *cs, struct arena *arena);
void ups_free(struct ups *us);

/* The name of a state. */
const char *up_state_name(enum up_state state);

/* Between two turns: can a client's record be in this state while its connection to a peer is in
 * that one (UP_FREE: it has none), so that another process can go on with them? */
bool up_fits(enum up_state state, enum conn_state conn);

static inline struct up *up_at(const struct ups *us, uint32_t u)
{
	return &us->up[u];
}

static inline const struct peer *up_peer(const struct ups *us, uint32_t u)
{
	return &us->cs->settings->peers[us->up[u].peer];
}

static inline const struct upstream *up_upstream(const struct ups *us, uint32_t u)
{
	return &us->cs->settings->upstreams[up_peer(us, u)->upstream];
}

/* The record that an event's data means; UP_NONE: of a connection that is closed. */
uint32_t up_of_event(const struct ups *us, uint64_t data);

/*
 * A connection to the peer: an idle one, or (fresh, or if there is none) a new one in state
 * UP_CONNECT. An idle one that the peer has closed, or said anything on, is not given out but
 * closed. Returns UP_NONE with errno if there is none to be had.
 */
uint32_t up_take(struct ups *us, uint32_t peer, bool fresh);

/* The exchange of a client's record is this connection's from now on, until up_part(), up_release()
 * or up_close(). */
void up_assign(struct ups *us, uint32_t u, uint32_t conn);
void up_part(struct ups *us, uint32_t u);

/* The peer's response is whole, and is about to be sent and up_release()d: the peer has nothing in
 * hand any more. Said before the client gets it, since who asks again may ask another worker. */
void up_served(struct ups *us, uint32_t u);

/*
 * Handover. A record for a connection that another worker had: `from` holds what travelled, with
 * state, descriptor, buffers, peer and location of this worker. An idle one is on its peer's list
 * (UP_ARRIVING, until up_settle_in()); any other is up_join()ed to its client's record. Nothing is
 * polled yet. Returns UP_NONE if there is no room, or its peer has enough idle ones; all is still
 * the caller's then.
 */
uint32_t up_adopt(struct ups *us, const struct up *from);
void up_join(struct ups *us, uint32_t u, uint32_t conn);

/* An idle one leaves, or comes back from the way: it is on its list (and polled), or on none. */
void up_withdraw(struct ups *us, uint32_t u);
void up_settle_in(struct ups *us, uint32_t u);

/* Out of epoll, and (back) into it with its timer armed: what is there is told at once. Returns 0,
 * or -1 with errno. */
void up_unwatch(struct ups *us, uint32_t u);
int up_watch(struct ups *us, uint32_t u);

/*
 * After a crash, for worker/takeover.c: forget all but the records; then for each record in use one
 * of the others: it goes on (its lists, counts and timer are made anew, its client's record names
 * it), or it is free, and its descriptor, whose number may be another's by now, is nobody's. Then
 * settle makes the list of free records, and idle ones are polled.
 */
void ups_forget(struct ups *us);
void up_keep(struct ups *us, uint32_t u, uint64_t unserved_us);
void up_drop(struct ups *us, uint32_t u);
void ups_settle(struct ups *us);
void ups_watch_idle(struct ups *us);

/* UP_CONNECT: has it been established? Returns 0, or the error. */
int up_connected(struct ups *us, uint32_t u);

/* UP_CONNECT, and it has not: tries the peer's address of the other family, once. False: there is
 * none. */
bool up_try_other(struct ups *us, uint32_t u);

/* The exchange is over, all that the peer sent was used: kept idle, or closed. */
void up_release(struct ups *us, uint32_t u);

/* The exchange is given up: nothing more is wanted of the peer. */
void up_cancel(struct ups *us, uint32_t u);

/* Closes the descriptor and dooms the record. Safe to call twice. */
void up_close(struct ups *us, uint32_t u);

void up_set_deadline(struct ups *us, uint32_t u, uint64_t at_us);

/* At the end of a turn: frees the records that were closed in it. */
void ups_bury(struct ups *us);

/* Closes all that are idle: nobody will want them. */
void ups_close_idle(struct ups *us);

#endif
