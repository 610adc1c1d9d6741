/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tests master/conf_upstream.c, conf_resolve.c, resolve.c and what conf_place.c does for proxied
 * locations: settings made of text, and each thing that is refused or warned of, with its line.
 */
#include "master/conf.h"

#include <arpa/inet.h>
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "master/resolve.h"
#include "worker/dns.h"
#include "t/unit/run.h"
#include "t/unit/text.h"

#define SERVER(text)   "server \"s\" { listen = { \"*:80\" }\n" text "\n}\n"
#define LOCATION(text) "server \"s\" { listen = { \"*:80\" } location \"/x/\" {\n" text "\n} }\n"
#define POOL(text)     "upstream \"api\" {\n" text "\n}\n"
#define USE            LOCATION("proxy = \"api\"")
#define ONE            POOL("peer \"127.0.0.1:1\" { }")

#define CHECK(options) POOL("check {\n" options " }\npeer \"127.0.0.1:1\" { }") USE

static const struct text bad[] = {
    {CHECK("path = \"healthz\""), "3: path: 'healthz' does not begin with '/'"},
    {CHECK("path = \"/a b\""), "3: path: '/a b' has a byte that must be written as %XX"},
    {CHECK("path = \"/\" status = { \"20\" }"),
     "3: status: '20' is no status or range of them, such as \"200\" or \"200-399\""},
    {CHECK("path = \"/\" status = { \"399-200\" }"),
     "3: status: '399-200' is no status or range of them, such as \"200\" or \"200-399\""},
    {CHECK("timeout = 0"), "3: timeout: 0 would let a check wait without end"},
    {CHECK("interval = 1ms timeout = 1ms"), "3: interval: less than 10ms"},
    {POOL("error_rate = 5 error_window = 1ms\npeer \"127.0.0.1:1\" { }") USE,
     "2: error_window: less than 100ms"},
    {POOL("") USE, "1: upstream \"api\" has no peers"},
    {ONE ONE USE, "4: there are two upstreams \"api\" (the first at t.conf:1)"},
    {POOL("pear \"127.0.0.1:1\" { }") USE, "2: no such option 'pear' in upstream (did you mean "
					   "'peer'?)"},
    {POOL("peer \"127.0.0.1:1\" { wait = 2 }") USE, "2: no such option 'wait' in peer"},
    {POOL("peer \"127.0.0.1:1\" { }\npeer \"localhost:1\" { }") USE,
     "3: upstream \"api\" has the peer localhost:1 twice (first at t.conf:2)"},
    {POOL("peer \"unix:/a\" { }\npeer \"unix:/a\" { }") USE,
     "3: upstream \"api\" has the peer unix:/a twice (first at t.conf:2)"},
    {POOL("peer \"127.0.0.1\" { }") USE,
     "2: peer: '127.0.0.1' has no port (write \"127.0.0.1:80\")"},
    {POOL("peer \"127.0.0.1:0\" { }") USE, "2: peer: '127.0.0.1:0': a peer's port is not 0"},
    {POOL("peer \"[::1]:0\" { }") USE, "2: peer: '[::1]:0': a peer's port is not 0"},
    {POOL("peer \"*:80\" { }") USE, "2: peer: '*:80': '*' is where one listens, not a peer"},
    {POOL("peer \"1.2.3:80\" { }") USE,
     "2: peer: '1.2.3:80': '1.2.3' is not an address or host name"},
    {POOL("peer \"a_b c:80\" { }") USE,
     "2: peer: 'a_b c:80': 'a_b c' is not an address or host name"},
    {POOL("peer \"*.example.org:80\" { }") USE,
     "2: peer: '*.example.org:80': '*.example.org' is not an address or host name"},
    {POOL("peer \"x.invalid:99999\" { }") USE,
     "2: peer: 'x.invalid:99999': '99999' is not a port from 0 to 65535"},
    {POOL("peer \"http://127.0.0.1:80\" { }") USE,
     "2: peer: 'http://127.0.0.1:80' is a URL (write \"host:port\")"},
    {POOL("peer \"unix:app.sock\" { }") USE,
     "2: peer: 'unix:app.sock' is not an absolute path (write \"unix:/run/x.sock\")"},
    {POOL("peer \"127.0.0.1:1\" { weight = 0 }") USE, "2: weight: 0 is less than 1"},
    {POOL("balance = random\npeer \"127.0.0.1:1\" { }") USE,
     "2: balance: there is no 'random' (one of round_robin, least_conn, hash, least_time)"},
    {POOL("sticky { max_age = 1m }\npeer \"127.0.0.1:1\" { }") USE,
     "2: sticky: its cookie has no name (write cookie = \"NAME\")"},
    {POOL("sticky { cookie = \"a b\"\npath = \"x;y\"\nkey = \"\"\nsame_site = some }\n"
	  "peer \"127.0.0.1:1\" { }") USE,
     "2: sticky: 'a b' is not the name of a cookie of at most 64 bytes\n"
     "3: sticky: path: 'x;y' is not the path of a cookie of at most 255 bytes\n"
     "4: sticky: the key is empty\n"
     "5: same_site: there is no 'some' (did you mean 'none'?)"},
    {POOL("queue { size = many }\npeer \"127.0.0.1:1\" { }") USE,
     "2: size: 'many' is not a number from 0 to 1000000"},
    {POOL("balance = hash hash = \"colour\"\npeer \"127.0.0.1:1\" { }") USE,
     "2: hash: there is no 'colour' (one of \"address\", \"path\", \"header:NAME\", "
     "\"cookie:NAME\")"},
    {POOL("balance = hash hash = \"header:a b\"\npeer \"127.0.0.1:1\" { }") USE,
     "2: hash: 'a b' is not the name of a header"},
    {POOL("balance = hash hash = \"cookie:\"\npeer \"127.0.0.1:1\" { }") USE,
     "2: hash: '' is not the name of a cookie"},
    {"upstream \"\" { peer \"unix:/a\" { } }\n" LOCATION("proxy = \"unix:/a\""),
     "1: upstream: in the title: the value is empty"},
    {"upstream \"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\" { peer "
     "\"unix:/a\" { } }\n" LOCATION("proxy = \"unix:/a\""),
     "1: upstream: the title is longer than 63 bytes"},
    {ONE LOCATION("proxy = \"apo\""), "5: proxy: there is no upstream 'apo' (did you mean 'api'?)"},
    {ONE LOCATION("proxy = \"elsewhere\""),
     "5: proxy: there is no upstream 'elsewhere' (a peer is written as \"host:port\" or "
     "\"unix:/path\")"},
    {LOCATION("proxy = \"http://127.0.0.1:1\""),
     "2: proxy: 'http://127.0.0.1:1' is a URL (write \"host:port\")"},
    {LOCATION("proxy = \"127.0.0.1:x\""),
     "2: proxy: '127.0.0.1:x': 'x' is not a port from 0 to 65535"},
    {ONE LOCATION("proxy = \"api\"\nroot = \"/\""),
     "6: a location has one purpose: 'root' and 'proxy' (t.conf:5) exclude each other"},
    {ONE LOCATION("proxy = \"api\"\nredirect = \"/y\""),
     "6: a location has one purpose: 'redirect' and 'proxy' (t.conf:5) exclude each other"},
    {ONE LOCATION("proxy = \"api\"\nstatus = 204"),
     "6: a location has one purpose: 'status' and 'proxy' (t.conf:5) exclude each other"},
    {ONE LOCATION("proxy = \"api\"\ntext = \"x\""),
     "6: 'text' is the body of a 'status' without redirect"},
    {ONE SERVER("location \"= /x\" { proxy = \"api\"\nrewrite = \"/y\" }"),
     "6: rewrite: \"= /x\" is exact, there is no prefix to be replaced"},
    {ONE LOCATION("proxy = \"api\"\nrewrite = \"y/\""),
     "6: rewrite: 'y/' is not a path (write \"/new/\")"},
    {ONE LOCATION("proxy = \"api\"\nrewrite = \"/a b/\""),
     "6: rewrite: '/a b/' has a character that no path has as it is"},
    {ONE LOCATION("proxy = \"api\"\nrewrite = \"/a?b/\""),
     "6: rewrite: '/a?b/' has a character that no path has as it is"},
    {ONE LOCATION("proxy = \"api\"\nproxy_host = \"a b\""),
     "6: proxy_host: 'a b' is not a host, with or without a port (or keep, or peer)"},
    {ONE LOCATION("proxy = \"api\"\nforwarded = maybe"),
     "6: forwarded: there is no 'maybe' (one of replace, append, off)"},
    {ONE LOCATION("proxy = \"api\"\ntrust = { \"10.0.0.1/8\" }"),
     "6: trust: '10.0.0.1/8' has bits set behind its prefix length (write \"10.0.0.0/8\")"},
    {ONE LOCATION("proxy = \"api\"\nvia = \"two words\""),
     "6: via: 'two words' is neither true nor false, nor one word that names this proxy"},
    {ONE LOCATION("proxy = \"api\"\ntimeout_header = \"a b\""),
     "6: timeout_header: 'a b' is not the name of a header field"},
    {ONE LOCATION("proxy = \"api\"\ntimeout_header = connection"),
     "6: timeout_header: drover itself makes connection"},
    {ONE LOCATION("proxy = \"api\"\nremove_request = { \"a b\", \"host\" }"),
     "6: remove_request: 'a b' is not the name of a header field\n"
     "6: remove_request: drover itself makes Host"},
    {ONE LOCATION("proxy = \"api\"\nremove_response = { \"Connection\" }"),
     "6: remove_response: drover itself makes Connection"},
    {ONE LOCATION("proxy = \"api\"\nrequest_header \"Host\" { value = \"x\" }"),
     "6: request_header: write proxy_host = ... for Host"},
    {ONE LOCATION("proxy = \"api\"\nrequest_header \"te\" { value = \"x\" }"),
     "6: request_header: drover itself makes TE"},
    {ONE LOCATION("proxy = \"api\"\nrequest_header \"X\" { }"),
     "6: request_header: 'X' has no value"},
    {ONE LOCATION("proxy = \"api\"\nrequest_header \"X\" { value = \"a\" }\nrequest_header \"x\" "
		  "{ value = \"b\" }"),
     "7: request_header: 'x' is set twice (first at t.conf:6)"},
    /* All that is wrong at once. */
    {POOL("peer \"a b:1\" { }\nretries = many\npeer \"127.0.0.1:1\" { weight = 1001 }")
	 LOCATION("proxy = \"apo\"\nrewrite = \"y/\""),
     "2: peer: 'a b:1': 'a b' is not an address or host name\n"
     "3: retries: 'many' is not a number from 0 to 100\n"
     "4: weight: 1001 is more than 1000\n"
     "7: proxy: there is no upstream 'apo' (did you mean 'api'?)\n"
     "8: rewrite: 'y/' is not a path (write \"/new/\")"},
};

START_TEST(test_bad)
{
	text_refused(&bad[_i]);
}
END_TEST

static const struct text doubtful[] = {
    {ONE USE, ""},
    {CHECK(""), ""},
    {CHECK("body = \"x\""),
     "3: warning: 'body' has no effect without path: the check is a connection "
     "alone"},
    {CHECK("timeout = 3s"),
     "3: warning: timeout (3000ms) is longer than interval (2000ms): a peer that "
     "does not answer is checked less often"},
    {POOL("hash = \"path\"\npeer \"127.0.0.1:1\" { }") USE,
     "2: warning: 'hash' has no effect without balance = hash"},
    {ONE LOCATION("status = 204"),
     "1: warning: upstream \"api\" gets no requests: no location names it"},
    {POOL("peer \"127.0.0.1:1\" { down = true }\npeer \"127.0.0.1:2\" { down = true }") USE,
     "1: warning: all peers of upstream \"api\" are down: it can only answer 503"},
    {POOL("peer \"127.0.0.1:1\" { backup = true }") USE,
     "1: warning: all peers of upstream \"api\" are backups of none"},
    {POOL("queue { size = 5 }\npeer \"127.0.0.1:1\" { }") USE,
     "2: warning: 'queue' has no effect: no peer of upstream \"api\" has max_conns"},
    {POOL("sticky { cookie = \"s\" same_site = none }\npeer \"127.0.0.1:1\" { }") USE,
     "2: warning: sticky: browsers take no cookie with same_site = none without secure = true"},
    {POOL("peer \"127.0.0.1:1\" { }\nkeepalive { idle = 30s max_age = 20s }") USE,
     "3: warning: max_age (20000ms) is shorter than idle (30000ms), which it ends"},
    {POOL("peer \"127.0.0.1:1\" { }\ndeadlines { response = 20s between = 1s }")
	 SERVER("deadlines { request = 15s header = 1s body = 1s }\nlocation \"/\" { proxy = "
		"\"api\" }"),
     "3: warning: response (20000ms) of upstream \"api\" is longer than request (15000ms) of "
     "server \"s\", which ends it"},
    {POOL("peer \"127.0.0.1:1\" { }\npeer \"127.0.0.1:2\" { }\n"
	  "deadlines { response = 1s between = 1s connect = 5s }\nretries = 3")
	 SERVER("deadlines { request = 15s header = 1s body = 1s }\nlocation \"/\" { proxy = "
		"\"api\" }"),
     "5: warning: 3 times connect (5000ms) of upstream \"api\" leave nothing of request "
     "(15000ms) of server \"s\" for the last attempt"},
    {POOL("peer \"127.0.0.1:1\" { }\npeer \"127.0.0.1:2\" { }\n"
	  "deadlines { response = 8s between = 1s connect = 1s }\nretries = 2")
	 SERVER("deadlines { request = 15s header = 1s body = 1s }\nlocation \"/\" { proxy = "
		"\"api\" }"),
     "5: warning: 2 times response (8000ms) of upstream \"api\" leave nothing of request "
     "(15000ms) of server \"s\" for the last attempt"},
    {POOL("peer \"127.0.0.1:1\" { max_conns = 1 }\nqueue { size = 5 wait = 20s }")
	 SERVER("deadlines { request = 15s header = 1s body = 1s }\nlocation \"/\" { proxy = "
		"\"api\" }"),
     "3: warning: wait (20000ms) of upstream \"api\" is longer than request (15000ms) of "
     "server \"s\", which ends it"},
    {"drain = 2m " SERVER(
	 "deadlines { request = 90s }\nlocation \"/\" { proxy = \"127.0.0.1:1\" }"),
     ""},
    {SERVER("deadlines { request = 4s header = 1s body = 1s }\nlocation \"/\" { proxy = "
	    "\"127.0.0.1:1\" }"),
     ""},
    {POOL("peer \"127.0.0.1:1\" { }\npeer \"127.0.0.1:2\" { }")
	 SERVER("deadlines { request = 15s header = 1s body = 1s }\nlocation \"/\" { proxy = "
		"\"api\" }"),
     "6: warning: 1 times response (60000ms) of upstream \"api\" leave nothing of request "
     "(15000ms) of server \"s\" for the last attempt"},
    {ONE LOCATION("proxy = \"api\"\nrewrite = \"/y\""),
     "6: warning: rewrite: \"/x/\" and \"/y\" should both end in '/', or neither: what follows "
     "the one is put behind the other"},
    {ONE LOCATION("proxy = \"api\"\nlisting = true"),
     "6: warning: 'listing' has no effect: this location serves no files"},
    {ONE LOCATION("proxy = \"api\"\nbuffer_file = 1m"),
     "6: warning: 'buffer_file' has no effect without buffering = true"},
    {LOCATION("status = 204\ntimeout_header = \"X-Left\""),
     "3: warning: 'timeout_header' has no effect: this location is no proxy"},
    {LOCATION("status = 204\nforwarded = off\nrequest_header \"A\" { value = \"b\" }"),
     "3: warning: 'forwarded' has no effect: this location is no proxy\n"
     "4: warning: 'request_header' has no effect: this location is no proxy"},
};

START_TEST(test_doubtful)
{
	text_doubted(&doubtful[_i]);
}
END_TEST

static const char full[] =
    "upstream_connections = 77\n"
    "request_header \"X-All\" { value = \"1\" }\n"
    "request_header \"X-One\" { value = \"1\" }\n"
    "upstream \"api\" {\n"
    " balance = hash hash = \"cookie:Session\" retries = 2 max_head = 16k\n"
    " deadlines { connect = 1s response = 2s between = 3s }\n"
    " retry_budget { percent = 35 min = 3 }\n"
    " keepalive { conns = 4 requests = 5 idle = 6s max_age = 7s }\n"
    " peer \"127.0.0.1:9001\" { weight = 2 max_conns = 8 max_fails = 9 fail_time = 10s }\n"
    " peer \"[::1]:9002\" { backup = true }\n"
    " peer \"unix:/run/a.sock\" { down = true }\n"
    "}\n"
    "upstream \"other\" { balance = least_conn peer \"127.0.0.1:9001\" { max_conns = 1 }\n"
    " queue { size = 7 wait = 8s } sticky { cookie = \"SID\" max_age = 90s path = \"/p\"\n"
    " secure = true same_site = strict key = \"a key\" } }\n"
    "server \"s\" { listen = { \"*:80\" }\n"
    " trust = { \"10.0.0.0/8\" } remove_response = { \"Server\" } forwarded = off\n"
    " location \"/a/\" { proxy = \"api\" rewrite = \"/b/\" proxy_host = \"peer\"\n"
    "  trust = { \"192.0.2.1\", \"all\" } remove_request = { \"X-A\", \"x-a\", Cookie }\n"
    "  forwarded = append max_body = 5m request_header \"x-one\" { value = \"2\" } }\n"
    " location \"= /c\" { proxy = \"127.0.0.1:9001\" proxy_host = \"c.example.org:8080\" }\n"
    " location \"/d\" { proxy = \"127.0.0.1:9001\" trust = { } via = false\n"
    "  forwarded_form = both timeout_header = X-Left\n"
    "  buffering = true buffer = 32k buffer_file = 10m }\n"
    " location \"/e\" { proxy = \"other\" }\n"
    "}\n";

static void expect_api(const struct settings *s)
{
	const struct upstream *u = &s->upstreams[0];

	ck_assert_str_eq(u->name, "api");
	ck_assert(u->balance == BALANCE_HASH && u->hash_of == HASH_COOKIE);
	ck_assert_str_eq(u->hash_name, "Session");
	ck_assert(u->first_peer == 0 && u->peers_count == 3 && u->retries == 2);
	ck_assert(u->connect_us == 1000000 && u->response_us == 2000000 &&
		  u->between_us == 3000000 && u->max_head == 16384);
	ck_assert(u->retry_percent == 35 && u->retry_min == 3);
	ck_assert(u->keepalive_conns == 4 && u->keepalive_requests == 5 &&
		  u->keepalive_idle_us == 6000000 && u->keepalive_max_age_us == 7000000);
	ck_assert_int_eq(u->pos.line, 4);
}

static void expect_other(const struct settings *s)
{
	const struct upstream *u = &s->upstreams[1];

	ck_assert(u->queue_size == 7 && u->queue_wait_us == 8000000);
	ck_assert_str_eq(u->sticky_cookie, "SID");
	ck_assert_str_eq(
	    s->peers[u->first_peer].set_cookie,
	    "SID=0189c71582df355b; Path=/p; Max-Age=90; Secure; HttpOnly; SameSite=Strict");
	ck_assert_ptr_null(s->peers[0].set_cookie);
}

static void expect_peers(const struct settings *s)
{
	const struct peer *p = s->peers;

	ck_assert_uint_eq(s->peers_count, 5);
	ck_assert(p[0].weight == 2 && p[0].max_conns == 8 && p[0].max_fails == 9 &&
		  p[0].fail_us == 10000000 && !p[0].backup && !p[0].down);
	ck_assert(p[0].addr.in.sin_family == AF_INET && p[0].addr_len == sizeof(p[0].addr.in) &&
		  p[0].addr.in.sin_port == htons(9001) &&
		  p[0].addr.in.sin_addr.s_addr == htonl(0x7f000001));
	ck_assert(p[1].addr.in6.sin6_family == AF_INET6 && p[1].backup && p[1].weight == 1 &&
		  p[1].max_fails == 3 && p[1].fail_us == 10000000);
	ck_assert(p[2].addr.un.sun_family == AF_UNIX && p[2].down);
	ck_assert_str_eq(p[2].addr.un.sun_path, "/run/a.sock");
	ck_assert_str_eq(p[2].address, "unix:/run/a.sock");
	for (uint32_t i = 0; i < s->upstreams_count; i++) {
		for (uint32_t k = 0; k < s->upstreams[i].peers_count; k++)
			ck_assert_uint_eq(p[s->upstreams[i].first_peer + k].upstream, i);
	}
}

START_TEST(test_full)
{
	struct settings *s = text_good(full);
	const struct location *loc = s->servers[0].locations;

	ck_assert_str_eq(text_said(), "");
	ck_assert_uint_eq(s->upstream_connections, 77);
	ck_assert_uint_eq(s->upstreams_count, 3); /* one is made, for both that name it */
	expect_api(s);
	expect_peers(s);
	expect_other(s);
	ck_assert_str_eq(s->upstreams[2].name, "127.0.0.1:9001");
	ck_assert(s->upstreams[2].retries == 1 && s->upstreams[2].connect_us == 5000000 &&
		  s->upstreams[2].keepalive_conns == 32 && s->upstreams[2].peers_count == 1);
	ck_assert(loc[1].kind == LOCATION_PROXY && loc[1].upstream == 0 &&
		  loc[1].host_policy == PROXY_HOST_PEER &&
		  loc[1].forwarded == PROXY_FORWARDED_APPEND && loc[1].max_body == 5 << 20);
	ck_assert_str_eq(loc[1].rewrite, "/b/");
	ck_assert(loc[1].trusted_count == 2 && loc[1].trusted[0].bits == 128 &&
		  loc[1].trusted[1].bits == 0);
	ck_assert_str_eq(loc[1].remove_request[0], "x-a");
	ck_assert_str_eq(loc[1].remove_request[1], "cookie");
	ck_assert_ptr_null(loc[1].remove_request[2]);
	ck_assert_str_eq(loc[1].remove_response[0], "server");
	ck_assert_uint_eq(loc[1].request_headers_count, 2);
	ck_assert_str_eq(loc[1].request_headers[1].value, "2");
	ck_assert_str_eq(loc[2].request_headers[1].value, "1");
	ck_assert(loc[2].upstream == 2 && loc[3].upstream == 2 && loc[4].upstream == 1);
	ck_assert(loc[2].host_policy == PROXY_HOST_FIXED && loc[2].trusted_count == 1 &&
		  loc[2].forwarded == PROXY_FORWARDED_OFF && loc[2].rewrite == NULL);
	ck_assert_str_eq(loc[2].host, "c.example.org:8080");
	ck_assert(loc[3].host_policy == PROXY_HOST_KEEP && loc[3].trusted_count == 0);
	ck_assert(loc[3].forwarded_form == PROXY_FORM_BOTH &&
		  loc[2].forwarded_form == PROXY_FORM_X);
	ck_assert(loc[3].buffering && loc[3].buffer == 32768 && loc[3].buffer_file == 10 << 20);
	ck_assert(!loc[2].buffering && loc[2].buffer == 65536 && loc[2].buffer_file == 0);
	ck_assert_str_eq(loc[3].via, "");
	ck_assert_str_eq(loc[2].via, "drover");
	ck_assert_str_eq(loc[3].timeout_name, "X-Left");
	settings_free(s);
}
END_TEST

/* What -T prints is the same configuration, the made upstream included. */
START_TEST(test_round_trip)
{
	struct settings *s = text_good(full), *again = text_again(s);

	ck_assert_uint_eq(again->upstreams_count, 3);
	expect_peers(again);
	ck_assert_uint_eq(again->servers[0].locations[2].upstream, 2);
	settings_free(s);
	settings_free(again);
}
END_TEST

/* A name is kept as it is; who looks it up says in a warning that he cannot. */
START_TEST(test_unresolved)
{
	struct settings *s = text_good(
	    "resolve { servers = { \"127.0.0.1:1\" } timeout = 100ms }\n" POOL(
		"peer \"No-such-host.invalid:80\" { }\npeer \"127.0.0.1:80\" { }") USE);

	ck_assert_str_eq(text_said(), "");
	ck_assert_str_eq(s->peers[0].host, "no-such-host.invalid");
	ck_assert_uint_eq(s->peers[0].port, htons(80));
	ck_assert_uint_eq(s->peers[0].addr_len, 0);
	ck_assert_ptr_null(s->peers[1].host);
	ck_assert_str_eq(s->resolve.servers[0], "127.0.0.1:1");
	ck_assert_ptr_null(s->resolve.servers[1]);
	resolve_said(s, text_messages());
	ck_assert_uint_eq(text_messages()->count, dns_is_live() ? 1 : 2);
	ck_assert_int_eq(text_messages()->list[text_messages()->count - 1].severity, CONF_WARNING);
	ck_assert_int_eq(text_messages()->list[text_messages()->count - 1].line, 3);
	ck_assert_ptr_nonnull(
	    strstr(text_said(), "'No-such-host.invalid:80' cannot be resolved ("));
	ck_assert_uint_eq(s->peers[0].addr_len, 0);
	settings_free(s);
}
END_TEST

#define COUNT(a) ((int)(sizeof(a) / sizeof((a)[0])))

int main(void)
{
	Suite *s = suite_create("conf_upstream");
	TCase *c = tcase_create("conf_upstream");

	tcase_add_checked_fixture(c, NULL, text_end);
	tcase_set_timeout(c, 60);
	tcase_add_loop_test(c, test_bad, 0, COUNT(bad));
	tcase_add_loop_test(c, test_doubtful, 0, COUNT(doubtful));
	tcase_add_test(c, test_full);
	tcase_add_test(c, test_round_trip);
	tcase_add_test(c, test_unresolved);
	suite_add_tcase(s, c);
	return run_suite(s);
}
