/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A hash table with open addressing, at most half full. Its keys come from the operator's own
 * files: the hash needs no seed.
 */
#include "master/conf_index.h"

#include <stdint.h>
#include <string.h>

#include "master/pool.h"

struct conf_index_slot {
	const char *key; /* NULL: free */
	size_t len;
	int number;
};

static struct conf_index_slot *find(struct conf_index_slot *slots, size_t room, const void *key,
				    size_t len)
{
	const unsigned char *bytes = key;
	uint64_t hash = UINT64_C(0xcbf29ce484222325); /* FNV-1a */
	size_t i;

	for (size_t n = 0; n < len; n++)
		hash = (hash ^ bytes[n]) * UINT64_C(0x100000001b3);
	for (i = (hash ^ hash >> 32) & (room - 1); slots[i].key != NULL; i = (i + 1) & (room - 1)) {
		if (slots[i].len == len && memcmp(slots[i].key, key, len) == 0)
			break;
	}
	return &slots[i];
}

static void grow(struct conf_index *x)
{
	size_t room = x->room == 0 ? 16 : x->room * 2;
	struct conf_index_slot *slots = pool_array(x->pool, room, sizeof(*slots));

	for (size_t i = 0; i < x->room; i++) {
		const struct conf_index_slot *s = &x->slots[i];

		if (s->key != NULL)
			*find(slots, room, s->key, s->len) = *s;
	}
	x->slots = slots;
	x->room = room;
}

int *conf_index_at(struct conf_index *x, const void *key, size_t len)
{
	struct conf_index_slot *s;

	if (x->used * 2 >= x->room)
		grow(x);
	s = find(x->slots, x->room, key, len);
	if (s->key == NULL) {
		s->key = pool_strndup(x->pool, key, len);
		s->len = len;
		s->number = -1;
		x->used++;
	}
	return &s->number;
}

int *conf_index_text(struct conf_index *x, const char *key)
{
	return conf_index_at(x, key, strlen(key));
}
