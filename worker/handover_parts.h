/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the files behind handover.h share: handover_send.c puts messages into the channel,
 * handover_acks.c learns what became of them; at the other end handover_receive.c reads and answers
 * them, handover_adopt.c makes connections of this worker out of what they hold.
 */
#ifndef DROVER_WORKER_HANDOVER_PARTS_H
#define DROVER_WORKER_HANDOVER_PARTS_H

#include <errno.h>

#include "worker/fdpass.h"
#include "worker/handover.h"

/* In a list of what is on its way: an idle connection to a peer, not a client's. */
#define HANDOVER_IDLE_UP ((uint32_t)1 << 31)

static inline bool handover_is_idle_up(uint32_t i)
{
	return (i & HANDOVER_IDLE_UP) != 0;
}

static inline uint32_t handover_idle_up(uint32_t i)
{
	return i & ~HANDOVER_IDLE_UP;
}

/* The process at the other end is. */
static inline bool handover_is_gone(int error)
{
	return error == EPIPE || error == ECONNRESET || error == ECONNREFUSED || error == ENOTCONN;
}

/* A peer that ended with unread messages is reported before what it has sent: that comes next. */
static inline bool handover_again(ssize_t n)
{
	return n < 0 && (errno == EINTR || errno == ECONNRESET);
}

/* It is the other worker's. */
void handover_leaves(struct conns *cs, uint32_t i);

/* The receiver, or the system, will not have it. In a worker that leaves it ends there, in the
 * polite way. */
void handover_refused(const struct handover_out *o, struct conns *cs, uint32_t i);

/*
 * Opens what the record holds, as a connection that is arriving, from its descriptors, which are
 * taken in any case. Returns its number, marked if it is an idle one to a peer, or CONN_NONE: this
 * worker cannot have it.
 */
uint32_t handover_adopt(struct conns *cs, struct moved_record *r, const int *fds);

#endif
