/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See resolver.h: one record and one timer for each peer that has a name. The timer asks, the
 * answer sets the timer anew. c-ares has its own sockets and one timer for its timeouts. Called by
 * prober.c.
 */
#include "worker/resolver.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "worker/address.h"
#include "worker/dns.h"
#include "worker/errlog.h"
#include "worker/names.h"
#include "worker/prober.h"

enum {
	SECOND_US = 1000000,
	SPREAD_US = 10000 /* for each name, at the start */
};

struct name {
	struct resolver *r;
	const struct peer *peer;
	struct dns_question question;
	struct names_pair pair; /* in use; family 0: none yet */
	uint32_t timer;
	unsigned failures; /* in a row */
	bool asked;
};

struct watch {
	struct prober_watch prober;
	struct resolver *r;
	bool in, out;
};

struct resolver {
	struct prober *prober;
	const struct settings *settings;
	struct dns *dns;
	struct name *names;
	uint32_t count;
	uint32_t timer; /* of c-ares' timeouts */
	struct watch sockets[DNS_SOCKETS];
};

bool resolver_wanted(const struct settings *s)
{
	for (uint32_t i = 0; dns_is_live() && i < s->peers_count; i++)
		if (s->peers[i].host != NULL)
			return true;
	return false;
}

static struct peer_address_row *row_of(const struct name *n)
{
	return board_peer_address(n->r->prober->board, n->peer->row);
}

static const char *pool_of(const struct name *n)
{
	return n->r->settings->upstreams[n->peer->upstream].name;
}

/* c-ares. */

static void arm_timeouts(struct resolver *r)
{
	int ms = dns_wait_ms(r->dns);

	if (ms < 0)
		prober_cancel(r->prober, r->timer);
	else
		prober_arm(r->prober, r->timer, r->prober->now_us + (uint64_t)ms * 1000);
}

static void timed_out(void *arg)
{
	struct resolver *r = arg;

	dns_ready(r->dns, -1, false, false);
	arm_timeouts(r);
}

static void ready(void *arg, uint32_t events)
{
	struct watch *w = arg;
	bool broken = (events & (EPOLLERR | EPOLLHUP)) != 0;

	dns_ready(w->r->dns, w->prober.fd, broken || (events & EPOLLIN) != 0,
		  (events & EPOLLOUT) != 0);
	arm_timeouts(w->r);
}

static struct watch *watch_of(struct resolver *r, int fd)
{
	for (size_t i = 0; i < DNS_SOCKETS; i++)
		if (r->sockets[i].prober.fd == fd)
			return &r->sockets[i];
	return NULL;
}

/* One that cannot be watched times out. */
static void socket_state(void *arg, int fd, bool in, bool out)
{
	struct resolver *r = arg;
	struct watch *w = watch_of(r, fd);
	uint32_t events = (in ? EPOLLIN : 0u) | (out ? EPOLLOUT : 0u);

	if (events == 0) {
		if (w != NULL)
			prober_unwatch(r->prober, &w->prober);
		return;
	}
	if (w != NULL) {
		(void)prober_rewatch(r->prober, &w->prober, events);
		return;
	}
	w = watch_of(r, -1);
	if (w != NULL && prober_watch(r->prober, &w->prober, fd, events) != 0)
		w->prober.fd = -1;
}

/* Answers. */

/* The row is this peer's as long as it has its name: it may have been given to another one while
 * this process had not heard yet that its time is over. */
static bool row_is_its(const struct name *n)
{
	const struct peer_row *row = board_peer(n->r->prober->board, n->peer->row);

	return strncmp(row->address, n->peer->address, sizeof row->address - 1) == 0;
}

static void wait_for(struct name *n, uint64_t us)
{
	struct peer_address_row *row = row_of(n);
	uint64_t at_us = n->r->prober->now_us + names_jitter_us(us, arc4random());

	prober_arm(n->r->prober, n->timer, at_us);
	board_set(&row->next_us, at_us);
}

static void failed(struct name *n, const char *why)
{
	struct peer_address_row *row = row_of(n);
	char text[sizeof row->text];

	board_add(&board_peer(n->r->prober->board, n->peer->row)->lookup_failures, 1);
	names_text(&n->pair.addr, n->peer->port, text, sizeof text);
	/* Of one that has no address the master has said it, when it loaded the configuration. */
	if (n->failures++ == 0 && row->failing_us == 0 && n->pair.addr.family != 0)
		errlog(ERRLOG_WARN,
		       "'%s' of upstream \"%s\" cannot be resolved (%s): going on with %s",
		       n->peer->address, pool_of(n), why, text);
	board_write_begin(&row->seq);
	if (row->failing_us == 0)
		row->failing_us = n->r->prober->now_us;
	strlcpy(row->error, why, sizeof row->error);
	board_write_end(&row->seq);
	wait_for(n, names_retry_us(&n->r->settings->resolve, n->failures));
}

static void say_change(const struct name *n, const struct names_pair *before)
{
	char was[64], is[64];

	names_text(&before->addr, n->peer->port, was, sizeof was);
	names_text(&n->pair.addr, n->peer->port, is, sizeof is);
	if (before->addr.family == 0)
		errlog(ERRLOG_NOTICE, "'%s' of upstream \"%s\" is %s", n->peer->address, pool_of(n),
		       is);
	else
		errlog(ERRLOG_NOTICE, "'%s' of upstream \"%s\" is %s now, and was %s",
		       n->peer->address, pool_of(n), is, was);
}

static void resolved(struct name *n, const struct dns_answer *a)
{
	struct peer_row *row = board_peer(n->r->prober->board, n->peer->row);
	struct names_pair before = n->pair;
	struct address_news news = {.now_us = n->r->prober->now_us};

	news.changed = names_choose(a, &n->pair);
	news.pair = n->pair;
	news.good_us = names_good_us(&n->r->settings->resolve, a);
	if (news.changed) {
		say_change(n, &before);
		board_add(&row->address_changes, 1);
	} else if (row_of(n)->failing_us != 0) {
		errlog(ERRLOG_NOTICE, "'%s' of upstream \"%s\" can be resolved again",
		       n->peer->address, pool_of(n));
	}
	n->failures = 0;
	address_write(n->r->prober->board, n->peer, &news);
	wait_for(n, news.good_us);
}

static void answered(void *arg, const struct dns_answer *a)
{
	struct name *n = arg;

	n->asked = false;
	if (!row_is_its(n))
		return;
	if (a->error != NULL)
		failed(n, a->error);
	else
		resolved(n, a);
}

/* If it cannot be opened, it is tried again with the next question. */
static bool open_dns(struct resolver *r, const char **why)
{
	if (r->dns == NULL)
		r->dns = dns_open(&r->settings->resolve, socket_state, r, why);
	return r->dns != NULL;
}

static void ask(void *arg)
{
	struct name *n = arg;
	const char *why;

	if (n->asked || !row_is_its(n))
		return;
	board_add(&board_peer(n->r->prober->board, n->peer->row)->lookups, 1);
	if (!open_dns(n->r, &why)) {
		failed(n, why);
		return;
	}
	n->asked = true;
	dns_ask(n->r->dns, &n->question, n->peer->host, answered, n);
	arm_timeouts(n->r);
}

/* The start. */

static struct dns_addr addr_of(const union peer_addr *a, socklen_t len)
{
	struct dns_addr out = {.family = 0};

	if (len != 0 && a->sa.sa_family == AF_INET) {
		out.family = 4;
		out.bytes[10] = out.bytes[11] = 0xff;
		memcpy(out.bytes + 12, &a->in.sin_addr, 4);
	} else if (len != 0) {
		out.family = 6;
		memcpy(out.bytes, &a->in6.sin6_addr, sizeof out.bytes);
	}
	return out;
}

/* What the loading of the configuration found, for all to see. */
static void publish_loaded(struct name *n)
{
	struct address_news news = {.changed = true};

	if (n->peer->addr_len != 0)
		news.now_us = n->r->prober->now_us;
	n->pair.addr = addr_of(&n->peer->addr, n->peer->addr_len);
	n->pair.other = addr_of(&n->peer->other, n->peer->other_len);
	news.pair = n->pair;
	/* A row that its writer died over is whole again by this, too. */
	address_write(n->r->prober->board, n->peer, &news);
}

/* Goes on where the prober of before was, or begins with what the settings know. */
static uint64_t first_wait_us(struct name *n)
{
	const struct peer_address_row *row = row_of(n);
	uint64_t now = n->r->prober->now_us, most = n->r->settings->resolve.max_us, at;

	if (!address_read(n->r->prober->board, n->peer->row, &n->pair)) {
		n->pair = (struct names_pair){.addr.family = 0};
		if (n->peer->addr_len != 0 || row->seq % 2 != 0)
			publish_loaded(n);
		return 0;
	}
	at = row->failing_us != 0 ? now : row->next_us;
	if (at > now + most)
		at = now + most;
	return at > now ? at - now : 0;
}

static int start_name(struct resolver *r, struct name *n, const struct peer *peer)
{
	uint64_t spread = (uint64_t)r->count * SPREAD_US;

	*n = (struct name){.r = r, .peer = peer};
	n->timer = prober_timer(r->prober, ask, n);
	if (n->timer == PROBER_TIMER_NONE)
		return -1;
	prober_arm(r->prober, n->timer,
		   r->prober->now_us + first_wait_us(n) +
		       arc4random_uniform(spread < SECOND_US ? (uint32_t)spread + 1 : SECOND_US));
	return 0;
}

static int start_names(struct resolver *r)
{
	const struct settings *s = r->settings;

	for (uint32_t i = 0; i < s->peers_count; i++)
		r->count += s->peers[i].host != NULL;
	r->names = calloc(r->count, sizeof *r->names);
	if (r->names == NULL)
		return -1;
	r->count = 0;
	for (uint32_t i = 0; i < s->peers_count; i++)
		if (s->peers[i].host != NULL &&
		    start_name(r, &r->names[r->count++], &s->peers[i]) != 0)
			return -1;
	return 0;
}

int resolver_start(struct prober *p)
{
	static struct resolver r;

	r = (struct resolver){.prober = p, .settings = p->settings};
	for (size_t i = 0; i < DNS_SOCKETS; i++)
		r.sockets[i] = (struct watch){
		    .r = &r,
		    .prober = {.ready = ready, .arg = &r.sockets[i], .fd = -1},
		};
	r.timer = prober_timer(p, timed_out, &r);
	if (r.timer == PROBER_TIMER_NONE)
		return -1;
	return start_names(&r);
}
