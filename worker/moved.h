/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A connection on its way from one worker to another: the record as a sequence of explicit fields,
 * so that two versions of the program understand each other. Fields that are zero are left out; a
 * field that the reader does not know means "not this one": the record is refused and stays with
 * its sender. Numbers are in host order, since both ends run on one machine.
 *
 * A message is a struct moved_header, then for MOVED_CONNS `count` records. A record is a u32 with
 * its length in bytes, then fields: u16 tag, u16 length, bytes; or, for tags of MOVED_LONG and
 * above, u16 tag, u16 zero, u32 length, bytes. Descriptors travel beside the message: for each
 * record its socket, then, as field file_fds says, the file that it is sending and the connection
 * to the peer that answers it.
 *
 * A proxied exchange is one record: the client's fields and, by tags of their own, those of the
 * connection to its peer. An idle connection to a peer is a record without a client's fields. Older
 * programs know neither and refuse both. They know that a file is one descriptor more, and take any
 * other value of file_fds for the same: a record with two more goes in a message of its own.
 */
#ifndef DROVER_WORKER_MOVED_H
#define DROVER_WORKER_MOVED_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "worker/conn.h"
#include "worker/up.h"

enum {
	MOVED_MAGIC = 0x564d5244,
	MOVED_VERSION = 1
};

enum moved_kind {
	MOVED_CONNS = 1, /* connections, numbered from first on */
	MOVED_ACK, /* a byte for each of count connections from first on: 1 taken, 0 refused */
	MOVED_END  /* nothing more comes */
};

struct moved_header {
	uint32_t magic;
	uint16_t version;
	uint16_t kind;
	uint32_t first;
	uint32_t count;
};

/* At most 253 descriptors go with a message. Older programs have room for two for each connection,
 * so that is what is sent. */
enum {
	MOVED_BATCH = 64,
	MOVED_FDS = 2 * MOVED_BATCH,
	MOVED_FDS_EACH = 3,
	MOVED_MESSAGE = 192 * 1024,
	MOVED_LONG = 0x8000
};

/*
 * Numbers that travel. Tags are for ever: a tag is never given to something else. X(tag, whose,
 * member): ROW is the public half, CONN the private one.
 */
#define MOVED_NUMBERS(X)          \
	X(1, ROW, id)             \
	X(2, ROW, family)         \
	X(3, ROW, port)           \
	X(4, ROW, requests)       \
	X(5, ROW, status)         \
	X(6, ROW, accepted_us)    \
	X(7, ROW, since_us)       \
	X(8, ROW, deadline_us)    \
	X(9, ROW, request_us)     \
	X(10, ROW, bytes_in)      \
	X(11, ROW, bytes_out)     \
	X(12, ROW, request_high)  \
	X(13, ROW, request_low)   \
	X(14, ROW, trace_high)    \
	X(15, ROW, trace_low)     \
	X(16, ROW, id_form)       \
	X(17, ROW, trace_flags)   \
	X(18, ROW, limit_ms)      \
	X(20, CONN, flags)        \
	X(21, CONN, max_age_us)   \
	X(22, CONN, head_len)     \
	X(23, CONN, scanned)      \
	X(24, CONN, body_left)    \
	X(25, CONN, body_seen)    \
	X(26, CONN, chunk.left)   \
	X(27, CONN, chunk.extra)  \
	X(28, CONN, chunk.step)   \
	X(29, CONN, chunk.digits) \
	X(30, CONN, file_off)     \
	X(31, CONN, file_left)    \
	X(32, CONN, sent)         \
	X(33, CONN, reply_head)   \
	X(34, CONN, progress)     \
	X(35, CONN, rate_us)      \
	X(36, CONN, rate_bytes)   \
	X(37, CONN, request_in)   \
	X(38, CONN, head_us)      \
	X(39, CONN, body_us)      \
	X(40, CONN, first_us)     \
	X(41, CONN, chunk.stop_at_trailers)

/* The same of the connection to the peer. X(tag, member). */
#define MOVED_UP_NUMBERS(X)            \
	X(128, flags)                  \
	X(129, requests)               \
	X(130, tries)                  \
	X(131, opened_us)              \
	X(132, since_us)               \
	X(133, deadline_us)            \
	X(134, scanned)                \
	X(135, body_left)              \
	X(136, chunk.left)             \
	X(137, chunk.extra)            \
	X(138, chunk.step)             \
	X(139, chunk.digits)           \
	X(140, chunk.stop_at_trailers) \
	X(141, fcgi.app_status)        \
	X(142, fcgi.left)              \
	X(143, fcgi.padding)           \
	X(144, fcgi.step)              \
	X(145, fcgi.type)              \
	X(146, fcgi.protocol_status)   \
	X(147, fcgi.on)                \
	X(148, fcgi.begun)             \
	X(149, fcgi.output_over)       \
	X(150, fcgi.ended)             \
	X(151, fcgi.unclean)           \
	X(152, fcgi.mute)              \
	X(153, fcgi.held)              \
	X(154, address)                \
	X(155, tried)

/* Other fields. Names of enums travel as text, since their numbers may differ between versions. */
enum moved_tag {
	MOVED_STATE = 100,
	MOVED_CLOSE_REASON,
	MOVED_PEER,     /* 16 bytes */
	MOVED_LISTENER, /* address as bound */
	MOVED_SERVER,   /* name; absent: the listener's default */
	MOVED_REQUEST,  /* text of the row */
	MOVED_FILE_FDS, /* number: enum moved_fds */
	MOVED_UP_STATE = 192,
	MOVED_UP_METHOD,
	MOVED_UP_BODY,
	MOVED_UPSTREAM,        /* name */
	MOVED_UP_PEER,         /* address as configured */
	MOVED_LOCATION,        /* match, in the server */
	MOVED_IN = MOVED_LONG, /* bytes of in_buf */
	MOVED_OUT,             /* bytes of out_buf that are still to be sent */
	MOVED_UP_IN,           /* the same of the connection to the peer */
	MOVED_UP_OUT
};

/* What comes along with the socket, in this order. */
enum moved_fds {
	MOVED_FILE = 1 << 0,
	MOVED_PEER_FD = 1 << 1
};

struct moved_bytes {
	const char *p;
	uint32_t len;
};

/* Is it that text? A field that did not come is none. */
static inline bool moved_same(const struct moved_bytes *b, const char *text)
{
	return b->len > 0 && b->len == strlen(text) && memcmp(b->p, text, b->len) == 0;
}

/* A record as read: numbers in halves of the real kind, everything else as pieces of the message.
 */
struct moved_record {
	struct conn conn;
	struct conn_row row;
	uint8_t state; /* enum conn_state; CONN_FREE: an idle connection to a peer alone */
	struct moved_bytes listener, server, in, out;
	struct up up; /* UP_FREE: none */
	struct moved_bytes upstream, up_peer, location, up_in, up_out;
	unsigned fds; /* enum moved_fds */
};

/*
 * Appends connection i to out[*len .. size). Returns 0, or -1 if it does not fit; *len is unchanged
 * then. The state must be portable. listener and server are the names to go with it.
 */
int moved_write(const struct conns *cs, uint32_t i, const char *listener, const char *server,
		char *out, size_t size, size_t *len);

/* The same with a connection to a peer that is idle. */
int moved_write_idle(const struct ups *us, uint32_t u, char *out, size_t size, size_t *len);

/*
 * Reads the record at *off of a message and moves *off behind it. Returns 1: *r is filled; 0: it is
 * well formed but not understood (refuse it); -1: the message is malformed (refuse the rest).
 */
int moved_read(const char *message, size_t len, size_t *off, struct moved_record *r);

/* How many descriptors the record at off will take, without understanding the rest: 1 to
 * MOVED_FDS_EACH; -1: malformed. */
int moved_descriptors(const char *message, size_t len, size_t off);

/* How many go with connection i. */
int moved_descriptors_of(const struct conns *cs, uint32_t i);

/* Can a connection in this condition travel? Not one that is answered with several parts of a file.
 */
bool moved_portable(const struct conns *cs, uint32_t i);

#endif
