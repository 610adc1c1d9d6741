/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Buffers: see buf.h. A buffer's name is (class + 1) << 28 | index. Free chunks lie on a stack, the
 * last one used on top, so the bottom of the stack is what load does not need: bufs_trim gives its
 * pages back.
 */
#include "worker/buf.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

enum {
	TRIM_MOST = 1024,
	CLASS_SHIFT = 28
};

static const uint32_t class_size[BUF_CLASSES] = {4096, 16384, 73728};

/* One for reading and one for writing for each connection; of the large ones fewer, but enough for
 * a small daemon. */
static uint32_t class_max(unsigned class, uint32_t conns)
{
	uint32_t most = class == 0 ? conns * 2 : class == 1 ? conns : conns / 2;

	return most < 64 ? 64 : most < (1u << CLASS_SHIFT) ? most : (1u << CLASS_SHIFT) - 1;
}

size_t bufs_room(uint32_t conns)
{
	size_t room = 0;

	for (unsigned i = 0; i < BUF_CLASSES; i++) {
		size_t max = class_max(i, conns);

		room += arena_room(max * class_size[i]) + arena_room(max * sizeof(uint32_t));
	}
	return room;
}

int bufs_init(struct bufs *b, struct arena *arena, uint32_t conns, struct worker_row *row)
{
	*b = (struct bufs){.arena = arena, .row = row};
	for (unsigned i = 0; i < BUF_CLASSES; i++) {
		struct buf_class *c = &b->of[i];

		c->size = class_size[i];
		c->max = class_max(i, conns);
		c->base = arena_take(arena, (size_t)c->max * c->size);
		c->stack = arena_take(arena, (size_t)c->max * sizeof c->stack[0]);
		if (c->base == NULL || c->stack == NULL)
			return -1;
	}
	board_set(&row->buffers, 0);
	board_set(&row->buffers_resident, 0);
	return 0;
}

static uint32_t class_take(struct bufs *b, unsigned class)
{
	struct buf_class *c = &b->of[class];
	uint32_t i;

	if (c->free > 0) {
		i = c->stack[--c->free];
		if (c->free < c->low)
			c->low = c->free;
		if (c->free < c->empty) {
			c->empty = c->free;
			board_add(&b->row->buffers_resident, c->size);
		}
	} else if (c->high < c->max) {
		i = c->high++;
		board_add(&b->row->buffers_resident, c->size);
	} else {
		return BUF_NONE;
	}
	board_add(&b->row->buffers, c->size);
	return (class + 1) << CLASS_SHIFT | i;
}

uint32_t buf_take(struct bufs *b, size_t bytes)
{
	for (unsigned class = 0; class < BUF_CLASSES; class ++) {
		if (bytes <= b->of[class].size) {
			uint32_t buf = class_take(b, class);

			if (buf != BUF_NONE)
				return buf;
		}
	}
	board_add(&b->row->buffer_failures, 1);
	errno = ENOBUFS;
	return BUF_NONE;
}

static unsigned class_of(uint32_t buf)
{
	unsigned class = (buf >> CLASS_SHIFT) - 1;

	assert(class < BUF_CLASSES);
	return class;
}

static uint32_t index_of(uint32_t buf)
{
	return buf & ((1u << CLASS_SHIFT) - 1);
}

void buf_drop(struct bufs *b, uint32_t *buf)
{
	struct buf_class *c;

	if (*buf == BUF_NONE)
		return;
	c = &b->of[class_of(*buf)];
	assert(c->free < c->high);
	c->stack[c->free++] = index_of(*buf);
	board_set(&b->row->buffers, b->row->buffers - c->size);
	*buf = BUF_NONE;
}

char *buf_data(const struct bufs *b, uint32_t buf)
{
	const struct buf_class *c = &b->of[class_of(buf)];

	return c->base + (size_t)index_of(buf) * c->size;
}

uint32_t buf_size(const struct bufs *b, uint32_t buf)
{
	return b->of[class_of(buf)].size;
}

uint32_t buf_most(const struct bufs *b)
{
	return b->of[BUF_CLASSES - 1].size;
}

void bufs_trim(struct bufs *b)
{
	for (unsigned class = 0; class < BUF_CLASSES; class ++) {
		struct buf_class *c = &b->of[class];
		uint32_t most = c->empty + TRIM_MOST < c->low ? c->empty + TRIM_MOST : c->low;

		for (; c->empty < most; c->empty++) {
			arena_release(b->arena, c->base + (size_t)c->stack[c->empty] * c->size,
				      c->size);
			board_set(&b->row->buffers_resident, b->row->buffers_resident - c->size);
		}
		c->low = c->free;
	}
}

/* While claims are taken, stack[i] says whether chunk i is in use. */
enum {
	UNCLAIMED,
	CLAIMED
};

void bufs_forget(struct bufs *b)
{
	for (unsigned class = 0; class < BUF_CLASSES; class ++) {
		struct buf_class *c = &b->of[class];

		memset(c->stack, 0, (size_t)c->max * sizeof c->stack[0]);
		c->free = c->low = c->empty = 0;
		c->high = c->max;
	}
}

bool bufs_claim(const struct bufs *b, uint32_t buf, size_t len)
{
	uint32_t class = (buf >> CLASS_SHIFT) - 1;

	if (buf == BUF_NONE)
		return len == 0;
	if (class >= BUF_CLASSES || index_of(buf) >= b->of[class].max || len > b->of[class].size ||
	    b->of[class].stack[index_of(buf)] == CLAIMED)
		return false;
	b->of[class].stack[index_of(buf)] = CLAIMED;
	return true;
}

void bufs_disclaim(const struct bufs *b, uint32_t buf)
{
	if (buf != BUF_NONE)
		b->of[class_of(buf)].stack[index_of(buf)] = UNCLAIMED;
}

static void release(const struct bufs *b, const struct buf_class *c, uint32_t from, uint32_t to)
{
	arena_release(b->arena, c->base + (size_t)from * c->size, (size_t)(to - from) * c->size);
}

/* The stack of free chunks is written over the claims: entry n is written only after claim n was
 * read. */
static void settle_class(struct bufs *b, struct buf_class *c)
{
	uint32_t high = 0, gap = 0;

	for (uint32_t i = 0; i < c->max; i++) {
		if (c->stack[i] == CLAIMED)
			high = i + 1;
	}
	for (uint32_t i = 0; i < high; i++) {
		if (c->stack[i] == CLAIMED) {
			if (i > gap)
				release(b, c, gap, i);
			gap = i + 1;
			board_add(&b->row->buffers, c->size);
			board_add(&b->row->buffers_resident, c->size);
		} else {
			c->stack[c->free++] = i;
		}
	}
	release(b, c, high, c->max);
	c->high = high;
	c->low = c->empty = c->free;
}

void bufs_settle(struct bufs *b)
{
	board_set(&b->row->buffers, 0);
	board_set(&b->row->buffers_resident, 0);
	for (unsigned class = 0; class < BUF_CLASSES; class ++)
		settle_class(b, &b->of[class]);
}
