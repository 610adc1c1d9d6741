/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The head of a peer's response, parsed in place as strictly as a request (worker/http/parse.h):
 * nothing is copied or changed, all results are offsets into the caller's bytes. Pure: no clock, no
 * log, no allocation. RFC 9112 4 to 6. Where the RFCs leave a choice:
 * - Nothing may stand before the status line, not even an empty line, which HTTP/1.0 peers that
 *   miscount a body send: it cannot be told from a rest of the answer before it. HTTP/0.9 is junk.
 * - The reason may be missing together with its space: "HTTP/1.1 200" means the same to everyone.
 * - Content-Length and Transfer-Encoding as in requests: one field, digits up to 2^63 - 1,
 * "chunked" alone and only in HTTP/1.1, never both; the rule does not look at the status, but that
 *   Transfer-Encoding in 1xx and 204 is a fault too (RFC 9112 6.1).
 */
#ifndef DROVER_WORKER_HTTP_RESPONSE_H
#define DROVER_WORKER_HTTP_RESPONSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "worker/http/parse.h"

/* Why a response is refused, with a name for a line of the log: "bad <name>". */
#define HTTP_FAULT_LIST(X)                     \
	X(STATUS_LINE, "status line")          \
	X(VERSION, "version")                  \
	X(STATUS, "status")                    \
	X(LINE, "line end")                    \
	X(FIELD_NAME, "field name")            \
	X(FIELD_VALUE, "field value")          \
	X(FOLDING, "folding")                  \
	X(LENGTH, "length")                    \
	X(TRANSFER_CODING, "transfer coding")  \
	X(FRAMING, "framing")                  \
	X(TOO_MANY_FIELDS, "number of fields") \
	X(HEAD_TOO_LARGE, "size of the head")

enum http_fault {
	HTTP_FAULT_NONE,
#define X(sym, text) HTTP_FAULT_##sym,
	HTTP_FAULT_LIST(X)
#undef X
	HTTP_FAULTS
};

/*
 * Fields of responses that the proxy itself reads, the hop-by-hop ones first: http_field.id of a
 * response is one of these, not of enum http_field_id.
 */
#define HTTP_RESPONSE_FIELDS(X)                     \
	X(CONNECTION, "connection")                 \
	X(KEEP_ALIVE, "keep-alive")                 \
	X(PROXY_CONNECTION, "proxy-connection")     \
	X(PROXY_AUTHENTICATE, "proxy-authenticate") \
	X(TE, "te")                                 \
	X(TRAILER, "trailer")                       \
	X(UPGRADE, "upgrade")                       \
	X(TRANSFER_ENCODING, "transfer-encoding")   \
	X(CONTENT_LENGTH, "content-length")         \
	X(DATE, "date")                             \
	X(SERVER, "server")                         \
	X(SET_COOKIE, "set-cookie")                 \
	X(LOCATION, "location")                     \
	X(RETRY_AFTER, "retry-after")               \
	X(CONTENT_TYPE, "content-type")

enum http_response_field_id {
#define X(sym, text) HTTP_R_##sym,
	HTTP_RESPONSE_FIELDS(X)
#undef X
	HTTP_R_OTHER
};

struct http_response {
	uint16_t status; /* 100 to 599 */
	uint8_t minor;   /* HTTP/1.minor: 0 or 1; a higher one counts as 1 */
	/*
	 * The connection may be used again after this response, by version and Connection. A body
	 * that ends with the connection forbids it all the same: look at http_response_body too.
	 * False as well if a 1xx or 204 gives a length other than 0: who knows what follows it.
	 */
	bool keep_alive;
	bool chunked;      /* Transfer-Encoding: chunked was given */
	bool has_length;   /* Content-Length was given */
	bool upgrade;      /* Connection names upgrade, and there is an Upgrade with a value */
	uint32_t head_len; /* bytes of the head with its blank line */
	uint64_t content_length;
	struct http_span reason;
	struct http_span known[HTTP_R_OTHER]; /* value of the first of each; off 0 = absent */
	uint32_t known_several;               /* a bit for each id that came more than once */
	uint16_t fields;
	struct http_field field[HTTP_FIELDS_MAX]; /* the first fields of them are set */
};

/*
 * Parses the head at base[0 .. len) within limits->max_header and max_fields. *scanned is what
 * http_parse's is: 0 for a new head, updated by each call. Returns 1: the head is whole, *r is
 * filled; 0: more bytes are needed; -1: refused, *fault says why. A 1xx is a response of its own:
 * the next one begins at base + head_len.
 */
int http_parse_response(const char *base, size_t len, const struct http_limits *limits,
			uint32_t *scanned, struct http_response *r, enum http_fault *fault);

/* "status line", and so on; "none" for HTTP_FAULT_NONE. */
const char *http_fault_name(enum http_fault fault);

enum http_body_kind {
	HTTP_BODY_NONE,
	HTTP_BODY_LENGTH, /* content_length bytes, perhaps 0 */
	HTTP_BODY_CHUNKED,
	HTTP_BODY_UNTIL_CLOSE
};

const char *http_body_kind_name(enum http_body_kind kind);

/*
 * What follows the head (RFC 9112 6.3): nothing after HEAD, 1xx, 204, 304 and a 2xx to CONNECT,
 * whatever lengths they give. After a 101 come the bytes of the other protocol.
 */
enum http_body_kind http_response_body(const struct http_response *r, enum http_method of_request);

#endif
