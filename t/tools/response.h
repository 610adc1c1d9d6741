/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A strict reader of HTTP/1.1 responses for test clients. What is not exactly framed is bad: a body
 * needs Content-Length or chunked coding (never both, never "until close"), heads have CRLF line
 * ends, no folding, no control characters. Bytes come in pieces of any size; the body is counted
 * and summed (CRC-32), never kept. A head that comes in pieces is kept on the heap until it is
 * whole. RFC 9112 sections 4, 5, 6 and 7.
 */
#ifndef DROVER_T_RESPONSE_H
#define DROVER_T_RESPONSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define RESPONSE_HEAD_MAX 16384

enum response_result {
	RESPONSE_MORE, /* all bytes taken, the response is not whole yet */
	RESPONSE_DONE, /* whole; bytes after it were not taken */
	RESPONSE_BAD,  /* `why` says what */
};

enum response_step {
	STEP_HEAD,
	STEP_BODY,
	STEP_SIZE_FIRST, /* the first digit of a chunk's size */
	STEP_SIZE,
	STEP_EXTENSION,
	STEP_SIZE_LF,
	STEP_CHUNK,
	STEP_CHUNK_CR,
	STEP_CHUNK_LF,
	STEP_TRAILER_FIRST, /* the first character of a trailer line */
	STEP_TRAILER,
	STEP_TRAILER_LF,
	STEP_LAST_LF,
	STEP_DONE,
};

struct response {
	enum response_step step;
	bool to_head; /* the request was HEAD: no body follows */
	bool summed;  /* compute crc */
	bool close;   /* the server announced that it closes */
	bool seen;    /* a byte of it has come */
	int status;
	uint32_t crc;
	uint64_t left; /* bytes of the body or the chunk to come */
	uint64_t body_bytes;
	char *head; /* heap; a head that is not whole yet, or NULL */
	size_t head_len;
	const char *why;
};

/* What the fields of one head say about the body. */
struct response_framing {
	bool has_length, chunked, close, keep_alive;
	uint64_t length;
};

/* `crc` is 0 at first; the same polynomial as gzip, zip and PNG use. */
static inline uint32_t response_crc32(uint32_t crc, const char *data, size_t len)
{
	static uint32_t table[256];

	if (table[1] == 0)
		for (uint32_t i = 0; i < 256; i++) {
			table[i] = i;
			for (int bit = 0; bit < 8; bit++)
				table[i] = table[i] >> 1 ^ (table[i] & 1 ? 0xedb88320u : 0);
		}
	crc = ~crc;
	for (size_t i = 0; i < len; i++)
		crc = table[(crc ^ (unsigned char)data[i]) & 0xff] ^ crc >> 8;
	return ~crc;
}

/* Ready for the next response on the same connection. */
static inline void response_begin(struct response *r, bool to_head, bool summed)
{
	free(r->head);
	*r = (struct response){.to_head = to_head, .summed = summed};
}

static inline enum response_result response_bad(struct response *r, const char *why)
{
	r->why = why;
	return RESPONSE_BAD;
}

static inline bool response_is_token(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (strchr("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"
			   "ABCDEFGHIJKLMNOPQRSTUVWXYZ",
			   s[i]) == NULL ||
		    s[i] == '\0')
			return false;
	return len > 0;
}

static inline bool response_is_text(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (((unsigned char)s[i] < 0x20 && s[i] != '\t') || s[i] == 0x7f)
			return false;
	return true;
}

/* Is `token` a member of the comma-separated list? */
static inline bool response_lists(const char *s, size_t len, const char *token)
{
	const char *end = s + len;

	while (s < end) {
		const char *comma = memchr(s, ',', (size_t)(end - s));
		const char *stop = comma ? comma : end;
		const char *next = comma ? comma + 1 : end;

		while (s < stop && (*s == ' ' || *s == '\t'))
			s++;
		while (stop > s && (stop[-1] == ' ' || stop[-1] == '\t'))
			stop--;
		if ((size_t)(stop - s) == strlen(token) &&
		    strncasecmp(s, token, strlen(token)) == 0)
			return true;
		s = next;
	}
	return false;
}

static inline const char *response_length(struct response_framing *f, const char *s, size_t len)
{
	if (f->has_length)
		return "two Content-Length fields";
	if (len == 0 || len > 18)
		return "malformed Content-Length";
	for (size_t i = 0; i < len; i++) {
		if (s[i] < '0' || s[i] > '9')
			return "malformed Content-Length";
		f->length = f->length * 10 + (uint64_t)(s[i] - '0');
	}
	f->has_length = true;
	return NULL;
}

/* One header line without its CRLF. Returns NULL or what is wrong with it. */
static inline const char *response_field(struct response_framing *f, const char *line, size_t len)
{
	const char *colon = memchr(line, ':', len);
	size_t name = colon ? (size_t)(colon - line) : 0;
	const char *value, *end = line + len;

	if (colon == NULL || !response_is_token(line, name))
		return "malformed field name";
	for (value = colon + 1; value < end && (*value == ' ' || *value == '\t'); value++)
		;
	while (end > value && (end[-1] == ' ' || end[-1] == '\t'))
		end--;
	len = (size_t)(end - value);
	if (!response_is_text(value, len))
		return "control character in a field";
	if (name == 14 && strncasecmp(line, "Content-Length", name) == 0)
		return response_length(f, value, len);
	if (name == 17 && strncasecmp(line, "Transfer-Encoding", name) == 0) {
		if (f->chunked || len != 7 || strncasecmp(value, "chunked", 7) != 0)
			return "transfer coding other than chunked";
		f->chunked = true;
	}
	if (name == 10 && strncasecmp(line, "Connection", name) == 0) {
		f->close |= response_lists(value, len, "close");
		f->keep_alive |= response_lists(value, len, "keep-alive");
	}
	return NULL;
}

/* "HTTP/1.1 200 OK"; sets status and whether the version keeps connections alive by itself. */
static inline const char *response_status(struct response *r, const char *line, size_t len,
					  bool *http10_out)
{
	if (len < 13 || memcmp(line, "HTTP/1.", 7) != 0 || (line[7] != '0' && line[7] != '1') ||
	    line[8] != ' ' || line[12] != ' ')
		return "malformed status line";
	r->status = 0;
	for (int i = 9; i < 12; i++) {
		if (line[i] < '0' || line[i] > '9')
			return "malformed status line";
		r->status = r->status * 10 + (line[i] - '0');
	}
	if (r->status < 100 || r->status > 599 || !response_is_text(line + 13, len - 13))
		return "malformed status line";
	*http10_out = line[7] == '0';
	return NULL;
}

/* Decides by what ends the response; RFC 9112 6.3, without its last two cases. */
static inline enum response_result response_frame(struct response *r,
						  const struct response_framing *f, bool http10)
{
	if (r->status == 101)
		return response_bad(r, "101 was not asked for");
	if (f->has_length && f->chunked)
		return response_bad(r, "Content-Length and Transfer-Encoding together");
	if (r->status < 200 || r->status == 204) {
		if (f->has_length || f->chunked)
			return response_bad(r, "1xx or 204 with a body");
		r->step = r->status == 204 ? STEP_DONE : STEP_HEAD;
	} else if (r->to_head || r->status == 304) {
		r->step = STEP_DONE;
	} else if (f->chunked) {
		r->step = STEP_SIZE_FIRST;
	} else if (f->has_length) {
		r->left = f->length;
		r->step = f->length > 0 ? STEP_BODY : STEP_DONE;
	} else {
		return response_bad(r, "neither Content-Length nor chunked");
	}
	if (r->status >= 200)
		r->close = f->close || (http10 && !f->keep_alive);
	return r->step == STEP_DONE ? RESPONSE_DONE : RESPONSE_MORE;
}

/* A whole head, with its empty line. */
static inline enum response_result response_head(struct response *r, const char *head, size_t len)
{
	struct response_framing framing = {.length = 0};
	const char *end = head + len;
	bool first = true, http10 = false;

	while (head < end) {
		const char *lf = memchr(head, '\n', (size_t)(end - head));
		size_t line = (size_t)(lf - head);
		const char *why = NULL;

		if (line == 0 || head[line - 1] != '\r')
			return response_bad(r, "line end without CR in the head");
		if (first)
			why = response_status(r, head, line - 1, &http10);
		else if (line > 1)
			why = response_field(&framing, head, line - 1);
		if (why != NULL)
			return response_bad(r, why);
		first = false;
		head = lf + 1;
	}
	return response_frame(r, &framing, http10);
}

/* Collects the head until its empty line; *used_out says how much of data belonged to it. */
static inline enum response_result response_take_head(struct response *r, const char *data,
						      size_t len, size_t *used_out)
{
	const char *end = memmem(data, len, "\r\n\r\n", 4);
	enum response_result result;
	size_t old = r->head_len;
	char *whole;

	if (old == 0 && end != NULL) {
		*used_out = (size_t)(end - data) + 4;
		return response_head(r, data, *used_out);
	}
	*used_out = len;
	if (old + len > RESPONSE_HEAD_MAX)
		len = RESPONSE_HEAD_MAX - old;
	whole = realloc(r->head, old + len + 1);
	if (whole == NULL)
		return response_bad(r, "out of memory");
	memcpy(whole + old, data, len);
	r->head = whole;
	r->head_len = old + len;
	end = memmem(whole, r->head_len, "\r\n\r\n", 4);
	if (end == NULL) {
		/* Garbage is named at once, not when a deadline passes. */
		if (memcmp(whole, "HTTP/1.1 ", r->head_len < 7 ? r->head_len : 7) != 0)
			return response_bad(r, "malformed status line");
		if (r->head_len >= RESPONSE_HEAD_MAX)
			return response_bad(r, "head too long");
		return RESPONSE_MORE;
	}
	*used_out = (size_t)(end - whole) + 4 - old;
	result = response_head(r, whole, (size_t)(end - whole) + 4);
	free(r->head);
	r->head = NULL;
	r->head_len = 0;
	return result;
}

static inline int response_hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static inline enum response_result response_move(struct response *r, bool fits,
						 enum response_step next)
{
	if (!fits)
		return response_bad(r, "malformed chunk");
	r->step = next;
	return RESPONSE_MORE;
}

static inline enum response_result response_size_byte(struct response *r, char c)
{
	int digit = response_hex(c);

	if (digit >= 0 && r->left >> 56 == 0) {
		r->left = r->left << 4 | (unsigned)digit;
		return response_move(r, true, STEP_SIZE);
	}
	if (r->step == STEP_SIZE_FIRST || digit >= 0)
		return response_move(r, false, STEP_SIZE);
	if (c == ';')
		return response_move(r, true, STEP_EXTENSION);
	return response_move(r, c == '\r', STEP_SIZE_LF);
}

/* One byte of the chunked coding outside of a chunk's data. */
static inline enum response_result response_chunk_byte(struct response *r, char c)
{
	switch (r->step) {
	case STEP_SIZE_FIRST:
	case STEP_SIZE:
		return response_size_byte(r, c);
	case STEP_EXTENSION:
		return response_move(r, c != '\n', c == '\r' ? STEP_SIZE_LF : STEP_EXTENSION);
	case STEP_SIZE_LF:
		return response_move(r, c == '\n', r->left ? STEP_CHUNK : STEP_TRAILER_FIRST);
	case STEP_CHUNK_CR:
		return response_move(r, c == '\r', STEP_CHUNK_LF);
	case STEP_CHUNK_LF:
		return response_move(r, c == '\n', STEP_SIZE_FIRST);
	case STEP_TRAILER_FIRST:
		if (c == '\r')
			return response_move(r, true, STEP_LAST_LF);
		return response_move(r, c > ' ', STEP_TRAILER);
	case STEP_TRAILER:
		return response_move(r, c != '\n', c == '\r' ? STEP_TRAILER_LF : STEP_TRAILER);
	case STEP_TRAILER_LF:
		return response_move(r, c == '\n', STEP_TRAILER_FIRST);
	case STEP_LAST_LF:
		return response_move(r, c == '\n', STEP_DONE);
	case STEP_HEAD:
	case STEP_BODY:
	case STEP_CHUNK:
	case STEP_DONE:
		break;
	}
	return response_bad(r, "bytes where none belong");
}

/* Body bytes, of the whole body or of a chunk. Returns how many of them belonged to it. */
static inline size_t response_data(struct response *r, const char *data, size_t len)
{
	size_t n = len < r->left ? len : (size_t)r->left;

	if (r->summed)
		r->crc = response_crc32(r->crc, data, n);
	r->left -= n;
	r->body_bytes += n;
	if (r->left == 0)
		r->step = r->step == STEP_BODY ? STEP_DONE : STEP_CHUNK_CR;
	return n;
}

/* Takes bytes as they come; *used_out says how many belonged to this response. */
static inline enum response_result response_feed(struct response *r, const char *data, size_t len,
						 size_t *used_out)
{
	size_t at = 0, used;

	while (at < len && r->step != STEP_DONE) {
		enum response_result result = RESPONSE_MORE;

		r->seen = true;
		if (r->step == STEP_HEAD) {
			result = response_take_head(r, data + at, len - at, &used);
			at += used;
		} else if (r->step == STEP_BODY || r->step == STEP_CHUNK) {
			at += response_data(r, data + at, len - at);
		} else {
			result = response_chunk_byte(r, data[at++]);
		}
		if (result == RESPONSE_BAD) {
			*used_out = at;
			return result;
		}
	}
	*used_out = at;
	return r->step == STEP_DONE ? RESPONSE_DONE : RESPONSE_MORE;
}

#endif
