/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which server and which location answer: hash look-ups whose cost does not grow with the number of
 * servers or locations. Built once for a configuration, read-only afterwards. RFC 9110 7.2: the
 * host decides, by exact name, then the longest wildcard, then the listener's default server.
 */
#ifndef DROVER_WORKER_HTTP_ROUTE_H
#define DROVER_WORKER_HTTP_ROUTE_H

#include <stddef.h>
#include <stdint.h>

#include "worker/settings.h"

/* Builds the tables over s->servers, their names, listeners and locations. NULL if memory is out.
 * Names were checked to be unique on a listener. */
struct route *route_build(const struct settings *s);
void route_free(struct route *r);

/* Index of the server for a host (without port, any case, len 0 = none; a trailing dot is ignored)
 * that came in by a listener. */
uint32_t route_server(const struct route *r, uint32_t listener, const char *host, size_t len);

/* The location for a normalised path: exact, else longest prefix, else server->locations[0]. Never
 * NULL. */
const struct location *route_location(const struct route *r, uint32_t server, const char *path,
				      size_t len);

/* May this address (IPv4 mapped into IPv6; all zero = unix socket: always admitted) use the
 * location? */
bool route_admits(const struct location *loc, const struct in6_addr *peer);

/* Is the address in one of the networks? */
bool route_in_networks(const struct cidr *networks, uint32_t count, const struct in6_addr *peer);

#endif
