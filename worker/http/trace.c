/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Identities of requests: see trace.h.
 */
#include "worker/http/trace.h"

#include <string.h>
#include <sys/random.h>

enum {
	UUID_LEN = 36
};

int trace_key_draw(struct trace_key *key)
{
	return getrandom(key, sizeof *key, 0) == (ssize_t)sizeof *key ? 0 : -1;
}

/* A permutation of 64 bits that spreads every one of them (the finisher of SplitMix64, Steele et
 * al., OOPSLA 2014). */
static inline uint64_t mix(uint64_t v)
{
	v = (v ^ v >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	v = (v ^ v >> 27) * UINT64_C(0x94d049bb133111eb);
	return v ^ v >> 31;
}

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* n lower-case digits, at most 16. */
static bool read_hex(const char *p, size_t n, uint64_t *out)
{
	uint64_t v = 0;

	for (size_t i = 0; i < n; i++) {
		int d = digit(p[i]);

		if (d < 0)
			return false;
		v = v << 4 | (uint64_t)d;
	}
	*out = v;
	return true;
}

bool trace_parent_read(const char *p, size_t len, struct trace_parent *out)
{
	uint64_t version, flags;

	if (len < TRACE_PARENT_LEN || p[2] != '-' || p[35] != '-' || p[52] != '-' ||
	    !read_hex(p, 2, &version) || !read_hex(p + 3, 16, &out->high) ||
	    !read_hex(p + 19, 16, &out->low) || !read_hex(p + 36, 16, &out->parent) ||
	    !read_hex(p + 53, 2, &flags))
		return false;
	if (version == 0xff || (version == 0 && len != TRACE_PARENT_LEN) ||
	    (len > TRACE_PARENT_LEN && p[TRACE_PARENT_LEN] != '-'))
		return false;
	out->flags = (uint8_t)(flags & TRACE_SAMPLED);
	return (out->high | out->low) != 0 && out->parent != 0;
}

static bool may_be_in_id(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '-' && c <= ':') ||
	       c == '_' || c == '~' || c == '+' || c == '=';
}

bool trace_id_valid(const char *value, size_t len)
{
	if (len == 0 || len > TRACE_ID_MAX)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (!may_be_in_id(value[i]))
			return false;
	}
	return true;
}

static bool read_uuid(const char *p, uint64_t *high, uint64_t *low)
{
	char hex[32];

	if (p[8] != '-' || p[13] != '-' || p[18] != '-' || p[23] != '-')
		return false;
	memcpy(hex, p, 8);
	memcpy(hex + 8, p + 9, 4);
	memcpy(hex + 12, p + 14, 4);
	memcpy(hex + 16, p + 19, 4);
	memcpy(hex + 20, p + 24, 12);
	return read_hex(hex, 16, high) && read_hex(hex + 16, 16, low);
}

static void keep_id(struct conn_row *row, const char *p, size_t len)
{
	char first[IDENT_CHARS_MAX] = {0};

	row->id_form = IDENT_HEX;
	if (len == 32 && read_hex(p, 16, &row->request_high) &&
	    read_hex(p + 16, 16, &row->request_low) && (row->request_high | row->request_low) != 0)
		return;
	row->id_form = IDENT_UUID;
	if (len == UUID_LEN && read_uuid(p, &row->request_high, &row->request_low))
		return;
	row->id_form = len > sizeof first ? IDENT_CUT : IDENT_CHARS;
	memcpy(first, p, len > sizeof first ? sizeof first : len);
	memcpy(&row->request_high, first, sizeof row->request_high);
	memcpy(&row->request_low, first + sizeof row->request_high, sizeof row->request_low);
}

/* The value of a field that came exactly once. */
static bool only_value(const struct http_request *req, const char *base, enum http_field_id id,
		       const char **value, size_t *len)
{
	if (req == NULL || req->known[id].off == 0 || (req->known_several >> id & 1) != 0)
		return false;
	*value = base + req->known[id].off;
	*len = req->known[id].len;
	return true;
}

/* Each half is a permutation of what it is made of, so two requests never share both. */
static inline void make(const struct trace_key *key, struct conn_row *row)
{
	row->request_high = row->trace_high = (row->id ^ key->high) * UINT64_C(0x9e3779b97f4a7c15);
	row->request_low = row->trace_low = mix((row->requests ^ key->low) +
						(row->request_high ^ row->request_high >> 32));
	row->id_form = IDENT_HEX;
	row->trace_flags = TRACE_SAMPLED;
}

/* What the request brought with it. */
static __attribute__((noinline)) void keep(struct conn_row *row, const struct http_request *req,
					   const char *base, bool trusted)
{
	struct trace_parent parent;
	const char *value;
	size_t len;

	if (trusted && only_value(req, base, HTTP_F_X_REQUEST_ID, &value, &len) &&
	    trace_id_valid(value, len))
		keep_id(row, value, len);
	if (only_value(req, base, HTTP_F_TRACEPARENT, &value, &len) &&
	    trace_parent_read(value, len, &parent)) {
		row->trace_high = parent.high;
		row->trace_low = parent.low;
		row->trace_flags = parent.flags | TRACE_KEPT;
	}
}

void trace_begin(const struct trace_key *key, struct conn_row *row, const struct http_request *req,
		 const char *base, bool trusted)
{
	make(key, row);
	if (req != NULL &&
	    (req->known[HTTP_F_X_REQUEST_ID].off | req->known[HTTP_F_TRACEPARENT].off) != 0)
		keep(row, req, base, trusted);
}

size_t trace_id(const struct conn_row *row, const struct http_request *req, const char *base,
		char out[TRACE_ID_MAX])
{
	char text[IDENT_ROOM];
	const char *value;
	size_t len;

	if (row->id_form == IDENT_CUT && only_value(req, base, HTTP_F_X_REQUEST_ID, &value, &len) &&
	    len <= TRACE_ID_MAX) {
		memcpy(out, value, len);
		return len;
	}
	len = ident_text(row->id_form, row->request_high, row->request_low, text);
	memcpy(out, text, len);
	return len;
}

/* Not of the key, which another worker has not got, nor of the request's id, which a client may
 * send twice. */
uint64_t trace_span(const struct conn_row *row)
{
	uint64_t v = mix(row->id + mix(row->accepted_us));

	v = mix(v + row->requests + ((uint64_t)row->port << 32));
	return v != 0 ? v : 1;
}

void trace_write(const struct conn_row *row, const struct http_request *req, const char *base,
		 struct trace *out)
{
	char *p = out->parent;

	out->id_len = trace_id(row, req, base, out->id);
	out->parent_len = 0;
	out->keeps_state = (row->trace_flags & TRACE_KEPT) != 0;
	if ((row->trace_high | row->trace_low) == 0)
		return;
	memcpy(p, "00-", 3);
	p = ident_put_hex(ident_put_hex(p + 3, row->trace_high), row->trace_low);
	*p++ = '-';
	p = ident_put_hex(p, trace_span(row));
	*p++ = '-';
	*p++ = '0';
	*p++ = (row->trace_flags & TRACE_SAMPLED) != 0 ? '1' : '0';
	out->parent_len = (size_t)(p - out->parent);
}
