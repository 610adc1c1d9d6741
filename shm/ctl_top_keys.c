/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What keys do in droverctl top. They change what is shown, never the daemon.
 */
#include "shm/ctl_top.h"

#include <string.h>

static const double intervals[] = {0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60};

#define INTERVALS (sizeof(intervals) / sizeof(intervals[0]))

static size_t rows_of(const struct top *t)
{
	return t->view == TOP_OVERVIEW ? top_overview_figures() : t->order_count;
}

static void select_row(struct top *t, size_t row)
{
	const struct top_listing *listing = top_listing(t->view);
	struct top_list *list = &t->lists[t->view];

	list->selected = row;
	list->key = 0;
	if (listing != NULL && row != 0 && row < t->order_count)
		list->key = listing->key(t, t->order[row]);
}

static void move(struct top *t, bool down, size_t by)
{
	size_t rows = rows_of(t), selected = t->lists[t->view].selected;

	if (t->help) {
		t->help_first = down ? t->help_first + 1 : t->help_first - (t->help_first > 0);
		return;
	}
	if (rows == 0)
		return;
	if (down)
		select_row(t, selected + by < rows ? selected + by : rows - 1);
	else
		select_row(t, selected > by ? selected - by : 0);
}

static void go(struct top *t, enum top_view view)
{
	t->view = view;
	t->help = false;
}

/* The columns that show, one after the other, then as they come. */
static void sort_next(struct top *t)
{
	const struct top_listing *listing = top_listing(t->view);
	struct top_list *list = &t->lists[t->view];

	if (listing == NULL)
		return;
	do
		list->sort = list->sort + 1 < (int)listing->count ? list->sort + 1 : -1;
	while (list->sort >= 0 && (t->hidden & 1U << list->sort) != 0);
	list->first = 0;
	select_row(t, 0);
}

static void change_interval(struct top *t, bool more_often)
{
	double next = t->interval_s;

	if (more_often) {
		for (size_t i = 0; i < INTERVALS; i++)
			if (intervals[i] < t->interval_s)
				next = intervals[i];
	} else {
		for (size_t i = INTERVALS; i > 0; i--)
			if (intervals[i - 1] > t->interval_s)
				next = intervals[i - 1];
	}
	t->interval_s = next;
}

static void type(struct top *t, int key)
{
	struct top_list *list = &t->lists[t->view];
	size_t n = strlen(list->filter);

	if (key == TOP_KEY_ENTER) {
		t->typing = false;
	} else if (key == TOP_KEY_ESCAPE) {
		t->typing = false;
		list->filter[0] = '\0';
	} else if (key == TOP_KEY_ERASE && n > 0) {
		list->filter[n - 1] = '\0';
	} else if (key >= 0x20 && key < 0x7f && n + 1 < sizeof(list->filter)) {
		list->filter[n] = (char)key;
		list->filter[n + 1] = '\0';
	}
	select_row(t, 0);
}

/* Keys that move; false if it is none of them. */
static bool moves(struct top *t, int key)
{
	size_t page = t->body_rows > 1 ? t->body_rows - 1 : 1;

	switch (key) {
	case TOP_KEY_UP:
	case 'k':
		move(t, false, 1);
		return true;
	case TOP_KEY_DOWN:
	case 'j':
		move(t, true, 1);
		return true;
	case TOP_KEY_PAGE_UP:
		move(t, false, page);
		return true;
	case TOP_KEY_PAGE_DOWN:
		move(t, true, page);
		return true;
	case TOP_KEY_HOME:
	case 'g':
		move(t, false, SIZE_MAX / 2);
		return true;
	case TOP_KEY_END:
	case 'G':
		move(t, true, SIZE_MAX / 2);
		return true;
	default:
		return false;
	}
}

/* Keys that choose what is shown; false if it is none of them. */
static bool chooses(struct top *t, int key)
{
	switch (key) {
	case TOP_KEY_NEXT:
	case '\t':
		go(t, (enum top_view)((t->view + 1) % TOP_VIEWS));
		return true;
	case TOP_KEY_PREVIOUS:
		go(t, (enum top_view)((t->view + TOP_VIEWS - 1) % TOP_VIEWS));
		return true;
	case '?':
	case 'h':
		t->help = !t->help;
		return true;
	case TOP_KEY_ESCAPE:
		if (!t->help)
			t->lists[t->view].filter[0] = '\0';
		t->help = false;
		return true;
	case 's':
		sort_next(t);
		return true;
	case 'S':
		t->lists[t->view].reverse = !t->lists[t->view].reverse;
		return true;
	case '/':
		t->typing = t->view != TOP_OVERVIEW;
		return true;
	case 'z':
		t->zeros = !t->zeros;
		return true;
	case 'd':
		t->plain = !t->plain;
		return true;
	case 'a':
		t->all = !t->all;
		return true;
	case 'p':
		t->paused = !t->paused;
		return true;
	default:
		return false;
	}
}

bool top_key(struct top *t, int key)
{
	if (t->typing) {
		type(t, key);
		return false;
	}
	if (key >= '1' && key < '1' + TOP_VIEWS) {
		go(t, (enum top_view)(key - '1'));
		return false;
	}
	if (moves(t, key) || chooses(t, key))
		return false;
	switch (key) {
	case '+':
	case '=':
		change_interval(t, true);
		return false;
	case '-':
		change_interval(t, false);
		return false;
	case 'q':
	case 'Q':
		t->quit = true;
		return false;
	default:
		return key == ' ';
	}
}
