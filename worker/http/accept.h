/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How much a client wants a media type (RFC 9110 12.5.1). Pure.
 */
#ifndef DROVER_WORKER_HTTP_ACCEPT_H
#define DROVER_WORKER_HTTP_ACCEPT_H

#include "worker/http/parse.h"

/*
 * Weight, 0 to 1000, that the request's Accept fields give to a type that they name in full, such
 * as "text/html" (lower case); -1 if they do not name it. Ranges (with a star) are not looked at:
 * who wants something other than the usual says so. base: of req's spans.
 */
int accept_weight(const char *base, const struct http_request *req, const char *type);

#endif
