/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Fuzzes worker/http/response.c. The input's first byte chooses the limits, the second where the
 * rest, a head, is cut. What must hold: every span lies inside the head, what was promised of an
 * accepted response is so, and the pieces in which the bytes come do not change the verdict.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "worker/http/response.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct http_limits limits_of[] = {
    {16384, 0, 100}, {256, 0, 8}, {64, 0, 2}, {1024, 0, HTTP_FIELDS_MAX}, {65536, 0, 1000},
};

static struct http_response at_once, in_pieces;

struct outcome {
	int verdict;
	enum http_fault fault;
};

static void check_span(struct http_span s, size_t len)
{
	assert(s.off <= len && s.len <= len - s.off);
}

static void check_text(const char *base, struct http_span s)
{
	for (uint32_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)base[s.off + i];

		assert(c == '\t' || (c >= ' ' && c != 0x7f));
	}
}

static void check_fields(const struct http_response *r, const char *base)
{
	for (int i = 0; i < r->fields; i++) {
		const struct http_field *f = &r->field[i];

		check_span(f->name, r->head_len);
		check_span(f->value, r->head_len);
		check_text(base, f->value);
		assert(f->name.len > 0 && f->id <= HTTP_R_OTHER);
		assert(base[f->name.off + f->name.len] == ':');
		assert(f->id == HTTP_R_OTHER || r->known[f->id].off != 0);
	}
	for (int i = 0; i < HTTP_R_OTHER; i++)
		check_span(r->known[i], r->head_len);
}

static void check_accepted(const struct http_response *r, const char *base, size_t len,
			   const struct http_limits *limits)
{
	assert(r->head_len <= len && r->head_len <= limits->max_header);
	assert(memcmp(base, "HTTP/1.", 7) == 0);
	assert(r->head_len >= 4 && memcmp(base + r->head_len - 4, "\r\n\r\n", 4) == 0);
	assert(r->fields <= HTTP_FIELDS_MAX && r->fields <= limits->max_fields);
	assert(r->status >= 100 && r->status <= 599 && r->minor <= 1);
	assert(!(r->chunked && r->has_length) && !(r->chunked && r->minor == 0));
	assert(!(r->chunked && (r->status < 200 || r->status == 204)));
	assert(r->content_length <= INT64_MAX && (r->has_length || r->content_length == 0));
	assert(!r->upgrade || r->known[HTTP_R_UPGRADE].len > 0);
	assert(http_response_body(r, HTTP_HEAD) == HTTP_BODY_NONE);
	check_span(r->reason, r->head_len);
	check_text(base, r->reason);
	check_fields(r, base);
}

/* In memory of exactly that size, so that a byte read beyond it is seen. */
static int parse_copy(const char *base, size_t len, const struct http_limits *limits,
		      uint32_t *scanned, struct http_response *r, enum http_fault *fault)
{
	char *copy = malloc(len ? len : 1);
	int verdict;

	assert(copy);
	memcpy(copy, base, len);
	verdict = http_parse_response(copy, len, limits, scanned, r, fault);
	assert((verdict < 0) == (*fault != HTTP_FAULT_NONE) && *fault < HTTP_FAULTS);
	free(copy);
	return verdict;
}

static struct outcome feed(const char *base, size_t len, size_t first, size_t step,
			   const struct http_limits *limits)
{
	struct outcome o = {0, HTTP_FAULT_NONE};
	uint32_t scanned = 0;
	size_t at = first < len ? first : len;

	for (;;) {
		o.verdict = parse_copy(base, at, limits, &scanned, &in_pieces, &o.fault);
		if (o.verdict != 0 || at == len)
			return o;
		assert(scanned == at);
		at = len - at < step ? len : at + step;
	}
}

static void compare(struct outcome pieces, struct outcome once)
{
	/* A fault after the status line may be found later, when the head is whole. */
	if (pieces.verdict == 0 && once.verdict < 0)
		return;
	assert(pieces.verdict == once.verdict && pieces.fault == once.fault);
	if (once.verdict > 0)
		assert(memcmp(&at_once, &in_pieces, offsetof(struct http_response, field)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct http_limits *limits;
	struct outcome once = {0, HTTP_FAULT_NONE};
	uint32_t scanned = 0;
	const char *base;
	size_t len;

	if (size < 2)
		return 0;
	limits = &limits_of[data[0] % (sizeof limits_of / sizeof limits_of[0])];
	base = (const char *)data + 2;
	len = size - 2;
	once.verdict = parse_copy(base, len, limits, &scanned, &at_once, &once.fault);
	if (once.verdict > 0)
		check_accepted(&at_once, base, len, limits);
	compare(feed(base, len, 0, 1, limits), once);
	compare(feed(base, len, data[1], len + 16, limits), once);
	compare(feed(base, len, data[1] * 8, 1 + data[1] % 67, limits), once);
	return 0;
}
