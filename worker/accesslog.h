/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Access log lines on their way to the file: one buffer for each log in the worker's arena, so that
 * a standby can write what a dead worker left: all of it, so that lines may stand there twice if
 * the worker died while it wrote. Written once a second or when 64 KiB are there. A log that cannot
 * be written costs lines, which are counted, and nothing else.
 */
#ifndef DROVER_WORKER_ACCESSLOG_H
#define DROVER_WORKER_ACCESSLOG_H

#include <stddef.h>
#include <stdint.h>

#include "shm/arena.h"
#include "shm/board.h"
#include "worker/http/logline.h"
#include "worker/settings.h"

enum {
	ACCESSLOG_WRITE_AT = 64 * 1024,
	ACCESSLOG_SIZE = ACCESSLOG_WRITE_AT + LOGLINE_MAX
};

/* In the arena. */
struct accesslog_buffer {
	int32_t fd;   /* owned; -1: not open */
	uint32_t len; /* <= ACCESSLOG_SIZE */
	uint32_t lines;
	char bytes[ACCESSLOG_SIZE];
};

struct accesslog {
	const struct settings *settings;
	struct worker_row *row;
	struct accesslog_buffer **buffer; /* of each log; memory of the table is owned */
};

size_t accesslog_room(const struct settings *s);
/* fds are taken over. Returns 0, or -1 with errno. */
int accesslog_init(struct accesslog *a, const struct settings *s, struct arena *arena,
		   const int *fds, struct worker_row *row);
/* What is still there counts as lost. */
void accesslog_free(struct accesslog *a);

/* Adds a line to the log of l->server, if it has one. */
void accesslog_add(struct accesslog *a, const struct logline *l);

/* Writes what is there: once a second, and at the end. */
void accesslog_flush(struct accesslog *a);

/* After a rotation: writes what is there to the old file and goes on with fd, which is taken over.
 */
void accesslog_replace(struct accesslog *a, uint32_t log, int fd);

#endif
