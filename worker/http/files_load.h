/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Fills a variant of a cache entry: opens the file, builds the ready head of its 200 response, and
 * reads the body behind it if it is small. Called by files.c and files_answer.c.
 */
#ifndef DROVER_WORKER_HTTP_FILES_LOAD_H
#define DROVER_WORKER_HTTP_FILES_LOAD_H

#include "worker/http/files_cache.h"

enum {
	FILES_SMALL_BYTES = 16 * 1024, /* up to this a body is kept in memory */
	FILES_PAGE_BYTES = 60 * 1024   /* of a listing: with its head it fits a reply's text */
};

/* r is only worked in. Returns 0, or -1 with errno; ESTALE: the file changes all the time. */
int files_load(struct files_roots *roots, struct openfiles *open, struct reply *r,
	       const struct reply_ctx *ctx, struct files_entry *e, enum encoding which);

/* The same for a folder's listing; page is work space of FILES_PAGE_BYTES. */
int files_load_listing(struct files_roots *roots, struct reply *r, const struct reply_ctx *ctx,
		       struct files_entry *e, char *page);

/*
 * Adds the fields that describe a representation: those of every answer (RFC 9110 15.4.5:
 * Last-Modified, ETag, Vary, Cache-Control), and if there is a body, what is in it.
 */
void files_load_fields(struct reply *r, const struct reply_ctx *ctx, const struct files_entry *e,
		       enum encoding which, bool body);

/* Has it a date to be told? Not a listing; nor a file from the future (RFC 9110 8.8.2.1). */
bool files_load_dated(const struct files_variant *v, const struct clock *c);

#endif
