/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A memory pool: many small pieces, freed all at once. The configuration lives in one. Running out
 * of memory does not return NULL to a hundred callers: it jumps to the one place that began the
 * work, which frees the pool and says so.
 */
#ifndef DROVER_MASTER_POOL_H
#define DROVER_MASTER_POOL_H

#include <setjmp.h>
#include <stddef.h>

struct pool;

/* NULL if memory is out. */
struct pool *pool_new(void);
void pool_free(struct pool *p);

/*
 * Where the functions below jump to (with 1) if memory is out; NULL: they return NULL. To be reset
 * before the function that called setjmp() returns, and around code that must not be jumped over.
 * Returns what it was.
 */
jmp_buf *pool_escape(struct pool *p, jmp_buf *out);

/* For others that ran out of memory: jumps, or returns NULL. */
void *pool_empty(struct pool *p);

/* Zeroed, aligned for any object. The size may be 0. */
void *pool_alloc(struct pool *p, size_t size);
void *pool_array(struct pool *p, size_t count, size_t size);
char *pool_strdup(struct pool *p, const char *text);
char *pool_strndup(struct pool *p, const char *text, size_t len);
char *pool_printf(struct pool *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/*
 * A larger copy of an array that has `count` elements of `size` bytes, if count has reached a power
 * of two; else the array itself: for growing by one element at a time. The old copy stays in the
 * pool.
 */
void *pool_grow(struct pool *p, void *array, size_t count, size_t size);

#endif
