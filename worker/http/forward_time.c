/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How long a request may take, as a client says it and a peer is told: see forward.h.
 */
#include "worker/http/forward_parts.h"

/* RFC: gRPC over HTTP/2, "Timeout": up to eight digits and a unit; rounded up to milliseconds. */
static uint64_t grpc_ms(const char *p, size_t len)
{
	uint64_t n;

	if (len < 2 || len > 9 || !head_number(p, len - 1, &n))
		return 0;
	switch (p[len - 1]) {
	case 'H':
		return n * 3600000;
	case 'M':
		return n * 60000;
	case 'S':
		return n * 1000;
	case 'm':
		return n;
	case 'u':
		return (n + 999) / 1000;
	case 'n':
		return (n + 999999) / 1000000;
	default:
		return 0;
	}
}

uint64_t forward_asked_ms(const char *base, const struct http_request *req, const char *name)
{
	uint64_t least = 0;

	if (!name)
		name = "x-request-timeout-ms";
	for (unsigned i = 0; i < req->fields; i++) {
		const struct http_field *f = &req->field[i];
		const char *text = base + f->name.off, *value = base + f->value.off;
		uint64_t ms = 0;

		if (head_is_name(text, f->name.len, name))
			(void)head_number(value, f->value.len, &ms);
		else if (head_is_name(text, f->name.len, "grpc-timeout"))
			ms = grpc_ms(value, f->value.len);
		if (ms > 0 && (least == 0 || ms < least))
			least = ms;
	}
	return least;
}

/* A TimeoutValue has at most eight digits (gRPC over HTTP/2, "Timeout"). */
void forward_put_grpc_timeout(struct out *o, uint64_t ms)
{
	enum {
		MOST = 99999999
	};

	OUT_PUT(o, "grpc-timeout: ");
	if (ms <= MOST) {
		out_number(o, ms);
		OUT_PUT(o, "m\r\n");
	} else {
		out_number(o, ms / 1000 < MOST ? ms / 1000 : MOST);
		OUT_PUT(o, "S\r\n");
	}
}
