/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which encoding of a representation to send (RFC 9110 12.5.3). Pure.
 */
#ifndef DROVER_WORKER_HTTP_ENCODING_H
#define DROVER_WORKER_HTTP_ENCODING_H

#include <stddef.h>

#include "worker/http/parse.h"

/* From the least wanted to the most, where the client likes them equally. */
enum encoding {
	ENCODING_IDENTITY,
	ENCODING_GZIP,
	ENCODING_ZSTD,
	ENCODING_BR,
	ENCODINGS_COUNT
};

/* As in Content-Encoding: "identity", "gzip", "zstd", "br". */
const char *encoding_name(enum encoding e);

/* Suffix of a precompressed file: "", ".gz", ".zst", ".br". */
const char *encoding_suffix(enum encoding e);

/*
 * The best of available (bit 1 << encoding; identity is always available) for the Accept-Encoding
 * fields of the request. Identity if there are none, and also if nothing that the client accepts
 * is there: an answer it may be able to read is better than 406. base: of req's spans.
 */
enum encoding encoding_choose(const char *base, const struct http_request *req, unsigned available);

#endif
