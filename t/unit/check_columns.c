/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tests shm/columns.c: no line is ever wider than the screen, whatever its width, and the selected
 * row always shows.
 */
#include "shm/columns.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

enum {
	ID,
	STATE,
	PEER,
	REQUEST,
	COLUMNS
};

static const struct column columns[COLUMNS] = {
    [ID] = {"ID", 6, true, false, 1},
    [STATE] = {"STATE", 9, false, false, 0},
    [PEER] = {"PEER", 21, false, false, 2},
    [REQUEST] = {"REQUEST", 10, false, true, 0},
};

static const struct {
	unsigned width;
	unsigned widths[COLUMNS];
} fits[] = {
    {0, {0, 0, 0, 0}},    {1, {0, 1, 0, 0}},    {9, {0, 9, 0, 0}},      {19, {6, 9, 0, 0}},
    {20, {0, 9, 0, 10}},  {26, {0, 9, 0, 16}},  {27, {6, 9, 0, 10}},    {48, {6, 9, 0, 31}},
    {49, {6, 9, 21, 10}}, {80, {6, 9, 21, 41}}, {200, {6, 9, 21, 161}},
};

START_TEST(test_fit)
{
	unsigned widths[COLUMNS_MAX];

	columns_fit(columns, COLUMNS, fits[_i].width, widths);
	for (unsigned i = 0; i < COLUMNS; i++)
		ck_assert_msg(widths[i] == fits[_i].widths[i], "width %u: column %u has %u",
			      fits[_i].width, i, widths[i]);
}
END_TEST

START_TEST(test_never_wider)
{
	unsigned widths[COLUMNS_MAX];
	char line[256];

	for (unsigned width = 0; width < 250; width++) {
		line[0] = '\0';
		columns_fit(columns, COLUMNS, width, widths);
		for (unsigned i = 0; i < COLUMNS; i++)
			columns_put(line, sizeof(line), &columns[i], widths[i],
				    "0123456789012345678901234567890123456789");
		ck_assert_uint_le(strlen(line), width);
	}
}
END_TEST

START_TEST(test_put)
{
	char line[64] = "";

	columns_put(line, sizeof(line), &columns[ID], 6, "42");
	ck_assert_str_eq(line, "    42");
	columns_put(line, sizeof(line), &columns[STATE], 6, "idle");
	ck_assert_str_eq(line, "    42 idle  ");
	columns_put(line, sizeof(line), &columns[PEER], 0, "hidden");
	ck_assert_str_eq(line, "    42 idle  ");
	columns_put(line, sizeof(line), &columns[REQUEST], 6, "GET /long");
	ck_assert_str_eq(line, "    42 idle   GET /~");
	columns_put(line, sizeof(line), &columns[REQUEST], 200, "no room");
	ck_assert_str_eq(line, "    42 idle   GET /~");
	columns_put(line, sizeof(line), &columns[ID], 1, "77");
	ck_assert_str_eq(line, "    42 idle   GET /~ ~");
}
END_TEST

static const struct {
	size_t first, selected, count, rows, want;
} scrolls[] = {
    {0, 0, 0, 10, 0},   {0, 0, 5, 10, 0},   {3, 4, 5, 10, 0},   {0, 9, 20, 10, 0},
    {0, 10, 20, 10, 1}, {5, 4, 20, 10, 4},  {5, 14, 20, 10, 5}, {15, 19, 20, 10, 10},
    {90, 3, 20, 10, 3}, {0, 19, 20, 1, 19}, {7, 3, 20, 0, 0},
};

START_TEST(test_scroll)
{
	ck_assert_uint_eq(columns_scroll(scrolls[_i].first, scrolls[_i].selected, scrolls[_i].count,
					 scrolls[_i].rows),
			  scrolls[_i].want);
}
END_TEST

#define LOOP(c, test, table) \
	tcase_add_loop_test(c, test, 0, (int)(sizeof(table) / sizeof((table)[0])))

int main(void)
{
	Suite *s = suite_create("columns");
	TCase *c = tcase_create("columns");
	SRunner *r;
	int bad;

	LOOP(c, test_fit, fits);
	tcase_add_test(c, test_never_wider);
	tcase_add_test(c, test_put);
	LOOP(c, test_scroll, scrolls);
	suite_add_tcase(s, c);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	bad = srunner_ntests_failed(r) + (srunner_ntests_run(r) == 0);
	srunner_free(r);
	return bad != 0;
}
