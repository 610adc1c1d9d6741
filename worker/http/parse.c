/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The request head, read once from left to right: each byte decides as soon as it can, so that the
 * same bytes get the same verdict in whatever pieces they come. Rules that need the whole head
 * (Host, framing, Connection) are looked at after its blank line. The server calls it for every
 * request: it must not allocate, log or look at a clock.
 */
#include "worker/http/parse.h"

#include <arpa/inet.h>
#include <assert.h>
#include <string.h>

#include "worker/http/head.h"
#include "worker/http/scan.h"

enum {
	METHOD_MAX = 24,
	HOST_MAX = 255
};

/*
 * Bytes that come before the target at most, with an empty line, the method and its space, and a
 * few more: while a head is that short, looking at all of it again costs nothing.
 */
enum {
	TARGET_START_MAX = 32,
	VERSION_LINE_BYTES = 11
};

static const char field_name[][24] = {
#define X(sym, text) [HTTP_F_##sym] = text,
    HTTP_KNOWN_FIELDS(X)
#undef X
};

/*
 * One head under the parser. A step returns where the next one goes on, or NULL: then more bytes
 * are needed if why is still HTTP_ACCEPTED, and if not, why says what is wrong.
 */
struct head {
	const char *base;
	const char *end;
	const struct http_limits *limits;
	struct http_request *req;
	enum http_refusal why;
};

static const char *refuse(struct head *h, enum http_refusal why)
{
	return head_refuse(&h->why, why);
}

static inline struct http_span span(const struct head *h, const char *from, const char *to)
{
	return head_span(h->base, from, to);
}

static enum http_method method_of(const char *p, size_t len)
{
	for (enum http_method m = HTTP_GET; m < HTTP_OTHER; m++) {
		const char *name = http_method_name(m);

		if (strlen(name) == len && memcmp(p, name, len) == 0)
			return m;
	}
	return HTTP_OTHER;
}

static const char *read_method(struct head *h, const char *p)
{
	const char *start = p;

	if (h->end - p >= 4 && memcmp(p, "GET ", 4) == 0) {
		h->req->method = HTTP_GET;
		h->req->method_text = span(h, p, p + 3);
		return p + 4;
	}
	while (p < h->end && scan_is(*p, SCAN_TOKEN))
		if (++p - start > METHOD_MAX)
			return refuse(h, HTTP_REFUSED_METHOD);
	if (p == h->end)
		return NULL;
	if (p == start && (*p == '\r' || *p == '\n'))
		return refuse(h, HTTP_REFUSED_LINE);
	if (p == start || *p != ' ')
		return refuse(h, HTTP_REFUSED_METHOD);
	h->req->method = method_of(start, (size_t)(p - start));
	h->req->method_text = span(h, start, p);
	return p + 1;
}

static enum http_refusal bad_target_byte(const char *target, const char *p)
{
	if (*p == '\n' || (*p == ' ' && p == target))
		return HTTP_REFUSED_LINE;
	/* "GET /" alone on its line: HTTP/0.9. */
	return *p == '\r' && p > target ? HTTP_REFUSED_VERSION : HTTP_REFUSED_TARGET;
}

static const char *read_target(struct head *h, const char *p)
{
	const char *target = p, *stop = h->end, *query;

	if ((size_t)(h->end - p) > h->limits->max_uri)
		stop = target + h->limits->max_uri + 1;
	p = scan_path_end(p, stop);
	query = p;
	if (p < stop && *p == '?') {
		query = p + 1;
		p = scan_query_end(query, stop);
	}
	if (p - target > (ptrdiff_t)h->limits->max_uri)
		return refuse(h, HTTP_REFUSED_URI_TOO_LONG);
	if (p == h->end)
		return NULL;
	if (*p != ' ' || p == target)
		return refuse(h, bad_target_byte(target, p));
	h->req->target = span(h, target, p);
	h->req->path = span(h, target, query > target && query[-1] == '?' ? query - 1 : query);
	h->req->query = span(h, query, p);
	return p + 1;
}

static const char *read_unusual_version(struct head *h, const char *p)
{
	static const char form[] = "HTTP/d.d\r\n";

	for (size_t i = 0; i < sizeof form - 1; i++, p++) {
		if (p == h->end)
			return NULL;
		if (form[i] == 'd' ? scan_is(*p, SCAN_DIGIT) : *p == form[i])
			continue;
		if (*p == ' ' || *p == '\n' || (i > 0 && form[i - 1] == '\r'))
			return refuse(h, HTTP_REFUSED_LINE);
		return refuse(h, HTTP_REFUSED_VERSION);
	}
	if (p[-5] != '1')
		return refuse(h, HTTP_REFUSED_VERSION_UNSUPPORTED);
	h->req->minor = p[-3] == '0' ? 0 : 1;
	return p;
}

static inline const char *read_version(struct head *h, const char *p)
{
	static const char usual[] = "HTTP/1.1\r\n";

	if (h->end - p < (ptrdiff_t)sizeof usual - 1 || memcmp(p, usual, sizeof usual - 1) != 0)
		return read_unusual_version(h, p);
	h->req->minor = 1;
	return p + sizeof usual - 1;
}

/* Length of "[...]", -1 if that is no IPv6 address; one with a zone means nothing to a server. */
static int ipv6_len(const char *p, size_t len)
{
	const char *close = memchr(p, ']', len);
	char text[INET6_ADDRSTRLEN];
	struct in6_addr address;
	size_t n;

	if (!close || (n = (size_t)(close - p) - 1) >= sizeof text)
		return -1;
	memcpy(text, p + 1, n);
	text[n] = '\0';
	return inet_pton(AF_INET6, text, &address) == 1 ? (int)n + 2 : -1;
}

/*
 * Length of the name (an IPv4 address is one too), -1 if it is empty, too long, or begins with a
 * dot, as no name does; what is refused here cannot turn up as "." or ".." where a host becomes a
 * path.
 */
static inline int name_len(const char *p, const char *end)
{
	ptrdiff_t n = scan_name_end(p, end) - p;

	return n > 0 && n <= HOST_MAX && *p != '.' ? (int)n : -1;
}

static inline bool is_port(const char *p, size_t len)
{
	static const char most[] = "65535";

	for (size_t i = 0; i < len; i++)
		if (!scan_is(p[i], SCAN_DIGIT))
			return false;
	return len < sizeof most - 1 || (len == sizeof most - 1 && memcmp(p, most, len) <= 0);
}

/*
 * Length of the host at the start of an authority that fills p[0 .. len), -1 if any of it is
 * malformed. At p[len] there is the byte that ended it, which no name may hold, so that a look for
 * the name's end can go by the end of all bytes.
 */
static inline int host_len(const struct head *h, const char *p, size_t len, bool needs_port)
{
	int host = *p == '[' ? ipv6_len(p, len) : name_len(p, h->end);
	size_t rest = len - (size_t)host;

	if (host < 0 || rest <= 1)
		return host < 0 || needs_port || (rest == 1 && p[host] != ':') ? -1 : host;
	return p[host] == ':' && is_port(p + host + 1, rest - 1) ? host : -1;
}

static size_t scheme_len(const char *p, size_t len)
{
	if (len >= 7 && scan_same_word(p, "http://", 7))
		return 7;
	return len >= 8 && scan_same_word(p, "https://", 8) ? 8 : 0;
}

/* absolute-form: the host comes out of it, and the path is what follows. */
static bool split_absolute(struct head *h)
{
	struct http_request *req = h->req;
	const char *p = h->base + req->path.off, *end = p + req->path.len, *path;
	size_t scheme = scheme_len(p, req->path.len);
	int host;

	if (scheme == 0)
		return false;
	p += scheme;
	path = memchr(p, '/', (size_t)(end - p));
	if (!path)
		path = end;
	host = host_len(h, p, (size_t)(path - p), false);
	if (host < 0)
		return false;
	req->absolute = true;
	req->host = span(h, p, p + host);
	req->path = span(h, path, end);
	return true;
}

/* Is the target in the form that the method calls for (RFC 9112 3.2)? */
static bool check_form(struct head *h)
{
	struct http_request *req = h->req;
	const char *target = h->base + req->target.off;
	int host;

	if (req->method == HTTP_CONNECT) {
		host = host_len(h, target, req->target.len, true);
		if (host >= 0)
			req->host = span(h, target, target + host);
		return host >= 0;
	}
	if (*target == '/')
		return true;
	if (*target == '*')
		return req->target.len == 1 && req->method == HTTP_OPTIONS;
	return split_absolute(h);
}

/* The only known field that a name of that length and those letters can be. */
static inline enum http_field_id candidate(const char *name, size_t len)
{
	char first = name[0] | 0x20;

	switch (len) {
	case 4:
		return HTTP_F_HOST;
	case 5:
		return HTTP_F_RANGE;
	case 6:
		return HTTP_F_EXPECT;
	case 7:
		return first == 'r' ? HTTP_F_REFERER : HTTP_F_UPGRADE;
	case 8:
		return (name[3] | 0x20) == 'r' ? HTTP_F_IF_RANGE : HTTP_F_IF_MATCH;
	case 10:
		return first == 'c' ? HTTP_F_CONNECTION : HTTP_F_USER_AGENT;
	case 11:
		return HTTP_F_TRACEPARENT;
	case 12:
		return HTTP_F_X_REQUEST_ID;
	case 13:
		return first == 'i' ? HTTP_F_IF_NONE_MATCH : HTTP_F_AUTHORIZATION;
	case 14:
		return HTTP_F_CONTENT_LENGTH;
	case 15:
		return first == 'a' ? HTTP_F_ACCEPT_ENCODING : HTTP_F_X_FORWARDED_FOR;
	case 17:
		return first == 't' ? HTTP_F_TRANSFER_ENCODING : HTTP_F_IF_MODIFIED_SINCE;
	case 19:
		return HTTP_F_IF_UNMODIFIED_SINCE;
	default:
		return HTTP_F_OTHER;
	}
}

static inline enum http_field_id field_id(const char *name, size_t len)
{
	enum http_field_id id = candidate(name, len);

	if (id != HTTP_F_OTHER && scan_same_word(name, field_name[id], len))
		return id;
	return HTTP_F_OTHER;
}

static inline void note_known(struct http_request *req, const struct http_field *field)
{
	if (req->known[field->id].off == 0)
		req->known[field->id] = field->value;
	else
		req->known_several |= 1u << field->id;
}

static inline const char *read_field(struct head *h, const char *name, const char *limit,
				     struct http_field *field)
{
	const char *next = head_field(h->base, name, limit, field, &h->why);

	if (!next)
		return NULL;
	field->id = (uint8_t)field_id(name, field->name.len);
	if (field->id != HTTP_F_OTHER)
		note_known(h->req, field);
	return next;
}

static const char *read_fields(struct head *h, const char *p)
{
	const char *end = h->end;
	uint32_t max = h->limits->max_fields < HTTP_FIELDS_MAX ? h->limits->max_fields
							       : HTTP_FIELDS_MAX;
	uint32_t n;

	for (n = 0; p < end && scan_is(*p, SCAN_TOKEN); n++) {
		if (n == max)
			return refuse(h, HTTP_REFUSED_TOO_MANY_FIELDS);
		p = read_field(h, p, end, &h->req->field[n]);
		if (!p)
			return NULL;
	}
	h->req->fields = (uint16_t)n;
	return head_end_fields(p, end, n > 0, &h->why);
}

static bool several(const struct http_request *req, enum http_field_id id)
{
	return req->known_several >> id & 1;
}

static enum http_refusal check_host(struct head *h)
{
	struct http_request *req = h->req;
	struct http_span field = req->known[HTTP_F_HOST];
	int host;

	if (field.off == 0)
		return req->minor == 0 ? HTTP_ACCEPTED : HTTP_REFUSED_HOST_MISSING;
	if (several(req, HTTP_F_HOST))
		return HTTP_REFUSED_HOST_SEVERAL;
	host = host_len(h, h->base + field.off, field.len, false);
	if (host < 0)
		return HTTP_REFUSED_HOST;
	if (req->host.len == 0)
		req->host = (struct http_span){field.off, (uint32_t)host};
	return HTTP_ACCEPTED;
}

/* Codings that are not the one word "chunked": are they malformed, or only not known here? */
static enum http_refusal judge_codings(const char *p, size_t len)
{
	const char *end = p + len, *word;
	bool more = true, chunked = false;

	while (more) {
		for (word = p; p < end && scan_is(*p, SCAN_TOKEN);)
			p++;
		if (p == word || chunked)
			return HTTP_REFUSED_TRANSFER_CODING;
		chunked = p - word == 7 && scan_same_word(word, "chunked", 7);
		if (p < end && *p == ';' && !chunked)
			return HTTP_REFUSED_CODING_UNSUPPORTED;
		p = scan_blank_end(p, end);
		more = p < end;
		if (more && *p++ != ',')
			return HTTP_REFUSED_TRANSFER_CODING;
		p = scan_blank_end(p, end);
	}
	return HTTP_REFUSED_CODING_UNSUPPORTED;
}

static enum http_refusal check_coding(struct head *h)
{
	struct http_request *req = h->req;
	struct http_span field = req->known[HTTP_F_TRANSFER_ENCODING];
	const char *value = h->base + field.off;

	if (req->minor == 0 || several(req, HTTP_F_TRANSFER_ENCODING))
		return HTTP_REFUSED_TRANSFER_CODING;
	if (req->known[HTTP_F_CONTENT_LENGTH].off != 0)
		return HTTP_REFUSED_FRAMING;
	if (!head_is_chunked(value, field.len))
		return judge_codings(value, field.len);
	req->chunked = true;
	return HTTP_ACCEPTED;
}

static enum http_refusal check_length(struct head *h)
{
	struct http_request *req = h->req;
	struct http_span field = req->known[HTTP_F_CONTENT_LENGTH];

	if (several(req, HTTP_F_CONTENT_LENGTH) ||
	    !head_number(h->base + field.off, field.len, &req->content_length))
		return HTTP_REFUSED_LENGTH;
	req->has_length = true;
	return HTTP_ACCEPTED;
}

static enum http_refusal check_framing(struct head *h)
{
	if (h->req->known[HTTP_F_TRANSFER_ENCODING].off != 0)
		return check_coding(h);
	if (h->req->known[HTTP_F_CONTENT_LENGTH].off != 0)
		return check_length(h);
	return HTTP_ACCEPTED;
}

static enum http_refusal check_expect(struct head *h)
{
	struct http_request *req = h->req;
	struct http_span field = req->known[HTTP_F_EXPECT];

	if (field.off == 0 || req->minor == 0)
		return HTTP_ACCEPTED;
	if (several(req, HTTP_F_EXPECT) || field.len != 12 ||
	    !scan_same_word(h->base + field.off, "100-continue", 12))
		return HTTP_REFUSED_EXPECT;
	req->expect_continue = true;
	return HTTP_ACCEPTED;
}

static bool connection_has(const struct head *h, const char *token)
{
	const struct http_request *req = h->req;

	return head_list_has(h->base, req->field, req->fields, HTTP_F_CONNECTION, token);
}

static void set_persistence(struct head *h)
{
	struct http_request *req = h->req;
	struct http_span field = req->known[HTTP_F_CONNECTION];

	req->keep_alive = req->minor == 1;
	if (field.off != 0 && field.len == 10 && !several(req, HTTP_F_CONNECTION) &&
	    scan_same_word(h->base + field.off, "keep-alive", 10))
		req->keep_alive = true;
	else if (field.off != 0)
		req->keep_alive = !connection_has(h, "close") &&
				  (req->minor == 1 || connection_has(h, "keep-alive"));
	req->close_requested = !req->keep_alive;
}

static enum http_refusal check_head(struct head *h)
{
	enum http_refusal why = check_host(h);

	if (why == HTTP_ACCEPTED)
		why = check_framing(h);
	if (why == HTTP_ACCEPTED)
		why = check_expect(h);
	set_persistence(h);
	return why;
}

static const char *read_head(struct head *h)
{
	const char *p = h->base;

	if (p < h->end && *p == '\r')
		p = head_end_line(p, h->end, HTTP_REFUSED_LINE, &h->why);
	if (p)
		p = read_method(h, p);
	if (p)
		p = read_target(h, p);
	if (p)
		p = read_version(h, p);
	if (p && !check_form(h))
		return refuse(h, HTTP_REFUSED_TARGET);
	return p ? read_fields(h, p) : NULL;
}

/*
 * Can the bytes from seen on have changed the verdict "more bytes are needed" on a head that came
 * in pieces? Reading all of it again for each piece would let a client that sends single bytes cost
 * the square of its head. Read again are: a short head; a target that may have just outgrown its
 * limit; the request line, once, when it is whole; the head when it is whole, too long, or holds a
 * control character, a bare CR or a bare LF.
 */
static bool read_again(const char *base, size_t seen, size_t len, const struct http_limits *limits)
{
	size_t line_max = (size_t)limits->max_uri + TARGET_START_MAX + VERSION_LINE_BYTES;

	if (seen <= TARGET_START_MAX || len >= limits->max_header)
		return true;
	if (len > limits->max_uri && seen <= (size_t)limits->max_uri + TARGET_START_MAX)
		return true;
	return head_may_be_decided(base, seen, len, line_max);
}

int http_parse(const char *base, size_t len, const struct http_limits *limits, uint32_t *scanned,
	       struct http_request *req, enum http_refusal *refusal)
{
	size_t window = len < limits->max_header ? len : limits->max_header;
	struct head h = {base, base + window, limits, req, HTTP_ACCEPTED};
	const char *p;

	if (*scanned > 0 && !read_again(base, *scanned, len, limits)) {
		*scanned = (uint32_t)len;
		return 0;
	}
	/* Not field[], which is large, and of which only what was written is read. */
	memset(req, 0, offsetof(struct http_request, field));
	p = read_head(&h);
	if (p) {
		req->head_len = (uint32_t)(p - base);
		h.why = check_head(&h);
	} else if (h.why == HTTP_ACCEPTED && len >= limits->max_header) {
		h.why = HTTP_REFUSED_HEAD_TOO_LARGE;
	}
	*refusal = h.why;
	*scanned = p ? 0 : (uint32_t)len;
	if (h.why != HTTP_ACCEPTED)
		return -1;
	return p ? 1 : 0;
}

int http_refusal_status(enum http_refusal refusal)
{
#define STATUS(prefix, sym, name, status, ...) [prefix##sym] = (status),
	static const short status_of[HTTP_REFUSALS] = {REFUSALS(STATUS, HTTP_REFUSED_)};
#undef STATUS

	assert(refusal < HTTP_REFUSALS);
	return status_of[refusal];
}

const char *http_refusal_name(enum http_refusal refusal)
{
	static const char *const name_of[HTTP_REFUSALS] = {[HTTP_ACCEPTED] = "accepted",
							   REFUSALS(NAMED_TEXT, HTTP_REFUSED_)};

	assert(refusal < HTTP_REFUSALS);
	return name_of[refusal];
}

const char *http_method_name(enum http_method method)
{
	static const char *const name_of[] = {
	    [HTTP_GET] = "GET",     [HTTP_HEAD] = "HEAD",     [HTTP_POST] = "POST",
	    [HTTP_PUT] = "PUT",     [HTTP_DELETE] = "DELETE", [HTTP_OPTIONS] = "OPTIONS",
	    [HTTP_PATCH] = "PATCH", [HTTP_TRACE] = "TRACE",   [HTTP_CONNECT] = "CONNECT",
	    [HTTP_OTHER] = "other",
	};

	assert(method <= HTTP_OTHER);
	return name_of[method];
}

bool http_list_has(const char *list, size_t len, const char *token)
{
	const char *p = list, *member;
	size_t token_len = strlen(token), member_len;

	while (scan_list_next(&p, list + len, &member, &member_len))
		if (member_len == token_len && scan_same_word(member, token, token_len))
			return true;
	return false;
}
