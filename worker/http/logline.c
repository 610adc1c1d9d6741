/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Access log lines. With the log on, one is written for every request, so the common form pays for
 * no printf: texts are copied sixteen bytes at a time while the same pass looks for bytes that
 * would need an escape, and only a text that holds one is written again byte by byte. Only named
 * fields of a request come here: a line never holds Authorization or Cookie.
 */
#include "worker/http/logline.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

#include "shm/utf8.h"
#include "worker/http/trace.h"

/* Most bytes that each text may take in a line, escapes included. */
enum {
	ROOM_FIXED = 1024, /* numbers, dates, keys, quotes */
	ROOM_REQUEST = 8400,
	ROOM_METHOD = 64,
	ROOM_TARGET = 6700,
	ROOM_HOST = 1024,
	ROOM_NAME = 512, /* listener, server, close reason */
	ROOM_FIELD = 2900
};

static_assert(ROOM_FIXED + ROOM_REQUEST + 2 * ROOM_FIELD <= LOGLINE_MAX, "combined fits");
static_assert(ROOM_FIXED + ROOM_METHOD + ROOM_TARGET + ROOM_HOST + 3 * ROOM_NAME + 2 * ROOM_FIELD <=
		  LOGLINE_MAX,
	      "json and logfmt fit");

enum {
	NUMBER_MAX = 20,  /* digits of 2^64 */
	LOG_DATE_LEN = 26 /* "06/Nov/1994:08:49:37 +0000" */
};

/* Sixteen bytes at a time, in the compilers' own vectors: no intrinsics, no #if. */
typedef uint8_t bytes16 __attribute__((vector_size(16)));
typedef int8_t chars16 __attribute__((vector_size(16)));
typedef uint64_t words2 __attribute__((vector_size(16)));

static inline bool is_clean(unsigned char c)
{
	return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

/* Signed, bytes from 0x80 on are less than a space as well. */
static inline bytes16 unclean(bytes16 v)
{
	return (bytes16)((chars16)v < 0x20) | (bytes16)(v == 0x7f) | (bytes16)(v == '"') |
	       (bytes16)(v == '\\');
}

static inline bool any(bytes16 v)
{
	words2 w = (words2)v;

	return w[0] | w[1];
}

static bool copy_clean_short(char *out, const char *in, size_t len)
{
	uint64_t first, last;

	if (len >= 8) {
		memcpy(&first, in, 8);
		memcpy(&last, in + len - 8, 8);
		memcpy(out, &first, 8);
		memcpy(out + len - 8, &last, 8);
		return !any(unclean((bytes16)(words2){first, last}));
	}
	for (size_t i = 0; i < len; i++) {
		if (!is_clean((unsigned char)in[i]))
			return false;
		out[i] = in[i];
	}
	return true;
}

/* Copies all of it, and says whether none of it needs an escape. The last sixteen bytes overlap
 * those before, so nothing beyond either end is touched. */
static inline bool copy_clean(char *out, const char *in, size_t len)
{
	bytes16 v, found = {0};

	if (len < sizeof v)
		return copy_clean_short(out, in, len);
	for (size_t i = 0; i < len - sizeof v; i += sizeof v) {
		memcpy(&v, in + i, sizeof v);
		memcpy(out + i, &v, sizeof v);
		found |= unclean(v);
	}
	memcpy(&v, in + len - sizeof v, sizeof v);
	memcpy(out + len - sizeof v, &v, sizeof v);
	return !any(found | unclean(v));
}

/* Writes c as prefix and two hexadecimal digits. */
static char *put_escape(char *out, const char *prefix, size_t prefix_len, unsigned char c)
{
	static const char hex[] = "0123456789ABCDEF";

	memcpy(out, prefix, prefix_len);
	out[prefix_len] = hex[c >> 4];
	out[prefix_len + 1] = hex[c & 15];
	return out + prefix_len + 2;
}

static char *escape_hex(char *out, const char *in, size_t len, size_t room)
{
	const char *full = out + room - 4; /* where the longest escape still fits */

	for (size_t i = 0; i < len && out <= full; i++) {
		if (is_clean((unsigned char)in[i]))
			*out++ = in[i];
		else
			out = put_escape(out, "\\x", 2, (unsigned char)in[i]);
	}
	return out;
}

static char *escape_json(char *out, const char *in, size_t len, size_t room)
{
	const char *full = out + room - 6;
	size_t n;

	for (size_t i = 0; i < len && out <= full; i += n) {
		unsigned char c = (unsigned char)in[i];

		n = utf8_length(in + i, len - i);
		if (n == 0) {
			memcpy(out, "\\ufffd", 6);
			out += 6;
			n = 1;
		} else if (c < 0x20 || c == 0x7f) {
			out = put_escape(out, "\\u00", 4, c);
		} else {
			if (c == '"' || c == '\\')
				*out++ = '\\';
			memcpy(out, in + i, n);
			out += n;
		}
	}
	return out;
}

static __attribute__((noinline, cold)) char *put_escaped(char *out, enum log_format format,
							 const char *in, size_t len, size_t room)
{
	if (format == LOG_JSON)
		return escape_json(out, in, len, room);
	return escape_hex(out, in, len, room);
}

/* At most room bytes of out. A text that is too long is cut, between characters. */
static char *put_text(char *out, enum log_format format, const char *in, size_t len, size_t room)
{
	if (len <= room && copy_clean(out, in, len))
		return out + len;
	return put_escaped(out, format, in, len, room);
}

static inline char *put_bytes(char *out, const char *bytes, size_t len)
{
	memcpy(out, bytes, len);
	return out + len;
}

/* "00" to "99". */
static inline void put_pair(char *out, unsigned n)
{
	static const char pairs[] = "0001020304050607080910111213141516171819"
				    "2021222324252627282930313233343536373839"
				    "4041424344454647484950515253545556575859"
				    "6061626364656667686970717273747576777879"
				    "8081828384858687888990919293949596979899";

	memcpy(out, pairs + 2 * n, 2);
}

static inline char *put_2(char *out, unsigned n)
{
	put_pair(out, n);
	return out + 2;
}

static inline char *put_3(char *out, unsigned n)
{
	*out = (char)('0' + n / 100);
	put_pair(out + 1, n % 100);
	return out + 3;
}

/* May write beyond the number: the line's next bytes come there. */
static char *put_number(char *out, uint64_t n)
{
	char digits[2 * NUMBER_MAX] = {0}, *end = digits + NUMBER_MAX, *p = end;

	for (; n >= 100; n /= 100)
		put_pair(p -= 2, n % 100);
	if (n >= 10)
		put_pair(p -= 2, (unsigned)n);
	else
		*--p = (char)('0' + n);
	memcpy(out, p, NUMBER_MAX);
	return out + (end - p);
}

static inline char *put_octet(char *out, unsigned n)
{
	if (n >= 100)
		return put_3(out, n);
	if (n >= 10)
		return put_2(out, n);
	*out = (char)('0' + n);
	return out + 1;
}

static inline char *put_ipv4(char *out, const uint8_t a[4])
{
	out = put_octet(out, a[0]);
	*out++ = '.';
	out = put_octet(out, a[1]);
	*out++ = '.';
	out = put_octet(out, a[2]);
	*out++ = '.';
	return put_octet(out, a[3]);
}

static char *put_group(char *out, unsigned n)
{
	static const char hex[] = "0123456789abcdef";

	for (int shift = 12; shift > 0; shift -= 4)
		if (n >> shift)
			*out++ = hex[n >> shift & 15];
	*out++ = hex[n & 15];
	return out;
}

/* RFC 5952: "::" stands for the longest run of two or more zero groups, the first of equals. */
static char *put_ipv6(char *out, const uint8_t a[16])
{
	unsigned group[8], best = 8, best_len = 1;

	for (unsigned i = 0; i < 8; i++)
		group[i] = (unsigned)a[2 * i] << 8 | a[2 * i + 1];
	for (unsigned i = 0, n; i < 8; i += n + 1) {
		for (n = 0; i + n < 8 && group[i + n] == 0;)
			n++;
		if (n > best_len) {
			best = i;
			best_len = n;
		}
	}
	for (unsigned i = 0; i < 8;) {
		if (i == best) {
			out = put_bytes(out, "::", 2);
			i += best_len;
			continue;
		}
		if (i > 0 && i != best + best_len)
			*out++ = ':';
		out = put_group(out, group[i++]);
	}
	return out;
}

static inline char *put_addr(char *out, const struct conn_row *conn)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

	if (conn->family == 1)
		return put_bytes(out, "unix:", 5);
	if (memcmp(conn->peer, mapped, sizeof mapped) == 0)
		return put_ipv4(out, conn->peer + 12);
	return put_ipv6(out, conn->peer);
}

size_t logline_addr(const struct conn_row *conn, char out[LOGLINE_ADDR])
{
	char *end = put_addr(out, conn);

	*end = '\0';
	return (size_t)(end - out);
}

/*
 * The request line as sent. Of a request that was refused the version may never have come: it was
 * read if the whole head was, or if it is known to be 1.1.
 */
static struct http_span request_line(const struct http_request *req)
{
	uint32_t end;

	if (!req || req->method_text.len == 0 || req->target.len == 0)
		return (struct http_span){0, 0};
	end = req->target.off + req->target.len;
	if (req->head_len > 0 || req->minor > 0)
		end += sizeof " HTTP/1.1" - 1;
	return (struct http_span){req->method_text.off, end - req->method_text.off};
}

static inline char *put_header(char *out, const struct logline *l, enum http_field_id id)
{
	if (!l->req || l->req->known[id].off == 0)
		return put_bytes(out, "-", 1);
	return put_text(out, LOG_COMBINED, l->base + l->req->known[id].off, l->req->known[id].len,
			ROOM_FIELD);
}

static char *write_combined(char *out, const struct logline *l)
{
	struct http_span line = request_line(l->req);

	out = put_addr(out, l->conn);
	out = put_bytes(out, " - - [", 6);
	out = put_bytes(out, l->clock->log_date, LOG_DATE_LEN);
	out = put_bytes(out, "] \"", 3);
	if (line.len > 0)
		out = put_text(out, LOG_COMBINED, l->base + line.off, line.len, ROOM_REQUEST);
	else
		*out++ = '-';
	out = put_bytes(out, "\" ", 2);
	out = put_3(out, (unsigned)l->status % 1000);
	*out++ = ' ';
	out = put_number(out, l->body_bytes);
	out = put_bytes(out, " \"", 2);
	out = put_header(out, l, HTTP_F_REFERER);
	out = put_bytes(out, "\" \"", 3);
	out = put_header(out, l, HTTP_F_USER_AGENT);
	return put_bytes(out, "\"\n", 2);
}

/*
 * json and logfmt: the same keys and values in two forms. Texts are always quoted, so that a reader
 * never has to guess a type. Inlined so that the length of each key is a constant.
 */
#define ALWAYS_INLINE inline __attribute__((always_inline))

struct pairs {
	char *at;
	enum log_format format;
};

static ALWAYS_INLINE void put_key(struct pairs *p, const char *key)
{
	size_t len = strlen(key);

	if (p->format == LOG_JSON) {
		p->at = put_bytes(p->at, ",\"", 2);
		p->at = put_bytes(p->at, key, len);
		p->at = put_bytes(p->at, "\":", 2);
		return;
	}
	*p->at++ = ' ';
	p->at = put_bytes(p->at, key, len);
	*p->at++ = '=';
}

static ALWAYS_INLINE void pair_text(struct pairs *p, const char *key, const char *text, size_t len,
				    size_t room)
{
	put_key(p, key);
	*p->at++ = '"';
	p->at = put_text(p->at, p->format, text, len, room);
	*p->at++ = '"';
}

static ALWAYS_INLINE void pair_number(struct pairs *p, const char *key, uint64_t n)
{
	put_key(p, key);
	p->at = put_number(p->at, n);
}

static ALWAYS_INLINE void pair_span(struct pairs *p, const char *key, const struct logline *l,
				    struct http_span span, size_t room)
{
	pair_text(p, key, span.len ? l->base + span.off : "", span.len, room);
}

/* RFC 3339, UTC: "2026-11-21T21:40:00.123Z". */
static char *put_time(char *out, const struct clock *c)
{
	struct tm tm = {0};

	gmtime_r(&c->real_s, &tm);
	out = put_2(out, (unsigned)(tm.tm_year + 1900) / 100 % 100);
	out = put_2(out, (unsigned)(tm.tm_year + 1900) % 100);
	*out++ = '-';
	out = put_2(out, (unsigned)tm.tm_mon + 1);
	*out++ = '-';
	out = put_2(out, (unsigned)tm.tm_mday);
	*out++ = 'T';
	out = put_2(out, (unsigned)tm.tm_hour);
	*out++ = ':';
	out = put_2(out, (unsigned)tm.tm_min);
	*out++ = ':';
	out = put_2(out, (unsigned)tm.tm_sec);
	*out++ = '.';
	out = put_3(out, c->real_us / 1000);
	*out++ = 'Z';
	return out;
}

static ALWAYS_INLINE void pair_duration(struct pairs *p, const char *key, uint64_t us)
{
	put_key(p, key);
	p->at = put_number(p->at, us / 1000000);
	*p->at++ = '.';
	p->at = put_3(p->at, us / 1000 % 1000);
	p->at = put_3(p->at, us % 1000);
}

static void pair_peer(struct pairs *p, const struct conn_row *conn)
{
	char addr[LOGLINE_ADDR];

	pair_text(p, "peer", addr, logline_addr(conn, addr), sizeof addr);
	pair_number(p, "port", conn->port);
	pair_number(p, "conn", conn->id);
	pair_number(p, "request", conn->requests);
}

/* What could not be read is empty. */
static void pair_request(struct pairs *p, const struct logline *l)
{
	static const struct http_request none;
	const struct http_request *req = l->req ? l->req : &none;
	struct http_span line = request_line(req), protocol = {0, 0};

	if (line.len > 0) {
		protocol.off = req->target.off + req->target.len;
		protocol.len = line.off + line.len - protocol.off;
		/* Without the space in front. */
		protocol.off += protocol.len > 0;
		protocol.len -= protocol.len > 0;
	}
	pair_span(p, "method", l, req->method_text, ROOM_METHOD);
	pair_span(p, "target", l, req->target, ROOM_TARGET);
	pair_span(p, "protocol", l, protocol, ROOM_METHOD);
	pair_span(p, "host", l, req->host, ROOM_HOST);
}

static ALWAYS_INLINE void pair_header(struct pairs *p, const char *key, const struct logline *l,
				      enum http_field_id id)
{
	static const struct http_span none;

	pair_span(p, key, l, l->req ? l->req->known[id] : none, ROOM_FIELD);
}

/* Digits and the few characters that an id may hold: nothing to escape. */
static void pair_identity(struct pairs *p, const struct logline *l)
{
	put_key(p, "id");
	*p->at++ = '"';
	p->at += trace_id(l->conn, l->req, l->base, p->at);
	*p->at++ = '"';
	put_key(p, "trace");
	*p->at++ = '"';
	p->at = ident_put_hex(ident_put_hex(p->at, l->conn->trace_high), l->conn->trace_low);
	*p->at++ = '"';
	put_key(p, "span");
	*p->at++ = '"';
	p->at = ident_put_hex(p->at, trace_span(l->conn));
	*p->at++ = '"';
}

struct logline_phases logline_phases(const struct logline *l)
{
	uint64_t all = l->duration_us, head = l->head_us, body = l->body_us, first = l->first_us;

	/* The state at the end is the phase that was not over. Clocks are read at different
	 * moments: no phase is negative. */
	if (l->state == CONN_HEAD || head > all)
		head = all;
	if (l->state <= CONN_BODY || body > all)
		body = all;
	if (l->state <= CONN_RESPOND || first > all)
		first = all;
	if (body < head)
		body = head;
	if (first < body)
		first = body;
	return (struct logline_phases){head, body - head, first - body, all - first};
}

static void pair_phases(struct pairs *p, const struct logline *l)
{
	struct logline_phases t = logline_phases(l);

	pair_duration(p, "head", t.head);
	pair_duration(p, "body", t.body);
	pair_duration(p, "respond", t.respond);
	pair_duration(p, "send", t.send);
}

/* Why the connection ends, who ends it, and in which state; all empty if it lives on. */
static void pair_end(struct pairs *p, const struct logline *l)
{
	const char *state = l->ended[0] != '\0' ? conn_state_name(l->in) : "";

	pair_text(p, "ended", l->ended, strlen(l->ended), ROOM_NAME);
	pair_text(p, "by", l->by, strlen(l->by), ROOM_METHOD);
	pair_text(p, "in", state, strlen(state), ROOM_METHOD);
}

static char *write_pairs(char *out, enum log_format format, const struct logline *l)
{
	struct pairs p = {out, format};

	p.at = format == LOG_JSON ? put_bytes(out, "{\"time\":\"", 9) : put_bytes(out, "time=", 5);
	p.at = put_time(p.at, l->clock);
	if (format == LOG_JSON)
		*p.at++ = '"';
	pair_identity(&p, l);
	pair_text(&p, "listener", l->listener, strlen(l->listener), ROOM_NAME);
	pair_peer(&p, l->conn);
	pair_request(&p, l);
	pair_text(&p, "server", l->server->name, strlen(l->server->name), ROOM_NAME);
	pair_number(&p, "status", (unsigned)l->status);
	pair_number(&p, "bytes", l->body_bytes);
	pair_number(&p, "bytes_out", l->total_bytes);
	pair_number(&p, "bytes_in", l->request_bytes);
	pair_duration(&p, "duration", l->duration_us);
	pair_phases(&p, l);
	pair_header(&p, "referer", l, HTTP_F_REFERER);
	pair_header(&p, "user_agent", l, HTTP_F_USER_AGENT);
	pair_end(&p, l);
	if (format == LOG_JSON)
		*p.at++ = '}';
	*p.at++ = '\n';
	return p.at;
}

size_t logline_write(enum log_format format, const struct logline *l, char *out, size_t size)
{
	char *end;

	assert(size >= LOGLINE_MAX);
	if (format == LOG_COMBINED)
		end = write_combined(out, l);
	else
		end = write_pairs(out, format, l);
	assert(end <= out + LOGLINE_MAX);
	return (size_t)(end - out);
}
