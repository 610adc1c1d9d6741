/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tests master/conf.c, conf_source.c and conf_messages.c: includes, where relative paths begin, the
 * embedded configuration, and messages as such.
 */
#include "master/conf.h"

#include <check.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "t/unit/run.h"
#include "t/unit/snippets.h"
#include "t/unit/text.h"

/* Files by name and content; the first is loaded. */
struct include {
	const char *files[8][2];
	const char *said;  /* NULL: it is good */
	const char *names; /* of its servers, in order */
};

#define SERVER(name) \
	"server \"" name "\" { listen = { \"*:0\" } location \"/\" { root = \"www\" } }\n"

static const struct include includes[] = {
    {{{"c", "include(\"d/*.conf\")\n" SERVER("z")},
      {"d/b.conf", SERVER("b")},
      {"d/a.conf", SERVER("a")},
      {"d/c.txt", "nonsense"}},
     NULL,
     "a b z"},
    {{{"c", "include(\"none/*.conf\") include('d/*.conf') include(d/e)\n" SERVER("z")},
      {"d/e", "#"}},
     NULL,
     "z"},
    {{{"c", "include(\"d/one\")"}, {"d/one", "include(\"d/two\")"}, {"d/two", SERVER("deep")}},
     NULL,
     "deep"},
    {{{"c", "include(\"d/one\") include(\"d/one\")"}, {"d/one", "# twice is no circle\n"}},
     "DIR/c:1: there is no server section",
     NULL},
    {{{"c", "server \"s\" { listen = { \"*:0\" } include(\"d/loc\") root = \"nowhere\" }"},
      {"d/loc", "location \"/\" { root = \"www\" }\n"}},
     "DIR/c:1: root: DIR/nowhere: No such file or directory",
     NULL},
    {{{"c", SERVER("z") "include(\"d/none.conf\")"}},
     "DIR/c:2: DIR/d/none.conf cannot be read: No such file or directory",
     NULL},
    {{{"c", SERVER("z") "include(\"fifo\")"}},
     "DIR/c:2: DIR/fifo cannot be read: it is not a regular file",
     NULL},
    {{{"c", SERVER("z") "\n\ninclude(\"d/a\")"}, {"d/a", "\n\ninclude(\"c\")"}},
     "DIR/d/a:3: DIR/c includes itself",
     NULL},
    {{{"c", SERVER("z") "include(\"d/a\")\nfoo = 1\n"}, {"d/a", "\nbar = 1\n"}},
     "DIR/d/a:2: no such option 'bar' at top level\nDIR/c:3: no such option 'foo' at top level",
     NULL},
    {{{"c", SERVER("z") "drain = 1s include(\"d/a\")\n"}, {"d/a", "\ndrain = 1s\n"}},
     "DIR/d/a:2: 'drain' is set twice at top level (first at DIR/c:2)",
     NULL},
    {{{"c", SERVER("z") "include(\"d/a\") drain = 1\nhang = 2"}, {"d/a", "\n\norphan = 3"}},
     "DIR/d/a:3: orphan: '3' has no unit (write 3s)\nDIR/c:2: drain: '1' has no unit (write 1s)\n"
     "DIR/c:3: hang: '2' has no unit (write 2s)",
     NULL},
    {{{"c", "include(\"d/a\")\n}"}, {"d/a", "server \"s\" {\n"}},
     "DIR/d/a:1: section 'server' is not closed: there is no '}' for it before the end of the file",
     NULL},
    {{{"c", "server \"s\" {\ninclude(\"d/a\")\n"}, {"d/a", "\n}\n"}},
     "DIR/d/a:2: '}' closes nothing",
     NULL},
    {{{"c", SERVER("z") "include(\"d/[ab]\")"},
      {"d/a", "header \"X\" { value = \"1\" }"},
      {"d/b", "\nheader \"x\" { value = \"2\" }"}},
     "DIR/d/b:2: header: 'x' is set twice (first at DIR/d/a:1)",
     NULL},
    {{{"c", SERVER("z") "include(\"d/a\")\n" SERVER("y")}, {"d/a", "\n\n" SERVER("z")}},
     "DIR/d/a:3: there are two servers \"z\" (the first at DIR/c:1)",
     NULL},
};

START_TEST(test_include)
{
	const struct include *x = &includes[_i];
	char path[2 * PATH_MAX], names[256] = "";
	struct settings *s;

	ck_assert_int_eq(mkdir(text_in("d"), 0755), 0);
	for (size_t i = 0; i < 8 && x->files[i][0] != NULL; i++)
		text_write(x->files[i][0], x->files[i][1]);
	snprintf(path, sizeof(path), "%s", text_in("c"));
	s = conf_load(path, text_messages());
	if (x->said != NULL) {
		ck_assert_ptr_null(s);
		ck_assert_str_eq(text_said(), x->said);
		return;
	}
	ck_assert_msg(s != NULL, "%s", text_said());
	ck_assert_str_eq(s->file, path);
	for (uint32_t i = 0; i < s->servers_count; i++) {
		strcat(names, i == 0 ? "" : " ");
		strcat(names, s->servers[i].name);
	}
	ck_assert_str_eq(names, x->names);
	settings_free(s);
}
END_TEST

START_TEST(test_include_depth)
{
	char name[16], text[64], path[2 * PATH_MAX];

	for (int i = 0; i <= 17; i++) {
		snprintf(name, sizeof(name), "f%d", i);
		snprintf(text, sizeof(text), "\ninclude(\"f%d\")\n", i + 1);
		text_write(name, i == 17 ? SERVER("deep") : text);
	}
	snprintf(path, sizeof(path), "%s", text_in("f0"));
	ck_assert_ptr_null(conf_load(path, text_messages()));
	ck_assert_str_eq(text_messages()->list[0].text, "includes are nested more than 16 deep");
	ck_assert_int_eq(text_messages()->list[0].line, 2);
	conf_messages_free(text_messages());
	snprintf(path, sizeof(path), "%s", text_in("f1"));
	settings_free(conf_load(path, text_messages()));
	ck_assert_uint_eq(text_messages()->errors, 0);
}
END_TEST

/* Relative paths begin at the folder of the file, whatever the working directory is. */
START_TEST(test_relative)
{
	char before[PATH_MAX];
	struct settings *s;

	ck_assert_ptr_nonnull(getcwd(before, sizeof(before)));
	ck_assert_int_eq(chdir(text_in("www")), 0);
	text_write("t.conf", SITE);
	s = conf_load("../t.conf", text_messages());
	ck_assert_msg(s != NULL, "%s", text_said());
	ck_assert_str_eq(s->servers[0].locations[1].root, text_in("www"));
	ck_assert_str_eq(s->file, "../t.conf");
	settings_free(s);
	ck_assert_ptr_null(conf_load("none.conf", text_messages()));
	ck_assert_str_eq(conf_messages_first(text_messages()),
			 "none.conf: cannot be read: No such file or directory");
	ck_assert_int_eq(chdir(before), 0);
}
END_TEST

START_TEST(test_embedded)
{
	struct settings *s = conf_embedded(NULL, text_in("www"), text_messages());

	ck_assert_msg(s != NULL, "%s", text_said());
	ck_assert_ptr_null(s->file);
	ck_assert_uint_ge(s->workers, 1);
	ck_assert_uint_eq(s->servers_count, 1);
	ck_assert_str_eq(s->servers[0].name, "site");
	ck_assert_str_eq(s->listeners[0].address, "127.0.0.1:8080");
	ck_assert_str_eq(s->servers[0].locations[1].root, text_in("www"));
	ck_assert(s->servers[0].locations[1].listing);
	ck_assert_str_eq(s->servers[0].locations[1].index[0], "index.html");
	settings_free(s);

	s = conf_embedded("[::1]:0", "/tmp", text_messages());
	ck_assert_ptr_nonnull(s);
	ck_assert_int_eq(s->listeners[0].addr.sa.sa_family, AF_INET6);
	settings_free(s);

	ck_assert_ptr_null(conf_embedded("80", text_in("a \"$\\{x}\" none"), text_messages()));
	ck_assert_str_eq(text_said(),
			 "command line:0: listen: '80' is a port alone (write \"*:80\" or "
			 "\"127.0.0.1:80\")\n"
			 "command line:0: root: DIR/a \"$\\{x}\" none: No such file or directory");
	ck_assert_str_eq(conf_messages_first(text_messages()),
			 "command line: listen: '80' is a port alone (write \"*:80\" or "
			 "\"127.0.0.1:80\")");
}
END_TEST

START_TEST(test_messages)
{
	char *text = NULL, *out = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	for (int i = 0; i < 150; i++)
		fprintf(f, "x%d = 1\n", i);
	fclose(f);
	ck_assert_ptr_null(text_parse(text));
	free(text);
	ck_assert_uint_eq(text_messages()->errors, 150);
	ck_assert_uint_eq(text_messages()->count, 100);
	ck_assert_uint_eq(text_messages()->left_out, 50);
	f = open_memstream(&out, &len);
	conf_messages_print(text_messages(), f);
	fclose(f);
	ck_assert_int_eq(strncmp(out, "t.conf:1: error: no such option 'x0' at top level\n", 50),
			 0);
	ck_assert_ptr_nonnull(strstr(out, "\nand 50 more\n"));
	free(out);
	/* What a configuration says cannot forge a line. */
	ck_assert_ptr_null(text_parse("user = \"a\\nt.conf:1: error: b\"\n" SITE));
	ck_assert_str_eq(conf_messages_first(text_messages()),
			 "t.conf:1: user: there is no user 'a?t.conf:1: error: b'");
	settings_free(text_good(SITE));
	ck_assert_str_eq(conf_messages_first(text_messages()), "");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("conf_files");
	TCase *c = tcase_create("conf_files");

	tcase_add_checked_fixture(c, text_begin, text_end);
	tcase_set_timeout(c, 120);
	tcase_add_loop_test(c, test_include, 0, sizeof(includes) / sizeof(includes[0]));
	tcase_add_test(c, test_include_depth);
	tcase_add_test(c, test_relative);
	tcase_add_test(c, test_embedded);
	tcase_add_test(c, test_messages);
	suite_add_tcase(s, c);
	return run_suite(s);
}
