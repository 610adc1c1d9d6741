/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Exchanges with FastCGI peers: see fastcgi.h. The records are in fcgi.c, CGI in cgi_request.c and
 * cgi_response.c; here they meet the proxy.
 */
#include "worker/http/fastcgi.h"

#include <arpa/inet.h>
#include <string.h>
#include <sys/socket.h>

#include "worker/errlog.h"
#include "worker/http/cgi.h"
#include "worker/http/fcgi.h"
#include "worker/http/path.h"

/* Bytes of a line that an application writes to its standard error, as far as they are logged. */
enum {
	ERROR_LINE_MOST = 800
};

/* Which script. */

static void set_script(struct http *h, const char *name, size_t len, size_t info)
{
	memcpy(h->script.name, name, len);
	h->script.len = (uint32_t)len;
	h->script.info = (uint32_t)info;
}

/* The front controller, if there is one. */
static bool use_front(struct http *h, const struct reply_ctx *ctx)
{
	const char *front = ctx->location->script;

	if (front != NULL)
		set_script(h, front, strlen(front), ctx->path_len);
	return front != NULL;
}

static bool is_script(const char *name, const char *suffix)
{
	size_t len = strlen(name), suffix_len = strlen(suffix);

	return suffix_len > 0 && len > suffix_len && strcmp(name + len - suffix_len, suffix) == 0;
}

/* The files cannot be seen: what ends in '/' is asked for with the first index that is a script. */
static bool use_index(struct http *h, const struct reply_ctx *ctx)
{
	const char **name = ctx->location->index;

	while (name != NULL && *name != NULL && !is_script(*name, ctx->location->split_path))
		name++;
	if (name == NULL || *name == NULL || ctx->path[ctx->path_len - 1] != '/' ||
	    ctx->path_len + strlen(*name) > sizeof h->script.name)
		return false;
	set_script(h, ctx->path, ctx->path_len, ctx->path_len);
	memcpy(h->script.name + ctx->path_len, *name, strlen(*name));
	h->script.len += (uint32_t)strlen(*name);
	return true;
}

/* What there is below the root at the first len bytes of the path: a script? */
static bool use_found(struct http *h, const struct reply_ctx *ctx, size_t len, int *status)
{
	struct reply_ctx look = *ctx;
	char part[HTTP_PATH_SIZE];
	char *found = h->script.name + 1;

	memcpy(part, ctx->path, len);
	part[len] = '\0';
	look.path = part;
	look.path_len = len;
	*status = files_seek(h->files, &look, found, sizeof h->script.name - 1);
	if (*status != 200 || !is_script(found, ctx->location->split_path))
		return false;
	h->script.name[0] = '/';
	h->script.len = (uint32_t)strlen(found) + 1;
	h->script.info = (uint32_t)len;
	return true;
}

bool fastcgi_finds_script(struct http *h, const struct reply_ctx *ctx)
{
	const struct location *l = ctx->location;
	size_t len = cgi_split(ctx->path, ctx->path_len, l->split_path);
	int status;

	if (!l->dotfiles && path_has_dotfile(ctx->path))
		return use_front(h, ctx);
	if (!l->static_files && len > 0) {
		set_script(h, ctx->path, len, len);
		return true;
	}
	if (!l->static_files)
		return use_front(h, ctx) || use_index(h, ctx);
	if (use_found(h, ctx, len > 0 ? len : ctx->path_len, &status))
		return true;
	/* A file, or a folder that wants its slash. */
	if (len == 0 && (status == 200 || status == 301))
		return false;
	return status < 500 && use_front(h, ctx);
}

/* The request. */

struct local {
	char address[INET6_ADDRSTRLEN];
	bool has_address;
	unsigned port;
};

static bool is_bound_to_one(const struct listener *l)
{
	if (l->addr.sa.sa_family == AF_INET)
		return l->addr.in.sin_addr.s_addr != INADDR_ANY && l->addr.in.sin_port != 0;
	return l->addr.sa.sa_family == AF_INET6 &&
	       !IN6_IS_ADDR_UNSPECIFIED(&l->addr.in6.sin6_addr) && l->addr.in6.sin6_port != 0;
}

/* The address that the client came to: the listener's, or the socket is asked. */
static void find_local(const struct http *h, uint32_t i, struct local *local)
{
	const struct conn *c = conn_at(h->cs, i);
	const struct listener *l = &h->settings->listeners[c->listener];
	union peer_addr own;
	socklen_t len = sizeof own;

	*local = (struct local){.port = 80};
	memcpy(&own, &l->addr, sizeof l->addr);
	if (!is_bound_to_one(l) && getsockname(c->fd, &own.sa, &len) != 0)
		return;
	if (own.sa.sa_family == AF_INET) {
		local->port = ntohs(own.in.sin_port);
		local->has_address = inet_ntop(AF_INET, &own.in.sin_addr, local->address,
					       sizeof local->address) != NULL;
	} else if (own.sa.sa_family == AF_INET6) {
		bool v4 = IN6_IS_ADDR_V4MAPPED(&own.in6.sin6_addr);

		local->port = ntohs(own.in6.sin6_port);
		local->has_address = inet_ntop(v4 ? AF_INET : AF_INET6,
					       own.in6.sin6_addr.s6_addr + (v4 ? 12 : 0),
					       local->address, sizeof local->address) != NULL;
	}
}

static const char *name_of(const struct server *server, const struct local *local)
{
	for (const char **name = server->names; name != NULL && *name != NULL; name++)
		if (**name != '*')
			return *name;
	return local->has_address ? local->address : "localhost";
}

int fastcgi_write_head(struct http *h, uint32_t i, const char *base, const struct reply_ctx *ctx,
		       const struct up *up, size_t head_len)
{
	const struct upstream *pool = proxy_pool(h, up);
	const struct conn_row *row = conn_row(h->cs, i);
	char address[LOGLINE_ADDR];
	struct local local;
	struct cgi_request c = {
	    .head = h->reply.text + PROXY_HEAD_MOST,
	    .head_len = head_len,
	    .base = base,
	    .req = &h->req,
	    .location = ctx->location,
	    .script = h->script.name,
	    .script_len = h->script.len,
	    .info = ctx->path + h->script.info,
	    .info_len = ctx->path_len - h->script.info,
	    .remote_port = row->port,
	    .keep = pool->keepalive_conns > 0 &&
		    (pool->keepalive_requests == 0 || up->requests < pool->keepalive_requests),
	    .body = h->req.content_length > 0};

	find_local(h, i, &local);
	c.server_port = local.port;
	c.server_addr = local.has_address ? local.address : NULL;
	c.server_name = name_of(exchange_server(h, i), &local);
	c.remote_addr = proxy_address_of(row, address);
	return cgi_write_request(h->reply.text, PROXY_HEAD_MOST, &c);
}

/* The response. */

/* What an application writes to its standard error, line by line. */
static void log_errors(struct http *h, const struct up *up, const char *p, size_t len)
{
	static struct errlog_limit limit = {.burst = 20};
	const char *end = p + len;

	while (p < end) {
		const char *lf = memchr(p, '\n', (size_t)(end - p));
		const char *stop = lf != NULL ? lf : end;
		size_t n = (size_t)(stop - p);

		n -= n > 0 && p[n - 1] == '\r';
		if (n > 0) {
			board_add(&h->cs->row->up_error_lines, 1);
			errlog_limited(&limit, ERRLOG_WARN, "peer %s of upstream \"%s\" says: %.*s",
				       h->settings->peers[up->peer].address,
				       proxy_pool(h, up)->name,
				       (int)(n < ERROR_LINE_MOST ? n : ERROR_LINE_MOST), p);
		}
		p = lf != NULL ? lf + 1 : end;
	}
}

/* What the end says; NULL: the request was taken. */
static const char *refusal_of(const struct fcgi_state *st)
{
	static const char *const says[] = {NULL, "request refused: one at a time",
					   "request refused: overloaded",
					   "request refused: not a responder"};

	if (!st->ended)
		return NULL;
	return st->protocol_status <= FCGI_UNKNOWN_ROLE ? says[st->protocol_status]
							: "protocol status";
}

static void log_app_status(const struct http *h, const struct up *up)
{
	static struct errlog_limit limit = {.burst = 10};

	if (up->fcgi.ended && up->fcgi.app_status != 0)
		errlog_limited(&limit, ERRLOG_INFO,
			       "peer %s of upstream \"%s\": the application ended with status %u",
			       h->settings->peers[up->peer].address, proxy_pool(h, up)->name,
			       up->fcgi.app_status);
}

ssize_t fastcgi_unframe(struct http *h, struct up *up, char *raw, size_t len)
{
	struct fcgi_state *st = &up->fcgi;
	const char *wrong = NULL;
	size_t off = 0, out = 0, used;

	st->begun = 1;
	do {
		enum fcgi_piece kind;
		char *data;
		size_t n;

		wrong = fcgi_decode(st, raw + off, len - off, &used, &kind, &data, &n);
		if (kind == FCGI_ERRORS) {
			log_errors(h, up, data, n);
		} else if (kind == FCGI_OUTPUT && !st->mute) {
			memmove(raw + out, data, n);
			out += n;
		}
		off += used;
	} while (wrong == NULL && used > 0 && off < len);
	if (wrong == NULL)
		wrong = refusal_of(st);
	if (wrong != NULL) {
		proxy_bad_response(h, (uint32_t)(up - h->ups->up), wrong);
		return -1;
	}
	log_app_status(h, up);
	if (st->ended && (off < len || st->step != 0))
		st->unclean = 1;
	return (ssize_t)out;
}

/* The head at raw[0 .. end) into h->response, by way of text. NULL, or what is wrong with it. */
static const char *read_head(struct http *h, char *text, const char *raw, size_t end)
{
	const struct http_limits limits = {.max_header = REPLY_TEXT_SIZE,
					   .max_fields = HTTP_FIELDS_MAX};
	enum http_fault fault;
	const char *wrong;
	uint32_t scanned = 0;
	int len = cgi_translate_head(text, REPLY_TEXT_SIZE - PROXY_HEAD_MOST, raw, end, &wrong);

	if (len < 0)
		return wrong;
	switch (http_parse_response(text, (size_t)len, &limits, &scanned, &h->response, &fault)) {
	case 1:
		return h->response.chunked ? http_fault_name(HTTP_FAULT_TRANSFER_CODING) : NULL;
	case 0:
		return "head";
	default:
		return http_fault_name(fault);
	}
}

/* Of the body there are len bytes so far. */
static const char *check_length(const struct http_response *r, const struct up *up, size_t len)
{
	if (http_response_body(r, (enum http_method)up->method) != HTTP_BODY_LENGTH)
		return NULL;
	if (len > r->content_length)
		return "more than its length";
	return up->fcgi.ended && len < r->content_length ? "less than its length" : NULL;
}

/* Nothing follows the head, so that it alone would be the whole response. */
static bool is_bodiless(const struct http_response *r, const struct up *up)
{
	enum http_body_kind kind = http_response_body(r, (enum http_method)up->method);

	return kind == HTTP_BODY_NONE || (kind == HTTP_BODY_LENGTH && r->content_length == 0);
}

ssize_t fastcgi_take_head(struct http *h, uint32_t i, char *raw, size_t len)
{
	uint32_t u = conn_at(h->cs, i)->up - 1;
	struct up *up = up_at(h->ups, u);
	size_t max = proxy_pool(h, up)->max_head;
	size_t end = cgi_head_end(raw, len < max ? len : max, &up->scanned);
	char *text = h->reply.text + PROXY_HEAD_MOST;
	const struct http_response *r = &h->response;
	const char *wrong;
	ssize_t used;

	if (end == 0 && len < max && !up->fcgi.ended)
		return 0;
	if (end == 0)
		wrong = len < max ? "no whole head" : http_fault_name(HTTP_FAULT_HEAD_TOO_LARGE);
	else
		wrong = read_head(h, text, raw, end);
	if (wrong == NULL)
		wrong = check_length(r, up, len - end);
	if (wrong != NULL) {
		proxy_bad_response(h, u, wrong);
		return -1;
	}
	up->scanned = 0;
	if (is_bodiless(r, up) && !up->fcgi.ended) {
		up->fcgi.mute = http_response_body(r, (enum http_method)up->method) ==
				HTTP_BODY_NONE;
		return 0;
	}
	used = proxy_begin_response(h, i, text, raw + end, len - end);
	return used < 0 ? -1 : (ssize_t)end + used;
}

bool fastcgi_take_piece(struct up *up, char *raw, size_t len, size_t most, struct piece *p)
{
	size_t n = len < most ? len : most;

	*p = (struct piece){.used = n, .data = raw, .len = n};
	up->fcgi.held = 0;
	if (up->body == HTTP_BODY_NONE) {
		p->len = 0;
	} else if (up->body == HTTP_BODY_LENGTH) {
		if (len > up->body_left)
			return false;
		if (n > 0 && n == up->body_left && !up->fcgi.ended) {
			up->fcgi.held = 1;
			p->used = p->len = n - 1;
		}
		up->body_left -= p->len;
		if (up->fcgi.ended && p->used == len && up->body_left > 0)
			return false;
	}
	p->whole = up->fcgi.ended && p->used == len;
	return true;
}
