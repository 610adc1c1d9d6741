/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Collects what `droverctl stat` prints: fields of workers added up under their bare names, those
 * of the master, of listeners and of servers behind a prefix.
 */
#include "shm/ctl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
	NAME_BYTES = 256,
	TEXT_BYTES = 1024
};

static const struct {
	const char *name;
	double quantile; /* > 1: the count */
} figures[CTL_HIST_FIGURES] = {
    {"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"p999", 0.999}, {"count", 2},
};

const char *ctl_hist_name(unsigned i)
{
	return figures[i].name;
}

uint64_t ctl_hist_figure(const uint64_t hist[HIST_BUCKETS], unsigned i)
{
	uint64_t count = 0;

	if (figures[i].quantile <= 1)
		return (uint64_t)hist_quantile(hist, figures[i].quantile);
	for (unsigned b = 0; b < HIST_BUCKETS; b++)
		count += hist[b];
	return count;
}

static struct ctl_item *add(struct ctl_items *items, const char *prefix, const char *middle,
			    const struct board_field *f)
{
	char name[NAME_BYTES];
	struct ctl_item *item;

	if (items->count == items->room) {
		size_t room = items->room == 0 ? 256 : items->room * 2;
		struct ctl_item *more = reallocarray(items->all, room, sizeof(*more));

		if (more == NULL)
			return NULL;
		items->all = more;
		items->room = room;
	}
	snprintf(name, sizeof(name), "%s%s%s%s", prefix, middle, middle[0] != '\0' ? "." : "",
		 f->name);
	item = &items->all[items->count];
	memset(item, 0, sizeof(*item));
	item->field = f;
	item->name = strdup(name);
	if (item->name == NULL)
		return NULL;
	items->count++;
	return item;
}

/* A field of one row, whatever it holds. */
static int add_of_row(struct ctl_items *items, const char *prefix, const char *middle,
		      const struct reader_row *row, const struct board_field *f)
{
	char text[TEXT_BYTES];
	struct ctl_item *item = add(items, prefix, middle, f);

	if (item == NULL)
		return -1;
	item->value = reader_u64(row->bytes, f);
	if (f->kind != BOARD_TEXT && f->kind != BOARD_ENUM)
		return 0;
	if (f->kind == BOARD_TEXT)
		reader_text(row->bytes, f, text, sizeof(text));
	else
		snprintf(text, sizeof(text), "%s",
			 reader_enum_text(row->reader, f->unit, item->value));
	item->text = strdup(text);
	return item->text == NULL ? -1 : 0;
}

static int add_row(struct ctl_items *items, const char *prefix, const char *middle,
		   const struct reader_row *row, const char *but)
{
	for (uint32_t i = 0; row->bytes != NULL && i < row->table->fields; i++) {
		const struct board_field *f = reader_field_at(row->reader, row->table, i);

		if (f->kind == BOARD_ADDR || f->kind == BOARD_HIST || strcmp(f->name, but) == 0)
			continue;
		if (add_of_row(items, prefix, middle, row, f) != 0)
			return -1;
	}
	return 0;
}

static int add_workers(const struct ctl *c, struct ctl_items *items)
{
	const struct board_table *t = reader_table(c->reader, "worker");

	for (uint32_t i = 0; t != NULL && i < t->fields; i++) {
		const struct board_field *f = reader_field_at(c->reader, t, i);
		struct ctl_item *item;

		if (f->kind != BOARD_COUNTER && f->kind != BOARD_GAUGE && f->kind != BOARD_HIST)
			continue;
		item = add(items, "", "", f);
		if (item == NULL)
			return -1;
		if (f->kind == BOARD_HIST) {
			item->hist = calloc(HIST_BUCKETS, sizeof(*item->hist));
			if (item->hist == NULL)
				return -1;
			view_hist(&c->view, f, item->hist);
		} else {
			item->value = view_sum(&c->view, f->name);
		}
	}
	return 0;
}

static int take_traffic(const struct ctl_named *n, uint32_t i, struct ctl_item *item)
{
	item->value = n->sums[i];
	if (item->field->kind != BOARD_HIST)
		return 0;
	item->hist = calloc(HIST_BUCKETS, sizeof(*item->hist));
	if (item->hist == NULL)
		return -1;
	ctl_named_hist(n, item->field->name, item->hist);
	return 0;
}

/* What the row itself tells of all workers (a peer's requests in hand) is not told again. */
static int add_traffic(struct ctl_items *items, const char *prefix, const struct ctl_named *n)
{
	struct reader *r = n->c->reader;
	int err = 0;

	for (uint32_t i = 0; err == 0 && i < n->traffic->fields; i++) {
		const struct board_field *f = reader_field_at(r, n->traffic, i);
		struct ctl_item *item;

		if (reader_field(r, n->table, f->name) != NULL)
			continue;
		item = add(items, prefix, n->name, f);
		err = item == NULL ? -1 : take_traffic(n, i, item);
	}
	return err;
}

/* Where a peer's name leads lies row by row beside the peers, and is told as theirs. */
static int add_address(struct ctl_items *items, const char *prefix, const struct ctl_named *n)
{
	const struct board_table *t = reader_table(n->c->reader, "peer_address");
	struct reader_row row = {.bytes = NULL};
	int err = 0;

	if (t == NULL || strcmp(n->table->name, "peer") != 0 ||
	    reader_row_u64(&n->row, "named") == 0)
		return 0;
	if (reader_copy(n->c->reader, t, n->row.index, &row) >= 0)
		err = add_row(items, prefix, n->name, &row, "seq");
	reader_row_free(&row);
	return err;
}

static int add_named(const struct ctl *c, struct ctl_items *items, const char *table,
		     const char *key, const char *prefix)
{
	struct ctl_named n;
	int err = 0;

	for (bool ok = ctl_named_first(&n, c, table, key); ok && err == 0;
	     ok = ctl_named_next(&n)) {
		err = add_row(items, prefix, n.name, &n.row, key);
		if (err == 0 && n.traffic != NULL)
			err = add_traffic(items, prefix, &n);
		if (err == 0)
			err = add_address(items, prefix, &n);
	}
	ctl_named_free(&n);
	return err;
}

int ctl_items_collect(const struct ctl *c, struct ctl_items *items)
{
	memset(items, 0, sizeof(*items));
	if (add_workers(c, items) != 0 || add_row(items, "master.", "", &c->view.master, "") != 0 ||
	    add_named(c, items, "listener", "address", "listener.") != 0 ||
	    add_named(c, items, "server", "name", "server.") != 0 ||
	    add_named(c, items, "upstream", "name", "upstream.") != 0 ||
	    add_named(c, items, "peer", "address", "peer.") != 0) {
		errno = ENOMEM;
		return -1;
	}
	return 0;
}

void ctl_items_free(struct ctl_items *items)
{
	for (size_t i = 0; i < items->count; i++) {
		free(items->all[i].name);
		free(items->all[i].text);
		free(items->all[i].hist);
	}
	free(items->all);
	memset(items, 0, sizeof(*items));
}
