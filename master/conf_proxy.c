/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What goes to peers, and how answers come back: see conf_proxy.h. Called by conf_place.c for each
 * level, once the words and numbers are filled.
 */
#include "master/conf_proxy.h"

#include <string.h>

#include "master/conf_value.h"
#include "master/pool.h"

/* via = true, false, or a name of one's own */
static void fill_via(struct conf_fill *f, cfg_t *sec, struct location *place)
{
	const struct conf_word *w = conf_tree_word(sec, "via", 0);
	char why[CONF_WHY_BYTES];
	bool on;

	if (w == NULL)
		return;
	if (w->text[0] == '\0')
		place->via = "";
	else if (conf_value_bool(w->text, &on, why) == 0)
		place->via = on ? "drover" : "";
	else if (!conf_value_is_token(w->text))
		conf_source_error(f->src, w->at,
				  "via: '%s' is neither true nor false, nor one word that names "
				  "this proxy",
				  w->text);
}

static void check_buffering(struct conf_fill *f, cfg_t *sec, const struct location *place)
{
	const struct conf_word *w = conf_tree_word(sec, "buffer_file", 0);

	if (w != NULL && place->buffer_file != 0 && !place->buffering)
		conf_source_warn(f->src, w->at,
				 "'buffer_file' has no effect without buffering = true");
}

void conf_proxy_fill(struct conf_fill *f, cfg_t *sec, struct location *place)
{
	fill_via(f, sec, place);
	check_buffering(f, sec, place);
}
