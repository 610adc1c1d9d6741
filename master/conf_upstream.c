/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Upstreams are filled before servers, so that their locations find them by name; those that a
 * location makes of an address come behind them. Called by conf_fill.c and conf_place.c.
 */
#include "master/conf_upstream.h"

#include <string.h>

#include "master/conf_health.h"
#include "master/conf_sticky.h"
#include "master/conf_value.h"
#include "master/pool.h"
#include "shm/suggest.h"

static const struct conf_option *table_of(const char *section)
{
	const struct conf_option *upstream = conf_schema_find(conf_schema(), "upstream");

	if (section == NULL)
		return upstream->inside;
	return conf_schema_find(upstream->inside, section)->inside;
}

/* Appends one with all defaults. */
static uint32_t add_upstream(struct conf_fill *f, cfg_t *sec, const char *name)
{
	struct settings *s = f->s;
	uint32_t n = s->upstreams_count;
	void *base[CONF_BASES] = {NULL};

	s->upstreams = pool_grow(f->pool, s->upstreams, n, sizeof(*s->upstreams));
	f->pools = pool_grow(f->scratch, f->pools, n, sizeof(*f->pools));
	s->upstreams[n] = (struct upstream){.name = name, .first_peer = s->peers_count, .row = n};
	f->pools[n] = (struct conf_pool){.sec = sec};
	base[CONF_IN_UPSTREAM] = &s->upstreams[n];
	conf_fill_defaults(f, table_of(NULL), base);
	s->upstreams_count++;
	return n;
}

/* Appends a peer of the last upstream, with all defaults. */
static struct peer *add_peer(struct conf_fill *f, const char *address)
{
	struct settings *s = f->s;
	void *base[CONF_BASES] = {NULL};
	uint32_t n = s->peers_count;
	struct peer *p;

	s->peers = pool_grow(f->pool, s->peers, n, sizeof(*s->peers));
	p = &s->peers[n];
	*p = (struct peer){
	    .address = pool_strdup(f->pool, address), .upstream = s->upstreams_count - 1, .row = n};
	base[CONF_IN_PEER] = p;
	conf_fill_defaults(f, table_of("peer"), base);
	s->peers_count++;
	s->upstreams[s->upstreams_count - 1].peers_count++;
	return p;
}

/* The address of a peer. what: the option or section in front of the reason. A name is looked up
 * later, by resolve.c. */
static bool fill_address(struct conf_fill *f, struct peer *p, const char *what, int at)
{
	char why[CONF_WHY_BYTES];

	if (conf_value_peer(p->address, f->pool, p, &p->host, &p->port, why) == 0)
		return true;
	conf_source_error(f->src, at, "%s: %s", what, why);
	return false;
}

/* One address twice, also if written in two ways; names only if they are the same. */
static void check_twice(struct conf_fill *f, struct conf_index *seen, const struct peer *p, int at)
{
	int *first = conf_value_peer_numeric(p->address)
			 ? conf_index_at(seen, &p->addr, p->addr_len)
			 : conf_index_text(seen, p->address);

	if (*first >= 0)
		conf_source_error(f->src, at, "upstream \"%s\" has the peer %s twice (first at %s)",
				  f->s->upstreams[p->upstream].name, p->address,
				  conf_fill_where(f, *first));
	else
		*first = at;
}

static void fill_peer(struct conf_fill *f, cfg_t *sec, struct conf_index *seen)
{
	int at = conf_tree_at(f->src, sec);
	void *base[CONF_BASES] = {NULL};
	struct peer *p = add_peer(f, conf_tree_title(sec));

	p->pos = conf_fill_pos(f, at);
	base[CONF_IN_PEER] = p;
	conf_fill_options(f, sec, table_of("peer"), base);
	if (fill_address(f, p, "peer", at))
		check_twice(f, seen, p, at);
}

/* hash = "address", "path", "header:NAME" or "cookie:NAME" */
static void fill_hash(struct conf_fill *f, cfg_t *sec, struct upstream *u)
{
	const struct conf_word *w = conf_tree_word(sec, "hash", 0);
	const char *name;

	if (w == NULL)
		return;
	name = strchr(w->text, ':');
	if (strcmp(w->text, "address") == 0)
		u->hash_of = HASH_ADDRESS;
	else if (strcmp(w->text, "path") == 0)
		u->hash_of = HASH_PATH;
	else if (strncmp(w->text, "header:", 7) == 0)
		u->hash_of = HASH_HEADER;
	else if (strncmp(w->text, "cookie:", 7) == 0)
		u->hash_of = HASH_COOKIE;
	else {
		conf_source_error(f->src, w->at,
				  "hash: there is no '%s' (one of \"address\", \"path\", "
				  "\"header:NAME\", \"cookie:NAME\")",
				  w->text);
		return;
	}
	if (name != NULL && !conf_value_is_token(name + 1))
		conf_source_error(f->src, w->at, "hash: '%s' is not the name of a %.6s", name + 1,
				  w->text);
	else if (name != NULL && strlen(name + 1) > HASH_NAME_MAX)
		conf_source_error(f->src, w->at, "hash: the name is longer than %d bytes",
				  HASH_NAME_MAX);
	u->hash_name = name == NULL ? NULL : pool_strdup(f->pool, name + 1);
	if (u->balance != BALANCE_HASH)
		conf_source_warn(f->src, w->at, "'hash' has no effect without balance = hash");
}

static void check_title(struct conf_fill *f, int at, const char *name, uint32_t number)
{
	const size_t max = sizeof(((struct upstream_row *)0)->name) - 1;
	int *first = conf_index_text(&f->upstreams, name);
	char why[CONF_WHY_BYTES];

	if (*first < 0)
		*first = (int)number;
	else
		conf_source_error(f->src, at, "there are two upstreams \"%s\" (the first at %s)",
				  name,
				  conf_fill_where(f, conf_tree_at(f->src, f->pools[*first].sec)));
	if (conf_value_field(name, why) < 0)
		conf_source_error(f->src, at, "upstream: in the title: %s", why);
	/* One that was made of an address is printed as a section. */
	if (strlen(name) > max && !conf_value_peer_numeric(name))
		conf_source_error(f->src, at, "upstream: the title is longer than %zu bytes", max);
}

/* Peers that are all alike in what keeps them from being used. */
static void check_peers(struct conf_fill *f, cfg_t *sec, const struct upstream *u)
{
	int at = conf_tree_at(f->src, sec);
	uint32_t down = 0, backup = 0;

	for (uint32_t i = 0; i < u->peers_count; i++) {
		down += f->s->peers[u->first_peer + i].down;
		backup += f->s->peers[u->first_peer + i].backup;
	}
	if (u->peers_count == 0 && !conf_fill_damaged(f, sec))
		conf_source_error(f->src, at, "upstream \"%s\" has no peers", u->name);
	else if (u->peers_count != 0 && down == u->peers_count)
		conf_source_warn(f->src, at,
				 "all peers of upstream \"%s\" are down: it can only answer 503",
				 u->name);
	else if (u->peers_count != 0 && backup == u->peers_count)
		conf_source_warn(f->src, at, "all peers of upstream \"%s\" are backups of none",
				 u->name);
}

/* A section without title inside an upstream. */
static cfg_t *part(cfg_t *sec, const char *name)
{
	return conf_tree_sections(sec, name) == 0 ? NULL : conf_tree_section(sec, name, 0);
}

static void check_keepalive(struct conf_fill *f, cfg_t *sec, const struct upstream *u)
{
	cfg_t *keepalive = part(sec, "keepalive");
	int at = conf_fill_at(keepalive, "idle");

	if (at == 0)
		at = conf_fill_at(keepalive, "max_age");
	if (at != 0 && u->keepalive_max_age_us != 0 &&
	    u->keepalive_max_age_us < u->keepalive_idle_us)
		conf_source_warn(f->src, at,
				 "max_age (%jums) is shorter than idle (%jums), which it ends",
				 (uintmax_t)u->keepalive_max_age_us / 1000,
				 (uintmax_t)u->keepalive_idle_us / 1000);
}

/* Who waits for room in a peer that takes any number? */
static void check_queue(struct conf_fill *f, cfg_t *sec, const struct upstream *u)
{
	if (u->queue_size == 0)
		return;
	for (uint32_t i = 0; i < u->peers_count; i++) {
		if (f->s->peers[u->first_peer + i].max_conns != 0)
			return;
	}
	conf_source_warn(f->src, conf_fill_at(part(sec, "queue"), "size"),
			 "'queue' has no effect: no peer of upstream \"%s\" has max_conns",
			 u->name);
}

static void fill_upstream(struct conf_fill *f, cfg_t *sec)
{
	static const char *const parts[] = {"deadlines",    "keepalive", "check",
					    "retry_budget", "queue",     "sticky"};
	uint32_t n = add_upstream(f, sec, pool_strdup(f->pool, conf_tree_title(sec)));
	struct upstream *u = &f->s->upstreams[n];
	struct conf_index seen = {.pool = f->scratch};
	void *base[CONF_BASES] = {NULL};

	base[CONF_IN_UPSTREAM] = u;
	u->pos = conf_fill_pos(f, conf_tree_at(f->src, sec));
	check_title(f, conf_tree_at(f->src, sec), u->name, n);
	conf_fill_options(f, sec, table_of(NULL), base);
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		if (part(sec, parts[i]) != NULL)
			conf_fill_options(f, part(sec, parts[i]), table_of(parts[i]), base);
	}
	fill_hash(f, sec, u);
	for (unsigned k = 0; k < conf_tree_sections(sec, "peer"); k++) {
		cfg_t *peer = conf_tree_section(sec, "peer", k);

		if (conf_tree_title(peer) != NULL)
			fill_peer(f, peer, &seen);
	}
	conf_health_fill(f, sec, part(sec, "check"), u);
	check_peers(f, sec, u);
	check_keepalive(f, sec, u);
	conf_sticky_fill(f, part(sec, "sticky"), u);
	check_queue(f, sec, u);
}

void conf_upstream_fill(struct conf_fill *f)
{
	for (unsigned i = 0; i < conf_tree_sections(f->root, "upstream"); i++) {
		cfg_t *sec = conf_tree_section(f->root, "upstream", i);

		if (conf_tree_title(sec) != NULL)
			fill_upstream(f, sec);
	}
}

/* Upstreams that have a section. */
static const char *nearest(const struct conf_fill *f, const char *text)
{
	const char **names = pool_array(f->scratch, f->s->upstreams_count, sizeof(*names));
	size_t n = 0;

	for (uint32_t i = 0; i < f->s->upstreams_count; i++)
		names[n++] = f->s->upstreams[i].name;
	return suggest_nearest(text, names, n);
}

/* One peer that a location names itself. */
static int make_upstream(struct conf_fill *f, const char *option, int at, const char *text)
{
	const char *name = pool_strdup(f->pool, text);
	int n = (int)add_upstream(f, NULL, name);
	struct peer *p = add_peer(f, text);

	*conf_index_text(&f->upstreams, name) = n;
	f->s->upstreams[n].pos = p->pos = conf_fill_pos(f, at);
	return fill_address(f, p, option, at) ? n : -1;
}

int conf_upstream_find(struct conf_fill *f, const char *option, int at, const char *text)
{
	int known = *conf_index_text(&f->upstreams, text);
	const char *near = known < 0 ? nearest(f, text) : NULL;

	if (known < 0 && strpbrk(text, ":/") != NULL)
		known = make_upstream(f, option, at, text);
	else if (known < 0 && near != NULL)
		conf_source_error(f->src, at, "%s: there is no upstream '%s' (did you mean '%s'?)",
				  option, text, near);
	else if (known < 0 && !f->src->damaged)
		conf_source_error(f->src, at,
				  "%s: there is no upstream '%s' (a peer is written as "
				  "\"host:port\" or \"unix:/path\")",
				  option, text);
	if (known >= 0)
		f->pools[known].named = true;
	return known;
}

void conf_upstream_protocol(struct conf_fill *f, uint32_t n, int at, bool fastcgi)
{
	struct conf_pool *pool = &f->pools[n];

	if (pool->spoken_at == 0) {
		pool->spoken_at = at;
		pool->fastcgi = fastcgi;
	} else if (pool->fastcgi != fastcgi) {
		conf_source_error(
		    f->src, at, "upstream \"%s\" is spoken to in %s here and in %s at %s",
		    f->s->upstreams[n].name, fastcgi ? "FastCGI" : "HTTP",
		    fastcgi ? "HTTP" : "FastCGI", conf_fill_where(f, pool->spoken_at));
	}
}

/* Where the request deadline of a server is set: it is none unless somebody sets it. */
static int request_at(const struct conf_fill *f, uint32_t server)
{
	int at = conf_fill_at(part(f->sections[server], "deadlines"), "request");

	return at != 0 ? at : conf_fill_at(part(f->root, "deadlines"), "request");
}

static void check_deadline(struct conf_fill *f, uint32_t server, uint32_t upstream,
			   const char *section, const char *option, uint64_t us)
{
	const struct server *srv = &f->s->servers[server];
	uint64_t request = srv->deadlines.at_us[DEADLINE_REQUEST];
	cfg_t *sec = f->pools[upstream].sec;
	int at = sec == NULL ? 0 : conf_fill_at(part(sec, section), option);

	/* A default is no word of somebody who meant it. */
	if (at == 0 || request == 0 || us <= request)
		return;
	conf_source_warn(f->src, at,
			 "%s (%jums) of upstream \"%s\" is longer than request (%jums) of server "
			 "\"%s\", which ends it",
			 option, (uintmax_t)us / 1000, f->s->upstreams[upstream].name,
			 (uintmax_t)request / 1000, srv->name);
}

/* Has the last attempt any time left? */
static void check_retries(struct conf_fill *f, uint32_t server, uint32_t upstream,
			  const char *option, uint64_t us)
{
	const struct server *srv = &f->s->servers[server];
	const struct upstream *u = &f->s->upstreams[upstream];
	uint64_t request = srv->deadlines.at_us[DEADLINE_REQUEST];
	cfg_t *sec = f->pools[upstream].sec;
	int at = sec == NULL ? 0 : conf_fill_at(sec, "retries");

	if (request == 0 || u->peers_count < 2 || us * u->retries < request)
		return;
	if (us > request && conf_fill_at(part(sec, "deadlines"), option) != 0)
		return; /* check_deadline() has said so */
	conf_source_warn(f->src, at != 0 ? at : request_at(f, server),
			 "%u times %s (%jums) of upstream \"%s\" leave nothing of request "
			 "(%jums) of server \"%s\" for the last attempt",
			 u->retries, option, (uintmax_t)us / 1000, u->name,
			 (uintmax_t)request / 1000, srv->name);
}

static void check_location(struct conf_fill *f, uint32_t server, uint32_t upstream)
{
	const struct upstream *u = &f->s->upstreams[upstream];

	check_deadline(f, server, upstream, "deadlines", "connect", u->connect_us);
	check_deadline(f, server, upstream, "deadlines", "response", u->response_us);
	check_deadline(f, server, upstream, "deadlines", "between", u->between_us);
	check_deadline(f, server, upstream, "queue", "wait", u->queue_wait_us);
	check_retries(f, server, upstream, "connect", u->connect_us);
	check_retries(f, server, upstream, "response", u->response_us);
}

/* A check with a path is asked in HTTP, perhaps at a port where something else listens. */
static void check_checks(struct conf_fill *f, uint32_t upstream)
{
	const struct upstream *u = &f->s->upstreams[upstream];

	if (u->fastcgi && u->check.path != NULL && u->check.port == 0)
		conf_source_warn(f->src,
				 conf_fill_at(part(f->pools[upstream].sec, "check"), "path"),
				 "path: upstream \"%s\" speaks FastCGI, and this is asked in HTTP: "
				 "without path a connection is enough",
				 u->name);
}

void conf_upstream_check(struct conf_fill *f)
{
	const struct settings *s = f->s;

	for (uint32_t n = 0; n < s->servers_count; n++) {
		for (uint32_t i = 0; i < s->servers[n].locations_count; i++) {
			const struct location *loc = &s->servers[n].locations[i];

			if ((loc->kind == LOCATION_PROXY || loc->kind == LOCATION_FASTCGI) &&
			    loc->upstream < s->upstreams_count)
				check_location(f, n, loc->upstream);
		}
	}
	for (uint32_t i = 0; i < s->upstreams_count; i++) {
		check_checks(f, i);
		if (!f->pools[i].named && f->src->m->errors == 0)
			conf_source_warn(f->src, conf_tree_at(f->src, f->pools[i].sec),
					 "upstream \"%s\" gets no requests: no location names it",
					 s->upstreams[i].name);
	}
}
