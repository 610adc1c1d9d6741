/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Decides what a request's preconditions make of its answer. A date that is none, or that comes
 * twice, is ignored as RFC 9110 asks; a malformed list of entity tags matches nothing, so that
 * If-Match fails and If-None-Match leads to the full answer: never to a wrong one.
 */
#include "worker/http/condition.h"

#include <string.h>

#include "worker/clock.h"

/* One entity tag at text (RFC 9110 8.8.3). Its length, or 0. */
static size_t etag_len(const char *text, const char *end)
{
	const char *at = text;

	if (end - at >= 2 && at[0] == 'W' && at[1] == '/')
		at += 2;
	if (at == end || *at != '"')
		return 0;
	for (at++; at < end; at++) {
		if (*at == '"')
			return (size_t)(at + 1 - text);
		if ((unsigned char)*at <= ' ' || *at == 0x7f)
			return 0;
	}
	return 0;
}

/* Strong comparison: the same, and neither is weak. Weak: the same but for W/ (RFC 9110 8.8.3.2).
 */
static bool etag_equal(const char *a, size_t a_len, const char *b, size_t b_len, bool weak)
{
	bool a_weak = *a == 'W', b_weak = *b == 'W';

	if (!weak && (a_weak || b_weak))
		return false;
	a += a_weak ? 2 : 0;
	a_len -= a_weak ? 2 : 0;
	b += b_weak ? 2 : 0;
	b_len -= b_weak ? 2 : 0;
	return a_len == b_len && memcmp(a, b, a_len) == 0;
}

bool condition_listed(const char *list, size_t len, const char *etag, bool weak)
{
	const char *at = list, *end = list + len;
	size_t one, etag_size = etag != NULL ? strlen(etag) : 0;

	if (len == 1 && *list == '*')
		return true;
	for (;;) {
		while (at < end && (*at == ' ' || *at == '\t' || *at == ','))
			at++;
		one = etag_len(at, end);
		if (one == 0)
			return false;
		if (etag != NULL && etag_equal(at, one, etag, etag_size, weak))
			return true;
		at += one;
		while (at < end && (*at == ' ' || *at == '\t'))
			at++;
		if (at < end && *at != ',')
			return false;
	}
}

static bool present(const struct http_request *req, enum http_field_id id)
{
	return req->known[id].off != 0;
}

/* The list may be spread over several fields of the same name. */
static bool any_listed(const char *base, const struct http_request *req, enum http_field_id id,
		       const struct validators *v, bool weak)
{
	const struct http_field *f = req->field;

	if (!(req->known_several & 1u << id))
		return condition_listed(base + req->known[id].off, req->known[id].len, v->etag,
					weak);
	for (unsigned i = 0; i < req->fields; i++) {
		if (f[i].id == id &&
		    condition_listed(base + f[i].value.off, f[i].value.len, v->etag, weak))
			return true;
	}
	return false;
}

/* A date to compare with, if the field came once, is a date, and there is one of our own. */
static bool usable_date(const char *base, const struct http_request *req, enum http_field_id id,
			const struct validators *v, time_t *date_out)
{
	return v->has_date && present(req, id) && !(req->known_several & 1u << id) &&
	       http_date_parse(base + req->known[id].off, req->known[id].len, date_out) == 0;
}

enum condition condition_check(const char *base, const struct http_request *req,
			       const struct validators *v)
{
	time_t date;

	if (present(req, HTTP_F_IF_MATCH)) {
		if (!any_listed(base, req, HTTP_F_IF_MATCH, v, false))
			return CONDITION_FAILED;
	} else if (usable_date(base, req, HTTP_F_IF_UNMODIFIED_SINCE, v, &date)) {
		if (v->date > date)
			return CONDITION_FAILED;
	}
	if (present(req, HTTP_F_IF_NONE_MATCH)) {
		if (any_listed(base, req, HTTP_F_IF_NONE_MATCH, v, true))
			return CONDITION_NOT_MODIFIED;
	} else if (usable_date(base, req, HTTP_F_IF_MODIFIED_SINCE, v, &date)) {
		if (v->date <= date)
			return CONDITION_NOT_MODIFIED;
	}
	return CONDITION_PROCEED;
}

bool condition_range(const char *base, const struct http_request *req, const struct validators *v)
{
	const char *text = base + req->known[HTTP_F_IF_RANGE].off;
	size_t len = req->known[HTTP_F_IF_RANGE].len;
	time_t date;

	if (!present(req, HTTP_F_IF_RANGE))
		return true;
	if (req->known_several & 1u << HTTP_F_IF_RANGE)
		return false;
	if (len > 0 && etag_len(text, text + len) == len)
		return v->etag != NULL && etag_equal(text, len, v->etag, strlen(v->etag), false);
	return usable_date(base, req, HTTP_F_IF_RANGE, v, &date) && v->strong_date &&
	       date == v->date;
}
