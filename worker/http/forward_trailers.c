/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What may follow a body in chunks, in either direction: see forward.h.
 */
#include "worker/http/forward_parts.h"

/*
 * Fields that nobody may look for behind the body: they frame it, choose who gets it, let someone
 * in, or change what the head was taken for (RFC 9110 6.5.1).
 */
static bool may_be_trailer(const char *name, size_t len)
{
	static const char names[][FORWARD_NAME] = {"host",
						   "max-forwards",
						   "pragma",
						   "range",
						   "cookie",
						   "set-cookie",
						   "authorization",
						   "www-authenticate",
						   "authentication-info",
						   "age",
						   "cache-control",
						   "expires",
						   "date",
						   "location",
						   "retry-after",
						   "vary",
						   "warning",
						   "via",
						   "forwarded",
						   "origin",
						   "traceparent",
						   "tracestate",
						   "x-real-ip",
						   "x-request-id",
						   "x-request-timeout-ms",
						   "grpc-timeout",
						   "http2-settings"};

	return !forward_is_framing(name, len) &&
	       !forward_is_one_of(name, len, names, sizeof names / sizeof names[0]) &&
	       !HEAD_BEGINS(name, len, "content-") && !HEAD_BEGINS(name, len, "if-") &&
	       !HEAD_BEGINS(name, len, "sec-") && !HEAD_BEGINS(name, len, "access-control-") &&
	       !HEAD_IS(name, len, "proxy") && !HEAD_BEGINS(name, len, "proxy-") &&
	       !forward_is_x_forwarded(name, len);
}

int forward_trailers(char *out, size_t size, size_t *out_len, const char *base, size_t len,
		     size_t *used, enum http_refusal *refusal)
{
	struct out o = {out, out + size, false};
	const char *p = base, *end = base + len;
	struct http_field field;

	*refusal = HTTP_ACCEPTED;
	*out_len = *used = 0;
	while (p && p < end && scan_is(*p, SCAN_TOKEN)) {
		const char *name = p;
		struct forward_run none = {base, base};

		p = head_field(base, p, end, &field, refusal);
		if (p && may_be_trailer(name, field.name.len)) {
			forward_pass(&o, &none, base, &field);
			forward_flush(&o, &none);
		}
	}
	if (p)
		p = head_end_fields(p, end, p > base, refusal);
	if (*refusal == HTTP_ACCEPTED && (o.broken || (p ? p : end) - base > CHUNK_EXTRA_MAX + 2))
		*refusal = HTTP_REFUSED_CHUNK_EXTRA;
	if (*refusal != HTTP_ACCEPTED)
		return -1;
	if (!p)
		return 0;
	*out_len = (size_t)(o.p - out);
	*used = (size_t)(p - base);
	return 1;
}
