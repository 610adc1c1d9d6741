/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The configuration as libconfuse reads it from the text of a conf_source: sections, and in them
 * words, each with its line of that text. No meaning yet.
 */
#ifndef DROVER_MASTER_CONF_TREE_H
#define DROVER_MASTER_CONF_TREE_H

#include <confuse.h>
#include <stdbool.h>

struct conf_source;
struct pool;

struct conf_word {
	const char *text;
	int at;
};

/*
 * Parses. NULL if the text is no configuration (said) or memory is out (said). To be freed with
 * cfg_free(); words are the pool's.
 */
cfg_t *conf_tree_parse(struct conf_source *src, struct pool *pool);

/* Sections of one name inside another: how many, and each in the order of the text. */
unsigned conf_tree_sections(cfg_t *sec, const char *name);
cfg_t *conf_tree_section(cfg_t *sec, const char *name, unsigned i);

/* Where it begins, by its number; -1 for the top level. */
int conf_tree_number(cfg_t *sec);
int conf_tree_at(const struct conf_source *src, cfg_t *sec);

/* Its title; NULL if it has none. */
const char *conf_tree_title(cfg_t *sec);

/* The words of an option; NULL if there are not so many. Has it been set at all, be it to nothing?
 */
const struct conf_word *conf_tree_word(cfg_t *sec, const char *name, unsigned i);
bool conf_tree_given(cfg_t *sec, const char *name);

#endif
