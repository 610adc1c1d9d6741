/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dns.h with c-ares, as of 1.18 (Debian 12). What had to be known of it:
 * - ares_getaddrinfo() has a TTL for each address and, apart from it, for each alias; both are 0
 * for what stands in the hosts file, as for a true TTL of 0. Hence two channels: one that knows
 * files alone, which answers at once, and one that knows servers alone. That also leaves the order
 * in nsswitch.conf out, of which c-ares understands a part.
 * - A channel reads resolv.conf once, and its servers must not be changed while it has questions
 *   (issues 41, 440): a new channel is made when the file has changed and nothing is asked.
 * - A channel must not be destroyed within a callback (issue 347), and ares_destroy() may report a
 *   question of which one half was answered as answered (issue 662).
 * - An answer of SERVFAIL, REFUSED or NOTIMP sends it to the next server; when there is none left
 * the error is "Could not contact DNS servers".
 */
#include "worker/dns.h"

#include <ares.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>

#include "worker/settings.h"

enum {
	TRIES = 2, /* of each server; the second has twice the time */
	CSV_BYTES = 1024
};

struct dns {
	const struct resolve_settings *settings;
	ares_channel files, servers;
	dns_watch *watch;
	void *arg;
	unsigned asked; /* of servers, and not answered */
	bool closing;
	struct stat resolv_conf; /* as it was when the channel was made */
};

bool dns_is_live(void)
{
	return true;
}

const char *dns_version(void)
{
	static char text[32];

	strlcpy(text, "c-ares ", sizeof text);
	strlcat(text, ares_version(NULL), sizeof text);
	return text;
}

static void socket_state(void *arg, ares_socket_t fd, int in, int out)
{
	struct dns *d = arg;

	d->watch(d->arg, fd, in != 0, out != 0);
}

static void look_at_resolv_conf(struct stat *st)
{
	if (stat("/etc/resolv.conf", st) != 0)
		memset(st, 0, sizeof *st);
}

static bool resolv_conf_changed(const struct dns *d)
{
	struct stat now;

	if (d->settings->servers != NULL)
		return false;
	look_at_resolv_conf(&now);
	return now.st_ino != d->resolv_conf.st_ino ||
	       now.st_mtim.tv_sec != d->resolv_conf.st_mtim.tv_sec ||
	       now.st_mtim.tv_nsec != d->resolv_conf.st_mtim.tv_nsec;
}

static int name_servers(ares_channel channel, const char **servers)
{
	char csv[CSV_BYTES] = "";

	for (size_t i = 0; servers != NULL && servers[i] != NULL; i++) {
		if (i > 0)
			strlcat(csv, ",", sizeof csv);
		strlcat(csv, servers[i], sizeof csv);
	}
	return csv[0] == '\0' ? ARES_SUCCESS : ares_set_servers_ports_csv(channel, csv);
}

static int open_channel(struct dns *d, ares_channel *out, const char *lookups)
{
	char which[4];
	struct ares_options o = {
	    .timeout = (int)(d->settings->timeout_us / 1000),
	    .tries = TRIES,
	    .lookups = which,
	    .sock_state_cb = socket_state,
	    .sock_state_cb_data = d,
	};
	int mask = ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_LOOKUPS | ARES_OPT_SOCK_STATE_CB;
	int status;

	strlcpy(which, lookups, sizeof which);
	if (o.timeout < 1)
		o.timeout = 1;
	status = ares_init_options(out, &o, mask);
	if (status != ARES_SUCCESS)
		*out = NULL;
	return status;
}

static int open_servers(struct dns *d)
{
	int status;

	look_at_resolv_conf(&d->resolv_conf);
	status = open_channel(d, &d->servers, "b");
	return status == ARES_SUCCESS ? name_servers(d->servers, d->settings->servers) : status;
}

struct dns *dns_open(const struct resolve_settings *r, dns_watch *watch, void *arg,
		     const char **why)
{
	struct dns *d = calloc(1, sizeof *d);
	int status;

	*why = "no memory";
	if (d == NULL)
		return NULL;
	d->settings = r;
	d->watch = watch;
	d->arg = arg;
	status = ares_library_init(ARES_LIB_INIT_ALL);
	if (status == ARES_SUCCESS)
		status = open_channel(d, &d->files, "f");
	if (status == ARES_SUCCESS)
		status = open_servers(d);
	if (status == ARES_SUCCESS)
		return d;
	*why = ares_strerror(status);
	dns_close(d);
	return NULL;
}

void dns_close(struct dns *d)
{
	if (d == NULL)
		return;
	d->closing = true;
	if (d->files != NULL)
		ares_destroy(d->files);
	if (d->servers != NULL)
		ares_destroy(d->servers);
	free(d);
	ares_library_cleanup();
}

/* Answers. */

static bool take_address(struct dns_addr *out, const struct ares_addrinfo_node *n)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

	if (n->ai_family == AF_INET && n->ai_addrlen >= sizeof(struct sockaddr_in)) {
		struct sockaddr_in in;

		memcpy(&in, n->ai_addr, sizeof in);
		out->family = 4;
		memcpy(out->bytes, mapped, sizeof mapped);
		memcpy(out->bytes + sizeof mapped, &in.sin_addr, 4);
		return true;
	}
	if (n->ai_family == AF_INET6 && n->ai_addrlen >= sizeof(struct sockaddr_in6)) {
		struct sockaddr_in6 in6;

		memcpy(&in6, n->ai_addr, sizeof in6);
		out->family = 6;
		memcpy(out->bytes, &in6.sin6_addr, sizeof out->bytes);
		return true;
	}
	return false;
}

/* A TTL with the top bit set is none (RFC 2181 8). */
static void shorten(struct dns_answer *a, int ttl)
{
	uint32_t ttl_s = ttl < 0 ? 0 : (uint32_t)ttl;

	if (ttl_s < a->ttl_s)
		a->ttl_s = ttl_s;
}

static void take(struct dns_answer *a, const struct ares_addrinfo *all)
{
	a->ttl_s = UINT32_MAX;
	for (const struct ares_addrinfo_cname *c = all->cnames; c != NULL; c = c->next)
		shorten(a, c->ttl);
	for (const struct ares_addrinfo_node *n = all->nodes; n != NULL; n = n->ai_next) {
		shorten(a, n->ai_ttl);
		if (a->count < DNS_ADDRS && take_address(&a->addrs[a->count], n))
			a->count++;
	}
}

static void answered(const struct dns_question *q, int status, struct ares_addrinfo *all,
		     bool lasting)
{
	struct dns_answer a = {.lasting = lasting};

	if (status == ARES_SUCCESS && all != NULL)
		take(&a, all);
	if (status == ARES_EDESTRUCTION || status == ARES_ECANCELLED)
		a.error = "no answer in time";
	else if (status != ARES_SUCCESS)
		a.error = ares_strerror(status);
	else if (a.count == 0)
		a.error = "no address that can be used";
	if (all != NULL)
		ares_freeaddrinfo(all);
	q->done(q->arg, &a);
}

static void from_servers(void *arg, int status, int timeouts, struct ares_addrinfo *all)
{
	const struct dns_question *q = arg;

	(void)timeouts;
	q->dns->asked--;
	answered(q, q->dns->closing ? ARES_EDESTRUCTION : status, all, false);
}

/* What the hosts file does not have is asked for by dns_ask(): this one only answers for it. */
struct from_files {
	struct dns_question *q;
	bool found;
};

static void from_files(void *arg, int status, int timeouts, struct ares_addrinfo *all)
{
	struct from_files *f = arg;

	(void)timeouts;
	f->found = status == ARES_SUCCESS && all != NULL && all->nodes != NULL;
	if (f->found)
		answered(f->q, status, all, true);
	else if (all != NULL)
		ares_freeaddrinfo(all);
}

void dns_ask(struct dns *d, struct dns_question *q, const char *name, dns_done *done, void *arg)
{
	/* CARES_HOSTS names another hosts file: c-ares' own way of saying so. */
	const struct ares_addrinfo_hints hints = {
	    .ai_flags = ARES_AI_ENVHOSTS, .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
	struct from_files files = {.q = q};

	*q = (struct dns_question){.dns = d, .done = done, .arg = arg};
	ares_getaddrinfo(d->files, name, NULL, &hints, from_files, &files);
	if (files.found)
		return;
	if (d->asked == 0 && (d->servers == NULL || resolv_conf_changed(d))) {
		if (d->servers != NULL)
			ares_destroy(d->servers);
		d->servers = NULL;
		int status = open_servers(d);

		if (status != ARES_SUCCESS) {
			answered(q, status, NULL, false);
			return;
		}
	}
	d->asked++;
	ares_getaddrinfo(d->servers, name, NULL, &hints, from_servers, q);
}

void dns_ready(struct dns *d, int fd, bool in, bool out)
{
	if (d->servers != NULL)
		ares_process_fd(d->servers, in ? fd : ARES_SOCKET_BAD, out ? fd : ARES_SOCKET_BAD);
}

int dns_wait_ms(struct dns *d)
{
	struct timeval left;

	if (d->asked == 0 || ares_timeout(d->servers, NULL, &left) == NULL)
		return -1;
	return (int)(left.tv_sec * 1000 + left.tv_usec / 1000 + 1);
}
