/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tests worker/moved.c: proxied exchanges and idle connections to peers as records. Every number of
 * the peer's side comes out as it went in, insane ones are refused, and programs from before they
 * existed refuse them too, with the right number of descriptors.
 */
#include "worker/moved.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "worker/http/response.h"
#include "t/unit/hand.h"
#include "t/unit/rig.h"
#include "t/unit/run.h"

enum {
	CONNS = 8,
	SIZE = 4096
};

static struct location locations[2] = {{.match = ""}, {.match = "/api/"}};
static struct server servers[1] = {
    {.name = "s", .locations = locations, .locations_count = 2, .log = -1}};
static struct listener listeners[1] = {{.address = "127.0.0.1:1"}};
static struct peer peers[1] = {{.address = "127.0.0.1:9000"}};
static struct upstream upstreams[1] = {{.name = "pool", .peers_count = 1, .keepalive_conns = 4}};
static struct settings settings = {.worker_connections = CONNS,
				   .file_cache = 4,
				   .listeners = listeners,
				   .listeners_count = 1,
				   .servers = servers,
				   .servers_count = 1,
				   .upstreams = upstreams,
				   .upstreams_count = 1,
				   .peers = peers,
				   .peers_count = 1};
static struct clock now = {.now_us = 500000000};
static struct board board;
static struct arena arena;
static struct conns cs;
static struct ups us;
static char out[MOVED_MESSAGE];
static size_t out_len;

static void set_up(void)
{
	const struct board_sizes sizes = {1, CONNS, 1, 1, 1, 1};
	const struct conns_env env = {&settings, &now, &board, 0, 1000};

	rig_board(&board, &sizes);
	rig_make(&cs, &us, &arena, &env);
	out_len = 0;
}

static void tear_down(void)
{
	rig_free(&cs, &arena);
	board_unmap(&board);
}

static uint32_t make(enum conn_state state, enum up_state up_state)
{
	const struct up up = {.fd = dup(1),
			      .state = (uint8_t)up_state,
			      .location = 1,
			      .method = HTTP_PUT,
			      .body = HTTP_BODY_CHUNKED};
	uint32_t i = rig_exchange(&cs, dup(1), &up);

	conn_row(&cs, i)->state = (uint8_t)state;
	if (state == CONN_BODY) {
		rig_fill(&cs, &conn_at(&cs, i)->in_buf, &conn_at(&cs, i)->in_len, 40, 'h');
		conn_at(&cs, i)->head_len = 40;
	}
	return i;
}

static void write_one(uint32_t i)
{
	out_len = 0;
	ck_assert_int_eq(moved_write(&cs, i, "127.0.0.1:80", "s", out, sizeof out, &out_len), 0);
}

static int read_one(struct moved_record *r)
{
	static char *copy; /* of its size, so that a sanitizer sees one byte too many */
	size_t at = 0;
	int verdict;

	free(copy);
	copy = malloc(out_len);
	ck_assert_ptr_nonnull(copy);
	memcpy(copy, out, out_len);
	verdict = moved_read(copy, out_len, &at, r);
	ck_assert(verdict < 0 || at == out_len);
	return verdict;
}

static const struct {
	uint16_t tag;
	size_t offset, size;
} numbers[] = {
#define X(tag, m) {tag, offsetof(struct up, m), sizeof(((struct up *)0)->m)},
    MOVED_UP_NUMBERS(X)
#undef X
};

enum {
	NUMBERS = sizeof numbers / sizeof numbers[0]
};

static uint64_t get(const struct up *up, int k)
{
	uint64_t v = 0;

	memcpy(&v, (const char *)up + numbers[k].offset, numbers[k].size);
	return v;
}

/* The largest value that a sane record may have there. */
static uint64_t largest(int k)
{
	if (numbers[k].offset == offsetof(struct up, flags))
		return UP_FLAGS_KNOWN & ~(UP_READY | UP_MOVING | UP_ARRIVING);
	if (numbers[k].offset == offsetof(struct up, scanned))
		return 50;
	if (numbers[k].offset == offsetof(struct up, chunk.extra))
		return CHUNK_EXTRA_MAX;
	if (numbers[k].offset == offsetof(struct up, fcgi.step))
		return FCGI_HEADER + 1;
	if (numbers[k].offset == offsetof(struct up, fcgi.held))
		return 1;
	return numbers[k].size == 8 ? UINT64_MAX : ((uint64_t)1 << 8 * numbers[k].size) - 1;
}

START_TEST(test_all_fields)
{
	uint32_t i = make(CONN_SEND, UP_BODY);
	struct up *up = rig_up(&cs, i);
	static struct moved_record r;

	for (int k = 0; k < NUMBERS; k++) {
		uint64_t v = largest(k);

		memcpy((char *)up + numbers[k].offset, &v, numbers[k].size);
	}
	up->flags |= UP_READY;
	rig_fill(&cs, &up->in_buf, &up->in_len, 100, 'i');
	rig_fill(&cs, &up->out_buf, &up->out_len, 300, 'o');
	up->out_off = 7;
	write_one(i);
	ck_assert_int_eq(moved_descriptors(out, out_len, 0), 2);
	ck_assert_int_eq(moved_descriptors_of(&cs, i), 2);
	ck_assert_int_eq(read_one(&r), 1);
	for (int k = 0; k < NUMBERS; k++)
		ck_assert_msg(get(&r.up, k) == largest(k), "tag %u: %llu, not %llu", numbers[k].tag,
			      (unsigned long long)get(&r.up, k), (unsigned long long)largest(k));
	ck_assert_int_eq(r.up.state, UP_BODY);
	ck_assert_int_eq(r.up.method, HTTP_PUT);
	ck_assert_int_eq(r.up.body, HTTP_BODY_CHUNKED);
	ck_assert_uint_eq(r.fds, MOVED_PEER_FD);
	ck_assert_uint_eq(r.upstream.len, 4);
	ck_assert_mem_eq(r.upstream.p, "pool", 4);
	ck_assert_uint_eq(r.up_peer.len, 14);
	ck_assert_mem_eq(r.up_peer.p, "127.0.0.1:9000", 14);
	ck_assert_uint_eq(r.location.len, 5);
	ck_assert_mem_eq(r.location.p, "/api/", 5);
	ck_assert_uint_eq(r.up_in.len, 100);
	ck_assert_mem_eq(r.up_in.p, buf_data(&cs.bufs, up->in_buf), 100);
	ck_assert_uint_eq(r.up_out.len, 293);
	ck_assert_mem_eq(r.up_out.p, buf_data(&cs.bufs, up->out_buf) + 7, 293);
}
END_TEST

/* Each number alone: no other one moves with it. */
START_TEST(test_one_number)
{
	uint32_t i = make(CONN_SEND, UP_BODY);
	struct up *up = rig_up(&cs, i);
	static struct moved_record r;
	uint64_t v = largest(_i);

	rig_fill(&cs, &up->in_buf, &up->in_len, 100, 'i');
	memcpy((char *)up + numbers[_i].offset, &v, numbers[_i].size);
	write_one(i);
	ck_assert_int_eq(read_one(&r), 1);
	for (int k = 0; k < NUMBERS; k++)
		ck_assert_uint_eq(get(&r.up, k), k == _i ? v : 0);
}
END_TEST

/* Which states go together, and which may move: the same. */
START_TEST(test_states)
{
	static const uint16_t fit[][CONN_STATES_COUNT] = {
	    [UP_CONNECT] = {[CONN_BODY] = 1, [CONN_RESPOND] = 1, [CONN_SEND] = 1},
	    [UP_HEAD] = {[CONN_BODY] = 1, [CONN_RESPOND] = 1, [CONN_SEND] = 1},
	    [UP_BODY] = {[CONN_RESPOND] = 1, [CONN_SEND] = 1},
	    [UP_RELAY] = {[CONN_RELAY] = 1},
	};
	static struct moved_record r;

	for (int s = UP_CONNECT; s <= UP_RELAY; s++) {
		for (int c = CONN_HANDSHAKE; c < CONN_STATES_COUNT; c++) {
			uint32_t i = make((enum conn_state)c, (enum up_state)s);
			bool want = fit[s][c] != 0;

			ck_assert_msg(moved_portable(&cs, i) == want, "%s, %s",
				      conn_state_name((unsigned)c),
				      up_state_name((enum up_state)s));
			write_one(i);
			ck_assert_int_eq(read_one(&r), want);
			if (want) {
				ck_assert_int_eq(r.state, c);
				ck_assert_int_eq(r.up.state, s);
			}
			conn_row(&cs, i)->state = CONN_RESPOND;
			conn_close(&cs, i, CLOSE_MOVED, false);
			ups_bury(&us);
			cs.row->conns_head = cs.row->conns_respond = 1;
			conns_bury(&cs);
		}
	}
	ck_assert_uint_eq(cs.row->up_cancelled, 0);
}
END_TEST

START_TEST(test_idle)
{
	const struct up idle = {.fd = dup(1),
				.state = UP_IDLE,
				.flags = UP_KEEP,
				.requests = 7,
				.opened_us = 1234,
				.deadline_us = 5678};
	uint32_t u = up_adopt(&us, &idle);
	static struct moved_record r;

	ck_assert_int_eq(moved_write_idle(&us, u, out, sizeof out, &out_len), 0);
	ck_assert_int_eq(moved_descriptors(out, out_len, 0), 1);
	ck_assert_int_eq(read_one(&r), 1);
	ck_assert_int_eq(r.state, CONN_FREE);
	ck_assert_int_eq(r.up.state, UP_IDLE);
	ck_assert_uint_eq(r.up.flags, UP_KEEP);
	ck_assert_uint_eq(r.up.requests, 7);
	ck_assert_uint_eq(r.up.opened_us, 1234);
	ck_assert_uint_eq(r.up.deadline_us, 5678);
	ck_assert_mem_eq(r.upstream.p, "pool", 4);
	ck_assert_uint_eq(r.fds, 0);
}
END_TEST

/* Records made by hand: a sound exchange, but for what a row says. */
struct change {
	uint16_t tag;
	const char *text; /* NULL: number */
	uint64_t number;
};

static void add_unless(struct hand *h, const struct change *c, uint16_t tag, const char *text,
		       uint64_t number)
{
	if (c->tag == tag && c->text != NULL && c->text[0] == '\0')
		return;
	if (c->tag == tag) {
		text = c->text;
		number = c->number;
	}
	if (text != NULL)
		hand_text(h, tag, text);
	else
		hand_number(h, tag, number);
}

static int verdict_of(const char *state, const char *up_state, const struct change *c)
{
	static const uint16_t mine[] = {MOVED_STATE,    MOVED_LISTENER, MOVED_UP_STATE,
					MOVED_UPSTREAM, MOVED_UP_PEER,  MOVED_LOCATION,
					MOVED_FILE_FDS};
	static struct hand h;
	static struct moved_record r;
	size_t off = 0;
	bool known = c->tag == 0;

	hand_begin(&h);
	add_unless(&h, c, MOVED_STATE, state, 0);
	add_unless(&h, c, MOVED_LISTENER, "127.0.0.1:80", 0);
	add_unless(&h, c, MOVED_UP_STATE, up_state, 0);
	add_unless(&h, c, MOVED_UPSTREAM, "pool", 0);
	add_unless(&h, c, MOVED_UP_PEER, "127.0.0.1:9000", 0);
	add_unless(&h, c, MOVED_LOCATION, "/api/", 0);
	add_unless(&h, c, MOVED_FILE_FDS, NULL, MOVED_PEER_FD);
	for (size_t k = 0; k < sizeof mine / sizeof mine[0]; k++)
		known |= mine[k] == c->tag;
	if (!known && c->text != NULL)
		hand_text(&h, c->tag, c->text);
	else if (!known)
		hand_number(&h, c->tag, c->number);
	hand_seal(&h);
	return moved_read(h.bytes, h.len, &off, &r);
}

static const struct {
	const char *why, *state, *up_state;
	struct change change;
	int verdict;
} by_hand[] = {
    {"sound", "respond", "head", {0}, 1},
    {"with a file", "send", "body", {MOVED_FILE_FDS, NULL, MOVED_FILE | MOVED_PEER_FD}, 1},
    {"no descriptor", "respond", "head", {MOVED_FILE_FDS, "", 0}, 0},
    {"the file's alone", "respond", "head", {MOVED_FILE_FDS, NULL, MOVED_FILE}, 0},
    {"unknown descriptors", "respond", "head", {MOVED_FILE_FDS, NULL, 4 | MOVED_PEER_FD}, 0},
    {"no upstream", "respond", "head", {MOVED_UPSTREAM, "", 0}, 0},
    {"no peer", "respond", "head", {MOVED_UP_PEER, "", 0}, 0},
    {"no location", "respond", "head", {MOVED_LOCATION, "", 0}, 0},
    {"no state", "respond", "head", {MOVED_UP_STATE, "", 0}, 0},
    {"no listener", "respond", "head", {MOVED_LISTENER, "", 0}, 0},
    {"free", "respond", "free", {0}, 0},
    {"unknown state", "respond", "dancing", {0}, 0},
    {"idle with a client", "respond", "idle", {0}, 0},
    {"relay while waiting", "respond", "relay", {0}, 0},
    {"relay", "relay", "relay", {0}, 1},
    {"idle client", "idle", "head", {0}, 0},
    {"lingering client", "linger", "body", {0}, 0},
    {"client with a head", "head", "head", {0}, 0},
    {"unknown flag", "respond", "head", {128, NULL, 1 << 13}, 0},
    {"moving", "respond", "head", {128, NULL, UP_MOVING}, 0},
    {"arriving", "respond", "head", {128, NULL, UP_ARRIVING}, 0},
    {"ready", "respond", "head", {128, NULL, UP_READY}, 0},
    {"too many flags", "respond", "head", {128, NULL, 1 << 16}, 0},
    {"scanned beyond input", "respond", "head", {134, NULL, 1}, 0},
    {"endless extensions", "respond", "body", {137, NULL, CHUNK_EXTRA_MAX + 1}, 0},
    {"input before the connection", "respond", "connect", {MOVED_UP_IN, "x", 0}, 0},
    {"input", "respond", "head", {MOVED_UP_IN, "x", 0}, 1},
    {"output", "respond", "head", {MOVED_UP_OUT, "x", 0}, 1},
    {"output to the client", "relay", "relay", {MOVED_OUT, "x", 0}, 1},
    {"no such method", "respond", "head", {MOVED_UP_METHOD, "BREW", 0}, 0},
    {"method", "respond", "head", {MOVED_UP_METHOD, "DELETE", 0}, 1},
    {"other method", "respond", "head", {MOVED_UP_METHOD, "other", 0}, 1},
    {"no such body", "respond", "head", {MOVED_UP_BODY, "corpse", 0}, 0},
    {"body", "respond", "head", {MOVED_UP_BODY, "until close", 0}, 1},
    {"unknown number", "respond", "head", {191, NULL, 1}, 0},
    {"unknown text", "respond", "head", {250, "x", 0}, 0},
    {"unknown long", "respond", "head", {MOVED_LONG + 4, "x", 0}, 0},
    {"body without head", "body", "head", {0}, 0},
};

START_TEST(test_by_hand)
{
	ck_assert_msg(verdict_of(by_hand[_i].state, by_hand[_i].up_state, &by_hand[_i].change) ==
			  by_hand[_i].verdict,
		      "%s", by_hand[_i].why);
}
END_TEST

/*
 * What a program makes of a record that was written before there were connections to peers in it:
 * its tags, and its way to count descriptors. Returns whether it takes the record.
 */
static bool old_program(const char *p, size_t len, int *descriptors)
{
	size_t at = 4;
	bool known = true;

	*descriptors = 1;
	while (at < len) {
		uint16_t tag, n;
		uint32_t length;
		uint64_t v = 0;

		memcpy(&tag, p + at, 2);
		memcpy(&n, p + at + 2, 2);
		at += 4;
		length = n;
		if (tag >= MOVED_LONG) {
			memcpy(&length, p + at, 4);
			at += 4;
		}
		if (tag == MOVED_FILE_FDS) {
			memcpy(&v, p + at, sizeof v);
			known &= v == 1;
			++*descriptors;
		}
		known &= (tag >= 1 && tag <= 40) || (tag >= 100 && tag <= 106) ||
			 tag == MOVED_LONG || tag == MOVED_LONG + 1;
		at += length;
	}
	ck_assert_uint_eq(at, len);
	if (*descriptors > 2)
		*descriptors = -1;
	return known;
}

START_TEST(test_old_programs)
{
	const struct up idle = {.fd = dup(1), .state = UP_IDLE, .flags = UP_KEEP};
	int descriptors;
	uint32_t i, u;

	i = make(CONN_RELAY, UP_RELAY);
	write_one(i);
	ck_assert(!old_program(out, out_len, &descriptors));
	ck_assert_int_eq(descriptors, moved_descriptors_of(&cs, i));
	/* With a file it is alone in its message: who counts two closes the third. */
	conn_row(&cs, i)->state = CONN_SEND;
	rig_up(&cs, i)->state = UP_BODY;
	conn_at(&cs, i)->file = 0;
	write_one(i);
	conn_at(&cs, i)->file = OPENFILE_NONE;
	ck_assert(!old_program(out, out_len, &descriptors));
	ck_assert_int_eq(descriptors, 2);
	ck_assert_int_eq(moved_descriptors(out, out_len, 0), 3);
	u = up_adopt(&us, &idle);
	out_len = 0;
	ck_assert_int_eq(moved_write_idle(&us, u, out, sizeof out, &out_len), 0);
	ck_assert(!old_program(out, out_len, &descriptors));
	ck_assert_int_eq(descriptors, 1);
	/* What it knew it still takes. */
	i = make(CONN_SEND, UP_BODY);
	up_close(&us, conn_at(&cs, i)->up - 1);
	conn_at(&cs, i)->file = 0;
	write_one(i);
	conn_at(&cs, i)->file = OPENFILE_NONE;
	ck_assert(old_program(out, out_len, &descriptors));
	ck_assert_int_eq(descriptors, 2);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("moved_up");
	TCase *c = tcase_create("moved_up");

	tcase_add_checked_fixture(c, set_up, tear_down);
	tcase_add_test(c, test_all_fields);
	tcase_add_loop_test(c, test_one_number, 0, NUMBERS);
	tcase_add_test(c, test_states);
	tcase_add_test(c, test_idle);
	tcase_add_loop_test(c, test_by_hand, 0, sizeof by_hand / sizeof by_hand[0]);
	tcase_add_test(c, test_old_programs);
	suite_add_tcase(s, c);
	return run_suite(s);
}
