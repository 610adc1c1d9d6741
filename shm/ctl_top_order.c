/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which rows of a list droverctl top shows, in which order, and where the selected one has gone.
 */
#include "shm/ctl_top.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* What a row is sorted by, made once for each: formatting is dear, comparing is often. */
struct sort_key {
	uint32_t row;
	double number;
	char *text; /* NULL: by number */
};

/* What is not known comes last, whichever way the rest goes. */
static int compare(const void *left, const void *right, void *context)
{
	const struct sort_key *a = left, *b = right;
	int order, sign = *(const int *)context;

	if (a->text != NULL)
		order = strcmp(a->text, b->text) * sign;
	else if (isnan(a->number) || isnan(b->number))
		order = !!isnan(a->number) - !!isnan(b->number);
	else
		order = ((a->number > b->number) - (a->number < b->number)) * sign;
	return order != 0 ? order : (a->row > b->row) - (a->row < b->row);
}

/* Returns 0, or -1: no memory. */
static int sort_by(struct top *t, const struct top_listing *listing, unsigned column, bool reverse)
{
	const struct top_column *c = &listing->columns[column];
	struct sort_key *keys = calloc(t->order_count + 1, sizeof(*keys));
	int sign = (c->text || c->up) != reverse ? 1 : -1, err = keys == NULL ? -1 : 0;
	char cell[TOP_CELL];
	size_t n = 0;

	for (; err == 0 && n < t->order_count; n++) {
		keys[n].row = t->order[n];
		if (!c->text)
			keys[n].number = listing->number(t, t->order[n], column);
		else if ((keys[n].text = strdup(listing->cell(t, t->order[n], column, cell))) ==
			 NULL)
			err = -1;
	}
	if (err == 0)
		qsort_r(keys, n, sizeof(*keys), compare, &sign);
	for (size_t i = 0; i < n; i++) {
		t->order[i] = keys[i].row;
		free(keys[i].text);
	}
	free(keys);
	return err;
}

static bool passes(struct top *t, const struct top_listing *listing, const char *filter, size_t row)
{
	char cell[TOP_CELL];

	if (filter[0] == '\0')
		return true;
	for (unsigned i = 0; i < listing->count; i++)
		if (listing->columns[i].search &&
		    strcasestr(listing->cell(t, row, i, cell), filter) != NULL)
			return true;
	return false;
}

static int make_room(struct top *t, size_t rows)
{
	uint32_t *more;

	if (rows <= t->order_room)
		return 0;
	more = reallocarray(t->order, rows, sizeof(*more));
	if (more == NULL)
		return -1;
	t->order = more;
	t->order_room = rows;
	return 0;
}

/* The selected row is where its key is now; if that is gone, the place stays. */
static void select_again(struct top *t, const struct top_listing *listing, struct top_list *list)
{
	if (list->selected >= t->order_count)
		list->selected = t->order_count > 0 ? t->order_count - 1 : 0;
	if (list->key == 0)
		return;
	for (size_t i = 0; i < t->order_count; i++)
		if (listing->key(t, t->order[i]) == list->key) {
			list->selected = i;
			return;
		}
	list->key = t->order_count > 0 ? listing->key(t, t->order[list->selected]) : 0;
}

static int sort_rows(struct top *t, const struct top_listing *listing, const struct top_list *list)
{
	int column = list->sort >= 0 ? list->sort : listing->sort;

	if (column >= 0)
		return sort_by(t, listing, (unsigned)column, list->reverse);
	for (size_t i = 0; list->reverse && i < t->order_count / 2; i++) {
		uint32_t row = t->order[i];

		t->order[i] = t->order[t->order_count - 1 - i];
		t->order[t->order_count - 1 - i] = row;
	}
	return 0;
}

int top_arrange(struct top *t)
{
	const struct top_listing *listing = top_listing(t->view);
	struct top_list *list = &t->lists[t->view];
	size_t rows;

	t->order_count = 0;
	if (listing == NULL)
		return 0;
	rows = listing->rows(t);
	if (make_room(t, rows) != 0)
		return -1;
	for (size_t i = 0; i < rows; i++)
		if (listing->wanted(t, i) && passes(t, listing, list->filter, i))
			t->order[t->order_count++] = (uint32_t)i;
	if (sort_rows(t, listing, list) != 0)
		return -1;
	select_again(t, listing, list);
	return 0;
}

bool top_selected(const struct top *t, size_t *row_out)
{
	const struct top_list *list = &t->lists[t->view];

	if (t->view == TOP_OVERVIEW || list->selected >= t->order_count)
		return false;
	*row_out = t->order[list->selected];
	return true;
}
