/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tests worker/http/files_find.c and listing.c: which file a path means, which none may reach, and
 * folders.
 */
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "t/unit/run.h"
#include "t/unit/site.h"

#define ROWS(table) (int)(sizeof(table) / sizeof((table)[0]))

static const struct {
	const char *target;
	const char *want;
} redirects[] = {
    {"/docs", "/docs/"},       {"/docs?a=1&b=2", "/docs/?a=1&b=2"},       {"/docs?", "/docs/"},
    {"//docs", "/docs/"},      {"//evil.example/..//docs", "/docs/"},     {"/a%20b", "/a%20b/"},
    {"/%3Cx%3E", "/%3Cx%3E/"}, {"/%5Cevil.example", "/%5Cevil.example/"}, {"/to_docs", "/to_docs/"},
};

START_TEST(folder_redirect)
{
	make_folder("www/docs");
	make_folder("www/a b");
	make_folder("www/<x>");
	make_folder("www/\\evil.example");
	make_link("www/to_docs", "docs");
	for (int n = 0; n < 2; n++) {
		get(redirects[_i].target, "");
		expect_status(301);
		ck_assert_str_eq(field("Location"), redirects[_i].want);
	}
	ck_assert_uint_eq(row.file_cache_hits, 1);
	ask_at(1, "HEAD", redirects[_i].target, "");
	expect_status(301);
	ck_assert_uint_eq(body_len, 0);
}
END_TEST

START_TEST(index_file)
{
	char long_query[8000];

	get("/", "");
	expect_status(403);
	write_file("www/index.htm", "second");
	pass(SECOND);
	get("/", "");
	expect_body("second");
	ck_assert_str_eq(field("Content-Type"), "text/html; charset=utf-8");
	/* A name that comes first in the order appears. */
	write_file("www/index.html", "first");
	pass(SECOND);
	get("/", "");
	expect_body("first");
	ck_assert_int_eq(unlink(path_of("www/index.html")), 0);
	make_folder("www/index.html");
	pass(SECOND);
	get("/", "");
	expect_body("second");
	make_folder("www/empty");
	get("/empty/", "");
	expect_status(403);
	get("/none/", "");
	expect_status(404);
	get("/small.txt/", "");
	expect_status(404);
	memset(long_query, 'q', sizeof(long_query));
	memcpy(long_query, "/empty?", 7);
	long_query[sizeof(long_query) - 1] = '\0';
	get(long_query, "");
	expect_status(301);
	locations[1].index = NULL;
	restart();
	get("/", "");
	expect_status(403);
}
END_TEST

START_TEST(aliased)
{
	ask_at(2, "GET", "/img/x.png", "");
	expect_status(404);
	make_folder("www/pictures");
	write_file("www/pictures/x.png", "png");
	write_file("www/pictures/index.html", "index");
	write_file("www/pictures/s", "half");
	pass(SECOND);
	ask_at(2, "GET", "/img/x.png", "");
	expect_body("png");
	ask_at(2, "GET", "/img/", "");
	expect_body("index");
	get("/img/x.png", "");
	expect_status(404);
	/* A prefix without its slash. */
	locations[2].path = locations[2].match = "/img";
	locations[2].path_len = 4;
	restart();
	ask_at(2, "GET", "/img/x.png", "");
	expect_body("png");
	ask_at(2, "GET", "/img/", "");
	expect_body("index");
	ask_at(2, "GET", "/img", "");
	expect_status(301);
	ck_assert_str_eq(field("Location"), "/img/");
	ask_at(2, "GET", "/imgs", "");
	expect_status(404);
}
END_TEST

/* A root that is a link is followed anew each second: a release can be switched by it. */
START_TEST(root_switched)
{
	make_folder("v1");
	make_folder("v2");
	write_file("v1/x", "one");
	write_file("v2/x", "two");
	make_link("current", "v1");
	locations[1].root = keep(path_of("current"));
	restart();
	get("/x", "");
	expect_body("one");
	make_link("next", "v2");
	ck_assert_int_eq(rename(path_of("next"), path_of("current")), 0);
	pass(SECOND);
	get("/x", "");
	expect_body("two");
	ck_assert_int_eq(unlink(path_of("current")), 0);
	pass(SECOND);
	get("/x", "");
	expect_status(404);
	make_link("current", "v1");
	pass(SECOND);
	get("/x", "");
	expect_body("one");
}
END_TEST

START_TEST(special_files)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int watch = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	char event[4096];

	strcpy(addr.sun_path, path_of("www/socket"));
	ck_assert_int_eq(bind(s, (struct sockaddr *)&addr, sizeof(addr)), 0);
	ck_assert_int_eq(mkfifo(path_of("www/fifo"), 0644), 0);
	ck_assert_int_eq(mkfifo(path_of("www/index.html"), 0644), 0);
	ck_assert_int_ge(inotify_add_watch(watch, path_of("www/fifo"), IN_OPEN), 0);
	alarm(5); /* if it waits for a writer after all */
	get("/fifo", "");
	expect_status(404);
	get("/socket", "");
	expect_status(404);
	get("/", "");
	expect_status(403);
	/* A regular file that becomes a FIFO while it is in the cache. */
	get("/small.txt", "");
	ck_assert_int_eq(rename(path_of("www/fifo"), path_of("www/small.txt")), 0);
	pass(SECOND);
	get("/small.txt", "");
	expect_status(404);
	alarm(0);
	/* It was looked at, but never opened: no writer was let to think that it had a reader. */
	ck_assert_int_lt(read(watch, event, sizeof(event)), 0);
	close(watch);
	close(s);
}
END_TEST

static const struct {
	const char *target;
	const char *want; /* NULL: 404 */
} paths[] = {
    {"/inside", "in"},      {"/dir/x", "in"},         {"/up/a/x", "in"},
    {"/outside", NULL},     {"/far", NULL},           {"/absolute", NULL},
    {"/dangling", NULL},    {"/loop", NULL},          {"/out/secret", NULL},
    {"/../secret", NULL},   {"/.hidden", NULL},       {"/a/.hidden", NULL},
    {"/.git/config", NULL}, {"/%2egit/config", NULL}, {"/.well-known/x", "known"},
    {"/%77ell", "well"},
};

START_TEST(path_safety)
{
	char far[128];
	size_t len;

	make_folder("www/a");
	make_folder("www/.git");
	make_folder("www/.well-known");
	write_file("www/a/x", "in");
	write_file("www/.hidden", "hidden");
	write_file("www/a/.hidden", "hidden");
	write_file("www/.git/config", "config");
	write_file("www/.well-known/x", "known");
	write_file("www/well", "well");
	make_link("www/inside", "a/x");
	make_link("www/dir", "a");
	make_link("www/a/top", "..");
	make_link("www/up", "a/top");
	make_link("www/outside", "../secret");
	make_link("www/out", "..");
	make_link("www/dangling", "none");
	make_link("www/loop", "loop");
	make_link("www/absolute", path_of("www/a/x"));
	snprintf(far, sizeof(far), "../../../../../../..%s", path_of("secret"));
	make_link("www/far", far);
	if (path_normalise(paths[_i].target, strlen(paths[_i].target), far, sizeof(far), &len) < 0)
		return; /* refused before it comes here */
	get(paths[_i].target, "");
	if (paths[_i].want != NULL)
		expect_body(paths[_i].want);
	else
		expect_status(404);
}
END_TEST

START_TEST(dotfiles_wanted)
{
	write_file("www/.hidden", "hidden");
	locations[1].dotfiles = true;
	restart();
	get("/.hidden", "");
	expect_body("hidden");
}
END_TEST

START_TEST(long_names)
{
	static char target[6000];

	target[0] = '/';
	memset(target + 1, 'x', 300);
	get(target, "");
	expect_status(404);
	for (int i = 0; i < 5500; i += 50) {
		memset(target + i, 'y', 50);
		target[i] = '/';
	}
	get(target, "");
	expect_status(404);
}
END_TEST

START_TEST(listing)
{
	char name[64], last[64] = "";
	const char *at;

	locations[1].listing = true;
	locations[1].cache_control = "no-cache";
	make_folder("www/dir");
	make_folder("www/dir/zz");
	make_folder("www/dir/a&b");
	write_pattern("www/dir/<script>.txt", 1536);
	write_file("www/dir/javascript:alert(1)", "x");
	write_file("www/dir/caf\xc3\xa9 100%.txt", "x");
	write_file("www/dir/.hidden", "x");
	write_file("www/dir/unnamed\nline", "x");
	write_file("www/dir/unnamed\xe9", "x");
	make_link("www/dir/link", "zz");
	make_link("www/dir/leak", "../../secret");
	make_link("www/dir/dead", "none");
	ck_assert_int_eq(mkfifo(path_of("www/dir/fifo"), 0644), 0);
	restart();
	get("/dir/", "Range: bytes=0-1");
	expect_status(200);
	ck_assert(reply.ready);
	ck_assert_str_eq(field("Content-Type"), "text/html; charset=utf-8");
	ck_assert_str_eq(field("Cache-Control"), "no-cache");
	ck_assert_ptr_null(field("ETag"));
	ck_assert_ptr_null(field("Accept-Ranges"));
	ck_assert_ptr_null(field("Last-Modified"));
	ck_assert_ptr_nonnull(strstr(body, "<title>/dir/</title>"));
	ck_assert_ptr_nonnull(strstr(body, "<a href=\"../\">"));
	ck_assert_ptr_nonnull(strstr(body, "<a href=\"./a&amp;b/\">a&amp;b/</a></td><td></td>"));
	ck_assert_ptr_nonnull(strstr(body,
				     "<a href=\"./%3Cscript%3E.txt\">&lt;script&gt;.txt</a></td>"
				     "<td>1.5k</td><td>1994-11-06 08:49</td>"));
	ck_assert_ptr_nonnull(strstr(body, "<a href=\"./javascript:alert(1)\">"));
	ck_assert_ptr_nonnull(
	    strstr(body, "<a href=\"./caf%C3%A9%20100%25.txt\">caf\xc3\xa9 100%.txt</a>"));
	ck_assert_ptr_nonnull(strstr(body, "<a href=\"./link/\">"));
	ck_assert_ptr_null(strstr(body, "hidden"));
	/* No request can ask for these. */
	ck_assert_ptr_null(strstr(body, "unnamed"));
	ck_assert_ptr_null(strstr(body, "leak"));
	ck_assert_ptr_null(strstr(body, "dead"));
	ck_assert_ptr_null(strstr(body, "fifo"));
	ck_assert_ptr_null(strstr(body, "<script>"));
	/* Folders first, each kind by name. */
	ck_assert(strstr(body, "./zz/") < strstr(body, "./%3Cscript"));
	ck_assert(strstr(body, "./a&amp;b/") < strstr(body, "./link/"));
	ck_assert(strstr(body, "./link/") < strstr(body, "./zz/"));
	/* Good for a second. */
	write_file("www/dir/new", "x");
	get("/dir/", "");
	ck_assert_ptr_null(strstr(body, "new"));
	pass(SECOND);
	get("/dir/", "");
	ck_assert_ptr_nonnull(strstr(body, "./new"));
	/* The root has nothing above it. */
	get("/", "");
	expect_status(200);
	ck_assert_ptr_null(strstr(body, "../"));
	/* More than fits. */
	for (int i = 0; i < 2000; i++) {
		sprintf(name, "www/dir/number%04d", i);
		write_file(name, "");
	}
	pass(SECOND);
	get("/dir/", "");
	expect_status(200);
	ck_assert_uint_le(body_len + reply.head_len, REPLY_TEXT_SIZE);
	ck_assert_uint_ge(body_len, 58 * 1024);
	for (at = body; (at = strstr(at, "./number")) != NULL; at++)
		sscanf(at, "./number%60[0-9]", last);
	sprintf(name, "… %d more</p>", 2000 - 1 - atoi(last));
	ck_assert_msg(strstr(body, name) != NULL, "no '%s' in ...%s", name, body + body_len - 200);
	ck_assert_uint_eq(row.file_cache_entries, 2);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("files_find");
	TCase *tc = tcase_create("files_find");

	suite_add_tcase(s, tc);
	tcase_set_timeout(tc, 30);
	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_loop_test(tc, folder_redirect, 0, ROWS(redirects));
	tcase_add_test(tc, index_file);
	tcase_add_test(tc, aliased);
	tcase_add_test(tc, root_switched);
	tcase_add_test(tc, special_files);
	tcase_add_loop_test(tc, path_safety, 0, ROWS(paths));
	tcase_add_test(tc, dotfiles_wanted);
	tcase_add_test(tc, long_names);
	tcase_add_test(tc, listing);
	return run_suite(s);
}
