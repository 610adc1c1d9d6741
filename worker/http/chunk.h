/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The chunked transfer coding of a body (RFC 9112 7.1), decoded in place by a flat state
 * that lies in the connection's record: it survives a handover in the middle of a chunk-size line.
 * Pure: no clock, no log, no allocation. Strict: CRLF only; hex digits only, no sign, no space, at
 * most 15 digits that are significant; an extension must be of the form of RFC 9112 7.1.1, without
 * the white space that only old senders put around ';' and '='; trailers are checked like header
 * fields and dropped, unless the caller wants them. The bytes of extensions and trailers and the
 * leading zeros of sizes may be CHUNK_EXTRA_MAX more than those of the data before them: there are
 * senders that write two zeros before each size, or an extension behind it, however long the body.
 */
#ifndef DROVER_WORKER_HTTP_CHUNK_H
#define DROVER_WORKER_HTTP_CHUNK_H

#include <stddef.h>
#include <stdint.h>

#include "worker/http/parse.h"

enum {
	CHUNK_EXTRA_MAX = 8192
};

/* Zeroed before the first byte of a body. 16 bytes; numbers only. */
struct chunk_state {
	/* Bytes of the current chunk's data not seen yet; its size so far while that is read. */
	uint64_t left;
	uint16_t extra; /* bytes that count towards the bound and are not paid for, always <=
			   CHUNK_EXTRA_MAX */
	uint8_t step;   /* internal */
	uint8_t digits; /* significant ones of the size being read */
	/*
	 * Not 0, set by the caller after zeroing: stop before the first trailer and return
	 * CHUNK_TRAILERS. Cleared by the caller to read over them.
	 */
	uint8_t stop_at_trailers;
	uint8_t spare[3];
};

enum {
	CHUNK_TRAILERS = 2
};

/*
 * Reads base[0 .. len). Sets *used to the bytes consumed, and *data to the piece of body data found
 * among them (offset into base; at most one piece a call, len 0 if none: call again with what is
 * left until *used == len or the return is not 0).
 * Returns 0: all of it consumed or a piece of data found, the body goes on; 1: the body is whole,
 * what follows base + *used is the next message (a further call says the same again);
 * CHUNK_TRAILERS, only with stop_at_trailers: the data is whole and at base + *used there is the
 * first byte of a trailer (further calls say the same again; clear stop_at_trailers and give the
 * same bytes to go on: then trailers are checked, counted and dropped as ever); -1: refused,
 * *refusal says why: CHUNK, CHUNK_EXTRA, or for a trailer what a header field would be refused for.
 */
int chunk_decode(struct chunk_state *st, const char *base, size_t len, size_t *used,
		 struct http_span *data, enum http_refusal *refusal);

#endif
