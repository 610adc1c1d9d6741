/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The table of what is known of paths: by location and normalised path, least recently used out
 * first. Two classes with room of their own, so that asking for names that do not exist cannot push
 * out files that do: KEPT (files, three quarters) and BRIEF (what holds for a second only: not
 * found, forbidden, redirects, listings). What leaves the table is buried and freed a turn later,
 * since a reply of this turn may still point into it. Called by files.c alone.
 */
#ifndef DROVER_WORKER_HTTP_FILES_CACHE_H
#define DROVER_WORKER_HTTP_FILES_CACHE_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/queue.h>
#include <time.h>

#include "worker/http/files_find.h"
#include "worker/openfile.h"

enum files_class {
	FILES_KEPT,
	FILES_BRIEF,
	FILES_BURIED,
	FILES_CLASSES
};

/* One representation of a file, loaded when it is first asked for. */
struct files_variant {
	struct file_stamp stamp;
	bool present; /* it was there when last looked */
	bool whole;   /* in block, the body follows the head and its blank line */
	bool young;   /* the file was changed so shortly before it was loaded that a further change
			 may not show in its times: to be loaded again when next checked */
	char *block;  /* owned; status line and fields; NULL: not loaded yet */
	uint32_t head_len; /* without the blank line */
	uint32_t date_off; /* of the Date value in block */
	time_t date;       /* the second it was written for */
	uint32_t file;     /* one reference; OPENFILE_NONE if whole or not loaded */
	uint64_t size;
	char etag[48]; /* with quotes; "" for a listing */
};

struct files_entry {
	struct files_entry *next; /* in its bucket */
	uint64_t hash;
	const struct location *location;
	uint64_t checked_us;         /* when the disk was last asked */
	struct files_variant *ready; /* what to answer where nothing is to be negotiated: loaded;
					or NULL */
	TAILQ_ENTRY(files_entry) order;
	enum files_class class;
	uint32_t path_len, rel_len;
	int status; /* as files_found's */
	bool listing;
	const char *type; /* media type, or NULL */
	char *path;       /* in this allocation, as is rel */
	char *rel;
	uint32_t variants; /* 1, or ENCODINGS_COUNT; 0 without a file */
	struct files_variant variant[];
};

TAILQ_HEAD(files_order, files_entry);

struct files_cache {
	struct files_entry **bucket;
	uint64_t mask;
	uint64_t seed[3];
	struct files_order order[FILES_CLASSES]; /* most recently used first */
	uint32_t count[FILES_CLASSES];
	uint32_t limit[FILES_CLASSES]; /* count[c] <= limit[c], but for the buried */
	uint64_t turn_us;              /* when the buried were buried */
	struct openfiles *open;
	uint64_t *entries; /* gauge */
};

/* 0, or -1 if memory is out. max 0: nothing is kept beyond its turn. */
int files_cache_init(struct files_cache *c, uint32_t max, struct openfiles *open,
		     uint64_t *entries_gauge);
void files_cache_free(struct files_cache *c);
/* The descriptors of its entries are not this process's any more. */
void files_cache_abandon(struct files_cache *c);

/* A new entry for a path, not in the table yet: status, variants and their stamps as found. NULL:
 * memory is out. */
struct files_entry *files_cache_make(const struct location *loc, const char *path, size_t path_len,
				     const struct files_found *found);

/* Puts it in, for good or (no room for its class) until the end of the turn. */
void files_cache_add(struct files_cache *c, struct files_entry *e, uint64_t hash);

/* Takes it out. It stays readable until the end of the turn. */
void files_cache_drop(struct files_cache *c, struct files_entry *e);

/* It was checked, and is in use. */
void files_cache_touch(struct files_cache *c, struct files_entry *e, uint64_t now_us);

/* Frees what was buried in an earlier turn. */
void files_cache_bury(struct files_cache *c);

/* Drops entries not checked since before_us, at most `most` of them. */
void files_cache_age(struct files_cache *c, uint64_t before_us, unsigned most);

/* Drops entries whose descriptors nobody else refers to, and closes those. Returns how many. */
unsigned files_cache_release(struct files_cache *c);

static inline uint64_t files_cache_mix(uint64_t a, uint64_t b)
{
	__uint128_t product = (__uint128_t)a * b;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static inline uint64_t files_cache_load(const char *p, size_t bytes)
{
	uint64_t word = 0;

	memcpy(&word, p, bytes);
	return word;
}

/* Multiplies and folds 16 bytes a step under a secret seed (as wyhash does): nobody outside can
 * choose paths that collide. */
static inline uint64_t files_cache_hash(const struct files_cache *c, const struct location *loc,
					const char *path, size_t len)
{
	uint64_t h = c->seed[0] ^ len, a = 0, b = 0;

	for (; len > 16; path += 16, len -= 16)
		h = files_cache_mix(files_cache_load(path, 8) ^ c->seed[1],
				    files_cache_load(path + 8, 8) ^ h);
	if (len >= 8) {
		a = files_cache_load(path, 8);
		b = files_cache_load(path + len - 8, 8);
	} else if (len >= 4) {
		a = files_cache_load(path, 4);
		b = files_cache_load(path + len - 4, 4);
	} else if (len > 0) {
		a = (uint64_t)(unsigned char)path[0] << 16 |
		    (uint64_t)(unsigned char)path[len / 2] << 8 | (unsigned char)path[len - 1];
	}
	h = files_cache_mix(a ^ c->seed[1], b ^ h);
	return files_cache_mix(h ^ (uintptr_t)loc, c->seed[2]);
}

static inline struct files_entry *files_cache_find(const struct files_cache *c,
						   const struct location *loc, const char *path,
						   size_t len, uint64_t hash)
{
	struct files_entry *e = c->bucket[hash & c->mask];

	while (e != NULL && (e->hash != hash || e->location != loc || e->path_len != len ||
			     memcmp(e->path, path, len) != 0))
		e = e->next;
	return e;
}

/* A turn begins with the first call for its time. */
static inline void files_cache_turn(struct files_cache *c, uint64_t now_us)
{
	if (c->turn_us != now_us) {
		c->turn_us = now_us;
		if (c->count[FILES_BURIED] > 0)
			files_cache_bury(c);
	}
}

#endif
