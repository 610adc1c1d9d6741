/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The words of a configuration text, one at a time. Stricter than libconfuse's own reader, which
 * must never see what it would misread in silence: comments (they spoil its line numbers), an
 * unclosed quote (it spoils the next parse as well), characters that it drops ('*', '+'), a NUL
 * from an escape. Pure: no allocation, no message.
 */
#ifndef DROVER_MASTER_CONF_SCAN_H
#define DROVER_MASTER_CONF_SCAN_H

#include <stdbool.h>
#include <stddef.h>

enum conf_token_kind {
	CONF_TOKEN_END,
	CONF_TOKEN_WORD,      /* without quotes: letters, digits and . _ - : / @ % ~ */
	CONF_TOKEN_STRING,    /* with its quotes */
	CONF_TOKEN_OPEN,      /* { */
	CONF_TOKEN_CLOSE,     /* } */
	CONF_TOKEN_PAREN,     /* ( */
	CONF_TOKEN_UNPAREN,   /* ) */
	CONF_TOKEN_EQUALS,    /* = */
	CONF_TOKEN_APPEND,    /* += */
	CONF_TOKEN_COMMA,     /* , */
	CONF_TOKEN_SEMICOLON, /* a habit from elsewhere */
	CONF_TOKEN_UNQUOTED,  /* a word that needs quotes */
	CONF_TOKEN_BAD        /* cannot be read on from here: scan.why */
};

struct conf_token {
	enum conf_token_kind kind;
	const char *text;
	size_t len;
	int line;
	int column; /* bytes before it on its line */
	bool first; /* nothing but blanks before it on its line */
};

struct conf_scan {
	const char *next;
	const char *end;
	const char *line_start;
	int line;
	bool fresh; /* no token yet on this line */
	char why[160];
};

void conf_scan_start(struct conf_scan *s, const char *text, size_t len);
struct conf_token conf_scan_next(struct conf_scan *s);

#endif
