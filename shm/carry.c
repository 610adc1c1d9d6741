/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From board to board by description: see carry.h. Both are read by shm/reader.c's rules, and the
 * new one is written as its writers would. Called by the master after it was executed anew, or when
 * it takes over from one that died.
 */
#include "shm/carry.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shm/reader.h"

/* A field that both have. */
struct pair {
	const struct board_field *from, *to;
};

struct crossing {
	const struct board_table *from, *to;
	const struct board_field *seq; /* of the new one; NULL: it has none */
	struct pair *pairs;
	uint32_t count;
};

struct carry {
	struct reader *from, *to;
	char *base; /* of the new board */
	struct crossing *tables;
	size_t count;
	const struct crossing *worker;
	struct reader_row row;
};

static bool alike(const struct board_field *a, const struct board_field *b)
{
	return a->kind == b->kind && strcmp(a->name, "seq") != 0 &&
	       (a->kind != BOARD_ENUM || strcmp(a->unit, b->unit) == 0);
}

/* What the workers of the old program have in hand they take off there, never from the new board.
 */
static bool stays(const struct board_table *t, const struct board_field *f)
{
	return strcmp(t->name, "peer") == 0 && strcmp(f->name, "active") == 0;
}

static int pair_fields(const struct carry *c, struct crossing *x)
{
	x->seq = reader_field(c->to, x->to, "seq");
	x->pairs = calloc(x->to->fields + 1, sizeof(*x->pairs));
	if (x->pairs == NULL)
		return -1;
	for (uint32_t i = 0; i < x->to->fields; i++) {
		const struct board_field *to = reader_field_at(c->to, x->to, i);
		const struct board_field *from = reader_field(c->from, x->from, to->name);

		if (from != NULL && alike(from, to) && !stays(x->to, to))
			x->pairs[x->count++] = (struct pair){from, to};
	}
	return 0;
}

static int pair_tables(struct carry *c)
{
	c->tables = calloc(reader_tables(c->to), sizeof(*c->tables));
	for (size_t i = 0; c->tables != NULL && i < reader_tables(c->to); i++) {
		struct crossing *x = &c->tables[c->count];

		x->to = reader_table_at(c->to, i);
		x->from = reader_table(c->from, x->to->name);
		if (x->from == NULL)
			continue;
		c->count++;
		if (pair_fields(c, x) != 0)
			return -1;
		if (strcmp(x->to->name, "worker") == 0)
			c->worker = x;
	}
	return c->tables == NULL ? -1 : 0;
}

static struct reader *read_file(int fd, char *why, size_t why_bytes)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return reader_open(path, why, why_bytes);
}

struct carry *carry_open(const struct board *to, int fd, char *why, size_t why_bytes)
{
	struct carry *c = calloc(1, sizeof(*c));

	snprintf(why, why_bytes, "no memory");
	if (c == NULL)
		return NULL;
	c->base = to->base;
	c->from = read_file(fd, why, why_bytes);
	c->to = c->from != NULL ? reader_attach(to->base, to->bytes, why, why_bytes) : NULL;
	if (c->to == NULL || pair_tables(c) != 0) {
		carry_close(c);
		return NULL;
	}
	return c;
}

void carry_close(struct carry *c)
{
	if (c == NULL)
		return;
	for (size_t i = 0; i < c->count; i++)
		free(c->tables[i].pairs);
	free(c->tables);
	reader_row_free(&c->row);
	reader_close(c->from);
	reader_close(c->to);
	free(c);
}

static void raise_to(uint32_t *size, uint32_t rows)
{
	if (rows > *size)
		*size = rows;
}

struct board_sizes carry_sizes(int fd, struct board_sizes least)
{
	char why[160];
	struct reader *r = read_file(fd, why, sizeof(why));
	const struct board_table *t;

	if (r == NULL)
		return least;
	if ((t = reader_table(r, "worker")) != NULL)
		raise_to(&least.slots, t->rows / BOARD_HALVES);
	if ((t = reader_table(r, "conn")) != NULL)
		raise_to(&least.conns_per_worker, t->group_rows);
	if ((t = reader_table(r, "listener")) != NULL)
		raise_to(&least.listeners, t->rows);
	if ((t = reader_table(r, "server")) != NULL)
		raise_to(&least.servers, t->rows);
	if ((t = reader_table(r, "upstream")) != NULL)
		raise_to(&least.upstreams, t->rows);
	if ((t = reader_table(r, "peer")) != NULL)
		raise_to(&least.peers, t->rows);
	reader_close(r);
	return least;
}

static void store(char *at, uint16_t elem, uint64_t value)
{
	switch (elem) {
	case 1:
		*(uint8_t *)at = (uint8_t)value;
		break;
	case 2:
		__atomic_store_n((uint16_t *)(void *)at, (uint16_t)value, __ATOMIC_RELAXED);
		break;
	case 4:
		__atomic_store_n((uint32_t *)(void *)at, (uint32_t)value, __ATOMIC_RELAXED);
		break;
	default:
		__atomic_store_n((uint64_t *)(void *)at, value, __ATOMIC_RELAXED);
	}
}

static uint64_t enum_value(const struct carry *c, const struct pair *p, uint64_t value)
{
	const char *text = reader_enum_text(c->from, p->from->unit, value);
	uint64_t ours = 0;

	reader_enum_value(c->to, p->to->unit, text, &ours);
	return ours;
}

static void carry_hist(const char *from, char *to, const struct pair *p)
{
	uint64_t sum[HIST_BUCKETS] = {0};

	reader_hist(from, p->from, sum);
	for (uint32_t i = 0; i < p->to->count && i < HIST_BUCKETS; i++)
		store(to + p->to->offset + i * sizeof(sum[0]), sizeof(sum[0]), sum[i]);
}

static void carry_field(const struct carry *c, const char *from, char *to, const struct pair *p)
{
	char *at = to + p->to->offset;

	switch ((enum board_kind)p->to->kind) {
	case BOARD_TEXT:
		reader_text(from, p->from, at, p->to->count);
		return;
	case BOARD_ADDR:
		if (p->to->count >= 16)
			reader_addr(from, p->from, (uint8_t *)at);
		return;
	case BOARD_HIST:
		carry_hist(from, to, p);
		return;
	case BOARD_ENUM:
		store(at, p->to->elem, enum_value(c, p, reader_u64(from, p->from)));
		return;
	case BOARD_COUNTER:
	case BOARD_GAUGE:
	case BOARD_TIME:
	case BOARD_ID:
		break;
	}
	store(at, p->to->elem, reader_u64(from, p->from));
}

/* Never written: to touch it would cost a page. */
static bool is_empty(const char *bytes, size_t n)
{
	return n == 0 || (bytes[0] == 0 && memcmp(bytes, bytes + 1, n - 1) == 0);
}

static void carry_row(struct carry *c, const struct crossing *x, uint32_t from, uint32_t to)
{
	char *row = c->base + x->to->offset + (size_t)to * x->to->stride;
	uint32_t *seq = NULL;

	if (from >= x->from->rows || to >= x->to->rows ||
	    reader_copy(c->from, x->from, from, &c->row) < 0)
		return;
	if (is_empty(c->row.bytes, x->from->stride) && is_empty(row, x->to->stride))
		return;
	if (x->seq != NULL)
		seq = (uint32_t *)(void *)(row + x->seq->offset);
	if (seq != NULL)
		board_write_begin(seq);
	for (uint32_t i = 0; i < x->count; i++)
		carry_field(c, c->row.bytes, row, &x->pairs[i]);
	if (seq != NULL)
		board_write_end(seq);
}

/* As many of a group's rows as were ever used, where the worker tells. */
static uint32_t group_rows(struct carry *c, const struct crossing *x, uint32_t worker)
{
	uint32_t rows = x->from->group_rows < x->to->group_rows ? x->from->group_rows
								: x->to->group_rows;
	uint64_t high;

	if (strcmp(x->to->name, "conn") != 0 || c->worker == NULL ||
	    reader_copy(c->from, c->worker->from, worker, &c->row) < 0)
		return rows;
	high = reader_row_u64(&c->row, "conns_high");
	return high < rows ? (uint32_t)high : rows;
}

static void carry_group(struct carry *c, const struct crossing *x, uint32_t worker)
{
	uint32_t rows = group_rows(c, x, worker);

	for (uint32_t i = 0; i < rows; i++)
		carry_row(c, x, worker * x->from->group_rows + i, worker * x->to->group_rows + i);
}

void carry_worker(struct carry *c, uint32_t row)
{
	if (c->worker == NULL || row >= c->worker->from->rows || row >= c->worker->to->rows)
		return;
	carry_row(c, c->worker, row, row);
	for (size_t i = 0; i < c->count; i++)
		if (c->tables[i].from->group_rows != 0 && c->tables[i].to->group_rows != 0)
			carry_group(c, &c->tables[i], row);
}

void carry_all(struct carry *c)
{
	for (size_t i = 0; i < c->count; i++) {
		const struct crossing *x = &c->tables[i];

		if (x->to->group_rows != 0 || x == c->worker)
			continue;
		for (uint32_t row = 0; row < x->from->rows && row < x->to->rows; row++)
			carry_row(c, x, row, row);
	}
	for (uint32_t row = 0; c->worker != NULL && row < c->worker->from->rows; row++)
		carry_worker(c, row);
}
