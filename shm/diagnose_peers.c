/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The check of what requests are proxied to: peers that are down, left alone or taken out, and
 * pools in which nobody is left.
 */
#include <string.h>

#include "shm/diagnose.h"

static bool is(const struct facts_member *m, const char *state)
{
	return strcmp(m->state, state) == 0;
}

static bool serves(const struct facts_member *m)
{
	return is(m, "up") || is(m, "warned");
}

/* The first of its upstream's, which stand side by side or not. */
static bool is_first(const struct facts *f, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (strcmp(f->members[k].upstream, f->members[i].upstream) == 0)
			return false;
	return true;
}

static bool any_serves(const struct facts *f, const char *upstream)
{
	for (size_t i = 0; i < f->members_count; i++)
		if (strcmp(f->members[i].upstream, upstream) == 0 && serves(&f->members[i]))
			return true;
	return false;
}

static void look_for_empty(const struct facts *f, struct diagnosis *d)
{
	struct diagnose_list l = {0};

	for (size_t i = 0; i < f->members_count; i++)
		if (is_first(f, i) && !any_serves(f, f->members[i].upstream))
			diagnose_list(&l, "%s", f->members[i].upstream);
	if (l.count == 0)
		return;
	diagnose_add(d, DIAGNOSE_CRITICAL);
	diagnose_seen(d, "Upstreams without a peer that takes requests: %s.",
		      diagnose_list_end(&l));
	diagnose_means(d, "Each request to them is answered with 503 at once.");
	diagnose_cure(d,
		      "droverctl upstreams says what keeps each peer from being used; mend that, "
		      "or bring one back with droverctl peer UPSTREAM PEER up.");
}

static void list_those(const struct facts *f, const char *state, struct diagnose_list *l)
{
	for (size_t i = 0; i < f->members_count; i++) {
		const struct facts_member *m = &f->members[i];
		bool why = strcmp(state, "down (check)") == 0 && m->reason[0] != '\0';

		if (is(m, state))
			diagnose_list(l, "%s/%s%s%s%s", m->upstream, m->address, why ? " (" : "",
				      why ? m->reason : "", why ? ")" : "");
	}
}

static void look_for(const struct facts *f, struct diagnosis *d, const char *state,
		     enum diagnose_severity severity, const char *seen, const char *means,
		     const char *cure)
{
	struct diagnose_list l = {0};

	list_those(f, state, &l);
	if (l.count == 0)
		return;
	diagnose_add(d, severity);
	diagnose_seen(d, "%s: %s.", seen, diagnose_list_end(&l));
	diagnose_means(d, "%s", means);
	diagnose_cure(d, "%s", cure);
}

static void look_for_stale(const struct facts *f, struct diagnosis *d)
{
	struct diagnose_list l = {0};

	for (size_t i = 0; i < f->members_count; i++)
		if (f->members[i].stale)
			diagnose_list(&l, "%s/%s", f->members[i].upstream, f->members[i].address);
	if (l.count == 0)
		return;
	diagnose_add(d, DIAGNOSE_WARNING);
	diagnose_seen(d, "Peers that are to be checked and are not any more: %s.",
		      diagnose_list_end(&l));
	diagnose_means(d, "The prober hangs, is stopped or cannot be started; such peers count as "
			  "up.");
	diagnose_cure(d, "droverctl stat master.prober_ has its process and heartbeat; the error "
			 "log says why it does not run.");
}

void diagnose_peers(const struct facts *f, struct diagnosis *d)
{
	size_t before = d->count;

	if (!f->lives)
		goto none;
	look_for_empty(f, d);
	look_for(f, d, "down (check)", DIAGNOSE_WARNING, "Peers that are down by their checks",
		 "Others of their upstream carry their load.",
		 "Look at the peer: its process, its log, and what its check asks for. It comes "
		 "back by itself when its checks are well again.");
	look_for(f, d, "ejected", DIAGNOSE_WARNING, "Peers that are left alone for their failures",
		 "They failed too many requests, and get none for a time that grows with each "
		 "repetition.",
		 "See their connect_failures, timeouts and bad_responses, and their own logs; "
		 "droverctl peer UPSTREAM PEER up forgives at once.");
	look_for(f, d, "unresolved", DIAGNOSE_WARNING, "Peers whose names have no address",
		 "They get no requests.", "Mend the name or the name server.");
	look_for(f, d, "drained", DIAGNOSE_NOTICE, "Peers that were drained by droverctl",
		 "They get no new requests, over reloads as well.",
		 "If that is over: droverctl peer UPSTREAM PEER up, or weight default.");
	look_for(f, d, "down (operator)", DIAGNOSE_NOTICE,
		 "Peers that were taken down by droverctl",
		 "They get no requests, over reloads as well.",
		 "If that is over: droverctl peer UPSTREAM PEER up.");
	look_for_stale(f, d);
none:
	if (d->count == before) {
		diagnose_add(d, DIAGNOSE_FINE);
		if (f->members_count == 0)
			diagnose_seen(d, "Nothing is proxied.");
		else
			diagnose_seen(d, "Each peer that is meant to be used is.");
	}
}
