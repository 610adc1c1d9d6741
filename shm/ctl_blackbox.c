/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a worker is or was doing: see ctl_blackbox.h. Reads whole blocks of rows for their single
 * words, and the two rows that are described once more on their own, so that they agree.
 */
#include "shm/ctl_blackbox.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shm/board.h"
#include "shm/ident.h"
#include "shm/print.h"

enum {
	BLOCK_ROWS = 64
};

static void peer_of(const struct reader_row *row, char *out, size_t size)
{
	const struct board_field *f = reader_field(row->reader, row->table, "peer");
	uint64_t family = reader_row_u64(row, "family");
	char text[INET6_ADDRSTRLEN];
	uint8_t addr[16];

	reader_addr(row->bytes, f, addr);
	if (family == 4)
		inet_ntop(AF_INET, addr + 12, text, sizeof(text));
	else
		inet_ntop(AF_INET6, addr, text, sizeof(text));
	if (family == 4 || family == 6)
		snprintf(out, size, family == 4 ? "%s:%" PRIu64 : "[%s]:%" PRIu64, text,
			 reader_row_u64(row, "port"));
	else
		snprintf(out, size, "unix");
}

/* "connection 17 from 192.0.2.1:1234 in state send, request ID for 3.2 s: GET /x" */
static void describe(struct reader *r, const struct view_worker *w, const struct board_table *t,
		     uint32_t i, uint64_t now_us, char out[CTL_DOING_TEXT])
{
	struct reader_row row = {0};
	char peer[64], id[IDENT_ROOM], request[128], age[PRINT_SHORT] = "-";
	uint64_t began;

	out[0] = '\0';
	if (reader_copy(r, t, view_group_first(w, t) + i, &row) < 0 || row.status == READER_LOST) {
		reader_row_free(&row);
		return;
	}
	began = reader_row_u64(&row, "request_us");
	peer_of(&row, peer, sizeof(peer));
	ident_text((unsigned)reader_row_u64(&row, "id_form"), reader_row_u64(&row, "request_high"),
		   reader_row_u64(&row, "request_low"), id);
	reader_row_text(&row, "request", request, sizeof(request));
	if (began != 0)
		print_duration(now_us > began ? now_us - began : 0, age);
	snprintf(out, CTL_DOING_TEXT,
		 "connection %" PRIu64 " from %s in state %s, request %s for %s: %s",
		 reader_row_u64(&row, "id"), peer, reader_row_enum(&row, "state"),
		 id[0] != '\0' ? id : "-", age, request);
	reader_row_free(&row);
}

/* Index of the row whose request began first, or UINT32_MAX; counts those under way. */
static uint32_t find_slowest(struct ctl_doing *d, struct reader *r, const struct view_worker *w,
			     const struct board_table *t, char *block)
{
	const struct board_field *state = reader_field(r, t, "state");
	const struct board_field *began = reader_field(r, t, "request_us");
	uint32_t used = view_conns_used(w, t), found = UINT32_MAX, n;

	for (uint32_t i = 0; i < used; i += n) {
		n = used - i < BLOCK_ROWS ? used - i : BLOCK_ROWS;
		reader_block(r, t, view_group_first(w, t) + i, n, block);
		for (uint32_t k = 0; k < n; k++) {
			const char *row = block + (size_t)k * t->stride;
			uint64_t us = reader_u64(row, began);

			/* A free row keeps the words of its last connection. */
			if (us == 0 ||
			    strcmp(reader_enum_text(r, "conn_state", reader_u64(row, state)),
				   "free") == 0)
				continue;
			d->in_flight++;
			if (d->slowest_us != 0 && us >= d->slowest_us)
				continue;
			d->slowest_us = us;
			found = i + k;
		}
	}
	return found;
}

void ctl_doing_read(struct ctl_doing *d, struct reader *r, const struct view_worker *w)
{
	const struct board_table *t = reader_table(r, "conn");
	uint64_t now_us = view_lives(w) ? reader_now_us(r) : w->heard_us;
	uint64_t touching = reader_row_u64(&w->row, "touching");
	uint32_t used = view_conns_used(w, t), slowest;
	char *block;

	memset(d, 0, sizeof(*d));
	if (used == 0 || (block = malloc((size_t)BLOCK_ROWS * t->stride)) == NULL)
		return;
	slowest = find_slowest(d, r, w, t, block);
	free(block);
	if (touching > 0 && touching <= used)
		describe(r, w, t, (uint32_t)touching - 1, now_us, d->touching);
	if (slowest != UINT32_MAX)
		describe(r, w, t, slowest, now_us, d->slowest);
}
