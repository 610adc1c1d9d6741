/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where connections to a peer go now: to the address that is configured, or, for a peer with a
 * name, to the one that the prober last found and wrote on the board; until it has found one, to
 * that of the loading of the configuration. Readers of that row never wait: while it is being
 * written, or if its writer died in the middle of it, the settings' address stands in.
 */
#ifndef DROVER_WORKER_ADDRESS_H
#define DROVER_WORKER_ADDRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "shm/board.h"
#include "worker/names.h"
#include "worker/settings.h"

struct address {
	union peer_addr addr;
	socklen_t len; /* 0: there is none */
	uint32_t mark; /* stands for it; 0 for peers without a name */
};

/* The peer's address, or the one to try when that refuses. False: there is none. */
bool address_of(const struct board *b, const struct peer *p, bool other, struct address *out);

/* Is there any? */
static inline bool address_known(const struct board *b, const struct peer *p)
{
	return p->addr_len != 0 ||
	       (p->host != NULL &&
		__atomic_load_n(&board_peer_address(b, p->row)->mark, __ATOMIC_RELAXED) != 0);
}

/* Does the peer still have the address that a connection with this mark was opened to? */
bool address_stands(const struct board *b, const struct peer *p, uint32_t mark);

/* The writing half: for the prober, and for the master while no prober has this row. */
struct address_news {
	struct names_pair pair;
	uint64_t now_us, good_us; /* until when it is good */
	bool changed;
};
void address_write(const struct board *b, const struct peer *p, const struct address_news *n);
/* Another name has this row now. */
void address_clear(const struct board *b, uint32_t row);
/* The pair as it stands there; false: none, or left half written by one that died. */
bool address_read(const struct board *b, uint32_t row, struct names_pair *out);

#endif
