/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Records on their way: see moved.h. Both directions go by one table of members. Pure but for the
 * reads of the record's buffers.
 */
#include "worker/moved.h"

#include <assert.h>
#include <string.h>

/* Where a number lives, and how wide it is there. */
static const struct {
	uint16_t tag;
	uint8_t in_row;
	uint8_t size;
	uint16_t offset;
} numbers[] = {
#define ROW(member)           1, sizeof(((struct conn_row *)0)->member), offsetof(struct conn_row, member)
#define CONN(member)          0, sizeof(((struct conn *)0)->member), offsetof(struct conn, member)
#define X(tag, whose, member) {tag, whose(member)},
    MOVED_NUMBERS(X)
#undef X
#undef CONN
#undef ROW
};

enum {
	NUMBERS = sizeof numbers / sizeof numbers[0],
	SHORT_HEAD = 4,
	LONG_HEAD = 8
};

static uint64_t load(const void *base, size_t offset, size_t size)
{
	uint64_t v = 0;

	memcpy(&v, (const char *)base + offset, size);
	return v;
}

static bool store(void *base, size_t offset, size_t size, uint64_t v)
{
	if (size < sizeof v && v >> (8 * size) != 0)
		return false;
	memcpy((char *)base + offset, &v, size);
	return true;
}

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "load and store take the low bytes first");

struct writer {
	char *out;
	size_t size;
	size_t len;
	bool full;
};

static void put(struct writer *w, const void *p, size_t n)
{
	if (w->full || w->size - w->len < n) {
		w->full = true;
		return;
	}
	memcpy(w->out + w->len, p, n);
	w->len += n;
}

static void put_field(struct writer *w, uint16_t tag, const void *p, size_t n)
{
	uint16_t len = tag < MOVED_LONG ? (uint16_t)n : 0;
	uint32_t length = (uint32_t)n;

	if (n == 0)
		return;
	put(w, &tag, sizeof tag);
	put(w, &len, sizeof len);
	if (tag >= MOVED_LONG)
		put(w, &length, sizeof length);
	put(w, p, n);
}

static void put_text(struct writer *w, uint16_t tag, const char *text)
{
	put_field(w, tag, text, strlen(text));
}

/* What holds only while this worker has the connection. */
enum {
	TRANSIENT = CONN_POLLED | CONN_READY | CONN_MOVING | CONN_STAYS | CONN_ARRIVING
};

static void put_numbers(struct writer *w, const struct conn *c, const struct conn_row *row)
{
	for (size_t k = 0; k < NUMBERS; k++) {
		const void *base = numbers[k].in_row ? (const void *)row : (const void *)c;
		uint64_t v = load(base, numbers[k].offset, numbers[k].size);

		if (numbers[k].offset == offsetof(struct conn, flags) && !numbers[k].in_row)
			v &= (uint64_t)~TRANSIENT;
		if (v != 0)
			put_field(w, numbers[k].tag, &v, sizeof v);
	}
}

static bool portable(unsigned state)
{
	return state == CONN_IDLE || state == CONN_HEAD || state == CONN_BODY ||
	       state == CONN_SEND || state == CONN_LINGER;
}

bool moved_portable(const struct conns *cs, uint32_t i)
{
	const struct conn *c = conn_at(cs, i);

	return !c->doomed && c->up == 0 && (c->flags & CONN_STAYS) == 0 &&
	       c->parts_buf == BUF_NONE && portable(conn_row(cs, i)->state);
}

int moved_write(const struct conns *cs, uint32_t i, const char *listener, const char *server,
		char *out, size_t size, size_t *len)
{
	const struct conn *c = conn_at(cs, i);
	const struct conn_row *row = conn_row(cs, i);
	struct writer w = {out, size, *len, false};
	const uint64_t file_fds = c->file != OPENFILE_NONE;
	uint32_t bytes = 0;

	put(&w, &bytes, sizeof bytes);
	put_numbers(&w, c, row);
	put_text(&w, MOVED_STATE, conn_state_name(row->state));
	put_text(&w, MOVED_CLOSE_REASON, close_reason_name((enum close_reason)c->close_reason));
	put_field(&w, MOVED_PEER, row->peer, sizeof row->peer);
	put_text(&w, MOVED_LISTENER, listener);
	put_text(&w, MOVED_SERVER, server);
	put_text(&w, MOVED_REQUEST, row->request);
	if (file_fds != 0)
		put_field(&w, MOVED_FILE_FDS, &file_fds, sizeof file_fds);
	if (c->in_buf != BUF_NONE)
		put_field(&w, MOVED_IN, buf_data(&cs->bufs, c->in_buf), c->in_len);
	if (c->out_buf != BUF_NONE)
		put_field(&w, MOVED_OUT, buf_data(&cs->bufs, c->out_buf) + c->out_off,
			  c->out_len - c->out_off);
	if (w.full)
		return -1;
	bytes = (uint32_t)(w.len - *len);
	memcpy(out + *len, &bytes, sizeof bytes);
	*len = w.len;
	return 0;
}

struct field {
	uint16_t tag;
	struct moved_bytes bytes;
};

/* The field at *off of a record that ends at end. Returns 1, 0 at the end, -1 if malformed. */
static int next_field(const char *message, size_t end, size_t *off, struct field *f)
{
	uint16_t len;
	uint32_t length;

	if (*off == end)
		return 0;
	if (end - *off < SHORT_HEAD)
		return -1;
	memcpy(&f->tag, message + *off, sizeof f->tag);
	memcpy(&len, message + *off + 2, sizeof len);
	*off += SHORT_HEAD;
	length = len;
	if (f->tag >= MOVED_LONG) {
		if (end - *off < sizeof length)
			return -1;
		memcpy(&length, message + *off, sizeof length);
		*off += sizeof length;
	}
	if (length > end - *off)
		return -1;
	f->bytes = (struct moved_bytes){message + *off, length};
	*off += length;
	return 1;
}

static bool record_end(const char *message, size_t len, size_t off, size_t *end)
{
	uint32_t bytes;

	if (off > len || len - off < sizeof bytes)
		return false;
	memcpy(&bytes, message + off, sizeof bytes);
	if (bytes < sizeof bytes || bytes > len - off)
		return false;
	*end = off + bytes;
	return true;
}

static bool take_number(struct moved_record *r, const struct field *f)
{
	uint64_t v;

	if (f->bytes.len != sizeof v)
		return false;
	memcpy(&v, f->bytes.p, sizeof v);
	for (size_t k = 0; k < NUMBERS; k++) {
		if (numbers[k].tag == f->tag)
			return store(numbers[k].in_row ? (void *)&r->row : (void *)&r->conn,
				     numbers[k].offset, numbers[k].size, v);
	}
	return false;
}

static bool same(const struct moved_bytes *b, const char *text)
{
	return b->len > 0 && strlen(text) == b->len && memcmp(b->p, text, b->len) == 0;
}

static bool take_state(struct moved_record *r, const struct moved_bytes *b)
{
	for (int s = 0; s < CONN_STATES_COUNT; s++) {
		if (same(b, conn_state_name((unsigned)s))) {
			r->state = (enum conn_state)s;
			return true;
		}
	}
	return false;
}

static bool take_reason(struct moved_record *r, const struct moved_bytes *b)
{
	for (int s = 0; s < CLOSE_REASONS_COUNT; s++) {
		if (same(b, close_reason_name((enum close_reason)s))) {
			r->conn.close_reason = (uint8_t)s;
			return true;
		}
	}
	return false;
}

static bool take_field(struct moved_record *r, const struct field *f)
{
	uint64_t v;

	switch (f->tag) {
	case MOVED_STATE:
		return take_state(r, &f->bytes);
	case MOVED_CLOSE_REASON:
		return take_reason(r, &f->bytes);
	case MOVED_PEER:
		if (f->bytes.len != sizeof r->row.peer)
			return false;
		memcpy(r->row.peer, f->bytes.p, sizeof r->row.peer);
		return true;
	case MOVED_LISTENER:
		r->listener = f->bytes;
		return true;
	case MOVED_SERVER:
		r->server = f->bytes;
		return true;
	case MOVED_REQUEST: /* for readers: another version may keep more of it */
		v = f->bytes.len < sizeof r->row.request ? f->bytes.len : sizeof r->row.request - 1;
		memcpy(r->row.request, f->bytes.p, v);
		return true;
	case MOVED_FILE_FDS:
		if (f->bytes.len != sizeof v)
			return false;
		memcpy(&v, f->bytes.p, sizeof v);
		r->file_fds = (int)v;
		return v == 1;
	case MOVED_IN:
		r->in = f->bytes;
		return true;
	case MOVED_OUT:
		r->out = f->bytes;
		return true;
	default:
		return take_number(r, f);
	}
}

/* What a record must keep to, whoever wrote it. */
static bool sane(const struct moved_record *r)
{
	const struct conn *c = &r->conn;
	bool sending = r->state == CONN_SEND;

	return r->listener.len > 0 && portable(r->state) && c->head_len <= r->in.len &&
	       c->scanned <= r->in.len - c->head_len && c->chunk.extra <= CHUNK_EXTRA_MAX &&
	       (c->flags & ~CONN_FLAGS_KNOWN) == 0 && (c->flags & TRANSIENT) == 0 &&
	       (sending || (r->file_fds == 0 && r->out.len == 0)) &&
	       (c->file_left == 0 || r->file_fds == 1) && c->file_off <= INT64_MAX &&
	       c->file_left <= INT64_MAX - c->file_off &&
	       (r->state != CONN_BODY || c->head_len > 0);
}

/* A field that comes twice: whom to believe? One bit for each tag in use, long ones apart. */
static bool is_second(uint64_t seen[3], uint16_t tag)
{
	uint16_t bit = tag & (uint16_t)~MOVED_LONG;
	uint64_t *word = &seen[tag >= MOVED_LONG ? 2 : bit / 64 % 2];
	uint64_t mask = (uint64_t)1 << bit % 64;
	bool second = (*word & mask) != 0;

	*word |= mask;
	return second;
}

static_assert((int)MOVED_FILE_FDS < 128, "is_second has so many bits");

int moved_read(const char *message, size_t len, size_t *off, struct moved_record *r)
{
	struct field f;
	size_t end, at = *off + sizeof(uint32_t);
	uint64_t seen[3] = {0};
	bool understood = true;
	int more;

	if (!record_end(message, len, *off, &end))
		return -1;
	*r = (struct moved_record){.state = CONN_FREE};
	while ((more = next_field(message, end, &at, &f)) > 0)
		understood = !is_second(seen, f.tag) && take_field(r, &f) && understood;
	*off = end;
	if (more < 0)
		return -1;
	return understood && sane(r);
}

int moved_descriptors(const char *message, size_t len, size_t off)
{
	struct field f;
	size_t end, at = off + sizeof(uint32_t);
	int more, count = 1;

	if (!record_end(message, len, off, &end))
		return -1;
	while ((more = next_field(message, end, &at, &f)) > 0)
		count += f.tag == MOVED_FILE_FDS;
	return more < 0 || count > 2 ? -1 : count;
}
