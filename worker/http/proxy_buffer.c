/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Answers that wait for a slow client, so that their peer is free early: see proxy_parts.h. First
 * in the record's out_buf, beyond that in an unlinked temporary file, which then is the piece of a
 * file that the record sends behind out_buf; while any of it is left, all that comes goes there.
 * Room is made before anything is taken from the peer: where there is none, for want of memory,
 * disk or leave, the peer waits for the client as it would without buffering, and nothing fails.
 */
#include "worker/http/proxy_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "worker/errlog.h"
#include "worker/http/iov.h"

enum {
	FRAMING = PIECE_TEXT + 7,
	LEAST = 4096, /* less room is none */
	RESERVE = 256 * 1024,
	REST_US = 1000000
};

static const struct location *location_of(const struct http *h, uint32_t i)
{
	return &exchange_server(h, i)->locations[proxy_up(h, i)->location];
}

static size_t waiting(const struct conn *c)
{
	return c->out_len - c->out_off;
}

static uint64_t file_end(const struct conn *c)
{
	return c->file_off + c->file_left;
}

/* Into a larger buffer. */
static bool grow(struct bufs *b, struct conn *c)
{
	uint32_t bigger;

	if (buf_size(b, c->out_buf) >= buf_most(b))
		return false;
	bigger = buf_take(b, (size_t)buf_size(b, c->out_buf) + 1);
	if (bigger == BUF_NONE)
		return false;
	memcpy(buf_data(b, bigger), buf_data(b, c->out_buf) + c->out_off, waiting(c));
	c->out_len -= c->out_off;
	c->out_off = 0;
	buf_drop(b, &c->out_buf);
	c->out_buf = bigger;
	return true;
}

static size_t memory_room(struct http *h, struct conn *c, uint32_t limit)
{
	size_t size, used = waiting(c) + FRAMING;

	do {
		size = buf_size(&h->cs->bufs, c->out_buf);
		if (size > limit)
			size = limit;
		if (size >= used + LEAST)
			return size - used;
	} while (size < limit && grow(&h->cs->bufs, c));
	return 0;
}

static int open_temp(const char *dir)
{
	char path[PATH_MAX];
	int fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	/* Not all file systems have files without a name. */
	if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR))
		return fd;
	if (snprintf(path, sizeof path, "%s/drover.XXXXXX", dir) >= (int)sizeof path) {
		errno = ENAMETOOLONG;
		return -1;
	}
	fd = mkostemp(path, O_CLOEXEC);
	if (fd >= 0)
		(void)unlink(path);
	return fd;
}

static bool have_file(struct http *h, struct conn *c)
{
	int fd;

	if (c->file != OPENFILE_NONE)
		return true;
	fd = open_temp(h->settings->temp_dir);
	if (fd < 0)
		return false;
	c->file = openfile_add(&h->cs->files, fd);
	if (c->file == OPENFILE_NONE) {
		close(fd);
		errno = ENFILE;
		return false;
	}
	c->file_off = c->file_left = 0;
	board_add(&h->cs->row->buffer_files, 1);
	return true;
}

/* So that a piece that has been taken is sure to find its place. */
static bool reserve(struct http *h, struct conn *c, struct up *up)
{
	int error;

	if (!have_file(h, c))
		return false;
	if (up->reserved >= file_end(c) + PIECE_MOST + FRAMING)
		return true;
	error = posix_fallocate(openfile_fd(&h->cs->files, c->file), (off_t)file_end(c), RESERVE);
	if (error != 0) {
		errno = error;
		return false;
	}
	up->reserved = file_end(c) + RESERVE;
	return true;
}

/* Said once, not for each answer: the disk is full for all of them. */
static void no_file(struct http *h)
{
	static struct errlog_limit limit = {.burst = 1};

	h->no_file_until_us = proxy_now(h) + REST_US;
	board_add(&h->cs->row->buffer_errors, 1);
	errlog_limited(&limit, ERRLOG_WARN,
		       "temp_dir %s: %s: answers wait for their clients instead",
		       h->settings->temp_dir, strerror(errno));
}

static size_t file_room(struct http *h, struct conn *c, struct up *up, uint64_t limit)
{
	if (file_end(c) + PIECE_MOST + FRAMING > limit || h->no_file_until_us > proxy_now(h))
		return 0;
	/* Not before the peer has something. */
	if (up->in_len == 0 && (up->flags & UP_READABLE) == 0)
		return 0;
	if (reserve(h, c, up))
		return PIECE_MOST;
	no_file(h);
	return 0;
}

size_t proxy_room_behind(struct http *h, uint32_t i)
{
	struct conn *c = conn_at(h->cs, i);
	const struct location *l = location_of(h, i);
	size_t room = 0;

	if (!l->buffering || proxy_up(h, i)->state != UP_BODY)
		return 0;
	if (c->file_left == 0)
		room = memory_room(h, c, l->buffer);
	if (room == 0 && l->buffer_file != 0)
		room = file_room(h, c, proxy_up(h, i), l->buffer_file);
	return room < PIECE_MOST ? room : PIECE_MOST;
}

static bool fits_memory(const struct http *h, const struct conn *c, size_t len)
{
	return c->file_left == 0 && waiting(c) + len <= buf_size(&h->cs->bufs, c->out_buf);
}

bool proxy_fits(const struct http *h, uint32_t i, size_t len)
{
	const struct conn *c = conn_at(h->cs, i);

	return !proxy_waits(c) || fits_memory(h, c, len) ||
	       proxy_up(h, i)->reserved >= file_end(c) + len;
}

static void append(struct http *h, struct conn *c, const struct iovec *iov, size_t count,
		   size_t total)
{
	char *p = buf_data(&h->cs->bufs, c->out_buf);

	if (c->out_len + total > buf_size(&h->cs->bufs, c->out_buf)) {
		c->out_len -= c->out_off;
		memmove(p, p + c->out_off, c->out_len);
		c->out_off = 0;
	}
	iov_copy_rest(p + c->out_len, iov, count, 0);
	c->out_len += (uint32_t)total;
}

/* All of it, or it counts for nothing. */
static bool spill(struct http *h, struct conn *c, const struct iovec *iov, size_t count)
{
	int fd = openfile_fd(&h->cs->files, c->file);
	uint64_t at = file_end(c);

	for (size_t k = 0; k < count; k++) {
		size_t done = 0;

		while (done < iov[k].iov_len) {
			ssize_t n = pwrite(fd, (const char *)iov[k].iov_base + done,
					   iov[k].iov_len - done, (off_t)at);

			if (n < 0 && errno == EINTR)
				continue;
			if (n <= 0)
				return false;
			done += (size_t)n;
			at += (uint64_t)n;
		}
	}
	c->file_left = at - c->file_off;
	return true;
}

enum send_result proxy_put(struct http *h, uint32_t i, struct iovec *iov, size_t count)
{
	struct conn *c = conn_at(h->cs, i);
	size_t total;

	if (!proxy_waits(c))
		return send_pieces(h->cs, i, iov, count);
	total = iov_total(iov, count);
	board_add(&h->cs->row->buffered_bytes, total);
	if (fits_memory(h, c, total)) {
		append(h, c, iov, count, total);
	} else if (c->file == OPENFILE_NONE || !spill(h, c, iov, count)) {
		/* There was room: this is a disk that fails. */
		no_file(h);
		return SEND_FAILED;
	}
	return SEND_BLOCKED;
}

void proxy_sent(struct http *h, uint32_t i)
{
	struct conn *c = conn_at(h->cs, i);

	if (c->file == OPENFILE_NONE || c->file_left != 0 || c->file_off == 0)
		return;
	/* What has been sent is given back; a failure costs space, and no more. */
	if (ftruncate(openfile_fd(&h->cs->files, c->file), 0) == 0) {
		c->file_off = 0;
		proxy_up(h, i)->reserved = 0;
	}
}
