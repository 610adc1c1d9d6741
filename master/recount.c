/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See recount.h. Called by supervise.c and children.c.
 */
#include "master/recount.h"

#include <inttypes.h>

#include "shm/active.h"
#include "worker/errlog.h"

enum {
	TRIES = 64 /* in a row: a busy peer has a moment of rest between two requests */
};

void recount_ask(struct recount *r)
{
	r->settled = false;
}

static bool recount_peer(const struct board *b, uint32_t i)
{
	const struct peer_row *p = board_peer(b, i);
	int64_t off = 0;

	for (int k = 0; k < TRIES; k++) {
		if (active_recount(b, i, &off) == 0)
			continue;
		if (off != 0)
			errlog(ERRLOG_NOTICE,
			       "peer %s of upstream \"%s\": its requests in hand were off by "
			       "%" PRId64 " after a worker had died, and are counted anew",
			       p->address, p->upstream, off);
		return true;
	}
	return false;
}

void recount_step(struct recount *r, const struct board *b)
{
	bool all = true;

	if (r->settled)
		return;
	for (uint32_t i = 0; i < b->sizes.peers; i++)
		if (board_peer(b, i)->address[0] != '\0')
			all = recount_peer(b, i) && all;
	r->settled = all;
}
