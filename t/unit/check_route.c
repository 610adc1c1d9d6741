/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tests worker/http/route.c: servers by name, wildcard and default; locations by exact path and
 * longest prefix; networks. Large configurations are held against a plain search.
 */
#include "worker/http/route.h"

#include <arpa/inet.h>
#include <check.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	MANY = 10000
};

/* Two listeners: server 0 is the default of the first, 3 of the second. */
static const char *names_0[] = {"example.org", "*.example.org", NULL};
static const char *names_1[] = {"www.example.org", "*.a.example.org", "localhost", "az.test", NULL};
static const char *names_2[] = {"[2001:db8::1]", "192.0.2.7", "*.org", "dotted.test.", NULL};
static const char *names_3[] = {"example.org", NULL};
static uint32_t first[] = {0}, both[] = {0, 1}, second[] = {1};

static struct location small_locations[] = {
    {.match = "fallback"},
    {.match = "/", .path = "/", .path_len = 1},
    {.match = "/x", .path = "/x", .path_len = 2},
    {.match = "/x/", .path = "/x/", .path_len = 3},
    {.match = "= /x/", .path = "/x/", .path_len = 3, .exact = true},
    {.match = "= /healthz", .path = "/healthz", .path_len = 8, .exact = true},
    {.match = "/x/deep/er/", .path = "/x/deep/er/", .path_len = 11},
};
static struct location no_root[] = {
    {.match = "fallback"},
    {.match = "/only/", .path = "/only/", .path_len = 6},
};
static struct server servers[] = {
    {.names = names_0,
     .listeners = first,
     .listeners_count = 1,
     .locations = small_locations,
     .locations_count = 7},
    {.names = names_1,
     .listeners = both,
     .listeners_count = 2,
     .locations = no_root,
     .locations_count = 2},
    {.names = names_2,
     .listeners = first,
     .listeners_count = 1,
     .locations = small_locations,
     .locations_count = 1},
    {.names = names_3,
     .listeners = second,
     .listeners_count = 1,
     .locations = no_root,
     .locations_count = 2},
};
static struct listener listeners[] = {{.default_server = 0}, {.default_server = 3}};
static struct settings small = {
    .servers = servers, .servers_count = 4, .listeners = listeners, .listeners_count = 2};

static const struct {
	uint32_t listener;
	const char *host;
	uint32_t server;
} hosts[] = {
    {0, "", 0},
    {0, "example.org", 0},
    {0, "EXAMPLE.Org", 0},
    {0, "example.org.", 0},
    {0, "www.example.org", 1},
    {0, "wWw.eXample.org.", 1},
    {0, "other.example.org", 0},
    {0, "a.b.c.example.org", 0},
    {0, "a.example.org", 0},
    {0, "b.a.example.org", 1},
    {0, "c.b.a.example.org", 1},
    {0, "b.aa.example.org", 0},
    {0, "example.com", 0},
    {0, "somewhere.org", 2},
    {0, "xexample.org", 2},
    {0, "org", 0},
    {0, ".org", 0},
    {0, ".", 0},
    {0, "..", 0},
    {0, "[2001:db8::1]", 2},
    {0, "[2001:DB8::1]", 2},
    {0, "192.0.2.7", 2},
    {0, "192.0.2.8", 0},
    {0, "dotted.test", 2},
    {0, "dotted.test.", 2},
    {0, "localhost", 1},
    {1, "localhost", 1},
    {1, "AZ.tEsT", 1},
    {1, "[Z.tEsT", 3},
    {1, "example.org", 3},
    {1, "other.example.org", 3},
    {1, "x.a.example.org", 1},
    {1, "192.0.2.7", 3},
    {1, "*.a.example.org", 1},
};

START_TEST(test_host)
{
	struct route *r = route_build(&small);
	const char *host = hosts[_i].host;
	uint32_t found = route_server(r, hosts[_i].listener, host, strlen(host));

	ck_assert_msg(found == hosts[_i].server, "'%s' on %u: %u, expected %u", host,
		      hosts[_i].listener, found, hosts[_i].server);
	route_free(r);
}
END_TEST

START_TEST(test_long_host)
{
	struct route *r = route_build(&small);
	char host[1024];

	memset(host, 'a', sizeof host);
	for (size_t len = 15; len <= sizeof host; len++) {
		memcpy(host + len - 14, ".a.example.org", 14);
		ck_assert_uint_eq(route_server(r, 0, host, len), len <= 255 ? 1 : 0);
		host[len - 14] = 'a';
	}
	route_free(r);
}
END_TEST

static const struct {
	uint32_t server;
	const char *path;
	const char *match;
} paths[] = {
    {0, "/", "/"},
    {0, "/index.html", "/"},
    {0, "/x", "/x"},
    {0, "/xyz", "/x"},
    {0, "/x/", "= /x/"},
    {0, "/x/y", "/x/"},
    {0, "/X/y", "/"},
    {0, "/x/deep/er", "/x/"},
    {0, "/x/deep/er/", "/x/deep/er/"},
    {0, "/x/deep/er/and/further", "/x/deep/er/"},
    {0, "/healthz", "= /healthz"},
    {0, "/healthz/", "/"},
    {0, "/health", "/"},
    {1, "/", "fallback"},
    {1, "/only", "fallback"},
    {1, "/only/", "/only/"},
    {1, "/only/this", "/only/"},
    {2, "/", "fallback"},
    {0, "*", "fallback"},
    {0, "", "fallback"},
};

START_TEST(test_path)
{
	struct route *r = route_build(&small);
	const struct location *found = route_location(r, paths[_i].server, paths[_i].path,
						      strlen(paths[_i].path));

	ck_assert_msg(strcmp(found->match, paths[_i].match) == 0, "%s in %u: %s, expected %s",
		      paths[_i].path, paths[_i].server, found->match, paths[_i].match);
	route_free(r);
}
END_TEST

/* Ten thousand servers of one name each, every fourth a wildcard, on one listener. */
static void fill_many(struct settings *s, struct server *many, const char *(*names)[2])
{
	static struct listener one[] = {{.default_server = 7}};
	char name[64];

	for (int i = 0; i < MANY; i++) {
		snprintf(name, sizeof name, "%s%x.host-%d.test", i % 4 == 0 ? "*." : "", i * 7919,
			 i);
		names[i][0] = strdup(name);
		many[i] = (struct server){.names = names[i],
					  .listeners = first,
					  .listeners_count = 1,
					  .locations = no_root,
					  .locations_count = 2};
	}
	*s = (struct settings){
	    .servers = many, .servers_count = MANY, .listeners = one, .listeners_count = 1};
}

START_TEST(test_many_servers)
{
	static struct server many[MANY];
	static const char *names[MANY][2];
	struct settings s;
	struct route *r;
	char host[64];

	fill_many(&s, many, names);
	r = route_build(&s);
	ck_assert_ptr_nonnull(r);
	for (uint32_t i = 0; i < MANY; i++) {
		const char *name = names[i][0];
		bool wild = *name == '*';
		int len = snprintf(host, sizeof host, "%s%s", wild ? "w" : "",
				   wild ? name + 1 : name);

		ck_assert_uint_eq(route_server(r, 0, host, (size_t)len), i);
		host[len - 1] = 'u';
		ck_assert_uint_eq(route_server(r, 0, host, (size_t)len), 7);
	}
	route_free(r);
	for (int i = 0; i < MANY; i++)
		free((void *)(uintptr_t)names[i][0]);
}
END_TEST

static const struct location *search(const struct server *server, const char *path, size_t len)
{
	const struct location *best = &server->locations[0];

	for (uint32_t i = 1; i < server->locations_count; i++) {
		const struct location *loc = &server->locations[i];

		if (loc->path_len > len || memcmp(loc->path, path, loc->path_len) != 0)
			continue;
		if (loc->exact && loc->path_len == len)
			return loc;
		if (!loc->exact && (best == server->locations || loc->path_len > best->path_len))
			best = loc;
	}
	return best;
}

static size_t random_path(char *out)
{
	size_t len = 1 + (size_t)rand() % 12;

	out[0] = '/';
	for (size_t i = 1; i < len; i++)
		out[i] = "/ab"[rand() % 3];
	return len;
}

static bool listed(const struct server *server, const struct location *loc)
{
	for (uint32_t i = 1; i < server->locations_count; i++) {
		const struct location *other = &server->locations[i];

		if (other->exact == loc->exact && other->path_len == loc->path_len &&
		    memcmp(other->path, loc->path, loc->path_len) == 0)
			return true;
	}
	return false;
}

START_TEST(test_many_locations)
{
	static struct location locations[1 + 300];
	static char texts[1 + 300][16];
	struct server server = {.locations = locations, .locations_count = 1};
	struct settings s = {.servers = &server, .servers_count = 1};
	struct route *r;
	char path[16];

	srand((unsigned)_i);
	for (uint32_t i = 1; i <= 300; i++) {
		struct location *loc = &locations[server.locations_count];

		*loc = (struct location){.path = texts[i], .exact = rand() % 3 == 0};
		loc->path_len = (uint32_t)random_path(texts[i]);
		server.locations_count += !listed(&server, loc);
	}
	r = route_build(&s);
	for (int i = 0; i < 5000; i++) {
		size_t len = random_path(path);

		ck_assert_msg(route_location(r, 0, path, len) == search(&server, path, len),
			      "seed %d: '%.*s'", _i, (int)len, path);
	}
	route_free(r);
}
END_TEST

/* Networks as "10.0.0.0/8"; a leading '-' denies. */
static struct cidr network(const char *text)
{
	struct cidr net = {.allow = *text != '-'};
	char addr[64];
	const char *slash;

	text += *text == '-';
	slash = strchr(text, '/');
	snprintf(addr, sizeof addr, "%s%.*s",
		 strchr(text, ':') ? "" : "::ffff:", (int)(slash - text), text);
	ck_assert_int_eq(inet_pton(AF_INET6, addr, &net.addr), 1);
	net.bits = (uint8_t)(atoi(slash + 1) + (strchr(text, ':') ? 0 : 96));
	return net;
}

static const struct {
	const char *rules[4]; /* longest first */
	bool refuse_others;
	const char *peer;
	bool admitted;
} networks[] = {
    {{NULL}, false, "192.0.2.1", true},
    {{NULL}, true, "192.0.2.1", false},
    {{NULL}, true, "unix", true},
    {{"-::/0"}, true, "unix", true},
    {{"10.0.0.0/8"}, true, "10.255.3.4", true},
    {{"10.0.0.0/8"}, true, "11.0.0.1", false},
    {{"10.0.0.0/8"}, true, "2001:db8::1", false},
    {{"-10.1.0.0/16", "10.0.0.0/8"}, true, "10.1.2.3", false},
    {{"-10.1.0.0/16", "10.0.0.0/8"}, true, "10.2.2.3", true},
    {{"10.1.2.3/32", "-10.1.0.0/16", "10.0.0.0/8"}, true, "10.1.2.3", true},
    {{"10.1.2.3/32", "-10.1.0.0/16", "10.0.0.0/8"}, true, "10.1.2.2", false},
    {{"10.1.2.3/32", "-10.1.2.3/32"}, true, "10.1.2.3", false},
    {{"-10.1.2.3/32", "10.1.2.3/32"}, true, "10.1.2.3", false},
    {{"-192.0.2.128/25"}, false, "192.0.2.127", true},
    {{"-192.0.2.128/25"}, false, "192.0.2.128", false},
    {{"-192.0.2.0/31"}, false, "192.0.2.1", false},
    {{"-192.0.2.0/31"}, false, "192.0.2.2", true},
    {{"2001:db8::/33", "-::/0"}, false, "2001:db8:7fff::1", true},
    {{"2001:db8::/33", "-::/0"}, false, "2001:db8:8000::1", false},
    {{"2001:db8::/33", "-::/0"}, false, "192.0.2.1", false},
    {{"2001:db8::1/128"}, true, "2001:db8::1", true},
    {{"2001:db8::1/128"}, true, "2001:db8::2", false},
    {{"0.0.0.0/0"}, true, "203.0.113.9", true},
    {{"0.0.0.0/0"}, true, "2001:db8::1", false},
    {{"::/0"}, true, "203.0.113.9", true},
};

START_TEST(test_network)
{
	struct cidr rules[4];
	struct location loc = {.rules = rules, .refuse_others = networks[_i].refuse_others};
	struct in6_addr peer = {0};
	char text[64];

	while (loc.rules_count < 4 && networks[_i].rules[loc.rules_count]) {
		rules[loc.rules_count] = network(networks[_i].rules[loc.rules_count]);
		loc.rules_count++;
	}
	snprintf(text, sizeof text, "%s%s",
		 strchr(networks[_i].peer, ':') ? "" : "::ffff:", networks[_i].peer);
	if (strcmp(networks[_i].peer, "unix") != 0)
		ck_assert_int_eq(inet_pton(AF_INET6, text, &peer), 1);
	ck_assert_msg(route_admits(&loc, &peer) == networks[_i].admitted, "row %d: %s", _i,
		      networks[_i].peer);
}
END_TEST

START_TEST(test_empty)
{
	struct settings s = {.servers = servers, .servers_count = 0};
	struct route *r = route_build(&s);

	ck_assert_ptr_nonnull(r);
	route_free(r);
	route_free(NULL);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("route");
	TCase *c = tcase_create("route");
	SRunner *r;
	int bad;

	tcase_add_loop_test(c, test_host, 0, sizeof hosts / sizeof hosts[0]);
	tcase_add_test(c, test_long_host);
	tcase_add_loop_test(c, test_path, 0, sizeof paths / sizeof paths[0]);
	tcase_add_test(c, test_many_servers);
	tcase_add_loop_test(c, test_many_locations, 0, 20);
	tcase_add_loop_test(c, test_network, 0, sizeof networks / sizeof networks[0]);
	tcase_add_test(c, test_empty);
	tcase_set_timeout(c, 60);
	suite_add_tcase(s, c);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	bad = srunner_ntests_failed(r) + (srunner_ntests_run(r) == 0);
	srunner_free(r);
	return bad != 0;
}
