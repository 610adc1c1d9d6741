/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Checks on processes: do master and workers live, and do their loops turn.
 */
#include <inttypes.h>

#include "shm/diagnose.h"
#include "shm/print.h"

#define U64 "%" PRIu64

enum {
	LATE_US = 1500000, /* an idle loop turns once a second */
	LAG_NOTICE_US = 100000,
	LAG_WARNING_US = 500000,
	DRAIN_SLACK_US = 5000000
};

static void master_dead(const struct facts *f, struct diagnosis *d)
{
	char text[PRINT_SHORT];

	diagnose_add(d, DIAGNOSE_CRITICAL);
	if (!f->same_boot)
		diagnose_seen(d, "The board is from before the last boot.");
	else if (f->master_life == VIEW_NONE)
		diagnose_seen(d, "No master has written to this board yet.");
	else
		diagnose_seen(d, "Process " U64 " %s, last heard of %s ago.", f->master_pid,
			      f->master_life == VIEW_GONE ? "stopped as it was asked to"
							  : "is dead",
			      print_duration(f->master_heard_us, text));
	if (f->lives) {
		diagnose_means(d, "Its workers serve on for the time orphan, then they drain.");
		diagnose_cure(d, "Start drover again with the same run directory: it takes them "
				 "over with their connections. The log says why it died.");
		return;
	}
	diagnose_means(d, "The daemon does not run. What follows is how it was when it ended; its "
			  "sockets and processes are gone.");
	diagnose_cure(d,
		      "Start it. If nobody stopped it: its error log, and the kernel's (dmesg: "
		      "out of memory?), say why it died; droverctl --board FILE conns shows what "
		      "it was doing.");
}

static void master_hung(const struct facts *f, struct diagnosis *d)
{
	char text[PRINT_SHORT];

	diagnose_add(d, DIAGNOSE_CRITICAL);
	diagnose_seen(d, "The master (process " U64 ") has had no heartbeat for %s.", f->master_pid,
		      print_duration(f->master_heard_us, text));
	diagnose_means(d, "Workers serve on, but none is replaced, reloaded or stopped.");
	diagnose_cure(
	    d, "Is it stopped (ps: state T) or in a debugger? Then kill -CONT. Else kill -9 "
	       "it and start drover anew: it takes over the workers with their connections.");
}

static void last_failed(struct diagnosis *d, const char *what, const char *error)
{
	diagnose_add(d, DIAGNOSE_WARNING);
	diagnose_seen(d, "The last %s failed: %s", what, error);
	diagnose_means(d, "What was in force before it still is: changes made since do not count.");
	diagnose_cure(d, "Mend what is named and %s again (drover -t checks a configuration).",
		      what);
}

void diagnose_master(const struct facts *f, struct diagnosis *d)
{
	size_t before = d->count;
	char text[PRINT_SHORT];

	if (!f->same_boot || f->master_life == VIEW_NONE || f->master_life == VIEW_DEAD ||
	    f->master_life == VIEW_GONE)
		master_dead(f, d);
	else if (f->master_life == VIEW_HUNG)
		master_hung(f, d);
	if (f->master_torn) {
		diagnose_add(d, DIAGNOSE_NOTICE);
		diagnose_seen(d, "The master's row on the board is torn.");
		diagnose_means(d, "Its writer died or stopped in the middle of it: its words may "
				  "disagree.");
		diagnose_cure(d, "Nothing by itself: see whether the master lives.");
	}
	if (f->reload_failed)
		last_failed(d, "reload", f->reload_error);
	if (f->upgrade_failed)
		last_failed(d, "upgrade", f->upgrade_error);
	if (d->count > before)
		return;
	diagnose_add(d, DIAGNOSE_FINE);
	diagnose_seen(d, "The master (process " U64 ") was heard of %s ago.", f->master_pid,
		      print_duration(f->master_heard_us, text));
}

static const char *task_name(char task)
{
	switch (task) {
	case 'T':
	case 't':
		return ", stopped by a signal or a debugger";
	case 'D':
		return ", waiting for a disk or a file server";
	case 'R':
		return ", busy without end";
	default:
		return "";
	}
}

static void workers_hung(const struct facts *f, struct diagnosis *d)
{
	struct diagnose_list l = {0};
	char text[PRINT_SHORT];
	uint64_t conns = 0;

	for (size_t i = 0; i < f->workers_count; i++) {
		const struct facts_worker *w = &f->workers[i];

		if (w->life != VIEW_HUNG)
			continue;
		conns += w->conns;
		diagnose_list(&l, "slot %u (process " U64 "%s) for %s", w->slot, w->pid,
			      task_name(w->task), print_duration(w->heard_us, text));
	}
	if (l.count == 0)
		return;
	diagnose_add(d, DIAGNOSE_CRITICAL);
	diagnose_seen(d, "%u of the workers had no heartbeat: %s. They hold " U64 " connections.",
		      l.count, diagnose_list_end(&l), conns);
	diagnose_means(d, "Nothing of theirs is read, written or closed. The master ends a worker "
			  "that hangs for longer than the setting hang, and its standby goes on.");
	diagnose_cure(d, "Stopped: kill -CONT. Waiting for a disk: look at what root names (a "
			 "file server that does not answer?). Busy: take a stack (gdb -p, perf), "
			 "then kill -ABRT it.");
}

static void workers_dead(const struct facts *f, struct diagnosis *d)
{
	struct diagnose_list l = {0};
	char text[PRINT_SHORT];

	for (size_t i = 0; i < f->workers_count; i++) {
		const struct facts_worker *w = &f->workers[i];

		if (w->life == VIEW_DEAD && !w->filled)
			diagnose_list(&l, "slot %u (process " U64 ") for %s", w->slot, w->pid,
				      print_duration(w->heard_us, text));
	}
	if (l.count == 0)
		return;
	diagnose_add(d, DIAGNOSE_CRITICAL);
	diagnose_seen(d, "%u workers are dead and not replaced: %s.", l.count,
		      diagnose_list_end(&l));
	diagnose_means(d, "Their connections are lost. The master starts a new one, later each "
			  "time while they go on dying.");
	diagnose_cure(d, "The error log names the signal and the request of each death.");
}

static void workers_missing(const struct facts *f, struct diagnosis *d)
{
	uint64_t ready = 0;

	for (size_t i = 0; i < f->workers_count; i++)
		ready += f->workers[i].ready && view_life_lives(f->workers[i].life);
	if (f->master_life != VIEW_ALIVE || !f->running || ready >= f->workers_wanted)
		return;
	diagnose_add(d, ready == 0 ? DIAGNOSE_CRITICAL : DIAGNOSE_WARNING);
	diagnose_seen(d, U64 " of " U64 " workers are ready.", ready, f->workers_wanted);
	diagnose_means(d, "They die as soon as they start, or cannot be started.");
	diagnose_cure(d,
		      "The error log says why; look again in a moment if they are just starting.");
}

static void workers_draining(const struct facts *f, struct diagnosis *d)
{
	struct diagnose_list l = {0};
	char text[PRINT_SHORT];

	for (size_t i = 0; i < f->workers_count; i++) {
		const struct facts_worker *w = &f->workers[i];

		if (view_life_lives(w->life) && w->draining &&
		    w->draining_us > f->drain_ms * 1000 + DRAIN_SLACK_US)
			diagnose_list(
			    &l, "slot %u (process " U64 ") for %s with " U64 " connections",
			    w->slot, w->pid, print_duration(w->draining_us, text), w->conns);
	}
	if (l.count == 0)
		return;
	diagnose_add(d, DIAGNOSE_WARNING);
	diagnose_seen(d, "%u workers drain for longer than drain allows (" U64 " ms): %s.", l.count,
		      f->drain_ms, diagnose_list_end(&l));
	diagnose_means(d,
		       "A drain ends with the deadline whatever is left: this process is stuck.");
	diagnose_cure(d, "Take a stack (gdb -p) for a report, then kill it.");
}

static void workers_died(const struct facts *f, struct diagnosis *d)
{
	if (f->deaths.since == 0)
		return;
	diagnose_add(d, DIAGNOSE_WARNING);
	diagnose_seen(d, U64 " workers died in the last %.1f s, " U64 " since the start.",
		      f->deaths.since, f->interval_s, f->deaths.total);
	diagnose_means(d, "Something kills them: a defect, the kernel for want of memory, or you.");
	diagnose_cure(d, "The error log names the signal, and the request that was being served.");
}

void diagnose_workers(const struct facts *f, struct diagnosis *d)
{
	size_t before = d->count;

	if (!f->lives) {
		diagnose_add(d, DIAGNOSE_UNSEEN);
		diagnose_seen(d, "the daemon does not run");
		return;
	}
	workers_hung(f, d);
	workers_dead(f, d);
	workers_missing(f, d);
	workers_draining(f, d);
	workers_died(f, d);
	if (d->count > before)
		return;
	diagnose_add(d, DIAGNOSE_FINE);
	diagnose_seen(d, "All " U64 " workers are ready; " U64 " deaths since the start.",
		      f->workers_wanted, f->deaths.total);
}

/* How late the worker is, by whichever sign shows most. */
static uint64_t lag_of(const struct facts_worker *w)
{
	uint64_t lag = w->lag_us > w->turn_us ? w->lag_us : w->turn_us;
	uint64_t late = w->heard_us > LATE_US ? w->heard_us - LATE_US / 3 * 2 : 0;

	return lag > late ? lag : late;
}

static void lag_found(const struct facts *f, struct diagnosis *d, const struct facts_worker *worst,
		      unsigned late)
{
	char lag[PRINT_SHORT], heard[PRINT_SHORT];
	double waited = f->interval_s > 0 && worst->waited_us != FACTS_UNKNOWN
			    ? (double)worst->waited_us / f->interval_s / 1e4
			    : 0;

	diagnose_seen(d,
		      "Slot %u (process " U64 "%s): a turn of its loop took %s, its last "
		      "heartbeat was %s ago.",
		      worst->slot, worst->pid, task_name(worst->task),
		      print_duration(lag_of(worst), lag), print_duration(worst->heard_us, heard));
	if (late > 1)
		diagnose_seen(d, " %u more workers are late.", late - 1);
	diagnose_means(d, "Every connection of a worker waits for as long as a turn takes.");
	if (waited >= 20) {
		diagnose_means(d, " It waited for a processor %.0f %% of the time.", waited);
		diagnose_cure(d, "The processors are too few or taken: look at what else runs, at "
				 "processor limits of the container, at stolen time (vmstat).");
		return;
	}
	diagnose_cure(d, "A slow disk or file server behind root (state D), a stop by signal or "
			 "debugger, swapping: look at the process with perf or strace -r.");
}

void diagnose_lag(const struct facts *f, struct diagnosis *d)
{
	const struct facts_worker *worst = NULL;
	char text[PRINT_SHORT];
	unsigned late = 0;

	for (size_t i = 0; i < f->workers_count; i++) {
		const struct facts_worker *w = &f->workers[i];

		/* Those that hang are a finding of their own. */
		if (w->life != VIEW_ALIVE || !f->same_boot)
			continue;
		late += lag_of(w) >= LAG_NOTICE_US;
		if (worst == NULL || lag_of(w) > lag_of(worst))
			worst = w;
	}
	if (worst == NULL) {
		diagnose_add(d, DIAGNOSE_UNSEEN);
		diagnose_seen(d, "no worker's loop turns");
		return;
	}
	if (late > 0) {
		diagnose_add(d,
			     lag_of(worst) >= LAG_WARNING_US ? DIAGNOSE_WARNING : DIAGNOSE_NOTICE);
		lag_found(f, d, worst, late);
		return;
	}
	diagnose_add(d, DIAGNOSE_FINE);
	diagnose_seen(d, "The longest turn of a loop took %s.",
		      print_duration(lag_of(worst), text));
}
