/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The request head, parsed in place: nothing is copied or changed, all results are offsets into the
 * caller's bytes. Pure: no clock, no log, no allocation. RFC 9112 (message syntax) and RFC 9110
 * (fields), strictly: what two readers could understand differently is refused. Where the RFCs
 * leave a choice:
 * - Target: visible ASCII without '#'. The path part does not hold " < > \ ` { } either, which no
 *   browser sends there; the query may, since they are often sent raw in it. Escapes are path.h's.
 * - Host: a name (letters, digits, - . _ ~ ! $ & ' ( ) * + ; =, not first a dot; no comma, which
 * may be two fields made one, and no escapes) of 255 bytes at most, or an IPv6 address in brackets;
 *   then at most ':' and up to five digits that make a port. An empty Host is refused: no target
 *   that this server answers lacks an authority. In HTTP/1.0 Host may be missing.
 * - Content-Length: one field, one number of at most 2^63 - 1; also a repeated equal value is
 *   refused. Transfer-Encoding: one field that says "chunked", in HTTP/1.1, without Content-Length.
 */
#ifndef DROVER_WORKER_HTTP_PARSE_H
#define DROVER_WORKER_HTTP_PARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shm/fields.h"

enum http_refusal {
	HTTP_ACCEPTED,
	REFUSALS(NAMED_SYMBOL, HTTP_REFUSED_) HTTP_REFUSALS
};

enum http_method {
	HTTP_GET,
	HTTP_HEAD,
	HTTP_POST,
	HTTP_PUT,
	HTTP_DELETE,
	HTTP_OPTIONS,
	HTTP_PATCH,
	HTTP_TRACE,
	HTTP_CONNECT,
	HTTP_OTHER
};

/* A piece of the head: base[off .. off + len). */
struct http_span {
	uint32_t off;
	uint32_t len;
};

/*
 * Field names that the server itself reads; all others are HTTP_F_OTHER. At most one name is of the
 * same length and the same first letter, but for if-range and if-match: parse.c tells them apart
 * so.
 */
#define HTTP_KNOWN_FIELDS(X)                          \
	X(HOST, "host")                               \
	X(CONNECTION, "connection")                   \
	X(CONTENT_LENGTH, "content-length")           \
	X(TRANSFER_ENCODING, "transfer-encoding")     \
	X(EXPECT, "expect")                           \
	X(RANGE, "range")                             \
	X(IF_RANGE, "if-range")                       \
	X(IF_MATCH, "if-match")                       \
	X(IF_NONE_MATCH, "if-none-match")             \
	X(IF_MODIFIED_SINCE, "if-modified-since")     \
	X(IF_UNMODIFIED_SINCE, "if-unmodified-since") \
	X(ACCEPT_ENCODING, "accept-encoding")         \
	X(REFERER, "referer")                         \
	X(USER_AGENT, "user-agent")                   \
	X(AUTHORIZATION, "authorization")             \
	X(UPGRADE, "upgrade")                         \
	X(X_FORWARDED_FOR, "x-forwarded-for")         \
	X(X_REQUEST_ID, "x-request-id")               \
	X(TRACEPARENT, "traceparent")

enum http_field_id {
#define X(sym, text) HTTP_F_##sym,
	HTTP_KNOWN_FIELDS(X)
#undef X
	HTTP_F_OTHER
};

struct http_field {
	struct http_span name;
	struct http_span value; /* without leading and trailing white space */
	uint8_t id;             /* enum http_field_id */
};

enum {
	HTTP_FIELDS_MAX = 128
};

/* Limits of one server section; max_fields <= HTTP_FIELDS_MAX. */
struct http_limits {
	uint32_t max_header; /* bytes of the whole head, blank line included */
	uint32_t max_uri;    /* bytes of the request target */
	uint32_t max_fields;
};

struct http_request {
	uint8_t method;  /* enum http_method */
	uint8_t minor;   /* HTTP/1.minor: 0 or 1; a higher one counts as 1 (RFC 9110 2.5) */
	bool keep_alive; /* from version and Connection (RFC 9112 9.3) */
	/* Connection: close, or HTTP/1.0 without keep-alive: the client sends no more. */
	bool close_requested;
	bool chunked;    /* the body is in chunks */
	bool has_length; /* Content-Length was given */
	/* Expect: 100-continue; HTTP/1.1 only (ignored in 1.0, RFC 9110 10.1.1). */
	bool expect_continue;
	/* absolute-form: host comes from the target and overrides Host (RFC 9112 3.2.2). */
	bool absolute;
	uint32_t head_len; /* bytes of the head with its blank line: the body begins here */
	uint64_t content_length;
	struct http_span method_text;
	struct http_span target; /* as sent */
	/*
	 * Of origin-form and absolute-form (where it may be empty), '/' first unless empty; "*" of
	 * OPTIONS *; the authority of CONNECT, whose port is given.
	 */
	struct http_span path;
	struct http_span query; /* after '?', without it; len 0 if there is none */
	/* Without port, as sent (any case), [v6] with its brackets; len 0 if there is none. */
	struct http_span host;
	struct http_span known[HTTP_F_OTHER]; /* value of the first of each; off 0 = absent */
	uint16_t fields;
	/* A bit for each id that came more than once; its values are in field[], to be joined. */
	uint32_t known_several;
	struct http_field field[HTTP_FIELDS_MAX]; /* the first fields of them are set */
};

/*
 * Parses the head at base[0 .. len). *scanned says how many bytes earlier calls on the same head
 * have seen without finding its end (0 at first; updated, and 0 again when the head is whole), so
 * that a head that trickles in costs linear time.
 * Returns 1: the head is whole, *req is filled; 0: more bytes are needed, *req means nothing;
 * -1: refused, *refusal says why, and of *req method_text and target are set if they were read, len
 * 0 if not, so that the refusal can be logged.
 * One empty line (CRLF) before the request line is skipped (RFC 9112 2.2) and counts as part of the
 * head: offsets stay relative to base. The verdict does not depend on the pieces in which the head
 * comes, but may wait for more of it: control characters and exceeded limits are refused at once, a
 * bad request line at the latest when the line is whole, other faults when the head is. A head that
 * is not whole when len reaches max_header is too large.
 */
int http_parse(const char *base, size_t len, const struct http_limits *limits, uint32_t *scanned,
	       struct http_request *req, enum http_refusal *refusal);

/* Status that answers a refusal (0 for HTTP_ACCEPTED), and its name: the counter is refused_<name>.
 */
int http_refusal_status(enum http_refusal refusal);
const char *http_refusal_name(enum http_refusal refusal);

/* "GET", and so on; "other" for HTTP_OTHER, whose name is method_text. */
const char *http_method_name(enum http_method method);

/*
 * Case-insensitive: does the comma-separated list, a field's value, hold the token (ASCII lower
 * case) as one whole element? An element with parameters is not equal to its token.
 */
bool http_list_has(const char *list, size_t len, const char *token);

#endif
