/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A head being written into a buffer that somebody else owns. What does not fit, or may not be
 * written, is noted once: from then on nothing is written any more, and whoever began the head
 * looks at `broken` when it is whole. For code that writes a head for every request: nothing here
 * calls anything but memcpy and strlen.
 */
#ifndef DROVER_WORKER_HTTP_OUT_H
#define DROVER_WORKER_HTTP_OUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "worker/http/parse.h"
#include "worker/http/scan.h"

struct out {
	char *p;
	char *end;
	bool broken; /* something did not fit, or may not be written */
};

static inline void out_refuse(struct out *o)
{
	o->broken = true;
	o->end = o->p;
}

/* So many bytes, which the caller fills; NULL: there are not so many. */
static inline char *out_room(struct out *o, size_t len)
{
	char *p = o->p;

	if ((size_t)(o->end - p) < len) {
		out_refuse(o);
		return NULL;
	}
	o->p = p + len;
	return p;
}

static inline void out_put(struct out *o, const char *bytes, size_t len)
{
	char *p = out_room(o, len);

	if (p)
		memcpy(p, bytes, len);
}

#define OUT_PUT(o, literal) out_put(o, literal, sizeof(literal) - 1)

static inline void out_span(struct out *o, const char *base, struct http_span span)
{
	out_put(o, base + span.off, span.len);
}

/* A text that the worker itself has made. */
static inline void out_string(struct out *o, const char *text)
{
	out_put(o, text, strlen(text));
}

/* The length of a text from elsewhere, which may not end its line. */
static inline size_t out_text_len(struct out *o, const char *text)
{
	size_t len = strlen(text);

	if (scan_text_end(text, text + len) != text + len)
		out_refuse(o);
	return len;
}

static inline void out_text(struct out *o, const char *text)
{
	out_put(o, text, out_text_len(o, text));
}

static inline void out_number(struct out *o, uint64_t n)
{
	char digits[20], *p = digits + sizeof digits;

	do
		*--p = (char)('0' + n % 10);
	while ((n /= 10) > 0);
	out_put(o, p, (size_t)(digits + sizeof digits - p));
}

/* A whole line: a label, which is the field's name with ": ", and a value. */
static inline void out_line(struct out *o, const char *label, size_t label_len, const char *value,
			    size_t len)
{
	char *p = out_room(o, label_len + len + 2);

	if (!p)
		return;
	memcpy(p, label, label_len);
	memcpy(p + label_len, value, len);
	memcpy(p + label_len + len, "\r\n", 2);
}

#define OUT_LINE(o, label, value, len) out_line(o, label, sizeof(label) - 1, value, len)
#define OUT_FIELD(o, name, value, len) OUT_LINE(o, name ": ", value, len)

#endif
