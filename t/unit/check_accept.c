/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tests worker/http/accept.c: the weight of a media type in Accept.
 */
#include "worker/http/accept.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *fields; /* whole header fields */
	const char *type;
	int weight;
} cases[] = {
    {"", "text/html", -1},
    {"Accept: */*\r\n", "text/html", -1},
    {"Accept: text/html\r\n", "text/html", 1000},
    {"ACCEPT: TEXT/HTML\r\n", "text/html", 1000},
    {"Accept: text/htmlx\r\n", "text/html", -1},
    {"Accept: xtext/html\r\n", "text/html", -1},
    {"Accept: a/b, \t text/html ;q=0.5,c/d\r\n", "text/html", 500},
    {"Accept: text/html; q=0\r\n", "text/html", 0},
    {"Accept: text/html;level=1;q=0.25\r\n", "text/html", 250},
    {"Accept: text/html;Q=1.000\r\n", "text/html", 1000},
    {"Accept: text/html;q=2\r\n", "text/html", 0},
    {"Accept: text/html;q=1.9\r\n", "text/html", 1000},
    {"Accept: text/html;q=\r\n", "text/html", 0},
    {"Accept: text/html;\r\n", "text/html", 1000},
    {"Accept: text/html;v=1;q=0.2, text/html;v=2;q=0.7\r\n", "text/html", 700},
    {"Accept: a/b\r\nX: y\r\nAccept: text/html;q=0.3\r\n", "text/html", 300},
    {"Accept: ,,;,text/html,\r\n", "text/html", 1000},
    {"Accept-Encoding: text/html\r\n", "text/html", -1},
};

START_TEST(test_weight)
{
	static const struct http_limits limits = {60000, 60000, HTTP_FIELDS_MAX};
	struct http_request req;
	enum http_refusal refusal;
	uint32_t scanned = 0;
	char head[512];
	int n = snprintf(head, sizeof head, "GET / HTTP/1.1\r\nHost: x\r\n%s\r\n",
			 cases[_i].fields);

	ck_assert_int_eq(http_parse(head, (size_t)n, &limits, &scanned, &req, &refusal), 1);
	ck_assert_msg(accept_weight(head, &req, cases[_i].type) == cases[_i].weight, "%s: %d",
		      cases[_i].fields, accept_weight(head, &req, cases[_i].type));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("accept");
	TCase *t = tcase_create("accept");
	SRunner *r;
	int failed;

	tcase_add_loop_test(t, test_weight, 0, (int)(sizeof cases / sizeof *cases));
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
