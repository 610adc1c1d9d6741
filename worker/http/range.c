/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reads the Range field. A range set that is not exactly what RFC 9110 allows is ignored as a
 * whole, as the RFC lets a server do: the client then gets everything, which is never wrong. So
 * are sets meant to make the server work (many ranges, overlapping ranges).
 */
#include "worker/http/range.h"

#include <stdbool.h>
#include <strings.h>

struct cursor {
	const char *at;
	const char *end;
};

static bool is_digit(const struct cursor *c)
{
	return c->at < c->end && *c->at >= '0' && *c->at <= '9';
}

/* A number without limit: what does not fit is as good as the largest. */
static bool take_number(struct cursor *c, uint64_t *n_out)
{
	uint64_t n = 0;
	bool too_large = false;

	if (!is_digit(c))
		return false;
	for (; is_digit(c); c->at++) {
		too_large |= __builtin_mul_overflow(n, 10, &n);
		too_large |= __builtin_add_overflow(n, (uint64_t)(*c->at - '0'), &n);
	}
	*n_out = too_large ? UINT64_MAX : n;
	return true;
}

static bool take_char(struct cursor *c, char what)
{
	if (c->at == c->end || *c->at != what)
		return false;
	c->at++;
	return true;
}

static void skip_space(struct cursor *c)
{
	while (c->at < c->end && (*c->at == ' ' || *c->at == '\t'))
		c->at++;
}

/* One range: "5-9", "5-" or "-5". Length 0: nothing of the representation is in it. False:
 * malformed. */
static bool take_range(struct cursor *c, uint64_t size, struct range *out)
{
	uint64_t first, last = UINT64_MAX, suffix;

	if (take_char(c, '-')) {
		if (!take_number(c, &suffix))
			return false;
		out->length = suffix < size ? suffix : size;
		out->offset = size - out->length;
		return true;
	}
	if (!take_number(c, &first) || !take_char(c, '-'))
		return false;
	if (is_digit(c) && (!take_number(c, &last) || last < first))
		return false;
	out->offset = first;
	out->length = 0;
	if (first < size)
		out->length = last < size ? last - first + 1 : size - first;
	return true;
}

static bool overlaps(const struct range *ranges, unsigned count, const struct range *r)
{
	for (unsigned i = 0; i < count; i++) {
		if (r->offset < ranges[i].offset + ranges[i].length &&
		    ranges[i].offset < r->offset + r->length)
			return true;
	}
	return false;
}

enum range_result range_parse(const char *text, size_t len, uint64_t size, struct range *out,
			      unsigned max, unsigned *count_out)
{
	struct cursor c = {text, text + len};
	struct range r;
	unsigned asked = 0, count = 0;

	*count_out = 0;
	if (len < 6 || strncasecmp(text, "bytes=", 6) != 0)
		return RANGE_WHOLE;
	c.at += 6;
	for (;;) {
		skip_space(&c);
		if (take_char(&c, ',')) /* empty elements of a list do not count */
			continue;
		if (c.at == c.end)
			break;
		if (++asked > max || !take_range(&c, size, &r))
			return RANGE_WHOLE;
		skip_space(&c);
		if (c.at < c.end && *c.at != ',')
			return RANGE_WHOLE;
		if (r.length == 0)
			continue;
		if (overlaps(out, count, &r))
			return RANGE_WHOLE;
		out[count++] = r;
	}
	if (asked == 0)
		return RANGE_WHOLE;
	*count_out = count;
	return count > 0 ? RANGE_PARTIAL : RANGE_UNSATISFIABLE;
}
