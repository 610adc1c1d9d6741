/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Pending access log lines: see accesslog.h. Files are opened with O_APPEND, and a write holds
 * whole lines, so several workers share one file without mixing them.
 */
#include "worker/accesslog.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "worker/errlog.h"
#include "worker/nowait.h"

size_t accesslog_room(const struct settings *s)
{
	return s->logs_count * arena_room(sizeof(struct accesslog_buffer));
}

int accesslog_init(struct accesslog *a, const struct settings *s, struct arena *arena,
		   const int *fds, struct worker_row *row)
{
	*a = (struct accesslog){.settings = s, .row = row};
	if (s->logs_count == 0)
		return 0;
	a->buffer = calloc(s->logs_count, sizeof a->buffer[0]);
	if (a->buffer == NULL)
		return -1;
	for (uint32_t i = 0; i < s->logs_count; i++) {
		a->buffer[i] = arena_take(arena, sizeof(struct accesslog_buffer));
		if (a->buffer[i] == NULL)
			return -1;
		a->buffer[i]->fd = fds[i];
	}
	return 0;
}

void accesslog_free(struct accesslog *a)
{
	/* The last flush could not write them either. */
	for (uint32_t i = 0; a->buffer != NULL && i < a->settings->logs_count; i++)
		board_add(&a->row->log_lines_lost, a->buffer[i]->lines);
	free(a->buffer);
	*a = (struct accesslog){0};
}

static uint32_t count_lines(const char *p, size_t len)
{
	uint32_t n = 0;

	for (const char *end = p + len; (p = memchr(p, '\n', (size_t)(end - p))) != NULL; p++)
		n++;
	return n;
}

/* What was written leaves the buffer. The tail of a line cut by a full disk stays first, so that no
 * later line is glued to it. */
static void take_off(struct accesslog *a, struct accesslog_buffer *b, size_t written)
{
	uint32_t lines = count_lines(b->bytes, written);

	b->len -= (uint32_t)written;
	b->lines -= lines < b->lines ? lines : b->lines;
	memmove(b->bytes, b->bytes + written, b->len);
	board_add(&a->row->log_lines, lines);
}

static void write_out(struct accesslog *a, uint32_t log)
{
	static struct errlog_limit limit;
	struct accesslog_buffer *b = a->buffer[log];
	ssize_t n;

	while (b->len > 0 && b->fd >= 0) {
		n = nowait_write(b->fd, b->bytes, b->len);
		if (n > 0) {
			take_off(a, b, (size_t)n);
			continue;
		}
		if (n < 0 && errno == EINTR)
			continue;
		errlog_limited(&limit, ERRLOG_ERROR, "access log %s cannot be written: %s",
			       a->settings->logs[log].path, strerror(errno));
		break;
	}
}

void accesslog_add(struct accesslog *a, const struct logline *l)
{
	struct accesslog_buffer *b;
	int log = l->server->log;

	if (log < 0)
		return;
	b = a->buffer[log];
	if (b->len >= ACCESSLOG_WRITE_AT) {
		/* The last write failed, and there is no room for more: service goes on, lines are
		 * lost. */
		board_add(&a->row->log_lines_lost, 1);
		return;
	}
	b->len += (uint32_t)logline_write(a->settings->logs[log].format, l, b->bytes + b->len,
					  ACCESSLOG_SIZE - b->len);
	b->lines++;
	if (b->len >= ACCESSLOG_WRITE_AT)
		write_out(a, (uint32_t)log);
}

void accesslog_flush(struct accesslog *a)
{
	for (uint32_t i = 0; i < a->settings->logs_count; i++)
		write_out(a, i);
}

void accesslog_replace(struct accesslog *a, uint32_t log, int fd)
{
	if (log >= a->settings->logs_count) {
		close(fd);
		return;
	}
	write_out(a, log);
	/* The number stays, so that whoever shares the descriptor table finds the new file by it.
	 */
	if (a->buffer[log]->fd < 0) {
		a->buffer[log]->fd = fd;
		return;
	}
	(void)dup3(fd, a->buffer[log]->fd, O_CLOEXEC);
	close(fd);
}
