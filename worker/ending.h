/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The worker's end of droverctl kill (shm/kill.h) and of droverctl peer (shm/order.h): takes
 * requests off the worker's own socket and answers them, one a turn, without ever waiting. Who may
 * ask is what the kernel says of the sender: root, or the user that started the daemon.
 */
#ifndef DROVER_WORKER_ENDING_H
#define DROVER_WORKER_ENDING_H

#include <sys/types.h>

#include "shm/kill.h"
#include "shm/order.h"
#include "worker/conn.h"

struct ending {
	int fd;       /* the socket */
	uint32_t row; /* of this worker */
	uid_t uid;    /* who may ask besides root */
	struct conns *cs;
	void (*end)(void *arg, uint32_t i); /* ends connection i */
	void *arg;
};

/* Takes one request, if there is one. */
void ending_serve(const struct ending *e);

/* Does what a request that was checked asks for. Fills the answer. */
void ending_obey(const struct ending *e, const struct kill_request *q, struct kill_answer *a);
void ending_order(const struct ending *e, const struct order_request *q, uid_t asker,
		  struct order_answer *a);

#endif
