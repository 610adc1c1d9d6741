/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Media types. A hash table from extension to type, filled with the types of the web first and
 * then with the system's file, whose word counts. Made once by the master and only read after the
 * fork. A line of the file that is no media type is passed over, so what goes into Content-Type is
 * always a token, a slash and a token.
 */
#include "worker/http/mime.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum {
	EXT_MAX = 31, /* longer extensions have no type */
	SLOTS_FIRST = 1024
};

struct slot {
	char ext[EXT_MAX + 1]; /* lower case; "" = free */
	const char *type;      /* of a struct text */
};

/* Types read or made, each once for the extensions of a line. */
struct text {
	struct text *next;
	char text[];
};

struct mime {
	struct slot *slot;
	uint32_t slots; /* a power of two */
	uint32_t used;  /* always < slots / 2 */
	struct text *texts;
};

static const char *const built_in[] = {
    "text/html html htm shtml",
    "text/css css",
    "text/javascript js mjs",
    "text/plain txt log conf text",
    "text/markdown md markdown",
    "text/csv csv",
    "text/xml xml xsl",
    "text/vtt vtt",
    "text/calendar ics",
    "application/json json map",
    "application/ld+json jsonld",
    "application/manifest+json webmanifest",
    "application/wasm wasm",
    "application/pdf pdf",
    "application/rtf rtf",
    "application/zip zip",
    "application/gzip gz",
    "application/zstd zst",
    "application/x-bzip2 bz2",
    "application/x-xz xz",
    "application/x-tar tar",
    "application/x-7z-compressed 7z",
    "application/java-archive jar war ear",
    "application/epub+zip epub",
    "application/rss+xml rss",
    "application/atom+xml atom",
    "application/xhtml+xml xhtml",
    "application/vnd.debian.binary-package deb udeb",
    "application/msword doc",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document docx",
    "application/vnd.ms-excel xls",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet xlsx",
    "application/vnd.ms-powerpoint ppt",
    "application/vnd.openxmlformats-officedocument.presentationml.presentation pptx",
    "application/vnd.oasis.opendocument.text odt",
    "application/octet-stream bin exe dll iso img dmg msi",
    "image/png png",
    "image/jpeg jpg jpeg",
    "image/gif gif",
    "image/svg+xml svg",
    "image/webp webp",
    "image/avif avif",
    "image/vnd.microsoft.icon ico",
    "image/bmp bmp",
    "image/tiff tif tiff",
    "image/jxl jxl",
    "font/woff woff",
    "font/woff2 woff2",
    "font/ttf ttf",
    "font/otf otf",
    "audio/mpeg mp3",
    "audio/ogg ogg oga opus",
    "audio/mp4 m4a",
    "audio/flac flac",
    "audio/x-wav wav",
    "audio/midi mid midi",
    "audio/aac aac",
    "video/mp4 mp4 m4v",
    "video/webm webm",
    "video/ogg ogv",
    "video/mpeg mpeg mpg",
    "video/quicktime mov",
    "video/x-matroska mkv",
    "video/mp2t ts",
    "application/vnd.apple.mpegurl m3u8",
};

static uint32_t hash(const char *ext)
{
	uint32_t h = 2166136261u; /* FNV-1a; the operator's own extensions attack nobody */

	for (; *ext != '\0'; ext++)
		h = (h ^ (unsigned char)*ext) * 16777619u;
	return h ^ h >> 15;
}

/* The slot of the extension, or the free one where it belongs. */
static struct slot *find(const struct mime *m, const char *ext)
{
	uint32_t i = hash(ext) & (m->slots - 1);

	while (m->slot[i].ext[0] != '\0' && strcmp(m->slot[i].ext, ext) != 0)
		i = (i + 1) & (m->slots - 1);
	return &m->slot[i];
}

static int grow(struct mime *m)
{
	struct mime larger = *m;

	larger.slots = m->slots * 2;
	larger.slot = calloc(larger.slots, sizeof(*larger.slot));
	if (larger.slot == NULL)
		return -1;
	for (uint32_t i = 0; i < m->slots; i++) {
		if (m->slot[i].ext[0] != '\0')
			*find(&larger, m->slot[i].ext) = m->slot[i];
	}
	free(m->slot);
	*m = larger;
	return 0;
}

/* Copies an extension in lower case. False: it is none. */
static bool ext_copy(char out[EXT_MAX + 1], const char *ext, size_t len)
{
	if (len == 0 || len > EXT_MAX)
		return false;
	for (size_t i = 0; i < len; i++)
		out[i] = (char)(ext[i] >= 'A' && ext[i] <= 'Z' ? ext[i] - 'A' + 'a' : ext[i]);
	out[len] = '\0';
	return true;
}

static int add(struct mime *m, const char *ext, const char *type)
{
	char lower[EXT_MAX + 1];
	struct slot *s;

	if (!ext_copy(lower, ext, strlen(ext)))
		return 0;
	if (m->used + 1 >= m->slots / 2 && grow(m) < 0)
		return -1;
	s = find(m, lower);
	if (s->ext[0] == '\0')
		m->used++;
	memcpy(s->ext, lower, sizeof(lower));
	s->type = type;
	return 0;
}

/* token "/" token (RFC 9110 8.3.1). */
static bool is_type(const char *type)
{
	static const char token[] = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"
				    "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
	size_t main_len = strspn(type, token), sub_len;

	if (main_len == 0 || type[main_len] != '/')
		return false;
	sub_len = strspn(type + main_len + 1, token);
	return sub_len > 0 && type[main_len + 1 + sub_len] == '\0';
}

static const char *keep_type(struct mime *m, const char *type)
{
	const char *charset = strncasecmp(type, "text/", 5) == 0 ? "; charset=utf-8" : "";
	size_t size = strlen(type) + strlen(charset) + 1;
	struct text *t = malloc(sizeof(*t) + size);

	if (t == NULL)
		return NULL;
	snprintf(t->text, size, "%s%s", type, charset);
	t->next = m->texts;
	m->texts = t;
	return t->text;
}

/* A line of mime.types: a type and its extensions. Changes the line. */
static int add_line(struct mime *m, char *line)
{
	static const char space[] = " \t\r\n;";
	char *rest, *word;
	const char *type;

	line[strcspn(line, "#")] = '\0';
	word = strtok_r(line, space, &rest);
	if (word == NULL || !is_type(word))
		return 0;
	type = NULL;
	for (char *ext; (ext = strtok_r(NULL, space, &rest)) != NULL;) {
		if (type == NULL && (type = keep_type(m, word)) == NULL)
			return -1;
		if (add(m, ext, type) < 0)
			return -1;
	}
	return 0;
}

static int add_built_in(struct mime *m)
{
	char line[128];

	for (size_t i = 0; i < sizeof(built_in) / sizeof(built_in[0]); i++) {
		snprintf(line, sizeof(line), "%s", built_in[i]);
		if (add_line(m, line) < 0)
			return -1;
	}
	return 0;
}

static int add_file(struct mime *m, FILE *file)
{
	char *line = NULL;
	size_t size = 0;
	int rc = 0;

	while (rc == 0 && getline(&line, &size, file) >= 0)
		rc = add_line(m, line);
	free(line);
	return rc;
}

struct mime *mime_load(const char *path)
{
	struct mime *m = calloc(1, sizeof(*m));
	FILE *file;
	int rc;

	if (m == NULL)
		return NULL;
	m->slots = SLOTS_FIRST;
	m->slot = calloc(m->slots, sizeof(*m->slot));
	if (m->slot == NULL || add_built_in(m) < 0)
		goto failed;
	if (path == NULL)
		return m;
	file = fopen(path, "re");
	if (file == NULL)
		return m; /* errno says why */
	rc = add_file(m, file);
	fclose(file);
	if (rc == 0)
		return m;
failed:
	mime_free(m);
	errno = ENOMEM;
	return NULL;
}

void mime_free(struct mime *m)
{
	if (m == NULL)
		return;
	while (m->texts != NULL) {
		struct text *next = m->texts->next;

		free(m->texts);
		m->texts = next;
	}
	free(m->slot);
	free(m);
}

const char *mime_type(const struct mime *m, const char *name, size_t len, const char *fallback)
{
	char ext[EXT_MAX + 1];
	size_t at = len;
	const struct slot *s;

	while (at > 0 && name[at - 1] != '.' && name[at - 1] != '/')
		at--;
	/* ".profile" is a name, not an extension. */
	if (m == NULL || at < 2 || name[at - 1] != '.' || name[at - 2] == '/' ||
	    !ext_copy(ext, name + at, len - at))
		return fallback;
	s = find(m, ext);
	return s->ext[0] != '\0' ? s->type : fallback;
}
