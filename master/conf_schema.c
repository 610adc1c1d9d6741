/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The tables. A row added here is read, checked, printed by -T and asked for in drover.conf(5) by
 * the unit test; only rows of kind OWN and LIST need code in conf_fill.c and conf_print.c.
 */
#include "master/conf_schema.h"

#include <assert.h>
#include <string.h>

#include "shm/suggest.h"
#include "worker/errlog.h"
#include "worker/settings.h"

/* The offset of a member, which must have the type that its kind writes. */
#define AT(structure, member, type)                                                  \
	(offsetof(struct structure, member) +                                        \
	 0 * sizeof(char[_Generic(((struct structure *)0)->member, type : 1, default \
				  : -1)]))

#define BASE_settings CONF_IN_SETTINGS
#define BASE_server   CONF_IN_SERVER
#define BASE_location CONF_IN_LOCATION
#define BASE_extra    CONF_IN_EXTRA
#define BASE_header   CONF_IN_HEADER
#define BASE_page     CONF_IN_PAGE
#define BASE_upstream CONF_IN_UPSTREAM
#define BASE_peer     CONF_IN_PEER
#define TYPE_settings settings
#define TYPE_server   server
#define TYPE_location location
#define TYPE_extra    conf_extra
#define TYPE_header   header_setting
#define TYPE_page     error_page
#define TYPE_upstream upstream
#define TYPE_peer     peer

#define ROW(where, member, type) \
	.base = BASE_##where, .offset = AT_EXPANDED(TYPE_##where, member, type)
#define AT_EXPANDED(structure, member, type) AT(structure, member, type)

#define BOOL(n, where, member, def) \
	.name = n, .kind = CONF_BOOL, ROW(where, member, bool), .fallback = def
#define COUNT(n, where, member, def, low, high)                                                   \
	.name = n, .kind = CONF_COUNT, ROW(where, member, uint32_t), .fallback = def, .min = low, \
	.max = high
#define DURATION(n, where, member, def, high) \
	.name = n, .kind = CONF_DURATION, ROW(where, member, uint64_t), .fallback = def, .max = high
#define SIZE(n, where, member, def, high) \
	.name = n, .kind = CONF_SIZE, ROW(where, member, uint64_t), .fallback = def, .max = high
#define SIZE32(n, where, member, def, low, high)                                                   \
	.name = n, .kind = CONF_SIZE32, ROW(where, member, uint32_t), .fallback = def, .min = low, \
	.max = high
#define CHOICE(n, where, member, def, all) \
	.name = n, .kind = CONF_CHOICE, ROW(where, member, int), .fallback = def, .words = all
/* The same for an enum, which is as wide as an int (see below). */
#define CHOICE_ENUM(n, where, member, type, def, all) \
	.name = n, .kind = CONF_CHOICE, ROW(where, member, enum type), .fallback = def, .words = all
#define STRING(n, what, where, member, def) \
	.name = n, .kind = what, ROW(where, member, const char *), .fallback = def
#define OWN(n, def)      .name = n, .kind = CONF_OWN, .fallback = def
#define LIST(n, def)     .name = n, .kind = CONF_LIST, .fallback = def
#define SECTION(n, opts) .name = n, .kind = CONF_SECTION, .inside = opts
#define INCLUDE          .name = "include", .kind = CONF_INCLUDE

/* Options of builds that are for tests. */
#ifdef DROVER_DEBUG
#define DEBUG_LOCATION_OPTIONS {BOOL("crash", extra, crash, "false")},
#else
#define DEBUG_LOCATION_OPTIONS
#endif

static_assert(sizeof(enum same_site) == sizeof(int), "CHOICE_ENUM: written as an int");
static_assert(sizeof(enum balance) == sizeof(int) && sizeof(enum proxy_forwarded) == sizeof(int) &&
		  sizeof(enum proxy_form) == sizeof(int),
	      "CHOICE_ENUM: written as an int");

#define SECOND UINT64_C(1000000)
#define DAY    (24 * 3600 * SECOND)
#define KIB    UINT64_C(1024)
#define GIB    (KIB * KIB * KIB)
#define TIB    (GIB * KIB)

static const char *const levels[] = {
    [ERRLOG_DEBUG] = "debug", [ERRLOG_INFO] = "info",   [ERRLOG_NOTICE] = "notice",
    [ERRLOG_WARN] = "warn",   [ERRLOG_ERROR] = "error", [ERRLOG_ALERT] = "alert",
    [ERRLOG_ALERT + 1] = NULL};
static const char *const formats[] = {[LOG_COMBINED] = "combined",
				      [LOG_JSON] = "json",
				      [LOG_LOGFMT] = "logfmt",
				      [LOG_LOGFMT + 1] = NULL};
static const char *const balances[] = {[BALANCE_ROUND_ROBIN] = "round_robin",
				       [BALANCE_LEAST_CONN] = "least_conn",
				       [BALANCE_HASH] = "hash",
				       [BALANCE_LEAST_TIME] = "least_time",
				       [BALANCE_LEAST_TIME + 1] = NULL};
static const char *const same_sites[] = {[SAME_SITE_OFF] = "off",
					 [SAME_SITE_LAX] = "lax",
					 [SAME_SITE_STRICT] = "strict",
					 [SAME_SITE_NONE] = "none",
					 [SAME_SITE_NONE + 1] = NULL};
static const char *const forwardeds[] = {[PROXY_FORWARDED_REPLACE] = "replace",
					 [PROXY_FORWARDED_APPEND] = "append",
					 [PROXY_FORWARDED_OFF] = "off",
					 [PROXY_FORWARDED_OFF + 1] = NULL};
static const char *const forms[] = {[PROXY_FORM_X] = "x_forwarded",
				    [PROXY_FORM_RFC7239] = "rfc7239",
				    [PROXY_FORM_BOTH] = "both",
				    [PROXY_FORM_BOTH + 1] = NULL};
static const char *const error_logs[] = {"stderr", NULL};
static const char *const access_logs[] = {"off", "stdout", "stderr", NULL};

#define DEADLINE(n, which, def) \
	DURATION(n, server, deadlines.at_us[DEADLINE_##which], def, 365 * DAY)

static const struct conf_option deadlines[] = {
    {DEADLINE("handshake", HANDSHAKE, "10s")},
    {DEADLINE("header", HEADER, "10s")},
    {DEADLINE("body", BODY, "60s")},
    {DEADLINE("request", REQUEST, "0s")},
    {DEADLINE("send", SEND, "60s")},
    {DEADLINE("relay_idle", RELAY_IDLE, "10m")},
    {DEADLINE("linger", LINGER, "5s")},
    {DEADLINE("idle", IDLE, "65s")},
    {DEADLINE("max_age", MAX_AGE, "0s")},
    {SIZE("min_rate", server, deadlines.min_rate, "240", GIB)},
    {DEADLINE("min_rate_after", MIN_RATE, "5s")},
    {.name = NULL},
};

static const struct conf_option keepalive[] = {
    {COUNT("requests", server, keepalive_requests, "1000", 0, 1000000000)},
    {DEADLINE("idle", IDLE, NULL), .elsewhere = true},
    {DEADLINE("max_age", MAX_AGE, NULL), .elsewhere = true},
    {.name = NULL},
};

static const struct conf_option limits[] = {
    {SIZE32("max_header", server, limits.max_header, "16k", 1 * KIB, 60 * KIB)},
    {SIZE32("max_uri", server, limits.max_uri, "8k", 64, 60 * KIB)},
    {COUNT("max_fields", server, limits.max_fields, "100", 1, HTTP_FIELDS_MAX)},
    {SIZE("max_body", location, max_body, "1m", TIB)},
    {.name = NULL},
};

static const struct conf_option header[] = {
    {STRING("value", CONF_FIELD, header, value, NULL)},
    {BOOL("always", header, always, "false")},
    {.name = NULL},
};

static const struct conf_option request_header[] = {
    {STRING("value", CONF_FIELD, header, value, NULL)},
    {.name = NULL},
};

static const struct conf_option param[] = {
    {STRING("value", CONF_TEXT, header, value, NULL)},
    {.name = NULL},
};

static const struct conf_option error_page[] = {
    {STRING("file", CONF_PATH, page, file, NULL)},
    {STRING("type", CONF_MEDIA, page, type, NULL)},
    {.name = NULL},
};

/* For a location, and at the server for all of its locations. */
#define FILES_OPTIONS                                                                      \
	{LIST("index", "{ \"index.html\" }"), .may_be_empty = true, .files_only = true},   \
	    {BOOL("listing", location, listing, "false"), .files_only = true},             \
	    {BOOL("dotfiles", location, dotfiles, "false"), .files_only = true},           \
	    {BOOL("precompressed", location, precompressed, "false"), .files_only = true}, \
	    {STRING("cache_control", CONF_FIELD, location, cache_control, NULL),           \
	     .files_only = true},                                                          \
	    {LIST("allow", NULL)},                                                         \
	{                                                                                  \
		LIST("deny", NULL)                                                         \
	}

/* The same, for what is proxied. */
#define PROXY_OPTIONS                                                                              \
	{OWN("proxy_host", "keep"), .proxy_only = true},                                           \
	    {CHOICE_ENUM("forwarded", location, forwarded, proxy_forwarded, "replace",             \
			 forwardeds),                                                              \
	     .proxy_only = true},                                                                  \
	    {CHOICE_ENUM("forwarded_form", location, forwarded_form, proxy_form, "x_forwarded",    \
			 forms),                                                                   \
	     .proxy_only = true},                                                                  \
	    {STRING("via", CONF_TEXT, location, via, "drover"), .proxy_only = true},               \
	    {LIST("trust", NULL), .may_be_empty = true, .proxy_only = true},                       \
	    {STRING("timeout_header", CONF_FIELD, location, timeout_name, "X-Request-Timeout-Ms"), \
	     .proxy_only = true},                                                                  \
	    {BOOL("buffering", location, buffering, "false"), .proxy_only = true},                 \
	    {SIZE32("buffer", location, buffer, "64k", 16 * KIB, 64 * KIB), .proxy_only = true},   \
	    {SIZE("buffer_file", location, buffer_file, "0", TIB), .proxy_only = true},            \
	    {LIST("remove_request", NULL), .may_be_empty = true, .proxy_only = true},              \
	{                                                                                          \
		LIST("remove_response", NULL), .may_be_empty = true, .proxy_only = true            \
	}

static const struct conf_option location[] = {
    {STRING("root", CONF_PATH, location, root, NULL)},
    {STRING("alias", CONF_PATH, location, alias, NULL)},
    {STRING("redirect", CONF_TEXT, location, redirect, NULL)},
    {.name = "status", .kind = CONF_STATUS, ROW(location, status, int), .min = 200, .max = 599},
    {STRING("text", CONF_TEXT, location, text, NULL)},
    {BOOL("health", extra, health, "false")},
    {STRING("proxy", CONF_TEXT, extra, proxy, NULL)},
    {STRING("rewrite", CONF_TEXT, location, rewrite, NULL), .proxy_only = true},
    {STRING("fastcgi", CONF_TEXT, extra, fastcgi, NULL)},
    {BOOL("static_files", location, static_files, "false"), .fastcgi_only = true},
    {STRING("script", CONF_TEXT, location, script, NULL), .fastcgi_only = true},
    {STRING("split_path", CONF_TEXT, location, split_path, ".php"), .fastcgi_only = true},
    {SECTION("param", param), .titled = true, .fastcgi_only = true},
    {BOOL("metrics", extra, metrics, "false")},
    DEBUG_LOCATION_OPTIONS FILES_OPTIONS,
    PROXY_OPTIONS,
    {SIZE("max_body", location, max_body, NULL, TIB)},
    {SECTION("header", header), .titled = true},
    {SECTION("request_header", request_header), .titled = true, .proxy_only = true},
    {SECTION("error_page", error_page), .titled = true},
    {.name = NULL},
};

static const struct conf_option server[] = {
    {LIST("listen", NULL)},
    {LIST("names", NULL)},
    {BOOL("default", server, is_default, "false")},
    {BOOL("reuseport", extra, reuseport, "false")},
    {COUNT("backlog", extra, backlog, "4096", 1, 65535)},
    {STRING("access_log", CONF_PATH, extra, access_log, NULL), .words = access_logs},
    {CHOICE("log_format", extra, log_format, NULL, formats)},
    {BOOL("request_id", server, request_id, NULL)},
    {STRING("root", CONF_PATH, extra, root, NULL)},
    FILES_OPTIONS,
    PROXY_OPTIONS,
    {SECTION("deadlines", deadlines)},
    {SECTION("keepalive", keepalive)},
    {SECTION("limits", limits)},
    {SECTION("header", header), .titled = true},
    {SECTION("request_header", request_header), .titled = true},
    {SECTION("error_page", error_page), .titled = true},
    {SECTION("location", location), .titled = true},
    {INCLUDE},
    {.name = NULL},
};

static const struct conf_option upstream_deadlines[] = {
    {DURATION("connect", upstream, connect_us, "5s", 365 * DAY)},
    {DURATION("response", upstream, response_us, "60s", 365 * DAY)},
    {DURATION("between", upstream, between_us, "60s", 365 * DAY)},
    {.name = NULL},
};

static const struct conf_option upstream_keepalive[] = {
    {COUNT("conns", upstream, keepalive_conns, "32", 0, 1000000)},
    {COUNT("requests", upstream, keepalive_requests, "1000", 0, 1000000000)},
    {DURATION("idle", upstream, keepalive_idle_us, "30s", 365 * DAY)},
    {DURATION("max_age", upstream, keepalive_max_age_us, "0s", 365 * DAY)},
    {.name = NULL},
};

static const struct conf_option check[] = {
    {STRING("path", CONF_TEXT, upstream, check.path, NULL)},
    {STRING("host", CONF_FIELD, upstream, check.host, NULL)},
    {LIST("status", "{ \"200-399\" }")},
    {STRING("body", CONF_TEXT, upstream, check.body, NULL)},
    {DURATION("interval", upstream, check.interval_us, "2s", DAY)},
    {DURATION("timeout", upstream, check.timeout_us, "1s", DAY)},
    {COUNT("fall", upstream, check.fall, "3", 1, 1000)},
    {COUNT("rise", upstream, check.rise, "2", 1, 1000)},
    {COUNT("port", upstream, check.port, "0", 0, 65535)},
    {.name = NULL},
};

static const struct conf_option upstream_retry_budget[] = {
    {COUNT("percent", upstream, retry_percent, "20", 0, 10000)},
    {COUNT("min", upstream, retry_min, "10", 0, 1000000)},
    {.name = NULL},
};

static const struct conf_option upstream_queue[] = {
    {COUNT("size", upstream, queue_size, "0", 0, 1000000)},
    {DURATION("wait", upstream, queue_wait_us, "5s", 365 * DAY)},
    {.name = NULL},
};

static const struct conf_option upstream_sticky[] = {
    {STRING("cookie", CONF_TEXT, upstream, sticky_cookie, NULL)},
    {DURATION("max_age", upstream, sticky_max_age_us, "1h", 365 * DAY)},
    {STRING("path", CONF_TEXT, upstream, sticky_path, "/")},
    {STRING("key", CONF_TEXT, upstream, sticky_key, NULL)},
    {BOOL("secure", upstream, sticky_secure, "false")},
    {BOOL("http_only", upstream, sticky_http_only, "true")},
    {CHOICE_ENUM("same_site", upstream, sticky_same_site, same_site, "off", same_sites)},
    {.name = NULL},
};

static const struct conf_option peer[] = {
    {COUNT("weight", peer, weight, "1", 1, 1000)},
    {COUNT("max_conns", peer, max_conns, "0", 0, 1000000)},
    {BOOL("backup", peer, backup, "false")},
    {BOOL("down", peer, down, "false")},
    {COUNT("max_fails", peer, max_fails, "3", 0, 1000000)},
    {DURATION("fail_time", peer, fail_us, "10s", DAY)},
    {.name = NULL},
};

static const struct conf_option upstream[] = {
    {CHOICE_ENUM("balance", upstream, balance, balance, "round_robin", balances)},
    {OWN("hash", NULL)},
    {COUNT("retries", upstream, retries, "1", 0, 100)},
    {SIZE32("max_head", upstream, max_head, "32k", 1 * KIB, 32 * KIB)},
    {DURATION("eject_max", upstream, eject_max_us, "5m", DAY)},
    {COUNT("error_rate", upstream, error_rate, "0", 0, 100)},
    {DURATION("error_window", upstream, error_window_us, "10s", DAY)},
    {COUNT("error_requests", upstream, error_requests, "20", 1, 100000)},
    {DURATION("slow_start", upstream, slow_start_us, "0s", DAY)},
    {SECTION("check", check)},
    {SECTION("retry_budget", upstream_retry_budget)},
    {SECTION("deadlines", upstream_deadlines)},
    {SECTION("keepalive", upstream_keepalive)},
    {SECTION("queue", upstream_queue)},
    {SECTION("sticky", upstream_sticky)},
    {SECTION("peer", peer), .titled = true},
    {INCLUDE},
    {.name = NULL},
};

/* Bounds, so that neither a zone nor a typing error can have the name servers flooded. */
static const struct conf_option resolve[] = {
    {DURATION("min", settings, resolve.min_us, "5s", DAY)},
    {DURATION("max", settings, resolve.max_us, "10m", DAY)},
    {DURATION("timeout", settings, resolve.timeout_us, "2s", 60 * SECOND)},
    {LIST("servers", NULL), .may_be_empty = true},
    {.name = NULL},
};

static const struct conf_option root[] = {
    {OWN("workers", "auto")},
    {STRING("user", CONF_TEXT, settings, user, NULL)},
    {STRING("group", CONF_TEXT, settings, group, NULL)},
    {COUNT("worker_connections", settings, worker_connections, "16384", 1, 1000000)},
    {COUNT("upstream_connections", settings, upstream_connections, "0", 0, 1000000)},
    {COUNT("max_conns_per_address", settings, max_conns_per_address, "0", 0, 1000000)},
    {DURATION("drain", settings, drain_us, "30s", DAY)},
    {DURATION("hang", settings, hang_us, "30s", DAY)},
    {DURATION("orphan", settings, orphan_us, "60s", DAY)},
    {DURATION("lame_duck", settings, lame_duck_us, "0s", DAY)},
    {BOOL("standby", settings, standby, "true")},
    {BOOL("rebalance", settings, rebalance, "false")},
    {STRING("error_log", CONF_PATH, settings, error_log, "stderr"), .words = error_logs},
    {CHOICE("log_level", settings, log_level, "notice", levels)},
    {STRING("access_log", CONF_PATH, extra, access_log, "off"), .words = access_logs},
    {CHOICE("log_format", extra, log_format, "logfmt", formats)},
    {BOOL("request_id", server, request_id, "false")},
    {LIST("trust_request_id", NULL), .may_be_empty = true},
    {STRING("pid_file", CONF_PATH, settings, pid_file, NULL)},
    {STRING("mime_types", CONF_PATH, settings, mime_types, "/etc/mime.types")},
    {STRING("default_type", CONF_MEDIA, settings, default_type, "application/octet-stream")},
    {STRING("temp_dir", CONF_PATH, settings, temp_dir, "/var/tmp")},
    {COUNT("file_cache", settings, file_cache, "4096", 0, 1000000)},
    {SECTION("deadlines", deadlines)},
    {SECTION("keepalive", keepalive)},
    {SECTION("limits", limits)},
    {SECTION("header", header), .titled = true},
    {SECTION("request_header", request_header), .titled = true},
    {SECTION("error_page", error_page), .titled = true},
    {SECTION("resolve", resolve)},
    {SECTION("upstream", upstream), .titled = true},
    {SECTION("server", server), .titled = true},
    {INCLUDE},
    {.name = NULL},
};

const struct conf_option *conf_schema(void)
{
	return root;
}

const struct conf_option *conf_schema_find(const struct conf_option *table, const char *name)
{
	for (; table->name != NULL; table++) {
		if (strcmp(table->name, name) == 0)
			return table;
	}
	return NULL;
}

/* Of those for files or for a proxy. */
static bool applies_to_fastcgi(const struct conf_option *o, const struct location *loc)
{
	if (o->files_only)
		return loc->static_files || strcmp(o->name, "index") == 0 ||
		       strcmp(o->name, "dotfiles") == 0;
	return strcmp(o->name, "proxy_host") != 0 && strcmp(o->name, "rewrite") != 0;
}

bool conf_schema_applies(const struct conf_option *o, const struct location *loc)
{
	bool fastcgi = loc->kind == LOCATION_FASTCGI;

	if (!o->files_only && !o->proxy_only && !o->fastcgi_only)
		return true;
	if (o->fastcgi_only)
		return fastcgi;
	if (fastcgi)
		return applies_to_fastcgi(o, loc);
	return loc->kind == (o->files_only ? LOCATION_FILES : LOCATION_PROXY);
}

enum {
	NAMES_MAX = 64
};

/* What other servers call it, where no likeness of the words would tell. */
static const char *elsewhere_called(const struct conf_option *table, const char *name)
{
	static const char *const words[][2] = {
	    {"add_header", "header"},
	    {"autoindex", "listing"},
	    {"client_max_body_size", "max_body"},
	    {"fastcgi_param", "param"},
	    {"fastcgi_pass", "fastcgi"},
	    {"maxconn", "max_conns"},
	    {"proxy_buffering", "buffering"},
	    {"proxy_pass", "proxy"},
	    {"proxy_set_header", "request_header"},
	    {"return", "status"},
	    {"server_name", "names"},
	    {"worker_processes", "workers"},
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strcmp(words[i][0], name) == 0 && conf_schema_find(table, words[i][1]) != NULL)
			return words[i][1];
	}
	return NULL;
}

const char *conf_schema_nearest(const struct conf_option *table, const char *name)
{
	const char *names[NAMES_MAX], *word = elsewhere_called(table, name);
	size_t n = 0;

	if (word != NULL)
		return word;
	for (; table->name != NULL && n < NAMES_MAX; table++)
		names[n++] = table->name;
	return suggest_nearest(name, names, n);
}

const char *conf_schema_nearest_word(const char *const *words, const char *name)
{
	size_t n = 0;

	while (words[n] != NULL)
		n++;
	return suggest_nearest(name, words, n);
}
