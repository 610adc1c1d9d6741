/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The diagnosis of `droverctl doctor`: what two looks at the board, the kernel's socket tables and
 * /proc have in common, as numbers, goes in; findings come out. Pure: no clock, no file, nobody is
 * asked here, so that each check is tested with facts made up.
 *
 * What could not be looked at is a finding of its own kind: silence would pass for health.
 */
#ifndef DROVER_SHM_DIAGNOSE_H
#define DROVER_SHM_DIAGNOSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shm/board.h"
#include "shm/deadlines.h"
#include "shm/view.h"

/* In this order: the worst is the largest. */
enum diagnose_severity {
	DIAGNOSE_FINE,
	DIAGNOSE_UNSEEN, /* not looked at; `seen` says why */
	DIAGNOSE_NOTICE, /* worth knowing, nothing to do at once */
	DIAGNOSE_WARNING,
	DIAGNOSE_CRITICAL, /* clients suffer now, or will in moments */
	DIAGNOSE_SEVERITIES
};

const char *diagnose_severity_name(enum diagnose_severity severity);

/* A number that could not be had. */
#define FACTS_UNKNOWN UINT64_MAX

/* The kernel's states of a TCP connection, by its numbers. */
enum facts_tcp {
	TCPS_ESTABLISHED = 1,
	TCPS_SYN_SENT,
	TCPS_SYN_RECV,
	TCPS_FIN_WAIT1,
	TCPS_FIN_WAIT2,
	TCPS_TIME_WAIT,
	TCPS_CLOSE,
	TCPS_CLOSE_WAIT,
	TCPS_LAST_ACK,
	TCPS_LISTEN,
	TCPS_CLOSING,
	TCPS_NEW_SYN_RECV,
	TCPS_COUNT
};

/* A counter: its total, and what came between the two looks. */
struct facts_counter {
	uint64_t total, since;
};

struct facts_worker {
	uint32_t slot;
	uint64_t pid;
	enum view_life life;
	bool ready, draining;
	bool torn;
	bool filled; /* another worker that lives fills the slot of this dead one */
	bool again;  /* the first look saw the same process: figures "since" hold */
	uint64_t heard_us, draining_us; /* how long ago */
	uint64_t conns, conns_max, fds, fds_max;
	uint64_t lag_us, turn_us; /* longest turn: of the last second; since the first look */
	uint64_t requests;        /* since the first look */

	/* From /proc; FACTS_UNKNOWN where that was not allowed. */
	char task;                 /* R, S, D, T ...; 0: not known */
	uint64_t fds_open;         /* descriptors of the process */
	uint64_t lost;             /* connections that it holds open, and no record knows of */
	uint64_t resident, before; /* memory, bytes: now and at the first look */
	uint64_t waited_us;        /* for a processor, since the first look */

	uint64_t close_wait;      /* connections in CLOSE_WAIT at both looks, by their owner */
	uint64_t close_wait_lost; /* those of them that no record knows of */
};

struct facts_listener {
	char address[112];
	uint64_t queue, queue_max, backlog; /* of all its sockets; queue_max 0: not known */
	uint64_t dropped, dropped_since;    /* by the kernel, at this address; or FACTS_UNKNOWN */
};

/* A client as the kernel sees it. */
struct facts_peer {
	char address[64];
	uint64_t unsent;   /* bytes in the send queue */
	uint64_t retrans;  /* segments sent again, of */
	uint64_t segments; /* those sent */
	uint64_t quiet_us; /* since anything was sent to it */
};

enum {
	FACTS_PEERS = 3
};

struct facts_sockets {
	char unknown[200]; /* why none of this is known; "" if it is */
	uint64_t now[TCPS_COUNT], before[TCPS_COUNT];
	uint64_t stayed;        /* in CLOSE_WAIT at both looks */
	uint64_t stayed_queued; /* of these: never accepted */
	bool info;              /* the kernel told of retransmissions and windows */
	uint64_t segments, retrans;
	uint64_t stuck; /* connections whose last segment was sent again four times or more */
	uint64_t shut;  /* connections with bytes to send to a closed window */
	struct facts_peer slow[FACTS_PEERS], resent[FACTS_PEERS]; /* the worst; "" = none */
};

struct facts_upstream {
	char address[112];
	uint64_t used,
	    time_wait; /* local ports that connections to it hold; those that only wait */
};

/* A peer of an upstream section. */
struct facts_member {
	char upstream[64], address[112], reason[96];
	char state[24]; /* as droverctl upstreams shows it */
	bool stale;     /* its checks have stopped */
};

/* A peer that has a name which cannot be looked up. */
struct facts_name {
	char name[112], upstream[64];
	char address[64]; /* the one that it had; "" = never any */
	char error[64];
	uint64_t failing_us; /* for how long */
};

struct facts_server {
	char name[64];
	struct deadlines deadlines;
};

/* The machine, or the network namespace of the daemon. FACTS_UNKNOWN where it was not to be had. */
struct facts_system {
	uint64_t somaxconn, syn_backlog, syncookies, abort_on_overflow;
	uint64_t port_low, port_high, tw_buckets;
	uint64_t conntrack, conntrack_max;
	uint64_t files, files_max;
	uint64_t memory, memory_available;
	uint64_t group_used, group_max; /* of the control group with the least left */
	uint64_t tcp_memory, tcp_memory_max;
};

struct facts {
	double interval_s;
	bool same_boot;
	bool lives; /* any process of the daemon */
	enum view_life master_life;
	bool master_torn;
	uint64_t master_pid, master_heard_us;
	bool running; /* the master's state: not starting, stopping, reloading, upgrading */
	bool reload_failed, upgrade_failed;
	char reload_error[200], upgrade_error[200];
	uint64_t workers_wanted, drain_ms;
	uint64_t conns_wanted; /* worker_connections, if descriptors allow fewer; else 0 */

	struct facts_worker *workers; /* rows that were ever used */
	size_t workers_count;
	struct facts_listener *listeners;
	size_t listeners_count;
	struct facts_server *servers;
	size_t servers_count;
	bool deadlines_known; /* the board tells them */
	struct facts_upstream *upstreams;
	size_t upstreams_count;
	struct facts_member *members;
	size_t members_count;
	char upstreams_unknown[200]; /* why there are none */
	struct facts_name *names;
	size_t names_count;
	char proc_unknown[200]; /* why /proc could not be looked at; "" */

	uint64_t conns, conns_before;
	uint64_t states[VIEW_STATES]; /* connections by state; the names are conn_state_name() */
	char heaviest[64];            /* the address with most connections; "" = not known */
	uint64_t heaviest_conns;

	struct facts_counter deaths, hangs, requests, accepts;
	struct facts_counter no_fds, no_memory, no_records, pauses, buffer_failures;
	struct facts_counter log_lines, log_lost;
	struct facts_counter closes[CLOSE_REASONS_COUNT];
	struct facts_sockets sockets;
	struct facts_system system;
};

struct finding {
	const char *check; /* its name: "close_wait" */
	enum diagnose_severity severity;
	char *seen, *means, *cure; /* owned; means and cure are "" if all is fine */
};

struct diagnosis {
	struct finding *all; /* the worst first */
	size_t count, room;
	const char *check; /* the one under way */
	bool failed;       /* out of memory */
};

/* Runs all checks. Each leaves at least one finding. Returns 0, or -1 with errno = ENOMEM. */
int diagnose(const struct facts *f, struct diagnosis *d);
void diagnosis_free(struct diagnosis *d);
enum diagnose_severity diagnosis_worst(const struct diagnosis *d);

/* The names of the checks, in the order in which they are made; NULL from their number on. */
const char *diagnose_check(size_t i);

/* For the checks: a new finding, and its three texts. */
void diagnose_add(struct diagnosis *d, enum diagnose_severity severity);
void diagnose_seen(struct diagnosis *d, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void diagnose_means(struct diagnosis *d, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
void diagnose_cure(struct diagnosis *d, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* "a, b, c and 12 more": the first few of many. Zeroed before; text is there at any time. */
struct diagnose_list {
	unsigned count;
	size_t used;
	char text[400];
};

void diagnose_list(struct diagnose_list *l, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
const char *diagnose_list_end(struct diagnose_list *l);

/* The checks: shm/diagnose_process.c, shm/diagnose_sockets.c, shm/diagnose_load.c,
 * shm/diagnose_system.c. */
typedef void diagnose_fn(const struct facts *f, struct diagnosis *d);

diagnose_fn diagnose_master, diagnose_workers, diagnose_lag;
diagnose_fn diagnose_close_wait, diagnose_time_wait, diagnose_queues, diagnose_retransmissions,
    diagnose_windows, diagnose_ports;
diagnose_fn diagnose_leak, diagnose_descriptors, diagnose_connections, diagnose_growth,
    diagnose_balance, diagnose_log;
diagnose_fn diagnose_peers; /* shm/diagnose_peers.c */
diagnose_fn diagnose_memory, diagnose_deadlines, diagnose_limits;
diagnose_fn diagnose_names; /* shm/diagnose_names.c */

#endif
