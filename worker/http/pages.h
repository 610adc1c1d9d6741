/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Pages about drover itself, made by a worker from the board: metrics for Prometheus (metrics =
 * true), and the status page with the JSON that feeds it (status = true). Each is made at most once
 * a second, into a file in memory that goes out like any other file, so that readers cannot load a
 * worker, and a response under way survives whatever becomes of the worker.
 */
#ifndef DROVER_WORKER_HTTP_PAGES_H
#define DROVER_WORKER_HTTP_PAGES_H

#include "shm/board.h"
#include "worker/http/reply.h"
#include "worker/openfile.h"

enum pages_kind {
	PAGES_METRICS,
	PAGES_OPENMETRICS,
	PAGES_SNAPSHOT,
	PAGES_KINDS
};

struct pages {
	const struct board *board;
	struct openfiles *open;
	struct {
		uint32_t file; /* one reference, or OPENFILE_NONE */
		uint64_t length;
		uint64_t made_us;
	} page[PAGES_KINDS];
};

void pages_init(struct pages *p, const struct board *b, struct openfiles *open);

/* Fill *r for GET and HEAD; 503 if there is no memory or descriptor. */
void pages_metrics(struct pages *p, struct reply *r, const struct reply_ctx *ctx);
/* The page, or the JSON for the query "json" and for clients that would rather have that. */
void pages_status(struct pages *p, struct reply *r, const struct reply_ctx *ctx);

/* Once a second: what nobody asked for lately is closed. */
void pages_tick(struct pages *p, uint64_t now_us);
void pages_free(struct pages *p);
/* The descriptors are not this process's any more. */
void pages_abandon(struct pages *p);

#endif
