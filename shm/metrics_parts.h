/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the files of the metrics share. A scope is a set of series with the same fields: one row
 * (the master, or the sum over all workers) or several, told apart by one label (slot, listener,
 * server). metrics_families.c makes text of it; metrics.c tells of what there is once or by slot,
 * metrics_named.c of what rows with a name did (listeners, servers, upstreams, peers).
 */
#ifndef DROVER_SHM_METRICS_PARTS_H
#define DROVER_SHM_METRICS_PARTS_H

#include <stdbool.h>

#include "shm/metrics.h"

#define METRICS_DIM(a) (sizeof(a) / sizeof((a)[0]))

enum {
	METRICS_NAME_BYTES = 120,
	METRICS_LABEL_BYTES = 128
};

struct metrics_writer {
	FILE *out;
	bool openmetrics;
	const struct view *v;
};

struct metrics_label {
	const char *key; /* NULL: left out */
	const char *value;
};

/* A family of metrics: a name without the suffix of its type, what it is measured in, and how many
 * units of the board make one of that. */
struct metrics_family {
	char name[METRICS_NAME_BYTES];
	const char *type;
	const char *unit; /* "" for a plain number */
	unsigned scale;
};

/* Series with the same fields. */
struct metrics_scope {
	const char *prefix;
	const struct board_table *t;
	const char *label; /* NULL: one row without */
	const char *of;    /* a second label, before the first; NULL: none */
	uint32_t rows;
	char (*names)[METRICS_LABEL_BYTES];  /* of the rows */
	char (*owners)[METRICS_LABEL_BYTES]; /* values of the second label; NULL: there is none */
	uint64_t *values;                    /* row by row: t->fields of each */
};

/* Room for so many rows and one more. Returns 0, or -1; metrics_scope_free() in any case. */
int metrics_scope_init(struct metrics_scope *s, const struct board_table *t, const char *prefix,
		       const char *label, uint32_t rows);
void metrics_scope_free(struct metrics_scope *s);
uint64_t *metrics_scope_row(const struct metrics_scope *s, uint32_t row);

/* The labels of a row, into out[2]. */
void metrics_scope_labels(const struct metrics_scope *s, uint32_t row, struct metrics_label out[2]);

/* A counter or a level that is a metric of its own. */
bool metrics_is_plain(const struct metrics_writer *w, const struct metrics_scope *s,
		      const struct board_field *f);

/* A family's name: prefix, the field's name in the words of metrics, and the unit at its end. */
void metrics_name(struct metrics_family *out, const char *prefix, const char *name,
		  const struct board_field *f);

/* A family's HELP and TYPE; of one that no field makes; one of its samples. */
void metrics_head(const struct metrics_writer *w, const struct metrics_family *f, const char *help);
void metrics_gauge(const struct metrics_writer *w, struct metrics_family *f, const char *name,
		   const char *unit, const char *help);
void metrics_sample(const struct metrics_writer *w, const struct metrics_family *f,
		    const struct metrics_label *labels, unsigned count, uint64_t value);

/* Labels as a sample has them; bound: of a histogram's bucket, or NULL. */
void metrics_labels(const struct metrics_writer *w, const struct metrics_label *labels,
		    unsigned count, const char *bound);

/* All samples of the field k, or of the family that it is the first of. */
void metrics_field(const struct metrics_writer *w, const struct metrics_scope *s, uint32_t k);

/* The samples of one histogram: a bucket for every step of those on the board. */
void metrics_hist(const struct metrics_writer *w, const struct metrics_family *f,
		  const struct metrics_label *labels, unsigned count,
		  const uint64_t buckets[HIST_BUCKETS], unsigned step, bool has_sum, uint64_t sum);

/* All named tables. Returns 0, or -1 if memory failed. */
int metrics_named(const struct metrics_writer *w);

#endif
