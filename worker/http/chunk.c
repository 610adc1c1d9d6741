/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The chunked coding as a machine of one step a byte, which can rest between any two bytes. Data is
 * not looked at: it is handed out in pieces as long as the bytes at hand reach.
 */
#include "worker/http/chunk.h"

#include <assert.h>

#include "worker/http/scan.h"

enum {
	DIGITS_MAX = 15
};

/* What the next byte is. A zeroed state waits for the first digit of a size. */
enum step {
	SIZE_FIRST,
	SIZE,
	EXT_NAME_FIRST,
	EXT_NAME,
	EXT_VALUE_FIRST,
	EXT_VALUE,
	EXT_QUOTED,
	EXT_ESCAPED,
	EXT_QUOTED_END,
	SIZE_LF,
	DATA,
	DATA_CR,
	DATA_LF,
	TRAILER_FIRST, /* of the first trailer, or the blank line */
	TRAILER_NEXT,  /* the same after a trailer, where white space would fold it */
	TRAILER_NAME,
	TRAILER_VALUE,
	TRAILER_LF,
	LAST_LF,
	WHOLE
};

static_assert(sizeof(struct chunk_state) == 16, "lies in every connection's record");

static enum http_refusal go(struct chunk_state *st, enum step step)
{
	st->step = (uint8_t)step;
	return HTTP_ACCEPTED;
}

static enum http_refusal go_if(struct chunk_state *st, bool allowed, enum step step)
{
	return allowed ? go(st, step) : HTTP_REFUSED_CHUNK;
}

/* For a byte that is not data, not a significant digit and not part of a line's end. */
static enum http_refusal extra_if(struct chunk_state *st, bool allowed, enum step step)
{
	if (!allowed)
		return HTTP_REFUSED_CHUNK;
	if (st->extra == CHUNK_EXTRA_MAX)
		return HTTP_REFUSED_CHUNK_EXTRA;
	st->extra++;
	return go(st, step);
}

static enum http_refusal take_digit(struct chunk_state *st, int digit)
{
	if (digit == 0 && st->digits == 0)
		return extra_if(st, true, SIZE);
	if (st->digits == DIGITS_MAX)
		return HTTP_REFUSED_CHUNK;
	st->left = st->left << 4 | (unsigned)digit;
	st->digits++;
	return go(st, SIZE);
}

/* Where an extension may begin or the line may end. */
static enum http_refusal end_item(struct chunk_state *st, char c)
{
	if (c == '\r')
		return go(st, SIZE_LF);
	return extra_if(st, c == ';', EXT_NAME_FIRST);
}

static enum http_refusal take_size_byte(struct chunk_state *st, char c)
{
	int digit = scan_hex(c);

	if (digit >= 0)
		return take_digit(st, digit);
	return st->step == SIZE ? end_item(st, c) : HTTP_REFUSED_CHUNK;
}

static enum http_refusal take_ext_byte(struct chunk_state *st, enum step step, char c)
{
	bool token = scan_is(c, SCAN_TOKEN);

	if (step == EXT_ESCAPED)
		return extra_if(st, scan_is(c, SCAN_TEXT), EXT_QUOTED);
	if (step == EXT_QUOTED && c == '"')
		return extra_if(st, true, EXT_QUOTED_END);
	if (step == EXT_QUOTED)
		return extra_if(st, scan_is(c, SCAN_TEXT), c == '\\' ? EXT_ESCAPED : EXT_QUOTED);
	if (step == EXT_NAME_FIRST)
		return extra_if(st, token, EXT_NAME);
	if (step == EXT_VALUE_FIRST)
		return extra_if(st, token || c == '"', token ? EXT_VALUE : EXT_QUOTED);
	if (token && step != EXT_QUOTED_END)
		return extra_if(st, true, step);
	if (c == '=' && step == EXT_NAME)
		return extra_if(st, true, EXT_VALUE_FIRST);
	return end_item(st, c);
}

static enum http_refusal begin_data(struct chunk_state *st)
{
	st->digits = 0;
	/* The data pays for as many: it comes before any more of them do. */
	st->extra -= st->left < st->extra ? (uint16_t)st->left : st->extra;
	return go(st, st->left ? DATA : TRAILER_FIRST);
}

static enum http_refusal begin_trailer(struct chunk_state *st, enum step step, char c)
{
	if (c == '\r')
		return go(st, LAST_LF);
	if (c == '\n')
		return HTTP_REFUSED_LINE;
	if (step == TRAILER_NEXT && scan_is(c, SCAN_BLANK))
		return HTTP_REFUSED_FOLDING;
	if (!scan_is(c, SCAN_TOKEN))
		return HTTP_REFUSED_FIELD_NAME;
	return extra_if(st, true, TRAILER_NAME);
}

static enum http_refusal take_trailer_byte(struct chunk_state *st, enum step step, char c)
{
	if (step == TRAILER_FIRST || step == TRAILER_NEXT)
		return begin_trailer(st, step, c);
	if (c == '\n')
		return HTTP_REFUSED_LINE;
	if (step == TRAILER_NAME && !scan_is(c, SCAN_TOKEN) && c != ':')
		return HTTP_REFUSED_FIELD_NAME;
	if (step == TRAILER_NAME)
		return extra_if(st, true, c == ':' ? TRAILER_VALUE : TRAILER_NAME);
	if (c != '\r' && !scan_is(c, SCAN_TEXT))
		return HTTP_REFUSED_FIELD_VALUE;
	return extra_if(st, true, c == '\r' ? TRAILER_LF : TRAILER_VALUE);
}

static enum http_refusal take_byte(struct chunk_state *st, char c)
{
	enum step step = (enum step)st->step;

	switch (step) {
	case SIZE_FIRST:
	case SIZE:
		return take_size_byte(st, c);
	case EXT_NAME_FIRST:
	case EXT_NAME:
	case EXT_VALUE_FIRST:
	case EXT_VALUE:
	case EXT_QUOTED:
	case EXT_ESCAPED:
	case EXT_QUOTED_END:
		return take_ext_byte(st, step, c);
	case SIZE_LF:
		return c == '\n' ? begin_data(st) : HTTP_REFUSED_CHUNK;
	case DATA_CR:
		return go_if(st, c == '\r', DATA_LF);
	case DATA_LF:
		return go_if(st, c == '\n', SIZE_FIRST);
	case TRAILER_FIRST:
	case TRAILER_NEXT:
	case TRAILER_NAME:
	case TRAILER_VALUE:
		return take_trailer_byte(st, step, c);
	case TRAILER_LF:
		return c == '\n' ? extra_if(st, true, TRAILER_NEXT) : HTTP_REFUSED_LINE;
	case LAST_LF:
		return c == '\n' ? go(st, WHOLE) : HTTP_REFUSED_LINE;
	case DATA:
	case WHOLE:
		break;
	}
	return HTTP_REFUSED_CHUNK;
}

static size_t take_data(struct chunk_state *st, size_t len)
{
	size_t n = len < st->left ? len : (size_t)st->left;

	st->left -= n;
	if (st->left == 0)
		st->step = DATA_CR;
	return n;
}

/* A trailer that the caller wants for itself begins with c. */
static bool is_wanted_trailer(const struct chunk_state *st, char c)
{
	return st->stop_at_trailers && st->step == TRAILER_FIRST && c != '\r';
}

int chunk_decode(struct chunk_state *st, const char *base, size_t len, size_t *used,
		 struct http_span *data, enum http_refusal *refusal)
{
	size_t i = 0;

	*data = (struct http_span){0, 0};
	*refusal = HTTP_ACCEPTED;
	while (i < len && *refusal == HTTP_ACCEPTED && st->step != DATA && st->step != WHOLE) {
		if (is_wanted_trailer(st, base[i])) {
			*used = i;
			return CHUNK_TRAILERS;
		}
		*refusal = take_byte(st, base[i]);
		i += *refusal == HTTP_ACCEPTED;
	}
	if (i < len && st->step == DATA) {
		data->off = (uint32_t)i;
		data->len = (uint32_t)take_data(st, len - i);
		i += data->len;
	}
	*used = i;
	if (*refusal != HTTP_ACCEPTED)
		return -1;
	return st->step == WHOLE ? 1 : 0;
}
