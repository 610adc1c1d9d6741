/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A directory as an HTML page: folders first, then files, each with its size and date. Names that
 * could not be requested (dot files, FIFOs, devices, sockets, links that lead outside the root) are
 * left out.
 */
#ifndef DROVER_WORKER_HTTP_LISTING_H
#define DROVER_WORKER_HTTP_LISTING_H

#include <stdbool.h>
#include <stddef.h>

enum {
	LISTING_NAMES_MAX = 10000, /* more are not read */
	LISTING_SIZE_MIN = 8192
};

struct listing {
	int root;         /* descriptor that rel is relative to */
	const char *rel;  /* the directory: "" or "a/b/" */
	const char *path; /* as the client knows it, decoded: the title */
	size_t path_len;
	bool dotfiles; /* show names that begin with a dot */
};

/*
 * Writes the page to out[0 .. size), size >= LISTING_SIZE_MIN, and its length to *len_out. What
 * does not fit is counted in a last line. Returns 0, or -1 with errno.
 */
int listing_write(const struct listing *l, char *out, size_t size, size_t *len_out);

#endif
