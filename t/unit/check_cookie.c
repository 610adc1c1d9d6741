/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tests worker/http/cookie.c and worker/sticky.c: cookies of a name among others; values of session
 * cookies, by the vectors of SipHash's reference implementation.
 */
#include "worker/http/cookie.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "worker/sticky.h"

static const struct {
	const char *field, *found; /* "A|B": these values, in this order */
} fields[] = {
    {"", ""},
    {"SID=1", "1"},
    {"SID=", ""},
    {"SID", ""},
    {"SID=1; SID=2", "1|2"},
    {"a=b; SID=1;c=d", "1"},
    {"XSID=0; SIDX=0; sid=0; SID=1", "1"},
    {"SID =0; SID=1", "1"},
    {"SID=\"1\"", "1"},
    {"SID=\"1", "\"1"},
    {"SID=\"\"; SID=2", "2"},
    {"SID=\"", "\""},
    {"SID=a=b", "a=b"},
    {";;; SID=1 ;", "1"},
    {"\tSID=1\t", "1"},
    {"a=SID=1", ""},
    {"SID=1;", "1"},
};

START_TEST(test_fields)
{
	const char *field = fields[_i].field, *value;
	size_t at = 0, len, used = 0;
	char out[64] = "", *copy = malloc(strlen(field) + 1);

	/* Without a NUL behind it. */
	memcpy(copy, field, strlen(field));
	while ((value = cookie_next(copy, strlen(field), &at, "SID", &len)) != NULL)
		used += (size_t)snprintf(out + used, sizeof out - used, "%s%.*s",
					 used != 0 ? "|" : "", (int)len, value);
	ck_assert_msg(strcmp(out, fields[_i].found) == 0, "%s: %s", field, out);
	free(copy);
}
END_TEST

START_TEST(test_siphash)
{
	static const struct {
		size_t len;
		uint64_t hash;
	} vectors[] = {{0, UINT64_C(0x726fdb47dd0e0e31)},
		       {1, UINT64_C(0x74f839c593dc67fd)},
		       {7, UINT64_C(0xab0200f58b01d137)},
		       {8, UINT64_C(0x93f5f5799a932462)},
		       {15, UINT64_C(0xa129ca6149be45e5)}};
	static const uint64_t key[2] = {UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908)};
	unsigned char in[64];

	for (unsigned k = 0; k < sizeof in; k++)
		in[k] = (unsigned char)k;
	for (size_t k = 0; k < sizeof vectors / sizeof vectors[0]; k++)
		ck_assert_msg(sticky_siphash(key, in, vectors[k].len) == vectors[k].hash,
			      "%zu bytes", vectors[k].len);
}
END_TEST

START_TEST(test_sticky)
{
	char text[STICKY_DIGITS + 1];
	uint64_t v, back;

	v = sticky_of("api", "10.0.0.1:80");
	ck_assert(v != sticky_of("api", "10.0.0.2:80") && v != sticky_of("apo", "10.0.0.1:80"));
	sticky_write(v, text);
	ck_assert_uint_eq(strlen(text), STICKY_DIGITS);
	ck_assert(sticky_read(text, STICKY_DIGITS, &back) && back == v);
	/* What is in clients' hands is never to change. */
	ck_assert_str_eq(text, "9dd0e9fc7ba0c77c");
	ck_assert(!sticky_read(text, STICKY_DIGITS - 1, &back));
	text[3] = 'A';
	ck_assert(!sticky_read(text, STICKY_DIGITS, &back));
	text[3] = '\0';
	ck_assert(!sticky_read(text, STICKY_DIGITS, &back));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("cookie");
	TCase *t = tcase_create("cookie");
	SRunner *r;
	int failed;

	tcase_add_loop_test(t, test_fields, 0, sizeof fields / sizeof fields[0]);
	tcase_add_test(t, test_siphash);
	tcase_add_test(t, test_sticky);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? 0 : 1;
}
