/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where a request came in: see proxy_parts.h. Asked of the socket, since a listener may be bound to
 * all addresses; only for locations whose peers are told.
 */
#include "worker/http/proxy_parts.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

const char *proxy_by(const struct http *h, uint32_t i, char by[PROXY_BY])
{
	union peer_addr a;
	socklen_t len = sizeof a;
	char text[INET6_ADDRSTRLEN];

	if (getsockname(conn_at(h->cs, i)->fd, &a.sa, &len) != 0)
		return NULL;
	if (a.sa.sa_family == AF_INET) {
		if (inet_ntop(AF_INET, &a.in.sin_addr, text, sizeof text) == NULL)
			return NULL;
		snprintf(by, PROXY_BY, "%s:%u", text, ntohs(a.in.sin_port));
		return by;
	}
	if (a.sa.sa_family == AF_INET6) {
		if (inet_ntop(AF_INET6, &a.in6.sin6_addr, text, sizeof text) == NULL)
			return NULL;
		snprintf(by, PROXY_BY, "[%s]:%u", text, ntohs(a.in6.sin6_port));
		return by;
	}
	return NULL;
}
