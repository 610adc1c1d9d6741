/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Heads as a reverse proxy passes them on: what a client asked, as it goes to a peer, and what a
 * peer answered, as it goes to a client. Written into the caller's buffer from parsed heads: the
 * structs name the bytes and own nothing. Pure: no clock, no log, no allocation.
 *
 * What is of one hop stays there (RFC 9110 7.6.1): Connection and the fields that it names,
 * Keep-Alive, Proxy-Connection, -Authenticate and -Authorization, TE but for "trailers", Upgrade,
 * Expect, HTTP2-Settings; and Proxy, which CGI takes for a setting of its own. Framing is written
 * anew, never copied. A Connection that names a field which is meant for every recipient (Host,
 * lengths, Content-*, Cookie, Authorization, X-Forwarded-*, conditions and ranges, what this file
 * adds itself) does not remove it: that would let one side decide what the other is told by us. One
 * that names more than 32 fields removes all others. Field names are tokens and pass as they are,
 * but x_forwarded_for and its like are always removed, since CGI takes them for X-Forwarded-For; so
 * is what would be taken for a field that the configuration sets or removes. Fields that are not
 * changed keep their order and their places among each other.
 */
#ifndef DROVER_WORKER_HTTP_FORWARD_H
#define DROVER_WORKER_HTTP_FORWARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "worker/http/chunk.h"
#include "worker/http/parse.h"
#include "worker/http/response.h"
#include "worker/settings.h"

/* How the body that follows is framed. */
enum forward_framing {
	FORWARD_NO_BODY, /* no framing field: none needed, or none allowed (1xx, 204) */
	FORWARD_LENGTH,  /* Content-Length: length; also for a body of 0 bytes that is to be said */
	FORWARD_CHUNKED,
	FORWARD_UNTIL_CLOSE /* responses: no framing field either, the end of the connection is the
			       end; the sender says Connection: close */
};

struct forward_request {
	const char *base; /* of req's spans */
	const struct http_request *req;
	const struct location *location; /* rewrite, host_policy, forwarded, request_headers, ... */
	/* The path in normal form (path.h), for location->rewrite; without rewrite it goes unused:
	 * the path is sent as it came. */
	const char *path;
	size_t path_len;
	const char *peer; /* its address as configured: PROXY_HOST_PEER, and where no Host came */
	const char *address; /* the client's, without port and brackets; NULL: no address (unix) */
	const char *scheme;  /* "http" or "https": how the client came */
	bool trusted;        /* the client is one of location->trusted */
	bool upgrade;        /* pass the client's Upgrade on: asked for and allowed */
	/* Where the request came in, with the port, for Forwarded; NULL: not said. That field (RFC
	 * 7239) is written if location->forwarded_form says so, or a believed client sent one. */
	const char *by;
	enum forward_framing framing;
	uint64_t length;
	uint64_t timeout_ms;      /* left for the peer; 0 = not said. It takes the place of what the
				     client said, in grpc-timeout too if there was one */
	const char *timeout_name; /* NULL: X-Request-Timeout-Ms */
	const char
	    *request_id; /* X-Request-Id; takes the place of the client's. NULL: that stays */
	const char *traceparent; /* likewise */
	bool drop_tracestate;    /* it is of another trace than traceparent's */
};

/*
 * The whole head with its blank line. Returns its length, or -1 if it does not fit into size or
 * must not be sent (CONNECT, a setting that is no field's value or path). The connection stays open
 * after it: no Connection field but for upgrades and TE.
 */
int forward_request(char *out, size_t size, const struct forward_request *f);

/*
 * May the client's Upgrade go to the peer, if the location allows upgrades? HTTP/1.1, one protocol
 * that Connection announces, no body; not HTTP/2, whose requests nobody would look at behind us.
 */
bool forward_may_upgrade(const char *base, const struct http_request *req);

struct forward_response {
	const char *base; /* of response's spans */
	const struct http_response *response;
	const struct location *location; /* remove_response, headers; NULL: neither */
	enum forward_framing framing;    /* towards this client */
	uint64_t length;
	/* The request was HEAD: the length is the peer's Content-Length, if it gave one, as
	 * information; so it is with 304, which is seen here. */
	bool head_request;
	const char *date;       /* 29 bytes as in Date, used if the peer sent none; NULL: none */
	const char *request_id; /* X-Request-Id for the client; replaces the peer's; NULL: none */
	const char *set_cookie; /* Set-Cookie of our own, beside those of the peer; NULL: none */
	/*
	 * The end of the head: false: no Connection field and no blank line, as struct reply.head
	 * says, the sender adds them. A 101 always has its Connection: upgrade, so that only the
	 * blank line is to be added, and other 1xx want the blank line alone as well (1xx get no
	 * Via, Date or added headers). True: the blank line is written, after "Connection: close"
	 * or "keep-alive" if connection says so.
	 */
	bool whole;
	const char *connection; /* with whole: "close", "keep-alive", or NULL: no such field */
};

/* Returns the length of the head, or -1 if it does not fit into size, or a setting is no field. */
int forward_response(char *out, size_t size, const struct forward_response *f);

/*
 * How the response's body is to be framed for a client of HTTP/1.minor: by its length if that is
 * known, else in chunks, which an HTTP/1.0 client does not know: then by the end of the connection.
 */
enum forward_framing forward_framing_of(const struct http_response *response,
					enum http_method of_request, int minor);

enum {
	FORWARD_TRAILERS_MAX = CHUNK_EXTRA_MAX + CHUNK_EXTRA_MAX / 4 + 4
};

/*
 * The trailer section of a chunked body at base[0 .. len), behind the last chunk's line (where
 * chunk_decode stopped with CHUNK_TRAILERS): the fields that may be trailers, each with its CRLF,
 * go to out, *out_len bytes, without the blank line. Left out is what frames, routes, authenticates
 * or changes what the head said (RFC 9110 6.5.1). Returns 1: the section is whole, *used bytes with
 * its blank line; 0: more bytes are needed; -1: refused, *refusal says why; CHUNK_EXTRA also if out
 * is too small (FORWARD_TRAILERS_MAX is always enough: a space is put before a value that has
 * none).
 */
int forward_trailers(char *out, size_t size, size_t *out_len, const char *base, size_t len,
		     size_t *used, enum http_refusal *refusal);

/*
 * Milliseconds that the client gives its request, by the field name (any case; NULL:
 * X-Request-Timeout-Ms) or grpc-timeout, the smaller of the two; 0: it says none, or nonsense.
 * Whether it is to be believed is the caller's question.
 */
uint64_t forward_asked_ms(const char *base, const struct http_request *req, const char *name);

#endif
