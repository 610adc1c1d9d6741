/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What droverctl and a worker say to each other to end connections. Each worker has a datagram
 * socket in the run directory, which root and the daemon's own user may write to: a request is one
 * datagram, its answer another, to the address that it came from. Numbers are in the machine's
 * order; both ends are on it.
 *
 * A connection is named by its id, which is never used again, and by the row that it was seen in,
 * so that nobody has to search: if another id, or none, is in that row, nothing is done.
 */
#ifndef DROVER_SHM_KILL_H
#define DROVER_SHM_KILL_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

enum {
	KILL_MAGIC = 0x6b647276,
	KILL_VERSION = 1,
	KILL_BATCH = 256, /* connections in one request */
	KILL_ANY_STATE = 0
};

struct kill_item {
	uint64_t id;
	uint32_t row;   /* counted from the worker's first */
	uint32_t state; /* enum conn_state that it must be in still, or KILL_ANY_STATE */
};

struct kill_request {
	uint32_t magic, version;
	uint32_t worker; /* row of the worker that is meant */
	uint32_t count;  /* of items: 1 to KILL_BATCH, and the datagram ends behind them */
	uint64_t token;  /* comes back with the answer */
	struct kill_item item[KILL_BATCH];
};

/* What became of an item. */
enum kill_result {
	KILL_ENDED = 1,
	KILL_GONE,    /* not in this row of this worker (any more) */
	KILL_MOVING,  /* on its way to or from another worker: ask again */
	KILL_CHANGED, /* not in the state that was asked for */
	KILL_RESULTS
};

struct kill_answer {
	uint32_t magic, version;
	uint32_t worker;
	uint32_t count; /* as in the request */
	uint64_t token;
	uint32_t ended; /* so many of the results are KILL_ENDED */
	uint32_t spare;
	uint8_t result[KILL_BATCH]; /* enum kill_result, in the order of the request */
};

/* Bytes of a request or answer of so many items. */
size_t kill_request_bytes(uint32_t count);
size_t kill_answer_bytes(uint32_t count);

/* Is what came, of so many bytes, whole and of this version? NULL, or what is wrong with it. */
const char *kill_check_request(const struct kill_request *q, size_t bytes, uint32_t worker);
const char *kill_check_answer(const struct kill_answer *a, size_t bytes);

/* Name of the socket in the run directory: slot and half of the worker's row. */
void kill_socket_name(char out[48], uint32_t slot, uint32_t half);

/* Its address by way of the directory's descriptor, whose name may be longer than an address takes.
 */
socklen_t kill_address(struct sockaddr_un *un, int rundir_fd, uint32_t slot, uint32_t half);

#endif
