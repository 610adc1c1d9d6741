/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Connections by address: see addr.h. Called when a connection is opened and buried, and only if
 * the limit is configured.
 */
#include "worker/addr.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct cell {
	uint8_t addr[16];
	uint32_t count;
	uint32_t next; /* in the bucket's chain, or on the free list */
};

struct addrs {
	uint64_t seed;
	uint32_t mask;
	uint32_t high;
	uint32_t free;
	uint32_t most;
	uint32_t *bucket;
	struct cell *cell; /* [0] is never used: ADDR_NONE */
};

struct addrs *addrs_new(uint32_t most)
{
	struct addrs *t = calloc(1, sizeof *t);
	uint32_t buckets = 64;

	if (t == NULL)
		return NULL;
	while (buckets < most && buckets < 1u << 24)
		buckets *= 2;
	t->mask = buckets - 1;
	t->most = most;
	t->high = 1;
	arc4random_buf(&t->seed, sizeof t->seed);
	t->bucket = calloc(buckets, sizeof t->bucket[0]);
	t->cell = calloc((size_t)most + 1, sizeof t->cell[0]);
	if (t->bucket == NULL || t->cell == NULL) {
		addrs_free(t);
		return NULL;
	}
	return t;
}

void addrs_free(struct addrs *t)
{
	if (t == NULL)
		return;
	free(t->bucket);
	free(t->cell);
	free(t);
}

static uint32_t *bucket_of(struct addrs *t, const uint8_t addr[16])
{
	uint64_t half[2], h;

	memcpy(half, addr, sizeof half);
	h = (half[0] ^ t->seed) * 0x9e3779b97f4a7c15u;
	h = (h ^ h >> 29 ^ half[1]) * 0xbf58476d1ce4e5b9u;
	return &t->bucket[(h ^ h >> 32) & t->mask];
}

uint32_t addr_take(struct addrs *t, const uint8_t addr[16], uint32_t limit)
{
	uint32_t *head = bucket_of(t, addr);
	uint32_t i;

	for (i = *head; i != ADDR_NONE; i = t->cell[i].next) {
		if (memcmp(t->cell[i].addr, addr, 16) == 0) {
			if (t->cell[i].count >= limit)
				return ADDR_NONE;
			t->cell[i].count++;
			return i;
		}
	}
	if (t->free != ADDR_NONE) {
		i = t->free;
		t->free = t->cell[i].next;
	} else {
		assert(t->high <= t->most);
		i = t->high++;
	}
	memcpy(t->cell[i].addr, addr, 16);
	t->cell[i].count = 1;
	t->cell[i].next = *head;
	*head = i;
	return i;
}

void addr_drop(struct addrs *t, uint32_t cell)
{
	uint32_t *link;

	assert(cell != ADDR_NONE && t->cell[cell].count > 0);
	if (--t->cell[cell].count > 0)
		return;
	for (link = bucket_of(t, t->cell[cell].addr); *link != cell; link = &t->cell[*link].next)
		;
	*link = t->cell[cell].next;
	t->cell[cell].next = t->free;
	t->free = cell;
}
