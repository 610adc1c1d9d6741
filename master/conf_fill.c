/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The global level and the servers. Locations are filled by conf_place.c, listeners and names by
 * conf_listen.c; conf_check.c looks at the whole afterwards.
 */
#include "master/conf_fill.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <sched.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "master/conf_check.h"
#include "master/conf_headers.h"
#include "master/conf_listen.h"
#include "master/conf_pages.h"
#include "master/conf_place.h"
#include "master/conf_resolve.h"
#include "master/conf_upstream.h"
#include "master/conf_value.h"
#include "master/pool.h"
#include "worker/http/mime.h"

enum {
	WORKERS_MAX = 256
};

const char *conf_fill_where(const struct conf_fill *f, int at)
{
	struct conf_pos pos = conf_source_pos(f->src, at);

	if (pos.line == 0)
		return pos.file;
	return pool_printf(f->scratch, "%s:%d", pos.file, pos.line);
}

struct conf_pos conf_fill_pos(const struct conf_fill *f, int at)
{
	return conf_source_pos(f->src, at);
}

bool conf_fill_damaged(const struct conf_fill *f, cfg_t *sec)
{
	int number = conf_tree_number(sec);

	return number < 0 ? f->src->damaged : f->src->openings[number].damaged;
}

int conf_fill_at(cfg_t *sec, const char *option)
{
	const struct conf_word *w = sec == NULL ? NULL : conf_tree_word(sec, option, 0);

	return w == NULL ? 0 : w->at;
}

void conf_fill_options(struct conf_fill *f, cfg_t *sec, const struct conf_option *table,
		       void *const base[CONF_BASES])
{
	char why[CONF_WHY_BYTES];

	for (const struct conf_option *o = table; o->name != NULL; o++) {
		const struct conf_word *w;

		if (o->base == CONF_NOWHERE)
			continue;
		w = conf_tree_word(sec, o->name, 0);
		if (w != NULL &&
		    conf_value_set(o, w->text, f->dir, f->pool, base[o->base], why) < 0)
			conf_source_error(f->src, w->at, "%s: %s", o->name, why);
	}
}

void conf_fill_defaults(struct conf_fill *f, const struct conf_option *table,
			void *const base[CONF_BASES])
{
	char why[CONF_WHY_BYTES];

	for (const struct conf_option *o = table; o->name != NULL; o++) {
		if (o->kind == CONF_SECTION && !o->titled)
			conf_fill_defaults(f, o->inside, base);
		if (o->base != CONF_NOWHERE && o->fallback != NULL && base[o->base] != NULL &&
		    conf_value_set(o, o->fallback, f->dir, f->pool, base[o->base], why) < 0)
			conf_source_error(f->src, 1, "the default of %s: %s", o->name, why);
	}
}

/* idle and max_age may stand in either section, not in both with different values. */
static void check_twins(struct conf_fill *f, cfg_t *sec, const char *option)
{
	cfg_t *one = conf_tree_section(sec, "deadlines", 0);
	cfg_t *other = conf_tree_section(sec, "keepalive", 0);
	const struct conf_word *a = one == NULL ? NULL : conf_tree_word(one, option, 0);
	const struct conf_word *b = other == NULL ? NULL : conf_tree_word(other, option, 0);
	uint64_t of_a, of_b;
	char why[CONF_WHY_BYTES];

	if (a == NULL || b == NULL || conf_value_duration(a->text, UINT64_MAX, &of_a, why) < 0 ||
	    conf_value_duration(b->text, UINT64_MAX, &of_b, why) < 0 || of_a == of_b)
		return;
	if (a->at > b->at)
		conf_source_error(f->src, a->at, "%s is %s here and %s in keepalive (%s)", option,
				  a->text, b->text, conf_fill_where(f, b->at));
	else
		conf_source_error(f->src, b->at, "%s is %s here and %s in deadlines (%s)", option,
				  b->text, a->text, conf_fill_where(f, a->at));
}

/* A level's own options and those of its sections without title. */
static void fill_level(struct conf_fill *f, cfg_t *sec, const struct conf_option *table,
		       void *const base[CONF_BASES])
{
	conf_fill_options(f, sec, table, base);
	for (const struct conf_option *o = table; o->name != NULL; o++) {
		if (o->kind == CONF_SECTION && !o->titled && conf_tree_sections(sec, o->name) > 0)
			conf_fill_options(f, conf_tree_section(sec, o->name, 0), o->inside, base);
	}
	check_twins(f, sec, "idle");
	check_twins(f, sec, "max_age");
}

/* The processors that this process may use. */
static uint32_t processors(void)
{
	cpu_set_t set;
	long n = sysconf(_SC_NPROCESSORS_ONLN);

	if (sched_getaffinity(0, sizeof(set), &set) == 0)
		n = CPU_COUNT(&set);
	return n < 1 ? 1 : n > WORKERS_MAX ? WORKERS_MAX : (uint32_t)n;
}

static void fill_workers(struct conf_fill *f)
{
	const struct conf_word *w = conf_tree_word(f->root, "workers", 0);
	char why[CONF_WHY_BYTES];
	uint64_t n;

	f->s->workers = processors();
	if (w == NULL || strcmp(w->text, "auto") == 0)
		return;
	if (conf_value_count(w->text, 1, WORKERS_MAX, &n, why) < 0)
		conf_source_error(f->src, w->at, "workers: %s (or auto)", why);
	else
		f->s->workers = (uint32_t)n;
}

/* A number is taken as it is, whether or not somebody has it. */
static bool number_id(const char *name, uint32_t *id)
{
	char why[CONF_WHY_BYTES];
	uint64_t n;

	if (conf_value_count(name, 0, UINT32_MAX - 1, &n, why) < 0)
		return false;
	*id = (uint32_t)n;
	return true;
}

static void fill_identity(struct conf_fill *f)
{
	struct settings *s = f->s;
	const struct passwd *pw = s->user == NULL ? NULL : getpwnam(s->user);
	const struct group *gr;

	s->uid = geteuid();
	s->gid = getegid();
	if (pw != NULL) {
		s->uid = pw->pw_uid;
		s->gid = pw->pw_gid;
	} else if (s->user != NULL && !number_id(s->user, &s->uid)) {
		conf_source_error(f->src, conf_fill_at(f->root, "user"),
				  "user: there is no user '%s'", s->user);
	} else if (s->user != NULL && s->group == NULL) {
		conf_source_error(f->src, conf_fill_at(f->root, "user"),
				  "user: %s has no account: set group as well", s->user);
	}
	if (s->group == NULL)
		return;
	gr = getgrnam(s->group);
	if (gr != NULL)
		s->gid = gr->gr_gid;
	else if (!number_id(s->group, &s->gid))
		conf_source_error(f->src, conf_fill_at(f->root, "group"),
				  "group: there is no group '%s'", s->group);
}

static bool is_file(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

static void check_mime(const struct conf_fill *f)
{
	int at = conf_fill_at(f->root, "mime_types");

	if (at != 0 && access(f->s->mime_types, R_OK) < 0)
		conf_source_error(f->src, at, "mime_types: %s: %s", f->s->mime_types,
				  strerror(errno));
	else if (at != 0 && !is_file(f->s->mime_types))
		conf_source_error(f->src, at, "mime_types: %s is not a file", f->s->mime_types);
}

const struct mime *conf_fill_mime(struct conf_fill *f)
{
	/* mime_load() would wait for a FIFO. */
	if (f->s->mime == NULL)
		f->s->mime = mime_load(is_file(f->s->mime_types) ? f->s->mime_types : NULL);
	return f->s->mime != NULL ? f->s->mime : pool_empty(f->pool);
}

/* Networks whose X-Request-Id is kept. */
static void fill_trusted(struct conf_fill *f)
{
	unsigned n = cfg_size(f->root, "trust_request_id");
	const struct conf_word *w;
	char why[CONF_WHY_BYTES];

	if (n == 0)
		return;
	f->s->trusted = pool_array(f->pool, n, sizeof(*f->s->trusted));
	for (unsigned k = 0; (w = conf_tree_word(f->root, "trust_request_id", k)) != NULL; k++) {
		struct cidr *network = &f->s->trusted[f->s->trusted_count];

		network->allow = true;
		if (conf_value_cidr(w->text, network, why) < 0)
			conf_source_error(f->src, w->at, "trust_request_id: %s", why);
		else
			f->s->trusted_count++;
	}
}

/* Of what is opened later, when nobody knows the file any more. */
static struct conf_pos place_of(const struct conf_fill *f, const char *option)
{
	int at = conf_fill_at(f->root, option);

	return at != 0 ? conf_fill_pos(f, at) : (struct conf_pos){.line = 0};
}

static void fill_global(struct conf_fill *f)
{
	void *const base[CONF_BASES] = {
	    [CONF_IN_SETTINGS] = f->s,
	    [CONF_IN_SERVER] = &f->server,
	    [CONF_IN_LOCATION] = &f->place,
	    [CONF_IN_EXTRA] = &f->extra,
	};
	static const char *const index[] = {"index.html", NULL};
	const struct conf_option *server = conf_schema_find(conf_schema(), "server");

	conf_fill_defaults(f, conf_schema(), base);
	conf_fill_defaults(f, server->inside, base);
	conf_fill_defaults(f, conf_schema_find(server->inside, "location")->inside, base);
	f->place.index = pool_array(f->pool, 2, sizeof(*f->place.index));
	f->place.index[0] = index[0];
	fill_level(f, f->root, conf_schema(), base);
	f->s->error_log_pos = place_of(f, "error_log");
	f->s->pid_file_pos = place_of(f, "pid_file");
	fill_workers(f);
	fill_identity(f);
	fill_trusted(f);
	conf_resolve_fill(f);
	f->s->deadlines = f->server.deadlines;
	check_mime(f);
	conf_headers_fill(f, f->root, &f->place);
	conf_pages_fill(f, f->root, &f->place);
}

/* Index of a log in settings.logs, -1 for "off". */
static int fill_log(struct conf_fill *f, cfg_t *sec, const struct conf_extra *extra)
{
	int at = conf_fill_at(sec, "access_log"), *known;
	struct settings *s = f->s;

	if (at == 0)
		at = conf_fill_at(sec, "log_format");
	if (at == 0)
		at = conf_fill_at(f->root, "access_log");
	if (extra->access_log == NULL || strcmp(extra->access_log, "off") == 0)
		return -1;
	known = conf_index_text(&f->logs, extra->access_log);
	if (*known >= 0) {
		if ((int)s->logs[*known].format != extra->log_format)
			conf_source_error(f->src, at, "access_log: %s has another log_format at %s",
					  extra->access_log, conf_fill_where(f, f->log_at[*known]));
		return *known;
	}
	s->logs = pool_grow(f->pool, s->logs, s->logs_count, sizeof(*s->logs));
	f->log_at = pool_grow(f->scratch, f->log_at, s->logs_count, sizeof(*f->log_at));
	*known = (int)s->logs_count;
	f->log_at[*known] = at;
	s->logs[*known] = (struct log_setting){.path = extra->access_log,
					       .format = (enum log_format)extra->log_format,
					       .pos = conf_fill_pos(f, at)};
	s->logs_count++;
	return *known;
}

/* The title of a server: its name on the board and in droverctl. */
static void fill_title(struct conf_fill *f, cfg_t *sec, struct server *srv, int number)
{
	const size_t max = sizeof(((struct server_row *)0)->name) - 1;
	int at = conf_tree_at(f->src, sec), *first;
	char why[CONF_WHY_BYTES];

	srv->name = pool_strdup(f->pool, conf_tree_title(sec));
	if (conf_value_field(srv->name, why) < 0)
		conf_source_error(f->src, at, "server: in the title: %s", why);
	if (strlen(srv->name) > max)
		conf_source_error(f->src, at, "server: the title is longer than %zu bytes", max);
	first = conf_index_text(&f->titles, srv->name);
	if (*first < 0)
		*first = number;
	else
		conf_source_error(f->src, at, "there are two servers \"%s\" (the first at %s)",
				  srv->name,
				  conf_fill_where(f, conf_tree_at(f->src, f->sections[*first])));
}

static void fill_server(struct conf_fill *f, cfg_t *sec, uint32_t number)
{
	struct server *srv = &f->s->servers[number];
	struct location place = f->place;
	struct conf_extra extra = f->extra;
	void *const base[CONF_BASES] = {
	    [CONF_IN_SERVER] = srv,
	    [CONF_IN_LOCATION] = &place,
	    [CONF_IN_EXTRA] = &extra,
	};
	const struct conf_option *table = conf_schema_find(conf_schema(), "server")->inside;

	*srv = f->server;
	srv->row = number;
	srv->pos = conf_fill_pos(f, conf_tree_at(f->src, sec));
	f->sections[number] = sec;
	fill_title(f, sec, srv, (int)number);
	fill_level(f, sec, table, base);
	srv->log = fill_log(f, sec, &extra);
	conf_listen_server(f, sec, number, &extra);
	conf_place_server(f, sec, srv, &place, &extra);
	conf_check_server(f, sec, srv);
}

void conf_fill(struct conf_fill *f)
{
	unsigned n = conf_tree_sections(f->root, "server");
	struct settings *s = f->s;

	f->logs.pool = f->listeners.pool = f->names.pool = f->titles.pool = f->scratch;
	f->upstreams.pool = f->scratch;
	fill_global(f);
	conf_upstream_fill(f);
	s->servers = pool_array(f->pool, n, sizeof(*s->servers));
	f->sections = pool_array(f->scratch, n, sizeof(cfg_t *));
	for (unsigned i = 0; i < n; i++) {
		cfg_t *sec = conf_tree_section(f->root, "server", i);

		if (conf_tree_title(sec) != NULL)
			fill_server(f, sec, s->servers_count++);
	}
	conf_listen_defaults(f);
	conf_upstream_check(f);
	conf_check_global(f);
	if (f->src->m->errors == 0)
		conf_fill_mime(f);
}
