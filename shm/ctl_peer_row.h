/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A peer as droverctl shows it: for the list of them, and for those who look at one.
 */
#ifndef DROVER_SHM_CTL_PEER_ROW_H
#define DROVER_SHM_CTL_PEER_ROW_H

#include "shm/ctl.h"

struct ctl_peer {
	uint32_t row;
	char upstream[64], address[112];
	const char *state;
	char reason[96];  /* why its last check failed; "": none did */
	uint64_t left_us; /* until it is used again, if it failed */
	uint64_t weight, configured_weight, max_conns, active, fails, ejections;
	uint64_t open, idle, requests, errors, failures, reused, retries, cancelled, in, out;
	uint64_t checks, check_failures, checked_us, check_took_us, told_us, told_uid;
	uint64_t latency[HIST_BUCKETS];
	bool backup;
	char resolved[64], resolve_error[64]; /* of a name: where it leads; why it is not known */
	bool stale;                           /* it is to be checked, and is not any more */
};

/* Of the present row of n, which goes over the table peer. */
void ctl_peer_load(const struct ctl *c, const struct ctl_named *n, struct ctl_peer *p);
/* Its object in JSON. */
void ctl_peer_json(const struct ctl *c, struct json *j, const struct ctl_peer *p);
/* A table of peers, a line of it, and its end: CTL_OK, or CTL_USAGE once it has said why not. */
struct print_table *ctl_peer_table(const struct ctl *c);
void ctl_peer_put(const struct ctl *c, struct print_table *t, const struct ctl_peer *p);
int ctl_peer_table_end(const struct ctl *c, struct print_table *t);
/* One of one line. */
int ctl_peer_show(const struct ctl *c, const struct ctl_peer *p);

#endif
