/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tests worker/http/range.c: a table of Range fields against sizes, and what a malformed, greedy or
 * unsatisfiable one comes to.
 */
#include "worker/http/range.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROWS(table) (int)(sizeof(table) / sizeof((table)[0]))

enum {
	MAX = 4
};

/* want: ranges as "offset+length", separated by spaces; "whole" or "416". */
static const struct {
	const char *text;
	uint64_t size;
	const char *want;
} rows[] = {
    {"bytes=0-0", 10, "0+1"},
    {"bytes=0-9", 10, "0+10"},
    {"bytes=0-10", 10, "0+10"},
    {"bytes=9-", 10, "9+1"},
    {"bytes=0-", 10, "0+10"},
    {"bytes=10-", 10, "416"},
    {"bytes=10-20", 10, "416"},
    {"bytes=-1", 10, "9+1"},
    {"bytes=-10", 10, "0+10"},
    {"bytes=-11", 10, "0+10"},
    {"bytes=-0", 10, "416"},
    {"BYTES=1-2", 10, "1+2"},
    {"bytes=0-0,9-9", 10, "0+1 9+1"},
    {"bytes=9-9,0-0", 10, "9+1 0+1"},
    {"bytes=0-1,2-3", 10, "0+2 2+2"},
    {"bytes=0-1 ,\t2-3", 10, "0+2 2+2"},
    {"bytes=,0-1,,2-3,", 10, "0+2 2+2"},
    {"bytes= 0-1", 10, "0+2"},
    {"bytes=0-1,20-30", 10, "0+2"},
    {"bytes=20-30,40-50", 10, "416"},
    {"bytes=0-1,-1", 10, "0+2 9+1"},
    {"bytes=0-5,5-9", 10, "whole"},
    {"bytes=0-5,3-4", 10, "whole"},
    {"bytes=3-4,0-5", 10, "whole"},
    {"bytes=0-,-1", 10, "whole"},
    {"bytes=0-0,1-1,2-2,3-3", 10, "0+1 1+1 2+1 3+1"},
    {"bytes=0-0,1-1,2-2,3-3,4-4", 10, "whole"},
    {"bytes=0-0,20-,30-,40-,50-", 10, "whole"},
    {"bytes=5-4", 10, "whole"},
    {"bytes=0-1,5-4", 10, "whole"},
    {"bytes=", 10, "whole"},
    {"bytes=,", 10, "whole"},
    {"bytes=-", 10, "whole"},
    {"bytes=a-b", 10, "whole"},
    {"bytes=1 -2", 10, "whole"},
    {"bytes=1- 2", 10, "whole"},
    {"bytes=1-2 3-4", 10, "whole"},
    {"bytes=+1-2", 10, "whole"},
    {"bytes=1-+2", 10, "whole"},
    {"bytes=--1", 10, "whole"},
    {"bytes=0x1-2", 10, "whole"},
    {"bytes 0-1", 10, "whole"},
    {"bytes =0-1", 10, "whole"},
    {"lines=0-1", 10, "whole"},
    {"byte", 10, "whole"},
    {"", 10, "whole"},
    {"bytes=0-", 0, "416"},
    {"bytes=0-0", 0, "416"},
    {"bytes=-5", 0, "416"},
    {"bytes=0-99999999999999999999999", 10, "0+10"},
    {"bytes=99999999999999999999999-", 10, "416"},
    {"bytes=-99999999999999999999999", 10, "0+10"},
    {"bytes=18446744073709551615-18446744073709551615", 10, "416"},
    {"bytes=18446744073709551616-", 9223372036854775807, "416"},
    {"bytes=9223372036854775806-", 9223372036854775807, "9223372036854775806+1"},
    {"bytes=0-9223372036854775806", 9223372036854775807, "0+9223372036854775807"},
};

static void describe(char out[256], enum range_result result, const struct range *r, unsigned n)
{
	size_t len = 0;

	if (result != RANGE_PARTIAL) {
		ck_assert_msg(result == RANGE_WHOLE || n == 0, "%u ranges with 416", n);
		strcpy(out, result == RANGE_WHOLE ? "whole" : "416");
		return;
	}
	for (unsigned i = 0; i < n; i++)
		len += (size_t)snprintf(out + len, 256 - len, "%s%ju+%ju", i > 0 ? " " : "",
					(uintmax_t)r[i].offset, (uintmax_t)r[i].length);
}

START_TEST(row)
{
	struct range ranges[MAX];
	unsigned count = 99;
	size_t len = strlen(rows[_i].text);
	/* Not terminated, so that reading beyond the end shows under a sanitizer. */
	char got[256], *exact = malloc(len + (len == 0));
	enum range_result result;

	memcpy(exact, rows[_i].text, len);
	result = range_parse(exact, len, rows[_i].size, ranges, MAX, &count);
	describe(got, result, ranges, count);
	ck_assert_msg(strcmp(got, rows[_i].want) == 0, "'%s' of %ju: %s, not %s", rows[_i].text,
		      (uintmax_t)rows[_i].size, got, rows[_i].want);
	free(exact);
}
END_TEST

/* Whatever comes, ranges lie within the size and do not overlap. */
START_TEST(random_text)
{
	static const char alphabet[] = "0123456789--,, =";
	char text[64] = "bytes=";
	struct range r[MAX];
	unsigned count;

	srand((unsigned)_i);
	for (int n = 0; n < 20000; n++) {
		size_t len = 6 + (size_t)(rand() % 40);
		uint64_t size = (uint64_t)(rand() % 200);

		for (size_t i = 6; i < len; i++)
			text[i] = alphabet[(size_t)rand() % (sizeof(alphabet) - 1)];
		if (range_parse(text, len, size, r, MAX, &count) != RANGE_PARTIAL)
			continue;
		ck_assert_uint_ge(count, 1);
		ck_assert_uint_le(count, MAX);
		for (unsigned i = 0; i < count; i++) {
			ck_assert_uint_ge(r[i].length, 1);
			ck_assert_uint_le(r[i].offset + r[i].length, size);
			for (unsigned j = 0; j < i; j++)
				ck_assert(r[i].offset >= r[j].offset + r[j].length ||
					  r[j].offset >= r[i].offset + r[i].length);
		}
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("range");
	TCase *tc = tcase_create("range");
	SRunner *runner = srunner_create(s);
	int run, failed;

	suite_add_tcase(s, tc);
	tcase_add_loop_test(tc, row, 0, ROWS(rows));
	tcase_add_loop_test(tc, random_text, 0, 4);
	srunner_run_all(runner, CK_ENV);
	run = srunner_ntests_run(runner);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return run == 0 || failed > 0;
}
