/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Checks on memory, on settings that contradict each other, and on the limits of the system.
 */
#include <inttypes.h>
#include <string.h>

#include "shm/diagnose.h"
#include "shm/print.h"

#define U64 "%" PRIu64

enum {
	NEAR_PERCENT = 80,
	FULL_PERCENT = 95,
	GROWTH_BYTES = 16 << 20,
	SYN_BACKLOG_LEAST = 128
};

/* UINT64_MAX parts and limits are unknown, and near nothing. */
static uint64_t share_of(uint64_t part, uint64_t whole)
{
	if (part == FACTS_UNKNOWN || whole == FACTS_UNKNOWN || whole == 0)
		return 0;
	return (uint64_t)((double)part * 100 / (double)whole);
}

static void near_limit(struct diagnosis *d, uint64_t share, const char *what, const char *means,
		       const char *cure)
{
	if (share < NEAR_PERCENT)
		return;
	diagnose_add(d, share >= FULL_PERCENT ? DIAGNOSE_CRITICAL : DIAGNOSE_WARNING);
	diagnose_seen(d, "%s: " U64 " %% used.", what, share);
	diagnose_means(d, "%s", means);
	diagnose_cure(d, "%s", cure);
}

static void memory_short(const struct facts *f, struct diagnosis *d)
{
	if (f->no_memory.since == 0 && f->buffer_failures.since == 0)
		return;
	diagnose_add(d, DIAGNOSE_CRITICAL);
	diagnose_seen(d,
		      "In the last %.1f s accept failed " U64 " times for want of memory, and no "
		      "buffer was left " U64 " times.",
		      f->interval_s, f->no_memory.since, f->buffer_failures.since);
	diagnose_means(d, "Connections are refused or cut.");
	diagnose_cure(d, "More memory for the machine or container, or fewer connections.");
}

static void memory_grows(const struct facts *f, struct diagnosis *d)
{
	struct diagnose_list l = {0};
	char now[PRINT_SHORT], before[PRINT_SHORT];

	for (size_t i = 0; i < f->workers_count; i++) {
		const struct facts_worker *w = &f->workers[i];

		if (w->resident == FACTS_UNKNOWN || w->before == FACTS_UNKNOWN || !w->again ||
		    w->resident < w->before + GROWTH_BYTES || w->resident < w->before / 8 * 9)
			continue;
		diagnose_list(&l, "slot %u (process " U64 ") from %s to %s", w->slot, w->pid,
			      print_size(w->before, before), print_size(w->resident, now));
	}
	if (l.count == 0)
		return;
	diagnose_add(d, DIAGNOSE_NOTICE);
	diagnose_seen(d, "Memory of workers grew in %.1f s: %s.", f->interval_s,
		      diagnose_list_end(&l));
	diagnose_means(d, "Buffers for connections that send or receive, as a rule; they are given "
			  "back within seconds once unused.");
	diagnose_cure(d,
		      "If it goes on while droverctl stat buffers does not: a leak. Please report "
		      "it.");
}

void diagnose_memory(const struct facts *f, struct diagnosis *d)
{
	const struct facts_system *s = &f->system;
	char resident[PRINT_SHORT], available[PRINT_SHORT];
	uint64_t all = 0, known = 0, used = FACTS_UNKNOWN;
	size_t before = d->count;

	for (size_t i = 0; i < f->workers_count; i++)
		if (f->workers[i].resident != FACTS_UNKNOWN) {
			all += f->workers[i].resident;
			known++;
		}
	if (s->memory != FACTS_UNKNOWN && s->memory_available <= s->memory)
		used = s->memory - s->memory_available;
	memory_short(f, d);
	near_limit(d, share_of(s->group_used, s->group_max), "Memory of the control group",
		   "At its limit the kernel kills a process of the group; a worker's standby then "
		   "goes on, until it is its turn.",
		   "Raise MemoryMax (or the container's limit), or lower worker_connections.");
	/* Machines use their memory: only the last of it is worth a word. */
	if (share_of(used, s->memory) >= FULL_PERCENT)
		near_limit(d, share_of(used, s->memory), "Memory of the machine",
			   "Without free memory the kernel slows everything down, then kills.",
			   "Find who uses it (ps, sorted by RSS); droverctl stat buffers says what "
			   "connections need.");
	near_limit(d, share_of(s->tcp_memory, s->tcp_memory_max),
		   "Memory for TCP (net.ipv4.tcp_mem, all of the machine)",
		   "Beyond it the kernel drops segments and connections.",
		   "Raise net.ipv4.tcp_mem, or find whose connections hold so much (ss -tm).");
	memory_grows(f, d);
	if (d->count > before)
		return;
	if (known == 0) {
		diagnose_add(d, DIAGNOSE_UNSEEN);
		diagnose_seen(d, "%s",
			      f->proc_unknown[0] != '\0' ? f->proc_unknown : "no worker lives");
		return;
	}
	diagnose_add(d, DIAGNOSE_FINE);
	diagnose_seen(d, "Workers hold %s bytes of memory", print_size(all, resident));
	if (s->memory_available != FACTS_UNKNOWN)
		diagnose_seen(d, "; the machine has %s to give",
			      print_size(s->memory_available, available));
	diagnose_seen(d, ".");
}

static bool endless(const struct deadlines *l)
{
	return l->at_us[DEADLINE_HEADER] == 0 || l->at_us[DEADLINE_IDLE] == 0 ||
	       (l->at_us[DEADLINE_SEND] == 0 && l->at_us[DEADLINE_REQUEST] == 0 &&
		l->min_rate == 0);
}

static void clashes(const struct facts_server *s, struct diagnosis *d, unsigned *found)
{
	struct deadlines_clash clash[DEADLINES_CLASHES];
	unsigned n = deadlines_check(&s->deadlines, clash);

	for (unsigned i = 0; i < n && *found < DEADLINES_CLASHES; i++, (*found)++) {
		diagnose_add(d, DIAGNOSE_WARNING);
		diagnose_seen(d, "Server \"%s\": %s.", s->name, clash[i].text);
		diagnose_means(d, "One of the two settings never takes effect as it was meant.");
		diagnose_cure(d, "Change one of them; drover -t says where they stand.");
	}
}

void diagnose_deadlines(const struct facts *f, struct diagnosis *d)
{
	struct diagnose_list l = {0};
	unsigned found = 0;

	if (!f->deadlines_known) {
		diagnose_add(d, DIAGNOSE_UNSEEN);
		diagnose_seen(d, "the board does not tell the deadlines in force");
		return;
	}
	for (size_t i = 0; i < f->servers_count; i++) {
		clashes(&f->servers[i], d, &found);
		if (endless(&f->servers[i].deadlines))
			diagnose_list(&l, "\"%s\"", f->servers[i].name);
	}
	if (l.count > 0) {
		diagnose_add(d, DIAGNOSE_NOTICE);
		diagnose_seen(d,
			      "Servers where a wait has no end (header, idle, or send with "
			      "request and min_rate at 0): %s.",
			      diagnose_list_end(&l));
		diagnose_means(d, "A client that stands still keeps its connection for ever.");
		diagnose_cure(d, "Set the deadline; a day is better than none.");
		found++;
	}
	if (found > 0)
		return;
	diagnose_add(d, DIAGNOSE_FINE);
	diagnose_seen(d, "The deadlines of %zu servers go together.", f->servers_count);
}

static void cut_backlogs(const struct facts *f, struct diagnosis *d)
{
	struct diagnose_list l = {0};

	for (size_t i = 0; i < f->listeners_count; i++) {
		const struct facts_listener *k = &f->listeners[i];

		if (k->queue_max > 0 && k->backlog > k->queue_max)
			diagnose_list(&l, "%s " U64 " instead of " U64, k->address, k->queue_max,
				      k->backlog);
	}
	if (l.count == 0)
		return;
	diagnose_add(d, DIAGNOSE_NOTICE);
	diagnose_seen(d, "The system cut the accept queues: %s.", diagnose_list_end(&l));
	if (f->system.somaxconn != FACTS_UNKNOWN)
		diagnose_seen(d, " net.core.somaxconn is " U64 ".", f->system.somaxconn);
	diagnose_means(d, "A burst of new connections fills the queue sooner than configured.");
	diagnose_cure(d, "Raise net.core.somaxconn and restart, or lower backlog.");
}

static void few_descriptors(const struct facts *f, struct diagnosis *d)
{
	uint64_t most = 0, limit = 0;

	for (size_t i = 0; i < f->workers_count; i++) {
		const struct facts_worker *w = &f->workers[i];

		if (view_life_lives(w->life) && w->ready && w->conns_max > most) {
			most = w->conns_max;
			limit = w->fds_max;
		}
	}
	if (f->conns_wanted == 0 || f->conns_wanted <= most || most == 0)
		return;
	diagnose_add(d, most * 2 < f->conns_wanted ? DIAGNOSE_WARNING : DIAGNOSE_NOTICE);
	diagnose_seen(d,
		      "worker_connections is " U64 ", but with " U64
		      " descriptors (RLIMIT_NOFILE) a worker holds " U64 " at most.",
		      f->conns_wanted, limit, most);
	diagnose_means(d, "The limit was cut when the daemon started, and is reached sooner.");
	diagnose_cure(d, "Raise LimitNOFILE in the service unit (ulimit -n), or lower "
			 "worker_connections or file_cache.");
}

static void odd_settings(const struct facts *f, struct diagnosis *d)
{
	const struct facts_system *s = &f->system;

	if (s->syncookies == 0 && s->syn_backlog < SYN_BACKLOG_LEAST) {
		diagnose_add(d, DIAGNOSE_NOTICE);
		diagnose_seen(d, "net.ipv4.tcp_syncookies is 0 and tcp_max_syn_backlog " U64 ".",
			      s->syn_backlog);
		diagnose_means(d, "A flood of half-open connections keeps everybody else out.");
		diagnose_cure(d, "net.ipv4.tcp_syncookies = 1.");
	}
	if (s->abort_on_overflow == 1) {
		diagnose_add(d, DIAGNOSE_NOTICE);
		diagnose_seen(d, "net.ipv4.tcp_abort_on_overflow is 1.");
		diagnose_means(d, "When an accept queue is full, clients get a reset instead of "
				  "trying again.");
		diagnose_cure(d, "net.ipv4.tcp_abort_on_overflow = 0, unless that is wanted.");
	}
}

void diagnose_limits(const struct facts *f, struct diagnosis *d)
{
	const struct facts_system *s = &f->system;
	size_t before = d->count;

	cut_backlogs(f, d);
	few_descriptors(f, d);
	near_limit(d, share_of(s->conntrack, s->conntrack_max),
		   "The firewall's table of connections (net.netfilter.nf_conntrack_max)",
		   "When it is full, packets of new connections are dropped in silence.",
		   "Raise net.netfilter.nf_conntrack_max, or exempt the served ports (notrack).");
	near_limit(d, share_of(s->files, s->files_max),
		   "Files open in the whole system (fs.file-max)",
		   "When it is full, nobody can open or accept anything.", "Raise fs.file-max.");
	odd_settings(f, d);
	if (d->count > before)
		return;
	if (s->somaxconn == FACTS_UNKNOWN) {
		diagnose_add(d, DIAGNOSE_UNSEEN);
		diagnose_seen(d, "/proc/sys/net could not be read");
		return;
	}
	diagnose_add(d, DIAGNOSE_FINE);
	diagnose_seen(d, "somaxconn " U64 ", local ports " U64 " to " U64 "%s.", s->somaxconn,
		      s->port_low, s->port_high,
		      s->conntrack_max == FACTS_UNKNOWN ? ", no table of connections" : "");
}
