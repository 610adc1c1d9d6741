/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Opens what lies below a root directory, and nothing else: neither "..", nor an absolute symbolic
 * link, nor a link that climbs out of the root, nor a link of /proc leads outside. Links that stay
 * below the root are followed. All descriptors are close-on-exec; opening never waits for anybody
 * (O_NONBLOCK) and never takes a terminal.
 */
#ifndef DROVER_WORKER_HTTP_OPEN_H
#define DROVER_WORKER_HTTP_OPEN_H

#include <sys/stat.h>

/* The root itself: a path-only descriptor of a directory. -1 with errno. */
int open_root(const char *path);

/*
 * rel: relative to the root, "" is the root itself; flags: O_RDONLY or O_PATH, and O_DIRECTORY.
 * Returns a descriptor, or -1 with errno: EXDEV (or ELOOP) if the way leads outside.
 */
int open_below(int root, const char *rel, int flags);

/* The same without openat2(2), for kernels and containers that have none: open_below() falls back
 * to it by itself. */
int open_walk(int root, const char *rel, int flags);

/* What is there, without opening it: no device or FIFO notices. 0, or -1 with errno. */
int open_stat(int root, const char *rel, struct stat *st_out);

#endif
