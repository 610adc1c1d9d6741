/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tests worker/http/response.c: what a peer may answer, what is refused and by which name, what
 * follows a head, and that the pieces in which the bytes come make no difference.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "worker/http/response.h"

#define TEXT(s)   (s), sizeof(s) - 1
#define ROWS(t)   ((int)(sizeof(t) / sizeof(t)[0]))
#define NO(kind)  HTTP_FAULT_##kind
#define OK        HTTP_FAULT_NONE
#define LINE(l)   l "\r\nContent-Length: 0\r\n\r\n"
#define FIELDS(f) "HTTP/1.1 200 OK\r\n" f "\r\n"

static const struct http_limits limits = {4096, 0, 16};

static const struct verdict_row {
	const char *text;
	size_t len;
	enum http_fault fault;
} verdicts[] = {
    /* The status line. */
    {TEXT(LINE("HTTP/1.1 200 OK")), OK},
    {TEXT(LINE("HTTP/1.0 200 OK")), OK},
    {TEXT(LINE("HTTP/1.9 200 OK")), OK},
    {TEXT(LINE("HTTP/1.1 200 ")), OK},
    {TEXT(LINE("HTTP/1.1 200")), OK},
    {TEXT(LINE("HTTP/1.1 200  two spaces\t\xc3\xa4\xff")), OK},
    {TEXT(LINE("HTTP/1.1 100 Continue")), OK},
    {TEXT(LINE("HTTP/1.1 599 Last")), OK},
    {TEXT(LINE("HTTP/1.1 418 I'm a teapot")), OK},
    {TEXT("HTTP/1.1 200 OK\r\n\r\n"), OK},
    {TEXT(LINE("HTTP/1.1 099 OK")), NO(STATUS)},
    {TEXT(LINE("HTTP/1.1 000 OK")), NO(STATUS)},
    {TEXT(LINE("HTTP/1.1 600 OK")), NO(STATUS)},
    {TEXT(LINE("HTTP/1.1 999 OK")), NO(STATUS)},
    {TEXT(LINE("HTTP/1.1 20 OK")), NO(STATUS)},
    {TEXT(LINE("HTTP/1.1 2000 OK")), NO(STATUS)},
    {TEXT(LINE("HTTP/1.1 200OK")), NO(STATUS)},
    {TEXT(LINE("HTTP/1.1 200\tOK")), NO(STATUS)},
    {TEXT(LINE("HTTP/1.1 +20 OK")), NO(STATUS)},
    {TEXT(LINE("HTTP/1.1 -20 OK")), NO(STATUS)},
    {TEXT(LINE("HTTP/1.1  200 OK")), NO(STATUS)},
    {TEXT(LINE("HTTP/1.1 OK")), NO(STATUS)},
    {TEXT(LINE("HTTP/1.1 2x0 OK")), NO(STATUS)},
    {TEXT(LINE("HTTP/1.1\t200 OK")), NO(VERSION)},
    {TEXT(LINE("HTTP/1.1")), NO(VERSION)},
    {TEXT(LINE("HTTP/0.9 200 OK")), NO(VERSION)},
    {TEXT(LINE("HTTP/2.0 200 OK")), NO(VERSION)},
    {TEXT(LINE("HTTP/2 200 OK")), NO(VERSION)},
    {TEXT(LINE("HTTP/3 200")), NO(VERSION)},
    {TEXT(LINE("HTTP/1.10 200 OK")), NO(VERSION)},
    {TEXT(LINE("HTTP/11 200 OK")), NO(VERSION)},
    {TEXT(LINE("HTTP/1. 200 OK")), NO(VERSION)},
    {TEXT(LINE("HTTP/01.1 200 OK")), NO(VERSION)},
    {TEXT(LINE("HTTP/1.x 200 OK")), NO(VERSION)},
    {TEXT(LINE("http/1.1 200 OK")), NO(STATUS_LINE)},
    {TEXT(LINE("Http/1.1 200 OK")), NO(STATUS_LINE)},
    {TEXT(LINE("HTTPS/1.1 200 OK")), NO(STATUS_LINE)},
    {TEXT(LINE("HTTP 1.1 200 OK")), NO(STATUS_LINE)},
    {TEXT(LINE("ICY 200 OK")), NO(STATUS_LINE)},
    {TEXT(LINE("RTSP/1.0 200 OK")), NO(STATUS_LINE)},
    {TEXT(LINE(" HTTP/1.1 200 OK")), NO(STATUS_LINE)},
    {TEXT(LINE("\tHTTP/1.1 200 OK")), NO(STATUS_LINE)},
    {TEXT(LINE("\xef\xbb\xbfHTTP/1.1 200 OK")), NO(STATUS_LINE)},
    {TEXT(LINE("\r\nHTTP/1.1 200 OK")), NO(STATUS_LINE)},
    {TEXT(LINE("\nHTTP/1.1 200 OK")), NO(STATUS_LINE)},
    {TEXT(LINE("0\r\n\r\nHTTP/1.1 200 OK")), NO(STATUS_LINE)},
    {TEXT(LINE("xHTTP/1.1 200 OK")), NO(STATUS_LINE)},
    {TEXT("<html>HTTP/0.9</html>"), NO(STATUS_LINE)},
    {TEXT("SSH-2.0-OpenSSH_9.2\r\n"), NO(STATUS_LINE)},
    {TEXT("220 mail ESMTP\r\n"), NO(STATUS_LINE)},
    {TEXT("\x15\x03\x01\x00\x02\x02\x0a"), NO(STATUS_LINE)},
    {TEXT("\0\0\x12\x04\0\0\0\0\0"), NO(STATUS_LINE)},
    {TEXT("\0"), NO(STATUS_LINE)},
    {TEXT("GET / HTTP/1.1\r\n"), NO(STATUS_LINE)},
    {TEXT("HTTP/1.1 200 O\0K\r\n\r\n"), NO(STATUS_LINE)},
    {TEXT("HTTP/1.1 200 O\x1bK\r\n\r\n"), NO(STATUS_LINE)},
    {TEXT("HTTP/1.1 200 O\x7fK\r\n\r\n"), NO(STATUS_LINE)},
    {TEXT("HTTP/1.1 200 OK\n\r\n"), NO(LINE)},
    {TEXT("HTTP/1.1 200\n\r\n"), NO(LINE)},
    {TEXT("HTTP/1.1 200 OK\n\n"), NO(LINE)},
    {TEXT("HTTP/1.1 200 OK\r\r\n"), NO(LINE)},
    {TEXT("HTTP/1.1 200 OK\rX: y\r\n\r\n"), NO(LINE)},
    {TEXT("HTTP/1.1 200 OK\r\n\n"), NO(LINE)},
    {TEXT("HTTP/1.1 200 OK\r\n\rx"), NO(LINE)},

    /* Fields. */
    {TEXT(FIELDS("A: b\r\nC:d\r\nE:\t f \t\r\nG:\r\n")), OK},
    {TEXT(FIELDS("!#$%&'*+-.^_`|~09: x\r\n")), OK},
    {TEXT(FIELDS("A: \x80\xff\"\\(),/:;<=>?@[]{}\r\n")), OK},
    {TEXT(FIELDS("A : b\r\n")), NO(FIELD_NAME)},
    {TEXT(FIELDS("Content-Length : 5\r\n")), NO(FIELD_NAME)},
    {TEXT(FIELDS("A\t: b\r\n")), NO(FIELD_NAME)},
    {TEXT(FIELDS(": b\r\n")), NO(FIELD_NAME)},
    {TEXT(FIELDS("A b: c\r\n")), NO(FIELD_NAME)},
    {TEXT(FIELDS("A\0: c\r\n")), NO(FIELD_NAME)},
    {TEXT(FIELDS("A(b): c\r\n")), NO(FIELD_NAME)},
    {TEXT(FIELDS("\xc3\xa4: c\r\n")), NO(FIELD_NAME)},
    {TEXT(FIELDS("no colon\r\n")), NO(FIELD_NAME)},
    {TEXT(FIELDS("nocolon\r\n")), NO(FIELD_NAME)},
    {TEXT(FIELDS("A: b\r\nHTTP/1.1 200 OK\r\n")), NO(FIELD_NAME)},
    {TEXT(FIELDS("nocolon\n")), NO(LINE)},
    {TEXT(FIELDS("A: b\n")), NO(LINE)},
    {TEXT(FIELDS("A: b\nC: d\r\n")), NO(LINE)},
    {TEXT(FIELDS("A: b\rC: d\r\n")), NO(LINE)},
    {TEXT(FIELDS("A: b\r\r\n")), NO(LINE)},
    {TEXT(FIELDS(" A: b\r\n")), NO(LINE)},
    {TEXT(FIELDS("A: b\r\n c\r\n")), NO(FOLDING)},
    {TEXT(FIELDS("A: b\r\n\tc\r\n")), NO(FOLDING)},
    {TEXT(FIELDS("A:\r\n b\r\n")), NO(FOLDING)},
    {TEXT(FIELDS("Content-Length: 1\r\n 0\r\n")), NO(FOLDING)},
    {TEXT(FIELDS("A: b\0c\r\n")), NO(FIELD_VALUE)},
    {TEXT(FIELDS("A: b\x01\r\n")), NO(FIELD_VALUE)},
    {TEXT(FIELDS("A: b\x0b\r\n")), NO(FIELD_VALUE)},
    {TEXT(FIELDS("A: b\x7f\r\n")), NO(FIELD_VALUE)},

    /* Lengths. */
    {TEXT(FIELDS("Content-Length: 0\r\n")), OK},
    {TEXT(FIELDS("Content-Length: 9223372036854775807\r\n")), OK},
    {TEXT(FIELDS("CONTENT-LENGTH:007\r\n")), OK},
    {TEXT(FIELDS("Content-Length: 9223372036854775808\r\n")), NO(LENGTH)},
    {TEXT(FIELDS("Content-Length: 99999999999999999999\r\n")), NO(LENGTH)},
    {TEXT(FIELDS("Content-Length:\r\n")), NO(LENGTH)},
    {TEXT(FIELDS("Content-Length: +5\r\n")), NO(LENGTH)},
    {TEXT(FIELDS("Content-Length: -5\r\n")), NO(LENGTH)},
    {TEXT(FIELDS("Content-Length: 0x5\r\n")), NO(LENGTH)},
    {TEXT(FIELDS("Content-Length: 5 5\r\n")), NO(LENGTH)},
    {TEXT(FIELDS("Content-Length: 5, 5\r\n")), NO(LENGTH)},
    {TEXT(FIELDS("Content-Length: 5,\r\n")), NO(LENGTH)},
    {TEXT(FIELDS("Content-Length: 5;\r\n")), NO(LENGTH)},
    {TEXT(FIELDS("Content-Length: 5.0\r\n")), NO(LENGTH)},
    {TEXT(FIELDS("Content-Length: 1e1\r\n")), NO(LENGTH)},
    {TEXT(FIELDS("Content-Length: \"5\"\r\n")), NO(LENGTH)},
    {TEXT(FIELDS("Content-Length: five\r\n")), NO(LENGTH)},
    {TEXT(FIELDS("Content-Length: 5\r\nContent-Length: 5\r\n")), NO(LENGTH)},
    {TEXT(FIELDS("Content-Length: 5\r\nContent-Length: 6\r\n")), NO(LENGTH)},
    {TEXT(FIELDS("Content-Length: 5\r\nA: b\r\ncontent-length: 0\r\n")), NO(LENGTH)},

    /* Codings. */
    {TEXT(FIELDS("Transfer-Encoding: chunked\r\n")), OK},
    {TEXT(FIELDS("transfer-encoding:CHUNKED\t\r\n")), OK},
    {TEXT(FIELDS("Transfer-Encoding: gzip, chunked\r\n")), NO(TRANSFER_CODING)},
    {TEXT(FIELDS("Transfer-Encoding: chunked, chunked\r\n")), NO(TRANSFER_CODING)},
    {TEXT(FIELDS("Transfer-Encoding: chunked, gzip\r\n")), NO(TRANSFER_CODING)},
    {TEXT(FIELDS("Transfer-Encoding: gzip\r\n")), NO(TRANSFER_CODING)},
    {TEXT(FIELDS("Transfer-Encoding: identity\r\n")), NO(TRANSFER_CODING)},
    {TEXT(FIELDS("Transfer-Encoding:\r\n")), NO(TRANSFER_CODING)},
    {TEXT(FIELDS("Transfer-Encoding: ,chunked\r\n")), NO(TRANSFER_CODING)},
    {TEXT(FIELDS("Transfer-Encoding: chunked;q=1\r\n")), NO(TRANSFER_CODING)},
    {TEXT(FIELDS("Transfer-Encoding: \"chunked\"\r\n")), NO(TRANSFER_CODING)},
    {TEXT(FIELDS("Transfer-Encoding: xchunked\r\n")), NO(TRANSFER_CODING)},
    {TEXT(FIELDS("Transfer-Encoding: chunke\r\n")), NO(TRANSFER_CODING)},
    {TEXT(FIELDS("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n")),
     NO(TRANSFER_CODING)},
    {TEXT(FIELDS("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n")),
     NO(TRANSFER_CODING)},
    {TEXT(FIELDS("Transfer-Encoding: \x0b"
		 "chunked\r\n")),
     NO(FIELD_VALUE)},
    {TEXT(FIELDS("Transfer-Encoding : chunked\r\n")), NO(FIELD_NAME)},
    {TEXT(FIELDS("Transfer-Encoding\r\n : chunked\r\n")), NO(FIELD_NAME)},
    {TEXT(FIELDS("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n")), NO(FRAMING)},
    {TEXT(FIELDS("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n")), NO(FRAMING)},
    {TEXT(FIELDS("Transfer-Encoding: identity\r\nContent-Length: 5\r\n")), NO(FRAMING)},
    {TEXT("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"), NO(FRAMING)},
    {TEXT("HTTP/1.1 100 Continue\r\nTransfer-Encoding: chunked\r\n\r\n"), NO(FRAMING)},
    {TEXT("HTTP/1.1 101 Go\r\nTransfer-Encoding: chunked\r\n\r\n"), NO(FRAMING)},
    {TEXT("HTTP/1.1 204 No\r\nTransfer-Encoding: chunked\r\n\r\n"), NO(FRAMING)},
    {TEXT("HTTP/1.1 304 No\r\nTransfer-Encoding: chunked\r\n\r\n"), OK},
    {TEXT("HTTP/1.1 204 No\r\nContent-Length: 0\r\n\r\n"), OK},
    {TEXT("HTTP/1.1 204 No\r\nContent-Length: 5\r\n\r\n"), OK},
    {TEXT("HTTP/1.1 204 No\r\nContent-Length: x\r\n\r\n"), NO(LENGTH)},
};

static int parse(const char *text, size_t len, struct http_response *r, enum http_fault *fault)
{
	uint32_t scanned = 0;

	return http_parse_response(text, len, &limits, &scanned, r, fault);
}

START_TEST(says_what_is_wrong)
{
	const struct verdict_row *row = &verdicts[_i];
	static struct http_response r;
	enum http_fault fault;
	int result = parse(row->text, row->len, &r, &fault);

	ck_assert_msg(fault == row->fault, "row %d: %s, not %s: %s", _i, http_fault_name(fault),
		      http_fault_name(row->fault), row->text);
	ck_assert_int_eq(result, row->fault == OK ? 1 : -1);
	if (result == 1)
		ck_assert_uint_eq(r.head_len, row->len);
}
END_TEST

/* In memory of exactly that size, so that a byte read beyond it is seen. */
static int parse_copy(const char *text, size_t len, uint32_t *scanned, struct http_response *r,
		      enum http_fault *fault)
{
	char *copy = malloc(len + (len == 0));
	int result;

	ck_assert_ptr_nonnull(copy);
	memcpy(copy, text, len);
	result = http_parse_response(copy, len, &limits, scanned, r, fault);
	free(copy);
	return result;
}

START_TEST(does_not_care_for_pieces)
{
	const struct verdict_row *row = &verdicts[_i];
	static struct http_response once, pieces;
	enum http_fault fault;

	parse(row->text, row->len, &once, &fault);
	for (size_t step = 1; step < 20; step++) {
		uint32_t scanned = 0;
		size_t at = 0;
		int result;

		do {
			at = row->len - at < step ? row->len : at + step;
			result = parse_copy(row->text, at, &scanned, &pieces, &fault);
		} while (result == 0 && at < row->len);
		ck_assert_msg(fault == row->fault, "row %d in steps of %zu: %s", _i, step,
			      http_fault_name(fault));
		ck_assert_int_eq(result, row->fault == OK ? 1 : -1);
		if (result == 1)
			ck_assert_mem_eq(&once, &pieces, offsetof(struct http_response, field));
	}
}
END_TEST

static const struct facts_row {
	const char *text;
	int status;
	bool keep_alive, chunked, has_length, upgrade;
	uint64_t length;
	enum http_body_kind get, head;
} facts[] = {
#define NONE  HTTP_BODY_NONE
#define LEN   HTTP_BODY_LENGTH
#define CHUNK HTTP_BODY_CHUNKED
#define CLOSE HTTP_BODY_UNTIL_CLOSE
    {FIELDS("Content-Length: 12\r\n"), 200, 1, 0, 1, 0, 12, LEN, NONE},
    {FIELDS("Content-Length: 0\r\n"), 200, 1, 0, 1, 0, 0, LEN, NONE},
    {FIELDS("Transfer-Encoding: chunked\r\n"), 200, 1, 1, 0, 0, 0, CHUNK, NONE},
    {FIELDS(""), 200, 1, 0, 0, 0, 0, CLOSE, NONE},
    {FIELDS("Connection: close\r\n"), 200, 0, 0, 0, 0, 0, CLOSE, NONE},
    {FIELDS("Connection: Close\r\n"), 200, 0, 0, 0, 0, 0, CLOSE, NONE},
    {FIELDS("Connection: x, close , y\r\n"), 200, 0, 0, 0, 0, 0, CLOSE, NONE},
    {FIELDS("Connection: keep-alive\r\nConnection: close\r\n"), 200, 0, 0, 0, 0, 0, CLOSE, NONE},
    {FIELDS("Connection: closed\r\n"), 200, 1, 0, 0, 0, 0, CLOSE, NONE},
    {"HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\n", 200, 0, 0, 1, 0, 3, LEN, NONE},
    {"HTTP/1.0 200 OK\r\nContent-Length: 3\r\nConnection: keep-alive\r\n\r\n", 200, 1, 0, 1, 0, 3,
     LEN, NONE},
    {"HTTP/1.0 200 OK\r\nConnection: keep-alive, close\r\n\r\n", 200, 0, 0, 0, 0, 0, CLOSE, NONE},
    {"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", 304, 1, 0, 1, 0, 9, NONE, NONE},
    {"HTTP/1.1 204 No Content\r\n\r\n", 204, 1, 0, 0, 0, 0, NONE, NONE},
    {"HTTP/1.1 204 No Content\r\nContent-Length: 9\r\n\r\n", 204, 0, 0, 1, 0, 9, NONE, NONE},
    {"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n", 204, 1, 0, 1, 0, 0, NONE, NONE},
    {"HTTP/1.1 205 Reset\r\nContent-Length: 0\r\n\r\n", 205, 1, 0, 1, 0, 0, LEN, NONE},
    {"HTTP/1.1 100 Continue\r\n\r\n", 100, 1, 0, 0, 0, 0, NONE, NONE},
    {"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", 103, 1, 0, 0, 0, 0, NONE, NONE},
    {"HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n", 101, 1, 0, 0, 1,
     0, NONE, NONE},
    {"HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\n\r\n", 101, 1, 0, 0, 0, 0, NONE, NONE},
    {"HTTP/1.1 101 Switching\r\nConnection: upgrade\r\n\r\n", 101, 1, 0, 0, 0, 0, NONE, NONE},
    {"HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade:\r\n\r\n", 101, 1, 0, 0, 0, 0, NONE,
     NONE},
    {"HTTP/1.1 426 Upgrade\r\nConnection: upgrade\r\nUpgrade: h2c\r\nContent-Length: 0\r\n\r\n",
     426, 1, 0, 1, 1, 0, LEN, NONE},
#undef NONE
#undef LEN
#undef CHUNK
#undef CLOSE
};

START_TEST(reads_the_facts)
{
	const struct facts_row *row = &facts[_i];
	static struct http_response r;
	enum http_fault fault;

	ck_assert_int_eq(parse(row->text, strlen(row->text), &r, &fault), 1);
	ck_assert_int_eq(r.status, row->status);
	ck_assert_int_eq(r.keep_alive, row->keep_alive);
	ck_assert_int_eq(r.chunked, row->chunked);
	ck_assert_int_eq(r.has_length, row->has_length);
	ck_assert_int_eq(r.upgrade, row->upgrade);
	ck_assert_uint_eq(r.content_length, row->length);
	ck_assert_int_eq(http_response_body(&r, HTTP_GET), row->get);
	ck_assert_int_eq(http_response_body(&r, HTTP_POST), row->get);
	ck_assert_int_eq(http_response_body(&r, HTTP_HEAD), row->head);
	ck_assert_int_eq(http_response_body(&r, HTTP_CONNECT),
			 row->status < 300 ? HTTP_BODY_NONE : row->get);
}
END_TEST

static bool is(const char *base, struct http_span s, const char *text)
{
	return s.len == strlen(text) && memcmp(base + s.off, text, s.len) == 0;
}

START_TEST(finds_fields)
{
	static const char text[] = "HTTP/1.1 404 Not  Found\r\nserver: a b \r\nDate:c\r\n"
				   "SET-COOKIE: d=e\r\nX: y\r\nset-cookie:\tf=g\r\nlocation: /h\r\n"
				   "te: i\r\ntrailer: j\r\nupgrade: k\r\nkeep-alive: l\r\n"
				   "retry-after: 1\r\ncontent-type: m/n\r\nproxy-connection: o\r\n"
				   "proxy-authenticate: p\r\nconnection: q\r\n\r\nbody";
	static struct http_response r;
	enum http_fault fault;

	ck_assert_int_eq(parse(TEXT(text), &r, &fault), 1);
	ck_assert_uint_eq(r.head_len, sizeof text - 1 - 4);
	ck_assert_int_eq(r.fields, 15);
	ck_assert(is(text, r.reason, "Not  Found"));
	ck_assert(is(text, r.known[HTTP_R_SERVER], "a b"));
	ck_assert(is(text, r.known[HTTP_R_DATE], "c"));
	ck_assert(is(text, r.known[HTTP_R_SET_COOKIE], "d=e"));
	ck_assert(is(text, r.known[HTTP_R_LOCATION], "/h"));
	ck_assert(is(text, r.known[HTTP_R_TE], "i"));
	ck_assert(is(text, r.known[HTTP_R_TRAILER], "j"));
	ck_assert(is(text, r.known[HTTP_R_UPGRADE], "k"));
	ck_assert(is(text, r.known[HTTP_R_KEEP_ALIVE], "l"));
	ck_assert(is(text, r.known[HTTP_R_RETRY_AFTER], "1"));
	ck_assert(is(text, r.known[HTTP_R_CONTENT_TYPE], "m/n"));
	ck_assert(is(text, r.known[HTTP_R_PROXY_CONNECTION], "o"));
	ck_assert(is(text, r.known[HTTP_R_PROXY_AUTHENTICATE], "p"));
	ck_assert(is(text, r.known[HTTP_R_CONNECTION], "q"));
	ck_assert_uint_eq(r.known_several, 1u << HTTP_R_SET_COOKIE);
	ck_assert_int_eq(r.field[4].id, HTTP_R_SET_COOKIE);
	ck_assert(is(text, r.field[4].value, "f=g"));
	ck_assert_int_eq(r.field[3].id, HTTP_R_OTHER);
	ck_assert(is(text, r.field[3].name, "X"));
}
END_TEST

START_TEST(keeps_to_the_limits)
{
	static char text[8192];
	static struct http_response r;
	enum http_fault fault;
	size_t len = (size_t)sprintf(text, "HTTP/1.1 200 OK\r\n");
	uint32_t scanned = 0;

	for (int i = 0; i < 16; i++)
		len += (size_t)sprintf(text + len, "A: b\r\n");
	memcpy(text + len, "\r\n", 3);
	ck_assert_int_eq(parse(text, len + 2, &r, &fault), 1);
	memcpy(text + len, "A: b\r\n\r\n", 9);
	ck_assert_int_eq(parse(text, len + 8, &r, &fault), -1);
	ck_assert_int_eq(fault, HTTP_FAULT_TOO_MANY_FIELDS);
	memset(text + 17, 'a', sizeof text - 17);
	for (len = 1; len < limits.max_header; len++)
		ck_assert_int_eq(http_parse_response(text, len, &limits, &scanned, &r, &fault), 0);
	ck_assert_int_eq(http_parse_response(text, len, &limits, &scanned, &r, &fault), -1);
	ck_assert_int_eq(fault, HTTP_FAULT_HEAD_TOO_LARGE);
	/* A head of just that size is none too large. */
	memcpy(text + 17, "A:", 2);
	memcpy(text + limits.max_header - 4, "\r\n\r\n", 4);
	ck_assert_int_eq(parse(text, sizeof text, &r, &fault), 1);
	ck_assert_uint_eq(r.head_len, limits.max_header);
}
END_TEST

START_TEST(goes_from_one_to_the_next)
{
	static const char text[] = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nA: b\r\n\r\n"
				   "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
	static const int status[] = {100, 103, 200};
	static struct http_response r;
	enum http_fault fault;
	size_t at = 0;

	for (int i = 0; i < ROWS(status); i++) {
		ck_assert_int_eq(parse(text + at, sizeof text - 1 - at, &r, &fault), 1);
		ck_assert_int_eq(r.status, status[i]);
		at += r.head_len;
	}
	ck_assert_uint_eq(at, sizeof text - 1);
	ck_assert_int_eq(parse("", 0, &r, &fault), 0);
}
END_TEST

START_TEST(names_faults)
{
	for (int i = 0; i < HTTP_FAULTS; i++)
		ck_assert_ptr_nonnull(http_fault_name((enum http_fault)i));
	ck_assert_str_eq(http_fault_name(HTTP_FAULT_NONE), "none");
	ck_assert_str_eq(http_fault_name(HTTP_FAULT_STATUS_LINE), "status line");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("response");
	TCase *tc = tcase_create("response");
	SRunner *runner = srunner_create(s);
	int run, failed;

	suite_add_tcase(s, tc);
	tcase_add_loop_test(tc, says_what_is_wrong, 0, ROWS(verdicts));
	tcase_add_loop_test(tc, does_not_care_for_pieces, 0, ROWS(verdicts));
	tcase_add_loop_test(tc, reads_the_facts, 0, ROWS(facts));
	tcase_add_test(tc, finds_fields);
	tcase_add_test(tc, keeps_to_the_limits);
	tcase_add_test(tc, goes_from_one_to_the_next);
	tcase_add_test(tc, names_faults);
	srunner_run_all(runner, CK_ENV);
	run = srunner_ntests_run(runner);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return run == 0 || failed > 0;
}
