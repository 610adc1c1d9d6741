/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Fuzzes worker/http/fcgi.c and cgi_response.c. The input's first byte chooses the pieces in which
 * the rest, what a responder sends, is given. What must hold: every call gets on, output lies
 * inside the bytes consumed, neither it nor the verdict depends on the pieces, and a head that CGI
 * lets pass is one that the parser of HTTP judges, with a status of 2xx to 5xx.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "worker/http/cgi.h"
#include "worker/http/fcgi.h"
#include "worker/http/response.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct decoded {
	const char *wrong;
	size_t used;
	size_t len;
	struct fcgi_state st;
	char *output;
};

/* One call on a copy of exactly these bytes, so that a byte read beyond them is seen. */
static size_t decode_piece(struct decoded *d, const char *base, size_t len)
{
	char *copy = malloc(len ? len : 1), *data;
	enum fcgi_piece kind;
	size_t used, data_len;

	assert(copy);
	memcpy(copy, base, len);
	d->wrong = fcgi_decode(&d->st, copy, len, &used, &kind, &data, &data_len);
	assert(used <= len);
	assert(data >= copy && data_len <= used && (size_t)(data - copy) <= used - data_len);
	assert((kind == FCGI_NOTHING) == (data_len == 0));
	assert(used > 0 || len == 0 || d->st.ended);
	if (kind == FCGI_OUTPUT) {
		memcpy(d->output + d->len, data, data_len);
		d->len += data_len;
	}
	free(copy);
	return used;
}

static void decode(struct decoded *d, const char *base, size_t len, size_t piece)
{
	memset(d, 0, sizeof *d);
	d->output = malloc(len + 1);
	assert(d->output);
	while (d->used < len && d->wrong == NULL) {
		size_t n = len - d->used < piece ? len - d->used : piece;
		size_t used = decode_piece(d, base + d->used, n);

		d->used += used;
		if (used == 0)
			break;
	}
}

static void compare(struct decoded *pieces, const struct decoded *once)
{
	assert(pieces->wrong == once->wrong && pieces->len == once->len);
	assert(memcmp(pieces->output, once->output, once->len) == 0);
	assert(pieces->used == once->used);
	assert(memcmp(&pieces->st, &once->st, sizeof once->st) == 0);
	free(pieces->output);
}

/* The end of the head, however the bytes come. */
static size_t find_end(const char *base, size_t len, size_t piece)
{
	uint32_t scanned = 0;
	size_t end = 0;

	for (size_t have = 0; end == 0; have = len - have < piece ? len : have + piece) {
		end = cgi_head_end(base, have, &scanned);
		if (have == len)
			break;
	}
	return end;
}

static void read_head(const char *base, size_t len, size_t piece)
{
	static struct http_response r;
	static char out[1 << 16];
	const struct http_limits limits = {.max_header = sizeof out, .max_fields = HTTP_FIELDS_MAX};
	size_t end = find_end(base, len, piece);
	enum http_fault fault;
	const char *wrong;
	uint32_t scanned = 0;
	int n, verdict;

	assert(end == find_end(base, len, len + 1) && end <= len);
	if (end == 0)
		return;
	assert(base[end - 1] == '\n');
	n = cgi_translate_head(out, sizeof out, base, end, &wrong);
	assert((n < 0) == (wrong != NULL));
	if (n < 0)
		return;
	verdict = http_parse_response(out, (size_t)n, &limits, &scanned, &r, &fault);
	assert(verdict < 0 || (verdict == 1 && r.head_len == (uint32_t)n));
	assert(verdict < 0 || (r.status >= 200 && r.minor == 1));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct decoded once, pieces;
	const char *base = (const char *)data + 1;

	if (size < 1)
		return 0;
	decode(&once, base, size - 1, size);
	decode(&pieces, base, size - 1, 1);
	compare(&pieces, &once);
	decode(&pieces, base, size - 1, 1 + data[0] % 67);
	compare(&pieces, &once);
	read_head(once.output, once.len, 1 + data[0] % 67);
	/* And as if it were a head. */
	read_head(base, size - 1, 1 + data[0] % 5);
	free(once.output);
	return 0;
}
