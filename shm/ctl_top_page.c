/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A page of droverctl top: header, tabs, the view, a description of what is selected, and a foot,
 * for any width and height. The smaller it is, the more of what surrounds the view is left out.
 */
#include "shm/ctl_top.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "shm/rates.h"
#include "shm/times.h"

#define U64 "%" PRIu64

enum {
	LINE_BYTES = TOP_WIDTH_MAX + 1,
	TEXT_BYTES = 4096,
	PANE = 5,       /* lines of the description */
	PANE_FROM = 12, /* for views of at least so many lines */
	SMALL = 9       /* pages lower than this have no foot and one line of header */
};

static struct top_line *new_line(struct top_page *page)
{
	if (page->count == page->room) {
		size_t room = page->room == 0 ? 64 : page->room * 2;
		struct top_line *more = reallocarray(page->lines, room, sizeof(*more));

		if (more == NULL)
			return NULL;
		page->lines = more;
		page->room = room;
	}
	memset(&page->lines[page->count], 0, sizeof(*page->lines));
	return &page->lines[page->count];
}

struct top_line *top_page_add(struct top_page *page, enum top_attr attr, const char *fmt, ...)
{
	static struct top_line nowhere;
	struct top_line *line = new_line(page);
	char text[LINE_BYTES];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	text[page->width < TOP_WIDTH_MAX ? page->width : TOP_WIDTH_MAX] = '\0';
	for (char *at = text; *at != '\0'; at++)
		if ((unsigned char)*at < 0x20 || (unsigned char)*at >= 0x7f)
			*at = '?';
	if (line == NULL || (line->text = strdup(text)) == NULL) {
		page->failed = true;
		return &nowhere;
	}
	page->count++;
	line->attr = attr;
	return line;
}

void top_page_free(struct top_page *page)
{
	for (size_t i = 0; i < page->count; i++)
		free(page->lines[i].text);
	free(page->lines);
	memset(page, 0, sizeof(*page));
}

/* How much of the text goes on a line: up to a space, if there is one. */
static size_t line_length(const char *text, size_t room)
{
	size_t n = strlen(text);

	if (n <= room)
		return n;
	for (n = room; n > 0; n--)
		if (text[n] == ' ')
			return n;
	return room;
}

void top_page_wrap(struct top_page *page, enum top_attr attr, size_t most, const char *text)
{
	size_t room = page->width > 0 ? page->width : 1;

	for (size_t i = 0; i < most && *text != '\0'; i++) {
		size_t n = line_length(text, room);

		if (i + 1 == most && text[n] != '\0' && n > 3)
			top_page_add(page, attr, "%.*s...", (int)(n + 3 > room ? room - 3 : n),
				     text);
		else
			top_page_add(page, attr, "%.*s", (int)n, text);
		text += n;
		text += strspn(text, " ");
	}
}

void top_page_field(struct top_page *page, size_t most, const char *name,
		    const struct board_field *f)
{
	const char *unit = f->kind == BOARD_ENUM ? "" : f->unit;
	char text[TEXT_BYTES];

	if (most == 0)
		return;
	top_page_add(page, TOP_TITLE, "%s (%s%s%s)", name, ctl_kind_name(f->kind),
		     unit[0] != '\0' ? ", " : "", unit);
	snprintf(text, sizeof(text), "%s.%s%s", f->help, f->advice[0] != '\0' ? " " : "",
		 f->advice);
	top_page_wrap(page, TOP_PLAIN, most - 1, text);
}

/* Marks a part of the line, if it is there. */
static void mark(struct top_line *line, const char *part, enum top_attr attr)
{
	const char *at = line->text != NULL ? strstr(line->text, part) : NULL;

	if (at == NULL || part[0] == '\0')
		return;
	line->mark_at = (unsigned)(at - line->text);
	line->mark_count = (unsigned)strlen(part);
	line->mark = attr;
}

static void put_daemon(const struct top *t, struct top_page *page)
{
	const struct view *v = &t->c->view;
	bool lives = v->master_life == VIEW_ALIVE || v->master_life == VIEW_HUNG;
	uint64_t started = reader_row_u64(&v->master, "started_us");
	const char *state = lives ? reader_row_enum(&v->master, "state") : "NOT RUNNING";
	char version[64], safe[4 * 64], age[PRINT_SHORT] = "-";
	struct top_line *line;

	reader_row_text(&v->master, "version", version, sizeof(version));
	print_escape(version, strlen(version), safe, sizeof(safe));
	if (started != 0)
		print_duration(
		    view_age_us(v, lives ? started : v->now_us - (v->master_heard_us - started)),
		    age);
	line = top_page_add(page, TOP_PLAIN,
			    "drover %s  %s  %s %s  generation " U64 "  master " U64, safe, state,
			    lives ? "up" : "ran", age, reader_row_u64(&v->master, "generation"),
			    reader_row_u64(&v->master, "pid"));
	mark(line, state, lives ? TOP_TITLE : TOP_LOUD);
}

static void put_workers(const struct top *t, struct top_page *page, bool small)
{
	struct top_census n = top_census(t);
	char bad[64] = "", rates[PRINT_SHORT + 16] = "";
	struct top_line *line;

	if (n.hung != 0 && n.dead != 0)
		snprintf(bad, sizeof(bad), U64 " HUNG, " U64 " DEAD, ", n.hung, n.dead);
	else if (n.hung != 0 || n.dead != 0)
		snprintf(bad, sizeof(bad), U64 " %s, ", n.hung + n.dead,
			 n.hung != 0 ? "HUNG" : "DEAD");
	if (small && bad[0] == '\0')
		return;
	if (t->seconds > 0)
		snprintf(rates, sizeof(rates), "  rates of %.1f s", t->seconds);
	line = top_page_add(
	    page, TOP_PLAIN,
	    "workers %s" U64 " of " U64 " ready, " U64 " draining%s  conns " U64 "%s", bad, n.ready,
	    n.wanted, n.draining, bad[0] == '\0' ? ", 0 hung, 0 dead" : "",
	    view_sum(&t->c->view, "conns"), rates);
	if (bad[0] != '\0')
		bad[strlen(bad) - 2] = '\0';
	mark(line, bad, TOP_LOUD);
}

/* What is wrong stands out; else what is worth knowing for some seconds. */
static void put_trouble(const struct top *t, struct top_page *page)
{
	char text[TOP_NOTICE];

	if (top_trouble(t, text, sizeof(text))[0] != '\0')
		top_page_add(page, TOP_LOUD, "%-*s", (int)page->width, text);
	else if (t->notice[0] != '\0' && times_mono_us() < t->notice_until_us)
		top_page_add(page, TOP_TITLE, "%s", t->notice);
}

static void put_tabs(const struct top *t, struct top_page *page)
{
	bool names = page->width >= 66;
	char text[LINE_BYTES] = "", tab[64] = "", here[64] = "";
	const char *state = t->paused ? "PAUSED" : "";

	for (int i = 0; i < TOP_VIEWS; i++) {
		bool current = i == (int)t->view;

		snprintf(tab, sizeof(tab), "%s%d%s%s%s", current ? "[" : " ", i + 1,
			 names || current ? " " : "",
			 names || current ? top_view_name((enum top_view)i) : "",
			 current ? "]" : " ");
		strcat(text, tab);
		if (current)
			strcpy(here, tab);
	}
	mark(top_page_add(page, TOP_PLAIN, "%s %s", text, state), here, TOP_SELECTED);
}

static void put_foot(const struct top *t, struct top_page *page)
{
	static const char keys[] = "? help  q quit";
	const struct top_list *list = &t->lists[t->view];
	const struct top_listing *listing = top_listing(t->view);
	char text[LINE_BYTES], safe[4 * TOP_FILTER + 1];
	size_t n = 0;

	print_escape(list->filter, strlen(list->filter), safe, sizeof(safe));
	if (t->typing) {
		top_page_add(page, TOP_TITLE, "filter: %s_  (Enter keeps, Esc clears)", safe);
		return;
	}
	n = (size_t)snprintf(text, sizeof(text), "every %g s", t->interval_s);
	if (t->paused)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "  PAUSED");
	if (listing != NULL)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "  %zu rows", t->order_count);
	if (listing != NULL && list->sort >= 0)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "  by %s",
				      listing->columns[list->sort].name);
	if (listing != NULL && list->reverse)
		n += (size_t)snprintf(text + n, sizeof(text) - n, " reversed");
	if (listing != NULL && safe[0] != '\0')
		n += (size_t)snprintf(text + n, sizeof(text) - n, "  filter '%s'", safe);
	if (t->all)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "  all");
	if (t->zeros && t->view == TOP_COUNTERS)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "  no zeros");
	if (n + 2 + sizeof(keys) - 1 <= page->width)
		top_page_add(page, TOP_TITLE, "%-*s%s", (int)(page->width - sizeof(keys) + 1), text,
			     keys);
	else
		top_page_add(page, TOP_TITLE, "%-*s", (int)page->width, text);
}

static void put_help(struct top *t, struct top_page *page, size_t rows)
{
	static const char *const lines[] = {
	    "1 to 5    views (Tab: the next one)",
	    "s  S      sort by next column, reverse",
	    "/         filter (Enter keeps, Esc ends)",
	    "arrows    select; PgUp PgDn Home End",
	    "p  space  pause; look now",
	    "+  -      look more often, less often",
	    "a         all: debug level, dead, unused",
	    "z         leave out counters that are 0",
	    "d         descriptions on, off",
	    "q         quit (or ctrl-C)",
	    "",
	    "LEFT      until the state's deadline",
	    "TIME      of the request, so far",
	    "BEAT      since the last heartbeat",
	    "LAG       longest turn of the last second",
	    "INTERVAL  what the last interval brought",
	    "-         cannot be told",
	};
	size_t count = sizeof(lines) / sizeof(lines[0]);

	t->help_first = columns_scroll(t->help_first, t->help_first, count, rows);
	for (size_t i = t->help_first; i < count && i - t->help_first < rows; i++)
		top_page_add(page, TOP_PLAIN, "%s", lines[i]);
}

/* Titles and rows. */
static void put_list(struct top *t, struct top_page *page, size_t rows)
{
	const struct top_listing *listing = top_listing(t->view);
	struct top_list *list = &t->lists[t->view];
	struct column columns[COLUMNS_MAX];
	unsigned widths[COLUMNS_MAX];
	char text[LINE_BYTES] = "", cell[TOP_CELL];
	struct top_line *line;

	for (unsigned i = 0; i < listing->count; i++) {
		columns[i] = listing->columns[i].l;
		if (listing->ranks != NULL)
			columns[i].rank = listing->ranks[i];
	}
	columns_fit(columns, listing->count, page->width, widths);
	t->hidden = 0;
	for (unsigned i = 0; i < listing->count; i++)
		t->hidden |= widths[i] == 0 ? 1U << i : 0;
	for (unsigned i = 0; i < listing->count; i++)
		columns_put(text, sizeof(text), &columns[i], widths[i], columns[i].title);
	line = top_page_add(page, TOP_TITLE, "%-*s", (int)page->width, text);
	if (list->sort >= 0 && widths[list->sort] != 0)
		mark(line, columns[list->sort].title, TOP_SELECTED);
	t->body_rows = rows > 1 ? rows - 1 : 0;
	list->first = columns_scroll(list->first, list->selected, t->order_count, t->body_rows);
	for (size_t r = list->first; r < t->order_count && r - list->first < t->body_rows; r++) {
		size_t row = t->order[r];
		bool selected = !t->once && r == list->selected;

		text[0] = '\0';
		for (unsigned i = 0; i < listing->count; i++)
			if (widths[i] != 0)
				columns_put(text, sizeof(text), &columns[i], widths[i],
					    listing->cell(t, row, i, cell));
		top_page_add(page,
			     selected                ? TOP_SELECTED
			     : listing->loud(t, row) ? TOP_LOUD
						     : TOP_PLAIN,
			     "%-*s", (int)page->width, text);
	}
	if (t->order_count == 0 && t->body_rows > 0)
		top_page_add(page, TOP_FAINT, "%s",
			     list->filter[0] != '\0' ? "nothing passes the filter" : "nothing now");
}

static void describe_counter(const struct top *t, struct top_page *page, size_t most, size_t row)
{
	const struct ctl_item *item = t->counters[row].item;
	char name[TOP_CELL];

	print_escape(item->name, strlen(item->name), name, sizeof(name));
	top_page_field(page, most, name, item->field);
}

static void describe_conn(struct top *t, struct top_page *page, size_t most, size_t row)
{
	const struct top_conn *conn = &t->conns[row];
	const struct view_worker *w = &t->c->view.workers[conn->worker];
	char peer[TOP_CELL], server[TOP_CELL], request[TOP_CELL], in[PRINT_SHORT], out[PRINT_SHORT],
	    since[PRINT_SHORT], text[TEXT_BYTES];
	const char *name = top_conn_server(t, conn);

	print_escape(name, strlen(name), server, sizeof(server));
	print_escape(conn->request, strlen(conn->request), request, sizeof(request));
	top_page_add(page, TOP_TITLE, "connection " U64 " of slot %u (process " U64 ") from %s",
		     conn->id, w->slot, w->pid, top_conn_peer(conn, peer, sizeof(peer)));
	snprintf(text, sizeof(text),
		 "%s for %s, " U64 " requests, %s in, %s out, server %s, status %u: %s",
		 conn->state, print_duration(top_conn_age_us(conn, conn->since_us), since),
		 conn->requests, print_size(conn->in, in), print_size(conn->out, out), server,
		 conn->status, request[0] != '\0' ? request : "no request yet");
	top_page_wrap(page, TOP_PLAIN, most - 1, text);
}

/* Of the column that workers are sorted by. */
static void describe_worker(const struct top *t, struct top_page *page, size_t most)
{
	const struct top_listing *listing = top_listing(t->view);
	int sort = t->lists[t->view].sort;
	const struct top_column *column = &listing->columns[sort >= 0 ? sort : 2];
	const struct reader *r = t->c->reader;
	const struct board_field *f = reader_field(r, reader_table(r, column->table),
						   column->field);

	if (f != NULL)
		top_page_field(page, most, column->name, f);
}

static void describe(struct top *t, struct top_page *page, size_t most)
{
	size_t row;

	top_page_add(page, TOP_FAINT, "%.*s", (int)page->width,
		     "----------------------------------------------------------------------------"
		     "----");
	most--;
	if (t->view == TOP_OVERVIEW)
		top_overview_describe(t, page, most);
	else if (t->view == TOP_WORKERS)
		describe_worker(t, page, most);
	else if (!top_selected(t, &row))
		return;
	else if (t->view == TOP_COUNTERS)
		describe_counter(t, page, most, row);
	else
		describe_conn(t, page, most, row);
}

static void put_body(struct top *t, struct top_page *page, size_t rows)
{
	bool pane = !t->once && !t->plain && rows >= PANE_FROM;
	size_t end = page->count + rows, used = pane ? rows - PANE : rows;

	if (t->help) {
		put_help(t, page, rows);
		return;
	}
	if (t->view == TOP_OVERVIEW)
		top_overview(t, page, used);
	else
		put_list(t, page, used);
	if (!pane)
		return;
	while (page->count < end - PANE && !page->failed)
		top_page_add(page, TOP_PLAIN, "%s", "");
	describe(t, page, PANE);
}

void top_page_make(struct top *t, struct top_page *page, unsigned width, size_t height)
{
	bool small = height < SMALL, foot = !t->once && (!small || t->typing);
	size_t above;

	top_page_free(page);
	page->width = width < TOP_WIDTH_MAX ? width : TOP_WIDTH_MAX;
	page->height = height;
	if (top_arrange(t) != 0) {
		page->failed = true;
		return;
	}
	put_daemon(t, page);
	put_workers(t, page, small);
	put_trouble(t, page);
	if (!t->once)
		put_tabs(t, page);
	above = page->count + foot;
	put_body(t, page, height > above ? height - above : 0);
	while (foot && page->count + 1 < height && !page->failed)
		top_page_add(page, TOP_PLAIN, "%s", "");
	if (foot)
		put_foot(t, page);
}
