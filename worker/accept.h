/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Accepting: fair batches from each listening socket, the whole table of accept(2)'s errors, and
 * patience when the system has nothing left to give. Sockets shared with other workers are watched
 * with EPOLLEXCLUSIVE, so a connection does not wake the herd.
 */
#ifndef DROVER_WORKER_ACCEPT_H
#define DROVER_WORKER_ACCEPT_H

#include <stdbool.h>
#include <stdint.h>

#include "worker/conn.h"
#include "worker/worker.h"

enum accept_class {
	ACCEPT_NONE,      /* nothing to accept */
	ACCEPT_RETRY,     /* this connection is lost, the next may not be */
	ACCEPT_NO_FDS,    /* EMFILE, ENFILE */
	ACCEPT_NO_MEMORY, /* ENOBUFS, ENOMEM */
	ACCEPT_BROKEN     /* the socket is of no use: a bug or a closed listener */
};

/* What an errno of accept4 means. Pure. */
enum accept_class accept_classify(int error);

/* Patience after so many pauses in a row: 10 ms, doubling, at most 1 s. Pure. */
uint64_t accept_patience_us(unsigned pauses);

struct acceptor {
	struct conns *cs;
	const struct worker_env *env;
	int epoll_fd;
	uint64_t tag;   /* event data of socket k: tag | k */
	int reserve_fd; /* given up to turn a client away properly when there is no other descriptor
			 */
	bool watching;
	bool stopped;       /* for good: draining */
	bool given_up;      /* what the numbers in env lead to is no socket any more */
	unsigned pauses;    /* in a row */
	uint64_t resume_us; /* paused until then; 0 = not paused */
	uint32_t batch;     /* how many to take at a turn: adapts to what was found */
};

/* Returns 0, or -1 with errno. */
int acceptor_init(struct acceptor *a, struct conns *cs, const struct worker_env *env, int epoll_fd,
		  uint64_t tag);

/* The same for a worker that accepts no more. */
void acceptor_init_stopped(struct acceptor *a, struct conns *cs, const struct worker_env *env,
			   int epoll_fd, uint64_t tag);

/* Takes the next connection of listening socket k. Returns its record, or CONN_NONE if there is
 * none now (or accepting has paused, or the socket was given up since it was told of one). */
uint32_t acceptor_take(struct acceptor *a, uint32_t k);

/* How many acceptor_take calls a turn may make for one socket, and what came of them. */
uint32_t acceptor_batch(const struct acceptor *a);
void acceptor_learn(struct acceptor *a, uint32_t taken);

/* At the end of each turn: goes on accepting when patience is over or something came free. */
void acceptor_turn(struct acceptor *a);

/* Microseconds until acceptor_turn has something to do, at most `most`. */
uint64_t acceptor_wait_us(const struct acceptor *a, uint64_t most);

/* No more connections from here on. */
void acceptor_stop(struct acceptor *a);

/*
 * Gives the listening sockets up, once stopped: where no other process has them, the kernel refuses
 * clients instead of having them wait for nobody. The numbers in env stay taken, since the standby
 * goes by them, too.
 */
void acceptor_give_up(struct acceptor *a);
void acceptor_free(struct acceptor *a);

#endif
