/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Heads for the other side of a proxied exchange: see forward.h. Most fields pass unchanged, so
 * those that lie side by side are copied in one piece. Each head is written twice for every
 * proxied request: nothing here may allocate, log or look at a clock.
 */
#include "worker/http/forward.h"

#include <string.h>
#include <strings.h>

#include "worker/http/head.h"
#include "worker/http/path.h"
#include "worker/http/reply.h"
#include "worker/http/scan.h"

enum {
	NOMINATED_MAX = 32
};

#define BIT(id) (1u << (id))

/* The head being written. */
struct out {
	char *p;
	char *end;
	bool broken; /* something did not fit, or may not be written */
};

/* Lines of the head that was read, which wait to be copied in one piece. */
struct run {
	const char *from;
	const char *to;
};

/* What Connection names besides its own words. */
struct nominated {
	unsigned count;
	bool all; /* more than there is room for */
	struct http_span name[NOMINATED_MAX];
};

/* Fields that the configuration takes out or sets. */
struct changes {
	const char *const *remove; /* NULL: none */
	const struct header_setting *set;
	uint32_t set_count;
	bool errors; /* of set, only those for errors as well */
};

static void refuse(struct out *o)
{
	o->broken = true;
	o->end = o->p;
}

static inline void put(struct out *o, const char *bytes, size_t len)
{
	if ((size_t)(o->end - o->p) < len) {
		refuse(o);
		return;
	}
	memcpy(o->p, bytes, len);
	o->p += len;
}

#define PUT(o, literal) put(o, literal, sizeof(literal) - 1)

static void put_span(struct out *o, const char *base, struct http_span span)
{
	put(o, base + span.off, span.len);
}

/* A text that the worker itself has made. */
static inline void put_own(struct out *o, const char *text)
{
	put(o, text, strlen(text));
}

/* A text from elsewhere, which may not end its line. */
static void put_text(struct out *o, const char *text)
{
	size_t len = strlen(text);

	if (scan_text_end(text, text + len) == text + len)
		put(o, text, len);
	else
		refuse(o);
}

static void put_number(struct out *o, uint64_t n)
{
	char digits[20], *p = digits + sizeof digits;

	do
		*--p = (char)('0' + n % 10);
	while ((n /= 10) > 0);
	put(o, p, (size_t)(digits + sizeof digits - p));
}

static inline void flush(struct out *o, struct run *run)
{
	put(o, run->from, (size_t)(run->to - run->from));
	run->from = run->to;
}

/* One field as it came, but for white space around its value. */
static inline void pass(struct out *o, struct run *run, const char *base,
			const struct http_field *f)
{
	const char *line = base + f->name.off, *colon = line + f->name.len;
	const char *end = base + f->value.off + f->value.len;

	if (base + f->value.off == colon + 2 && colon[1] == ' ' && *end == '\r') {
		if (line != run->to) {
			flush(o, run);
			run->from = line;
		}
		run->to = end + 2;
		return;
	}
	flush(o, run);
	put_span(o, base, f->name);
	PUT(o, ": ");
	put_span(o, base, f->value);
	PUT(o, "\r\n");
}

/* Of a name of any letters; word is in lower case and holds no '_'. */
static inline bool is(const char *name, size_t len, const char *word, size_t word_len)
{
	return len == word_len && scan_same_word(name, word, len);
}

#define IS(name, len, literal) is(name, len, literal, sizeof(literal) - 1)

static inline bool begins(const char *name, size_t len, const char *word, size_t word_len)
{
	return len > word_len && scan_same_word(name, word, word_len);
}

#define BEGINS(name, len, literal) begins(name, len, literal, sizeof(literal) - 1)

/* Is it the text's name? Of any letters, both. */
static inline bool same_name(const char *name, size_t len, const char *text)
{
	return (name[0] | 0x20) == (text[0] | 0x20) && strncasecmp(name, text, len) == 0 &&
	       text[len] == '\0';
}

static bool is_removed(const struct changes *c, const char *name, size_t len)
{
	for (const char *const *word = c->remove; word && *word; word++)
		if (same_name(name, len, *word))
			return true;
	return false;
}

static bool is_set(const struct changes *c, const char *name, size_t len)
{
	for (uint32_t i = 0; i < c->set_count; i++)
		if ((c->set[i].always || !c->errors) && same_name(name, len, c->set[i].name))
			return true;
	return false;
}

static bool is_changed(const struct changes *c, const char *name, size_t len)
{
	return is_removed(c, name, len) || is_set(c, name, len);
}

/* Is a field of our own written, or does the configuration know better? */
static inline bool is_ours(const struct changes *c, const char *name, size_t len)
{
	return (!c->remove && c->set_count == 0) || !is_changed(c, name, len);
}

#define IS_OURS(c, literal) is_ours(c, literal, sizeof(literal) - 1)

/* Never set by configuration: what is said of the connection and the body is what is so. */
static bool is_framing(const char *name)
{
	static const char *const names[] = {
	    "connection", "content-length", "transfer-encoding", "keep-alive", "te", "trailer",
	    "upgrade",    "expect",         "proxy-connection"};

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (strcasecmp(name, names[i]) == 0)
			return true;
	return false;
}

static void put_settings(struct out *o, const struct changes *c)
{
	for (uint32_t i = 0; i < c->set_count; i++) {
		const struct header_setting *h = &c->set[i];

		if ((c->errors && !h->always) || is_framing(h->name))
			continue;
		put_text(o, h->name);
		PUT(o, ": ");
		put_text(o, h->value);
		PUT(o, "\r\n");
	}
}

static void nominate(struct nominated *n, const char *base, const char *word, size_t len)
{
	if (len == 0 || IS(word, len, "close") || IS(word, len, "keep-alive") ||
	    IS(word, len, "upgrade") || IS(word, len, "te"))
		return;
	if (n->count < NOMINATED_MAX)
		n->name[n->count++] = head_span(base, word, word + len);
	else
		n->all = true;
}

static void nominate_list(struct nominated *n, const char *base, struct http_span list)
{
	const char *p = base + list.off, *end = p + list.len;

	while (p < end && !n->all) {
		const char *comma = memchr(p, ',', (size_t)(end - p));
		const char *stop = comma ? comma : end;

		p = scan_blank_end(p, stop);
		while (stop > p && scan_is(stop[-1], SCAN_BLANK))
			stop--;
		nominate(n, base, p, (size_t)(stop - p));
		p = comma ? comma + 1 : end;
	}
}

static inline bool is_usual_connection(const char *value, size_t len)
{
	return IS(value, len, "keep-alive") || IS(value, len, "close");
}

/* What the fields of that id, all Connection, name; first is the value of the first of them. */
static void read_nominated(struct nominated *n, const char *base, const struct http_field *field,
			   unsigned count, uint8_t id, struct http_span first, bool several)
{
	n->count = 0;
	n->all = false;
	if (first.off == 0 || (!several && is_usual_connection(base + first.off, first.len)))
		return;
	for (unsigned i = 0; i < count; i++)
		if (field[i].id == id)
			nominate_list(n, base, field[i].value);
}

/* Fields that are meant for whoever handles the message, so that no Connection may name them. */
static bool is_for_all(const char *name, size_t len)
{
	static const char names[][28] = {
	    "cookie",        "set-cookie",   "cache-control",
	    "forwarded",     "via",          "date",
	    "origin",        "x-request-id", "traceparent",
	    "tracestate",    "grpc-timeout", "x-real-ip",
	    "authorization", "location",     "www-authenticate",
	    "etag",          "vary",         "strict-transport-security"};

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (same_name(name, len, names[i]))
			return true;
	return BEGINS(name, len, "content-") || IS(name, len, "accept") ||
	       BEGINS(name, len, "accept-") || BEGINS(name, len, "x-forwarded-") ||
	       BEGINS(name, len, "sec-") || BEGINS(name, len, "access-control-");
}

static bool is_nominated(const struct nominated *n, const char *base, const char *name, size_t len)
{
	bool found = n->all;

	for (unsigned i = 0; i < n->count && !found; i++)
		found = n->name[i].len == len && strncasecmp(base + n->name[i].off, name, len) == 0;
	return found && !is_for_all(name, len);
}

/* ---- Requests. */

/* Fields that parse.c does not know, but that are more than passed on. */
enum kind {
	KIND_PLAIN,
	KIND_DROPPED,
	KIND_TE,
	KIND_TRAILER,
	KIND_TRACESTATE,
	KIND_CLAIM, /* of where the request came from: X-Forwarded-Port, X-Real-IP, ... */
	KIND_FORWARDED_PROTO,
	KIND_FORWARDED_HOST,
	KIND_FORWARDED,
	KIND_TIMEOUT,
	KIND_GRPC_TIMEOUT
};

/* One request on its way. */
struct request {
	const struct forward_request *f;
	const char *base;
	const struct http_request *req;
	const struct location *loc;
	struct changes changes;
	const char *timeout; /* name of its field */
	size_t timeout_len;
	bool believed;  /* what the client says of where it came from */
	bool plain;     /* neither nominated fields nor changes */
	uint32_t drop;  /* a bit for each enum http_field_id */
	uint32_t kinds; /* a bit for each enum kind that was seen */
	struct http_span te;
	struct nominated nominated;
};

/* X-Forwarded-* with '-' or '_'; both are one to CGI. */
static enum kind kind_of_forwarded(const char *name, size_t len)
{
	if (len < 12 || (name[0] | 0x20) != 'x' || !scan_same_word(name + 2, "forwarded", 9) ||
	    (name[1] != '-' && name[1] != '_') || (name[11] != '-' && name[11] != '_'))
		return KIND_PLAIN;
	if (name[1] == '_' || memchr(name + 11, '_', len - 11))
		return KIND_DROPPED;
	if (IS(name, len, "x-forwarded-proto"))
		return KIND_FORWARDED_PROTO;
	return IS(name, len, "x-forwarded-host") ? KIND_FORWARDED_HOST : KIND_CLAIM;
}

static enum kind kind_of_x(const char *name, size_t len)
{
	if (IS(name, len, "x-real-ip"))
		return KIND_CLAIM;
	if (same_name(name, len, "x_real_ip"))
		return KIND_DROPPED;
	return kind_of_forwarded(name, len);
}

static enum kind kind_of_t(const char *name, size_t len)
{
	if (len == 2)
		return IS(name, len, "te") ? KIND_TE : KIND_PLAIN;
	if (len == 7)
		return IS(name, len, "trailer") ? KIND_TRAILER : KIND_PLAIN;
	return IS(name, len, "tracestate") ? KIND_TRACESTATE : KIND_PLAIN;
}

static bool is_proxy_field(const char *name, size_t len)
{
	return IS(name, len, "proxy-connection") || IS(name, len, "proxy-authorization") ||
	       IS(name, len, "proxy-authenticate") || IS(name, len, "proxy");
}

static inline enum kind kind_of(const char *name, size_t len)
{
	switch (name[0] | 0x20) {
	case 'x':
		return kind_of_x(name, len);
	case 't':
		return kind_of_t(name, len);
	case 'p':
		return is_proxy_field(name, len) ? KIND_DROPPED : KIND_PLAIN;
	case 'f':
		return IS(name, len, "forwarded") ? KIND_FORWARDED : KIND_PLAIN;
	case 'g':
		return IS(name, len, "grpc-timeout") ? KIND_GRPC_TIMEOUT : KIND_PLAIN;
	case 'k':
		return IS(name, len, "keep-alive") ? KIND_DROPPED : KIND_PLAIN;
	case 'h':
		return IS(name, len, "http2-settings") ? KIND_DROPPED : KIND_PLAIN;
	default:
		return KIND_PLAIN;
	}
}

/* Does a field of that kind go on as it is? Notes what it says where that is needed later. */
static bool passes_kind(struct request *r, enum kind kind, const struct http_field *field)
{
	r->kinds |= BIT(kind);
	switch (kind) {
	case KIND_PLAIN:
		return true;
	case KIND_TRAILER:
		return r->f->framing == FORWARD_CHUNKED && r->req->minor == 1;
	case KIND_TRACESTATE:
		return !r->f->drop_tracestate;
	case KIND_CLAIM:
	case KIND_FORWARDED_PROTO:
	case KIND_FORWARDED_HOST:
		return r->believed && r->loc->forwarded_form != PROXY_FORM_RFC7239;
	case KIND_TE:
		r->te = field->value;
		return false;
	case KIND_TIMEOUT:
	case KIND_GRPC_TIMEOUT:
	case KIND_FORWARDED:
	case KIND_DROPPED:
		break;
	}
	return false;
}

static bool passes_changes(const struct request *r, const char *name,
			   const struct http_field *field)
{
	size_t len = field->name.len;

	if (field->id == HTTP_F_HOST)
		return true;
	if (is_changed(&r->changes, name, len))
		return false;
	return field->id != HTTP_F_OTHER || !is_nominated(&r->nominated, r->base, name, len);
}

static inline bool passes(struct request *r, const struct http_field *field)
{
	const char *name = r->base + field->name.off;
	size_t len = field->name.len;

	if (field->id == HTTP_F_OTHER) {
		enum kind kind = kind_of(name, len);

		if (len == r->timeout_len && strncasecmp(name, r->timeout, len) == 0)
			kind = KIND_TIMEOUT;
		if (kind != KIND_PLAIN && !passes_kind(r, kind, field))
			return false;
	} else if (r->drop >> field->id & 1) {
		return false;
	}
	return r->plain || passes_changes(r, name, field);
}

static void put_fields(struct out *o, struct request *r)
{
	struct run run = {r->base, r->base};

	for (unsigned i = 0; i < r->req->fields; i++)
		if (passes(r, &r->req->field[i]))
			pass(o, &run, r->base, &r->req->field[i]);
	flush(o, &run);
}

/* Whom the client asked, with the port: the target says so before Host does (RFC 9112 3.2.2). */
static struct http_span authority_of(const struct http_request *req)
{
	if (req->absolute)
		return (struct http_span){req->host.off, req->path.off - req->host.off};
	return req->known[HTTP_F_HOST];
}

static void put_rest(struct out *o, const char *path, size_t len, bool encoded)
{
	int n;

	if (encoded) {
		put(o, path, len);
		return;
	}
	n = path_encode(path, len, o->p, (size_t)(o->end - o->p));
	if (n < 0)
		refuse(o);
	else
		o->p += n;
}

/*
 * The location's part of the path gives way to the rewrite. That part was found in the normal form,
 * so it is cut off there, and what is left is escaped again if the client's form was another.
 */
static void put_rewritten(struct out *o, const struct request *r)
{
	const char *raw = r->base + r->req->path.off, *rewrite = r->loc->rewrite;
	const char *path = r->f->path ? r->f->path : raw;
	size_t len = r->f->path ? r->f->path_len : r->req->path.len;
	size_t prefix = r->loc->exact || r->loc->path_len > len ? len : r->loc->path_len;
	size_t rewrite_len = strlen(rewrite);
	bool encoded = len == r->req->path.len && memcmp(path, raw, len) == 0;

	if (scan_path_end(rewrite, rewrite + rewrite_len) != rewrite + rewrite_len)
		refuse(o);
	if (rewrite_len > 0 && rewrite[rewrite_len - 1] == '/' && prefix < len &&
	    path[prefix] == '/')
		prefix++;
	if (rewrite_len > 0 ? rewrite[0] != '/' : prefix == len || path[prefix] != '/')
		PUT(o, "/");
	put(o, rewrite, rewrite_len);
	put_rest(o, path + prefix, len - prefix, encoded);
}

/* With the query behind it. */
static void put_target(struct out *o, const struct request *r)
{
	const struct http_request *req = r->req;
	const char *path = r->base + req->path.off, *query = path + req->path.len;
	const char *end = r->base + req->target.off + req->target.len;

	if (req->method == HTTP_OPTIONS && (*path == '*' || (req->absolute && path == end)))
		PUT(o, "*"); /* RFC 9112 3.2.4 */
	else if (r->loc->rewrite)
		put_rewritten(o, r);
	else if (req->path.len == 0)
		PUT(o, "/");
	else
		put(o, path, req->path.len);
	put(o, query, (size_t)(end - query));
}

static void put_request_line(struct out *o, const struct request *r)
{
	const struct http_request *req = r->req;

	if (req->absolute || r->loc->rewrite) {
		put_span(o, r->base, req->method_text);
		PUT(o, " ");
		put_target(o, r);
	} else {
		put(o, r->base + req->method_text.off,
		    req->target.off + req->target.len - req->method_text.off);
	}
	PUT(o, " HTTP/1.1\r\n");
}

static void put_peer(struct out *o, const char *peer)
{
	if (!peer || strncmp(peer, "unix:", 5) == 0)
		PUT(o, "localhost");
	else
		put_text(o, peer);
}

/* Unless the client's own passes with the other fields. */
static void put_host(struct out *o, struct request *r)
{
	const struct http_request *req = r->req;
	struct http_span authority = authority_of(req);
	bool keep = r->loc->host_policy == PROXY_HOST_KEEP && authority.len > 0;

	if (is_set(&r->changes, "host", 4)) {
		r->drop |= BIT(HTTP_F_HOST);
		return;
	}
	if (keep && !req->absolute)
		return;
	r->drop |= BIT(HTTP_F_HOST);
	PUT(o, "Host: ");
	if (keep)
		put_span(o, r->base, authority);
	else if (r->loc->host_policy == PROXY_HOST_FIXED && r->loc->host)
		put_text(o, r->loc->host);
	else
		put_peer(o, r->f->peer);
	PUT(o, "\r\n");
}

/* Is each quoted string closed, so that nothing put behind the value becomes a part of one? */
static bool is_closed(const char *p, size_t len)
{
	bool quoted = false;

	for (size_t i = 0; i < len; i++) {
		if (p[i] == '"')
			quoted = !quoted;
		else if (p[i] == '\\' && quoted)
			i++;
	}
	return !quoted;
}

/* Believed values of a field that came before, and a comma. */
static void put_former(struct out *o, const struct request *r, const char *name, size_t len)
{
	for (unsigned i = 0; i < r->req->fields; i++) {
		const struct http_field *field = &r->req->field[i];

		if (field->value.len > 0 && field->name.len == len &&
		    scan_same_word(r->base + field->name.off, name, len) &&
		    is_closed(r->base + field->value.off, field->value.len)) {
			put_span(o, r->base, field->value);
			PUT(o, ", ");
		}
	}
}

static void put_forwarded_for(struct out *o, const struct request *r)
{
	PUT(o, "X-Forwarded-For: ");
	if (r->believed && r->req->known[HTTP_F_X_FORWARDED_FOR].off != 0)
		put_former(o, r, "x-forwarded-for", 15);
	put_own(o, r->f->address);
	PUT(o, "\r\n");
}

/* Each element as a token or quoted (RFC 7239 4, 6). */
static void put_forwarded(struct out *o, const struct request *r)
{
	const char *address = r->f->address;
	struct http_span host = authority_of(r->req);

	PUT(o, "Forwarded: ");
	if (r->believed && r->kinds & BIT(KIND_FORWARDED))
		put_former(o, r, "forwarded", 9);
	PUT(o, "for=");
	if (!address) {
		PUT(o, "unknown");
	} else if (strchr(address, ':')) {
		PUT(o, "\"[");
		put_own(o, address);
		PUT(o, "]\"");
	} else {
		put_own(o, address);
	}
	if (r->f->by) {
		PUT(o, ";by=\"");
		put_own(o, r->f->by);
		PUT(o, "\"");
	}
	if (host.len > 0) {
		PUT(o, ";host=\"");
		put_span(o, r->base, host);
		PUT(o, "\"");
	}
	PUT(o, ";proto=");
	put_own(o, r->f->scheme);
	PUT(o, "\r\n");
}

static void put_x_forwarded(struct out *o, const struct request *r)
{
	struct http_span host = authority_of(r->req);
	uint32_t kept = r->believed ? r->kinds : 0;

	if (r->f->address && IS_OURS(&r->changes, "x-forwarded-for"))
		put_forwarded_for(o, r);
	if (!(kept & BIT(KIND_FORWARDED_PROTO)) && IS_OURS(&r->changes, "x-forwarded-proto")) {
		PUT(o, "X-Forwarded-Proto: ");
		put_own(o, r->f->scheme);
		PUT(o, "\r\n");
	}
	if (!(kept & BIT(KIND_FORWARDED_HOST)) && host.len > 0 &&
	    IS_OURS(&r->changes, "x-forwarded-host")) {
		PUT(o, "X-Forwarded-Host: ");
		put_span(o, r->base, host);
		PUT(o, "\r\n");
	}
}

static void put_origin(struct out *o, const struct request *r)
{
	bool extends = r->believed && r->kinds & BIT(KIND_FORWARDED);

	if (r->loc->forwarded_form != PROXY_FORM_RFC7239)
		put_x_forwarded(o, r);
	if ((r->loc->forwarded_form != PROXY_FORM_X || extends) &&
	    IS_OURS(&r->changes, "forwarded"))
		put_forwarded(o, r);
}

/* Received in that version; who we are is said by a name, not by an address (RFC 9110 7.6.3). */
static void put_via(struct out *o, unsigned minor, const struct location *loc)
{
	const char *name = loc && loc->via ? loc->via : "drover";

	if (name[0] == '\0')
		return;
	if (minor == 0)
		PUT(o, "Via: 1.0 ");
	else
		PUT(o, "Via: 1.1 ");
	put_own(o, name);
	PUT(o, "\r\n");
}

/* A TimeoutValue has at most eight digits (gRPC over HTTP/2, "Timeout"). */
static void put_grpc_timeout(struct out *o, uint64_t ms)
{
	enum {
		MOST = 99999999
	};

	PUT(o, "grpc-timeout: ");
	if (ms <= MOST) {
		put_number(o, ms);
		PUT(o, "m\r\n");
	} else {
		put_number(o, ms / 1000 < MOST ? ms / 1000 : MOST);
		PUT(o, "S\r\n");
	}
}

/* What we say of the request, besides where it came from. */
static void put_notes(struct out *o, const struct request *r)
{
	uint64_t ms = r->f->timeout_ms;

	if (r->f->request_id && IS_OURS(&r->changes, "x-request-id")) {
		PUT(o, "X-Request-Id: ");
		put_text(o, r->f->request_id);
		PUT(o, "\r\n");
	}
	if (r->f->traceparent && IS_OURS(&r->changes, "traceparent")) {
		PUT(o, "traceparent: ");
		put_text(o, r->f->traceparent);
		PUT(o, "\r\n");
	}
	if (ms > 0 && is_ours(&r->changes, r->timeout, r->timeout_len)) {
		put(o, r->timeout, r->timeout_len);
		PUT(o, ": ");
		put_number(o, ms);
		PUT(o, "\r\n");
	}
	if (ms > 0 && r->kinds & BIT(KIND_GRPC_TIMEOUT) && IS_OURS(&r->changes, "grpc-timeout"))
		put_grpc_timeout(o, ms);
	if (IS_OURS(&r->changes, "via"))
		put_via(o, r->req->minor, r->loc);
}

static void put_framing(struct out *o, enum forward_framing framing, uint64_t length)
{
	if (framing == FORWARD_CHUNKED) {
		PUT(o, "Transfer-Encoding: chunked\r\n");
	} else if (framing == FORWARD_LENGTH) {
		PUT(o, "Content-Length: ");
		put_number(o, length);
		PUT(o, "\r\n");
	}
}

/* RFC 9110 10.1.4 wants TE named, so that it does not go further than to the next one. */
static void put_hop(struct out *o, const struct request *r)
{
	bool upgrade = r->f->upgrade && forward_may_upgrade(r->base, r->req);
	bool te = r->te.len > 0 && r->req->minor == 1 &&
		  http_list_has(r->base + r->te.off, r->te.len, "trailers");

	if (te)
		PUT(o, "TE: trailers\r\n");
	if (te && upgrade)
		PUT(o, "Connection: upgrade, TE\r\n");
	else if (te)
		PUT(o, "Connection: TE\r\n");
	else if (upgrade)
		PUT(o, "Connection: upgrade\r\n");
	if (!upgrade)
		return;
	PUT(o, "Upgrade: ");
	put_span(o, r->base, r->req->known[HTTP_F_UPGRADE]);
	PUT(o, "\r\n");
}

static void set_rules(struct request *r)
{
	const struct forward_request *f = r->f;
	const struct location *loc = r->loc;

	r->changes = (struct changes){(const char *const *)loc->remove_request,
				      loc->request_headers, loc->request_headers_count, false};
	r->timeout = f->timeout_name ? f->timeout_name : "X-Request-Timeout-Ms";
	r->timeout_len = strlen(r->timeout);
	r->believed = loc->forwarded == PROXY_FORWARDED_APPEND ||
		      (loc->forwarded == PROXY_FORWARDED_REPLACE && f->trusted);
	r->drop = BIT(HTTP_F_CONNECTION) | BIT(HTTP_F_CONTENT_LENGTH) |
		  BIT(HTTP_F_TRANSFER_ENCODING) | BIT(HTTP_F_EXPECT) | BIT(HTTP_F_UPGRADE);
	if (!r->believed || f->address || loc->forwarded_form == PROXY_FORM_RFC7239)
		r->drop |= BIT(HTTP_F_X_FORWARDED_FOR);
	if (f->request_id)
		r->drop |= BIT(HTTP_F_X_REQUEST_ID);
	if (f->traceparent)
		r->drop |= BIT(HTTP_F_TRACEPARENT);
	r->kinds = 0;
	r->te = (struct http_span){0, 0};
	read_nominated(&r->nominated, r->base, r->req->field, r->req->fields, HTTP_F_CONNECTION,
		       r->req->known[HTTP_F_CONNECTION],
		       r->req->known_several & BIT(HTTP_F_CONNECTION));
	r->plain = r->nominated.count == 0 && !r->changes.remove && r->changes.set_count == 0;
}

int forward_request(char *out, size_t size, const struct forward_request *f)
{
	struct out o = {out, out + size, false};
	struct request r;

	if (f->req->method == HTTP_CONNECT)
		return -1;
	r.f = f;
	r.base = f->base;
	r.req = f->req;
	r.loc = f->location;
	set_rules(&r);
	put_request_line(&o, &r);
	put_host(&o, &r);
	put_fields(&o, &r);
	if (r.loc->forwarded != PROXY_FORWARDED_OFF)
		put_origin(&o, &r);
	put_notes(&o, &r);
	put_settings(&o, &r.changes);
	put_framing(&o, f->framing, f->length);
	put_hop(&o, &r);
	PUT(&o, "\r\n");
	return o.broken ? -1 : (int)(o.p - out);
}

bool forward_may_upgrade(const char *base, const struct http_request *req)
{
	struct http_span protocol = req->known[HTTP_F_UPGRADE];
	const char *name = base + protocol.off;

	if (protocol.len == 0 || req->known_several & BIT(HTTP_F_UPGRADE) || req->minor == 0 ||
	    req->chunked || req->content_length > 0)
		return false;
	if (memchr(name, ',', protocol.len) || BEGINS(name, protocol.len, "h2") ||
	    BEGINS(name, protocol.len, "http/") || IS(name, protocol.len, "h2"))
		return false;
	return head_list_has(base, req->field, req->fields, HTTP_F_CONNECTION, "upgrade");
}

/* ---- Responses. */

/* One response on its way. */
struct response {
	const struct forward_response *f;
	const char *base;
	const struct http_response *r;
	struct changes changes;
	uint32_t drop; /* a bit for each enum http_response_field_id */
	bool plain;
	struct nominated nominated;
};

static void put_status_line(struct out *o, const struct response *p, struct run *run)
{
	const struct http_response *r = p->r;
	const char *end = p->base + r->reason.off + r->reason.len;

	/* As it came, if that is how it has to be. */
	if (p->base[7] == '1' && p->base[12] == ' ') {
		*run = (struct run){p->base, end + 2};
		return;
	}
	*run = (struct run){p->base, p->base};
	PUT(o, "HTTP/1.1 ");
	put_number(o, r->status);
	PUT(o, " ");
	put_span(o, p->base, r->reason);
	PUT(o, "\r\n");
}

static bool passes_response_changes(const struct response *p, const struct http_field *field)
{
	const char *name = p->base + field->name.off;
	size_t len = field->name.len;

	if (is_changed(&p->changes, name, len))
		return false;
	if (p->f->request_id && IS(name, len, "x-request-id"))
		return false;
	return field->id != HTTP_R_OTHER || !is_nominated(&p->nominated, p->base, name, len);
}

static void put_response_fields(struct out *o, const struct response *p, struct run *run)
{
	const struct http_response *r = p->r;

	for (unsigned i = 0; i < r->fields; i++) {
		const struct http_field *field = &r->field[i];

		if (p->drop >> field->id & 1)
			continue;
		if (p->plain || passes_response_changes(p, field))
			pass(o, run, p->base, field);
	}
	flush(o, run);
}

static void put_response_framing(struct out *o, const struct response *p)
{
	const struct http_response *r = p->r;

	if (r->status < 200 || r->status == 204)
		return;
	if (!p->f->head_request && r->status != 304)
		put_framing(o, p->f->framing, p->f->length);
	else if (r->has_length)
		put_framing(o, FORWARD_LENGTH, r->content_length);
}

static void put_response_notes(struct out *o, const struct response *p)
{
	const struct forward_response *f = p->f;

	if (p->r->known[HTTP_R_DATE].off == 0 && f->date && IS_OURS(&p->changes, "date")) {
		PUT(o, "Date: ");
		put_own(o, f->date);
		PUT(o, "\r\n");
	}
	if (f->request_id && IS_OURS(&p->changes, "x-request-id")) {
		PUT(o, "X-Request-Id: ");
		put_text(o, f->request_id);
		PUT(o, "\r\n");
	}
	if (IS_OURS(&p->changes, "via"))
		put_via(o, p->r->minor, f->location);
}

static void set_response_rules(struct response *p)
{
	const struct http_response *r = p->r;
	const struct location *loc = p->f->location;

	/* Interim answers are the peer's alone. */
	p->changes = (struct changes){NULL, NULL, 0, !reply_is_success(r->status)};
	if (loc && r->status >= 200) {
		p->changes.remove = (const char *const *)loc->remove_response;
		p->changes.set = loc->headers;
		p->changes.set_count = loc->headers_count;
	}
	p->drop = BIT(HTTP_R_CONNECTION) | BIT(HTTP_R_KEEP_ALIVE) | BIT(HTTP_R_PROXY_CONNECTION) |
		  BIT(HTTP_R_PROXY_AUTHENTICATE) | BIT(HTTP_R_TE) | BIT(HTTP_R_TRANSFER_ENCODING) |
		  BIT(HTTP_R_CONTENT_LENGTH);
	if (p->f->framing != FORWARD_CHUNKED || p->f->head_request)
		p->drop |= BIT(HTTP_R_TRAILER);
	if (r->status != 101)
		p->drop |= BIT(HTTP_R_UPGRADE);
	read_nominated(&p->nominated, p->base, r->field, r->fields, HTTP_R_CONNECTION,
		       r->known[HTTP_R_CONNECTION], r->known_several & BIT(HTTP_R_CONNECTION));
	p->plain = p->nominated.count == 0 && !p->changes.remove && p->changes.set_count == 0 &&
		   !p->f->request_id;
}

static void put_end(struct out *o, const struct forward_response *f)
{
	if (f->connection && f->response->status >= 200) {
		PUT(o, "Connection: ");
		put_own(o, f->connection);
		PUT(o, "\r\n");
	}
	PUT(o, "\r\n");
}

int forward_response(char *out, size_t size, const struct forward_response *f)
{
	struct out o = {out, out + size, false};
	struct response p;
	struct run run;

	p.f = f;
	p.base = f->base;
	p.r = f->response;
	set_response_rules(&p);
	put_status_line(&o, &p, &run);
	put_response_fields(&o, &p, &run);
	if (p.r->status >= 200)
		put_response_notes(&o, &p);
	if (f->set_cookie) {
		PUT(&o, "Set-Cookie: ");
		put_text(&o, f->set_cookie);
		PUT(&o, "\r\n");
	}
	put_settings(&o, &p.changes);
	put_response_framing(&o, &p);
	if (p.r->status == 101)
		PUT(&o, "Connection: upgrade\r\n");
	if (f->whole)
		put_end(&o, f);
	return o.broken ? -1 : (int)(o.p - out);
}

enum forward_framing forward_framing_of(const struct http_response *response,
					enum http_method of_request, int minor)
{
	switch (http_response_body(response, of_request)) {
	case HTTP_BODY_NONE:
		break;
	case HTTP_BODY_LENGTH:
		return FORWARD_LENGTH;
	case HTTP_BODY_CHUNKED:
	case HTTP_BODY_UNTIL_CLOSE:
		return minor == 0 ? FORWARD_UNTIL_CLOSE : FORWARD_CHUNKED;
	}
	return FORWARD_NO_BODY;
}

/* ---- Trailers. */

/*
 * Fields that nobody may look for behind the body: they frame it, choose who gets it, let someone
 * in, or change what the head was taken for (RFC 9110 6.5.1).
 */
static bool may_be_trailer(const char *name, size_t len)
{
	static const char names[][28] = {"host",
					 "connection",
					 "keep-alive",
					 "transfer-encoding",
					 "trailer",
					 "te",
					 "upgrade",
					 "expect",
					 "max-forwards",
					 "pragma",
					 "range",
					 "cookie",
					 "set-cookie",
					 "authorization",
					 "www-authenticate",
					 "authentication-info",
					 "age",
					 "cache-control",
					 "expires",
					 "date",
					 "location",
					 "retry-after",
					 "vary",
					 "warning",
					 "via",
					 "forwarded",
					 "origin",
					 "traceparent",
					 "tracestate",
					 "x-real-ip",
					 "x-request-id",
					 "x-request-timeout-ms",
					 "grpc-timeout",
					 "http2-settings"};

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (same_name(name, len, names[i]))
			return false;
	return !BEGINS(name, len, "content-") && !BEGINS(name, len, "if-") &&
	       !BEGINS(name, len, "sec-") && !BEGINS(name, len, "access-control-") &&
	       !IS(name, len, "proxy") && !BEGINS(name, len, "proxy-") &&
	       kind_of_forwarded(name, len) == KIND_PLAIN;
}

int forward_trailers(char *out, size_t size, size_t *out_len, const char *base, size_t len,
		     size_t *used, enum http_refusal *refusal)
{
	struct out o = {out, out + size, false};
	const char *p = base, *end = base + len;
	struct http_field field;

	*refusal = HTTP_ACCEPTED;
	*out_len = *used = 0;
	while (p && p < end && scan_is(*p, SCAN_TOKEN)) {
		const char *name = p;
		struct run none = {base, base};

		p = head_field(base, p, end, &field, refusal);
		if (p && may_be_trailer(name, field.name.len)) {
			pass(&o, &none, base, &field);
			flush(&o, &none);
		}
	}
	if (p)
		p = head_end_fields(p, end, p > base, refusal);
	if (*refusal == HTTP_ACCEPTED && (o.broken || (p ? p : end) - base > CHUNK_EXTRA_MAX + 2))
		*refusal = HTTP_REFUSED_CHUNK_EXTRA;
	if (*refusal != HTTP_ACCEPTED)
		return -1;
	if (!p)
		return 0;
	*out_len = (size_t)(o.p - out);
	*used = (size_t)(p - base);
	return 1;
}

/* ---- Time limits. */

/* RFC: gRPC over HTTP/2, "Timeout": up to eight digits and a unit; rounded up to milliseconds. */
static uint64_t grpc_ms(const char *p, size_t len)
{
	uint64_t n;

	if (len < 2 || len > 9 || !head_number(p, len - 1, &n))
		return 0;
	switch (p[len - 1]) {
	case 'H':
		return n * 3600000;
	case 'M':
		return n * 60000;
	case 'S':
		return n * 1000;
	case 'm':
		return n;
	case 'u':
		return (n + 999) / 1000;
	case 'n':
		return (n + 999999) / 1000000;
	default:
		return 0;
	}
}

uint64_t forward_asked_ms(const char *base, const struct http_request *req, const char *name)
{
	uint64_t least = 0;

	if (!name)
		name = "x-request-timeout-ms";
	for (unsigned i = 0; i < req->fields; i++) {
		const struct http_field *f = &req->field[i];
		const char *text = base + f->name.off, *value = base + f->value.off;
		uint64_t ms = 0;

		if (same_name(text, f->name.len, name))
			(void)head_number(value, f->value.len, &ms);
		else if (same_name(text, f->name.len, "grpc-timeout"))
			ms = grpc_ms(value, f->value.len);
		if (ms > 0 && (least == 0 || ms < least))
			least = ms;
	}
	return least;
}
