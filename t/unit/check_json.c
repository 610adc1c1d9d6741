/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tests shm/json.c, shm/utf8.c and shm/print.c: every byte comes out as valid JSON, or as harmless
 * text for a terminal; commas, nesting and numbers are right.
 */
#include "shm/json.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "shm/print.h"
#include "shm/utf8.h"

/* What is written between open_memory() and close_memory() ends up in text. */
static char *text;
static size_t text_bytes;

static FILE *open_memory(void)
{
	FILE *f = open_memstream(&text, &text_bytes);

	ck_assert_ptr_nonnull(f);
	return f;
}

static void expect(FILE *f, const char *wanted)
{
	fclose(f);
	ck_assert_str_eq(text, wanted);
	free(text);
}

static const struct {
	const char *in;
	size_t bytes;
	const char *out;
} strings[] = {
    {"plain", 5, "\"plain\""},
    {"", 0, "\"\""},
    {"a\"b\\c/", 6, "\"a\\\"b\\\\c/\""},
    {"\n\r\t\b\f", 5, "\"\\n\\r\\t\\u0008\\u000c\""},
    {"a\0b", 3, "\"a\\u0000b\""},
    {"\x1b[31m\x7f", 6, "\"\\u001b[31m\\u007f\""},
    {"\xc2\x80\xc2\x9b\xc2\x9f\xc2\xa0", 8, "\"\\u0080\\u009b\\u009f\xc2\xa0\""},
    {"\xc3\xa4\xe2\x82\xac\xf0\x9f\x90\x91", 9, "\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x90\x91\""},
    {"\xe4x", 2, "\"\\ufffdx\""},                                /* Latin-1 */
    {"\xc3", 1, "\"\\ufffd\""},                                  /* cut off */
    {"\xc0\xaf", 2, "\"\\ufffd\\ufffd\""},                       /* overlong */
    {"\xe0\x80\xaf", 3, "\"\\ufffd\\ufffd\\ufffd\""},            /* overlong */
    {"\xed\xa0\x80", 3, "\"\\ufffd\\ufffd\\ufffd\""},            /* surrogate */
    {"\xf4\x90\x80\x80", 4, "\"\\ufffd\\ufffd\\ufffd\\ufffd\""}, /* above U+10FFFF */
    {"\xff\xfe", 2, "\"\\ufffd\\ufffd\""},
};

START_TEST(test_string)
{
	FILE *f = open_memory();
	struct json j;

	json_init(&j, f);
	json_bytes(&j, NULL, strings[_i].in, strings[_i].bytes);
	expect(f, strings[_i].out);
}
END_TEST

START_TEST(test_nesting)
{
	FILE *f = open_memory();
	struct json j;

	json_init(&j, f);
	json_object(&j, NULL);
	json_text(&j, "a", "x");
	json_array(&j, "b");
	json_u64(&j, NULL, 1);
	json_object(&j, NULL);
	json_end(&j);
	json_object(&j, NULL);
	json_bool(&j, "yes", true);
	json_bool(&j, "no", false);
	json_end(&j);
	json_array(&j, NULL);
	json_end(&j);
	json_end(&j);
	json_null(&j, "c\"");
	ck_assert_int_eq(json_finish(&j), 0);
	expect(f, "{\"a\":\"x\",\"b\":[1,{},{\"yes\":true,\"no\":false},[]],\"c\\\"\":null}\n");
}
END_TEST

START_TEST(test_two_values)
{
	FILE *f = open_memory();
	struct json j;

	json_init(&j, f);
	json_array(&j, NULL);
	json_finish(&j);
	json_object(&j, NULL);
	json_finish(&j);
	expect(f, "[]\n{}\n");
}
END_TEST

START_TEST(test_numbers)
{
	FILE *f = open_memory();
	struct json j;

	json_init(&j, f);
	json_array(&j, NULL);
	json_u64(&j, NULL, UINT64_MAX);
	json_i64(&j, NULL, INT64_MIN);
	json_real(&j, NULL, 0.5);
	json_real(&j, NULL, 1e12);
	json_real(&j, NULL, NAN);
	json_real(&j, NULL, -INFINITY);
	json_finish(&j);
	expect(f,
	       "[18446744073709551615,-9223372036854775808,0.500,1000000000000.000,null,null]\n");
}
END_TEST

START_TEST(test_full_stream)
{
	FILE *f = fopen("/dev/full", "w");
	struct json j;

	ck_assert_ptr_nonnull(f);
	json_init(&j, f);
	json_u64(&j, NULL, 1);
	ck_assert_int_eq(json_finish(&j), -1);
	fclose(f);
}
END_TEST

/* A key where none belongs, or none where one does, is the caller's bug. */
START_TEST(test_misuse)
{
	FILE *f = fopen("/dev/null", "w");
	struct json j;

	json_init(&j, f);
	json_object(&j, NULL);
	json_u64(&j, NULL, 1);
}
END_TEST

START_TEST(test_utf8_all_pairs)
{
	/* Every lead byte with every second byte and two good ones after: against the definition.
	 */
	for (unsigned a = 0; a < 256; a++)
		for (unsigned b = 0; b < 256; b++) {
			char s[4] = {(char)a, (char)b, (char)0x80, (char)0x80};
			size_t n = utf8_length(s, 4);
			unsigned long code = 0;

			if (n <= 1)
				continue;
			ck_assert(a >= 0xc2 && (b & 0xc0) == 0x80);
			code = n == 2   ? (a & 0x1fu) << 6 | (b & 0x3fu)
			       : n == 3 ? (a & 0xfu) << 12 | (b & 0x3fu) << 6
					: (a & 7u) << 18 | (b & 0x3fu) << 12;
			ck_assert(code >= (n == 2 ? 0x80 : n == 3 ? 0x800 : 0x10000));
			ck_assert(code <= 0x10ffff && (code < 0xd800 || code > 0xdfff));
			ck_assert_uint_eq(utf8_length(s, n - 1), 0);
		}
}
END_TEST

static const struct {
	const char *in;
	size_t bytes, room;
	const char *out;
} escapes[] = {
    {"GET /a b", 8, 100, "GET /a b"},
    {"\x1b]0;x\a", 6, 100, "\\x1b]0;x\\x07"},
    {"a\\b\n\t\r", 6, 100, "a\\\\b\\x0a\\x09\\x0d"},
    {"\xc2\x9b"
     "31m",
     5, 100, "\\xc2\\x9b31m"}, /* a C1 control in UTF-8 */
    {"a\0b", 3, 100, "a\\x00b"},
    {"\x7f", 1, 100, "\\x7f"},
    {"abc", 3, 3, "ab"},
    {"ab\n", 3, 6, "ab"}, /* never half an escape */
    {"ab\n", 3, 7, "ab\\x0a"},
    {"abc", 3, 1, ""},
};

START_TEST(test_escape)
{
	char out[128];

	print_escape(escapes[_i].in, escapes[_i].bytes, out, escapes[_i].room);
	ck_assert_str_eq(out, escapes[_i].out);
}
END_TEST

START_TEST(test_escape_all_bytes)
{
	char all[256], out[4 * 256 + 1];

	for (unsigned i = 0; i < 256; i++)
		all[i] = (char)i;
	print_escape(all, sizeof(all), out, sizeof(out));
	for (const char *p = out; *p != '\0'; p++)
		ck_assert(*p >= 0x20 && *p < 0x7f);
	ck_assert(strstr(out, "\\xff") != NULL);
}
END_TEST

static const struct {
	uint64_t us;
	const char *text;
} durations[] = {
    {0, "0 us"},
    {999, "999 us"},
    {1000, "1.0 ms"},
    {9999, "9.9 ms"},
    {10000, "10 ms"},
    {999999, "999 ms"},
    {1000000, "1.0 s"},
    {59999999, "59 s"},
    {60000000, "1m0s"},
    {3599000000, "59m59s"},
    {3600000000, "1h0m"},
    {90061000000, "1d1h"},
    {UINT64_MAX, "213503982d8h"},
};

START_TEST(test_duration)
{
	char out[PRINT_SHORT];

	ck_assert_str_eq(print_duration(durations[_i].us, out), durations[_i].text);
}
END_TEST

static const struct {
	uint64_t bytes;
	const char *text;
} sizes[] = {
    {0, "0"},       {1023, "1023"},    {1024, "1.0k"},    {1536, "1.5k"},
    {10240, "10k"}, {1048575, "1.0M"}, {1048576, "1.0M"}, {UINT64_MAX, "16E"},
};

START_TEST(test_size)
{
	char out[PRINT_SHORT];

	ck_assert_str_eq(print_size(sizes[_i].bytes, out), sizes[_i].text);
}
END_TEST

START_TEST(test_table)
{
	static const char *const titles[] = {"NAME", "N", "TEXT"};
	FILE *f = open_memory();
	struct print_table *t = print_table_new(f, false, titles, "lrl");

	print_cell(t, "%s", "a");
	print_cell(t, "%d", 1000);
	print_cell(t, "%s", "tab\there");
	print_cell(t, "%s", "longer");
	print_cell(t, "%d", 1);
	print_cell(t, "%s", "");
	ck_assert_int_eq(print_table_end(t, 20), 0);
	expect(f, "NAME         N  TEXT\n"
		  "a         1000  tab\\\n"
		  "longer       1  \n");
}
END_TEST

START_TEST(test_raw_table)
{
	static const char *const titles[] = {"NAME", "N"};
	FILE *f = open_memory();
	struct print_table *t = print_table_new(f, true, titles, "lr");

	print_cell(t, "%s", "a\tb\n");
	print_cell(t, "%d", 1);
	print_cell(t, "%s", "c");
	print_cell(t, "%d", 2);
	ck_assert_int_eq(print_table_end(t, 4), 0);
	expect(f, "a\\x09b\\x0a\t1\nc\t2\n");
}
END_TEST

START_TEST(test_wrapped)
{
	FILE *f = open_memory();

	print_wrapped(f, "label", 8, 30, "one two three four five six\033 seven");
	print_wrapped(f, "", 2, 30, "");
	expect(f, "label   one two three four\n"
		  "        five six\\x1b seven\n"
		  "  \n");
}
END_TEST

#define LOOP(c, test, table) tcase_add_loop_test(c, test, 0, sizeof(table) / sizeof((table)[0]))

int main(void)
{
	Suite *s = suite_create("json");
	TCase *c = tcase_create("json");
	SRunner *r;
	int bad;

	LOOP(c, test_string, strings);
	tcase_add_test(c, test_nesting);
	tcase_add_test(c, test_two_values);
	tcase_add_test(c, test_numbers);
	tcase_add_test(c, test_full_stream);
	if (getenv("CK_FORK") == NULL || strcmp(getenv("CK_FORK"), "no") != 0)
		tcase_add_test_raise_signal(c, test_misuse, 6);
	tcase_add_test(c, test_utf8_all_pairs);
	LOOP(c, test_escape, escapes);
	tcase_add_test(c, test_escape_all_bytes);
	LOOP(c, test_duration, durations);
	LOOP(c, test_size, sizes);
	tcase_add_test(c, test_table);
	tcase_add_test(c, test_raw_table);
	tcase_add_test(c, test_wrapped);
	suite_add_tcase(s, c);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	bad = srunner_ntests_failed(r) + (srunner_ntests_run(r) == 0);
	srunner_free(r);
	return bad != 0;
}
