/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Chooses what of a loaded file a request gets. The head of a 200 is ready; the others are rarer
 * and are written anew. Bodies are never copied, but for several ranges of a file that is kept in
 * memory, which then go out in one piece.
 */
#include "worker/http/files_answer.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "worker/http/condition.h"
#include "worker/http/files_load.h"
#include "worker/http/range.h"

enum {
	BOUNDARY_SIZE = 25
};

void files_answer_whole(struct reply *r, const struct reply_ctx *ctx, struct files_variant *v)
{
	bool get = ctx->req->method == HTTP_GET;

	if (v->date != ctx->clock->real_s) {
		memcpy(v->block + v->date_off, ctx->clock->http_date, HTTP_DATE_LEN);
		v->date = ctx->clock->real_s;
	}
	/* All but the text and the parts, which nobody reads then. */
	r->status = 200;
	r->head = v->block;
	r->head_len = v->head_len;
	r->ready = get && v->whole;
	r->close = false;
	r->body = !get || v->size == 0 ? REPLY_EMPTY : v->whole ? REPLY_BYTES : REPLY_FILE;
	r->bytes = v->block + v->head_len + 2;
	r->length = v->size;
	r->file = v->file;
	r->offset = 0;
	r->parts_count = 0;
	r->closing_off = r->closing_len = 0;
	r->text_len = 0;
}

static void not_modified(struct reply *r, const struct reply_ctx *ctx, const struct files_entry *e,
			 enum encoding which)
{
	reply_reset(r);
	reply_begin(r, ctx, 304);
	files_load_fields(r, ctx, e, which, false);
	if (reply_finish(r, ctx) < 0)
		reply_error(r, ctx, 500);
}

static void unsatisfiable(struct reply *r, const struct reply_ctx *ctx, uint64_t size)
{
	reply_reset(r);
	reply_begin(r, ctx, 416);
	reply_field(r, "Content-Range", "bytes */%" PRIu64, size);
	if (reply_finish(r, ctx) < 0)
		reply_error(r, ctx, 500);
}

static void one_range(struct reply *r, const struct reply_ctx *ctx, const struct files_entry *e,
		      enum encoding which, const struct range *range)
{
	const struct files_variant *v = &e->variant[which];

	reply_reset(r);
	r->length = range->length;
	reply_begin(r, ctx, 206);
	files_load_fields(r, ctx, e, which, true);
	reply_field(r, "Content-Range", "bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64, range->offset,
		    range->offset + range->length - 1, v->size);
	if (reply_finish(r, ctx) < 0) {
		reply_error(r, ctx, 500);
		return;
	}
	r->body = v->whole ? REPLY_BYTES : REPLY_FILE;
	r->bytes = v->block + v->head_len + 2 + range->offset;
	r->file = v->file;
	r->offset = range->offset;
}

/* Room for that many bytes more in r->text, or NULL. */
static char *take_text(struct reply *r, size_t len)
{
	char *at = r->text + r->text_len;

	if (len > REPLY_TEXT_SIZE - r->text_len)
		return NULL;
	r->text_len += (uint32_t)len;
	return at;
}

__attribute__((format(printf, 2, 3))) static bool put_text(struct reply *r, const char *fmt, ...)
{
	size_t left = REPLY_TEXT_SIZE - r->text_len;
	va_list args;
	int len;

	va_start(args, fmt);
	len = vsnprintf(r->text + r->text_len, left, fmt, args);
	va_end(args);
	return len >= 0 && (size_t)len < left && take_text(r, (size_t)len) != NULL;
}

static bool put_part(struct reply *r, const struct files_entry *e, const struct range *range,
		     const char *boundary)
{
	const struct files_variant *v = &e->variant[ENCODING_IDENTITY];
	struct reply_part *part = &r->part[r->parts_count];
	char *piece;

	part->text_off = r->text_len;
	if (!put_text(r, "%s--%s\r\n", r->parts_count > 0 ? "\r\n" : "", boundary) ||
	    (e->type != NULL && !put_text(r, "Content-Type: %s\r\n", e->type)) ||
	    !put_text(r, "Content-Range: bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64 "\r\n\r\n",
		      range->offset, range->offset + range->length - 1, v->size))
		return false;
	part->text_len = r->text_len - part->text_off;
	part->offset = range->offset;
	part->length = range->length;
	r->length += part->text_len + part->length;
	r->parts_count++;
	if (!v->whole)
		return true;
	piece = take_text(r, range->length);
	if (piece == NULL)
		return false;
	memcpy(piece, v->block + v->head_len + 2 + range->offset, range->length);
	return true;
}

/* The body of a multipart answer. False: it does not fit. */
static bool put_parts(struct reply *r, const struct files_entry *e, const struct range *ranges,
		      unsigned count, const char *boundary)
{
	const struct files_variant *v = &e->variant[ENCODING_IDENTITY];

	for (unsigned i = 0; i < count; i++) {
		if (!put_part(r, e, &ranges[i], boundary))
			return false;
	}
	r->closing_off = r->text_len;
	if (!put_text(r, "\r\n--%s--\r\n", boundary))
		return false;
	r->closing_len = r->text_len - r->closing_off;
	r->length += r->closing_len;
	r->body = v->whole ? REPLY_BYTES : REPLY_PARTS;
	r->bytes = r->text;
	r->file = v->file;
	if (v->whole)
		r->parts_count = 0;
	return true;
}

/* multipart/byteranges (RFC 9110 14.6). False: it does not fit, and the whole goes out instead. */
static bool several_ranges(struct reply *r, const struct reply_ctx *ctx,
			   const struct files_entry *e, const struct range *ranges, unsigned count)
{
	char boundary[BOUNDARY_SIZE];

	snprintf(boundary, sizeof(boundary), "%08x%08x%08x", arc4random(), arc4random(),
		 arc4random());
	reply_reset(r);
	if (!put_parts(r, e, ranges, count, boundary))
		return false;
	reply_begin(r, ctx, 206);
	reply_field(r, "Content-Type", "multipart/byteranges; boundary=%s", boundary);
	files_load_fields(r, ctx, e, ENCODING_IDENTITY, false);
	return reply_finish(r, ctx) == 0;
}

/* Answers a Range field if it is to be honoured. */
static bool partial(struct reply *r, const struct reply_ctx *ctx, struct files_entry *e,
		    enum encoding which, const struct validators *validators)
{
	const struct http_request *req = ctx->req;
	const struct http_span *field = &req->known[HTTP_F_RANGE];
	struct range ranges[REPLY_PARTS_MAX];
	unsigned count;

	if (req->method != HTTP_GET || field->off == 0 || e->listing ||
	    (req->known_several & 1u << HTTP_F_RANGE) ||
	    !condition_range(ctx->base, req, validators))
		return false;
	switch (range_parse(ctx->base + field->off, field->len, e->variant[which].size, ranges,
			    REPLY_PARTS_MAX, &count)) {
	case RANGE_PARTIAL:
		break;
	case RANGE_UNSATISFIABLE:
		unsatisfiable(r, ctx, e->variant[which].size);
		return true;
	case RANGE_WHOLE:
	default:
		return false;
	}
	if (count > 1) {
		/* Content-Encoding would speak of the multipart body, which is not encoded. */
		return which == ENCODING_IDENTITY && several_ranges(r, ctx, e, ranges, count);
	}
	one_range(r, ctx, e, which, &ranges[0]);
	return true;
}

void files_answer(struct reply *r, const struct reply_ctx *ctx, struct files_entry *e,
		  enum encoding which)
{
	struct files_variant *v = &e->variant[which];
	struct validators validators = {.etag = v->etag[0] != '\0' ? v->etag : NULL,
					.has_date = files_load_dated(v, ctx->clock),
					.date = files_find_date(&v->stamp)};

	if (files_answer_is_plain(ctx->req)) {
		files_answer_whole(r, ctx, v);
		return;
	}
	validators.strong_date = validators.has_date && validators.date < ctx->clock->real_s - 1;
	switch (condition_check(ctx->base, ctx->req, &validators)) {
	case CONDITION_NOT_MODIFIED:
		not_modified(r, ctx, e, which);
		return;
	case CONDITION_FAILED:
		reply_error(r, ctx, 412);
		return;
	case CONDITION_PROCEED:
	default:
		break;
	}
	if (!partial(r, ctx, e, which, &validators))
		files_answer_whole(r, ctx, v);
}
