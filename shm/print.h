/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Text for terminals and scripts: escaping, durations, sizes, aligned tables. Nothing that a client
 * sent reaches a terminal raw: all cells of a table go through print_escape().
 */
#ifndef DROVER_SHM_PRINT_H
#define DROVER_SHM_PRINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum {
	PRINT_SHORT = 32
};

/*
 * Printable ASCII as it is, a backslash doubled, all else as \xNN. Cut to fit out, never inside an
 * escape; 4 * bytes + 1 are always enough. Returns out.
 */
char *print_escape(const char *text, size_t bytes, char *out, size_t out_bytes);

/* Two units at most: "350 us", "12 ms", "1.2 s", "45 s", "3m20s", "2h5m", "3d4h". Return out. */
char *print_duration(uint64_t us, char out[PRINT_SHORT]);
/* "512", "1.2k", "34M": powers of 1024. */
char *print_size(uint64_t bytes, char out[PRINT_SHORT]);

/*
 * Escapes text and writes it in lines of at most width columns, each after indent spaces; the label
 * stands in those of the first.
 */
void print_wrapped(FILE *out, const char *label, unsigned indent, unsigned width, const char *text);

/*
 * Columns that lines to a stream may have: COLUMNS, which watch(1) sets for what it runs, else
 * those of the terminal behind it; 0 (no limit) if there is none.
 */
unsigned print_width(FILE *out);

/*
 * Cuts a name to width columns (at least 3): a '~' stands for what its middle has lost, since
 * "server.NAME.requests" tells most at its ends. Returns name.
 */
char *print_shorten(char *name, size_t width);

/*
 * A table. titles has an entry for each column, align a letter: l or r. A raw one is for scripts:
 * no titles, tabs between the cells, each line written at once.
 */
struct print_table;

struct print_table *print_table_new(FILE *out, bool raw, const char *const *titles,
				    const char *align);
/* Adds a cell; the row ends by itself with its last column. */
void print_cell(struct print_table *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/*
 * Writes the table and frees it. No line is wider than width columns (0: no limit): texts that are
 * too long are shortened, then lines are cut. -1 with errno if memory or the stream failed.
 */
int print_table_end(struct print_table *t, unsigned width);

#endif
