/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * -T: every row of the schema that has a value, level by level, with the value in force there. What
 * servers and locations inherit is printed with them, so the output is longer than what was written
 * and means the same.
 */
#include "master/conf.h"

#include <arpa/inet.h>
#include <string.h>

#include "master/conf_quote.h"
#include "master/conf_schema.h"

struct printer {
	FILE *out;
	int depth;
	const struct settings *settings;
	/* The location whose options are being printed; NULL elsewhere. */
	const struct location *location;
	const void *base[CONF_BASES];
};

static void indent(const struct printer *p)
{
	fprintf(p->out, "%*s", p->depth * 4, "");
}

static void open_section(struct printer *p, const char *name, const char *title)
{
	indent(p);
	fputs(name, p->out);
	if (title != NULL) {
		fputc(' ', p->out);
		conf_quote(p->out, title);
	}
	fputs(" {\n", p->out);
	p->depth++;
}

static void close_section(struct printer *p)
{
	p->depth--;
	indent(p);
	fputs("}\n", p->out);
}

static void print_duration(FILE *out, uint64_t us)
{
	static const struct {
		uint64_t us;
		const char *name;
	} units[] = {{UINT64_C(86400000000), "d"},
		     {UINT64_C(3600000000), "h"},
		     {60000000, "m"},
		     {1000000, "s"},
		     {1000, "ms"}};
	int u = 0;

	while (us != 0 && u < 4 && us % units[u].us != 0)
		u++;
	if (us == 0)
		fputs("0s", out);
	else
		fprintf(out, "%ju%s", (uintmax_t)(us / units[u].us), units[u].name);
}

static void print_size(FILE *out, uint64_t bytes)
{
	static const char names[] = "\0kmg";
	int u = 0;

	while (bytes != 0 && u < 3 && bytes % 1024 == 0) {
		bytes /= 1024;
		u++;
	}
	fprintf(out, "%ju%.1s", (uintmax_t)bytes, &names[u]);
}

static void print_value(FILE *out, const struct conf_option *o, const void *at)
{
	switch (o->kind) {
	case CONF_BOOL:
		fputs(*(const bool *)at ? "true" : "false", out);
		break;
	case CONF_COUNT:
		fprintf(out, "%u", *(const uint32_t *)at);
		break;
	case CONF_STATUS:
		if (*(const int *)at == CONF_STATUS_PAGE)
			fputs("true", out);
		else
			fprintf(out, "%d", *(const int *)at);
		break;
	case CONF_SIZE:
		print_size(out, *(const uint64_t *)at);
		break;
	case CONF_SIZE32:
		print_size(out, *(const uint32_t *)at);
		break;
	case CONF_DURATION:
		print_duration(out, *(const uint64_t *)at);
		break;
	case CONF_CHOICE:
		fputs(o->words[*(const int *)at], out);
		break;
	case CONF_TEXT:
	case CONF_FIELD:
	case CONF_MEDIA:
	case CONF_PATH:
		conf_quote(out, *(const char *const *)at);
		break;
	case CONF_OWN:
	case CONF_LIST:
	case CONF_SECTION:
	case CONF_INCLUDE:
		break;
	}
}

/* Has the option a value here that is worth a line? */
static bool has_value(const struct printer *p, const struct conf_option *o)
{
	const char *base = o->base == CONF_NOWHERE ? NULL : p->base[o->base];

	if (base == NULL || o->elsewhere)
		return false;
	if (p->location != NULL && !conf_schema_applies(o, p->location))
		return false;
	switch (o->kind) {
	case CONF_TEXT:
	case CONF_FIELD:
	case CONF_MEDIA:
	case CONF_PATH:
		return *(const char *const *)(const void *)(base + o->offset) != NULL;
	case CONF_STATUS:
		return *(const int *)(const void *)(base + o->offset) != 0;
	case CONF_BOOL:
		/* A location that is not for health says nothing about it. */
		return o->base != CONF_IN_EXTRA || p->location == NULL ||
		       *(const bool *)(const void *)(base + o->offset);
	case CONF_COUNT:
	case CONF_SIZE:
	case CONF_SIZE32:
	case CONF_DURATION:
	case CONF_CHOICE:
		return true;
	case CONF_OWN:
	case CONF_LIST:
	case CONF_SECTION:
	case CONF_INCLUDE:
		break;
	}
	return false;
}

static void print_options(const struct printer *p, const struct conf_option *table)
{
	for (const struct conf_option *o = table; o->name != NULL; o++) {
		if (!has_value(p, o))
			continue;
		indent(p);
		fprintf(p->out, "%s = ", o->name);
		print_value(p->out, o, (const char *)p->base[o->base] + o->offset);
		fputc('\n', p->out);
	}
}

static const struct conf_option *table_in(const char *outer, const char *section)
{
	const struct conf_option *o = conf_schema_find(conf_schema(), outer);

	return conf_schema_find(o->inside, section)->inside;
}

static const struct conf_option *table_of(const char *section)
{
	return table_in("server", section);
}

static void print_section(struct printer *p, const char *name)
{
	open_section(p, name, NULL);
	print_options(p, table_of(name));
	close_section(p);
}

static void print_texts(const struct printer *p, const char *name, const char **texts)
{
	indent(p);
	fprintf(p->out, "%s = {", name);
	for (size_t i = 0; texts != NULL && texts[i] != NULL; i++) {
		fputs(i == 0 ? " " : ", ", p->out);
		conf_quote(p->out, texts[i]);
	}
	fputs(" }\n", p->out);
}

/* CONF_IN_SETTINGS is the base of its rows. */
static void print_resolve(struct printer *p, const struct settings *s)
{
	open_section(p, "resolve", NULL);
	print_options(p, conf_schema_find(conf_schema(), "resolve")->inside);
	if (s->resolve.servers != NULL)
		print_texts(p, "servers", s->resolve.servers);
	close_section(p);
}

static void print_network(FILE *out, const struct cidr *rule)
{
	char text[INET6_ADDRSTRLEN];
	bool v4 = rule->bits >= 96 && IN6_IS_ADDR_V4MAPPED(&rule->addr);

	if (rule->bits == 0) {
		fputs("\"all\"", out);
		return;
	}
	inet_ntop(v4 ? AF_INET : AF_INET6,
		  v4 ? (const void *)&rule->addr.s6_addr[12] : (const void *)&rule->addr, text,
		  sizeof(text));
	fprintf(out, "\"%s/%d\"", text, v4 ? rule->bits - 96 : rule->bits);
}

static void print_trusted(const struct printer *p, const struct settings *s)
{
	if (s->trusted_count == 0)
		return;
	indent(p);
	fputs("trust_request_id = {", p->out);
	for (uint32_t i = 0; i < s->trusted_count; i++) {
		fputs(i == 0 ? " " : ", ", p->out);
		print_network(p->out, &s->trusted[i]);
	}
	fputs(" }\n", p->out);
}

static void print_rules(const struct printer *p, const struct location *loc, bool allow)
{
	bool any = false;

	for (uint32_t i = 0; i < loc->rules_count; i++) {
		if (loc->rules[i].allow != allow)
			continue;
		if (!any) {
			indent(p);
			fprintf(p->out, "%s = { ", allow ? "allow" : "deny");
		} else {
			fputs(", ", p->out);
		}
		print_network(p->out, &loc->rules[i]);
		any = true;
	}
	if (any)
		fputs(" }\n", p->out);
}

static void print_headers(struct printer *p, const char *section,
			  const struct header_setting *headers, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		p->base[CONF_IN_HEADER] = &headers[i];
		open_section(p, section, headers[i].name);
		print_options(p, table_of(section));
		close_section(p);
	}
}

static void print_proxy(struct printer *p, const struct location *loc)
{
	static const char *const words[] = {[PROXY_HOST_KEEP] = "keep", [PROXY_HOST_PEER] = "peer"};

	if (loc->kind != LOCATION_FASTCGI) {
		indent(p);
		fputs("proxy_host = ", p->out);
		conf_quote(p->out, loc->host_policy == PROXY_HOST_FIXED ? loc->host
									: words[loc->host_policy]);
		fputc('\n', p->out);
	}
	indent(p);
	fputs("trust = {", p->out);
	for (uint32_t i = 0; i < loc->trusted_count; i++) {
		fputs(i == 0 ? " " : ", ", p->out);
		print_network(p->out, &loc->trusted[i]);
	}
	fputs(" }\n", p->out);
	print_texts(p, "remove_request", loc->remove_request);
	print_texts(p, "remove_response", loc->remove_response);
	print_headers(p, "request_header", loc->request_headers, loc->request_headers_count);
}

static void print_params(struct printer *p, const struct location *loc)
{
	const struct conf_option *place = table_of("location");

	for (uint32_t i = 0; i < loc->params_count; i++) {
		p->base[CONF_IN_HEADER] = &loc->params[i];
		open_section(p, "param", loc->params[i].name);
		print_options(p, conf_schema_find(place, "param")->inside);
		close_section(p);
	}
}

/* What a location has of lists and sections. */
static void print_lists(struct printer *p, const struct location *loc)
{
	char status[16];

	if (loc->kind == LOCATION_FILES || loc->kind == LOCATION_NONE ||
	    loc->kind == LOCATION_FASTCGI)
		print_texts(p, "index", loc->index);
	print_rules(p, loc, true);
	print_rules(p, loc, false);
	if (loc->kind == LOCATION_PROXY || loc->kind == LOCATION_NONE ||
	    loc->kind == LOCATION_FASTCGI)
		print_proxy(p, loc);
	print_params(p, loc);
	print_headers(p, "header", loc->headers, loc->headers_count);
	for (uint32_t i = 0; i < loc->error_pages_count; i++) {
		p->base[CONF_IN_PAGE] = &loc->error_pages[i];
		snprintf(status, sizeof(status), "%d", loc->error_pages[i].status);
		open_section(p, "error_page", status);
		print_options(p, table_of("error_page"));
		close_section(p);
	}
}

static void print_location(struct printer *p, const struct location *loc)
{
	struct conf_extra extra = {.health = loc->kind == LOCATION_HEALTH,
				   .metrics = loc->kind == LOCATION_METRICS,
				   .crash = loc->kind == LOCATION_CRASH};

	if (loc->kind == LOCATION_PROXY)
		extra.proxy = p->settings->upstreams[loc->upstream].name;
	if (loc->kind == LOCATION_FASTCGI)
		extra.fastcgi = p->settings->upstreams[loc->upstream].name;
	p->base[CONF_IN_LOCATION] = loc;
	p->base[CONF_IN_EXTRA] = &extra;
	p->location = loc;
	open_section(p, "location", loc->match);
	print_options(p, table_of("location"));
	print_lists(p, loc);
	close_section(p);
	p->location = NULL;
	p->base[CONF_IN_EXTRA] = NULL;
}

static void print_listen(const struct printer *p, const struct settings *s,
			 const struct server *srv)
{
	indent(p);
	fputs("listen = { ", p->out);
	for (uint32_t i = 0; i < srv->listeners_count; i++) {
		fputs(i == 0 ? "" : ", ", p->out);
		conf_quote(p->out, s->listeners[srv->listeners[i]].address);
	}
	fputs(" }\n", p->out);
	if (srv->names[0] != NULL)
		print_texts(p, "names", srv->names);
}

static void print_server(struct printer *p, const struct settings *s, const struct server *srv)
{
	const struct listener *l = &s->listeners[srv->listeners[0]];
	struct conf_extra extra = {
	    .access_log = srv->log < 0 ? "off" : s->logs[srv->log].path,
	    .log_format = srv->log < 0 ? LOG_LOGFMT : (int)s->logs[srv->log].format,
	    .reuseport = l->reuseport,
	    .backlog = (uint32_t)l->backlog,
	};

	p->base[CONF_IN_SERVER] = srv;
	p->base[CONF_IN_LOCATION] = &srv->locations[0];
	p->base[CONF_IN_EXTRA] = &extra;
	fputc('\n', p->out);
	open_section(p, "server", srv->name);
	print_listen(p, s, srv);
	print_options(p, conf_schema_find(conf_schema(), "server")->inside);
	print_section(p, "deadlines");
	print_section(p, "keepalive");
	print_section(p, "limits");
	print_lists(p, &srv->locations[0]);
	for (uint32_t i = 1; i < srv->locations_count; i++)
		print_location(p, &srv->locations[i]);
	close_section(p);
}

static void print_hash(const struct printer *p, const struct upstream *u)
{
	static const char *const of[] = {[HASH_ADDRESS] = "address",
					 [HASH_PATH] = "path",
					 [HASH_HEADER] = "header:",
					 [HASH_COOKIE] = "cookie:"};

	if (u->balance != BALANCE_HASH)
		return;
	/* The name is a token: nothing in it needs quoting. */
	indent(p);
	fprintf(p->out, "hash = \"%s%s\"\n", of[u->hash_of],
		u->hash_name != NULL ? u->hash_name : "");
}

static void print_statuses(const struct printer *p, const struct check_settings *c)
{
	indent(p);
	fputs("status = {", p->out);
	for (uint32_t i = 0; i < c->status_count; i++) {
		const struct status_range *r = &c->status[i];

		fprintf(p->out, r->low == r->high ? "%s \"%u\"" : "%s \"%u-%u\"", i == 0 ? "" : ",",
			r->low, r->high);
	}
	fputs(" }\n", p->out);
}

static void print_check(struct printer *p, const struct check_settings *c)
{
	open_section(p, "check", NULL);
	print_options(p, table_in("upstream", "check"));
	if (c->path != NULL)
		print_statuses(p, c);
	close_section(p);
}

static void print_upstream(struct printer *p, const struct upstream *u)
{
	static const char *const parts[] = {"deadlines", "keepalive", "retry_budget", "queue",
					    "sticky"};

	p->base[CONF_IN_UPSTREAM] = u;
	fputc('\n', p->out);
	open_section(p, "upstream", u->name);
	print_options(p, conf_schema_find(conf_schema(), "upstream")->inside);
	print_hash(p, u);
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		if (strcmp(parts[i], "sticky") == 0 && u->sticky_cookie == NULL)
			continue;
		open_section(p, parts[i], NULL);
		print_options(p, table_in("upstream", parts[i]));
		close_section(p);
	}
	if (u->check.on)
		print_check(p, &u->check);
	for (uint32_t i = 0; i < u->peers_count; i++) {
		const struct peer *peer = &p->settings->peers[u->first_peer + i];

		p->base[CONF_IN_PEER] = peer;
		open_section(p, "peer", peer->address);
		print_options(p, table_in("upstream", "peer"));
		close_section(p);
	}
	close_section(p);
}

void conf_print(const struct settings *s, FILE *out)
{
	const struct server global = {.deadlines = s->deadlines};
	struct printer p = {.out = out, .settings = s};

	p.base[CONF_IN_SETTINGS] = s;
	fprintf(out, "workers = %u\n", s->workers);
	print_options(&p, conf_schema());
	print_trusted(&p, s);
	p.base[CONF_IN_SERVER] = &global;
	print_section(&p, "deadlines");
	print_resolve(&p, s);
	for (uint32_t i = 0; i < s->upstreams_count; i++)
		print_upstream(&p, &s->upstreams[i]);
	for (uint32_t i = 0; i < s->servers_count; i++)
		print_server(&p, s, &s->servers[i]);
}
