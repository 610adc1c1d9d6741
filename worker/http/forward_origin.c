/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where a request came from, as its peer is told: X-Forwarded-* and Forwarded (RFC 7239), behind
 * what a client said and is believed. Written for every proxied request whose location says so.
 */
#include "worker/http/forward_parts.h"

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

/* Values of a field that came before, and a comma behind each. */
static void put_former(struct out *o, const struct forward_request *f, const char *name, size_t len)
{
	for (unsigned i = 0; i < f->req->fields; i++) {
		const struct http_field *field = &f->req->field[i];

		if (field->value.len > 0 &&
		    head_is(f->base + field->name.off, field->name.len, name, len) &&
		    is_closed(f->base + field->value.off, field->value.len)) {
			out_span(o, f->base, field->value);
			OUT_PUT(o, ", ");
		}
	}
}

#define PUT_FORMER(o, f, literal) put_former(o, f, literal, sizeof(literal) - 1)

static void put_forwarded_for(struct out *o, const struct forward_origin *from)
{
	OUT_PUT(o, "X-Forwarded-For: ");
	if (from->believed && from->f->req->known[HTTP_F_X_FORWARDED_FOR].off != 0)
		PUT_FORMER(o, from->f, "x-forwarded-for");
	out_string(o, from->f->address);
	OUT_PUT(o, "\r\n");
}

static void put_x_forwarded(struct out *o, const struct forward_origin *from)
{
	const char *scheme = from->f->scheme, *host = from->f->base + from->host.off;

	if (from->f->address && FORWARD_IS_OURS(from->changes, "x-forwarded-for"))
		put_forwarded_for(o, from);
	if (!from->has_proto)
		FORWARD_OURS(o, from->changes, "X-Forwarded-Proto", scheme, strlen(scheme));
	if (!from->has_host && from->host.len > 0)
		FORWARD_OURS(o, from->changes, "X-Forwarded-Host", host, from->host.len);
}

/* A node, as a token or quoted (RFC 7239 4, 6). */
static void put_node(struct out *o, const char *address)
{
	if (!address) {
		OUT_PUT(o, "unknown");
	} else if (strchr(address, ':')) {
		OUT_PUT(o, "\"[");
		out_string(o, address);
		OUT_PUT(o, "]\"");
	} else {
		out_string(o, address);
	}
}

static void put_forwarded(struct out *o, const struct forward_origin *from)
{
	const struct forward_request *f = from->f;

	OUT_PUT(o, "Forwarded: ");
	if (from->has_forwarded)
		PUT_FORMER(o, f, "forwarded");
	OUT_PUT(o, "for=");
	put_node(o, f->address);
	if (f->by) {
		OUT_PUT(o, ";by=\"");
		out_string(o, f->by);
		OUT_PUT(o, "\"");
	}
	if (from->host.len > 0) {
		OUT_PUT(o, ";host=\"");
		out_span(o, f->base, from->host);
		OUT_PUT(o, "\"");
	}
	OUT_PUT(o, ";proto=");
	out_string(o, f->scheme);
	OUT_PUT(o, "\r\n");
}

void forward_put_origin(struct out *o, const struct forward_origin *from)
{
	enum proxy_form form = from->f->location->forwarded_form;

	if (form != PROXY_FORM_RFC7239)
		put_x_forwarded(o, from);
	if ((form != PROXY_FORM_X || from->has_forwarded) &&
	    FORWARD_IS_OURS(from->changes, "forwarded"))
		put_forwarded(o, from);
}
