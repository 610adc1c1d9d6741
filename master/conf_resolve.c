/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * getaddrinfo(), kept short: the resolver's own retries are cut down, and once the time of a load
 * is used up, the names that are left are not tried. Called by conf_upstream.c.
 */
#include "master/conf_resolve.h"

#include <errno.h>
#include <netdb.h>
#include <resolv.h>
#include <string.h>
#include <sys/socket.h>

#include "shm/times.h"
#include "worker/settings.h"

static void set_port(union peer_addr *addr, in_port_t port)
{
	if (addr->sa.sa_family == AF_INET)
		addr->in.sin_port = port;
	else
		addr->in6.sin6_port = port;
}

/* The first address, in the order of RFC 6724, and the first of the other family. */
static void take(const struct addrinfo *all, in_port_t port, struct peer *out)
{
	for (const struct addrinfo *a = all; a != NULL; a = a->ai_next) {
		if ((a->ai_family != AF_INET && a->ai_family != AF_INET6) ||
		    a->ai_addrlen > sizeof(out->addr))
			continue;
		if (out->addr_len == 0) {
			memcpy(&out->addr, a->ai_addr, a->ai_addrlen);
			out->addr_len = a->ai_addrlen;
			set_port(&out->addr, port);
		} else if (out->other_len == 0 && a->ai_family != out->addr.sa.sa_family) {
			memcpy(&out->other, a->ai_addr, a->ai_addrlen);
			out->other_len = a->ai_addrlen;
			set_port(&out->other, port);
		}
	}
}

/* A name server that does not answer is asked twice, a second each, instead of for half a minute.
 */
static void be_brief(void)
{
	if (res_ninit(&_res) == 0) {
		_res.retrans = 1;
		_res.retry = 2;
	}
}

const char *conf_resolve(struct conf_resolve *r, const char *host, in_port_t port, struct peer *out)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
	struct addrinfo *all = NULL;
	uint64_t began = times_mono_us();
	int rc;

	if (r->spent_us >= CONF_RESOLVE_MS * UINT64_C(1000))
		return "not tried, the names before it took too long";
	if (r->spent_us == 0)
		be_brief();
	rc = getaddrinfo(host, NULL, &hints, &all);
	r->spent_us += times_mono_us() - began + 1;
	if (rc == EAI_SYSTEM)
		return strerror(errno);
	if (rc != 0)
		return gai_strerror(rc);
	take(all, port, out);
	freeaddrinfo(all);
	return out->addr_len == 0 ? "no address that can be used" : NULL;
}
