/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See conf_pages.h. Called by conf_place.c and conf_fill.c.
 */
#include "master/conf_pages.h"

#include <errno.h>
#include <string.h>

#include "master/conf_read.h"
#include "master/conf_value.h"
#include "master/pool.h"
#include "worker/http/mime.h"

enum {
	PAGE_MAX = 64 * 1024
};

#define BLANKS " \t"

/* The body and its type. */
static void fill_page(struct conf_fill *f, cfg_t *sec, struct error_page *page)
{
	int at = conf_tree_at(f->src, sec), file_at = conf_fill_at(sec, "file");
	size_t len = 0;

	conf_fill_options(f, sec, conf_schema_find(conf_schema(), "error_page")->inside,
			  (void *[CONF_BASES]){[CONF_IN_PAGE] = page});
	if (file_at == 0 && !conf_fill_damaged(f, sec))
		conf_source_error(f->src, at, "error_page: there is no file for it");
	if (page->file == NULL)
		return;
	page->body = conf_read(f->pool, page->file, PAGE_MAX, &len, NULL);
	page->len = (uint32_t)len;
	if (page->body == NULL && errno == EFBIG)
		conf_source_error(f->src, file_at, "file: %s is larger than %dk", page->file,
				  PAGE_MAX / 1024);
	else if (page->body == NULL)
		conf_source_error(f->src, file_at, "file: %s: %s", page->file,
				  conf_read_why(errno));
	if (page->type == NULL)
		page->type = mime_type(conf_fill_mime(f), page->file, strlen(page->file),
				       f->s->default_type);
}

static void set_page(struct conf_fill *f, struct location *place, int *set_at,
		     const struct error_page *page, int at)
{
	uint32_t i = 0;

	while (i < place->error_pages_count && place->error_pages[i].status != page->status)
		i++;
	if (i == place->error_pages_count)
		place->error_pages_count++;
	else if (set_at[i] != 0)
		conf_source_error(f->src, at, "error_page: %d is set twice (first at %s)",
				  page->status, conf_fill_where(f, set_at[i]));
	set_at[i] = at;
	place->error_pages[i] = *page;
}

/* "500 502 503": each of the statuses gets the page. */
static void set_pages(struct conf_fill *f, struct location *place, int *set_at, const char *title,
		      struct error_page *page, int at)
{
	char *text = pool_strdup(f->scratch, title), *rest;
	char why[CONF_WHY_BYTES];
	uint64_t status;

	if (title[strspn(title, BLANKS)] == '\0')
		conf_source_error(f->src, at, "error_page: the title names no status");
	for (char *word = strtok_r(text, BLANKS, &rest); word != NULL;
	     word = strtok_r(NULL, BLANKS, &rest)) {
		if (conf_value_count(word, 400, 599, &status, why) < 0) {
			conf_source_error(f->src, at, "error_page: %s", why);
			continue;
		}
		page->status = (int)status;
		set_page(f, place, set_at, page, at);
	}
}

/* How many pages the level has at most: three digits and a blank for each status. */
static size_t pages_room(cfg_t *sec, const struct location *place)
{
	size_t room = place->error_pages_count;
	unsigned n = conf_tree_sections(sec, "error_page");

	for (unsigned k = 0; k < n; k++) {
		const char *title = conf_tree_title(conf_tree_section(sec, "error_page", k));

		room += title == NULL ? 0 : strlen(title) / 4 + 1;
	}
	return room;
}

void conf_pages_fill(struct conf_fill *f, cfg_t *sec, struct location *place)
{
	unsigned n = conf_tree_sections(sec, "error_page");
	struct error_page *outer = place->error_pages;
	size_t room = pages_room(sec, place);
	int *set_at;

	if (n == 0)
		return;
	set_at = pool_array(f->scratch, room, sizeof(*set_at));
	place->error_pages = pool_array(f->pool, room, sizeof(*outer));
	if (place->error_pages_count > 0)
		memcpy(place->error_pages, outer, place->error_pages_count * sizeof(*outer));
	for (unsigned k = 0; k < n; k++) {
		cfg_t *e = conf_tree_section(sec, "error_page", k);
		struct error_page page = {.len = 0};

		if (conf_tree_title(e) == NULL)
			continue;
		fill_page(f, e, &page);
		set_pages(f, place, set_at, conf_tree_title(e), &page, conf_tree_at(f->src, e));
	}
}
