/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tests worker/moved.c: every field comes out as it went in, at its extremes too; what is not
 * understood is refused, what is malformed or insane is refused and never read beyond its end. Each
 * message is read from memory of exactly its size, so that a sanitizer sees one byte too many.
 */
#include "worker/moved.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "t/unit/hand.h"
#include "t/unit/rig.h"
#include "t/unit/run.h"

enum {
	CONNS = 8,
	SIZE = 4096
};

static struct location location;
static struct server servers[1] = {
    {.name = "s", .locations = &location, .locations_count = 1, .log = -1}};
static struct listener listeners[1] = {{.address = "127.0.0.1:1"}};
static struct settings settings = {.worker_connections = CONNS,
				   .file_cache = 4,
				   .listeners = listeners,
				   .listeners_count = 1,
				   .servers = servers,
				   .servers_count = 1};
static struct clock now = {.now_us = 500000000};
static struct board board;
static struct arena arena;
static struct conns cs;
static char out[MOVED_MESSAGE];
static size_t out_len;

static void set_up(void)
{
	const struct board_sizes sizes = {1, CONNS, 1, 1, 1, 1};
	const struct conns_env env = {&settings, &now, &board, 0, 1000};

	rig_board(&board, &sizes);
	rig_make(&cs, NULL, &arena, &env);
	out_len = 0;
}

static void tear_down(void)
{
	rig_free(&cs, &arena);
	board_unmap(&board);
}

/* Reads a message from memory of its size. */
static int read_copy(const char *message, size_t len, size_t *off, struct moved_record *r)
{
	static char *copy; /* the record points into it */
	size_t at = 0;
	int verdict;

	free(copy);
	copy = malloc(len ? len : 1);
	ck_assert_ptr_nonnull(copy);
	memcpy(copy, message, len);
	verdict = moved_read(copy, len, &at, r);
	if (off != NULL)
		*off = at;
	return verdict;
}

static void fill_buf(uint32_t *buf, uint32_t len, char seed)
{
	uint32_t same;

	rig_fill(&cs, buf, &same, len, seed);
}

/* A record in the state, with the least that it needs. */
static uint32_t make(enum conn_state state)
{
	uint32_t i = rig_open(&cs, 0, dup(1));
	struct conn *c = conn_at(&cs, i);

	conn_row(&cs, i)->state = (uint8_t)state;
	if (state == CONN_BODY) {
		fill_buf(&c->in_buf, 40, 'h');
		c->in_len = c->head_len = 40;
	}
	return i;
}

static void write_one(uint32_t i)
{
	ck_assert_int_eq(moved_write(&cs, i, "127.0.0.1:80", "s", out, sizeof out, &out_len), 0);
}

/* Every number, with a value of its own. */
static const struct {
	uint16_t tag;
	bool in_row;
	size_t offset, size;
} numbers[] = {
#define ROW(m)           true, offsetof(struct conn_row, m), sizeof(((struct conn_row *)0)->m)
#define CONN(m)          false, offsetof(struct conn, m), sizeof(((struct conn *)0)->m)
#define X(tag, whose, m) {tag, whose(m)},
    MOVED_NUMBERS(X)
#undef X
#undef CONN
#undef ROW
};

enum {
	NUMBERS = sizeof numbers / sizeof numbers[0]
};

static uint64_t get(const struct conn *c, const struct conn_row *row, int k)
{
	uint64_t v = 0;

	memcpy(&v, (numbers[k].in_row ? (const char *)row : (const char *)c) + numbers[k].offset,
	       numbers[k].size);
	return v;
}

static void set(uint32_t i, int k, uint64_t v)
{
	char *base = numbers[k].in_row ? (char *)conn_row(&cs, i) : (char *)conn_at(&cs, i);

	memcpy(base + numbers[k].offset, &v, numbers[k].size);
}

static bool is_member(int k, size_t offset)
{
	return !numbers[k].in_row && numbers[k].offset == offset;
}

/* The largest value that a sane record may have there. */
static uint64_t largest(int k)
{
	if (is_member(k, offsetof(struct conn, flags)))
		return CONN_READABLE | CONN_PEER_DONE | CONN_CLOSE_AFTER | CONN_PEER_QUIET |
		       CONN_HEAD_REQUEST | CONN_BODY_CHUNKED | CONN_CONTINUE;
	if (is_member(k, offsetof(struct conn, head_len)))
		return 100;
	if (is_member(k, offsetof(struct conn, scanned)))
		return 0; /* of 100 bytes that are all head */
	if (is_member(k, offsetof(struct conn, chunk.extra)))
		return CHUNK_EXTRA_MAX;
	if (is_member(k, offsetof(struct conn, file_off)) ||
	    is_member(k, offsetof(struct conn, file_left)))
		return INT64_MAX / 2;
	return numbers[k].size == 8 ? UINT64_MAX : ((uint64_t)1 << 8 * numbers[k].size) - 1;
}

START_TEST(test_all_fields)
{
	uint32_t i = make(CONN_SEND);
	struct conn *c = conn_at(&cs, i);
	struct conn_row *row = conn_row(&cs, i);
	static struct moved_record r;
	size_t end;

	for (int k = 0; k < NUMBERS; k++)
		set(i, k, largest(k));
	c->flags |= CONN_POLLED | CONN_READY;
	memcpy(row->peer, "0123456789abcdef", 16);
	memset(row->request, 'r', sizeof row->request - 1);
	c->close_reason = CLOSE_REQUEST_LIMIT;
	fill_buf(&c->in_buf, 100, 'i');
	c->in_len = 100;
	fill_buf(&c->out_buf, 300, 'o');
	c->out_len = 300;
	c->out_off = 7;
	c->file = 0;
	write_one(i);
	c->file = OPENFILE_NONE;
	ck_assert_int_eq(moved_descriptors(out, out_len, 0), 2);
	ck_assert_int_eq(read_copy(out, out_len, &end, &r), 1);
	ck_assert_uint_eq(end, out_len);
	for (int k = 0; k < NUMBERS; k++)
		ck_assert_msg(get(&r.conn, &r.row, k) == largest(k), "tag %u: %llu, not %llu",
			      numbers[k].tag, (unsigned long long)get(&r.conn, &r.row, k),
			      (unsigned long long)largest(k));
	ck_assert_int_eq(r.state, CONN_SEND);
	ck_assert_int_eq(r.conn.close_reason, CLOSE_REQUEST_LIMIT);
	ck_assert_mem_eq(r.row.peer, row->peer, 16);
	ck_assert_str_eq(r.row.request, row->request);
	ck_assert_uint_eq(r.listener.len, strlen("127.0.0.1:80"));
	ck_assert_mem_eq(r.listener.p, "127.0.0.1:80", r.listener.len);
	ck_assert_uint_eq(r.server.len, 1);
	ck_assert_mem_eq(r.server.p, "s", 1);
	ck_assert_uint_eq(r.in.len, 100);
	ck_assert_mem_eq(r.in.p, buf_data(&cs.bufs, c->in_buf), 100);
	ck_assert_uint_eq(r.out.len, 293);
	ck_assert_mem_eq(r.out.p, buf_data(&cs.bufs, c->out_buf) + 7, 293);
	ck_assert_uint_eq(r.fds, MOVED_FILE);
}
END_TEST

/* Each number alone: no other one moves with it, and tags are not mixed up. */
START_TEST(test_one_number)
{
	uint32_t i = make(CONN_SEND);
	struct conn *c = conn_at(&cs, i);
	static struct moved_record before, r;
	bool flags = is_member(_i, offsetof(struct conn, flags));
	uint64_t value = is_member(_i, offsetof(struct conn, scanned)) ? 100 : largest(_i);
	uint64_t least_value = flags ? CONN_READABLE : 1;

	fill_buf(&c->in_buf, 100, 'i');
	c->in_len = 100;
	c->file = 0;
	write_one(i);
	ck_assert_int_eq(read_copy(out, out_len, NULL, &before), 1);
	for (uint64_t v = value; v > 0; v = v == least_value ? 0 : least_value) {
		set(i, _i, v);
		out_len = 0;
		write_one(i);
		ck_assert_int_eq(read_copy(out, out_len, NULL, &r), 1);
		for (int k = 0; k < NUMBERS; k++)
			ck_assert_uint_eq(get(&r.conn, &r.row, k),
					  k == _i ? v : get(&before.conn, &before.row, k));
	}
	c->file = OPENFILE_NONE;
}
END_TEST

/* What a record knows of its own worker stays there. */
START_TEST(test_transient)
{
	uint32_t i = make(CONN_IDLE);
	static struct moved_record r;

	conn_at(&cs, i)->flags = CONN_FLAGS_KNOWN & ~CONN_STAYS;
	conn_at(&cs, i)->addr_cell = 7;
	write_one(i);
	ck_assert_int_eq(read_copy(out, out_len, NULL, &r), 1);
	ck_assert_uint_eq(r.conn.flags & (CONN_POLLED | CONN_READY | CONN_MOVING | CONN_ARRIVING),
			  0);
	ck_assert_uint_eq(r.conn.flags & CONN_READABLE, CONN_READABLE);
	ck_assert_uint_eq(r.conn.addr_cell, 0);
}
END_TEST

static const enum conn_state portable[] = {CONN_IDLE, CONN_HEAD, CONN_BODY, CONN_SEND, CONN_LINGER};

START_TEST(test_states)
{
	static struct moved_record r;

	write_one(make(portable[_i]));
	ck_assert_int_eq(moved_descriptors(out, out_len, 0), 1);
	ck_assert_int_eq(read_copy(out, out_len, NULL, &r), 1);
	ck_assert_int_eq(r.state, portable[_i]);
}
END_TEST

START_TEST(test_portable)
{
	for (int s = 0; s < CONN_STATES_COUNT; s++) {
		uint32_t i = make(CONN_HEAD);
		bool want = false;

		conn_row(&cs, i)->state = (uint8_t)s;
		for (size_t k = 0; k < sizeof portable / sizeof portable[0]; k++)
			want |= portable[k] == (enum conn_state)s;
		ck_assert_msg(moved_portable(&cs, i) == want, "%s", conn_state_name((unsigned)s));
		conn_row(&cs, i)->state = CONN_HEAD;
		conn_close(&cs, i, CLOSE_CLIENT, false);
		ck_assert(!moved_portable(&cs, i));
		conns_bury(&cs);
	}
	{
		uint32_t i = make(CONN_SEND);

		conn_at(&cs, i)->flags |= CONN_STAYS;
		ck_assert(!moved_portable(&cs, i));
		conn_at(&cs, i)->flags = 0;
		fill_buf(&conn_at(&cs, i)->parts_buf, 10, 'p');
		ck_assert(!moved_portable(&cs, i));
	}
}
END_TEST

/* Records made by hand. */

static void least(struct hand *h, const char *state)
{
	hand_begin(h);
	hand_text(h, MOVED_STATE, state);
	hand_text(h, MOVED_LISTENER, "127.0.0.1:80");
}

static int verdict_of(struct hand *h)
{
	static struct moved_record r;

	hand_seal(h);
	return read_copy(h->bytes, h->len, NULL, &r);
}

START_TEST(test_optional)
{
	static struct moved_record r;
	static struct hand h;

	least(&h, "idle");
	hand_seal(&h);
	ck_assert_int_eq(read_copy(h.bytes, h.len, NULL, &r), 1);
	ck_assert_int_eq(r.state, CONN_IDLE);
	ck_assert_uint_eq(r.server.len, 0);
	ck_assert_uint_eq(r.in.len, 0);
	ck_assert_uint_eq(r.row.requests, 0);
	ck_assert_uint_eq(r.conn.close_reason, 0);
	ck_assert_int_eq(moved_descriptors(h.bytes, h.len, 0), 1);
}
END_TEST

/* Refused with its neighbours unharmed: a record that is well formed and not understood, or insane.
 * A second field follows the first where there is one. */
static const struct {
	const char *why, *state;
	struct {
		uint16_t tag;
		const char *text; /* NULL: number */
		uint64_t number;
	} field[3];
} refused[] = {
    {"unknown number", "idle", {{99, NULL, 1}}},
    {"unknown tag 0", "idle", {{0, NULL, 1}}},
    {"unknown text", "idle", {{107, "x", 0}}},
    {"far tag", "idle", {{0x7fff, "x", 0}}},
    {"unknown long", "idle", {{MOVED_LONG + 2, "x", 0}}},
    {"last long", "idle", {{0xffff, "x", 0}}},
    {"no such state", "sleeping", {{0}}},
    {"free", "free", {{0}}},
    {"respond", "respond", {{0}}},
    {"relay", "relay", {{0}}},
    {"handshake", "handshake", {{0}}},
    {"no such reason", "idle", {{MOVED_CLOSE_REASON, "boredom", 0}}},
    {"short number", "idle", {{4, "1234", 0}}},
    {"empty number", "idle", {{4, "", 0}}},
    {"long number", "idle", {{4, "123456789", 0}}},
    {"number too large for 8 bits", "idle", {{2, NULL, 256}}},
    {"number too large for 16 bits", "idle", {{3, NULL, 65536}}},
    {"number too large for 32 bits", "idle", {{4, NULL, (uint64_t)1 << 32}}},
    {"short peer", "idle", {{MOVED_PEER, "127.0.0.1", 0}}},
    {"unknown flag", "idle", {{20, NULL, CONN_FLAGS_KNOWN + 1}}},
    {"flag of the sender's", "idle", {{20, NULL, CONN_MOVING}}},
    {"polled", "idle", {{20, NULL, CONN_POLLED}}},
    {"staying", "idle", {{20, NULL, CONN_STAYS}}},
    {"arriving", "idle", {{20, NULL, CONN_ARRIVING}}},
    {"head longer than input", "head", {{22, NULL, 5}, {MOVED_IN, "abcd", 0}}},
    {"head without input", "head", {{22, NULL, 5}}},
    {"scanned beyond input", "head", {{23, NULL, 5}, {MOVED_IN, "abcd", 0}}},
    {"scanned beyond what is not head",
     "head",
     {{22, NULL, 2}, {23, NULL, 3}, {MOVED_IN, "abcd", 0}}},
    {"body without head", "body", {{24, NULL, 5}}},
    {"endless extensions", "head", {{27, NULL, CHUNK_EXTRA_MAX + 1}}},
    {"output while idle", "idle", {{MOVED_OUT, "abcd", 0}}},
    {"output while lingering", "linger", {{MOVED_OUT, "abcd", 0}}},
    {"file while idle", "idle", {{MOVED_FILE_FDS, NULL, 1}}},
    {"piece of no file", "send", {{31, NULL, 5}}},
    {"two files", "send", {{MOVED_FILE_FDS, NULL, 2}}},
    {"file number 0", "send", {{MOVED_FILE_FDS, NULL, 0}}},
    {"offset beyond all files", "send", {{30, NULL, (uint64_t)1 << 63}, {MOVED_FILE_FDS, NULL, 1}}},
    {"end beyond all files",
     "send",
     {{30, NULL, INT64_MAX}, {31, NULL, 1}, {MOVED_FILE_FDS, NULL, 1}}},
    {"number twice", "idle", {{4, NULL, 1}, {4, NULL, 1}}},
    {"state twice", "idle", {{MOVED_STATE, "idle", 0}}},
    {"listener twice", "idle", {{MOVED_LISTENER, "127.0.0.1:80", 0}}},
    {"input twice", "head", {{MOVED_IN, "ab", 0}, {MOVED_IN, "ab", 0}}},
};

static void by_hand(struct hand *h, int row)
{
	least(h, refused[row].state);
	for (int k = 0; k < 3; k++) {
		if (refused[row].field[k].text != NULL)
			hand_text(h, refused[row].field[k].tag, refused[row].field[k].text);
		else if (refused[row].field[k].tag != 0 || strstr(refused[row].why, "tag 0"))
			hand_number(h, refused[row].field[k].tag, refused[row].field[k].number);
	}
	hand_seal(h);
}

START_TEST(test_refused)
{
	static struct hand h, good;
	static struct moved_record r;
	size_t off = 0;
	char *both;

	by_hand(&h, _i);
	least(&good, "idle");
	hand_seal(&good);
	both = malloc(h.len + good.len);
	memcpy(both, h.bytes, h.len);
	memcpy(both + h.len, good.bytes, good.len);
	ck_assert_msg(moved_read(both, h.len + good.len, &off, &r) == 0, "%s", refused[_i].why);
	ck_assert_uint_eq(off, h.len);
	ck_assert_int_eq(moved_read(both, h.len + good.len, &off, &r), 1);
	ck_assert_uint_eq(off, h.len + good.len);
	free(both);
}
END_TEST

START_TEST(test_least_and_most)
{
	static struct hand h;
	char request[sizeof(((struct conn_row *)0)->request) + 1];

	memset(request, 'x', sizeof request);
	/* Only readers look at the request: it is cut. */
	for (size_t len = sizeof request - 3; len <= sizeof request; len++) {
		static struct moved_record r;

		least(&h, "idle");
		hand_add(&h, MOVED_REQUEST, request, len);
		hand_seal(&h);
		ck_assert_int_eq(read_copy(h.bytes, h.len, NULL, &r), 1);
		ck_assert_uint_eq(strlen(r.row.request),
				  len < sizeof r.row.request ? len : sizeof r.row.request - 1);
	}
	hand_begin(&h);
	hand_text(&h, MOVED_STATE, "idle");
	ck_assert_int_eq(verdict_of(&h), 0);
	hand_begin(&h);
	hand_text(&h, MOVED_LISTENER, "127.0.0.1:80");
	ck_assert_int_eq(verdict_of(&h), 0);
	hand_begin(&h);
	ck_assert_int_eq(verdict_of(&h), 0);
}
END_TEST

/* A whole record cut anywhere: its own length then lies. With the length set right, only the end of
 * a field is a place to end. */
START_TEST(test_cut)
{
	static struct moved_record r;
	uint32_t i = make(CONN_BODY), len;
	unsigned ends = 0;

	conn_row(&cs, i)->requests = 3;
	write_one(i);
	for (size_t cut = 0; cut < out_len; cut++) {
		int verdict;

		ck_assert_int_eq(read_copy(out, cut, NULL, &r), -1);
		if (cut < 4)
			continue;
		len = (uint32_t)cut;
		memcpy(out, &len, 4);
		verdict = read_copy(out, cut, NULL, &r);
		ck_assert_int_ne(verdict, 1); /* the state or the head is missing */
		ends += verdict == 0;
		len = (uint32_t)out_len;
		memcpy(out, &len, 4);
	}
	ck_assert_uint_ge(ends, 7);
	ck_assert_uint_le(ends, 16);
}
END_TEST

static const uint32_t lengths[] = {0, 1, 2, 3, 0x7fffffff, 0x80000000, 0xfffffffc, 0xffffffff};

/* The record's length, and each field's, lies. */
START_TEST(test_lying)
{
	static struct moved_record r;
	static struct hand h;

	least(&h, "idle");
	hand_add(&h, MOVED_IN, "abcd", 4);
	hand_seal(&h);
	memcpy(h.bytes, &lengths[_i], 4);
	ck_assert_int_eq(read_copy(h.bytes, h.len, NULL, &r), -1);
	ck_assert_int_eq(moved_descriptors(h.bytes, h.len, 0), -1);
	hand_seal(&h);
	memcpy(h.bytes + h.len - 8, &lengths[_i], 4);
	ck_assert_int_eq(read_copy(h.bytes, h.len, NULL, &r), -1);
	memcpy(h.bytes + 6, &lengths[_i], 2);
	ck_assert_int_eq(read_copy(h.bytes, h.len, NULL, &r), -1);
	{
		size_t off = lengths[_i];

		ck_assert(off < h.len || moved_read(h.bytes, h.len, &off, &r) == -1);
		ck_assert(off < h.len || moved_descriptors(h.bytes, h.len, off) == -1);
	}
}
END_TEST

/* Any byte of a good record replaced: whatever the verdict, nothing is read beyond its end, and
 * what is accepted is sane. */
START_TEST(test_flipped)
{
	static struct moved_record r;
	uint32_t i = make(CONN_SEND);
	struct conn *c = conn_at(&cs, i);

	fill_buf(&c->in_buf, 20, 'i');
	c->in_len = 20;
	c->head_len = 10;
	c->file = 0;
	c->file_left = 100;
	write_one(i);
	c->file = OPENFILE_NONE;
	for (size_t at = 0; at < out_len; at++) {
		for (int v = 0; v < 256; v++) {
			char was = out[at];
			size_t off = 0;

			out[at] = (char)v;
			if (read_copy(out, out_len, &off, &r) == 1) {
				ck_assert_uint_le(r.conn.head_len, r.in.len);
				ck_assert_uint_le(r.conn.scanned, r.in.len - r.conn.head_len);
				ck_assert_int_eq(r.state, CONN_SEND);
				ck_assert_int_eq(moved_descriptors(out, out_len, 0),
						 1 + (r.fds & 1) + (r.fds >> 1 & 1));
			}
			out[at] = was;
		}
	}
}
END_TEST

START_TEST(test_no_room)
{
	uint32_t i = make(CONN_BODY);
	size_t whole, len;

	write_one(i);
	whole = out_len;
	for (size_t size = 0; size < whole; size++) {
		len = 0;
		ck_assert_int_eq(moved_write(&cs, i, "127.0.0.1:80", "s", out, size, &len), -1);
		ck_assert_uint_eq(len, 0);
	}
	len = 0;
	ck_assert_int_eq(moved_write(&cs, i, "127.0.0.1:80", "s", out, whole, &len), 0);
	ck_assert_uint_eq(len, whole);
}
END_TEST

/* The largest record there can be fits a message: none blocks those behind it for ever. */
START_TEST(test_largest)
{
	static struct moved_record r;
	uint32_t i = make(CONN_SEND);
	struct conn *c = conn_at(&cs, i);
	char name[sizeof(((struct listener_row *)0)->address)];

	for (int k = 0; k < NUMBERS; k++)
		set(i, k, largest(k));
	memset(name, 'n', sizeof name);
	name[sizeof name - 1] = '\0';
	memset(conn_row(&cs, i)->request, 'r', sizeof conn_row(&cs, i)->request - 1);
	c->in_len = c->out_len = buf_most(&cs.bufs);
	fill_buf(&c->in_buf, c->in_len, 'i');
	fill_buf(&c->out_buf, c->out_len, 'o');
	c->file = 0;
	out_len = sizeof(struct moved_header);
	ck_assert_int_eq(moved_write(&cs, i, name, name, out, sizeof out, &out_len), 0);
	c->file = OPENFILE_NONE;
	out_len -= sizeof(struct moved_header);
	ck_assert_int_eq(read_copy(out + sizeof(struct moved_header), out_len, NULL, &r), 1);
	ck_assert_uint_eq(r.in.len, buf_most(&cs.bufs));
	ck_assert_uint_eq(r.out.len, buf_most(&cs.bufs));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("moved");
	TCase *c = tcase_create("moved");

	tcase_add_checked_fixture(c, set_up, tear_down);
	tcase_add_test(c, test_all_fields);
	tcase_add_loop_test(c, test_one_number, 0, NUMBERS);
	tcase_add_test(c, test_transient);
	tcase_add_loop_test(c, test_states, 0, sizeof portable / sizeof portable[0]);
	tcase_add_test(c, test_portable);
	tcase_add_test(c, test_optional);
	tcase_add_loop_test(c, test_refused, 0, sizeof refused / sizeof refused[0]);
	tcase_add_test(c, test_least_and_most);
	tcase_add_test(c, test_cut);
	tcase_add_loop_test(c, test_lying, 0, sizeof lengths / sizeof lengths[0]);
	tcase_add_test(c, test_flipped);
	tcase_add_test(c, test_no_room);
	tcase_add_test(c, test_largest);
	tcase_set_timeout(c, 60);
	suite_add_tcase(s, c);
	return run_suite(s);
}
