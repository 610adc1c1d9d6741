/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tests master/conf_schema.c: drover.conf(5) tells of every option in it, with its default, and its
 * words are those of the rest of the program.
 */
#include "master/conf_schema.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "t/unit/run.h"
#include "worker/errlog.h"

/* The item of an option in a section of the manual: from its .It to the next. */
static char *manual_item(const char *manual, const char *section, const char *option)
{
	char title[64], item[64];
	const char *from = manual, *to, *end;

	if (section != NULL) {
		snprintf(title, sizeof(title), "\n.Ss %s\n", section);
		from = strstr(manual, title);
		ck_assert_msg(from != NULL, "no .Ss %s", section);
		from += 2;
	}
	to = strstr(from, "\n.Ss ");
	if (to == NULL)
		to = manual + strlen(manual);
	snprintf(item, sizeof(item), "\n.It Ic %s", option);
	for (from = strstr(from, item); from != NULL && from < to; from = strstr(from + 1, item)) {
		char after = from[strlen(item)];

		if (after != ' ' && after != '\n')
			continue;
		end = strstr(from + 1, "\n.It ");
		return strndup(from, (size_t)((end == NULL || end > to ? to : end) - from) + 1);
	}
	ck_abort_msg("drover.conf(5) says nothing of %s in %s", option,
		     section == NULL ? "the global section" : section);
	return NULL;
}

/* What a section is called there: those of an upstream that a server has as well, by both names. */
static const char *manual_title(const char *manual, const char *outer, const char *name)
{
	static char both[64];
	char title[80];

	snprintf(both, sizeof(both), "%s %s", outer, name);
	snprintf(title, sizeof(title), "\n.Ss %s\n", both);
	return strstr(manual, title) != NULL ? both : name;
}

/* Every option stands in the manual's part on its section, with its default. */
static void check_manual(const char *manual, const char *section, const struct conf_option *table)
{
	for (const struct conf_option *o = table; o->name != NULL; o++) {
		char *item = manual_item(manual, section, o->name), expected[64];

		if (o->kind == CONF_SECTION)
			check_manual(manual, manual_title(manual, section, o->name), o->inside);
		if (o->fallback != NULL && o->kind != CONF_LIST) {
			snprintf(expected, sizeof(expected), "\nDefault: %s.\n", o->fallback);
			ck_assert_msg(strstr(item, expected) != NULL, "%s: not %s in %s", o->name,
				      expected, item);
		}
		free(item);
	}
}

START_TEST(test_manual)
{
	FILE *f = fopen("etc/man/drover.conf.5", "r");
	static char manual[256 * 1024];
	size_t len;

	ck_assert_msg(f != NULL, "run from the root of the sources");
	len = fread(manual, 1, sizeof(manual) - 1, f);
	manual[len] = '\0';
	fclose(f);
	check_manual(manual, "Global options", conf_schema());
}
END_TEST

/* The schema's words for levels are those of the log. */
START_TEST(test_levels)
{
	const struct conf_option *o = conf_schema_find(conf_schema(), "log_level");
	int i = 0;

	for (; o->words[i] != NULL; i++)
		ck_assert_int_eq(errlog_level_parse(o->words[i]), i);
	ck_assert_ptr_null(errlog_level_name(i));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("conf_schema");
	TCase *c = tcase_create("conf_schema");

	tcase_add_test(c, test_manual);
	tcase_add_test(c, test_levels);
	suite_add_tcase(s, c);
	return run_suite(s);
}
