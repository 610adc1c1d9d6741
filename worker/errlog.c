/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The error log of whichever process calls: master, worker, or a child between the fork and its
 * own errlog_open(). A line is put together on the stack and leaves in one write, so lines of
 * several processes do not mix. It allocates nothing, never fails towards the caller and keeps
 * errno, so it can stand anywhere in an error path. SIGPIPE is for the process to ignore.
 */
#include "worker/errlog.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "worker/clock.h"

enum {
	LINE_MAX_BYTES = 2048,
	LINE_TEXT_MAX = LINE_MAX_BYTES - 1, /* without the newline */
	LIMIT_US = 60 * 1000000
};

static const char *const level_names[] = {
    [ERRLOG_DEBUG] = "debug", [ERRLOG_INFO] = "info",   [ERRLOG_NOTICE] = "notice",
    [ERRLOG_WARN] = "warn",   [ERRLOG_ERROR] = "error", [ERRLOG_ALERT] = "alert",
};

/* One log a process. */
static struct {
	int fd;
	int level;
	int slot;
	bool torn;     /* the last write was short: the next line begins on a new one */
	uint64_t lost; /* lines since the last write that worked */
	int error;     /* why the first of them was lost */
} log_to = {.fd = STDERR_FILENO, .level = ERRLOG_NOTICE, .slot = -1};

struct line {
	char text[LINE_MAX_BYTES];
	size_t len; /* before the newline always <= LINE_TEXT_MAX */
};

const char *errlog_level_name(int level)
{
	return level >= ERRLOG_DEBUG && level <= ERRLOG_ALERT ? level_names[level] : NULL;
}

int errlog_level_parse(const char *name)
{
	for (int i = ERRLOG_DEBUG; i <= ERRLOG_ALERT; i++)
		if (strcmp(name, level_names[i]) == 0)
			return i;
	return -1;
}

void errlog_open(int fd, int level, int slot)
{
	log_to.fd = fd;
	log_to.level = level;
	log_to.slot = slot;
	log_to.torn = false;
}

/* Up to a length of `most`. Whole escapes only: a cut one would be read as other bytes. */
static void append_escaped(struct line *l, const char *text, size_t most)
{
	static const char hex[] = "0123456789abcdef";

	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;
		bool printable = c >= 0x20 && c < 0x7f;

		if (l->len + (printable ? 1 : 4) > most)
			return;
		if (printable) {
			l->text[l->len++] = *text;
			continue;
		}
		memcpy(l->text + l->len, (char[]){'\\', 'x', hex[c >> 4], hex[c & 15]}, 4);
		l->len += 4;
	}
}

static void append_start(struct line *l, int level)
{
	struct timespec now = {0};
	struct tm tm = {0};
	char slot[16] = "-", date[32];

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &tm);
	if (log_to.slot >= 0)
		snprintf(slot, sizeof slot, "%d", log_to.slot);
	/* The level comes from a table and all else is short: it fits. */
	l->len = (size_t)snprintf(l->text, sizeof l->text, "%s%s.%03ldZ %s %ld [%s] ",
				  log_to.torn ? "\n" : "", date, now.tv_nsec / 1000000,
				  level_names[level], (long)getpid(), slot);
}

static int write_line(struct line *l)
{
	ssize_t n;

	l->text[l->len++] = '\n';
	do
		n = write(log_to.fd, l->text, l->len);
	while (n < 0 && errno == EINTR);
	if (n == (ssize_t)l->len) {
		log_to.torn = false;
		return 0;
	}
	if (n > 0)
		log_to.torn = true;
	if (log_to.lost++ == 0)
		log_to.error = n < 0 ? errno : ENOSPC;
	return -1;
}

/* Says once that writing works again. */
static int write_loss(void)
{
	uint64_t lost = log_to.lost;
	char text[128];
	struct line l;

	append_start(&l, ERRLOG_WARN);
	snprintf(text, sizeof text, "%llu line%s of this log could not be written: %s",
		 (unsigned long long)lost, lost == 1 ? "" : "s", strerror(log_to.error));
	append_escaped(&l, text, LINE_TEXT_MAX);
	if (write_line(&l) < 0) {
		/* The note is no line that somebody misses. */
		log_to.lost = lost;
		return -1;
	}
	log_to.lost = 0;
	return 0;
}

static void __attribute__((format(printf, 2, 0)))
write_message(int level, const char *fmt, va_list args, uint64_t left_out)
{
	int saved = errno;
	char text[LINE_MAX_BYTES], more[64];
	struct line l;

	if (vsnprintf(text, sizeof text, fmt, args) < 0)
		snprintf(text, sizeof text, "(message cannot be formatted: %.1000s)", fmt);
	if (log_to.lost > 0 && write_loss() < 0) {
		log_to.lost++;
		errno = saved;
		return;
	}
	append_start(&l, level);
	append_escaped(&l, text, left_out ? LINE_TEXT_MAX - sizeof more : LINE_TEXT_MAX);
	if (left_out > 0) {
		snprintf(more, sizeof more, " (%llu more like this left out)",
			 (unsigned long long)left_out);
		append_escaped(&l, more, LINE_TEXT_MAX);
	}
	write_line(&l);
	errno = saved;
}

static bool is_wanted(int level)
{
	return level >= log_to.level && level >= ERRLOG_DEBUG && level <= ERRLOG_ALERT;
}

void errlog(int level, const char *fmt, ...)
{
	va_list args;

	if (!is_wanted(level))
		return;
	va_start(args, fmt);
	write_message(level, fmt, args, 0);
	va_end(args);
}

void errlog_limited(struct errlog_limit *limit, int level, const char *fmt, ...)
{
	uint64_t now, left_out;
	va_list args;

	if (!is_wanted(level))
		return;
	now = clock_now_us();
	if (limit->last_us != 0 && now - limit->last_us < LIMIT_US) {
		limit->left_out++;
		return;
	}
	left_out = limit->left_out;
	limit->last_us = now;
	limit->left_out = 0;
	va_start(args, fmt);
	write_message(level, fmt, args, left_out);
	va_end(args);
}
