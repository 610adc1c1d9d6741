/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tests worker/http/logline.c: the three formats byte for byte, escapes of every byte, lines of
 * requests that could not be read, lengths, addresses.
 */
#include "worker/http/logline.h"

#include <arpa/inet.h>
#include <check.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shm/board.h"
#include "shm/ident.h"
#include "shm/utf8.h"

static struct clock now = {
    .real_s = 784111777, .real_us = 45999, .log_date = "06/Nov/1994:09:49:37 +0100"};
static struct server server = {.name = "site"};
static struct conn_row conn;
static struct http_request req;
static struct logline line;
static char out[LOGLINE_MAX + 16];
static char head[40000];

static void set_peer(const char *text)
{
	char addr[64];

	conn = (struct conn_row){.family = strchr(text, ':') ? 6 : 4, .port = 54321};
	conn.id = 4294967297u;
	conn.requests = 3;
	conn.id_form = IDENT_HEX;
	conn.request_high = UINT64_C(0x0123456789abcdef);
	conn.request_low = UINT64_C(0xfedcba9876543210);
	conn.trace_high = UINT64_C(0x4bf92f3577b34da6);
	conn.trace_low = UINT64_C(0xa3ce929d0e0e4736);
	snprintf(addr, sizeof addr, "%s%s", conn.family == 4 ? "::ffff:" : "", text);
	ck_assert_int_eq(inet_pton(AF_INET6, addr, conn.peer), 1);
}

/* A request of these bytes, read by the server's own parser. Returns what that said. */
static int set_request(const char *bytes, size_t len)
{
	struct http_limits limits = {
	    .max_header = sizeof head, .max_uri = 20000, .max_fields = 100};
	enum http_refusal refusal = HTTP_ACCEPTED;
	uint32_t scanned = 0;
	int result;

	set_peer("192.0.2.1");
	result = http_parse(bytes, len, &limits, &scanned, &req, &refusal);
	line = (struct logline){.clock = &now,
				.conn = &conn,
				.server = &server,
				.listener = "0.0.0.0:80",
				.base = bytes,
				.req = &req,
				.status = 200,
				.body_bytes = 1024,
				.total_bytes = 1270,
				.request_bytes = 81,
				.duration_us = 1234567,
				.head_us = 1000,
				.body_us = 1000,
				.first_us = 234000,
				.state = CONN_SEND,
				.in = CONN_SEND,
				.ended = "",
				.by = ""};
	return result;
}

/* The line as text; nothing may lie behind its newline, nor before it. */
static const char *written(enum log_format format)
{
	size_t len;

	memset(out, 0x55, sizeof out);
	len = logline_write(format, &line, out, LOGLINE_MAX);
	ck_assert_uint_le(len, LOGLINE_MAX);
	ck_assert_int_eq(out[len - 1], '\n');
	ck_assert_ptr_null(memchr(out, '\n', len - 1));
	ck_assert_int_eq(out[LOGLINE_MAX], 0x55);
	out[len] = '\0';
	return out;
}

#define HEAD                                                                    \
	"GET /a/b.html?x=1 HTTP/1.1\r\nHost: example.org:8080\r\n"              \
	"Cookie: session=s3cret-cookie\r\nAuthorization: Basic s3cret-pass\r\n" \
	"Proxy-Authorization: Basic s3cret-proxy\r\n"                           \
	"Referer: https://example.org/\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\n\r\n"

START_TEST(test_combined)
{
	ck_assert_int_eq(set_request(HEAD, sizeof HEAD - 1), 1);
	ck_assert_str_eq(written(LOG_COMBINED),
			 "192.0.2.1 - - [06/Nov/1994:09:49:37 +0100] "
			 "\"GET /a/b.html?x=1 HTTP/1.1\" 200 1024 \"https://example.org/\" "
			 "\"Mozilla/5.0 (X11; Linux x86_64)\"\n");
}
END_TEST

/* Of this connection, its third request. */
#define SPAN "4f289d917bef59c8"

/* How far it came, and what the four phases are: they add up to the whole, always. */
static const struct {
	enum conn_state state;
	uint32_t head, body, first;
	uint64_t all, want[4];
} phases[] = {
    {CONN_SEND, 10, 30, 60, 100, {10, 20, 30, 40}},
    {CONN_SEND, 0, 0, 0, 100, {0, 0, 0, 100}},
    {CONN_SEND, 0, 0, 40, 60, {0, 0, 40, 20}},
    {CONN_SEND, 70, 70, 70, 60, {60, 0, 0, 0}},
    {CONN_SEND, 50, 20, 10, 60, {50, 0, 0, 10}},
    {CONN_RESPOND, 10, 30, 0, 100, {10, 20, 70, 0}},
    {CONN_BODY, 10, 0, 0, 100, {10, 90, 0, 0}},
    {CONN_BODY, 0, 0, 0, 100, {0, 100, 0, 0}},
    {CONN_HEAD, 0, 0, 0, 100, {100, 0, 0, 0}},
    {CONN_SEND,
     UINT32_MAX,
     UINT32_MAX,
     UINT32_MAX,
     UINT64_C(1) << 40,
     {UINT32_MAX, 0, 0, (UINT64_C(1) << 40) - UINT32_MAX}},
};

START_TEST(test_phases)
{
	const struct logline l = {.state = phases[_i].state,
				  .head_us = phases[_i].head,
				  .body_us = phases[_i].body,
				  .first_us = phases[_i].first,
				  .duration_us = phases[_i].all};
	struct logline_phases got = logline_phases(&l);

	ck_assert_uint_eq(got.head, phases[_i].want[0]);
	ck_assert_uint_eq(got.body, phases[_i].want[1]);
	ck_assert_uint_eq(got.respond, phases[_i].want[2]);
	ck_assert_uint_eq(got.send, phases[_i].want[3]);
	ck_assert_uint_eq(got.head + got.body + got.respond + got.send, phases[_i].all);
}
END_TEST

START_TEST(test_json)
{
	ck_assert_int_eq(set_request(HEAD, sizeof HEAD - 1), 1);
	line.ended = "no_keepalive";
	line.by = "server";
	ck_assert_str_eq(
	    written(LOG_JSON),
	    "{\"time\":\"1994-11-06T08:49:37.045Z\",\"id\":\"0123456789abcdeffedcba9876543210\","
	    "\"trace\":\"4bf92f3577b34da6a3ce929d0e0e4736\",\"span\":\"" SPAN
	    "\",\"listener\":\"0.0.0.0:80\","
	    "\"peer\":\"192.0.2.1\",\"port\":54321,\"conn\":4294967297,\"request\":3,"
	    "\"method\":\"GET\",\"target\":\"/a/b.html?x=1\",\"protocol\":\"HTTP/1.1\","
	    "\"host\":\"example.org\",\"server\":\"site\",\"status\":200,\"bytes\":1024,"
	    "\"bytes_out\":1270,\"bytes_in\":81,\"duration\":1.234567,"
	    "\"head\":0.001000,\"body\":0.000000,\"respond\":0.233000,\"send\":1.000567,"
	    "\"referer\":\"https://example.org/\","
	    "\"user_agent\":\"Mozilla/5.0 (X11; Linux x86_64)\",\"ended\":\"no_keepalive\","
	    "\"by\":\"server\",\"in\":\"send\"}\n");
}
END_TEST

START_TEST(test_logfmt)
{
	ck_assert_int_eq(set_request(HEAD, sizeof HEAD - 1), 1);
	line.duration_us = 45;
	ck_assert_str_eq(written(LOG_LOGFMT),
			 "time=1994-11-06T08:49:37.045Z id=\"0123456789abcdeffedcba9876543210\" "
			 "trace=\"4bf92f3577b34da6a3ce929d0e0e4736\" span=\"" SPAN
			 "\" listener=\"0.0.0.0:80\" "
			 "peer=\"192.0.2.1\" port=54321 conn=4294967297 request=3 method=\"GET\" "
			 "target=\"/a/b.html?x=1\" protocol=\"HTTP/1.1\" host=\"example.org\" "
			 "server=\"site\" status=200 bytes=1024 bytes_out=1270 bytes_in=81 "
			 "duration=0.000045 head=0.000045 body=0.000000 respond=0.000000 "
			 "send=0.000000 referer=\"https://example.org/\" "
			 "user_agent=\"Mozilla/5.0 (X11; Linux x86_64)\" ended=\"\" "
			 "by=\"\" in=\"\"\n");
}
END_TEST

START_TEST(test_no_secrets)
{
	ck_assert_int_eq(set_request(HEAD, sizeof HEAD - 1), 1);
	ck_assert_ptr_null(strstr(written((enum log_format)_i), "s3cret"));
}
END_TEST

/* What a client sent, and what stands between the quotes of the request. */
static const struct {
	const char *head;
	const char *request;
	int result;
} requests[] = {
    {"HEAD / HTTP/1.0\r\n\r\n", "HEAD / HTTP/1.0", 1},
    {"GET / HTTP/1.9\r\nHost: a\r\n\r\n", "GET / HTTP/1.9", 1},
    {"\r\nGET /x HTTP/1.1\r\nHost: a\r\n\r\n", "GET /x HTTP/1.1", 1},
    {"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", "OPTIONS * HTTP/1.1", 1},
    {"GET http://a/?\"\\ HTTP/1.1\r\nHost: a\r\n\r\n", "GET http://a/?\\x22\\x5C HTTP/1.1", 1},
    {"GET /?a\"b-and-more-than-sixteen HTTP/1.1\r\nHost: a\r\n\r\n",
     "GET /?a\\x22b-and-more-than-sixteen HTTP/1.1", 1},
    {"GET /x HTTP/1.1\r\n\r\n", "GET /x HTTP/1.1", -1},
    {"GET /x HTTP/1.1\r\nHost: a\r\nbad field: x\r\n\r\n", "GET /x HTTP/1.1", -1},
    {"GET /x HTTP/1.0\r\nbad field: x\r\n\r\n", "GET /x", -1},
    {"GET /x JUNK\r\n", "GET /x", -1},
    {"GET /x HTTP/2.0\r\n", "GET /x", -1},
    {"GET\r\n", "-", -1},
    {"\x16\x03\x01", "-", -1},
};

START_TEST(test_request)
{
	const char *text = requests[_i].head;
	char expected[256];

	ck_assert_int_eq(set_request(text, strlen(text)), requests[_i].result);
	snprintf(expected, sizeof expected, "192.0.2.1 - - [%s] \"%s\" 200 1024 \"-\" \"-\"\n",
		 now.log_date, requests[_i].request);
	ck_assert_str_eq(written(LOG_COMBINED), expected);
	written(LOG_JSON);
	written(LOG_LOGFMT);
}
END_TEST

START_TEST(test_unread)
{
	ck_assert_int_eq(set_request("", 0), 0);
	line.req = NULL;
	line.base = NULL;
	line.status = 408;
	line.body_bytes = 0;
	ck_assert_str_eq(written(LOG_COMBINED),
			 "192.0.2.1 - - [06/Nov/1994:09:49:37 +0100] \"-\" 408 0 \"-\" \"-\"\n");
	ck_assert_ptr_nonnull(strstr(written(LOG_JSON),
				     "\"method\":\"\",\"target\":\"\",\"protocol\":\"\","
				     "\"host\":\"\",\"server\":\"site\",\"status\":408,"));
	ck_assert_ptr_nonnull(strstr(written(LOG_LOGFMT), " referer=\"\" user_agent=\"\" "));
}
END_TEST

START_TEST(test_empty_fields)
{
	static const char text[] = "GET / HTTP/1.1\r\nHost: a\r\nReferer:\r\nUser-Agent: \r\n\r\n";

	ck_assert_int_eq(set_request(text, sizeof text - 1), 1);
	ck_assert_ptr_nonnull(strstr(written(LOG_COMBINED), " 1024 \"\" \"\"\n"));
}
END_TEST

static const struct {
	uint64_t n;
	const char *text;
} numbers[] = {{0, " 0 "},
	       {9, " 9 "},
	       {10, " 10 "},
	       {1000000007, " 1000000007 "},
	       {UINT64_MAX, " 18446744073709551615 "}};

START_TEST(test_number)
{
	ck_assert_int_eq(set_request(HEAD, sizeof HEAD - 1), 1);
	line.body_bytes = numbers[_i].n;
	ck_assert_ptr_nonnull(strstr(written(LOG_COMBINED), numbers[_i].text));
}
END_TEST

/* Texts whose escapes are known, at every length of clean bytes around them, so that each way of
 * copying meets them. */
static const struct {
	const char *bytes;
	const char *hex;
	const char *json;
} escapes[] = {
    {"", "", ""},
    {"\"", "\\x22", "\\\""},
    {"\\", "\\x5C", "\\\\"},
    {"\t", "\\x09", "\\u0009"},
    {"~ !", "~ !", "~ !"},
    {"\xc3\xa9", "\\xC3\\xA9", "\xc3\xa9"},
    {"\xf0\x9f\x90\x84", "\\xF0\\x9F\\x90\\x84", "\xf0\x9f\x90\x84"},
    {"\xc3", "\\xC3", "\\ufffd"},
    {"\xc0\xaf", "\\xC0\\xAF", "\\ufffd\\ufffd"},
    {"\xed\xa0\x80", "\\xED\\xA0\\x80", "\\ufffd\\ufffd\\ufffd"},
    {"\xff", "\\xFF", "\\ufffd"},
};

START_TEST(test_escape)
{
	static const char clean[] = "abcdefghijklmnopqrstuvwxyz0123456789";
	char text[512], expected[512];

	for (int before = 1; before <= 36; before++) {
		for (int after = 1; after <= 36; after++) {
			snprintf(text, sizeof text,
				 "GET / HTTP/1.1\r\nHost: a\r\nUser-Agent: %.*s%s%.*s\r\n\r\n",
				 before, clean, escapes[_i].bytes, after, clean);
			ck_assert_int_eq(set_request(text, strlen(text)), 1);
			snprintf(expected, sizeof expected, " \"%.*s%s%.*s\"\n", before, clean,
				 escapes[_i].hex, after, clean);
			ck_assert_ptr_nonnull(strstr(written(LOG_COMBINED), expected));
			snprintf(expected, sizeof expected, ",\"user_agent\":\"%.*s%s%.*s\",",
				 before, clean, escapes[_i].json, after, clean);
			ck_assert_ptr_nonnull(strstr(written(LOG_JSON), expected));
		}
	}
}
END_TEST

/* A line holds printable ASCII alone, or UTF-8 if it is JSON; and its strings end where they
 * should. */
static void expect_printable(const char *text, bool utf8)
{
	size_t left = strlen(text) - 1;

	for (size_t n; left > 0; text += n, left -= n) {
		n = utf8_length(text, left);
		/* Not ck_assert: it speaks to its parent each time, and these are many bytes. */
		if (n == 0 || (!utf8 && n != 1) || (unsigned char)*text < 0x20 || *text == 0x7f)
			ck_abort_msg("%zu bytes before the end: \\x%02x", left,
				     (unsigned char)*text);
	}
}

static unsigned count_strings(const char *text)
{
	unsigned quotes = 0;

	for (; *text; text++) {
		if (*text == '\\')
			text++;
		else
			quotes += *text == '"';
	}
	return quotes;
}

/* Whatever bytes a field may hold, at all lengths up to far beyond what fits. */
START_TEST(test_any_bytes)
{
	unsigned combined = 0, json = 0;

	srand((unsigned)_i);
	for (size_t want = 0; want < 12000; want += 1 + want / 3) {
		size_t n = (size_t)sprintf(
		    head, "GET /%0*d HTTP/1.1\r\nHost: a\r\nReferer: ", (int)want, 0);

		for (size_t i = 0; i < want; i++)
			head[n++] = (char)(_i == 0 ? 0x80 : 0x80 | rand());
		n += (size_t)sprintf(head + n, "\r\nUser-Agent: ");
		for (size_t i = 0; i < want; i++)
			head[n++] = (char)(_i == 0 ? '"' : 0x20 + rand() % 95);
		n += (size_t)sprintf(head + n, "\r\n\r\n");
		ck_assert_int_eq(set_request(head, n), 1);
		expect_printable(written(LOG_COMBINED), false);
		ck_assert_uint_eq(count_strings(out), 6);
		combined += (unsigned)(strlen(out) > LOGLINE_MAX * 3 / 4);
		expect_printable(written(LOG_LOGFMT), false);
		ck_assert_uint_eq(count_strings(out), 30);
		expect_printable(written(LOG_JSON), true);
		ck_assert_uint_eq(count_strings(out), 88);
		json += (unsigned)(strlen(out) > LOGLINE_MAX / 2);
	}
	/* Some were cut. */
	ck_assert_uint_gt(combined, 0);
	ck_assert_uint_gt(json, 0);
}
END_TEST

/* Texts of the configuration are escaped as well. */
START_TEST(test_names)
{
	struct server odd = {.name = "a\x7f\n\"b"};

	ck_assert_int_eq(set_request(HEAD, sizeof HEAD - 1), 1);
	line.server = &odd;
	ck_assert_ptr_nonnull(strstr(written(LOG_JSON), "\"server\":\"a\\u007F\\u000A\\\"b\","));
	ck_assert_ptr_nonnull(strstr(written(LOG_LOGFMT), " server=\"a\\x7F\\x0A\\x22b\" "));
}
END_TEST

static const char *const addresses[] = {
    "0.0.0.0",
    "192.0.2.1",
    "255.255.255.255",
    "10.200.30.4",
    "::1",
    "1::",
    "2001:db8::1",
    "2001:db8:0:1:1:1:1:1",
    "fe80::1:0:1",
    "2001:0:0:1::",
    "1:0:0:2:0:0:0:3",
    "1:0:0:2:3:0:0:4",
    "1:2:3:4:5:6:7:8",
    "0:1:0:1:0:1:0:1",
    "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
    "::2:3:4:5:6:7:8",
};

/* As inet_ntop writes it, but that a lone zero group stays one (RFC 5952 4.2.2). */
START_TEST(test_address)
{
	char expected[64], addr[48];
	size_t len;

	set_peer(addresses[_i]);
	len = logline_addr(&conn, addr);
	if (conn.family == 4)
		inet_ntop(AF_INET, conn.peer + 12, expected, sizeof expected);
	else
		inet_ntop(AF_INET6, conn.peer, expected, sizeof expected);
	ck_assert_uint_eq(len, strlen(expected));
	ck_assert_mem_eq(addr, expected, len);
}
END_TEST

START_TEST(test_random_addresses)
{
	char expected[64], addr[48];

	srand((unsigned)_i);
	for (int round = 0; round < 5000; round++) {
		conn = (struct conn_row){.family = 6};
		for (int i = 0; i < 16; i++)
			conn.peer[i] = rand() % 3 ? 0 : (uint8_t)rand();
		/* Above this, inet_ntop writes some of ::/96 with dots. */
		conn.peer[0] = 0x20;
		logline_addr(&conn, addr);
		inet_ntop(AF_INET6, conn.peer, expected, sizeof expected);
		ck_assert_str_eq(addr, expected);
	}
}
END_TEST

START_TEST(test_unix)
{
	char addr[48];

	conn = (struct conn_row){.family = 1};
	ck_assert_uint_eq(logline_addr(&conn, addr), 5);
	ck_assert_mem_eq(addr, "unix:", 5);
}
END_TEST

#define LOOP(test, table) tcase_add_loop_test(c, test, 0, sizeof table / sizeof table[0])

int main(void)
{
	Suite *s = suite_create("logline");
	TCase *c = tcase_create("logline");
	SRunner *r;
	int bad;

	tcase_add_test(c, test_combined);
	tcase_add_loop_test(c, test_phases, 0, sizeof phases / sizeof phases[0]);
	tcase_add_test(c, test_json);
	tcase_add_test(c, test_logfmt);
	tcase_add_loop_test(c, test_no_secrets, 0, LOG_LOGFMT + 1);
	LOOP(test_request, requests);
	tcase_add_test(c, test_unread);
	tcase_add_test(c, test_empty_fields);
	LOOP(test_number, numbers);
	LOOP(test_escape, escapes);
	tcase_add_loop_test(c, test_any_bytes, 0, 4);
	tcase_add_test(c, test_names);
	LOOP(test_address, addresses);
	tcase_add_loop_test(c, test_random_addresses, 0, 4);
	tcase_add_test(c, test_unix);
	tcase_set_timeout(c, 60);
	suite_add_tcase(s, c);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	bad = srunner_ntests_failed(r) + (srunner_ntests_run(r) == 0);
	srunner_free(r);
	return bad != 0;
}
