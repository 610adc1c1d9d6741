/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * droverctl reload, reopen, rebalance, stop, upgrade: a signal to the master, then the board tells
 * what came of it. The master's part: on a request it counts it and sets its result to pending in
 * one write of its row, and later writes the result likewise.
 */
#include "shm/ctl.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "shm/alive.h"
#include "shm/times.h"

#define U64 "%" PRIu64

enum {
	STEP_MS = 20,
	PATIENCE_MS = 60000,
	DRAIN_MS = 30000
};

/* One request under way. */
struct act {
	struct ctl *c;
	uint64_t pid;
	uint64_t began_us;
	uint64_t end_us;
	uint64_t count; /* of requests before this one */
	const char *count_field, *result_field;
};

static int check_master(const struct ctl *c, uint64_t pid)
{
	const struct view *v = &c->view;
	char age[PRINT_SHORT];

	if (v->master_life == VIEW_NONE)
		return ctl_fail(c, CTL_USAGE, "%s names no master: nothing was done",
				reader_path(c->reader));
	if (v->master_life == VIEW_DEAD || v->master_life == VIEW_GONE)
		return ctl_fail(c, CTL_USAGE,
				"no drover runs here: its master, process " U64
				", is gone, last heard of %s ago; nothing was done",
				pid, print_duration(view_age_us(v, v->master_heard_us), age));
	if (!alive_belongs_to(pid, reader_owner(c->reader)) ||
	    (v->master_life == VIEW_HUNG && !alive_is_drover(pid)))
		return ctl_fail(c, CTL_USAGE,
				"process " U64 " is not the master of this board: nothing was done",
				pid);
	return CTL_OK;
}

/* By descriptor, where the kernel lets us: the process cannot become another one in between. */
static int send_signal(const struct ctl *c, uint64_t pid, int number)
{
	int fd = (int)syscall(SYS_pidfd_open, (pid_t)pid, 0);
	long err;

	if (fd >= 0 && alive_check(pid, c->view.master_heard_us))
		err = syscall(SYS_pidfd_send_signal, fd, number, NULL, 0);
	else
		err = kill((pid_t)pid, number);
	if (err != 0)
		err = errno;
	if (fd >= 0)
		close(fd);
	if (err != 0)
		return ctl_fail(c, CTL_USAGE, "cannot signal the master, process " U64 ": %s", pid,
				strerror((int)err));
	return CTL_OK;
}

/* Sixty seconds, and the drain that the master publishes, if it does. */
static uint64_t patience_us(const struct ctl *c)
{
	uint64_t drain_ms = DRAIN_MS;

	if (c->timeout_s != 0)
		return (uint64_t)(c->timeout_s * 1e6);
	if (reader_field(c->reader, reader_table(c->reader, "master"), "drain_ms") != NULL)
		drain_ms = reader_row_u64(&c->view.master, "drain_ms");
	return (PATIENCE_MS + drain_ms) * 1000;
}

static int begin(struct act *a, struct ctl *c, int number)
{
	int status = ctl_open(c);

	a->c = c;
	if (status != CTL_OK)
		return status;
	a->pid = reader_row_u64(&c->view.master, "pid");
	status = check_master(c, a->pid);
	if (status != CTL_OK)
		return status;
	/* A master that does not know the signal may die of it. */
	if (a->count_field != NULL &&
	    reader_field(c->reader, reader_table(c->reader, "master"), a->count_field) == NULL)
		return ctl_fail(c, CTL_USAGE,
				"this drover is of a version that cannot do it: nothing was done");
	if (a->count_field != NULL)
		a->count = reader_row_u64(&c->view.master, a->count_field);
	a->began_us = times_mono_us();
	a->end_us = a->began_us + patience_us(c);
	return send_signal(c, a->pid, number);
}

/* Waits a moment, then looks at the same board again: one made anew belongs to another daemon. */
static int look_again(const struct act *a)
{
	struct timespec step = {.tv_nsec = STEP_MS * 1000000};

	nanosleep(&step, NULL);
	if (view_load(&a->c->view, a->c->reader) != 0)
		return ctl_fail(a->c, CTL_USAGE, "%s", strerror(errno));
	return CTL_OK;
}

static double seconds(const struct act *a)
{
	return (double)(times_mono_us() - a->began_us) / 1e6;
}

static void begin_json(const struct act *a, struct json *j, const char *result)
{
	ctl_json(a->c, j);
	json_text(j, "result", result);
	json_u64(j, "pid", a->pid);
	json_real(j, "seconds", seconds(a));
}

/* Whether the master has answered this request; its row may be half written at any look. */
static bool answered(const struct act *a)
{
	const struct reader_row *master = &a->c->view.master;

	if (master->status != READER_OK || reader_row_u64(master, a->count_field) <= a->count)
		return false;
	return strcmp(reader_row_enum(master, a->result_field), "pending") != 0;
}

static int time_out(const struct act *a, const char *what)
{
	const struct view *v = &a->c->view;
	char age[PRINT_SHORT];

	if (v->master_life == VIEW_HUNG)
		return ctl_fail(a->c, CTL_TIMEOUT,
				"%s did not end within %.0f s: the master (process " U64
				") has had no heartbeat for %s",
				what, seconds(a), a->pid,
				print_duration(view_age_us(v, v->master_heard_us), age));
	return ctl_fail(a->c, CTL_TIMEOUT,
			"%s did not end within %.0f s, and goes on: see 'droverctl status'", what,
			seconds(a));
}

/* Waits for the answer to a request that the master counts. */
static int await_answer(const struct act *a, const char *what)
{
	for (;;) {
		if (look_again(a) != CTL_OK)
			return CTL_USAGE;
		if (answered(a))
			return CTL_OK;
		if (a->c->view.master_life == VIEW_DEAD || a->c->view.master_life == VIEW_GONE)
			return ctl_fail(a->c, CTL_WRONG,
					"the master, process " U64 ", ended before %s did", a->pid,
					what);
		if (times_mono_us() >= a->end_us)
			return time_out(a, what);
	}
}

static uint64_t workers_of(const struct view *v, uint64_t generation)
{
	uint64_t n = 0;

	for (uint32_t i = 0; i < v->workers_count; i++)
		n += view_lives(&v->workers[i]) && v->workers[i].generation == generation;
	return n;
}

static int reload_failed(const struct act *a)
{
	char error[600];
	struct json j;

	reader_row_text(&a->c->view.master, "reload_error", error, sizeof(error));
	if (a->c->json) {
		begin_json(a, &j, "failed");
		json_text(&j, "error", error);
		json_i64(&j, "exit", CTL_WRONG);
		json_finish(&j);
	} else {
		print_wrapped(stderr, "", 0, UINT16_MAX,
			      "reload failed; the old configuration serves on");
		print_wrapped(stderr, "", 0, UINT16_MAX, error);
	}
	return CTL_WRONG;
}

int ctl_reload(struct ctl *c)
{
	struct act a = {.count_field = "reloads", .result_field = "reload_result"};
	int status = begin(&a, c, SIGHUP);
	uint64_t generation, workers;
	struct json j;

	if (status == CTL_OK)
		status = await_answer(&a, "the reload");
	if (status != CTL_OK)
		return status;
	if (strcmp(reader_row_enum(&c->view.master, a.result_field), "ok") != 0)
		return reload_failed(&a);
	generation = reader_row_u64(&c->view.master, "generation");
	workers = workers_of(&c->view, generation);
	if (c->json) {
		begin_json(&a, &j, "ok");
		json_u64(&j, "generation", generation);
		json_u64(&j, "workers_replaced", workers);
		json_finish(&j);
	} else {
		printf("reloaded: generation " U64 ", " U64 " worker%s replaced in %.2f s\n",
		       generation, workers, workers == 1 ? "" : "s", seconds(&a));
	}
	return CTL_OK;
}

int ctl_reopen(struct ctl *c)
{
	struct act a = {.count_field = "reopens", .result_field = "reopen_result"};
	int status = begin(&a, c, SIGUSR1);
	const char *result;
	struct json j;

	if (status == CTL_OK)
		status = await_answer(&a, "reopening the logs");
	if (status != CTL_OK)
		return status;
	result = reader_row_enum(&c->view.master, a.result_field);
	status = strcmp(result, "ok") == 0 ? CTL_OK : CTL_WRONG;
	if (c->json) {
		begin_json(&a, &j, result);
		json_finish(&j);
	} else if (status == CTL_OK) {
		printf("logs reopened in %.2f s\n", seconds(&a));
	} else {
		fprintf(stderr, "droverctl: a log could not be reopened: see the error log\n");
	}
	return status;
}

/* An upgrade may put another board in the place of the one that is open. */
static int open_again(struct ctl *c)
{
	char why[256];
	struct reader *r;

	if (!reader_stale(c->reader))
		return CTL_OK;
	r = reader_open(reader_path(c->reader), why, sizeof(why));
	if (r == NULL)
		return CTL_OK; /* it is being replaced: the next look will tell */
	view_free(&c->view);
	reader_close(c->reader);
	c->reader = r;
	return CTL_OK;
}

static int await_upgrade(const struct act *a)
{
	int status = CTL_OK;

	while (status == CTL_OK) {
		open_again(a->c);
		if (look_again(a) != CTL_OK)
			return CTL_USAGE;
		if (answered(a))
			return CTL_OK;
		/* The process stays the same, and its name is of no help in between. */
		if (!alive_check(a->pid, 0))
			status = ctl_fail(
			    a->c, CTL_WRONG,
			    "the master, process " U64 ", ended before the upgrade did", a->pid);
		else if (times_mono_us() >= a->end_us)
			status = time_out(a, "the upgrade");
	}
	return status;
}

static int upgrade_failed(const struct act *a, const char *version)
{
	char error[600];
	struct json j;

	reader_row_text(&a->c->view.master, "upgrade_error", error, sizeof(error));
	if (a->c->json) {
		begin_json(a, &j, "failed");
		json_text(&j, "error", error);
		json_i64(&j, "exit", CTL_WRONG);
		json_text(&j, "version", version);
		json_finish(&j);
	} else {
		fprintf(stderr, "upgrade failed; drover %s serves on\n", version);
		print_wrapped(stderr, "", 0, UINT16_MAX, error);
	}
	return CTL_WRONG;
}

int ctl_upgrade(struct ctl *c)
{
	struct act a = {.count_field = "upgrades", .result_field = "upgrade_result"};
	int status = begin(&a, c, SIGUSR2);
	char before[64], after[64];
	uint64_t generation, workers;
	struct json j;

	if (status != CTL_OK)
		return status;
	reader_row_text(&c->view.master, "version", before, sizeof(before));
	status = await_upgrade(&a);
	if (status != CTL_OK)
		return status;
	reader_row_text(&c->view.master, "version", after, sizeof(after));
	if (strcmp(reader_row_enum(&c->view.master, a.result_field), "ok") != 0)
		return upgrade_failed(&a, after);
	generation = reader_row_u64(&c->view.master, "generation");
	workers = workers_of(&c->view, generation);
	if (c->json) {
		begin_json(&a, &j, "ok");
		json_text(&j, "from", before);
		json_text(&j, "version", after);
		json_u64(&j, "generation", generation);
		json_u64(&j, "workers_replaced", workers);
		json_finish(&j);
	} else {
		printf("upgraded: drover %s to %s, generation " U64 ", " U64
		       " worker%s replaced in %.2f s\n",
		       before, after, generation, workers, workers == 1 ? "" : "s", seconds(&a));
	}
	return CTL_OK;
}

int ctl_rebalance(struct ctl *c)
{
	struct act a = {.count_field = "rebalances", .result_field = "rebalance_result"};
	uint64_t moved = 0;
	struct json j;
	const char *result;
	int status = begin(&a, c, SIGRTMIN);

	if (status == CTL_OK) {
		moved = reader_row_u64(&c->view.master, "rebalanced");
		status = await_answer(&a, "rebalancing");
	}
	if (status != CTL_OK)
		return status;
	result = reader_row_enum(&c->view.master, a.result_field);
	moved = reader_row_u64(&c->view.master, "rebalanced") - moved;
	status = strcmp(result, "ok") == 0 ? CTL_OK : CTL_WRONG;
	if (c->json) {
		begin_json(&a, &j, result);
		json_u64(&j, "moved", moved);
		json_finish(&j);
	} else if (status == CTL_OK) {
		printf("rebalanced: " U64 " connection%s moved in %.2f s\n", moved,
		       moved == 1 ? "" : "s", seconds(&a));
	} else {
		fprintf(stderr, "droverctl: a worker did not give in time; " U64 " moved\n", moved);
	}
	return status;
}

/* Overwrites the line of the last second. */
static void print_progress(const struct act *a, uint64_t *shown_us)
{
	uint64_t now = times_mono_us(), left;

	if (a->c->json || a->c->raw || now - *shown_us < 1000000 || !isatty(STDOUT_FILENO))
		return;
	*shown_us = now;
	left = view_sum(&a->c->view, "conns");
	printf("\r\033[Kdraining: " U64 " connection%s left", left, left == 1 ? "" : "s");
	fflush(stdout);
}

static void clear_progress(uint64_t shown_us, uint64_t began_us)
{
	if (shown_us != began_us)
		printf("\r\033[K");
}

static int await_end(const struct act *a)
{
	uint64_t shown_us = a->began_us;
	int status = CTL_OK;

	while (status == CTL_OK && alive_check(a->pid, a->c->view.master_heard_us)) {
		if (times_mono_us() >= a->end_us) {
			clear_progress(shown_us, a->began_us);
			return time_out(a, "stopping");
		}
		print_progress(a, &shown_us);
		status = look_again(a);
	}
	clear_progress(shown_us, a->began_us);
	return status;
}

int ctl_stop(struct ctl *c)
{
	struct act a = {0};
	int status = begin(&a, c, c->now ? SIGINT : SIGTERM);
	uint64_t forced_before, forced;
	struct json j;

	if (status != CTL_OK)
		return status;
	forced_before = view_sum(&c->view, "drained_forced");
	status = await_end(&a);
	if (status != CTL_OK || (status = look_again(&a)) != CTL_OK)
		return status;
	forced = view_sum(&c->view, "drained_forced") - forced_before;
	if (c->json) {
		begin_json(&a, &j, "ok");
		json_u64(&j, "drained_forced", forced);
		json_finish(&j);
	} else if (forced != 0) {
		printf("stopped in %.2f s, " U64 " connections were cut\n", seconds(&a), forced);
	} else {
		printf("stopped in %.2f s\n", seconds(&a));
	}
	return CTL_OK;
}
