/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Fields that heads in both directions gain and lose: by the configuration, by Connection, by what
 * every proxy adds. See forward.h for the rules. Most heads meet few of them, so all of this lies
 * beside the path of those that pass unchanged.
 */
#include "worker/http/forward_parts.h"

static bool is_removed(const struct forward_changes *c, const char *name, size_t len)
{
	for (const char *const *word = c->remove; word && *word; word++)
		if (head_is_variable(name, len, *word))
			return true;
	return false;
}

static bool applies(const struct forward_changes *c, const struct header_setting *h)
{
	return h->always || !c->errors;
}

bool forward_is_set(const struct forward_changes *c, const char *name, size_t len)
{
	for (uint32_t i = 0; i < c->set_count; i++)
		if (applies(c, &c->set[i]) && head_is_variable(name, len, c->set[i].name))
			return true;
	return false;
}

bool forward_is_changed(const struct forward_changes *c, const char *name, size_t len)
{
	return is_removed(c, name, len) || forward_is_set(c, name, len);
}

bool forward_is_framing(const char *name, size_t len)
{
	static const char names[][FORWARD_NAME] = {
	    "connection", "content-length", "transfer-encoding", "keep-alive", "te", "trailer",
	    "upgrade",    "expect",         "proxy-connection"};

	return forward_is_one_of(name, len, names, sizeof names / sizeof names[0]);
}

void forward_put_settings(struct out *o, const struct forward_changes *c)
{
	for (uint32_t i = 0; i < c->set_count; i++) {
		const struct header_setting *h = &c->set[i];

		/* What is said of the connection and the body is what is so. */
		if (!applies(c, h) || forward_is_framing(h->name, strlen(h->name)))
			continue;
		out_text(o, h->name);
		OUT_PUT(o, ": ");
		out_text(o, h->value);
		OUT_PUT(o, "\r\n");
	}
}

static void nominate(struct forward_nominated *n, const char *base, const char *word, size_t len)
{
	if (len == 0 || HEAD_IS(word, len, "close") || HEAD_IS(word, len, "keep-alive") ||
	    HEAD_IS(word, len, "upgrade") || HEAD_IS(word, len, "te"))
		return;
	if (n->count < FORWARD_NOMINATED_MAX)
		n->name[n->count++] = head_span(base, word, word + len);
	else
		n->all = true;
}

static void nominate_list(struct forward_nominated *n, const char *base, struct http_span list)
{
	const char *p = base + list.off, *end = p + list.len, *word;
	size_t len;

	while (!n->all && scan_list_next(&p, end, &word, &len))
		nominate(n, base, word, len);
}

void forward_read_nominated(struct forward_nominated *n, const char *base,
			    const struct http_field *field, unsigned count, uint8_t id)
{
	for (unsigned i = 0; i < count; i++)
		if (field[i].id == id)
			nominate_list(n, base, field[i].value);
}

/* Fields that are meant for whoever handles the message, so that no Connection may name them. */
static bool is_for_all(const char *name, size_t len)
{
	static const char names[][FORWARD_NAME] = {
	    "cookie",        "set-cookie",   "cache-control",
	    "forwarded",     "via",          "date",
	    "origin",        "x-request-id", "traceparent",
	    "tracestate",    "grpc-timeout", "x-real-ip",
	    "authorization", "location",     "www-authenticate",
	    "etag",          "vary",         "strict-transport-security"};

	return forward_is_one_of(name, len, names, sizeof names / sizeof names[0]) ||
	       HEAD_BEGINS(name, len, "content-") || HEAD_IS(name, len, "accept") ||
	       HEAD_BEGINS(name, len, "accept-") || HEAD_BEGINS(name, len, "x-forwarded-") ||
	       HEAD_BEGINS(name, len, "sec-") || HEAD_BEGINS(name, len, "access-control-");
}

bool forward_is_nominated(const struct forward_nominated *n, const char *base, const char *name,
			  size_t len)
{
	bool found = n->all;

	for (unsigned i = 0; i < n->count && !found; i++)
		found = n->name[i].len == len && strncasecmp(base + n->name[i].off, name, len) == 0;
	return found && !is_for_all(name, len);
}

void forward_put_framing(struct out *o, enum forward_framing framing, uint64_t length)
{
	if (framing == FORWARD_CHUNKED) {
		OUT_PUT(o, "Transfer-Encoding: chunked\r\n");
	} else if (framing == FORWARD_LENGTH) {
		OUT_PUT(o, "Content-Length: ");
		out_number(o, length);
		OUT_PUT(o, "\r\n");
	}
}

/* Who we are is said by a name, not by an address (RFC 9110 7.6.3). */
void forward_put_via(struct out *o, const struct forward_changes *c, unsigned minor,
		     const struct location *location)
{
	const char *name = location && location->via ? location->via : "drover";

	if (name[0] == '\0' || !FORWARD_IS_OURS(c, "via"))
		return;
	if (minor == 0)
		OUT_LINE(o, "Via: 1.0 ", name, strlen(name));
	else
		OUT_LINE(o, "Via: 1.1 ", name, strlen(name));
}
