/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tests master/conf.c and the files behind it: values and inheritance of good configurations, and
 * the round trip of -T.
 */
#include "master/conf.h"

#include <arpa/inet.h>
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "t/unit/run.h"
#include "t/unit/snippets.h"
#include "t/unit/text.h"
#include "worker/errlog.h"
#include "worker/http/mime.h"
#include "worker/http/route.h"

/* A line of -T that a snippet gives. */
static const struct text values[] = {
    {"workers = 7\n" SITE, "workers = 7\n"},
    {"workers = 4 drain = 5s\n" SITE, "\ndrain = 5s\n"},
    {SITE, "\ndrain = 30s\n"},
    {"drain = 1500ms\n" SITE, "\ndrain = 1500ms\n"},
    {"drain = 120s\n" SITE, "\ndrain = 2m\n"},
    {"hang = 0\n" SITE, "\nhang = 0s\n"},
    {"deadlines { relay_idle = 2d }\n" SITE, "\n        relay_idle = 2d\n"},
    {"limits { max_body = 0 }\n" SITE, "\n        max_body = 0\n"},
    {"limits { max_body = 1536k }\n" SITE, "\n        max_body = 1536k\n"},
    {"limits { max_body = 2G }\n" SITE, "\n        max_body = 2g\n"},
    {"limits { max_body = 1025 }\n" SITE, "\n        max_body = 1025\n"},
    {"user = 4711 group = 4712\n" SITE, "\nuser = \"4711\"\ngroup = \"4712\"\n"},
    {SITE, "\nerror_log = \"stderr\"\n"},
    {"error_log = \"logs/e.log\"\n" SITE, "/logs/e.log\"\n"},
    {"error_log = '/x/y/'\n" SITE, "\nerror_log = \"/x/y\"\n"},
    {"log_level = alert\n" SITE, "\nlog_level = alert\n"},
    {"default_type = \"text/x-y; a=b\"\n" SITE, "\ndefault_type = \"text/x-y; a=b\"\n"},
    {"# comment\n// another\n/* a\n third */ worker_connections = /* here */ 5\n" SITE,
     "\nworker_connections = 5\n"},
    {"\xEF\xBB\xBFworkers = 3\r\n" SITE, "workers = 3\n"},
    {"access_log = stdout log_format = json\n" SITE,
     "\n    access_log = \"stdout\"\n    log_format = json\n"},
    {"header \"X\" { value = \"\\\"\\\\\\x41\\101\\t\\$x\" }\n" SITE,
     "value = \"\\\"\\\\AA\\t\\$x\"\n"},
    {"header \"X\" { value = 'a\\'b\\n' }\n" SITE, "value = \"a'b\\\\n\"\n"},
    {"header \"X\" { value = \"${DROVER_TEST_SET}+${DROVER_TEST_UNSET:-b}\" }\n" SITE,
     "value = \"a \\$ {x}+b\"\n"},
    {IN_SERVER("names = { Example.ORG, \"*.Example.org\", \"a_b\" }"),
     "names = { \"example.org\", \"*.example.org\", \"a_b\" }\n"},
    {IN_SERVER("names = { a }\nnames += { b, c }\nnames += d"),
     "names = { \"a\", \"b\", \"c\", \"d\" }\n"},
    {IN_SERVER("names = { a, }"), "names = { \"a\" }\n"},
    {IN_SERVER("default = yes reuseport = on backlog = 5"),
     "default = true\n    reuseport = true\n    backlog = 5\n"},
    {IN_SERVER("index = { }"), "\n    index = { }\n"},
    {IN_SERVER("location \"=   /a\" { redirect = \"https://example.org/?a=b#c\" }"),
     "location \"= /a\" {\n        redirect = \"https://example.org/?a=b#c\"\n        status = "
     "302\n"},
    {IN_SERVER("location /bare/ { status = 404 text = \"gone\\n\" }"),
     "location \"/bare/\" {\n        status = 404\n        text = \"gone\\n\"\n"},
    {IN_LOCATION("health = true"), "\n        health = true\n"},
    {IN_LOCATION("root = \"www\"\nhealth = false"), "/www\"\n"},
    {IN_LOCATION("root = \"www\"\nallow = { \"10.0.0.0/8\", \"10.1.2.3\", \"::1\" }\n"
		 "deny = { \"10.1.0.0/16\", \"2001:db8::/32\", \"all\" }"),
     "\n        allow = { \"::1/128\", \"10.1.2.3/32\", \"10.0.0.0/8\" }\n"
     "        deny = { \"10.1.0.0/16\", \"2001:db8::/32\", \"all\" }\n"},
    {IN_LOCATION("root = \"www\"\nallow = { \"0.0.0.0/0\", \"::/0\" }"),
     "allow = { \"0.0.0.0/0\", \"all\" }\n"},
    {IN_LOCATION("root = \"www\"\nerror_page \"404 410\" { file = \"404.html\" }"),
     "error_page \"410\" {"},
};

START_TEST(test_value)
{
	struct settings *s;
	char *text;

	setenv("DROVER_TEST_SET", "a $ {x}", 1);
	unsetenv("DROVER_TEST_UNSET");
	s = text_good(values[_i].text);
	ck_assert_str_eq(text_said(), "");
	text = text_printed(s);
	ck_assert_msg(strstr(text, values[_i].said) != NULL, "%s\n-> %s", values[_i].text, text);
	free(text);
	settings_free(s);
}
END_TEST

static const struct header_setting *header_of(const struct location *loc, const char *name)
{
	for (uint32_t i = 0; i < loc->headers_count; i++) {
		if (strcasecmp(loc->headers[i].name, name) == 0)
			return &loc->headers[i];
	}
	return NULL;
}

static const struct error_page *page_of(const struct location *loc, int status)
{
	for (uint32_t i = 0; i < loc->error_pages_count; i++) {
		if (loc->error_pages[i].status == status)
			return &loc->error_pages[i];
	}
	return NULL;
}

static void check_first_server(const struct settings *s)
{
	const struct server *one = &s->servers[0];
	const struct location *l = one->locations;

	ck_assert_str_eq(one->name, "one");
	ck_assert_str_eq(one->pos.file, "t.conf");
	ck_assert_int_eq(one->pos.line, 15);
	ck_assert_uint_eq(one->listeners_count, 3);
	ck_assert_uint_eq(one->deadlines.at_us[DEADLINE_HEADER], 7000000);
	ck_assert_uint_eq(one->deadlines.at_us[DEADLINE_IDLE], 8000000);
	ck_assert_uint_eq(one->deadlines.at_us[DEADLINE_MAX_AGE], UINT64_C(3600000000));
	ck_assert_uint_eq(one->deadlines.at_us[DEADLINE_SEND], 60000000);
	ck_assert_uint_eq(one->deadlines.at_us[DEADLINE_MIN_RATE], 5000000);
	ck_assert_uint_eq(one->deadlines.min_rate, 1024);
	ck_assert_uint_eq(one->keepalive_requests, 5);
	ck_assert_uint_eq(one->limits.max_header, 32768);
	ck_assert_uint_eq(one->limits.max_uri, 8192);
	ck_assert_uint_eq(one->limits.max_fields, 50);
	ck_assert_int_eq(one->log, 0);
	ck_assert_uint_eq(one->locations_count, 6);
	for (uint32_t i = 0; i < 6; i++) {
		ck_assert_uint_eq(l[i].id, i);
		ck_assert_uint_eq(l[i].max_body, i == 2 ? 4096 : 3072);
		ck_assert_uint_eq(l[i].headers_count, i == 2 ? 3 : 2);
		ck_assert_str_eq(header_of(&l[i], "X-Outer")->value, "outer");
		ck_assert_str_eq(header_of(&l[i], "X-Both")->value, "server");
		ck_assert(!header_of(&l[i], "X-Both")->always);
		ck_assert_str_eq(page_of(&l[i], 404)->type, "text/x-page");
		ck_assert_str_eq(page_of(&l[i], 500)->type, "text/html; charset=utf-8");
		ck_assert_str_eq(page_of(&l[i], 500)->body, "<p>gone</p>\n");
		ck_assert_uint_eq(page_of(&l[i], 500)->len, 12);
		ck_assert_uint_eq(l[i].rules_count, 1);
		ck_assert_uint_eq(l[i].rules[0].bits, i == 2 ? 104 : 120);
		ck_assert_int_eq(l[i].rules[0].allow, i == 2);
		ck_assert_int_eq(l[i].refuse_others, i == 2);
	}
}

static void check_locations(const struct settings *s)
{
	const struct location *l = s->servers[0].locations;

	ck_assert_int_eq(l[0].kind, LOCATION_NONE);
	ck_assert_int_eq(l[1].kind, LOCATION_FILES);
	ck_assert_str_eq(l[1].root, text_in("www"));
	ck_assert_ptr_null(l[1].alias);
	ck_assert_str_eq(l[1].index[0], "a.html");
	ck_assert_str_eq(l[1].index[1], "b.html");
	ck_assert_ptr_null(l[1].index[2]);
	ck_assert(l[1].listing);
	ck_assert_str_eq(l[1].cache_control, "max-age=5");
	ck_assert_int_eq(l[1].pos.line, 29);
	ck_assert_int_eq(l[2].kind, LOCATION_FILES);
	ck_assert_str_eq(l[2].alias, text_in("www"));
	ck_assert_ptr_null(l[2].root);
	ck_assert_ptr_null(l[2].index[0]);
	ck_assert(!l[2].listing && l[2].dotfiles);
	ck_assert_int_eq(l[3].kind, LOCATION_REDIRECT);
	ck_assert(l[3].exact);
	ck_assert_str_eq(l[3].match, "= /r");
	ck_assert_str_eq(l[3].path, "/r");
	ck_assert_uint_eq(l[3].path_len, 2);
	ck_assert_int_eq(l[3].status, 308);
	ck_assert_int_eq(l[4].kind, LOCATION_STATUS);
	ck_assert_int_eq(l[4].status, 410);
	ck_assert_str_eq(l[4].text, "gone");
	ck_assert_int_eq(l[5].kind, LOCATION_HEALTH);
}

static void check_listeners(const struct settings *s)
{
	const struct listener *l = s->listeners;

	ck_assert_uint_eq(s->listeners_count, 6);
	ck_assert_str_eq(l[0].address, "127.0.0.1:8081");
	ck_assert_int_eq(l[0].addr.in.sin_family, AF_INET);
	ck_assert_uint_eq(ntohs(l[0].addr.in.sin_port), 8081);
	ck_assert_uint_eq(ntohl(l[0].addr.in.sin_addr.s_addr), INADDR_LOOPBACK);
	ck_assert_int_eq(l[0].backlog, 77);
	ck_assert_int_eq(l[1].addr.in6.sin6_family, AF_INET6);
	ck_assert_int_eq(l[2].addr.un.sun_family, AF_UNIX);
	ck_assert_str_eq(l[2].addr.un.sun_path, "/run/x.sock");
	ck_assert_uint_eq(l[2].mode, 0666);
	/* localhost is the same address, and two is its default. */
	ck_assert_uint_eq(s->servers[1].listeners[1], 0);
	ck_assert_uint_eq(l[0].default_server, 1);
	ck_assert_uint_eq(l[1].default_server, 0);
	ck_assert_uint_eq(l[3].default_server, 1);
	/* Port 0 is another one each time. */
	ck_assert_uint_eq(s->servers[2].listeners[0], 4);
	ck_assert_uint_eq(s->servers[2].listeners[1], 5);
	ck_assert(l[4].reuseport && !l[0].reuseport);
	for (uint32_t i = 0; i < 6; i++)
		ck_assert_uint_eq(l[i].row, i);
}

START_TEST(test_full)
{
	struct settings *s = text_good(FULL);

	ck_assert_str_eq(text_said(), "");
	ck_assert_uint_eq(s->workers, 3);
	ck_assert_uint_eq(s->worker_connections, 100);
	ck_assert_uint_eq(s->max_conns_per_address, 9);
	ck_assert_uint_eq(s->drain_us, 30000000);
	ck_assert_uint_eq(s->hang_us, 3000000);
	ck_assert_uint_eq(s->orphan_us, 4000000);
	ck_assert_uint_eq(s->lame_duck_us, 5000000);
	ck_assert_str_eq(s->error_log, text_in("logs/error.log"));
	ck_assert_int_eq(s->log_level, ERRLOG_WARN);
	ck_assert_str_eq(s->pid_file, "/run/x.pid");
	ck_assert_uint_eq(s->file_cache, 17);
	ck_assert_uint_eq(s->deadlines.at_us[DEADLINE_HEADER], 3000000);
	ck_assert_ptr_null(s->user);
	ck_assert_uint_eq(s->uid, geteuid());
	ck_assert_uint_eq(s->gid, getegid());
	ck_assert_uint_eq(s->servers_count, 3);
	ck_assert_uint_eq(s->logs_count, 2);
	ck_assert_str_eq(s->logs[0].path, text_in("logs/access.log"));
	ck_assert_int_eq(s->logs[0].format, LOG_JSON);
	ck_assert_int_eq(s->logs[1].format, LOG_LOGFMT);
	ck_assert_int_eq(s->servers[1].log, -1);
	ck_assert_int_eq(s->servers[2].log, 1);
	check_first_server(s);
	check_locations(s);
	check_listeners(s);
	ck_assert_uint_eq(route_server(s->route, 0, "a.ONE.example", 13), 0);
	ck_assert_uint_eq(route_server(s->route, 0, "nobody", 6), 1);
	ck_assert_str_eq(route_location(s->route, 0, "/alias/x", 8)->match, "/alias/");
	ck_assert_str_eq(mime_type(s->mime, "a.css", 5, "x"), "text/css; charset=utf-8");
	settings_free(s);
}
END_TEST

static void same_text(const char *a, const char *b)
{
	ck_assert_int_eq(a == NULL, b == NULL);
	if (a != NULL)
		ck_assert_str_eq(a, b);
}

static void same_location(const struct location *a, const struct location *b)
{
	same_text(a->match, b->match);
	same_text(a->path, b->path);
	same_text(a->root, b->root);
	same_text(a->alias, b->alias);
	same_text(a->cache_control, b->cache_control);
	same_text(a->redirect, b->redirect);
	same_text(a->text, b->text);
	ck_assert(a->kind == b->kind && a->exact == b->exact && a->path_len == b->path_len &&
		  a->status == b->status && a->max_body == b->max_body && a->id == b->id &&
		  a->refuse_others == b->refuse_others && a->rules_count == b->rules_count &&
		  a->headers_count == b->headers_count &&
		  a->error_pages_count == b->error_pages_count);
	if (a->kind == LOCATION_FILES || a->kind == LOCATION_NONE) {
		ck_assert(a->listing == b->listing && a->dotfiles == b->dotfiles &&
			  a->precompressed == b->precompressed);
		for (size_t i = 0; a->index[i] != NULL || b->index[i] != NULL; i++)
			same_text(a->index[i], b->index[i]);
	}
	for (uint32_t i = 0; i < a->rules_count; i++)
		ck_assert_mem_eq(&a->rules[i], &b->rules[i], sizeof(a->rules[i]));
	for (uint32_t i = 0; i < a->headers_count; i++) {
		same_text(a->headers[i].name, b->headers[i].name);
		same_text(a->headers[i].value, b->headers[i].value);
		ck_assert(a->headers[i].always == b->headers[i].always);
	}
	for (uint32_t i = 0; i < a->error_pages_count; i++) {
		ck_assert_int_eq(a->error_pages[i].status, b->error_pages[i].status);
		same_text(a->error_pages[i].type, b->error_pages[i].type);
		same_text(a->error_pages[i].body, b->error_pages[i].body);
	}
}

static void same_server(const struct server *a, const struct server *b)
{
	same_text(a->name, b->name);
	for (size_t i = 0; a->names[i] != NULL || b->names[i] != NULL; i++)
		same_text(a->names[i], b->names[i]);
	ck_assert_uint_eq(a->listeners_count, b->listeners_count);
	ck_assert_mem_eq(a->listeners, b->listeners, a->listeners_count * sizeof(*a->listeners));
	ck_assert_mem_eq(&a->deadlines, &b->deadlines, sizeof(a->deadlines));
	ck_assert_mem_eq(&a->limits, &b->limits, sizeof(a->limits));
	ck_assert(a->row == b->row && a->is_default == b->is_default && a->log == b->log &&
		  a->keepalive_requests == b->keepalive_requests &&
		  a->locations_count == b->locations_count);
	for (uint32_t i = 0; i < a->locations_count; i++)
		same_location(&a->locations[i], &b->locations[i]);
}

static void same_settings(const struct settings *a, const struct settings *b)
{
	same_text(a->user, b->user);
	same_text(a->group, b->group);
	same_text(a->error_log, b->error_log);
	same_text(a->pid_file, b->pid_file);
	same_text(a->mime_types, b->mime_types);
	same_text(a->default_type, b->default_type);
	ck_assert(a->workers == b->workers && a->uid == b->uid && a->gid == b->gid &&
		  a->worker_connections == b->worker_connections &&
		  a->max_conns_per_address == b->max_conns_per_address &&
		  a->drain_us == b->drain_us && a->hang_us == b->hang_us &&
		  a->orphan_us == b->orphan_us && a->lame_duck_us == b->lame_duck_us &&
		  a->log_level == b->log_level && a->file_cache == b->file_cache &&
		  a->listeners_count == b->listeners_count &&
		  a->servers_count == b->servers_count && a->logs_count == b->logs_count);
	ck_assert_mem_eq(&a->deadlines, &b->deadlines, sizeof(a->deadlines));
	for (uint32_t i = 0; i < a->listeners_count; i++) {
		const struct listener *l = &a->listeners[i], *r = &b->listeners[i];

		same_text(l->address, r->address);
		ck_assert_mem_eq(&l->addr, &r->addr, sizeof(l->addr));
		ck_assert(l->addr_len == r->addr_len && l->backlog == r->backlog &&
			  l->reuseport == r->reuseport && l->mode == r->mode && l->row == r->row &&
			  l->default_server == r->default_server);
	}
	for (uint32_t i = 0; i < a->logs_count; i++) {
		same_text(a->logs[i].path, b->logs[i].path);
		ck_assert(a->logs[i].format == b->logs[i].format);
	}
	for (uint32_t i = 0; i < a->servers_count; i++)
		same_server(&a->servers[i], &b->servers[i]);
}

/* What -T prints means the same, and is printed again in the same way. */
static void round_trip(const char *text)
{
	struct settings *s = text_good(text), *again = text_again(s);

	same_settings(s, again);
	settings_free(s);
	settings_free(again);
}

START_TEST(test_round_trip)
{
	setenv("DROVER_TEST_SET", "a $ {x}", 1);
	round_trip(FULL);
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
		round_trip(values[i].text);
}
END_TEST

static bool admits(const struct location *l, const char *address)
{
	struct in6_addr peer;

	ck_assert_int_eq(inet_pton(AF_INET6, address, &peer), 1);
	return route_admits(l, &peer);
}

/* Metrics and the status page are for this machine alone, unless they themselves say otherwise. */
START_TEST(test_own_pages)
{
	struct settings *s = text_good(
	    "server \"s\" { listen = { \"127.0.0.1:80\" } allow = { \"all\" } deny = { "
	    "\"127.0.0.9\" }\n"
	    "location \"/m\" { metrics = true }\n"
	    "location \"/s\" { status = true }\n"
	    "location \"/o\" { status = true allow = { \"10.0.0.0/8\" } }\n"
	    "location \"/d\" { metrics = true deny = { \"::1\" } }\n"
	    "location \"/n\" { status = 200 metrics = false }\n"
	    "location \"/r\" { redirect = \"/x\" status = false }\n}\n");
	const struct location *l = s->servers[0].locations;

	ck_assert_int_eq(l[1].kind, LOCATION_METRICS);
	ck_assert_int_eq(l[2].kind, LOCATION_STATUS_PAGE);
	ck_assert_int_eq(l[5].kind, LOCATION_STATUS);
	ck_assert_int_eq(l[6].kind, LOCATION_REDIRECT);
	ck_assert_int_eq(l[6].status, 302);
	for (int i = 1; i <= 2; i++) {
		ck_assert(admits(&l[i], "::ffff:127.0.0.1"));
		ck_assert(admits(&l[i], "::ffff:127.9.8.7"));
		ck_assert(admits(&l[i], "::1"));
		ck_assert(admits(&l[i], "::")); /* a unix socket */
		ck_assert(!admits(&l[i], "::ffff:127.0.0.9"));
		ck_assert(!admits(&l[i], "::ffff:10.0.0.1"));
		ck_assert(!admits(&l[i], "::2"));
		ck_assert(!admits(&l[i], "2001:db8::1"));
	}
	ck_assert(admits(&l[3], "::ffff:10.0.0.1"));
	ck_assert(!admits(&l[3], "::ffff:127.0.0.1"));
	ck_assert(admits(&l[4], "::ffff:127.0.0.1"));
	ck_assert(!admits(&l[4], "::1"));
	settings_free(s);
}
END_TEST

/* Ten thousand servers are read in a moment and give back what they took. */
START_TEST(test_many)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);
	struct settings *s;

	for (int i = 0; i < 10000; i++)
		fprintf(f,
			"server \"s%d\" {\n listen = { \"*:80\", \"[::]:80\" }\n names = { "
			"\"s%d.example\" }\n"
			" location \"/\" { root = \"www\" }\n}\n",
			i, i);
	fclose(f);
	s = text_good(text);
	ck_assert_uint_eq(s->servers_count, 10000);
	ck_assert_uint_eq(s->listeners_count, 2);
	ck_assert_uint_eq(s->servers[9999].pos.line, 9999 * 5 + 1);
	ck_assert_uint_eq(route_server(s->route, 1, "s4711.example", 13), 4711);
	settings_free(s);
	free(text);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("conf_values");
	TCase *c = tcase_create("conf_values");

	tcase_add_checked_fixture(c, text_begin, text_end);
	tcase_set_timeout(c, 120);
	tcase_add_loop_test(c, test_value, 0, sizeof(values) / sizeof(values[0]));
	tcase_add_test(c, test_full);
	tcase_add_test(c, test_round_trip);
	tcase_add_test(c, test_own_pages);
	tcase_add_test(c, test_many);
	suite_add_tcase(s, c);
	return run_suite(s);
}
