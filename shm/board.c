/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Makes the board: the file, its header and the descriptions by which readers find their way, all
 * grown from shm/fields.h. Called by the master once per start; workers inherit the mapping and use
 * the row accessors. It reads nothing back: that is shm/reader.c's business, which knows none of
 * these structs.
 */
#include "shm/board.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shm/active.h"
#include "shm/backing.h"
#include "shm/times.h"

#define DIM(a) (sizeof(a) / sizeof((a)[0]))

/* The file format. A change here is a new BOARD_LAYOUT, unless it only appends to the header. */
static_assert(sizeof(struct board_header) == 136, "header");
static_assert(offsetof(struct board_header, ready) == 16, "header: ready");
static_assert(offsetof(struct board_header, tables_off) == 48, "header: offsets");
static_assert(offsetof(struct board_header, boot_id) == 96, "header: boot_id");
static_assert(sizeof(struct board_table) == 152 && alignof(struct board_table) == 8, "table");
static_assert(sizeof(struct board_field) == 408 && alignof(struct board_field) == 4, "field");
static_assert(sizeof(struct board_enum) == 48 && alignof(struct board_enum) == 4, "enum");
static_assert(sizeof(((struct board_header *)0)->boot_id) == TIMES_BOOT_ID, "boot id");

/* 100,000 idle connections cost what their rows cost: three cache lines each. */
static_assert(sizeof(struct conn_row) == 192, "a connection row is three cache lines");

#define FITS(text, type, member) (sizeof(text) <= sizeof(((type *)0)->member))

#define CHECK_FIELD(knd, type, nam, dim, uni, lev, hlp, adv)                               \
	static_assert(FITS(#nam, struct board_field, name), "field name too long: " #nam); \
	static_assert(FITS(uni, struct board_field, unit), "unit too long: " #nam);        \
	static_assert(FITS(hlp, struct board_field, help), "help too long: " #nam);        \
	static_assert(FITS(adv, struct board_field, advice), "advice too long: " #nam);    \
	static_assert(offsetof(struct ROW, nam) % sizeof(type) == 0, "misaligned: " #nam);

#define FIELD(knd, type, nam, dim, uni, lev, hlp, adv)  \
	{#nam,                                          \
	 uni,                                           \
	 BOARD_##knd,                                   \
	 BOARD_##lev,                                   \
	 sizeof(type),                                  \
	 sizeof(((struct ROW *)0)->nam) / sizeof(type), \
	 offsetof(struct ROW, nam),                     \
	 hlp,                                           \
	 adv},

/* ROW is the struct that CHECK_FIELD and FIELD look at: a row of X() does not say whose it is. */
#define ROW master_row
MASTER_FIELDS(CHECK_FIELD)
static const struct board_field master_fields[] = {MASTER_FIELDS(FIELD)};
#undef ROW
#define ROW worker_row
WORKER_FIELDS(CHECK_FIELD)
static const struct board_field worker_fields[] = {WORKER_FIELDS(FIELD)};
#undef ROW
#define ROW listener_row
LISTENER_FIELDS(CHECK_FIELD)
static const struct board_field listener_fields[] = {LISTENER_FIELDS(FIELD)};
#undef ROW
#define ROW server_row
SERVER_FIELDS(CHECK_FIELD)
static const struct board_field server_fields[] = {SERVER_FIELDS(FIELD)};
#undef ROW
#define ROW listener_traffic_row
LISTENER_TRAFFIC_FIELDS(CHECK_FIELD)
static const struct board_field listener_traffic_fields[] = {LISTENER_TRAFFIC_FIELDS(FIELD)};
#undef ROW
#define ROW server_traffic_row
SERVER_TRAFFIC_FIELDS(CHECK_FIELD)
static const struct board_field server_traffic_fields[] = {SERVER_TRAFFIC_FIELDS(FIELD)};
#undef ROW
#define ROW upstream_row
UPSTREAM_FIELDS(CHECK_FIELD)
static const struct board_field upstream_fields[] = {UPSTREAM_FIELDS(FIELD)};
#undef ROW
#define ROW upstream_traffic_row
UPSTREAM_TRAFFIC_FIELDS(CHECK_FIELD)
static const struct board_field upstream_traffic_fields[] = {UPSTREAM_TRAFFIC_FIELDS(FIELD)};
#undef ROW
#define ROW peer_row
PEER_FIELDS(CHECK_FIELD)
static const struct board_field peer_fields[] = {PEER_FIELDS(FIELD)};
#undef ROW
#define ROW peer_address_row
PEER_ADDRESS_FIELDS(CHECK_FIELD)
static const struct board_field peer_address_fields[] = {PEER_ADDRESS_FIELDS(FIELD)};
#undef ROW
#define ROW peer_traffic_row
PEER_TRAFFIC_FIELDS(CHECK_FIELD)
static const struct board_field peer_traffic_fields[] = {PEER_TRAFFIC_FIELDS(FIELD)};
#undef ROW
#define ROW conn_row
CONN_FIELDS(CHECK_FIELD)
static const struct board_field conn_fields[] = {CONN_FIELDS(FIELD)};
#undef ROW
#ifdef DROVER_LAYOUT_TEST
#define ROW later_row
LATER_FIELDS(CHECK_FIELD)
static const struct board_field later_fields[] = {LATER_FIELDS(FIELD)};
#undef ROW
#endif

enum {
	LINE_BYTES = 64,
	PAGE_BYTES = 4096
};

#define ALIGNED(n, to)   (((n) + (to)-1) / (to) * (to))
#define ROW_STRIDE(type) ALIGNED(sizeof(type), (size_t)LINE_BYTES)

struct table {
	const char *name;
	const char *help;
	const struct board_field *fields;
	uint32_t fields_count;
	uint32_t stride;
	bool grouped;
};

#define TABLE(nam, all_fields, group, hlp)                                                         \
	[TABLE_##nam] = {#nam, hlp, nam##_fields, DIM(nam##_fields), ROW_STRIDE(struct nam##_row), \
			 group},
#define TABLE_INDEX(nam, all_fields, group, hlp) TABLE_##nam,
#define TABLE_CHECK(nam, all_fields, group, hlp)                                           \
	static_assert(FITS(#nam, struct board_table, name), "table name too long: " #nam); \
	static_assert(FITS(hlp, struct board_table, help), "table help too long: " #nam);

enum {
	BOARD_TABLES(TABLE_INDEX) TABLES
};
BOARD_TABLES(TABLE_CHECK)
static const struct table tables[TABLES] = {BOARD_TABLES(TABLE)};

#define X(sym, text) [CONN_##sym] = (text),
static const char *const conn_states[] = {CONN_STATES(X)};
#undef X
#define X(sym, text) [WORKER_##sym] = (text),
static const char *const worker_states[] = {WORKER_STATES(X)};
#undef X

#define X(sym, text) {"conn_state", text, CONN_##sym},
static const struct board_enum conn_state_enum[] = {CONN_STATES(X)};
#undef X
#define X(sym, text) {"worker_state", text, WORKER_##sym},
static const struct board_enum worker_state_enum[] = {WORKER_STATES(X)};
#undef X
#define X(sym, text) {"master_state", text, MASTER_##sym},
static const struct board_enum master_state_enum[] = {MASTER_STATES(X)};
#undef X
#define X(sym, text) {"check_state", text, CHECK_##sym},
static const struct board_enum check_state_enum[] = {CHECK_STATES(X)};
#undef X
#define X(sym, text) {"check_reason", text, CHECK_FAILED_##sym},
static const struct board_enum check_reason_enum[] = {CHECK_REASONS(X)};
#undef X
#define X(sym, text) {"peer_order", text, PEER_TOLD_##sym},
static const struct board_enum peer_order_enum[] = {PEER_ORDERS(X)};
#undef X
#define X(sym, text) {"result", text, RESULT_##sym},
static const struct board_enum result_enum[] = {RESULTS(X)};
#undef X
#define X(sym, txt) static_assert(FITS(txt, struct board_enum, text), "enum text too long: " txt);
CONN_STATES(X)
WORKER_STATES(X)
MASTER_STATES(X)
RESULTS(X)
CHECK_STATES(X)
CHECK_REASONS(X)
PEER_ORDERS(X)
#undef X

#define X(sym, text) [CHECK_FAILED_##sym] = (text),
static const char *const check_reasons[] = {CHECK_REASONS(X)};
#undef X

static const struct {
	const struct board_enum *texts;
	uint32_t count;
} enums[] = {
    {conn_state_enum, DIM(conn_state_enum)},     {worker_state_enum, DIM(worker_state_enum)},
    {master_state_enum, DIM(master_state_enum)}, {result_enum, DIM(result_enum)},
    {check_state_enum, DIM(check_state_enum)},   {check_reason_enum, DIM(check_reason_enum)},
    {peer_order_enum, DIM(peer_order_enum)},
};

const char *conn_state_name(unsigned state)
{
	return state < DIM(conn_states) ? conn_states[state] : "?";
}

const char *check_reason_name(unsigned reason)
{
	return reason < DIM(check_reasons) ? check_reasons[reason] : "?";
}

const char *worker_state_name(unsigned state)
{
	return state < DIM(worker_states) ? worker_states[state] : "?";
}

/* Where everything lies in the file. */
struct plan {
	uint32_t fields, enums;
	uint64_t tables_off, fields_off, enums_off;
	uint64_t offset[TABLES];
	uint32_t rows[TABLES];
	uint32_t group_rows[TABLES];
	uint64_t head_bytes; /* header and descriptions, up to the first row */
	uint64_t bytes;
};

static int plan_rows(struct plan *p, const struct board_sizes *s)
{
	uint64_t workers = (uint64_t)s->slots * BOARD_HALVES;
	uint64_t groups[TABLES] = {[TABLE_listener_traffic] = s->listeners,
				   [TABLE_server_traffic] = s->servers,
				   [TABLE_upstream_traffic] = s->upstreams,
				   [TABLE_peer_traffic] = s->peers,
				   [TABLE_conn] = s->conns_per_worker};
	uint64_t rows[TABLES] = {[TABLE_worker] = workers, /* all others: 1 */
				 [TABLE_listener] = s->listeners, [TABLE_server] = s->servers,
				 [TABLE_upstream] = s->upstreams, [TABLE_peer] = s->peers,
				 [TABLE_peer_address] = s->peers};

	if (!s->slots || !s->conns_per_worker || !s->listeners || !s->servers) {
		errno = EINVAL;
		return -1;
	}
	for (unsigned t = 0; t < TABLES; t++) {
		uint64_t all = tables[t].grouped ? groups[t] * workers : rows[t] ? rows[t] : 1;

		if (all > UINT32_MAX || workers > UINT32_MAX) {
			errno = EOVERFLOW;
			return -1;
		}
		p->rows[t] = (uint32_t)all;
		p->group_rows[t] = (uint32_t)groups[t];
	}
	return 0;
}

static int plan_make(struct plan *p, const struct board_sizes *sizes)
{
	memset(p, 0, sizeof(*p));
	if (plan_rows(p, sizes) != 0)
		return -1;
	for (unsigned t = 0; t < TABLES; t++)
		p->fields += tables[t].fields_count;
	for (unsigned e = 0; e < DIM(enums); e++)
		p->enums += enums[e].count;
	p->tables_off = ALIGNED(sizeof(struct board_header), 8);
	p->fields_off = p->tables_off + TABLES * sizeof(struct board_table);
	p->enums_off = p->fields_off + p->fields * sizeof(struct board_field);
	p->head_bytes = ALIGNED(p->enums_off + p->enums * sizeof(struct board_enum), PAGE_BYTES);
	p->bytes = p->head_bytes;
	for (unsigned t = 0; t < TABLES; t++) {
		p->offset[t] = p->bytes;
		p->bytes += ALIGNED((uint64_t)p->rows[t] * tables[t].stride, PAGE_BYTES);
	}
	if (p->bytes > SSIZE_MAX) {
		errno = EOVERFLOW;
		return -1;
	}
	return 0;
}

/* Of a program made for tests: see shm/fields.h. */
static void rename_fields(struct board_field *fields, const struct table *t)
{
#define X(in, from, to) {in, from, to},
	static const struct {
		const char *table, *from, *to;
	} renames[] = {LAYOUT_RENAMES(X){NULL, NULL, NULL}};
#undef X

	for (size_t i = 0; renames[i].table != NULL; i++)
		for (uint32_t k = 0; k < t->fields_count; k++)
			if (strcmp(renames[i].table, t->name) == 0 &&
			    strcmp(renames[i].from, fields[k].name) == 0)
				strcpy(fields[k].name, renames[i].to);
}

/* Writes header and descriptions to image, which has head_bytes of zeros; not ready yet. */
static void describe(char *image, const struct plan *p)
{
	struct board_header *h = (struct board_header *)(void *)image;
	struct board_table *table = (struct board_table *)(void *)(image + p->tables_off);
	struct board_field *field = (struct board_field *)(void *)(image + p->fields_off);
	struct board_enum *text = (struct board_enum *)(void *)(image + p->enums_off);

	*h = (struct board_header){
	    .magic = BOARD_MAGIC,
	    .layout = BOARD_LAYOUT,
	    .header_bytes = sizeof(*h),
	    .tables = TABLES,
	    .fields = p->fields,
	    .enums = p->enums,
	    .table_stride = sizeof(*table),
	    .field_stride = sizeof(*field),
	    .enum_stride = sizeof(*text),
	    .tables_off = p->tables_off,
	    .fields_off = p->fields_off,
	    .enums_off = p->enums_off,
	    .file_bytes = p->bytes,
	    .created_us = times_mono_us(),
	    .created_real_us = times_real_us(),
	};
	times_boot_id(h->boot_id);
	for (uint32_t t = 0, first = 0; t < TABLES; first += tables[t].fields_count, t++) {
		table[t] = (struct board_table){.offset = p->offset[t],
						.stride = tables[t].stride,
						.rows = p->rows[t],
						.first_field = first,
						.fields = tables[t].fields_count,
						.group_rows = p->group_rows[t]};
		strcpy(table[t].name, tables[t].name);
		strcpy(table[t].help, tables[t].help);
		memcpy(field + first, tables[t].fields, tables[t].fields_count * sizeof(*field));
		rename_fields(field + first, &tables[t]);
	}
	for (unsigned e = 0; e < DIM(enums); text += enums[e].count, e++)
		memcpy(text, enums[e].texts, enums[e].count * sizeof(*text));
}

void *board_image(const struct board_sizes *sizes, size_t *bytes_out)
{
	struct plan p;
	char *image;

	if (plan_make(&p, sizes) != 0 || (image = calloc(1, p.bytes)) == NULL)
		return NULL;
	describe(image, &p);
	((struct board_header *)(void *)image)->ready = 1;
	*bytes_out = p.bytes;
	return image;
}

static int write_all(int fd, const char *from, size_t bytes)
{
	for (size_t done = 0; done < bytes;) {
		ssize_t n = pwrite(fd, from + done, bytes - done, (off_t)done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		done += (size_t)n;
	}
	return 0;
}

/* All but what is of one worker each, which are most: shm/backing.h. */
static int reserve_common(int fd, const struct plan *p)
{
	for (unsigned t = 0; t < TABLES; t++) {
		if (tables[t].grouped)
			continue;
		errno = posix_fallocate(fd, (off_t)p->offset[t],
					(off_t)p->rows[t] * tables[t].stride);
		if (errno != 0)
			return -1;
	}
	return 0;
}

/*
 * Fills a new file. Header and descriptions are written, not stored through the mapping, and what
 * the master writes gets its pages now, so that a full disk is an errno here and no SIGBUS later.
 */
static int file_fill(int fd, const struct plan *p)
{
	char *image = calloc(1, p->head_bytes);
	int err = -1;

	if (image == NULL)
		return -1;
	describe(image, p);
	if (fchmod(fd, 0640) == 0 && ftruncate(fd, (off_t)p->bytes) == 0 &&
	    reserve_common(fd, p) == 0)
		err = write_all(fd, image, p->head_bytes);
	free(image);
	return err;
}

static void attach(struct board *b, char *base, const struct plan *p, const struct board_sizes *s)
{
	*b = (struct board){
	    .base = base,
	    .bytes = p->bytes,
	    .sizes = *s,
	    .master = (struct master_row *)(void *)(base + p->offset[TABLE_master]),
	    .worker = base + p->offset[TABLE_worker],
	    .listener = base + p->offset[TABLE_listener],
	    .server = base + p->offset[TABLE_server],
	    .listener_traffic = base + p->offset[TABLE_listener_traffic],
	    .server_traffic = base + p->offset[TABLE_server_traffic],
	    .upstream = base + p->offset[TABLE_upstream],
	    .upstream_traffic = base + p->offset[TABLE_upstream_traffic],
	    .peer = base + p->offset[TABLE_peer],
	    .peer_address = base + p->offset[TABLE_peer_address],
	    .peer_traffic = base + p->offset[TABLE_peer_traffic],
	    .conn = base + p->offset[TABLE_conn],
	    .worker_stride = tables[TABLE_worker].stride,
	    .listener_stride = tables[TABLE_listener].stride,
	    .server_stride = tables[TABLE_server].stride,
	    .listener_traffic_stride = tables[TABLE_listener_traffic].stride,
	    .server_traffic_stride = tables[TABLE_server_traffic].stride,
	    .upstream_stride = tables[TABLE_upstream].stride,
	    .upstream_traffic_stride = tables[TABLE_upstream_traffic].stride,
	    .peer_stride = tables[TABLE_peer].stride,
	    .peer_address_stride = tables[TABLE_peer_address].stride,
	    .peer_traffic_stride = tables[TABLE_peer_traffic].stride,
	    .conn_stride = tables[TABLE_conn].stride,
	};
	__atomic_store_n(&((struct board_header *)(void *)base)->ready, 1, __ATOMIC_RELEASE);
}

static int name_beside(char out[PATH_MAX], const char *path, const char *suffix)
{
	if ((size_t)snprintf(out, PATH_MAX, "%s%s", path, suffix) < PATH_MAX)
		return 0;
	errno = ENAMETOOLONG;
	return -1;
}

/* What stood there is kept as .prev. */
int board_place(const char *path)
{
	char prev[PATH_MAX], fresh[PATH_MAX];

	if (name_beside(prev, path, ".prev") != 0 || name_beside(fresh, path, ".new") != 0)
		return -1;
	if (rename(path, prev) != 0 && errno != ENOENT)
		return -1;
	return rename(fresh, path);
}

int board_make(struct board *b, const char *path, const struct board_sizes *sizes)
{
	char fresh[PATH_MAX];
	struct plan p;
	void *base = MAP_FAILED;
	int fd = -1, saved;

	if (plan_make(&p, sizes) != 0)
		return -1;
	if (name_beside(fresh, path, ".new") != 0)
		return -1;
	if (unlink(fresh) != 0 && errno != ENOENT)
		return -1;
	fd = open(fresh, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -1;
	if (file_fill(fd, &p) != 0)
		goto fail;
	base = mmap(NULL, p.bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (base == MAP_FAILED)
		goto fail;
	attach(b, base, &p, sizes);
	close(fd);
	return 0;
fail:
	saved = errno;
	close(fd);
	unlink(fresh);
	errno = saved;
	return -1;
}

int board_create(struct board *b, const char *path, const struct board_sizes *sizes)
{
	char fresh[PATH_MAX];
	int saved;

	if (board_make(b, path, sizes) != 0)
		return -1;
	if (board_place(path) == 0)
		return 0;
	saved = errno;
	board_unmap(b);
	if (name_beside(fresh, path, ".new") == 0)
		unlink(fresh);
	errno = saved;
	return -1;
}

static int read_all(int fd, void *to, size_t bytes, uint64_t from)
{
	for (size_t done = 0; done < bytes;) {
		ssize_t n = pread(fd, (char *)to + done, bytes - done, (off_t)(from + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n == 0)
			errno = EINVAL;
		if (n <= 0)
			return -1;
		done += (size_t)n;
	}
	return 0;
}

int board_file(const struct board *b, const char *path)
{
	const struct board_header *own = b->base;
	struct board_header h;
	int fd = open(path, O_RDWR | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return -1;
	if (read_all(fd, &h, sizeof(h), 0) == 0 && h.created_us == own->created_us &&
	    h.created_real_us == own->created_real_us &&
	    memcmp(h.boot_id, own->boot_id, sizeof(h.boot_id)) == 0)
		return fd;
	close(fd);
	errno = ENOENT;
	return -1;
}

/* Rows that the file has room for, if its tables are those of this program. */
static bool sizes_in(int fd, const struct board_header *h, struct board_sizes *sizes)
{
	struct board_table t[TABLES];

	if (memcmp(h->magic, BOARD_MAGIC, sizeof(h->magic)) != 0 || h->layout != BOARD_LAYOUT ||
	    h->ready != 1 || h->tables != TABLES || h->table_stride != sizeof(t[0]) ||
	    h->tables_off != ALIGNED(sizeof(*h), 8) ||
	    read_all(fd, t, sizeof(t), h->tables_off) != 0)
		return false;
	*sizes = (struct board_sizes){.slots = t[TABLE_worker].rows / BOARD_HALVES,
				      .conns_per_worker = t[TABLE_conn].group_rows,
				      .listeners = t[TABLE_listener].rows,
				      .servers = t[TABLE_server].rows,
				      .upstreams = t[TABLE_upstream].rows,
				      .peers = t[TABLE_peer].rows};
	return true;
}

/* Everything before the rows, but for when and where it was made. */
static bool same_description(int fd, const struct board_header *h, const struct plan *p)
{
	char *ours = calloc(1, p->head_bytes), *theirs = calloc(1, p->head_bytes);
	struct board_header *own = (struct board_header *)(void *)ours;
	bool same = false;

	if (ours != NULL && theirs != NULL && read_all(fd, theirs, p->head_bytes, 0) == 0) {
		describe(ours, p);
		own->ready = h->ready;
		own->created_us = h->created_us;
		own->created_real_us = h->created_real_us;
		same = memcmp(ours, theirs, p->head_bytes) == 0;
	}
	free(ours);
	free(theirs);
	return same;
}

int board_open(struct board *b, int fd)
{
	struct board_header h;
	struct board_sizes sizes;
	struct plan p;
	struct stat st;
	void *base;

	if (read_all(fd, &h, sizeof(h), 0) != 0 || fstat(fd, &st) != 0)
		return -1;
	if (!sizes_in(fd, &h, &sizes) || plan_make(&p, &sizes) != 0 ||
	    (uint64_t)st.st_size < p.bytes || !same_description(fd, &h, &p))
		return 1;
	base = mmap(NULL, p.bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (base == MAP_FAILED)
		return -1;
	attach(b, base, &p, &sizes);
	return 0;
}

void board_unmap(struct board *b)
{
	if (b->base != NULL)
		munmap(b->base, b->bytes);
	memset(b, 0, sizeof(*b));
}

static uint32_t worker_rows(const struct board *b)
{
	return b->sizes.slots * BOARD_HALVES;
}

static void *row_at(char *table, uint32_t stride, uint64_t i)
{
	return table + i * stride;
}

struct worker_row *board_worker(const struct board *b, uint32_t row)
{
	assert(row < worker_rows(b));
	return row_at(b->worker, b->worker_stride, row);
}

struct listener_row *board_listener(const struct board *b, uint32_t i)
{
	assert(i < b->sizes.listeners);
	return row_at(b->listener, b->listener_stride, i);
}

struct server_row *board_server(const struct board *b, uint32_t i)
{
	assert(i < b->sizes.servers);
	return row_at(b->server, b->server_stride, i);
}

struct listener_traffic_row *board_listener_traffic(const struct board *b, uint32_t worker_row,
						    uint32_t i)
{
	assert(worker_row < worker_rows(b) && i < b->sizes.listeners);
	return row_at(b->listener_traffic, b->listener_traffic_stride,
		      (uint64_t)worker_row * b->sizes.listeners + i);
}

struct server_traffic_row *board_server_traffic(const struct board *b, uint32_t worker_row,
						uint32_t i)
{
	assert(worker_row < worker_rows(b) && i < b->sizes.servers);
	return row_at(b->server_traffic, b->server_traffic_stride,
		      (uint64_t)worker_row * b->sizes.servers + i);
}

struct upstream_row *board_upstream(const struct board *b, uint32_t i)
{
	assert(i < b->sizes.upstreams);
	return row_at(b->upstream, b->upstream_stride, i);
}

struct upstream_traffic_row *board_upstream_traffic(const struct board *b, uint32_t worker_row,
						    uint32_t i)
{
	assert(worker_row < worker_rows(b) && i < b->sizes.upstreams);
	return row_at(b->upstream_traffic, b->upstream_traffic_stride,
		      (uint64_t)worker_row * b->sizes.upstreams + i);
}

struct peer_row *board_peer(const struct board *b, uint32_t i)
{
	assert(i < b->sizes.peers);
	return row_at(b->peer, b->peer_stride, i);
}

struct peer_address_row *board_peer_address(const struct board *b, uint32_t i)
{
	assert(i < b->sizes.peers);
	return row_at(b->peer_address, b->peer_address_stride, i);
}

struct peer_traffic_row *board_peer_traffic(const struct board *b, uint32_t worker_row, uint32_t i)
{
	assert(worker_row < worker_rows(b) && i < b->sizes.peers);
	return row_at(b->peer_traffic, b->peer_traffic_stride,
		      (uint64_t)worker_row * b->sizes.peers + i);
}

void board_bury_peers(const struct board *b, uint32_t worker_row)
{
	for (uint32_t i = 0; i < b->sizes.peers; i++) {
		struct peer_traffic_row *t;

		if (board_peer(b, i)->address[0] == '\0')
			continue; /* never used: no need to touch its pages */
		t = board_peer_traffic(b, worker_row, i);
		if (backing_write(t, sizeof(*t)) != 0)
			continue; /* there is none, so it has counted nothing in it */
		active_bury(board_peer(b, i), t);
		board_set(&t->open, 0);
		board_set(&t->idle, 0);
	}
}

struct conn_row *board_conns(const struct board *b, uint32_t worker_row)
{
	assert(worker_row < worker_rows(b));
	return row_at(b->conn, b->conn_stride, (uint64_t)worker_row * b->sizes.conns_per_worker);
}
