/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Fuzzes worker/moved.c with messages of records, as they come from another worker: whatever they
 * hold, nothing is read beyond their end, the walk ends, and what is accepted is sane.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "worker/http/response.h"
#include "worker/moved.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned sum;

static void check_bytes(const struct moved_bytes *b, const char *message, size_t len)
{
	if (b->len == 0)
		return;
	assert(b->p >= message && b->len <= len && b->p <= message + len - b->len);
	for (uint32_t k = 0; k < b->len; k++)
		sum += (unsigned char)b->p[k];
}

static void check_record(const struct moved_record *r, const char *message, size_t len)
{
	const struct conn *c = &r->conn;

	check_bytes(&r->listener, message, len);
	check_bytes(&r->server, message, len);
	check_bytes(&r->in, message, len);
	check_bytes(&r->out, message, len);
	check_bytes(&r->upstream, message, len);
	check_bytes(&r->up_peer, message, len);
	check_bytes(&r->location, message, len);
	check_bytes(&r->up_in, message, len);
	check_bytes(&r->up_out, message, len);
	assert((r->up.flags & ~UP_FLAGS_KNOWN) == 0 && (r->up.flags & UP_MOVING) == 0);
	assert(r->up.chunk.extra <= CHUNK_EXTRA_MAX && r->up.scanned <= r->up_in.len);
	assert(r->up.method <= HTTP_OTHER && r->up.body <= HTTP_BODY_UNTIL_CLOSE);
	assert((r->up.state == UP_FREE) == (r->upstream.len == 0));
	assert(r->up.in_buf == BUF_NONE && r->up.out_buf == BUF_NONE && r->up.doomed == 0);
	if (r->up.state == UP_IDLE) {
		assert(r->state == CONN_FREE && r->fds == 0);
		return;
	}
	assert(r->listener.len > 0);
	assert(up_fits((enum up_state)r->up.state, r->state));
	assert((r->up.state != UP_FREE) == ((r->fds & MOVED_PEER_FD) != 0));
	assert(c->head_len <= r->in.len && c->scanned <= r->in.len - c->head_len);
	assert((c->flags & ~CONN_FLAGS_KNOWN) == 0 && (c->flags & CONN_MOVING) == 0);
	assert(c->close_reason < CLOSE_REASONS_COUNT && c->doomed == 0);
	assert(c->file_left == 0 || (r->fds & MOVED_FILE) != 0);
	assert(c->chunk.extra <= CHUNK_EXTRA_MAX);
	assert(r->up.state != UP_FREE || r->state == CONN_SEND || (r->fds == 0 && r->out.len == 0));
	assert(r->row.request[sizeof r->row.request - 1] == '\0');
	assert(c->in_buf == BUF_NONE && c->out_buf == BUF_NONE && c->parts_buf == BUF_NONE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct moved_record r;
	char *message = malloc(size ? size : 1);
	size_t off = 0;
	int verdict = 1;

	assert(message);
	memcpy(message, data, size);
	while (verdict >= 0) {
		size_t before = off;
		int fds = moved_descriptors(message, size, off);

		verdict = moved_read(message, size, &off, &r);
		assert(verdict < 0 || (off >= before + sizeof(uint32_t) && off <= size));
		assert(verdict < 1 || fds == 1 + (int)(r.fds & 1) + (int)(r.fds >> 1));
		if (verdict == 1)
			check_record(&r, message, size);
	}
	free(message);
	return 0;
}
