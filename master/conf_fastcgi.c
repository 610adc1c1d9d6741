/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * FastCGI in a location: which scripts answer, and what they are told. Called by conf_place.c,
 * which has found the upstream and the root.
 */
#include "master/conf_fastcgi.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "master/conf_upstream.h"
#include "master/pool.h"

/* What a path below the root may look like, as one that is asked for in its normal form. */
static bool is_plain_path(const char *path)
{
	const char *dot = path;

	if (path[0] != '/' || path[1] == '\0' || strstr(path, "//") != NULL)
		return false;
	while ((dot = strstr(dot, "/.")) != NULL) {
		dot += dot[2] == '.' ? 3 : 2;
		if (*dot == '/' || *dot == '\0')
			return false;
	}
	return path[strlen(path) - 1] != '/';
}

static void check_scripts(struct conf_fill *f, cfg_t *sec, const struct location *loc)
{
	int at = conf_fill_at(sec, "split_path");

	if (strchr(loc->split_path, '/') != NULL)
		conf_source_error(f->src, at,
				  "split_path: '%s' is not the end of a name (write \".php\")",
				  loc->split_path);
	else if (loc->split_path[0] == '\0' && loc->static_files)
		conf_source_error(f->src, at,
				  "split_path: scripts would be served as files: with static_files "
				  "they need a suffix");
	else if (loc->split_path[0] == '\0' && loc->script == NULL)
		conf_source_error(
		    f->src, at,
		    "split_path: no path names a script: write script = \"/index.php\"");
	if (loc->script != NULL && !is_plain_path(loc->script))
		conf_source_error(f->src, conf_fill_at(sec, "script"),
				  "script: '%s' is not the path of a script below root (write "
				  "\"/index.php\")",
				  loc->script);
}

/* Where the files are only the peers' there may be no such directory here. */
static void check_root(struct conf_fill *f, cfg_t *sec, const struct location *loc)
{
	int at = conf_fill_at(sec, "root");
	struct stat st;

	if (at == 0)
		at = conf_tree_at(f->src, sec);
	if (loc->root == NULL && !conf_fill_damaged(f, sec))
		conf_source_error(f->src, at, "fastcgi: \"%s\" needs the root of its scripts",
				  loc->match);
	if (loc->root == NULL || !loc->static_files)
		return;
	if (stat(loc->root, &st) < 0)
		conf_source_error(f->src, at, "root: %s: %s", loc->root, strerror(errno));
	else if (!S_ISDIR(st.st_mode))
		conf_source_error(f->src, at, "root: %s is not a directory", loc->root);
}

static bool is_name(const char *name)
{
	if (!isalpha((unsigned char)name[0]) && name[0] != '_')
		return false;
	for (; *name != '\0'; name++)
		if (!isalnum((unsigned char)*name) && *name != '_')
			return false;
	return true;
}

static void check_param(struct conf_fill *f, const struct location *loc, const char *name, int at)
{
	if (!is_name(name))
		conf_source_error(f->src, at, "param: '%s' is not the name of a variable", name);
	for (uint32_t i = 0; i < loc->params_count; i++)
		if (strcmp(loc->params[i].name, name) == 0)
			conf_source_error(f->src, at, "param: '%s' is set twice", name);
}

static void fill_params(struct conf_fill *f, cfg_t *sec, struct location *loc)
{
	const struct conf_option *server = conf_schema_find(conf_schema(), "server");
	const struct conf_option *place = conf_schema_find(server->inside, "location");
	const struct conf_option *table = conf_schema_find(place->inside, "param")->inside;
	unsigned n = conf_tree_sections(sec, "param");

	if (n == 0)
		return;
	loc->params = pool_array(f->pool, n, sizeof(*loc->params));
	loc->params_count = 0;
	for (unsigned k = 0; k < n; k++) {
		cfg_t *one = conf_tree_section(sec, "param", k);
		struct header_setting param = {.value = NULL};
		void *base[CONF_BASES] = {[CONF_IN_HEADER] = &param};
		int at = conf_tree_at(f->src, one);

		if (conf_tree_title(one) == NULL)
			continue;
		param.name = pool_strdup(f->pool, conf_tree_title(one));
		check_param(f, loc, param.name, at);
		conf_fill_options(f, one, table, base);
		if (param.value == NULL && !conf_fill_damaged(f, one))
			conf_source_error(f->src, at, "param: '%s' has no value", param.name);
		loc->params[loc->params_count++] = param;
	}
}

/* An index that is a script is asked for first, unless the location itself says which there are. */
static void fill_index(struct conf_fill *f, cfg_t *sec, struct location *loc)
{
	if (conf_tree_given(sec, "index"))
		return;
	loc->index = pool_array(f->pool, 3, sizeof(*loc->index));
	loc->index[0] = "index.php";
	loc->index[1] = "index.html";
}

/*
 * Peers speak one protocol. An idle connection keeps a process of php-fpm from others: there are
 * none unless they are asked for.
 */
static void mark_upstream(struct conf_fill *f, cfg_t *sec, uint32_t n)
{
	struct upstream *u = &f->s->upstreams[n];
	struct conf_pool *pool = &f->pools[n];
	cfg_t *keepalive = pool->sec == NULL || conf_tree_sections(pool->sec, "keepalive") == 0
			       ? NULL
			       : conf_tree_section(pool->sec, "keepalive", 0);

	conf_upstream_protocol(f, n, conf_fill_at(sec, "fastcgi"), true);
	u->fastcgi = true;
	if (keepalive == NULL || conf_fill_at(keepalive, "conns") == 0)
		u->keepalive_conns = 0;
}

void conf_fastcgi_fill(struct conf_fill *f, cfg_t *sec, struct location *loc)
{
	fill_index(f, sec, loc);
	fill_params(f, sec, loc);
	check_scripts(f, sec, loc);
	check_root(f, sec, loc);
	/* What the server says for its proxies. */
	loc->host_policy = PROXY_HOST_KEEP;
	loc->host = NULL;
	if (loc->upstream != UINT32_MAX)
		mark_upstream(f, sec, loc->upstream);
}
