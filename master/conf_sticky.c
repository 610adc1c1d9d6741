/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sticky cookies: see conf_sticky.h.
 */
#include "master/conf_sticky.h"

#include <stdio.h>
#include <string.h>

#include "master/conf_value.h"
#include "master/pool.h"
#include "worker/sticky.h"

enum {
	PATH_MOST = 255
};

static bool is_path(const char *text)
{
	for (const char *p = text; *p != '\0'; p++) {
		if (*p <= ' ' || *p >= 0x7f || *p == ';')
			return false;
	}
	return text[0] == '/';
}

static int at_of(struct conf_fill *f, cfg_t *sec, const char *option)
{
	int at = conf_fill_at(sec, option);

	return at != 0 ? at : conf_tree_at(f->src, sec);
}

static bool check(struct conf_fill *f, cfg_t *sec, const struct upstream *u)
{
	bool good = true;

	if (u->sticky_cookie == NULL) {
		if (!conf_fill_damaged(f, sec))
			conf_source_error(
			    f->src, conf_tree_at(f->src, sec),
			    "sticky: its cookie has no name (write cookie = \"NAME\")");
		return false;
	}
	if (!conf_value_is_token(u->sticky_cookie) || strlen(u->sticky_cookie) > HASH_NAME_MAX) {
		conf_source_error(f->src, at_of(f, sec, "cookie"),
				  "sticky: '%.80s' is not the name of a cookie of at most %d bytes",
				  u->sticky_cookie, HASH_NAME_MAX);
		good = false;
	}
	if (!is_path(u->sticky_path) || strlen(u->sticky_path) > PATH_MOST) {
		conf_source_error(f->src, at_of(f, sec, "path"),
				  "sticky: path: '%.80s' is not the path of a cookie of at most %d "
				  "bytes",
				  u->sticky_path, PATH_MOST);
		good = false;
	}
	if (u->sticky_key != NULL && u->sticky_key[0] == '\0') {
		conf_source_error(f->src, at_of(f, sec, "key"), "sticky: the key is empty");
		good = false;
	}
	if (u->sticky_same_site == SAME_SITE_NONE && !u->sticky_secure)
		conf_source_warn(f->src, at_of(f, sec, "same_site"),
				 "sticky: browsers take no cookie with same_site = none without "
				 "secure = true");
	return good;
}

/* NAME=VALUE; Path=/; Max-Age=3600; Secure; HttpOnly; SameSite=Lax (RFC 6265 4.1) */
static const char *field(struct conf_fill *f, const struct upstream *u, uint64_t sticky)
{
	static const char *const same_site[] = {[SAME_SITE_OFF] = "",
						[SAME_SITE_LAX] = "; SameSite=Lax",
						[SAME_SITE_STRICT] = "; SameSite=Strict",
						[SAME_SITE_NONE] = "; SameSite=None"};
	char text[HASH_NAME_MAX + PATH_MOST + 128], digits[STICKY_DIGITS + 1], age[40] = "";

	sticky_write(sticky, digits);
	if (u->sticky_max_age_us != 0)
		snprintf(age, sizeof(age), "; Max-Age=%ju",
			 (uintmax_t)((u->sticky_max_age_us + 999999) / 1000000));
	snprintf(text, sizeof(text), "%s=%s; Path=%s%s%s%s%s", u->sticky_cookie, digits,
		 u->sticky_path, age, u->sticky_secure ? "; Secure" : "",
		 u->sticky_http_only ? "; HttpOnly" : "", same_site[u->sticky_same_site]);
	return pool_strdup(f->pool, text);
}

void conf_sticky_fill(struct conf_fill *f, cfg_t *sec, struct upstream *u)
{
	if (sec == NULL || !check(f, sec, u))
		return;
	for (uint32_t k = 0; k < u->peers_count; k++) {
		struct peer *p = &f->s->peers[u->first_peer + k];

		p->sticky = sticky_of(u->sticky_key != NULL ? u->sticky_key : u->name, p->address);
		p->set_cookie = field(f, u, p->sticky);
	}
}
