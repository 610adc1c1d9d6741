/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tests master/conf.c and the files behind it: every sentence about a wrong configuration with its
 * line, values and inheritance of good ones, includes, the round trip of -T, and a process that
 * reloads for ever. Each test has a folder of its own as the place where relative paths begin.
 */
#include "master/conf.h"

#include <arpa/inet.h>
#include <check.h>
#include <ftw.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "master/conf_schema.h"
#include "worker/errlog.h"
#include "worker/http/mime.h"
#include "worker/http/route.h"

static char dir[PATH_MAX];
static struct conf_messages messages;

static const char *in_dir(const char *name)
{
	static char path[2 * PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static void write_bytes(const char *name, const void *bytes, size_t len)
{
	FILE *f = fopen(in_dir(name), "w");

	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(fwrite(bytes, 1, len, f), len);
	ck_assert_int_eq(fclose(f), 0);
}

static void write_file(const char *name, const char *text)
{
	write_bytes(name, text, strlen(text));
}

static void set_up(void)
{
	static char big[64 * 1024 + 1];
	char template[] = "/tmp/drover-conf.XXXXXX";

	ck_assert_ptr_nonnull(mkdtemp(template));
	ck_assert_ptr_nonnull(realpath(template, dir));
	ck_assert_int_eq(mkdir(in_dir("www"), 0755), 0);
	ck_assert_int_eq(mkfifo(in_dir("fifo"), 0644), 0);
	write_file("404.html", "<p>gone</p>\n");
	write_bytes("big.html", big, sizeof(big));
	messages = (struct conf_messages){0};
}

static int remove_entry(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	(void)st;
	(void)kind;
	(void)ftw;
	return remove(path);
}

static void tear_down(void)
{
	conf_messages_free(&messages);
	nftw(dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

static struct settings *parse(const char *text)
{
	conf_messages_free(&messages);
	return conf_parse_text("t.conf", text, strlen(text), dir, &messages);
}

/* "LINE: text" of each message, with the folder's name as DIR; other files by name. */
static const char *said(void)
{
	static char out[16384];
	size_t used = 0, dir_len = strlen(dir);

	out[0] = '\0';
	for (size_t i = 0; i < messages.count; i++) {
		const struct conf_message *m = &messages.list[i];
		char line[4096], *at;

		snprintf(line, sizeof(line), "%s%s%d: %s%s\n",
			 strcmp(m->file, "t.conf") == 0 ? "" : m->file,
			 strcmp(m->file, "t.conf") == 0 ? "" : ":", m->line,
			 m->severity == CONF_WARNING ? "warning: " : "", m->text);
		while ((at = strstr(line, dir)) != NULL) {
			memmove(at + 3, at + dir_len, strlen(at + dir_len) + 1);
			memcpy(at, "DIR", 3);
		}
		used += (size_t)snprintf(out + used, sizeof(out) - used, "%s", line);
	}
	if (used > 0)
		out[used - 1] = '\0';
	return out;
}

/* Fails with what was said if there are no settings. */
static struct settings *good(const char *text)
{
	struct settings *s = parse(text);

	ck_assert_msg(s != NULL, "%s\n-> %s", text, said());
	return s;
}

static char *printed(const struct settings *s)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	conf_print(s, out);
	ck_assert_int_eq(fclose(out), 0);
	return text;
}

/* A server that is right, for tests of what stands beside it: three lines. */
#define SITE "server \"s\" {\n listen = { \"*:80\" }\n location \"/\" { root = \"www\" } }\n"
/* One with a place for more: what follows stands on line 2. */
#define IN_SERVER(text) \
	"server \"s\" { listen = { \"*:80\" } location \"/\" { root = \"www\" }\n" text "\n}\n"
#define IN_LOCATION(text) "server \"s\" { listen = { \"*:80\" } location \"/x\" {\n" text "\n} }\n"

struct bad {
	const char *text;
	const char *said;
};

/* All that is said, in order. */
static const struct bad bad[] = {
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
     "3: allow: '10.0.0.1/8' has bits set behind its prefix length"},
    {IN_LOCATION("root = \"www\"\nallow = { \"10.0.0.0/33\" }"),
     "3: allow: '10.0.0.0/33': '33' is not a prefix length from 0 to 32"},
    {IN_LOCATION("root = \"www\"\ndeny = { \"localhost\" }"),
     "3: deny: 'localhost' is not an address or network (write \"192.0.2.0/24\", \"2001:db8::/32\" "
     "or \"all\")"},
    {IN_LOCATION("root = \"www\"\ndeny = { \"2001:db8::1/32\" }"),
     "3: deny: '2001:db8::1/32' has bits set behind its prefix length"},
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
	const struct bad *b = &bad[_i];
	struct settings *s = parse(b->text);

	ck_assert_msg(s == NULL, "accepted: %s", b->text);
	ck_assert_msg(strcmp(said(), b->said) == 0, "%s\n-> %s\nnot %s", b->text, said(), b->said);
	ck_assert_uint_gt(messages.errors, 0);
	/* The global lexer has survived it. */
	settings_free(good(SITE));
}
END_TEST

/* Good, and yet something is said. */
static const struct bad doubtful[] = {
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
	struct settings *s = good(doubtful[_i].text);

	ck_assert_msg(strcmp(said(), doubtful[_i].said) == 0, "%s\n-> %s\nnot %s",
		      doubtful[_i].text, said(), doubtful[_i].said);
	settings_free(s);
}
END_TEST

/* A line of -T that a snippet gives. */
static const struct bad values[] = {
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
	s = good(values[_i].text);
	ck_assert_str_eq(said(), "");
	text = printed(s);
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

/* All kinds of inheritance and all kinds of locations. */
static const char *const full =
    "workers = 3\n"
    "worker_connections = 100\n"
    "max_conns_per_address = 9\n"
    "hang = 3s orphan = 4s lame_duck = 5s\n"
    "error_log = \"logs/error.log\" log_level = warn\n"
    "access_log = \"logs/access.log\" log_format = json\n"
    "pid_file = \"/run/x.pid\"\n"
    "file_cache = 17\n"
    "deadlines { header = 3s idle = 4s min_rate = 1k }\n"
    "keepalive { requests = 5 }\n"
    "limits { max_fields = 50 max_body = 2k }\n"
    "header \"X-Outer\" { value = \"outer\" always = true }\n"
    "header \"X-Both\" { value = \"outer\" always = true }\n"
    "error_page \"404 500\" { file = \"404.html\" }\n"
    "server \"one\" {\n" /* line 15 */
    "  listen = { \"127.0.0.1:8081\", \"[::1]:8081\", \"unix:/run/x.sock\" }\n"
    "  names = { \"one.example\", \"*.one.example\" }\n"
    "  backlog = 77\n"
    "  root = \"www\"\n"
    "  index = { \"a.html\", \"b.html\" }\n"
    "  listing = true\n"
    "  cache_control = \"max-age=5\"\n"
    "  deny = { \"192.0.2.0/24\" }\n"
    "  deadlines { header = 7s }\n"
    "  keepalive { idle = 8s max_age = 1h }\n"
    "  limits { max_header = 32k max_body = 3k }\n"
    "  header \"x-both\" { value = \"server\" }\n"
    "  error_page \"404\" { file = \"404.html\" type = \"text/x-page\" }\n"
    "  location \"/\" { }\n"
    "  location \"/alias/\" { alias = \"www/\" index = { } listing = false dotfiles = true\n"
    "    allow = { \"10.0.0.0/8\" } max_body = 4k header \"X-Inner\" { value = \"inner\" } }\n"
    "  location \"= /r\" { redirect = \"/to\" status = 308 }\n"
    "  location \"/s\" { status = 410 text = \"gone\" }\n"
    "  location \"= /healthz\" { health = true }\n"
    "}\n"
    "server \"two\" {\n"
    "  listen = { \"127.0.0.1:8082\", \"localhost:8081\" } backlog = 77\n"
    "  names = { \"two.example\" }\n"
    "  default = true\n"
    "  access_log = off\n"
    "}\n"
    "server \"three\" {\n"
    "  listen = { \"*:0\", \"*:0\" } reuseport = true\n"
    "  access_log = \"logs/three.log\" log_format = logfmt\n"
    "  location \"/\" { root = \"/\" precompressed = true }\n"
    "}\n";

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
	ck_assert_str_eq(l[1].root, in_dir("www"));
	ck_assert_ptr_null(l[1].alias);
	ck_assert_str_eq(l[1].index[0], "a.html");
	ck_assert_str_eq(l[1].index[1], "b.html");
	ck_assert_ptr_null(l[1].index[2]);
	ck_assert(l[1].listing);
	ck_assert_str_eq(l[1].cache_control, "max-age=5");
	ck_assert_int_eq(l[1].pos.line, 29);
	ck_assert_int_eq(l[2].kind, LOCATION_FILES);
	ck_assert_str_eq(l[2].alias, in_dir("www"));
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
	struct settings *s = good(full);

	ck_assert_str_eq(said(), "");
	ck_assert_uint_eq(s->workers, 3);
	ck_assert_uint_eq(s->worker_connections, 100);
	ck_assert_uint_eq(s->max_conns_per_address, 9);
	ck_assert_uint_eq(s->drain_us, 30000000);
	ck_assert_uint_eq(s->hang_us, 3000000);
	ck_assert_uint_eq(s->orphan_us, 4000000);
	ck_assert_uint_eq(s->lame_duck_us, 5000000);
	ck_assert_str_eq(s->error_log, in_dir("logs/error.log"));
	ck_assert_int_eq(s->log_level, ERRLOG_WARN);
	ck_assert_str_eq(s->pid_file, "/run/x.pid");
	ck_assert_uint_eq(s->file_cache, 17);
	ck_assert_uint_eq(s->deadlines.at_us[DEADLINE_HEADER], 3000000);
	ck_assert_ptr_null(s->user);
	ck_assert_uint_eq(s->uid, geteuid());
	ck_assert_uint_eq(s->gid, getegid());
	ck_assert_uint_eq(s->servers_count, 3);
	ck_assert_uint_eq(s->logs_count, 2);
	ck_assert_str_eq(s->logs[0].path, in_dir("logs/access.log"));
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
	struct settings *s = good(text), *again;
	char *once = printed(s), *twice;

	again = good(once);
	same_settings(s, again);
	twice = printed(again);
	ck_assert_str_eq(once, twice);
	free(once);
	free(twice);
	settings_free(s);
	settings_free(again);
}

START_TEST(test_round_trip)
{
	setenv("DROVER_TEST_SET", "a $ {x}", 1);
	round_trip(full);
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
		round_trip(values[i].text);
}
END_TEST

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

	ck_assert_int_eq(mkdir(in_dir("d"), 0755), 0);
	for (size_t i = 0; i < 8 && x->files[i][0] != NULL; i++)
		write_file(x->files[i][0], x->files[i][1]);
	snprintf(path, sizeof(path), "%s", in_dir("c"));
	s = conf_load(path, &messages);
	if (x->said != NULL) {
		ck_assert_ptr_null(s);
		ck_assert_str_eq(said(), x->said);
		return;
	}
	ck_assert_msg(s != NULL, "%s", said());
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
		write_file(name, i == 17 ? SERVER("deep") : text);
	}
	snprintf(path, sizeof(path), "%s", in_dir("f0"));
	ck_assert_ptr_null(conf_load(path, &messages));
	ck_assert_str_eq(messages.list[0].text, "includes are nested more than 16 deep");
	ck_assert_int_eq(messages.list[0].line, 2);
	conf_messages_free(&messages);
	snprintf(path, sizeof(path), "%s", in_dir("f1"));
	settings_free(conf_load(path, &messages));
	ck_assert_uint_eq(messages.errors, 0);
}
END_TEST

/* Relative paths begin at the folder of the file, whatever the working directory is. */
START_TEST(test_relative)
{
	char before[PATH_MAX];
	struct settings *s;

	ck_assert_ptr_nonnull(getcwd(before, sizeof(before)));
	ck_assert_int_eq(chdir(in_dir("www")), 0);
	write_file("t.conf", SITE);
	s = conf_load("../t.conf", &messages);
	ck_assert_msg(s != NULL, "%s", said());
	ck_assert_str_eq(s->servers[0].locations[1].root, in_dir("www"));
	ck_assert_str_eq(s->file, "../t.conf");
	settings_free(s);
	ck_assert_ptr_null(conf_load("none.conf", &messages));
	ck_assert_str_eq(conf_messages_first(&messages),
			 "none.conf: cannot be read: No such file or directory");
	ck_assert_int_eq(chdir(before), 0);
}
END_TEST

START_TEST(test_embedded)
{
	struct settings *s = conf_embedded(NULL, in_dir("www"), &messages);

	ck_assert_msg(s != NULL, "%s", said());
	ck_assert_ptr_null(s->file);
	ck_assert_uint_ge(s->workers, 1);
	ck_assert_uint_eq(s->servers_count, 1);
	ck_assert_str_eq(s->servers[0].name, "site");
	ck_assert_str_eq(s->listeners[0].address, "127.0.0.1:8080");
	ck_assert_str_eq(s->servers[0].locations[1].root, in_dir("www"));
	ck_assert(s->servers[0].locations[1].listing);
	ck_assert_str_eq(s->servers[0].locations[1].index[0], "index.html");
	settings_free(s);

	s = conf_embedded("[::1]:0", "/tmp", &messages);
	ck_assert_ptr_nonnull(s);
	ck_assert_int_eq(s->listeners[0].addr.sa.sa_family, AF_INET6);
	settings_free(s);

	ck_assert_ptr_null(conf_embedded("80", in_dir("a \"$\\{x}\" none"), &messages));
	ck_assert_str_eq(said(),
			 "command line:0: listen: '80' is a port alone (write \"*:80\" or "
			 "\"127.0.0.1:80\")\n"
			 "command line:0: root: DIR/a \"$\\{x}\" none: No such file or directory");
	ck_assert_str_eq(conf_messages_first(&messages),
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
	ck_assert_ptr_null(parse(text));
	free(text);
	ck_assert_uint_eq(messages.errors, 150);
	ck_assert_uint_eq(messages.count, 100);
	ck_assert_uint_eq(messages.left_out, 50);
	f = open_memstream(&out, &len);
	conf_messages_print(&messages, f);
	fclose(f);
	ck_assert_int_eq(strncmp(out, "t.conf:1: error: no such option 'x0' at top level\n", 50),
			 0);
	ck_assert_ptr_nonnull(strstr(out, "\nand 50 more\n"));
	free(out);
	/* What a configuration says cannot forge a line. */
	ck_assert_ptr_null(parse("user = \"a\\nt.conf:1: error: b\"\n" SITE));
	ck_assert_str_eq(conf_messages_first(&messages),
			 "t.conf:1: user: there is no user 'a?t.conf:1: error: b'");
	settings_free(good(SITE));
	ck_assert_str_eq(conf_messages_first(&messages), "");
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
	s = good(text);
	ck_assert_uint_eq(s->servers_count, 10000);
	ck_assert_uint_eq(s->listeners_count, 2);
	ck_assert_uint_eq(s->servers[9999].pos.line, 9999 * 5 + 1);
	ck_assert_uint_eq(route_server(s->route, 1, "s4711.example", 13), 4711);
	settings_free(s);
	free(text);
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

	write_file("part.conf", "location \"/x\" { root = \"www\" }\n");
	write_file("t.conf", "server \"s\" { listen = { \"*:80\" } include(\"part.conf\") }\n");
	snprintf(path, sizeof(path), "%s", in_dir("t.conf"));
	for (int i = 0; i < 400; i++) {
		const struct bad *b = &bad[(size_t)i % (sizeof(bad) / sizeof(bad[0]))];
		struct settings *s = parse(b->text);

		ck_assert_ptr_null(s);
		conf_messages_free(&messages);
		s = conf_load(path, &messages);
		ck_assert_msg(s != NULL, "%d: %s", i, said());
		ck_assert_uint_eq(s->servers[0].locations_count, 2);
		settings_free(s);
		settings_free(good(full));
		if (i == 100)
			before = memory_bytes();
	}
	ck_assert_int_lt(memory_bytes(), before + ROOM_TO_GROW);
}
END_TEST

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
static bool admits(const struct location *l, const char *address)
{
	struct in6_addr peer;

	ck_assert_int_eq(inet_pton(AF_INET6, address, &peer), 1);
	return route_admits(l, &peer);
}

/* Metrics and the status page are for this machine alone, unless they themselves say otherwise. */
START_TEST(test_own_pages)
{
	struct settings *s = good(
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
	Suite *s = suite_create("conf");
	TCase *c = tcase_create("conf");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(c, set_up, tear_down);
	tcase_set_timeout(c, 120);
	tcase_add_loop_test(c, test_bad, 0, sizeof(bad) / sizeof(bad[0]));
	tcase_add_loop_test(c, test_doubtful, 0, sizeof(doubtful) / sizeof(doubtful[0]));
	tcase_add_loop_test(c, test_value, 0, sizeof(values) / sizeof(values[0]));
	tcase_add_test(c, test_full);
	tcase_add_test(c, test_round_trip);
	tcase_add_loop_test(c, test_include, 0, sizeof(includes) / sizeof(includes[0]));
	tcase_add_test(c, test_include_depth);
	tcase_add_test(c, test_relative);
	tcase_add_test(c, test_embedded);
	tcase_add_test(c, test_messages);
	tcase_add_test(c, test_many);
	tcase_add_test(c, test_reload);
	tcase_add_test(c, test_manual);
	tcase_add_test(c, test_own_pages);
	tcase_add_test(c, test_levels);
	suite_add_tcase(s, c);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r) + (srunner_ntests_run(r) == 0);
	srunner_free(r);
	return failed != 0;
}
