/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * FastCGI 1.0 records (https://fastcgi-archives.github.io/FastCGI_Specification.html) of a server
 * that gives one request at a time to each connection: its id is always 1. What a responder sends
 * is decoded where it lies, in pieces of any size; what it must not send is refused. Pure.
 */
#ifndef DROVER_WORKER_HTTP_FCGI_H
#define DROVER_WORKER_HTTP_FCGI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

enum {
	FCGI_HEADER = 8,
	FCGI_CONTENT_MOST = 65535
};

enum fcgi_type {
	FCGI_BEGIN_REQUEST = 1,
	FCGI_ABORT_REQUEST,
	FCGI_END_REQUEST,
	FCGI_PARAMS,
	FCGI_STDIN,
	FCGI_STDOUT,
	FCGI_STDERR
};

/* What the end of a request says of it. */
enum fcgi_status {
	FCGI_REQUEST_COMPLETE,
	FCGI_CANT_MPX_CONN,
	FCGI_OVERLOADED,
	FCGI_UNKNOWN_ROLE
};

/*
 * Where the decoder is in a responder's records, and what the proxy knows of the response by them:
 * flat, zeroed for each request. In the record of a connection that speaks HTTP all of it stays 0.
 */
struct fcgi_state {
	uint32_t app_status; /* of the end */
	uint16_t left;       /* bytes of the record's content that are still to come */
	uint8_t padding;     /* behind it */
	uint8_t step;        /* byte of the header, then content, then padding */
	uint8_t type;
	uint8_t protocol_status; /* enum fcgi_status, of the end */
	uint8_t on;              /* the connection speaks FastCGI */
	uint8_t begun;           /* some byte of the response has come */
	uint8_t output_over;     /* an empty STDOUT has come */
	uint8_t ended;           /* END_REQUEST has come */
	uint8_t unclean;         /* what follows it belongs to nothing: not to be used again */
	uint8_t mute;            /* output is thrown away: the response has no body */
	uint8_t held;            /* bytes that are kept until the end has come: 0 or 1 */
};

enum fcgi_piece {
	FCGI_NOTHING,
	FCGI_OUTPUT,
	FCGI_ERRORS
};

/*
 * The next piece of what the application says, in base[0 .. len): data[0 .. data_len) of the kind;
 * *used bytes are done with. Goes no further than the end of the request, with the padding behind
 * it. NULL, or what is wrong with the records.
 */
const char *fcgi_decode(struct fcgi_state *st, char *base, size_t len, size_t *used,
			enum fcgi_piece *kind, char **data, size_t *data_len);

/* Is that a state which the decoder can go on from? */
bool fcgi_is_sound(const struct fcgi_state *st);

/* The header of a record without padding. */
void fcgi_header(char out[FCGI_HEADER], enum fcgi_type type, size_t len);

/* A whole BEGIN_REQUEST for a responder, FCGI_HEADER + 8 bytes. */
void fcgi_begin(char out[FCGI_HEADER + 8], bool keep);

/* Data of a request's body, at most FCGI_CONTENT_MOST bytes, as it is sent; last: the end of the
 * body is said behind it. text is used by iov. */
void fcgi_frame(char *data, size_t len, bool last, char text[FCGI_HEADER], struct iovec iov[3]);

#endif
