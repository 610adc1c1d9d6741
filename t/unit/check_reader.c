/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tests shm/reader.c: damaged files of every kind are refused and never crash a reader; fields are
 * found wherever another version put them; rows come out whole while they are being written, and
 * are called torn, in bounded time, when their writer died in the middle.
 */
#include "shm/reader.h"

#include <check.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shm/times.h"

static const struct board_sizes sizes = {
    .slots = 1, .conns_per_worker = 40, .listeners = 2, .servers = 2, .upstreams = 2, .peers = 2};

enum {
	SOON_US =
	    10000000 /* it does not wait forever, on a machine that may stand still for seconds */
};

static char dir[64], path[96], why[256];
static char *image; /* a good board in memory */
static size_t image_bytes;

static void set_up(void)
{
	strcpy(dir, "/tmp/drover-reader-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/%s", dir, BOARD_FILE);
	image = board_image(&sizes, &image_bytes);
	ck_assert_ptr_nonnull(image);
	why[0] = '\0';
}

static void tear_down(void)
{
	free(image);
	unlink(path);
	ck_assert_msg(rmdir(dir) == 0, "something is left in %s", dir);
}

static struct board_header *header(void)
{
	return (struct board_header *)(void *)image;
}

static struct board_table *table(unsigned i)
{
	return (struct board_table *)(void *)(image + header()->tables_off) + i;
}

static struct board_field *field(unsigned i)
{
	return (struct board_field *)(void *)(image + header()->fields_off) + i;
}

static struct board_enum *text(unsigned i)
{
	return (struct board_enum *)(void *)(image + header()->enums_off) + i;
}

static void write_file(const void *bytes, size_t n)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, bytes, n), (ssize_t)n);
	close(fd);
}

/* Reads all that there is to read, as a program that goes by the descriptions would. */
static void walk(struct reader *r)
{
	struct reader_row row = {0};
	uint64_t buckets[HIST_BUCKETS] = {0};
	uint8_t addr[16];
	char out[64];

	for (size_t i = 0; i < reader_tables(r); i++) {
		const struct board_table *t = reader_table_at(r, i);

		for (uint32_t n = 0; n < t->rows && n < 50; n++) {
			ck_assert_int_ge(reader_copy(r, t, n, &row), 0);
			for (uint32_t k = 0; k < t->fields; k++) {
				const struct board_field *f = reader_field_at(r, t, k);

				reader_u64(row.bytes, f);
				reader_text(row.bytes, f, out, sizeof(out));
				reader_addr(row.bytes, f, addr);
				reader_hist(row.bytes, f, buckets);
				reader_enum_text(r, f->unit, reader_u64(row.bytes, f));
			}
		}
	}
	reader_row_free(&row);
}

static void refused(const char *what)
{
	struct reader *r = reader_attach(image, image_bytes, why, sizeof(why));

	ck_assert_msg(r == NULL, "%s was not noticed", what);
	ck_assert_msg(strlen(why) > 10, "%s: no reason given", what);
}

START_TEST(test_good)
{
	struct reader *r = reader_attach(image, image_bytes, why, sizeof(why));

	ck_assert_msg(r != NULL, "%s", why);
	ck_assert(reader_same_boot(r));
	ck_assert_uint_le(reader_now_us(r), times_mono_us());
	ck_assert_uint_eq(reader_unix_ms(r, 0), 0);
	walk(r);
	reader_close(r);
	reader_close(NULL);
}
END_TEST

#define BREAK(what, code)                         \
	do {                                      \
		char *good = malloc(image_bytes); \
                                                  \
		ck_assert_ptr_nonnull(good);      \
		memcpy(good, image, image_bytes); \
		code;                             \
		refused(what);                    \
		memcpy(image, good, image_bytes); \
		free(good);                       \
	} while (0)

START_TEST(test_broken_header)
{
	BREAK("magic", header()->magic[3] = 'x');
	BREAK("layout 0", header()->layout = 0);
	BREAK("a later layout", header()->layout = BOARD_LAYOUT + 1);
	BREAK("a short header", header()->header_bytes = 8);
	BREAK("not ready", header()->ready = 0);
	BREAK("file_bytes", header()->file_bytes = image_bytes + 1);
	BREAK("file_bytes, huge", header()->file_bytes = UINT64_MAX);
	BREAK("tables_off", header()->tables_off = image_bytes - 8);
	BREAK("tables_off, huge", header()->tables_off = UINT64_MAX - 8);
	BREAK("fields_off", header()->fields_off = image_bytes);
	BREAK("enums_off", header()->enums_off = UINT64_MAX);
	BREAK("tables", header()->tables = UINT32_MAX);
	BREAK("fields", header()->fields = 16000);
	BREAK("fields, huge", header()->fields = UINT32_MAX);
	BREAK("fewer fields", header()->fields = 1);
	BREAK("enums", header()->enums = UINT32_MAX);
	BREAK("table_stride", header()->table_stride = 8);
	BREAK("table_stride, huge", header()->table_stride = UINT32_MAX);
	BREAK("field_stride", header()->field_stride = 0);
	BREAK("enum_stride", header()->enum_stride = 1);
}
END_TEST

START_TEST(test_broken_description)
{
	BREAK("table name", memset(table(1)->name, 'x', sizeof(table(1)->name)));
	BREAK("table help", memset(table(1)->help, 'x', sizeof(table(1)->help)));
	BREAK("table offset", table(2)->offset = image_bytes);
	BREAK("table offset, huge", table(2)->offset = UINT64_MAX - 100);
	BREAK("stride 0", table(2)->stride = 0);
	BREAK("stride, small", table(2)->stride = 8);
	BREAK("stride, huge", table(2)->stride = UINT32_MAX);
	BREAK("rows", table(header()->tables - 1)->rows = UINT32_MAX);
	BREAK("a page of rows more", table(header()->tables - 1)->rows += 22);
	BREAK("first_field", table(0)->first_field = header()->fields + 1);
	BREAK("fields", table(0)->fields = UINT32_MAX);
	BREAK("group_rows", table(9)->group_rows = table(9)->rows + 1);
	BREAK("field name", memset(field(3)->name, 'x', sizeof(field(3)->name)));
	BREAK("field unit", memset(field(3)->unit, 'x', sizeof(field(3)->unit)));
	BREAK("field help", memset(field(3)->help, 'x', sizeof(field(3)->help)));
	BREAK("elem 0", field(3)->elem = 0);
	BREAK("elem 3", field(3)->elem = 3);
	BREAK("count 0", field(3)->count = 0);
	BREAK("count, huge", field(3)->count = UINT32_MAX);
	BREAK("field offset", field(3)->offset = table(0)->stride - 1);
	BREAK("field offset, huge", field(3)->offset = UINT32_MAX);
	BREAK("enum name", memset(text(0)->name, 'x', sizeof(text(0)->name)));
	BREAK("enum text", memset(text(0)->text, 'x', sizeof(text(0)->text)));
}
END_TEST

/* Any damage at all: refused or read, never a step outside (the sanitizers watch). */
START_TEST(test_random_damage)
{
	char *good = malloc(image_bytes), *exact;
	size_t head = header()->enums_off + header()->enums * sizeof(struct board_enum);
	unsigned taken = 0;

	ck_assert_ptr_nonnull(good);
	memcpy(good, image, image_bytes);
	srand((unsigned)_i + 1);
	for (unsigned round = 0; round < 300; round++) {
		size_t n = image_bytes;
		struct reader *r;

		memcpy(image, good, image_bytes);
		for (int hits = rand() % 4; hits >= 0; hits--)
			image[(size_t)rand() % head] = (char)rand();
		if (round % 8 == 0)
			n = (size_t)rand() % image_bytes;
		exact = malloc(n + 1); /* so that a byte too far is noticed */
		ck_assert_ptr_nonnull(exact);
		memcpy(exact, image, n);
		r = reader_attach(exact, n, why, sizeof(why));
		if (r != NULL) {
			walk(r);
			taken++;
		}
		reader_close(r);
		free(exact);
	}
	free(good);
	ck_assert_uint_gt(taken, 0);
	ck_assert_uint_lt(taken, 300);
}
END_TEST

static const size_t cuts[] = {0, 1, 8, 135, 136, 137, 4096, 20000};

START_TEST(test_cut_in_memory)
{
	char *exact = malloc(cuts[_i] + 1);
	struct reader *r;

	ck_assert_ptr_nonnull(exact);
	memcpy(exact, image, cuts[_i]);
	r = reader_attach(exact, cuts[_i], why, sizeof(why));
	ck_assert_ptr_null(r);
	ck_assert_uint_gt(strlen(why), 10);
	free(exact);
}
END_TEST

START_TEST(test_cut_file)
{
	uint64_t began = times_mono_us();
	struct reader *r;

	write_file(image, cuts[_i]);
	r = reader_open(path, why, sizeof(why));
	ck_assert_ptr_null(r);
	ck_assert_msg(strstr(why, path) != NULL, "%s", why);
	ck_assert_uint_lt(times_mono_us() - began, SOON_US);
}
END_TEST

/* Cut off while it is open: the rows are lost, and nobody is killed by SIGBUS. */
START_TEST(test_cut_later)
{
	struct reader_row row = {0};
	struct reader *r;

	write_file(image, image_bytes);
	r = reader_open(dir, why, sizeof(why));
	ck_assert_msg(r != NULL, "%s", why);
	ck_assert_int_eq(reader_copy(r, reader_table(r, "worker"), 0, &row), READER_OK);
	ck_assert_int_eq(truncate(path, 200), 0);
	ck_assert_int_eq(reader_copy(r, reader_table(r, "worker"), 0, &row), READER_LOST);
	ck_assert_uint_eq(reader_row_u64(&row, "requests"), 0);
	walk(r);
	reader_row_free(&row);
	reader_close(r);
}
END_TEST

START_TEST(test_not_a_file)
{
	ck_assert_ptr_null(reader_open("/nonexistent", why, sizeof(why)));
	ck_assert_msg(strstr(why, "No such file") != NULL, "%s", why);
	ck_assert_ptr_null(reader_open(dir, why, sizeof(why)));
	ck_assert_msg(strstr(why, BOARD_FILE) != NULL, "%s", why);
	ck_assert_ptr_null(reader_open("/dev/zero", why, sizeof(why)));
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	ck_assert_ptr_null(reader_open(path, why, sizeof(why)));
	ck_assert_msg(strstr(why, "regular") != NULL, "%s", why);
}
END_TEST

static void *make_ready(void *arg)
{
	struct board_header *h = arg;

	usleep(100000);
	__atomic_store_n(&h->ready, 1, __ATOMIC_RELEASE);
	return NULL;
}

START_TEST(test_waits_until_ready)
{
	uint64_t began = times_mono_us();
	struct reader *r;
	pthread_t thread;
	void *base;
	int fd;

	header()->ready = 0;
	write_file(image, image_bytes);
	ck_assert_ptr_null(reader_open(path, why, sizeof(why)));
	ck_assert_uint_ge(times_mono_us() - began, 900000);
	ck_assert_uint_lt(times_mono_us() - began, SOON_US);
	fd = open(path, O_RDWR);
	base = mmap(NULL, image_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	ck_assert_ptr_ne(base, MAP_FAILED);
	close(fd);
	ck_assert_int_eq(pthread_create(&thread, NULL, make_ready, base), 0);
	r = reader_open(path, why, sizeof(why));
	ck_assert_msg(r != NULL, "%s", why);
	pthread_join(thread, NULL);
	reader_close(r);
	munmap(base, image_bytes);
}
END_TEST

START_TEST(test_another_boot)
{
	struct reader *r;
	uint64_t created = header()->created_us;

	strcpy(header()->boot_id, "00000000-0000-0000-0000-000000000000");
	header()->created_real_us -= 60000000; /* a minute ago by the wall clock */
	r = reader_attach(image, image_bytes, why, sizeof(why));
	ck_assert_msg(r != NULL, "%s", why);
	ck_assert(!reader_same_boot(r));
	ck_assert_uint_ge(reader_now_us(r), created + 60000000);
	ck_assert_uint_lt(reader_now_us(r), created + 70000000);
	reader_close(r);
}
END_TEST

/*
 * A board of another version: tables in another order, fields moved, added, gone and of other
 * sizes, descriptions with members that this version has not got.
 */
enum {
	OTHER_BYTES = 8192,
	OTHER_TABLE = 200,
	OTHER_FIELD = 256,
	OTHER_ENUM = 64
};

static void other_field(char *base, unsigned i, const char *name, unsigned kind, uint16_t elem,
			uint32_t count, uint32_t offset)
{
	struct board_field *f = (struct board_field *)(void *)(base + 2048 + i * OTHER_FIELD);

	strcpy(f->name, name);
	strcpy(f->unit, kind == BOARD_ENUM ? "mood" : "");
	f->kind = (uint8_t)kind;
	f->level = BOARD_FULL;
	f->elem = elem;
	f->count = count;
	f->offset = offset;
}

static void other_board(char *base)
{
	struct board_header *h = (struct board_header *)(void *)base;
	struct board_table *extra = (struct board_table *)(void *)(base + 1024);
	struct board_table *worker = (struct board_table *)(void *)(base + 1024 + OTHER_TABLE);
	struct board_enum *e = (struct board_enum *)(void *)(base + 1600);

	memset(base, 0, OTHER_BYTES);
	*h = (struct board_header){.magic = BOARD_MAGIC,
				   .layout = BOARD_LAYOUT,
				   .header_bytes = 512,
				   .ready = 1,
				   .tables = 2,
				   .fields = 7,
				   .enums = 1,
				   .table_stride = OTHER_TABLE,
				   .field_stride = OTHER_FIELD,
				   .enum_stride = OTHER_ENUM,
				   .tables_off = 1024,
				   .fields_off = 2048,
				   .enums_off = 1600,
				   .file_bytes = OTHER_BYTES};
	*extra = (struct board_table){
	    .name = "weather", .offset = 4096, .stride = 3, .rows = 5, .fields = 1};
	*worker = (struct board_table){.name = "worker",
				       .offset = 6001,
				       .stride = 97,
				       .rows = 2,
				       .first_field = 1,
				       .fields = 6};
	other_field(base, 0, "rain", BOARD_COUNTER, 1, 1, 2);
	other_field(base, 1, "later_thing", 77, 8, 1, 0); /* a kind of its own */
	other_field(base, 2, "conns", BOARD_GAUGE, 2, 1, 9);
	other_field(base, 3, "requests", BOARD_COUNTER, 4, 1, 13);
	other_field(base, 4, "state", BOARD_ENUM, 8, 1, 17);
	other_field(base, 5, "label", BOARD_TEXT, 1, 4, 93);
	other_field(base, 6, "seq", BOARD_ID, 4, 1, 25);
	strcpy(e->name, "mood");
	strcpy(e->text, "sunny");
	e->value = 300;
	memcpy(base + 6001 + 97 + 9, &(uint16_t){513}, 2);
	memcpy(base + 6001 + 97 + 13, &(uint32_t){70000}, 4);
	memcpy(base + 6001 + 97 + 17, &(uint64_t){300}, 8);
	memcpy(base + 6001 + 97 + 93, "abcd", 4); /* fills its field: no NUL */
	base[4096 + 4 * 3 + 2] = (char)200;
}

START_TEST(test_other_layout)
{
	struct reader_row row = {0};
	char *base = malloc(OTHER_BYTES), out[16], tiny[3];
	const struct board_table *t;
	struct reader *r;

	ck_assert_ptr_nonnull(base);
	other_board(base);
	r = reader_attach(base, OTHER_BYTES, why, sizeof(why));
	ck_assert_msg(r != NULL, "%s", why);
	t = reader_table(r, "worker");
	ck_assert_int_eq(reader_copy(r, t, 1, &row), READER_OK);
	ck_assert_uint_eq(reader_row_u64(&row, "conns"), 513);
	ck_assert_uint_eq(reader_row_u64(&row, "requests"), 70000);
	ck_assert_uint_eq(reader_row_u64(&row, "pid"), 0); /* it has none */
	ck_assert_str_eq(reader_row_enum(&row, "state"), "sunny");
	ck_assert_str_eq(reader_row_enum(&row, "pid"), "?");
	ck_assert_str_eq(reader_row_text(&row, "label", out, sizeof(out)), "abcd");
	ck_assert_str_eq(reader_row_text(&row, "label", tiny, sizeof(tiny)), "ab");
	ck_assert_str_eq(reader_row_text(&row, "config", out, sizeof(out)), "");
	ck_assert_int_eq(reader_copy(r, t, 2, &row), READER_LOST);
	ck_assert_int_eq(reader_copy(r, reader_table(r, "weather"), 4, &row), READER_OK);
	ck_assert_uint_eq(reader_row_u64(&row, "rain"), 200);
	ck_assert_ptr_null(reader_table(r, "master"));
	ck_assert_ptr_null(reader_field(r, NULL, "pid"));
	walk(r);
	reader_row_free(&row);
	reader_close(r);
	free(base);
}
END_TEST

/* The descriptions of another version have longer or shorter elements: what is known of them is
 * read, what is not there is empty, and less than the first version had is damage. */
static const struct {
	size_t table, field, text;
	bool good;
} strides[] = {
    {sizeof(struct board_table), sizeof(struct board_field), sizeof(struct board_enum), true},
    {sizeof(struct board_table) + 8, sizeof(struct board_field) + 104,
     sizeof(struct board_enum) + 16, true},
    {sizeof(struct board_table), offsetof(struct board_field, advice), sizeof(struct board_enum),
     true},
    {sizeof(struct board_table), offsetof(struct board_field, advice) + 4,
     sizeof(struct board_enum), true},
    {sizeof(struct board_table), offsetof(struct board_field, advice) - 4,
     sizeof(struct board_enum), false},
    {sizeof(struct board_table) - 8, sizeof(struct board_field), sizeof(struct board_enum), false},
    {sizeof(struct board_table), sizeof(struct board_field), sizeof(struct board_enum) - 4, false},
    {0, sizeof(struct board_field), sizeof(struct board_enum), false},
    {sizeof(struct board_table), (size_t)2 << 20, sizeof(struct board_enum), false},
};

/* Copies a description's elements to the end of the image, so many bytes apart. */
static uint64_t respaced(char *to, uint64_t at, uint64_t from, uint32_t count, size_t known,
			 size_t stride)
{
	for (uint32_t i = 0; i < count; i++) {
		memset(to + at + i * stride, 0x7e, stride); /* members that nobody knows */
		memcpy(to + at + i * stride, image + from + i * known,
		       known < stride ? known : stride);
	}
	return at;
}

START_TEST(test_strides)
{
	const size_t table_bytes = strides[_i].table, field_bytes = strides[_i].field;
	const size_t text_bytes = strides[_i].text, most = (size_t)1 << 12;
	const struct board_header h = *header();
	size_t bytes = image_bytes + (h.tables + h.fields + h.enums) * most;
	char *base = calloc(1, bytes);
	struct board_header *other = (struct board_header *)(void *)base;
	const struct board_field *f;
	struct reader *r;
	uint64_t at = image_bytes;

	ck_assert_ptr_nonnull(base);
	memcpy(base, image, image_bytes);
	if (field_bytes < most) {
		other->tables_off = respaced(base, at, h.tables_off, h.tables,
					     sizeof(struct board_table), table_bytes);
		at += h.tables * table_bytes;
		other->fields_off = respaced(base, at, h.fields_off, h.fields,
					     sizeof(struct board_field), field_bytes);
		at += h.fields * field_bytes;
		other->enums_off = respaced(base, at, h.enums_off, h.enums,
					    sizeof(struct board_enum), text_bytes);
	}
	other->table_stride = (uint32_t)table_bytes;
	other->field_stride = (uint32_t)field_bytes;
	other->enum_stride = (uint32_t)text_bytes;
	other->file_bytes = bytes;
	r = reader_attach(base, bytes, why, sizeof(why));
	ck_assert_msg((r != NULL) == strides[_i].good, "%s", why);
	if (r != NULL) {
		f = reader_field(r, reader_table(r, "worker"), "requests");
		ck_assert_ptr_nonnull(f);
		ck_assert_str_eq(f->unit, "requests");
		ck_assert_uint_gt(strlen(f->help), 5);
		ck_assert_str_eq(reader_enum_text(r, "conn_state", CONN_LINGER), "linger");
		ck_assert_str_eq(reader_enum_text(r, "conn_state", 200), "?");
		walk(r);
	}
	reader_close(r);
	free(base);
}
END_TEST

START_TEST(test_block)
{
	struct reader *r = reader_attach(image, image_bytes, why, sizeof(why));
	const struct board_table *t = reader_table(r, "conn");
	char *block = malloc((size_t)80 * t->stride);
	const struct board_field *id = reader_field(r, t, "id");

	ck_assert_ptr_nonnull(block);
	for (uint64_t i = 0; i < 80; i++)
		memcpy(image + t->offset + i * t->stride + id->offset, &i, sizeof(i));
	ck_assert_int_eq(reader_block(r, t, 10, 70, block), 0);
	for (uint64_t i = 0; i < 70; i++)
		ck_assert_uint_eq(reader_u64(block + i * t->stride, id), i + 10);
	ck_assert_int_eq(reader_block(r, t, 11, 70, block), -1);
	ck_assert_uint_eq(reader_u64(block, id), 0);
	ck_assert_int_eq(reader_block(r, t, UINT32_MAX, 1, block), -1);
	free(block);
	reader_close(r);
}
END_TEST

/* A writer that died in the middle leaves its count odd: said in time, and what is there is shown.
 */
START_TEST(test_torn)
{
	struct reader_row row = {0};
	struct board board;
	struct reader *r;
	uint64_t began;

	ck_assert_int_eq(board_create(&board, path, &sizes), 0);
	board_write_begin(&board.master->seq);
	board.master->generation = 5;
	for (uint32_t i = 0; i < 80; i++) {
		struct conn_row *c = (struct conn_row *)(void *)(board.conn +
								 (size_t)i * board.conn_stride);

		board_write_begin(&c->seq);
	}
	r = reader_open(path, why, sizeof(why));
	ck_assert_msg(r != NULL, "%s", why);
	began = times_mono_us();
	ck_assert_int_eq(reader_copy(r, reader_table(r, "master"), 0, &row), READER_TORN);
	ck_assert_uint_lt(times_mono_us() - began, SOON_US);
	ck_assert_uint_eq(reader_row_u64(&row, "generation"), 5);
	/* With patience for each of so many it would take three times as long. */
	began = times_mono_us();
	for (uint32_t i = 0; i < 6000; i++)
		ck_assert_int_eq(reader_copy(r, reader_table(r, "conn"), i % 80, &row),
				 READER_TORN);
	ck_assert_uint_lt(times_mono_us() - began, SOON_US);
	board_write_end(&board.master->seq);
	ck_assert_int_eq(reader_copy(r, reader_table(r, "master"), 0, &row), READER_OK);
	reader_row_free(&row);
	reader_close(r);
	board_unmap(&board);
}
END_TEST

enum {
	SNAPSHOTS = 100000,
	PATIENCE_S = 60
};

/* Writes one row over and over, all words alike, with the rest that a loop takes between events. */
static void hammer(struct conn_row *c)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (uint64_t n = 1;; n++) {
		board_write_begin(&c->seq);
		c->id = n;
		c->accepted_us = n;
		c->since_us = n;
		c->deadline_us = n;
		c->bytes_in = n;
		c->bytes_out = n;
		memset(c->request, 'a' + (int)(n % 26), sizeof(c->request) - 1);
		board_write_end(&c->seq);
		for (volatile int rest = 0; rest < 2000; rest++)
			;
	}
}

/* No ck_assert() for each word: it tells the parent process about every one that holds. */
static bool is_whole(const struct reader_row *row)
{
	static const char *const words[] = {"accepted_us", "since_us", "deadline_us", "bytes_in",
					    "bytes_out"};
	uint64_t n = reader_row_u64(row, "id");
	char request[128];

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (reader_row_u64(row, words[i]) != n)
			return false;
	reader_row_text(row, "request", request, sizeof(request));
	for (const char *p = request; n != 0 && *p != '\0'; p++)
		if (*p != 'a' + (int)(n % 26))
			return false;
	return true;
}

/*
 * Another process writes while this one reads. Torn is an honest answer when the writer loses its
 * processor in the middle, but it must stay the exception, and what is called whole must be.
 */
START_TEST(test_hammer)
{
	uint64_t end = times_mono_us() + (uint64_t)PATIENCE_S * 1000000, seen = 0, last = 0;
	struct reader_row row = {0};
	unsigned whole = 0, changes = 0;
	struct board board;
	struct reader *r;
	pid_t child;

	ck_assert_int_eq(board_create(&board, path, &sizes), 0);
	r = reader_open(path, why, sizeof(why));
	ck_assert_msg(r != NULL, "%s", why);
	child = fork();
	ck_assert_int_ge(child, 0);
	if (child == 0)
		hammer(board_conns(&board, 1));
	while ((whole < SNAPSHOTS || changes <= 100) && times_mono_us() < end) {
		int status = reader_copy(r, reader_table(r, "conn"), 40, &row);

		seen++;
		if (status != READER_OK)
			continue;
		if (!is_whole(&row))
			ck_abort_msg("a torn row was called whole");
		changes += reader_row_u64(&row, "id") != last;
		last = reader_row_u64(&row, "id");
		whole++;
	}
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	ck_assert_msg(whole >= SNAPSHOTS, "%u whole of %llu", whole, (unsigned long long)seen);
	ck_assert_uint_gt(changes, 100);
	reader_row_free(&row);
	reader_close(r);
	board_unmap(&board);
}
END_TEST

#define DIM(a) (int)(sizeof(a) / sizeof((a)[0]))

int main(void)
{
	Suite *s = suite_create("reader");
	TCase *c = tcase_create("reader");
	SRunner *r;
	int bad;

	tcase_add_checked_fixture(c, set_up, tear_down);
	tcase_set_timeout(c, PATIENCE_S * 2);
	tcase_add_test(c, test_good);
	tcase_add_test(c, test_broken_header);
	tcase_add_test(c, test_broken_description);
	tcase_add_loop_test(c, test_random_damage, 0, 4);
	tcase_add_loop_test(c, test_cut_in_memory, 0, DIM(cuts));
	tcase_add_loop_test(c, test_cut_file, 2, DIM(cuts)); /* the first ones each wait a second */
	tcase_add_test(c, test_cut_later);
	tcase_add_test(c, test_not_a_file);
	tcase_add_test(c, test_waits_until_ready);
	tcase_add_test(c, test_another_boot);
	tcase_add_test(c, test_other_layout);
	tcase_add_loop_test(c, test_strides, 0, DIM(strides));
	tcase_add_test(c, test_block);
	tcase_add_test(c, test_torn);
	tcase_add_test(c, test_hammer);
	suite_add_tcase(s, c);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	bad = srunner_ntests_failed(r) + (srunner_ntests_run(r) == 0);
	srunner_free(r);
	return bad != 0;
}
