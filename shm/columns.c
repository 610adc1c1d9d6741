/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Lays lists out for droverctl's live view. Text comes escaped: a byte is a column.
 */
#include "shm/columns.h"

#include <assert.h>
#include <string.h>

/* Lets columns of this rank in, from the left, as long as there is room. Returns what is used. */
static unsigned let_in(const struct column *columns, unsigned n, unsigned rank, unsigned width,
		       unsigned used, unsigned *widths)
{
	for (unsigned i = 0; i < n; i++) {
		unsigned gap = used > 0 ? 1 : 0;

		if (columns[i].rank != rank || used + gap + columns[i].width > width)
			continue;
		widths[i] = columns[i].width;
		used += gap + columns[i].width;
	}
	return used;
}

void columns_fit(const struct column *columns, unsigned n, unsigned width,
		 unsigned widths_out[COLUMNS_MAX])
{
	unsigned used = 0, last = 0;

	assert(n > 0 && n <= COLUMNS_MAX);
	memset(widths_out, 0, COLUMNS_MAX * sizeof(*widths_out));
	for (unsigned i = 0; i < n; i++)
		last = columns[i].rank > last ? columns[i].rank : last;
	for (unsigned rank = 0; rank <= last; rank++)
		used = let_in(columns, n, rank, width, used, widths_out);
	for (unsigned i = 0; i < n; i++) {
		if (used == 0 && columns[i].rank == 0)
			widths_out[i] = used = width;
		if (columns[i].flexible && widths_out[i] != 0 && used < width) {
			widths_out[i] += width - used;
			used = width;
		}
	}
}

void columns_put(char *line, size_t bytes, const struct column *column, unsigned width,
		 const char *text)
{
	size_t at = strlen(line), gap = at > 0, length = strlen(text), shown, left;

	assert(at < bytes);
	if (width == 0 || at + gap + width >= bytes)
		return;
	if (gap > 0)
		line[at++] = ' ';
	shown = length < width ? length : width;
	left = column->right ? width - shown : 0;
	memset(line + at, ' ', width);
	memcpy(line + at + left, text, shown);
	if (length > width)
		line[at + width - 1] = '~';
	line[at + width] = '\0';
}

size_t columns_scroll(size_t first, size_t selected, size_t count, size_t rows)
{
	if (rows == 0 || count <= rows)
		return 0;
	if (selected < first)
		first = selected;
	if (selected >= first + rows)
		first = selected - rows + 1;
	return first + rows > count ? count - rows : first;
}
