/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The path of a request target as the name of something below a root: percent-decoded once, slashes
 * merged, dot segments removed (RFC 3986 5.2.4), in that order, so that an escaped dot is a dot.
 * Refused: a bad escape, a control character (NUL among them) and '/' in an escape, bytes that are
 * not UTF-8 in its shortest form, a path that does not begin with '/' or climbs above the root. A
 * backslash is a byte like others. Pure: no allocation; out may not overlap path.
 */
#ifndef DROVER_WORKER_HTTP_PATH_H
#define DROVER_WORKER_HTTP_PATH_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Writes the normal form of path[0 .. len) to out (NUL-terminated, begins with '/', a trailing
 * slash is kept, "/a/." and "/a/.." end in a slash) and its length to *out_len. An empty path
 * counts as
 * "/". Returns 0, or -1 if the path is refused, or if it or what it is made from, segment by
 * segment, is longer than size - 1. Common case (no '%', no "//", no "/."): one pass that copies.
 */
int path_normalise(const char *path, size_t len, char *out, size_t size, size_t *out_len);

/*
 * Has a segment that begins with a dot (after normalising)? ".well-known" as the first segment does
 * not count (RFC 8615).
 */
bool path_has_dotfile(const char *path);

/*
 * Writes path with every byte that RFC 3986 does not allow in a path percent-encoded ('/' kept),
 * and a NUL. Returns the length without it, or -1 if it does not fit.
 */
int path_encode(const char *path, size_t len, char *out, size_t size);

#endif
