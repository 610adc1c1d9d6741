/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See conf_resolve.h. Called by conf_fill.c.
 */
#include "master/conf_resolve.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <string.h>

#include "master/conf_fill.h"
#include "master/conf_value.h"
#include "master/pool.h"

enum {
	LEAST_US = 100000
};

/* Without a port it is 53. */
static const char *with_port(struct conf_fill *f, const char *text)
{
	struct in6_addr a;
	size_t len = strlen(text);

	if (inet_pton(AF_INET, text, &a) == 1)
		return pool_printf(f->pool, "%s:53", text);
	if (inet_pton(AF_INET6, text, &a) == 1)
		return pool_printf(f->pool, "[%s]:53", text);
	if (text[0] == '[' && text[len - 1] == ']')
		return pool_printf(f->pool, "%s:53", text);
	return pool_strdup(f->pool, text);
}

static bool is_server(const char *text)
{
	struct listener l = {.addr_len = 0};
	char why[CONF_WHY_BYTES];

	return conf_value_address(text, &l, why) == 0 && text[0] != '*' &&
	       l.addr.sa.sa_family != AF_UNIX &&
	       (l.addr.sa.sa_family == AF_INET ? l.addr.in.sin_port : l.addr.in6.sin6_port) != 0;
}

static void fill_servers(struct conf_fill *f, cfg_t *sec)
{
	const char **servers = pool_array(f->pool, CONF_RESOLVE_SERVERS + 1, sizeof(*servers));
	const struct conf_word *w;
	unsigned n = 0;

	for (unsigned k = 0; (w = conf_tree_word(sec, "servers", k)) != NULL; k++) {
		const char *text = w->text[0] == '\0' ? "" : with_port(f, w->text);

		if (!is_server(text))
			conf_source_error(f->src, w->at,
					  "servers: '%s' is not the address of a name server "
					  "(write \"192.0.2.1\" or \"192.0.2.1:53\")",
					  w->text);
		else if (n == CONF_RESOLVE_SERVERS)
			conf_source_error(f->src, w->at, "servers: more than %d",
					  CONF_RESOLVE_SERVERS);
		else
			servers[n++] = text;
	}
	if (n > 0)
		f->s->resolve.servers = servers;
}

static void check_least(struct conf_fill *f, cfg_t *sec, const char *option, uint64_t us)
{
	if (us < LEAST_US)
		conf_source_error(f->src, conf_fill_at(sec, option),
				  "%s: less than 100ms would flood the name servers", option);
}

void conf_resolve_fill(struct conf_fill *f)
{
	const struct resolve_settings *r = &f->s->resolve;
	cfg_t *sec = conf_tree_sections(f->root, "resolve") == 0
			 ? NULL
			 : conf_tree_section(f->root, "resolve", 0);

	if (sec == NULL)
		return;
	fill_servers(f, sec);
	check_least(f, sec, "min", r->min_us);
	check_least(f, sec, "timeout", r->timeout_us);
	if (r->max_us < r->min_us) {
		int at = conf_fill_at(sec, "max");

		conf_source_error(f->src, at != 0 ? at : conf_fill_at(sec, "min"),
				  "max (%" PRIu64 "ms) is less than min (%" PRIu64 "ms)",
				  r->max_us / 1000, r->min_us / 1000);
	}
}
