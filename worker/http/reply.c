/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Response heads, and the replies that need no file: errors, redirects, fixed texts, health,
 * OPTIONS. Everything is appended to the reply's own text, bounded; what does not fit is noticed
 * once, when the head is finished. Nothing that a client sent goes into a body, and into a head
 * only percent-encoded, so no request can add a field or a mark-up of its own. Connection is not
 * written here: whether the connection lives on is the sender's to know.
 */
#include "worker/http/reply.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "worker/http/path.h"

/* text_len of a reply whose text did not fit, or would have broken the head. */
enum {
	TEXT_BROKEN = REPLY_TEXT_SIZE + 1
};

#define ALLOWED_METHODS "GET, HEAD, OPTIONS"

static char *text_end(struct reply *r)
{
	return r->text + r->text_len;
}

static size_t text_left(const struct reply *r)
{
	return r->text_len <= REPLY_TEXT_SIZE ? REPLY_TEXT_SIZE - r->text_len : 0;
}

static void put(struct reply *r, const char *bytes, size_t len)
{
	if (len > text_left(r)) {
		r->text_len = TEXT_BROKEN;
		return;
	}
	memcpy(text_end(r), bytes, len);
	r->text_len += (uint32_t)len;
}

static void put_text(struct reply *r, const char *text)
{
	put(r, text, strlen(text));
}

static void put_number(struct reply *r, uint64_t n)
{
	char digits[20], *p = digits + sizeof digits;

	do
		*--p = (char)('0' + n % 10);
	while ((n /= 10) > 0);
	put(r, p, (size_t)(digits + sizeof digits - p));
}

/* A control character in a value would end the field and begin another (RFC 9110 5.5). */
static bool is_field_value(const char *value, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)value[i];

		if ((c < 0x20 && c != '\t') || c == 0x7f)
			return false;
	}
	return true;
}

static void put_field(struct reply *r, const char *name, const char *value, size_t len)
{
	if (!is_field_value(value, len)) {
		r->text_len = TEXT_BROKEN;
		return;
	}
	put_text(r, name);
	put(r, ": ", 2);
	put(r, value, len);
	put(r, "\r\n", 2);
}

void reply_reset(struct reply *r)
{
	/* All but the text: 64 KiB that nobody reads before they are written. */
	memset(r, 0, offsetof(struct reply, text));
}

void reply_begin(struct reply *r, const struct reply_ctx *ctx, int status)
{
	r->status = status;
	/* What is in text already (a body, the heads of parts) stays in front of the head. */
	r->head = r->text_len <= REPLY_TEXT_SIZE ? text_end(r) : r->text;
	put(r, "HTTP/1.1 ", 9);
	put_number(r, (unsigned)status);
	put(r, " ", 1);
	put_text(r, http_reason(status));
	put(r, "\r\nServer: drover\r\nDate: ", 24);
	put(r, ctx->clock->http_date, HTTP_DATE_LEN);
	put(r, "\r\n", 2);
}

void reply_field(struct reply *r, const char *name, const char *fmt, ...)
{
	char *value;
	size_t left;
	va_list args;
	int len;

	put_text(r, name);
	put(r, ": ", 2);
	left = text_left(r);
	if (left == 0) {
		r->text_len = TEXT_BROKEN;
		return;
	}
	value = text_end(r);
	va_start(args, fmt);
	len = vsnprintf(value, left, fmt, args);
	va_end(args);
	if (len < 0 || (size_t)len >= left || !is_field_value(value, (size_t)len)) {
		r->text_len = TEXT_BROKEN;
		return;
	}
	r->text_len += (uint32_t)len;
	put(r, "\r\n", 2);
}

/* nginx's list. */
bool reply_is_success(int status)
{
	switch (status) {
	case 200:
	case 201:
	case 204:
	case 206:
	case 301:
	case 302:
	case 303:
	case 304:
	case 307:
	case 308:
		return true;
	default:
		return false;
	}
}

static void put_added_headers(struct reply *r, const struct location *loc)
{
	bool success = reply_is_success(r->status);

	for (uint32_t i = 0; i < loc->headers_count; i++) {
		const struct header_setting *h = &loc->headers[i];

		if (success || h->always)
			put_field(r, h->name, h->value, strlen(h->value));
	}
}

/* RFC 9110 8.6: never with 1xx and 204; with 304 it would have to be the length of the 200. */
static bool has_length(int status)
{
	return status >= 200 && status != 204 && status != 304;
}

int reply_finish(struct reply *r, const struct reply_ctx *ctx)
{
	if (has_length(r->status)) {
		put(r, "Content-Length: ", 16);
		put_number(r, r->length);
		put(r, "\r\n", 2);
	}
	if (ctx->location)
		put_added_headers(r, ctx->location);
	if (r->text_len > REPLY_TEXT_SIZE)
		return -1;
	r->head_len = (uint32_t)(text_end(r) - r->head);
	return 0;
}

static bool is_head_request(const struct reply_ctx *ctx)
{
	return ctx->req && ctx->req->method == HTTP_HEAD;
}

/* For HEAD the length stays what GET would get (RFC 9110 9.3.2); a 205 has none to send, and says
 * so with Content-Length: 0 (15.3.6). */
static void set_body(struct reply *r, const struct reply_ctx *ctx, const char *bytes, size_t len)
{
	if (!has_length(r->status) || r->status == 205)
		len = 0;
	r->bytes = bytes;
	r->length = len;
	r->body = len == 0 || is_head_request(ctx) ? REPLY_EMPTY : REPLY_BYTES;
}

static const struct error_page *find_page(const struct location *loc, int status)
{
	for (uint32_t i = 0; loc && i < loc->error_pages_count; i++)
		if (loc->error_pages[i].status == status)
			return &loc->error_pages[i];
	return NULL;
}

/* The built-in page, at the end of text. Callers have emptied the reply: it always fits. */
static void write_page(struct reply *r, const struct reply_ctx *ctx)
{
	const char *page = text_end(r);
	size_t left = text_left(r);
	int len = snprintf(text_end(r), left,
			   "<!doctype html>\n"
			   "<html lang=\"en\"><meta charset=\"utf-8\">\n"
			   "<meta name=\"viewport\" content=\"width=device-width\">\n"
			   "<title>%d %s</title>\n"
			   "<style>:root{color-scheme:light dark}body{font:1rem/1.5 system-ui,"
			   "sans-serif;margin:20vh auto;max-width:30rem;padding:0 1rem}"
			   "h1{font-size:1.5rem}p{opacity:.6}</style>\n"
			   "<h1>%d %s</h1>\n"
			   "<p>drover</p>\n",
			   r->status, http_reason(r->status), r->status, http_reason(r->status));

	assert(len > 0 && (size_t)len < left);
	r->text_len += (uint32_t)len;
	set_body(r, ctx, page, (size_t)len);
}

/* The body that says what the status is. Returns its media type. */
static const char *choose_page(struct reply *r, const struct reply_ctx *ctx)
{
	const struct error_page *page = find_page(ctx->location, r->status);

	if (page) {
		set_body(r, ctx, page->body, page->len);
		return page->type;
	}
	write_page(r, ctx);
	return "text/html; charset=utf-8";
}

/*
 * After these the next bytes of the connection cannot be trusted to be a request, or are a body
 * that nobody will read: 400, 501 and 505, because the framing is unknown; 408, because half a
 * request stands there; 411, 413 and 417, because the body may or may not follow; 414 and 431,
 * because the rest of the head was not read.
 */
static bool ends_connection(int status)
{
	switch (status) {
	case 400:
	case 408:
	case 411:
	case 413:
	case 414:
	case 417:
	case 431:
	case 501:
	case 505:
		return true;
	default:
		return false;
	}
}

/* A head for the page of that status, which is in front of it: its length is in the head. */
static void begin_page(struct reply *r, const struct reply_ctx *ctx, int status)
{
	const char *type;

	reply_reset(r);
	r->status = status;
	type = choose_page(r, ctx);
	reply_begin(r, ctx, status);
	put_field(r, "Content-Type", type, strlen(type));
}

static int make_page_reply(struct reply *r, const struct reply_ctx *ctx, int status)
{
	begin_page(r, ctx, status);
	if (status == 405)
		put_text(r, "Allow: " ALLOWED_METHODS "\r\n");
	if (status == 503)
		reply_field(r, "Retry-After", "%u",
			    ctx->retry_after_s != 0 ? ctx->retry_after_s : 1);
	return reply_finish(r, ctx);
}

void reply_error(struct reply *r, const struct reply_ctx *ctx, int status)
{
	struct reply_ctx bare = *ctx;

	if (make_page_reply(r, ctx, status) < 0) {
		/* The location's own headers do not fit, or are none. */
		bare.location = NULL;
		make_page_reply(r, &bare, 500);
	}
	r->close = ends_connection(r->status);
}

/*
 * A redirect is begun, its target is put piece by piece, and it is ended: so a long target needs no
 * second buffer.
 */
static void begin_redirect(struct reply *r, const struct reply_ctx *ctx, int status)
{
	begin_page(r, ctx, status);
	put(r, "Location: ", 10);
}

static void put_target(struct reply *r, const char *target, size_t len)
{
	if (is_field_value(target, len))
		put(r, target, len);
	else
		r->text_len = TEXT_BROKEN;
}

static void end_redirect(struct reply *r, const struct reply_ctx *ctx)
{
	put(r, "\r\n", 2);
	if (reply_finish(r, ctx) < 0)
		reply_error(r, ctx, 500);
}

void reply_redirect(struct reply *r, const struct reply_ctx *ctx, int status, const char *target,
		    size_t target_len)
{
	begin_redirect(r, ctx, status);
	put_target(r, target, target_len);
	end_redirect(r, ctx);
}

static void put_path(struct reply *r, const char *path, size_t len)
{
	int n = text_left(r) > 0 ? path_encode(path, len, text_end(r), text_left(r)) : -1;

	if (n < 0)
		r->text_len = TEXT_BROKEN;
	else
		r->text_len += (uint32_t)n;
}

/* As sent, but for bytes that RFC 3986 3.4 does not allow there, of which some clients send a few.
 */
static void put_query(struct reply *r, const char *query, size_t len)
{
	static const char hex[] = "0123456789ABCDEF";

	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)query[i];
		char escape[3] = {'%', hex[c >> 4], hex[c & 15]};

		if (c <= 0x20 || c >= 0x7f || strchr("\"#<>[\\]^`{|}", c))
			put(r, escape, sizeof escape);
		else
			put(r, query + i, 1);
	}
}

/* What of the path lies behind the location's prefix. The redirect ends in '/', so the rest may not
 * begin with one: "/" and "/host" would make "//host", which is a reference to another host. */
static void put_rest(struct reply *r, const struct reply_ctx *ctx)
{
	const struct location *loc = ctx->location;
	const char *rest = ctx->path, *end;

	if (!rest || ctx->path_len <= loc->path_len)
		return;
	end = rest + ctx->path_len;
	rest += loc->path_len;
	while (rest < end && *rest == '/')
		rest++;
	put_path(r, rest, (size_t)(end - rest));
}

void reply_location_redirect(struct reply *r, const struct reply_ctx *ctx)
{
	const struct location *loc = ctx->location;
	size_t len = strlen(loc->redirect);

	begin_redirect(r, ctx, loc->status);
	put_target(r, loc->redirect, len);
	if (len > 0 && loc->redirect[len - 1] == '/') {
		put_rest(r, ctx);
		if (ctx->req && ctx->req->query.len > 0) {
			put(r, strchr(loc->redirect, '?') ? "&" : "?", 1);
			put_query(r, ctx->base + ctx->req->query.off, ctx->req->query.len);
		}
	}
	end_redirect(r, ctx);
}

static void make_text_reply(struct reply *r, const struct reply_ctx *ctx, int status,
			    const char *text, const char *cache_control)
{
	reply_reset(r);
	r->status = status;
	set_body(r, ctx, text, strlen(text));
	reply_begin(r, ctx, status);
	if (r->length > 0)
		put_text(r, "Content-Type: text/plain; charset=utf-8\r\n");
	if (cache_control)
		put_field(r, "Cache-Control", cache_control, strlen(cache_control));
	if (reply_finish(r, ctx) < 0)
		reply_error(r, ctx, 500);
}

void reply_location_status(struct reply *r, const struct reply_ctx *ctx)
{
	const struct location *loc = ctx->location;

	/* Not reply_error(): the request was well formed, so the connection may go on. */
	if (!loc->text && loc->status >= 400) {
		if (make_page_reply(r, ctx, loc->status) < 0)
			reply_error(r, ctx, 500);
		return;
	}
	make_text_reply(r, ctx, loc->status, loc->text ? loc->text : "", loc->cache_control);
}

void reply_health(struct reply *r, const struct reply_ctx *ctx, bool healthy)
{
	if (healthy)
		make_text_reply(r, ctx, 200, "ok\n", "no-store");
	else
		make_text_reply(r, ctx, 503, "draining\n", "no-store");
}

void reply_options(struct reply *r, const struct reply_ctx *ctx)
{
	reply_reset(r);
	reply_begin(r, ctx, 204);
	put_text(r, "Allow: " ALLOWED_METHODS "\r\n");
	if (reply_finish(r, ctx) < 0)
		reply_error(r, ctx, 500);
}

const char *http_reason(int status)
{
	static const char *const reason_of[] = {
	    [100] = "Continue",
	    [101] = "Switching Protocols",
	    [103] = "Early Hints",
	    [200] = "OK",
	    [201] = "Created",
	    [202] = "Accepted",
	    [203] = "Non-Authoritative Information",
	    [204] = "No Content",
	    [205] = "Reset Content",
	    [206] = "Partial Content",
	    [207] = "Multi-Status",
	    [208] = "Already Reported",
	    [226] = "IM Used",
	    [300] = "Multiple Choices",
	    [301] = "Moved Permanently",
	    [302] = "Found",
	    [303] = "See Other",
	    [304] = "Not Modified",
	    [305] = "Use Proxy",
	    [307] = "Temporary Redirect",
	    [308] = "Permanent Redirect",
	    [400] = "Bad Request",
	    [401] = "Unauthorized",
	    [402] = "Payment Required",
	    [403] = "Forbidden",
	    [404] = "Not Found",
	    [405] = "Method Not Allowed",
	    [406] = "Not Acceptable",
	    [407] = "Proxy Authentication Required",
	    [408] = "Request Timeout",
	    [409] = "Conflict",
	    [410] = "Gone",
	    [411] = "Length Required",
	    [412] = "Precondition Failed",
	    [413] = "Content Too Large",
	    [414] = "URI Too Long",
	    [415] = "Unsupported Media Type",
	    [416] = "Range Not Satisfiable",
	    [417] = "Expectation Failed",
	    [421] = "Misdirected Request",
	    [422] = "Unprocessable Content",
	    [423] = "Locked",
	    [424] = "Failed Dependency",
	    [425] = "Too Early",
	    [426] = "Upgrade Required",
	    [428] = "Precondition Required",
	    [429] = "Too Many Requests",
	    [431] = "Request Header Fields Too Large",
	    [451] = "Unavailable For Legal Reasons",
	    [500] = "Internal Server Error",
	    [501] = "Not Implemented",
	    [502] = "Bad Gateway",
	    [503] = "Service Unavailable",
	    [504] = "Gateway Timeout",
	    [505] = "HTTP Version Not Supported",
	    [506] = "Variant Also Negotiates",
	    [507] = "Insufficient Storage",
	    [508] = "Loop Detected",
	    [510] = "Not Extended",
	    [511] = "Network Authentication Required",
	};
	const int count = (int)(sizeof reason_of / sizeof *reason_of);

	if (status < 0 || status >= count || !reason_of[status])
		return "Unknown";
	return reason_of[status];
}
