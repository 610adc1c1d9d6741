/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Trailers of bodies in chunks: see proxy_parts.h. They are passed on in both directions where the
 * other side gets chunks, whether or not it said TE: trailers (RFC 9110 6.5.1 leaves that to
 * whoever merges or drops them, which is the recipient).
 */
#include "worker/http/proxy_parts.h"

#include <string.h>

#include "worker/http/forward.h"

bool proxy_take_trailers(struct chunk_state *state, const char *raw, size_t len, struct piece *p,
			 enum http_refusal *refusal)
{
	static const char last[] = "\r\n0\r\n";
	static char text[sizeof last - 1 + FORWARD_TRAILERS_MAX + 2];
	size_t begin = sizeof last - 1, fields, used;
	int r = forward_trailers(text + begin, FORWARD_TRAILERS_MAX, &fields, raw + p->used,
				 len - p->used, &used, refusal);

	if (r < 0)
		return false;
	if (r == 0) {
		state->stop_at_trailers = CHUNK_TRAILERS;
		return true;
	}
	memcpy(text, last, begin);
	memcpy(text + begin + fields, "\r\n", 2);
	p->used += used;
	p->whole = true;
	p->end = text;
	p->end_len = begin + fields + 2;
	return true;
}
