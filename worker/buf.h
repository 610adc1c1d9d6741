/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Buffers in the worker's arena: chunks of three sizes, named by index so that records can hold
 * them. Only connections in the middle of something hold any. What stays unused for a second goes
 * back to the system.
 */
#ifndef DROVER_WORKER_BUF_H
#define DROVER_WORKER_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shm/arena.h"
#include "shm/board.h"

enum {
	BUF_CLASSES = 3
};

#define BUF_NONE 0u /* so that a zeroed record holds none */

struct buf_class {
	uint32_t size;   /* bytes of a chunk, a multiple of the page size */
	uint32_t max;    /* chunks */
	uint32_t high;   /* chunks ever used */
	uint32_t free;   /* entries on the stack of free chunks */
	uint32_t low;    /* fewest entries on the stack since the last trim: they were not needed */
	uint32_t empty;  /* entries at the bottom of the stack whose pages have gone back; always <=
			    free */
	uint32_t *stack; /* in the arena */
	char *base;
};

struct bufs {
	struct arena *arena;
	struct worker_row *row; /* gauges: buffers, buffers_resident; counter: buffer_failures */
	struct buf_class of[BUF_CLASSES];
};

/* Bytes of arena that bufs_init will take for so many connections. */
size_t bufs_room(uint32_t conns);
int bufs_init(struct bufs *b, struct arena *arena, uint32_t conns, struct worker_row *row);

/* A chunk of at least `bytes`; BUF_NONE if there is none left or none is that large. Its content is
 * undefined. */
uint32_t buf_take(struct bufs *b, size_t bytes);
/* Gives *buf back, if it is one, and sets it to BUF_NONE. */
void buf_drop(struct bufs *b, uint32_t *buf);

char *buf_data(const struct bufs *b, uint32_t buf);
uint32_t buf_size(const struct bufs *b, uint32_t buf);

/*
 * After a crash the stacks are made anew: forget all, claim what records name (true if the name is
 * sound, unclaimed so far, and holds len bytes; BUF_NONE holds none), and settle: everything
 * unclaimed is free and its pages go back.
 */
void bufs_forget(struct bufs *b);
bool bufs_claim(const struct bufs *b, uint32_t buf, size_t len);
void bufs_disclaim(const struct bufs *b, uint32_t buf); /* takes a claim back */
void bufs_settle(struct bufs *b);

/* Size of the largest chunk that can be had now; 0: there is none left. */
static inline uint32_t buf_spare(const struct bufs *b)
{
	for (unsigned class = BUF_CLASSES; class -- > 0;) {
		const struct buf_class *c = &b->of[class];

		if (c->free > 0 || c->high < c->max)
			return c->size;
	}
	return 0;
}

/* Largest chunk. */
uint32_t buf_most(const struct bufs *b);

/* Once a second: gives pages of chunks that were not needed since the last call back to the system;
 * bounded work. */
void bufs_trim(struct bufs *b);

#endif
