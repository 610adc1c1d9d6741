/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tests master/conf_fastcgi.c and what is told by it: settings made of text, and each thing that is
 * refused or warned of, with its line.
 */
#include "master/conf.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "t/unit/run.h"
#include "t/unit/text.h"

#define ONE            "upstream \"php\" { peer \"unix:/p\" { } }\n"
#define LOCATION(text) "server \"s\" { listen = { \"*:80\" } location \"/x/\" {\n" text "\n} }\n"
#define PHP(text)      ONE LOCATION("fastcgi = \"php\" root = \"/\"\n" text)
#define CHECK(text)                                              \
	"upstream \"php\" { peer \"unix:/p\" { } check {\n" text \
	" } }\n" LOCATION("fastcgi = \"php\" root = \"/\"")

static const struct text bad[] = {
    {ONE LOCATION("fastcgi = \"php\""), "2: fastcgi: \"/x/\" needs the root of its scripts"},
    {ONE LOCATION("fastcgi = \"php\"\nproxy = \"php\" root = \"/\""),
     "4: a location has one purpose: 'proxy' and 'fastcgi' (t.conf:3) exclude each other"},
    {ONE LOCATION("fastcgi = \"php\" root = \"/\"\nalias = \"/\""),
     "4: a location has one purpose: 'alias' and 'fastcgi' (t.conf:3) exclude each other"},
    {ONE LOCATION("fastcgi = \"pph\" root = \"/\""),
     "3: fastcgi: there is no upstream 'pph' (did you mean 'php'?)"},
    {LOCATION("fastcgi = \"http://x:1\" root = \"/\""),
     "2: fastcgi: 'http://x:1' is a URL (write \"host:port\")"},
    {ONE "server \"s\" { listen = { \"*:80\" }\nlocation \"/a\" { proxy = \"php\" }\n"
	 "location \"/b\" { fastcgi = \"php\" root = \"/\" } }",
     "4: upstream \"php\" is spoken to in FastCGI here and in HTTP at t.conf:3"},
    {"server \"s\" { listen = { \"*:80\" }\nlocation \"/a\" { fastcgi = \"unix:/p\" root = \"/\" "
     "}\n"
     "location \"/b\" { proxy = \"unix:/p\" } }",
     "3: upstream \"unix:/p\" is spoken to in HTTP here and in FastCGI at t.conf:2"},
    {PHP("script = \"index.php\""), "4: script: 'index.php' is not the path of a script below root "
				    "(write \"/index.php\")"},
    {PHP("script = \"/\""), "4: script: '/' is not the path of a script below root (write "
			    "\"/index.php\")"},
    {PHP("script = \"/a/../b.php\""), "4: script: '/a/../b.php' is not the path of a script below "
				      "root (write \"/index.php\")"},
    {PHP("script = \"/a//b.php\""), "4: script: '/a//b.php' is not the path of a script below root "
				    "(write \"/index.php\")"},
    {PHP("split_path = \"/x\""), "4: split_path: '/x' is not the end of a name (write \".php\")"},
    {PHP("split_path = \"\""),
     "4: split_path: no path names a script: write script = \"/index.php\""},
    {PHP("split_path = \"\" script = \"/a\" static_files = true"),
     "4: split_path: scripts would be served as files: with static_files they need a suffix"},
    {ONE LOCATION("fastcgi = \"php\" static_files = true\nroot = \"/not/there\""),
     "4: root: /not/there: No such file or directory"},
    {PHP("param \"A B\" { value = \"x\" }"), "4: param: 'A B' is not the name of a variable"},
    {PHP("param \"9\" { value = \"x\" }"), "4: param: '9' is not the name of a variable"},
    {PHP("param \"A\" { }"), "4: param: 'A' has no value"},
    {PHP("param \"A\" { value = \"x\" }\nparam \"A\" { value = \"y\" }"),
     "5: param: 'A' is set twice"},
};

START_TEST(test_bad)
{
	text_refused(&bad[_i]);
}
END_TEST

static const struct text doubtful[] = {
    {CHECK("path = \"/ping\""),
     "2: warning: path: upstream \"php\" speaks FastCGI, and this is asked in HTTP: without path "
     "a connection is enough"},
    {CHECK("path = \"/ping\" port = 8080"), ""},
    {CHECK("interval = 1s"), ""},
    {PHP("rewrite = \"/y/\""), "4: warning: 'rewrite' has no effect: this location is no proxy"},
    {PHP("proxy_host = \"peer\""),
     "4: warning: 'proxy_host' has no effect: this location is no proxy"},
    {PHP("listing = true"), "4: warning: 'listing' has no effect: this location serves no files"},
    {PHP("static_files = true listing = true"), ""},
    {PHP("index = { } trust = { \"all\" } dotfiles = true"), ""},
    {LOCATION("status = 204\nscript = \"/a\"\nparam \"A\" { value = \"b\" }"),
     "3: warning: 'script' has no effect: this location goes to no FastCGI\n"
     "4: warning: 'param' has no effect: this location goes to no FastCGI"},
};

START_TEST(test_doubtful)
{
	text_doubted(&doubtful[_i]);
}
END_TEST

static const char full[] =
    "upstream \"php\" { peer \"unix:/p\" { } keepalive { idle = 5s } }\n"
    "upstream \"kept\" { peer \"127.0.0.1:9000\" { } keepalive { conns = 3 } }\n"
    "server \"s\" { listen = { \"*:80\" } root = \"/\" proxy_host = \"peer\"\n"
    " location \"/\" { fastcgi = \"php\" root = \"/not/there/\" script = \"/front.php\" }\n"
    " location \"/a/\" { fastcgi = \"kept\" static_files = true split_path = \".x\" index = { "
    "\"i.x\" }\n"
    "  param \"A\" { value = \"1 \\n2\" } param \"_b9\" { value = \"$ \\\"\" } trust = { \"all\" } "
    "}\n"
    " location \"/b/\" { fastcgi = \"127.0.0.1:9\" split_path = \"\" script = \"/a\" }\n"
    "}\n";

static void expect_full(const struct settings *s)
{
	const struct location *l = s->servers[0].locations;

	ck_assert(s->upstreams_count == 3 && s->upstreams[0].fastcgi && s->upstreams[2].fastcgi);
	/* None are kept unless that is asked for. */
	ck_assert(s->upstreams[0].keepalive_conns == 0 && s->upstreams[1].keepalive_conns == 3 &&
		  s->upstreams[2].keepalive_conns == 0);
	for (int i = 1; i <= 3; i++)
		ck_assert(l[i].kind == LOCATION_FASTCGI && l[i].upstream == (uint32_t)i - 1 &&
			  l[i].host_policy == PROXY_HOST_KEEP);
	ck_assert_str_eq(l[1].root, "/not/there");
	ck_assert_str_eq(l[1].script, "/front.php");
	ck_assert_str_eq(l[1].split_path, ".php");
	ck_assert_str_eq(l[1].index[0], "index.php");
	ck_assert_str_eq(l[1].index[1], "index.html");
	ck_assert(!l[1].static_files && l[1].params_count == 0);
	ck_assert_str_eq(l[2].root, "/");
	ck_assert_str_eq(l[2].split_path, ".x");
	ck_assert_str_eq(l[2].index[0], "i.x");
	ck_assert(l[2].static_files && l[2].script == NULL && l[2].params_count == 2 &&
		  l[2].trusted_count == 1);
	ck_assert_str_eq(l[2].params[0].value, "1 \n2");
	ck_assert_str_eq(l[2].params[1].name, "_b9");
	ck_assert_str_eq(l[2].params[1].value, "$ \"");
	ck_assert_str_eq(l[3].split_path, "");
}

START_TEST(test_full)
{
	struct settings *s = text_good(full);

	ck_assert_str_eq(text_said(), "");
	expect_full(s);
	settings_free(s);
}
END_TEST

/* What -T prints is the same configuration. */
START_TEST(test_round_trip)
{
	struct settings *s = text_good(full), *again = text_again(s);

	expect_full(again);
	settings_free(s);
	settings_free(again);
}
END_TEST

#define COUNT(a) ((int)(sizeof(a) / sizeof((a)[0])))

int main(void)
{
	Suite *s = suite_create("conf_fastcgi");
	TCase *c = tcase_create("conf_fastcgi");

	tcase_add_checked_fixture(c, NULL, text_end);
	tcase_add_loop_test(c, test_bad, 0, COUNT(bad));
	tcase_add_loop_test(c, test_doubtful, 0, COUNT(doubtful));
	tcase_add_test(c, test_full);
	tcase_add_test(c, test_round_trip);
	suite_add_tcase(s, c);
	return run_suite(s);
}
