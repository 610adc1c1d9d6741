/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tests worker/http/cgi_request.c and worker/http/cgi_response.c: which script a path names, the
 * variables of requests, and heads of responses.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "worker/http/cgi.h"
#include "worker/http/fcgi.h"
#include "worker/http/response.h"

#define ROWS(t) ((int)(sizeof(t) / sizeof(t)[0]))

static const struct split_row {
	const char *path, *suffix;
	size_t len;
} splits[] = {
    {"/index.php", ".php", 10}, {"/a/b.php/c/d", ".php", 8},   {"/a.php/b.php", ".php", 6},
    {"/a.php/", ".php", 6},     {"/a.phpx/b", ".php", 0},      {"/a.php5", ".php", 0},
    {"/a.PHP", ".php", 0},      {"/a.phpx/b.php", ".php", 13}, {"/.php", ".php", 0},
    {"/a/.php/b", ".php", 0},   {"/.php.php", ".php", 9},      {"/", ".php", 0},
    {"/php", ".php", 0},        {"/a.php.", ".php", 0},        {"/a.php", "", 0},
    {"/x.cgi/y", ".cgi", 6},
};

START_TEST(test_split)
{
	const struct split_row *r = &splits[_i];

	ck_assert_uint_eq(cgi_split(r->path, strlen(r->path), r->suffix), r->len);
}
END_TEST

static const struct head_row {
	const char *head;
	const char *http; /* NULL: refused */
	const char *wrong;
} heads[] = {
    {"Content-Type: text/html\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n", NULL},
    {"Content-Type: text/html\n\n", "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n", NULL},
    {"A: 1\r\nB: 2\n\r\n", "HTTP/1.1 200 OK\r\nA: 1\r\nB: 2\r\n\r\n", NULL},
    {"A: 1\nB: 2\r\n\n", "HTTP/1.1 200 OK\r\nA: 1\r\nB: 2\r\n\r\n", NULL},
    {"Status: 404 Not Here\nA: 1\n\n", "HTTP/1.1 404 Not Here\r\nA: 1\r\n\r\n", NULL},
    {"A: 1\nstatus:404\n\n", "HTTP/1.1 404 Not Found\r\nA: 1\r\n\r\n", NULL},
    {"Status: 299 \n\n", "HTTP/1.1 299 Unknown\r\n\r\n", NULL},
    {"Status: \t 201 Made \t\n\n", "HTTP/1.1 201 Made\r\n\r\n", NULL},
    {"Location: /x\n\n", "HTTP/1.1 302 Found\r\nLocation: /x\r\n\r\n", NULL},
    {"Location: /x\nStatus: 201 Created\n\n", "HTTP/1.1 201 Created\r\nLocation: /x\r\n\r\n", NULL},
    {"Statuses: 3\n\n", "HTTP/1.1 200 OK\r\nStatuses: 3\r\n\r\n", NULL},
    {"\n", NULL, "head without a field"},
    {"\r\n", NULL, "head without a field"},
    {"Status: 100 Continue\n\n", NULL, "Status"},
    {"Status: 101\n\n", NULL, "Status"},
    {"Status: 600\n\n", NULL, "Status"},
    {"Status: 20\n\n", NULL, "Status"},
    {"Status: 2000\n\n", NULL, "Status"},
    {"Status: 200OK\n\n", NULL, "Status"},
    {"Status: \n\n", NULL, "Status"},
    {"Status:\n\n", NULL, "Status"},
    {"Status: 200\nStatus: 200\n\n", NULL, "Status"},
};

START_TEST(test_head)
{
	const struct head_row *r = &heads[_i];
	size_t len = strlen(r->head);
	const char *wrong;
	char out[256];
	int n;

	for (size_t step = 1; step <= len; step++) {
		uint32_t scanned = 0;

		for (size_t have = 0; have < len; have += step)
			ck_assert_uint_eq(cgi_head_end(r->head, have, &scanned), 0);
		ck_assert_uint_eq(cgi_head_end(r->head, len, &scanned), len);
	}
	n = cgi_translate_head(out, sizeof out, r->head, len, &wrong);
	ck_assert_pstr_eq(wrong, r->wrong);
	if (r->http == NULL) {
		ck_assert_int_eq(n, -1);
		return;
	}
	ck_assert_int_eq(n, (int)strlen(r->http));
	ck_assert_mem_eq(out, r->http, (size_t)n);
	for (size_t size = 0; size < (size_t)n; size++) {
		ck_assert_int_eq(cgi_translate_head(out, size, r->head, len, &wrong), -1);
		ck_assert_str_eq(wrong, "size of the head");
	}
}
END_TEST

/* What CGI leaves to the parser of HTTP. */
static const char *const strict[] = {
    "no colon\n\n",
    "A : 1\n\n",
    "A: 1\n 2\n\n",
    " A: 1\n\n",
    "A: \x01\n\n",
    "A: 1\r2\n\n",
    "A: 1\r\r\n\n",
    ": 1\n\n",
    "Status: 200 \x7f\n\n",
    "Content-Length: 1\nContent-Length: 1\n\n",
    "Content-Length: x\n\n",
    "Content-Length: 5\nTransfer-Encoding: chunked\n\n",
    "HTTP/1.1 200 OK\nA: 1\n\n",
};

START_TEST(test_strict)
{
	const struct http_limits limits = {.max_header = 1024, .max_fields = HTTP_FIELDS_MAX};
	struct http_response response;
	enum http_fault fault;
	uint32_t scanned = 0;
	const char *wrong;
	char out[256];
	int n = cgi_translate_head(out, sizeof out, strict[_i], strlen(strict[_i]), &wrong);

	ck_assert_int_gt(n, 0);
	ck_assert_int_lt(http_parse_response(out, (size_t)n, &limits, &scanned, &response, &fault),
			 0);
}
END_TEST

/* A request and its records. */

static struct header_setting params[] = {{.name = "APP", .value = "x"},
					 {.name = "HTTP_X_SET", .value = ""},
					 {.name = "SERVER_SOFTWARE", .value = "mine"}};
static struct location location = {
    .root = "/srv", .params = params, .params_count = 3, .split_path = ".php"};

#define CLIENT \
	"POST /a.php/b%20c?x=1&y HTTP/1.1\r\nHost: h.example:8080\r\nContent-Length: 3\r\n\r\n"
#define PEER                                                                                   \
	"POST /a.php/b%20c?x=1&y HTTP/1.1\r\nHost: h.example:8080\r\nContent-Type: text/a\r\n" \
	"X-One: 1\r\nx-one: 2\r\nCookie: a=1\r\nX-Other:\r\ncookie: b=2\r\nX_One: 3\r\n"       \
	"X.One: 4\r\nX-Set: no\r\nContent-Length: 3\r\nTE: trailers\r\nConnection: TE\r\n\r\n"

static struct http_request parsed;

static struct cgi_request request_of(const char *client)
{
	const struct http_limits limits = {4096, 4096, 100};
	enum http_refusal why;
	uint32_t scanned = 0;

	ck_assert_int_eq(http_parse(client, strlen(client), &limits, &scanned, &parsed, &why), 1);
	return (struct cgi_request){.head = PEER,
				    .head_len = strlen(PEER),
				    .base = client,
				    .req = &parsed,
				    .location = &location,
				    .script = "/a.php",
				    .script_len = 6,
				    .info = "/b c",
				    .info_len = 4,
				    .remote_addr = "192.0.2.1",
				    .remote_port = 1234,
				    .server_addr = "192.0.2.2",
				    .server_port = 80,
				    .server_name = "fallback",
				    .keep = true,
				    .body = true};
}

static size_t read_length(const unsigned char **p)
{
	size_t n = *(*p)++;

	if (n < 128)
		return n;
	n = (n & 0x7f) << 24 | (size_t)(*p)[0] << 16 | (size_t)(*p)[1] << 8 | (*p)[2];
	*p += 3;
	return n;
}

/* The variables as lines. */
static void list(const char *text, size_t len, char *out)
{
	const unsigned char *p = (const unsigned char *)text, *end = p + len;

	while (p < end) {
		size_t name = read_length(&p), value = read_length(&p);

		out += sprintf(out, "%.*s=%.*s\n", (int)name, (const char *)p, (int)value,
			       (const char *)p + name);
		p += name + value;
	}
	ck_assert(p == end);
	*out = '\0';
}

START_TEST(test_request)
{
	struct cgi_request c = request_of(CLIENT);
	char out[4096], lines[4096];
	size_t len;
	int n = cgi_write_request(out, sizeof out, &c);

	ck_assert_int_gt(n, 32);
	ck_assert_mem_eq(out, "\1\1\0\1\0\10\0\0\0\1\1\0\0\0\0\0", 16);
	ck_assert_mem_eq(out + 16, "\1\4\0\1", 4);
	len = (size_t)(unsigned char)out[20] << 8 | (unsigned char)out[21];
	ck_assert_int_eq(n, (int)(16 + 8 + len + 8));
	ck_assert_mem_eq(out + n - 8, "\1\4\0\1\0\0\0\0", 8);
	list(out + 24, len, lines);
	ck_assert_str_eq(lines, "SCRIPT_FILENAME=/srv/a.php\n"
				"SCRIPT_NAME=/a.php\n"
				"DOCUMENT_URI=/a.php/b c\n"
				"DOCUMENT_ROOT=/srv\n"
				"PATH_INFO=/b c\n"
				"PATH_TRANSLATED=/srv/b c\n"
				"REQUEST_METHOD=POST\n"
				"REQUEST_URI=/a.php/b%20c?x=1&y\n"
				"QUERY_STRING=x=1&y\n"
				"CONTENT_LENGTH=3\n"
				"SERVER_PROTOCOL=HTTP/1.1\n"
				"GATEWAY_INTERFACE=CGI/1.1\n"
				"REQUEST_SCHEME=http\n"
				"REDIRECT_STATUS=200\n"
				"REMOTE_ADDR=192.0.2.1\n"
				"REMOTE_PORT=1234\n"
				"SERVER_ADDR=192.0.2.2\n"
				"SERVER_PORT=80\n"
				"SERVER_NAME=h.example\n"
				"HTTP_HOST=h.example:8080\n"
				"CONTENT_TYPE=text/a\n"
				"HTTP_X_ONE=1, 2\n"
				"HTTP_COOKIE=a=1; b=2\n"
				"HTTP_X_OTHER=\n"
				"APP=x\n"
				"HTTP_X_SET=\n"
				"SERVER_SOFTWARE=mine\n");
	for (size_t size = 0; size < (size_t)n; size++)
		ck_assert_int_eq(cgi_write_request(out, size, &c), -1);
	c.body = false;
	ck_assert_int_eq(cgi_write_request(out, sizeof out, &c), n + 8);
	ck_assert_mem_eq(out + n, "\1\5\0\1\0\0\0\0", 8);
}
END_TEST

/* Lengths of more than a byte, and a root that is all. */
START_TEST(test_long)
{
	struct cgi_request c = request_of(CLIENT);
	struct location l = {.root = "/", .split_path = ".php"};
	char script[1001], out[8192], lines[8192];
	size_t len;

	memset(script, 'x', 1000);
	script[0] = '/';
	c.script = script;
	c.script_len = 1000;
	c.location = &l;
	c.info_len = 0;
	c.remote_addr = c.server_addr = NULL;
	ck_assert_int_gt(cgi_write_request(out, sizeof out, &c), 2000);
	len = (size_t)(unsigned char)out[20] << 8 | (unsigned char)out[21];
	list(out + 24, len, lines);
	script[1000] = '\0';
	ck_assert_uint_eq(strcspn(lines, "\n"), strlen("SCRIPT_FILENAME=") + 1000);
	ck_assert_mem_eq(lines + strlen("SCRIPT_FILENAME="), script, 1000);
	ck_assert_ptr_nonnull(strstr(lines, "\nREMOTE_ADDR=unix:\nSERVER_PORT=80\n"));
	ck_assert_ptr_null(strstr(lines, "PATH_INFO"));
}
END_TEST

/* What REQUEST_URI is of each form of a target. */
static const struct {
	const char *target, *uri;
} targets[] = {
    {"/a?x", "/a?x"},
    {"/a?", "/a?"},
    {"http://h.example/a?x", "/a?x"},
    {"http://h.example/", "/"},
    {"http://h.example", "/"},
    {"http://h.example?x=1", "/?x=1"},
};

START_TEST(test_target)
{
	char client[256], out[4096], lines[4096], uri[64];
	struct cgi_request c;
	size_t len;

	snprintf(client, sizeof client, "GET %s HTTP/1.1\r\nHost: h.example\r\n\r\n",
		 targets[_i].target);
	c = request_of(client);
	ck_assert_int_gt(cgi_write_request(out, sizeof out, &c), 32);
	len = (size_t)(unsigned char)out[20] << 8 | (unsigned char)out[21];
	list(out + 24, len, lines);
	snprintf(uri, sizeof uri, "\nREQUEST_URI=%s\n", targets[_i].uri);
	ck_assert_ptr_nonnull(strstr(lines, uri));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("cgi");
	TCase *c = tcase_create("cgi");
	SRunner *r;
	int failed;

	tcase_add_loop_test(c, test_split, 0, ROWS(splits));
	tcase_add_loop_test(c, test_head, 0, ROWS(heads));
	tcase_add_loop_test(c, test_strict, 0, ROWS(strict));
	tcase_add_test(c, test_request);
	tcase_add_test(c, test_long);
	tcase_add_loop_test(c, test_target, 0, ROWS(targets));
	suite_add_tcase(s, c);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r) + (srunner_ntests_run(r) == 0);
	srunner_free(r);
	return failed != 0;
}
