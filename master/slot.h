/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Slots: each says what it wants, a worker of a certain generation or none, and is tended until it
 * has it: what is missing is started, what is not wanted any more is drained once its successor is
 * ready. Whoever changes the herd (boot, roll, TTIN, stop) only changes what slots want.
 */
#ifndef DROVER_MASTER_SLOT_H
#define DROVER_MASTER_SLOT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "master/child.h"

struct slot {
	uint32_t index;
	struct generation *want; /* NULL: none. Kept alive by whoever set it */
	uint32_t want_serial;    /* a worker with another one does not do any more */
	uint32_t serials;        /* given out */
	uint32_t want_workers;   /* how many workers share the sockets */
	struct child child[BOARD_HALVES];
	unsigned last_half;
	uint64_t instance;      /* of the last start */
	unsigned deaths;        /* in a row */
	unsigned failed_starts; /* workers that died before they were ready, since the last
				   slot_want() */
	unsigned failed_forks;  /* workers that could not be forked, since then */
	uint64_t next_start_us; /* not before; 0 = at once */
};

struct slots {
	struct slot *slot;
	uint32_t room;
	const struct board *board;
	bool closed; /* nobody is started any more */
	bool held;   /* nobody is told to drain */
	uint64_t instances;
	uint64_t fresh_us;      /* all were given a fresh turn then: no older heartbeat counts */
	unsigned fork_failures; /* in a row */
	uint64_t next_fork_us;
	int rundir_fd;                                       /* see struct birth */
	void (*forget)(void *arg, const struct child *self); /* the same */
	void *forget_arg;
	char failure[256]; /* why the last start failed */
};

/* As many as the board has. Returns 0, or -1 with errno. */
int slots_open(struct slots *s, const struct board *b);
void slots_close(struct slots *s);

/* From now on the slot wants this; a worker that has it already stays. Whatever happened before is
 * forgiven. */
void slot_want(struct slot *s, struct generation *gen, uint32_t workers);

enum slot_standing {
	SLOT_SETTLED, /* has what it wants; what it does not want is drained by slots_tend() */
	SLOT_PENDING,
	SLOT_FAILED /* a start failed since slot_want(); it is tried again all the same */
};
enum slot_standing slot_standing(const struct slot *s);

/* Its worker that serves, has what the slot wants, and stays; NULL: none. */
struct child *slot_worker(struct slot *s);

bool slot_serves(const struct slot *s); /* has a ready worker, of whatever generation */
bool slot_lives(const struct slot *s);  /* has any process */

/* Starts and drains what the slots need. */
void slots_tend(struct slots *s, uint64_t now_us);

/* Deadlines and heartbeats. */
void slots_watch(struct slots *s, uint64_t now_us);

/* The master was late by this much: so may everybody else be. */
void slots_postpone(struct slots *s, uint64_t now_us, uint64_t late_us);

/* waitpid(2) returned this one. */
void slots_died(struct slots *s, pid_t pid, int status, uint64_t now_us);

/* All children that may hold a process: i from 0 to slots_children() - 1. */
static inline uint32_t slots_children(const struct slots *s)
{
	return s->room * BOARD_HALVES;
}

static inline struct child *slots_child(struct slots *s, uint32_t i)
{
	return &s->slot[i / BOARD_HALVES].child[i % BOARD_HALVES];
}

/* Does one event to all children that live. */
void slots_all(struct slots *s, enum child_event event, const struct child_news *news);

uint32_t slots_living(struct slots *s);        /* processes */
uint32_t slots_serving(const struct slots *s); /* slots with a ready worker */

/* Have all that were told to drain shown that they have heard? Those who do not are waited for no
 * longer than POLICY_HEARD_US. */
bool slots_heard(struct slots *s, uint64_t now_us);

/* The soonest moment at which slots_tend() or slots_watch() has something to do; 0 = none but the
 * tick. */
uint64_t slots_next_us(struct slots *s, uint64_t now_us);

#endif
