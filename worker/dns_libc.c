/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dns.h without c-ares: getaddrinfo(), which blocks, kept short by cutting the resolver's own
 * retries down. For the loading of a configuration alone; name servers of the configuration are not
 * known to it.
 */
#include "worker/dns.h"

#include <errno.h>
#include <netdb.h>
#include <resolv.h>
#include <stdlib.h>
#include <string.h>

#include "worker/settings.h"

struct dns {
	char nothing;
};

bool dns_is_live(void)
{
	return false;
}

const char *dns_version(void)
{
	return "without c-ares";
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

struct dns *dns_open(const struct resolve_settings *r, dns_watch *watch, void *arg,
		     const char **why)
{
	struct dns *d = calloc(1, sizeof *d);

	(void)r, (void)watch, (void)arg;
	*why = "no memory";
	if (d != NULL)
		be_brief();
	return d;
}

void dns_close(struct dns *d)
{
	free(d);
}

static void take(struct dns_answer *a, const struct addrinfo *all)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

	for (const struct addrinfo *n = all; n != NULL && a->count < DNS_ADDRS; n = n->ai_next) {
		struct dns_addr *out = &a->addrs[a->count];

		if (n->ai_family == AF_INET) {
			struct sockaddr_in in;

			memcpy(&in, n->ai_addr, sizeof in);
			memcpy(out->bytes, mapped, sizeof mapped);
			memcpy(out->bytes + sizeof mapped, &in.sin_addr, 4);
			out->family = 4;
			a->count++;
		} else if (n->ai_family == AF_INET6) {
			struct sockaddr_in6 in6;

			memcpy(&in6, n->ai_addr, sizeof in6);
			memcpy(out->bytes, &in6.sin6_addr, sizeof out->bytes);
			out->family = 6;
			a->count++;
		}
	}
}

void dns_ask(struct dns *d, struct dns_question *q, const char *name, dns_done *done, void *arg)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
	struct dns_answer a = {.lasting = true};
	struct addrinfo *all = NULL;
	int status = getaddrinfo(name, NULL, &hints, &all);

	*q = (struct dns_question){.dns = d, .done = done, .arg = arg};
	if (status == 0)
		take(&a, all);
	if (status == EAI_SYSTEM)
		a.error = strerror(errno);
	else if (status != 0)
		a.error = gai_strerror(status);
	else if (a.count == 0)
		a.error = "no address that can be used";
	if (all != NULL)
		freeaddrinfo(all);
	done(arg, &a);
}

void dns_ready(struct dns *d, int fd, bool in, bool out)
{
	(void)d, (void)fd, (void)in, (void)out;
}

int dns_wait_ms(struct dns *d)
{
	(void)d;
	return -1;
}
