/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Two looks, and what lies between them. The first leaves counters and sets of sockets, the second
 * fills the facts. Memory is bounded: sockets are counted as they come, and of those that have to
 * be known again at the second look only so many are kept.
 */
#include "shm/ctl_facts.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "shm/alive.h"
#include "shm/ctl_gather.h"
#include "shm/ctl_peer_row.h"
#include "shm/ctl_proc.h"

#define DIM(a) (sizeof(a) / sizeof((a)[0]))

enum {
	ROWS_MOST = 4096, /* listeners and servers; a board may say anything */
	ARGS_MOST = 64
};

/* Counters between the looks. */
static const struct {
	const char *name;
	size_t offset;
	bool master;
} counters[] = {
#define OF(member) offsetof(struct facts, member)
    {"worker_deaths", OF(deaths), true},
    {"worker_hangs", OF(hangs), true},
    {"requests", OF(requests), false},
    {"accepts", OF(accepts), false},
    {"accept_no_fds", OF(no_fds), false},
    {"accept_no_memory", OF(no_memory), false},
    {"accept_no_records", OF(no_records), false},
    {"accept_pauses", OF(pauses), false},
    {"buffer_failures", OF(buffer_failures), false},
    {"log_lines", OF(log_lines), false},
    {"log_lines_lost", OF(log_lost), false},
#define CLOSED(X, sym, name, help, advice) {"close_" #name, OF(closes[CLOSE_##sym]), false},
    CLOSE_REASONS(CLOSED, )
#undef CLOSED
#undef OF
};

static void read_counters(struct gather *g)
{
	for (size_t i = 0; i < DIM(counters); i++) {
		struct facts_counter *k = (void *)((char *)g->f + counters[i].offset);
		uint64_t now = counters[i].master
				   ? reader_row_u64(&g->c->view.master, counters[i].name)
				   : view_sum(&g->c->view, counters[i].name);

		k->since = g->second && now >= k->total ? now - k->total : 0;
		k->total = now;
	}
}

static void fill_master(struct gather *g)
{
	const struct view *v = &g->c->view;
	const struct reader_row *m = &v->master;
	struct facts *f = g->f;

	f->same_boot = reader_same_boot(g->c->reader);
	f->master_life = v->master_life;
	f->master_torn = m->status == READER_TORN;
	f->master_pid = reader_row_u64(m, "pid");
	f->master_heard_us = view_age_us(v, v->master_heard_us);
	f->lives = view_life_lives(v->master_life);
	f->running = strcmp(reader_row_enum(m, "state"), "running") == 0;
	f->reload_failed = strcmp(reader_row_enum(m, "reload_result"), "failed") == 0;
	f->upgrade_failed = strcmp(reader_row_enum(m, "upgrade_result"), "failed") == 0;
	reader_row_text(m, "reload_error", f->reload_error, sizeof(f->reload_error));
	reader_row_text(m, "upgrade_error", f->upgrade_error, sizeof(f->upgrade_error));
	f->workers_wanted = reader_row_u64(m, "workers_wanted");
	f->drain_ms = reader_row_u64(m, "drain_ms");
	f->conns_wanted = reader_row_u64(m, "conns_wanted");
}

/* One more element of an array of the facts; NULL if there is no memory for it, or no sense. */
static void *one_more(void *array, size_t *count, size_t size)
{
	void **all = array, *more;

	if (*count >= ROWS_MOST || (more = reallocarray(*all, *count + 1, size)) == NULL)
		return NULL;
	*all = more;
	memset((char *)more + *count * size, 0, size);
	return (char *)more + (*count)++ * size;
}

static void add_end(struct gather *g, const char *address, size_t listener)
{
	struct sockdiag_endpoint end, *ends;
	size_t *which;

	if (!sockdiag_parse(address, &end))
		return;
	ends = reallocarray(g->ends, g->ends_count + 1, sizeof(*ends));
	if (ends == NULL)
		return;
	g->ends = ends;
	which = reallocarray(g->end_listener, g->ends_count + 1, sizeof(*which));
	if (which == NULL)
		return;
	g->end_listener = which;
	g->ends[g->ends_count] = end;
	g->end_listener[g->ends_count++] = listener;
}

/* At the first look: what is listened on, which tells whose sockets are looked at. */
static void find_listeners(struct gather *g)
{
	struct ctl_named n;

	for (bool ok = ctl_named_first(&n, g->c, "listener", "address"); ok;
	     ok = ctl_named_next(&n)) {
		struct facts_listener *l = one_more(&g->f->listeners, &g->f->listeners_count,
						    sizeof(*l));

		if (l == NULL)
			break;
		snprintf(l->address, sizeof(l->address), "%.111s", n.name);
		l->queue = reader_row_u64(&n.row, "queue");
		l->queue_max = reader_row_u64(&n.row, "queue_max");
		l->backlog = reader_row_u64(&n.row, "backlog");
		l->dropped = l->dropped_since = FACTS_UNKNOWN;
		add_end(g, l->address, g->f->listeners_count - 1);
	}
	ctl_named_free(&n);
}

/* Unix sockets, and all of them where sock_diag tells nothing. */
static void refresh_queues(struct gather *g)
{
	struct ctl_named n;
	size_t i = 0;

	for (bool ok = ctl_named_first(&n, g->c, "listener", "address"); ok;
	     ok = ctl_named_next(&n)) {
		if (i < g->f->listeners_count && strcmp(g->f->listeners[i].address, n.name) == 0) {
			g->f->listeners[i].queue = reader_row_u64(&n.row, "queue");
			g->f->listeners[i].queue_max = reader_row_u64(&n.row, "queue_max");
		}
		i++;
	}
	ctl_named_free(&n);
}

static void fill_servers(struct gather *g)
{
	struct facts *f = g->f;
	const struct board_table *t = reader_table(g->c->reader, "server");
	struct ctl_named n;

	f->deadlines_known = reader_field(g->c->reader, t, "deadline_header_ms") != NULL;
	for (bool ok = ctl_named_first(&n, g->c, "server", "name"); ok; ok = ctl_named_next(&n)) {
		struct facts_server *s = one_more(&f->servers, &f->servers_count, sizeof(*s));

		if (s == NULL)
			break;
		snprintf(s->name, sizeof(s->name), "%.63s", n.name);
#define SETTING(X, sym, name, advice) \
	s->deadlines.at_us[DEADLINE_##sym] = reader_row_u64(&n.row, "deadline_" #name "_ms") * 1000;
		DEADLINES(SETTING, )
#undef SETTING
		s->deadlines.at_us[DEADLINES_DRAIN] = f->drain_ms * 1000;
		s->deadlines.min_rate = reader_row_u64(&n.row, "min_rate");
	}
	ctl_named_free(&n);
}

static void fill_members(struct gather *g)
{
	struct facts *f = g->f;
	struct ctl_named n;
	struct ctl_peer p;

	for (bool ok = ctl_named_first(&n, g->c, "peer", "address"); ok; ok = ctl_named_next(&n)) {
		struct facts_member *m = one_more(&f->members, &f->members_count, sizeof(*m));

		if (m == NULL)
			break;
		ctl_peer_load(g->c, &n, &p);
		*m = (struct facts_member){.stale = p.stale};
		strlcpy(m->upstream, p.upstream, sizeof(m->upstream));
		strlcpy(m->address, p.address, sizeof(m->address));
		strlcpy(m->state, p.state, sizeof(m->state));
		strlcpy(m->reason, p.reason, sizeof(m->reason));
	}
	ctl_named_free(&n);
}

static void fill_system(struct gather *g)
{
	struct facts_system *s = &g->f->system;
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), pid = g->f->master_pid;
#define NET "/proc/sys/net/"

	s->somaxconn = proc_number(NET "core/somaxconn", 0);
	s->syn_backlog = proc_number(NET "ipv4/tcp_max_syn_backlog", 0);
	s->syncookies = proc_number(NET "ipv4/tcp_syncookies", 0);
	s->abort_on_overflow = proc_number(NET "ipv4/tcp_abort_on_overflow", 0);
	s->port_low = proc_number(NET "ipv4/ip_local_port_range", 0);
	s->port_high = proc_number(NET "ipv4/ip_local_port_range", 1);
	s->tw_buckets = proc_number(NET "ipv4/tcp_max_tw_buckets", 0);
	s->conntrack = proc_number(NET "netfilter/nf_conntrack_count", 0);
	s->conntrack_max = proc_number(NET "netfilter/nf_conntrack_max", 0);
	s->files = proc_number("/proc/sys/fs/file-nr", 0);
	s->files_max = proc_number("/proc/sys/fs/file-nr", 2);
	s->memory = proc_behind("/proc/meminfo", "MemTotal:");
	s->memory_available = proc_behind("/proc/meminfo", "MemAvailable:");
	if (s->memory != FACTS_UNKNOWN)
		s->memory *= 1024;
	if (s->memory_available != FACTS_UNKNOWN)
		s->memory_available *= 1024;
	s->tcp_memory = proc_behind("/proc/net/sockstat", " mem ");
	s->tcp_memory_max = proc_number(NET "ipv4/tcp_mem", 2);
	if (s->tcp_memory != FACTS_UNKNOWN)
		s->tcp_memory *= page;
	if (s->tcp_memory_max != FACTS_UNKNOWN)
		s->tcp_memory_max *= page;
	s->group_used = s->group_max = FACTS_UNKNOWN;
	if (view_life_lives(g->f->master_life) && alive_is_drover(pid))
		proc_group(pid, &s->group_used, &s->group_max);
#undef NET
}

/* The process whose network this is about; 0 if none lives. */
static uint64_t living_pid(const struct gather *g)
{
	const struct view *v = &g->c->view;
	uint64_t pid = reader_row_u64(&v->master, "pid");

	if (view_life_lives(v->master_life) && alive_is_drover(pid))
		return pid;
	for (uint32_t i = 0; i < v->workers_count; i++)
		if (gather_in_proc(&v->workers[i]))
			return v->workers[i].pid;
	return 0;
}

static void enter_network(struct gather *g)
{
	char *why = g->f->sockets.unknown;
	const size_t size = sizeof(g->f->sockets.unknown);
	uint64_t pid = living_pid(g);

	if (pid == 0)
		snprintf(why, size, "the daemon does not run");
	else if (proc_net_differs(pid) && proc_net_enter(pid) != 0)
		snprintf(why, size,
			 "the daemon is in another network namespace (%s): try nsenter -t %llu -n",
			 strerror(errno), (unsigned long long)pid);
}

static int add_upstream(struct gather *g, const char *address)
{
	struct sockdiag_endpoint end;
	struct facts_upstream *u;

	if (!sockdiag_parse(address, &end))
		return -1;
	u = one_more(&g->f->upstreams, &g->f->upstreams_count, sizeof(*u));
	if (u != NULL)
		snprintf(u->address, sizeof(u->address), "%.111s", address);
	return 0;
}

static int parse_arguments(struct gather *g)
{
	static const char word[] = "upstream=";

	for (int i = 0; i < g->c->args_count; i++)
		if (i >= ARGS_MOST || strncmp(g->c->args[i], word, sizeof(word) - 1) != 0 ||
		    add_upstream(g, g->c->args[i] + sizeof(word) - 1) != 0)
			return ctl_fail(g->c, CTL_USAGE,
					"'%s' is no upstream=ADDRESS:PORT (numbers, no names)",
					g->c->args[i]);
	return CTL_OK;
}

/* A peer that has a name: where it leads now, and whether anybody knows. */
static void add_name(struct gather *g, const struct ctl_named *n)
{
	const struct board_table *t = reader_table(g->c->reader, "peer_address");
	struct reader_row row = {.bytes = NULL};
	uint64_t since;

	if (t == NULL || reader_row_u64(&n->row, "named") == 0 ||
	    reader_copy(g->c->reader, t, n->row.index, &row) < 0)
		return;
	since = reader_row_u64(&row, "failing_us");
	if (row.status == READER_OK && since != 0 && since < g->c->view.now_us) {
		struct facts_name *f = one_more(&g->f->names, &g->f->names_count,
						sizeof(*g->f->names));

		if (f != NULL) {
			reader_row_text(&n->row, "address", f->name, sizeof(f->name));
			reader_row_text(&n->row, "upstream", f->upstream, sizeof(f->upstream));
			reader_row_text(&row, "text", f->address, sizeof(f->address));
			reader_row_text(&row, "error", f->error, sizeof(f->error));
			f->failing_us = g->c->view.now_us - since;
		}
	}
	reader_row_free(&row);
}

/* The peers that the board names, where it has a table of them. */
static void find_upstreams(struct gather *g)
{
	struct ctl_named n;
	char address[sizeof(((struct facts_upstream *)NULL)->address)];
	bool any = false;

	for (bool ok = ctl_named_first(&n, g->c, "peer", "address"); ok; ok = ctl_named_next(&n)) {
		reader_row_text(&n.row, "address", address, sizeof(address));
		(void)add_upstream(g, address);
		add_name(g, &n);
		any = true;
	}
	ctl_named_free(&n);
	if (g->f->upstreams_count == 0)
		snprintf(g->f->upstreams_unknown, sizeof(g->f->upstreams_unknown),
			 "%s (upstream=ADDRESS:PORT names one)",
			 any ? "no peer is configured by an IP address"
			     : "no upstream is configured");
}

/* Leaves what the second look compares itself with. */
static int first_look(struct gather *g)
{
	g->second = false;
	g->at_us = g->c->view.now_us;
	if (gather_remember(g) != 0)
		return -1;
	fill_master(g);
	read_counters(g);
	g->f->conns_before = view_sum(&g->c->view, "conns");
	free(g->f->listeners);
	g->f->listeners = NULL;
	g->f->listeners_count = g->ends_count = 0;
	find_listeners(g);
	enter_network(g);
	gather_sockets(g);
	return 0;
}

static int second_look(struct gather *g)
{
	struct facts *f = g->f;

	g->second = true;
	f->interval_s = (double)(g->c->view.now_us - g->at_us) / 1e6;
	fill_master(g);
	read_counters(g);
	f->conns = view_sum(&g->c->view, "conns");
	refresh_queues(g);
	gather_sockets(g);
	if (gather_workers(g) != 0)
		return -1;
	fill_servers(g);
	fill_members(g);
	find_upstreams(g);
	gather_ports(g);
	fill_system(g);
	return 0;
}

static void wait_for(double seconds)
{
	struct timespec left = {.tv_sec = (time_t)seconds,
				.tv_nsec = (long)((seconds - (double)(time_t)seconds) * 1e9)};

	while (clock_nanosleep(CLOCK_MONOTONIC, 0, &left, &left) == EINTR)
		;
}

/* A daemon that was started meanwhile has a board of its own: the first look is made anew, once.
 * What nobody writes to does not change. */
static int look_twice(struct gather *g, double interval_s)
{
	bool fresh = true;

	if (first_look(g) != 0)
		return ctl_fail(g->c, CTL_USAGE, "%s", strerror(errno));
	for (int i = 0; fresh && i < 2; i++) {
		if (i > 0 && first_look(g) != 0)
			return ctl_fail(g->c, CTL_USAGE, "%s", strerror(errno));
		if (living_pid(g) != 0)
			wait_for(interval_s);
		if (ctl_look(g->c, &fresh) != CTL_OK)
			return CTL_USAGE;
	}
	if (second_look(g) != 0)
		return ctl_fail(g->c, CTL_USAGE, "%s", strerror(errno));
	return CTL_OK;
}

int ctl_facts_gather(struct ctl *c, double interval_s, struct facts *f)
{
	struct gather g = {.c = c, .f = f};
	int status;

	memset(f, 0, sizeof(*f));
	status = parse_arguments(&g);
	if (status == CTL_OK)
		status = look_twice(&g, interval_s);
	set_free(&g.closing);
	set_free(&g.stayed);
	set_free(&g.unclaimed);
	free(g.claimed);
	free(g.then);
	free(g.ends);
	free(g.end_listener);
	return status;
}

void ctl_facts_free(struct facts *f)
{
	free(f->workers);
	free(f->listeners);
	free(f->servers);
	free(f->upstreams);
	free(f->members);
	free(f->names);
	memset(f, 0, sizeof(*f));
}
