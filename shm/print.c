/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What droverctl prints, but for JSON, goes through here.
 */
#include "shm/print.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum {
	CELL_MAX = 1024,
	GAP = 2,
	COLUMN_LEAST = 6, /* columns stay where they are while their numbers grow */
	TEXT_LEAST = 16   /* that a text is shortened to */
};

char *print_escape(const char *text, size_t bytes, char *out, size_t out_bytes)
{
	size_t used = 0;
	char one[8];

	assert(out_bytes > 0);
	for (size_t i = 0; i < bytes; i++) {
		unsigned char c = (unsigned char)text[i];
		int n;

		if (c == '\\')
			n = snprintf(one, sizeof(one), "\\\\");
		else if (c >= 0x20 && c < 0x7f)
			n = snprintf(one, sizeof(one), "%c", c);
		else
			n = snprintf(one, sizeof(one), "\\x%02x", c);
		if (used + (size_t)n >= out_bytes)
			break;
		memcpy(out + used, one, (size_t)n);
		used += (size_t)n;
	}
	out[used] = '\0';
	return out;
}

char *print_duration(uint64_t us, char out[PRINT_SHORT])
{
	uint64_t s = us / 1000000;

	if (us < 1000)
		snprintf(out, PRINT_SHORT, "%" PRIu64 " us", us);
	else if (us < 10000)
		snprintf(out, PRINT_SHORT, "%" PRIu64 ".%" PRIu64 " ms", us / 1000,
			 us % 1000 / 100);
	else if (us < 1000000)
		snprintf(out, PRINT_SHORT, "%" PRIu64 " ms", us / 1000);
	else if (s < 10)
		snprintf(out, PRINT_SHORT, "%" PRIu64 ".%" PRIu64 " s", s, us % 1000000 / 100000);
	else if (s < 60)
		snprintf(out, PRINT_SHORT, "%" PRIu64 " s", s);
	else if (s < 3600)
		snprintf(out, PRINT_SHORT, "%" PRIu64 "m%" PRIu64 "s", s / 60, s % 60);
	else if (s < 86400)
		snprintf(out, PRINT_SHORT, "%" PRIu64 "h%" PRIu64 "m", s / 3600, s % 3600 / 60);
	else
		snprintf(out, PRINT_SHORT, "%" PRIu64 "d%" PRIu64 "h", s / 86400, s % 86400 / 3600);
	return out;
}

char *print_size(uint64_t bytes, char out[PRINT_SHORT])
{
	static const char units[] = "kMGTPE";
	double n = (double)bytes / 1024;
	unsigned unit = 0;

	if (bytes < 1024) {
		snprintf(out, PRINT_SHORT, "%" PRIu64, bytes);
		return out;
	}
	while (n >= 1023.5 && unit < sizeof(units) - 2) {
		n /= 1024;
		unit++;
	}
	snprintf(out, PRINT_SHORT, n < 9.95 ? "%.1f%c" : "%.0f%c", n, units[unit]);
	return out;
}

/* How much of the text goes on a line of room columns: up to a space, if there is one. */
static size_t line_length(const char *text, size_t room)
{
	size_t n = strlen(text);

	if (n <= room)
		return n;
	for (n = room; n > 0; n--)
		if (text[n] == ' ')
			return n;
	return room;
}

void print_wrapped(FILE *out, const char *label, unsigned indent, unsigned width, const char *text)
{
	size_t length = strlen(text), room = width > indent + 20 ? width - indent : 20;
	char *all = malloc(4 * length + 1);
	const char *at = all;

	if (all == NULL)
		return;
	print_escape(text, length, all, 4 * length + 1);
	do {
		size_t n = line_length(at, room);

		fprintf(out, "%-*s%.*s\n", (int)indent, label, (int)n, at);
		at += n;
		at += strspn(at, " ");
		label = "";
	} while (*at != '\0');
	free(all);
}

unsigned print_width(FILE *out)
{
	const char *columns = getenv("COLUMNS");
	long n = columns != NULL ? strtol(columns, NULL, 10) : 0;
	struct winsize size;
	int fd = fileno(out);

	if (n > 0 && n <= UINT16_MAX)
		return (unsigned)n;
	if (fd < 0 || !isatty(fd))
		return 0;
	return ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col != 0 ? size.ws_col : 80;
}

char *print_shorten(char *name, size_t width)
{
	size_t length = strlen(name), head;

	assert(width >= 3);
	if (length <= width)
		return name;
	head = width / 2;
	name[head] = '~';
	memmove(name + head + 1, name + length - (width - head - 1), width - head);
	return name;
}

struct print_table {
	FILE *out;
	bool raw;
	bool failed;
	const char *const *titles;
	const char *align;
	size_t columns;
	char **cells; /* row by row; not used if raw */
	size_t count, room;
};

struct print_table *print_table_new(FILE *out, bool raw, const char *const *titles,
				    const char *align)
{
	struct print_table *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return NULL;
	t->out = out;
	t->raw = raw;
	t->titles = titles;
	t->align = align;
	t->columns = strlen(align);
	return t;
}

static void keep(struct print_table *t, const char *text)
{
	if (t->count == t->room) {
		size_t room = t->room == 0 ? 64 : t->room * 2;
		char **more = reallocarray(t->cells, room, sizeof(*more));

		if (more == NULL) {
			t->failed = true;
			return;
		}
		t->cells = more;
		t->room = room;
	}
	t->cells[t->count] = strdup(text);
	if (t->cells[t->count] == NULL)
		t->failed = true;
	else
		t->count++;
}

void print_cell(struct print_table *t, const char *fmt, ...)
{
	char text[CELL_MAX], safe[4 * CELL_MAX];
	va_list ap;

	if (t == NULL || t->failed)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	print_escape(text, strlen(text), safe, sizeof(safe));
	if (!t->raw) {
		keep(t, safe);
		return;
	}
	t->count++;
	fprintf(t->out, "%s%c", safe, t->count % t->columns == 0 ? '\n' : '\t');
}

static size_t column_width(const struct print_table *t, size_t column)
{
	size_t width = strlen(t->titles[column]);

	if (width < COLUMN_LEAST && column + 1 < t->columns)
		width = COLUMN_LEAST;

	for (size_t i = column; i < t->count; i += t->columns) {
		size_t n = strlen(t->cells[i]);

		width = n > width ? n : width;
	}
	return width;
}

/* Writes one line, and no spaces at its end. */
static void write_line(const struct print_table *t, const char *const *cells, const size_t *widths,
		       size_t gap, size_t limit)
{
	size_t at = 0, spaces = 0;

	for (size_t c = 0; c < t->columns; c++) {
		size_t n = strlen(cells[c]), fill = widths[c] > n ? widths[c] - n : 0, shown = n;

		spaces += (c > 0 ? gap : 0) + (t->align[c] == 'r' ? fill : 0);
		if (limit != 0 && at + spaces >= limit)
			break;
		if (limit != 0 && at + spaces + n > limit)
			shown = limit - at - spaces;
		fprintf(t->out, "%*s%.*s", (int)spaces, "", (int)shown, cells[c]);
		if (shown < n)
			break;
		at += spaces + n;
		spaces = t->align[c] == 'r' ? 0 : fill;
	}
	fputc('\n', t->out);
}

/*
 * Where a line would be cut, texts before the last column give way first, the widest before
 * others, so that the columns behind them are still seen. Returns the gap between columns.
 */
static size_t fit(const struct print_table *t, size_t *widths, size_t limit)
{
	for (;;) {
		size_t all = GAP * (t->columns - 1), widest = t->columns;

		for (size_t c = 0; c < t->columns; c++) {
			bool last = c + 1 == t->columns && t->align[c] != 'r';

			all += last ? strlen(t->titles[c]) : widths[c];
			if (t->align[c] != 'r' && !last && widths[c] > TEXT_LEAST &&
			    (widest == t->columns || widths[c] > widths[widest]))
				widest = c;
		}
		if (all <= limit)
			return GAP;
		if (widest == t->columns)
			return 1;
		widths[widest]--;
	}
}

static void shorten_texts(const struct print_table *t, const size_t *widths)
{
	for (size_t i = 0; i < t->count; i++) {
		size_t c = i % t->columns;

		if (t->align[c] != 'r' && c + 1 < t->columns)
			print_shorten(t->cells[i], widths[c]);
	}
}

static void write_aligned(const struct print_table *t, unsigned limit)
{
	size_t *widths = calloc(t->columns, sizeof(*widths)), gap = GAP;

	if (widths == NULL)
		return;
	for (size_t c = 0; c < t->columns; c++)
		widths[c] = column_width(t, c);
	if (limit != 0) {
		gap = fit(t, widths, limit);
		shorten_texts(t, widths);
	}
	write_line(t, t->titles, widths, gap, limit);
	for (size_t i = 0; i + t->columns <= t->count; i += t->columns)
		write_line(t, (const char *const *)(t->cells + i), widths, gap, limit);
	free(widths);
}

int print_table_end(struct print_table *t, unsigned width)
{
	bool failed;

	if (t == NULL || t->failed)
		errno = ENOMEM;
	else if (!t->raw)
		write_aligned(t, width);
	failed = t == NULL || t->failed || ferror(t->out);
	for (size_t i = 0; t != NULL && !t->raw && i < t->count; i++)
		free(t->cells[i]);
	if (t != NULL)
		free(t->cells);
	free(t);
	return failed ? -1 : 0;
}
