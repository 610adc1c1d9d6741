/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The reader library: opens a board, takes its descriptions over after checking them, copies rows.
 *
 * Counters are read without a sequence count. The kernel's copy of an aligned word is one access on
 * all machines that drover runs on, so that a counter is old or new but never half of each.
 */
#include "shm/reader.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "shm/backing.h"
#include "shm/times.h"

enum {
	/* More than any board will have: what is above is a broken file. */
	TABLES_MAX = 256,
	FIELDS_MAX = 16384,
	ENUMS_MAX = 16384,
	STRIDE_MAX = 1 << 20,

	READY_WAIT_MS = 1000,
	READY_STEP_MS = 5,
	TRIES_AT_ONCE = 16,
	TRY_PAUSE_US = 50,
	TRY_WAIT_US = 5000,
	/* After so many torn rows nobody is waited for any more, until so many were whole again: a
	 * reader may live long. */
	TORN_PATIENCE = 20,
	WHOLE_AGAIN = 256
};

struct reader {
	int fd; /* -1: lies in memory at base */
	const char *base;
	uint64_t bytes;
	char path[PATH_MAX];
	struct stat st;
	struct board_header header;
	struct board_table *tables;
	struct board_field *fields;
	struct board_enum *enums;
	const struct board_field **seq; /* of each table, or NULL */
	bool same_boot;
	unsigned torn;  /* rows that could not be copied whole */
	unsigned whole; /* since the last of them */
};

__attribute__((format(printf, 3, 4))) static int refuse(char *why, size_t bytes, const char *fmt,
							...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, bytes, fmt, ap);
	va_end(ap);
	return -1;
}

static int fetch_file(int fd, uint64_t off, size_t n, char *out)
{
	for (size_t done = 0; done < n;) {
		ssize_t got = pread(fd, out + done, n - done, (off_t)(off + done));

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return -1;
		done += (size_t)got;
	}
	return 0;
}

/* The one way to the board's bytes. -1, with zeros in out, if they are not all there. */
static int fetch(const struct reader *r, uint64_t off, size_t n, void *out)
{
	if (off <= r->bytes && n <= r->bytes - off) {
		if (r->fd < 0) {
			memcpy(out, r->base + off, n);
			return 0;
		}
		if (fetch_file(r->fd, off, n, out) == 0)
			return 0;
	}
	memset(out, 0, n);
	return -1;
}

/* Opening: the rest of the file trusts what this part has looked at. */

static int check_header(const struct reader *r, char *why, size_t size)
{
	const struct board_header *h = &r->header;

	if (r->bytes < sizeof(*h))
		return refuse(why, size, "is no board: it has only %llu bytes",
			      (unsigned long long)r->bytes);
	if (memcmp(h->magic, BOARD_MAGIC, sizeof(h->magic)) != 0)
		return refuse(why, size, "is no board: it does not begin with " BOARD_MAGIC);
	if (h->layout == 0 || h->layout > BOARD_LAYOUT)
		return refuse(
		    why, size,
		    "has layout %u, and this program reads up to %d: a newer one is needed",
		    h->layout, BOARD_LAYOUT);
	if (h->header_bytes < sizeof(*h))
		return refuse(why, size, "is damaged: its header is too short");
	if (h->file_bytes > r->bytes)
		return refuse(why, size, "is cut short: %llu bytes of %llu are left",
			      (unsigned long long)r->bytes, (unsigned long long)h->file_bytes);
	return 0;
}

/* A description's array: count elements of a stride that may be larger than what is known of each.
 */
static void *load_array(const struct reader *r, uint64_t off, uint32_t count, uint32_t stride,
			size_t known, size_t least, uint32_t max)
{
	size_t bytes = stride < known ? stride : known;
	char *all;

	if (count > max || stride < least || stride > STRIDE_MAX)
		return NULL;
	if (off > r->header.file_bytes || (uint64_t)count * stride > r->header.file_bytes - off)
		return NULL;
	all = calloc(count + 1, known);
	for (uint32_t i = 0; all != NULL && i < count; i++)
		if (fetch(r, off + (uint64_t)i * stride, bytes, all + i * known) != 0) {
			free(all);
			return NULL;
		}
	return all;
}

static bool ends(const char *text, size_t size)
{
	return memchr(text, '\0', size) != NULL;
}

static bool good_field(const struct board_field *f, uint32_t stride)
{
	if (!ends(f->name, sizeof(f->name)) || !ends(f->unit, sizeof(f->unit)) ||
	    !ends(f->help, sizeof(f->help)) || !ends(f->advice, sizeof(f->advice)))
		return false;
	if (f->elem != 1 && f->elem != 2 && f->elem != 4 && f->elem != 8)
		return false;
	if (f->kind == BOARD_HIST && f->elem != 8)
		return false;
	if ((f->kind == BOARD_TEXT || f->kind == BOARD_ADDR) && f->elem != 1)
		return false;
	return f->count != 0 && f->offset <= stride &&
	       (uint64_t)f->elem * f->count <= stride - f->offset;
}

static bool good_table(const struct reader *r, const struct board_table *t)
{
	uint64_t all = (uint64_t)t->rows * t->stride;

	if (!ends(t->name, sizeof(t->name)) || !ends(t->help, sizeof(t->help)))
		return false;
	if (t->stride == 0 || t->stride > STRIDE_MAX || t->group_rows > t->rows)
		return false;
	if (t->offset > r->header.file_bytes || all > r->header.file_bytes - t->offset)
		return false;
	if (t->first_field > r->header.fields || t->fields > r->header.fields - t->first_field)
		return false;
	for (uint32_t i = 0; i < t->fields; i++)
		if (!good_field(&r->fields[t->first_field + i], t->stride))
			return false;
	return true;
}

static bool good_enum(const struct board_enum *e)
{
	return ends(e->name, sizeof(e->name)) && ends(e->text, sizeof(e->text));
}

static const struct board_field *find_seq(const struct reader *r, const struct board_table *t)
{
	const struct board_field *f = reader_field(r, t, "seq");

	return f != NULL && f->elem == 4 && f->kind == BOARD_ID ? f : NULL;
}

static int load_descriptions(struct reader *r, char *why, size_t size)
{
	const struct board_header *h = &r->header;

	r->tables = load_array(r, h->tables_off, h->tables, h->table_stride, sizeof(*r->tables),
			       sizeof(*r->tables), TABLES_MAX);
	r->fields = load_array(r, h->fields_off, h->fields, h->field_stride, sizeof(*r->fields),
			       offsetof(struct board_field, advice), FIELDS_MAX);
	r->enums = load_array(r, h->enums_off, h->enums, h->enum_stride, sizeof(*r->enums),
			      sizeof(*r->enums), ENUMS_MAX);
	r->seq = calloc(h->tables <= TABLES_MAX ? h->tables + 1 : 1, sizeof(*r->seq));
	if (r->tables == NULL || r->fields == NULL || r->enums == NULL || r->seq == NULL)
		return refuse(why, size,
			      "is damaged: its descriptions are not where its header says");
	for (uint32_t i = 0; i < h->enums; i++)
		if (!good_enum(&r->enums[i]))
			return refuse(why, size, "is damaged: enum text %u has no end", i);
	for (uint32_t i = 0; i < h->tables; i++) {
		if (!good_table(r, &r->tables[i]))
			return refuse(why, size, "is damaged: table %u does not fit", i);
		r->seq[i] = find_seq(r, &r->tables[i]);
	}
	return 0;
}

static bool boot_is_ours(const struct board_header *h)
{
	char id[TIMES_BOOT_ID];

	times_boot_id(id);
	if (id[0] == '\0' || h->boot_id[0] == '\0')
		return h->created_us <= times_mono_us();
	return strncmp(id, h->boot_id, sizeof(h->boot_id)) == 0;
}

static void pause_us(long us)
{
	struct timespec ts = {.tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000};

	nanosleep(&ts, NULL);
}

/*
 * Reads the header until it is ready. A file in the making may still be short or empty, so both are
 * looked at anew each time; what is no board at all is not waited for.
 */
static int load_header(struct reader *r, int wait_ms, char *why, size_t size)
{
	for (int waited = 0;; waited += READY_STEP_MS) {
		if (r->fd >= 0 && fstat(r->fd, &r->st) == 0)
			r->bytes = r->st.st_size > 0 ? (uint64_t)r->st.st_size : 0;
		if (fetch(r, 0, sizeof(r->header), &r->header) == 0 && r->header.ready == 1)
			break;
		if (r->bytes >= sizeof(r->header) && r->header.magic[0] != '\0' &&
		    check_header(r, why, size) != 0)
			return -1;
		if (waited >= wait_ms) {
			if (r->bytes < sizeof(r->header))
				return check_header(r, why, size);
			return refuse(why, size, "is not ready: its maker died, or is at it still");
		}
		pause_us(READY_STEP_MS * 1000);
	}
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	if (fetch(r, 0, sizeof(r->header), &r->header) != 0)
		memset(&r->header, 0, sizeof(r->header));
	return check_header(r, why, size);
}

static int load(struct reader *r, int wait_ms, char *why, size_t size)
{
	if (load_header(r, wait_ms, why, size) != 0 || load_descriptions(r, why, size) != 0)
		return -1;
	r->same_boot = boot_is_ours(&r->header);
	return 0;
}

struct reader *reader_attach(const void *base, size_t bytes, char *why, size_t why_bytes)
{
	struct reader *r = calloc(1, sizeof(*r));

	if (r == NULL) {
		refuse(why, why_bytes, "cannot be read: no memory");
		return NULL;
	}
	r->fd = -1;
	r->base = base;
	r->bytes = bytes;
	if (load(r, 0, why, why_bytes) != 0) {
		reader_close(r);
		return NULL;
	}
	return r;
}

/* O_NONBLOCK: a FIFO of that name would wait for its writer. */
static int open_file(struct reader *r, const char *path, char *why, size_t size)
{
	int n = snprintf(r->path, sizeof(r->path), "%s", path);

	if (stat(path, &r->st) == 0 && S_ISDIR(r->st.st_mode))
		n = snprintf(r->path, sizeof(r->path), "%s/%s", path, BOARD_FILE);
	if (n < 0 || (size_t)n >= sizeof(r->path))
		return refuse(why, size, "cannot be opened: its name is too long");
	r->fd = open(r->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (r->fd < 0)
		return refuse(why, size, "cannot be opened: %s", strerror(errno));
	if (fstat(r->fd, &r->st) != 0 || !S_ISREG(r->st.st_mode))
		return refuse(why, size, "is no board: it is not a regular file");
	return 0;
}

struct reader *reader_open(const char *path, char *why, size_t why_bytes)
{
	struct reader *r = calloc(1, sizeof(*r));
	char reason[160];

	if (r == NULL) {
		refuse(why, why_bytes, "%s cannot be read: no memory", path);
		return NULL;
	}
	r->fd = -1;
	if (open_file(r, path, reason, sizeof(reason)) != 0 ||
	    load(r, READY_WAIT_MS, reason, sizeof(reason)) != 0) {
		refuse(why, why_bytes, "%s %s", r->path, reason);
		reader_close(r);
		return NULL;
	}
	return r;
}

void reader_close(struct reader *r)
{
	if (r == NULL)
		return;
	if (r->fd >= 0)
		close(r->fd);
	free(r->tables);
	free(r->fields);
	free(r->enums);
	free(r->seq);
	free(r);
}

const char *reader_path(const struct reader *r)
{
	return r->path;
}

uid_t reader_owner(const struct reader *r)
{
	return r->st.st_uid;
}

bool reader_stale(const struct reader *r)
{
	struct stat now;

	if (r->fd < 0)
		return false;
	return stat(r->path, &now) != 0 || now.st_ino != r->st.st_ino || now.st_dev != r->st.st_dev;
}

bool reader_same_boot(const struct reader *r)
{
	return r->same_boot;
}

uint64_t reader_now_us(const struct reader *r)
{
	uint64_t real;

	if (r->same_boot)
		return times_mono_us();
	real = times_real_us();
	if (real < r->header.created_real_us)
		return r->header.created_us;
	return r->header.created_us + (real - r->header.created_real_us);
}

uint64_t reader_unix_ms(const struct reader *r, uint64_t us)
{
	if (us == 0)
		return 0;
	return (times_real_us() - (reader_now_us(r) - us)) / 1000;
}

size_t reader_tables(const struct reader *r)
{
	return r->header.tables;
}

const struct board_table *reader_table_at(const struct reader *r, size_t i)
{
	assert(i < r->header.tables);
	return &r->tables[i];
}

const struct board_table *reader_table(const struct reader *r, const char *name)
{
	for (uint32_t i = 0; i < r->header.tables; i++)
		if (strcmp(r->tables[i].name, name) == 0)
			return &r->tables[i];
	return NULL;
}

const struct board_field *reader_field_at(const struct reader *r, const struct board_table *t,
					  uint32_t i)
{
	assert(i < t->fields);
	return &r->fields[t->first_field + i];
}

const struct board_field *reader_field(const struct reader *r, const struct board_table *t,
				       const char *name)
{
	for (uint32_t i = 0; t != NULL && i < t->fields; i++)
		if (strcmp(r->fields[t->first_field + i].name, name) == 0)
			return &r->fields[t->first_field + i];
	return NULL;
}

const char *reader_enum_text(const struct reader *r, const char *name, uint64_t value)
{
	for (uint32_t i = 0; i < r->header.enums; i++)
		if (r->enums[i].value == value && strcmp(r->enums[i].name, name) == 0)
			return r->enums[i].text;
	return "?";
}

bool reader_enum_value(const struct reader *r, const char *name, const char *text,
		       uint64_t *value_out)
{
	for (uint32_t i = 0; i < r->header.enums; i++)
		if (strcmp(r->enums[i].name, name) == 0 && strcmp(r->enums[i].text, text) == 0) {
			*value_out = r->enums[i].value;
			return true;
		}
	return false;
}

/*
 * One try at a consistent copy. The fences keep the copy between the two looks at the count, as the
 * writer's do on its side. Left odd, the row is copied all the same: torn is better than nothing.
 */
static enum reader_status try_copy(const struct reader *r, uint64_t off, size_t stride,
				   const struct board_field *seq, char *out, uint32_t *count_out)
{
	uint32_t before;

	if (fetch(r, off + seq->offset, sizeof(before), &before) != 0)
		return READER_LOST;
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	if (fetch(r, off, stride, out) != 0)
		return READER_LOST;
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	if (fetch(r, off + seq->offset, sizeof(*count_out), count_out) != 0)
		return READER_LOST;
	return before == *count_out && (before & 1) == 0 ? READER_OK : READER_TORN;
}

/*
 * Tries again: at once while the count moves, since the writer is merely quick, and with pauses in
 * which the writer may go on while it stands. Waiting is for the odd torn row: a board full of them
 * (a file that was scribbled over) gets no more than the first tries for each.
 */
static enum reader_status copy_patiently(struct reader *r, uint64_t off, size_t stride,
					 const struct board_field *seq, char *out)
{
	uint64_t end = 0;
	uint32_t count = 0, last = 0;

	for (unsigned tries = 0;; tries++) {
		enum reader_status status = try_copy(r, off, stride, seq, out, &count);
		bool moves = count != last;

		if (status != READER_TORN) {
			if (++r->whole >= WHOLE_AGAIN)
				r->torn = 0;
			return status;
		}
		last = count;
		if (tries < TRIES_AT_ONCE)
			continue;
		if (end == 0)
			end = times_mono_us() + TRY_WAIT_US;
		if (times_mono_us() >= end || r->fd < 0)
			break;
		if (!moves && r->torn >= TORN_PATIENCE)
			break;
		if (!moves)
			pause_us(TRY_PAUSE_US);
	}
	r->torn++;
	r->whole = 0;
	return READER_TORN;
}

/* A file that is mapped may have no page there, and no room for one. */
static bool is_there(const struct reader *r, uint64_t off, size_t n)
{
	return r->fd >= 0 || backing_read(r->base + off, n) == 0;
}

static enum reader_status copy_row(struct reader *r, const struct board_table *t, uint32_t i,
				   char *out)
{
	const struct board_field *seq = r->seq[t - r->tables];
	uint64_t off = t->offset + (uint64_t)i * t->stride;

	if (i >= t->rows || !is_there(r, off, t->stride))
		return READER_LOST;
	if (seq != NULL)
		return copy_patiently(r, off, t->stride, seq, out);
	return fetch(r, off, t->stride, out) == 0 ? READER_OK : READER_LOST;
}

int reader_copy(struct reader *r, const struct board_table *t, uint32_t i, struct reader_row *row)
{
	if (row->room < t->stride) {
		char *more = realloc(row->bytes, t->stride);

		if (more == NULL) {
			errno = ENOMEM;
			return -1;
		}
		row->bytes = more;
		row->room = t->stride;
	}
	row->reader = r;
	row->table = t;
	row->index = i;
	row->status = copy_row(r, t, i, row->bytes);
	if (row->status == READER_LOST)
		memset(row->bytes, 0, t->stride);
	return (int)row->status;
}

void reader_row_free(struct reader_row *row)
{
	free(row->bytes);
	memset(row, 0, sizeof(*row));
}

int reader_block(const struct reader *r, const struct board_table *t, uint32_t first, uint32_t n,
		 void *out)
{
	if (first > t->rows || n > t->rows - first ||
	    !is_there(r, t->offset + (uint64_t)first * t->stride, (size_t)n * t->stride)) {
		memset(out, 0, (size_t)n * t->stride);
		return -1;
	}
	return fetch(r, t->offset + (uint64_t)first * t->stride, (size_t)n * t->stride, out);
}

uint64_t reader_u64(const char *bytes, const struct board_field *f)
{
	uint64_t u64 = 0;
	uint32_t u32;
	uint16_t u16;

	if (f == NULL)
		return 0;
	switch (f->elem) {
	case 1:
		return (uint8_t)bytes[f->offset];
	case 2:
		memcpy(&u16, bytes + f->offset, sizeof(u16));
		return u16;
	case 4:
		memcpy(&u32, bytes + f->offset, sizeof(u32));
		return u32;
	default:
		memcpy(&u64, bytes + f->offset, sizeof(u64));
		return u64;
	}
}

char *reader_text(const char *bytes, const struct board_field *f, char *out, size_t out_bytes)
{
	size_t n = 0;

	assert(out_bytes > 0);
	if (f != NULL && f->elem == 1)
		n = strnlen(bytes + f->offset, f->count < out_bytes ? f->count : out_bytes - 1);
	if (n != 0)
		memcpy(out, bytes + f->offset, n);
	out[n] = '\0';
	return out;
}

void reader_addr(const char *bytes, const struct board_field *f, uint8_t out[16])
{
	if (f != NULL && (uint64_t)f->elem * f->count >= 16)
		memcpy(out, bytes + f->offset, 16);
	else
		memset(out, 0, 16);
}

/* What another layout has above our last bucket goes into the last. */
void reader_hist(const char *bytes, const struct board_field *f, uint64_t sum[HIST_BUCKETS])
{
	if (f == NULL || f->elem != sizeof(uint64_t))
		return;
	for (uint32_t i = 0; i < f->count; i++) {
		uint64_t n;

		memcpy(&n, bytes + f->offset + (size_t)i * sizeof(n), sizeof(n));
		sum[i < HIST_BUCKETS ? i : HIST_BUCKETS - 1] += n;
	}
}

uint64_t reader_row_u64(const struct reader_row *row, const char *name)
{
	if (row->bytes == NULL)
		return 0;
	return reader_u64(row->bytes, reader_field(row->reader, row->table, name));
}

char *reader_row_text(const struct reader_row *row, const char *name, char *out, size_t out_bytes)
{
	if (row->bytes == NULL) {
		out[0] = '\0';
		return out;
	}
	return reader_text(row->bytes, reader_field(row->reader, row->table, name), out, out_bytes);
}

const char *reader_row_enum(const struct reader_row *row, const char *name)
{
	const struct board_field *f = NULL;

	if (row->bytes != NULL)
		f = reader_field(row->reader, row->table, name);
	if (f == NULL)
		return "?";
	return reader_enum_text(row->reader, f->unit, reader_u64(row->bytes, f));
}
