/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See conf_purpose.h. Called by conf_place.c.
 */
#include "master/conf_purpose.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "master/conf_fastcgi.h"
#include "master/conf_rules.h"
#include "master/conf_upstream.h"
#include "master/conf_value.h"

/* The options that decide what a location is for, and which go together. */
struct purpose {
	const char *option;
	enum location_kind kind;
};

static const struct purpose purposes[] = {
    {"root", LOCATION_FILES},    {"alias", LOCATION_FILES},   {"redirect", LOCATION_REDIRECT},
    {"status", LOCATION_STATUS}, {"health", LOCATION_HEALTH}, {"metrics", LOCATION_METRICS},
    {"proxy", LOCATION_PROXY},   {"crash", LOCATION_CRASH},   {"fastcgi", LOCATION_FASTCGI},
    {NULL, LOCATION_NONE},
};

/* A switch that is off. */
static bool is_off(const struct purpose *p, cfg_t *sec, const struct conf_extra *extra)
{
	const struct conf_word *w = p->kind == LOCATION_STATUS ? conf_tree_word(sec, p->option, 0)
							       : NULL;
	char why[CONF_WHY_BYTES];
	bool on;

	return (w != NULL && conf_value_bool(w->text, &on, why) == 0 && !on) ||
	       (p->kind == LOCATION_METRICS && !extra->metrics) ||
	       (p->kind == LOCATION_HEALTH && !extra->health) ||
	       (p->kind == LOCATION_CRASH && !extra->crash);
}

/*
 * Which purpose is given; says so where a second one is. Status with redirect and root with fastcgi
 * belong to them; health = false is none.
 */
static const struct purpose *find_purpose(const struct conf_fill *f, cfg_t *sec,
					  const struct location *loc,
					  const struct conf_extra *extra)
{
	const struct purpose *found = NULL;

	for (const struct purpose *p = purposes; p->option != NULL; p++) {
		int at = is_off(p, sec, extra) ? 0 : conf_fill_at(sec, p->option), other;

		if (at == 0 || (p->kind == LOCATION_STATUS && loc->status != CONF_STATUS_PAGE &&
				found != NULL && found->kind == LOCATION_REDIRECT))
			continue;
		/* Scripts have a root as well. */
		if (strcmp(p->option, "root") == 0 && extra->fastcgi != NULL)
			continue;
		if (found == NULL) {
			found = p;
			continue;
		}
		other = conf_fill_at(sec, found->option);
		conf_source_error(
		    f->src, at >= other ? at : other,
		    "a location has one purpose: '%s' and '%s' (%s) exclude each other",
		    at >= other ? p->option : found->option,
		    at >= other ? found->option : p->option,
		    conf_fill_where(f, at >= other ? other : at));
	}
	return found;
}

void conf_purpose_directory(const struct conf_fill *f, int at, const char *option, const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		conf_source_error(f->src, at, "%s: %s: %s", option, path, strerror(errno));
	else if (!S_ISDIR(st.st_mode))
		conf_source_error(f->src, at, "%s: %s is not a directory", option, path);
}

static void check_redirect(const struct conf_fill *f, cfg_t *sec, struct location *loc)
{
	char why[CONF_WHY_BYTES];

	if (loc->redirect != NULL && conf_value_target(loc->redirect, why) < 0)
		conf_source_error(f->src, conf_fill_at(sec, "redirect"), "redirect: %s", why);
	if (loc->status == 0)
		loc->status = 302;
	else if (loc->status != CONF_STATUS_PAGE && loc->status != 301 && loc->status != 302 &&
		 loc->status != 303 && loc->status != 307 && loc->status != 308)
		conf_source_error(f->src, conf_fill_at(sec, "status"),
				  "status: %d does not redirect (write 301, 302, 303, 307 or 308)",
				  loc->status);
}

static void check_text(const struct conf_fill *f, cfg_t *sec, const struct location *loc)
{
	int at = conf_fill_at(sec, "text");

	if (at == 0)
		return;
	if (loc->kind == LOCATION_STATUS_PAGE)
		conf_source_error(f->src, at,
				  "'text' goes with a status to answer with, not with the "
				  "status page (status = true)");
	else if (loc->kind != LOCATION_STATUS)
		conf_source_error(f->src, at, "'text' is the body of a 'status' without redirect");
	else if (loc->status == 204 || loc->status == 205 || loc->status == 304)
		conf_source_error(f->src, at, "text: a response with status %d has no body",
				  loc->status);
}

static void check_rewrite(const struct conf_fill *f, cfg_t *sec, const struct location *loc)
{
	int at = conf_fill_at(sec, "rewrite");
	size_t len;

	if (at == 0 || loc->rewrite == NULL)
		return;
	len = strlen(loc->rewrite);
	if (loc->exact)
		conf_source_error(f->src, at,
				  "rewrite: \"%s\" is exact, there is no prefix to be replaced",
				  loc->match);
	else if (len == 0 || loc->rewrite[0] != '/' || strstr(loc->rewrite, "//") != NULL)
		conf_source_error(f->src, at, "rewrite: '%s' is not a path (write \"/new/\")",
				  loc->rewrite);
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)loc->rewrite[i];

		if (!isalnum(c) && strchr("/-._~!$&'()*+,;=:@", c) == NULL) {
			conf_source_error(f->src, at,
					  "rewrite: '%s' has a character that no path has as it is",
					  loc->rewrite);
			return;
		}
	}
	if (len > 0 && loc->path_len > 0 &&
	    (loc->rewrite[len - 1] == '/') != (loc->path[loc->path_len - 1] == '/'))
		conf_source_warn(f->src, at,
				 "rewrite: \"%s\" and \"%s\" should both end in '/', or neither: "
				 "what follows the one is put behind the other",
				 loc->match, loc->rewrite);
}

/* Where a row of the schema stands in a section. */
static int option_at(const struct conf_fill *f, cfg_t *sec, const struct conf_option *o)
{
	if (o->kind != CONF_SECTION)
		return conf_fill_at(sec, o->name);
	if (conf_tree_sections(sec, o->name) == 0)
		return 0;
	return conf_tree_at(f->src, conf_tree_section(sec, o->name, 0));
}

static void warn_without_effect(const struct conf_fill *f, cfg_t *sec, const struct location *loc)
{
	const struct conf_option *server = conf_schema_find(conf_schema(), "server");
	const struct conf_option *o = conf_schema_find(server->inside, "location")->inside;

	for (; o->name != NULL; o++) {
		int at = conf_schema_applies(o, loc) ? 0 : option_at(f, sec, o);

		if (at != 0)
			conf_source_warn(f->src, at, "'%s' has no effect: this location %s",
					 o->name,
					 o->files_only     ? "serves no files"
					 : o->fastcgi_only ? "goes to no FastCGI"
							   : "is no proxy");
	}
}

static void fill_proxy(struct conf_fill *f, cfg_t *sec, struct location *loc, const char *proxy)
{
	int upstream = conf_upstream_find(f, "proxy", conf_fill_at(sec, "proxy"), proxy);

	loc->upstream = upstream < 0 ? UINT32_MAX : (uint32_t)upstream;
	if (upstream >= 0)
		conf_upstream_protocol(f, loc->upstream, conf_fill_at(sec, "proxy"), false);
	check_rewrite(f, sec, loc);
}

static void fill_fastcgi(struct conf_fill *f, cfg_t *sec, struct location *loc, const char *fastcgi,
			 const char *inherited_root)
{
	int upstream = conf_upstream_find(f, "fastcgi", conf_fill_at(sec, "fastcgi"), fastcgi);

	loc->upstream = upstream < 0 ? UINT32_MAX : (uint32_t)upstream;
	if (loc->root == NULL)
		loc->root = inherited_root;
	conf_fastcgi_fill(f, sec, loc);
}

void conf_purpose_fill(struct conf_fill *f, cfg_t *sec, struct location *loc,
		       const struct conf_extra *extra, const char *inherited_root)
{
	const struct purpose *p = find_purpose(f, sec, loc, extra);

	if (p != NULL) {
		loc->kind = p->kind == LOCATION_STATUS && loc->status == CONF_STATUS_PAGE
				? LOCATION_STATUS_PAGE
				: p->kind;
	} else if (inherited_root != NULL) {
		loc->kind = LOCATION_FILES;
		loc->root = inherited_root;
	} else if (!conf_fill_damaged(f, sec)) {
		conf_source_error(f->src, conf_tree_at(f->src, sec),
				  "location \"%s\" has no purpose (give it root, alias, redirect, "
				  "status, health, metrics, proxy or fastcgi)",
				  loc->match);
	}
	if (conf_fill_at(sec, "root") != 0 && loc->root != NULL && loc->kind != LOCATION_FASTCGI)
		conf_purpose_directory(f, conf_fill_at(sec, "root"), "root", loc->root);
	if (loc->alias != NULL)
		conf_purpose_directory(f, conf_fill_at(sec, "alias"), "alias", loc->alias);
	if (loc->kind == LOCATION_REDIRECT)
		check_redirect(f, sec, loc);
	if (loc->kind == LOCATION_PROXY)
		fill_proxy(f, sec, loc, extra->proxy);
	if (loc->kind == LOCATION_FASTCGI)
		fill_fastcgi(f, sec, loc, extra->fastcgi, inherited_root);
	if (loc->kind != LOCATION_NONE) {
		check_text(f, sec, loc);
		warn_without_effect(f, sec, loc);
		if (loc->kind == LOCATION_METRICS || loc->kind == LOCATION_STATUS_PAGE)
			conf_rules_protect(f, sec, loc);
	}
}
