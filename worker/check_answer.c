/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See check_answer.h. Called by check.c.
 */
#include "worker/check_answer.h"

#include <string.h>

struct judge {
	struct check_answer *a;
	char *buffer;
	bool end;
	const struct check_settings *c;
	enum check_reason *reason;
	uint64_t *detail;
};

static enum check_verdict fail(const struct judge *j, enum check_reason reason, uint64_t detail)
{
	*j->reason = reason;
	*j->detail = detail;
	return CHECK_FAILS;
}

static bool is_wanted(const struct check_settings *c, uint16_t status)
{
	for (uint32_t i = 0; i < c->status_count; i++)
		if (status >= c->status[i].low && status <= c->status[i].high)
			return true;
	return false;
}

/* CHECK_MORE also if the body is to be looked at. */
static enum check_verdict judge_head(const struct judge *j, const struct http_response *r)
{
	struct check_answer *a = j->a;

	if (!is_wanted(j->c, r->status))
		return fail(j, CHECK_FAILED_STATUS, r->status);
	if (j->c->body == NULL)
		return CHECK_WELL;
	a->in_body = true;
	a->kind = http_response_body(r, HTTP_GET);
	a->left = r->content_length;
	a->body = a->start + r->head_len;
	return CHECK_MORE;
}

static enum check_verdict read_head(const struct judge *j)
{
	static const struct http_limits limits = {.max_header = CHECK_HEAD_MOST,
						  .max_fields = HTTP_FIELDS_MAX};
	static struct http_response r; /* large */
	struct check_answer *a = j->a;
	enum http_fault fault;
	int got;

	while ((got = http_parse_response(j->buffer + a->start, a->len - a->start, &limits,
					  &a->scanned, &r, &fault)) > 0) {
		if (r.status >= 200)
			return judge_head(j, &r);
		if (r.status == 101)
			return fail(j, CHECK_FAILED_STATUS, r.status);
		a->start += r.head_len;
		a->scanned = 0;
	}
	if (got < 0)
		return fail(j, CHECK_FAILED_RESPONSE, fault);
	if (a->len >= CHECK_HEAD_MOST)
		return fail(j, CHECK_FAILED_RESPONSE, HTTP_FAULT_HEAD_TOO_LARGE);
	return j->end ? fail(j, CHECK_FAILED_CLOSED, 0) : CHECK_MORE;
}

/* Puts the pieces of chunks side by side. Returns 1 at the end of the body, -1: it is none. */
static int decode_chunks(const struct judge *j)
{
	struct check_answer *a = j->a;
	int done = 0;

	while (done == 0 && a->body + a->body_len < a->len) {
		char *raw = j->buffer + a->body + a->body_len;
		size_t raw_len = a->len - a->body - a->body_len, used = 0;
		struct http_span data = {0};
		enum http_refusal refusal;

		done = chunk_decode(&a->chunk, raw, raw_len, &used, &data, &refusal);
		if (done < 0)
			return -1;
		memmove(raw, raw + data.off, data.len);
		memmove(raw + data.len, raw + used, raw_len - used);
		a->body_len += data.len;
		a->len -= (uint32_t)(used - data.len);
	}
	return done;
}

/* Takes what has come of the body. Returns 1: it is whole; 0: more follows; -1: it is none. */
static int take_body(const struct judge *j)
{
	struct check_answer *a = j->a;
	uint32_t came = a->len - a->body - a->body_len;

	switch (a->kind) {
	case HTTP_BODY_NONE:
		return 1;
	case HTTP_BODY_LENGTH:
		came = came < a->left ? came : (uint32_t)a->left;
		a->left -= came;
		a->body_len += came;
		return a->left == 0;
	case HTTP_BODY_CHUNKED:
		return decode_chunks(j);
	case HTTP_BODY_UNTIL_CLOSE:
		a->body_len += came;
		return j->end;
	}
	return -1;
}

static enum check_verdict read_body(const struct judge *j)
{
	const struct check_answer *a = j->a;
	int whole = take_body(j);
	uint32_t looked = a->body_len < CHECK_BODY_MOST ? a->body_len : CHECK_BODY_MOST;

	if (whole < 0)
		return fail(j, CHECK_FAILED_RESPONSE, HTTP_FAULT_TRANSFER_CODING);
	if (memmem(j->buffer + a->body, looked, j->c->body, strlen(j->c->body)) != NULL)
		return CHECK_WELL;
	if (whole > 0 || a->body_len >= CHECK_BODY_MOST || a->len >= CHECK_ROOM)
		return fail(j, CHECK_FAILED_BODY, 0);
	return j->end ? fail(j, CHECK_FAILED_CLOSED, 0) : CHECK_MORE;
}

enum check_verdict check_answer(struct check_answer *a, char *buffer, bool end,
				const struct check_settings *c, enum check_reason *reason,
				uint64_t *detail)
{
	const struct judge j = {a, buffer, end, c, reason, detail};
	enum check_verdict verdict = CHECK_MORE;

	if (!a->in_body)
		verdict = read_head(&j);
	if (verdict == CHECK_MORE && a->in_body)
		verdict = read_body(&j);
	return verdict;
}
