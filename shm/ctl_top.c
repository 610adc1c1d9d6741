/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * droverctl top: the command, and its model, which is what two successive looks at the board tell.
 * Whatever happens to the daemon in between (stopped, killed, started anew with another board), a
 * figure that cannot be told is not told.
 */
#include "shm/ctl_top.h"

#include <errno.h>
#include <fnmatch.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "shm/rates.h"
#include "shm/times.h"

#define U64 "%" PRIu64

#define NOTICE_US 10000000

void top_notice(struct top *t, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(t->notice, sizeof(t->notice), fmt, ap);
	va_end(ap);
	t->notice_until_us = times_mono_us() + NOTICE_US;
}

static void forget_servers(struct top *t)
{
	for (uint32_t i = 0; i < t->servers_count; i++)
		free(t->servers[i]);
	free(t->servers);
	t->servers = NULL;
	t->servers_count = 0;
}

/* Nothing may point into a reader that is closed. */
static void forget_board(struct top *t)
{
	ctl_items_free(&t->items);
	ctl_items_free(&t->before);
	forget_servers(t);
	free(t->workers);
	t->workers = NULL;
	t->workers_count = 0;
	t->conns_count = 0;
	t->counters_count = 0;
	t->order_count = 0;
	t->seconds = 0;
	t->looks = 0;
}

/*
 * Another file may have the board's name, or none: with another one all begins anew; without any,
 * the old one, which is still open, is all there is to see.
 */
static void follow_board(struct top *t)
{
	struct ctl *c = t->c;
	struct reader *next;
	char why[256];

	if (!reader_stale(c->reader)) {
		t->gone = false;
		return;
	}
	next = reader_open(c->board, why, sizeof(why));
	t->gone = next == NULL;
	if (next == NULL)
		return;
	forget_board(t);
	ctl_close(c);
	c->reader = next;
	top_notice(t, "another board has taken its place: rates begin anew");
}

static int make_workers(struct top *t)
{
	uint32_t n = t->c->view.workers_count;
	struct top_worker *more;

	if (n <= t->workers_count)
		return 0;
	more = reallocarray(t->workers, n, sizeof(*more));
	if (more == NULL)
		return -1;
	memset(more + t->workers_count, 0, (n - t->workers_count) * sizeof(*more));
	t->workers = more;
	t->workers_count = n;
	return 0;
}

/* A worker's row outlives the worker: what its successor counts is added to it. */
static void look_at_worker(const struct top *t, const struct view_worker *v, struct top_worker *w,
			   const struct board_field *latency)
{
	uint64_t hist[HIST_BUCKETS] = {0}, since[HIST_BUCKETS];
	uint64_t requests = reader_row_u64(&v->row, "requests");
	uint64_t in = reader_row_u64(&v->row, "bytes_in");
	uint64_t out = reader_row_u64(&v->row, "bytes_out");
	double seconds = w->known ? t->seconds : 0;

	reader_hist(v->row.bytes, latency, hist);
	w->requests_s = rates_per_s(requests, w->requests, seconds);
	w->in_s = rates_per_s(in, w->in, seconds);
	w->out_s = rates_per_s(out, w->out, seconds);
	w->p99_us = NAN;
	if (seconds > 0 && rates_hist(hist, w->latency, since))
		w->p99_us = rates_quantile(since, 0.99);
	w->requests = requests;
	w->in = in;
	w->out = out;
	memcpy(w->latency, hist, sizeof(hist));
	w->lag_us = reader_row_u64(&v->row, "lag_us");
	w->idle = reader_row_u64(&v->row, "conns_idle");
	w->known = v->life != VIEW_NONE;
}

static void look_at_workers(struct top *t)
{
	const struct view *v = &t->c->view;
	const struct board_field *latency = reader_field(
	    v->reader, reader_table(v->reader, "worker"), "latency");

	for (uint32_t i = 0; i < v->workers_count; i++)
		if (v->workers[i].row.bytes != NULL)
			look_at_worker(t, &v->workers[i], &t->workers[i], latency);
}

/* The same place first, since rows seldom come and go; *at is where the search goes on. */
static const struct ctl_item *find_before(const struct ctl_items *before, size_t *at,
					  const struct ctl_item *item)
{
	for (size_t n = 0; n < before->count; n++) {
		size_t i = (*at + n) % before->count;

		if (before->all[i].field == item->field &&
		    strcmp(before->all[i].name, item->name) == 0) {
			*at = i + 1;
			return &before->all[i];
		}
	}
	return NULL;
}

static int list_counters(struct top *t)
{
	size_t n = 0, at = 0;
	struct top_counter *all;

	all = reallocarray(t->counters, t->items.count * CTL_HIST_FIGURES + 1, sizeof(*all));
	if (all == NULL)
		return -1;
	t->counters = all;
	for (size_t i = 0; i < t->items.count; i++) {
		const struct ctl_item *item = &t->items.all[i];
		const struct ctl_item *before = t->seconds > 0 ? find_before(&t->before, &at, item)
							       : NULL;
		unsigned figures = item->hist != NULL ? CTL_HIST_FIGURES : 1;

		for (unsigned k = 0; k < figures; k++)
			all[n++] = (struct top_counter){item, before, k};
	}
	t->counters_count = n;
	return 0;
}

int top_look(struct top *t)
{
	struct ctl *c = t->c;

	follow_board(t);
	if (view_load(&c->view, c->reader) != 0)
		return -1;
	t->seconds = 0;
	if (t->looks > 0 && c->view.now_us > t->looked_us)
		t->seconds = (double)(c->view.now_us - t->looked_us) / 1e6;
	t->looked_us = c->view.now_us;
	ctl_items_free(&t->before);
	t->before = t->items;
	c->all = t->all;
	forget_servers(t);
	if (ctl_items_collect(c, &t->items) != 0 || make_workers(t) != 0 ||
	    top_conns_collect(t) != 0 || list_counters(t) != 0)
		return -1;
	look_at_workers(t);
	t->looks++;
	return 0;
}

void top_free(struct top *t)
{
	forget_board(t);
	free(t->conns);
	free(t->counters);
	free(t->order);
}

bool top_anybody(const struct top *t)
{
	const struct view *v = &t->c->view;

	for (uint32_t i = 0; i < v->workers_count; i++)
		if (view_lives(&v->workers[i]))
			return true;
	return v->master_life == VIEW_ALIVE || v->master_life == VIEW_HUNG;
}

/* Names are words, or beginnings with a star behind them, with single spaces in between. */
bool top_item_matches(const struct ctl_item *item, const char *names)
{
	while (*names != '\0') {
		size_t n = strcspn(names, " ");

		if (n > 0 && names[n - 1] == '*') {
			if (strncmp(item->name, names, n - 1) == 0)
				return true;
		} else if (strncmp(item->name, names, n) == 0 && item->name[n] == '\0') {
			return true;
		}
		names += n;
		names += strspn(names, " ");
	}
	return false;
}

const struct ctl_item *top_item(const struct top *t, const char *name)
{
	for (size_t i = 0; i < t->items.count; i++)
		if (strcmp(t->items.all[i].name, name) == 0)
			return &t->items.all[i];
	return NULL;
}

const struct ctl_item *top_before(const struct top *t, const struct ctl_item *item)
{
	size_t at = (size_t)(item - t->items.all);

	return t->seconds > 0 ? find_before(&t->before, &at, item) : NULL;
}

uint64_t top_total(const struct top *t, const char *names)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < t->items.count; i++)
		if (top_item_matches(&t->items.all[i], names))
			sum += t->items.all[i].value;
	return sum;
}

/* If one of them is not known, the sum is not known either. */
double top_rate(const struct top *t, const char *names)
{
	double sum = 0;

	for (size_t i = 0; i < t->items.count; i++) {
		const struct ctl_item *item = &t->items.all[i], *before;

		if (!top_item_matches(item, names))
			continue;
		before = top_before(t, item);
		sum += before != NULL ? rates_per_s(item->value, before->value, t->seconds) : NAN;
	}
	return sum;
}

/* The histogram since the start or of the interval; false if there is none. */
static bool histogram(const struct top *t, const struct ctl_item *item, bool interval,
		      uint64_t out[HIST_BUCKETS])
{
	const struct ctl_item *before;

	if (item == NULL || item->hist == NULL)
		return false;
	if (!interval) {
		memcpy(out, item->hist, HIST_BUCKETS * sizeof(*out));
		return true;
	}
	before = top_before(t, item);
	return before != NULL && before->hist != NULL && rates_hist(item->hist, before->hist, out);
}

double top_quantile(const struct top *t, const struct ctl_item *item, bool interval, double q)
{
	uint64_t hist[HIST_BUCKETS];

	return histogram(t, item, interval, hist) ? rates_quantile(hist, q) : NAN;
}

uint64_t top_hist_count(const struct top *t, const struct ctl_item *item, bool interval)
{
	uint64_t hist[HIST_BUCKETS], sum = 0;

	if (histogram(t, item, interval, hist))
		for (unsigned i = 0; i < HIST_BUCKETS; i++)
			sum += hist[i];
	return sum;
}

static bool slot_is_filled(const struct view *v, uint32_t slot)
{
	for (uint32_t i = 0; i < v->workers_count; i++)
		if (v->workers[i].slot == slot && view_lives(&v->workers[i]))
			return true;
	return false;
}

struct top_census top_census(const struct top *t)
{
	const struct view *v = &t->c->view;
	struct top_census n = {.wanted = reader_row_u64(&v->master, "workers_wanted")};

	for (uint32_t i = 0; i < v->workers_count; i++) {
		const struct view_worker *w = &v->workers[i];

		n.ready += w->life == VIEW_ALIVE && strcmp(w->state, "ready") == 0;
		n.draining += view_lives(w) && strcmp(w->state, "draining") == 0;
		n.hung += w->life == VIEW_HUNG;
		n.dead += w->life == VIEW_DEAD && !slot_is_filled(v, w->slot);
	}
	return n;
}

const char *top_trouble(const struct top *t, char *out, size_t bytes)
{
	const struct view *v = &t->c->view;
	uint64_t pid = reader_row_u64(&v->master, "pid");
	char age[PRINT_SHORT];

	print_duration(view_age_us(v, v->master_heard_us), age);
	out[0] = '\0';
	if (!reader_same_boot(v->reader))
		snprintf(out, bytes, "OLD BOARD: from before the last boot, nothing of it runs");
	else if (v->master_life == VIEW_NONE)
		snprintf(out, bytes, "NO MASTER has written to this board yet");
	else if (v->master_life == VIEW_DEAD)
		snprintf(out, bytes, "DEAD: master " U64 ", last heard of %s ago; its board is %s",
			 pid, age, "all that is left");
	else if (v->master_life == VIEW_GONE)
		snprintf(out, bytes, "STOPPED %s ago: this is the board that it left", age);
	else if (v->master_life == VIEW_HUNG)
		snprintf(out, bytes, "HUNG: no heartbeat of master " U64 " for %s", pid, age);
	else if (t->gone)
		snprintf(out, bytes, "GONE: the board's file; this one is what was left open");
	return out;
}

/* The interval passes between two looks, unless nobody is left who could count anything. */
static int next_look(struct top *t)
{
	struct timespec wait;

	if (t->looks == 0 && top_look(t) != 0)
		return -1;
	if (t->c->limit <= 1 && !top_anybody(t))
		return 0;
	wait.tv_sec = (time_t)t->interval_s;
	wait.tv_nsec = (long)((t->interval_s - (double)wait.tv_sec) * 1e9);
	while (nanosleep(&wait, &wait) != 0 && errno == EINTR)
		;
	return top_look(t);
}

/* COLUMNS or LINES, if it is a number above 0. */
static unsigned from_environment(const char *name, unsigned otherwise)
{
	const char *text = getenv(name);
	char *end;
	unsigned long n = text != NULL ? strtoul(text, &end, 10) : 0;

	return text != NULL && *end == '\0' && n > 0 && n < 100000 ? (unsigned)n : otherwise;
}

/* For pipes, watch and cron: a list is as long as it is, unless LINES says how much room there is.
 */
static int print_page(struct top *t)
{
	unsigned width = print_width(stdout), lines = from_environment("LINES", 0);
	struct top_page page = {0};
	int status = CTL_OK;

	width = from_environment("COLUMNS", width != 0 ? width : TOP_WIDTH);
	top_page_make(t, &page, width, lines != 0 ? lines : SIZE_MAX);
	for (size_t i = 0; i < page.count; i++) {
		size_t n = strlen(page.lines[i].text);

		while (n > 0 && page.lines[i].text[n - 1] == ' ')
			n--;
		printf("%.*s\n", (int)n, page.lines[i].text);
	}
	if (page.failed)
		status = ctl_fail(t->c, CTL_USAGE, "%s", strerror(ENOMEM));
	top_page_free(&page);
	return status;
}

/* Text or JSON, once or -n times. */
static int print_all(struct top *t)
{
	uint64_t times = t->c->limit != 0 ? t->c->limit : 1;
	int status = CTL_OK;

	for (uint64_t i = 0; i < times && status == CTL_OK && !ferror(stdout); i++) {
		if (next_look(t) != 0)
			return ctl_fail(t->c, CTL_USAGE, "%s", strerror(ENOMEM));
		if (t->c->json)
			top_json(t);
		else
			status = print_page(t);
		fflush(stdout);
	}
	return status;
}

static int take_sort(struct top *t)
{
	const struct top_listing *listing = top_listing(t->view);
	struct top_list *list = &t->lists[t->view];
	const char *name = t->c->sort;

	list->reverse = name[0] == '-';
	name += list->reverse;
	for (unsigned i = 0; listing != NULL && i < listing->count; i++)
		if (strcmp(listing->columns[i].name, name) == 0) {
			list->sort = (int)i;
			return CTL_OK;
		}
	return ctl_fail(t->c, CTL_USAGE, "the view '%s' is not sorted by '%s'",
			top_view_name(t->view), name);
}

static int take_arguments(struct top *t)
{
	const struct ctl *c = t->c;

	if (c->args_count > 1)
		return ctl_fail(c, CTL_USAGE, "there is one VIEW at a time");
	if (c->args_count == 1 && c->json)
		return ctl_fail(c, CTL_USAGE,
				"-j prints everything, without VIEW: see also 'droverctl conns -j' "
				"and 'droverctl stat -j'");
	if (c->args_count == 1) {
		t->view = top_view_find(c->args[0]);
		if (t->view == TOP_VIEWS)
			return ctl_fail(c, CTL_USAGE,
					"no view '%s': overview, workers, connections, counters, "
					"slowest",
					c->args[0]);
	}
	return c->sort != NULL ? take_sort(t) : CTL_OK;
}

int ctl_top(struct ctl *c)
{
	struct top t = {
	    .c = c, .all = c->all, .interval_s = c->interval_s != 0 ? c->interval_s : 1};
	int status;

	for (int i = 0; i < TOP_VIEWS; i++)
		t.lists[i].sort = -1;
	t.once = c->once || c->json;
	status = take_arguments(&t);
	if (status != CTL_OK)
		return status;
	if (!t.once && (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO)))
		return ctl_fail(c, CTL_USAGE, "top needs a terminal; top -1 prints once");
	if (ctl_open(c) != CTL_OK)
		return CTL_USAGE;
	status = t.once ? print_all(&t) : top_screen(&t);
	top_free(&t);
	return status;
}
