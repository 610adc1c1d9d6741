/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Chunks in a list, the newest first; a piece is cut from the newest chunk, or gets a chunk of its
 * own if it is large. Nothing is ever given back before the whole pool.
 */
#include "master/pool.h"

#include <stdalign.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	CHUNK_BYTES = 16 * 1024
};

struct chunk {
	struct chunk *next;
	size_t used;
	size_t room;
	alignas(max_align_t) char bytes[];
};

struct pool {
	struct chunk *chunks;
	jmp_buf *out;
};

struct pool *pool_new(void)
{
	return calloc(1, sizeof(struct pool));
}

void pool_free(struct pool *p)
{
	if (p == NULL)
		return;
	while (p->chunks != NULL) {
		struct chunk *c = p->chunks;

		p->chunks = c->next;
		free(c);
	}
	free(p);
}

jmp_buf *pool_escape(struct pool *p, jmp_buf *out)
{
	jmp_buf *was = p->out;

	p->out = out;
	return was;
}

void *pool_empty(struct pool *p)
{
	if (p->out != NULL)
		longjmp(*p->out, 1);
	return NULL;
}

/* A large piece goes behind the newest chunk, so that the rest of that one can still be used. */
static struct chunk *chunk_add(struct pool *p, size_t size)
{
	size_t room = size > CHUNK_BYTES / 4 ? size : CHUNK_BYTES;
	struct chunk *c = calloc(1, sizeof(*c) + room);

	if (c == NULL)
		return NULL;
	c->room = room;
	if (room != CHUNK_BYTES && p->chunks != NULL) {
		c->next = p->chunks->next;
		p->chunks->next = c;
	} else {
		c->next = p->chunks;
		p->chunks = c;
	}
	return c;
}

void *pool_alloc(struct pool *p, size_t size)
{
	const size_t align = alignof(max_align_t);
	struct chunk *c = p->chunks;
	void *piece;

	if (size > SIZE_MAX / 2)
		return pool_empty(p);
	size = (size + align - 1) / align * align;
	if (size == 0)
		size = align;
	if (c == NULL || c->room - c->used < size)
		c = chunk_add(p, size);
	if (c == NULL)
		return pool_empty(p);
	piece = c->bytes + c->used;
	c->used += size;
	return piece;
}

void *pool_array(struct pool *p, size_t count, size_t size)
{
	size_t bytes;

	if (__builtin_mul_overflow(count, size, &bytes))
		return pool_empty(p);
	return pool_alloc(p, bytes);
}

char *pool_strndup(struct pool *p, const char *text, size_t len)
{
	char *copy = pool_alloc(p, len + 1);

	if (copy != NULL)
		memcpy(copy, text, len);
	return copy;
}

char *pool_strdup(struct pool *p, const char *text)
{
	return pool_strndup(p, text, strlen(text));
}

char *pool_printf(struct pool *p, const char *fmt, ...)
{
	va_list ap;
	char *text;
	int len;

	va_start(ap, fmt);
	len = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (len < 0)
		return pool_empty(p);
	text = pool_alloc(p, (size_t)len + 1);
	if (text == NULL)
		return NULL;
	va_start(ap, fmt);
	vsnprintf(text, (size_t)len + 1, fmt, ap);
	va_end(ap);
	return text;
}

void *pool_grow(struct pool *p, void *array, size_t count, size_t size)
{
	void *larger;

	if (count != 0 && (count & (count - 1)) != 0)
		return array;
	larger = pool_array(p, count == 0 ? 1 : count * 2, size);
	if (larger != NULL && count != 0)
		memcpy(larger, array, count * size);
	return larger;
}
