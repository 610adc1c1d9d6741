/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a request's path stands for on the disk: a file, a folder's index file, a listing, or
 * nothing. Looks, but opens nothing that is not a regular file. Called by files.c alone.
 */
#ifndef DROVER_WORKER_HTTP_FILES_FIND_H
#define DROVER_WORKER_HTTP_FILES_FIND_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <time.h>

#include "worker/http/encoding.h"
#include "worker/http/reply.h"

/* What tells one content of a file from another. */
struct file_stamp {
	uint64_t dev, ino;
	int64_t size;
	int64_t mtime_ns;
	int64_t ctime_ns;
};

/*
 * Descriptors of the locations' directories, opened when first needed. A directory that was
 * replaced (a release switched by a symbolic link) is noticed within a second.
 */
struct files_root {
	int fd; /* -1: not open */
	uint64_t dev, ino;
	uint64_t checked_us;
};

struct files_roots {
	const struct settings *settings;
	struct files_root *root; /* of all locations of all servers */
	uint32_t *first;         /* by server: index of its location 0 */
	uint32_t count;
	uint32_t next_look; /* where files_find_tick goes on */
};

struct files_found {
	/* 200; 301: a folder without its slash; or 403, 404, 500, 503 */
	int status;
	int error;          /* errno behind the status, or 0 */
	bool no_root;       /* it was the location's directory that could not be opened */
	bool listing;       /* 200, and it is a folder to be listed */
	char rel[PATH_MAX]; /* below the root, index name included */
	uint32_t rel_len;
	unsigned present; /* bit 1 << encoding: of the file and its precompressed siblings */
	struct file_stamp stamp[ENCODINGS_COUNT]; /* of those */
};

/* 0, or -1 if memory is out. */
int files_find_init(struct files_roots *roots, const struct settings *s);
void files_find_free(struct files_roots *roots);
/* Their descriptors are not this process's any more. */
void files_find_abandon(struct files_roots *roots);

void files_find(struct files_roots *roots, const struct reply_ctx *ctx, struct files_found *out);

/* The status that answers an errno of opening or reading. */
int files_find_status(int error);

/* The descriptor of the location's directory; -1 with errno. Valid until the next call of any of
 * these. */
int files_find_root(struct files_roots *roots, const struct reply_ctx *ctx);

void files_find_stamp(const struct stat *st, struct file_stamp *out);
bool files_find_same(const struct file_stamp *a, const struct file_stamp *b);
/* Last-Modified: the second of mtime. */
time_t files_find_date(const struct file_stamp *stamp);

/* Closes directories not asked for within idle_us; looks at a few each call. */
void files_find_tick(struct files_roots *roots, uint64_t now_us, uint64_t idle_us);

/* Closes all of them. Returns how many. */
unsigned files_find_release(struct files_roots *roots);

#endif
