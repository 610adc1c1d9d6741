/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An address in several servers is one listener; what they say about its socket must agree.
 */
#include "master/conf_listen.h"

#include <string.h>
#include <strings.h>

#include "master/conf_value.h"
#include "master/pool.h"

/* What settings.listeners has no field for. */
struct conf_listener {
	int backlog_at;
	int reuseport_at;
	int default_at; /* of the server that says default = true; 0: none does */
};

static int said_at(const struct conf_fill *f, cfg_t *sec, const char *option)
{
	int at = conf_fill_at(sec, option);

	return at != 0 ? at : conf_tree_at(f->src, sec);
}

/* Port 0 is a free port, another one each time it is asked for. */
static bool any_port(const struct listener *l)
{
	return (l->addr.sa.sa_family == AF_INET && l->addr.in.sin_port == 0) ||
	       (l->addr.sa.sa_family == AF_INET6 && l->addr.in6.sin6_port == 0);
}

/* A new listener, or the one that has the address already. */
static uint32_t listener_for(struct conf_fill *f, cfg_t *sec, const struct conf_word *w,
			     const struct listener *parsed, const struct conf_extra *extra)
{
	struct settings *s = f->s;
	uint32_t i = s->listeners_count;

	if (!any_port(parsed)) {
		int *known = conf_index_at(&f->listeners, &parsed->addr, parsed->addr_len);

		if (*known >= 0)
			return (uint32_t)*known;
		*known = (int)i;
	}
	s->listeners = pool_grow(f->pool, s->listeners, i, sizeof(*s->listeners));
	f->bindings = pool_grow(f->scratch, f->bindings, i, sizeof(*f->bindings));
	s->listeners[i] = *parsed;
	s->listeners[i].address = pool_strdup(f->pool, w->text);
	s->listeners[i].backlog = (int)extra->backlog;
	s->listeners[i].reuseport = extra->reuseport;
	s->listeners[i].mode = parsed->addr.sa.sa_family == AF_UNIX ? 0666 : 0;
	s->listeners[i].row = i;
	s->listeners[i].default_server = UINT32_MAX;
	s->listeners[i].pos = conf_fill_pos(f, w->at);
	f->bindings[i] = (struct conf_listener){.backlog_at = said_at(f, sec, "backlog"),
						.reuseport_at = said_at(f, sec, "reuseport")};
	s->listeners_count++;
	return i;
}

static void check_agreement(const struct conf_fill *f, cfg_t *sec, uint32_t i,
			    const struct conf_extra *extra)
{
	const struct listener *l = &f->s->listeners[i];
	const struct conf_listener *b = &f->bindings[i];

	if (l->backlog != (int)extra->backlog)
		conf_source_error(f->src, said_at(f, sec, "backlog"),
				  "backlog of %s is %u here and %d at %s", l->address,
				  extra->backlog, l->backlog, conf_fill_where(f, b->backlog_at));
	if (l->reuseport != extra->reuseport)
		conf_source_error(
		    f->src, said_at(f, sec, "reuseport"), "reuseport of %s is %s here and %s at %s",
		    l->address, extra->reuseport ? "true" : "false",
		    l->reuseport ? "true" : "false", conf_fill_where(f, b->reuseport_at));
}

static bool listed(const struct server *srv, uint32_t listener)
{
	for (uint32_t i = 0; i < srv->listeners_count; i++) {
		if (srv->listeners[i] == listener)
			return true;
	}
	return false;
}

static void fill_listeners(struct conf_fill *f, cfg_t *sec, struct server *srv,
			   const struct conf_extra *extra)
{
	unsigned n = cfg_size(sec, "listen");
	char why[CONF_WHY_BYTES];

	srv->listeners = pool_array(f->pool, n, sizeof(*srv->listeners));
	for (unsigned k = 0; k < n; k++) {
		const struct conf_word *w = conf_tree_word(sec, "listen", k);
		struct listener parsed = {.addr_len = 0};
		uint32_t i;

		if (conf_value_address(w->text, &parsed, why) < 0) {
			conf_source_error(f->src, w->at, "listen: %s", why);
			continue;
		}
		i = listener_for(f, sec, w, &parsed, extra);
		check_agreement(f, sec, i, extra);
		if (listed(srv, i))
			conf_source_error(f->src, w->at, "listen: %s stands here twice", w->text);
		else
			srv->listeners[srv->listeners_count++] = i;
	}
	if (n == 0 && !conf_fill_damaged(f, sec))
		conf_source_error(f->src, conf_tree_at(f->src, sec),
				  "server \"%s\" listens nowhere (write listen = { \"*:80\" })",
				  srv->name);
}

/* Where a name of a server stands. */
static int name_at(cfg_t *sec, const char *name)
{
	const struct conf_word *w;

	for (unsigned k = 0; (w = conf_tree_word(sec, "names", k)) != NULL; k++) {
		if (strcasecmp(w->text, name) == 0)
			return w->at;
	}
	return conf_fill_at(sec, "names");
}

/* Enters a name on each listener of the server. Returns false if it was there already. */
static bool claim_name(struct conf_fill *f, const struct conf_word *w, const char *name,
		       uint32_t number)
{
	const struct server *srv = &f->s->servers[number];

	for (uint32_t i = 0; i < srv->listeners_count; i++) {
		const char *key = pool_printf(f->scratch, "%u %s", srv->listeners[i], name);
		int *owner = conf_index_text(&f->names, key);

		if (*owner < 0) {
			*owner = (int)number;
		} else if (*owner == (int)number) {
			conf_source_error(f->src, w->at, "names: '%s' stands here twice", name);
			return false;
		} else {
			conf_source_error(f->src, w->at,
					  "names: '%s' is also a name of server \"%s\" on %s (%s)",
					  name, f->s->servers[*owner].name,
					  f->s->listeners[srv->listeners[i]].address,
					  conf_fill_where(f, name_at(f->sections[*owner], name)));
			return false;
		}
	}
	return true;
}

static void fill_names(struct conf_fill *f, cfg_t *sec, struct server *srv, uint32_t number)
{
	unsigned n = cfg_size(sec, "names"), used = 0;
	char why[CONF_WHY_BYTES];

	srv->names = pool_array(f->pool, n + 1, sizeof(*srv->names));
	for (unsigned k = 0; k < n; k++) {
		const struct conf_word *w = conf_tree_word(sec, "names", k);
		const char *name;

		if (conf_value_host(w->text, f->pool, &name, why) < 0)
			conf_source_error(f->src, w->at, "names: %s", why);
		else if (claim_name(f, w, name, number))
			srv->names[used++] = name;
	}
}

void conf_listen_server(struct conf_fill *f, cfg_t *sec, uint32_t number,
			const struct conf_extra *extra)
{
	struct server *srv = &f->s->servers[number];

	fill_listeners(f, sec, srv, extra);
	fill_names(f, sec, srv, number);
}

static void claim_default(struct conf_fill *f, uint32_t number)
{
	const struct server *srv = &f->s->servers[number];
	int at = conf_fill_at(f->sections[number], "default");

	for (uint32_t i = 0; i < srv->listeners_count; i++) {
		struct listener *l = &f->s->listeners[srv->listeners[i]];
		struct conf_listener *b = &f->bindings[srv->listeners[i]];

		if (b->default_at != 0) {
			conf_source_error(
			    f->src, at, "default: server \"%s\" is the default of %s already (%s)",
			    f->s->servers[l->default_server].name, l->address,
			    conf_fill_where(f, b->default_at));
			continue;
		}
		b->default_at = at;
		l->default_server = number;
	}
}

/* Can some request come to this server, or would it if its errors were mended? */
static bool reachable(const struct conf_fill *f, uint32_t number)
{
	const struct server *srv = &f->s->servers[number];

	for (uint32_t i = 0; i < srv->listeners_count; i++) {
		if (f->s->listeners[srv->listeners[i]].default_server == number)
			return true;
	}
	return conf_tree_given(f->sections[number], "names") || srv->is_default ||
	       srv->listeners_count == 0;
}

void conf_listen_defaults(struct conf_fill *f)
{
	struct settings *s = f->s;

	for (uint32_t n = 0; n < s->servers_count; n++) {
		if (s->servers[n].is_default)
			claim_default(f, n);
	}
	for (uint32_t n = 0; n < s->servers_count; n++) {
		for (uint32_t i = 0; i < s->servers[n].listeners_count; i++) {
			struct listener *l = &s->listeners[s->servers[n].listeners[i]];

			if (l->default_server == UINT32_MAX)
				l->default_server = n;
		}
	}
	for (uint32_t n = 0; n < s->servers_count; n++) {
		cfg_t *sec = f->sections[n];

		if (!reachable(f, n) && !conf_fill_damaged(f, sec))
			conf_source_warn(f->src, conf_tree_at(f->src, sec),
					 "server \"%s\" gets no requests: it has no names and is "
					 "the default of none of its listeners",
					 s->servers[n].name);
	}
}
