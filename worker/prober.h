/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The prober: the one process beside the workers that asks peers how they are and writes on the
 * board what it found. It is a loop of descriptors and timers into which modules are plugged (see
 * the table in prober.c): a module allocates what it needs when it starts, and nothing afterwards;
 * it never blocks. What it publishes stands in rows of peers, in words that it alone writes.
 *
 * There may be two such processes for a moment, an old one and its successor: the master's row
 * names the one that may write, and the other leaves without having written.
 */
#ifndef DROVER_WORKER_PROBER_H
#define DROVER_WORKER_PROBER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>

#include "shm/board.h"
#include "worker/settings.h"
#include "worker/timer.h"

#define PROBER_TIMER_NONE UINT32_MAX

enum {
	PROBER_EVENTS = 64 /* served in one turn */
};

/* All that it inherits over the fork. */
struct prober_env {
	const struct settings *settings;
	struct board *board;
	uint32_t generation;
	int control_fd; /* to the master: CONTROL_QUIT, CONTROL_REOPEN; its end is the prober's */
	int error_log_fd;
};

/*
 * A descriptor that is waited for. It lies in the module's own memory and stays where it is as long
 * as it is watched. ready() may change, end and begin the watching of any descriptor, its own as
 * well: nobody is called any more who is not watched any more, not even for what the same turn has
 * brought. Level-triggered.
 */
struct prober_watch {
	void (*ready)(void *arg, uint32_t events); /* EPOLLIN and so on */
	void *arg;
	int fd; /* while it is watched; the module closes it, after prober_unwatch() */
};

struct prober_timer {
	struct timer_node node;
	void (*fire)(void *arg);
	void *arg;
};

struct prober {
	const struct prober_env *env;
	const struct settings *settings;
	struct board *board;
	uint64_t now_us; /* of this turn, CLOCK_MONOTONIC */
	int epoll_fd;
	struct timer wheel;
	struct prober_timer *timers;
	uint32_t timers_count, timers_room;
	struct epoll_event events[PROBER_EVENTS];
	int events_count, events_at; /* of this turn: those from events_at on are still to come */
	struct prober_watch control;
	bool leave;
};

/*
 * Begins to watch for events (EPOLLIN, EPOLLOUT; errors come unasked), asks for others, ends. begin
 * returns 0, or -1 with errno; w must have ready and arg, and its fd is set here. prober_unwatch()
 * may be called again, and must be called before fd is closed.
 */
int prober_watch(struct prober *p, struct prober_watch *w, int fd, uint32_t events);
int prober_rewatch(struct prober *p, struct prober_watch *w, uint32_t events);
void prober_unwatch(struct prober *p, struct prober_watch *w);

/*
 * A timer, to be made when a module starts: they are never given back. Its number, or
 * PROBER_TIMER_NONE with errno. Arming and cancelling cost the same however many there are; it
 * fires once, up to two ticks (32 ms) after its time and never before it.
 */
uint32_t prober_timer(struct prober *p, void (*fire)(void *arg), void *arg);
void prober_arm(struct prober *p, uint32_t timer, uint64_t at_us);
void prober_cancel(struct prober *p, uint32_t timer);

/* A part of what the prober does. */
struct prober_module {
	const char *name;
	bool (*wanted)(const struct settings *s); /* is there anything for it to do? */
	/* Makes and arms what it needs, for the life of the process. Returns 0, or -1 with errno.
	 */
	int (*start)(struct prober *p);
};

/* Is there anything to do for a prober? */
bool prober_wanted(const struct settings *s);

/*
 * The life of the prober, in the child after the fork: privileges are dropped, signals reset,
 * foreign descriptors closed by the caller. Returns the exit status: 0 told to leave, or its place
 * is another's; 1 could not start (said in the error log).
 */
int prober_run(const struct prober_env *env);

#endif
