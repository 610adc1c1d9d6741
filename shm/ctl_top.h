/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * droverctl top, in layers: the model is what was read of the board in the last two looks
 * (ctl_top.c, ctl_top_conns.c); the views say what of it is shown and in which order
 * (ctl_top_views.c, ctl_top_order.c); a page is that as lines of plain text (ctl_top_page.c,
 * ctl_top_overview.c); keys change what is shown (ctl_top_keys.c). Only ctl_top_screen.c knows of a
 * terminal.
 */
#ifndef DROVER_SHM_CTL_TOP_H
#define DROVER_SHM_CTL_TOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shm/ctl.h"
#include "shm/columns.h"

enum top_view {
	TOP_OVERVIEW,
	TOP_WORKERS,
	TOP_CONNS,
	TOP_COUNTERS,
	TOP_SLOWEST,
	TOP_VIEWS
};

enum {
	TOP_FILTER = 48,
	TOP_NOTICE = 160,
	TOP_CELL = 400,
	TOP_WIDTH_MAX = 500,
	TOP_WIDTH = 80, /* where nobody says how wide it is */
	TOP_HEIGHT = 24
};

/* A connection, as far as it is listed or sorted by. */
struct top_conn {
	uint64_t id, requests, in, out;
	uint64_t accepted_us, since_us, deadline_us, request_us;
	uint64_t now_us; /* its worker's present, or last word if that is dead */
	uint32_t worker; /* index in view.workers */
	uint32_t server; /* row plus one */
	const char *state;
	uint8_t peer[16];
	uint8_t family;
	bool dead, torn, in_flight;
	uint16_t port, status;
	char request[96];
};

/* A line of the view of counters: an item, or one figure of a histogram. */
struct top_counter {
	const struct ctl_item *item, *before; /* before: of the look before, or NULL */
	unsigned figure;
};

/* A worker, beside what view.workers has of it. Rates are NAN if they are not known. */
struct top_worker {
	uint64_t requests, in, out; /* of the last look */
	uint64_t latency[HIST_BUCKETS];
	double requests_s, in_s, out_s, p99_us;
	uint64_t lag_us, idle;
	bool known; /* the row was in use at the last look */
};

/* What a list shows, and which row of it is selected. */
struct top_list {
	int sort; /* a column, or -1: as they come */
	bool reverse;
	char filter[TOP_FILTER];
	size_t selected, first;
	uint64_t key; /* of the selected row: it stays selected where it goes; 0 = the first,
		       * whatever it is
		       */
};

struct top {
	struct ctl *c;

	/* The model: the last look, and what it knows of the one before. */
	struct ctl_items items, before;
	uint64_t looked_us; /* monotonic time of the last look */
	double seconds;     /* since the look before; 0 = there is none that compares */
	uint64_t looks;
	struct top_worker *workers; /* beside view.workers */
	uint32_t workers_count;
	struct top_conn *conns;
	size_t conns_count, conns_room;
	uint64_t states[VIEW_STATES];
	char **servers; /* names of server rows, as far as they were needed */
	uint32_t servers_count;
	struct top_counter *counters;
	size_t counters_count;
	bool gone; /* the board's file is gone: it is the last that was read of it */
	char notice[TOP_NOTICE];
	uint64_t notice_until_us;

	/* What is shown of it. */
	enum top_view view;
	struct top_list lists[TOP_VIEWS];
	uint32_t *order; /* the rows of the list shown, filtered and sorted */
	size_t order_count, order_room;
	size_t help_first;
	unsigned hidden;  /* columns that there was no room for, a bit each */
	size_t body_rows; /* of the list, when it was last drawn */
	double interval_s;
	bool once;  /* -1: a page for a pipe, without keys and selection */
	bool all;   /* all levels, all rows */
	bool zeros; /* counters that are 0 are left out */
	bool paused, help, typing, plain, quit;
};

/* Model. */

/* Looks at the board, at the one that has taken its place if there is one. 0, or -1: no memory. */
int top_look(struct top *t);
void top_free(struct top *t);
/* True if a process of the daemon may still write to the board. */
bool top_anybody(const struct top *t);
/* Shown in the header for some seconds. */
void top_notice(struct top *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* All connections of all workers whose turn it is (shm/ctl_top_conns.c). 0, or -1: no memory. */
int top_conns_collect(struct top *t);
const char *top_conn_server(struct top *t, const struct top_conn *conn);
char *top_conn_peer(const struct top_conn *conn, char *out, size_t bytes);
uint64_t top_conn_age_us(const struct top_conn *conn, uint64_t us);

/* Totals and rates of several items at once: "requests", "expired_*", with spaces between them. */
uint64_t top_total(const struct top *t, const char *names);
double top_rate(const struct top *t, const char *names);
const struct ctl_item *top_item(const struct top *t, const char *name);
/* The item of the look before; NULL if there is none that compares. */
const struct ctl_item *top_before(const struct top *t, const struct ctl_item *item);
bool top_item_matches(const struct ctl_item *item, const char *names);
/* A quantile of a histogram since the start, or of the interval. NAN: no values. */
double top_quantile(const struct top *t, const struct ctl_item *item, bool interval, double q);
uint64_t top_hist_count(const struct top *t, const struct ctl_item *item, bool interval);

/* How many workers are what. */
struct top_census {
	uint64_t wanted, ready, draining, hung, dead;
};
struct top_census top_census(const struct top *t);
/* What is wrong with the board or the master, loud enough for a header: 0 characters if nothing. */
const char *top_trouble(const struct top *t, char *out, size_t bytes);

/* Views that are lists. */

struct top_column {
	struct column l;
	const char *name; /* by which it is sorted */
	bool text; /* sorted from A; numbers from the largest, or from the smallest if `up` */
	bool up;
	bool search;               /* filters look in it */
	const char *table, *field; /* what it shows; NULL if it is no field */
};

struct top_listing {
	const char *name;
	const struct top_column *columns;
	unsigned count;
	size_t (*rows)(const struct top *t);
	bool (*wanted)(const struct top *t, size_t row);
	char *(*cell)(struct top *t, size_t row, unsigned column, char out[TOP_CELL]);
	double (*number)(const struct top *t, size_t row, unsigned column);
	uint64_t (*key)(const struct top *t, size_t row); /* never 0 */
	bool (*loud)(const struct top *t, size_t row);
	int sort; /* by which column unless another is asked for; -1: as they come */
	const unsigned char *ranks; /* instead of those of the columns, or NULL */
};

/* NULL for the overview. */
const struct top_listing *top_listing(enum top_view view);
const char *top_view_name(enum top_view view);
/* A view by its name or the beginning of it; TOP_VIEWS if there is none. */
enum top_view top_view_find(const char *name);
/* Filters and sorts the view's rows, and finds the selected one again. 0, or -1: no memory. */
int top_arrange(struct top *t);
/* The row selected; false if there is none. */
bool top_selected(const struct top *t, size_t *row_out);

/* Pages: lines of printable ASCII, none longer than the page is wide. */

enum top_attr {
	TOP_PLAIN,
	TOP_TITLE,
	TOP_SELECTED,
	TOP_LOUD,
	TOP_FAINT
};

struct top_line {
	char *text;
	enum top_attr attr;
	unsigned mark_at, mark_count; /* a part of it in another attribute */
	enum top_attr mark;
};

struct top_page {
	struct top_line *lines;
	size_t count, room;
	unsigned width;
	size_t height; /* SIZE_MAX: as many lines as there are */
	bool failed;   /* no memory */
};

/* Makes the page anew, for the state that t is in. */
void top_page_make(struct top *t, struct top_page *page, unsigned width, size_t height);
void top_page_free(struct top_page *page);
/* Adds a line, cut to the page's width; what is no printable ASCII becomes '?'. */
struct top_line *top_page_add(struct top_page *page, enum top_attr attr, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* Adds text in lines, at most `most` of them. */
void top_page_wrap(struct top_page *page, enum top_attr attr, size_t most, const char *text);
/* Help and advice of a field, in at most `most` lines. */
void top_page_field(struct top_page *page, size_t most, const char *name,
		    const struct board_field *f);

/* The overview's body in `rows` lines, and how many figures in it can be selected. */
void top_overview(struct top *t, struct top_page *page, size_t rows);
size_t top_overview_figures(void);
/* A figure's name for programs, and the fields that it adds up (see top_total). */
const char *top_overview_figure(size_t i, const char **names_out);
/* What the selected figure is, in at most `most` lines. */
void top_overview_describe(struct top *t, struct top_page *page, size_t most);

/* All of it as one JSON object. */
void top_json(struct top *t);

/* Keys beside those that are characters. */
enum top_key {
	TOP_KEY_UP = 0x1000,
	TOP_KEY_DOWN,
	TOP_KEY_PAGE_UP,
	TOP_KEY_PAGE_DOWN,
	TOP_KEY_HOME,
	TOP_KEY_END,
	TOP_KEY_NEXT,
	TOP_KEY_PREVIOUS,
	TOP_KEY_ERASE,
	TOP_KEY_ENTER,
	TOP_KEY_ESCAPE
};

/* What a key does to what is shown. True if the board is to be looked at now. */
bool top_key(struct top *t, int key);

/* The live view, until it is ended. Returns the exit status. */
int top_screen(struct top *t);

#endif
