/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Pages of the board: see backing.h. Called by workers, by board.c for who buries them, and by
 * reader.c for a board in memory.
 */
#include "shm/backing.h"

#include <errno.h>
#include <sys/mman.h>

#include "shm/arena.h"

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ  22
#define MADV_POPULATE_WRITE 23
#endif

static int populate(const void *from, size_t bytes, int how)
{
	uintptr_t page = arena_page(), first = (uintptr_t)from / page * page;

	if (bytes == 0 ||
	    madvise((void *)first, arena_room((uintptr_t)from + bytes - first), how) == 0 ||
	    errno == EINVAL)
		return 0;
	/* What would have been a signal. */
	if (errno == EFAULT)
		errno = ENOSPC;
	return -1;
}

int backing_write(const void *from, size_t bytes)
{
	return populate(from, bytes, MADV_POPULATE_WRITE);
}

int backing_read(const void *from, size_t bytes)
{
	return populate(from, bytes, MADV_POPULATE_READ);
}

int backing_conns(const struct board *b, uint32_t worker_row, uint32_t first, uint32_t count)
{
	const char *rows = (const char *)board_conns(b, worker_row);

	return backing_write(rows + (size_t)first * b->conn_stride, (size_t)count * b->conn_stride);
}

int backing_traffic(const struct board *b, uint32_t worker_row, const struct board_sizes *rows)
{
	if (rows->listeners != 0 &&
	    backing_write(board_listener_traffic(b, worker_row, 0),
			  (size_t)rows->listeners * b->listener_traffic_stride) != 0)
		return -1;
	if (rows->servers != 0 &&
	    backing_write(board_server_traffic(b, worker_row, 0),
			  (size_t)rows->servers * b->server_traffic_stride) != 0)
		return -1;
	if (rows->upstreams != 0 &&
	    backing_write(board_upstream_traffic(b, worker_row, 0),
			  (size_t)rows->upstreams * b->upstream_traffic_stride) != 0)
		return -1;
	if (rows->peers != 0 && backing_write(board_peer_traffic(b, worker_row, 0),
					      (size_t)rows->peers * b->peer_traffic_stride) != 0)
		return -1;
	return 0;
}
