/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See conf_headers.h. Called by conf_place.c and conf_fill.c.
 */
#include "master/conf_headers.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "master/conf_value.h"
#include "master/pool.h"

/* The server makes these itself; a second one would contradict it. */
static const char *const own_headers[] = {
    "Content-Length", "Transfer-Encoding", "Connection", "Date",       "Content-Type",
    "Content-Range",  "Content-Encoding",  "ETag",       "Keep-Alive", "Last-Modified",
    "Location",       "Accept-Ranges",     "Trailer",    "Upgrade",    NULL};

/* These say where a message goes, where it ends, or what holds for one connection only. */
static const char *const own_request_headers[] = {"Host",
						  "Content-Length",
						  "Transfer-Encoding",
						  "Connection",
						  "Keep-Alive",
						  "Trailer",
						  "Upgrade",
						  "TE",
						  "Expect",
						  NULL};

/* The sections of one kind at a level, and what they are merged into. */
struct headers {
	const char *section;
	const char *const *own; /* fields that may not be set */
	struct header_setting **list;
	uint32_t *count;
};

/* As the list writes it; NULL: it is not there. */
static const char *listed(const char *const *names, const char *name)
{
	while (*names != NULL && strcasecmp(*names, name) != 0)
		names++;
	return *names;
}

static bool header_allowed(const struct conf_fill *f, const struct headers *h, int at,
			   const char *name)
{
	if (!conf_value_is_token(name))
		conf_source_error(f->src, at, "%s: '%s' is not the name of a header field",
				  h->section, name);
	else if (h->own == own_request_headers && strcasecmp(name, "Host") == 0)
		conf_source_error(f->src, at, "%s: write proxy_host = ... for Host", h->section);
	else if (listed(h->own, name) != NULL)
		conf_source_error(f->src, at, "%s: drover itself makes %s", h->section,
				  listed(h->own, name));
	else
		return true;
	return false;
}

/* Where a header goes: over one of the same name from outside, or to the end. */
static struct header_setting *header_slot(struct conf_fill *f, const struct headers *h, int *set_at,
					  const char *name, int at)
{
	struct header_setting *list = *h->list;
	uint32_t i = 0;

	while (i < *h->count && strcasecmp(list[i].name, name) != 0)
		i++;
	if (i == *h->count)
		++*h->count;
	else if (set_at[i] != 0)
		conf_source_error(f->src, at, "%s: '%s' is set twice (first at %s)", h->section,
				  name, conf_fill_where(f, set_at[i]));
	set_at[i] = at;
	return &list[i];
}

static void merge_headers(struct conf_fill *f, cfg_t *sec, const struct headers *h)
{
	unsigned n = conf_tree_sections(sec, h->section);
	const struct conf_option *table = conf_schema_find(conf_schema(), h->section)->inside;
	struct header_setting *outer = *h->list;
	int *set_at;

	if (n == 0)
		return;
	*h->list = pool_array(f->pool, *h->count + n, sizeof(*outer));
	set_at = pool_array(f->scratch, *h->count + n, sizeof(*set_at));
	if (*h->count > 0)
		memcpy(*h->list, outer, *h->count * sizeof(*outer));
	for (unsigned k = 0; k < n; k++) {
		cfg_t *one = conf_tree_section(sec, h->section, k);
		int at = conf_tree_at(f->src, one);
		const char *name = conf_tree_title(one);
		struct header_setting *slot;

		if (name == NULL || !header_allowed(f, h, at, name))
			continue;
		slot = header_slot(f, h, set_at, name, at);
		*slot = (struct header_setting){.name = pool_strdup(f->pool, name), .value = ""};
		conf_fill_options(f, one, table, (void *[CONF_BASES]){[CONF_IN_HEADER] = slot});
		if (conf_tree_word(one, "value", 0) == NULL && !conf_fill_damaged(f, one))
			conf_source_error(f->src, at, "%s: '%s' has no value", h->section, name);
	}
}

void conf_headers_fill(struct conf_fill *f, cfg_t *sec, struct location *place)
{
	const struct headers to_client = {"header", own_headers, &place->headers,
					  &place->headers_count};
	const struct headers to_peer = {"request_header", own_request_headers,
					&place->request_headers, &place->request_headers_count};

	merge_headers(f, sec, &to_client);
	merge_headers(f, sec, &to_peer);
}

void conf_headers_removed(struct conf_fill *f, cfg_t *sec, const char *option, const char ***list)
{
	static const char *const framing[] = {"Host", "Content-Length", "Transfer-Encoding",
					      "Connection", NULL};
	unsigned n = cfg_size(sec, option), used = 0;

	if (!conf_tree_given(sec, option))
		return;
	*list = pool_array(f->pool, (size_t)n + 1, sizeof(**list));
	for (unsigned k = 0; k < n; k++) {
		const struct conf_word *w = conf_tree_word(sec, option, k);
		char *name = pool_strdup(f->pool, w->text);

		for (char *p = name; *p != '\0'; p++)
			*p = (char)tolower((unsigned char)*p);
		if (!conf_value_is_token(name))
			conf_source_error(f->src, w->at,
					  "%s: '%s' is not the name of a header field", option,
					  w->text);
		else if (listed(framing, name) != NULL)
			conf_source_error(f->src, w->at, "%s: drover itself makes %s", option,
					  listed(framing, name));
		else if (listed(*list, name) == NULL)
			(*list)[used++] = name;
	}
}

void conf_headers_timeout(struct conf_fill *f, cfg_t *sec)
{
	const struct conf_word *w = conf_tree_word(sec, "timeout_header", 0);

	if (w == NULL)
		return;
	if (!conf_value_is_token(w->text))
		conf_source_error(f->src, w->at,
				  "timeout_header: '%s' is not the name of a header field",
				  w->text);
	else if (listed(own_request_headers, w->text) != NULL ||
		 strcasecmp(w->text, "grpc-timeout") == 0)
		conf_source_error(f->src, w->at, "timeout_header: drover itself makes %s", w->text);
}
