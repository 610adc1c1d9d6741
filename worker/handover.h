/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Handing connections to another worker over a SOCK_SEQPACKET pair. One owner at any time: the
 * sender stops watching a connection, sends record and descriptors, and forgets it only when the
 * receiver has acknowledged it; what is refused, or still unacknowledged when the receiver dies,
 * goes on with the sender. The receiver serves a connection only after its acknowledgement is in
 * the channel, so an unacknowledged one was never touched. A sender that leaves while the receiver
 * lives leaves to it what is in the channel.
 *
 * A connection that a peer is answering takes the one to that peer along. If the receiver's
 * configuration has no such peer or location it is refused. A worker that leaves sends its idle
 * connections to peers as well; one that is refused is closed.
 */
#ifndef DROVER_WORKER_HANDOVER_H
#define DROVER_WORKER_HANDOVER_H

#include <stdbool.h>
#include <stdint.h>

#include "worker/conn.h"
#include "worker/moved.h"

/* In flight at most: connections, and messages, so that their acknowledgements always find room in
 * the channel. */
enum {
	HANDOVER_WINDOW = 512,
	HANDOVER_MESSAGES = 64
};

struct handover_out {
	int fd;         /* owned; -1: none */
	uint32_t limit; /* 0: all that there is; else so many idle ones and relays, and no more */
	uint32_t taken; /* so many were */
	bool stopped;   /* nothing more is sent */
	bool broken;    /* the receiver is gone, or talks nonsense */
	uint32_t next_row; /* where the scan goes on */
	uint32_t most; /* connections in a message: fewer where the channel takes no more bytes */
	uint32_t messages;  /* in flight */
	uint32_t sent;      /* connections sent so far: the number of the next one */
	uint32_t acked;     /* of which so many are decided; sent - acked <= HANDOVER_WINDOW */
	uint64_t rescan_us; /* rows that could not move yet are looked at again then */
	uint64_t pause_us;  /* the system had no room: not before then; 0: there is */
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

/* limit as in struct handover_out: without one the worker leaves; with one it stays, and what is
 * refused goes on with it as before. */
void handover_begin(struct handover_out *o, int fd, uint32_t limit);

/* Has a handover with a limit given what it could, and is all of it acknowledged? */
bool handover_done(const struct handover_out *o, const struct conns *cs);

/* Sends no more. */
void handover_stop(struct handover_out *o);

/* Sends what the window allows. */
enum handover_state handover_send(struct handover_out *o, struct conns *cs,
				  const struct handover_ops *ops);

/* Reads acknowledgements: what was taken is closed here, what was refused is watched again. */
enum handover_state handover_read_acks(struct handover_out *o, struct conns *cs,
				       const struct handover_ops *ops);

/* When handover_send wants to be called again without an event: at most `most` us from now. */
uint64_t handover_wait_us(const struct handover_out *o, uint64_t now_us, uint64_t most);

/* Says that nothing more comes and closes the channel. Connections in flight come back if it is
 * broken; else they are the receiver's. */
void handover_end(struct handover_out *o, struct conns *cs, const struct handover_ops *ops);

/* Makes room in a channel's end for whole messages, as far as the system allows it. */
void handover_channel(int fd);

/*
 * Receives one message from fd. taken[MOVED_BATCH] gets the clients' records opened from it, *count
 * how many; they are acknowledged and to be watched now. Returns 1: a message was read; 0: none is
 * there; -1: the sender is gone or done, or cannot be answered: the channel is to be closed.
 */
int handover_receive(int fd, struct conns *cs, uint32_t taken[MOVED_BATCH], uint32_t *count);

#endif
