/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Makes the page of a directory. Work and memory are bounded: at most LISTING_NAMES_MAX names are
 * read and sorted, and only those that fit the page are looked at closely. Every name is untrusted:
 * escaped for HTML where it is shown, percent-encoded and then escaped where it is linked, and
 * linked as "./name", so that "javascript:x" is a file and not a scheme.
 */
#include "worker/http/listing.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "worker/http/open.h"
#include "worker/http/path.h"

struct name {
	bool is_dir;
	char *text;
};

struct names {
	struct name *name;
	size_t count, room;
	bool more; /* not all were read */
};

/* The page so far. What does not fit is not written at all. */
struct page {
	char *out;
	size_t len, size;
};

enum {
	TAIL_SIZE = 128 /* kept for the last lines */
};

static void names_free(struct names *n)
{
	for (size_t i = 0; i < n->count; i++)
		free(n->name[i].text);
	free(n->name);
}

static int names_add(struct names *n, const char *text, bool is_dir)
{
	if (n->count == n->room) {
		size_t room = n->room > 0 ? n->room * 2 : 64;
		struct name *larger = reallocarray(n->name, room, sizeof(*larger));

		if (larger == NULL)
			return -1;
		n->name = larger;
		n->room = room;
	}
	n->name[n->count].text = strdup(text);
	if (n->name[n->count].text == NULL)
		return -1;
	n->name[n->count++].is_dir = is_dir;
	return 0;
}

/* What the name stands for, links followed as far as they stay below the root. */
static int stat_name(const struct listing *l, const char *name, struct stat *st_out)
{
	char rel[PATH_MAX];

	if ((size_t)snprintf(rel, sizeof(rel), "%s%s", l->rel, name) >= sizeof(rel))
		return -1;
	return open_stat(l->root, rel, st_out);
}

/* Could a request ask for it? Not for control characters, nor for what is not UTF-8 (path.h). */
static bool is_reachable(const char *name)
{
	char encoded[3 * NAME_MAX + 2] = "/", normal[NAME_MAX + 2];
	int n = path_encode(name, strlen(name), encoded + 1, sizeof(encoded) - 1);
	size_t len;

	return n >= 0 && path_normalise(encoded, (size_t)n + 1, normal, sizeof(normal), &len) == 0;
}

/* Would a request for it be answered? Most file systems tell the type with the name. */
static bool is_shown(const struct listing *l, const struct dirent *d, bool *is_dir_out)
{
	struct stat st;
	unsigned char type = d->d_type;

	if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0)
		return false;
	if ((d->d_name[0] == '.' && !l->dotfiles) || !is_reachable(d->d_name))
		return false;
	if (type == DT_LNK || type == DT_UNKNOWN) {
		if (stat_name(l, d->d_name, &st) < 0)
			return false;
		type = IFTODT(st.st_mode);
	}
	*is_dir_out = type == DT_DIR;
	return type == DT_DIR || type == DT_REG;
}

static int names_read(struct names *n, const struct listing *l, DIR *dir)
{
	struct dirent *d;
	bool is_dir;

	for (unsigned seen = 0;; seen++) {
		errno = 0;
		d = readdir(dir);
		if (d == NULL)
			return errno == 0 ? 0 : -1;
		if (seen == LISTING_NAMES_MAX) {
			n->more = true;
			return 0;
		}
		if (is_shown(l, d, &is_dir) && names_add(n, d->d_name, is_dir) < 0)
			return -1;
	}
}

static int by_kind_and_name(const void *a, const void *b)
{
	const struct name *x = a, *y = b;

	if (x->is_dir != y->is_dir)
		return x->is_dir ? -1 : 1;
	return strcmp(x->text, y->text);
}

static bool put(struct page *p, const char *text, size_t len)
{
	if (len > p->size - p->len)
		return false;
	memcpy(p->out + p->len, text, len);
	p->len += len;
	return true;
}

__attribute__((format(printf, 2, 3))) static bool put_format(struct page *p, const char *fmt, ...)
{
	size_t left = p->size - p->len;
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsnprintf(p->out + p->len, left, fmt, args);
	va_end(args);
	if (n < 0 || (size_t)n >= left)
		return false;
	p->len += (size_t)n;
	return true;
}

static bool put_escaped(struct page *p, const char *text, size_t len)
{
	bool fits = true;

	for (size_t i = 0; i < len && fits; i++) {
		switch (text[i]) {
		case '&':
			fits = put(p, "&amp;", 5);
			break;
		case '<':
			fits = put(p, "&lt;", 4);
			break;
		case '>':
			fits = put(p, "&gt;", 4);
			break;
		case '"':
			fits = put(p, "&quot;", 6);
			break;
		case '\'':
			fits = put(p, "&#39;", 5);
			break;
		default:
			fits = put(p, text + i, 1);
		}
	}
	return fits;
}

static bool put_link(struct page *p, const char *name, const char *slash)
{
	char encoded[3 * NAME_MAX + 1];
	size_t len = strlen(name);
	int n = path_encode(name, len, encoded, sizeof(encoded));

	return n >= 0 && put_format(p, "<tr><td><a href=\"./") &&
	       put_escaped(p, encoded, (size_t)n) && put_format(p, "%s\">", slash) &&
	       put_escaped(p, name, len) && put_format(p, "%s</a>", slash);
}

static bool put_size(struct page *p, uint64_t size)
{
	static const char units[] = "kMGTPE";
	double n = (double)size;
	int unit = -1;

	if (size < 1024)
		return put_format(p, "%" PRIu64, size);
	for (; n >= 1024 && unit < 5; unit++)
		n /= 1024;
	return put_format(p, "%.1f%c", n, units[unit]);
}

static bool put_details(struct page *p, const struct name *name, const struct stat *st)
{
	char date[32];
	struct tm tm;

	if (gmtime_r(&st->st_mtime, &tm) == NULL ||
	    strftime(date, sizeof(date), "%Y-%m-%d %H:%M", &tm) == 0)
		date[0] = '\0';
	return put_format(p, "</td><td>") && (name->is_dir || put_size(p, (uint64_t)st->st_size)) &&
	       put_format(p, "</td><td>%s</td></tr>\n", date);
}

/* One row, or nothing. True if there may be room for another one. */
static bool put_row(struct page *p, const struct listing *l, const struct name *name)
{
	size_t before = p->len;
	struct stat st;

	if (stat_name(l, name->text, &st) < 0)
		return true; /* gone, or not for us to see */
	if (put_link(p, name->text, name->is_dir ? "/" : "") && put_details(p, name, &st))
		return true;
	p->len = before;
	return false;
}

static void put_heading(struct page *p, const struct listing *l)
{
	/* A page of the smallest size holds the heading's own text; a title that does not fit its
	 * share of it is cut. */
	size_t len = l->path_len < 256 ? l->path_len : 256;

	put_format(p, "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\">\n"
		      "<meta name=\"viewport\" content=\"width=device-width\">\n<title>");
	put_escaped(p, l->path, len);
	put_format(p, "</title>\n<style>:root{color-scheme:light dark}"
		      "body{font:1rem/1.5 system-ui,sans-serif;margin:2rem auto;max-width:60rem;"
		      "padding:0 1rem}td{padding-right:2rem}"
		      "td+td{text-align:right;white-space:nowrap;opacity:.7}</style>\n<h1>");
	put_escaped(p, l->path, len);
	put_format(p, "</h1>\n<table>\n");
	if (l->path_len > 1)
		put_format(p, "<tr><td><a href=\"../\">../</a></td><td></td><td></td></tr>\n");
}

static void write_page(struct page *p, const struct listing *l, const struct names *n)
{
	size_t i = 0;

	p->size -= TAIL_SIZE;
	put_heading(p, l);
	while (i < n->count && put_row(p, l, &n->name[i]))
		i++;
	p->size += TAIL_SIZE;
	put_format(p, "</table>\n");
	if (n->more)
		put_format(p, "<p>… more than %zu more</p>\n", n->count - i);
	else if (i < n->count)
		put_format(p, "<p>… %zu more</p>\n", n->count - i);
}

int listing_write(const struct listing *l, char *out, size_t size, size_t *len_out)
{
	struct page p = {.out = out, .size = size};
	struct names n = {0};
	int fd = open_below(l->root, l->rel, O_RDONLY | O_DIRECTORY), saved;
	DIR *dir;

	if (fd < 0)
		return -1;
	dir = fdopendir(fd);
	if (dir == NULL) {
		saved = errno;
		close(fd);
		errno = saved;
		return -1;
	}
	if (names_read(&n, l, dir) == 0) {
		if (n.count > 0)
			qsort(n.name, n.count, sizeof(*n.name), by_kind_and_name);
		write_page(&p, l, &n);
		*len_out = p.len;
		saved = 0;
	} else {
		saved = errno != 0 ? errno : ENOMEM;
	}
	names_free(&n);
	closedir(dir);
	errno = saved;
	return saved == 0 ? 0 : -1;
}
