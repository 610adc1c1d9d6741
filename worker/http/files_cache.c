/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Book-keeping of the file cache: buckets, order of use, burial. Knows nothing of HTTP and opens
 * nothing; it only closes what its entries hold. Finding is inline in the header, for it is done
 * for every request.
 */
#include "worker/http/files_cache.h"

#include <assert.h>
#include <stdlib.h>

#include "shm/board.h"

int files_cache_init(struct files_cache *c, uint32_t max, struct openfiles *open,
		     uint64_t *entries_gauge)
{
	uint64_t buckets = 1;

	while (buckets < max)
		buckets *= 2;
	*c = (struct files_cache){.mask = buckets - 1, .open = open, .entries = entries_gauge};
	c->bucket = calloc(buckets, sizeof(*c->bucket));
	if (c->bucket == NULL)
		return -1;
	arc4random_buf(c->seed, sizeof(c->seed));
	for (int i = 0; i < FILES_CLASSES; i++)
		TAILQ_INIT(&c->order[i]);
	c->limit[FILES_BRIEF] = max / 4;
	c->limit[FILES_KEPT] = max - max / 4;
	return 0;
}

static void entry_free(struct files_cache *c, struct files_entry *e)
{
	for (uint32_t i = 0; i < e->variants; i++) {
		if (e->variant[i].file != OPENFILE_NONE)
			openfile_unref(c->open, e->variant[i].file);
		free(e->variant[i].block);
	}
	free(e);
}

/* The one place that changes an entry's class. */
static void set_class(struct files_cache *c, struct files_entry *e, enum files_class class)
{
	TAILQ_REMOVE(&c->order[e->class], e, order);
	c->count[e->class]--;
	e->class = class;
	TAILQ_INSERT_HEAD(&c->order[class], e, order);
	c->count[class]++;
}

static void count_entries(const struct files_cache *c)
{
	board_set(c->entries, c->count[FILES_KEPT] + c->count[FILES_BRIEF]);
}

void files_cache_free(struct files_cache *c)
{
	for (int i = FILES_KEPT; i < FILES_BURIED; i++) {
		while (!TAILQ_EMPTY(&c->order[i]))
			files_cache_drop(c, TAILQ_FIRST(&c->order[i]));
	}
	files_cache_bury(c);
	free(c->bucket);
}

void files_cache_abandon(struct files_cache *c)
{
	struct files_entry *e;

	for (int i = FILES_KEPT; i <= FILES_BURIED; i++) {
		TAILQ_FOREACH (e, &c->order[i], order) {
			for (uint32_t v = 0; v < e->variants; v++)
				e->variant[v].file = OPENFILE_NONE;
		}
	}
}

struct files_entry *files_cache_make(const struct location *loc, const char *path, size_t path_len,
				     const struct files_found *found)
{
	uint32_t variants = found->status != 200 ? 0
			    : found->listing     ? 1
			    : loc->precompressed ? ENCODINGS_COUNT
						 : 1;
	size_t bytes = variants * sizeof(struct files_variant);
	struct files_entry *e = calloc(1, sizeof(*e) + bytes + path_len + 1 + found->rel_len + 1);

	if (e == NULL)
		return NULL;
	e->location = loc;
	e->status = found->status;
	e->listing = found->listing;
	e->variants = variants;
	for (uint32_t i = 0; i < variants; i++) {
		e->variant[i].file = OPENFILE_NONE;
		e->variant[i].present = (found->present & 1u << i) != 0;
		if (e->variant[i].present)
			e->variant[i].stamp = found->stamp[i];
	}
	e->path = (char *)&e->variant[variants];
	e->path_len = (uint32_t)path_len;
	memcpy(e->path, path, path_len);
	e->rel = e->path + path_len + 1;
	e->rel_len = found->rel_len;
	memcpy(e->rel, found->rel, found->rel_len);
	return e;
}

void files_cache_add(struct files_cache *c, struct files_entry *e, uint64_t hash)
{
	enum files_class class = e->status == 200 && !e->listing ? FILES_KEPT : FILES_BRIEF;
	struct files_entry **bucket = &c->bucket[hash & c->mask];

	e->class = c->limit[class] > 0 ? class : FILES_BURIED;
	if (e->class != FILES_BURIED) {
		if (c->count[class] == c->limit[class])
			files_cache_drop(c, TAILQ_LAST(&c->order[class], files_order));
		e->hash = hash;
		e->next = *bucket;
		*bucket = e;
	}
	TAILQ_INSERT_HEAD(&c->order[e->class], e, order);
	c->count[e->class]++;
	count_entries(c);
}

void files_cache_drop(struct files_cache *c, struct files_entry *e)
{
	struct files_entry **at = &c->bucket[e->hash & c->mask];

	if (e->class == FILES_BURIED)
		return;
	while (*at != e) {
		assert(*at != NULL);
		at = &(*at)->next;
	}
	*at = e->next;
	set_class(c, e, FILES_BURIED);
	count_entries(c);
}

void files_cache_touch(struct files_cache *c, struct files_entry *e, uint64_t now_us)
{
	e->checked_us = now_us;
	set_class(c, e, e->class);
}

void files_cache_bury(struct files_cache *c)
{
	struct files_entry *e;

	while ((e = TAILQ_FIRST(&c->order[FILES_BURIED])) != NULL) {
		TAILQ_REMOVE(&c->order[FILES_BURIED], e, order);
		entry_free(c, e);
	}
	c->count[FILES_BURIED] = 0;
}

void files_cache_age(struct files_cache *c, uint64_t before_us, unsigned most)
{
	for (int i = FILES_KEPT; i < FILES_BURIED; i++) {
		struct files_entry *e;

		while (most > 0 && (e = TAILQ_LAST(&c->order[i], files_order)) != NULL &&
		       e->checked_us < before_us) {
			files_cache_drop(c, e);
			most--;
		}
	}
}

static unsigned close_unused(struct files_cache *c, struct files_entry *e)
{
	unsigned closed = 0;

	for (uint32_t i = 0; i < e->variants; i++) {
		uint32_t file = e->variant[i].file;

		if (file == OPENFILE_NONE || c->open->file[file].refs > 1)
			continue;
		openfile_unref(c->open, file);
		e->variant[i].file = OPENFILE_NONE;
		closed++;
	}
	return closed;
}

unsigned files_cache_release(struct files_cache *c)
{
	unsigned closed = 0, here;
	struct files_entry *e, *next;

	for (e = TAILQ_FIRST(&c->order[FILES_BURIED]); e != NULL; e = TAILQ_NEXT(e, order))
		closed += close_unused(c, e);
	for (e = TAILQ_FIRST(&c->order[FILES_KEPT]); e != NULL; e = next) {
		next = TAILQ_NEXT(e, order);
		here = close_unused(c, e);
		closed += here;
		if (here > 0)
			files_cache_drop(c, e);
	}
	return closed;
}
