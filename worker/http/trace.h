/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who a request is: its id and its trace (W3C Trace Context, https://www.w3.org/TR/trace-context/).
 * Both are kept from the request or made, and stand on the connection's row from the moment its
 * head was read, so logs, headers, the board and whoever the request is passed on to name it alike.
 *
 * Made ids are 128 bits, a one-to-one image of the connection's number, which is never used again,
 * and the request's number on it, under a key that each worker draws once: no two requests have the
 * same, whatever process serves them, and none costs a system call. A standby that takes over goes
 * on with numbers that the dead worker did not use. Pure but for trace_key_draw().
 */
#ifndef DROVER_WORKER_HTTP_TRACE_H
#define DROVER_WORKER_HTTP_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shm/board.h"
#include "shm/ident.h"
#include "worker/http/parse.h"

enum {
	TRACE_ID_MAX = 64, /* bytes of a request id that is kept, no NUL */
	TRACE_PARENT_LEN = 55,
	/* conn_row.trace_flags */
	TRACE_SAMPLED = 1, /* as in traceparent */
	TRACE_KEPT = 0x80  /* the trace came with the request: its tracestate goes on as well */
};

struct trace_key {
	uint64_t high, low;
};

/* Draws a key from the system. Returns 0, or -1 with errno. */
int trace_key_draw(struct trace_key *key);

/* A traceparent as it was read. */
struct trace_parent {
	uint64_t high, low; /* trace-id, not all zero */
	uint64_t parent;    /* parent-id, not zero */
	uint8_t flags;      /* those that level 1 defines */
};

/*
 * Reads the value of a traceparent field. Strict: lower-case digits, version 00 of exactly 55
 * bytes; a higher version by its first four members, if what follows is set off by a '-'
 * (section 3.2.4); never version ff, nor a zero trace-id or parent-id. False: make a new trace.
 */
bool trace_parent_read(const char *value, size_t len, struct trace_parent *out);

/* 1 to TRACE_ID_MAX letters, digits and . _ ~ : + / = - : may a request id be kept? */
bool trace_id_valid(const char *value, size_t len);

/*
 * Gives the request under way its identity: row->id and row->requests must be set. trusted: may its
 * X-Request-Id be kept? req NULL: it could not be read. For between board_write_begin() and
 * board_write_end().
 */
void trace_begin(const struct trace_key *key, struct conn_row *row, const struct http_request *req,
		 const char *base, bool trusted);

/* Text of the request's id: as it was sent if it was kept, so req is needed for long ones (NULL:
 * those are cut). Returns its length, 0 if there is none. */
size_t trace_id(const struct conn_row *row, const struct http_request *req, const char *base,
		char out[TRACE_ID_MAX]);

/* parent-id that drover itself has in the trace: of this request, for good. Never 0. */
uint64_t trace_span(const struct conn_row *row);

/*
 * What is passed on with the request: its X-Request-Id and its traceparent, with drover's own
 * parent-id. tracestate goes on unchanged if keeps_state, else it must be left out (section 3.3.1).
 */
struct trace {
	char id[TRACE_ID_MAX];
	size_t id_len;
	char parent[TRACE_PARENT_LEN];
	size_t parent_len; /* 0 if there is no trace */
	bool keeps_state;
};
void trace_write(const struct conn_row *row, const struct http_request *req, const char *base,
		 struct trace *out);

#endif
