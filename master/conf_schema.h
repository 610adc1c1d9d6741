/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Every option of the configuration, once: its name, kind, limits, default, and where its value
 * goes. The reader, the checks of names, libconfuse's tables, -T and the test of the manual grow
 * from these rows.
 */
#ifndef DROVER_MASTER_CONF_SCHEMA_H
#define DROVER_MASTER_CONF_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum conf_kind {
	CONF_BOOL,     /* bool */
	CONF_COUNT,    /* uint32_t */
	CONF_STATUS,   /* int; true is CONF_STATUS_PAGE, false 0 */
	CONF_SIZE,     /* uint64_t, bytes */
	CONF_SIZE32,   /* uint32_t, bytes */
	CONF_DURATION, /* uint64_t, microseconds */
	CONF_CHOICE,   /* int, index of words */
	CONF_TEXT,     /* const char * */
	CONF_FIELD,    /* const char *, can be the value of a header field (RFC 9110 5.5) */
	CONF_MEDIA,    /* const char *, a media type */
	CONF_PATH,     /* const char *, made absolute unless it is one of words */
	CONF_OWN,      /* one value, read and printed by code of its own */
	CONF_LIST,     /* several values, read and printed by code of its own */
	CONF_SECTION,
	CONF_INCLUDE
};

enum {
	CONF_STATUS_PAGE = 1 /* no status of HTTP */
};

/* The struct that offset belongs to. A level inside begins as a copy of the one around it. */
enum conf_base {
	CONF_NOWHERE,
	CONF_IN_SETTINGS,
	CONF_IN_SERVER,
	CONF_IN_LOCATION,
	CONF_IN_EXTRA,
	CONF_IN_HEADER,
	CONF_IN_PAGE,
	CONF_IN_UPSTREAM,
	CONF_IN_PEER,
	CONF_BASES
};

/* What a section says that has no field of its own in the settings. */
struct conf_extra {
	const char *access_log; /* "off", "stdout", "stderr" or a path */
	int log_format;         /* enum log_format */
	const char *root;       /* of a server: for those of its locations that have no purpose */
	bool reuseport;
	uint32_t backlog;
	bool health;
	bool metrics;
	bool crash;
	const char *proxy; /* as written: of an upstream, or an address */
	const char *fastcgi;
};

struct conf_option {
	const char *name;
	enum conf_kind kind;
	enum conf_base base;
	size_t offset;
	uint64_t min, max;
	const char *fallback;             /* the default as one would write it; NULL: not set */
	const char *const *words;         /* CHOICE: all; PATH: names that are no paths */
	const struct conf_option *inside; /* SECTION */
	bool titled;                      /* SECTION "title" {: as often as one likes */
	bool may_be_empty;                /* LIST */
	bool files_only;                  /* of a location: only where files are served */
	bool proxy_only;                  /* of a location: only where requests are proxied */
	bool fastcgi_only;                /* of a location: only where they go to FastCGI */
	bool elsewhere;                   /* a second name: printed by the first */
};

/* The options of the whole file; those of sections hang below. Ends with a row without name. */
const struct conf_option *conf_schema(void);

const struct conf_option *conf_schema_find(const struct conf_option *table, const char *name);

struct location;

/* Has the option, of a location, any effect in this one? */
bool conf_schema_applies(const struct conf_option *o, const struct location *loc);

/* The nearest name in the table or among the words, NULL if none is near. */
const char *conf_schema_nearest(const struct conf_option *table, const char *name);
const char *conf_schema_nearest_word(const char *const *words, const char *name);

#endif
