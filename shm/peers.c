/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How a peer is: see peers.h.
 */
#include "shm/peers.h"

#include <stddef.h>
#include <string.h>

/* What the checks say, as long as it counts. */
static const char *check_of(const struct reader_row *row, uint64_t now_us)
{
	return reader_row_u64(row, "check_on") != 0 &&
		       reader_row_u64(row, "check_until_us") > now_us
		   ? reader_row_enum(row, "check_state")
		   : "unknown";
}

static bool is(const char *word, const char *other)
{
	return strcmp(word, other) == 0;
}

/* Has its name been looked up, by the master or later on by the prober? */
static bool is_resolved(struct reader *r, const struct reader_row *peer)
{
	const struct board_table *t = reader_table(r, "peer_address");
	struct reader_row row = {.bytes = NULL};
	char text[64] = "";

	if (reader_row_u64(peer, "resolved") != 0)
		return true;
	if (t == NULL || reader_row_u64(peer, "named") == 0)
		return false;
	if (reader_copy(r, t, peer->index, &row) >= 0 && row.status == READER_OK)
		reader_row_text(&row, "text", text, sizeof(text));
	reader_row_free(&row);
	return text[0] != '\0';
}

enum peers_state peers_state(struct reader *r, const struct reader_row *row, uint64_t now_us,
			     uint64_t *left_us)
{
	const char *told = reader_row_enum(row, "told"), *check = check_of(row, now_us);
	uint64_t until = reader_row_u64(row, "failed_until_us");
	uint64_t left = until > now_us ? until - now_us : 0;

	if (left_us != NULL)
		*left_us = left;
	if (reader_row_u64(row, "used") == 0)
		return PEERS_UNUSED;
	if (reader_row_u64(row, "down") != 0)
		return PEERS_DOWN;
	if (is(told, "down"))
		return PEERS_DOWN_OPERATOR;
	if (!is_resolved(r, row))
		return PEERS_UNRESOLVED;
	if (is(check, "down"))
		return PEERS_DOWN_CHECK;
	if (left != 0)
		return PEERS_EJECTED;
	if (is(told, "drain") || peers_weight(row) == 0)
		return PEERS_DRAINED;
	return reader_row_u64(row, "fails") != 0 || is(check, "warned") ? PEERS_WARNED : PEERS_UP;
}

uint64_t peers_weight(const struct reader_row *row)
{
	uint64_t told = reader_row_u64(row, "told_weight");

	return told != 0 ? told - 1 : reader_row_u64(row, "weight");
}

const char *peers_state_name(enum peers_state state)
{
	static const char *const names[] = {"unused",     "down",         "down (operator)",
					    "unresolved", "down (check)", "ejected",
					    "drained",    "warned",       "up"};

	return names[state];
}

bool peers_state_is_up(enum peers_state state)
{
	return state == PEERS_WARNED || state == PEERS_UP;
}

bool peers_state_is_meant(enum peers_state state)
{
	return state == PEERS_UNUSED || state == PEERS_DOWN || state == PEERS_DOWN_OPERATOR ||
	       state == PEERS_DRAINED;
}
