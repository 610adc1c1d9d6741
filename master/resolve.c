/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See resolve.h. Called by boot.c, inherit.c and load.c.
 */
#include "master/resolve.h"

#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>

#include "master/conf_messages.h"
#include "shm/times.h"
#include "worker/address.h"
#include "worker/dns.h"
#include "worker/errlog.h"
#include "worker/settings.h"

enum {
	AT_A_TIME = 100 /* questions under way: more would flood small name servers */
};

struct resolve;

struct wanted {
	struct resolve *r;
	struct peer *peer;
	struct dns_question question;
};

struct resolve {
	struct settings *settings;
	const struct board *board; /* or NULL */
	void (*warn)(void *arg, const struct peer *p, const char *why);
	void *arg;
	struct dns *dns;
	struct wanted *names;
	uint32_t count, begun, done;
	struct pollfd polls[DNS_SOCKETS];
};

static void watch(void *arg, int fd, bool in, bool out)
{
	struct resolve *r = arg;
	struct pollfd *p = NULL;

	for (size_t i = 0; i < DNS_SOCKETS && (p == NULL || p->fd != fd); i++)
		if (r->polls[i].fd == fd || (p == NULL && r->polls[i].fd < 0))
			p = &r->polls[i];
	if (p == NULL)
		return; /* it times out */
	*p = (struct pollfd){.fd = in || out ? fd : -1,
			     .events = (short)((in ? POLLIN : 0) | (out ? POLLOUT : 0))};
}

static void answered(void *arg, const struct dns_answer *a)
{
	struct wanted *w = arg;
	struct names_pair pair = {.addr.family = 0};
	struct peer *p = w->peer;

	w->r->done++;
	if (a->error != NULL) {
		w->r->warn(w->r->arg, p, a->error);
		return;
	}
	names_choose(a, &pair);
	p->addr_len = names_socket(&pair.addr, p->port, &p->addr);
	p->other_len = names_socket(&pair.other, p->port, &p->other);
	if (w->r->board != NULL && !dns_is_live())
		address_write(w->r->board, p,
			      &(struct address_news){
				  .pair = pair, .now_us = times_mono_us(), .changed = true});
}

static void step(struct resolve *r, uint64_t left_us)
{
	int wait = dns_wait_ms(r->dns), left = (int)((left_us + 999) / 1000);
	bool any = false;

	if (poll(r->polls, DNS_SOCKETS, wait >= 0 && wait < left ? wait : left) > 0)
		for (size_t i = 0; i < DNS_SOCKETS; i++) {
			const struct pollfd p = r->polls[i];

			if (p.fd < 0 || p.revents == 0)
				continue;
			any = true;
			dns_ready(r->dns, p.fd, (p.revents & ~POLLOUT) != 0,
				  (p.revents & POLLOUT) != 0);
		}
	if (!any)
		dns_ready(r->dns, -1, false, false);
}

static void ask_all(struct resolve *r, unsigned limit_ms)
{
	uint64_t now = times_mono_us(), until = now + limit_ms * UINT64_C(1000);

	while (r->done < r->count && now < until) {
		while (r->begun < r->count && r->begun - r->done < AT_A_TIME && now < until) {
			struct wanted *w = &r->names[r->begun++];

			dns_ask(r->dns, &w->question, w->peer->host, answered, w);
			now = times_mono_us();
		}
		if (r->done < r->begun && now < until)
			step(r, until - now);
		now = times_mono_us();
	}
	dns_close(r->dns); /* answers for those that are left */
	for (; r->begun < r->count; r->begun++)
		r->warn(r->arg, r->names[r->begun].peer, "not tried, the others took too long");
}

static void list_names(struct resolve *r, const struct board *b)
{
	struct settings *s = r->settings;
	struct names_pair pair;

	r->names = calloc((size_t)s->peers_count + 1, sizeof(*r->names));
	for (uint32_t i = 0; r->names != NULL && i < s->peers_count; i++) {
		struct peer *p = &s->peers[i];

		if (p->host != NULL &&
		    (b == NULL || !dns_is_live() || !address_read(b, p->row, &pair)))
			r->names[r->count++] = (struct wanted){.r = r, .peer = p};
	}
}

void resolve_names(struct settings *s, const struct board *b, unsigned limit_ms,
		   void (*warn)(void *arg, const struct peer *p, const char *why), void *arg)
{
	struct resolve r = {.settings = s, .board = b, .warn = warn, .arg = arg};
	const char *why;

	for (size_t i = 0; i < DNS_SOCKETS; i++)
		r.polls[i].fd = -1;
	list_names(&r, b);
	if (r.count != 0) {
		r.dns = dns_open(&s->resolve, watch, &r, &why);
		if (r.dns != NULL)
			ask_all(&r, limit_ms);
		else
			for (uint32_t i = 0; i < r.count; i++)
				warn(arg, r.names[i].peer, why);
	}
	free(r.names);
}

/* Without c-ares: said once, of the first name. */
static const struct peer *never_again(const struct settings *s)
{
	for (uint32_t i = 0; !dns_is_live() && i < s->peers_count; i++)
		if (s->peers[i].host != NULL)
			return &s->peers[i];
	return NULL;
}

static const char never_again_text[] =
    "'%s' is looked up when the configuration is loaded and never again: drover was built "
    "without c-ares";

/* What comes of it. */
static const char *outlook(void)
{
	return dns_is_live() ? "this peer is not used until it can" : "this peer is not used";
}

__attribute__((format(printf, 3, 4))) static void
add_message(struct conf_messages *m, const struct peer *p, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	conf_messages_add(m, CONF_WARNING, p->pos.file, p->pos.line, 0, fmt, ap);
	va_end(ap);
}

static void say(void *arg, const struct peer *p, const char *why)
{
	add_message(arg, p, "'%s' cannot be resolved (%s): %s", p->address, why, outlook());
}

void resolve_said(struct settings *s, struct conf_messages *m)
{
	const struct peer *first = never_again(s);

	if (first != NULL)
		add_message(m, first, never_again_text, first->address);
	resolve_names(s, NULL, RESOLVE_START_MS, say, m);
}

static void log_it(void *arg, const struct peer *p, const char *why)
{
	(void)arg;
	errlog(ERRLOG_WARN, "%s:%d: '%s' cannot be resolved (%s): %s", p->pos.file, p->pos.line,
	       p->address, why, outlook());
}

void resolve_logged(struct settings *s, const struct board *b, unsigned limit_ms)
{
	const struct peer *first = never_again(s);

	if (first != NULL)
		errlog(ERRLOG_WARN, never_again_text, first->address);
	resolve_names(s, b, limit_ms, log_it, NULL);
}
