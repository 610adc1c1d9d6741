/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A list on a screen of any size: which columns fit, where each cell goes, which of the rows show.
 * Widths are fixed, so that a list that is drawn again stays where it is. Pure arithmetic.
 */
#ifndef DROVER_SHM_COLUMNS_H
#define DROVER_SHM_COLUMNS_H

#include <stdbool.h>
#include <stddef.h>

enum {
	COLUMNS_MAX = 16
};

struct column {
	const char *title;
	unsigned width; /* at least; > 0 */
	bool right;     /* aligned */
	bool flexible;  /* takes what is left over; at most one column of a list */
	unsigned rank;  /* columns of rank 0 come first when there is not room for all */
};

/*
 * Shares width among n <= COLUMNS_MAX columns with one space between them: widths_out[i] = 0 if
 * column i is not shown. The first column of rank 0 is always shown, cut if it must be.
 */
void columns_fit(const struct column *columns, unsigned n, unsigned width,
		 unsigned widths_out[COLUMNS_MAX]);

/*
 * Appends a cell to line, which holds at most bytes - 1 characters: a space if it is not the first,
 * then text, filled up to width; what is cut ends with '~'. Nothing if width is 0.
 */
void columns_put(char *line, size_t bytes, const struct column *column, unsigned width,
		 const char *text);

/*
 * The first row to show of count, so that the selected one is among the rows shown and the screen
 * is as full as can be. first is what it was.
 */
size_t columns_scroll(size_t first, size_t selected, size_t count, size_t rows);

#endif
