/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A worker: everything that it inherits over the fork is one struct, its entry's only argument.
 */
#ifndef DROVER_WORKER_WORKER_H
#define DROVER_WORKER_WORKER_H

#include <stdint.h>
#include <sys/types.h>

#include "shm/board.h"
#include "worker/settings.h"

/* The control channel: a SOCK_SEQPACKET pair between master and worker; each datagram is one of
 * these. Unknown kinds are counted and ignored. */
enum control_kind {
	/* master to worker */
	CONTROL_DRAIN = 1, /* stop accepting, finish; arg_us: CLOCK_MONOTONIC deadline; flags. With
			      a descriptor: the connections move to the worker at its other end */
	CONTROL_LAME_DUCK, /* the health location answers 503 from now on, responses say Connection:
			      close */
	CONTROL_QUIT,      /* leave at once */
	CONTROL_REOPEN,    /* new descriptors for all of settings.logs, in order, by SCM_RIGHTS
			      (several datagrams: arg_us = index of the first), and the error log as
			      the last one */
	CONTROL_GUARD,     /* the standby is gone: clone another one */
	CONTROL_TAKE,      /* connections come by the descriptor that is with this message */
	CONTROL_GIVE,      /* up to arg_us idle connections and relays go by the descriptor that is
			      with it */
	/* worker to master */
	CONTROL_READY = 64, /* accepting from now on */
	CONTROL_REOPENED,
	CONTROL_STANDBY, /* arg_us: process id of the standby that was cloned; it is a child of the
			    master */
	CONTROL_TAKEN, /* the standby speaks: it is the worker now; arg_us: its process id (0: of a
			  program that does not say) */
	CONTROL_ALONE, /* draining, and whoever took the connections is gone: CONTROL_DRAIN again */
	CONTROL_GIVEN, /* arg_us connections were given */
	CONTROL_ORPHAN, /* worker/orphan.h: to a master that takes over from one that died */
	CONTROL_SOCKET  /* the same */
};

enum {
	CONTROL_FINAL = 1
}; /* flag of CONTROL_DRAIN: nobody accepts after this worker: what the accept queues hold is served
    */

struct control_msg {
	uint32_t kind;
	uint32_t flags;
	uint32_t generation; /* of the worker spoken to or speaking */
	uint32_t slot;
	uint64_t arg_us;
};

struct worker_env {
	const struct settings *settings;
	struct board *board;
	uint32_t slot;
	uint32_t generation;
	uint32_t row;          /* of the board: slot * BOARD_HALVES + half */
	int control_fd;        /* this end of the channel, non-blocking */
	int adopt_fd;          /* where a new master connects if this one dies; -1: none */
	int ctl_fd;            /* where droverctl asks to end connections; -1: none */
	uid_t master_uid;      /* who may do either, besides root */
	pid_t master_pid;      /* parent of this process as long as it lives */
	uint64_t instance;     /* number of this start */
	const int *listen_fds; /* sockets to accept from; listen_ids[i] is the settings.listeners
				  index of listen_fds[i] */
	const uint32_t *listen_ids;
	uint32_t listen_count;
	const int *log_fds; /* by index of settings.logs; -1 where it could not be opened (lines are
			       counted as lost) */
	int error_log_fd;
	uint64_t
	    next_conn_id; /* connection ids of this worker begin here: (instance number << 32) */
};

/*
 * The life of a worker, in the child after the fork: privileges are dropped, signals reset, foreign
 * descriptors closed by the caller. Returns the exit status: 0 drained, or told to quit; 1 could
 * not start (said in the error log).
 */
int worker_run(const struct worker_env *env);

#endif
