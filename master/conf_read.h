/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reads a regular file whole. A FIFO, device or socket is refused and never waited for.
 */
#ifndef DROVER_MASTER_CONF_READ_H
#define DROVER_MASTER_CONF_READ_H

#include <stddef.h>
#include <sys/stat.h>

struct pool;

/*
 * Returns the content, with a NUL behind it that *len does not count, or NULL with errno: also
 * EISDIR, ENXIO (neither file nor directory) and EFBIG (more than max bytes). st may be NULL.
 */
char *conf_read(struct pool *pool, const char *path, size_t max, size_t *len, struct stat *st);

/* strerror(), with words of its own for the three above. */
const char *conf_read_why(int error);

#endif
