/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a worker needs to know of the configuration: plain structs, filled by master/conf.c,
 * read-only afterwards and inherited over the fork. All memory belongs to the settings' own arena
 * and is freed with settings_free(). Times are in microseconds, sizes in bytes. Inheritance (global
 * -> server -> location) is resolved when they are filled: each level holds its effective values.
 */
#ifndef DROVER_WORKER_SETTINGS_H
#define DROVER_WORKER_SETTINGS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/un.h>

#include "shm/board.h"
#include "worker/http/parse.h"

struct route; /* worker/http/route.h: look-up of servers and locations */
struct mime;  /* worker/http/mime.h */

/* Where an entry stands in the configuration, for messages. */
struct conf_pos {
	const char *file;
	int line;
};

/* An added response header. Sections inside add to and override, by name, those outside. */
struct header_setting {
	const char *name;
	const char *value;
	bool always; /* on errors as well, not only on 2xx and 3xx */
};

/* A network in allow or deny; IPv4 as IPv4-mapped IPv6 (bits + 96). "all" is bits 0. */
struct cidr {
	struct in6_addr addr;
	uint8_t bits;
	bool allow;
};

/* A ready page for an error status. */
struct error_page {
	int status;
	const char *type; /* media type */
	const char *file; /* where the body was read from */
	const char *body;
	uint32_t len;
};

enum location_kind {
	LOCATION_NONE, /* nothing configured: 404 */
	LOCATION_FILES,
	LOCATION_REDIRECT,
	LOCATION_STATUS,
	LOCATION_HEALTH,
	LOCATION_PROXY,
	LOCATION_METRICS,
	LOCATION_STATUS_PAGE,
	LOCATION_FASTCGI,
	LOCATION_CRASH /* the worker dies of it; only builds for tests can be configured so */
};

/* The Host field that a peer gets. */
enum proxy_host {
	PROXY_HOST_KEEP, /* the client's */
	PROXY_HOST_PEER, /* the peer's address as configured */
	PROXY_HOST_FIXED
};

/* X-Forwarded-For, -Proto and -Host as sent to a peer. */
enum proxy_forwarded {
	PROXY_FORWARDED_REPLACE, /* by what we see ourselves, unless the client is trusted: then
				    APPEND */
	PROXY_FORWARDED_APPEND,
	PROXY_FORWARDED_OFF /* what the client sent is removed, too */
};

/* The fields that it is said in. */
enum proxy_form {
	PROXY_FORM_X,       /* X-Forwarded-* */
	PROXY_FORM_RFC7239, /* Forwarded */
	PROXY_FORM_BOTH
};

struct location {
	const char *match; /* "/x/" (longest prefix) or "= /x" as written */
	const char *path;  /* the part that is compared */
	uint32_t path_len;
	bool exact;
	enum location_kind kind;
	const char
	    *root; /* FILES: directory; the request path below it is appended (as nginx's root) */
	const char *alias;  /* FILES: directory that takes the place of the matched prefix; root or
			       alias, not both */
	const char **index; /* NULL-terminated */
	bool listing;       /* directory listing where there is no index file */
	bool dotfiles;      /* serve names that begin with a dot */
	bool precompressed; /* look for .br, .zst and .gz siblings */
	const char *cache_control; /* NULL: none */
	const char *redirect; /* REDIRECT: target; "$path" and "$query" are not expanded: the rest
				 of the path after the prefix is appended if redirect ends in '/',
				 as is the query */
	int status;           /* REDIRECT: 301 302 303 307 308; STATUS: 200..599; STATUS_PAGE: 1 */
	const char *text;     /* STATUS: body, or NULL */
	struct cidr *rules;   /* allow and deny; longest prefix decides, deny on a tie; sorted by
				 bits, longest first */
	uint32_t rules_count;
	bool refuse_others; /* addresses that no rule names are refused (there is an allow) */
	struct header_setting *headers; /* effective: merged from outside in */
	uint32_t headers_count;
	struct error_page *error_pages; /* effective */
	uint32_t error_pages_count;
	uint32_t upstream; /* PROXY: index into settings.upstreams */
	const char
	    *rewrite; /* PROXY: takes the place of the matched prefix (never of an exact location);
			 begins with '/', has no byte that must be encoded; NULL: the path stays */
	enum proxy_host host_policy;
	const char *host; /* PROXY_HOST_FIXED */
	enum proxy_forwarded forwarded;
	enum proxy_form forwarded_form;
	const char *via; /* our name in Via, a token; "": no Via; NULL: "drover" */
	struct cidr
	    *trusted; /* clients (other proxies) whose X-Forwarded-* and time limits are believed */
	uint32_t trusted_count;
	const char *timeout_name;     /* of the field that says how much time is left, both ways */
	bool buffering;               /* PROXY: the peer is read ahead while the client is slow */
	uint32_t buffer;              /* bytes of that in memory */
	uint64_t buffer_file;         /* in a temporary file beyond it; 0 = none */
	const char **remove_request;  /* PROXY: fields that do not go to the peer; lower case,
					 NULL-terminated */
	const char **remove_response; /* PROXY: fields that do not go to the client */
	struct header_setting *request_headers; /* PROXY: fields set in what goes to the peer;
						   merged from outside in */
	uint32_t request_headers_count;
	/* FASTCGI, whose root and index are those of files, and upstream and fields those of PROXY.
	 */
	bool static_files;      /* files below root that are no scripts are served from there */
	const char *script;     /* that answers where a path names none; NULL: none does */
	const char *split_path; /* the suffix of scripts, ""; never NULL */
	struct header_setting *params; /* variables that take the place of those made */
	uint32_t params_count;
	uint64_t max_body;
	uint32_t id; /* index in its server */
	struct conf_pos pos;
};

enum log_format {
	LOG_COMBINED,
	LOG_JSON,
	LOG_LOGFMT
};

/* A log file: each path once in settings.logs. The master opens it (and again on USR1) and gives
 * the descriptor to the workers. */
struct log_setting {
	const char *path; /* absolute; "stderr" and "stdout" name descriptors */
	enum log_format format;
	struct conf_pos pos;
};

struct deadline_settings {
	uint64_t at_us[DEADLINES_COUNT]; /* by enum deadline; 0 = none; [DEADLINE_MIN_RATE] is
					    min_rate_after */
	uint64_t min_rate;               /* bytes a second; 0 = off */
};

struct server {
	const char *name;
	uint32_t row;       /* of the board: stays with the name over reloads */
	const char **names; /* host names, lower case, "*.example.org" wildcards; NULL-terminated */
	uint32_t *listeners; /* indices into settings.listeners */
	uint32_t listeners_count;
	bool is_default; /* explicitly, for its listeners; else the first server of a listener is */
	struct deadline_settings deadlines;
	uint32_t keepalive_requests; /* 0 = no limit; 1 = no keep-alive */
	bool request_id;             /* responses carry X-Request-Id */
	struct http_limits limits;
	int log;                    /* index into settings.logs, or -1 */
	struct location *locations; /* [0] is the fallback where nothing matches (LOCATION_NONE) */
	uint32_t locations_count;
	struct conf_pos pos;
};

struct listener {
	const char *address; /* as written */
	union {
		struct sockaddr sa;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
		struct sockaddr_un un;
	} addr;
	socklen_t addr_len;
	int backlog;
	bool reuseport;
	mode_t mode;             /* unix sockets: 0666 */
	uint32_t row;            /* of the board: stays with the address over reloads */
	uint32_t default_server; /* index into settings.servers */
	struct conf_pos pos;
};

enum balance {
	BALANCE_ROUND_ROBIN, /* weighted */
	BALANCE_LEAST_CONN,  /* fewest requests in hand by weight, over all workers */
	BALANCE_HASH,        /* of what hash_of says; consistent, with bounded load */
	BALANCE_LEAST_TIME   /* shortest time to an answer's head, times requests in hand, by weight
			      */
};

/* SameSite of the sticky cookie. */
enum same_site {
	SAME_SITE_OFF, /* not said */
	SAME_SITE_LAX,
	SAME_SITE_STRICT,
	SAME_SITE_NONE
};

enum hash_of {
	HASH_ADDRESS, /* of the client */
	HASH_PATH,
	HASH_HEADER, /* of the name hash_name */
	HASH_COOKIE
};

union peer_addr {
	struct sockaddr sa;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
	struct sockaddr_un un;
	struct sockaddr_storage any;
};

/* How names of peers are looked up. */
struct resolve_settings {
	uint64_t min_us, max_us; /* bounds of the time after which a name is looked up again */
	uint64_t timeout_us;     /* of a question to one name server, the first time */
	const char **servers; /* "192.0.2.1:53", "[::1]:53"; NULL-terminated; NULL: the system's */
};

/* One server of a pool. */
struct peer {
	const char *address; /* as written: host:port, [host]:port or unix:path */
	const char *host;    /* a name that is looked up; NULL: addr is the address */
	in_port_t port;      /* with host, in network order */
	union peer_addr addr;
	union peer_addr other; /* of a name with addresses of both families: the first of the other,
				  to be tried when addr refuses */
	socklen_t other_len;   /* 0: none */
	socklen_t addr_len;    /* 0: its name was not resolved when it was loaded */
	uint32_t weight;       /* 1 to 1000 */
	uint32_t max_conns;    /* requests in hand over all workers; 0 = no limit */
	bool backup;           /* used when no other is well */
	bool down;             /* not used */
	uint64_t sticky;       /* what the cookie of its sessions says, see worker/sticky.h */
	const char *set_cookie; /* value of the field that begins a session; NULL: none do */
	uint32_t max_fails; /* in a row within fail_us: it is left alone for fail_us; 0 = never */
	uint64_t fail_us;
	uint32_t row;      /* of the board: stays with upstream and address over reloads */
	uint32_t upstream; /* index of its upstream */
	struct conf_pos pos;
};

enum {
	HASH_NAME_MAX = 64
};

/* Statuses from low to high, both included. */
struct status_range {
	uint16_t low, high;
};

enum {
	CHECK_PATH_MAX = 512,
	CHECK_HOST_MAX = 256,
	CHECK_BODY_MAX = 256 /* of the text that must occur */
};

/* How the peers of an upstream are checked. */
struct check_settings {
	bool on;          /* there is a check {} */
	const char *path; /* of a GET; NULL: a connection is enough */
	const char *host; /* of the Host field; NULL: the peer's address */
	const char
	    *body; /* must occur in the beginning of the answer's body; NULL: anything does */
	struct status_range *status; /* that are well */
	uint32_t status_count;
	uint64_t interval_us, timeout_us;
	uint32_t fall, rise; /* checks in a row that bring a peer down, and up again */
	uint32_t port;       /* instead of the peer's; 0 = that */
};

/* A pool of peers. */
struct upstream {
	const char *name;
	enum balance balance;
	enum hash_of hash_of;
	const char *hash_name; /* of the field or cookie, as written, at most HASH_NAME_MAX bytes;
				  else NULL */
	uint32_t first_peer;   /* in settings.peers */
	uint32_t peers_count;
	uint64_t connect_us, response_us, between_us; /* deadlines; 0 = none */
	uint32_t retries;                             /* on other peers, for one request */
	uint32_t retry_percent;      /* retries at most, of a hundred requests of late */
	uint32_t retry_min;          /* retries a second allowed anyway, over all workers */
	uint32_t keepalive_conns;    /* idle connections kept for each peer and worker; 0 = none */
	uint32_t keepalive_requests; /* 0 = no limit */
	uint64_t keepalive_idle_us;
	uint64_t keepalive_max_age_us; /* 0 = no limit */
	uint32_t max_head;             /* bytes of a response's head */
	struct check_settings check;
	uint64_t eject_max_us;    /* the longest that a peer is left alone for */
	uint32_t error_rate;      /* percent of requests that have it left alone, too; 0 = off */
	uint64_t error_window_us; /* over so long */
	uint32_t error_requests;  /* and of so many requests at least */
	uint64_t slow_start_us;   /* for a peer that came back to its whole weight; 0 = at once */
	bool fastcgi;             /* its peers speak FastCGI */
	uint32_t
	    queue_size; /* requests of a worker that may wait while all peers are full; 0 = none */
	uint64_t queue_wait_us;     /* for so long; 0 = as long as the request has time */
	const char *sticky_cookie;  /* name of the cookie that leads to the same peer; NULL: none */
	uint64_t sticky_max_age_us; /* 0 = until the client ends its session */
	const char *sticky_path;
	const char *sticky_key; /* NULL: made of the upstream's name */
	bool sticky_secure, sticky_http_only;
	enum same_site sticky_same_site;
	uint32_t row; /* of the board */
	struct conf_pos pos;
};

struct settings {
	void *memory;             /* owns all that follows */
	const char *file;         /* configuration file, or NULL for the embedded default */
	uint32_t workers;         /* as configured; auto is resolved */
	const char *user, *group; /* NULL: stay */
	uid_t uid;
	gid_t gid;
	bool standby;   /* each worker has one */
	bool rebalance; /* the master spreads idle connections over the workers unasked */
	uint32_t worker_connections;
	uint32_t worker_connections_wanted; /* as configured, if descriptors allow fewer; else 0 */
	uint32_t max_conns_per_address;     /* per worker; 0 = no limit */
	uint64_t drain_us, hang_us, orphan_us, lame_duck_us;
	const char *error_log;                       /* path or "stderr" */
	int log_level;                               /* enum errlog_level */
	const char *pid_file;                        /* NULL: RUN_DIR/drover.pid */
	struct conf_pos error_log_pos, pid_file_pos; /* line 0: they are the defaults */
	const char *mime_types;
	const char *default_type;
	const char *temp_dir;               /* of buffer_file */
	uint32_t file_cache;                /* entries of the open-file cache of a worker */
	struct deadline_settings deadlines; /* before a server is known: those of the listener's
					       default server are used instead if it has its own */
	struct listener *listeners;
	uint32_t listeners_count;
	struct server *servers;
	uint32_t servers_count;
	struct upstream *upstreams;
	uint32_t upstreams_count;
	struct peer *peers; /* of all upstreams, one upstream's side by side */
	uint32_t peers_count;
	uint32_t upstream_connections; /* of a worker to all peers; 0: worker_connections */
	struct resolve_settings resolve;
	struct cidr *trusted; /* whose X-Request-Id is kept */
	uint32_t trusted_count;
	struct log_setting *logs;
	uint32_t logs_count;
	struct route *route; /* built from the above by settings' maker: route_build() */
	struct mime *mime;
};

#endif
