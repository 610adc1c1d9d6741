/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Handing connections to another worker over a SOCK_SEQPACKET pair. One owner at any time: the
 * sender stops watching a connection, sends record and descriptors, and forgets it only when the
 * receiver has acknowledged it; what is refused, or still unacknowledged when the receiver dies,
 * goes on with the sender. The receiver serves a connection only after its acknowledgement is in
 * the channel, so an unacknowledged one was never touched.
 */
#ifndef DROVER_WORKER_HANDOVER_H
#define DROVER_WORKER_HANDOVER_H

#include <stdbool.h>
#include <stdint.h>

#include "worker/conn.h"
#include "worker/moved.h"

enum {
	HANDOVER_WINDOW = 512
};

struct handover_out {
	int fd;             /* owned; -1: none */
	uint32_t next_row;  /* where the scan goes on */
	uint32_t sent;      /* connections sent so far: the number of the next one */
	uint32_t acked;     /* of which so many are decided; sent - acked <= HANDOVER_WINDOW */
	uint64_t rescan_us; /* rows that could not move yet are looked at again then */
	uint32_t window[HANDOVER_WINDOW]; /* rows in flight, by number modulo */
};

enum handover_state {
	HANDOVER_GOES_ON,
	HANDOVER_WAITS, /* for acknowledgements, room in the channel, or connections that cannot
			   move yet */
	HANDOVER_BROKEN /* the receiver is gone: what was in flight is ours again */
};

/* How the owner of the event loop stops and starts watching a connection. */
struct handover_ops {
	void (*unwatch)(void *arg, uint32_t i);
	void (*watch)(void *arg, uint32_t i);
	void *arg;
};

void handover_begin(struct handover_out *o, int fd);

/* Sends what the window allows. */
enum handover_state handover_send(struct handover_out *o, struct conns *cs,
				  const struct handover_ops *ops);

/* Reads acknowledgements: what was taken is closed here, what was refused is watched again. */
enum handover_state handover_read_acks(struct handover_out *o, struct conns *cs,
				       const struct handover_ops *ops);

/* Says that nothing more comes and closes the channel; connections in flight come back. */
void handover_end(struct handover_out *o, struct conns *cs, const struct handover_ops *ops);

/*
 * Receives one message from fd. taken[MOVED_BATCH] gets the records opened from it, *count how
 * many; they are acknowledged and to be watched now. Returns 1: a message was read; 0: none is
 * there; -1: the sender is gone or done.
 */
int handover_receive(int fd, struct conns *cs, uint32_t taken[MOVED_BATCH], uint32_t *count);

#endif
