/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sorted arrays of numbers, for sockets that have to be known again at the second look.
 */
#include "shm/ctl_set.h"

#include <stdlib.h>
#include <string.h>

void set_add(struct set *s, uint64_t n)
{
	if (s->count == s->room) {
		size_t room = s->room == 0 ? 256 : 2 * s->room;
		uint64_t *more;

		if (s->room >= SET_MOST ||
		    (more = reallocarray(s->all, room, sizeof(*more))) == NULL)
			return;
		s->all = more;
		s->room = room;
	}
	s->all[s->count++] = n;
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

void set_sort(struct set *s)
{
	if (s->count > 0)
		qsort(s->all, s->count, sizeof(*s->all), compare);
	free(s->mark);
	s->mark = calloc(s->count + 1, sizeof(*s->mark));
}

size_t set_find(const struct set *s, uint64_t n)
{
	const uint64_t *at = s->count > 0 ? bsearch(&n, s->all, s->count, sizeof(n), compare)
					  : NULL;

	return at != NULL && s->mark != NULL ? (size_t)(at - s->all) : s->count;
}

void set_free(struct set *s)
{
	free(s->all);
	free(s->mark);
	memset(s, 0, sizeof(*s));
}
