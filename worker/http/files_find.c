/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From a normalised path to what is there. Everything goes through open.c, so nothing outside the
 * location's directory is ever looked at. Files are looked at by path-only descriptors first: a
 * FIFO, a device or a socket is recognised without its noticing.
 */
#include "worker/http/files_find.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "worker/http/open.h"
#include "worker/http/path.h"

enum {
	RECHECK_US = 1000000,
	LOOKS_A_TICK = 256
};

int files_find_init(struct files_roots *roots, const struct settings *s)
{
	uint32_t count = 0;

	*roots = (struct files_roots){.settings = s};
	roots->first = calloc(s->servers_count + 1, sizeof(*roots->first));
	if (roots->first == NULL)
		return -1;
	for (uint32_t i = 0; i < s->servers_count; i++) {
		roots->first[i] = count;
		count += s->servers[i].locations_count;
	}
	roots->root = calloc(count + 1, sizeof(*roots->root));
	if (roots->root == NULL) {
		free(roots->first);
		return -1;
	}
	for (uint32_t i = 0; i < count; i++)
		roots->root[i].fd = -1;
	roots->count = count;
	return 0;
}

void files_find_free(struct files_roots *roots)
{
	files_find_release(roots);
	free(roots->root);
	free(roots->first);
}

void files_find_abandon(struct files_roots *roots)
{
	for (uint32_t i = 0; i < roots->count; i++)
		roots->root[i].fd = -1;
}

static bool root_close(struct files_root *root)
{
	if (root->fd < 0)
		return false;
	close(root->fd);
	root->fd = -1;
	return true;
}

unsigned files_find_release(struct files_roots *roots)
{
	unsigned closed = 0;

	for (uint32_t i = 0; i < roots->count; i++)
		closed += root_close(&roots->root[i]);
	return closed;
}

void files_find_tick(struct files_roots *roots, uint64_t now_us, uint64_t idle_us)
{
	for (uint32_t n = 0; n < LOOKS_A_TICK && n < roots->count; n++) {
		struct files_root *root = &roots->root[roots->next_look];

		roots->next_look = (roots->next_look + 1) % roots->count;
		if (root->fd >= 0 && now_us - root->checked_us >= idle_us)
			root_close(root);
	}
}

static int root_open(struct files_root *root, const char *path)
{
	struct stat st;
	int saved;

	root->fd = open_root(path);
	if (root->fd < 0)
		return -1;
	if (fstat(root->fd, &st) < 0) {
		saved = errno;
		root_close(root);
		errno = saved;
		return -1;
	}
	root->dev = st.st_dev;
	root->ino = st.st_ino;
	return 0;
}

int files_find_root(struct files_roots *roots, const struct reply_ctx *ctx)
{
	const struct location *loc = ctx->location;
	ptrdiff_t server = ctx->server - roots->settings->servers;
	const char *path = loc->alias != NULL ? loc->alias : loc->root;
	struct files_root *root;
	struct stat st;

	assert(server >= 0 && server < (ptrdiff_t)roots->settings->servers_count);
	assert(loc->id < ctx->server->locations_count);
	root = &roots->root[roots->first[server] + loc->id];
	if (root->fd >= 0 && ctx->clock->now_us - root->checked_us < RECHECK_US)
		return root->fd;
	if (root->fd >= 0 &&
	    (stat(path, &st) < 0 || st.st_dev != root->dev || st.st_ino != root->ino))
		root_close(root);
	if (root->fd < 0 && root_open(root, path) < 0)
		return -1;
	root->checked_us = ctx->clock->now_us;
	return root->fd;
}

int files_find_status(int error)
{
	switch (error) {
	case ENOENT:
	case ENOTDIR:
	case ENAMETOOLONG:
	case ELOOP:
	case EXDEV: /* leads outside */
	case ENXIO: /* a socket, or a device that is not there */
	case ENODEV:
		return 404;
	case EACCES:
	case EPERM:
		return 403;
	case EMFILE:
	case ENFILE:
	case ENOMEM:
	case EAGAIN: /* somebody holds a lease on it */
		return 503;
	default:
		return 500;
	}
}

static int64_t nanoseconds(const struct timespec *ts)
{
	return (int64_t)ts->tv_sec * 1000000000 + ts->tv_nsec;
}

void files_find_stamp(const struct stat *st, struct file_stamp *out)
{
	*out = (struct file_stamp){.dev = st->st_dev,
				   .ino = st->st_ino,
				   .size = st->st_size,
				   .mtime_ns = nanoseconds(&st->st_mtim),
				   .ctime_ns = nanoseconds(&st->st_ctim)};
}

bool files_find_same(const struct file_stamp *a, const struct file_stamp *b)
{
	return a->dev == b->dev && a->ino == b->ino && a->size == b->size &&
	       a->mtime_ns == b->mtime_ns && a->ctime_ns == b->ctime_ns;
}

time_t files_find_date(const struct file_stamp *stamp)
{
	int64_t below = stamp->mtime_ns % 1000000000;

	return (time_t)((stamp->mtime_ns - (below < 0 ? below + 1000000000 : below)) / 1000000000);
}

static void set_status(struct files_found *f, int status, int error)
{
	f->status = status;
	f->error = error;
}

/* What of the path lies below the location's directory. -1: nothing can. */
static int set_rel(struct files_found *f, const struct reply_ctx *ctx)
{
	const struct location *loc = ctx->location;
	const char *rel = ctx->path, *end = ctx->path + ctx->path_len;

	if (loc->alias != NULL && loc->path_len <= ctx->path_len) {
		rel += loc->path_len;
		/* A prefix "/img" is that folder, and not the half of the name "/imgs". */
		if (rel < end && rel > ctx->path && rel[-1] != '/' && *rel != '/')
			return -1;
	}
	if (rel < end && *rel == '/')
		rel++;
	if ((size_t)(end - rel) >= sizeof(f->rel))
		return -1;
	f->rel_len = (uint32_t)(end - rel);
	memcpy(f->rel, rel, f->rel_len);
	f->rel[f->rel_len] = '\0';
	return 0;
}

/* Adds a name to rel. */
static int append(struct files_found *f, const char *name)
{
	size_t len = strlen(name);

	if (f->rel_len + len >= sizeof(f->rel)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(f->rel + f->rel_len, name, len + 1);
	f->rel_len += (uint32_t)len;
	return 0;
}

static void cut(struct files_found *f, uint32_t len)
{
	f->rel_len = len;
	f->rel[len] = '\0';
}

static void add_stamp(struct files_found *f, enum encoding e, const struct stat *st)
{
	f->present |= 1u << e;
	files_find_stamp(st, &f->stamp[e]);
}

/* The first index name that is a regular file. False: there is none, or its status is set. */
static bool find_index(struct files_found *f, int root, const struct location *loc)
{
	uint32_t folder = f->rel_len;
	struct stat st;

	for (const char **name = loc->index; name != NULL && *name != NULL; name++) {
		if (append(f, *name) == 0 && open_stat(root, f->rel, &st) == 0) {
			if (S_ISREG(st.st_mode)) {
				add_stamp(f, ENCODING_IDENTITY, &st);
				set_status(f, 200, 0);
				return true;
			}
		} else if (files_find_status(errno) != 404) {
			set_status(f, files_find_status(errno), errno);
			return false;
		}
		cut(f, folder);
	}
	return false;
}

static void find_folder(struct files_found *f, int root, const struct location *loc)
{
	struct stat st;

	if (find_index(f, root, loc) || f->status != 0)
		return;
	if (open_stat(root, f->rel, &st) < 0) {
		set_status(f, files_find_status(errno), errno);
	} else if (!S_ISDIR(st.st_mode)) {
		set_status(f, 404, 0);
	} else {
		f->listing = loc->listing;
		set_status(f, loc->listing ? 200 : 403, 0);
	}
}

static void find_file(struct files_found *f, int root)
{
	struct stat st;

	if (f->rel_len == 0) { /* an alias, without its slash */
		set_status(f, 301, 0);
	} else if (open_stat(root, f->rel, &st) < 0) {
		set_status(f, files_find_status(errno), errno);
	} else if (S_ISREG(st.st_mode)) {
		add_stamp(f, ENCODING_IDENTITY, &st);
		set_status(f, 200, 0);
	} else {
		set_status(f, S_ISDIR(st.st_mode) ? 301 : 404, 0);
	}
}

/* Files beside it with .gz and so on. Whether they are older than it does not count: tools that
 * copy a tree do not agree on times, and who asks for siblings keeps them in step. */
static void find_siblings(struct files_found *f, int root)
{
	uint32_t len = f->rel_len;
	struct stat st;

	for (enum encoding e = ENCODING_GZIP; e < ENCODINGS_COUNT; e++) {
		if (append(f, encoding_suffix(e)) == 0 && open_stat(root, f->rel, &st) == 0 &&
		    S_ISREG(st.st_mode))
			add_stamp(f, e, &st);
		cut(f, len);
	}
}

void files_find(struct files_roots *roots, const struct reply_ctx *ctx, struct files_found *out)
{
	const struct location *loc = ctx->location;
	int root;

	out->status = out->error = 0;
	out->listing = out->no_root = false;
	out->present = 0;
	out->rel_len = 0;
	out->rel[0] = '\0';
	if (!loc->dotfiles && path_has_dotfile(ctx->path)) {
		set_status(out, 404, 0);
		return;
	}
	root = files_find_root(roots, ctx);
	if (root < 0) {
		out->no_root = true;
		set_status(out, files_find_status(errno), errno);
		return;
	}
	if (set_rel(out, ctx) < 0)
		set_status(out, 404, 0);
	else if (ctx->path[ctx->path_len - 1] == '/')
		find_folder(out, root, loc);
	else
		find_file(out, root);
	if (out->status == 200 && !out->listing && loc->precompressed)
		find_siblings(out, root);
}
