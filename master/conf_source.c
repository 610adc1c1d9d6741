/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The text that is put together: appending to it, undoing a statement that turned out to be wrong,
 * and tracing its lines back to files. conf_walk.c decides what is appended.
 */
#include "master/conf_source.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "master/conf_read.h"
#include "master/conf_walk.h"
#include "master/pool.h"
#include "worker/settings.h"

/* From line `at` of the text on (up to the next segment), lines of one file, from `line` on. */
struct conf_segment {
	const char *file;
	int at;
	int line;
};

void conf_source_put(struct conf_source *src, const char *bytes, size_t len)
{
	if (src->len + len + 1 > src->room) {
		size_t room = (src->len + len + 1) * 2;
		char *larger = pool_alloc(src->pool, room);

		if (src->len > 0)
			memcpy(larger, src->text, src->len);
		src->text = larger;
		src->room = room;
	}
	memcpy(src->text + src->len, bytes, len);
	src->len += len;
	src->text[src->len] = '\0';
}

void conf_source_newline(struct conf_source *src)
{
	conf_source_put(src, "\n", 1);
	src->line++;
}

void conf_source_segment(struct conf_source *src, const char *file, int line)
{
	src->segments = pool_grow(src->pool, src->segments, src->segments_count,
				  sizeof(*src->segments));
	src->segments[src->segments_count++] = (struct conf_segment){
	    .file = file, .at = src->line, .line = line};
}

int conf_source_opening(struct conf_source *src, int at)
{
	src->openings = pool_grow(src->pool, src->openings, src->openings_count,
				  sizeof(*src->openings));
	src->openings[src->openings_count] = (struct conf_opening){.at = at};
	return (int)src->openings_count++;
}

/* The last segment that begins at or before the line. */
struct conf_pos conf_source_pos(const struct conf_source *src, int at)
{
	size_t low = 0, high = src->segments_count;

	if (high == 0)
		return (struct conf_pos){.file = "", .line = 0};
	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;

		if (src->segments[middle].at <= at)
			low = middle;
		else
			high = middle;
	}
	return (struct conf_pos){.file = src->segments[low].file,
				 .line = src->segments[low].line + at - src->segments[low].at};
}

void conf_source_error(const struct conf_source *src, int at, const char *fmt, ...)
{
	struct conf_pos pos = conf_source_pos(src, at);
	va_list ap;

	va_start(ap, fmt);
	conf_messages_add(src->m, CONF_ERROR, pos.file, pos.line, at, fmt, ap);
	va_end(ap);
}

void conf_source_warn(const struct conf_source *src, int at, const char *fmt, ...)
{
	struct conf_pos pos = conf_source_pos(src, at);
	va_list ap;

	va_start(ap, fmt);
	conf_messages_add(src->m, CONF_WARNING, pos.file, pos.line, at, fmt, ap);
	va_end(ap);
}

int conf_source_text(struct conf_source *src, const char *name, const char *text, size_t len)
{
	src->line = 1;
	conf_source_put(src, "", 0);
	conf_source_segment(src, pool_strdup(src->names, name), 1);
	return conf_walk(src, src->segments[0].file, text, len, NULL);
}

int conf_source_file(struct conf_source *src, const char *path)
{
	struct stat st;
	size_t len;
	char *text;

	src->line = 1;
	conf_source_put(src, "", 0);
	conf_source_segment(src, pool_strdup(src->names, path), 0);
	text = conf_read(src->pool, path, CONF_FILE_MAX, &len, &st);
	if (text == NULL) {
		conf_source_error(src, 1, "cannot be read: %s", conf_read_why(errno));
		return -1;
	}
	src->segments[0].line = 1;
	return conf_walk(src, src->segments[0].file, text, len, &st);
}
