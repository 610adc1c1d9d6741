/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Records on their way: see moved.h. Both directions go by one table of members. Pure but for the
 * reads of the record's buffers.
 */
#include "worker/moved.h"

#include <assert.h>
#include <string.h>

#include "worker/http/response.h"

enum whose {
	OF_CONN,
	OF_ROW,
	OF_UP
};

/* Where a number lives, and how wide it is there. */
static const struct {
	uint16_t tag;
	uint8_t whose; /* enum whose */
	uint8_t size;
	uint16_t offset;
} numbers[] = {
#define ROW(member) \
	OF_ROW, sizeof(((struct conn_row *)0)->member), offsetof(struct conn_row, member)
#define CONN(member)          OF_CONN, sizeof(((struct conn *)0)->member), offsetof(struct conn, member)
#define X(tag, whose, member) {tag, whose(member)},
    MOVED_NUMBERS(X)
#undef X
#undef CONN
#undef ROW
#define X(tag, member) {tag, OF_UP, sizeof(((struct up *)0)->member), offsetof(struct up, member)},
	MOVED_UP_NUMBERS(X)
#undef X
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
	TRANSIENT = CONN_POLLED | CONN_READY | CONN_MOVING | CONN_STAYS | CONN_ARRIVING |
		    CONN_QUEUED,
	UP_TRANSIENT = UP_READY | UP_MOVING | UP_ARRIVING
};

static uint64_t lasting(size_t k, uint64_t v)
{
	if (numbers[k].whose == OF_CONN && numbers[k].offset == offsetof(struct conn, flags))
		return v & (uint64_t)~TRANSIENT;
	if (numbers[k].whose == OF_UP && numbers[k].offset == offsetof(struct up, flags))
		return v & (uint64_t)~UP_TRANSIENT;
	return v;
}

static void put_numbers(struct writer *w, enum whose whose, const void *base)
{
	for (size_t k = 0; k < NUMBERS; k++) {
		uint64_t v;

		if (numbers[k].whose != whose)
			continue;
		v = lasting(k, load(base, numbers[k].offset, numbers[k].size));
		if (v != 0)
			put_field(w, numbers[k].tag, &v, sizeof v);
	}
}

static enum up_state up_state_of(const struct conns *cs, const struct conn *c)
{
	return c->up != 0 ? (enum up_state)up_at(cs->ups, c->up - 1)->state : UP_FREE;
}

bool moved_portable(const struct conns *cs, uint32_t i)
{
	const struct conn *c = conn_at(cs, i);

	return !c->doomed && (c->flags & CONN_STAYS) == 0 && c->parts_buf == BUF_NONE &&
	       up_fits(up_state_of(cs, c), (enum conn_state)conn_row(cs, i)->state);
}

/* Its peer is named as in the configuration. */
static void put_up(struct writer *w, const struct ups *us, const struct up *up)
{
	const struct peer *p = &us->cs->settings->peers[up->peer];

	put_numbers(w, OF_UP, up);
	put_text(w, MOVED_UP_STATE, up_state_name((enum up_state)up->state));
	put_text(w, MOVED_UPSTREAM, us->cs->settings->upstreams[p->upstream].name);
	put_text(w, MOVED_UP_PEER, p->address);
}

/* What is under way between it and the client. */
static void put_exchange(struct writer *w, const struct conns *cs, const struct conn *c)
{
	const struct up *up = up_at(cs->ups, c->up - 1);

	put_up(w, cs->ups, up);
	put_text(w, MOVED_UP_METHOD, http_method_name((enum http_method)up->method));
	put_text(w, MOVED_UP_BODY, http_body_kind_name((enum http_body_kind)up->body));
	put_text(w, MOVED_LOCATION, cs->settings->servers[c->server].locations[up->location].match);
	if (up->in_buf != BUF_NONE)
		put_field(w, MOVED_UP_IN, buf_data(&cs->bufs, up->in_buf), up->in_len);
	if (up->out_buf != BUF_NONE)
		put_field(w, MOVED_UP_OUT, buf_data(&cs->bufs, up->out_buf) + up->out_off,
			  up->out_len - up->out_off);
}

static uint64_t fds_of(const struct conn *c)
{
	return (c->file != OPENFILE_NONE ? MOVED_FILE : 0u) | (c->up != 0 ? MOVED_PEER_FD : 0u);
}

static int count_fds(uint64_t fds)
{
	return 1 + ((fds & MOVED_FILE) != 0) + ((fds & MOVED_PEER_FD) != 0);
}

int moved_descriptors_of(const struct conns *cs, uint32_t i)
{
	return count_fds(fds_of(conn_at(cs, i)));
}

static int seal(struct writer *w, size_t *len)
{
	uint32_t bytes;

	if (w->full)
		return -1;
	bytes = (uint32_t)(w->len - *len);
	memcpy(w->out + *len, &bytes, sizeof bytes);
	*len = w->len;
	return 0;
}

int moved_write_idle(const struct ups *us, uint32_t u, char *out, size_t size, size_t *len)
{
	struct writer w = {out, size, *len, false};
	const uint32_t bytes = 0;

	put(&w, &bytes, sizeof bytes);
	put_up(&w, us, up_at(us, u));
	return seal(&w, len);
}

int moved_write(const struct conns *cs, uint32_t i, const char *listener, const char *server,
		char *out, size_t size, size_t *len)
{
	const struct conn *c = conn_at(cs, i);
	const struct conn_row *row = conn_row(cs, i);
	struct writer w = {out, size, *len, false};
	const uint64_t fds = fds_of(c);
	const uint32_t bytes = 0;

	put(&w, &bytes, sizeof bytes);
	put_numbers(&w, OF_ROW, row);
	put_numbers(&w, OF_CONN, c);
	put_text(&w, MOVED_STATE, conn_state_name(row->state));
	put_text(&w, MOVED_CLOSE_REASON, close_reason_name((enum close_reason)c->close_reason));
	put_field(&w, MOVED_PEER, row->peer, sizeof row->peer);
	put_text(&w, MOVED_LISTENER, listener);
	put_text(&w, MOVED_SERVER, server);
	put_text(&w, MOVED_REQUEST, row->request);
	if (fds != 0)
		put_field(&w, MOVED_FILE_FDS, &fds, sizeof fds);
	if (c->up != 0)
		put_exchange(&w, cs, c);
	if (c->in_buf != BUF_NONE)
		put_field(&w, MOVED_IN, buf_data(&cs->bufs, c->in_buf), c->in_len);
	if (c->out_buf != BUF_NONE)
		put_field(&w, MOVED_OUT, buf_data(&cs->bufs, c->out_buf) + c->out_off,
			  c->out_len - c->out_off);
	return seal(&w, len);
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
		void *const base[] = {[OF_CONN] = &r->conn, [OF_ROW] = &r->row, [OF_UP] = &r->up};

		if (numbers[k].tag == f->tag)
			return store(base[numbers[k].whose], numbers[k].offset, numbers[k].size, v);
	}
	return false;
}

/* An enum travels by its name: defines the function that finds its value, from first to last. */
#define NAMED(take, type, first, last, name_of)                     \
	static bool take(const struct moved_bytes *b, uint8_t *out) \
	{                                                           \
		for (int v = first; v <= last; v++) {               \
			if (moved_same(b, name_of((type)v))) {      \
				*out = (uint8_t)v;                  \
				return true;                        \
			}                                           \
		}                                                   \
		return false;                                       \
	}

NAMED(take_state, unsigned, 0, CONN_STATES_COUNT - 1, conn_state_name)
NAMED(take_reason, enum close_reason, 0, CLOSE_REASONS_COUNT - 1, close_reason_name)
NAMED(take_up_state, enum up_state, UP_CONNECT, UP_IDLE, up_state_name)
NAMED(take_method, enum http_method, 0, HTTP_OTHER, http_method_name)
NAMED(take_body_kind, enum http_body_kind, HTTP_BODY_NONE, HTTP_BODY_UNTIL_CLOSE,
      http_body_kind_name)

/* Those of the connection to the peer. */
static bool take_up_field(struct moved_record *r, const struct field *f)
{
	switch (f->tag) {
	case MOVED_UP_STATE:
		return take_up_state(&f->bytes, &r->up.state);
	case MOVED_UP_METHOD:
		return take_method(&f->bytes, &r->up.method);
	case MOVED_UP_BODY:
		return take_body_kind(&f->bytes, &r->up.body);
	case MOVED_UPSTREAM:
		r->upstream = f->bytes;
		return true;
	case MOVED_UP_PEER:
		r->up_peer = f->bytes;
		return true;
	case MOVED_LOCATION:
		r->location = f->bytes;
		return true;
	case MOVED_UP_IN:
		r->up_in = f->bytes;
		return true;
	case MOVED_UP_OUT:
		r->up_out = f->bytes;
		return true;
	default:
		return take_number(r, f);
	}
}

static bool take_field(struct moved_record *r, const struct field *f)
{
	uint64_t v;

	switch (f->tag) {
	case MOVED_STATE:
		return take_state(&f->bytes, &r->state);
	case MOVED_CLOSE_REASON:
		return take_reason(&f->bytes, &r->conn.close_reason);
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
		r->fds = v & (MOVED_FILE | MOVED_PEER_FD);
		return v != 0 && v == r->fds;
	case MOVED_IN:
		r->in = f->bytes;
		return true;
	case MOVED_OUT:
		r->out = f->bytes;
		return true;
	default:
		return take_up_field(r, f);
	}
}

static bool sane_up(const struct moved_record *r)
{
	const struct up *up = &r->up;

	return r->upstream.len > 0 && r->up_peer.len > 0 && (up->flags & ~UP_FLAGS_KNOWN) == 0 &&
	       (up->flags & UP_TRANSIENT) == 0 && up->chunk.extra <= CHUNK_EXTRA_MAX &&
	       up->scanned <= r->up_in.len && fcgi_is_sound(&up->fcgi);
}

static bool sane_idle(const struct moved_record *r)
{
	return sane_up(r) && r->state == CONN_FREE && r->listener.len == 0 && r->fds == 0 &&
	       r->location.len == 0 && r->in.len == 0 && r->out.len == 0 && r->up_in.len == 0 &&
	       r->up_out.len == 0;
}

static bool sane_exchange(const struct moved_record *r)
{
	return sane_up(r) && r->location.len > 0 && (r->fds & MOVED_PEER_FD) != 0 &&
	       (r->up.state != UP_CONNECT || r->up_in.len == 0);
}

/* No trace of one. */
static bool sane_without(const struct moved_record *r)
{
	return (r->fds & MOVED_PEER_FD) == 0 && r->upstream.len == 0 && r->up_peer.len == 0 &&
	       r->location.len == 0 && r->up_in.len == 0 && r->up_out.len == 0 &&
	       (r->state == CONN_SEND || (r->fds == 0 && r->out.len == 0));
}

/* What a record must keep to, whoever wrote it. */
static bool sane(const struct moved_record *r)
{
	const struct conn *c = &r->conn;

	if (r->up.state == UP_IDLE)
		return sane_idle(r);
	return r->listener.len > 0 && up_fits((enum up_state)r->up.state, r->state) &&
	       (r->up.state != UP_FREE ? sane_exchange(r) : sane_without(r)) &&
	       c->head_len <= r->in.len && c->scanned <= r->in.len - c->head_len &&
	       c->chunk.extra <= CHUNK_EXTRA_MAX && (c->flags & ~CONN_FLAGS_KNOWN) == 0 &&
	       (c->flags & TRANSIENT) == 0 && (c->file_left == 0 || (r->fds & MOVED_FILE) != 0) &&
	       c->file_off <= INT64_MAX && c->file_left <= INT64_MAX - c->file_off &&
	       (r->state != CONN_BODY || c->head_len > 0);
}

enum {
	SEEN_WORDS = 4
};

/* A field that comes twice: whom to believe? One bit for each tag in use, long ones apart. */
static bool is_second(uint64_t seen[SEEN_WORDS + 1], uint16_t tag)
{
	uint16_t bit = tag & (uint16_t)~MOVED_LONG;
	uint64_t *word = &seen[tag >= MOVED_LONG ? SEEN_WORDS : bit / 64 % SEEN_WORDS];
	uint64_t mask = (uint64_t)1 << bit % 64;
	bool second = (*word & mask) != 0;

	*word |= mask;
	return second;
}

static_assert((int)MOVED_LOCATION < 64 * SEEN_WORDS, "is_second has so many bits");

int moved_read(const char *message, size_t len, size_t *off, struct moved_record *r)
{
	struct field f;
	size_t end, at = *off + sizeof(uint32_t);
	uint64_t seen[SEEN_WORDS + 1] = {0};
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
	/* What is said of a connection to a peer that there is not counts for nothing. */
	if (r->up.state == UP_FREE)
		r->up = (struct up){.state = UP_FREE};
	return understood && sane(r);
}

int moved_descriptors(const char *message, size_t len, size_t off)
{
	struct field f;
	size_t end, at = off + sizeof(uint32_t);
	uint64_t fds = 0;
	int more, fields = 0;

	if (!record_end(message, len, off, &end))
		return -1;
	while ((more = next_field(message, end, &at, &f)) > 0) {
		if (f.tag != MOVED_FILE_FDS)
			continue;
		fields++;
		if (f.bytes.len == sizeof fds)
			memcpy(&fds, f.bytes.p, sizeof fds);
	}
	if (more < 0 || fields > 1)
		return -1;
	/* Of a kind that is not known: one, as ever. */
	return fields > 0 && (fds == 0 || fds > (MOVED_FILE | MOVED_PEER_FD)) ? 2 : count_fds(fds);
}
