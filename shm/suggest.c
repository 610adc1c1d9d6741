/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The nearest name by edit distance (optimal string alignment). For a handful of names and short
 * words: the plain table is quick enough.
 */
#include "shm/suggest.h"

#include <stdint.h>
#include <string.h>

enum {
	WORD_MAX = 128
};

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* One row of the table: prev is the row before, prev2 the one before that. */
static void distance_row(const char *a, const char *b, size_t i, size_t nb, const size_t *prev2,
			 const size_t *prev, size_t *row)
{
	row[0] = i;
	for (size_t j = 1; j <= nb; j++) {
		row[j] = least(prev[j] + 1, row[j - 1] + 1);
		row[j] = least(row[j], prev[j - 1] + (a[i - 1] != b[j - 1]));
		if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
			row[j] = least(row[j], prev2[j - 2] + 1);
	}
}

size_t suggest_distance(const char *a, const char *b)
{
	size_t rows[3][WORD_MAX];
	size_t na = strlen(a), nb = strlen(b);

	if (na >= WORD_MAX || nb >= WORD_MAX)
		return SIZE_MAX;
	for (size_t j = 0; j <= nb; j++)
		rows[0][j] = j;
	for (size_t i = 1; i <= na; i++)
		distance_row(a, b, i, nb, rows[(i + 1) % 3], rows[(i - 1) % 3], rows[i % 3]);
	return rows[na % 3][nb];
}

const char *suggest_nearest(const char *word, const char *const *names, size_t n)
{
	size_t length = strlen(word), far = length < 4 ? 2 : 2 + length / 4;
	const char *best = NULL;

	for (size_t i = 0; i < n; i++) {
		size_t d = suggest_distance(word, names[i]);

		if (d < far) {
			far = d;
			best = names[i];
		}
	}
	return best;
}
