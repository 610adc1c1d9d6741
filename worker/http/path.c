/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Paths made safe to open below a root. Decoding comes first and happens once; what it yields is
 * cut into segments, so that "%2e%2e" climbs no further than ".." does. The server opens what comes
 * out with RESOLVE_BENEATH besides: this file is about names, not about links.
 */
#include "worker/http/path.h"

#include <stdint.h>
#include <string.h>

#include "worker/http/scan.h"

/* Bytes that a path may hold as they are: pchar of RFC 3986 without '%', and '/'. */
#define IS_ALNUM(c) ((((c) | 0x20) >= 'a' && ((c) | 0x20) <= 'z') || ((c) >= '0' && (c) <= '9'))
#define IS_PLAIN(c)                                                                           \
	(IS_ALNUM(c) || (c) == '/' || (c) == '-' || (c) == '.' || (c) == '_' || (c) == '~' || \
	 (c) == '!' || (c) == '$' || (c) == '&' || (c) == '\'' || (c) == '(' || (c) == ')' || \
	 (c) == '*' || (c) == '+' || (c) == ',' || (c) == ';' || (c) == '=' || (c) == ':' ||  \
	 (c) == '@')
#define PLAIN_4(c)  IS_PLAIN(c), IS_PLAIN((c) + 1), IS_PLAIN((c) + 2), IS_PLAIN((c) + 3)
#define PLAIN_16(c) PLAIN_4(c), PLAIN_4((c) + 4), PLAIN_4((c) + 8), PLAIN_4((c) + 12)
#define PLAIN_64(c) PLAIN_16(c), PLAIN_16((c) + 16), PLAIN_16((c) + 32), PLAIN_16((c) + 48)

static const bool is_plain[256] = {PLAIN_64(0), PLAIN_64(64), PLAIN_64(128), PLAIN_64(192)};

/* The bytes to come, decoded one at a time. */
struct source {
	const char *p;
	const char *end;
};

/* The path so far. Segments end at len; the one being written begins at start, after its slash. */
struct target {
	char *out;
	size_t len;
	size_t start;
	size_t max; /* bytes without the NUL */
};

/* The next byte; -1 if it may not be there. */
static int next_byte(struct source *s)
{
	unsigned char c = (unsigned char)*s->p++;
	int high, low;

	if (c == '%') {
		if (s->end - s->p < 2)
			return -1;
		high = scan_hex(s->p[0]);
		low = scan_hex(s->p[1]);
		if (high < 0 || low < 0)
			return -1;
		c = (unsigned char)(high << 4 | low);
		s->p += 2;
		if (c == '/')
			return -1;
	}
	return c < 0x20 || c == 0x7f ? -1 : c;
}

static int put(struct target *t, int c)
{
	if (t->len == t->max)
		return -1;
	t->out[t->len++] = (char)c;
	return 0;
}

/*
 * A character beyond ASCII whose first byte is given, in UTF-8's shortest form (RFC 3629 4): the
 * second byte's range depends on the first, and leaves out overlong forms, surrogates and what lies
 * beyond U+10FFFF.
 */
static int put_utf8(struct source *s, struct target *t, int first)
{
	int more = first < 0xe0 ? 1 : first < 0xf0 ? 2 : 3;
	int low = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
	int high = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;

	if (first < 0xc2 || first > 0xf4 || put(t, first) < 0)
		return -1;
	while (more-- > 0) {
		int c = s->p < s->end ? next_byte(s) : -1;

		if (c < low || c > high || put(t, c) < 0)
			return -1;
		low = 0x80;
		high = 0xbf;
	}
	return 0;
}

static bool segment_is(const struct target *t, const char *text, size_t len)
{
	return t->len - t->start == len && memcmp(t->out + t->start, text, len) == 0;
}

/* Takes dot segments away. What is left ends in a slash if the segment is gone. */
static int end_segment(struct target *t)
{
	if (segment_is(t, ".", 1))
		t->len = t->start;
	if (!segment_is(t, "..", 2))
		return 0;
	if (t->start == 1)
		return -1;
	t->len = t->start - 1;
	while (t->out[t->len - 1] != '/')
		t->len--;
	return 0;
}

static int normalise(struct source *s, struct target *t)
{
	while (s->p < s->end) {
		int c = *s->p == '/' ? '/' : next_byte(s);

		if (c == '/') {
			s->p++;
			if (end_segment(t) < 0 || (t->out[t->len - 1] != '/' && put(t, '/') < 0))
				return -1;
			t->start = t->len;
		} else if (c < 0 || (c < 0x80 ? put(t, c) : put_utf8(s, t, c)) < 0) {
			return -1;
		}
	}
	return end_segment(t);
}

/* Copies bytes for as long as they are in normal form; returns how many. */
static size_t copy_plain(const char *path, size_t len, char *out)
{
	bool after_slash = false;
	size_t i;

	for (i = 0; i < len; i++) {
		char c = path[i];

		if (!is_plain[(uint8_t)c] || (after_slash && (c == '/' || c == '.')))
			break;
		out[i] = c;
		after_slash = c == '/';
	}
	return i;
}

int path_normalise(const char *path, size_t len, char *out, size_t size, size_t *out_len)
{
	struct source s = {path, path + len};
	struct target t = {out, 1, 1, size - 1};
	size_t plain;

	if (len == 0) {
		path = "/";
		len = 1;
	}
	if (size < 2 || *path != '/')
		return -1;
	plain = copy_plain(path, len < size ? len : size - 1, out);
	if (plain == len) {
		t.len = len;
	} else {
		s.p = path + 1;
		if (normalise(&s, &t) < 0)
			return -1;
	}
	out[t.len] = '\0';
	*out_len = t.len;
	return 0;
}

bool path_has_dotfile(const char *path)
{
	static const char known[] = "/.well-known";
	size_t len = sizeof known - 1;

	if (strncmp(path, known, len) == 0 && (path[len] == '/' || path[len] == '\0'))
		path += len;
	return strstr(path, "/.") != NULL;
}

int path_encode(const char *path, size_t len, char *out, size_t size)
{
	static const char digits[] = "0123456789ABCDEF";
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		uint8_t c = (uint8_t)path[i];
		size_t need = is_plain[c] ? 1 : 3;

		if (n + need >= size)
			return -1;
		if (need == 3) {
			out[n++] = '%';
			out[n++] = digits[c >> 4];
			out[n++] = digits[c & 15];
		} else {
			out[n++] = (char)c;
		}
	}
	if (n >= size)
		return -1;
	out[n] = '\0';
	return (int)n;
}
