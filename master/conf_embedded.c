/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The configuration of `drover DIR`: written as a text and read like any other, so that there is
 * one way to settings and -T shows it.
 */
#include "master/conf.h"

#include <stdlib.h>

#include "master/conf_quote.h"

#define EMBEDDED_LISTEN "127.0.0.1:8080"

static void write_text(FILE *out, const char *listen, const char *dir)
{
	fputs("server \"site\" {\nlisten = { ", out);
	conf_quote(out, listen);
	fputs(" }\nlocation \"/\" {\nroot = ", out);
	conf_quote(out, dir);
	fputs("\nindex = { \"index.html\" }\nlisting = true\n}\n}\n", out);
}

struct settings *conf_embedded(const char *listen, const char *dir, struct conf_messages *m)
{
	struct settings *s = NULL;
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	if (out != NULL) {
		write_text(out, listen != NULL ? listen : EMBEDDED_LISTEN, dir);
		if (fclose(out) == 0)
			s = conf_parse_text("command line", text, len, NULL, m);
	}
	/* The lines are none that anybody wrote. */
	for (size_t i = 0; i < m->count; i++)
		m->list[i].line = 0;
	free(text);
	return s;
}
