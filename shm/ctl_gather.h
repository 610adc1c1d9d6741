/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the parts of the gathering share: shm/ctl_facts.c takes the two looks, at workers in
 * shm/ctl_gather_workers.c and at the kernel's sockets in shm/ctl_gather_sockets.c.
 */
#ifndef DROVER_SHM_CTL_GATHER_H
#define DROVER_SHM_CTL_GATHER_H

#include "shm/ctl.h"
#include "shm/ctl_set.h"
#include "shm/ctl_sockdiag.h"
#include "shm/diagnose.h"

enum {
	TALLIES = 16
};

/* What the first look leaves of a worker row. */
struct then {
	uint64_t pid, requests, waited_us, resident;
	uint64_t turn[HIST_BUCKETS];
};

/* The addresses with most connections among any number, in little room (Misra and Gries). */
struct tally {
	uint8_t addr[16];
	uint64_t count;
};

struct gather {
	struct ctl *c;
	struct facts *f;
	struct then *then; /* by worker row */
	uint32_t then_count;
	struct set closing;   /* connections in CLOSE_WAIT at the first look */
	struct set stayed;    /* inodes of those that still are */
	struct set unclaimed; /* sockets that no record claimed at the first look; marked: a
				 connection of ours */
	uint8_t *claimed;     /* by descriptor, of the worker at hand */
	size_t claimed_room;
	struct tally tally[TALLIES];
	unsigned states[VIEW_STATES];   /* the board's number of a state to ours, plus one */
	struct sockdiag_endpoint *ends; /* of listeners */
	size_t *end_listener;           /* which one */
	size_t ends_count;
	bool second;
	uint64_t at_us;
};

/* Whether /proc/PID is this worker. */
bool gather_in_proc(const struct view_worker *w);

/* At the first look; at the second, all that the facts hold of workers. 0, or -1 with errno. */
int gather_remember(struct gather *g);
int gather_workers(struct gather *g);

/* At either look: connections and queues of our own addresses. */
void gather_sockets(struct gather *g);
/* At the second: local ports towards f->upstreams. */
void gather_ports(struct gather *g);

#endif
