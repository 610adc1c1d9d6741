/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The bytes of an HTTP message: which byte may stand where, and how far a run of such bytes goes. A
 * request is mostly runs, so they are crossed sixteen bytes at a time; a table has the last word.
 * Knows classes of bytes and nothing of messages: worker/http/parse.c and chunk.c do.
 */
#ifndef DROVER_WORKER_HTTP_SCAN_H
#define DROVER_WORKER_HTTP_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Classes of bytes. */
enum {
	SCAN_TOKEN = 1 << 0, /* RFC 9110 5.6.2 */
	SCAN_TEXT = 1 << 1,  /* in a field value: all but control characters, and HTAB */
	SCAN_PATH = 1 << 2,  /* in a target before '?' */
	SCAN_QUERY = 1 << 3, /* in a target after '?' */
	SCAN_NAME = 1 << 4,  /* in a host name */
	SCAN_DIGIT = 1 << 5,
	SCAN_BLANK = 1 << 6 /* SP and HTAB */
};

#define SCAN_IS_VISIBLE(c) ((c) > 0x20 && (c) < 0x7f)
#define SCAN_IS_DIGIT(c)   ((c) >= '0' && (c) <= '9')
#define SCAN_IS_ALNUM(c)   ((((c) | 0x20) >= 'a' && ((c) | 0x20) <= 'z') || SCAN_IS_DIGIT(c))
/* What tokens and host names may hold besides. */
#define SCAN_IS_MARK(c)                                                                      \
	((c) == '-' || (c) == '.' || (c) == '_' || (c) == '~' || (c) == '!' || (c) == '$' || \
	 (c) == '&' || (c) == '\'' || (c) == '*' || (c) == '+')
#define SCAN_IS_TOKEN(c)                                                                  \
	(SCAN_IS_ALNUM(c) || SCAN_IS_MARK(c) || (c) == '#' || (c) == '%' || (c) == '^' || \
	 (c) == '`' || (c) == '|')
#define SCAN_IS_TEXT(c)  ((c) == '\t' || ((c) >= 0x20 && (c) != 0x7f))
#define SCAN_IS_QUERY(c) (SCAN_IS_VISIBLE(c) && (c) != '#')
#define SCAN_IS_PATH(c)                                                              \
	(SCAN_IS_QUERY(c) && (c) != '?' && (c) != '"' && (c) != '<' && (c) != '>' && \
	 (c) != '\\' && (c) != '`' && (c) != '{' && (c) != '}')
#define SCAN_IS_NAME(c)                                                                   \
	(SCAN_IS_ALNUM(c) || SCAN_IS_MARK(c) || (c) == '(' || (c) == ')' || (c) == ';' || \
	 (c) == '=')

/* The table below, one entry a byte. */
#define SCAN_1(c)                                                                  \
	((SCAN_IS_TOKEN(c) ? SCAN_TOKEN : 0) | (SCAN_IS_TEXT(c) ? SCAN_TEXT : 0) | \
	 (SCAN_IS_PATH(c) ? SCAN_PATH : 0) | (SCAN_IS_QUERY(c) ? SCAN_QUERY : 0) | \
	 (SCAN_IS_NAME(c) ? SCAN_NAME : 0) | (SCAN_IS_DIGIT(c) ? SCAN_DIGIT : 0) | \
	 ((c) == ' ' || (c) == '\t' ? SCAN_BLANK : 0))
#define SCAN_4(c)  SCAN_1(c), SCAN_1((c) + 1), SCAN_1((c) + 2), SCAN_1((c) + 3)
#define SCAN_16(c) SCAN_4(c), SCAN_4((c) + 4), SCAN_4((c) + 8), SCAN_4((c) + 12)
#define SCAN_64(c) SCAN_16(c), SCAN_16((c) + 16), SCAN_16((c) + 32), SCAN_16((c) + 48)

static const uint8_t scan_class_of[256] = {SCAN_64(0), SCAN_64(64), SCAN_64(128), SCAN_64(192)};

static inline bool scan_is(char c, uint8_t classes)
{
	return scan_class_of[(uint8_t)c] & classes;
}

/* Sixteen bytes in the compilers' own vectors: SSE2 on x86-64, NEON on arm64, words elsewhere. */
typedef uint8_t scan_bytes16 __attribute__((vector_size(16)));
typedef uint64_t scan_words2 __attribute__((vector_size(16)));

#define SCAN_FOLD_4 0x20202020u
#define SCAN_FOLD_8 0x2020202020202020u

static inline uint32_t scan_load4(const char *p)
{
	uint32_t word;

	memcpy(&word, p, sizeof word);
	return word;
}

static inline uint64_t scan_load8(const char *p)
{
	uint64_t word;

	memcpy(&word, p, sizeof word);
	return word;
}

static inline scan_bytes16 scan_load16(const char *p)
{
	scan_bytes16 v;

	memcpy(&v, p, sizeof v);
	return v;
}

/* A bit for each byte of v, the lowest for the first. Each byte is 0 or 255. */
static inline unsigned scan_mask_of(scan_bytes16 v)
{
#ifdef __SSE2__
	typedef char chars16 __attribute__((vector_size(16)));

	return (unsigned)__builtin_ia32_pmovmskb128((chars16)v);
#else
	scan_words2 words = (scan_words2)v;
	unsigned mask = 0;

	for (int i = 0; i < 2; i++) {
		uint64_t word = words[i];

		if (__BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__)
			word = __builtin_bswap64(word);
		/* Each bit of the factor lifts the low bit of one byte into the highest byte. */
		word = (word & 0x0101010101010101u) * 0x0102040810204080u;
		mask |= (unsigned)(word >> 56) << 8 * i;
	}
	return mask;
#endif
}

static inline scan_bytes16 scan_in_range(scan_bytes16 v, uint8_t from, uint8_t to)
{
	return (scan_bytes16)((v - from) <= (uint8_t)(to - from));
}

/* Bytes that surely belong to a class, tested sixteen at once; the table has the rest of it. */
static inline scan_bytes16 scan_surely_token(scan_bytes16 v)
{
	return scan_in_range(v | 0x20, 'a', 'z') | (scan_bytes16)(v == '-');
}

static inline scan_bytes16 scan_surely_text(scan_bytes16 v)
{
	return ~((scan_bytes16)(v < 0x20) | (scan_bytes16)(v == 0x7f));
}

static inline scan_bytes16 scan_surely_target(scan_bytes16 v)
{
	return scan_in_range(v | 0x20, 'a', 'z') | scan_in_range(v, '$', ';');
}

static inline scan_bytes16 scan_surely_name(scan_bytes16 v)
{
	return scan_in_range(v | 0x20, 'a', 'z') | scan_in_range(v, '0', '9') |
	       (scan_bytes16)(v == '.');
}

/* The first byte outside the class, or end. */
static inline __attribute__((always_inline)) const char *
scan_skip(const char *p, const char *end, uint8_t class, scan_bytes16 (*surely)(scan_bytes16))
{
	while (end - p >= 16) {
		unsigned unsure = scan_mask_of(~surely(scan_load16(p)));

		if (unsure == 0) {
			p += 16;
			continue;
		}
		p += __builtin_ctz(unsure);
		if (!scan_is(*p, class))
			return p;
		p++;
	}
	while (p < end && scan_is(*p, class))
		p++;
	return p;
}

static inline const char *scan_token_end(const char *p, const char *end)
{
	return scan_skip(p, end, SCAN_TOKEN, scan_surely_token);
}

static inline const char *scan_text_end(const char *p, const char *end)
{
	return scan_skip(p, end, SCAN_TEXT, scan_surely_text);
}

static inline const char *scan_path_end(const char *p, const char *end)
{
	return scan_skip(p, end, SCAN_PATH, scan_surely_target);
}

static inline const char *scan_query_end(const char *p, const char *end)
{
	return scan_skip(p, end, SCAN_QUERY, scan_surely_target);
}

static inline const char *scan_name_end(const char *p, const char *end)
{
	return scan_skip(p, end, SCAN_NAME, scan_surely_name);
}

static inline const char *scan_blank_end(const char *p, const char *end)
{
	while (p < end && scan_is(*p, SCAN_BLANK))
		p++;
	return p;
}

/* Of a hexadecimal digit; -1: it is none. */
static inline int scan_hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/*
 * The next member of a list with commas, at most up to end, without the white space around it; *p
 * goes behind its comma. False: there is no more. A member may be empty.
 */
static inline bool scan_list_next(const char **p, const char *end, const char **member, size_t *len)
{
	const char *comma, *stop;

	if (*p >= end)
		return false;
	comma = memchr(*p, ',', (size_t)(end - *p));
	stop = comma ? comma : end;
	*member = scan_blank_end(*p, stop);
	*p = comma ? comma + 1 : end;
	while (stop > *member && scan_is(stop[-1], SCAN_BLANK))
		stop--;
	*len = (size_t)(stop - *member);
	return true;
}

/*
 * Case-insensitive, for text without control characters (HTAB apart) and for lower without
 * capitals: setting the bit 0x20 then makes nothing equal but a capital and its small letter.
 */
static inline bool scan_same_word(const char *text, const char *lower, size_t len)
{
	size_t i = 0;

	if (len < 4) {
		while (i < len && (text[i] | 0x20) == lower[i])
			i++;
		return i == len;
	}
	if (len < 8)
		return (scan_load4(text) | SCAN_FOLD_4) == scan_load4(lower) &&
		       (scan_load4(text + len - 4) | SCAN_FOLD_4) == scan_load4(lower + len - 4);
	for (; len - i > 8; i += 8)
		if ((scan_load8(text + i) | SCAN_FOLD_8) != scan_load8(lower + i))
			return false;
	return (scan_load8(text + len - 8) | SCAN_FOLD_8) == scan_load8(lower + len - 8);
}

#endif
