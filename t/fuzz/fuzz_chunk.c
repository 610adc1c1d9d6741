/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Fuzzes worker/http/chunk.c. The input's first byte chooses the pieces in which the rest, a body,
 * is given. What must hold: data lies inside the bytes consumed, every call gets on, and neither
 * the data nor the verdict depends on the pieces.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "worker/http/chunk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct decoded {
	int verdict;
	enum http_refusal refusal;
	size_t used;
	size_t body_len;
	struct chunk_state st;
	char *body;
};

/* One call on a copy of exactly these bytes, so that a byte read beyond them is seen. */
static size_t decode_piece(struct decoded *d, const char *base, size_t len)
{
	char *copy = malloc(len ? len : 1);
	struct http_span piece;
	size_t used;

	assert(copy);
	memcpy(copy, base, len);
	d->verdict = chunk_decode(&d->st, copy, len, &used, &piece, &d->refusal);
	assert(used <= len && piece.off <= used && piece.len <= used - piece.off);
	assert(d->verdict >= 0 || (d->refusal > HTTP_ACCEPTED && d->refusal < HTTP_REFUSALS));
	assert(d->verdict != 0 || used == len || piece.len > 0);
	assert(d->st.extra <= CHUNK_EXTRA_MAX);
	memcpy(d->body + d->body_len, copy + piece.off, piece.len);
	d->body_len += piece.len;
	free(copy);
	return used;
}

/* Pieces of seed % 31 + 1 bytes and, every other time, a longer one. */
static void decode(struct decoded *d, const char *base, size_t len, unsigned seed, bool at_once)
{
	size_t given = at_once ? len : 0;

	*d = (struct decoded){.body = malloc(len + 1)};
	assert(d->body);
	for (;;) {
		size_t step = seed % 31 + 1;

		d->used += decode_piece(d, base + d->used, given - d->used);
		if (d->verdict != 0 || (d->used == len && given == len))
			return;
		if (d->used < given)
			continue;
		seed = seed * 1103515245u + 12345u;
		if (seed >> 16 & 1)
			step *= 7;
		given = len - given < step ? len : given + step;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct decoded once, pieces;
	const char *base;

	if (size < 1)
		return 0;
	base = (const char *)data + 1;
	decode(&once, base, size - 1, 0, true);
	for (unsigned i = 0; i < 3; i++) {
		decode(&pieces, base, size - 1, i == 0 ? 0 : data[0] + i, false);
		assert(pieces.verdict == once.verdict && pieces.refusal == once.refusal);
		assert(pieces.used == once.used && pieces.body_len == once.body_len);
		assert(memcmp(pieces.body, once.body, once.body_len) == 0);
		assert(memcmp(&pieces.st, &once.st, sizeof once.st) == 0);
		free(pieces.body);
	}
	if (once.verdict == 1)
		assert(once.used >= 5 && memcmp(base + once.used - 2, "\r\n", 2) == 0);
	free(once.body);
	return 0;
}
