/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Fuzzes master/conf.c. The input is a configuration. What must hold: it gives settings or an
 * error, never both or neither; every message has its line; what -T prints of the settings loads
 * and is printed in the same way again; and whatever was read, the next configuration is read as if
 * nothing had been.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "master/conf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char known[] = "server \"s\" {\n listen = { \"*:80\" }\n"
			    " location \"/\" { root = \"/\" text = \"\" }\n}\n";

static char *print(const struct settings *s)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	assert(out);
	conf_print(s, out);
	fclose(out);
	return text;
}

static void check_messages(struct conf_messages *m, const struct settings *s)
{
	assert((s == NULL) == (m->errors > 0));
	assert((conf_messages_first(m)[0] != '\0') == (m->errors > 0));
	for (size_t i = 0; i < m->count; i++) {
		assert(m->list[i].line > 0 && m->list[i].text[0] != '\0');
		assert(i == 0 || m->list[i - 1].order <= m->list[i].order);
		assert(strpbrk(m->list[i].text, "\n\r\033") == NULL);
	}
}

static void check_round_trip(const struct settings *s)
{
	struct conf_messages m = {0};
	char *once = print(s), *twice;
	struct settings *again = conf_parse_text("printed", once, strlen(once), "/none", &m);

	assert(again != NULL);
	twice = print(again);
	assert(strcmp(once, twice) == 0);
	free(once);
	free(twice);
	settings_free(again);
	conf_messages_free(&m);
}

/* The error that it has on line 3 is found there, and the only one. */
static void check_next(void)
{
	struct conf_messages m = {0};
	struct settings *s = conf_parse_text("next", known, strlen(known), "/none", &m);

	assert(s == NULL && m.count == 1 && m.list[0].line == 3);
	assert(strstr(m.list[0].text, "'text'") != NULL);
	conf_messages_free(&m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct conf_messages m = {0};
	struct settings *s = conf_parse_text("fuzz", (const char *)data, size, "/none", &m);

	check_messages(&m, s);
	if (s != NULL)
		check_round_trip(s);
	settings_free(s);
	conf_messages_free(&m);
	check_next();
	return 0;
}
