/* SPDX-License-Identifier: BSD-2-Clause */
/* See text.h. */
#include "t/unit/text.h"

#include <check.h>
#include <ftw.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static char dir[PATH_MAX];
static struct conf_messages messages;

const char *text_in(const char *name)
{
	static char path[2 * PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static void write_bytes(const char *name, const void *bytes, size_t len)
{
	FILE *f = fopen(text_in(name), "w");

	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(fwrite(bytes, 1, len, f), len);
	ck_assert_int_eq(fclose(f), 0);
}

void text_write(const char *name, const char *bytes)
{
	write_bytes(name, bytes, strlen(bytes));
}

void text_begin(void)
{
	static char big[64 * 1024 + 1];
	char template[] = "/tmp/drover-conf.XXXXXX";

	ck_assert_ptr_nonnull(mkdtemp(template));
	ck_assert_ptr_nonnull(realpath(template, dir));
	ck_assert_int_eq(mkdir(text_in("www"), 0755), 0);
	ck_assert_int_eq(mkfifo(text_in("fifo"), 0644), 0);
	text_write("404.html", "<p>gone</p>\n");
	write_bytes("big.html", big, sizeof(big));
}

static int remove_entry(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	(void)st;
	(void)kind;
	(void)ftw;
	return remove(path);
}

void text_end(void)
{
	conf_messages_free(&messages);
	if (dir[0] != '\0')
		nftw(dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
	dir[0] = '\0';
}

struct conf_messages *text_messages(void)
{
	return &messages;
}

struct settings *text_parse(const char *text)
{
	conf_messages_free(&messages);
	return conf_parse_text("t.conf", text, strlen(text), dir[0] != '\0' ? dir : "/", &messages);
}

const char *text_said(void)
{
	static char out[16384];
	size_t used = 0, dir_len = strlen(dir);

	out[0] = '\0';
	for (size_t i = 0; i < messages.count; i++) {
		const struct conf_message *m = &messages.list[i];
		bool other = strcmp(m->file, "t.conf") != 0;
		char line[4096], *at;

		snprintf(line, sizeof(line), "%s%s%d: %s%s\n", other ? m->file : "",
			 other ? ":" : "", m->line, m->severity == CONF_WARNING ? "warning: " : "",
			 m->text);
		while (dir_len > 0 && (at = strstr(line, dir)) != NULL) {
			memmove(at + 3, at + dir_len, strlen(at + dir_len) + 1);
			memcpy(at, "DIR", 3);
		}
		used += (size_t)snprintf(out + used, sizeof(out) - used, "%s", line);
	}
	if (used > 0)
		out[used - 1] = '\0';
	return out;
}

struct settings *text_good(const char *text)
{
	struct settings *s = text_parse(text);

	ck_assert_msg(s != NULL, "%s\n-> %s", text, text_said());
	return s;
}

char *text_printed(const struct settings *s)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	conf_print(s, out);
	ck_assert_int_eq(fclose(out), 0);
	return text;
}

struct settings *text_again(const struct settings *s)
{
	char *once = text_printed(s), *twice;
	struct settings *again = text_good(once);

	ck_assert_str_eq(text_said(), "");
	twice = text_printed(again);
	ck_assert_str_eq(once, twice);
	free(once);
	free(twice);
	return again;
}

static void expect_said(const struct text *t)
{
	ck_assert_msg(strcmp(text_said(), t->said) == 0, "%s\n-> %s\nnot %s", t->text, text_said(),
		      t->said);
}

void text_refused(const struct text *t)
{
	ck_assert_msg(text_parse(t->text) == NULL, "accepted: %s", t->text);
	expect_said(t);
	ck_assert_uint_gt(messages.errors, 0);
}

void text_doubted(const struct text *t)
{
	struct settings *s = text_good(t->text);

	expect_said(t);
	settings_free(s);
}
