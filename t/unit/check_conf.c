/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tests master/conf.c and the files behind it: every sentence about a wrong configuration with its
 * line, what is only doubted, and a process that reloads for ever.
 */
#include "master/conf.h"

#include <check.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "t/unit/run.h"
#include "t/unit/snippets.h"
#include "t/unit/text.h"

static const struct text bad[] = {
    {"workers = 4;\n" SITE, "1: ';' has no meaning: drover.conf uses name = value without ';'"},
    {"drain = *\n" SITE, "1: write \"*\" in quotes"},
    {"user = \"www\n" SITE, "1: the string is not closed on its line (write \\n for a line break)"},
    {"user = 'www\n" SITE, "1: the string is not closed on its line (write \\n for a line break)"},
    {"/* open\nworkers = 2\n" SITE, "1: the comment that begins on line 1 is not closed"},
    {"user = \"a\\400\"\n" SITE, "1: bad escape: an octal number from 1 to 377"},
    {"user = \"a\\0b\"\n" SITE, "1: bad escape: an octal number from 1 to 377"},
    {"user = \"a\\9\"\n" SITE, "1: bad escape: \"\\\" and at most three octal digits"},
    {"user = \"a\\x00\"\n" SITE, "1: bad escape: NUL may not be in a string"},
    {"user = \"a\\xg\"\n" SITE, "1: bad escape: \"\\x\" and two hexadecimal digits"},
    {"user = \"${DROVER_NO_SUCH}\"\n" SITE,
     "1: no environment variable DROVER_NO_SUCH (\"${NAME:-text}\" gives a default)"},
    {"user = \"${HOME\"\n" SITE,
     "1: \"${\" without \"}\"; write \"\\${\" for these two characters themselves"},
    {"user = \"a\tb\x01"
     "\"\n" SITE,
     "1: control character in a string (write \\n, \\r, \\t or \\xNN)"},
    {"\x01"
     "\n" SITE,
     "1: control character outside a string"},
    {"user = \"a\\\n\"\n" SITE, "1: a \"\\\" with nothing to stand for after it"},
    {"workers =\n{ 4 }\n" SITE, "2: 'workers' takes one value, not a list"},
    {"drain = 10 s\n" SITE, "1: 'drain' takes one value"},
    {IN_SERVER("names = a, b"), "2: several values stand in braces (write names = { ..., ... })"},
    {IN_SERVER("names = a }"), "3: '}' closes nothing"},
    {"workers 4\n" SITE, "1: '=' is missing after 'workers' (write workers = ...)"},
    {"workers\n" SITE, "1: '=' is missing after 'workers' (write workers = ...)"},
    {"workers =\n" SITE, "1: the value is missing after 'workers ='"},
    {"workers = }\n" SITE, "1: the value is missing after 'workers ='\n"
			   "1: '}' closes nothing"},
    {"\"workers\" = 4\n" SITE,
     "1: '\"workers\"' where an option is expected (their names stand without quotes)"},
    {"*workers = 4\n" SITE, "1: '*workers' where an option is expected"},
    {"= 4\n" SITE, "1: '=' where an option is expected"},
    {"workers += 4\n" SITE, "1: 'workers' takes one value, nothing can be added to it"},
    {"workers = { 4 }\n" SITE, "1: 'workers' takes one value, not a list"},
    {"workers = 4, 5\n" SITE, "1: 'workers' takes one value"},
    {"user = \"a\" \"b\"\n" SITE, "1: 'user' takes one value"},
    {"workers = 4\nworkers = 5\n" SITE,
     "2: 'workers' is set twice at top level (first at t.conf:1)"},
    {"deadlines = 5s\n" SITE, "1: 'deadlines' is a section (write deadlines { ... })"},
    {"deadlines \"x\" { }\n" SITE, "1: 'deadlines' takes no title (write deadlines { ... })"},
    {"deadlines { }\nkeepalive { }\ndeadlines { }\n" SITE,
     "3: 'deadlines' is set twice at top level (first at t.conf:1)"},
    {"drain { 5s }\n" SITE, "1: 'drain' is an option, not a section (write drain = ...)"},
    {"header { value = \"x\" }\n" SITE, "1: 'header' needs a title (write header \"...\" { ... })"},
    {"include = \"x\"\n" SITE, "1: write include(\"conf.d/*.conf\")"},
    {"include \"x\"\n" SITE, "1: write include(\"conf.d/*.conf\")"},
    {"include(\"a\" \"b\")\n" SITE,
     "1: write include(\"conf.d/*.conf\"), a plain string without \"\\\" or \"${\""},
    {"include(\"a\\\"b\")\n" SITE,
     "1: write include(\"conf.d/*.conf\"), a plain string without \"\\\" or \"${\""},
    {"server \"x\" \"y\" { }\n" SITE, "1: 'server' is a section (write server \"...\" { ... })"},
    {"header *x { value = \"y\" }\n" SITE, "1: write \"*x\" in quotes"},
    {"gzip on;\n" SITE, "1: ';' has no meaning: drover.conf uses name = value without ';'\n"
			"1: no such option 'gzip' at top level"},
    {"log_fromat = json\n" SITE,
     "1: no such option 'log_fromat' at top level (did you mean 'log_format'?)"},
    {"root = \"/srv\"\n" SITE, "1: no such option 'root' at top level (it belongs in server)"},
    {"pool \"api\" {\n peer \"a\" { }\n}\n" SITE, "1: no such option 'pool' at top level"},
    {"location / {\n}\n" SITE, "1: no such option 'location' at top level (it belongs in server)"},
    {"zzz = 1\nyyy = 2\n" SITE, "1: no such option 'zzz' at top level\n"
				"2: no such option 'yyy' at top level"},
    {"server \"s\" {\n    listen = { \"*:80\" }\n    location \"/\" {\n        root = \"www\"\n    "
     "}\n",
     "1: section 'server' is not closed: there is no '}' for it before the end of the file"},
    {"server \"s\" {\n    listen = { \"*:80\" }\n    location \"/\" {\n        root = \"www\"\n}\n",
     "3: section 'location' is not closed: its '}' is missing before line 5"},
    {"server \"s\" {\n    listen = { \"*:80\" }\n    location \"/\" {\n        root = \"www\"\n    "
     "location \"/b/\" {\n        root = \"www\"\n    }\n}\n",
     "3: section 'location' is not closed: its '}' is missing before line 8\n"
     "5: no such option 'location' in location (it belongs in server; is a '}' missing above?)"},
    {SITE "}\n", "4: '}' closes nothing"},
    {"server \"s\" { listen = { \"*:80\"\n names = { \"x\" } }\n",
     "2: 'names' where ',' or the '}' of the list of line 1 is missing"},
    {"server \"s\" { listen = { , \"*:80\" } }\n", "1: ',' without a value before it"},
    {"server \"s\" { listen = { \"*:80\" = } }\n",
     "1: '=' where ',' or the '}' of the list of line 1 is missing"},
    {"", "1: there is no server section"},
    {"workers = 2\n", "1: there is no server section"},
    {IN_SERVER("names = { }"), "2: 'names' is an empty list"},
    {IN_SERVER("names = a b"), "2: several values stand in braces (write names = { ..., ... })"},
    {IN_SERVER("names = \"a\", \"b\""),
     "2: several values stand in braces (write names = { ..., ... })"},
    {IN_SERVER("names = { *.example.org }"), "2: write \"*.example.org\" in quotes"},
    {IN_SERVER("lcation \"/x\" { root = \"www\" }"),
     "2: no such option 'lcation' in server (did you mean 'location'?)"},
    {IN_SERVER("location = /x { root = \"www\" }"),
     "2: 'location' is a section (write location \"...\" { ... })"},
    {IN_SERVER("location { root = \"www\" }"),
     "2: 'location' needs a title (write location \"...\" { ... })"},
    {IN_SERVER("drain = 3s"), "2: no such option 'drain' in server (it belongs at top level)"},
    {IN_SERVER("server \"t\" { }"),
     "2: no such option 'server' in server (it belongs at top level; is a '}' missing above?)"},
    {IN_LOCATION("root = \"www\"\nlocation \"/y\" { root = \"www\" }"),
     "3: no such option 'location' in location (it belongs in server; is a '}' missing above?)"},
    {IN_LOCATION("listen = { \"*:81\" }\nroot = \"www\""),
     "2: no such option 'listen' in location (it belongs in server)"},
    {IN_LOCATION("scgi = \"api\""), "2: no such option 'scgi' in location"},
    {IN_LOCATION("proxy_pass = \"api\""),
     "2: no such option 'proxy_pass' in location (did you mean 'proxy'?)"},
    {IN_SERVER("server_name = \"a\""),
     "2: no such option 'server_name' in server (did you mean 'names'?)"},
    {IN_SERVER("location \"~ x\" { root = \"www\" }"),
     "2: location: \"~ x\": there are no regular expressions (write \"/path\" or \"= /path\")"},
    {IN_LOCATION("rot = \"www\"\nlisting = maybe"),
     "2: no such option 'rot' in location (did you mean 'root'?)\n"
     "3: listing: 'maybe' is neither true nor false"},
    {IN_LOCATION("include(\"x\")"),
     "2: no such option 'include' in location (it belongs in server)"},
    {"workers = 0\n" SITE, "1: workers: 0 is less than 1 (or auto)"},
    {"workers = 257\n" SITE, "1: workers: 257 is more than 256 (or auto)"},
    {"workers = many\n" SITE, "1: workers: 'many' is not a number from 1 to 256 (or auto)"},
    {"workers = 04\n" SITE, "1: workers: '04' is not a number from 1 to 256 (or auto)"},
    {"workers = \"-1\"\n" SITE, "1: workers: '-1' is not a number from 1 to 256 (or auto)"},
    {"drain = 10\n" SITE, "1: drain: '10' has no unit (write 10s)"},
    {"drain = 1.5s\n" SITE, "1: drain: '1.5s' is not a whole number (write 1500ms, not 1.5s)"},
    {"drain = soon\n" SITE, "1: drain: 'soon' is not a duration (write 500ms, 10s, 5m, 1h or 2d)"},
    {"drain = 2x\n" SITE, "1: drain: '2x' is not a duration (write 500ms, 10s, 5m, 1h or 2d)"},
    {"drain = 25h\n" SITE, "1: drain: 25h is more than 1d"},
    {"drain = 99999999999999999999s\n" SITE, "1: drain: 99999999999999999999s is more than 1d"},
    {"drain = \"\"\n" SITE, "1: drain: '' is not a duration (write 500ms, 10s, 5m, 1h or 2d)"},
    {"worker_connections = 0\n" SITE, "1: worker_connections: 0 is less than 1"},
    {"worker_connections = 1000001\n" SITE, "1: worker_connections: 1000001 is more than 1000000"},
    {"worker_connections = 16k\n" SITE,
     "1: worker_connections: '16k' is not a number from 1 to 1000000"},
    {"worker_connections = 99999999999999999999\n" SITE,
     "1: worker_connections: 99999999999999999999 is more than 1000000"},
    {"log_level = verbose\n" SITE,
     "1: log_level: there is no 'verbose' (one of debug, info, notice, warn, error, alert)"},
    {"log_level = notise\n" SITE, "1: log_level: there is no 'notise' (did you mean 'notice'?)"},
    {"log_format = jsn\n" SITE, "1: log_format: there is no 'jsn' (did you mean 'json'?)"},
    {"error_log = \"\"\n" SITE, "1: error_log: the value is empty"},
    {"user = \"no-such-user-x\"\n" SITE, "1: user: there is no user 'no-such-user-x'"},
    {"group = \"no-such-group-x\"\n" SITE, "1: group: there is no group 'no-such-group-x'"},
    {"user = 4711\n" SITE, "1: user: 4711 has no account: set group as well"},
    {"default_type = html\n" SITE, "1: default_type: 'html' is not a media type (write text/html)"},
    {"mime_types = \"none.types\"\n" SITE,
     "1: mime_types: DIR/none.types: No such file or directory"},
    {"mime_types = \"www\"\n" SITE, "1: mime_types: DIR/www is not a file"},
    {IN_SERVER("limits { max_header = 64k }"), "2: max_header: 64k is more than 60k"},
    {IN_SERVER("limits { max_header = 512 }"), "2: max_header: 512 is less than 1k"},
    {IN_SERVER("limits { max_header = 1kb }"),
     "2: max_header: '1kb' is not a size (write bytes, or 4k, 1m or 1g)"},
    {IN_SERVER("limits { max_fields = 129 }"), "2: max_fields: 129 is more than 128"},
    {IN_SERVER("limits { max_body = \"-1\" }"),
     "2: max_body: '-1' is not a size (write bytes, or 4k, 1m or 1g)"},
    {IN_SERVER("limits { max_body = 2000g }"), "2: max_body: 2000g is more than 1024g"},
    {IN_SERVER("limits { max_hdr = 1 }"), "2: no such option 'max_hdr' in limits"},
    {IN_SERVER("deadlines { idel = 5s }"),
     "2: no such option 'idel' in deadlines (did you mean 'idle'?)"},
    {IN_SERVER("deadlines { min_rate = 1s }"),
     "2: min_rate: '1s' is not a size (write bytes, or 4k, 1m or 1g)"},
    {IN_SERVER("keepalive { requests = 5s }"),
     "2: requests: '5s' is not a number from 0 to 1000000000"},
    {IN_SERVER("keepalive { idle = 5s }\ndeadlines { idle = 6s }"),
     "3: idle is 6s here and 5s in keepalive (t.conf:2)"},
    {IN_SERVER("deadlines { max_age = 5m }\nkeepalive { max_age = 6m }"),
     "3: max_age is 6m here and 5m in deadlines (t.conf:2)"},
    {IN_SERVER("default = 2"), "2: default: '2' is neither true nor false"},
    {IN_SERVER("backlog = 0"), "2: backlog: 0 is less than 1"},
    {IN_SERVER("backlog = 65536"), "2: backlog: 65536 is more than 65535"},
    {IN_SERVER("access_log = \"a.log\"\nlog_format = xml"),
     "3: log_format: there is no 'xml' (one of combined, json, logfmt)"},
    {IN_SERVER("names = { \"\" }"), "2: names: '' is not a host name"},
    {IN_SERVER("names = { \"exa mple\" }"), "2: names: 'exa mple' is not a host name"},
    {IN_SERVER("names = { \"example.org:80\" }"),
     "2: names: 'example.org:80' is not a host name (names have no port)"},
    {IN_SERVER("names = { \"example.org.\" }"),
     "2: names: 'example.org.': write it without the dot at the end"},
    {IN_SERVER("names = { \".example.org\" }"),
     "2: names: '.example.org': write \"example.org\" and \"*.example.org\""},
    {IN_SERVER("names = { \"*\" }"),
     "2: names: '*': write default = true for the server that answers to every other name"},
    {IN_SERVER("names = { \"a*.example.org\" }"),
     "2: names: 'a*.example.org': '*' may only be the whole first label (\"*.example.org\")"},
    {IN_SERVER("names = { \"*.*.org\" }"),
     "2: names: '*.*.org': '*' may only be the whole first label (\"*.example.org\")"},
    {IN_SERVER("names = { \"b\xfc"
	       "cher.example\" }"),
     "2: names: 'b\xfc"
     "cher.example': write names outside ASCII as punycode (xn--...)"},
    {IN_SERVER("names = { \"-a.example\" }"), "2: names: '-a.example' is not a host name"},
    {IN_SERVER("names = { \"a\", \"A\" }"), "2: names: 'a' stands here twice"},
    {"server \"s\" {\n listen = { \"80\" }\n location \"/\" { root = \"www\" } }\n",
     "2: listen: '80' is a port alone (write \"*:80\" or \"127.0.0.1:80\")"},
    {"server \"s\" {\n listen = { \"example.org:80\" }\n location \"/\" { root = \"www\" } }\n",
     "2: listen: 'example.org:80': 'example.org' is not a numeric address (names are not looked "
     "up)"},
    {"server \"s\" {\n listen = { \"1.2.3.4\" }\n location \"/\" { root = \"www\" } }\n",
     "2: listen: '1.2.3.4' has no port (write \"1.2.3.4:80\")"},
    {"server \"s\" {\n listen = { \"1.2.3:80\" }\n location \"/\" { root = \"www\" } }\n",
     "2: listen: '1.2.3:80': '1.2.3' is not a numeric address (names are not looked up)"},
    {"server \"s\" {\n listen = { \"1.2.3.4:65536\" }\n location \"/\" { root = \"www\" } }\n",
     "2: listen: '1.2.3.4:65536': '65536' is not a port from 0 to 65535"},
    {"server \"s\" {\n listen = { \"1.2.3.4:x\" }\n location \"/\" { root = \"www\" } }\n",
     "2: listen: '1.2.3.4:x': 'x' is not a port from 0 to 65535"},
    {"server \"s\" {\n listen = { \"1.2.3.4:080\" }\n location \"/\" { root = \"www\" } }\n",
     "2: listen: '1.2.3.4:080': '080' is not a port from 0 to 65535"},
    {"server \"s\" {\n listen = { \"::1:80\" }\n location \"/\" { root = \"www\" } }\n",
     "2: listen: '::1:80': an IPv6 address stands in brackets (write \"[::1]:80\")"},
    {"server \"s\" {\n listen = { \"[::1]\" }\n location \"/\" { root = \"www\" } }\n",
     "2: listen: '[::1]' has no port (write \"[::1]:80\")"},
    {"server \"s\" {\n listen = { \"[::1]80\" }\n location \"/\" { root = \"www\" } }\n",
     "2: listen: '[::1]80' has no port (write \"[::1]:80\")"},
    {"server \"s\" {\n listen = { \"[::g]:80\" }\n location \"/\" { root = \"www\" } }\n",
     "2: listen: '[::g]:80': '::g' is not a numeric IPv6 address"},
    {"server \"s\" {\n listen = { \"[::ffff:1.2.3.4]:80\" }\n location \"/\" { root = \"www\" } "
     "}\n",
     "2: listen: '[::ffff:1.2.3.4]:80' is an IPv4 address (write \"1.2.3.4:80\")"},
    {"server \"s\" {\n listen = { \"unix:x.sock\" }\n location \"/\" { root = \"www\" } }\n",
     "2: listen: 'unix:x.sock' is not an absolute path (write \"unix:/run/x.sock\")"},
    {"server \"s\" {\n listen = { \"/run/x.sock\" }\n location \"/\" { root = \"www\" } }\n",
     "2: listen: '/run/x.sock': write \"unix:/run/x.sock\""},
    {"server \"s\" {\n listen = { "
     "\"unix:/"
     "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
     "xxxxxxxxxxxxxxx\" }\n location \"/\" { root = \"www\" } }\n",
     "2: listen: "
     "'unix:/"
     "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
     "xxxxxxxxxxxxxxx': the path is longer than 107 bytes"},
    {"server \"s\" {\n listen = { \"\" }\n location \"/\" { root = \"www\" } }\n",
     "2: listen: the address is empty"},
    {"server \"s\" {\n listen = { \"*:80\", \"0.0.0.0:80\" }\n location \"/\" { root = \"www\" } "
     "}\n",
     "2: listen: 0.0.0.0:80 stands here twice"},
    {"server \"s\" {\n location \"/\" { root = \"www\" } }\n",
     "1: server \"s\" listens nowhere (write listen = { \"*:80\" })"},
    {SITE SITE, "4: there are two servers \"s\" (the first at t.conf:1)\n"
		"4: warning: server \"s\" gets no requests: it has no names and is the default of "
		"none of its listeners"},
    {"server \"a\" {\n listen = { \"*:80\" } backlog = 1 reuseport = true names = { \"a\" }\n "
     "location \"/\" { root = \"www\" } }\n" SITE,
     "4: backlog of *:80 is 4096 here and 1 at t.conf:2\n"
     "4: reuseport of *:80 is false here and true at t.conf:2\n"
     "4: warning: server \"s\" gets no requests: it has no names and is the default of none of its "
     "listeners"},
    {"server \"a\" {\n listen = { \"*:80\" }\n default = true\n location \"/\" { root = \"www\" } "
     "}\nserver \"b\" {\n listen = { \"*:80\" }\n default = true\n location \"/\" { root = \"www\" "
     "} }\n",
     "7: default: server \"a\" is the default of *:80 already (t.conf:3)"},
    {"server \"a\" {\n listen = { \"*:80\", \"*:81\" }\n names = { \"x.org\",\n  \"y.org\" }\n "
     "location \"/\" { root = \"www\" } }\nserver \"b\" {\n listen = { \"*:81\", \"*:80\" }\n "
     "names = { \"Y.org\" }\n location \"/\" { root = \"www\" } }\n",
     "8: names: 'y.org' is also a name of server \"a\" on *:81 (t.conf:4)"},
    {"server \"\" { listen = { \"*:80\" } }\n", "1: server: in the title: the value is empty"},
    {"server \"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\" { listen = { "
     "\"*:80\" } }\n",
     "1: server: the title is longer than 63 bytes"},
    {"server \"a\" { listen = { \"*:80\" } access_log = \"x.log\" }\nserver \"b\" { listen = { "
     "\"*:81\" } access_log = \"x.log\"\n log_format = json }\n",
     "2: access_log: DIR/x.log has another log_format at t.conf:1"},
    {IN_SERVER("location \"x\" { root = \"www\" }"),
     "2: location: \"x\" is neither \"/path\" nor \"= /path\""},
    {IN_SERVER("location \"/a//b\" { root = \"www\" }"),
     "2: location: \"/a//b\" never matches: paths have no empty segments"},
    {IN_SERVER("location \"/a/../b\" { root = \"www\" }"),
     "2: location: \"/a/../b\" never matches: paths have no \".\" or \"..\" segments"},
    {IN_SERVER("location \"/a/.\" { root = \"www\" }"),
     "2: location: \"/a/.\" never matches: paths have no \".\" or \"..\" segments"},
    {IN_SERVER("location \"/a?b\" { root = \"www\" }"),
     "2: location: \"/a?b\" has a '?' or '#', which no path has"},
    {IN_SERVER("location \"=x\" { root = \"www\" }"),
     "2: location: \"=x\" is neither \"/path\" nor \"= /path\""},
    {IN_SERVER("location \"/\" { root = \"www\" }"),
     "2: there are two locations \"/\" (the first at t.conf:1)"},
    {IN_SERVER("location \"= /a\" { root = \"www\" }\nlocation \"=/a\" { root = \"www\" }"),
     "3: there are two locations \"= /a\" (the first at t.conf:2)"},
    {IN_LOCATION(""), "1: location \"/x\" has no purpose (give it root, alias, redirect, status, "
		      "health, metrics, proxy or fastcgi)"},
    {IN_LOCATION("root = \"nowhere\""), "2: root: DIR/nowhere: No such file or directory"},
    {IN_LOCATION("root = \"404.html\""), "2: root: DIR/404.html is not a directory"},
    {IN_LOCATION("alias = \"nowhere\""), "2: alias: DIR/nowhere: No such file or directory"},
    {IN_LOCATION("root = \"\""), "2: root: the value is empty"},
    {IN_LOCATION("root = \"www\"\nalias = \"www\""),
     "3: a location has one purpose: 'alias' and 'root' (t.conf:2) exclude each other"},
    {IN_LOCATION("redirect = \"/y\"\nroot = \"www\""),
     "3: a location has one purpose: 'root' and 'redirect' (t.conf:2) exclude each other"},
    {IN_LOCATION("status = 404\nhealth = true"),
     "3: a location has one purpose: 'health' and 'status' (t.conf:2) exclude each other"},
    {IN_LOCATION("root = \"www\"\nstatus = 404\nhealth = true"),
     "3: a location has one purpose: 'status' and 'root' (t.conf:2) exclude each other\n"
     "4: a location has one purpose: 'health' and 'root' (t.conf:2) exclude each other"},
    {IN_LOCATION("health = false"), "1: location \"/x\" has no purpose (give it root, alias, "
				    "redirect, status, health, metrics, proxy or fastcgi)"},
    {IN_LOCATION("redirect = \"y\""),
     "2: redirect: 'y' is neither a path nor a URL (write \"/new/\" or \"https://example.org/\")"},
    {IN_LOCATION("redirect = \"//evil.example/\""),
     "2: redirect: '//evil.example/' leads to another host (write \"https://evil.example/\")"},
    {IN_LOCATION("redirect = \"/a b\""),
     "2: redirect: '/a b' has a character that must be percent-encoded in a URL"},
    {IN_LOCATION("redirect = \"ftp://x/\""), "2: redirect: 'ftp://x/' is neither a path nor a URL "
					     "(write \"/new/\" or \"https://example.org/\")"},
    {IN_LOCATION("redirect = \"http://\""), "2: redirect: 'http://' is neither a path nor a URL "
					    "(write \"/new/\" or \"https://example.org/\")"},
    {IN_LOCATION("redirect = \"/y\"\nstatus = 200"),
     "3: status: 200 does not redirect (write 301, 302, 303, 307 or 308)"},
    {IN_LOCATION("status = 600"), "2: status: 600 is more than 599"},
    {IN_LOCATION("status = 100"), "2: status: 100 is less than 200"},
    {IN_LOCATION("status = ok"),
     "2: status: 'ok' is neither a status (write 200 to 599) nor true, for the status page"},
    {IN_LOCATION("text = \"x\""), "1: location \"/x\" has no purpose (give it root, alias, "
				  "redirect, status, health, metrics, proxy or fastcgi)"},
    {IN_LOCATION("root = \"www\"\ntext = \"x\""),
     "3: 'text' is the body of a 'status' without redirect"},
    {IN_LOCATION("status = 204\ntext = \"x\""), "3: text: a response with status 204 has no body"},
    {IN_LOCATION("root = \"www\"\nindex = { \"a/b\" }"),
     "3: index: 'a/b' is not the name of a file in the directory"},
    {IN_LOCATION("root = \"www\"\nindex = { \"..\" }"),
     "3: index: '..' is not the name of a file in the directory"},
    {IN_LOCATION("root = \"www\"\nlisting = 1"), "3: listing: '1' is neither true nor false"},
    {IN_LOCATION("root = \"www\"\ncache_control = \"\""), "3: cache_control: the value is empty"},
    {IN_LOCATION("root = \"www\"\ncache_control = \"a\\nb\""),
     "3: cache_control: a control character, which no header field may have"},
    {IN_LOCATION("root = \"www\"\ncache_control = \" x\""),
     "3: cache_control: the value begins or ends with a blank"},
    {IN_LOCATION("root = \"www\"\nmax_body = 1t"),
     "3: max_body: '1t' is not a size (write bytes, or 4k, 1m or 1g)"},
    {IN_LOCATION("root = \"www\"\nallow = { \"10.0.0.1/8\" }"),
     "3: allow: '10.0.0.1/8' has bits set behind its prefix length (write \"10.0.0.0/8\")"},
    {IN_LOCATION("root = \"www\"\nallow = { \"10.0.0.0/33\" }"),
     "3: allow: '10.0.0.0/33': '33' is not a prefix length from 0 to 32"},
    {IN_LOCATION("root = \"www\"\ndeny = { \"localhost\" }"),
     "3: deny: 'localhost' is not an address or network (write \"192.0.2.0/24\", \"2001:db8::/32\" "
     "or \"all\")"},
    {IN_LOCATION("root = \"www\"\ndeny = { \"2001:db8::1/32\" }"),
     "3: deny: '2001:db8::1/32' has bits set behind its prefix length (write \"2001:db8::/32\")"},
    {IN_LOCATION("root = \"www\"\nallow = { \"all\" }\ndeny = { \"10.0.0.0/8\", \"all\" }"),
     "4: deny: 'all' is also allowed (t.conf:3)"},
    {IN_LOCATION("root = \"www\"\nallow = { }"), "3: 'allow' is an empty list"},
    {IN_SERVER("header \"Content-length\" { value = \"1\" }"),
     "2: header: drover itself makes Content-Length"},
    {IN_SERVER("header \"X Y\" { value = \"1\" }"),
     "2: header: 'X Y' is not the name of a header field"},
    {IN_SERVER("header \"\" { value = \"1\" }"), "2: header: '' is not the name of a header field"},
    {IN_SERVER("header \"X\" { }"), "2: header: 'X' has no value"},
    {IN_SERVER("header \"X\" { value = \"\" }"), "2: value: the value is empty"},
    {IN_SERVER("header \"X\" { value = \"a\\r\\nY: b\" }"),
     "2: value: a control character, which no header field may have"},
    {IN_SERVER("header \"X\" { value = \"1\" }\nheader \"x\" { value = \"2\" }"),
     "3: header: 'x' is set twice (first at t.conf:2)"},
    {IN_SERVER("header \"X\" { val = \"1\" }"), "2: no such option 'val' in header"},
    {IN_SERVER("error_page \"404\" { }"), "2: error_page: there is no file for it"},
    {IN_SERVER("error_page \"404\" { file = \"none.html\" }"),
     "2: file: DIR/none.html: No such file or directory"},
    {IN_SERVER("error_page \"404\" { file = \"www\" }"), "2: file: DIR/www: it is a directory"},
    {IN_SERVER("error_page \"404\" { file = \"fifo\" }"),
     "2: file: DIR/fifo: it is not a regular file"},
    {IN_SERVER("error_page \"404\" { file = \"big.html\" }"),
     "2: file: DIR/big.html is larger than 64k"},
    {IN_SERVER("error_page \"200\" { file = \"404.html\" }"),
     "2: error_page: 200 is less than 400"},
    {IN_SERVER("error_page \"x\" { file = \"404.html\" }"),
     "2: error_page: 'x' is not a number from 400 to 599"},
    {IN_SERVER("error_page \"\" { file = \"404.html\" }"),
     "2: error_page: the title names no status"},
    {IN_SERVER("error_page \"404\" { file = \"404.html\" }\nerror_page \"500 404\" { file = "
	       "\"404.html\" }"),
     "3: error_page: 404 is set twice (first at t.conf:2)"},
    {IN_SERVER("error_page \"404\" { file = \"404.html\" type = \"html\" }"),
     "2: type: 'html' is not a media type (write text/html)"},
    {"workrs = 2\ndrain = 10\nserver \"s\" {\n listen = { \"80\" }\n names = { \"a b\" }\n limits "
     "{ max_uri = 1 }\n location \"x\" { root = \"nowhere\" }\n}\n",
     "1: no such option 'workrs' at top level (did you mean 'workers'?)\n"
     "2: drain: '10' has no unit (write 10s)\n"
     "4: listen: '80' is a port alone (write \"*:80\" or \"127.0.0.1:80\")\n"
     "5: names: 'a b' is not a host name\n"
     "6: max_uri: 1 is less than 64\n"
     "7: location: \"x\" is neither \"/path\" nor \"= /path\"\n"
     "7: root: DIR/nowhere: No such file or directory"},
};

START_TEST(test_bad)
{
	text_refused(&bad[_i]);
	/* The global lexer has survived it. */
	settings_free(text_good(SITE));
}
END_TEST

/* Good, and yet something is said. */
static const struct text doubtful[] = {
    {"drain = 500ms\n" SITE,
     "1: warning: drain is shorter than 1s: responses under way will be cut"},
    {"deadlines { request = 5s }\n" SITE,
     "1: warning: request (5000ms) is shorter than header (10000ms), which it ends\n"
     "1: warning: request (5000ms) is shorter than body (60000ms), which it ends"},
    {"deadlines { request = 15s body = 10s }\n" IN_SERVER("deadlines { header = 20s }"),
     "3: warning: request (15000ms) is shorter than header (20000ms), which it ends"},
    {"drain = 20s\ndeadlines { request = 70s }\n" SITE,
     "1: warning: drain (20000ms) is shorter than request (70000ms), and a stop cuts responses "
     "that may still take as long"},
    {IN_SERVER("deadlines { request = 70s }"),
     "2: warning: drain (30000ms) is shorter than request (70000ms), and a stop cuts responses "
     "that may still take as long"},
    {IN_SERVER("keepalive { max_age = 10s }"),
     "2: warning: max_age (10000ms) is shorter than idle (65000ms), which it ends"},
    {IN_SERVER("deadlines { min_rate_after = 0 }"),
     "2: warning: min_rate_after is 0: whatever does not come at once is too slow (min_rate = 0 "
     "turns the check off)"},
    {IN_SERVER("deadlines { min_rate_after = 0 min_rate = 0 }"), ""},
    {IN_SERVER("limits { max_header = 4k }"), ""},
    {IN_SERVER("limits { max_header = 4k max_uri = 5k }"),
     "2: warning: max_uri (5120) is larger than max_header (4096), which the request line counts "
     "towards"},
    {SITE "server \"t\" { listen = { \"*:80\" } location \"/\" { health = true } }\n",
     "4: warning: server \"t\" gets no requests: it has no names and is the default of none of "
     "its listeners"},
    {SITE "server \"t\" { listen = { \"*:80\", \"*:81\" } location \"/\" { health = true } }\n",
     ""},
    {IN_LOCATION("redirect = \"/y\"\nlisting = true"),
     "3: warning: 'listing' has no effect: this location serves no files"},
    {IN_SERVER("location \"/a/\" { redirect = \"/a/b/?c\" }"),
     "2: warning: \"/a/\" is redirected to itself"},
    {IN_SERVER("location \"/a%20b\" { redirect = \"/a/b/?c\" }"),
     "2: warning: location: \"/a%20b\" has a '%': paths are compared decoded"},
    {"log_level = debug\n" SITE, ""},
};

START_TEST(test_doubtful)
{
	text_doubted(&doubtful[_i]);
}
END_TEST

/* Resident memory. Sanitizers keep what is freed for a while. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define ROOM_TO_GROW (256L << 20)
#else
#define ROOM_TO_GROW (1L << 20)
#endif

static long memory_bytes(void)
{
	char line[256];
	long size = 0, resident = 0;
	FILE *f = fopen("/proc/self/statm", "r");

	ck_assert_ptr_nonnull(f);
	if (fgets(line, sizeof(line), f) != NULL)
		ck_assert_int_eq(sscanf(line, "%ld %ld", &size, &resident), 2);
	fclose(f);
	return resident * sysconf(_SC_PAGESIZE);
}

/* A daemon that is reloaded for ever, with good and with bad files, does not grow. */
START_TEST(test_reload)
{
	long before = 0;
	char path[2 * PATH_MAX];

	text_write("part.conf", "location \"/x\" { root = \"www\" }\n");
	text_write("t.conf", "server \"s\" { listen = { \"*:80\" } include(\"part.conf\") }\n");
	snprintf(path, sizeof(path), "%s", text_in("t.conf"));
	for (int i = 0; i < 400; i++) {
		const struct text *b = &bad[(size_t)i % (sizeof(bad) / sizeof(bad[0]))];
		struct settings *s = text_parse(b->text);

		ck_assert_ptr_null(s);
		conf_messages_free(text_messages());
		s = conf_load(path, text_messages());
		ck_assert_msg(s != NULL, "%d: %s", i, text_said());
		ck_assert_uint_eq(s->servers[0].locations_count, 2);
		settings_free(s);
		settings_free(text_good(FULL));
		if (i == 100)
			before = memory_bytes();
	}
	ck_assert_int_lt(memory_bytes(), before + ROOM_TO_GROW);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("conf");
	TCase *c = tcase_create("conf");

	tcase_add_checked_fixture(c, text_begin, text_end);
	tcase_set_timeout(c, 120);
	tcase_add_loop_test(c, test_bad, 0, sizeof(bad) / sizeof(bad[0]));
	tcase_add_loop_test(c, test_doubtful, 0, sizeof(doubtful) / sizeof(doubtful[0]));
	tcase_add_test(c, test_reload);
	suite_add_tcase(s, c);
	return run_suite(s);
}
