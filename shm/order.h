/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What droverctl and a worker say to each other about a peer. It goes by the sockets of shm/kill.h,
 * whose datagrams begin alike: magic is the kind of request, then come its version and the worker
 * that is meant. Any worker will do, since what is asked for are words that all of them share.
 *
 * A peer is named by the row that it was seen in, and by upstream and address, so that nobody has
 * to search: if the row has another name by now, nothing is done.
 */
#ifndef DROVER_SHM_ORDER_H
#define DROVER_SHM_ORDER_H

#include <stddef.h>
#include <stdint.h>

enum {
	ORDER_MAGIC = 0x6f647276,
	ORDER_VERSION = 1,
	ORDER_WEIGHT_MOST = 1000
};

enum order_kind {
	ORDER_UP = 1, /* as configured, and what failed before is forgiven */
	ORDER_DRAIN,  /* no new requests but those of its sessions */
	ORDER_DOWN,   /* none at all */
	ORDER_WEIGHT,
	ORDER_WEIGHT_DEFAULT, /* as configured */
	ORDER_KINDS
};

struct order_request {
	uint32_t magic, version;
	uint32_t worker;   /* row of the worker that is meant */
	uint32_t kind;     /* enum order_kind */
	uint64_t token;    /* comes back with the answer */
	uint64_t until_us; /* CLOCK_MONOTONIC: later nobody waits for it, and it is not obeyed: a
			      worker that hung must not undo what was asked for since */
	uint32_t row;      /* of the peer */
	uint32_t weight;   /* ORDER_WEIGHT: 0 to ORDER_WEIGHT_MOST; else 0 */
	char upstream[64], address[112];
};

enum order_result {
	ORDER_DONE = 1,
	ORDER_LATE, /* its time had passed */
	ORDER_GONE, /* the row is another peer's, or nobody's */
	ORDER_RESULTS
};

struct order_answer {
	uint32_t magic, version;
	uint32_t worker;
	uint32_t result; /* enum order_result */
	uint64_t token;
};

/* Is what came, of so many bytes, whole and of this version? NULL, or what is wrong with it. */
const char *order_check_request(const struct order_request *q, size_t bytes, uint32_t worker);
const char *order_check_answer(const struct order_answer *a, size_t bytes);

/* "drain", and so on, as it is said and logged; ORDER_WEIGHT_DEFAULT is "weight default". */
const char *order_name(enum order_kind kind);

#endif
