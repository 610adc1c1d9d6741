/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tests shm/fields.h: what adds up says what it is and what to do about it; names are unique; texts
 * are sentences without their full stop, which the printers add. That each field is written and
 * documented is for t/fields.pl to prove.
 */
#include <check.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shm/board.h"

struct row {
	const char *table, *name, *unit, *help, *advice;
	unsigned kind;
};

#define ROW(knd, type, nam, dim, uni, lev, hlp, adv) {TABLE, #nam, uni, hlp, adv, BOARD_##knd},

/* clang-format off */
static const struct row rows[] = {
#define TABLE "master"
    MASTER_FIELDS(ROW)
#undef TABLE
#define TABLE "worker"
    WORKER_FIELDS(ROW)
#undef TABLE
#define TABLE "listener"
    LISTENER_FIELDS(ROW)
#undef TABLE
#define TABLE "server"
    SERVER_FIELDS(ROW)
#undef TABLE
#define TABLE "listener_traffic"
    LISTENER_TRAFFIC_FIELDS(ROW)
#undef TABLE
#define TABLE "server_traffic"
    SERVER_TRAFFIC_FIELDS(ROW)
#undef TABLE
#define TABLE "conn"
    CONN_FIELDS(ROW)
#undef TABLE
};
/* clang-format on */

enum {
	ROWS = sizeof(rows) / sizeof(rows[0])
};

/* What adds up but is a plain fact. */
static const char *const plain[] = {"master.servers"};

static bool is_plain(const struct row *r)
{
	char name[64];

	snprintf(name, sizeof(name), "%s.%s", r->table, r->name);
	for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++)
		if (strcmp(name, plain[i]) == 0)
			return true;
	return false;
}

START_TEST(test_advice)
{
	const struct row *r = &rows[_i];
	bool adds_up = r->kind == BOARD_COUNTER || r->kind == BOARD_GAUGE || r->kind == BOARD_HIST;

	ck_assert_msg(r->help[0] != '\0', "%s.%s has no help", r->table, r->name);
	if (adds_up && !is_plain(r))
		ck_assert_msg(strlen(r->advice) > 20, "%s.%s has no advice", r->table, r->name);
	ck_assert_msg(!is_plain(r) || r->advice[0] == '\0', "%s.%s is plain no more", r->table,
		      r->name);
	ck_assert_str_ne(r->help, r->advice);
}
END_TEST

static void check_text(const struct row *r, const char *text)
{
	size_t length = strlen(text);

	for (size_t i = 0; i < length; i++)
		ck_assert_msg(text[i] >= ' ' && text[i] < 0x7f && text[i] != '"' && text[i] != '\\',
			      "%s.%s: byte %zu of \"%s\"", r->table, r->name, i, text);
	ck_assert_msg(length == 0 || !strchr(".,;: ", text[length - 1]), "%s.%s ends oddly: \"%s\"",
		      r->table, r->name, text);
	ck_assert_msg(text[0] != ' ' && !strstr(text, "  "), "%s.%s: spaces in \"%s\"", r->table,
		      r->name, text);
}

START_TEST(test_texts)
{
	const struct row *r = &rows[_i];

	check_text(r, r->help);
	check_text(r, r->advice);
	ck_assert_msg(strspn(r->name, "abcdefghijklmnopqrstuvwxyz0123456789_") == strlen(r->name),
		      "%s.%s", r->table, r->name);
	ck_assert_msg(strlen(r->unit) < sizeof(((struct board_field *)0)->unit), "%s", r->unit);
}
END_TEST

START_TEST(test_unique)
{
	for (int k = 0; k < _i; k++)
		ck_assert_msg(strcmp(rows[_i].table, rows[k].table) != 0 ||
				  strcmp(rows[_i].name, rows[k].name) != 0,
			      "%s.%s twice", rows[_i].table, rows[_i].name);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("fields");
	TCase *t = tcase_create("fields");
	SRunner *runner;
	int failed;

	tcase_add_loop_test(t, test_advice, 0, ROWS);
	tcase_add_loop_test(t, test_texts, 0, ROWS);
	tcase_add_loop_test(t, test_unique, 0, ROWS);
	suite_add_tcase(s, t);
	runner = srunner_create(s);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
