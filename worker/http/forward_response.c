/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a peer answered, as it goes to a client: see forward.h. Most fields pass unchanged, so those
 * that lie side by side are copied in one piece, with the status line before them. Written for
 * every proxied request: nothing here may allocate, log or look at a clock.
 */
#include "worker/http/forward_parts.h"

#include "worker/http/reply.h"

/* Of one hop, or framing, which is written anew. */
static const uint32_t of_one_hop = FORWARD_BIT(HTTP_R_CONNECTION) | FORWARD_BIT(HTTP_R_KEEP_ALIVE) |
				   FORWARD_BIT(HTTP_R_PROXY_CONNECTION) |
				   FORWARD_BIT(HTTP_R_PROXY_AUTHENTICATE) | FORWARD_BIT(HTTP_R_TE) |
				   FORWARD_BIT(HTTP_R_TRANSFER_ENCODING) |
				   FORWARD_BIT(HTTP_R_CONTENT_LENGTH);

/* One response on its way. */
struct response {
	const struct forward_response *f;
	const char *base;
	const struct http_response *r;
	struct forward_changes changes;
	uint32_t drop; /* a bit for each enum http_response_field_id */
	bool plain;
	struct forward_nominated nominated;
};

static void put_status_line(struct out *o, const struct response *p, struct forward_run *run)
{
	const struct http_response *r = p->r;
	const char *end = p->base + r->reason.off + r->reason.len;

	/* As it came, if that is how it has to be. */
	if (p->base[7] == '1' && p->base[12] == ' ') {
		*run = (struct forward_run){p->base, end + 2};
		return;
	}
	*run = (struct forward_run){p->base, p->base};
	OUT_PUT(o, "HTTP/1.1 ");
	out_number(o, r->status);
	OUT_PUT(o, " ");
	out_span(o, p->base, r->reason);
	OUT_PUT(o, "\r\n");
}

static bool passes_changes(const struct response *p, const struct http_field *field)
{
	const char *name = p->base + field->name.off;
	size_t len = field->name.len;

	if (forward_is_changed(&p->changes, name, len))
		return false;
	if (p->f->request_id && HEAD_IS(name, len, "x-request-id"))
		return false;
	return field->id != HTTP_R_OTHER ||
	       !forward_is_nominated(&p->nominated, p->base, name, len);
}

static void put_fields(struct out *o, const struct response *p, struct forward_run *run)
{
	const struct http_response *r = p->r;

	for (unsigned i = 0; i < r->fields; i++) {
		const struct http_field *field = &r->field[i];

		if (p->drop >> field->id & 1)
			continue;
		if (p->plain || passes_changes(p, field))
			forward_pass(o, run, p->base, field);
	}
	forward_flush(o, run);
}

static void put_framing(struct out *o, const struct response *p)
{
	const struct http_response *r = p->r;

	if (r->status < 200 || r->status == 204)
		return;
	if (!p->f->head_request && r->status != 304)
		forward_put_framing(o, p->f->framing, p->f->length);
	else if (r->has_length)
		forward_put_framing(o, FORWARD_LENGTH, r->content_length);
}

static void put_notes(struct out *o, const struct response *p)
{
	const struct forward_response *f = p->f;

	if (p->r->known[HTTP_R_DATE].off == 0 && f->date)
		FORWARD_OURS(o, &p->changes, "Date", f->date, strlen(f->date));
	if (f->request_id)
		FORWARD_OURS(o, &p->changes, "X-Request-Id", f->request_id,
			     out_text_len(o, f->request_id));
	forward_put_via(o, &p->changes, p->r->minor, f->location);
}

static void set_rules(struct response *p)
{
	const struct http_response *r = p->r;
	const struct location *loc = p->f->location;

	/* Interim answers are the peer's alone. */
	p->changes = (struct forward_changes){NULL, NULL, 0, !reply_is_success(r->status)};
	if (loc && r->status >= 200) {
		p->changes.remove = (const char *const *)loc->remove_response;
		p->changes.set = loc->headers;
		p->changes.set_count = loc->headers_count;
	}
	p->drop = of_one_hop;
	if (p->f->framing != FORWARD_CHUNKED || p->f->head_request)
		p->drop |= FORWARD_BIT(HTTP_R_TRAILER);
	if (r->status != 101)
		p->drop |= FORWARD_BIT(HTTP_R_UPGRADE);
	forward_nominate(&p->nominated, p->base, r->field, r->fields, HTTP_R_CONNECTION,
			 r->known[HTTP_R_CONNECTION],
			 r->known_several & FORWARD_BIT(HTTP_R_CONNECTION));
	p->plain = p->nominated.count == 0 && forward_changes_nothing(&p->changes) &&
		   !p->f->request_id;
}

static void put_end(struct out *o, const struct forward_response *f)
{
	if (f->connection && f->response->status >= 200)
		OUT_FIELD(o, "Connection", f->connection, strlen(f->connection));
	OUT_PUT(o, "\r\n");
}

int forward_response(char *out, size_t size, const struct forward_response *f)
{
	struct out o = {out, out + size, false};
	struct response p;
	struct forward_run run;

	p.f = f;
	p.base = f->base;
	p.r = f->response;
	set_rules(&p);
	put_status_line(&o, &p, &run);
	put_fields(&o, &p, &run);
	if (p.r->status >= 200)
		put_notes(&o, &p);
	if (f->set_cookie)
		OUT_FIELD(&o, "Set-Cookie", f->set_cookie, out_text_len(&o, f->set_cookie));
	forward_put_settings(&o, &p.changes);
	put_framing(&o, &p);
	if (p.r->status == 101)
		OUT_PUT(&o, "Connection: upgrade\r\n");
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
