/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sets of numbers, at most SET_MOST each: added in any order, sorted, looked up. What does not fit
 * is left out.
 */
#ifndef DROVER_SHM_CTL_SET_H
#define DROVER_SHM_CTL_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	SET_MOST = 1 << 16
};

struct set {
	uint64_t *all;
	bool *mark; /* beside them, false at first; there once the set is sorted */
	size_t count, room;
};

void set_add(struct set *s, uint64_t n);
void set_sort(struct set *s);
/* Its place; s->count if it is not there. */
size_t set_find(const struct set *s, uint64_t n);
void set_free(struct set *s);

#endif
