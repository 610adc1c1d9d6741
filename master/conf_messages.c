/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The list of messages is sorted as it grows: checks run in an order of their own, the reader wants
 * the order of the text.
 */
#include "master/conf_messages.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum {
	MESSAGES_MAX = 100
};

static bool said_before(const struct conf_messages *m, const struct conf_message *new)
{
	for (size_t i = 0; i < m->count; i++) {
		const struct conf_message *old = &m->list[i];

		if (old->line == new->line && strcmp(old->text, new->text) == 0 &&
		    strcmp(old->file, new->file) == 0)
			return true;
	}
	return false;
}

/* What a configuration says may be quoted in a message: it stays one line. */
static void plain_text(char *text)
{
	for (; text != NULL && *text != '\0'; text++) {
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			*text = '?';
	}
}

/* Takes over the texts of *new if it returns 0. */
static int insert(struct conf_messages *m, const struct conf_message *new)
{
	struct conf_message *list;
	size_t at = m->count;

	if (m->count == MESSAGES_MAX)
		return -1;
	list = realloc(m->list, (m->count + 1) * sizeof(*list));
	if (list == NULL)
		return -1;
	m->list = list;
	while (at > 0 && list[at - 1].order > new->order)
		at--;
	memmove(&list[at + 1], &list[at], (m->count - at) * sizeof(*list));
	list[at] = *new;
	m->count++;
	return 0;
}

void conf_messages_add(struct conf_messages *m, enum conf_severity severity, const char *file,
		       int line, int order, const char *fmt, va_list ap)
{
	struct conf_message new = {
	    .file = strdup(file), .line = line, .severity = severity, .order = order};

	if (vasprintf(&new.text, fmt, ap) < 0)
		new.text = NULL;
	plain_text(new.text);
	if (new.file != NULL &&new.text != NULL && said_before(m, &new))
		goto drop;
	if (severity == CONF_ERROR)
		m->errors++;
	if (new.file != NULL &&new.text != NULL && insert(m, &new) == 0)
		return;
	m->left_out++;
drop:
	free(new.file);
	free(new.text);
}

void conf_messages_print(const struct conf_messages *m, FILE *out)
{
	for (size_t i = 0; i < m->count; i++) {
		const struct conf_message *c = &m->list[i];
		const char *severity = c->severity == CONF_ERROR ? "error" : "warning";

		if (c->line > 0)
			fprintf(out, "%s:%d: %s: %s\n", c->file, c->line, severity, c->text);
		else
			fprintf(out, "%s: %s: %s\n", c->file, severity, c->text);
	}
	if (m->left_out > 0)
		fprintf(out, "and %zu more\n", m->left_out);
}

const char *conf_messages_first(struct conf_messages *m)
{
	const struct conf_message *c = NULL;

	for (size_t i = 0; i < m->count && c == NULL; i++) {
		if (m->list[i].severity == CONF_ERROR)
			c = &m->list[i];
	}
	if (c == NULL)
		return m->errors > 0 ? "out of memory" : "";
	free(m->first);
	if ((c->line > 0 ? asprintf(&m->first, "%s:%d: %s", c->file, c->line, c->text)
			 : asprintf(&m->first, "%s: %s", c->file, c->text)) < 0)
		m->first = NULL;
	return m->first != NULL ? m->first : c->text;
}

void conf_messages_free(struct conf_messages *m)
{
	for (size_t i = 0; i < m->count; i++) {
		free(m->list[i].file);
		free(m->list[i].text);
	}
	free(m->list);
	free(m->first);
	*m = (struct conf_messages){0};
}
