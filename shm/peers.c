/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How a peer is: see peers.h.
 */
#include "shm/peers.h"

#include <stddef.h>

enum peers_state peers_state(const struct reader_row *row, uint64_t now_us, uint64_t *left_us)
{
	uint64_t until = reader_row_u64(row, "failed_until_us");
	uint64_t left = until > now_us ? until - now_us : 0;

	if (left_us != NULL)
		*left_us = left;
	if (reader_row_u64(row, "used") == 0)
		return PEERS_UNUSED;
	if (reader_row_u64(row, "down") != 0)
		return PEERS_DOWN;
	if (reader_row_u64(row, "resolved") == 0)
		return PEERS_UNRESOLVED;
	if (left != 0)
		return PEERS_FAILED;
	return reader_row_u64(row, "fails") != 0 ? PEERS_FAILING : PEERS_WELL;
}

const char *peers_state_name(enum peers_state state)
{
	static const char *const names[] = {"unused", "down",    "unresolved",
					    "failed", "failing", "well"};

	return names[state];
}

bool peers_state_is_up(enum peers_state state)
{
	return state == PEERS_FAILING || state == PEERS_WELL;
}
