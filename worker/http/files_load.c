/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The costly part of a static file, done once for each version of it. What is kept belongs
 * together: a small body is read between two looks at the file that agree, and tag and date are
 * those of the descriptor that was read, not of an earlier look at the name.
 */
#include "worker/http/files_load.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "worker/http/listing.h"
#include "worker/http/mime.h"
#include "worker/http/open.h"

enum {
	TRIES = 3 /* to read a file that changes meanwhile */
};

bool files_load_dated(const struct files_variant *v, const struct clock *c)
{
	return v->etag[0] != '\0' && files_find_date(&v->stamp) <= c->real_s;
}

void files_load_fields(struct reply *r, const struct reply_ctx *ctx, const struct files_entry *e,
		       enum encoding which, bool body)
{
	const struct files_variant *v = &e->variant[which];
	const struct location *loc = ctx->location;
	char date[HTTP_DATE_LEN];

	if (body && e->type != NULL)
		reply_field(r, "Content-Type", "%s", e->type);
	if (files_load_dated(v, ctx->clock)) {
		http_date_write(date, files_find_date(&v->stamp));
		reply_field(r, "Last-Modified", "%.*s", (int)HTTP_DATE_LEN, date);
	}
	if (v->etag[0] != '\0')
		reply_field(r, "ETag", "%s", v->etag);
	if (body && v->etag[0] != '\0')
		reply_field(r, "Accept-Ranges", "bytes");
	if (body && which != ENCODING_IDENTITY)
		reply_field(r, "Content-Encoding", "%s", encoding_name(which));
	if (e->variants == ENCODINGS_COUNT)
		reply_field(r, "Vary", "Accept-Encoding");
	if (loc->cache_control != NULL)
		reply_field(r, "Cache-Control", "%s", loc->cache_control);
}

/*
 * Size and time alone, so that hosts with copies of the same tree agree on it. Strong: times are in
 * nanoseconds, and a file changed twice within one tick of the file system's clock is the only one
 * it cannot tell apart.
 */
static void write_etag(struct files_variant *v, enum encoding which)
{
	snprintf(v->etag, sizeof(v->etag), "\"%" PRIx64 "-%" PRIx64 "%s%s\"",
		 (uint64_t)v->stamp.size, (uint64_t)v->stamp.mtime_ns,
		 which != ENCODING_IDENTITY ? "-" : "",
		 which != ENCODING_IDENTITY ? encoding_name(which) : "");
}

/* The 200 head of v->size bytes, copied to a block with room for the blank line and `body` bytes.
 * NULL with errno. */
static char *make_block(struct reply *r, const struct reply_ctx *ctx, const struct files_entry *e,
			enum encoding which, size_t body, uint32_t *head_len_out)
{
	char *block;

	reply_reset(r);
	r->length = e->variant[which].size;
	reply_begin(r, ctx, 200);
	files_load_fields(r, ctx, e, which, true);
	if (reply_finish(r, ctx) < 0) {
		errno = E2BIG;
		return NULL;
	}
	block = malloc(r->head_len + 2 + body);
	if (block == NULL)
		return NULL;
	memcpy(block, r->head, r->head_len);
	memcpy(block + r->head_len, "\r\n", 2);
	*head_len_out = r->head_len;
	return block;
}

static void set_block(struct files_variant *v, const struct clock *c, char *block,
		      uint32_t head_len)
{
	static const char before[] = "\r\nDate: ";
	char *date = memmem(block, head_len, before, sizeof(before) - 1);

	v->block = block;
	v->head_len = head_len;
	v->date_off = (uint32_t)(date + sizeof(before) - 1 - block);
	v->date = c->real_s;
}

static int read_all(int fd, char *out, size_t size)
{
	size_t have = 0;
	ssize_t n;

	while (have < size) {
		n = pread(fd, out + have, size - have, (off_t)have);
		if (n == 0)
			errno = ESTALE; /* it shrank */
		if (n <= 0 && (n == 0 || errno != EINTR))
			return -1;
		have += n > 0 ? (size_t)n : 0;
	}
	return 0;
}

static int stamp_fd(int fd, struct file_stamp *out)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -1;
	if (!S_ISREG(st.st_mode)) {
		errno = ENOENT;
		return -1;
	}
	files_find_stamp(&st, out);
	return 0;
}

/* Reads the body into block, and makes sure that it is the one that the stamp speaks of. */
static int read_body(int fd, char *out, const struct file_stamp *stamp)
{
	struct file_stamp after;

	if (read_all(fd, out, (size_t)stamp->size) < 0 || stamp_fd(fd, &after) < 0)
		return -1;
	if (files_find_same(stamp, &after))
		return 0;
	errno = ESTALE;
	return -1;
}

/* From an open file to a filled variant, with its body if that is small and may_read. Takes fd over
 * if *kept_out. */
static int load_fd(int fd, struct openfiles *open, struct reply *r, const struct reply_ctx *ctx,
		   struct files_entry *e, enum encoding which, bool may_read, bool *kept_out)
{
	struct files_variant *v = &e->variant[which];
	uint32_t head_len;
	char *block;
	bool small;

	if (stamp_fd(fd, &v->stamp) < 0)
		return -1;
	v->size = (uint64_t)v->stamp.size;
	v->young = files_find_date(&v->stamp) >= ctx->clock->real_s - 1;
	small = may_read && v->size <= FILES_SMALL_BYTES;
	write_etag(v, which);
	block = make_block(r, ctx, e, which, small ? v->size : 0, &head_len);
	if (block == NULL)
		return -1;
	if (small && read_body(fd, block + head_len + 2, &v->stamp) < 0) {
		free(block);
		return -1;
	}
	if (!small) {
		v->file = openfile_add(open, fd);
		if (v->file == OPENFILE_NONE) {
			free(block);
			errno = ENFILE; /* the table is full: as good as no descriptor left */
			return -1;
		}
	}
	v->whole = small;
	*kept_out = !small;
	set_block(v, ctx->clock, block, head_len);
	return 0;
}

static int load_once(struct files_roots *roots, struct openfiles *open, struct reply *r,
		     const struct reply_ctx *ctx, struct files_entry *e, enum encoding which,
		     bool may_read)
{
	int root = files_find_root(roots, ctx), fd, rc, saved;
	char rel[PATH_MAX];
	bool kept = false;

	if (root < 0)
		return -1;
	snprintf(rel, sizeof(rel), "%s%s", e->rel, encoding_suffix(which));
	fd = open_below(root, rel, O_RDONLY);
	if (fd < 0)
		return -1;
	rc = load_fd(fd, open, r, ctx, e, which, may_read, &kept);
	saved = errno;
	if (!kept)
		close(fd);
	errno = saved;
	return rc;
}

int files_load(struct files_roots *roots, struct openfiles *open, struct reply *r,
	       const struct reply_ctx *ctx, struct files_entry *e, enum encoding which)
{
	const struct settings *s = roots->settings;

	/* The type of what is inside the encoding: by the name without its suffix. */
	e->type = mime_type(s->mime, e->rel, e->rel_len, s->default_type);
	for (int i = 0; i < TRIES; i++) {
		if (load_once(roots, open, r, ctx, e, which, true) == 0)
			return 0;
		if (errno != ESTALE)
			return -1;
	}
	/* It does not hold still, as a log: it goes out from its descriptor, like large ones. */
	return load_once(roots, open, r, ctx, e, which, false);
}

int files_load_listing(struct files_roots *roots, struct reply *r, const struct reply_ctx *ctx,
		       struct files_entry *e, char *page)
{
	struct files_variant *v = &e->variant[ENCODING_IDENTITY];
	struct listing l = {.root = files_find_root(roots, ctx),
			    .rel = e->rel,
			    .path = ctx->path,
			    .path_len = ctx->path_len,
			    .dotfiles = ctx->location->dotfiles};
	uint32_t head_len;
	size_t len = 0;
	char *block;

	if (l.root < 0 || listing_write(&l, page, FILES_PAGE_BYTES, &len) < 0)
		return -1;
	e->type = "text/html; charset=utf-8";
	v->size = len;
	block = make_block(r, ctx, e, ENCODING_IDENTITY, len, &head_len);
	if (block == NULL)
		return -1;
	memcpy(block + head_len + 2, page, len);
	v->whole = true;
	set_block(v, ctx->clock, block, head_len);
	return 0;
}
