/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a client asked, as it goes to a peer: see forward.h. Most fields pass unchanged, so those
 * that lie side by side are copied in one piece. Written for every proxied request: nothing here
 * may allocate, log or look at a clock.
 */
#include "worker/http/forward_parts.h"

#include "worker/http/path.h"

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

/* Of one hop, or framing, which is written anew; the others of that sort are KIND_DROPPED. */
static const uint32_t of_one_hop = FORWARD_BIT(HTTP_F_CONNECTION) |
				   FORWARD_BIT(HTTP_F_CONTENT_LENGTH) |
				   FORWARD_BIT(HTTP_F_TRANSFER_ENCODING) |
				   FORWARD_BIT(HTTP_F_EXPECT) | FORWARD_BIT(HTTP_F_UPGRADE);

/* One request on its way. */
struct request {
	const struct forward_request *f;
	const char *base;
	const struct http_request *req;
	const struct location *loc;
	struct forward_changes changes;
	const char *timeout; /* name of its field */
	size_t timeout_len;
	bool believed;  /* what the client says of where it came from */
	bool plain;     /* neither nominated fields nor changes */
	uint32_t drop;  /* a bit for each enum http_field_id */
	uint32_t kinds; /* a bit for each enum kind that was seen */
	struct http_span te;
	struct forward_nominated nominated;
};

static enum kind kind_of_forwarded(const char *name, size_t len)
{
	if (!forward_is_x_forwarded(name, len))
		return KIND_PLAIN;
	if (name[1] == '_' || memchr(name + 11, '_', len - 11))
		return KIND_DROPPED;
	if (HEAD_IS(name, len, "x-forwarded-proto"))
		return KIND_FORWARDED_PROTO;
	return HEAD_IS(name, len, "x-forwarded-host") ? KIND_FORWARDED_HOST : KIND_CLAIM;
}

static enum kind kind_of_x(const char *name, size_t len)
{
	if (HEAD_IS(name, len, "x-real-ip"))
		return KIND_CLAIM;
	if (head_is_name(name, len, "x_real_ip") || head_is_variable(name, len, "x-request-id"))
		return KIND_DROPPED;
	return kind_of_forwarded(name, len);
}

static enum kind kind_of_t(const char *name, size_t len)
{
	if (len == 2)
		return HEAD_IS(name, len, "te") ? KIND_TE : KIND_PLAIN;
	if (len == 7)
		return HEAD_IS(name, len, "trailer") ? KIND_TRAILER : KIND_PLAIN;
	return HEAD_IS(name, len, "tracestate") ? KIND_TRACESTATE : KIND_PLAIN;
}

static bool is_proxy_field(const char *name, size_t len)
{
	return HEAD_IS(name, len, "proxy-connection") ||
	       HEAD_IS(name, len, "proxy-authorization") ||
	       HEAD_IS(name, len, "proxy-authenticate") || HEAD_IS(name, len, "proxy");
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
		return HEAD_IS(name, len, "forwarded") ? KIND_FORWARDED : KIND_PLAIN;
	case 'g':
		return HEAD_IS(name, len, "grpc-timeout") ? KIND_GRPC_TIMEOUT : KIND_PLAIN;
	case 'k':
		return HEAD_IS(name, len, "keep-alive") ? KIND_DROPPED : KIND_PLAIN;
	case 'h':
		return HEAD_IS(name, len, "http2-settings") ? KIND_DROPPED : KIND_PLAIN;
	default:
		return KIND_PLAIN;
	}
}

/* Does a field of that kind go on as it is? Notes what it says where that is needed later. */
static bool passes_kind(struct request *r, enum kind kind, const struct http_field *field)
{
	r->kinds |= FORWARD_BIT(kind);
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
	if (forward_is_changed(&r->changes, name, len))
		return false;
	return field->id != HTTP_F_OTHER ||
	       !forward_is_nominated(&r->nominated, r->base, name, len);
}

static inline bool passes(struct request *r, const struct http_field *field)
{
	const char *name = r->base + field->name.off;
	size_t len = field->name.len;

	if (field->id == HTTP_F_OTHER) {
		enum kind kind = kind_of(name, len);

		if (len == r->timeout_len && head_is_variable(name, len, r->timeout))
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
	struct forward_run run = {r->base, r->base};

	for (unsigned i = 0; i < r->req->fields; i++)
		if (passes(r, &r->req->field[i]))
			forward_pass(o, &run, r->base, &r->req->field[i]);
	forward_flush(o, &run);
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
		out_put(o, path, len);
		return;
	}
	n = path_encode(path, len, o->p, (size_t)(o->end - o->p));
	if (n < 0)
		out_refuse(o);
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
		out_refuse(o);
	if (rewrite_len > 0 && rewrite[rewrite_len - 1] == '/' && prefix < len &&
	    path[prefix] == '/')
		prefix++;
	if (rewrite_len > 0 ? rewrite[0] != '/' : prefix == len || path[prefix] != '/')
		OUT_PUT(o, "/");
	out_put(o, rewrite, rewrite_len);
	put_rest(o, path + prefix, len - prefix, encoded);
}

/* With the query behind it. */
static void put_target(struct out *o, const struct request *r)
{
	const struct http_request *req = r->req;
	const char *path = r->base + req->path.off, *query = path + req->path.len;
	const char *end = r->base + req->target.off + req->target.len;

	if (req->method == HTTP_OPTIONS && (*path == '*' || (req->absolute && path == end)))
		OUT_PUT(o, "*"); /* RFC 9112 3.2.4 */
	else if (r->loc->rewrite)
		put_rewritten(o, r);
	else if (req->path.len == 0)
		OUT_PUT(o, "/");
	else
		out_put(o, path, req->path.len);
	out_put(o, query, (size_t)(end - query));
}

static void put_request_line(struct out *o, const struct request *r)
{
	const struct http_request *req = r->req;

	if (req->absolute || r->loc->rewrite) {
		out_span(o, r->base, req->method_text);
		OUT_PUT(o, " ");
		put_target(o, r);
	} else {
		out_put(o, r->base + req->method_text.off,
			req->target.off + req->target.len - req->method_text.off);
	}
	OUT_PUT(o, " HTTP/1.1\r\n");
}

static void put_peer(struct out *o, const char *peer)
{
	if (!peer || strncmp(peer, "unix:", 5) == 0)
		OUT_PUT(o, "localhost");
	else
		out_text(o, peer);
}

/* Unless the client's own passes with the other fields. */
static void put_host(struct out *o, struct request *r)
{
	const struct http_request *req = r->req;
	struct http_span authority = authority_of(req);
	bool keep = r->loc->host_policy == PROXY_HOST_KEEP && authority.len > 0;

	if (forward_is_set(&r->changes, "host", 4)) {
		r->drop |= FORWARD_BIT(HTTP_F_HOST);
		return;
	}
	if (keep && !req->absolute)
		return;
	r->drop |= FORWARD_BIT(HTTP_F_HOST);
	OUT_PUT(o, "Host: ");
	if (keep)
		out_span(o, r->base, authority);
	else if (r->loc->host_policy == PROXY_HOST_FIXED && r->loc->host)
		out_text(o, r->loc->host);
	else
		put_peer(o, r->f->peer);
	OUT_PUT(o, "\r\n");
}

static void put_origin(struct out *o, const struct request *r)
{
	uint32_t said = r->believed ? r->kinds : 0;
	const struct forward_origin origin = {.f = r->f,
					      .changes = &r->changes,
					      .host = authority_of(r->req),
					      .believed = r->believed,
					      .has_proto = said & FORWARD_BIT(KIND_FORWARDED_PROTO),
					      .has_host = said & FORWARD_BIT(KIND_FORWARDED_HOST),
					      .has_forwarded = said & FORWARD_BIT(KIND_FORWARDED)};

	forward_put_origin(o, &origin);
}

/* What we say of the request, besides where it came from. */
static void put_notes(struct out *o, const struct request *r)
{
	const struct forward_request *f = r->f;
	uint64_t ms = f->timeout_ms;

	if (f->request_id)
		FORWARD_OURS(o, &r->changes, "X-Request-Id", f->request_id,
			     out_text_len(o, f->request_id));
	if (f->traceparent)
		FORWARD_OURS(o, &r->changes, "traceparent", f->traceparent,
			     out_text_len(o, f->traceparent));
	if (ms > 0 && forward_is_ours(&r->changes, r->timeout, r->timeout_len)) {
		out_put(o, r->timeout, r->timeout_len);
		OUT_PUT(o, ": ");
		out_number(o, ms);
		OUT_PUT(o, "\r\n");
	}
	if (ms > 0 && r->kinds & FORWARD_BIT(KIND_GRPC_TIMEOUT) &&
	    FORWARD_IS_OURS(&r->changes, "grpc-timeout"))
		forward_put_grpc_timeout(o, ms);
	forward_put_via(o, &r->changes, r->req->minor, r->loc);
}

/* RFC 9110 10.1.4 wants TE named, so that it does not go further than to the next one. */
static void put_hop(struct out *o, const struct request *r)
{
	struct http_span protocol = r->req->known[HTTP_F_UPGRADE];
	bool upgrade = r->f->upgrade && forward_may_upgrade(r->base, r->req);
	bool te = r->te.len > 0 && r->req->minor == 1 &&
		  http_list_has(r->base + r->te.off, r->te.len, "trailers");

	if (te)
		OUT_PUT(o, "TE: trailers\r\n");
	if (te && upgrade)
		OUT_PUT(o, "Connection: upgrade, TE\r\n");
	else if (te)
		OUT_PUT(o, "Connection: TE\r\n");
	else if (upgrade)
		OUT_PUT(o, "Connection: upgrade\r\n");
	if (upgrade)
		OUT_FIELD(o, "Upgrade", r->base + protocol.off, protocol.len);
}

static void set_rules(struct request *r)
{
	const struct forward_request *f = r->f;
	const struct location *loc = r->loc;

	r->changes = (struct forward_changes){(const char *const *)loc->remove_request,
					      loc->request_headers, loc->request_headers_count,
					      false};
	r->timeout = f->timeout_name ? f->timeout_name : "X-Request-Timeout-Ms";
	r->timeout_len = strlen(r->timeout);
	r->believed = loc->forwarded == PROXY_FORWARDED_APPEND ||
		      (loc->forwarded == PROXY_FORWARDED_REPLACE && f->trusted);
	r->drop = of_one_hop;
	if (!r->believed || f->address || loc->forwarded_form == PROXY_FORM_RFC7239)
		r->drop |= FORWARD_BIT(HTTP_F_X_FORWARDED_FOR);
	if (f->request_id)
		r->drop |= FORWARD_BIT(HTTP_F_X_REQUEST_ID);
	if (f->traceparent)
		r->drop |= FORWARD_BIT(HTTP_F_TRACEPARENT);
	r->kinds = 0;
	r->te = (struct http_span){0, 0};
	forward_nominate(&r->nominated, r->base, r->req->field, r->req->fields, HTTP_F_CONNECTION,
			 r->req->known[HTTP_F_CONNECTION],
			 r->req->known_several & FORWARD_BIT(HTTP_F_CONNECTION));
	r->plain = r->nominated.count == 0 && forward_changes_nothing(&r->changes);
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
	forward_put_settings(&o, &r.changes);
	forward_put_framing(&o, f->framing, f->length);
	put_hop(&o, &r);
	OUT_PUT(&o, "\r\n");
	return o.broken ? -1 : (int)(o.p - out);
}

bool forward_may_upgrade(const char *base, const struct http_request *req)
{
	struct http_span protocol = req->known[HTTP_F_UPGRADE];
	const char *name = base + protocol.off;

	if (protocol.len == 0 || req->known_several & FORWARD_BIT(HTTP_F_UPGRADE) ||
	    req->minor == 0 || req->chunked || req->content_length > 0)
		return false;
	if (memchr(name, ',', protocol.len) || HEAD_BEGINS(name, protocol.len, "h2") ||
	    HEAD_BEGINS(name, protocol.len, "http/") || HEAD_IS(name, protocol.len, "h2"))
		return false;
	return head_list_has(base, req->field, req->fields, HTTP_F_CONNECTION, "upgrade");
}
