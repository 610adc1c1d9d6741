/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the heads of requests and responses have in common: fields, the ends of lines, lengths. Used
 * by parse.c, response.c and forward_*.c, which know the rest. A function that reads returns where
 * the next one goes on, or NULL: then more bytes are needed if *why is still HTTP_ACCEPTED.
 */
#ifndef DROVER_WORKER_HTTP_HEAD_H
#define DROVER_WORKER_HTTP_HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "worker/http/parse.h"
#include "worker/http/scan.h"

static inline const char *head_refuse(enum http_refusal *why, enum http_refusal what)
{
	*why = what;
	return NULL;
}

static inline struct http_span head_span(const char *base, const char *from, const char *to)
{
	return (struct http_span){(uint32_t)(from - base), (uint32_t)(to - from)};
}

/* What follows the line that ends at p, where the bytes that the line may hold have stopped. */
static inline const char *head_end_line(const char *p, const char *end, enum http_refusal otherwise,
					enum http_refusal *why)
{
	if (end - p >= 2 && p[0] == '\r' && p[1] == '\n')
		return p + 2;
	if (p == end || (*p == '\r' && p + 1 == end))
		return NULL;
	return head_refuse(why, *p == '\r' || *p == '\n' ? HTTP_REFUSED_LINE : otherwise);
}

/* One field with its line's end; its id is the caller's. */
static inline const char *head_field(const char *base, const char *name, const char *limit,
				     struct http_field *field, enum http_refusal *why)
{
	const char *colon = scan_token_end(name, limit), *value, *end, *next;

	if (colon == limit)
		return NULL;
	if (*colon != ':')
		return head_refuse(why,
				   *colon == '\n' ? HTTP_REFUSED_LINE : HTTP_REFUSED_FIELD_NAME);
	value = scan_blank_end(colon + 1, limit);
	end = scan_text_end(value, limit);
	next = head_end_line(end, limit, HTTP_REFUSED_FIELD_VALUE, why);
	if (!next)
		return NULL;
	while (end > value && scan_is(end[-1], SCAN_BLANK))
		end--;
	field->name = head_span(base, name, colon);
	field->value = head_span(base, value, end);
	return next;
}

/* The blank line, or what stands where a field or a blank line ought to begin. */
static inline const char *head_end_fields(const char *p, const char *end, bool any_before,
					  enum http_refusal *why)
{
	if (p < end && scan_is(*p, SCAN_BLANK))
		return head_refuse(why, any_before ? HTTP_REFUSED_FOLDING : HTTP_REFUSED_LINE);
	return head_end_line(p, end, HTTP_REFUSED_FIELD_NAME, why);
}

/* A number of at most 2^63 - 1 that fills p[0 .. len). */
static inline bool head_number(const char *p, size_t len, uint64_t *number)
{
	uint64_t n = 0;

	for (size_t i = 0; i < len; i++) {
		unsigned digit = (unsigned)(p[i] - '0');

		if (digit > 9 || n > ((uint64_t)INT64_MAX - digit) / 10)
			return false;
		n = n * 10 + digit;
	}
	*number = n;
	return len > 0;
}

/* Is it that name? word is in lower case and holds no '_'. */
static inline bool head_is(const char *name, size_t len, const char *word, size_t word_len)
{
	return len == word_len && scan_same_word(name, word, len);
}

static inline bool head_begins(const char *name, size_t len, const char *word, size_t word_len)
{
	return len > word_len && scan_same_word(name, word, word_len);
}

#define HEAD_IS(name, len, literal)     head_is(name, len, literal, sizeof(literal) - 1)
#define HEAD_BEGINS(name, len, literal) head_begins(name, len, literal, sizeof(literal) - 1)

/* Is it the text's name? Of any letters, both. */
static inline bool head_is_name(const char *name, size_t len, const char *text)
{
	return (name[0] | 0x20) == (text[0] | 0x20) && strncasecmp(name, text, len) == 0 &&
	       text[len] == '\0';
}

/* The same for whoever takes '_' and '-' for one, as CGI does: what the configuration decides on
 * must not come in by the other name. */
static inline char head_variable_char(char c)
{
	if (c == '_')
		return '-';
	return (char)(c >= 'A' && c <= 'Z' ? c | 0x20 : c);
}

static inline bool head_is_variable(const char *name, size_t len, const char *text)
{
	for (size_t i = 0; i < len; i++)
		if (head_variable_char(name[i]) != head_variable_char(text[i]))
			return false;
	return text[len] == '\0';
}

static inline bool head_is_chunked(const char *p, size_t len)
{
	return HEAD_IS(p, len, "chunked");
}

/* Does one of the fields of that id, lists all of them, hold the token? */
static inline bool head_list_has(const char *base, const struct http_field *field, uint16_t count,
				 uint8_t id, const char *token)
{
	for (uint16_t i = 0; i < count; i++)
		if (field[i].id == id &&
		    http_list_has(base + field[i].value.off, field[i].value.len, token))
			return true;
	return false;
}

/*
 * Can the bytes from seen on have changed the verdict "more bytes are needed"? Yes, if one of them
 * is a control character, a bare CR or a bare LF, ends the head, or ends the first line, which is
 * looked for within line_max bytes (0: not at all). Of base at least two bytes were seen.
 */
static inline bool head_may_be_decided(const char *base, size_t seen, size_t len, size_t line_max)
{
	for (size_t i = seen; i < len; i++) {
		char c = base[i];
		bool after_cr = base[i - 1] == '\r';

		if (after_cr != (c == '\n') || (!scan_is(c, SCAN_TEXT) && c != '\r' && c != '\n'))
			return true;
		if (c == '\n' && base[i - 2] == '\n')
			return true;
		if (c == '\n' && i < line_max && !memchr(base + 2, '\n', i - 2))
			return true;
	}
	return false;
}

#endif
