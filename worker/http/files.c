/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Static files: the way of a request through the cache. Found, checked within the last second and
 * nothing to decide: the ready piece goes out. Else the disk is asked what the path stands for
 * (files_find.c); if that is what the entry says, it holds for another second, and if not, the
 * entry makes place for a new one, which is loaded (files_load.c) and answers (files_answer.c).
 */
#include "worker/http/files.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "worker/errlog.h"
#include "worker/http/files_answer.h"
#include "worker/http/files_cache.h"
#include "worker/http/files_find.h"
#include "worker/http/files_load.h"
#include "worker/http/path.h"

enum {
	VALID_US = 1000000,
	IDLE_US = 60 * 1000000,
	DROPS_A_TICK = 256
};

struct files {
	struct worker_row *row;
	struct openfiles *open;
	struct files_cache cache;
	struct files_roots roots;
	struct files_found found;    /* the last look at the disk */
	char page[FILES_PAGE_BYTES]; /* work space: listings, redirect targets */
};

struct files *files_new(const struct settings *s, struct openfiles *open, struct worker_row *row)
{
	struct files *f = calloc(1, sizeof(*f));

	if (f == NULL)
		return NULL;
	f->row = row;
	f->open = open;
	if (files_find_init(&f->roots, s) < 0)
		goto failed;
	if (files_cache_init(&f->cache, s->file_cache, open, &row->file_cache_entries) < 0)
		goto failed_roots;
	return f;
failed_roots:
	files_find_free(&f->roots);
failed:
	free(f);
	return NULL;
}

void files_free(struct files *f)
{
	if (f == NULL)
		return;
	files_cache_free(&f->cache);
	files_find_free(&f->roots);
	free(f);
}

void files_abandon(struct files *f)
{
	files_cache_abandon(&f->cache);
	files_find_abandon(&f->roots);
	files_free(f);
}

void files_tick(struct files *f, const struct clock *c)
{
	files_cache_turn(&f->cache, c->now_us);
	if (c->now_us > IDLE_US)
		files_cache_age(&f->cache, c->now_us - IDLE_US, DROPS_A_TICK);
	files_find_tick(&f->roots, c->now_us, IDLE_US);
}

unsigned files_release(struct files *f)
{
	return files_cache_release(&f->cache) + files_find_release(&f->roots);
}

static bool is_valid(const struct files_entry *e, const struct clock *c)
{
	return c->now_us - e->checked_us < VALID_US;
}

/* Is what was just found on the disk what the entry speaks of? */
static bool is_unchanged(const struct files_entry *e, const struct files_found *found)
{
	if (e->listing || e->status != found->status || e->rel_len != found->rel_len ||
	    memcmp(e->rel, found->rel, e->rel_len) != 0)
		return false;
	for (uint32_t i = 0; i < e->variants; i++) {
		const struct files_variant *v = &e->variant[i];

		if (v->present != ((found->present >> i & 1) != 0) || v->young ||
		    (v->present && !files_find_same(&v->stamp, &found->stamp[i])))
			return false;
	}
	return true;
}

static bool is_shortage(int error)
{
	return error == EMFILE || error == ENFILE;
}

/*
 * The entry that is true now; e: what the table has, or NULL. NULL with errno if the disk could not
 * be asked, or memory is out.
 */
static struct files_entry *refresh(struct files *f, const struct reply_ctx *ctx,
				   struct files_entry *e, uint64_t hash)
{
	if (e != NULL && is_valid(e, ctx->clock)) {
		board_add(&f->row->file_cache_hits, 1);
		return e;
	}
	files_find(&f->roots, ctx, &f->found);
	if (e != NULL && is_unchanged(e, &f->found)) {
		files_cache_touch(&f->cache, e, ctx->clock->now_us);
		board_add(&f->row->file_cache_hits, 1);
		return e;
	}
	if (e != NULL)
		files_cache_drop(&f->cache, e);
	board_add(&f->row->file_cache_misses, 1);
	if (f->found.status >= 500) {
		errno = f->found.error;
		return NULL;
	}
	e = files_cache_make(ctx->location, ctx->path, ctx->path_len, &f->found);
	if (e == NULL)
		return NULL;
	e->checked_us = ctx->clock->now_us;
	files_cache_add(&f->cache, e, hash);
	return e;
}

static unsigned present_variants(const struct files_entry *e)
{
	unsigned present = 0;

	for (uint32_t i = 0; i < e->variants; i++)
		present |= (unsigned)e->variant[i].present << i;
	return present;
}

static int load_listing(struct files *f, struct reply *r, const struct reply_ctx *ctx,
			struct files_entry *e)
{
	if (e->ready == NULL) {
		if (files_load_listing(&f->roots, r, ctx, e, f->page) < 0)
			return -1;
		e->ready = &e->variant[ENCODING_IDENTITY];
	}
	return 0;
}

/* The representation for this client, loaded if it is not yet. -1 with errno. */
static int load_variant(struct files *f, struct reply *r, const struct reply_ctx *ctx,
			struct files_entry *e, enum encoding *which_out)
{
	enum encoding which = ENCODING_IDENTITY;
	struct files_variant *v;

	for (;;) {
		if (e->variants > 1)
			which = encoding_choose(ctx->base, ctx->req, present_variants(e));
		v = &e->variant[which];
		*which_out = which;
		if (v->block != NULL || files_load(&f->roots, f->open, r, ctx, e, which) == 0)
			break;
		if (which == ENCODING_IDENTITY || is_shortage(errno))
			return -1;
		v->present = false; /* a sibling that cannot be read is as good as none */
	}
	if (e->variants == 1)
		e->ready = v;
	return 0;
}

/* A folder without its slash. The path is normal: it begins with one slash and no second, so the
 * target cannot be read as another host. */
static void redirect_to_folder(struct files *f, struct reply *r, const struct reply_ctx *ctx)
{
	const struct http_span *query = &ctx->req->query;
	int len = path_encode(ctx->path, ctx->path_len, f->page, sizeof(f->page));

	if (len < 0 || (size_t)len + 2 + query->len > sizeof(f->page)) {
		reply_error(r, ctx, 414);
		return;
	}
	f->page[len++] = '/';
	if (query->len > 0) {
		f->page[len++] = '?';
		memcpy(f->page + len, ctx->base + query->off, query->len);
		len += (int)query->len;
	}
	reply_redirect(r, ctx, 301, f->page, (size_t)len);
}

/* What an operator may want to mend: no leave, no directory, a failing disk, no descriptors. */
static void complain(struct files *f, const struct reply_ctx *ctx, int status, int error,
		     bool no_root)
{
	static struct errlog_limit rootless, unserved = {.burst = 10};
	const struct location *loc = ctx->location;
	const char *dir = loc->alias != NULL ? loc->alias : loc->root;

	if (status == 500)
		board_add(&f->row->file_errors, 1);
	if (no_root)
		errlog_limited(&rootless, ERRLOG_ERROR, "directory of location %s: %s: %s",
			       loc->match, dir, strerror(error));
	else
		errlog_limited(&unserved, status >= 500 ? ERRLOG_ERROR : ERRLOG_WARN,
			       "cannot serve %s from %s: %s", ctx->path, dir, strerror(error));
}

/* Scripts are run, and never shown. */
static bool is_script(const struct location *loc, const struct files_entry *e)
{
	size_t len = loc->kind == LOCATION_FASTCGI ? strlen(loc->split_path) : 0;

	return len > 0 && e->rel_len >= len &&
	       memcmp(e->rel + e->rel_len - len, loc->split_path, len) == 0;
}

/* Fills *r, or returns -1 with errno. */
static int try_reply(struct files *f, struct reply *r, const struct reply_ctx *ctx,
		     struct files_entry *e, uint64_t hash)
{
	struct files_entry *now = refresh(f, ctx, e, hash);
	enum encoding which = ENCODING_IDENTITY;

	if (now == NULL)
		return -1;
	if (now->status == 301) {
		redirect_to_folder(f, r, ctx);
	} else if (now->status != 200) {
		/* Said when it was found out, not for every answer from the table. */
		if (now != e && f->found.error != 0 && (f->found.status == 403 || f->found.no_root))
			complain(f, ctx, f->found.status, f->found.error, f->found.no_root);
		reply_error(r, ctx, now->status);
	} else if (is_script(ctx->location, now)) {
		reply_error(r, ctx, 404);
	} else {
		if ((now->listing ? load_listing(f, r, ctx, now)
				  : load_variant(f, r, ctx, now, &which)) < 0) {
			files_cache_drop(&f->cache, now);
			return -1;
		}
		files_answer(r, ctx, now, which);
	}
	return 0;
}

static void reply_slowly(struct files *f, struct reply *r, const struct reply_ctx *ctx,
			 struct files_entry *e, uint64_t hash)
{
	int rc = try_reply(f, r, ctx, e, hash), status;

	if (rc < 0 && is_shortage(errno) && files_release(f) > 0) {
		e = files_cache_find(&f->cache, ctx->location, ctx->path, ctx->path_len, hash);
		rc = try_reply(f, r, ctx, e, hash);
	}
	if (rc == 0)
		return;
	status = files_find_status(errno);
	if (status != 404)
		complain(f, ctx, status, errno, false);
	reply_error(r, ctx, status);
}

int files_seek(struct files *f, const struct reply_ctx *ctx, char *rel, size_t size)
{
	struct files_entry *e;
	uint64_t hash;

	files_cache_turn(&f->cache, ctx->clock->now_us);
	hash = files_cache_hash(&f->cache, ctx->location, ctx->path, ctx->path_len);
	e = files_cache_find(&f->cache, ctx->location, ctx->path, ctx->path_len, hash);
	e = refresh(f, ctx, e, hash);
	if (e == NULL)
		return files_find_status(errno);
	if (e->rel_len >= size)
		return 404;
	memcpy(rel, e->rel, e->rel_len);
	rel[e->rel_len] = '\0';
	return e->status;
}

void files_reply(struct files *f, struct reply *r, const struct reply_ctx *ctx)
{
	struct files_entry *e;
	uint64_t hash;

	files_cache_turn(&f->cache, ctx->clock->now_us);
	hash = files_cache_hash(&f->cache, ctx->location, ctx->path, ctx->path_len);
	e = files_cache_find(&f->cache, ctx->location, ctx->path, ctx->path_len, hash);
	if (e != NULL && e->ready != NULL && is_valid(e, ctx->clock) &&
	    files_answer_is_plain(ctx->req)) {
		board_add(&f->row->file_cache_hits, 1);
		files_answer_whole(r, ctx, e->ready);
		return;
	}
	reply_slowly(f, r, ctx, e, hash);
}
