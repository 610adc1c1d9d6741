/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See names.h. Called by resolver.c, by the master when it loads a configuration, and by address.c.
 */
#include "worker/names.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

enum {
	SECOND_US = 1000000,
	RETRY_MAX_US = 60 * SECOND_US,
	DOUBLINGS = 6
};

static bool same(const struct dns_addr *a, const struct dns_addr *b)
{
	return a->family == b->family && memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

static bool has(const struct dns_answer *a, const struct dns_addr *addr)
{
	for (unsigned i = 0; i < a->count; i++)
		if (same(&a->addrs[i], addr))
			return true;
	return false;
}

/* The first that is not of this family. */
static struct dns_addr first_but(const struct dns_answer *a, uint8_t family)
{
	for (unsigned i = 0; i < a->count; i++)
		if (a->addrs[i].family != family)
			return a->addrs[i];
	return (struct dns_addr){.family = 0};
}

bool names_choose(const struct dns_answer *a, struct names_pair *pair)
{
	bool stays = pair->addr.family != 0 && has(a, &pair->addr);

	if (!stays)
		pair->addr = a->addrs[0];
	if (pair->other.family == pair->addr.family || pair->other.family == 0 ||
	    !has(a, &pair->other))
		pair->other = first_but(a, pair->addr.family);
	return !stays;
}

uint64_t names_good_us(const struct resolve_settings *r, const struct dns_answer *a)
{
	uint64_t us = (uint64_t)a->ttl_s * SECOND_US;

	if (a->lasting || us > r->max_us)
		return r->max_us;
	return us < r->min_us ? r->min_us : us;
}

uint64_t names_retry_us(const struct resolve_settings *r, unsigned failures)
{
	uint64_t us = (uint64_t)SECOND_US << (failures > DOUBLINGS ? DOUBLINGS
					      : failures > 0       ? failures - 1
								   : 0);
	uint64_t most = r->max_us < RETRY_MAX_US ? r->max_us : RETRY_MAX_US;

	return us < most ? us : most;
}

uint64_t names_jitter_us(uint64_t us, uint32_t random)
{
	return us + (uint64_t)((double)us / 10 * random / UINT32_MAX);
}

socklen_t names_socket(const struct dns_addr *a, in_port_t port, union peer_addr *out)
{
	if (a->family == 4) {
		out->in = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = port};
		memcpy(&out->in.sin_addr, a->bytes + 12, 4);
		return sizeof out->in;
	}
	if (a->family == 6) {
		out->in6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = port};
		memcpy(&out->in6.sin6_addr, a->bytes, 16);
		return sizeof out->in6;
	}
	return 0;
}

/* FNV-1a */
static uint32_t mix(uint32_t h, const void *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		h = (h ^ ((const uint8_t *)bytes)[i]) * 16777619u;
	return h;
}

uint32_t names_mark(const struct dns_addr *a, in_port_t port)
{
	uint32_t h = mix(mix(2166136261u, a->bytes, sizeof a->bytes), &port, sizeof port);

	return a->family == 0 ? 0 : h != 0 ? h : 1;
}

void names_text(const struct dns_addr *a, in_port_t port, char *out, size_t size)
{
	char text[INET6_ADDRSTRLEN] = "";

	if (a->family == 4)
		inet_ntop(AF_INET, a->bytes + 12, text, sizeof text);
	else if (a->family == 6)
		inet_ntop(AF_INET6, a->bytes, text, sizeof text);
	if (a->family == 0)
		snprintf(out, size, "%s", "");
	else
		snprintf(out, size, a->family == 6 ? "[%s]:%u" : "%s:%u", text, ntohs(port));
}
