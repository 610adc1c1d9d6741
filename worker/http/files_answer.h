/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From a loaded file to the reply: conditions (RFC 9110 13), ranges (14), or simply all of it. Asks
 * the disk for nothing. Called by files.c alone.
 */
#ifndef DROVER_WORKER_HTTP_FILES_ANSWER_H
#define DROVER_WORKER_HTTP_FILES_ANSWER_H

#include "worker/http/files_cache.h"

/* The request asks for all of it, whatever it has already: nothing to be decided. */
static inline bool files_answer_is_plain(const struct http_request *req)
{
	const struct http_span *k = req->known;

	return (k[HTTP_F_RANGE].off | k[HTTP_F_IF_MATCH].off | k[HTTP_F_IF_NONE_MATCH].off |
		k[HTTP_F_IF_MODIFIED_SINCE].off | k[HTTP_F_IF_UNMODIFIED_SINCE].off) == 0;
}

/* 200 with the ready head, its Date brought up to now. */
void files_answer_whole(struct reply *r, const struct reply_ctx *ctx, struct files_variant *v);

/* 200, 206, 304, 412 or 416, as the request's fields ask. */
void files_answer(struct reply *r, const struct reply_ctx *ctx, struct files_entry *e,
		  enum encoding which);

#endif
