/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a dead worker was doing: see blackbox.h. One pass over the rows that it used; the ten are
 * kept in order as they are found, so nothing is allocated in a process that has just begun to
 * serve.
 */
#include "worker/blackbox.h"

#include <assert.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "shm/ident.h"
#include "worker/errlog.h"
#include "worker/http/logline.h"

static_assert(sizeof(((struct worker_row *)0)->suspect) == BLACKBOX_TEXT, "it goes on the board");

static const struct conn_row *row_at(const struct board *board, uint32_t worker_row, uint32_t i)
{
	const char *first = (const char *)board_conns(board, worker_row);

	return (const struct conn_row *)(const void *)(first + (size_t)i * board->conn_stride);
}

/* "conn=4294967297 from 192.0.2.1:1234 req=... trace=..." */
static void describe(const struct conn_row *conn, char *out, size_t size)
{
	char peer[LOGLINE_ADDR], id[IDENT_ROOM], trace[IDENT_ROOM];

	logline_addr(conn, peer);
	ident_text(conn->id_form, conn->request_high, conn->request_low, id);
	ident_trace(conn->trace_high, conn->trace_low, trace);
	snprintf(out, size, "conn=%llu from %s:%u req=%s trace=%s", (unsigned long long)conn->id,
		 peer, conn->port, id[0] != '\0' ? id : "-", id[0] != '\0' ? trace : "-");
}

static void describe_suspect(const struct board *board, uint32_t worker_row,
			     const struct worker_row *row, char out[BLACKBOX_TEXT])
{
	uint32_t touching = row->touching;
	const struct conn_row *conn;
	char who[200];

	out[0] = '\0';
	if (touching == 0 || touching > board->sizes.conns_per_worker)
		return;
	conn = row_at(board, worker_row, touching - 1);
	describe(conn, who, sizeof who);
	snprintf(out, BLACKBOX_TEXT, "connection row %u: \"%.*s\", %s", touching - 1,
		 (int)sizeof conn->request, conn->request, who);
}

static bool in_flight(const struct conn_row *conn)
{
	return conn->request_us != 0 && conn->state >= CONN_HEAD && conn->state <= CONN_RELAY;
}

/* Insertion from the end of a list that is short. */
static void note(struct blackbox *b, const struct conn_row *conn)
{
	uint32_t at = b->count;

	b->in_flight++;
	while (at > 0 && b->slowest[at - 1].request_us > conn->request_us)
		at--;
	if (at == BLACKBOX_SLOWEST)
		return;
	if (b->count < BLACKBOX_SLOWEST)
		b->count++;
	memmove(&b->slowest[at + 1], &b->slowest[at], (b->count - 1 - at) * sizeof b->slowest[0]);
	b->slowest[at] = *conn;
}

void blackbox_read(struct blackbox *b, const struct board *board, uint32_t worker_row)
{
	const struct worker_row *row = board_worker(board, worker_row);
	uint32_t high = row->conns_high;

	*b = (struct blackbox){.pid = row->pid, .slot = row->slot, .generation = row->generation};
	describe_suspect(board, worker_row, row, b->suspect);
	if (high > board->sizes.conns_per_worker)
		high = board->sizes.conns_per_worker;
	for (uint32_t i = 0; i < high; i++) {
		const struct conn_row *conn = row_at(board, worker_row, i);

		if (in_flight(conn))
			note(b, conn);
	}
}

static double seconds(uint64_t from_us, uint64_t to_us)
{
	return to_us > from_us ? (double)(to_us - from_us) / 1e6 : 0;
}

static void tell_one(const struct blackbox *b, uint32_t k, uint64_t now_us)
{
	const struct conn_row *conn = &b->slowest[k];
	char who[200], left[48] = "no deadline";

	describe(conn, who, sizeof who);
	if (conn->deadline_us != 0)
		snprintf(left, sizeof left, "%.3f s left", seconds(now_us, conn->deadline_us));
	errlog(ERRLOG_WARN,
	       "in flight when process %llu of slot %u died, %u of %u: %s, %s for %.3f s, request "
	       "for %.3f s, %s, \"%.*s\"",
	       (unsigned long long)b->pid, b->slot, k + 1, b->in_flight, who,
	       conn_state_name(conn->state), seconds(conn->since_us, now_us),
	       seconds(conn->request_us, now_us), left, (int)sizeof conn->request, conn->request);
}

void blackbox_tell(const struct blackbox *b, uint64_t now_us)
{
	for (uint32_t k = 0; k < b->count; k++)
		tell_one(b, k, now_us);
}

void blackbox_leave(const struct blackbox *b, struct worker_row *row)
{
	memcpy(row->suspect, b->suspect, sizeof row->suspect);
	__atomic_store_n(&row->dead_pid, b->pid, __ATOMIC_RELEASE);
	__atomic_thread_fence(__ATOMIC_RELEASE);
}

void blackbox_suspect(const struct board *board, uint32_t worker_row, uint64_t pid,
		      char out[BLACKBOX_TEXT])
{
	const struct worker_row *row = board_worker(board, worker_row);

	if (__atomic_load_n(&row->pid, __ATOMIC_ACQUIRE) == pid)
		describe_suspect(board, worker_row, row, out);
	/* The standby may have come in between: then its note is there. */
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	if (__atomic_load_n(&row->pid, __ATOMIC_ACQUIRE) == pid)
		return;
	out[0] = '\0';
	if (__atomic_load_n(&row->dead_pid, __ATOMIC_ACQUIRE) == pid) {
		memcpy(out, row->suspect, BLACKBOX_TEXT);
		out[BLACKBOX_TEXT - 1] = '\0';
	}
}
