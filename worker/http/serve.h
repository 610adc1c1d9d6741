/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * HTTP/1.1 on a connection: reads requests, has them answered, keeps the connection or ends it. All
 * that a connection needs between two events is in its record; struct http holds what serves one
 * event at a time.
 */
#ifndef DROVER_WORKER_HTTP_SERVE_H
#define DROVER_WORKER_HTTP_SERVE_H

#include <stdbool.h>
#include <stdint.h>

#include "worker/accesslog.h"
#include "worker/conn.h"
#include "worker/http/files.h"
#include "worker/http/pages.h"
#include "worker/http/reply.h"
#include "worker/http/response.h"
#include "worker/http/trace.h"
#include "worker/up.h"

/* Bytes read from a socket at once; a whole head fits. */
enum {
	HTTP_SCRATCH = 64 * 1024,
	HTTP_PATH_SIZE = 8192
};

/* Which script answers a request that goes to a FastCGI peer. */
struct http_script {
	uint32_t len;
	uint32_t info;             /* where PATH_INFO begins in the path */
	char name[HTTP_PATH_SIZE]; /* below the root, with a '/' before it */
};

struct http {
	struct conns *cs;
	const struct settings *settings;
	struct files *files;
	struct pages pages;
	struct accesslog *log;
	struct ups *ups;
	struct trace_key key;   /* of the ids that this worker makes */
	bool lame_duck;         /* the health location says 503, every response is the last on its
				   connection */
	uint32_t retry_after_s; /* of the 503 that is being made; 0 = not known */
	uint64_t no_file_until_us; /* a temporary file could not be had: until when none is tried */
	struct http_request req;   /* of the event being served */
	struct reply reply;
	struct http_response response; /* of a peer */
	uint8_t tried;                 /* peers that the request in hand was given to: struct up */
	char path[HTTP_PATH_SIZE];
	struct http_script script; /* of the request being served */
	char scratch[HTTP_SCRATCH];
};

/* A response is over and the connection goes on: what it has for us is served. */
void http_continue(struct http *h, uint32_t i);

/* The record being worked on is marked on the board, so that after a crash it is known which one it
 * was; and unmarked, with its timer armed. */
void http_touch(struct http *h, uint32_t i);
void http_settle(struct http *h, uint32_t i);

/* A new connection (state HEAD): reads at once, since a request often came with it. */
void http_open(struct http *h, uint32_t i);

/* epoll events of a connection. */
void http_event(struct http *h, uint32_t i, uint32_t events);

/* A connection from the ready list. */
void http_go_on(struct http *h, uint32_t i);

/* A connection came from another worker, or comes back from the way there: its timer is armed, and
 * what it holds is served next turn. */
void http_resume(struct http *h, uint32_t i);

/* The timer of a connection has fired. */
void http_timer(struct http *h, uint32_t i);

/* Ends a connection as an operator asked (CLOSE_KILLED). */
void http_kill(struct http *h, uint32_t i);

/* Draining begins: idle connections get until grace_us from now (spread) for one more request. */
void http_drain(struct http *h, uint64_t grace_us);

/* Draining ends: what is left is closed, counted and logged with what it was doing. Returns how
 * many. */
unsigned http_force(struct http *h);

#endif
