/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Fuzzes worker/http/trace.c. The input is a traceparent and a request id. What must hold: what is
 * accepted is written again as the same trace, in the one form of version 00; what is kept of a
 * request's id comes back, whole or its first sixteen characters.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "worker/http/trace.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_parent(const char *value, size_t len)
{
	struct conn_row row = {.id = 1, .requests = 1};
	struct trace_parent p, again;
	struct trace t;

	if (!trace_parent_read(value, len, &p))
		return;
	assert(len >= TRACE_PARENT_LEN && (p.high | p.low) != 0 && p.parent != 0);
	row.trace_high = p.high;
	row.trace_low = p.low;
	row.trace_flags = p.flags;
	trace_write(&row, NULL, NULL, &t);
	assert(t.parent_len == TRACE_PARENT_LEN);
	assert(memcmp(t.parent + 3, value + 3, 32) == 0);
	assert(trace_parent_read(t.parent, t.parent_len, &again));
	assert(again.high == p.high && again.low == p.low && again.flags == p.flags);
}

static void check_id(const char *value, size_t len)
{
	const struct trace_key key = {1, 2};
	struct conn_row row = {.id = 1, .requests = 1};
	struct http_request req = {.known = {[HTTP_F_X_REQUEST_ID] = {1, (uint32_t)len}}};
	char out[TRACE_ID_MAX], cut[TRACE_ID_MAX];
	size_t n, m;

	trace_begin(&key, &row, &req, value - 1, true);
	n = trace_id(&row, &req, value - 1, out);
	m = trace_id(&row, NULL, NULL, cut);
	assert(n > 0 && n <= TRACE_ID_MAX && m > 0 && m <= n && memcmp(out, cut, m) == 0);
	if (trace_id_valid(value, len))
		assert(n == len && memcmp(out, value, len) == 0 &&
		       (m == n || m == IDENT_CHARS_MAX));
	else
		assert(n == 32 && m == 32);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* A byte in front, so that its offset is not 0, which means absent. */
	char *copy = malloc(size + 1);

	assert(copy);
	memcpy(copy + 1, data, size);
	check_parent(copy + 1, size);
	check_id(copy + 1, size);
	free(copy);
	return 0;
}
