/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * FastCGI records: see fcgi.h. Headers are read a byte at a time, since any of them may be cut by
 * the end of what has been read; they are few beside the content.
 */
#include "worker/http/fcgi.h"

enum {
	VERSION = 1,
	REQUEST_ID = 1,
	ROLE_RESPONDER = 1,
	KEEP_CONN = 1,
	END_BODY = 8
};

/* After the eight bytes of a header, which are steps 0 to 7. */
enum step {
	CONTENT = FCGI_HEADER,
	PADDING
};

static bool is_of_request(const struct fcgi_state *st)
{
	return st->type == FCGI_STDOUT || st->type == FCGI_STDERR || st->type == FCGI_END_REQUEST;
}

/* Records that go the other way only. */
static bool is_of_server(uint8_t type)
{
	return type == FCGI_BEGIN_REQUEST || type == FCGI_ABORT_REQUEST || type == FCGI_PARAMS ||
	       type == FCGI_STDIN;
}

static void next_step(struct fcgi_state *st)
{
	if (st->left > 0)
		st->step = CONTENT;
	else
		st->step = st->padding > 0 ? PADDING : 0;
}

/* The header is whole. */
static const char *begin_content(struct fcgi_state *st)
{
	if (st->type == FCGI_END_REQUEST && st->left != END_BODY)
		return "length of the end";
	if (st->type == FCGI_STDOUT && st->left > 0 && st->output_over)
		return "output after its end";
	if (st->type == FCGI_STDOUT && st->left == 0)
		st->output_over = 1;
	next_step(st);
	return NULL;
}

static const char *take_header_byte(struct fcgi_state *st, uint8_t c)
{
	switch (st->step++) {
	case 0:
		return c == VERSION ? NULL : "record version";
	case 1:
		st->type = c;
		return c == 0 || is_of_server(c) ? "record type" : NULL;
	case 2:
		return is_of_request(st) && c != 0 ? "request id" : NULL;
	case 3:
		return is_of_request(st) && c != REQUEST_ID ? "request id" : NULL;
	case 4:
		st->left = (uint16_t)(c << 8);
		return NULL;
	case 5:
		st->left |= c;
		return NULL;
	case 6:
		st->padding = c;
		return NULL;
	default: /* reserved */
		return begin_content(st);
	}
}

/* A byte of the end's content. */
static void take_end_byte(struct fcgi_state *st, uint8_t c)
{
	unsigned at = END_BODY - st->left;

	if (at < 4)
		st->app_status = st->app_status << 8 | c;
	else if (at == 4)
		st->protocol_status = c;
	else if (at == END_BODY - 1)
		st->ended = 1;
}

static size_t take_content(struct fcgi_state *st, const char *p, size_t len)
{
	size_t n = len < st->left ? len : st->left;

	if (st->type != FCGI_END_REQUEST)
		st->left = (uint16_t)(st->left - n);
	for (size_t i = 0; st->type == FCGI_END_REQUEST && i < n; i++) {
		take_end_byte(st, (uint8_t)p[i]);
		st->left--;
	}
	next_step(st);
	return n;
}

static size_t take_padding(struct fcgi_state *st, size_t len)
{
	size_t n = len < st->padding ? len : st->padding;

	st->padding = (uint8_t)(st->padding - n);
	next_step(st);
	return n;
}

static bool is_over(const struct fcgi_state *st)
{
	return st->ended && st->step == 0;
}

static enum fcgi_piece kind_of(const struct fcgi_state *st)
{
	if (st->type == FCGI_STDOUT)
		return FCGI_OUTPUT;
	return st->type == FCGI_STDERR ? FCGI_ERRORS : FCGI_NOTHING;
}

const char *fcgi_decode(struct fcgi_state *st, char *base, size_t len, size_t *used,
			enum fcgi_piece *kind, char **data, size_t *data_len)
{
	const char *wrong = NULL;
	size_t i = 0;

	*kind = FCGI_NOTHING;
	*data = base;
	*data_len = 0;
	while (i < len && wrong == NULL && *kind == FCGI_NOTHING && !is_over(st)) {
		if (st->step < FCGI_HEADER) {
			wrong = take_header_byte(st, (uint8_t)base[i++]);
		} else if (st->step == CONTENT) {
			size_t n = take_content(st, base + i, len - i);

			*kind = kind_of(st);
			if (*kind != FCGI_NOTHING) {
				*data = base + i;
				*data_len = n;
			}
			i += n;
		} else {
			i += take_padding(st, len - i);
		}
	}
	*used = i;
	return wrong;
}

bool fcgi_is_sound(const struct fcgi_state *st)
{
	return st->step <= PADDING && st->held <= 1 && (st->step != CONTENT || st->left > 0);
}

void fcgi_header(char out[FCGI_HEADER], enum fcgi_type type, size_t len)
{
	out[0] = VERSION;
	out[1] = (char)type;
	out[2] = 0;
	out[3] = REQUEST_ID;
	out[4] = (char)(len >> 8 & 0xff);
	out[5] = (char)(len & 0xff);
	out[6] = 0;
	out[7] = 0;
}

void fcgi_begin(char out[FCGI_HEADER + 8], bool keep)
{
	const char body[8] = {0, ROLE_RESPONDER, keep ? KEEP_CONN : 0};

	fcgi_header(out, FCGI_BEGIN_REQUEST, sizeof body);
	for (size_t i = 0; i < sizeof body; i++)
		out[FCGI_HEADER + i] = body[i];
}

void fcgi_frame(char *data, size_t len, bool last, char text[FCGI_HEADER], struct iovec iov[3])
{
	static const char end[FCGI_HEADER] = {VERSION, FCGI_STDIN, 0, REQUEST_ID};

	fcgi_header(text, FCGI_STDIN, len);
	iov[0] = (struct iovec){text, len > 0 ? FCGI_HEADER : 0};
	iov[1] = (struct iovec){data, len};
	iov[2] = (struct iovec){(void *)(uintptr_t)end, last ? FCGI_HEADER : 0};
}
