/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Is the answer to a check what it should be? Judged as it comes, by the parser that answers to
 * clients are read with. Pure but for the caller's buffer, in which a body is decoded.
 */
#ifndef DROVER_WORKER_CHECK_ANSWER_H
#define DROVER_WORKER_CHECK_ANSWER_H

#include <stdbool.h>
#include <stdint.h>

#include "worker/http/chunk.h"
#include "worker/http/response.h"
#include "worker/settings.h"

enum {
	CHECK_HEAD_MOST = 16 * 1024, /* of an answer, interim ones included */
	CHECK_BODY_MOST = 16 * 1024, /* in which the text must occur */
	CHECK_ROOM = CHECK_HEAD_MOST + CHECK_BODY_MOST
};

/* Zeroed before the first byte. */
struct check_answer {
	uint32_t len;     /* bytes in the buffer */
	uint32_t start;   /* of the head being read */
	uint32_t scanned; /* of it */
	bool in_body;
	enum http_body_kind kind;
	uint32_t body;     /* where it begins */
	uint32_t body_len; /* decoded so far; what follows is still to be */
	uint64_t left;     /* HTTP_BODY_LENGTH */
	struct chunk_state chunk;
};

enum check_verdict {
	CHECK_MORE, /* nothing can be said yet */
	CHECK_WELL,
	CHECK_FAILS
};

/*
 * a->len bytes are in the buffer, which has CHECK_ROOM of them; end: no more will come. If it
 * fails, *reason says why, and *detail has the status or enum http_fault that belongs to it.
 */
enum check_verdict check_answer(struct check_answer *a, char *buffer, bool end,
				const struct check_settings *c, enum check_reason *reason,
				uint64_t *detail);

#endif
