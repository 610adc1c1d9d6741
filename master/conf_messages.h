/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is wrong with a configuration: a list of sentences, each with its place, in the order in
 * which the text is read.
 */
#ifndef DROVER_MASTER_CONF_MESSAGES_H
#define DROVER_MASTER_CONF_MESSAGES_H

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

enum conf_severity {
	CONF_ERROR,
	CONF_WARNING
};

struct conf_message {
	char *file;
	int line; /* 0: the file as a whole */
	enum conf_severity severity;
	char *text;
	int order; /* place in the reading order: line of the text with all includes expanded */
};

/* Zero it before its first use. */
struct conf_messages {
	struct conf_message *list; /* by order */
	size_t count;
	size_t errors;   /* all of them, those left out included */
	size_t left_out; /* beyond the first hundred */
	char *first;     /* memory of conf_messages_first() */
};

/*
 * Adds a sentence. The same sentence about the same place is kept once. If memory is out it is
 * counted all the same.
 */
void conf_messages_add(struct conf_messages *m, enum conf_severity severity, const char *file,
		       int line, int order, const char *fmt, va_list ap)
    __attribute__((format(printf, 6, 0)));

/* Lines such as "FILE:LINE: error: TEXT" (or "FILE: error: TEXT"). */
void conf_messages_print(const struct conf_messages *m, FILE *out);

/* The first error as "FILE:LINE: TEXT", "" if there is none; valid until the messages change. */
const char *conf_messages_first(struct conf_messages *m);

/* Empties the list; it can be used again. */
void conf_messages_free(struct conf_messages *m);

#endif
