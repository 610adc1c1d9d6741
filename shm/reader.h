/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reads a board by its descriptions alone: tables and fields are looked up by name, never by
 * struct, so that any reader reads any daemon's board.
 *
 * The file is read, not mapped: reading a hole of a sparse file allocates nothing, and neither a
 * file that shrinks nor a full file system can raise SIGBUS. What was opened is checked whole
 * first; after that no content of the file leads outside of it. Rows that nobody ever wrote are
 * best left alone.
 *
 * Times (_us) are the writers' CLOCK_MONOTONIC; reader_now_us() is the same clock's present.
 */
#ifndef DROVER_SHM_READER_H
#define DROVER_SHM_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "shm/board.h"

struct reader;

/*
 * Opens the board at path, which is the file or its run directory, and waits at most a second until
 * it is ready. Returns NULL with a sentence in why.
 */
struct reader *reader_open(const char *path, char *why, size_t why_bytes);

/* The same for a board that lies in memory, which must stay until the reader is closed. */
struct reader *reader_attach(const void *base, size_t bytes, char *why, size_t why_bytes);

void reader_close(struct reader *r); /* NULL is fine */

const char *reader_path(const struct reader *r); /* of the file; "" if it lies in memory */
uid_t reader_owner(const struct reader *r);      /* of the file */
bool reader_stale(const struct reader *r);       /* another file, or none, now has its name */

/* Times. A board of another boot goes on counting by wall clock, so that ages still make sense. */
bool reader_same_boot(const struct reader *r);
uint64_t reader_now_us(const struct reader *r);
/* Milliseconds since 1970 of a time on the board; 0 (never) stays 0. */
uint64_t reader_unix_ms(const struct reader *r, uint64_t us);

/* Descriptions. They live as long as the reader; all texts in them end within their arrays. */
size_t reader_tables(const struct reader *r);
const struct board_table *reader_table_at(const struct reader *r, size_t i);
const struct board_table *reader_table(const struct reader *r, const char *name);
/* Field of a table: NULL if it has none of that name (or the table is NULL). i < table->fields */
const struct board_field *reader_field_at(const struct reader *r, const struct board_table *t,
					  uint32_t i);
const struct board_field *reader_field(const struct reader *r, const struct board_table *t,
				       const char *name);
/* Text of an enum's value ("?" if it has none), and the value of a text. */
const char *reader_enum_text(const struct reader *r, const char *name, uint64_t value);
bool reader_enum_value(const struct reader *r, const char *name, const char *text,
		       uint64_t *value_out);

enum reader_status {
	READER_OK,
	READER_TORN, /* its writer is dead, stopped in the middle, or never at rest: words may
			disagree */
	READER_LOST  /* no such row, or the file lost it: all zero */
};

/* A row's copy. Zeroed, or used for another row of any table, before; freed after. */
struct reader_row {
	const struct reader *reader;
	const struct board_table *table;
	uint32_t index;
	enum reader_status status;
	char *
	    bytes; /* table->stride of them, also if torn or lost; NULL only before the first use */
	size_t room;
};

/*
 * Copies a row so that its words agree, if its table has a field `seq`: tries again while the count
 * is odd or changes, for a few milliseconds at most. Returns row->status; -1 with errno = ENOMEM is
 * the only error.
 */
int reader_copy(struct reader *r, const struct board_table *t, uint32_t i, struct reader_row *row);
void reader_row_free(struct reader_row *row);

/*
 * Copies n rows as they are, for counters and single words: the n strides go to out. Returns 0, or
 * -1 if the table or the file has not got them; out is zeroed then.
 */
int reader_block(const struct reader *r, const struct board_table *t, uint32_t first, uint32_t n,
		 void *out);

/* Values in the bytes of a row. A NULL field reads as 0 or "". */
uint64_t reader_u64(const char *bytes, const struct board_field *f);
/* Stops at the NUL or the field's end; whatever was in there is still in there: escape it. Returns
 * out. */
char *reader_text(const char *bytes, const struct board_field *f, char *out, size_t out_bytes);
void reader_addr(const char *bytes, const struct board_field *f, uint8_t out[16]);
/* Adds the buckets to those in sum. */
void reader_hist(const char *bytes, const struct board_field *f, uint64_t sum[HIST_BUCKETS]);

/* A field of a copied row by name, for the few looked at once. */
uint64_t reader_row_u64(const struct reader_row *row, const char *name);
char *reader_row_text(const struct reader_row *row, const char *name, char *out, size_t out_bytes);
const char *reader_row_enum(const struct reader_row *row, const char *name);

#endif
