/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Fuzzes worker/http/parse.c. The input's first byte chooses the limits, the second where the rest,
 * a head, is cut. What must hold: every span lies inside the head, what was promised of an accepted
 * request is so, and the pieces in which the bytes come do not change the verdict.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "worker/http/parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct http_limits limits_of[] = {
    {16384, 8192, 100},         {256, 64, 8},        {64, 16384, 2},
    {1024, 1, HTTP_FIELDS_MAX}, {65536, 2048, 1000},
};

static struct http_request at_once, in_pieces;

struct outcome {
	int verdict;
	enum http_refusal refusal;
};

static void check_span(struct http_span s, size_t len)
{
	assert(s.off <= len && s.len <= len - s.off);
}

static void check_value(const char *base, struct http_span s)
{
	for (uint32_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)base[s.off + i];

		assert(c == '\t' || (c >= ' ' && c != 0x7f));
	}
	assert(s.len == 0 || (base[s.off] != ' ' && base[s.off] != '\t'));
	assert(s.len == 0 || (base[s.off + s.len - 1] != ' ' && base[s.off + s.len - 1] != '\t'));
}

static void check_fields(const struct http_request *r, const char *base)
{
	for (int i = 0; i < r->fields; i++) {
		const struct http_field *f = &r->field[i];

		check_span(f->name, r->head_len);
		check_span(f->value, r->head_len);
		assert(f->name.len > 0 && f->id <= HTTP_F_OTHER);
		assert(base[f->name.off + f->name.len] == ':');
		check_value(base, f->value);
		assert(f->id == HTTP_F_OTHER || r->known[f->id].off != 0);
	}
	for (int i = 0; i < HTTP_F_OTHER; i++)
		check_span(r->known[i], r->head_len);
}

static void check_accepted(const struct http_request *r, const char *base, size_t len,
			   const struct http_limits *limits)
{
	assert(r->head_len <= len && r->head_len <= limits->max_header);
	assert(r->head_len >= 4 && memcmp(base + r->head_len - 4, "\r\n\r\n", 4) == 0);
	assert(r->fields <= HTTP_FIELDS_MAX && r->fields <= limits->max_fields);
	assert(r->target.len > 0 && r->target.len <= limits->max_uri);
	assert(r->method <= HTTP_OTHER && r->minor <= 1 && r->method_text.len > 0);
	assert(!(r->chunked && r->has_length) && !(r->chunked && r->minor == 0));
	assert(r->content_length <= INT64_MAX && (r->has_length || r->content_length == 0));
	assert(r->close_requested == !r->keep_alive);
	assert(r->host.len > 0 || r->minor == 0);
	check_span(r->method_text, r->head_len);
	check_span(r->target, r->head_len);
	check_span(r->path, r->head_len);
	check_span(r->query, r->head_len);
	check_span(r->host, r->head_len);
	assert(r->path.len == 0 || base[r->path.off] == '/' || r->method == HTTP_OPTIONS ||
	       r->method == HTTP_CONNECT);
	check_fields(r, base);
}

/* In memory of exactly that size, so that a byte read beyond it is seen. */
static int parse_copy(const char *base, size_t len, const struct http_limits *limits,
		      uint32_t *scanned, struct http_request *r, enum http_refusal *why)
{
	char *copy = malloc(len ? len : 1);
	int verdict;

	assert(copy);
	memcpy(copy, base, len);
	verdict = http_parse(copy, len, limits, scanned, r, why);
	if (verdict < 0) {
		check_span(r->method_text, len);
		check_span(r->target, len);
		assert(*why > HTTP_ACCEPTED && *why < HTTP_REFUSALS);
	}
	free(copy);
	return verdict;
}

static struct outcome feed(const char *base, size_t len, size_t first, size_t step,
			   const struct http_limits *limits)
{
	struct outcome o = {0, HTTP_ACCEPTED};
	uint32_t scanned = 0;
	size_t at = first < len ? first : len;

	for (;;) {
		o.verdict = step < 16
				? http_parse(base, at, limits, &scanned, &in_pieces, &o.refusal)
				: parse_copy(base, at, limits, &scanned, &in_pieces, &o.refusal);
		if (o.verdict != 0 || at == len)
			return o;
		assert(scanned == at);
		at = len - at < step ? len : at + step;
	}
}

static void compare(struct outcome pieces, struct outcome once)
{
	/* A fault after the request line may be found later, when the head is whole. */
	if (pieces.verdict == 0 && once.verdict < 0)
		return;
	assert(pieces.verdict == once.verdict);
	if (once.verdict < 0)
		assert(pieces.refusal == once.refusal);
	if (once.verdict > 0)
		assert(memcmp(&at_once, &in_pieces, offsetof(struct http_request, field)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct http_limits *limits;
	struct outcome once = {0, HTTP_ACCEPTED};
	uint32_t scanned = 0;
	const char *base;
	size_t len;

	if (size < 2)
		return 0;
	limits = &limits_of[data[0] % (sizeof limits_of / sizeof limits_of[0])];
	base = (const char *)data + 2;
	len = size - 2;
	once.verdict = parse_copy(base, len, limits, &scanned, &at_once, &once.refusal);
	if (once.verdict > 0)
		check_accepted(&at_once, base, len, limits);
	compare(feed(base, len, 0, 1, limits), once);
	compare(feed(base, len, data[1], len + 16, limits), once);
	compare(feed(base, len, data[1] * 8, 1 + data[1] % 67, limits), once);
	return 0;
}
