/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A worker whose master died listens on a socket in the run directory. The next master connects to
 * it and is told what it must know: who this is, and the listening sockets. The connection is the
 * control channel from then on.
 */
#ifndef DROVER_WORKER_ORPHAN_H
#define DROVER_WORKER_ORPHAN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "worker/worker.h"

enum {
	ORPHAN_VERSION = 1 /* of the two messages below; another one is not spoken to */
};

/* The first message. msg: CONTROL_ORPHAN with ORPHAN_VERSION as flags and the instance as arg_us.
 */
struct orphan_hello {
	struct control_msg msg;
	uint32_t row; /* of the board */
	uint32_t standby;
	uint32_t draining; /* 1 or 0 */
	uint32_t sockets;  /* so many messages follow */
	uint64_t started_us;
	uint64_t until_us;          /* end of the drain; 0: none */
	uint64_t drain_us, hang_us; /* settings */
};

/* Then one for each listening socket, which comes with it. msg: CONTROL_SOCKET. */
struct orphan_socket {
	struct control_msg msg;
	struct sockaddr_storage addr; /* as configured */
	uint32_t addr_len;
	uint32_t reuseport;
	uint32_t backlog;
	uint32_t spare;
};

/* Accepts a master: root, or the user that the last one was. Returns the descriptor, which blocks
 * for a short while at most; or -1: there is none. */
int orphan_accept(int listen_fd, uid_t master);

/* Sends hello and as many sockets as it says: all, or none. Returns 0, or -1 with errno. */
int orphan_introduce(int fd, const struct worker_env *env, const struct orphan_hello *hello);

/* From now on TERM ends an orphan politely, as it ends a master; or is ignored again. */
void orphan_heed_term(bool on);
bool orphan_was_told_to_end(void);

#endif
