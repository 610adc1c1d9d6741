/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Fuzzes worker/http/forward_*.c. The input's first two bytes choose how a head goes on, the rest
 * is that head: a response if it begins so, else a request; or, by the second byte, trailers. What
 * must hold: whatever is written is read again by the parsers, says what was asked for of framing,
 * is written at most once, and keeps no field of one hop.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "worker/http/forward.h"
#include "worker/http/path.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
	OUT_SIZE = 256 * 1024
};

static const struct http_limits limits_in = {32768, 16384, 100};
static const struct http_limits limits_out = {OUT_SIZE, 65536, HTTP_FIELDS_MAX};

static const char *removed[] = {"cookie", "x-a", "via", NULL};
static struct header_setting set[] = {
    {"X-B", "c", true}, {"Server", "x", false}, {"content-length", "1", true}};
static const struct location locations[] = {
    {.path = "/", .path_len = 1},
    {.path = "/a", .path_len = 2, .rewrite = "/b/", .forwarded = PROXY_FORWARDED_APPEND},
    {.path = "/a/", .path_len = 3, .rewrite = "", .host_policy = PROXY_HOST_PEER},
    {.path = "/",
     .path_len = 1,
     .host_policy = PROXY_HOST_FIXED,
     .host = "h",
     .forwarded = PROXY_FORWARDED_OFF,
     .remove_request = removed,
     .remove_response = removed,
     .headers = set,
     .headers_count = 3,
     .request_headers = set,
     .request_headers_count = 3},
};

static struct http_request req, req_again;
static struct http_response res, res_again;
static char path[65536], out[OUT_SIZE];

/* The first three of both kinds of heads, the others of requests. */
static const char *const hop[] = {"keep-alive",
				  "proxy-connection",
				  "proxy-authenticate",
				  "proxy-authorization",
				  "expect",
				  "http2-settings",
				  "proxy"};

enum {
	HOP_RESPONSE = 3,
	HOP_REQUEST = 7
};

static void check_no_hop(const char *base, const struct http_field *field, int count, int hops)
{
	for (int i = 0; i < count; i++)
		for (int k = 0; k < hops; k++)
			assert(field[i].name.len != strlen(hop[k]) ||
			       strncasecmp(base + field[i].name.off, hop[k], field[i].name.len));
}

/* The length of it, written again to memory of just that size, and to less. */
static void check_fit_request(const struct forward_request *f, size_t len)
{
	char *fit = malloc(len);

	assert(fit && forward_request(fit, len, f) == (int)len);
	assert(memcmp(fit, out, len) == 0);
	assert(forward_request(fit, len - 1, f) == -1);
	free(fit);
}

static void check_fit_response(const struct forward_response *f, size_t len)
{
	char *fit = malloc(len);

	assert(fit && forward_response(fit, len, f) == (int)len);
	assert(memcmp(fit, out, len) == 0);
	assert(forward_response(fit, len - 1, f) == -1);
	free(fit);
}

static void forward_one_request(const char *base, uint8_t how, uint8_t how2)
{
	struct forward_request f = {.base = base,
				    .req = &req,
				    .location = &locations[how & 3],
				    .peer = how & 4 ? "unix:/x" : "[::1]:80",
				    .address = how & 8    ? "2001:db8::1"
					       : how2 & 8 ? NULL
							  : "1.2.3.4",
				    .scheme = "http",
				    .trusted = how & 16,
				    .upgrade = how & 32,
				    .by = how & 64 ? "[::1]:80" : NULL,
				    .timeout_ms = how2 & 1 ? 777 : 0,
				    .request_id = how2 & 2 ? "id" : NULL,
				    .traceparent = how2 & 4 ? "00-a-b-01" : NULL};
	enum http_refusal why;
	uint32_t scanned = 0;
	int len;

	f.framing = req.chunked      ? FORWARD_CHUNKED
		    : req.has_length ? FORWARD_LENGTH
				     : FORWARD_NO_BODY;
	f.length = req.content_length;
	if (req.path.len > 0 && base[req.path.off] == '/' &&
	    path_normalise(base + req.path.off, req.path.len, path, sizeof path, &f.path_len) == 0)
		f.path = path;
	len = forward_request(out, sizeof out, &f);
	(void)forward_asked_ms(base, &req, NULL);
	if (len < 0) {
		assert(req.method == HTTP_CONNECT);
		return;
	}
	check_fit_request(&f, (size_t)len);
	if (req.fields > HTTP_FIELDS_MAX - 12)
		return;
	assert(http_parse(out, (size_t)len, &limits_out, &scanned, &req_again, &why) == 1);
	assert(req_again.head_len == (uint32_t)len && req_again.minor == 1);
	assert(req_again.method == req.method && req_again.keep_alive);
	assert(req_again.chunked == req.chunked && req_again.has_length == req.has_length);
	assert(req_again.content_length == req.content_length);
	assert(req_again.host.len > 0 && !req_again.absolute);
	assert(f.upgrade || req_again.known[HTTP_F_UPGRADE].off == 0);
	check_no_hop(out, req_again.field, req_again.fields, HOP_REQUEST);
}

static void forward_one_response(const char *base, uint8_t how, uint8_t how2)
{
	enum http_method method = how & 4 ? HTTP_HEAD : HTTP_GET;
	struct forward_response f = {.base = base,
				     .response = &res,
				     .location = how & 8 ? &locations[how & 3] : NULL,
				     .head_request = method == HTTP_HEAD,
				     .date = "Sun, 06 Nov 1994 08:49:37 GMT",
				     .request_id = how2 & 2 ? "id" : NULL,
				     .whole = true,
				     .connection = how2 & 4 ? "close" : NULL};
	enum http_body_kind body = http_response_body(&res, method);
	enum http_fault fault;
	uint32_t scanned = 0;
	int len;

	f.framing = forward_framing_of(&res, method, how & 16 ? 0 : 1);
	f.length = res.content_length;
	len = forward_response(out, sizeof out, &f);
	assert(len > 0);
	check_fit_response(&f, (size_t)len);
	if (res.fields > HTTP_FIELDS_MAX - 12)
		return;
	assert(http_parse_response(out, (size_t)len, &limits_out, &scanned, &res_again, &fault) ==
	       1);
	assert(res_again.head_len == (uint32_t)len && res_again.minor == 1);
	assert(res_again.status == res.status && res_again.reason.len == res.reason.len);
	check_no_hop(out, res_again.field, res_again.fields, HOP_RESPONSE);
	assert(res.status == 101 || res_again.known[HTTP_R_UPGRADE].off == 0);
	assert(http_response_body(&res_again, method) == HTTP_BODY_NONE ||
	       res_again.chunked == (f.framing == FORWARD_CHUNKED));
	if (body == HTTP_BODY_NONE)
		assert(http_response_body(&res_again, method) == HTTP_BODY_NONE);
	else if (f.framing == FORWARD_LENGTH)
		assert(res_again.has_length && res_again.content_length == res.content_length);
	else
		assert(!res_again.has_length);
}

static void forward_one_trailer_section(const char *base, size_t len)
{
	struct chunk_state st = {0};
	struct http_span data;
	enum http_refusal why;
	size_t out_len, used, again, section;
	int verdict = forward_trailers(out, sizeof out, &out_len, base, len, &used, &why);

	if (verdict <= 0)
		return;
	assert(used <= len && out_len <= used + used / 4 && out_len <= FORWARD_TRAILERS_MAX);
	assert(chunk_decode(&st, "0\r\n", 3, &again, &data, &why) == 0 && again == 3);
	verdict = chunk_decode(&st, base, len, &section, &data, &why);
	assert((verdict == 1 && section == used) ||
	       (verdict < 0 && why == HTTP_REFUSED_CHUNK_EXTRA));
	if (out_len > CHUNK_EXTRA_MAX)
		return;
	/* What is left is a section too, and nothing more is left out of it. */
	memcpy(path, out, out_len);
	memcpy(path + out_len, "\r\n", 2);
	used = out_len;
	assert(forward_trailers(out, sizeof out, &out_len, path, used + 2, &again, &why) == 1);
	assert(out_len == used && again == used + 2);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum http_refusal why;
	enum http_fault fault;
	uint32_t scanned = 0;
	size_t len = size - 2;
	char *base;

	if (size < 3 || size > 40000)
		return 0;
	base = malloc(len);
	assert(base);
	memcpy(base, data + 2, len);
	if (data[1] & 128)
		forward_one_trailer_section(base, len);
	else if (http_parse_response(base, len, &limits_in, &scanned, &res, &fault) == 1)
		forward_one_response(base, data[0], data[1]);
	scanned = 0;
	if (http_parse(base, len, &limits_in, &scanned, &req, &why) == 1)
		forward_one_request(base, data[0], data[1]);
	free(base);
	return 0;
}
