/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Fuzzes shm/reader.c and shm/view.c: the input is the image of a board. It is refused, or
 * everything that it describes can be read without a step outside. Inputs that do not begin like a
 * board are laid over a good one, so that the fuzzer is past the magic at once.
 */
#include <stdlib.h>
#include <string.h>

#include "shm/reader.h"
#include "shm/view.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
	ROWS = 40
};

static void read_row(struct reader *r, const struct board_table *t, const struct reader_row *row)
{
	static uint64_t sum[HIST_BUCKETS];
	uint8_t addr[16];
	char text[300];

	for (uint32_t k = 0; k < t->fields; k++) {
		const struct board_field *f = reader_field_at(r, t, k);

		reader_enum_text(r, f->unit, reader_u64(row->bytes, f));
		reader_text(row->bytes, f, text, sizeof(text));
		reader_addr(row->bytes, f, addr);
		reader_hist(row->bytes, f, sum);
	}
}

static void read_tables(struct reader *r)
{
	struct reader_row row = {0};

	for (size_t i = 0; i < reader_tables(r); i++) {
		const struct board_table *t = reader_table_at(r, i);

		for (uint32_t n = 0; n <= t->rows && n < ROWS; n++)
			if (reader_copy(r, t, n, &row) >= 0)
				read_row(r, t, &row);
	}
	reader_row_free(&row);
}

/* A board that says it has many workers is believed, and takes as long as it says. */
static void look(struct reader *r)
{
	const struct board_table *workers = reader_table(r, "worker");
	uint64_t states[VIEW_STATES] = {0};
	struct view v = {0};

	if (workers != NULL && workers->rows > ROWS)
		return;
	if (view_load(&v, r) == 0) {
		view_sum(&v, "requests");
		for (uint32_t i = 0; i < v.workers_count; i++)
			if (view_conns_used(&v.workers[i], reader_table(r, "conn")) < 10 * ROWS)
				view_states(&v, &v.workers[i], states);
	}
	view_free(&v);
}

static void attach(const void *base, size_t bytes)
{
	char why[200];
	struct reader *r = reader_attach(base, bytes, why, sizeof(why));

	if (r != NULL) {
		read_tables(r);
		look(r);
	}
	reader_close(r);
}

/* Input: offset (4 bytes), length (1), bytes, and again. */
static void overlay(const uint8_t *data, size_t size)
{
	static const struct board_sizes sizes = {1, 4, 1, 1, 1, 1};
	size_t bytes = 0;
	uint8_t *image = board_image(&sizes, &bytes);

	if (image == NULL)
		return;
	for (size_t at = 0; at + 5 <= size;) {
		uint32_t off;
		size_t n = data[at + 4];

		memcpy(&off, data + at, sizeof(off));
		at += 5;
		n = n < size - at ? n : size - at;
		off %= (uint32_t)bytes;
		n = n < bytes - off ? n : bytes - off;
		memcpy(image + off, data + at, n);
		at += n;
	}
	attach(image, bytes);
	free(image);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size >= sizeof(BOARD_MAGIC) && memcmp(data, BOARD_MAGIC, sizeof(BOARD_MAGIC)) == 0)
		attach(data, size);
	else
		overlay(data, size);
	return 0;
}
