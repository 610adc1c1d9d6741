/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tests worker/http/forward_*.c: heads as they go on to a peer or a client, byte for byte, and what
 * of them may never go on. Whatever is written is read again by the parsers.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "worker/http/forward.h"

#define ROWS(t) ((int)(sizeof(t) / sizeof(t)[0]))

static const struct http_limits limits = {16384, 8192, HTTP_FIELDS_MAX};

/* What most rows are made with. */
static const struct location keep = {.path = "/", .path_len = 1};
static const struct location append = {
    .path = "/", .path_len = 1, .forwarded = PROXY_FORWARDED_APPEND};
static const struct location off_both = {.path = "/",
					 .path_len = 1,
					 .forwarded = PROXY_FORWARDED_OFF,
					 .forwarded_form = PROXY_FORM_BOTH};
static const struct location keep_both = {
    .path = "/", .path_len = 1, .forwarded_form = PROXY_FORM_BOTH};
static const struct location rfc7239 = {
    .path = "/", .path_len = 1, .forwarded_form = PROXY_FORM_RFC7239};
static const struct location quiet = {
    .path = "/", .path_len = 1, .forwarded = PROXY_FORWARDED_OFF, .via = ""};
static const struct location named = {
    .path = "/", .path_len = 1, .forwarded = PROXY_FORWARDED_OFF, .via = "edge-1"};
static const struct location off = {.path = "/", .path_len = 1, .forwarded = PROXY_FORWARDED_OFF};
static const struct location to_peer = {
    .path = "/", .path_len = 1, .host_policy = PROXY_HOST_PEER, .forwarded = PROXY_FORWARDED_OFF};
static const struct location to_fixed = {.path = "/",
					 .path_len = 1,
					 .host_policy = PROXY_HOST_FIXED,
					 .host = "in.example",
					 .forwarded = PROXY_FORWARDED_OFF};
static const struct location to_root = {
    .path = "/api/", .path_len = 5, .rewrite = "/", .forwarded = PROXY_FORWARDED_OFF};
static const struct location to_v2 = {
    .path = "/api", .path_len = 4, .rewrite = "/v2/", .forwarded = PROXY_FORWARDED_OFF};
static const struct location to_nothing = {
    .path = "/api", .path_len = 4, .rewrite = "", .forwarded = PROXY_FORWARDED_OFF};
static const struct location to_one = {.path = "/api",
				       .path_len = 4,
				       .exact = true,
				       .rewrite = "/one",
				       .forwarded = PROXY_FORWARDED_OFF};
static const struct location to_break = {
    .path = "/", .path_len = 1, .rewrite = "/a HTTP/1.1\r\nX: ", .forwarded = PROXY_FORWARDED_OFF};

static const char *removed[] = {"x-secret", "cookie", "host", "x_under", "via", NULL};
static struct header_setting set[] = {{"X-Env", "prod", false},
				      {"authorization", "Basic eA==", false},
				      {"X-Forwarded-Proto", "https", false},
				      {"Content-Length", "99", true},
				      {"Connection", "close", true}};
static const struct location changing = {.path = "/",
					 .path_len = 1,
					 .remove_request = removed,
					 .request_headers = set,
					 .request_headers_count = 5};
static struct header_setting set_host[] = {{"Host", "set.example", false}};
static const struct location setting_host = {.path = "/",
					     .path_len = 1,
					     .forwarded = PROXY_FORWARDED_OFF,
					     .request_headers = set_host,
					     .request_headers_count = 1};
static struct header_setting set_split[] = {{"X-A", "b\r\nX-C: d", false}};
static const struct location splitting = {
    .path = "/", .path_len = 1, .request_headers = set_split, .request_headers_count = 1};

#define VIA "Via: 1.1 drover\r\n"
#define XFF "X-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Proto: http\r\n"
#define XFH "X-Forwarded-Host: a\r\n"
#define GET "GET / HTTP/1.1\r\nHost: a\r\n"

static const struct request_row {
	const struct location *location;
	const char *in, *out;
	struct forward_request f;
} requests[] = {
    /* Fields pass in their order and as they are, whatever they are called. */
    {&keep, GET "\r\n", GET XFF XFH VIA "\r\n", {0}},
    {&off,
     GET "User-Agent: x/1\r\nAccept: */*\r\nX_Y: z\r\n!#$%&'*+-.^_`|~09: \xff\r\n\r\n",
     GET "User-Agent: x/1\r\nAccept: */*\r\nX_Y: z\r\n!#$%&'*+-.^_`|~09: \xff\r\n" VIA "\r\n",
     {0}},
    {&off,
     GET "A:b\r\nC:\t d \t\r\nE:\r\nF: \r\nG: h\r\nG: i\r\n\r\n",
     GET "A: b\r\nC: d\r\nE: \r\nF: \r\nG: h\r\nG: i\r\n" VIA "\r\n",
     {0}},
    {&off,
     "GET / HTTP/1.1\r\nA: b\r\nHost:a\r\n\r\n",
     "GET / HTTP/1.1\r\nA: b\r\nHost: a\r\n" VIA "\r\n",
     {0}},

    /* What is of one hop. */
    {&off,
     GET "Connection: keep-alive\r\nKeep-Alive: 5\r\nA: b\r\n\r\n",
     GET "A: b\r\n" VIA "\r\n",
     {0}},
    {&off,
     GET "Proxy-Connection: x\r\nProxy-Authorization: x\r\nProxy-Authenticate: x\r\n"
	 "Proxy: http://evil\r\nTE: gzip\r\nTrailer: x\r\nUpgrade: h\r\nExpect: 100-continue\r\n"
	 "HTTP2-Settings: x\r\n\r\n",
     GET VIA "\r\n",
     {0}},
    {&off,
     GET "Connection: close, X-A\r\nx-a: 1\r\nX-B: 2\r\nConnection: x-c,\tX-D \r\nX-C: 3\r\n"
	 "X-D: 4\r\nX-E: 5\r\n\r\n",
     GET "X-B: 2\r\nX-E: 5\r\n" VIA "\r\n",
     {0}},
    {&off,
     GET "TE: trailers, deflate;q=0.5\r\n\r\n",
     GET VIA "TE: trailers\r\nConnection: TE\r\n\r\n",
     {0}},
    {&off, GET "TE: trailers2\r\n\r\n", GET VIA "\r\n", {0}},
    {&off,
     "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n",
     "POST / HTTP/1.1\r\nHost: a\r\nTrailer: X-Sum\r\n" VIA "Transfer-Encoding: chunked\r\n\r\n",
     {.framing = FORWARD_CHUNKED}},

    /* What Connection may not take away. */
    {&off,
     "POST / HTTP/1.1\r\nHost: a\r\nConnection: close, host\r\nContent-Length: 5\r\n\r\n",
     "POST / HTTP/1.1\r\nHost: a\r\n" VIA "Content-Length: 5\r\n\r\n",
     {.framing = FORWARD_LENGTH, .length = 5}},
    {&off,
     "POST / HTTP/1.1\r\nHost: a\r\nConnection: Content-Length\r\nContent-Length: 5\r\n\r\n",
     "POST / HTTP/1.1\r\nHost: a\r\n" VIA "Content-Length: 5\r\n\r\n",
     {.framing = FORWARD_LENGTH, .length = 5}},
    {&off,
     "POST / HTTP/1.1\r\nHost: a\r\nConnection: transfer-encoding\r\nTransfer-Encoding: "
     "chunked\r\n\r\n",
     "POST / HTTP/1.1\r\nHost: a\r\n" VIA "Transfer-Encoding: chunked\r\n\r\n",
     {.framing = FORWARD_CHUNKED}},
    {&append,
     GET "Connection: x-forwarded-for, x-forwarded-proto, x-forwarded-port, cookie, authorization, "
	 "content-type, cache-control, via\r\nX-Forwarded-For: 1.1.1.1\r\nX-Forwarded-Proto: "
	 "https\r\nX-Forwarded-Port: 1\r\nCookie: a\r\nAuthorization: b\r\nContent-Type: "
	 "c\r\nCache-Control: d\r\nVia: 1.1 e\r\n\r\n",
     GET "X-Forwarded-Proto: https\r\nX-Forwarded-Port: 1\r\nCookie: a\r\nAuthorization: "
	 "b\r\nContent-Type: c\r\nCache-Control: d\r\nVia: 1.1 e\r\nX-Forwarded-For: 1.1.1.1, "
	 "192.0.2.7\r\n" XFH VIA "\r\n",
     {0}},

    /* Framing is ours. */
    {&off,
     "POST / HTTP/1.1\r\nContent-Length: 007\r\nHost: a\r\n\r\n",
     "POST / HTTP/1.1\r\nHost: a\r\n" VIA "Content-Length: 7\r\n\r\n",
     {.framing = FORWARD_LENGTH, .length = 7}},
    {&off,
     "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nHost: a\r\n\r\n",
     "POST / HTTP/1.1\r\nHost: a\r\n" VIA "Content-Length: 18446744073709551615\r\n\r\n",
     {.framing = FORWARD_LENGTH, .length = UINT64_MAX}},
    {&off,
     "POST / HTTP/1.1\r\nContent-Length: 0\r\nHost: a\r\n\r\n",
     "POST / HTTP/1.1\r\nHost: a\r\n" VIA "Content-Length: 0\r\n\r\n",
     {.framing = FORWARD_LENGTH}},

    /* Host, and targets of other forms. */
    {&off,
     "GET / HTTP/1.0\r\n\r\n",
     "GET / HTTP/1.1\r\nHost: 192.0.2.1:80\r\nVia: 1.0 drover\r\n\r\n",
     {.peer = "192.0.2.1:80"}},
    {&to_peer,
     GET "\r\n",
     "GET / HTTP/1.1\r\nHost: [2001:db8::1]:80\r\n" VIA "\r\n",
     {.peer = "[2001:db8::1]:80"}},
    {&to_peer,
     GET "\r\n",
     "GET / HTTP/1.1\r\nHost: localhost\r\n" VIA "\r\n",
     {.peer = "unix:/run/x"}},
    {&to_fixed, GET "\r\n", "GET / HTTP/1.1\r\nHost: in.example\r\n" VIA "\r\n", {0}},
    {&setting_host, GET "\r\n", "GET / HTTP/1.1\r\n" VIA "Host: set.example\r\n\r\n", {0}},
    {&off,
     "GET http://b:81/x?y HTTP/1.1\r\nHost: a\r\n\r\n",
     "GET /x?y HTTP/1.1\r\nHost: b:81\r\n" VIA "\r\n",
     {0}},
    {&keep,
     "GET HTTP://[::1]:81?y HTTP/1.1\r\nHost: a\r\n\r\n",
     "GET /?y HTTP/1.1\r\nHost: [::1]:81\r\n" XFF "X-Forwarded-Host: [::1]:81\r\n" VIA "\r\n",
     {0}},
    {&off,
     "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
     "OPTIONS * HTTP/1.1\r\nHost: a\r\n" VIA "\r\n",
     {0}},
    {&off,
     "OPTIONS http://b HTTP/1.1\r\nHost: a\r\n\r\n",
     "OPTIONS * HTTP/1.1\r\nHost: b\r\n" VIA "\r\n",
     {0}},
    {&off,
     "OPTIONS http://b/ HTTP/1.1\r\nHost: a\r\n\r\n",
     "OPTIONS / HTTP/1.1\r\nHost: b\r\n" VIA "\r\n",
     {0}},
    {&to_root,
     "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
     "OPTIONS * HTTP/1.1\r\nHost: a\r\n" VIA "\r\n",
     {0}},
    {&off,
     "GET /a%2fb?c=%20 HTTP/1.1\r\nHost: a\r\n\r\n",
     "GET /a%2fb?c=%20 HTTP/1.1\r\nHost: a\r\n" VIA "\r\n",
     {0}},
    {&off,
     "M-X /a? HTTP/1.1\r\nHost: a\r\n\r\n",
     "M-X /a? HTTP/1.1\r\nHost: a\r\n" VIA "\r\n",
     {0}},
    {&off, "CONNECT b:443 HTTP/1.1\r\nHost: a\r\n\r\n", NULL, {0}},

    /* Paths. */
    {&to_root,
     "GET /api/x/y?z HTTP/1.1\r\nHost: a\r\n\r\n",
     "GET /x/y?z HTTP/1.1\r\nHost: a\r\n" VIA "\r\n",
     {.path = "/api/x/y"}},
    {&to_root, "GET /api/ HTTP/1.1\r\nHost: a\r\n\r\n", GET VIA "\r\n", {.path = "/api/"}},
    {&to_root,
     "GET /%61pi/./x%20%25/../y%3fz HTTP/1.1\r\nHost: a\r\n\r\n",
     "GET /y%3Fz HTTP/1.1\r\nHost: a\r\n" VIA "\r\n",
     {.path = "/api/y?z"}},
    {&to_root,
     "GET /api/%25%0a HTTP/1.1\r\nHost: a\r\n\r\n",
     "GET /%25%0A HTTP/1.1\r\nHost: a\r\n" VIA "\r\n",
     {.path = "/api/%\n"}},
    {&to_v2,
     "GET /api/x HTTP/1.1\r\nHost: a\r\n\r\n",
     "GET /v2/x HTTP/1.1\r\nHost: a\r\n" VIA "\r\n",
     {.path = "/api/x"}},
    {&to_v2,
     "GET /api HTTP/1.1\r\nHost: a\r\n\r\n",
     "GET /v2/ HTTP/1.1\r\nHost: a\r\n" VIA "\r\n",
     {.path = "/api"}},
    {&to_nothing,
     "GET /api/x HTTP/1.1\r\nHost: a\r\n\r\n",
     "GET /x HTTP/1.1\r\nHost: a\r\n" VIA "\r\n",
     {0}},
    {&to_nothing,
     "GET /api?q HTTP/1.1\r\nHost: a\r\n\r\n",
     "GET /?q HTTP/1.1\r\nHost: a\r\n" VIA "\r\n",
     {0}},
    {&to_nothing,
     "GET /apix HTTP/1.1\r\nHost: a\r\n\r\n",
     "GET /x HTTP/1.1\r\nHost: a\r\n" VIA "\r\n",
     {0}},
    {&to_one,
     "GET /api?q HTTP/1.1\r\nHost: a\r\n\r\n",
     "GET /one?q HTTP/1.1\r\nHost: a\r\n" VIA "\r\n",
     {0}},
    {&to_break, GET "\r\n", NULL, {0}},

    /* Where a request came from. */
    {&keep,
     GET "X-Forwarded-For: 1.1.1.1\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: evil\r\n"
	 "X-Forwarded-Port: 1\r\nX-Real-IP: 1.1.1.1\r\nForwarded: for=1.1.1.1\r\n"
	 "X_Forwarded_For: 1.1.1.1\r\nX_Real_IP: 1.1.1.1\r\nX-Forwarded_For: "
	 "1.1.1.1\r\nX-Forwarded: 1\r\n"
	 "X-Forwardedx: 1\r\n\r\n",
     GET "X-Forwarded: 1\r\nX-Forwardedx: 1\r\n" XFF XFH VIA "\r\n",
     {0}},
    {&keep,
     GET "X-Forwarded-For: 1.1.1.1\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: b\r\n"
	 "X-Forwarded-Port: 1\r\nX-Real-IP: 1.1.1.1\r\nX_Forwarded_For: 3.3.3.3\r\n"
	 "X-FORWARDED-FOR: 2.2.2.2\r\nX-Forwarded-For:\r\n\r\n",
     GET "X-Forwarded-Proto: https\r\nX-Forwarded-Host: b\r\nX-Forwarded-Port: 1\r\nX-Real-IP: "
	 "1.1.1.1\r\nX-Forwarded-For: 1.1.1.1, 2.2.2.2, 192.0.2.7\r\n" VIA "\r\n",
     {.trusted = true}},
    {&append,
     GET "X-Forwarded-For: 1.1.1.1, 2.2.2.2\r\n\r\n",
     GET "X-Forwarded-For: 1.1.1.1, 2.2.2.2, 192.0.2.7\r\nX-Forwarded-Proto: http\r\n" XFH VIA
	 "\r\n",
     {0}},
    {&off_both,
     GET "X-Forwarded-For: 1.1.1.1\r\nX-Forwarded-Proto: https\r\nForwarded: for=x\r\n"
	 "X-Forwarded-Host: b\r\nX-Real-Ip: c\r\n\r\n",
     GET VIA "\r\n",
     {.trusted = true}},
    {&keep_both,
     GET "\r\n",
     GET XFF XFH "Forwarded: for=192.0.2.7;host=\"a\";proto=http\r\n" VIA "\r\n",
     {0}},
    {&keep_both,
     "GET / HTTP/1.1\r\nHost: a:81\r\nForwarded: for=1.1.1.1\r\n\r\n",
     "GET / HTTP/1.1\r\nHost: a:81\r\nX-Forwarded-For: 2001:db8::1\r\nX-Forwarded-Proto: "
     "https\r\nX-Forwarded-Host: a:81\r\nForwarded: "
     "for=\"[2001:db8::1]\";host=\"a:81\";proto=https\r\n" VIA "\r\n",
     {.address = "2001:db8::1", .scheme = "https"}},
    {&append,
     GET "Forwarded: for=\"[::1]\"\r\nforwarded: for=_b, for=unknown\r\n\r\n",
     GET XFF XFH "Forwarded: for=\"[::1]\", for=_b, for=unknown, "
		 "for=192.0.2.7;host=\"a\";proto=http\r\n" VIA "\r\n",
     {0}},
    {&append,
     GET "Forwarded: for=\"x\r\nForwarded: for=\"\\\"\r\nForwarded: for=\"\\\"\"\r\n\r\n",
     GET XFF XFH "Forwarded: for=\"\\\"\", for=192.0.2.7;host=\"a\";proto=http\r\n" VIA "\r\n",
     {0}},
    {&keep_both,
     GET "X-Forwarded-For: 1.1.1.1\r\n\r\n",
     GET "X-Forwarded-Proto: http\r\n" XFH "Forwarded: for=unknown;host=\"a\";proto=http\r\n" VIA
	 "\r\n",
     {.address = ""}},
    {&append,
     GET "X-Forwarded-For: 1.1.1.1\r\n\r\n",
     GET "X-Forwarded-For: 1.1.1.1\r\nX-Forwarded-Proto: http\r\n" XFH VIA "\r\n",
     {.address = ""}},

    /* One form or the other; by whom; under which name. */
    {&rfc7239,
     GET "X-Forwarded-For: 1.1.1.1\r\nX-Forwarded-Proto: https\r\nX-Real-IP: 1.1.1.1\r\n"
	 "Forwarded: for=1.1.1.1\r\n\r\n",
     GET "Forwarded: for=192.0.2.7;by=\"[::1]:80\";host=\"a\";proto=http\r\n" VIA "\r\n",
     {.by = "[::1]:80"}},
    {&rfc7239,
     GET "X-Forwarded-For: 1.1.1.1\r\nForwarded: for=1.1.1.1\r\n\r\n",
     GET "Forwarded: for=1.1.1.1, for=192.0.2.7;host=\"a\";proto=http\r\n" VIA "\r\n",
     {.trusted = true}},
    {&quiet, GET "Via: 1.1 x\r\n\r\n", GET "Via: 1.1 x\r\n\r\n", {0}},
    {&named, GET "\r\n", GET "Via: 1.1 edge-1\r\n\r\n", {0}},

    /* The time that is left. */
    {&off, GET "X-Request-Timeout-Ms: 10\r\n\r\n", GET VIA "\r\n", {0}},
    {&off,
     GET "X-Request-Timeout-Ms: 10\r\n\r\n",
     GET "X-Request-Timeout-Ms: 250\r\n" VIA "\r\n",
     {.timeout_ms = 250}},
    {&off,
     GET "x-request-timeout-ms: 10\r\n\r\n",
     GET "X-Request-Timeout-Ms: 250\r\n" VIA "\r\n",
     {.timeout_ms = 250, .trusted = true}},
    {&off, GET "X-Request-Timeout-Ms: 10\r\n\r\n", GET VIA "\r\n", {.trusted = true}},
    {&off, GET "Grpc-Timeout: 10m\r\n\r\n", GET VIA "\r\n", {0}},
    {&off, GET "grpc-timeout: 10m\r\n\r\n", GET VIA "\r\n", {.trusted = true}},
    {&off,
     GET "grpc-timeout: nonsense\r\ngrpc-timeout: 1S\r\n\r\n",
     GET "X-Request-Timeout-Ms: 250\r\ngrpc-timeout: 250m\r\n" VIA "\r\n",
     {.timeout_ms = 250}},
    {&off,
     GET "grpc-timeout: 99H\r\n\r\n",
     GET "X-Request-Timeout-Ms: 356400000\r\ngrpc-timeout: 356400S\r\n" VIA "\r\n",
     {.timeout_ms = 356400000}},
    {&off,
     GET "X-Request-Timeout-Ms: -1\r\n\r\n",
     GET "X-Request-Timeout-Ms: 250\r\n" VIA "\r\n",
     {.timeout_ms = 250, .trusted = true}},
    {&off,
     GET "X-Left: 7\r\nX-Request-Timeout-Ms: 1\r\n\r\n",
     GET "X-Request-Timeout-Ms: 1\r\nX-Left: 8\r\n" VIA "\r\n",
     {.timeout_ms = 8, .trusted = true, .timeout_name = "X-Left"}},

    /* Ids. */
    {&off,
     GET "X-Request-Id: evil\r\nTraceparent: evil\r\n\r\n",
     GET "X-Request-Id: evil\r\nTraceparent: evil\r\n" VIA "\r\n",
     {0}},
    {&off,
     GET "X-Request-Id: evil\r\nTraceparent: evil\r\nx-request-id: evil\r\n\r\n",
     GET "X-Request-Id: 12\r\ntraceparent: 00-ab-cd-01\r\n" VIA "\r\n",
     {.request_id = "12", .traceparent = "00-ab-cd-01"}},
    {&off, GET "\r\n", NULL, {.request_id = "1\r\nX: y"}},
    {&off, GET "\r\n", NULL, {.traceparent = "1\n"}},

    /* What the configuration changes. */
    {&changing,
     GET "X-Secret: s\r\nAuthorization: t\r\nCookie: u\r\nx-env: test\r\nX-Forwarded-Proto: v\r\n"
	 "X-Other: w\r\nX_Under: x\r\nVia: 1.1 y\r\n\r\n",
     GET "X-Other: w\r\nX-Forwarded-For: 192.0.2.7\r\n" XFH
	 "X-Env: prod\r\nauthorization: Basic eA==\r\nX-Forwarded-Proto: https\r\n\r\n",
     {0}},
    {&splitting, GET "\r\n", NULL, {0}},
    {&changing,
     GET "X_Secret: s\r\nx_ENV: t\r\nX-Under: u\r\nX_Secrets: v\r\nX_Secre: w\r\n\r\n",
     GET "X_Secrets: v\r\nX_Secre: w\r\nX-Forwarded-For: 192.0.2.7\r\n" XFH
	 "X-Env: prod\r\nauthorization: Basic eA==\r\nX-Forwarded-Proto: https\r\n\r\n",
     {0}},
    {&off,
     GET "X_Request_Id: evil\r\nX-REQUEST_ID: evil\r\nX_Left: 7\r\n\r\n",
     GET "X-Request-Id: 12\r\nX-Left: 8\r\n" VIA "\r\n",
     {.request_id = "12", .timeout_ms = 8, .timeout_name = "X-Left"}},

    /* Upgrades. */
    {&off,
     GET "Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\n\r\n",
     GET "Sec-WebSocket-Key: x\r\n" VIA "Connection: upgrade\r\nUpgrade: websocket\r\n\r\n",
     {.upgrade = true}},
    {&off, GET "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n", GET VIA "\r\n", {0}},
    {&off, GET "Upgrade: websocket\r\n\r\n", GET VIA "\r\n", {.upgrade = true}},
    {&off,
     GET "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: x\r\n\r\n",
     GET VIA "\r\n",
     {.upgrade = true}},
    {&off,
     GET "Connection: upgrade\r\nUpgrade: websocket, h2c\r\n\r\n",
     GET VIA "\r\n",
     {.upgrade = true}},
    {&off,
     GET "Connection: upgrade\r\nUpgrade: HTTP/2.0\r\n\r\n",
     GET VIA "\r\n",
     {.upgrade = true}},
    {&off,
     GET "Connection: upgrade\r\nUpgrade: a\r\nUpgrade: b\r\n\r\n",
     GET VIA "\r\n",
     {.upgrade = true}},
    {&off,
     GET "Connection: upgrade, TE\r\nUpgrade: a\r\nTE: trailers\r\n\r\n",
     GET VIA "TE: trailers\r\nConnection: upgrade, TE\r\nUpgrade: a\r\n\r\n",
     {.upgrade = true}},
};

static struct forward_request complete(const struct request_row *row,
				       const struct http_request *req)
{
	struct forward_request f = row->f;

	f.base = row->in;
	f.req = req;
	f.location = row->location;
	f.path_len = f.path ? strlen(f.path) : 0;
	if (!f.scheme)
		f.scheme = "http";
	if (!f.address)
		f.address = "192.0.2.7";
	else if (!*f.address)
		f.address = NULL;
	return f;
}

static void parse_request(const char *text, size_t len, struct http_request *req)
{
	enum http_refusal why;
	uint32_t scanned = 0;
	int result = http_parse(text, len, &limits, &scanned, req, &why);

	ck_assert_msg(result == 1, "%s: %s", http_refusal_name(why), text);
}

START_TEST(writes_requests)
{
	const struct request_row *row = &requests[_i];
	static struct http_request req, again;
	struct forward_request f;
	char out[8192];
	int len;

	parse_request(row->in, strlen(row->in), &req);
	f = complete(row, &req);
	len = forward_request(out, sizeof out, &f);
	if (!row->out) {
		ck_assert_int_eq(len, -1);
		return;
	}
	ck_assert_int_ge(len, 0);
	out[len] = '\0';
	ck_assert_str_eq(out, row->out);
	if (f.length > INT64_MAX)
		return;
	parse_request(out, (size_t)len, &again);
	ck_assert_uint_eq(again.head_len, (size_t)len);
	ck_assert_int_eq(again.method, req.method);
	ck_assert_int_eq(again.chunked, f.framing == FORWARD_CHUNKED);
	ck_assert_int_eq(again.has_length, f.framing == FORWARD_LENGTH);
	ck_assert_uint_eq(again.content_length, f.length);
	ck_assert(again.keep_alive);
	ck_assert(again.host.len > 0);
}
END_TEST

/* In memory of exactly that size. */
START_TEST(says_if_a_request_does_not_fit)
{
	const struct request_row *row = &requests[_i];
	static struct http_request req;
	struct forward_request f;

	parse_request(row->in, strlen(row->in), &req);
	f = complete(row, &req);
	for (size_t size = 0; row->out && size <= strlen(row->out); size++) {
		char *out = malloc(size + (size == 0));
		int len = forward_request(out, size, &f);

		ck_assert_int_eq(len, size == strlen(row->out) ? (int)size : -1);
		free(out);
	}
}
END_TEST

START_TEST(bears_many_nominations)
{
	static char text[16384];
	static struct http_request req;
	struct forward_request f = {.base = text, .req = &req, .location = &off, .scheme = "http"};
	char out[8192];
	int n = sprintf(text, GET "Connection: ");

	for (int i = 0; i < 40; i++)
		n += sprintf(text + n, "%sx-%d", i ? "," : "", i);
	n += sprintf(text + n,
		     "\r\nX-0: a\r\nX-39: a\r\nX-40: a\r\nCookie: c\r\nAccept: d\r\n\r\n");
	parse_request(text, (size_t)n, &req);
	n = forward_request(out, sizeof out, &f);
	ck_assert_int_gt(n, 0);
	out[n] = '\0';
	ck_assert_str_eq(out, GET "Cookie: c\r\nAccept: d\r\n" VIA "\r\n");
}
END_TEST

static const char *removed_from[] = {"x-powered-by", "x-internal", NULL};
static struct header_setting added[] = {
    {"Server", "hidden", false}, {"X-Always", "1", true}, {"Transfer-Encoding", "chunked", true}};
static const struct location editing = {
    .remove_response = removed_from, .headers = added, .headers_count = 3};
static struct header_setting added_split[] = {{"X-A: b\r\nX", "c", true}};
static const struct location answer_splitting = {.headers = added_split, .headers_count = 1};

#define DATE  "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
#define OK200 "HTTP/1.1 200 OK\r\n"

static const struct response_row {
	const struct location *location;
	const char *in, *out;
	struct forward_response f;
} responses[] = {
    {NULL,
     OK200 DATE "Server: x\r\nContent-Length: 5\r\n\r\n",
     OK200 DATE "Server: x\r\n" VIA "Content-Length: 5\r\n",
     {.framing = FORWARD_LENGTH, .length = 5}},
    {NULL,
     OK200 "Set-Cookie: a=b\r\nX: y\r\nSet-Cookie: c=d\r\nset-cookie:e=f\r\n\r\n",
     OK200 "Set-Cookie: a=b\r\nX: y\r\nSet-Cookie: c=d\r\nset-cookie: e=f\r\n" DATE VIA
	   "Transfer-Encoding: chunked\r\n",
     {.framing = FORWARD_CHUNKED}},
    {NULL,
     "HTTP/1.0 200 Sure thing\r\n\r\n",
     "HTTP/1.1 200 Sure thing\r\n" DATE "Via: 1.0 drover\r\n",
     {.framing = FORWARD_UNTIL_CLOSE}},
    {NULL,
     "HTTP/1.1 404\r\n" DATE "\r\n",
     "HTTP/1.1 404 \r\n" DATE VIA "Content-Length: 0\r\n",
     {.framing = FORWARD_LENGTH}},
    {NULL,
     "HTTP/1.7 200 \r\n" DATE "\r\n",
     "HTTP/1.1 200 \r\n" DATE VIA,
     {.framing = FORWARD_UNTIL_CLOSE}},

    /* What is of one hop. */
    {NULL,
     OK200 DATE
     "Connection: keep-alive, X-Hop, Content-Type, Set-Cookie\r\nKeep-Alive: 5\r\nX-Hop: "
     "1\r\nContent-Type: a/b\r\nSet-Cookie: c\r\nProxy-Connection: d\r\n"
     "Proxy-Authenticate: e\r\nTE: f\r\nTrailer: g\r\nUpgrade: h\r\nTransfer-Encoding: "
     "chunked\r\n\r\n",
     OK200 DATE "Content-Type: a/b\r\nSet-Cookie: c\r\n" VIA,
     {.framing = FORWARD_UNTIL_CLOSE}},
    {NULL,
     OK200 DATE "Trailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n",
     OK200 DATE "Trailer: X-Sum\r\n" VIA "Transfer-Encoding: chunked\r\n",
     {.framing = FORWARD_CHUNKED}},

    /* Lengths that are information only. */
    {NULL,
     OK200 DATE "Content-Length: 5\r\n\r\n",
     OK200 DATE VIA "Content-Length: 5\r\n",
     {.head_request = true}},
    {NULL,
     OK200 DATE "Transfer-Encoding: chunked\r\n\r\n",
     OK200 DATE VIA,
     {.head_request = true, .framing = FORWARD_CHUNKED}},
    {NULL,
     "HTTP/1.1 304 Not Modified\r\n" DATE "Content-Length: 5\r\n\r\n",
     "HTTP/1.1 304 Not Modified\r\n" DATE VIA "Content-Length: 5\r\n",
     {0}},
    {NULL,
     "HTTP/1.1 304 Not Modified\r\n" DATE "Transfer-Encoding: chunked\r\n\r\n",
     "HTTP/1.1 304 Not Modified\r\n" DATE VIA,
     {.framing = FORWARD_CHUNKED}},
    {NULL,
     "HTTP/1.1 204 No Content\r\n" DATE "Content-Length: 5\r\n\r\n",
     "HTTP/1.1 204 No Content\r\n" DATE VIA,
     {.framing = FORWARD_LENGTH, .length = 5}},

    /* Interim answers. */
    {&editing,
     "HTTP/1.1 100 Continue\r\nContent-Length: 5\r\n\r\n",
     "HTTP/1.1 100 Continue\r\n\r\n",
     {.whole = true, .connection = "close"}},
    {&editing,
     "HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\nUpgrade: x\r\n\r\n",
     "HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n",
     {0}},
    {&editing,
     "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
     "Sec-WebSocket-Accept: x\r\n\r\n",
     "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: x\r\n"
     "Connection: upgrade\r\n\r\n",
     {.whole = true}},

    /* What the configuration changes. */
    {&editing,
     OK200 DATE "server: x\r\nX-Powered-By: y\r\nX-Internal: z\r\nX-Always: 2\r\nA: b\r\n\r\n",
     OK200 DATE "A: b\r\n" VIA "Server: hidden\r\nX-Always: 1\r\nContent-Length: 3\r\n",
     {.framing = FORWARD_LENGTH, .length = 3}},
    {&editing,
     "HTTP/1.1 500 Oh\r\n" DATE "server: x\r\nX-Powered-By: y\r\nX-Always: 2\r\n\r\n",
     "HTTP/1.1 500 Oh\r\n" DATE "server: x\r\n" VIA "X-Always: 1\r\nContent-Length: 3\r\n",
     {.framing = FORWARD_LENGTH, .length = 3}},
    {&answer_splitting, OK200 DATE "\r\n", NULL, {0}},
    {NULL,
     OK200 DATE "X-Request-Id: a\r\nB: c\r\n\r\n",
     OK200 DATE "B: c\r\nX-Request-Id: 7\r\n" VIA,
     {.request_id = "7"}},
    {NULL, OK200 DATE "\r\n", NULL, {.request_id = "7\r\n\r\nHTTP/1.1 200"}},

    /* The end. */
    {NULL,
     OK200 DATE "\r\n",
     OK200 DATE VIA "Content-Length: 0\r\nConnection: close\r\n\r\n",
     {.framing = FORWARD_LENGTH, .whole = true, .connection = "close"}},
    {NULL,
     OK200 DATE "\r\n",
     OK200 DATE VIA "Content-Length: 0\r\n\r\n",
     {.framing = FORWARD_LENGTH, .whole = true}},
};

static void parse_response(const char *text, size_t len, struct http_response *r)
{
	enum http_fault fault;
	uint32_t scanned = 0;
	int result = http_parse_response(text, len, &limits, &scanned, r, &fault);

	ck_assert_msg(result == 1, "%s: %s", http_fault_name(fault), text);
}

static struct forward_response complete_response(const struct response_row *row,
						 const struct http_response *r)
{
	struct forward_response f = row->f;

	f.base = row->in;
	f.response = r;
	f.location = row->location;
	f.date = "Sun, 06 Nov 1994 08:49:37 GMT";
	return f;
}

START_TEST(writes_responses)
{
	const struct response_row *row = &responses[_i];
	static struct http_response r, again;
	struct forward_response f;
	char out[8192];
	int len;

	parse_response(row->in, strlen(row->in), &r);
	f = complete_response(row, &r);
	len = forward_response(out, sizeof out, &f);
	if (!row->out) {
		ck_assert_int_eq(len, -1);
		return;
	}
	ck_assert_int_ge(len, 0);
	out[len] = '\0';
	ck_assert_str_eq(out, row->out);
	for (size_t size = 0; size < (size_t)len; size++) {
		char *small = malloc(size + (size == 0));

		ck_assert_int_eq(forward_response(small, size, &f), -1);
		free(small);
	}
	if (!f.whole)
		strcpy(out + len, "\r\n");
	parse_response(out, strlen(out), &again);
	ck_assert_uint_eq(again.head_len, strlen(out));
	ck_assert_int_eq(again.status, r.status);
	ck_assert_int_eq(again.minor, 1);
	if (http_response_body(&again, f.head_request ? HTTP_HEAD : HTTP_GET) == HTTP_BODY_NONE)
		return;
	ck_assert_int_eq(again.chunked, f.framing == FORWARD_CHUNKED);
	ck_assert_int_eq(again.has_length, f.framing == FORWARD_LENGTH);
	ck_assert_uint_eq(again.content_length, f.length);
}
END_TEST

START_TEST(chooses_framing)
{
	static const struct {
		const char *head;
		enum http_method method;
		enum forward_framing to_10, to_11;
	} rows[] = {
	    {OK200 "Content-Length: 5\r\n\r\n", HTTP_GET, FORWARD_LENGTH, FORWARD_LENGTH},
	    {OK200 "Content-Length: 5\r\n\r\n", HTTP_HEAD, FORWARD_NO_BODY, FORWARD_NO_BODY},
	    {OK200 "Transfer-Encoding: chunked\r\n\r\n", HTTP_GET, FORWARD_UNTIL_CLOSE,
	     FORWARD_CHUNKED},
	    {OK200 "\r\n", HTTP_GET, FORWARD_UNTIL_CLOSE, FORWARD_CHUNKED},
	    {"HTTP/1.1 204 No\r\n\r\n", HTTP_GET, FORWARD_NO_BODY, FORWARD_NO_BODY},
	    {"HTTP/1.1 304 No\r\n\r\n", HTTP_GET, FORWARD_NO_BODY, FORWARD_NO_BODY},
	};
	static struct http_response r;

	for (int i = 0; i < ROWS(rows); i++) {
		parse_response(rows[i].head, strlen(rows[i].head), &r);
		ck_assert_int_eq(forward_framing_of(&r, rows[i].method, 0), rows[i].to_10);
		ck_assert_int_eq(forward_framing_of(&r, rows[i].method, 1), rows[i].to_11);
	}
}
END_TEST

static const struct trailer_row {
	const char *in, *out; /* NULL: refused */
	enum http_refusal refusal;
} trailers[] = {
    {"\r\n", "", HTTP_ACCEPTED},
    {"X-Sum: 1\r\n\r\n", "X-Sum: 1\r\n", HTTP_ACCEPTED},
    {"X-Sum:1 \r\ngrpc-status: 0\r\n\r\n", "X-Sum: 1\r\ngrpc-status: 0\r\n", HTTP_ACCEPTED},
    {"A: b\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\nHost: a\r\nAuthorization: b\r\n"
     "Content-Type: c\r\nContent-Encoding: d\r\nTrailer: e\r\nSet-Cookie: f\r\nConnection: g\r\n"
     "Upgrade: h\r\nX-Forwarded-For: i\r\nx_forwarded_proto: i\r\nForwarded: j\r\nVia: k\r\n"
     "TE: l\r\nProxy-Authorization: m\r\nProxy: n\r\nIf-Match: o\r\nCache-Control: p\r\n"
     "Date: q\r\nLocation: r\r\nC: d\r\n\r\n",
     "A: b\r\nC: d\r\n", HTTP_ACCEPTED},
    {"A : b\r\n\r\n", NULL, HTTP_REFUSED_FIELD_NAME},
    {"A: b\r\n c\r\n\r\n", NULL, HTTP_REFUSED_FOLDING},
    {"A: b\n\r\n", NULL, HTTP_REFUSED_LINE},
    {"A: \x01\r\n\r\n", NULL, HTTP_REFUSED_FIELD_VALUE},
};

START_TEST(passes_trailers)
{
	const struct trailer_row *row = &trailers[_i];
	char text[2048], out[2048];
	enum http_refusal why;
	size_t used, len, whole = strlen(row->in);

	snprintf(text, sizeof text, "%sGET /", row->in);
	for (size_t n = 0; row->out && n < whole; n++)
		ck_assert_int_eq(forward_trailers(out, sizeof out, &len, text, n, &used, &why), 0);
	ck_assert_int_eq(forward_trailers(out, sizeof out, &len, text, strlen(text), &used, &why),
			 row->out ? 1 : -1);
	ck_assert_int_eq(why, row->refusal);
	if (!row->out)
		return;
	out[len] = '\0';
	ck_assert_str_eq(out, row->out);
	ck_assert_uint_eq(used, whole);
	if (len == 0)
		return;
	ck_assert_int_eq(forward_trailers(out, len - 1, &len, text, whole, &used, &why), -1);
	ck_assert_int_eq(why, HTTP_REFUSED_CHUNK_EXTRA);
}
END_TEST

/* From the decoder to the next hop and back to the decoder. */
START_TEST(takes_trailers_from_the_decoder)
{
	static const char text[] = "1\r\nx\r\n0\r\nA: b\r\n\r\nrest";
	struct chunk_state st = {.stop_at_trailers = 1};
	struct http_span data;
	enum http_refusal why;
	size_t used, at, len;
	char out[64];

	ck_assert_int_eq(chunk_decode(&st, text, sizeof text - 1, &used, &data, &why), 0);
	at = used;
	ck_assert_int_eq(chunk_decode(&st, text + at, sizeof text - 1 - at, &used, &data, &why),
			 CHUNK_TRAILERS);
	at += used;
	ck_assert_str_eq(text + at, "A: b\r\n\r\nrest");
	ck_assert_int_eq(chunk_decode(&st, text + at, sizeof text - 1 - at, &used, &data, &why),
			 CHUNK_TRAILERS);
	ck_assert_uint_eq(used, 0);
	ck_assert_int_eq(
	    forward_trailers(out, sizeof out, &len, text + at, sizeof text - 1 - at, &used, &why),
	    1);
	ck_assert_uint_eq(used, 8);
	ck_assert_uint_eq(len, 6);
	st.stop_at_trailers = 0;
	ck_assert_int_eq(chunk_decode(&st, text + at, sizeof text - 1 - at, &used, &data, &why), 1);
	ck_assert_uint_eq(used, 8);
	st = (struct chunk_state){.stop_at_trailers = 1};
	ck_assert_int_eq(chunk_decode(&st, "0\r\n\r\n", 5, &used, &data, &why), 1);
}
END_TEST

START_TEST(reads_time_limits)
{
	static const struct {
		const char *fields, *name;
		uint64_t ms;
	} rows[] = {
	    {"", NULL, 0},
	    {"X-Request-Timeout-Ms: 1500\r\n", NULL, 1500},
	    {"x-request-timeout-MS: 1500\r\n", NULL, 1500},
	    {"X-Request-Timeout-Ms: 1500\r\nX-Request-Timeout-Ms: 20\r\n", NULL, 20},
	    {"X-Request-Timeout-Ms: 1500\r\n", "X-Left", 0},
	    {"x-left: 3\r\n", "X-Left", 3},
	    {"X-Request-Timeout-Ms: 1s\r\n", NULL, 0},
	    {"X-Request-Timeout-Ms: -1\r\n", NULL, 0},
	    {"X-Request-Timeout-Ms: 99999999999999999999\r\n", NULL, 0},
	    {"X-Request-Timeout-Ms:\r\n", NULL, 0},
	    {"grpc-timeout: 2S\r\n", NULL, 2000},
	    {"grpc-timeout: 1H\r\n", NULL, 3600000},
	    {"grpc-timeout: 2M\r\n", NULL, 120000},
	    {"grpc-timeout: 7m\r\n", NULL, 7},
	    {"grpc-timeout: 1500u\r\n", NULL, 2},
	    {"grpc-timeout: 1n\r\n", NULL, 1},
	    {"grpc-timeout: 123456789m\r\n", NULL, 0},
	    {"grpc-timeout: m\r\n", NULL, 0},
	    {"grpc-timeout: 5\r\n", NULL, 0},
	    {"grpc-timeout: 5x\r\n", NULL, 0},
	    {"grpc-timeout: 1S\r\nX-Request-Timeout-Ms: 400\r\n", NULL, 400},
	};
	static struct http_request req;
	char text[512];

	for (int i = 0; i < ROWS(rows); i++) {
		int len = snprintf(text, sizeof text, GET "%s\r\n", rows[i].fields);

		parse_request(text, (size_t)len, &req);
		ck_assert_msg(forward_asked_ms(text, &req, rows[i].name) == rows[i].ms, "row %d",
			      i);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("forward");
	TCase *tc = tcase_create("forward");
	SRunner *runner = srunner_create(s);
	int run, failed;

	suite_add_tcase(s, tc);
	tcase_add_loop_test(tc, writes_requests, 0, ROWS(requests));
	tcase_add_loop_test(tc, says_if_a_request_does_not_fit, 0, ROWS(requests));
	tcase_add_test(tc, bears_many_nominations);
	tcase_add_loop_test(tc, writes_responses, 0, ROWS(responses));
	tcase_add_test(tc, chooses_framing);
	tcase_add_loop_test(tc, passes_trailers, 0, ROWS(trailers));
	tcase_add_test(tc, takes_trailers_from_the_decoder);
	tcase_add_test(tc, reads_time_limits);
	srunner_run_all(runner, CK_ENV);
	run = srunner_ntests_run(runner);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return run == 0 || failed > 0;
}
