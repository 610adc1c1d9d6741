/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * droverctl stat: lines of name and value, once or every few seconds as rates. The list of all
 * names (-l) is made in shm/ctl_fields.c.
 */
#include "shm/ctl.h"

#include <errno.h>
#include <fnmatch.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "shm/suggest.h"

#define U64 "%" PRIu64

enum {
	NAME_BYTES = 300
};

/* Where a line goes: one of the two. */
struct sink {
	const struct ctl *c;
	struct json *json;
	int width;      /* of names */
	unsigned limit; /* of lines; 0: none */
};

/* A pattern asks for what is usually shown; a plain name asks for just that. */
static bool matches(const struct ctl *c, const struct ctl_item *item, const char *name)
{
	bool usual = c->all || item->field->level <= BOARD_FULL;

	for (int i = 0; i < c->args_count; i++)
		if (strcmp(c->args[i], name) == 0 || (usual && fnmatch(c->args[i], name, 0) == 0))
			return true;
	return false;
}

/* "latency.p50" of a histogram "latency". */
static const char *figure_name(const struct ctl_item *item, unsigned i, char out[NAME_BYTES])
{
	snprintf(out, NAME_BYTES, "%s.%s", item->name, ctl_hist_name(i));
	return out;
}

/* Whether the item is wanted; figure < CTL_HIST_FIGURES is that of a histogram. */
static bool wanted(const struct ctl *c, const struct ctl_item *item, unsigned figure)
{
	char name[NAME_BYTES];

	if (c->args_count == 0)
		return c->all || item->field->level <= BOARD_FULL;
	if (matches(c, item, item->name))
		return true;
	return item->hist != NULL && matches(c, item, figure_name(item, figure, name));
}

/* One name of the command line against all there are. */
static int check_name(const struct ctl *c, const char *arg, const char *const *names, size_t n)
{
	const char *near;

	for (size_t i = 0; i < n; i++)
		if (fnmatch(arg, names[i], 0) == 0)
			return CTL_OK;
	near = suggest_nearest(arg, names, n);
	if (near != NULL)
		return ctl_fail(c, CTL_USAGE, "nothing is called '%s': did you mean '%s'?", arg,
				near);
	return ctl_fail(c, CTL_USAGE, "nothing is called '%s': see 'droverctl stat -l'", arg);
}

/* All names that may be asked for; *n_out of them, which the caller frees. NULL: no memory. */
static char **all_names(const struct ctl_items *items, size_t *n_out)
{
	char **names = calloc(items->count * (CTL_HIST_FIGURES + 1) + 1, sizeof(*names));
	char name[NAME_BYTES];
	size_t n = 0;

	if (names == NULL)
		return NULL;
	for (size_t i = 0; i < items->count; i++) {
		const struct ctl_item *item = &items->all[i];

		names[n] = strdup(item->name);
		n += names[n] != NULL;
		for (unsigned k = 0; item->hist != NULL && k < CTL_HIST_FIGURES; k++) {
			names[n] = strdup(figure_name(item, k, name));
			n += names[n] != NULL;
		}
	}
	*n_out = n;
	return names;
}

/* A misspelt name would otherwise look like a counter that never moves. */
static int check_names(const struct ctl *c, const struct ctl_items *items)
{
	int status = CTL_OK;
	size_t n = 0;
	char **names;

	if (c->args_count == 0)
		return CTL_OK;
	names = all_names(items, &n);
	if (names == NULL)
		return ctl_fail(c, CTL_USAGE, "%s", strerror(errno));
	for (int i = 0; i < c->args_count && status == CTL_OK; i++)
		status = check_name(c, c->args[i], (const char *const *)names, n);
	for (size_t i = 0; i < n; i++)
		free(names[i]);
	free(names);
	return status;
}

/* For humans: the value has what is left of the line, and the name at least a third of it. */
static void put_line(const struct sink *s, char *name, const char *value)
{
	size_t length = strlen(value), room;

	if (s->limit == 0) {
		printf("%-*s %s\n", s->width, name, value);
		return;
	}
	room = s->limit > length + 1 ? s->limit - length - 1 : 0;
	if (room < s->limit / 3)
		room = s->limit / 3;
	if (room < 3)
		room = 3;
	print_shorten(name, room);
	printf("%-*s %.*s\n", (int)room < s->width ? (int)room : s->width, name,
	       (int)(s->limit > room ? s->limit - room - 1 : 0), value);
}

static void put_text(const struct sink *s, const char *name, const char *value)
{
	char left[4 * NAME_BYTES], right[4 * 1024];

	if (s->json != NULL) {
		json_text(s->json, name, value);
		return;
	}
	print_escape(name, strlen(name), left, sizeof(left));
	print_escape(value, strlen(value), right, sizeof(right));
	if (s->c->raw)
		printf("%s\t%s\n", left, right);
	else
		put_line(s, left, right);
}

static void put_u64(const struct sink *s, const char *name, uint64_t value)
{
	char text[PRINT_SHORT];

	if (s->json != NULL) {
		json_u64(s->json, name, value);
		return;
	}
	snprintf(text, sizeof(text), U64, value);
	put_text(s, name, text);
}

static void put_rate(const struct sink *s, const char *name, double rate)
{
	char text[PRINT_SHORT];

	if (s->json != NULL) {
		json_real(s->json, name, rate);
		return;
	}
	snprintf(text, sizeof(text), s->c->raw ? "%.3f" : "%.1f", rate);
	put_text(s, name, text);
}

static void put_time(const struct sink *s, const char *name, uint64_t us)
{
	char text[PRINT_SHORT + 8], age[PRINT_SHORT], base[NAME_BYTES];
	size_t length = strlen(name);

	if (s->json != NULL) {
		if (length > 3 && strcmp(name + length - 3, "_us") == 0)
			length -= 3;
		snprintf(base, sizeof(base), "%.*s", (int)length, name);
		ctl_json_time(s->c, s->json, base, us);
		return;
	}
	if (s->c->raw) {
		put_u64(s, name, us);
		return;
	}
	snprintf(text, sizeof(text), "%s ago", print_duration(view_age_us(&s->c->view, us), age));
	put_text(s, name, us == 0 ? "never" : text);
}

static void put_hist(const struct sink *s, const struct ctl_item *item, const uint64_t *hist)
{
	char name[NAME_BYTES];

	for (unsigned i = 0; i < CTL_HIST_FIGURES; i++)
		if (wanted(s->c, item, i))
			put_u64(s, figure_name(item, i, name), ctl_hist_figure(hist, i));
}

static void put_item(const struct sink *s, const struct ctl_item *item)
{
	if (item->hist != NULL)
		put_hist(s, item, item->hist);
	else if (!wanted(s->c, item, 0))
		return;
	else if (item->text != NULL)
		put_text(s, item->name, item->text);
	else if (item->field->kind == BOARD_TIME)
		put_time(s, item->name, item->value);
	else
		put_u64(s, item->name, item->value);
}

/* The item of the last look; the same place first, since rows seldom come and go. */
static const struct ctl_item *find_before(const struct ctl_items *before, size_t at,
					  const char *name)
{
	if (at < before->count && strcmp(before->all[at].name, name) == 0)
		return &before->all[at];
	for (size_t i = 0; i < before->count; i++)
		if (strcmp(before->all[i].name, name) == 0)
			return &before->all[i];
	return NULL;
}

/* What was counted since; a counter that is lower than before began anew. */
static uint64_t growth(uint64_t now, uint64_t before)
{
	return now >= before ? now - before : now;
}

static void put_counter_rate(const struct sink *s, const struct ctl_items *before, size_t at,
			     const struct ctl_item *item, double seconds)
{
	const struct ctl_item *old = find_before(before, at, item->name);

	if (item->field->kind == BOARD_COUNTER && wanted(s->c, item, 0))
		put_rate(s, item->name,
			 (double)growth(item->value, old != NULL ? old->value : 0) / seconds);
}

/* Histograms of the interval, and everything else that is no counter as it is. */
static void put_other(const struct sink *s, const struct ctl_items *before, size_t at,
		      const struct ctl_item *item)
{
	const struct ctl_item *old = find_before(before, at, item->name);
	uint64_t since[HIST_BUCKETS];

	if (item->hist != NULL) {
		for (unsigned i = 0; i < HIST_BUCKETS; i++)
			since[i] = growth(item->hist[i], old != NULL ? old->hist[i] : 0);
		put_hist(s, item, since);
	} else if (item->field->kind == BOARD_GAUGE) {
		put_item(s, item);
	}
}

static void put_all(const struct sink *s, const struct ctl_items *items)
{
	if (s->json != NULL)
		json_object(s->json, "values");
	for (size_t i = 0; i < items->count; i++)
		put_item(s, &items->all[i]);
	if (s->json != NULL)
		json_finish(s->json);
}

static void put_interval(const struct sink *s, const struct ctl_items *before,
			 const struct ctl_items *items, double seconds)
{
	if (s->json != NULL) {
		json_real(s->json, "interval_s", seconds);
		json_object(s->json, "rates");
	}
	for (size_t i = 0; i < items->count; i++)
		put_counter_rate(s, before, i, &items->all[i], seconds);
	if (s->json != NULL) {
		json_end(s->json);
		json_object(s->json, "values");
	}
	for (size_t i = 0; i < items->count; i++)
		put_other(s, before, i, &items->all[i]);
	if (s->json != NULL)
		json_finish(s->json);
	else if (!s->c->raw)
		putchar('\n');
	fflush(stdout);
}

static int name_width(const struct ctl *c, const struct ctl_items *items)
{
	size_t width = 0;

	for (size_t i = 0; i < items->count; i++) {
		size_t n = strlen(items->all[i].name);

		if (items->all[i].hist != NULL)
			n += sizeof(".count") - 1;
		if (n > width && wanted(c, &items->all[i], 0))
			width = n;
	}
	return width > 60 ? 60 : (int)width;
}

static struct sink make_sink(const struct ctl *c, struct json *j, const struct ctl_items *items)
{
	struct sink s = {.c = c, .width = name_width(c, items), .limit = print_width(stdout)};

	if (c->json) {
		ctl_json(c, j);
		s.json = j;
	}
	return s;
}

static void wait_until(struct timespec *when, double step_s)
{
	int64_t ns = when->tv_nsec + (int64_t)(step_s * 1e9);

	when->tv_sec += ns / 1000000000;
	when->tv_nsec = ns % 1000000000;
	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, when, NULL) == EINTR)
		;
}

/* Prints rates for ever, or -n times. A board that was made anew begins with zeros. */
static int watch(struct ctl *c, struct ctl_items *before)
{
	struct timespec when;
	struct ctl_items items;
	struct json j;
	uint64_t then = c->view.now_us;
	bool fresh;

	clock_gettime(CLOCK_MONOTONIC, &when);
	for (uint64_t i = 0; c->limit == 0 || i < c->limit; i++) {
		struct sink s;

		wait_until(&when, c->interval_s);
		if (ctl_look(c, &fresh) != CTL_OK)
			return CTL_USAGE;
		if (fresh)
			ctl_items_free(before);
		if (ctl_items_collect(c, &items) != 0) {
			ctl_items_free(&items);
			return ctl_fail(c, CTL_USAGE, "%s", strerror(errno));
		}
		s = make_sink(c, &j, &items);
		put_interval(&s, before, &items, (double)(c->view.now_us - then) / 1e6);
		then = c->view.now_us;
		ctl_items_free(before);
		*before = items;
		if (ferror(stdout))
			return CTL_OK;
	}
	return CTL_OK;
}

int ctl_stat(struct ctl *c)
{
	struct ctl_items items = {0};
	struct json j;
	int status;

	if (c->list || c->mdoc)
		return ctl_fields(c);
	if (c->limit != 0 && c->interval_s == 0)
		return ctl_fail(c, CTL_USAGE, "-n COUNT goes with -i SECONDS");
	if (ctl_open(c) != CTL_OK)
		return CTL_USAGE;
	if (ctl_items_collect(c, &items) != 0)
		status = ctl_fail(c, CTL_USAGE, "%s", strerror(errno));
	else
		status = check_names(c, &items);
	if (status == CTL_OK && c->interval_s != 0) {
		status = watch(c, &items);
	} else if (status == CTL_OK) {
		struct sink s = make_sink(c, &j, &items);

		put_all(&s, &items);
	}
	ctl_items_free(&items);
	return status;
}
