/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The master's side of the prober (worker/prober.h): it is started when the configuration in force
 * has something for it to do, again with growing patience when it dies, ended when its heartbeat
 * stops, and replaced with the generation. Its successor starts when it is gone. It dies with the
 * master: nothing of it is handed on, and whoever is the master next starts its own.
 */
#ifndef DROVER_MASTER_PROBER_CHILD_H
#define DROVER_MASTER_PROBER_CHILD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "master/child.h"
#include "master/generation.h"

enum prober_child_state {
	PROBER_NONE,    /* no process */
	PROBER_RUNNING, /* no deadline, but a heartbeat */
	PROBER_ENDING,  /* told to leave, or aborted; killed at its deadline */
	PROBER_KILLED,  /* KILL is on its way */
	PROBER_STATES
};

struct prober_child {
	enum prober_child_state state;
	bool asked; /* its end is no fault */
	pid_t pid;
	int control_fd;         /* the master's end; owned; -1: no process */
	struct generation *gen; /* user of it while there is a process */
	uint64_t started_us, deadline_us;
	uint64_t fresh_us; /* no older heartbeat counts */
	unsigned deaths;   /* in a row */
	uint64_t next_start_us;
	/* Runs in the child: closes what belongs to the master and to other children. */
	void (*forget)(void *arg, const struct child *self);
	void *forget_arg;
	const struct board *board;
};

/* forget runs in the child: see struct prober_child. From here on no other prober may write. */
void prober_child_open(struct prober_child *p, const struct board *b,
		       void (*forget)(void *arg, const struct child *self), void *forget_arg);

/* One step, in each turn: from here on there is to be a prober of this generation; NULL: none.
 * Deadlines and the heartbeat are looked at as well. */
void prober_child_tend(struct prober_child *p, struct generation *want, uint64_t now_us);

/* waitpid(2) returned this one: was it the prober? */
bool prober_child_died(struct prober_child *p, pid_t pid, int status, uint64_t now_us);

/* The master was late by this much: so may the prober be. */
void prober_child_postpone(struct prober_child *p, uint64_t now_us, uint64_t late_us);

/* The error log has been reopened. */
void prober_child_reopen(const struct prober_child *p);

/* Ends it now, without asking, and waits for a moment at most: another program is going to be
 * executed in place of this one. If there is to be one again, the next step starts it. */
void prober_child_kill(struct prober_child *p, uint64_t now_us);

/* In another child: closes what is the master's. */
void prober_child_forget(const struct prober_child *p);

/* The soonest moment at which prober_child_tend() has something to do; 0 = none but the tick. */
uint64_t prober_child_next_us(const struct prober_child *p, uint64_t now_us);

#endif
