/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A JSON writer: no tree, no memory. Used by droverctl; errors of the stream are looked at once, at
 * the end.
 */
#include "shm/json.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "shm/utf8.h"

void json_init(struct json *j, FILE *out)
{
	memset(j, 0, sizeof(*j));
	j->out = out;
}

static void put_plain(FILE *out, unsigned char c)
{
	switch (c) {
	case '"':
	case '\\':
		fprintf(out, "\\%c", c);
		break;
	case '\n':
		fputs("\\n", out);
		break;
	case '\r':
		fputs("\\r", out);
		break;
	case '\t':
		fputs("\\t", out);
		break;
	default:
		if (c < 0x20 || c == 0x7f)
			fprintf(out, "\\u%04x", c);
		else
			fputc(c, out);
	}
}

/* U+0080 to U+009F: some terminals take them for the beginning of an escape sequence. */
static bool is_c1(const char *text, size_t bytes)
{
	return bytes == 2 && (unsigned char)text[0] == 0xc2 && (unsigned char)text[1] < 0xa0;
}

static void put_string(FILE *out, const char *text, size_t bytes)
{
	fputc('"', out);
	for (size_t i = 0; i < bytes;) {
		size_t n = utf8_length(text + i, bytes - i);

		if (n == 0)
			fputs("\\ufffd", out);
		else if (n == 1)
			put_plain(out, (unsigned char)text[i]);
		else if (is_c1(text + i, n))
			fprintf(out, "\\u%04x", (unsigned char)text[i + 1]);
		else
			fwrite(text + i, 1, n, out);
		i += n == 0 ? 1 : n;
	}
	fputc('"', out);
}

/* What stands before every value: the comma after the last one, and the key. */
static void lead_in(struct json *j, const char *key)
{
	assert((key != NULL) == (j->depth > 0 && j->closer[j->depth - 1] == '}'));
	if (j->filled[j->depth])
		fputc(',', j->out);
	j->filled[j->depth] = true;
	if (key != NULL) {
		put_string(j->out, key, strlen(key));
		fputc(':', j->out);
	}
}

static void open_level(struct json *j, const char *key, char opener, char closer)
{
	lead_in(j, key);
	assert(j->depth < JSON_DEPTH);
	fputc(opener, j->out);
	j->closer[j->depth++] = closer;
	j->filled[j->depth] = false;
}

void json_object(struct json *j, const char *key)
{
	open_level(j, key, '{', '}');
}

void json_array(struct json *j, const char *key)
{
	open_level(j, key, '[', ']');
}

void json_end(struct json *j)
{
	assert(j->depth > 0);
	fputc(j->closer[--j->depth], j->out);
}

int json_finish(struct json *j)
{
	while (j->depth > 0)
		json_end(j);
	j->filled[0] = false;
	fputc('\n', j->out);
	return fflush(j->out) == 0 && !ferror(j->out) ? 0 : -1;
}

void json_bytes(struct json *j, const char *key, const char *text, size_t bytes)
{
	lead_in(j, key);
	put_string(j->out, text, bytes);
}

void json_text(struct json *j, const char *key, const char *text)
{
	json_bytes(j, key, text, strlen(text));
}

void json_u64(struct json *j, const char *key, uint64_t n)
{
	lead_in(j, key);
	fprintf(j->out, "%" PRIu64, n);
}

void json_i64(struct json *j, const char *key, int64_t n)
{
	lead_in(j, key);
	fprintf(j->out, "%" PRId64, n);
}

void json_real(struct json *j, const char *key, double x)
{
	if (!isfinite(x)) {
		json_null(j, key);
		return;
	}
	lead_in(j, key);
	fprintf(j->out, "%.3f", x);
}

void json_bool(struct json *j, const char *key, bool yes)
{
	lead_in(j, key);
	fputs(yes ? "true" : "false", j->out);
}

void json_null(struct json *j, const char *key)
{
	lead_in(j, key);
	fputs("null", j->out);
}
