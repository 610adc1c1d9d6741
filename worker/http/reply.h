/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A response as a plan: what the sender (worker/http/serve.c) writes, without copying bodies. Made
 * by static files (files.c) and by the replies below. Memory named here lives until the end of the
 * turn: in the reply's own text buffer, in settings, or in a cached file. What cannot be sent at
 * once is copied by the sender into the connection's buffer, or named by file index and offset.
 */
#ifndef DROVER_WORKER_HTTP_REPLY_H
#define DROVER_WORKER_HTTP_REPLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "worker/clock.h"
#include "worker/http/parse.h"
#include "worker/settings.h"

enum reply_body {
	REPLY_EMPTY, /* no body bytes: 304, 204, HEAD, or length 0 */
	REPLY_BYTES, /* length bytes at bytes */
	REPLY_PIECE, /* the same, in a frame: it is the first of a body that comes in pieces */
	REPLY_FILE,  /* length bytes of an open file from offset on */
	REPLY_PARTS  /* multipart/byteranges: for each part its text, then a piece of the file; then
			the closing text */
};

enum {
	REPLY_PARTS_MAX = 16,
	REPLY_TEXT_SIZE = 64 * 1024
};

struct reply_part {
	uint32_t text_off; /* in reply.text */
	uint32_t text_len;
	uint64_t offset;
	uint64_t length;
};

struct reply {
	int status;
	/*
	 * The head: status line and fields, each with its CRLF, without Connection and without the
	 * blank line, which the sender adds. If ready is set, the blank line and the whole body
	 * (length bytes) follow the head in memory: one write sends all.
	 */
	const char *head;
	uint32_t head_len;
	bool ready;
	bool close; /* the connection must end with this response (Connection: close is the sender's
		       to write) */
	enum reply_body body;
	const char *bytes;
	uint64_t length;
	struct iovec piece[3]; /* REPLY_PIECE */
	uint32_t file; /* REPLY_FILE, REPLY_PARTS: index of the open file (worker/openfile.h); the
			  sender takes a reference of its own */
	uint64_t offset;
	uint32_t parts_count;
	struct reply_part part[REPLY_PARTS_MAX];
	uint32_t closing_off, closing_len; /* REPLY_PARTS: in text */
	uint32_t text_len;
	char text[REPLY_TEXT_SIZE]; /* scratch: heads and generated bodies are built here */
};

/* What a reply is made for. */
struct reply_ctx {
	const struct clock *clock;
	const struct server *server; /* never NULL: the listener's default server where the request
					could not be read */
	const struct location *location; /* NULL: none known */
	const char *base;                /* of req's spans */
	const struct http_request *req;  /* NULL: the request could not be read */
	const char *path;                /* normal form (path.h), or NULL */
	size_t path_len;
	uint32_t retry_after_s; /* of a 503; 0 = 1 */
};

/* Empties the reply (not its text's bytes) before it is built. */
void reply_reset(struct reply *r);

/*
 * Begins a head in r->text: status line, Server, Date. Then reply_field() as often as needed, then
 * reply_finish(), which adds Content-Length (unless 1xx, 204, 304) for body length r->length and
 * the location's added headers, and sets head and head_len. Fields whose text does not fit make
 * reply_finish return -1: answer 500 instead.
 */
void reply_begin(struct reply *r, const struct reply_ctx *ctx, int status);
void reply_field(struct reply *r, const char *name, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
int reply_finish(struct reply *r, const struct reply_ctx *ctx);

/*
 * Whole replies. Error bodies: the location's error page for the status, else a small built-in HTML
 * page; none for HEAD. reply_error is also for refusals, where ctx->req may be NULL or half filled.
 * 405 carries Allow, 503 Retry-After, 416 is made by files.c.
 */
void reply_error(struct reply *r, const struct reply_ctx *ctx, int status);
void reply_redirect(struct reply *r, const struct reply_ctx *ctx, int status, const char *target,
		    size_t target_len);
void reply_location_redirect(struct reply *r, const struct reply_ctx *ctx); /* LOCATION_REDIRECT */
void reply_location_status(struct reply *r, const struct reply_ctx *ctx);   /* LOCATION_STATUS */
void reply_health(struct reply *r, const struct reply_ctx *ctx,
		  bool healthy); /* LOCATION_HEALTH: 200 "ok\n" or 503 "draining\n", no-store */
void reply_options(struct reply *r, const struct reply_ctx *ctx); /* OPTIONS: 204 with Allow */

/* Does an added header that is not "always" go out with it? */
bool reply_is_success(int status);

/* Reason phrase; "Unknown" if there is none. */
const char *http_reason(int status);

#endif
