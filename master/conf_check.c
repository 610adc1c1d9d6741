/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Checks over settings that are filled. A warning stands at the innermost place that set the value
 * in question; servers that inherit the same two values get it once, since the list keeps one of
 * each sentence.
 */
#include "master/conf_check.h"

#include <string.h>
#include <sys/stat.h>

#include "shm/deadlines.h"
#include "worker/http/route.h"

/* An option in one of a level's sections, 0 if it does not stand there. */
static int level_at(cfg_t *level, const char *section, const char *option)
{
	if (conf_tree_sections(level, section) == 0)
		return 0;
	return conf_fill_at(conf_tree_section(level, section, 0), option);
}

/* The same; idle and max_age may also stand in keepalive. */
static int said_at(cfg_t *level, const char *section, const char *option)
{
	int at = level_at(level, section, option);

	if (at == 0 && (strcmp(option, "idle") == 0 || strcmp(option, "max_age") == 0))
		at = level_at(level, "keepalive", option);
	return at;
}

/* Where a warning about two options belongs; 0 if both are defaults, which need none. */
static int place_of(const struct conf_fill *f, cfg_t *sec, const char *section, const char *one,
		    const char *other)
{
	int at = said_at(sec, section, one);

	if (at == 0)
		at = said_at(sec, section, other);
	return at != 0 || sec == f->root ? at : place_of(f, f->root, section, one, other);
}

/* drain stands at the global level alone. */
static int clash_at(const struct conf_fill *f, cfg_t *sec, const struct deadlines_clash *clash)
{
	const char *one = deadlines_name(clash->one), *other = deadlines_name(clash->other);
	int at = 0;

	if (clash->one == DEADLINES_DRAIN) {
		at = conf_fill_at(f->root, one);
		one = other;
	}
	if (clash->one == DEADLINE_MIN_RATE)
		other = "min_rate";
	return at != 0 ? at : place_of(f, sec, "deadlines", one, other);
}

static void check_deadlines(const struct conf_fill *f, cfg_t *sec, const struct server *srv)
{
	struct deadlines d = {.min_rate = srv->deadlines.min_rate};
	struct deadlines_clash clash[DEADLINES_CLASHES];
	unsigned n;

	memcpy(d.at_us, srv->deadlines.at_us, sizeof(srv->deadlines.at_us));
	d.at_us[DEADLINES_DRAIN] = f->s->drain_us;
	n = deadlines_check(&d, clash);
	for (unsigned i = 0; i < n; i++) {
		int at = clash_at(f, sec, &clash[i]);

		if (at != 0)
			conf_source_warn(f->src, at, "%s", clash[i].text);
	}
}

void conf_check_server(struct conf_fill *f, cfg_t *sec, const struct server *srv)
{
	int at;

	check_deadlines(f, sec, srv);
	at = place_of(f, sec, "limits", "max_uri", "max_uri");
	if (srv->limits.max_uri > srv->limits.max_header && at != 0)
		conf_source_warn(f->src, at,
				 "max_uri (%u) is larger than max_header (%u), which "
				 "the request line counts towards",
				 srv->limits.max_uri, srv->limits.max_header);
}

void conf_check_global(struct conf_fill *f)
{
	int at = conf_fill_at(f->root, "drain"), temp = conf_fill_at(f->root, "temp_dir");
	struct stat st;

	if (temp != 0 && (stat(f->s->temp_dir, &st) < 0 || !S_ISDIR(st.st_mode)))
		conf_source_error(f->src, temp, "temp_dir: %s is not a directory", f->s->temp_dir);

	if (at != 0 && f->s->drain_us < 1000000)
		conf_source_warn(f->src, at,
				 "drain is shorter than 1s: responses under way will be cut");
	if (f->s->servers_count == 0 && !f->src->damaged)
		conf_source_error(f->src, 1, "there is no server section");
}

void conf_check_routes(struct conf_fill *f)
{
	const struct settings *s = f->s;

	for (uint32_t n = 0; n < s->servers_count; n++) {
		const struct server *srv = &s->servers[n];

		for (uint32_t i = 1; i < srv->locations_count; i++) {
			const struct location *loc = &srv->locations[i];

			if (loc->kind != LOCATION_REDIRECT || loc->redirect[0] != '/' ||
			    route_location(s->route, n, loc->redirect,
					   strcspn(loc->redirect, "?#")) != loc)
				continue;
			conf_source_warn(
			    f->src,
			    conf_fill_at(conf_tree_section(f->sections[n], "location", i - 1),
					 "redirect"),
			    "\"%s\" is redirected to itself", loc->match);
		}
	}
}
