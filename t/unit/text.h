/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Configurations as texts, and what is said of them: for tests of master/conf.c and the files
 * behind it. A text is called "t.conf"; relative paths in it begin at a folder of the test's own,
 * if it has made one, else at "/".
 */
#ifndef DROVER_T_UNIT_TEXT_H
#define DROVER_T_UNIT_TEXT_H

#include "master/conf.h"

/* Checked fixtures: a folder with www/, a fifo, 404.html and big.html (64 KiB and a byte), and the
 * end of each test, with a folder or without. */
void text_begin(void);
void text_end(void);

/* A path in the folder, until the next call. */
const char *text_in(const char *name);
void text_write(const char *name, const char *bytes);

/* NULL: it is refused. */
struct settings *text_parse(const char *text);

/* The same, but a refusal fails the test. */
struct settings *text_good(const char *text);

/* "LINE: text" of each message since then, with the folder's name as DIR; other files by name. */
const char *text_said(void);
struct conf_messages *text_messages(void);

/* What -T prints; the caller frees it. */
char *text_printed(const struct settings *s);

/* What -T prints is read, without a word, and printed again in the same way: the settings that were
 * read. */
struct settings *text_again(const struct settings *s);

/* Rows of tables: a text, and all that is said of it, in order. */
struct text {
	const char *text, *said;
};
void text_refused(const struct text *t);
void text_doubted(const struct text *t); /* good, and yet something is said */

#endif
