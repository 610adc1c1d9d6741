/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See pages.h. What is in the pages is shm's to say (metrics.c, snapshot.c); this file decides
 * which of them is meant and keeps the last one of each kind for a second. Called by exchange.c.
 */
#include "worker/http/pages.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "shm/metrics.h"
#include "shm/snapshot.h"
#include "worker/errlog.h"
#include "worker/http/accept.h"
#include "worker/http/status_page.h"

enum {
	VALID_US = 1000000,
	KEEP_US = 2000000
};

void pages_init(struct pages *p, const struct board *b, struct openfiles *open)
{
	p->board = b;
	p->open = open;
	pages_abandon(p);
}

void pages_abandon(struct pages *p)
{
	for (unsigned k = 0; k < PAGES_KINDS; k++)
		p->page[k].file = OPENFILE_NONE;
}

static void drop(struct pages *p, enum pages_kind kind)
{
	if (p->page[kind].file != OPENFILE_NONE)
		openfile_unref(p->open, p->page[kind].file);
	p->page[kind].file = OPENFILE_NONE;
}

void pages_free(struct pages *p)
{
	for (unsigned k = 0; k < PAGES_KINDS; k++)
		drop(p, (enum pages_kind)k);
}

void pages_tick(struct pages *p, uint64_t now_us)
{
	for (unsigned k = 0; k < PAGES_KINDS; k++)
		if (now_us - p->page[k].made_us >= KEEP_US)
			drop(p, (enum pages_kind)k);
}

static int write_kind(const struct view *v, enum pages_kind kind, FILE *out)
{
	switch (kind) {
	case PAGES_METRICS:
		return metrics_write(v, METRICS_TEXT, out);
	case PAGES_OPENMETRICS:
		return metrics_write(v, METRICS_OPENMETRICS, out);
	case PAGES_SNAPSHOT:
		return snapshot_write(v, out);
	case PAGES_KINDS:
		break;
	}
	errno = EINVAL;
	return -1;
}

/* Looks at the board as droverctl does, but in this process's own mapping of it. */
static int write_page(const struct board *b, enum pages_kind kind, FILE *out)
{
	char why[160];
	struct reader *r = reader_attach(b->base, b->bytes, why, sizeof why);
	struct view v = {.reader = NULL};
	int result = -1;

	if (r == NULL) {
		errno = EIO;
		return -1;
	}
	if (view_load(&v, r) == 0)
		result = write_kind(&v, kind, out);
	view_free(&v);
	reader_close(r);
	return result;
}

/* A file in memory with the page. -1 with errno. */
static int make_file(const struct board *b, enum pages_kind kind, uint64_t *length_out)
{
	int fd = memfd_create("drover-page", MFD_CLOEXEC), own = -1, err = -1;
	FILE *out = NULL;
	off_t end;

	if (fd >= 0)
		own = dup(fd);
	if (own >= 0)
		out = fdopen(own, "w");
	if (out != NULL)
		err = write_page(b, kind, out);
	else if (own >= 0)
		close(own);
	if (out != NULL && fclose(out) != 0)
		err = -1;
	end = err == 0 ? lseek(fd, 0, SEEK_CUR) : -1;
	if (end < 0 && fd >= 0) {
		close(fd);
		return -1;
	}
	*length_out = (uint64_t)end;
	return fd;
}

static int refresh(struct pages *p, enum pages_kind kind, uint64_t now_us)
{
	uint64_t length;
	uint32_t file;
	int fd;

	if (p->page[kind].file != OPENFILE_NONE && now_us - p->page[kind].made_us < VALID_US)
		return 0;
	drop(p, kind);
	fd = make_file(p->board, kind, &length);
	if (fd < 0)
		return -1;
	file = openfile_add(p->open, fd);
	if (file == OPENFILE_NONE) {
		close(fd);
		errno = ENFILE;
		return -1;
	}
	p->page[kind].file = file;
	p->page[kind].length = length;
	p->page[kind].made_us = now_us;
	return 0;
}

static bool is_head(const struct reply_ctx *ctx)
{
	return ctx->req->method == HTTP_HEAD;
}

/* nosniff: the page holds paths that clients sent, as text. */
static void begin(struct reply *r, const struct reply_ctx *ctx, const char *type)
{
	reply_begin(r, ctx, 200);
	reply_field(r, "Content-Type", "%s", type);
	reply_field(r, "Cache-Control", "no-store");
	reply_field(r, "X-Content-Type-Options", "nosniff");
	reply_field(r, "Vary", "Accept");
}

static void answer(struct pages *p, struct reply *r, const struct reply_ctx *ctx,
		   enum pages_kind kind, const char *type)
{
	static struct errlog_limit said;

	reply_reset(r);
	if (refresh(p, kind, ctx->clock->now_us) != 0) {
		errlog_limited(&said, ERRLOG_WARN, "cannot make the page of location %s: %s",
			       ctx->location->match, strerror(errno));
		reply_error(r, ctx, 503);
		return;
	}
	r->length = p->page[kind].length;
	begin(r, ctx, type);
	if (reply_finish(r, ctx) < 0) {
		reply_error(r, ctx, 500);
		return;
	}
	r->body = is_head(ctx) ? REPLY_EMPTY : REPLY_FILE;
	r->file = p->page[kind].file;
	r->offset = 0;
}

void pages_metrics(struct pages *p, struct reply *r, const struct reply_ctx *ctx)
{
	int open = accept_weight(ctx->base, ctx->req, "application/openmetrics-text");
	int text = accept_weight(ctx->base, ctx->req, "text/plain");
	bool openmetrics = open > 0 && open >= text;

	answer(p, r, ctx, openmetrics ? PAGES_OPENMETRICS : PAGES_METRICS,
	       metrics_type(openmetrics ? METRICS_OPENMETRICS : METRICS_TEXT));
}

static bool wants_json(const struct reply_ctx *ctx)
{
	const struct http_span *query = &ctx->req->query;

	if (query->len == 4 && memcmp(ctx->base + query->off, "json", 4) == 0)
		return true;
	return accept_weight(ctx->base, ctx->req, "application/json") >
	       accept_weight(ctx->base, ctx->req, "text/html");
}

void pages_status(struct pages *p, struct reply *r, const struct reply_ctx *ctx)
{
	if (wants_json(ctx)) {
		answer(p, r, ctx, PAGES_SNAPSHOT, "application/json");
		return;
	}
	reply_reset(r);
	r->length = status_page_length();
	begin(r, ctx, "text/html; charset=utf-8");
	reply_field(r, "Content-Security-Policy", "%s", STATUS_PAGE_POLICY);
	reply_field(r, "Referrer-Policy", "no-referrer");
	if (reply_finish(r, ctx) < 0) {
		reply_error(r, ctx, 500);
		return;
	}
	r->body = is_head(ctx) ? REPLY_EMPTY : REPLY_BYTES;
	r->bytes = status_page;
}
