/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One line of the access log. combined is byte-exact the format of that name (Apache's and nginx's
 * "combined"); json and logfmt carry more. Every byte from a client is escaped: " and \ and what is
 * not printable ASCII as \xNN in combined and logfmt, as JSON strings in json (invalid UTF-8 as
 * \ufffd).
 */
#ifndef DROVER_WORKER_HTTP_LOGLINE_H
#define DROVER_WORKER_HTTP_LOGLINE_H

#include <stddef.h>
#include <stdint.h>

#include "worker/clock.h"
#include "worker/http/parse.h"
#include "worker/settings.h"

struct logline {
	const struct clock *clock;
	const struct conn_row *conn; /* peer, port, family, id, requests */
	const struct server *server;
	const char *listener; /* address as bound */
	const char *base;     /* of req's spans */
	const struct http_request
	    *req; /* NULL: the request could not be read; then request is "-" */
	int status;
	uint64_t body_bytes;  /* of the response's body that were sent */
	uint64_t total_bytes; /* with the head */
	uint64_t request_bytes;
	uint64_t duration_us;
	/* After the request's first byte: when its head was read, its body was, the first byte of
	 * the response was written. What the state in which it ended had not come to is 0. */
	uint32_t head_us, body_us, first_us;
	enum conn_state state; /* in which it was over, whole or not */
	enum conn_state in;    /* in which it was decided that the connection ends */
	const char *ended;     /* close reason, or "" while the connection lives on */
	const char *by;        /* who closes: "client", "server", or "" */
};

enum {
	LOGLINE_MAX = 16 * 1024,
	LOGLINE_ADDR = 48 /* room for the text of an address */
};

/* Time in each phase: the four add up to duration_us. */
struct logline_phases {
	uint64_t head, body, respond, send;
};
struct logline_phases logline_phases(const struct logline *l);

/* Writes a line with its newline. Returns its length, <= size (long fields are cut so that it fits
 * LOGLINE_MAX). size >= LOGLINE_MAX. */
size_t logline_write(enum log_format format, const struct logline *l, char *out, size_t size);

/* Text of an address row: "192.0.2.1", "2001:db8::1", "unix:". Returns its length. */
size_t logline_addr(const struct conn_row *conn, char out[LOGLINE_ADDR]);

#endif
