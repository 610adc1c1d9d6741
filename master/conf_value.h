/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Values of the configuration, from text, strictly: the whole text is the value or it is refused,
 * with a sentence that says why and what to write instead. Each function returns 0, or -1 with
 * why[] filled. Pure, but for memory from the pool.
 */
#ifndef DROVER_MASTER_CONF_VALUE_H
#define DROVER_MASTER_CONF_VALUE_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "master/conf_schema.h"

struct cidr;
struct listener;
struct peer;
struct pool;

enum {
	CONF_WHY_BYTES = 256
};

/* Writes the reason and returns -1. */
int conf_value_refuse(char why[CONF_WHY_BYTES], const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* A number without sign, unit or leading zero, from min to max. */
int conf_value_count(const char *text, uint64_t min, uint64_t max, uint64_t *out,
		     char why[CONF_WHY_BYTES]);
/* "500ms", "10s", "5m", "1h", "2d" or "0", in microseconds. */
int conf_value_duration(const char *text, uint64_t max, uint64_t *out, char why[CONF_WHY_BYTES]);
/* Bytes, or "4k", "1m", "1g" (powers of 1024). */
int conf_value_size(const char *text, uint64_t min, uint64_t max, uint64_t *out,
		    char why[CONF_WHY_BYTES]);
/* true, yes, on; false, no, off. */
int conf_value_bool(const char *text, bool *out, char why[CONF_WHY_BYTES]);
/* Index of the word. */
int conf_value_choice(const char *text, const char *const *words, int *out,
		      char why[CONF_WHY_BYTES]);
/* Can the text be the value of a header field? */
int conf_value_field(const char *text, char why[CONF_WHY_BYTES]);
/* Is the text a token, such as the name of a header field (RFC 9110 5.6.2)? */
bool conf_value_is_token(const char *text);
int conf_value_media(const char *text, char why[CONF_WHY_BYTES]);
/* Absolute, relative ones beginning at dir; without slashes at its end. */
int conf_value_path(const char *text, const char *dir, struct pool *pool, const char **out,
		    char why[CONF_WHY_BYTES]);
/* Fills addr and addr_len. */
int conf_value_address(const char *text, struct listener *out, char why[CONF_WHY_BYTES]);
/*
 * The address of a peer: fills addr and addr_len, or, if it has a name that must be looked up,
 * *host and *port (in network order).
 */
int conf_value_peer(const char *text, struct pool *pool, struct peer *out, const char **host,
		    in_port_t *port, char why[CONF_WHY_BYTES]);
/* Is it one that needs no looking up? */
bool conf_value_peer_numeric(const char *text);
/* Fills addr and bits. */
int conf_value_cidr(const char *text, struct cidr *out, char why[CONF_WHY_BYTES]);
/* A host name or "*.example.org", in lower case. */
int conf_value_host(const char *text, struct pool *pool, const char **out,
		    char why[CONF_WHY_BYTES]);
/* "example.org", "example.org:8080", "192.0.2.1" or "[::1]:80", as in Host. */
int conf_value_authority(const char *text, struct pool *pool, char why[CONF_WHY_BYTES]);
/* Where a redirect leads: a path or an http or https URL. */
int conf_value_target(const char *text, char why[CONF_WHY_BYTES]);

/* Any option that has a field of its own (not OWN, LIST, SECTION, INCLUDE), into base + offset. */
int conf_value_set(const struct conf_option *o, const char *text, const char *dir,
		   struct pool *pool, void *base, char why[CONF_WHY_BYTES]);

#endif
