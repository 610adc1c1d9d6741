/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tests worker/http/encoding.c: Accept-Encoding fields against what is there; requests go through
 * the real parser.
 */
#include "worker/http/encoding.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

#define ROWS(table) (int)(sizeof(table) / sizeof((table)[0]))

enum {
	GZ = 1 << ENCODING_GZIP,
	ZS = 1 << ENCODING_ZSTD,
	BR = 1 << ENCODING_BR,
	ALL = GZ | ZS | BR
};

/* accept: fields separated by '|'; NULL: none. */
static const struct {
	const char *accept;
	unsigned available;
	enum encoding want;
} rows[] = {
    {NULL, ALL, ENCODING_IDENTITY},
    {"", ALL, ENCODING_IDENTITY},
    {"gzip", ALL, ENCODING_GZIP},
    {"gzip", BR | ZS, ENCODING_IDENTITY},
    {"gzip, deflate, br, zstd", ALL, ENCODING_BR},
    {"gzip, deflate, br, zstd", GZ | ZS, ENCODING_ZSTD},
    {"gzip, deflate, br, zstd", GZ, ENCODING_GZIP},
    {"gzip, deflate, br, zstd", 0, ENCODING_IDENTITY},
    {"GZIP", ALL, ENCODING_GZIP},
    {"x-gzip", ALL, ENCODING_GZIP},
    {"gzip;q=1, br;q=0.5", ALL, ENCODING_GZIP},
    {"gzip;q=0.501, br;q=0.5", ALL, ENCODING_GZIP},
    {"gzip;q=0.5, br;q=0.50", ALL, ENCODING_BR},
    {"gzip ; Q=0.9 , br ;\tq=0.1", ALL, ENCODING_GZIP},
    {"br;q=0, gzip", ALL, ENCODING_GZIP},
    {"br;q=0.000, gzip;q=0.001", ALL, ENCODING_GZIP},
    {"br;q=0", ALL, ENCODING_IDENTITY},
    {"*", ALL, ENCODING_BR},
    {"*;q=0", ALL, ENCODING_IDENTITY},
    {"*;q=0, gzip", ALL, ENCODING_GZIP},
    {"br;q=0, *;q=0.5", ALL, ENCODING_ZSTD},
    {"gzip;q=0.8, *;q=0.1", ALL, ENCODING_GZIP},
    {"identity", ALL, ENCODING_IDENTITY},
    {"identity, gzip;q=0.5", ALL, ENCODING_IDENTITY},
    {"identity;q=0.5, gzip;q=0.5", ALL, ENCODING_GZIP},
    {"identity;q=0, gzip;q=0.1", ALL, ENCODING_GZIP},
    {"identity;q=0, gzip;q=0.1", BR, ENCODING_IDENTITY},
    {"identity;q=0", ALL, ENCODING_IDENTITY},
    {"gzip|br", ALL, ENCODING_BR},
    {"deflate|gzip", ALL, ENCODING_GZIP},
    {", ,gzip,,", ALL, ENCODING_GZIP},
    /* Malformed elements count for nothing. */
    {"br;q=2, gzip", ALL, ENCODING_GZIP},
    {"br;q=1.001, gzip", ALL, ENCODING_GZIP},
    {"br;q=0.1234, gzip", ALL, ENCODING_GZIP},
    {"br;q=, gzip", ALL, ENCODING_GZIP},
    {"br;q, gzip", ALL, ENCODING_GZIP},
    {"br;, gzip", ALL, ENCODING_GZIP},
    {"br;level=3, gzip", ALL, ENCODING_GZIP},
    {"br;q=-1, gzip", ALL, ENCODING_GZIP},
    {"br;q=1;x=y, gzip", ALL, ENCODING_GZIP},
    {"br gzip", ALL, ENCODING_IDENTITY},
    {"brx, xbr, gzi", ALL, ENCODING_IDENTITY},
};

START_TEST(choice)
{
	static const struct http_limits limits = {
	    .max_header = 4096, .max_uri = 1024, .max_fields = 64};
	static struct http_request req;
	char head[1024], *at = head + sprintf(head, "GET / HTTP/1.1\r\nHost: a\r\n");
	const char *accept = rows[_i].accept;
	enum http_refusal refusal;
	enum encoding got;
	uint32_t scanned = 0;

	while (accept != NULL) {
		at += sprintf(at, "Accept-Encoding: %.*s\r\n", (int)strcspn(accept, "|"), accept);
		accept = strchr(accept, '|');
		accept = accept != NULL ? accept + 1 : NULL;
	}
	at += sprintf(at, "\r\n");
	ck_assert_int_eq(http_parse(head, (size_t)(at - head), &limits, &scanned, &req, &refusal),
			 1);
	got = encoding_choose(head, &req, rows[_i].available);
	ck_assert_msg(got == rows[_i].want, "'%s' of %x: %s", rows[_i].accept, rows[_i].available,
		      encoding_name(got));
}
END_TEST

START_TEST(names)
{
	ck_assert_str_eq(encoding_name(ENCODING_ZSTD), "zstd");
	ck_assert_str_eq(encoding_suffix(ENCODING_ZSTD), ".zst");
	ck_assert_str_eq(encoding_suffix(ENCODING_GZIP), ".gz");
	ck_assert_str_eq(encoding_suffix(ENCODING_BR), ".br");
	ck_assert_str_eq(encoding_suffix(ENCODING_IDENTITY), "");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("encoding");
	TCase *tc = tcase_create("encoding");
	SRunner *runner = srunner_create(s);
	int run, failed;

	suite_add_tcase(s, tc);
	tcase_add_loop_test(tc, choice, 0, ROWS(rows));
	tcase_add_test(tc, names);
	srunner_run_all(runner, CK_ENV);
	run = srunner_ntests_run(runner);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return run == 0 || failed > 0;
}
