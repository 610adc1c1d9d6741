/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Cookies in a request's Cookie field (RFC 6265 4.2.1): name=value pairs with "; " between them,
 * values perhaps in double quotes. Pure; nothing is copied.
 */
#ifndef DROVER_WORKER_HTTP_COOKIE_H
#define DROVER_WORKER_HTTP_COOKIE_H

#include <stdbool.h>
#include <stddef.h>

/*
 * The value of the next cookie of exactly this name at or behind *at in field[0 .. len), without
 * its quotes; *at is then behind it. Begin with *at = 0. Returns NULL if there is none.
 */
const char *cookie_next(const char *field, size_t len, size_t *at, const char *name,
			size_t *value_len_out);

#endif
