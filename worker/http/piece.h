/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A piece of a body on its way from one framing into another (RFC 9112 7.1): decoded where it lies,
 * and framed anew around it. Pure.
 */
#ifndef DROVER_WORKER_HTTP_PIECE_H
#define DROVER_WORKER_HTTP_PIECE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "worker/http/chunk.h"

enum {
	PIECE_MOST = 32 * 1024, /* bytes of data */
	PIECE_TEXT = 20         /* room for a chunk's size */
};

struct piece {
	size_t used; /* raw bytes */
	char *data;  /* decoded, in the raw bytes' place */
	size_t len;
	bool whole;       /* the body ends with it */
	bool at_trailers; /* chunk_state.stop_at_trailers: behind the raw bytes used, they begin */
	/* What is written behind the last piece if that has trailers: begins with the end of a
	 * chunk's data and the last chunk, "\r\n0\r\n", ends with the blank line. NULL: none. */
	char *end;
	size_t end_len;
};

/* The next piece of a body in chunks, of at most so many bytes of data. False: it is malformed,
 * *refusal says how. */
bool piece_unchunk(struct chunk_state *state, char *raw, size_t len, size_t most, struct piece *p,
		   enum http_refusal *refusal);

/* The next piece of a body of which *left bytes are to come. */
void piece_counted(char *raw, size_t len, uint64_t *left, struct piece *p);

/* The piece as it is written: as a chunk, with the end of the body behind the last one, or as it
 * is. text is used by iov. */
void piece_frame(const struct piece *p, bool chunked, char text[PIECE_TEXT], struct iovec iov[3]);

#endif
