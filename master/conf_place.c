/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A location has exactly one purpose: files, a redirect, a status, health, metrics, the status
 * page, a proxy, or FastCGI. Lists (index, rules, trust) replace those of the server; headers and
 * error pages are merged with them.
 */
#include "master/conf_place.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "master/conf_fastcgi.h"
#include "master/conf_proxy.h"
#include "master/conf_read.h"
#include "master/conf_upstream.h"
#include "master/conf_value.h"
#include "master/pool.h"
#include "worker/http/mime.h"

enum {
	PAGE_MAX = 64 * 1024
};

#define BLANKS " \t"

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

void conf_place_headers(struct conf_fill *f, cfg_t *sec, struct location *place)
{
	const struct headers to_client = {"header", own_headers, &place->headers,
					  &place->headers_count};
	const struct headers to_peer = {"request_header", own_request_headers,
					&place->request_headers, &place->request_headers_count};

	merge_headers(f, sec, &to_client);
	merge_headers(f, sec, &to_peer);
}

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

void conf_place_pages(struct conf_fill *f, cfg_t *sec, struct location *place)
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

/* Longest prefix first; then by address, so that equal networks stand side by side. */
static int compare_rules(const void *left, const void *right)
{
	const struct cidr *a = left, *b = right;

	if (a->bits != b->bits)
		return a->bits > b->bits ? -1 : 1;
	return memcmp(&a->addr, &b->addr, sizeof(a->addr));
}

static const struct cidr *rule_find(const struct cidr *rules, uint32_t n, const struct cidr *rule)
{
	for (uint32_t i = 0; i < n; i++) {
		if (compare_rules(&rules[i], rule) == 0)
			return &rules[i];
	}
	return NULL;
}

static void add_rules(struct conf_fill *f, cfg_t *sec, struct location *place, const char *option)
{
	const struct conf_word *w;
	char why[CONF_WHY_BYTES];

	for (unsigned k = 0; (w = conf_tree_word(sec, option, k)) != NULL; k++) {
		struct cidr rule = {.allow = option[0] == 'a'};
		const struct cidr *same;

		if (conf_value_cidr(w->text, &rule, why) < 0) {
			conf_source_error(f->src, w->at, "%s: %s", option, why);
			continue;
		}
		same = rule_find(place->rules, place->rules_count, &rule);
		if (same == NULL)
			place->rules[place->rules_count++] = rule;
		else if (same->allow != rule.allow)
			conf_source_error(f->src, w->at, "%s: '%s' is also allowed (%s)", option,
					  w->text, conf_fill_where(f, conf_fill_at(sec, "allow")));
	}
}

static void fill_rules(struct conf_fill *f, cfg_t *sec, struct location *place)
{
	unsigned allow = cfg_size(sec, "allow"), deny = cfg_size(sec, "deny");

	if (allow + deny == 0)
		return;
	place->rules = pool_array(f->pool, (size_t)allow + deny, sizeof(*place->rules));
	place->rules_count = 0;
	place->refuse_others = allow > 0;
	add_rules(f, sec, place, "allow");
	add_rules(f, sec, place, "deny");
	if (place->rules_count > 0)
		qsort(place->rules, place->rules_count, sizeof(*place->rules), compare_rules);
}

/* Networks of proxies in front of this one: they take the place of those of the server. */
static void fill_trust(struct conf_fill *f, cfg_t *sec, struct location *place)
{
	unsigned n = cfg_size(sec, "trust");
	char why[CONF_WHY_BYTES];

	if (!conf_tree_given(sec, "trust"))
		return;
	place->trusted = pool_array(f->pool, n, sizeof(*place->trusted));
	place->trusted_count = 0;
	for (unsigned k = 0; k < n; k++) {
		const struct conf_word *w = conf_tree_word(sec, "trust", k);
		struct cidr net = {.allow = true};

		if (conf_value_cidr(w->text, &net, why) < 0)
			conf_source_error(f->src, w->at, "trust: %s", why);
		else if (rule_find(place->trusted, place->trusted_count, &net) == NULL)
			place->trusted[place->trusted_count++] = net;
	}
	if (place->trusted_count > 0)
		qsort(place->trusted, place->trusted_count, sizeof(*place->trusted), compare_rules);
}

/* Names of fields, in lower case, that take the place of those of the server. */
static void fill_removed(struct conf_fill *f, cfg_t *sec, const char *option, const char ***list)
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
/* The name of a field of our own. */
static void check_timeout_header(struct conf_fill *f, cfg_t *sec)
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

static void fill_lists(struct conf_fill *f, cfg_t *sec, struct location *place)
{
	fill_index(f, sec, place);
	fill_rules(f, sec, place);
	fill_trust(f, sec, place);
	fill_removed(f, sec, "remove_request", &place->remove_request);
	fill_removed(f, sec, "remove_response", &place->remove_response);
	fill_proxy_host(f, sec, place);
	check_timeout_header(f, sec);
	conf_proxy_fill(f, sec, place);
	conf_place_headers(f, sec, place);
	conf_place_pages(f, sec, place);
}

static void check_directory(const struct conf_fill *f, int at, const char *option, const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		conf_source_error(f->src, at, "%s: %s: %s", option, path, strerror(errno));
	else if (!S_ISDIR(st.st_mode))
		conf_source_error(f->src, at, "%s: %s is not a directory", option, path);
}

/* Paths are compared in the normal form of those that are asked for (worker/http/path.h). */
static void check_path(const struct conf_fill *f, int at, const char *title, const char *path)
{
	const char *dot = path;

	if (path[0] != '/')
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

/* What drover says of itself is for this machine alone, unless the location itself says whom else
 * it admits: that its server is open to somebody is not enough. */
static void protect(struct conf_fill *f, cfg_t *sec, struct location *loc)
{
	static const char *const own[] = {"127.0.0.0/8", "::1"};
	const struct cidr *rules = loc->rules;
	uint32_t count = loc->rules_count;
	char why[CONF_WHY_BYTES];

	if (cfg_size(sec, "allow") > 0)
		return;
	loc->rules = pool_array(f->pool, (size_t)count + 2, sizeof(*loc->rules));
	loc->rules_count = 0;
	loc->refuse_others = true;
	for (uint32_t i = 0; i < count; i++)
		if (!rules[i].allow)
			loc->rules[loc->rules_count++] = rules[i];
	for (size_t i = 0; i < 2; i++) {
		struct cidr *rule = &loc->rules[loc->rules_count++];

		rule->allow = true;
		(void)conf_value_cidr(own[i], rule, why);
	}
	qsort(loc->rules, loc->rules_count, sizeof(*loc->rules), compare_rules);
}

static void fill_purpose(struct conf_fill *f, cfg_t *sec, struct location *loc,
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
		check_directory(f, conf_fill_at(sec, "root"), "root", loc->root);
	if (loc->alias != NULL)
		check_directory(f, conf_fill_at(sec, "alias"), "alias", loc->alias);
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
			protect(f, sec, loc);
	}
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
	fill_purpose(f, sec, loc, &extra, inherited_root);
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
		check_directory(f, conf_fill_at(sec, "root"), "root", extra->root);
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
