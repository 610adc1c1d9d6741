/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How a peer is, as its row on the board tells: one answer for all readers (droverctl upstreams,
 * top, doctor, status and the metrics).
 */
#ifndef DROVER_SHM_PEERS_H
#define DROVER_SHM_PEERS_H

#include <stdbool.h>
#include <stdint.h>

#include "shm/reader.h"

/* What keeps it from being used, the strongest reason first. */
enum peers_state {
	PEERS_UNUSED, /* the configuration does not name it any more */
	PEERS_DOWN,
	PEERS_DOWN_OPERATOR, /* droverctl peer ... down */
	PEERS_UNRESOLVED,
	PEERS_DOWN_CHECK,
	PEERS_EJECTED, /* left alone for its failures, for a while */
	PEERS_DRAINED, /* droverctl peer ... drain, or a weight of 0 */
	PEERS_WARNED,  /* it failed last time, and is still used */
	PEERS_UP
};

/* left_us (NULL: not wanted): how long an ejected one is still left alone, else 0. */
enum peers_state peers_state(struct reader *r, const struct reader_row *row, uint64_t now_us,
			     uint64_t *left_us);
const char *peers_state_name(enum peers_state state);

/* Its weight: as configured, or as droverctl peer told. */
uint64_t peers_weight(const struct reader_row *row);

const char *peers_state_name(enum peers_state state);

/* Requests may go to it. */
bool peers_state_is_up(enum peers_state state);

/* Somebody meant it not to be used: that is no trouble. */
bool peers_state_is_meant(enum peers_state state);

#endif
