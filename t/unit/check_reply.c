/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tests worker/http/reply.c: heads, lengths, added headers, error pages, redirects; what does not
 * fit or would break a head becomes a 500.
 */
#include "worker/http/reply.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DATE "Sun, 06 Nov 1994 08:49:37 GMT"
#define PAGE(number, text)                                                                   \
	{                                                                                    \
		.status = number, .type = "text/plain", .body = text, .len = sizeof text - 1 \
	}

static struct reply reply;
static struct clock now = {.http_date = DATE};
static struct server server = {.name = "site"};
static struct http_request req;
static struct location loc;

static struct reply_ctx context(const struct location *location, enum http_method method)
{
	memset(&req, 0, sizeof req);
	req.method = (uint8_t)method;
	return (struct reply_ctx){
	    .clock = &now, .server = &server, .location = location, .req = &req, .base = ""};
}

/* The head as text. */
static const char *head(void)
{
	static char text[REPLY_TEXT_SIZE + 1];

	memcpy(text, reply.head, reply.head_len);
	text[reply.head_len] = '\0';
	return text;
}

static void expect_field(const char *line)
{
	char whole[512];

	snprintf(whole, sizeof whole, "\r\n%s\r\n", line);
	ck_assert_msg(strstr(head(), whole) != NULL, "no '%s' in\n%s", line, head());
}

static void expect_no_field(const char *name)
{
	char start[128];

	snprintf(start, sizeof start, "\r\n%s:", name);
	ck_assert_msg(strstr(head(), start) == NULL, "'%s' in\n%s", name, head());
}

/* A status line and fields, each with its CRLF, and nothing else: no blank line, no bare CR or LF.
 */
static void expect_sound(void)
{
	const char *p = head(), *end;
	char start[64];

	snprintf(start, sizeof start, "HTTP/1.1 %d %s\r\n", reply.status,
		 http_reason(reply.status));
	ck_assert_msg(strncmp(p, start, strlen(start)) == 0, "%s", p);
	for (; *p; p = end + 2) {
		end = strstr(p, "\r\n");
		ck_assert_ptr_nonnull(end);
		ck_assert_ptr_ne(end, p);
		ck_assert_uint_ge(strcspn(p, "\r\n"), (size_t)(end - p));
	}
	expect_field("Server: drover");
	expect_field("Date: " DATE);
	expect_no_field("Connection");
}

static void expect_body(const char *text)
{
	char line[64];

	snprintf(line, sizeof line, "Content-Length: %zu", strlen(text));
	expect_field(line);
	ck_assert_int_eq(reply.body, REPLY_BYTES);
	ck_assert_uint_eq(reply.length, strlen(text));
	ck_assert_mem_eq(reply.bytes, text, strlen(text));
}

START_TEST(test_plain_head)
{
	struct reply_ctx ctx = context(NULL, HTTP_GET);

	reply_reset(&reply);
	reply.length = 12345678901234u;
	reply_begin(&reply, &ctx, 200);
	reply_field(&reply, "ETag", "\"%x-%x\"", 10, 11);
	ck_assert_int_eq(reply_finish(&reply, &ctx), 0);
	ck_assert_str_eq(head(), "HTTP/1.1 200 OK\r\n"
				 "Server: drover\r\n"
				 "Date: " DATE "\r\n"
				 "ETag: \"a-b\"\r\n"
				 "Content-Length: 12345678901234\r\n");
	ck_assert(!reply.close && !reply.ready);
}
END_TEST

/* What is in text before the head stays there. */
START_TEST(test_head_behind_body)
{
	struct reply_ctx ctx = context(NULL, HTTP_GET);

	reply_reset(&reply);
	memcpy(reply.text, "body", 4);
	reply.text_len = 4;
	reply.length = 4;
	reply_begin(&reply, &ctx, 404);
	ck_assert_int_eq(reply_finish(&reply, &ctx), 0);
	ck_assert_mem_eq(reply.text, "bodyHTTP/1.1 404", 16);
	ck_assert_ptr_eq(reply.head, reply.text + 4);
	ck_assert_uint_eq(reply.text_len, 4 + reply.head_len);
	expect_sound();
}
END_TEST

static const int without_length[] = {100, 103, 204, 304};

START_TEST(test_without_length)
{
	struct reply_ctx ctx = context(NULL, HTTP_GET);

	reply_reset(&reply);
	reply_begin(&reply, &ctx, without_length[_i]);
	ck_assert_int_eq(reply_finish(&reply, &ctx), 0);
	expect_no_field("Content-Length");
	expect_sound();
}
END_TEST

START_TEST(test_too_long)
{
	struct reply_ctx ctx = context(NULL, HTTP_GET);
	static char value[1000];

	memset(value, 'v', sizeof value - 1);
	for (int lines = 0; lines < 200; lines += 1 + lines / 4) {
		reply_reset(&reply);
		reply_begin(&reply, &ctx, 200);
		for (int i = 0; i < lines; i++)
			reply_field(&reply, "X", "%s", value);
		ck_assert_int_eq(reply_finish(&reply, &ctx), lines * 1004 > 65000 ? -1 : 0);
	}
	/* One that fits to the byte, and one that does not. */
	for (size_t fill = REPLY_TEXT_SIZE - 120; fill <= REPLY_TEXT_SIZE; fill++) {
		reply_reset(&reply);
		reply.text_len = (uint32_t)fill;
		reply_begin(&reply, &ctx, 200);
		ck_assert_int_eq(reply_finish(&reply, &ctx), fill + 89 <= REPLY_TEXT_SIZE ? 0 : -1);
	}
}
END_TEST

static const char *const broken[] = {"a\r\nX: y", "a\nb", "a\rb", "\1", "\x7f"};

START_TEST(test_broken_value)
{
	struct reply_ctx ctx = context(&loc, HTTP_GET);
	struct header_setting header = {.name = "X", .value = broken[_i], .always = true};

	reply_reset(&reply);
	reply_begin(&reply, &ctx, 200);
	reply_field(&reply, "X", "%s", broken[_i]);
	ck_assert_int_eq(reply_finish(&reply, &ctx), -1);

	reply_redirect(&reply, &ctx, 301, broken[_i], strlen(broken[_i]));
	ck_assert_int_eq(reply.status, 500);
	expect_no_field("Location");
	expect_sound();

	loc = (struct location){.headers = &header, .headers_count = 1};
	reply_error(&reply, &ctx, 404);
	ck_assert_int_eq(reply.status, 500);
	expect_no_field("X");
	expect_sound();
}
END_TEST

static const struct {
	int status;
	bool plain;
} added[] = {
    {200, true},  {201, true},  {204, true},  {206, true},  {301, true},  {302, true},
    {303, true},  {304, true},  {307, true},  {308, true},  {202, false}, {400, false},
    {404, false}, {416, false}, {500, false}, {503, false},
};

START_TEST(test_added_headers)
{
	struct header_setting headers[] = {{.name = "X-Plain", .value = "a b"},
					   {.name = "X-Always", .value = "c", .always = true}};
	struct reply_ctx ctx = context(&loc, HTTP_GET);

	loc = (struct location){.headers = headers, .headers_count = 2};
	reply_reset(&reply);
	reply_begin(&reply, &ctx, added[_i].status);
	ck_assert_int_eq(reply_finish(&reply, &ctx), 0);
	expect_field("X-Always: c");
	if (added[_i].plain)
		expect_field("X-Plain: a b");
	else
		expect_no_field("X-Plain");
}
END_TEST

static const struct {
	int status;
	bool close;
} errors[] = {
    {400, true},  {408, true},  {411, true},  {413, true},  {414, true},  {417, true},
    {431, true},  {501, true},  {505, true},  {403, false}, {404, false}, {405, false},
    {412, false}, {500, false}, {503, false}, {504, false},
};

START_TEST(test_error)
{
	struct reply_ctx ctx = context(NULL, HTTP_GET);
	char title[100];

	for (int refused = 0; refused < 2; refused++) {
		ctx.req = refused ? NULL : &req;
		reply_error(&reply, &ctx, errors[_i].status);
		ck_assert_int_eq(reply.status, errors[_i].status);
		ck_assert(reply.close == errors[_i].close);
		ck_assert_int_eq(reply.body, REPLY_BYTES);
		expect_sound();
		expect_field("Content-Type: text/html; charset=utf-8");
		snprintf(title, sizeof title, "<title>%d %s</title>", reply.status,
			 http_reason(reply.status));
		ck_assert_ptr_nonnull(memmem(reply.bytes, reply.length, title, strlen(title)));
		snprintf(title, sizeof title, "Content-Length: %zu", (size_t)reply.length);
		expect_field(title);
	}
	if (errors[_i].status == 405)
		expect_field("Allow: GET, HEAD, OPTIONS");
	else
		expect_no_field("Allow");
	if (errors[_i].status == 503)
		expect_field("Retry-After: 1");
	else
		expect_no_field("Retry-After");
}
END_TEST

START_TEST(test_error_page)
{
	struct error_page pages[] = {PAGE(404, "lost"), PAGE(503, "busy")};
	struct reply_ctx ctx = context(&loc, HTTP_GET);

	loc = (struct location){.error_pages = pages, .error_pages_count = 2};
	reply_error(&reply, &ctx, 503);
	expect_field("Content-Type: text/plain");
	expect_body("busy");
	expect_sound();
	reply_error(&reply, &ctx, 403);
	expect_field("Content-Type: text/html; charset=utf-8");
}
END_TEST

/* HEAD: no body, but the length that GET would get. */
START_TEST(test_head_request)
{
	struct error_page pages[] = {PAGE(404, "lost")};
	struct reply_ctx ctx = context(&loc, HTTP_HEAD);

	loc = (struct location){
	    .error_pages = pages, .error_pages_count = 1, .status = 200, .text = "hello"};
	reply_error(&reply, &ctx, 404);
	ck_assert_int_eq(reply.body, REPLY_EMPTY);
	expect_field("Content-Length: 4");
	reply_location_status(&reply, &ctx);
	ck_assert_int_eq(reply.body, REPLY_EMPTY);
	expect_field("Content-Length: 5");
	reply_health(&reply, &ctx, true);
	ck_assert_int_eq(reply.body, REPLY_EMPTY);
	expect_field("Content-Length: 3");
	reply_redirect(&reply, &ctx, 301, "/x/", 3);
	ck_assert_int_eq(reply.body, REPLY_EMPTY);
	expect_no_field("Content-Length: 0");
}
END_TEST

START_TEST(test_redirect)
{
	struct reply_ctx ctx = context(NULL, HTTP_GET);

	reply_redirect(&reply, &ctx, 308, "dir/?a=b", 4);
	ck_assert_int_eq(reply.status, 308);
	ck_assert(!reply.close);
	expect_field("Location: dir/");
	expect_sound();
}
END_TEST

static const struct {
	const char *redirect;
	const char *prefix;
	const char *path;
	const char *query;
	const char *location;
} redirects[] = {
    {"/new/", "/old/", "/old/", "", "/new/"},
    {"/new/", "/old/", "/old/a/b.html", "", "/new/a/b.html"},
    {"/new/", "/old/", "/old/a", "x=1&y=%20", "/new/a?x=1&y=%20"},
    {"/new", "/old/", "/old/a", "x=1", "/new"},
    {"/new/", "/old", "/old/a", "", "/new/a"},
    {"/new/", "/old", "/older", "", "/new/er"},
    {"/", "/old", "/old/evil.example/", "", "/evil.example/"},
    {"/", "/", "/a", "", "/a"},
    {"/", "", "/evil.example/", "", "/evil.example/"},
    {"/", "/old", "/old//evil.example/", "", "/evil.example/"},
    {"https://example.org/", "/", "/a b/\xc3\xa9", "q", "https://example.org/a%20b/%C3%A9?q"},
    {"/", "/old/", "/old/\\evil.example", "", "/%5Cevil.example"},
    {"/new/", "/old/", "/old/a?b#c", "", "/new/a%3Fb%23c"},
    {"/new/", "/old/", "/old/%41", "", "/new/%2541"},
    {"/new/", "/old/", "/old/x", "a=\"<>\"\\^`{|}", "/new/x?a=%22%3C%3E%22%5C%5E%60%7B%7C%7D"},
    {"/new/", "/old/", "/old/x", "\xff\x01[]", "/new/x?%FF%01%5B%5D"},
    {"/login?next=/", "/old/", "/old/x", "q=1", "/login?next=/x&q=1"},
    {"", "/old/", "/old/x", "q=1", ""},
};

START_TEST(test_location_redirect)
{
	struct reply_ctx ctx = context(&loc, HTTP_GET);
	char line[256];

	loc = (struct location){.kind = LOCATION_REDIRECT,
				.redirect = redirects[_i].redirect,
				.path = redirects[_i].prefix,
				.path_len = (uint32_t)strlen(redirects[_i].prefix),
				.status = 301};
	ctx.path = redirects[_i].path;
	ctx.path_len = strlen(ctx.path);
	ctx.base = redirects[_i].query;
	req.query.len = (uint32_t)strlen(ctx.base);
	reply_location_redirect(&reply, &ctx);
	ck_assert_int_eq(reply.status, 301);
	snprintf(line, sizeof line, "Location: %s", redirects[_i].location);
	expect_field(line);
	expect_sound();
	ck_assert_int_eq(reply.body, REPLY_BYTES);
}
END_TEST

/* A path that grows beyond all room by its escapes. */
START_TEST(test_location_redirect_too_long)
{
	static char path[REPLY_TEXT_SIZE];
	struct reply_ctx ctx = context(&loc, HTTP_GET);

	memset(path, ' ', sizeof path);
	path[0] = '/';
	loc = (struct location){.redirect = "/n/", .path = "/", .path_len = 1, .status = 302};
	ctx.path = path;
	for (ctx.path_len = 1; ctx.path_len < sizeof path; ctx.path_len += 997) {
		reply_location_redirect(&reply, &ctx);
		ck_assert_int_eq(reply.status, ctx.path_len < 21000 ? 302 : 500);
		expect_sound();
	}
}
END_TEST

START_TEST(test_location_status)
{
	struct error_page pages[] = {PAGE(410, "gone")};
	struct reply_ctx ctx = context(&loc, HTTP_GET);

	loc = (struct location){.status = 202, .text = "done\n"};
	reply_location_status(&reply, &ctx);
	ck_assert_int_eq(reply.status, 202);
	expect_field("Content-Type: text/plain; charset=utf-8");
	expect_body("done\n");
	expect_sound();

	loc = (struct location){.status = 204, .text = "not sent"};
	reply_location_status(&reply, &ctx);
	ck_assert_int_eq(reply.body, REPLY_EMPTY);
	ck_assert_uint_eq(reply.length, 0);
	expect_no_field("Content-Length");
	expect_no_field("Content-Type");

	loc = (struct location){.status = 205, .text = "not sent"};
	reply_location_status(&reply, &ctx);
	ck_assert_int_eq(reply.body, REPLY_EMPTY);
	expect_field("Content-Length: 0");

	loc = (struct location){.status = 200};
	reply_location_status(&reply, &ctx);
	ck_assert_int_eq(reply.body, REPLY_EMPTY);
	expect_field("Content-Length: 0");

	/* The request was sound: the connection goes on. */
	loc = (struct location){.status = 400};
	reply_location_status(&reply, &ctx);
	ck_assert(!reply.close);
	expect_field("Content-Type: text/html; charset=utf-8");

	loc = (struct location){.status = 410, .error_pages = pages, .error_pages_count = 1};
	reply_location_status(&reply, &ctx);
	expect_body("gone");
}
END_TEST

START_TEST(test_health)
{
	struct reply_ctx ctx = context(&loc, HTTP_GET);

	loc = (struct location){.kind = LOCATION_HEALTH};
	reply_health(&reply, &ctx, true);
	ck_assert_int_eq(reply.status, 200);
	expect_field("Cache-Control: no-store");
	expect_body("ok\n");
	expect_sound();
	reply_health(&reply, &ctx, false);
	ck_assert_int_eq(reply.status, 503);
	expect_field("Cache-Control: no-store");
	expect_body("draining\n");
	expect_sound();
}
END_TEST

START_TEST(test_options)
{
	struct reply_ctx ctx = context(NULL, HTTP_OPTIONS);

	reply_options(&reply, &ctx);
	ck_assert_str_eq(head(), "HTTP/1.1 204 No Content\r\n"
				 "Server: drover\r\n"
				 "Date: " DATE "\r\n"
				 "Allow: GET, HEAD, OPTIONS\r\n");
	ck_assert_int_eq(reply.body, REPLY_EMPTY);
}
END_TEST

static const struct {
	int status;
	const char *reason;
} reasons[] = {{200, "OK"},      {431, "Request Header Fields Too Large"},
	       {0, "Unknown"},   {-1, "Unknown"},
	       {299, "Unknown"}, {511, "Network Authentication Required"},
	       {512, "Unknown"}, {1 << 30, "Unknown"}};

START_TEST(test_reason)
{
	ck_assert_str_eq(http_reason(reasons[_i].status), reasons[_i].reason);
}
END_TEST

#define LOOP(test, table) tcase_add_loop_test(c, test, 0, sizeof table / sizeof table[0])

int main(void)
{
	Suite *s = suite_create("reply");
	TCase *c = tcase_create("reply");
	SRunner *r;
	int bad;

	tcase_add_test(c, test_plain_head);
	tcase_add_test(c, test_head_behind_body);
	LOOP(test_without_length, without_length);
	tcase_add_test(c, test_too_long);
	LOOP(test_broken_value, broken);
	LOOP(test_added_headers, added);
	LOOP(test_error, errors);
	tcase_add_test(c, test_error_page);
	tcase_add_test(c, test_head_request);
	tcase_add_test(c, test_redirect);
	LOOP(test_location_redirect, redirects);
	tcase_add_test(c, test_location_redirect_too_long);
	tcase_add_test(c, test_location_status);
	tcase_add_test(c, test_health);
	tcase_add_test(c, test_options);
	LOOP(test_reason, reasons);
	suite_add_tcase(s, c);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	bad = srunner_ntests_failed(r) + (srunner_ntests_run(r) == 0);
	srunner_free(r);
	return bad != 0;
}
