/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * droverctl status: one screen that says first of all whether something is wrong. It judges by the
 * board and the process list; nobody is asked, so that a daemon that hangs is described like any
 * other.
 */
#include "shm/ctl.h"
#include "shm/ctl_blackbox.h"
#include "shm/ctl_peers.h"
#include "shm/ctl_peer_row.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#define U64 "%" PRIu64

enum {
	LABEL = 16,
	WIDTH = 80,
	PROBLEMS = 12,
	PROBER_LATE_US = 3000000,
	PROBLEM_BYTES = 800,
	LINE_BYTES = 1024
};

/* Everything on the screen, as numbers. */
struct status {
	const struct ctl *c;
	const struct reader_row *master;
	const char *state;
	uint64_t wanted, ready, draining, hung, dead, alive;
	uint64_t states[VIEW_STATES]; /* connections of workers that live */
	uint64_t conns;
	uint64_t latency[HIST_BUCKETS];
	struct ctl_peers peers;
	unsigned width;
	unsigned problems;
	char problem[PROBLEMS][PROBLEM_BYTES]; /* the first of them */
};

__attribute__((format(printf, 2, 3))) static void problem(struct status *s, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	if (s->problems < PROBLEMS)
		vsnprintf(s->problem[s->problems], PROBLEM_BYTES, fmt, ap);
	va_end(ap);
	s->problems++;
}

static bool is(const char *state, const char *other)
{
	return strcmp(state, other) == 0;
}

/* "12 s ago" of a time on the board. */
static const char *ago(const struct status *s, uint64_t us, char out[PRINT_SHORT])
{
	return us == 0 ? strcpy(out, "never")
		       : strcat(print_duration(view_age_us(&s->c->view, us), out), " ago");
}

static void judge_master(struct status *s)
{
	const struct view *v = &s->c->view;
	uint64_t pid = reader_row_u64(s->master, "pid");
	char text[PRINT_SHORT];

	if (!reader_same_boot(s->c->reader))
		problem(s, "this board is from before the last boot: nothing of it runs any more");
	else if (v->master_life == VIEW_NONE)
		problem(s, "no master has written to this board yet");
	else if (v->master_life == VIEW_DEAD)
		problem(s,
			"the master (process " U64 ") is dead, last heard of %s: these figures are "
			"from the board that it left behind",
			pid, ago(s, v->master_heard_us, text));
	else if (v->master_life == VIEW_GONE)
		problem(s,
			"drover stopped %s: these figures are from the board that it left behind",
			ago(s, v->master_heard_us, text));
	else if (v->master_life == VIEW_HUNG)
		problem(s, "the master (process " U64 "): no heartbeat for %s", pid,
			print_duration(view_age_us(v, v->master_heard_us), text));
	if (s->master->status == READER_TORN)
		problem(
		    s,
		    "the master's row is torn: its writer is dead, or stopped in the middle of it");
}

static void judge_reload(struct status *s)
{
	char when[PRINT_SHORT], error[600];

	if (!is(reader_row_enum(s->master, "reload_result"), "failed"))
		return;
	reader_row_text(s->master, "reload_error", error, sizeof(error));
	problem(s, "the last reload failed %s, and the old configuration serves on: %s",
		ago(s, reader_row_u64(s->master, "reload_us"), when), error);
}

static void judge_upgrade(struct status *s)
{
	char when[PRINT_SHORT], error[600];

	if (!is(reader_row_enum(s->master, "upgrade_result"), "failed"))
		return;
	reader_row_text(s->master, "upgrade_error", error, sizeof(error));
	problem(s, "the last upgrade failed %s, and the old program serves on: %s",
		ago(s, reader_row_u64(s->master, "upgrade_us"), when), error);
}

/* A dead worker whose slot another one fills is history: worker_deaths counts it. */
static bool slot_is_filled(const struct view *v, uint32_t slot)
{
	for (uint32_t i = 0; i < v->workers_count; i++)
		if (v->workers[i].slot == slot && view_lives(&v->workers[i]))
			return true;
	return false;
}

static void judge_worker(struct status *s, const struct view_worker *w)
{
	const struct view *v = &s->c->view;
	char text[PRINT_SHORT];

	s->alive += view_lives(w);
	if (w->life == VIEW_ALIVE && is(w->state, "ready"))
		s->ready++;
	if (view_lives(w) && is(w->state, "draining"))
		s->draining++;
	if (w->life == VIEW_HUNG) {
		s->hung++;
		problem(s, "the worker of slot %u (process " U64 "): no heartbeat for %s", w->slot,
			w->pid, print_duration(view_age_us(v, w->heard_us), text));
	}
	if (w->life == VIEW_DEAD && !slot_is_filled(v, w->slot)) {
		s->dead++;
		problem(s, "the worker of slot %u (process " U64 ") is dead, last heard of %s",
			w->slot, w->pid, ago(s, w->heard_us, text));
	}
	if (w->row.status == READER_TORN)
		problem(s,
			"the row of process " U64
			" is torn: its writer is dead, or stopped in the middle of it",
			w->pid);
}

/* Whom the checks hold to be down; what an operator said, or failures alone, come and go. */
static void judge_peers(struct status *s)
{
	struct ctl_named n;
	struct ctl_peer p;

	for (bool ok = ctl_named_first(&n, s->c, "peer", "address"); ok; ok = ctl_named_next(&n)) {
		ctl_peer_load(s->c, &n, &p);
		if (is(p.state, "down (check)"))
			problem(s, "peer %s of upstream %s is down by its checks: %s", p.address,
				p.upstream, p.reason);
	}
	ctl_named_free(&n);
}

static void judge_prober(struct status *s)
{
	uint64_t pid = reader_row_u64(s->master, "prober_pid");
	uint64_t beat = reader_row_u64(s->master, "prober_beat_us");
	char when[PRINT_SHORT];

	if (pid != 0 && view_age_us(&s->c->view, beat) > PROBER_LATE_US)
		problem(s, "the prober (process " U64 "), which checks peers: no heartbeat for %s",
			pid, print_duration(view_age_us(&s->c->view, beat), when));
}

static void judge(struct status *s, const struct ctl *c)
{
	const struct view *v = &c->view;
	const struct board_table *workers = reader_table(c->reader, "worker");

	s->c = c;
	s->master = &v->master;
	s->state = reader_row_enum(s->master, "state");
	s->wanted = reader_row_u64(s->master, "workers_wanted");
	judge_master(s);
	for (uint32_t i = 0; i < v->workers_count; i++) {
		judge_worker(s, &v->workers[i]);
		if (view_lives(&v->workers[i]))
			view_states(v, &v->workers[i], s->states);
	}
	if (v->master_life == VIEW_ALIVE && is(s->state, "running") && s->ready < s->wanted)
		problem(s, U64 " of " U64 " workers are ready", s->ready, s->wanted);
	judge_reload(s);
	judge_upgrade(s);
	if (v->master_life == VIEW_ALIVE) {
		judge_prober(s);
		judge_peers(s);
	}
	ctl_peers_load(c, &s->peers);
	if (s->peers.empty.count > 0 && view_life_lives(v->master_life))
		problem(s, "no peer takes requests: %s", s->peers.empty.text);
	s->conns = view_sum(v, "conns");
	view_hist(v, reader_field(c->reader, workers, "latency"), s->latency);
}

/* With -H, each is one line: its label, a tab, the text. For humans, more of the same needs no
 * label. */
__attribute__((format(printf, 4, 5))) static void line(const struct status *s, const char *label,
						       bool more, const char *fmt, ...)
{
	char text[LINE_BYTES], safe[4 * LINE_BYTES];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (s->c->raw)
		printf("%s\t%s\n", label, print_escape(text, strlen(text), safe, sizeof(safe)));
	else
		print_wrapped(stdout, more ? "" : label, LABEL, s->width, text);
}

/* "100 idle, 3 head, 1 send"; connections that are free are none. */
static const char *state_list(const struct status *s, const uint64_t states[VIEW_STATES], char *out,
			      size_t size)
{
	size_t used = 0;

	out[0] = '\0';
	for (unsigned i = 0; i < VIEW_STATES && used < size; i++) {
		const char *name = reader_enum_text(s->c->reader, "conn_state", i);

		if (states[i] == 0 || is(name, "free"))
			continue;
		used += (size_t)snprintf(out + used, size - used, "%s" U64 " %s",
					 used == 0 ? "" : ", ", states[i], name);
	}
	return out;
}

static void print_head(const struct status *s)
{
	const struct view *v = &s->c->view;
	char version[64], when[PRINT_SHORT];
	uint64_t pid = reader_row_u64(s->master, "pid");
	uint64_t started = reader_row_u64(s->master, "started_us");

	reader_row_text(s->master, "version", version, sizeof(version));
	if (v->master_life == VIEW_ALIVE || v->master_life == VIEW_HUNG)
		line(s, "drover", false, "%s, %s%s, up %s, master " U64 ", generation " U64,
		     version, s->state, v->master_life == VIEW_HUNG ? " (hung)" : "",
		     print_duration(view_age_us(v, started), when), pid,
		     reader_row_u64(s->master, "generation"));
	else
		line(s, "drover", false, "%s, NOT RUNNING, started %s, generation " U64, version,
		     ago(s, started, when), reader_row_u64(s->master, "generation"));
	for (unsigned i = 0; i < s->problems && i < PROBLEMS; i++)
		line(s, "WRONG", i > 0, "%s", s->problem[i]);
	if (s->problems > PROBLEMS)
		line(s, "WRONG", true, "and %u more, see 'droverctl workers'",
		     s->problems - PROBLEMS);
}

/* What came of the last reload or upgrade, if there was any. */
static void print_last(const struct status *s, const char *what)
{
	char title[32], field[48], when[2 * PRINT_SHORT];
	const char *result;
	uint64_t all;

	snprintf(field, sizeof(field), "%ss", what);
	all = reader_row_u64(s->master, field);
	if (all == 0)
		return;
	snprintf(field, sizeof(field), "%s_result", what);
	result = reader_row_enum(s->master, field);
	snprintf(field, sizeof(field), "%s_us", what);
	if (is(result, "pending"))
		strcpy(when, "under way");
	else if (is(result, "none"))
		strcpy(when, "since the last upgrade");
	else
		ago(s, reader_row_u64(s->master, field), when);
	snprintf(title, sizeof(title), "last %s", what);
	snprintf(field, sizeof(field), "%s_failures", what);
	line(s, title, false, "%s, %s (" U64 " %ss, " U64 " failed)", result, when, all, what,
	     reader_row_u64(s->master, field));
}

static void print_configuration(const struct status *s)
{
	char config[512], when[PRINT_SHORT];

	reader_row_text(s->master, "config", config, sizeof(config));
	line(s, "configuration", false, "%s, loaded %s", config[0] != '\0' ? config : "built in",
	     ago(s, reader_row_u64(s->master, "configured_us"), when));
	print_last(s, "reload");
	print_last(s, "upgrade");
}

static void print_workers(const struct status *s)
{
	const struct view *v = &s->c->view;
	char text[LINE_BYTES], when[PRINT_SHORT];

	line(s, "workers", false, U64 " of " U64 " ready, " U64 " draining, " U64 " died so far",
	     s->ready, s->wanted, s->draining, reader_row_u64(s->master, "worker_deaths"));
	for (uint32_t i = 0; i < v->workers_count; i++) {
		const struct view_worker *w = &v->workers[i];
		uint64_t states[VIEW_STATES] = {0};

		if (!view_lives(w) || !is(w->state, "draining"))
			continue;
		view_states(v, w, states);
		state_list(s, states, text, sizeof(text));
		line(s, "workers", true,
		     "slot %u (process " U64 ", generation " U64 ") draining for %s, holds " U64
		     " connections%s%s",
		     w->slot, w->pid, w->generation,
		     print_duration(view_age_us(v, w->drain_us), when), w->conns,
		     text[0] != '\0' ? ": " : "", text);
	}
}

/* Does it need a word on what it was doing: one that hangs, or that died and whose slot is empty?
 */
static bool is_stuck(const struct view *v, const struct view_worker *w)
{
	return w->life == VIEW_HUNG || (w->life == VIEW_DEAD && !slot_is_filled(v, w->slot));
}

static void print_stuck(const struct status *s)
{
	const struct view *v = &s->c->view;
	char states_text[LINE_BYTES], when[PRINT_SHORT];
	bool more = false;

	for (uint32_t i = 0; i < v->workers_count; i++) {
		const struct view_worker *w = &v->workers[i];
		uint64_t states[VIEW_STATES] = {0};
		struct ctl_doing doing;

		if (!is_stuck(v, w))
			continue;
		view_states(v, w, states);
		state_list(s, states, states_text, sizeof(states_text));
		ctl_doing_read(&doing, s->c->reader, w);
		line(s, "last seen", more,
		     "slot %u (process " U64 ", generation " U64
		     ") was %s, is %s, last beat %s: %s%s",
		     w->slot, w->pid, w->generation, w->state, view_life_name(w->life),
		     ago(s, w->heard_us, when),
		     doing.touching[0] != '\0' ? "was serving " : "was serving nobody",
		     doing.touching);
		more = true;
		if (states_text[0] != '\0')
			line(s, "last seen", true, "slot %u held %s", w->slot, states_text);
		if (doing.slowest[0] != '\0')
			line(s, "last seen", true, "slot %u had in flight " U64 ", the longest %s",
			     w->slot, doing.in_flight, doing.slowest);
	}
}

/* The request that is under way for the longest, of workers that live. */
static void print_slowest(const struct status *s)
{
	const struct view *v = &s->c->view;
	struct ctl_doing slowest = {0};

	for (uint32_t i = 0; i < v->workers_count; i++) {
		struct ctl_doing doing;

		if (!view_lives(&v->workers[i]))
			continue;
		ctl_doing_read(&doing, s->c->reader, &v->workers[i]);
		if (doing.slowest_us != 0 &&
		    (slowest.slowest_us == 0 || doing.slowest_us < slowest.slowest_us))
			slowest = doing;
	}
	if (slowest.slowest_us != 0)
		line(s, "slowest now", false, "%s", slowest.slowest);
}

static void print_traffic(const struct status *s)
{
	const struct view *v = &s->c->view;
	char text[LINE_BYTES], p50[PRINT_SHORT], p99[PRINT_SHORT], in[PRINT_SHORT],
	    out[PRINT_SHORT];

	state_list(s, s->states, text, sizeof(text));
	line(s, "connections", false, U64 " open%s%s; " U64 " accepted", s->conns,
	     text[0] != '\0' ? ": " : "", text, view_sum(v, "accepts"));
	line(s, "requests", false, U64 ": " U64 " 2xx, " U64 " 3xx, " U64 " 4xx, " U64 " 5xx",
	     view_sum(v, "requests"), view_sum(v, "responses_2xx"), view_sum(v, "responses_3xx"),
	     view_sum(v, "responses_4xx"), view_sum(v, "responses_5xx"));
	line(s, "traffic", false, "%s bytes in, %s bytes out",
	     print_size(view_sum(v, "bytes_in"), in), print_size(view_sum(v, "bytes_out"), out));
	line(s, "latency", false, "p50 %s, p99 %s",
	     print_duration((uint64_t)hist_quantile(s->latency, 0.5), p50),
	     print_duration((uint64_t)hist_quantile(s->latency, 0.99), p99));
	if (s->peers.used > 0)
		line(s, "peers", false, "%u of %u take requests%s%s", s->peers.up, s->peers.used,
		     s->peers.troubled.count > 0 ? "; not: " : "", s->peers.troubled.text);
	line(s, "lost", false, U64 " log lines; accepting paused " U64 " times",
	     view_sum(v, "log_lines_lost"), view_sum(v, "accept_pauses"));
}

static void json_master(const struct status *s, struct json *j)
{
	static const char *const texts[] = {"version", "config", "reload_error", "upgrade_error"};
	static const char *const numbers[] = {
	    "pid",     "generation",      "workers_wanted", "worker_deaths",   "worker_hangs",
	    "reloads", "reload_failures", "upgrades",       "upgrade_failures"};
	static const char *const times[] = {"started", "configured", "beat", "reload", "upgrade"};
	char text[600], field[32];

	json_object(j, "master");
	json_text(j, "life", view_life_name(s->c->view.master_life));
	json_text(j, "state", s->state);
	json_text(j, "reload_result", reader_row_enum(s->master, "reload_result"));
	json_text(j, "upgrade_result", reader_row_enum(s->master, "upgrade_result"));
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		json_text(j, texts[i], reader_row_text(s->master, texts[i], text, sizeof(text)));
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		json_u64(j, numbers[i], reader_row_u64(s->master, numbers[i]));
	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		snprintf(field, sizeof(field), "%s_us", times[i]);
		ctl_json_time(s->c, j, times[i], reader_row_u64(s->master, field));
	}
	json_end(j);
}

static void json_states(const struct status *s, struct json *j, const uint64_t states[VIEW_STATES])
{
	json_object(j, "states");
	for (unsigned i = 0; i < VIEW_STATES; i++) {
		const char *name = reader_enum_text(s->c->reader, "conn_state", i);

		if (!is(name, "?") && !is(name, "free"))
			json_u64(j, name, states[i]);
	}
	json_end(j);
}

static void json_workers(const struct status *s, struct json *j)
{
	const struct view *v = &s->c->view;

	json_object(j, "workers");
	json_u64(j, "wanted", s->wanted);
	json_u64(j, "ready", s->ready);
	json_u64(j, "hung", s->hung);
	json_u64(j, "dead", s->dead);
	json_array(j, "draining");
	for (uint32_t i = 0; i < v->workers_count; i++) {
		const struct view_worker *w = &v->workers[i];
		uint64_t states[VIEW_STATES] = {0};

		if (!view_lives(w) || !is(w->state, "draining"))
			continue;
		view_states(v, w, states);
		json_object(j, NULL);
		json_u64(j, "slot", w->slot);
		json_u64(j, "pid", w->pid);
		json_u64(j, "generation", w->generation);
		ctl_json_time(s->c, j, "drain", w->drain_us);
		json_u64(j, "conns", w->conns);
		json_states(s, j, states);
		json_end(j);
	}
	json_end(j);
	json_end(j);
}

/* What each process was doing, whether it lives or not. */
static void json_doing(const struct status *s, struct json *j)
{
	const struct view *v = &s->c->view;

	json_array(j, "doing");
	for (uint32_t i = 0; i < v->workers_count; i++) {
		const struct view_worker *w = &v->workers[i];
		uint64_t states[VIEW_STATES] = {0};
		struct ctl_doing doing;

		if (!view_lives(w) && !is_stuck(v, w))
			continue;
		ctl_doing_read(&doing, s->c->reader, w);
		view_states(v, w, states);
		json_object(j, NULL);
		json_u64(j, "slot", w->slot);
		json_u64(j, "pid", w->pid);
		json_u64(j, "generation", w->generation);
		json_text(j, "state", w->state);
		json_text(j, "life", view_life_name(w->life));
		ctl_json_time(s->c, j, "beat", w->heard_us);
		json_u64(j, "in_flight", doing.in_flight);
		json_text(j, "serving", doing.touching);
		json_text(j, "slowest", doing.slowest);
		json_states(s, j, states);
		json_end(j);
	}
	json_end(j);
}

static void json_traffic(const struct status *s, struct json *j)
{
	static const char *const sums[] = {
	    "accepts",       "requests", "responses_2xx", "responses_3xx",  "responses_4xx",
	    "responses_5xx", "bytes_in", "bytes_out",     "log_lines_lost", "accept_pauses",
	};

	json_object(j, "connections");
	json_u64(j, "conns", s->conns);
	json_states(s, j, s->states);
	json_end(j);
	json_object(j, "totals");
	for (size_t i = 0; i < sizeof(sums) / sizeof(sums[0]); i++)
		json_u64(j, sums[i], view_sum(&s->c->view, sums[i]));
	json_end(j);
	json_object(j, "peers");
	json_u64(j, "used", s->peers.used);
	json_u64(j, "up", s->peers.up);
	json_u64(j, "troubled", s->peers.troubled.count);
	json_end(j);
	json_object(j, "latency");
	for (unsigned i = 0; i < CTL_HIST_FIGURES; i++)
		json_u64(j, ctl_hist_name(i), ctl_hist_figure(s->latency, i));
	json_end(j);
}

static void print_json(const struct status *s)
{
	struct json j;

	ctl_json(s->c, &j);
	json_bool(&j, "well", s->problems == 0);
	json_array(&j, "problems");
	for (unsigned i = 0; i < s->problems && i < PROBLEMS; i++)
		json_text(&j, NULL, s->problem[i]);
	json_end(&j);
	json_text(&j, "board", reader_path(s->c->reader));
	json_bool(&j, "same_boot", reader_same_boot(s->c->reader));
	json_master(s, &j);
	json_workers(s, &j);
	json_doing(s, &j);
	json_traffic(s, &j);
	json_finish(&j);
}

int ctl_status(struct ctl *c)
{
	static struct status s;

	if (ctl_open(c) != CTL_OK)
		return CTL_USAGE;
	judge(&s, c);
	s.width = print_width(stdout);
	if (s.width == 0 || s.width > WIDTH)
		s.width = WIDTH;
	if (c->json) {
		print_json(&s);
	} else {
		print_head(&s);
		print_configuration(&s);
		print_workers(&s);
		print_stuck(&s);
		print_traffic(&s);
		print_slowest(&s);
	}
	return s.problems == 0 ? CTL_OK : CTL_WRONG;
}
