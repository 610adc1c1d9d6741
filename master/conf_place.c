/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A location begins as what its server has. Lists (index, rules, trust) replace those of the
 * server; headers and error pages are merged with them.
 */
#include "master/conf_place.h"

#include <string.h>

#include "master/conf_headers.h"
#include "master/conf_pages.h"
#include "master/conf_proxy.h"
#include "master/conf_purpose.h"
#include "master/conf_rules.h"
#include "master/conf_value.h"
#include "master/pool.h"

/* The names of index files: plain names, in the order in which they are tried. */
static void fill_index(struct conf_fill *f, cfg_t *sec, struct location *place)
{
	unsigned n = cfg_size(sec, "index");

	if (!conf_tree_given(sec, "index"))
		return;
	place->index = pool_array(f->pool, n + 1, sizeof(*place->index));
	for (unsigned k = 0; k < n; k++) {
		const struct conf_word *w = conf_tree_word(sec, "index", k);

		place->index[k] = pool_strdup(f->pool, w->text);
		if (w->text[0] == '\0' || strchr(w->text, '/') != NULL ||
		    strcmp(w->text, ".") == 0 || strcmp(w->text, "..") == 0)
			conf_source_error(f->src, w->at,
					  "index: '%s' is not the name of a file in the directory",
					  w->text);
	}
}

/* "keep", "peer", or a host with or without port. */
static void fill_proxy_host(struct conf_fill *f, cfg_t *sec, struct location *place)
{
	const struct conf_word *w = conf_tree_word(sec, "proxy_host", 0);
	char why[CONF_WHY_BYTES];

	if (w == NULL)
		return;
	place->host = NULL;
	if (strcmp(w->text, "keep") == 0) {
		place->host_policy = PROXY_HOST_KEEP;
	} else if (strcmp(w->text, "peer") == 0) {
		place->host_policy = PROXY_HOST_PEER;
	} else {
		place->host_policy = PROXY_HOST_FIXED;
		place->host = pool_strdup(f->pool, w->text);
		if (conf_value_authority(w->text, f->scratch, why) < 0)
			conf_source_error(f->src, w->at, "proxy_host: %s (or keep, or peer)", why);
	}
}

/* What both a server and a location may say. */
static void fill_lists(struct conf_fill *f, cfg_t *sec, struct location *place)
{
	fill_index(f, sec, place);
	conf_rules_fill(f, sec, place);
	conf_rules_trust(f, sec, place);
	conf_headers_removed(f, sec, "remove_request", &place->remove_request);
	conf_headers_removed(f, sec, "remove_response", &place->remove_response);
	fill_proxy_host(f, sec, place);
	conf_headers_timeout(f, sec);
	conf_proxy_fill(f, sec, place);
	conf_headers_fill(f, sec, place);
	conf_pages_fill(f, sec, place);
}

/* Paths are compared in the normal form of those that are asked for (worker/http/path.h). */
static void check_path(const struct conf_fill *f, int at, const char *title, const char *path)
{
	const char *dot = path;

	if (path[0] == '~')
		conf_source_error(f->src, at,
				  "location: \"%s\": there are no regular expressions (write "
				  "\"/path\" or \"= /path\")",
				  title);
	else if (path[0] != '/')
		conf_source_error(f->src, at,
				  "location: \"%s\" is neither \"/path\" nor \"= /path\"", title);
	else if (strpbrk(path, "?#") != NULL)
		conf_source_error(f->src, at,
				  "location: \"%s\" has a '?' or '#', which no path has", title);
	else if (strstr(path, "//") != NULL)
		conf_source_error(f->src, at,
				  "location: \"%s\" never matches: paths have no empty segments",
				  title);
	while ((dot = strstr(dot, "/.")) != NULL) {
		dot += dot[2] == '.' ? 3 : 2;
		if (*dot == '/' || *dot == '\0') {
			conf_source_error(f->src, at,
					  "location: \"%s\" never matches: paths have no \".\" or "
					  "\"..\" segments",
					  title);
			return;
		}
	}
	if (strchr(path, '%') != NULL)
		conf_source_warn(f->src, at,
				 "location: \"%s\" has a '%%': paths are compared decoded", title);
}

static void fill_match(struct conf_fill *f, int at, struct location *loc, const char *title)
{
	loc->exact = title[0] == '=';
	loc->path = pool_strdup(f->pool, loc->exact ? title + 1 + strspn(title + 1, " ") : title);
	loc->path_len = (uint32_t)strlen(loc->path);
	loc->match = loc->exact ? pool_printf(f->pool, "= %s", loc->path) : loc->path;
	check_path(f, at, title, loc->path);
}

static void fill_location(struct conf_fill *f, cfg_t *sec, struct location *loc,
			  const char *inherited_root)
{
	struct conf_extra extra = {.health = false};
	void *const base[CONF_BASES] = {
	    [CONF_IN_LOCATION] = loc,
	    [CONF_IN_EXTRA] = &extra,
	};
	const struct conf_option *server = conf_schema_find(conf_schema(), "server");
	int at = conf_tree_at(f->src, sec);

	loc->pos = conf_fill_pos(f, at);
	fill_match(f, at, loc, conf_tree_title(sec));
	conf_fill_options(f, sec, conf_schema_find(server->inside, "location")->inside, base);
	fill_lists(f, sec, loc);
	conf_purpose_fill(f, sec, loc, &extra, inherited_root);
}

void conf_place_server(struct conf_fill *f, cfg_t *sec, struct server *srv, struct location *place,
		       const struct conf_extra *extra)
{
	unsigned n = conf_tree_sections(sec, "location");
	struct conf_index matches = {.pool = f->scratch};

	fill_lists(f, sec, place);
	place->match = place->path = "";
	place->pos = srv->pos;
	if (conf_fill_at(sec, "root") != 0 && extra->root != NULL)
		conf_purpose_directory(f, conf_fill_at(sec, "root"), "root", extra->root);
	srv->locations = pool_array(f->pool, (size_t)n + 1, sizeof(*srv->locations));
	srv->locations[srv->locations_count++] = *place;
	for (unsigned k = 0; k < n; k++) {
		cfg_t *inner = conf_tree_section(sec, "location", k);
		struct location *loc = &srv->locations[srv->locations_count];
		int *first;

		if (conf_tree_title(inner) == NULL)
			continue;
		*loc = *place;
		loc->id = srv->locations_count++;
		fill_location(f, inner, loc, extra->root);
		first = conf_index_text(&matches, loc->match);
		if (*first < 0)
			*first = conf_tree_at(f->src, inner);
		else
			conf_source_error(f->src, conf_tree_at(f->src, inner),
					  "there are two locations \"%s\" (the first at %s)",
					  loc->match, conf_fill_where(f, *first));
	}
}
