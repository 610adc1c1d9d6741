/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Static files (RFC 9110 sections 8, 13, 14): the open-file cache and the replies made from it. One
 * cache a worker. A cached file holds its descriptor, metadata, the ready response head and, if it
 * is small, the body behind it in one piece; it is revalidated at most once a second.
 */
#ifndef DROVER_WORKER_HTTP_FILES_H
#define DROVER_WORKER_HTTP_FILES_H

#include "worker/http/reply.h"
#include "worker/openfile.h"

struct files;

/*
 * max: most entries (0 = no caching: files are opened for each request). small: files up to this
 * many bytes are kept in memory (default 16 KiB). Counters of the worker's board row:
 * file_cache_hits, file_cache_misses, file_cache_entries, file_errors.
 */
struct files *files_new(const struct settings *s, struct openfiles *open, struct worker_row *row);
void files_free(struct files *f);

/* Frees a cache whose descriptors are not this process's to close any more: they may be others by
 * now. */
void files_abandon(struct files *f);

/*
 * Answers GET and HEAD for LOCATION_FILES into *r (always fills it: 200, 206, 301, 304, 403, 404,
 * 412, 416, 500, 503 where descriptors are out). Other methods are the caller's to refuse. The hot
 * path (cached, unconditional, no Range, nothing to negotiate) costs a hash look-up and sets
 * r->head to the ready piece.
 */
void files_reply(struct files *f, struct reply *r, const struct reply_ctx *ctx);

/*
 * Where the path at ctx leads below its location's root, as files_reply() would find it: the
 * status, and with 200 the name of the file, or of the folder to be listed, in rel.
 */
int files_seek(struct files *f, const struct reply_ctx *ctx, char *rel, size_t size);

/* Once a second: forgets files not used for a while (a minute), so that descriptors go back.
 * Bounded work a call. */
void files_tick(struct files *f, const struct clock *c);

/* Closes every cached descriptor that no response uses (descriptors are short). Returns how many.
 */
unsigned files_release(struct files *f);

#endif
