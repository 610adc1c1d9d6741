/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * CGI/1.1 (RFC 3875) as FastCGI carries it: which script a path names, the variables that a request
 * becomes, and the head of a response. Pure.
 */
#ifndef DROVER_WORKER_HTTP_CGI_H
#define DROVER_WORKER_HTTP_CGI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "worker/http/parse.h"
#include "worker/settings.h"

/*
 * How long the part of a path is that names a script: up to the first end of a segment in suffix
 * (".php"), which is then followed by '/' or nothing. 0: it names none. What follows is PATH_INFO.
 */
size_t cgi_split(const char *path, size_t len, const char *suffix);

/* What a request is told by. */
struct cgi_request {
	/*
	 * The head as a peer would get it by HTTP (forward.h), of which the fields become HTTP_*:
	 * what holds for one hop only, and what is not to be believed, is not in it.
	 */
	const char *head;
	size_t head_len;
	const char *base; /* of req's spans: the request as it came */
	const struct http_request *req;
	const struct location *location; /* root, params */
	const char *script;              /* below the root, with a '/' before it */
	size_t script_len;
	const char *info; /* PATH_INFO */
	size_t info_len;
	const char *remote_addr; /* NULL: the client came by a unix socket */
	unsigned remote_port;
	const char *server_addr; /* NULL: likewise */
	unsigned server_port;
	const char *server_name; /* where the client named none */
	bool keep;               /* the connection is to stay open */
	bool body;               /* the body follows */
};

/*
 * The records that begin the request: BEGIN_REQUEST, the variables, and without a body the end of
 * STDIN. Returns their length, or -1 if they do not fit. Repeated fields are joined; fields whose
 * names hold anything but letters, digits and dashes are left out, since several of them would
 * become one variable. Variables of the configuration take the place of those that are made here.
 */
int cgi_write_request(char *out, size_t size, const struct cgi_request *c);

/*
 * Where the head of a response ends, its empty line included, in base[0 .. len); lines end in LF or
 * CRLF. 0: more bytes are needed. *scanned: 0 for a new head, updated by each call.
 */
size_t cgi_head_end(const char *base, size_t len, uint32_t *scanned);

/*
 * That head, which is len bytes, as one of HTTP/1.1, to be parsed as strictly as every other one:
 * the status is Status, or 302 with a Location, or 200. Returns its length, or -1: *wrong says what
 * is wrong with it.
 */
int cgi_translate_head(char *out, size_t size, const char *base, size_t len, const char **wrong);

#endif
