/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Checks on what the workers hold: descriptors against records, connections against their limit,
 * their growth and their spread, and what they lose.
 */
#include <inttypes.h>
#include <string.h>

#include "shm/diagnose.h"

#define U64 "%" PRIu64

enum {
	NEAR_PERCENT = 80,
	FULL_PERCENT = 95,
	BATCH = 253,    /* descriptors that a message may bring: all at once, then their records */
	OVERHEAD = 128, /* descriptors of a worker beside records and open files, sockets aside */
	GROWTH_LEAST = 100,
	GROWTH_SECONDS = 60,
	SPREAD_LEAST = 128
};

static bool lives(const struct facts *f, const struct facts_worker *w)
{
	return f->same_boot && view_life_lives(w->life);
}

/* A worker that stands still may be between a descriptor and its record, for a whole message. */
static bool loses(const struct facts_worker *w)
{
	return w->lost != FACTS_UNKNOWN && w->lost > (w->life == VIEW_HUNG ? (uint64_t)BATCH : 0);
}

/* More than records, open files, listening sockets and a worker's own few can be. */
static bool holds_more(const struct facts *f, const struct facts_worker *w)
{
	uint64_t listeners = 0;

	for (size_t i = 0; i < f->listeners_count; i++)
		listeners += 1 + f->workers_wanted; /* reuseport: one for each worker */
	return w->fds_open != FACTS_UNKNOWN && w->life == VIEW_ALIVE &&
	       w->fds_open > w->fds + listeners + OVERHEAD;
}

static void leak_found(const struct facts *f, struct diagnosis *d)
{
	struct diagnose_list lost = {0}, more = {0};

	for (size_t i = 0; i < f->workers_count; i++) {
		const struct facts_worker *w = &f->workers[i];

		if (!lives(f, w))
			continue;
		if (loses(w))
			diagnose_list(&lost, "slot %u (process " U64 ") " U64, w->slot, w->pid,
				      w->lost);
		else if (holds_more(f, w))
			diagnose_list(&more, "slot %u (process " U64 ") " U64 " beside " U64,
				      w->slot, w->pid, w->fds_open - w->fds, w->fds);
	}
	if (lost.count > 0) {
		diagnose_add(d, DIAGNOSE_WARNING);
		diagnose_seen(d,
			      "Connections open in a worker that no record on the board claims, "
			      "at both looks: %s.",
			      diagnose_list_end(&lost));
		diagnose_means(d, "A leak: nobody will ever close them, and their clients wait.");
		diagnose_cure(d, "droverctl reload replaces the workers and frees them. It is a "
				 "defect: please report it, with ls -l /proc/PID/fd.");
	}
	if (more.count > 0) {
		diagnose_add(d, DIAGNOSE_WARNING);
		diagnose_seen(d,
			      "Descriptors open in a worker beside those of its records and "
			      "open files: %s.",
			      diagnose_list_end(&more));
		diagnose_means(d, "A leak: descriptors that nothing uses run into the limit.");
		diagnose_cure(d, "ls -l /proc/PID/fd says what they are; droverctl reload frees "
				 "them. Please report it.");
	}
}

void diagnose_leak(const struct facts *f, struct diagnosis *d)
{
	size_t before = d->count;
	uint64_t records = 0, open = 0, known = 0, lost_known = 0;

	for (size_t i = 0; i < f->workers_count; i++) {
		const struct facts_worker *w = &f->workers[i];

		if (!lives(f, w) || w->fds_open == FACTS_UNKNOWN)
			continue;
		known++;
		lost_known += w->lost != FACTS_UNKNOWN;
		records += w->fds;
		open += w->fds_open;
	}
	leak_found(f, d);
	if (known > 0 && lost_known == 0) {
		diagnose_add(d, DIAGNOSE_UNSEEN);
		diagnose_seen(d, "connections that no record claims: %s",
			      f->sockets.unknown[0] != '\0' ? f->sockets.unknown
							    : "no connections were listed");
	}
	if (known == 0) {
		diagnose_add(d, DIAGNOSE_UNSEEN);
		diagnose_seen(d, "%s",
			      f->proc_unknown[0] != '\0' ? f->proc_unknown : "no worker lives");
	}
	if (d->count > before)
		return;
	diagnose_add(d, DIAGNOSE_FINE);
	diagnose_seen(d,
		      U64 " descriptors are open in workers, " U64
			  " of them connections and files with a record.",
		      open, records);
}

static uint64_t percent(uint64_t part, uint64_t whole)
{
	return whole == 0 ? 0 : (uint64_t)((double)part * 100 / (double)whole);
}

static uint64_t open_in(const struct facts_worker *w)
{
	return w->fds_open != FACTS_UNKNOWN ? w->fds_open : w->fds;
}

void diagnose_descriptors(const struct facts *f, struct diagnosis *d)
{
	const struct facts_worker *worst = NULL;
	uint64_t share;

	for (size_t i = 0; i < f->workers_count; i++) {
		const struct facts_worker *w = &f->workers[i];

		if (w->fds_max != 0 && !w->filled && w->life != VIEW_GONE &&
		    (worst == NULL ||
		     percent(open_in(w), w->fds_max) > percent(open_in(worst), worst->fds_max)))
			worst = w;
	}
	if (worst == NULL) {
		diagnose_add(d, DIAGNOSE_UNSEEN);
		diagnose_seen(d, "no worker has told its limit");
		return;
	}
	share = percent(open_in(worst), worst->fds_max);
	if (f->no_fds.since > 0 || share >= FULL_PERCENT)
		diagnose_add(d, DIAGNOSE_CRITICAL);
	else
		diagnose_add(d, share >= NEAR_PERCENT ? DIAGNOSE_WARNING : DIAGNOSE_FINE);
	diagnose_seen(d, "Slot %u %s " U64 " of " U64 " descriptors open (" U64 " %%).",
		      worst->slot, lives(f, worst) ? "has" : "had, when it died,", open_in(worst),
		      worst->fds_max, share);
	if (f->no_fds.since > 0)
		diagnose_seen(d, " accept found none left " U64 " times in %.1f s.",
			      f->no_fds.since, f->interval_s);
	if (d->failed || d->all[d->count - 1].severity == DIAGNOSE_FINE)
		return;
	diagnose_means(d, "At the limit (RLIMIT_NOFILE) nothing is accepted: clients wait in the "
			  "queue or are told 503.");
	diagnose_cure(d, "Raise LimitNOFILE in the service unit (ulimit -n), or fs.nr_open; or "
			 "lower worker_connections and file_cache, or add workers.");
}

/* Who holds them, in words, if somebody holds many. */
static void name_heaviest(const struct facts *f, struct diagnosis *d)
{
	if (f->heaviest[0] != '\0' && f->conns > 0 && f->heaviest_conns * 4 >= f->conns)
		diagnose_seen(d, " At least " U64 " of all " U64 " come from %s.",
			      f->heaviest_conns, f->conns, f->heaviest);
}

static void name_states(const struct facts *f, struct diagnosis *d)
{
	struct diagnose_list l = {0};

	for (unsigned i = CONN_FREE + 1; i < CONN_STATES_COUNT; i++)
		if (f->states[i] > 0)
			diagnose_list(&l, U64 " %s", f->states[i], conn_state_name(i));
	if (l.count > 0)
		diagnose_seen(d, " They are: %s.", diagnose_list_end(&l));
}

static void connections_cure(const struct facts *f, struct diagnosis *d)
{
	diagnose_means(d, "A worker that is full accepts nothing: it closes its oldest idle "
			  "connections, and new clients wait.");
	if (f->conns > 0 && f->states[CONN_IDLE] * 2 > f->conns)
		diagnose_cure(d, "Most are idle: a shorter idle deadline frees them; else raise ");
	else if (f->conns > 0 && f->states[CONN_HEAD] * 2 > f->conns)
		diagnose_cure(d, "Most have sent no request: a flood or a scan? A shorter header "
				 "deadline and max_conns_per_address help; else raise ");
	else
		diagnose_cure(d, "Raise ");
	diagnose_cure(d, "worker_connections (a restart if the board has no room) or add workers.");
}

void diagnose_connections(const struct facts *f, struct diagnosis *d)
{
	const struct facts_worker *worst = NULL;
	uint64_t share;

	for (size_t i = 0; i < f->workers_count; i++) {
		const struct facts_worker *w = &f->workers[i];

		if (w->conns_max != 0 && !w->filled && !w->draining && w->life != VIEW_GONE &&
		    (worst == NULL ||
		     percent(w->conns, w->conns_max) > percent(worst->conns, worst->conns_max)))
			worst = w;
	}
	if (worst == NULL) {
		diagnose_add(d, DIAGNOSE_UNSEEN);
		diagnose_seen(d, "no worker has told its limit");
		return;
	}
	share = percent(worst->conns, worst->conns_max);
	if (f->no_records.since > 0 || share >= FULL_PERCENT)
		diagnose_add(d, DIAGNOSE_CRITICAL);
	else
		diagnose_add(d, share >= NEAR_PERCENT ? DIAGNOSE_WARNING : DIAGNOSE_FINE);
	diagnose_seen(d,
		      "Slot %u %s " U64 " of " U64 " connections (worker_connections): " U64 " %%.",
		      worst->slot, lives(f, worst) ? "holds" : "held, when it died,", worst->conns,
		      worst->conns_max, share);
	if (f->no_records.since > 0)
		diagnose_seen(d, " It had no record left " U64 " times in %.1f s.",
			      f->no_records.since, f->interval_s);
	if (d->failed || d->all[d->count - 1].severity == DIAGNOSE_FINE)
		return;
	name_states(f, d);
	name_heaviest(f, d);
	connections_cure(f, d);
}

/* Seconds until all are full at this pace. */
static double full_in(const struct facts *f)
{
	uint64_t room = 0, grown = f->conns - f->conns_before;

	for (size_t i = 0; i < f->workers_count; i++)
		if (lives(f, &f->workers[i]) && f->workers[i].ready)
			room += f->workers[i].conns_max;
	return room > f->conns ? (double)(room - f->conns) / (double)grown * f->interval_s : 0;
}

void diagnose_growth(const struct facts *f, struct diagnosis *d)
{
	uint64_t grown = f->conns > f->conns_before ? f->conns - f->conns_before : 0;

	if (!f->lives || f->interval_s <= 0) {
		diagnose_add(d, DIAGNOSE_UNSEEN);
		diagnose_seen(d, "the daemon does not run");
		return;
	}
	if (grown < GROWTH_LEAST || grown < f->conns_before / 4) {
		diagnose_add(d, DIAGNOSE_FINE);
		diagnose_seen(d, "From " U64 " to " U64 " connections in %.1f s.", f->conns_before,
			      f->conns, f->interval_s);
		return;
	}
	diagnose_add(d, full_in(f) < GROWTH_SECONDS ? DIAGNOSE_WARNING : DIAGNOSE_NOTICE);
	diagnose_seen(d,
		      "Connections grew from " U64 " to " U64 " in %.1f s; " U64
		      " were accepted and " U64 " requests answered meanwhile.",
		      f->conns_before, f->conns, f->interval_s, f->accepts.since,
		      f->requests.since);
	name_states(f, d);
	name_heaviest(f, d);
	diagnose_means(d, "At this pace all workers are full in %.0f s. ", full_in(f));
	if (f->requests.since * 2 < f->accepts.since) {
		diagnose_means(d, "They come without asking for anything: a flood, or clients that "
				  "give up and come back.");
		diagnose_cure(d, "max_conns_per_address and a short header deadline hold back who "
				 "asks for nothing; droverctl conns state=head shows them.");
		return;
	}
	diagnose_means(d, "They ask and stay: a rush, or answers that have become slow.");
	diagnose_cure(d, "droverctl conns -s age shows what takes long; a shorter idle deadline "
			 "frees who only waits; more workers if it is a rush.");
}

struct spread {
	uint64_t workers, total, most, least;
	const struct facts_worker *busiest;
};

static struct spread spread_of(const struct facts *f)
{
	struct spread s = {.least = UINT64_MAX};

	for (size_t i = 0; i < f->workers_count; i++) {
		const struct facts_worker *w = &f->workers[i];

		if (!lives(f, w) || !w->ready)
			continue;
		s.workers++;
		s.total += w->conns;
		s.least = w->conns < s.least ? w->conns : s.least;
		if (s.busiest == NULL || w->conns > s.most) {
			s.most = w->conns;
			s.busiest = w;
		}
	}
	return s;
}

/* 0: all have as many; 100: one has all. */
static uint64_t skew_of(const struct spread *s)
{
	uint64_t mean = s->total / s->workers;

	return s->total > mean ? percent(s->most - mean, s->total - mean) : 0;
}

void diagnose_balance(const struct facts *f, struct diagnosis *d)
{
	struct spread s = spread_of(f);
	bool skewed;

	if (s.workers < 2) {
		diagnose_add(d, s.workers == 0 ? DIAGNOSE_UNSEEN : DIAGNOSE_FINE);
		diagnose_seen(d, "%s",
			      s.workers == 0 ? "no worker is ready" : "There is one worker.");
		return;
	}
	skewed = s.most - s.least >= SPREAD_LEAST && skew_of(&s) >= 40;
	if (!skewed)
		diagnose_add(d, DIAGNOSE_FINE);
	else
		diagnose_add(d, skew_of(&s) >= 70 ? DIAGNOSE_WARNING : DIAGNOSE_NOTICE);
	diagnose_seen(d,
		      "Of " U64 " connections, slot %u holds " U64 "; the least loaded of " U64
		      " workers " U64 ".",
		      s.total, s.busiest->slot, s.most, s.workers, s.least);
	if (!skewed)
		return;
	diagnose_seen(d, " Slot %u answered " U64 " of " U64 " requests in %.1f s.",
		      s.busiest->slot, s.busiest->requests, f->requests.since, f->interval_s);
	diagnose_means(d,
		       "Long-lived connections stay where they were accepted: one processor does "
		       "the work of all, and that worker is full before the others.");
	diagnose_cure(d, "droverctl rebalance spreads idle connections, without their clients "
			 "noticing; rebalance = true does so unasked.");
}

void diagnose_log(const struct facts *f, struct diagnosis *d)
{
	if (f->log_lost.total == 0) {
		diagnose_add(d, DIAGNOSE_FINE);
		diagnose_seen(d, "No access log line was lost of " U64 ".", f->log_lines.total);
		return;
	}
	diagnose_add(d, f->log_lost.since > 0 ? DIAGNOSE_WARNING : DIAGNOSE_NOTICE);
	diagnose_seen(d,
		      U64 " access log lines were lost since the start, " U64
			  " of them in the last %.1f s; " U64 " were written.",
		      f->log_lost.total, f->log_lost.since, f->interval_s, f->log_lines.total);
	diagnose_means(d, "The log could not be written and workers do not wait for it: serving "
			  "goes before writing.");
	diagnose_cure(d,
		      "Is its disk full, at its quota, or too slow (df, iostat)? Does the reader "
		      "of a pipe or FIFO still read? Then droverctl reopen.");
}
