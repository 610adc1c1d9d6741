/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See conf_health.h. Called by conf_upstream.c.
 */
#include "master/conf_health.h"

#include <string.h>

#include "master/conf_value.h"
#include "master/pool.h"

enum {
	STATUS_LOW = 100,
	STATUS_HIGH = 599,
	NUMBER_BYTES = 8
};

/* "200" or "200-399" */
static bool parse_range(const char *text, struct status_range *out)
{
	char low[NUMBER_BYTES], why[CONF_WHY_BYTES];
	size_t n = strcspn(text, "-");
	const char *high = text[n] == '-' ? text + n + 1 : text;
	uint64_t from, to;

	if (n >= sizeof(low))
		return false;
	memcpy(low, text, n);
	low[n] = '\0';
	if (conf_value_count(low, STATUS_LOW, STATUS_HIGH, &from, why) < 0 ||
	    conf_value_count(high, from, STATUS_HIGH, &to, why) < 0)
		return false;
	*out = (struct status_range){(uint16_t)from, (uint16_t)to};
	return true;
}

static void add_range(struct conf_fill *f, struct check_settings *c, struct status_range range)
{
	c->status = pool_grow(f->pool, c->status, c->status_count, sizeof(*c->status));
	c->status[c->status_count++] = range;
}

static void fill_status(struct conf_fill *f, cfg_t *check, struct check_settings *c)
{
	const struct conf_word *w;

	for (unsigned i = 0; (w = conf_tree_word(check, "status", i)) != NULL; i++) {
		struct status_range range;

		if (parse_range(w->text, &range))
			add_range(f, c, range);
		else
			conf_source_error(f->src, w->at,
					  "status: '%s' is no status or range of them, such as "
					  "\"200\" or \"200-399\"",
					  w->text);
	}
	if (c->status_count == 0)
		add_range(f, c, (struct status_range){200, 399});
}

static void too_long(struct conf_fill *f, cfg_t *check, const char *option, const char *text,
		     size_t most)
{
	if (text != NULL && strlen(text) > most)
		conf_source_error(f->src, conf_fill_at(check, option), "%s: longer than %zu bytes",
				  option, most);
}

/* It goes into a request line as it is. */
static void check_path(struct conf_fill *f, cfg_t *check, const struct check_settings *c)
{
	int at = conf_fill_at(check, "path");

	if (c->path == NULL)
		return;
	if (c->path[0] != '/')
		conf_source_error(f->src, at, "path: '%s' does not begin with '/'", c->path);
	for (const char *s = c->path; *s != '\0'; s++) {
		if (*s > ' ' && *s < 0x7f && *s != '#')
			continue;
		conf_source_error(f->src, at, "path: '%s' has a byte that must be written as %%XX",
				  c->path);
		return;
	}
}

/* What only an HTTP check looks at. */
static void check_unused(struct conf_fill *f, cfg_t *check, const struct check_settings *c)
{
	static const char *const options[] = {"host", "status", "body"};

	for (size_t i = 0; c->path == NULL && i < sizeof(options) / sizeof(options[0]); i++) {
		int at = conf_fill_at(check, options[i]);

		if (at != 0)
			conf_source_warn(f->src, at,
					 "'%s' has no effect without path: the check is a "
					 "connection alone",
					 options[i]);
	}
}

static void check_times(struct conf_fill *f, cfg_t *check, const struct check_settings *c)
{
	int at = conf_fill_at(check, "timeout");

	if (c->interval_us < 10000)
		conf_source_error(f->src, conf_fill_at(check, "interval"),
				  "interval: less than 10ms");
	if (c->timeout_us == 0)
		conf_source_error(f->src, at, "timeout: 0 would let a check wait without end");
	else if (c->timeout_us > c->interval_us)
		conf_source_warn(f->src, at != 0 ? at : conf_fill_at(check, "interval"),
				 "timeout (%jums) is longer than interval (%jums): a peer that "
				 "does not answer is checked less often",
				 (uintmax_t)c->timeout_us / 1000, (uintmax_t)c->interval_us / 1000);
}

static void fill_check(struct conf_fill *f, cfg_t *check, struct check_settings *c)
{
	char why[CONF_WHY_BYTES];

	c->on = true;
	fill_status(f, check, c);
	check_path(f, check, c);
	too_long(f, check, "path", c->path, CHECK_PATH_MAX);
	too_long(f, check, "host", c->host, CHECK_HOST_MAX);
	too_long(f, check, "body", c->body, CHECK_BODY_MAX);
	if (c->host != NULL && conf_value_authority(c->host, f->scratch, why) < 0)
		conf_source_error(f->src, conf_fill_at(check, "host"), "host: %s", why);
	if (c->body != NULL && c->body[0] == '\0')
		c->body = NULL;
	check_unused(f, check, c);
	check_times(f, check, c);
}

void conf_health_fill(struct conf_fill *f, cfg_t *sec, cfg_t *check, struct upstream *u)
{
	int at = conf_fill_at(sec, "error_window");

	if (check != NULL)
		fill_check(f, check, &u->check);
	if (u->error_rate != 0 && u->error_window_us < 100000)
		conf_source_error(f->src, at, "error_window: less than 100ms");
}
