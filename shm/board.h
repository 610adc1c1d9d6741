/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The board: the daemon's control plane, a file in the run directory that master and workers map
 * shared and that anybody with leave to read the file can read at any time, also when its writers
 * hang or are dead.
 *
 * Layout: a header, then three descriptions (tables, fields, enum texts) and the rows of each
 * table. Rows have a fixed stride (a multiple of 64 bytes). Readers go by the descriptions alone
 * (shm/reader.h), writers by the structs below: both grow from shm/fields.h.
 *
 * Writers: one per word, but for the words of upstream and peer rows that fields.h calls shared:
 * those are changed by single atomic operations and belong to no sequence count. A row of several
 * words that must agree is written between board_write_begin() and board_write_end() on its seq;
 * counters are single words and need neither. `ready` is published last (release) and read first
 * (acquire).
 */
#ifndef DROVER_SHM_BOARD_H
#define DROVER_SHM_BOARD_H

#include <stdalign.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shm/fields.h"
#include "shm/hist.h"

#define BOARD_MAGIC "DROVERB"
#define BOARD_FILE  "drover.board"

enum {
	BOARD_LAYOUT = 1
};

enum board_kind {
	BOARD_COUNTER = 1,
	BOARD_GAUGE,
	BOARD_TIME,
	BOARD_ENUM,
	BOARD_TEXT,
	BOARD_ADDR,
	BOARD_HIST,
	BOARD_ID
};

enum board_level {
	BOARD_BRIEF = 1,
	BOARD_FULL,
	BOARD_DEBUG
};

struct board_header {
	char magic[8];
	uint32_t layout;       /* BOARD_LAYOUT; a reader refuses a higher one */
	uint32_t header_bytes; /* sizeof(struct board_header): later layouts only append */
	uint32_t ready;        /* 1 once all else is written; 0 again while it is torn down */
	uint32_t tables;
	uint32_t fields;
	uint32_t enums;
	uint32_t table_stride;
	uint32_t field_stride;
	uint32_t enum_stride;
	uint32_t spare;
	uint64_t tables_off;
	uint64_t fields_off;
	uint64_t enums_off;
	uint64_t file_bytes;
	uint64_t created_us;      /* CLOCK_MONOTONIC */
	uint64_t created_real_us; /* CLOCK_REALTIME at the same moment */
	char boot_id[40];         /* of the kernel: monotonic times compare within one boot only */
};

struct board_table {
	char name[24];
	uint64_t offset;      /* of row 0, from the start of the file */
	uint32_t stride;      /* bytes from row to row */
	uint32_t rows;        /* room; unused rows may never have been touched */
	uint32_t first_field; /* its fields are fields[first_field .. first_field + fields) */
	uint32_t fields;
	uint32_t group_rows; /* 0, or: rows [g * group_rows ..) belong to worker row g */
	uint32_t spare;
	char help[96];
};

struct board_field {
	char name[40];
	char unit[16];   /* ENUM: name of the enum */
	uint8_t kind;    /* enum board_kind */
	uint8_t level;   /* enum board_level */
	uint16_t elem;   /* bytes of one element: 1, 2, 4, 8 */
	uint32_t count;  /* elements: 1, or the length of TEXT, ADDR, HIST */
	uint32_t offset; /* in the row */
	char help[140];
	char advice[200];
};

struct board_enum {
	char name[16];
	char text[28];
	uint32_t value;
};

#define BOARD_DIM(type, name, dim)                                     type name dim;
#define BOARD_MEMBER(kind, type, name, dim, unit, level, help, advice) BOARD_DIM(type, name, dim)

struct master_row {
	MASTER_FIELDS(BOARD_MEMBER)
};
struct worker_row {
	WORKER_FIELDS(BOARD_MEMBER)
};
struct listener_row {
	LISTENER_FIELDS(BOARD_MEMBER)
};
struct listener_traffic_row {
	LISTENER_TRAFFIC_FIELDS(BOARD_MEMBER)
};
struct server_row {
	SERVER_FIELDS(BOARD_MEMBER)
};
struct server_traffic_row {
	SERVER_TRAFFIC_FIELDS(BOARD_MEMBER)
};
struct upstream_row {
	UPSTREAM_FIELDS(BOARD_MEMBER)
};
struct upstream_traffic_row {
	UPSTREAM_TRAFFIC_FIELDS(BOARD_MEMBER)
};
struct peer_row {
	PEER_FIELDS(BOARD_MEMBER)
};
struct peer_address_row {
	PEER_ADDRESS_FIELDS(BOARD_MEMBER)
};
struct peer_traffic_row {
	PEER_TRAFFIC_FIELDS(BOARD_MEMBER)
};
struct conn_row {
	CONN_FIELDS(BOARD_MEMBER)
};
#ifdef DROVER_LAYOUT_TEST
struct later_row {
	LATER_FIELDS(BOARD_MEMBER)
};
#endif

/* Tables of the board, in this order. X(name, field table, grouped by worker row, help) */
#define BOARD_TABLES(X)                                                          \
	X(master, MASTER_FIELDS, 0, "The master: one row")                       \
	X(worker, WORKER_FIELDS, 0,                                              \
	  "Workers: two rows for each slot, for the overlap of two generations") \
	LAYOUT_TEST_TABLE(X)                                                     \
	X(listener, LISTENER_FIELDS, 0, "Listening addresses")                   \
	X(server, SERVER_FIELDS, 0, "Server sections")                           \
	X(listener_traffic, LISTENER_TRAFFIC_FIELDS, 1,                          \
	  "What came in by each listener, for each worker row")                  \
	X(server_traffic, SERVER_TRAFFIC_FIELDS, 1,                              \
	  "What each server section did, for each worker row")                   \
	X(upstream, UPSTREAM_FIELDS, 0, "Upstreams: pools of peers")             \
	X(upstream_traffic, UPSTREAM_TRAFFIC_FIELDS, 1,                          \
	  "What waited for the peers of each upstream, for each worker row")     \
	X(peer, PEER_FIELDS, 0, "Peers of upstreams")                            \
	X(peer_address, PEER_ADDRESS_FIELDS, 0,                                  \
	  "Addresses of peers that have names, row by row beside them")          \
	X(peer_traffic, PEER_TRAFFIC_FIELDS, 1,                                  \
	  "What went to and came from each peer, for each worker row")           \
	X(conn, CONN_FIELDS, 1, "Connections, for each worker row")

/* Room to make; all but upstreams and peers at least 1. Pages are only used once a row is written.
 */
struct board_sizes {
	uint32_t slots;
	uint32_t conns_per_worker; /* connection rows of each worker row */
	uint32_t listeners;
	uint32_t servers;
	uint32_t upstreams;
	uint32_t peers;
};

enum {
	BOARD_HALVES = 2
}; /* worker rows of a slot: row = slot * BOARD_HALVES + half */

/* A mapped board, for its writers. */
struct board {
	void *base;
	size_t bytes;
	struct board_sizes sizes;
	struct master_row *master;
	char *worker, *listener, *server, *listener_traffic, *server_traffic, *upstream, *peer,
	    *peer_address, *peer_traffic, *conn, *upstream_traffic;
	uint32_t worker_stride, listener_stride, server_stride, listener_traffic_stride,
	    server_traffic_stride, upstream_stride, peer_stride, peer_address_stride,
	    peer_traffic_stride, conn_stride, upstream_traffic_stride;
};

/*
 * Makes the board at path (mode 0640), replacing nothing: an old file there is renamed to
 * <path>.prev first. Maps it shared. Shortage of disk or memory shows here for all but the rows
 * that belong to one worker each, which are sparse: see shm/backing.h. Returns 0, or -1 with errno.
 */
int board_create(struct board *b, const char *path, const struct board_sizes *sizes);

/*
 * The same in two steps, for whoever wants readers to see it only once it is in force: board_make()
 * writes <path>.new, board_place() puts it in its place.
 */
int board_make(struct board *b, const char *path, const struct board_sizes *sizes);
int board_place(const char *path);

/* The file of a mapped board, if it is still at path. Returns its descriptor, or -1 with errno. */
int board_file(const struct board *b, const char *path);

/*
 * Maps the board in fd, which another process made, if its layout is that of this program to the
 * byte. Returns 0; 1: it is a board of another layout; -1 with errno.
 */
int board_open(struct board *b, int fd);

/*
 * The same as a zeroed image in memory, for whoever wants the descriptions without a daemon.
 * Returns malloc'ed memory, or NULL with errno.
 */
void *board_image(const struct board_sizes *sizes, size_t *bytes_out);

void board_unmap(struct board *b);

struct worker_row *board_worker(const struct board *b, uint32_t row);
struct listener_row *board_listener(const struct board *b, uint32_t i);
struct server_row *board_server(const struct board *b, uint32_t i);
struct listener_traffic_row *board_listener_traffic(const struct board *b, uint32_t worker_row,
						    uint32_t i);
struct server_traffic_row *board_server_traffic(const struct board *b, uint32_t worker_row,
						uint32_t i);
struct upstream_row *board_upstream(const struct board *b, uint32_t i);
struct upstream_traffic_row *board_upstream_traffic(const struct board *b, uint32_t worker_row,
						    uint32_t i);
struct peer_row *board_peer(const struct board *b, uint32_t i);
struct peer_address_row *board_peer_address(const struct board *b, uint32_t i);
struct peer_traffic_row *board_peer_traffic(const struct board *b, uint32_t worker_row, uint32_t i);
/*
 * Takes off what a worker that died had in hand: from `active` of all peers, what its row of
 * peer_traffic says. Its gauges there become 0. To be called once, by whoever owns the row now.
 */
void board_bury_peers(const struct board *b, uint32_t worker_row);
/* First connection row of a worker row; the others follow at board.conn_stride bytes. */
struct conn_row *board_conns(const struct board *b, uint32_t worker_row);

/* Counters and gauges: relaxed stores by the one writer. */
static inline void board_add(uint64_t *word, uint64_t n)
{
	__atomic_store_n(word, *word + n, __ATOMIC_RELAXED);
}

static inline void board_set(uint64_t *word, uint64_t n)
{
	__atomic_store_n(word, n, __ATOMIC_RELAXED);
}

/*
 * Shared words have several writers, each of which does one atomic operation and orders nothing by
 * it. board_shared_add() returns the word as it was before; n may be negative, two's complement.
 */
static inline uint64_t board_shared_add(uint64_t *word, uint64_t n)
{
	return __atomic_fetch_add(word, n, __ATOMIC_RELAXED);
}

static inline uint64_t board_shared_get(const uint64_t *word)
{
	return __atomic_load_n(word, __ATOMIC_RELAXED);
}

/* From a value that it must still have; false: another writer was faster, *from is its value. */
static inline bool board_shared_swap(uint64_t *word, uint64_t *from, uint64_t to)
{
	return __atomic_compare_exchange_n(word, from, to, false, __ATOMIC_RELAXED,
					   __ATOMIC_RELAXED);
}

/* Returns what it was. */
static inline uint64_t board_shared_set(uint64_t *word, uint64_t n)
{
	return __atomic_exchange_n(word, n, __ATOMIC_RELAXED);
}

/*
 * A sequence count goes odd before the first and even after the last word of an update. One that a
 * writer left odd when it died goes to the next odd number: by a mere plus one its successor would
 * write at even counts for ever.
 */
static inline void board_write_begin(uint32_t *seq)
{
	__atomic_store_n(seq, (*seq + 1) | 1, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_RELEASE);
}

static inline void board_write_end(uint32_t *seq)
{
	__atomic_store_n(seq, *seq + 1, __ATOMIC_RELEASE);
}

const char *conn_state_name(unsigned state);
const char *worker_state_name(unsigned state);
const char *check_reason_name(unsigned reason);

enum conn_state {
#define X(sym, text) CONN_##sym,
	CONN_STATES(X)
#undef X
	CONN_STATES_COUNT
};

enum worker_state {
#define X(sym, text) WORKER_##sym,
	WORKER_STATES(X)
#undef X
	WORKER_STATES_COUNT
};

enum master_state {
#define X(sym, text) MASTER_##sym,
	MASTER_STATES(X)
#undef X
	MASTER_STATES_COUNT
};

enum check_state {
#define X(sym, text) CHECK_##sym,
	CHECK_STATES(X)
#undef X
};

enum check_reason {
#define X(sym, text) CHECK_FAILED_##sym,
	CHECK_REASONS(X)
#undef X
};

enum peer_order {
#define X(sym, text) PEER_TOLD_##sym,
	PEER_ORDERS(X)
#undef X
};

enum result {
#define X(sym, text) RESULT_##sym,
	RESULTS(X)
#undef X
	RESULTS_COUNT
};

enum close_reason {
	CLOSE_REASONS(NAMED_SYMBOL, CLOSE_) CLOSE_REASONS_COUNT
};
enum deadline {
	DEADLINES(NAMED_SYMBOL, DEADLINE_) DEADLINES_COUNT
};

#endif
