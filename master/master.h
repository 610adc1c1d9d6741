/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The master as the files see it that are its loop, in the order in which they call each other:
 * supervise (the loop itself), orders, start, change, children, and master, the little that all of
 * them do. Others get the part that they work on (slots, a roll, the realm), never the whole.
 */
#ifndef DROVER_MASTER_MASTER_H
#define DROVER_MASTER_MASTER_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "master/prober_child.h"
#include "master/realm.h"
#include "master/rebalance.h"
#include "master/recount.h"
#include "master/reopen.h"
#include "master/roll.h"
#include "master/slot.h"
#include "master/stop.h"
#include "master/upgrade.h"

enum phase {
	BOOTING, /* until all workers are ready: a worker that cannot start ends the daemon */
	RUNNING,
	RETURNING, /* an upgrade failed: this program's workers hand back what they have */
	STOPPING
};

enum {
	NOBODY_ASKED = -1
};

struct master {
	struct realm *realm;
	enum phase phase;
	struct slots slots;
	struct roll roll;
	struct stop stop;
	struct reopen reopen;
	struct rebalance rebalance;
	struct upgrade upgrade;
	struct prober_child prober;
	struct recount recount;
	bool upgrade_asked; /* once nothing else is under way */
	uint64_t return_until_us;
	char return_why[300];
	uint32_t workers;     /* in force: as configured, then TTIN, TTOU and WINCH */
	bool reloading;       /* the roll under way is a reload */
	bool reload_asked;    /* one more after it */
	int workers_asked;    /* by TTIN and TTOU, after it; NOBODY_ASKED */
	uint32_t last_number; /* of a generation, even if it failed */
	int signal_fd;        /* owned */
	struct pollfd *polls; /* owned; [0] is signal_fd */
	uint64_t now_us;      /* of this turn */
	uint64_t turn_us;     /* of the one before */
	uint64_t tick_us;     /* when the once-a-second work is due */
	uint64_t boot_until_us;
	int status; /* of the daemon's exit */
	bool over;
};

/* "generation 3, 4 of 4 workers ready" */
void master_status(const struct master *m, char *out, size_t size);

/* Says on the board and to the service manager that it serves and nothing is under way. */
void master_tell_running(const struct master *m);

/* The number of workers in force. */
void master_set_workers(struct master *m, uint32_t workers);

/* What all slots want from now on: a worker of gen in so many of them, and none in the others. */
void master_want_all(struct master *m, struct generation *gen, uint32_t workers);

/* Are this program's workers new beside those of the program that it was executed by? */
bool master_is_upgrading(const struct master *m);

#endif
