/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Media types by file name extension: /etc/mime.types over a built-in table.
 */
#ifndef DROVER_WORKER_HTTP_MIME_H
#define DROVER_WORKER_HTTP_MIME_H

#include <stddef.h>

struct mime;

/* path may be NULL or missing: the built-in table alone (a missing file sets errno ENOENT and still
 * returns a table). NULL if memory is out. */
struct mime *mime_load(const char *path);
void mime_free(struct mime *m);

/* Type for a file name by its last extension, any case; fallback if it has none or an unknown one.
 * Text types get "; charset=utf-8". */
const char *mime_type(const struct mime *m, const char *name, size_t len, const char *fallback);

#endif
