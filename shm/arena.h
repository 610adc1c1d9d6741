/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A worker's arena: a memfd, mapped shared, that holds the private halves of connection records,
 * buffers and pending log bytes. It may be mapped by worker and standby only: it holds users'
 * bytes. Address space is reserved, pages are used as they are touched and can be given back.
 */
#ifndef DROVER_SHM_ARENA_H
#define DROVER_SHM_ARENA_H

#include <stddef.h>

struct arena {
	int fd; /* owned; close-on-exec */
	char *base;
	size_t bytes;
	size_t used; /* by arena_take */
};

/* Returns 0, or -1 with errno. */
int arena_create(struct arena *a, const char *name, size_t bytes);
void arena_destroy(struct arena *a);

/* The next piece, zeroed and aligned to a page. NULL if the arena is too small. */
void *arena_take(struct arena *a, size_t bytes);

/* Gives the pages of a piece back to the system; it reads as zeros afterwards. p and bytes are
 * multiples of the page size. */
void arena_release(const struct arena *a, void *p, size_t bytes);

size_t arena_page(void);

/* Room that arena_take(bytes) will use. */
size_t arena_room(size_t bytes);

#endif
