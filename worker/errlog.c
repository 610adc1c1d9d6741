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
#include "worker/nowait.h"

enum {
	LINE_MAX_BYTES = 2048,
	LINE_TEXT_MAX = LINE_MAX_BYTES - 1, /* without the newline */
	LIMIT_US = 60 * 1000000,
	SUM_US = 10 * 1000000,
	SUBJECT_MAX = 160
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
	errlog_subject *ask;
	const void *arg;
	uint64_t *suppressed;
	struct errlog_limit *limits; /* those that ever left something out */
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

/* What another process left out is for that one to sum up. */
static void forget_limits(void)
{
	while (log_to.limits != NULL) {
		struct errlog_limit *l = log_to.limits;

		log_to.limits = l->next;
		l->known = false;
		l->left_out = 0;
		l->window_us = 0;
	}
}

void errlog_open(int fd, int level, int slot)
{
	forget_limits();
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
		n = nowait_write(log_to.fd, l->text, l->len);
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

static void append_subject(struct line *l)
{
	char subject[SUBJECT_MAX] = "";

	if (log_to.ask == NULL)
		return;
	log_to.ask(log_to.arg, subject, sizeof subject);
	append_escaped(l, subject, LINE_TEXT_MAX);
}

static void write_text(int level, const char *text, bool with_subject)
{
	int saved = errno;
	struct line l;

	if (log_to.lost > 0 && write_loss() < 0) {
		log_to.lost++;
		errno = saved;
		return;
	}
	append_start(&l, level);
	if (with_subject)
		append_subject(&l);
	append_escaped(&l, text, LINE_TEXT_MAX);
	write_line(&l);
	errno = saved;
}

static void __attribute__((format(printf, 3, 0)))
format_message(char *text, size_t size, const char *fmt, va_list args)
{
	if (vsnprintf(text, size, fmt, args) < 0)
		snprintf(text, size, "(message cannot be formatted: %.80s)", fmt);
}

static void __attribute__((format(printf, 2, 0)))
write_message(int level, const char *fmt, va_list args)
{
	int saved = errno;
	char text[LINE_MAX_BYTES];

	format_message(text, sizeof text, fmt, args);
	errno = saved;
	write_text(level, text, true);
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
	write_message(level, fmt, args);
	va_end(args);
}

void errlog_set_subject(errlog_subject *ask, const void *arg)
{
	log_to.ask = ask;
	log_to.arg = arg;
}

void errlog_set_counter(uint64_t *suppressed)
{
	log_to.suppressed = suppressed;
}

/* 1204 as "1,204". */
static const char *grouped(uint64_t n, char out[32])
{
	char *p = out + 31;
	int digits = 0;

	*p = '\0';
	do {
		if (digits > 0 && digits % 3 == 0)
			*--p = ',';
		*--p = (char)('0' + n % 10);
		digits++;
	} while ((n /= 10) > 0);
	return p;
}

static void sum_up(struct errlog_limit *limit)
{
	char text[LINE_MAX_BYTES], count[32];

	snprintf(text, sizeof text, "suppressed %s similar: %s", grouped(limit->left_out, count),
		 limit->text);
	limit->left_out = 0;
	write_text(limit->level, text, false);
}

void errlog_tick(uint64_t now_us, bool all)
{
	for (struct errlog_limit *l = log_to.limits; l != NULL; l = l->next) {
		if (l->left_out > 0 && (all || now_us - l->since_us >= SUM_US))
			sum_up(l);
	}
}

/* A window begins with its first line. */
static bool may_say(struct errlog_limit *limit, uint64_t now)
{
	if (limit->window_us == 0 || now - limit->window_us >= LIMIT_US) {
		limit->window_us = now;
		limit->said = 0;
	}
	if (limit->said >= (limit->burst > 0 ? limit->burst : 1))
		return false;
	limit->said++;
	return true;
}

static void leave_out(struct errlog_limit *limit, int level, uint64_t now)
{
	if (!limit->known) {
		limit->known = true;
		limit->next = log_to.limits;
		log_to.limits = limit;
	}
	if (limit->left_out++ == 0)
		limit->since_us = now;
	limit->level = level;
	if (log_to.suppressed != NULL)
		__atomic_store_n(log_to.suppressed, *log_to.suppressed + 1, __ATOMIC_RELAXED);
}

void errlog_limited(struct errlog_limit *limit, int level, const char *fmt, ...)
{
	uint64_t now;
	va_list args;

	if (!is_wanted(level))
		return;
	now = clock_now_us();
	va_start(args, fmt);
	if (may_say(limit, now)) {
		/* What was left out before it comes first. */
		if (limit->left_out > 0)
			sum_up(limit);
		write_message(level, fmt, args);
	} else {
		/* One example is enough. */
		if (limit->left_out == 0)
			format_message(limit->text, sizeof limit->text, fmt, args);
		leave_out(limit, level, now);
	}
	va_end(args);
}
