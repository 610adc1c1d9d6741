/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See conf_rules.h. Called by conf_place.c and conf_purpose.c.
 */
#include "master/conf_rules.h"

#include <stdlib.h>
#include <string.h>

#include "master/conf_value.h"
#include "master/pool.h"

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

void conf_rules_fill(struct conf_fill *f, cfg_t *sec, struct location *place)
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

/* Networks of proxies in front of this one. */
void conf_rules_trust(struct conf_fill *f, cfg_t *sec, struct location *place)
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

void conf_rules_protect(struct conf_fill *f, cfg_t *sec, struct location *loc)
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
