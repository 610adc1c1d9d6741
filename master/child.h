/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A child of the master: a process that fills one half of a slot. What happens to it is a grid,
 * state by event, of small handlers. The master only tells and waits; every state but READY has a
 * deadline, so no child can keep the master waiting.
 */
#ifndef DROVER_MASTER_CHILD_H
#define DROVER_MASTER_CHILD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "master/generation.h"
#include "shm/board.h"

enum child_state {
	CHILD_NONE,     /* no process */
	CHILD_STARTING, /* forked; ready by its deadline, else killed */
	CHILD_READY,    /* serves; no deadline, but a heartbeat */
	CHILD_DRAINING, /* told to finish by its deadline, which includes the patience after it */
	CHILD_ENDING,   /* told to end now, or aborted; killed at its deadline */
	CHILD_KILLED,   /* KILL is on its way */
	CHILD_STUCK,    /* KILL did not end it: the kernel holds it, and nobody waits for it */
	CHILD_STATES
};
const char *child_state_name(enum child_state state);

enum child_event {
	CHILD_SAYS_READY,
	CHILD_SAYS_REOPENED,
	CHILD_SAYS_STANDBY, /* subject: the standby's pid */
	CHILD_SAYS_TAKEN,   /* the standby is the worker now */
	CHILD_SAYS_ALONE,   /* it drains, and its successor is gone */
	CHILD_SAYS_GIVEN,   /* subject: how many connections it gave away */
	CHILD_DRAIN,        /* order: finish until until_us */
	CHILD_QUIT,         /* order: leave at once */
	CHILD_HANGS,        /* its heartbeat stopped */
	CHILD_EXPIRES,      /* its deadline passed */
	CHILD_DIES,         /* waitpid(2) returned it */
	CHILD_EVENTS
};
const char *child_event_name(enum child_event event);

/* Why the master ended it, if it did. */
enum child_cause {
	CAUSE_NONE,
	CAUSE_ASKED,      /* drained, or told to quit */
	CAUSE_LATE_START, /* not ready in time */
	CAUSE_LATE_DRAIN, /* still there after its drain */
	CAUSE_HANG
};

/* How one ended that is no child of this process cannot be known. */
enum {
	CHILD_UNKNOWN = -1
};

/* What an event says; fields that it does not need are 0. */
struct child_news {
	uint64_t now_us;
	uint64_t until_us;             /* CHILD_DRAIN: CLOCK_MONOTONIC */
	uint32_t flags;                /* CHILD_DRAIN: of struct control_msg */
	int status;                    /* CHILD_DIES: of waitpid(2), or CHILD_UNKNOWN */
	uint64_t subject;              /* CHILD_SAYS_STANDBY, CHILD_SAYS_GIVEN */
	const struct child *successor; /* CHILD_DRAIN: takes the connections; NULL: they end */
};

/* What an event came to. */
enum child_fate {
	FATE_LIVES,
	FATE_GONE,  /* ended as it was asked to */
	FATE_DEAD,  /* ended unasked */
	FATE_UNBORN /* ended unasked before it was ready */
};

struct child {
	enum child_state state; /* set by child.c alone, but for birth.c, which makes it STARTING */
	enum child_cause cause;
	enum child_event heard; /* the last event, for messages */
	bool reopening;         /* has not said CONTROL_REOPENED yet */
	bool alone;             /* is to be told again to drain: see slots_watch() */
	bool giving;            /* was told to give connections, and has not said CONTROL_GIVEN */
	pid_t pid;
	int pid_fd;        /* of pid, if that is no child of this process; owned; -1: it is */
	pid_t standby;     /* becomes pid when that dies; 0: none */
	pid_t predecessor; /* its standby has spoken before its death was seen; 0: none */
	bool succeeded;    /* its death was seen before its standby has spoken */
	uint64_t given;    /* connections given away, as it says, since it last began */
	uint64_t until_us; /* end of its drain */
	uint64_t told_us;  /* when it was told to drain */
	uint32_t drain_flags;
	uint64_t guard_us; /* when it is told again to clone a standby, if it has none */
	uint32_t slot;
	uint32_t row; /* of the board: slot * BOARD_HALVES + half */
	uint64_t instance;
	uint32_t serial;        /* of the slot's want when it was started */
	struct generation *gen; /* user of it while there is a process */
	struct share share;     /* what it accepts from; owned */
	int control_fd; /* the master's end; owned; -1 if there is no process or it closed its end
			 */
	uint64_t started_us, ready_us, deadline_us;
	uint64_t doubt_us; /* since when it looks hung; 0: it does not */
	const struct board *board;
	char epitaph[256]; /* how the last process here ended */
};

/* Does what the grid says. */
enum child_fate child_event(struct child *c, enum child_event event, const struct child_news *news);

/* Reads what the child says on its channel, to its end. Never blocks. */
void child_listen(struct child *c, uint64_t now_us);

/* It was the child of a master that died: from here on its end is told by a descriptor. Returns 0,
 * or -1 with errno. */
int child_adopt(struct child *c);

/* Gives one that was adopted back to itself. */
void child_let_go(struct child *c);

/* One that was adopted: has it ended? Then its row tells what can be known of how. */
bool child_has_ended(const struct child *c);
int child_end_status(const struct child *c);

/* Has it give so many idle connections to another worker. It says when it is done; if it dies,
 * `giving` ends as well. Returns 0, or -1 with errno. */
int child_give(struct child *c, const struct child *taker, uint64_t count);

/* waitpid(2) returned pid, which is not the child's own: was it its standby, or the worker before
 * it? */
bool child_mourns(struct child *c, pid_t pid, int status, uint64_t now_us);

/* Has it clone a standby if it should have one and has none. */
void child_guard(struct child *c, uint64_t now_us);

/* Whether there is a process, and whether it has not been told to end. */
bool child_lives(const struct child *c);
bool child_stays(const struct child *c);

/* Whether the master is ending it for a fault: its successor waits until it is dead, so that its
 * death counts first. */
bool child_is_dying(const struct child *c);

/* Its last heartbeat; 0 if it has not written any. */
uint64_t child_beat_us(const struct child *c);
/* Was it told to drain and has not shown on the board that it has heard? It goes on accepting then.
 * No longer than POLICY_HEARD_US. */
bool child_is_unheard(const struct child *c, uint64_t now_us);

#endif
