/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Requests as CGI variables (RFC 3875 4.1) in FastCGI records: see cgi.h. Called for every request
 * that goes to a FastCGI peer.
 */
#include "worker/http/cgi.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "worker/http/fcgi.h"
#include "worker/http/scan.h"

struct out {
	char *p;
	char *end;
	bool full;
	const struct location *location; /* whose own variables go before ours */
};

struct text {
	const char *p;
	size_t len;
};

#define TEXT(s)    ((struct text){(s), strlen(s)})
#define SPAN(b, s) ((struct text){(b) + (s).off, (s).len})

size_t cgi_split(const char *path, size_t len, const char *suffix)
{
	size_t suffix_len = strlen(suffix);

	/* A segment that is nothing but the suffix is no script. */
	for (size_t i = 1; suffix_len > 0 && i + suffix_len <= len; i++) {
		size_t end = i + suffix_len;

		if (path[i - 1] != '/' && memcmp(path + i, suffix, suffix_len) == 0 &&
		    (end == len || path[end] == '/'))
			return end;
	}
	return 0;
}

static char *room(struct out *o, size_t len)
{
	char *p = o->p;

	if (o->full || (size_t)(o->end - p) < len) {
		o->full = true;
		return NULL;
	}
	o->p += len;
	return p;
}

static void put_bytes(struct out *o, const char *bytes, size_t len)
{
	char *p = room(o, len);

	if (p != NULL)
		memcpy(p, bytes, len);
}

/* In one byte, or in four with the highest bit set. */
static void put_length(struct out *o, size_t len)
{
	unsigned n = (unsigned)len;
	const char four[] = {(char)(n >> 24 | 0x80), (char)(n >> 16), (char)(n >> 8), (char)n};

	if (n < 128)
		put_bytes(o, four + 3, 1);
	else
		put_bytes(o, four, 4);
}

/* A variable whose value is made of two. */
static void put_joined(struct out *o, const char *name, size_t name_len, struct text a,
		       struct text b)
{
	put_length(o, name_len);
	put_length(o, a.len + b.len);
	put_bytes(o, name, name_len);
	put_bytes(o, a.p, a.len);
	put_bytes(o, b.p, b.len);
}

static bool is_configured(const struct location *l, const char *name, size_t len)
{
	for (uint32_t i = 0; i < l->params_count; i++)
		if (strncmp(l->params[i].name, name, len) == 0 && l->params[i].name[len] == '\0')
			return true;
	return false;
}

static void put_pair(struct out *o, const char *name, struct text a, struct text b)
{
	if (!is_configured(o->location, name, strlen(name)))
		put_joined(o, name, strlen(name), a, b);
}

static void put_made(struct out *o, const char *name, struct text value)
{
	put_pair(o, name, value, TEXT(""));
}

static void put_number(struct out *o, const char *name, uint64_t n)
{
	char digits[24];

	snprintf(digits, sizeof digits, "%llu", (unsigned long long)n);
	put_made(o, name, TEXT(digits));
}

/* Fields as HTTP_*. */

/* A field of the head: the line without its end. */
struct field {
	struct text name;
	struct text value;
};

/* Takes the next field off the head. */
static bool next_field(struct text *rest, struct field *f)
{
	const char *colon, *end = memchr(rest->p, '\r', rest->len);

	if (end == NULL || end == rest->p)
		return false;
	colon = memchr(rest->p, ':', (size_t)(end - rest->p));
	if (colon == NULL)
		return false;
	f->name = (struct text){rest->p, (size_t)(colon - rest->p)};
	f->value.p = scan_blank_end(colon + 1, end);
	f->value.len = (size_t)(end - f->value.p);
	rest->len -= (size_t)(end + 2 - rest->p);
	rest->p = end + 2;
	return true;
}

static bool is_named(const struct field *f, const char *name)
{
	return f->name.len == strlen(name) && strncasecmp(f->name.p, name, f->name.len) == 0;
}

static bool same_name(const struct field *a, const struct field *b)
{
	return a->name.len == b->name.len && strncasecmp(a->name.p, b->name.p, a->name.len) == 0;
}

/* "X_A" and "X.A" would be "X-A" to the application. */
static bool is_plain(struct text name)
{
	for (size_t i = 0; i < name.len; i++)
		if (!isalnum((unsigned char)name.p[i]) && name.p[i] != '-')
			return false;
	return true;
}

/* What is told by other variables, or frames the message. */
static bool is_told(const struct field *f)
{
	static const char *const names[] = {
	    "content-type", "content-length", "transfer-encoding", "connection",
	    "te",           "trailer",        "upgrade",           "proxy"};

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (is_named(f, names[i]))
			return true;
	return false;
}

/* Writes the variable's name; returns its length. */
static size_t variable_of(struct text name, char *out, size_t size)
{
	size_t n = 0;

	if (name.len + 5 > size)
		return 0;
	memcpy(out, "HTTP_", 5);
	for (; n < name.len; n++)
		out[5 + n] = name.p[n] == '-' ? '_' : (char)toupper((unsigned char)name.p[n]);
	return n + 5;
}

/* One variable for all fields of the name: the values with separators between them. */
static void put_field(struct out *o, const struct field *first, struct text behind)
{
	struct text separator = is_named(first, "cookie") ? TEXT("; ") : TEXT(", ");
	char name[256];
	size_t name_len = variable_of(first->name, name, sizeof name), len = first->value.len;
	struct text rest = behind;
	struct field f;

	/* No field that means something has so long a name. */
	if (name_len == 0 || is_configured(o->location, name, name_len))
		return;
	while (next_field(&rest, &f))
		if (same_name(&f, first))
			len += separator.len + f.value.len;
	put_length(o, name_len);
	put_length(o, len);
	put_bytes(o, name, name_len);
	put_bytes(o, first->value.p, first->value.len);
	for (rest = behind; next_field(&rest, &f);) {
		if (!same_name(&f, first))
			continue;
		put_bytes(o, separator.p, separator.len);
		put_bytes(o, f.value.p, f.value.len);
	}
}

/* Has a field of that name come before this one? */
static bool is_repeated(struct text head, const struct field *f)
{
	struct field other;

	while (next_field(&head, &other) && other.name.p != f->name.p)
		if (same_name(&other, f))
			return true;
	return false;
}

static void put_fields(struct out *o, const struct cgi_request *c)
{
	const char *lf = memchr(c->head, '\n', c->head_len);
	struct text head, rest;
	struct field f;

	if (lf == NULL)
		return;
	head = rest = (struct text){lf + 1, c->head_len - (size_t)(lf + 1 - c->head)};
	while (next_field(&rest, &f)) {
		if (is_named(&f, "content-type") && !is_repeated(head, &f))
			put_made(o, "CONTENT_TYPE", f.value);
		else if (is_plain(f.name) && !is_told(&f) && !is_repeated(head, &f))
			put_field(o, &f, rest);
	}
}

/* What the script is. */

static void put_script(struct out *o, const struct cgi_request *c)
{
	const struct location *l = c->location;
	struct text script = {c->script, c->script_len}, info = {c->info, c->info_len};
	/* "/" and "/index.php" are one slash. */
	struct text root = strcmp(l->root, "/") == 0 ? TEXT("") : TEXT(l->root);

	put_pair(o, "SCRIPT_FILENAME", root, script);
	put_made(o, "SCRIPT_NAME", script);
	put_pair(o, "DOCUMENT_URI", script, info);
	put_made(o, "DOCUMENT_ROOT", TEXT(l->root));
	if (info.len == 0)
		return;
	put_made(o, "PATH_INFO", info);
	put_pair(o, "PATH_TRANSLATED", root, info);
}

static void put_request(struct out *o, const struct cgi_request *c)
{
	const struct http_request *req = c->req;
	const char *end = c->base + req->target.off + req->target.len;
	struct text uri = {c->base + req->path.off, 0};

	uri.len = (size_t)(end - uri.p);
	put_made(o, "REQUEST_METHOD", SPAN(c->base, req->method_text));
	put_pair(o, "REQUEST_URI", req->path.len > 0 ? TEXT("") : TEXT("/"), uri);
	put_made(o, "QUERY_STRING", SPAN(c->base, req->query));
	if (c->body || req->has_length)
		put_number(o, "CONTENT_LENGTH", req->content_length);
	else
		put_made(o, "CONTENT_LENGTH", TEXT(""));
	put_made(o, "SERVER_PROTOCOL", req->minor == 0 ? TEXT("HTTP/1.0") : TEXT("HTTP/1.1"));
}

static void put_ends(struct out *o, const struct cgi_request *c)
{
	struct text host = SPAN(c->base, c->req->host);

	put_made(o, "GATEWAY_INTERFACE", TEXT("CGI/1.1"));
	put_made(o, "SERVER_SOFTWARE", TEXT("drover"));
	put_made(o, "REQUEST_SCHEME", TEXT("http"));
	put_made(o, "REDIRECT_STATUS", TEXT("200"));
	put_made(o, "REMOTE_ADDR", TEXT(c->remote_addr != NULL ? c->remote_addr : "unix:"));
	if (c->remote_addr != NULL)
		put_number(o, "REMOTE_PORT", c->remote_port);
	if (c->server_addr != NULL)
		put_made(o, "SERVER_ADDR", TEXT(c->server_addr));
	put_number(o, "SERVER_PORT", c->server_port);
	put_made(o, "SERVER_NAME", host.len > 0 ? host : TEXT(c->server_name));
}

static void put_configured(struct out *o)
{
	const struct location *l = o->location;

	for (uint32_t i = 0; i < l->params_count; i++)
		put_joined(o, l->params[i].name, strlen(l->params[i].name),
			   TEXT(l->params[i].value), TEXT(""));
}

/* A header of a record that is empty, or whose content lies behind it. */
static void put_header(struct out *o, enum fcgi_type type, size_t len)
{
	char *p = room(o, FCGI_HEADER);

	if (p != NULL)
		fcgi_header(p, type, len);
}

int cgi_write_request(char *out, size_t size, const struct cgi_request *c)
{
	struct out o = {out, out + size, false, c->location};
	char *begin = room(&o, FCGI_HEADER + 8), *params = room(&o, FCGI_HEADER);

	if (begin == NULL || params == NULL)
		return -1;
	fcgi_begin(begin, c->keep);
	put_script(&o, c);
	put_request(&o, c);
	put_ends(&o, c);
	put_fields(&o, c);
	put_configured(&o);
	/* One record is enough for all that fits into a head. */
	if (o.full || (size_t)(o.p - params) - FCGI_HEADER > FCGI_CONTENT_MOST)
		return -1;
	fcgi_header(params, FCGI_PARAMS, (size_t)(o.p - params) - FCGI_HEADER);
	put_header(&o, FCGI_PARAMS, 0);
	if (!c->body)
		put_header(&o, FCGI_STDIN, 0);
	return o.full ? -1 : (int)(o.p - out);
}
