/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Endpoints of TCP connections as text and as numbers, with and without libmnl.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shm/ctl_sockdiag.h"

static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

static bool is_v4(const uint8_t addr[16])
{
	return memcmp(addr, mapped, sizeof(mapped)) == 0;
}

static bool parse_port(const char *text, uint16_t *out)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (text[0] < '0' || text[0] > '9' || *end != '\0' || n == 0 || n > UINT16_MAX)
		return false;
	*out = (uint16_t)n;
	return true;
}

bool sockdiag_parse(const char *text, struct sockdiag_endpoint *out)
{
	const char *colon = strrchr(text, ':');
	static const uint8_t zero[16];
	char host[64];
	size_t n;

	memset(out, 0, sizeof(*out));
	if (colon == NULL || !parse_port(colon + 1, &out->port))
		return false;
	n = (size_t)(colon - text);
	if (n >= 2 && text[0] == '[' && text[n - 1] == ']') {
		text++;
		n -= 2;
	}
	if (n == 0 || n >= sizeof(host))
		return false;
	memcpy(host, text, n);
	host[n] = '\0';
	host[strcspn(host, "%")] = '\0'; /* a scope is no part of the address */
	if (inet_pton(AF_INET, host, out->addr + 12) == 1) {
		out->v4 = true;
		out->any = memcmp(out->addr, zero, sizeof(zero)) == 0;
		memcpy(out->addr, mapped, sizeof(mapped));
		return true;
	}
	if (inet_pton(AF_INET6, host, out->addr) != 1)
		return false;
	out->any = memcmp(out->addr, zero, sizeof(zero)) == 0;
	return true;
}

char *sockdiag_text(const uint8_t addr[16], uint16_t port, char *out, size_t size)
{
	char host[INET6_ADDRSTRLEN] = "?";

	if (is_v4(addr)) {
		inet_ntop(AF_INET, addr + 12, host, sizeof(host));
		snprintf(out, size, "%s:%u", host, port);
	} else {
		inet_ntop(AF_INET6, addr, host, sizeof(host));
		snprintf(out, size, "[%s]:%u", host, port);
	}
	return out;
}

/* A listener on [::] may take IPv4 as well; one on 0.0.0.0 takes nothing else. */
static unsigned fit(const struct sockdiag_endpoint *e, const uint8_t addr[16], uint16_t port)
{
	if (e->port != port)
		return 0;
	if (memcmp(e->addr, addr, sizeof(e->addr)) == 0)
		return 3;
	if (!e->any)
		return 0;
	if (e->v4)
		return is_v4(addr) ? 2 : 0;
	return 1;
}

size_t sockdiag_find(const struct sockdiag_endpoint *all, size_t n, const uint8_t addr[16],
		     uint16_t port)
{
	unsigned best = 0;
	size_t at = n;

	for (size_t i = 0; i < n && best < 3; i++) {
		unsigned now = fit(&all[i], addr, port);

		if (now > best) {
			best = now;
			at = i;
		}
	}
	return at;
}
