/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Pieces of bodies: see piece.h.
 */
#include "worker/http/piece.h"

#include <stdio.h>
#include <string.h>

/* Chunks are decoded in place, so that there is never more data than raw bytes. */
bool piece_unchunk(struct chunk_state *state, char *raw, size_t len, size_t most, struct piece *p,
		   enum http_refusal *refusal)
{
	int r = 0;

	*p = (struct piece){.data = raw};
	while (p->used < len && p->len < most && r == 0) {
		size_t n = len - p->used, room = most - p->len;
		struct http_span data;

		r = chunk_decode(state, raw + p->used, n < room ? n : room, &n, &data, refusal);
		if (r < 0)
			return false;
		memmove(p->data + p->len, raw + p->used + data.off, data.len);
		p->len += data.len;
		p->used += n;
	}
	p->whole = r == 1;
	p->at_trailers = r == CHUNK_TRAILERS;
	return true;
}

void piece_counted(char *raw, size_t len, uint64_t *left, struct piece *p)
{
	size_t n = len < PIECE_MOST ? len : PIECE_MOST;

	if (*left < n)
		n = (size_t)*left;
	*left -= n;
	*p = (struct piece){.used = n, .data = raw, .len = n, .whole = *left == 0};
}

/* A piece as it is written: as a chunk, or as it is. text holds a chunk's size. */
void piece_frame(const struct piece *p, bool chunked, char text[PIECE_TEXT], struct iovec iov[3])
{
	static const char end[] = "\r\n0\r\n\r\n";

	iov[0] = (struct iovec){text, 0};
	iov[1] = (struct iovec){p->data, p->len};
	iov[2] = (struct iovec){(void *)(uintptr_t)end, 0};
	if (!chunked)
		return;
	if (p->end != NULL) {
		size_t skip = p->len > 0 ? 0 : 2;

		if (p->len > 0)
			iov[0].iov_len = (size_t)snprintf(text, PIECE_TEXT, "%zx\r\n", p->len);
		iov[2] = (struct iovec){p->end + skip, p->end_len - skip};
		return;
	}
	if (p->len > 0) {
		iov[0].iov_len = (size_t)snprintf(text, PIECE_TEXT, "%zx\r\n", p->len);
		iov[2].iov_len = p->whole ? 7 : 2;
	} else if (p->whole) {
		iov[2] = (struct iovec){(void *)(uintptr_t)(end + 2), 5};
	}
}
