/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Writing a response: see send.h. Small bodies leave with their head in one system call; large ones
 * by sendfile behind a head sent with MSG_MORE. Only what the socket does not take is copied.
 */
#include "worker/http/send.h"

#include <errno.h>
#include <linux/sockios.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>

#include "worker/http/iov.h"

/* One connection's share of a turn, so that a fast reader of a large file does not hold up the
 * others. */
enum {
	SHARE = 2 * 1024 * 1024
};

/* A multipart/byteranges answer in the middle, in parts_buf. */
struct part_list {
	uint32_t count;
	uint32_t spare;
	struct reply_part
	    part[REPLY_PARTS_MAX + 1]; /* the last one is the closing text, with length 0 */
	char text[];
};

static bool would_block(int error)
{
	return error == EAGAIN || error == EWOULDBLOCK;
}

static void count_out(struct conns *cs, uint32_t i, size_t n)
{
	cs->conn[i].sent += n;
	board_add(&conn_row(cs, i)->bytes_out, n);
	board_add(&cs->row->bytes_out, n);
}

/* Keeps what the socket did not take. */
static int keep_rest(struct conns *cs, uint32_t i, const struct iovec *iov, size_t count,
		     size_t total, size_t written)
{
	struct conn *c = conn_at(cs, i);

	c->out_buf = buf_take(&cs->bufs, total - written);
	if (c->out_buf == BUF_NONE)
		return -1;
	c->out_off = 0;
	c->out_len = (uint32_t)(total - written);
	iov_copy_rest(buf_data(&cs->bufs, c->out_buf), iov, count, written);
	return 0;
}

static enum send_result send_bytes(struct conns *cs, uint32_t i)
{
	struct conn *c = conn_at(cs, i);

	while (c->out_off < c->out_len) {
		struct iovec iov = {buf_data(&cs->bufs, c->out_buf) + c->out_off,
				    c->out_len - c->out_off};
		ssize_t n = iov_send(c->fd, &iov, 1,
				     MSG_NOSIGNAL | (c->file_left > 0 ? MSG_MORE : 0));

		if (n < 0)
			return would_block(errno) ? SEND_BLOCKED : SEND_LOST;
		c->out_off += (uint32_t)n;
		count_out(cs, i, (size_t)n);
	}
	buf_drop(&cs->bufs, &c->out_buf);
	c->out_off = c->out_len = 0;
	return SEND_DONE;
}

/*
 * A short count may mean that the socket is full, that the file has shrunk, or that a signal came
 * in between: the next call tells which, and only after its EAGAIN will an edge follow.
 */
static enum send_result send_piece(struct conns *cs, uint32_t i, int file_fd, uint64_t *off,
				   uint64_t *left)
{
	struct conn *c = conn_at(cs, i);
	size_t share = SHARE;

	while (*left > 0) {
		size_t want = *left < share ? (size_t)*left : share;
		off_t at = (off_t)*off;
		ssize_t n = sendfile(c->fd, file_fd, &at, want);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && would_block(errno))
			return SEND_BLOCKED;
		if (n < 0 && (errno == EPIPE || errno == ECONNRESET || errno == ETIMEDOUT))
			return SEND_LOST;
		if (n <= 0) {
			board_add(&cs->row->file_errors, 1);
			return SEND_FAILED;
		}
		*off += (uint64_t)n;
		*left -= (uint64_t)n;
		count_out(cs, i, (size_t)n);
		share -= (size_t)n;
		if (share == 0 && *left > 0)
			return SEND_PAUSED;
	}
	return SEND_DONE;
}

/* Moves the next part of a multipart answer to where send_more finds it. False if there is none. */
static bool next_part(struct conns *cs, uint32_t i)
{
	struct conn *c = conn_at(cs, i);
	const struct part_list *list;
	const struct reply_part *p;

	if (c->parts_buf == BUF_NONE)
		return false;
	list = (const struct part_list *)(const void *)buf_data(&cs->bufs, c->parts_buf);
	if (c->part >= list->count)
		return false;
	p = &list->part[c->part];
	c->out_buf = buf_take(&cs->bufs, p->text_len);
	if (c->out_buf == BUF_NONE)
		return false;
	memcpy(buf_data(&cs->bufs, c->out_buf), list->text + p->text_off, p->text_len);
	c->out_off = 0;
	c->out_len = p->text_len;
	c->file_off = p->offset;
	c->file_left = p->length;
	c->part++;
	return true;
}

static bool parts_left(const struct conns *cs, uint32_t i)
{
	const struct conn *c = conn_at(cs, i);

	return c->parts_buf != BUF_NONE &&
	       c->part < ((const struct part_list *)(const void *)buf_data(&cs->bufs, c->parts_buf))
			     ->count;
}

enum send_result send_more(struct conns *cs, uint32_t i)
{
	struct conn *c = conn_at(cs, i);
	enum send_result result;

	do {
		result = send_bytes(cs, i);
		if (result == SEND_DONE && c->file_left > 0)
			result = send_piece(cs, i, openfile_fd(&cs->files, c->file), &c->file_off,
					    &c->file_left);
	} while (result == SEND_DONE && next_part(cs, i));
	/* A part that found no buffer is not the end. */
	return result == SEND_DONE && parts_left(cs, i) ? SEND_FAILED : result;
}

static int keep_parts(struct conns *cs, uint32_t i, const struct reply *r)
{
	struct conn *c = conn_at(cs, i);
	struct part_list *list;

	c->parts_buf = buf_take(&cs->bufs, sizeof *list + r->text_len);
	if (c->parts_buf == BUF_NONE)
		return -1;
	list = (struct part_list *)(void *)buf_data(&cs->bufs, c->parts_buf);
	list->count = r->parts_count + 1;
	memcpy(list->part, r->part, r->parts_count * sizeof r->part[0]);
	list->part[r->parts_count] = (struct reply_part){.text_off = r->closing_off,
							 .text_len = r->closing_len};
	memcpy(list->text, r->text, r->text_len);
	c->part = 0;
	return 0;
}

/* A piece of one file, tried at once; the record takes its reference only if something is left. */
static enum send_result begin_file(struct conns *cs, uint32_t i, const struct reply *r,
				   enum send_result head)
{
	struct conn *c = conn_at(cs, i);
	uint64_t off = r->offset, left = r->length;
	enum send_result result = head;

	if (head == SEND_DONE)
		result = send_piece(cs, i, openfile_fd(&cs->files, r->file), &off, &left);
	if (result == SEND_BLOCKED || result == SEND_PAUSED) {
		openfile_ref(&cs->files, r->file);
		c->file = r->file;
		c->file_off = off;
		c->file_left = left;
	}
	return result;
}

static const struct iovec connection_text[] = {
    [SEND_KEEP_SILENT] = {(void *)(uintptr_t) "\r\n", 2},
    [SEND_KEEP_SAID] = {(void *)(uintptr_t) "Connection: keep-alive\r\n\r\n", 26},
    [SEND_CLOSE] = {(void *)(uintptr_t) "Connection: close\r\n\r\n", 21},
};

enum send_result send_begin(struct conns *cs, uint32_t i, const struct reply *r,
			    enum send_connection connection, const char *extra, size_t extra_len)
{
	struct conn *c = conn_at(cs, i);
	bool more = r->body == REPLY_FILE || r->body == REPLY_PARTS;
	size_t body = r->body == REPLY_BYTES ? (size_t)r->length : 0;
	struct iovec iov[6] = {{(void *)(uintptr_t)r->head, r->head_len}};
	size_t count = 1, total;
	enum send_result result = SEND_DONE;
	ssize_t n;

	c->sent = 0;
	c->reply_head = r->head_len + (uint32_t)extra_len +
			(uint32_t)connection_text[connection].iov_len;
	if (r->body == REPLY_PIECE)
		body = r->piece[0].iov_len + r->piece[1].iov_len + r->piece[2].iov_len;
	total = c->reply_head + body;
	if (r->ready && connection == SEND_KEEP_SILENT && extra_len == 0) {
		iov[0].iov_len = total;
	} else {
		if (extra_len > 0)
			iov[count++] = (struct iovec){(void *)(uintptr_t)extra, extra_len};
		iov[count++] = connection_text[connection];
		if (r->body == REPLY_PIECE) {
			memcpy(iov + count, r->piece, sizeof r->piece);
			count += sizeof r->piece / sizeof r->piece[0];
		} else if (body > 0) {
			iov[count++] = (struct iovec){(void *)(uintptr_t)r->bytes, body};
		}
	}
	n = iov_send(c->fd, iov, count, MSG_NOSIGNAL | (more ? MSG_MORE : 0));
	if (n < 0 && !would_block(errno))
		return SEND_LOST;
	if (n < 0)
		n = 0;
	count_out(cs, i, (size_t)n);
	if ((size_t)n < total) {
		if (keep_rest(cs, i, iov, count, total, (size_t)n) != 0)
			return SEND_FAILED;
		result = SEND_BLOCKED;
	}
	if (r->body == REPLY_FILE)
		return begin_file(cs, i, r, result);
	if (r->body == REPLY_PARTS) {
		if (keep_parts(cs, i, r) != 0)
			return SEND_FAILED;
		openfile_ref(&cs->files, r->file);
		c->file = r->file;
		if (result == SEND_DONE)
			result = send_more(cs, i);
		if (result == SEND_DONE)
			send_end(cs, i);
		return result;
	}
	return result;
}

enum send_result send_pieces(struct conns *cs, uint32_t i, struct iovec *iov, size_t count)
{
	size_t total = iov_total(iov, count);
	ssize_t n = iov_send(conn_at(cs, i)->fd, iov, count, MSG_NOSIGNAL);

	if (n < 0 && !would_block(errno))
		return SEND_LOST;
	if (n < 0)
		n = 0;
	count_out(cs, i, (size_t)n);
	if ((size_t)n == total)
		return SEND_DONE;
	return keep_rest(cs, i, iov, count, total, (size_t)n) == 0 ? SEND_BLOCKED : SEND_FAILED;
}

void send_end(struct conns *cs, uint32_t i)
{
	struct conn *c = conn_at(cs, i);

	buf_drop(&cs->bufs, &c->out_buf);
	buf_drop(&cs->bufs, &c->parts_buf);
	if (c->file != OPENFILE_NONE)
		openfile_unref(&cs->files, c->file);
	c->file = OPENFILE_NONE;
	c->out_off = c->out_len = 0;
	c->file_left = 0;
}

uint64_t send_acked(const struct conns *cs, uint32_t i)
{
	uint64_t out = conn_row(cs, i)->bytes_out;
	int queued = 0;

	if (ioctl(conn_at(cs, i)->fd, SIOCOUTQ, &queued) != 0 || queued < 0)
		return out;
	/* A unix socket counts its own overhead too. */
	return (uint64_t)queued < out ? out - (uint64_t)queued : 0;
}

enum send_result send_continue(struct conns *cs, uint32_t i)
{
	static const char text[] = "HTTP/1.1 100 Continue\r\n\r\n";
	struct iovec iov = {(void *)(uintptr_t)text, sizeof text - 1};

	ssize_t n = iov_send(conn_at(cs, i)->fd, &iov, 1, MSG_NOSIGNAL);

	if (n < 0 && would_block(errno))
		return SEND_BLOCKED;
	/* Half of it cannot be taken back, and is not worth a buffer. */
	if (n != (ssize_t)(sizeof text - 1))
		return SEND_LOST;
	count_out(cs, i, sizeof text - 1);
	board_add(&cs->row->responses_1xx, 1);
	return SEND_DONE;
}
