/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tests worker/http/parse.c: what is accepted and what comes out of it, what is refused and by
 * which name, and that neither depends on the pieces in which the bytes come. Each row of a table
 * is one loop test, so that a failure names its row and prints its bytes.
 */
#include <check.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "worker/http/parse.h"

#define TEXT(s)  (s), sizeof(s) - 1
#define ROWS(t)  ((int)(sizeof(t) / sizeof(t)[0]))
#define OK       HTTP_ACCEPTED
#define NO(kind) HTTP_REFUSED_##kind

/* A head around what a row is about. */
#define GET           "GET / HTTP/1.1\r\n"
#define POST          "POST / HTTP/1.1\r\nHost: a\r\n"
#define FIELD(line)   GET "Host: a\r\n" line "\r\n\r\n"
#define BODY(lines)   POST lines "\r\n\r\n"
#define BODY_10(line) "POST / HTTP/1.0\r\nHost: a\r\n" line "\r\n\r\n"
#define LINE(line)    line "\r\nHost: a\r\n\r\n"
#define TARGET(t)     LINE("GET " t " HTTP/1.1")
#define HOST(value)   GET "Host: " value "\r\n\r\n"

struct verdict_row {
	const char *text;
	size_t len;
	enum http_refusal refusal;
};

static const struct http_limits usual = {16384, 8192, 100};

static const struct verdict_row verdicts[] = {
    /* Request line. */
    {TEXT(LINE("GET / HTTP/1.1")), OK},
    {TEXT(LINE("\r\nGET / HTTP/1.1")), OK},
    {TEXT(LINE("\r\n\r\nGET / HTTP/1.1")), NO(LINE)},
    {TEXT(LINE("\nGET / HTTP/1.1")), NO(LINE)},
    {TEXT(LINE("\rGET / HTTP/1.1")), NO(LINE)},
    {TEXT(LINE(" GET / HTTP/1.1")), NO(METHOD)},
    {TEXT(LINE("GET  / HTTP/1.1")), NO(LINE)},
    {TEXT(LINE("GET /  HTTP/1.1")), NO(LINE)},
    {TEXT(LINE("GET / HTTP/1.1 ")), NO(LINE)},
    {TEXT(LINE("GET\t/ HTTP/1.1")), NO(METHOD)},
    {TEXT(LINE("GET /\tHTTP/1.1")), NO(TARGET)},
    {TEXT(LINE("GET / \tHTTP/1.1")), NO(VERSION)},
    {TEXT(LINE("GET / HTTP/1.1\t")), NO(VERSION)},
    {TEXT(LINE("GET / HTTP/1.1\r")), NO(LINE)},
    {TEXT("GET / HTTP/1.1\nHost: a\r\n\r\n"), NO(LINE)},
    {TEXT("GET / HTTP/1.1\n\n"), NO(LINE)},
    {TEXT("GET / HTTP/1.1\rHost: a\r\n\r\n"), NO(LINE)},
    {TEXT("GET /\r\n\r\n"), NO(VERSION)},
    {TEXT("GET /\n\n"), NO(LINE)},
    {TEXT("GET\r\n\r\n"), NO(METHOD)},
    {TEXT("GET \r\n\r\n"), NO(TARGET)},
    {TEXT("GET / \r\n\r\n"), NO(VERSION)},
    {TEXT(LINE("G@T / HTTP/1.1")), NO(METHOD)},
    {TEXT(LINE("GE\0T / HTTP/1.1")), NO(METHOD)},
    {TEXT(LINE("GET( / HTTP/1.1")), NO(METHOD)},
    {TEXT(LINE("G\xc3\x84T / HTTP/1.1")), NO(METHOD)},
    {TEXT(LINE("get / HTTP/1.1")), OK},
    {TEXT(LINE("PROPFIND / HTTP/1.1")), OK},
    {TEXT(LINE("M-SEARCH!#$%&'*+.^_`|~ / HTTP/1.1")), OK},
    {TEXT(LINE("ABCDEFGHIJKLMNOPQRSTUVWX / HTTP/1.1")), OK},
    {TEXT(LINE("ABCDEFGHIJKLMNOPQRSTUVWXY / HTTP/1.1")), NO(METHOD)},
    {TEXT("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"), NO(METHOD)},
    {TEXT("\x80\x2e\x01\x00\x02"), NO(METHOD)},
    {TEXT("\0\0\0\0"), NO(METHOD)},
    {TEXT("{\"json\": 1}\r\n\r\n"), NO(METHOD)},
    {TEXT("SSH-2.0-OpenSSH_9.2\r\n"), NO(METHOD)},
    {TEXT("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), NO(VERSION_UNSUPPORTED)},

    /* Version. */
    {TEXT(LINE("GET / HTTP/1.0")), OK},
    {TEXT(LINE("GET / HTTP/1.9")), OK},
    {TEXT(LINE("GET / HTTP/2.0")), NO(VERSION_UNSUPPORTED)},
    {TEXT(LINE("GET / HTTP/3.0")), NO(VERSION_UNSUPPORTED)},
    {TEXT(LINE("GET / HTTP/0.9")), NO(VERSION_UNSUPPORTED)},
    {TEXT(LINE("GET / HTTP/2")), NO(VERSION)},
    {TEXT(LINE("GET / http/1.1")), NO(VERSION)},
    {TEXT(LINE("GET / Http/1.1")), NO(VERSION)},
    {TEXT(LINE("GET / HTTP/1.")), NO(VERSION)},
    {TEXT(LINE("GET / HTTP/.1")), NO(VERSION)},
    {TEXT(LINE("GET / HTTP/1.10")), NO(VERSION)},
    {TEXT(LINE("GET / HTTP/01.1")), NO(VERSION)},
    {TEXT(LINE("GET / HTTP/11")), NO(VERSION)},
    {TEXT(LINE("GET / HTTP/1,1")), NO(VERSION)},
    {TEXT(LINE("GET / HTTP/a.1")), NO(VERSION)},
    {TEXT(LINE("GET / HTTPS/1.1")), NO(VERSION)},
    {TEXT(LINE("GET / ICAP/1.0")), NO(VERSION)},
    {TEXT(LINE("GET / HTTP 1.1")), NO(LINE)},
    {TEXT(LINE("GET /a b HTTP/1.1")), NO(VERSION)},

    /* Target. */
    {TEXT(TARGET("/a/b.html?x=1&y=%20")), OK},
    {TEXT(TARGET("/%zz")), OK}, /* the path's matter */
    {TEXT(TARGET("//a//b")), OK},
    {TEXT(TARGET("/a|b^c[1]~!$&'()*+,;=:@")), OK},
    {TEXT(TARGET("/?q={\"a\":[1|2]}^\\`<>")), OK},
    {TEXT(TARGET("/??a?b")), OK},
    {TEXT(TARGET("/a#b")), NO(TARGET)},
    {TEXT(TARGET("/a?b#c")), NO(TARGET)},
    {TEXT(TARGET("/a\"b")), NO(TARGET)},
    {TEXT(TARGET("/<b>")), NO(TARGET)},
    {TEXT(TARGET("/a\\b")), NO(TARGET)},
    {TEXT(TARGET("/{a}")), NO(TARGET)},
    {TEXT(TARGET("/a`b")), NO(TARGET)},
    {TEXT(TARGET("/a\0b")), NO(TARGET)},
    {TEXT(TARGET("/a\x01")), NO(TARGET)},
    {TEXT(TARGET("/a\x7f")), NO(TARGET)},
    {TEXT(TARGET("/\xc3\xa4")), NO(TARGET)},
    {TEXT(TARGET("/?\xc3\xa4")), NO(TARGET)},
    {TEXT(TARGET("/?a\x1f")), NO(TARGET)},
    {TEXT("GET /?a\nb HTTP/1.1\r\nHost: a\r\n\r\n"), NO(LINE)},
    {TEXT(TARGET("a")), NO(TARGET)},
    {TEXT(TARGET("?a")), NO(TARGET)},
    {TEXT(TARGET("*")), NO(TARGET)},
    {TEXT(LINE("OPTIONS * HTTP/1.1")), OK},
    {TEXT(LINE("OPTIONS *x HTTP/1.1")), NO(TARGET)},
    {TEXT(LINE("OPTIONS *?x HTTP/1.1")), NO(TARGET)},
    {TEXT(LINE("OPTIONS / HTTP/1.1")), OK},
    {TEXT(TARGET("http://b.example/x?y")), OK},
    {TEXT(TARGET("HTTPS://b.example")), OK},
    {TEXT(TARGET("http://b.example:8080/")), OK},
    {TEXT(TARGET("http://[::1]:8080/")), OK},
    {TEXT(TARGET("http://b.example:/")), OK},
    {TEXT(TARGET("http:///x")), NO(TARGET)},
    {TEXT(TARGET("http://")), NO(TARGET)},
    {TEXT(TARGET("http://?x")), NO(TARGET)},
    {TEXT(TARGET("http:/x")), NO(TARGET)},
    {TEXT(TARGET("http://u@b/")), NO(TARGET)},
    {TEXT(TARGET("http://u:p@b/")), NO(TARGET)},
    {TEXT(TARGET("http://b:65536/")), NO(TARGET)},
    {TEXT(TARGET("http://b:1x/")), NO(TARGET)},
    {TEXT(TARGET("http://[::1/")), NO(TARGET)},
    {TEXT(TARGET("http://b\\c/")), NO(TARGET)},
    {TEXT(TARGET("ftp://b/")), NO(TARGET)},
    {TEXT(TARGET("file:///etc/passwd")), NO(TARGET)},
    {TEXT(TARGET("httpx://b/")), NO(TARGET)},
    {TEXT("GET http://b/ HTTP/1.1\r\n\r\n"), NO(HOST_MISSING)},
    {TEXT("GET http://b/ HTTP/1.1\r\nHost: a b\r\n\r\n"), NO(HOST)},
    {TEXT("GET http://b/ HTTP/1.0\r\n\r\n"), OK},
    {TEXT(LINE("CONNECT b.example:443 HTTP/1.1")), OK},
    {TEXT(LINE("CONNECT [::1]:443 HTTP/1.1")), OK},
    {TEXT(LINE("CONNECT b.example HTTP/1.1")), NO(TARGET)},
    {TEXT(LINE("CONNECT b.example: HTTP/1.1")), NO(TARGET)},
    {TEXT(LINE("CONNECT b.example:99999 HTTP/1.1")), NO(TARGET)},
    {TEXT(LINE("CONNECT b.example:443/ HTTP/1.1")), NO(TARGET)},
    {TEXT(LINE("CONNECT b.example:443?x HTTP/1.1")), NO(TARGET)},
    {TEXT(LINE("CONNECT u@b.example:443 HTTP/1.1")), NO(TARGET)},
    {TEXT(LINE("CONNECT / HTTP/1.1")), NO(TARGET)},
    {TEXT(LINE("CONNECT http://b/ HTTP/1.1")), NO(TARGET)},
    {TEXT(TARGET("b.example:443")), NO(TARGET)},

    /* Fields. */
    {TEXT(FIELD("X: y")), OK},
    {TEXT(FIELD("X:y")), OK},
    {TEXT(FIELD("X:")), OK},
    {TEXT(FIELD("X: \t ")), OK},
    {TEXT(FIELD("X:\t y\t ")), OK},
    {TEXT(FIELD("X: a\tb")), OK},
    {TEXT(FIELD("X: \xe2\x82\xac and \xff")), OK},
    {TEXT(FIELD("X: : :: ,;\"")), OK},
    {TEXT(FIELD("!#$%&'*+-.^_`|~09azAZ: y")), OK},
    {TEXT(FIELD("X : y")), NO(FIELD_NAME)},
    {TEXT(FIELD("X\t: y")), NO(FIELD_NAME)},
    {TEXT(FIELD("X y: z")), NO(FIELD_NAME)},
    {TEXT(FIELD(": y")), NO(FIELD_NAME)},
    {TEXT(FIELD("X")), NO(FIELD_NAME)},
    {TEXT(FIELD("X\0: y")), NO(FIELD_NAME)},
    {TEXT(FIELD("X(: y")), NO(FIELD_NAME)},
    {TEXT(FIELD("\"X\": y")), NO(FIELD_NAME)},
    {TEXT(FIELD("\xc3\xa4: y")), NO(FIELD_NAME)},
    {TEXT(FIELD("X\xa0: y")), NO(FIELD_NAME)},
    {TEXT(FIELD("X\x7f: y")), NO(FIELD_NAME)},
    {TEXT(FIELD("X\x0b: y")), NO(FIELD_NAME)},
    {TEXT(FIELD("@: y")), NO(FIELD_NAME)},
    {TEXT(FIELD("X: a\0b")), NO(FIELD_VALUE)},
    {TEXT(FIELD("X: a\x01")), NO(FIELD_VALUE)},
    {TEXT(FIELD("X: \x0b")), NO(FIELD_VALUE)},
    {TEXT(FIELD("X: \x0c")), NO(FIELD_VALUE)},
    {TEXT(FIELD("X: \x1b[31m")), NO(FIELD_VALUE)},
    {TEXT(FIELD("X: \x7f")), NO(FIELD_VALUE)},
    {TEXT(FIELD("X: 0123456789abcdef0123456789abcde\x1f")), NO(FIELD_VALUE)},
    {TEXT(FIELD("X: a\nY: b")), NO(LINE)},
    {TEXT(FIELD("X: a\rY: b")), NO(LINE)},
    {TEXT(FIELD("X: a\r\r")), NO(LINE)},
    {TEXT(FIELD("X\n: a")), NO(LINE)},
    {TEXT(FIELD("X:\n a")), NO(LINE)},
    {TEXT(FIELD("X: a\r\n b")), NO(FOLDING)},
    {TEXT(FIELD("X: a\r\n\tb")), NO(FOLDING)},
    {TEXT(FIELD("X:\r\n a")), NO(FOLDING)},
    {TEXT(FIELD("X: a\r\n ")), NO(FOLDING)},
    {TEXT(GET " Host: a\r\n\r\n"), NO(LINE)},
    {TEXT(GET "\tHost: a\r\n\r\n"), NO(LINE)},
    {TEXT(GET "Host: a\r\n\n"), NO(LINE)},
    {TEXT(GET "Host: a\n\r\n"), NO(LINE)},
    {TEXT(GET "Host: a\r\n\rX\r\n"), NO(LINE)},
    {TEXT(GET "Host: a\r\n\r\r\n"), NO(LINE)},

    /* Host. */
    {TEXT(GET "\r\n"), NO(HOST_MISSING)},
    {TEXT(GET "X-Host: a\r\nHosts: a\r\nHos: a\r\n\r\n"), NO(HOST_MISSING)},
    {TEXT("GET / HTTP/1.0\r\n\r\n"), OK},
    {TEXT("GET / HTTP/1.9\r\n\r\n"), NO(HOST_MISSING)},
    {TEXT("GET / HTTP/1.0\r\nHost: a b\r\n\r\n"), NO(HOST)},
    {TEXT("GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n"), NO(HOST_SEVERAL)},
    {TEXT(GET "Host: a\r\nHost: a\r\n\r\n"), NO(HOST_SEVERAL)},
    {TEXT(GET "Host: a\r\nHOST: b\r\n\r\n"), NO(HOST_SEVERAL)},
    {TEXT(GET "Host:\r\nHost: b\r\n\r\n"), NO(HOST_SEVERAL)},
    {TEXT(HOST("")), NO(HOST)},
    {TEXT(HOST(" ")), NO(HOST)},
    {TEXT(HOST("www.example.org")), OK},
    {TEXT(HOST("www.example.org.")), OK},
    {TEXT(HOST("www.example.org:80")), OK},
    {TEXT(HOST("www.example.org:")), OK},
    {TEXT(HOST("www.example.org:65535")), OK},
    {TEXT(HOST("www.example.org:65536")), NO(HOST)},
    {TEXT(HOST("www.example.org:00080")), OK},
    {TEXT(HOST("www.example.org:000080")), NO(HOST)},
    {TEXT(HOST("www.example.org:80a")), NO(HOST)},
    {TEXT(HOST("www.example.org:-1")), NO(HOST)},
    {TEXT(HOST("www.example.org:80:80")), NO(HOST)},
    {TEXT(HOST(":80")), NO(HOST)},
    {TEXT(HOST("127.0.0.1:8080")), OK},
    {TEXT(HOST("a_b~c!$&'()*+;=-d")), OK},
    {TEXT(HOST("a,b")), NO(HOST)},
    {TEXT(HOST("a, b")), NO(HOST)},
    {TEXT(HOST("a b")), NO(HOST)},
    {TEXT(HOST("a\tb")), NO(HOST)},
    {TEXT(HOST("a/b")), NO(HOST)},
    {TEXT(HOST("a\\b")), NO(HOST)},
    {TEXT(HOST("a?b")), NO(HOST)},
    {TEXT(HOST("a#b")), NO(HOST)},
    {TEXT(HOST("u@a")), NO(HOST)},
    {TEXT(HOST("http://a")), NO(HOST)},
    {TEXT(HOST("%61")), NO(HOST)},
    {TEXT(HOST("\xc3\xa4")), NO(HOST)},
    {TEXT(HOST("\"a\"")), NO(HOST)},
    {TEXT(HOST(".")), NO(HOST)},
    {TEXT(HOST("..")), NO(HOST)},
    {TEXT(HOST(".example.org")), NO(HOST)},
    {TEXT(HOST("[::1]")), OK},
    {TEXT(HOST("[::1]:8080")), OK},
    {TEXT(HOST("[2001:DB8::ffff:192.0.2.1]")), OK},
    {TEXT(HOST("[::1")), NO(HOST)},
    {TEXT(HOST("[]")), NO(HOST)},
    {TEXT(HOST("[")), NO(HOST)},
    {TEXT(HOST("::1")), NO(HOST)},
    {TEXT(HOST("[::1]x")), NO(HOST)},
    {TEXT(HOST("[::1]80")), NO(HOST)},
    {TEXT(HOST("[::1]:x")), NO(HOST)},
    {TEXT(HOST("[::g]")), NO(HOST)},
    {TEXT(HOST("[1.2.3.4]")), NO(HOST)},
    {TEXT(HOST("[fe80::1%25eth0]")), NO(HOST)},
    {TEXT(HOST("[v1.x]")), NO(HOST)},
    {TEXT(HOST("[0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000]")), NO(HOST)},

    /* Content-Length. */
    {TEXT(BODY("Content-Length: 0")), OK},
    {TEXT(BODY("Content-Length: 12")), OK},
    {TEXT(BODY("content-LENGTH:\t12\t")), OK},
    {TEXT(BODY("Content-Length: 0012")), OK},
    {TEXT(BODY("Content-Length: 9223372036854775807")), OK},
    {TEXT(BODY("Content-Length: 9223372036854775808")), NO(LENGTH)},
    {TEXT(BODY("Content-Length: 18446744073709551616")), NO(LENGTH)},
    {TEXT(BODY("Content-Length: 18446744073709551628")), NO(LENGTH)},
    {TEXT(BODY("Content-Length: 99999999999999999999999999999999")), NO(LENGTH)},
    {TEXT(BODY("Content-Length:")), NO(LENGTH)},
    {TEXT(BODY("Content-Length: +1")), NO(LENGTH)},
    {TEXT(BODY("Content-Length: -1")), NO(LENGTH)},
    {TEXT(BODY("Content-Length: 0x10")), NO(LENGTH)},
    {TEXT(BODY("Content-Length: 1_0")), NO(LENGTH)},
    {TEXT(BODY("Content-Length: 1e3")), NO(LENGTH)},
    {TEXT(BODY("Content-Length: 1.0")), NO(LENGTH)},
    {TEXT(BODY("Content-Length: 1 0")), NO(LENGTH)},
    {TEXT(BODY("Content-Length: \"1\"")), NO(LENGTH)},
    {TEXT(BODY("Content-Length: 1;")), NO(LENGTH)},
    {TEXT(BODY("Content-Length: a")), NO(LENGTH)},
    {TEXT(BODY("Content-Length: 5, 5")), NO(LENGTH)},
    {TEXT(BODY("Content-Length: 5, 6")), NO(LENGTH)},
    {TEXT(BODY("Content-Length: ,5")), NO(LENGTH)},
    {TEXT(BODY("Content-Length: \xb2")), NO(LENGTH)},
    {TEXT(BODY("Content-Length: 5\r\nContent-Length: 5")), NO(LENGTH)},
    {TEXT(BODY("Content-Length: 5\r\ncontent-length: 6")), NO(LENGTH)},
    {TEXT(BODY("Content-Length: 5\r\nX: y\r\nContent-Length:")), NO(LENGTH)},
    {TEXT(BODY("Content-Length : 5")), NO(FIELD_NAME)},
    {TEXT(BODY("Content_Length: x")), OK}, /* another name: not ours */
    {TEXT(BODY_10("Content-Length: 5")), OK},
    {TEXT(BODY_10("Content-Length: 5, 5")), NO(LENGTH)},

    /* Transfer-Encoding, alone and against Content-Length. */
    {TEXT(BODY("Transfer-Encoding: chunked")), OK},
    {TEXT(BODY("transfer-encoding: CHUNKED")), OK},
    {TEXT(BODY("Transfer-Encoding:\tchunked ")), OK},
    {TEXT(BODY("Transfer-Encoding : chunked")), NO(FIELD_NAME)},
    {TEXT(BODY("Transfer-Encoding\t: chunked")), NO(FIELD_NAME)},
    {TEXT(BODY("Transfer-Encoding: \x0b"
	       "chunked")),
     NO(FIELD_VALUE)},
    {TEXT(BODY("Transfer-Encoding: chunked\x0b")), NO(FIELD_VALUE)},
    {TEXT(BODY("Transfer-Encoding: chunked\0")), NO(FIELD_VALUE)},
    {TEXT(BODY("Transfer-Encoding:\r\n chunked")), NO(FOLDING)},
    {TEXT(BODY("Transfer-Encoding: chunked\nX: y")), NO(LINE)},
    {TEXT(BODY("Transfer-Encoding:")), NO(TRANSFER_CODING)},
    {TEXT(BODY("Transfer-Encoding: chunked, chunked")), NO(TRANSFER_CODING)},
    {TEXT(BODY("Transfer-Encoding: chunked, gzip")), NO(TRANSFER_CODING)},
    {TEXT(BODY("Transfer-Encoding: chunked, identity")), NO(TRANSFER_CODING)},
    {TEXT(BODY("Transfer-Encoding: chunked,")), NO(TRANSFER_CODING)},
    {TEXT(BODY("Transfer-Encoding: , chunked")), NO(TRANSFER_CODING)},
    {TEXT(BODY("Transfer-Encoding: \"chunked\"")), NO(TRANSFER_CODING)},
    {TEXT(BODY("Transfer-Encoding: 'chunked'")), NO(CODING_UNSUPPORTED)},
    {TEXT(BODY("Transfer-Encoding: chunked;q=1")), NO(TRANSFER_CODING)},
    {TEXT(BODY("Transfer-Encoding: chun ked")), NO(TRANSFER_CODING)},
    {TEXT(BODY("Transfer-Encoding: chunked=1")), NO(TRANSFER_CODING)},
    {TEXT(BODY("Transfer-Encoding: \xff"
	       "chunked")),
     NO(TRANSFER_CODING)},
    {TEXT(BODY("Transfer-Encoding: gzip")), NO(CODING_UNSUPPORTED)},
    {TEXT(BODY("Transfer-Encoding: identity")), NO(CODING_UNSUPPORTED)},
    {TEXT(BODY("Transfer-Encoding: gzip, chunked")), NO(CODING_UNSUPPORTED)},
    {TEXT(BODY("Transfer-Encoding: gzip;level=1, chunked")), NO(CODING_UNSUPPORTED)},
    {TEXT(BODY("Transfer-Encoding: xchunked")), NO(CODING_UNSUPPORTED)},
    {TEXT(BODY("Transfer-Encoding: chunke")), NO(CODING_UNSUPPORTED)},
    {TEXT(BODY("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked")), NO(TRANSFER_CODING)},
    {TEXT(BODY("Transfer-Encoding: chunked\r\ntransfer-encoding: x")), NO(TRANSFER_CODING)},
    {TEXT(BODY("Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked")), NO(TRANSFER_CODING)},
    {TEXT(BODY("Transfer-Encoding: chunked\r\nContent-Length: 5")), NO(FRAMING)},
    {TEXT(BODY("Content-Length: 5\r\nTransfer-Encoding: chunked")), NO(FRAMING)},
    {TEXT(BODY("Content-Length: 0\r\nTransfer-Encoding: chunked")), NO(FRAMING)},
    {TEXT(BODY("Content-Length: 5\r\nTransfer-Encoding: identity")), NO(FRAMING)},
    {TEXT(BODY("Content-Length: x\r\nTransfer-Encoding: xchunked")), NO(FRAMING)},
    {TEXT(BODY("Content-Length:\r\nTransfer-Encoding:")), NO(FRAMING)},
    {TEXT(BODY_10("Transfer-Encoding: chunked")), NO(TRANSFER_CODING)},
    {TEXT(BODY_10("Transfer-Encoding: chunked\r\nContent-Length: 5")), NO(TRANSFER_CODING)},
    {TEXT(FIELD("Transfer-Encoding: chunked")), OK}, /* GET may have a body */
    {TEXT(BODY("X-Transfer-Encoding: chunked\r\nContent-Length: 5")), OK},

    /* Expect. */
    {TEXT(BODY("Expect: 100-continue")), OK},
    {TEXT(BODY("expect: 100-Continue")), OK},
    {TEXT(BODY("Expect: 100-continue, x")), NO(EXPECT)},
    {TEXT(BODY("Expect: 100-continued")), NO(EXPECT)},
    {TEXT(BODY("Expect: 200-ok")), NO(EXPECT)},
    {TEXT(BODY("Expect:")), NO(EXPECT)},
    {TEXT(BODY("Expect: 100-continue\r\nExpect: x")), NO(EXPECT)},
    {TEXT(BODY_10("Expect: x")), OK},
};

static struct http_request req, again;

/* The printable form of the bytes, for a failure's message. */
static const char *show(const char *text, size_t len)
{
	static char out[4096];
	size_t n = 0;

	for (size_t i = 0; i < len && n < sizeof out - 8; i++)
		n += (size_t)snprintf(out + n, 5,
				      isprint((unsigned char)text[i]) ? "%c" : "\\x%02x",
				      (unsigned char)text[i]);
	out[n] = '\0';
	return out;
}

/* In memory of exactly that size, so that a sanitizer sees a byte read beyond it. */
static int parse_copy(const char *text, size_t len, const struct http_limits *limits,
		      uint32_t *scanned, struct http_request *r, enum http_refusal *why)
{
	char *copy = malloc(len ? len : 1);
	int verdict;

	ck_assert_ptr_nonnull(copy);
	memcpy(copy, text, len);
	verdict = http_parse(copy, len, limits, scanned, r, why);
	free(copy);
	return verdict;
}

/* Gives the first piece bytes, then step more each time until there is a verdict. *at_out: how many
 * bytes had been given then. */
static int parse_pieces(const char *text, size_t len, size_t piece, size_t step,
			const struct http_limits *limits, struct http_request *r,
			enum http_refusal *why, size_t *at_out)
{
	uint32_t scanned = 0;
	size_t at = piece;
	int verdict;

	for (;;) {
		verdict = parse_copy(text, at, limits, &scanned, r, why);
		if (verdict != 0 || at == len)
			break;
		ck_assert_uint_eq(scanned, at);
		at = len - at < step ? len : at + step;
	}
	*at_out = at;
	return verdict;
}

static bool same_request(const struct http_request *a, const struct http_request *b)
{
	if (memcmp(a, b, offsetof(struct http_request, field)) != 0)
		return false;
	for (int i = 0; i < a->fields; i++)
		if (memcmp(&a->field[i].name, &b->field[i].name, sizeof a->field[i].name) != 0 ||
		    memcmp(&a->field[i].value, &b->field[i].value, sizeof a->field[i].value) != 0 ||
		    a->field[i].id != b->field[i].id)
			return false;
	return true;
}

START_TEST(verdict)
{
	const struct verdict_row *row = &verdicts[_i];
	enum http_refusal why = HTTP_REFUSALS;
	uint32_t scanned = 0;
	int whole = parse_copy(row->text, row->len, &usual, &scanned, &req, &why);

	ck_assert_msg(why == row->refusal, "%s: %s, not %s", show(row->text, row->len),
		      http_refusal_name(why), http_refusal_name(row->refusal));
	ck_assert_int_eq(whole, row->refusal == OK ? 1 : -1);
	if (whole == 1)
		ck_assert_uint_eq(req.head_len, row->len);

	for (size_t piece = 0; piece <= row->len; piece++) {
		size_t step = piece == 0 ? 1 : row->len, at;
		int v = parse_pieces(row->text, row->len, piece, step, &usual, &again, &why, &at);

		ck_assert_msg(v == whole && why == row->refusal, "%s: cut at %zu, then by %zu: %s",
			      show(row->text, row->len), piece, step, http_refusal_name(why));
		ck_assert(v < 0 || (same_request(&req, &again) && at == row->len));
	}
}
END_TEST

/* Refused as soon as the last of these bytes is there, and not before. */
static const struct verdict_row early[] = {
    {TEXT("\x16"), NO(METHOD)},
    {TEXT(" "), NO(METHOD)},
    {TEXT("\n"), NO(LINE)},
    {TEXT("\rG"), NO(LINE)},
    {TEXT("\r\n\r"), NO(LINE)},
    {TEXT("GET\x01"), NO(METHOD)},
    {TEXT("GET\r"), NO(METHOD)},
    {TEXT("ABCDEFGHIJKLMNOPQRSTUVWXY"), NO(METHOD)},
    {TEXT("GET  "), NO(LINE)},
    {TEXT("GET /\x01"), NO(TARGET)},
    {TEXT("GET /\x80"), NO(TARGET)},
    {TEXT("GET /\r"), NO(VERSION)},
    {TEXT("GET / X"), NO(VERSION)},
    {TEXT("GET / HTTP/1.1X"), NO(VERSION)},
    {TEXT("GET / HTTP/1.1\n"), NO(LINE)},
    {TEXT("GET / HTTP/1.1\rX"), NO(LINE)},
    {TEXT("GET / HTTP/2.0\r\n"), NO(VERSION_UNSUPPORTED)},
    {TEXT("GET a HTTP/1.1\r\n"), NO(TARGET)},
    {TEXT("GET /0123456789abcdef0123456789abcdef\x01"), NO(TARGET)},
    {TEXT("GET /0123456789abcdef0123456789abcdef\n"), NO(LINE)},
    {TEXT("GET /0123456789abcdef0123456789abcdef HTTP/3.1\r\n"), NO(VERSION_UNSUPPORTED)},
    {TEXT("\r\nGET x0123456789abcdef0123456789abcdef HTTP/1.1\r\n"), NO(TARGET)},
    {TEXT("GET / HTTP/1.1\r\nHost: 0123456789abcdef\x01"), NO(FIELD_VALUE)},
    {TEXT("GET / HTTP/1.1\r\nHost: 0123456789abcdef\n"), NO(LINE)},
    {TEXT("GET / HTTP/1.1\r\nHost: 0123456789abcdef\rX"), NO(LINE)},
    {TEXT("GET / HTTP/1.1\r\nHost: a\r\n0123456789abcdef\x01"), NO(FIELD_NAME)},
};

START_TEST(refused_early)
{
	const struct verdict_row *row = &early[_i];
	enum http_refusal why;
	size_t at;

	for (size_t piece = 0; piece <= row->len; piece += row->len) {
		int v = parse_pieces(row->text, row->len, piece, 1, &usual, &req, &why, &at);

		ck_assert_int_eq(v, -1);
		ck_assert_msg(why == row->refusal, "%s: %s", show(row->text, row->len),
			      http_refusal_name(why));
		ck_assert_uint_eq(at, row->len);
	}
}
END_TEST

enum {
	KEEP = 1,
	CHUNKED = 2,
	CONTINUE = 4,
	ABSOLUTE = 8
};

struct result_row {
	const char *head;
	enum http_method method;
	int minor;
	const char *path, *query, *host;
	unsigned flags;
	long long length; /* -1: none given */
};

static const struct result_row results[] = {
    {GET "Host: a\r\n\r\n", HTTP_GET, 1, "/", "", "a", KEEP, -1},
    {"\r\n" GET "Host: a\r\n\r\n", HTTP_GET, 1, "/", "", "a", KEEP, -1},
    {"HEAD /x?y=1 HTTP/1.1\r\nHost: a:80\r\n\r\n", HTTP_HEAD, 1, "/x", "y=1", "a", KEEP, -1},
    {"PUT /x? HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", HTTP_PUT, 1, "/x", "", "[::1]", KEEP, -1},
    {"DELETE /??x HTTP/1.1\r\nHost: a:\r\n\r\n", HTTP_DELETE, 1, "/", "?x", "a", KEEP, -1},
    {"PATCH / HTTP/1.7\r\nHost: A.b\r\n\r\n", HTTP_PATCH, 1, "/", "", "A.b", KEEP, -1},
    {"TRACE / HTTP/1.1\r\nHost: a\r\n\r\n", HTTP_TRACE, 1, "/", "", "a", KEEP, -1},
    {"BREW / HTTP/1.1\r\nHost: a\r\n\r\n", HTTP_OTHER, 1, "/", "", "a", KEEP, -1},
    {"get / HTTP/1.1\r\nHost: a\r\n\r\n", HTTP_OTHER, 1, "/", "", "a", KEEP, -1},
    {"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", HTTP_OPTIONS, 1, "*", "", "a", KEEP, -1},
    {"CONNECT b:443 HTTP/1.1\r\nHost: a\r\n\r\n", HTTP_CONNECT, 1, "b:443", "", "b", KEEP, -1},
    {"GET http://b:81/x?y HTTP/1.1\r\nHost: a\r\n\r\n", HTTP_GET, 1, "/x", "y", "b",
     KEEP | ABSOLUTE, -1},
    {"GET HTTPS://B?y/z HTTP/1.1\r\nHost: a\r\n\r\n", HTTP_GET, 1, "", "y/z", "B", KEEP | ABSOLUTE,
     -1},
    {"GET http://[::1] HTTP/1.0\r\n\r\n", HTTP_GET, 0, "", "", "[::1]", ABSOLUTE, -1},
    {"GET / HTTP/1.0\r\n\r\n", HTTP_GET, 0, "/", "", "", 0, -1},
    {"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", HTTP_GET, 0, "/", "", "", KEEP, -1},
    {"GET / HTTP/1.0\r\nConnection: x, keep-alive\r\n\r\n", HTTP_GET, 0, "/", "", "", KEEP, -1},
    {"GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n", HTTP_GET, 0, "/", "", "", 0, -1},
    {"GET / HTTP/1.0\r\nConnection: keep-alives\r\n\r\n", HTTP_GET, 0, "/", "", "", 0, -1},
    {GET "Host: a\r\nConnection: close\r\n\r\n", HTTP_GET, 1, "/", "", "a", 0, -1},
    {GET "Host: a\r\nConnection: ,Upgrade ,\tCLOSE\t\r\n\r\n", HTTP_GET, 1, "/", "", "a", 0, -1},
    {GET "Host: a\r\nConnection: keep-alive\r\nConnection: close\r\n\r\n", HTTP_GET, 1, "/", "",
     "a", 0, -1},
    {GET "Connection: close\r\nHost: a\r\nConnection: keep-alive\r\n\r\n", HTTP_GET, 1, "/", "",
     "a", 0, -1},
    {GET "Host: a\r\nConnection: closed, enclose, clo se\r\n\r\n", HTTP_GET, 1, "/", "", "a", KEEP,
     -1},
    {GET "Host: a\r\nConnection:\r\n\r\n", HTTP_GET, 1, "/", "", "a", KEEP, -1},
    {BODY("Content-Length: 0"), HTTP_POST, 1, "/", "", "a", KEEP, 0},
    {BODY("Content-Length: 9223372036854775807"), HTTP_POST, 1, "/", "", "a", KEEP,
     9223372036854775807},
    {BODY("Content-Length: 007\r\nExpect: 100-continue"), HTTP_POST, 1, "/", "", "a",
     KEEP | CONTINUE, 7},
    {BODY_10("Content-Length: 7\r\nExpect: 100-continue"), HTTP_POST, 0, "/", "", "a", 0, 7},
    {BODY("Transfer-Encoding: Chunked"), HTTP_POST, 1, "/", "", "a", KEEP | CHUNKED, -1},
};

static void expect_span(const char *head, struct http_span s, const char *text)
{
	ck_assert_msg(s.len == strlen(text) && memcmp(head + s.off, text, s.len) == 0,
		      "%.*s, not %s", (int)s.len, head + s.off, text);
}

START_TEST(result)
{
	const struct result_row *row = &results[_i];
	enum http_refusal why;
	uint32_t scanned = 0;

	ck_assert_int_eq(http_parse(row->head, strlen(row->head), &usual, &scanned, &req, &why), 1);
	ck_assert_int_eq(req.method, row->method);
	ck_assert_int_eq(req.minor, row->minor);
	expect_span(row->head, req.path, row->path);
	expect_span(row->head, req.query, row->query);
	expect_span(row->head, req.host, row->host);
	ck_assert_int_eq(req.keep_alive, (row->flags & KEEP) != 0);
	ck_assert_int_eq(req.close_requested, !(row->flags & KEEP));
	ck_assert_int_eq(req.chunked, (row->flags & CHUNKED) != 0);
	ck_assert_int_eq(req.expect_continue, (row->flags & CONTINUE) != 0);
	ck_assert_int_eq(req.absolute, (row->flags & ABSOLUTE) != 0);
	ck_assert_int_eq(req.has_length, row->length >= 0);
	ck_assert_int_eq((long long)req.content_length, row->length < 0 ? 0 : row->length);
	if (row->method != HTTP_OTHER)
		expect_span(row->head, req.method_text, http_method_name(row->method));
}
END_TEST

START_TEST(fields)
{
	static const char head[] = GET
	    "Host: a\r\nX-One: \t 1 \t\r\nrange: b\r\nEmpty:\r\nReferer:\r\n"
	    "Range: c\r\nx-forwarded-for: d\r\n\r\nrest";
	static const struct {
		const char *name, *value;
		enum http_field_id id;
	} want[] = {
	    {"Host", "a", HTTP_F_HOST},
	    {"X-One", "1", HTTP_F_OTHER},
	    {"range", "b", HTTP_F_RANGE},
	    {"Empty", "", HTTP_F_OTHER},
	    {"Referer", "", HTTP_F_REFERER},
	    {"Range", "c", HTTP_F_RANGE},
	    {"x-forwarded-for", "d", HTTP_F_X_FORWARDED_FOR},
	};
	enum http_refusal why;
	uint32_t scanned = 0;

	ck_assert_int_eq(http_parse(TEXT(head), &usual, &scanned, &req, &why), 1);
	ck_assert_str_eq(head + req.head_len, "rest");
	ck_assert_int_eq(req.fields, ROWS(want));
	for (int i = 0; i < ROWS(want); i++) {
		expect_span(head, req.field[i].name, want[i].name);
		expect_span(head, req.field[i].value, want[i].value);
		ck_assert_int_eq(req.field[i].id, want[i].id);
	}
	expect_span(head, req.known[HTTP_F_RANGE], "b");
	ck_assert_uint_eq(req.known_several, 1u << HTTP_F_RANGE);
	ck_assert_uint_ne(req.known[HTTP_F_REFERER].off, 0);
	ck_assert_uint_eq(req.known[HTTP_F_IF_RANGE].off, 0);
}
END_TEST

static const char *const known_names[] = {
#define X(sym, text) [HTTP_F_##sym] = text,
    HTTP_KNOWN_FIELDS(X)
#undef X
};

static int id_of(const char *name)
{
	char head[128];
	enum http_refusal why;
	uint32_t scanned = 0;

	snprintf(head, sizeof head, "GET / HTTP/1.0\r\n%s: 1\r\n\r\n", name);
	http_parse(head, strlen(head), &usual, &scanned, &req, &why);
	ck_assert_uint_eq(req.fields, 1);
	return req.field[0].id;
}

/* Each known name is recognised in any case, and no name that differs in one byte or in length. */
START_TEST(known_name)
{
	const char *known = known_names[_i];
	char name[80];

	ck_assert_int_eq(id_of(known), _i);
	for (size_t i = 0; i < strlen(known); i++) {
		strcpy(name, known);
		name[i] = (char)toupper(known[i]);
		ck_assert_msg(id_of(name) == _i, "%s", name);
		name[i] = known[i] == 'x' ? 'y' : 'x';
		ck_assert_msg(id_of(name) == HTTP_F_OTHER, "%s", name);
		name[i] = known[i] == '-' ? '_' : '-';
		ck_assert_msg(id_of(name) == HTTP_F_OTHER, "%s", name);
	}
	strcpy(name, known);
	strcat(name, "x");
	ck_assert_int_eq(id_of(name), HTTP_F_OTHER);
	name[strlen(known) - 1] = '\0';
	ck_assert_int_eq(id_of(name), HTTP_F_OTHER);
}
END_TEST

static bool is_in(int c, const char *set)
{
	return c != 0 && strchr(set, c);
}

static enum http_refusal name_verdict(int c)
{
	if (c == '\n')
		return NO(LINE);
	return isalnum(c) || is_in(c, "!#$%&'*+-.^_`|~:") ? OK : NO(FIELD_NAME);
}

static enum http_refusal value_verdict(int c)
{
	if (c == '\n' || c == '\r')
		return NO(LINE);
	return (c < ' ' && c != '\t') || c == 0x7f ? NO(FIELD_VALUE) : OK;
}

static enum http_refusal path_verdict(int c)
{
	if (c == '\n')
		return NO(LINE);
	if (c == '\r' || c == ' ')
		return NO(VERSION);
	return c < ' ' || c > '~' || is_in(c, "\"#<>\\`{}") ? NO(TARGET) : OK;
}

static enum http_refusal query_verdict(int c)
{
	return is_in(c, "\"<>\\`{}") ? OK : path_verdict(c);
}

static enum http_refusal host_verdict(int c)
{
	if (isalnum(c) || is_in(c, "-._~!$&'()*+;="))
		return OK;
	return value_verdict(c) == OK ? NO(HOST) : value_verdict(c);
}

static const struct place {
	const char *before, *after;
	enum http_refusal (*verdict)(int c);
} places[] = {
    {GET "Host: a\r\nX", "X: y\r\n\r\n", name_verdict},
    {GET "Host: a\r\nX: y", "y\r\n\r\n", value_verdict},
    {"GET /", "/ HTTP/1.1\r\nHost: a\r\n\r\n", path_verdict},
    {"GET /?", "x HTTP/1.1\r\nHost: a\r\n\r\n", query_verdict},
    {GET "Host: a", "\r\n\r\n", host_verdict},
};

static void try_byte(const struct place *place, int byte, size_t at)
{
	static const char run[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
	char head[256];
	enum http_refusal why;
	uint32_t scanned = 0;
	int n = snprintf(head, sizeof head, "%s%s%s", place->before, run, place->after);

	head[strlen(place->before) + at] = (char)byte;
	parse_copy(head, (size_t)n, &usual, &scanned, &req, &why);
	if (why != place->verdict(byte))
		ck_abort_msg("byte %02x at %zu after %s: %s", byte, at, place->before,
			     http_refusal_name(why));
}

/* Every byte at every place of a run that is longer than two vectors, but its end. */
START_TEST(byte_classes)
{
	for (int byte = 0; byte < 256; byte++)
		for (size_t at = 0; at < 40; at++)
			try_byte(&places[_i], byte, at);
}
END_TEST

/* A head of exactly size bytes, of which the target or a field takes the most. */
static void make_head(char *head, size_t size, bool in_target)
{
	const char *before = in_target ? "GET /" : GET "Host: a\r\nX: ";
	const char *after = in_target ? " HTTP/1.1\r\nHost: a\r\n\r\n" : "\r\n\r\n";

	memset(head, 'x', size);
	memcpy(head, before, strlen(before));
	memcpy(head + size - strlen(after), after, strlen(after));
}

static const struct limit_row {
	size_t size;
	bool in_target;
	struct http_limits limits;
	enum http_refusal refusal;
	size_t refused_at; /* with how many bytes, if the limit shows before the head is whole */
} limit_rows[] = {
    {300, false, {300, 64, 2}, OK, 0},
    {301, false, {300, 64, 2}, NO(HEAD_TOO_LARGE), 300},
    {900, false, {300, 64, 2}, NO(HEAD_TOO_LARGE), 300},
    {900, false, {900, 64, 1}, NO(TOO_MANY_FIELDS), 0},
    {300, true, {300, 274, 2}, OK, 0},
    {300, true, {300, 273, 2}, NO(URI_TOO_LONG), 4 + 274},
    {900, true, {1000, 64, 2}, NO(URI_TOO_LONG), 4 + 65},
    {900, true, {1000, 1, 2}, NO(URI_TOO_LONG), 4 + 2},
    {900, true, {200, 2000, 2}, NO(HEAD_TOO_LARGE), 200},
};

START_TEST(limit)
{
	const struct limit_row *row = &limit_rows[_i];
	static char head[1024];
	size_t len = row->size, at;
	enum http_refusal why;

	make_head(head, len, row->in_target);
	for (size_t piece = 0; piece <= len; piece += len / 7) {
		for (size_t step = 1; step < 1000; step = step * 3 + 1) {
			int v = parse_pieces(head, len, piece, step, &row->limits, &req, &why, &at);

			ck_assert_msg(why == row->refusal, "cut at %zu, then by %zu: %s", piece,
				      step, http_refusal_name(why));
			ck_assert_int_eq(v, row->refusal == OK ? 1 : -1);
			if (row->refused_at > 0 && piece <= row->refused_at)
				ck_assert_uint_lt(at, row->refused_at + step);
		}
	}
}
END_TEST

START_TEST(most_fields)
{
	char head[4096] = "GET / HTTP/1.0\r\n";
	struct http_limits limits = {sizeof head, 64, 1000};
	enum http_refusal why;
	uint32_t scanned = 0;

	for (int i = 0; i < HTTP_FIELDS_MAX; i++)
		strcat(head, "A: b\r\n");
	ck_assert_int_eq(http_parse(head, strlen(head), &limits, &scanned, &req, &why), 0);
	strcat(head, "C: d\r\n");
	ck_assert_int_eq(http_parse(head, strlen(head), &limits, &scanned, &req, &why), 0);
	strcat(head, "\r\n");
	ck_assert_int_eq(http_parse(head, strlen(head), &limits, &scanned, &req, &why), -1);
	ck_assert_int_eq(why, NO(TOO_MANY_FIELDS));
	strcpy(head + strlen(head) - 8, "\r\n");
	scanned = 0;
	ck_assert_int_eq(http_parse(head, strlen(head), &limits, &scanned, &req, &why), 1);
	ck_assert_int_eq(req.fields, HTTP_FIELDS_MAX);
}
END_TEST

/* A host may have 255 bytes. */
START_TEST(host_length)
{
	char head[600];
	enum http_refusal why;
	uint32_t scanned = 0;
	int n = snprintf(head, sizeof head, GET "Host: %0*d:80\r\n\r\n", _i, 0);

	http_parse(head, (size_t)n, &usual, &scanned, &req, &why);
	ck_assert_int_eq(why, _i <= 255 ? OK : NO(HOST));
}
END_TEST

/* What a refusal's log line needs is there as far as it was read. */
START_TEST(refused_request_is_named)
{
	static const struct {
		const char *head, *method, *target;
	} rows[] = {
	    {"G@T / HTTP/1.1\r\n\r\n", "", ""},
	    {"BREW /\x01 HTTP/1.1\r\n\r\n", "BREW", ""},
	    {"GET /x?y HTTP/3.0\r\n\r\n", "GET", "/x?y"},
	    {"GET /x?y HTTP/1.1\r\n\r\n", "GET", "/x?y"},
	    {"GET x HTTP/1.1\r\n\r\n", "GET", "x"},
	    {"GET /x HTTP/1.1\r\nA : b\r\n\r\n", "GET", "/x"},
	};
	enum http_refusal why;

	for (int i = 0; i < ROWS(rows); i++) {
		uint32_t scanned = 0;

		memset(&req, 0xff, sizeof req);
		ck_assert_int_eq(
		    http_parse(rows[i].head, strlen(rows[i].head), &usual, &scanned, &req, &why),
		    -1);
		expect_span(rows[i].head, req.method_text, rows[i].method);
		expect_span(rows[i].head, req.target, rows[i].target);
	}
}
END_TEST

/* Pipelined: the first head ends where the second begins, which is parsed in place. */
START_TEST(pipelined)
{
	/* Not const: gcc 12 would take the length of second from a head_len read too late. */
	static char two[] = "GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /22 HTTP/1.1\r\nHost: b\r\n\r\n";
	enum http_refusal why;
	uint32_t scanned = 0;
	const char *second;

	ck_assert_int_eq(http_parse(TEXT(two), &usual, &scanned, &req, &why), 1);
	expect_span(two, req.path, "/1");
	ck_assert_uint_eq(scanned, 0);
	second = two + req.head_len;
	ck_assert_int_eq(http_parse(second, strlen(second), &usual, &scanned, &req, &why), 1);
	expect_span(second, req.path, "/22");
	ck_assert_uint_eq(req.head_len, strlen(second));
}
END_TEST

/*
 * A megabyte that comes in single bytes: were all of it read again for each, this would take
 * minutes and run into the test's time limit.
 */
START_TEST(trickle_is_linear)
{
	static char head[1 << 20];
	struct http_limits limits = {sizeof head + 1, 8192, 100};
	enum http_refusal why;
	uint32_t scanned = 0;
	size_t start = sizeof GET - 1;

	memcpy(head, GET, start);
	memset(head + start, 'x', sizeof head - start);
	for (size_t i = start; i + 10000 < sizeof head; i += 10000)
		memcpy(head + i, "\r\nX: ", 5);
	memcpy(head + start, "Host: a", 7);
	for (size_t len = 1; len <= sizeof head; len++)
		if (http_parse(head, len, &limits, &scanned, &req, &why) != 0)
			ck_abort_msg("verdict at %zu bytes", len);
}
END_TEST

START_TEST(list_has)
{
	static const struct {
		const char *list, *token;
		bool has;
	} rows[] = {
	    {"close", "close", true},
	    {"Close", "close", true},
	    {" close\t", "close", true},
	    {"a, close", "close", true},
	    {"close,a", "close", true},
	    {"a,,close,", "close", true},
	    {"", "close", false},
	    {",", "close", false},
	    {"closed", "close", false},
	    {"clos", "close", false},
	    {"a close", "close", false},
	    {"close;q=1", "close", false},
	    {"br", "br", true},
	    {"gzip, BR", "br", true},
	    {"x-gzip", "gzip", false},
	    {"keep-alive", "keep-alive", true},
	    {"keep alive", "keep-alive", false},
	    {"keep_alive", "keep-alive", false},
	    {"websocket, h2c", "h2c", true},
	};

	for (int i = 0; i < ROWS(rows); i++)
		ck_assert_msg(http_list_has(rows[i].list, strlen(rows[i].list), rows[i].token) ==
				  rows[i].has,
			      "%s in %s", rows[i].token, rows[i].list);
}
END_TEST

START_TEST(names)
{
	static const struct {
		enum http_refusal refusal;
		int status;
		const char *name;
	} rows[] = {
	    {HTTP_ACCEPTED, 0, "accepted"},
	    {NO(METHOD), 400, "method"},
	    {NO(VERSION_UNSUPPORTED), 505, "version_unsupported"},
	    {NO(URI_TOO_LONG), 414, "uri_too_long"},
	    {NO(HEAD_TOO_LARGE), 431, "head_too_large"},
	    {NO(CODING_UNSUPPORTED), 501, "coding_unsupported"},
	    {NO(EXPECT), 417, "expect"},
	    {NO(BODY_TOO_LARGE), 413, "body_too_large"},
	    {NO(PATH), 400, "path"},
	};

	for (int i = 0; i < ROWS(rows); i++) {
		ck_assert_int_eq(http_refusal_status(rows[i].refusal), rows[i].status);
		ck_assert_str_eq(http_refusal_name(rows[i].refusal), rows[i].name);
	}
	for (enum http_refusal r = HTTP_ACCEPTED + 1; r < HTTP_REFUSALS; r++) {
		ck_assert_int_ge(http_refusal_status(r), 400);
		ck_assert_ptr_nonnull(http_refusal_name(r));
	}
	ck_assert_str_eq(http_method_name(HTTP_CONNECT), "CONNECT");
	ck_assert_str_eq(http_method_name(HTTP_OTHER), "other");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("parse");
	TCase *tc = tcase_create("parse");
	SRunner *runner = srunner_create(s);
	int run, failed;

	suite_add_tcase(s, tc);
	tcase_add_loop_test(tc, verdict, 0, ROWS(verdicts));
	tcase_add_loop_test(tc, refused_early, 0, ROWS(early));
	tcase_add_loop_test(tc, result, 0, ROWS(results));
	tcase_add_test(tc, fields);
	tcase_add_loop_test(tc, known_name, 0, ROWS(known_names));
	tcase_add_loop_test(tc, byte_classes, 0, ROWS(places));
	tcase_add_loop_test(tc, limit, 0, ROWS(limit_rows));
	tcase_add_test(tc, most_fields);
	tcase_add_loop_test(tc, host_length, 253, 258);
	tcase_add_test(tc, refused_request_is_named);
	tcase_add_test(tc, pipelined);
	tcase_add_test(tc, trickle_is_linear);
	tcase_add_test(tc, list_has);
	tcase_add_test(tc, names);
	srunner_run_all(runner, CK_ENV);
	run = srunner_ntests_run(runner);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return run == 0 || failed > 0;
}
