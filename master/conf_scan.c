/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Blanks and comments are skipped, a string ends on the line where it begins, and every escape is
 * one that libconfuse reads in the same way. Called by conf_source.c for every file.
 */
#include "master/conf_scan.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void conf_scan_start(struct conf_scan *s, const char *text, size_t len)
{
	*s = (struct conf_scan){
	    .next = text, .end = text + len, .line_start = text, .line = 1, .fresh = true};
	if (len >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0)
		s->next += 3; /* a byte order mark */
}

static int peek(const struct conf_scan *s, size_t ahead)
{
	return (size_t)(s->end - s->next) > ahead ? (unsigned char)s->next[ahead] : -1;
}

static void step_line(struct conf_scan *s)
{
	s->next++;
	s->line++;
	s->fresh = true;
	s->line_start = s->next;
}

static void skip_line(struct conf_scan *s)
{
	while (s->next < s->end && *s->next != '\n')
		s->next++;
}

/* Returns -1 if the comment is not closed. */
static int skip_comment(struct conf_scan *s)
{
	int began = s->line;

	s->next += 2;
	while (s->next < s->end) {
		if (peek(s, 0) == '*' && peek(s, 1) == '/') {
			s->next += 2;
			return 0;
		}
		if (*s->next == '\n')
			step_line(s);
		else
			s->next++;
	}
	snprintf(s->why, sizeof(s->why), "the comment that begins on line %d is not closed", began);
	s->line = began;
	return -1;
}

static int skip_blanks(struct conf_scan *s)
{
	while (s->next < s->end) {
		int c = peek(s, 0);

		if (c == '\n')
			step_line(s);
		else if (c == ' ' || c == '\t' || c == '\r')
			s->next++;
		else if (c == '#' || (c == '/' && peek(s, 1) == '/'))
			skip_line(s);
		else if (c == '/' && peek(s, 1) == '*') {
			if (skip_comment(s) < 0)
				return -1;
		} else {
			break;
		}
	}
	return 0;
}

static bool plain(int c)
{
	return c > 0 && c < 0x80 && (isalnum(c) || strchr("._-:/@%~", c) != NULL);
}

/* Where a run of characters ends that somebody means as one word. */
static bool ends_word(int c)
{
	return c < 0 || c <= ' ' || strchr("{}()=,;\"'#", c) != NULL;
}

static void scan_word(struct conf_scan *s, struct conf_token *t)
{
	t->kind = CONF_TOKEN_WORD;
	while (!ends_word(peek(s, 0))) {
		int c = peek(s, 0), after = peek(s, 1);

		if (!plain(c) || (c == '/' && (after == '/' || after == '*')))
			t->kind = CONF_TOKEN_UNQUOTED;
		s->next++;
	}
	t->len = (size_t)(s->next - t->text);
}

static void scan_bad(struct conf_scan *s, struct conf_token *t, const char *why)
{
	t->kind = CONF_TOKEN_BAD;
	if (why != NULL)
		snprintf(s->why, sizeof(s->why), "%s", why);
	s->next = s->end;
}

/* ${NAME} or ${NAME:-default}: the value of an environment variable, inserted by libconfuse. */
static const char *scan_variable(struct conf_scan *s)
{
	const char *name = s->next + 2;
	size_t left = (size_t)(s->end - name);
	const char *close = memchr(name, '}', left);
	const char *quote = memchr(name, '"', left);
	const char *newline = memchr(name, '\n', left);
	const char *colon;
	char text[128];

	if (close == NULL || (newline != NULL && newline < close) ||
	    (quote != NULL && quote < close))
		return "\"${\" without \"}\"; write \"\\${\" for these two characters themselves";
	if (memchr(name, '\0', (size_t)(close - name)) != NULL ||
	    (size_t)(close - name) >= sizeof(text))
		return "the name in \"${...}\" is none";
	memcpy(text, name, (size_t)(close - name));
	text[close - name] = '\0';
	s->next = close + 1;
	colon = strstr(text, ":");
	if (colon != NULL && colon[1] == '-')
		return NULL;
	if (getenv(text) != NULL)
		return NULL;
	snprintf(s->why, sizeof(s->why),
		 "no environment variable %.60s (\"${NAME:-text}\" gives a default)", text);
	return s->why;
}

/* An octal escape: at most three digits, not NUL, not above a byte. */
static const char *scan_octal(struct conf_scan *s)
{
	unsigned value = 0;
	int digits = 0;

	for (s->next++; peek(s, 0) >= '0' && peek(s, 0) <= '9'; s->next++, digits++) {
		if (peek(s, 0) > '7' || digits == 3)
			return "bad escape: \"\\\" and at most three octal digits";
		value = value * 8 + (unsigned)(peek(s, 0) - '0');
	}
	return value == 0 || value > 255 ? "bad escape: an octal number from 1 to 377" : NULL;
}

/* After a backslash in a double-quoted string. */
static const char *scan_escape(struct conf_scan *s)
{
	int c = peek(s, 1);

	if (c >= '0' && c <= '9')
		return scan_octal(s);
	if (c < ' ' || c >= 0x7f)
		return "a \"\\\" with nothing to stand for after it";
	if (c == 'x') {
		if (!isxdigit(peek(s, 2)))
			return "bad escape: \"\\x\" and two hexadecimal digits";
		if (peek(s, 2) == '0' && (peek(s, 3) == '0' || !isxdigit(peek(s, 3))))
			return "bad escape: NUL may not be in a string";
	}
	s->next += 2;
	return NULL;
}

/* One character, escape or variable of a string. Returns what is wrong with it, or NULL. */
static const char *scan_character(struct conf_scan *s, char quote)
{
	int c = peek(s, 0);

	if (c == '\0' || (c < ' ' && c != '\t') || c == 0x7f)
		return "control character in a string (write \\n, \\r, \\t or \\xNN)";
	if (c == '\\' && quote == '"')
		return scan_escape(s);
	if (c == '$' && peek(s, 1) == '{' && quote == '"')
		return scan_variable(s);
	if (c == '\\' && (peek(s, 1) < ' ' || peek(s, 1) >= 0x7f))
		return "a \"\\\" with nothing to stand for after it";
	s->next += c == '\\' ? 2 : 1;
	return NULL;
}

static void scan_string(struct conf_scan *s, struct conf_token *t)
{
	char quote = *s->next++;

	t->kind = CONF_TOKEN_STRING;
	while (s->next < s->end && *s->next != '\n') {
		const char *why;

		if (*s->next == quote) {
			s->next++;
			t->len = (size_t)(s->next - t->text);
			return;
		}
		if (*s->next == '\r' && peek(s, 1) == '\n')
			break;
		why = scan_character(s, quote);
		if (why != NULL) {
			scan_bad(s, t, why == s->why ? NULL : why);
			return;
		}
	}
	scan_bad(s, t, "the string is not closed on its line (write \\n for a line break)");
}

static enum conf_token_kind punctuation(int c)
{
	switch (c) {
	case '{':
		return CONF_TOKEN_OPEN;
	case '}':
		return CONF_TOKEN_CLOSE;
	case '(':
		return CONF_TOKEN_PAREN;
	case ')':
		return CONF_TOKEN_UNPAREN;
	case '=':
		return CONF_TOKEN_EQUALS;
	case ',':
		return CONF_TOKEN_COMMA;
	case ';':
		return CONF_TOKEN_SEMICOLON;
	default:
		return CONF_TOKEN_END;
	}
}

struct conf_token conf_scan_next(struct conf_scan *s)
{
	struct conf_token t = {.kind = CONF_TOKEN_END};
	int blanks = skip_blanks(s), c = peek(s, 0);

	t.text = s->next;
	t.line = s->line;
	t.column = (int)(s->next - s->line_start);
	t.first = s->fresh;
	s->fresh = false;
	if (blanks < 0) {
		scan_bad(s, &t, NULL);
	} else if (c == '"' || c == '\'') {
		scan_string(s, &t);
	} else if (c == '+' && peek(s, 1) == '=') {
		t.kind = CONF_TOKEN_APPEND;
		t.len = 2;
		s->next += 2;
	} else if (c >= 0 && punctuation(c) != CONF_TOKEN_END) {
		t.kind = punctuation(c);
		t.len = 1;
		s->next++;
	} else if (c >= 0 && c < ' ') {
		scan_bad(s, &t, "control character outside a string");
	} else if (c >= 0) {
		scan_word(s, &t);
	}
	return t;
}
