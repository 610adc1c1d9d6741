/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A worker process as the files see it that are this process, in the order in which they call each
 * other: worker (its life), loop, guard, orders, adoption, drain, channels, and process itself, the
 * little that all of them do. Others get the part that they work on, never the whole.
 */
#ifndef DROVER_WORKER_PROCESS_H
#define DROVER_WORKER_PROCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/types.h>

#include "worker/accept.h"
#include "worker/accesslog.h"
#include "worker/clock.h"
#include "worker/conn.h"
#include "worker/handover.h"
#include "worker/http/serve.h"
#include "worker/queue.h"
#include "worker/standby.h"
#include "worker/up.h"
#include "worker/worker.h"

/* Event data: what kind of thing in the upper bits, which one in the lower half. */
#define TAG_SHIFT   56
#define TAG_CONN    ((uint64_t)0 << TAG_SHIFT)
#define TAG_LISTEN  ((uint64_t)1 << TAG_SHIFT)
#define TAG_CONTROL ((uint64_t)2 << TAG_SHIFT)
#define TAG_GIVE    ((uint64_t)3 << TAG_SHIFT) /* the channel that connections leave by */
#define TAG_ADOPT   ((uint64_t)5 << TAG_SHIFT) /* a new master */
#define TAG_UP      ((uint64_t)6 << TAG_SHIFT) /* a connection to a peer */
#define TAG_CTL     ((uint64_t)7 << TAG_SHIFT) /* droverctl kill */
#define TAG_TAKE \
	((uint64_t)4 << TAG_SHIFT) /* those that they come by: the lower half is the descriptor */

enum {
	PROCESS_EVENTS = 512, /* of a turn */
	PROCESS_ID_BITS = 24, /* of a connection's number, between tag and record */
	PROCESS_SECOND_US = 1000000
};

/* What became of the connections of a drain. */
struct outcome {
	uint64_t moved, finished, idle, forced, refused;
};

/* In the arena: what a worker leaves to its standby besides the records. */
struct legacy {
	struct standby_history history;
	uint64_t drain_us; /* CLOCK_MONOTONIC, of a drain, or when an orphan drains; 0: neither */
	struct outcome before; /* when the drain began */
	bool final;            /* drained as CONTROL_FINAL */
	bool deaf;             /* the listening sockets were given up */
	bool lame_duck;
};

struct worker {
	const struct worker_env *env;
	struct worker_row *row;
	struct clock clock;
	struct arena arena;
	struct conns conns;
	struct acceptor acceptor;
	struct accesslog log;
	struct ups ups;
	struct queues queues;
	struct http *http;
	int epoll_fd;
	bool orphan;
	bool leave;
	uint64_t tick_us; /* when the next second's work is due */
	struct legacy *legacy;
	bool unguarded;           /* the standby died: clone another one before the next turn */
	int pid_fd;               /* of this process, for its standby; owned */
	int standby_fd;           /* of the standby; owned; -1: none */
	pid_t standby;            /* the process behind it */
	struct handover_out out;  /* while the connections of this worker move to another one */
	struct handover_out gift; /* while some of them do */
	uint32_t takes;           /* channels that connections come by */
	uint64_t alone_us;        /* another successor is waited for until then; 0: not */
	uint64_t lag_us;          /* longest turn since the last tick */
	struct epoll_event events[PROCESS_EVENTS];
};

void process_set_state(struct worker *w, enum worker_state state);

/* To the master; arg as enum control_kind says. An orphan says nothing. */
void process_say(struct worker *w, enum control_kind kind, uint64_t arg);

/* From here on, lines of the error log name the connection that is being served. */
void process_name_lines(struct worker *w);

/* Has the loop look at the channel to the master. Returns 0, or -1 with errno. */
int process_watch_control(struct worker *w);

/* Has it look at connection i, and at one that was just accepted. */
void process_watch_conn(struct worker *w, uint32_t i);
void process_open_conn(struct worker *w, uint32_t i);

/* Has it look at the connection to the peer that connection i is served by, if there is one. */
void process_watch_up(struct worker *w, uint32_t i);

/* The record, and enough of the connection's number to tell it from the next one there: a socket
 * that another process still holds for a moment goes on reporting after it was closed here. */
static inline uint64_t process_conn_data(const struct worker *w, uint32_t i)
{
	const uint64_t number = conn_row(&w->conns, i)->id & (((uint64_t)1 << PROCESS_ID_BITS) - 1);

	return TAG_CONN | number << 32 | i;
}

#endif
