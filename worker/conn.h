/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Connection records: flat, of fixed size, without pointers. The public half is the connection's
 * row on the board (struct conn_row), the private half lies under the same index in the worker's
 * arena. One field holds the state and one function changes it: it checks the move against a table,
 * sets the state's deadline and counts.
 *
 * A record may be read and continued by whoever maps the arena and holds the descriptors; nothing
 * that matters to a connection is kept elsewhere.
 */
#ifndef DROVER_WORKER_CONN_H
#define DROVER_WORKER_CONN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "shm/arena.h"
#include "shm/board.h"
#include "worker/addr.h"
#include "worker/buf.h"
#include "worker/clock.h"
#include "worker/http/chunk.h"
#include "worker/openfile.h"
#include "worker/settings.h"
#include "worker/timer.h"

#define CONN_NONE UINT32_MAX

/* The values travel with a connection from one version of the program to another: they are never
 * renumbered. */
enum conn_flag {
	CONN_POLLED = 1 << 0,    /* registered with epoll */
	CONN_READABLE = 1 << 1,  /* an edge said so and recv has not said EAGAIN since */
	CONN_PEER_DONE = 1 << 2, /* the peer has closed its side (EPOLLRDHUP): recv until 0 */
	CONN_READY = 1 << 3,     /* on the ready list: goes on in the next turn without an event */
	CONN_CLOSE_AFTER =
	    1 << 4, /* the response under way is the last one; close_reason says why */
	CONN_PEER_QUIET =
	    1
	    << 5, /* the client said that it sends nothing after this request: no need to linger */
	CONN_HEAD_REQUEST = 1 << 6,
	CONN_BODY_CHUNKED = 1 << 7,
	CONN_CONTINUE = 1 << 8, /* 100 Continue is to be sent before the body is read */
	CONN_MOVING = 1 << 9, /* on its way to another worker: not polled, not touched, until it is
				 acknowledged or refused */
	CONN_STAYS = 1 << 10, /* refused by the worker that it was to move to: drains here */
	CONN_ARRIVING = 1 << 11,  /* came from another worker and is not acknowledged yet */
	CONN_BODY_OPEN = 1 << 12, /* proxied: some of the request's body is still to come */
	CONN_HEAD_BROKEN =
	    1 << 13, /* the request was refused, or late, before its head was whole */
	CONN_BODY_BROKEN = 1 << 14, /* the same of its body */
	CONN_QUEUED = 1 << 15,      /* proxied: waits for a peer with room (worker/queue.h) */
	CONN_FLAGS_KNOWN = (1 << 16) - 1
};

/* Its place in an upstream's queue. */
struct conn_queued {
	uint64_t since_us;
	uint32_t next, prev; /* CONN_NONE: it is the last, or the first */
	uint32_t upstream;   /* index in settings */
	uint32_t tries;      /* peers that the request has been given to, with the one waited for */
};

/* The private half. At most 192 bytes; sizes are bytes, times CLOCK_MONOTONIC microseconds. */
struct conn {
	LAYOUT_TEST_MEMBER
	struct timer_node timer;
	int32_t fd;    /* owned; -1 once closed */
	uint32_t link; /* next free, next to bury, or next ready: a record is on one list at most */
	uint16_t flags;
	uint8_t close_reason; /* enum close_reason: why it will end or has ended */
	uint8_t doomed;       /* closed, waiting to be buried at the end of the turn */
	uint32_t server;    /* index in settings: of the last request, or the listener's default */
	uint32_t addr_cell; /* in the table of addresses, or ADDR_NONE */

	/* When the request under way came how far, after row->request_us; 0 = not, or at once. */
	uint32_t head_us;    /* its head was read */
	uint32_t body_us;    /* its body was, and its response begun */
	uint32_t first_us;   /* the first byte of the response was written */
	uint64_t max_age_us; /* when keepalive.max_age ends it; 0 = never */

	/* Unread bytes: in_buf holds [0, head_len) the head of the request under way, kept for its
	 * log line, then what came behind it. */
	uint32_t in_buf;
	uint32_t in_len;   /* <= size of in_buf */
	uint32_t head_len; /* <= in_len */
	uint32_t scanned;  /* of http_parse */

	/* The request's body, as far as it is still to come. */
	uint64_t body_left; /* Content-Length */
	uint64_t body_seen; /* bytes of data so far: <= max_body */
	struct chunk_state chunk;

	/* The response: bytes of out_buf, then a piece of a file, then the next part of parts_buf.
	 */
	uint32_t out_buf;
	uint32_t out_off; /* <= out_len */
	uint32_t out_len;
	uint32_t parts_buf;
	uint32_t file;     /* index of the open file, of which this record holds a reference, or
			      OPENFILE_NONE */
	uint16_t part;     /* next one */
	uint16_t listener; /* index in settings that it came in by */
	union {
		struct {
			uint64_t file_off;
			uint64_t file_left;
			uint64_t progress; /* bytes of the connection that had left our send queue
					      when sending began to wait, or its deadline was
					      last looked at */
		};
		struct conn_queued queued; /* CONN_QUEUED: nothing has been sent yet */
	};
	uint64_t sent;       /* bytes of this response written so far */
	uint32_t reply_head; /* of which so many are its head */
	uint32_t up;         /* the connection to a peer that answers it, plus one; 0: none */

	/* min_rate: bytes that had moved at rate_us. */
	uint64_t rate_us;
	uint64_t rate_bytes;
	uint64_t request_in; /* bytes of the request under way, as far as it was read */
};

struct ups;    /* worker/up.h */
struct queues; /* worker/queue.h */

struct conns {
	const struct settings *settings;
	const struct clock *clock;
	struct worker_row *row; /* counters and gauges */
	const struct board *board;
	uint32_t worker_row;
	struct conn *conn; /* in the arena, by index */
	char *public;      /* rows on the board, by index */
	uint32_t stride;   /* of those */
	uint32_t max;      /* records */
	uint32_t backed;   /* rows of them whose pages on the board are there */
	uint32_t free;     /* list of free records */
	uint32_t doomed;   /* list of records to bury at the end of the turn */
	uint32_t ready;    /* list of records that go on in the next turn */
	uint64_t next_id;
	struct timer timer;
	struct bufs bufs;
	struct openfiles files;
	struct addrs *addrs;   /* NULL: no limit by address */
	struct ups *ups;       /* NULL: nothing is proxied */
	struct queues *queues; /* likewise */
	bool draining;
	bool freed; /* a descriptor or record came free this turn: accepting may go on */
};

struct conns_env {
	const struct settings *settings;
	const struct clock *clock;
	const struct board *board;
	uint32_t worker_row;
	uint64_t first_id;
};

/* Bytes of arena that conns_init takes. */
size_t conns_room(const struct settings *s);
/* Returns 0, or -1 with errno. Rows left by an earlier process of this worker row are emptied. */
int conns_init(struct conns *cs, const struct conns_env *env, struct arena *arena);
void conns_free(struct conns *cs);

static inline struct conn *conn_at(const struct conns *cs, uint32_t i)
{
	return &cs->conn[i];
}

static inline struct conn_row *conn_row(const struct conns *cs, uint32_t i)
{
	return (struct conn_row *)(void *)(cs->public + (size_t)i * cs->stride);
}

/* Listener rows are kept in 16 bits on the board and in the record. */
struct conn_origin {
	uint32_t listener; /* index in settings */
	int fd;
	const struct sockaddr_storage *peer;
};

/*
 * Opens a record for an accepted descriptor, which it owns from then on. The state is HEAD: the
 * header deadline of a new connection runs from here. Returns its index, or CONN_NONE (the
 * descriptor is still the caller's): *reason says CLOSE_NO_ROOM or CLOSE_ADDRESS_LIMIT.
 */
uint32_t conn_open(struct conns *cs, const struct conn_origin *origin, enum close_reason *reason);

/*
 * Opens a record for a connection that another worker had: c and row hold what travelled, with
 * descriptor, buffers, listener and server of this worker. Returns its index, or CONN_NONE if there
 * is no room (all is still the caller's).
 */
uint32_t conn_adopt(struct conns *cs, const struct conn *c, const struct conn_row *row,
		    enum conn_state state);

/* Is a record free? */
bool conns_have_room(struct conns *cs);

/* Moves to a state: checked, counted, deadline set. Does not arm the timer: conn_settle does, once
 * an event. */
void conn_set_state(struct conns *cs, uint32_t i, enum conn_state state);

/* For whoever makes records anew (worker/takeover.c): the conns_<state> gauges, one more in a
 * state; or none in any, and none of all connections and of those of any listener. */
void conn_count_state(struct conns *cs, enum conn_state state);
void conns_count_none(struct conns *cs);

/* Sets a deadline other than that of the state's setting. */
void conn_set_deadline(struct conns *cs, uint32_t i, uint64_t at_us);

/* How long the request under way may take, from request_us on: the smaller of what is configured
 * and what its client asked for; 0 = no limit. */
uint64_t conn_request_limit(const struct conns *cs, uint32_t i);

/* The first byte of a request is there: the time that it may take runs from now on, and ends the
 * wait for its head, too. */
void conn_begin_request(struct conns *cs, uint32_t i);

/* The state goes on: its deadline begins anew. */
void conn_extend(struct conns *cs, uint32_t i);

/* After an event was served: arms the timer for what comes first. */
void conn_settle(struct conns *cs, uint32_t i);

/* Which deadline of the connection has passed at now: DEADLINES_COUNT if none. Pure but for the
 * clock in cs. */
enum deadline conn_due(const struct conns *cs, uint32_t i);

/* The state's own deadline, as in the table of the design. */
enum deadline conn_state_deadline(enum conn_state state);

const char *close_reason_name(enum close_reason reason);

/* Who ended it: "client" or "server". */
const char *close_reason_by(enum close_reason reason);

/* May a connection in state a go to state b? */
bool conn_move_allowed(enum conn_state a, enum conn_state b);

/*
 * Closes the descriptor and dooms the record; it stays readable until conns_bury. with_reset: the
 * peer is to see that something is missing. Safe to call twice.
 */
void conn_close(struct conns *cs, uint32_t i, enum close_reason reason, bool with_reset);

/* Puts a record on the ready list. */
void conn_ready(struct conns *cs, uint32_t i);

/* At the end of a turn: frees the records that were closed in it. */
void conns_bury(struct conns *cs);

/* Starts or goes on measuring min_rate at so many moved bytes; true if the last window was too
 * slow. */
bool conn_too_slow(struct conns *cs, uint32_t i, uint64_t bytes);

/* CONN_BODY: the client was kept waiting, so that its time begins anew. */
void conn_begin_anew(struct conns *cs, uint32_t i);

/* Closes up to `most` of the longest idle connections among a sample, to make room. Returns how
 * many. */
unsigned conns_evict_idle(struct conns *cs, unsigned most);
/* Would it close any? */
bool conns_may_evict(const struct conns *cs);

const struct deadline_settings *conn_deadlines(const struct conns *cs, uint32_t i);

#endif
