/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The first view of droverctl top: traffic, errors and expiries as rates and totals; latency;
 * connections by state; the slowest requests in flight. Beside each other where there is room, else
 * one below the other.
 */
#include "shm/ctl_top.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "shm/rates.h"

#define U64 "%" PRIu64

enum {
	LINES = 64,
	LEFT = 40,   /* columns of the figures */
	ROOMY = 18,  /* lines from which there is room for empty ones */
	BOTH = 76,   /* columns that both halves need */
	SLOWEST = 10 /* listed where nobody says how much room there is */
};

/* What is counted together under one name. help: where a single field does not say it. */
static const struct figure {
	const char *label;
	const char *name;  /* in JSON */
	const char *names; /* see top_item_matches() */
	bool bytes;
	const char *help;
} figures[] = {
    {"requests", "requests", "requests", false, NULL},
    {"  2xx", "responses_2xx", "responses_2xx", false, NULL},
    {"  3xx", "responses_3xx", "responses_3xx", false, NULL},
    {"  4xx", "responses_4xx", "responses_4xx", false, NULL},
    {"  5xx", "responses_5xx", "responses_5xx", false, NULL},
    {"bytes in", "bytes_in", "bytes_in", true, NULL},
    {"bytes out", "bytes_out", "bytes_out", true, NULL},
    {"accepted", "accepted", "accepts", false, NULL},
    {"refused", "refused", "refused_*", false,
     "Requests refused as malformed or too large, for whatever reason"},
    {"aborted", "aborted", "close_client_abort close_reset", false,
     "Connections that their clients ended in the middle of something"},
    {"errors", "errors", "responses_5xx close_error close_lost close_no_room file_errors", false,
     "Failures on this side: 5xx, and connections and files that failed"},
    {"expired", "expired", "expired_*", false,
     "Deadlines that passed; that of idle connections is normal"},
    {"accept pauses", "accept_pauses", "accept_pauses", false, NULL},
    {"log lines lost", "log_lines_lost", "log_lines_lost", false, NULL},
};

#define FIGURES (sizeof(figures) / sizeof(figures[0]))

/* Lines that are put together before they are shown. */
struct block {
	char text[LINES][TOP_CELL];
	enum top_attr attr[LINES];
	size_t count;
};

__attribute__((format(printf, 3, 4))) static void add(struct block *b, enum top_attr attr,
						      const char *fmt, ...)
{
	va_list ap;

	if (b->count == LINES)
		return;
	va_start(ap, fmt);
	vsnprintf(b->text[b->count], TOP_CELL, fmt, ap);
	va_end(ap);
	b->attr[b->count++] = attr;
}

size_t top_overview_figures(void)
{
	return FIGURES;
}

const char *top_overview_figure(size_t i, const char **names_out)
{
	*names_out = figures[i].names;
	return figures[i].name;
}

static void add_figures(const struct top *t, struct block *b)
{
	add(b, TOP_TITLE, "%-15s %10s %12s", "", "A SECOND", "TOTAL");
	for (size_t i = 0; i < FIGURES; i++) {
		const struct figure *f = &figures[i];
		double rate = top_rate(t, f->names);
		uint64_t total = top_total(t, f->names);
		char left[PRINT_SHORT], right[PRINT_SHORT];

		if (f->bytes)
			add(b, TOP_PLAIN, "%-15s %10s %12s", f->label, rates_bytes(rate, left),
			    print_size(total, right));
		else
			add(b, TOP_PLAIN, "%-15s %10s %12s", f->label, rates_number(rate, left),
			    rates_total(total, right));
	}
}

static void add_quantile(const struct top *t, struct block *b, const char *label, const char *name,
			 double q)
{
	const struct ctl_item *item = top_item(t, name);
	char left[PRINT_SHORT], right[PRINT_SHORT];

	add(b, TOP_PLAIN, "%-9s %12s %13s", label,
	    rates_duration(top_quantile(t, item, true, q), left),
	    rates_duration(top_quantile(t, item, false, q), right));
}

static void add_latency(const struct top *t, struct block *b, bool gaps)
{
	char last[PRINT_SHORT] = "LAST -";

	if (t->seconds > 0)
		snprintf(last, sizeof(last), "LAST %.1f s", t->seconds);
	add(b, TOP_TITLE, "%-9s %12s %13s", "LATENCY", last, "SINCE START");
	add_quantile(t, b, "p50", "latency", 0.5);
	add_quantile(t, b, "p90", "latency", 0.9);
	add_quantile(t, b, "p99", "latency", 0.99);
	add_quantile(t, b, "p99.9", "latency", 0.999);
	add_quantile(t, b, "loop p99", "turn", 0.99);
	if (gaps)
		add(b, TOP_PLAIN, "%s", "");
}

static void add_states(const struct top *t, struct block *b, bool gaps)
{
	const struct view *v = &t->c->view;
	char cell[64], text[128] = "";
	unsigned cells = 0;

	add(b, TOP_TITLE, "CONNECTIONS  " U64 " of " U64, view_sum(v, "conns"),
	    view_sum(v, "conns_max"));
	for (unsigned i = 0; i < VIEW_STATES; i++) {
		const char *name = reader_enum_text(v->reader, "conn_state", i);

		if (strcmp(name, "?") == 0 || strcmp(name, "free") == 0)
			continue;
		snprintf(cell, sizeof(cell), "%-10.10s %6" PRIu64 "   ", name, t->states[i]);
		strcat(text, cell);
		if (++cells % 2 == 0) {
			add(b, TOP_PLAIN, "%s", text);
			text[0] = '\0';
		}
	}
	if (text[0] != '\0')
		add(b, TOP_PLAIN, "%s", text);
	if (gaps)
		add(b, TOP_PLAIN, "%s", "");
}

static int longer(const void *left, const void *right)
{
	const struct top_conn *a = *(const struct top_conn *const *)left;
	const struct top_conn *b = *(const struct top_conn *const *)right;
	uint64_t x = top_conn_age_us(a, a->request_us), y = top_conn_age_us(b, b->request_us);

	return (x < y) - (x > y);
}

static void add_slowest(const struct top *t, struct block *b, size_t most)
{
	const struct top_conn **all = calloc(t->conns_count + 1, sizeof(*all));
	size_t n = 0;

	for (size_t i = 0; all != NULL && i < t->conns_count; i++)
		if (t->conns[i].in_flight)
			all[n++] = &t->conns[i];
	if (n > 1)
		qsort(all, n, sizeof(const struct top_conn *), longer);
	add(b, TOP_TITLE, "SLOWEST OF %zu IN FLIGHT", n);
	for (size_t i = 0; i < n && i < most; i++) {
		const char *request = all[i]->request[0] != '\0' ? all[i]->request : "-";
		char age[PRINT_SHORT], safe[4 * sizeof(all[i]->request)];

		add(b, TOP_PLAIN, "%7s %-9.9s %s",
		    print_duration(top_conn_age_us(all[i], all[i]->request_us), age), all[i]->state,
		    print_escape(request, strlen(request), safe, sizeof(safe)));
	}
	free(all);
}

/* Both halves, line by line. */
static void put_beside(struct top *t, struct top_page *page, const struct block *left,
		       const struct block *right, size_t rows)
{
	size_t selected = t->lists[TOP_OVERVIEW].selected + 1;
	size_t count = left->count > right->count ? left->count : right->count;

	for (size_t i = 0; i < count && i < rows; i++) {
		const char *a = i < left->count ? left->text[i] : "";
		const char *b = i < right->count ? right->text[i] : "";
		bool title = i < right->count && right->attr[i] == TOP_TITLE;
		struct top_line *line = top_page_add(page, i == 0 ? TOP_TITLE : TOP_PLAIN,
						     "%-*s %s", LEFT, a, b);

		if (i == selected && !t->once) {
			line->mark_count = LEFT - 1;
			line->mark = TOP_SELECTED;
		} else if (i > 0 && title && line->text != NULL && strlen(line->text) > LEFT) {
			line->mark_at = LEFT + 1;
			line->mark_count = (unsigned)strlen(line->text) - LEFT - 1;
			line->mark = TOP_TITLE;
		}
	}
}

/* The last figure selected, all that is below it shows. */
static void put_below(struct top *t, struct top_page *page, const struct block *left,
		      const struct block *right, size_t rows)
{
	struct top_list *list = &t->lists[TOP_OVERVIEW];
	size_t count = left->count + right->count, selected = list->selected + 1, show = selected;

	if (list->selected + 1 == FIGURES)
		show = count - 1;
	else if (list->selected == 0)
		show = 0;
	list->first = t->once ? 0 : columns_scroll(list->first, show, count, rows);
	for (size_t i = list->first; i < count && i - list->first < rows; i++) {
		bool below = i >= left->count;
		const char *text = below ? right->text[i - left->count] : left->text[i];
		enum top_attr attr = below ? right->attr[i - left->count] : left->attr[i];

		top_page_add(page, i == selected && !t->once ? TOP_SELECTED : attr, "%s", text);
	}
}

void top_overview(struct top *t, struct top_page *page, size_t rows)
{
	static struct block left, right;
	size_t room;

	left.count = right.count = 0;
	t->body_rows = rows;
	add_figures(t, &left);
	add_latency(t, &right, rows >= ROOMY);
	add_states(t, &right, rows >= ROOMY);
	room = rows == SIZE_MAX || page->width < BOTH ? SLOWEST
	       : rows > right.count + 1               ? rows - right.count - 1
						      : 0;
	add_slowest(t, &right, room);
	if (page->width >= BOTH)
		put_beside(t, page, &left, &right, rows);
	else
		put_below(t, page, &left, &right, rows);
}

/* The items of the figure that are not 0, for those that add several up. */
static void list_parts(const struct top *t, const struct figure *f, char *out, size_t bytes)
{
	size_t used = strlen(out);
	bool any = false;

	for (size_t i = 0; i < t->items.count && used + 64 < bytes; i++) {
		const struct ctl_item *item = &t->items.all[i];
		const struct ctl_item *before;
		char rate[PRINT_SHORT];

		if (!top_item_matches(item, f->names) || item->value == 0)
			continue;
		before = top_before(t, item);
		used += (size_t)snprintf(
		    out + used, bytes - used, "%s%.40s " U64 " (%s/s)",
		    any ? ", " : " Now: ", item->name, item->value,
		    rates_number(
			before != NULL ? rates_per_s(item->value, before->value, t->seconds) : NAN,
			rate));
		any = true;
	}
}

void top_overview_describe(struct top *t, struct top_page *page, size_t most)
{
	const struct figure *f = &figures[t->lists[TOP_OVERVIEW].selected % FIGURES];
	const struct ctl_item *item = top_item(t, f->names);
	char text[2048];

	if (f->help == NULL && item != NULL) {
		top_page_field(page, most, item->name, item->field);
		return;
	}
	if (most == 0 || f->help == NULL)
		return;
	top_page_add(page, TOP_TITLE, "%s (counters)", f->label);
	snprintf(text, sizeof(text), "%s.", f->help);
	list_parts(t, f, text, sizeof(text));
	top_page_wrap(page, TOP_PLAIN, most - 1, text);
}
