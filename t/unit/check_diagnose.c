/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tests shm/diagnose.c and its checks, and shm/deadlines.c: facts made up go in, the findings that
 * they must lead to come out, and no others.
 */
#include "shm/diagnose.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define DIM(a) (sizeof(a) / sizeof((a)[0]))

enum {
	WORKERS = 3
};

/* A daemon that is well, with a few hundred connections. */
struct world {
	struct facts f;
	struct facts_worker w[WORKERS];
	struct facts_listener l[2];
	struct facts_server s[2];
	struct facts_upstream u[1];
};

static void make_workers(struct world *x)
{
	for (unsigned i = 0; i < WORKERS; i++)
		x->w[i] = (struct facts_worker){.slot = i,
						.pid = 100 + i,
						.life = VIEW_ALIVE,
						.ready = true,
						.again = true,
						.heard_us = 400000,
						.conns = 100,
						.conns_max = 1000,
						.fds = 120,
						.fds_max = 2000,
						.fds_open = 140,
						.lag_us = 300,
						.turn_us = 400,
						.requests = 500,
						.task = 'S',
						.resident = 10 << 20,
						.before = 10 << 20,
						.waited_us = 1000};
}

static void make_world(struct world *x)
{
	memset(x, 0, sizeof(*x));
	make_workers(x);
	for (size_t i = 0; i < DIM(x->l); i++) {
		strcpy(x->l[i].address, i == 0 ? "192.0.2.1:80" : "[2001:db8::1]:80");
		x->l[i].queue_max = x->l[i].backlog = 100;
	}
	for (size_t i = 0; i < DIM(x->s); i++) {
		strcpy(x->s[i].name, i == 0 ? "one" : "two");
		for (unsigned k = 0; k < DEADLINES_SETTINGS; k++)
			x->s[i].deadlines.at_us[k] = 60000000;
		x->s[i].deadlines.at_us[DEADLINE_REQUEST] = 0;
		x->s[i].deadlines.at_us[DEADLINE_MAX_AGE] = 0;
	}
	strcpy(x->u[0].address, "192.0.2.9:9000");
	x->u[0].used = 10;
	x->f = (struct facts){.interval_s = 1,
			      .same_boot = true,
			      .lives = true,
			      .master_life = VIEW_ALIVE,
			      .master_pid = 99,
			      .running = true,
			      .workers_wanted = WORKERS,
			      .drain_ms = 30000,
			      .workers = x->w,
			      .workers_count = WORKERS,
			      .listeners = x->l,
			      .listeners_count = DIM(x->l),
			      .servers = x->s,
			      .servers_count = DIM(x->s),
			      .deadlines_known = true,
			      .upstreams = x->u,
			      .upstreams_count = 1,
			      .conns = 300,
			      .conns_before = 290,
			      .requests = {.total = 100000, .since = 1500},
			      .accepts = {.total = 1000, .since = 15},
			      .log_lines = {.total = 100000},
			      .sockets = {.info = true, .segments = 100000},
			      .system = {.somaxconn = 4096,
					 .syn_backlog = 4096,
					 .syncookies = 1,
					 .port_low = 32768,
					 .port_high = 60999,
					 .tw_buckets = 131072,
					 .conntrack = FACTS_UNKNOWN,
					 .conntrack_max = FACTS_UNKNOWN,
					 .files = 1000,
					 .files_max = FACTS_UNKNOWN,
					 .memory = UINT64_C(8) << 30,
					 .memory_available = UINT64_C(4) << 30,
					 .group_used = FACTS_UNKNOWN,
					 .group_max = FACTS_UNKNOWN,
					 .tcp_memory = 1 << 20,
					 .tcp_memory_max = 1 << 30}};
	x->f.sockets.now[TCPS_ESTABLISHED] = 300;
	x->f.states[CONN_IDLE] = 300;
}

/* Each row makes one thing bad; that check must say so and all others be content. */
struct trouble {
	const char *check;
	enum diagnose_severity severity;
	const char *seen; /* in its text */
	void (*make)(struct world *x);
};

#define TROUBLE(name) static void name(struct world *x)

TROUBLE(none)
{
	(void)x;
}
TROUBLE(master_dies)
{
	x->f.master_life = VIEW_DEAD;
}
TROUBLE(master_hangs)
{
	x->f.master_life = VIEW_HUNG;
	x->f.master_heard_us = 5000000;
}
TROUBLE(other_boot)
{
	x->f.same_boot = false;
	x->f.lives = false;
	for (unsigned i = 0; i < WORKERS; i++)
		x->w[i].life = VIEW_DEAD;
}
TROUBLE(reload_fails)
{
	x->f.reload_failed = true;
	strcpy(x->f.reload_error, "drover.conf:7: no such option");
}
TROUBLE(upgrade_fails)
{
	x->f.upgrade_failed = true;
	strcpy(x->f.upgrade_error, "no such file");
}
TROUBLE(worker_hangs)
{
	x->w[1].life = VIEW_HUNG;
	x->w[1].heard_us = 9000000;
	x->w[1].task = 'T';
}
TROUBLE(worker_dies)
{
	x->w[2].life = VIEW_DEAD;
}
TROUBLE(worker_missing)
{
	x->w[2].ready = false;
}
TROUBLE(worker_drains)
{
	x->w[2].draining = true;
	x->w[2].draining_us = 60000000;
}
TROUBLE(deaths)
{
	x->f.deaths = (struct facts_counter){.total = 3, .since = 1};
}
TROUBLE(closes_not)
{
	x->f.sockets.now[TCPS_CLOSE_WAIT] = x->f.sockets.before[TCPS_CLOSE_WAIT] = 1;
	x->f.sockets.stayed = 1;
	x->w[0].close_wait = 1;
}
TROUBLE(closes_not_and_grows)
{
	x->f.sockets.now[TCPS_CLOSE_WAIT] = 40;
	x->f.sockets.before[TCPS_CLOSE_WAIT] = 20;
	x->f.sockets.stayed = 20;
	x->w[0].close_wait = 20;
}
TROUBLE(closes_not_stopped)
{
	x->f.sockets.now[TCPS_CLOSE_WAIT] = x->f.sockets.stayed = 5;
	x->w[0].close_wait = 5;
	x->w[0].task = 'T';
}
TROUBLE(closes_not_queued)
{
	x->f.sockets.now[TCPS_CLOSE_WAIT] = x->f.sockets.stayed = 5;
	x->f.sockets.stayed_queued = 5;
}
TROUBLE(closes_not_lost)
{
	x->f.sockets.now[TCPS_CLOSE_WAIT] = x->f.sockets.stayed = 5;
	x->w[2].close_wait = x->w[2].close_wait_lost = 5;
}
TROUBLE(closes_not_unknown)
{
	x->f.sockets.now[TCPS_CLOSE_WAIT] = x->f.sockets.stayed = 5;
}
TROUBLE(many_wait)
{
	x->f.sockets.now[TCPS_TIME_WAIT] = 5000;
	x->f.closes[CLOSE_NO_KEEPALIVE].since = 1000;
}
TROUBLE(many_wait_of_few)
{
	/* One in a hundred requests ends its connection: as it should be. */
	x->f.sockets.now[TCPS_TIME_WAIT] = 5000;
	x->f.closes[CLOSE_REQUEST_LIMIT].since = 15;
}
TROUBLE(all_wait)
{
	x->f.sockets.now[TCPS_TIME_WAIT] = 120000;
}
TROUBLE(queue_near)
{
	x->l[1].queue = 80;
}
TROUBLE(queue_not_near)
{
	x->l[1].queue = 79;
}
TROUBLE(queue_full)
{
	x->l[1].queue = 101;
}
TROUBLE(queue_full_stopped)
{
	queue_full(x);
	for (unsigned i = 0; i < WORKERS; i++)
		x->w[i].task = 'T';
}
TROUBLE(queue_drops)
{
	x->l[0].dropped = 7;
	x->l[0].dropped_since = 3;
}
TROUBLE(queue_dropped_once)
{
	x->l[0].dropped = 7;
	x->l[0].dropped_since = 0;
}
TROUBLE(leaks)
{
	x->w[1].lost = 1;
}
TROUBLE(leaks_while_stopped)
{
	/* It may be in the middle of taking them over. */
	worker_hangs(x);
	x->w[1].lost = 253;
}
TROUBLE(leaks_files)
{
	x->w[1].fds_open = 500;
}
TROUBLE(fds_near)
{
	x->w[1].fds_open = x->w[1].fds = 1700;
}
TROUBLE(fds_out)
{
	x->f.no_fds.since = 1;
}
TROUBLE(conns_near)
{
	for (unsigned i = 0; i < WORKERS; i++)
		x->w[i].conns = 800;
}
TROUBLE(conns_not_near)
{
	for (unsigned i = 0; i < WORKERS; i++)
		x->w[i].conns = 799;
}
TROUBLE(conns_full)
{
	x->f.no_records.since = 2;
	strcpy(x->f.heaviest, "192.0.2.66");
	x->f.heaviest_conns = 299;
}
TROUBLE(grows)
{
	x->f.conns_before = 100;
}
TROUBLE(grows_slowly)
{
	x->f.conns_before = 100;
	for (unsigned i = 0; i < WORKERS; i++)
		x->w[i].conns_max = 1000000, x->w[i].fds_max = 2000000;
}
TROUBLE(resends)
{
	x->f.sockets.retrans = 2000;
	strcpy(x->f.sockets.resent[0].address, "192.0.2.7:1234");
	x->f.sockets.resent[0].retrans = 1500;
	x->f.sockets.resent[0].segments = 9000;
}
TROUBLE(resends_much)
{
	x->f.sockets.retrans = 6000;
}
TROUBLE(peers_vanish)
{
	x->f.sockets.stuck = 20;
}
TROUBLE(reads_not)
{
	x->f.sockets.shut = 1;
	strcpy(x->f.sockets.slow[0].address, "192.0.2.7:1234");
	x->f.sockets.slow[0].quiet_us = 4000000;
}
TROUBLE(all_read_not)
{
	x->f.sockets.shut = 100;
}
TROUBLE(ports_some)
{
	x->u[0].used = 17000;
}
TROUBLE(ports_near)
{
	x->u[0].used = 23000;
	x->u[0].time_wait = 20000;
}
TROUBLE(ports_out)
{
	x->u[0].used = 28000;
}
TROUBLE(skewed)
{
	x->w[0].conns = 300;
	x->w[1].conns = x->w[2].conns = 0;
}
TROUBLE(skewed_little)
{
	x->w[0].conns = 200;
	x->w[1].conns = 60;
	x->w[2].conns = 40;
}
TROUBLE(late_little)
{
	x->w[2].turn_us = 150000;
}
TROUBLE(late)
{
	x->w[2].lag_us = 700000;
}
TROUBLE(late_starved)
{
	x->w[2].turn_us = 700000;
	x->w[2].waited_us = 600000;
}
TROUBLE(late_beat)
{
	x->w[0].heard_us = 2400000;
}
TROUBLE(memory_out)
{
	x->f.buffer_failures.since = 1;
}
TROUBLE(memory_near)
{
	x->f.system.group_used = 85;
	x->f.system.group_max = 100;
}
TROUBLE(memory_grows)
{
	x->w[0].resident = 50 << 20;
}
TROUBLE(memory_of_all)
{
	x->f.system.memory_available = UINT64_C(100) << 20;
}
TROUBLE(log_lost_once)
{
	x->f.log_lost.total = 5;
}
TROUBLE(log_loses)
{
	x->f.log_lost = (struct facts_counter){.total = 5, .since = 5};
}
TROUBLE(deadlines_clash)
{
	x->s[1].deadlines.at_us[DEADLINE_REQUEST] = 5000000;
}
TROUBLE(deadlines_drain)
{
	x->s[1].deadlines.at_us[DEADLINE_REQUEST] = 90000000;
}
TROUBLE(deadlines_none)
{
	x->s[0].deadlines.at_us[DEADLINE_IDLE] = 0;
}
TROUBLE(backlog_cut)
{
	x->l[0].backlog = 65535;
}
TROUBLE(few_fds)
{
	x->f.conns_wanted = 4000;
}
TROUBLE(fewer_fds)
{
	x->f.conns_wanted = 1200;
}
TROUBLE(conntrack_full)
{
	x->f.system.conntrack = 99;
	x->f.system.conntrack_max = 100;
}
TROUBLE(cookies_off)
{
	x->f.system.syncookies = 0;
	x->f.system.syn_backlog = 64;
}
TROUBLE(aborts)
{
	x->f.system.abort_on_overflow = 1;
}
TROUBLE(blind)
{
	strcpy(x->f.sockets.unknown, "built without libmnl");
	for (unsigned i = 0; i < WORKERS; i++)
		x->w[i].lost = FACTS_UNKNOWN;
}

#define CRITICAL DIAGNOSE_CRITICAL
#define WARNING  DIAGNOSE_WARNING
#define NOTICE   DIAGNOSE_NOTICE
#define FINE     DIAGNOSE_FINE
#define UNSEEN   DIAGNOSE_UNSEEN

static const struct trouble troubles[] = {
    {"master", FINE, "process 99", none},
    {"master", CRITICAL, "is dead", master_dies},
    {"master", CRITICAL, "no heartbeat for 5.0 s", master_hangs},
    {"master", CRITICAL, "before the last boot", other_boot},
    {"master", WARNING, "drover.conf:7", reload_fails},
    {"master", WARNING, "no such file", upgrade_fails},
    {"workers", CRITICAL, "slot 1 (process 101, stopped", worker_hangs},
    {"workers", CRITICAL, "slot 2 (process 102)", worker_dies},
    {"workers", WARNING, "2 of 3 workers", worker_missing},
    {"workers", WARNING, "1 workers drain", worker_drains},
    {"workers", WARNING, "1 workers died", deaths},
    {"close_wait", NOTICE, "workers that still serve them, slot 0 (process 100) 1.", closes_not},
    {"close_wait", WARNING, "40 connections are in CLOSE_WAIT, 20 were", closes_not_and_grows},
    {"close_wait", WARNING, "workers that stand still, slot 0 (process 100, stopped) 5.",
     closes_not_stopped},
    {"close_wait", WARNING, "nobody yet, 5 wait in the accept queue.", closes_not_queued},
    {"close_wait", WARNING, "no record claims them: slot 2 (process 102) 5.", closes_not_lost},
    {"close_wait", NOTICE, "the owner of 5 was not seen.", closes_not_unknown},
    {"time_wait", NOTICE, "1000 of them because the requests asked for it", many_wait},
    {"time_wait", FINE, "5000", many_wait_of_few},
    {"time_wait", WARNING, "131072 at most", all_wait},
    {"accept_queue", WARNING, "[2001:db8::1]:80 80 of 100", queue_near},
    {"accept_queue", FINE, "79 connections wait", queue_not_near},
    {"accept_queue", CRITICAL, "101 of 100", queue_full},
    {"accept_queue", CRITICAL, "101 of 100", queue_full_stopped},
    {"accept_queue", CRITICAL, "192.0.2.1:80 3", queue_drops},
    {"accept_queue", FINE, "7 were turned away", queue_dropped_once},
    {"leak", WARNING, "slot 1 (process 101) 1.", leaks},
    {"workers", CRITICAL, "slot 1", leaks_while_stopped},
    {"leak", WARNING, "slot 1 (process 101) 380 beside 120", leaks_files},
    {"descriptors", WARNING, "1700 of 2000", fds_near},
    {"descriptors", CRITICAL, "none left 1 times", fds_out},
    {"connections", WARNING, "800 of 1000", conns_near},
    {"connections", FINE, "799 of 1000", conns_not_near},
    {"connections", CRITICAL, "At least 299 of all 300 come from 192.0.2.66", conns_full},
    {"growth", WARNING, "from 100 to 300", grows},
    {"growth", NOTICE, "from 100 to 300", grows_slowly},
    {"retransmissions", NOTICE, "192.0.2.7:1234 1500 of 9000", resends},
    {"retransmissions", WARNING, "6000 of 100000", resends_much},
    {"retransmissions", WARNING, "20 connections get no acknowledgement", peers_vanish},
    {"zero_window", NOTICE, "192.0.2.7:1234 has read nothing for 4.0 s", reads_not},
    {"zero_window", WARNING, "100 of 300", all_read_not},
    {"ports", NOTICE, "17000 of 28232", ports_some},
    {"ports", WARNING, "23000 of 28232", ports_near},
    {"ports", CRITICAL, "28000 of 28232", ports_out},
    {"balance", WARNING, "slot 0 holds 300", skewed},
    {"balance", NOTICE, "slot 0 holds 200", skewed_little},
    {"loop_lag", NOTICE, "Slot 2", late_little},
    {"loop_lag", WARNING, "Slot 2", late},
    {"loop_lag", WARNING, "Slot 2", late_starved},
    {"loop_lag", WARNING, "Slot 0", late_beat},
    {"memory", CRITICAL, "no buffer was left 1 times", memory_out},
    {"memory", WARNING, "control group: 85 %", memory_near},
    {"memory", NOTICE, "from 10M to 50M", memory_grows},
    {"memory", CRITICAL, "of the machine: 98 %", memory_of_all},
    {"log", NOTICE, "5 access log lines", log_lost_once},
    {"log", WARNING, "5 access log lines", log_loses},
    {"deadlines", WARNING,
     "Server \"two\": request (5000ms) is shorter than header (60000ms), which it ends.",
     deadlines_clash},
    {"deadlines", WARNING, "Server \"two\": drain (60000ms) is shorter than request (90000ms)",
     deadlines_drain},
    {"deadlines", NOTICE, "\"one\"", deadlines_none},
    {"limits", NOTICE, "192.0.2.1:80 100 instead of 65535", backlog_cut},
    {"limits", WARNING, "with 2000 descriptors (RLIMIT_NOFILE) a worker holds 1000", few_fds},
    {"limits", NOTICE, "worker_connections is 1200", fewer_fds},
    {"limits", CRITICAL, "99 % used", conntrack_full},
    {"limits", NOTICE, "syncookies", cookies_off},
    {"limits", NOTICE, "abort_on_overflow", aborts},
    {"close_wait", UNSEEN, "built without libmnl", blind},
};

static const struct finding *find(const struct diagnosis *d, const struct trouble *t)
{
	for (size_t i = 0; i < d->count; i++)
		if (strcmp(d->all[i].check, t->check) == 0 && d->all[i].severity == t->severity &&
		    strstr(d->all[i].seen, t->seen) != NULL)
			return &d->all[i];
	return NULL;
}

static const char *all_of(const struct diagnosis *d, char out[8192])
{
	size_t used = 0;

	out[0] = '\0';
	for (size_t i = 0; i < d->count && used < 8000; i++)
		if (d->all[i].severity != DIAGNOSE_FINE)
			used += (size_t)snprintf(out + used, 8192 - used, "\n%s %s: %s",
						 diagnose_severity_name(d->all[i].severity),
						 d->all[i].check, d->all[i].seen);
	return out;
}

/* Names: a moment is nothing; for long, with an address and without. */
START_TEST(test_names)
{
	struct facts_name names[] = {
	    {"a.example:80", "api", "192.0.2.1:80", "Timeout", 29000000},
	    {"b.example:80", "api", "192.0.2.2:80", "Timeout", 31000000},
	    {"c.example:80", "api", "", "Domain name not found", 90000000},
	};
	static const struct trouble wanted[] = {
	    {"names", FINE, "No name", NULL},
	    {"names", WARNING,
	     "any more: b.example:80 of upstream \"api\" (for 31 s: Timeout, still "
	     "192.0.2.2:80).",
	     NULL},
	    {"names", CRITICAL,
	     "no address: c.example:80 of upstream \"api\" (for 90 s: Domain name not found).",
	     NULL},
	};
	struct diagnosis d;
	struct world x;

	for (size_t i = 0; i < 3; i++) {
		make_world(&x);
		x.f.names = names;
		x.f.names_count = i + 1;
		ck_assert_int_eq(diagnose(&x.f, &d), 0);
		ck_assert_msg(find(&d, &wanted[i]) != NULL, "%zu", i);
		ck_assert(i != 2 || find(&d, &wanted[1]) != NULL);
		diagnosis_free(&d);
	}
}
END_TEST

START_TEST(test_trouble)
{
	const struct trouble *t = &troubles[_i];
	const struct finding *found;
	struct diagnosis d;
	struct world x;
	char text[8192];

	make_world(&x);
	t->make(&x);
	ck_assert_int_eq(diagnose(&x.f, &d), 0);
	found = find(&d, t);
	ck_assert_msg(found != NULL, "%s, %s, \"%s\" is not among:%s", t->check,
		      diagnose_severity_name(t->severity), t->seen, all_of(&d, text));
	for (size_t i = 0; i < d.count; i++) {
		const struct finding *f = &d.all[i];

		ck_assert_msg(f->severity < NOTICE || strcmp(f->check, t->check) == 0,
			      "besides %s:%s", t->check, all_of(&d, text));
		ck_assert_msg(f->severity < NOTICE || (f->means[0] != '\0' && f->cure[0] != '\0'),
			      "%s says not what it means or what to do", f->check);
		ck_assert_msg(f->seen[0] != '\0', "%s has seen nothing", f->check);
	}
	ck_assert_int_eq(diagnosis_worst(&d) >= NOTICE, t->severity >= NOTICE);
	diagnosis_free(&d);
}
END_TEST

/* Whatever is made up, every check says something, the worst first. */
START_TEST(test_every_check_speaks)
{
	struct facts nothing = {0};
	struct diagnosis d;
	bool told;

	memset(&nothing.system, 0xff, sizeof(nothing.system));
	ck_assert_int_eq(diagnose(&nothing, &d), 0);
	for (size_t i = 0; diagnose_check(i) != NULL; i++) {
		told = false;
		for (size_t k = 0; k < d.count; k++)
			told |= strcmp(d.all[k].check, diagnose_check(i)) == 0;
		ck_assert_msg(told, "%s", diagnose_check(i));
	}
	for (size_t k = 1; k < d.count; k++)
		ck_assert_int_ge(d.all[k - 1].severity, d.all[k].severity);
	ck_assert_int_eq(diagnosis_worst(&d), DIAGNOSE_CRITICAL);
	diagnosis_free(&d);
}
END_TEST

/* Garbage numbers: no crash, and sanitizers are content. */
START_TEST(test_any_number)
{
	struct world x;
	struct diagnosis d;

	srand((unsigned)_i);
	make_world(&x);
	for (size_t i = 0; i < sizeof(x.w); i++)
		if (rand() % 3 == 0)
			((unsigned char *)x.w)[i] = rand() % 2 ? 0xff : (unsigned char)rand();
	for (unsigned i = 0; i < WORKERS; i++) {
		x.w[i].life = (enum view_life)(rand() % (VIEW_GONE + 1));
		x.w[i].ready = x.w[i].draining = x.w[i].torn = x.w[i].filled = x.w[i].again =
		    rand() % 2 != 0;
	}
	for (unsigned i = 0; i < TCPS_COUNT; i++)
		x.f.sockets.now[i] = rand() % 2 ? UINT64_MAX : (uint64_t)rand();
	x.f.sockets.stayed = x.f.conns = x.f.drain_ms = UINT64_MAX - (uint64_t)(rand() % 2);
	x.f.conns_before = (uint64_t)rand();
	x.l[0].queue = UINT64_MAX;
	x.u[0].used = UINT64_MAX;
	ck_assert_int_eq(diagnose(&x.f, &d), 0);
	diagnosis_free(&d);
}
END_TEST

START_TEST(test_causes)
{
	struct diagnosis d;
	struct world x;

	make_world(&x);
	queue_full_stopped(&x);
	ck_assert_int_eq(diagnose(&x.f, &d), 0);
	ck_assert_ptr_nonnull(strstr(d.all[0].means, "all workers stand still"));
	diagnosis_free(&d);
	make_world(&x);
	late_starved(&x);
	ck_assert_int_eq(diagnose(&x.f, &d), 0);
	ck_assert_ptr_nonnull(strstr(d.all[0].means, "waited for a processor 60 %"));
	diagnosis_free(&d);
	make_world(&x);
	ports_near(&x);
	ck_assert_int_eq(diagnose(&x.f, &d), 0);
	ck_assert_ptr_nonnull(strstr(d.all[0].cure, "keepalive"));
	diagnosis_free(&d);
}
END_TEST

START_TEST(test_list)
{
	struct diagnose_list l = {0};

	ck_assert_str_eq(diagnose_list_end(&l), "");
	diagnose_list(&l, "a");
	ck_assert_str_eq(diagnose_list_end(&l), "a");
	for (int i = 0; i < 6; i++)
		diagnose_list(&l, "%d", i);
	ck_assert_str_eq(diagnose_list_end(&l), "a, 0, 1, 2 and 3 more");
	memset(&l, 0, sizeof(l));
	for (int i = 0; i < 4; i++)
		diagnose_list(&l, "%300d", i);
	ck_assert_uint_lt(strlen(diagnose_list_end(&l)), sizeof(l.text));
}
END_TEST

START_TEST(test_deadlines)
{
	struct deadlines_clash clash[DEADLINES_CLASHES];
	struct deadlines d = {.min_rate = 1};

	ck_assert_uint_eq(deadlines_check(&d, clash), 1);
	ck_assert_uint_eq(clash[0].one, DEADLINE_MIN_RATE);
	ck_assert_str_eq(deadlines_name(clash[0].one), "min_rate_after");
	d.min_rate = 0;
	ck_assert_uint_eq(deadlines_check(&d, clash), 0);
	for (unsigned i = 0; i < DEADLINES_SETTINGS; i++)
		d.at_us[i] = 10000000;
	ck_assert_uint_eq(deadlines_check(&d, clash), 0);
	d.at_us[DEADLINE_REQUEST] = 9999000;
	ck_assert_uint_eq(deadlines_check(&d, clash), 2);
	ck_assert_str_eq(clash[0].text,
			 "request (9999ms) is shorter than header (10000ms), which it ends");
	ck_assert_str_eq(deadlines_name(DEADLINES_DRAIN), "drain");
	ck_assert_str_eq(deadlines_name(DEADLINES_SETTINGS), "?");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("diagnose");
	TCase *t = tcase_create("diagnose");
	SRunner *r;
	int failed;

	tcase_add_loop_test(t, test_trouble, 0, (int)DIM(troubles));
	tcase_add_test(t, test_every_check_speaks);
	tcase_add_loop_test(t, test_any_number, 0, 200);
	tcase_add_test(t, test_causes);
	tcase_add_test(t, test_list);
	tcase_add_test(t, test_names);
	tcase_add_test(t, test_deadlines);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? 0 : 1;
}
