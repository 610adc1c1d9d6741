/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A connection as droverctl shows it, and what of them is asked for on the command line: filters
 * such as state=head, age>60s, peer=192.0.2.0/24, all of which must hold, and the column to sort
 * by.
 */
#ifndef DROVER_SHM_CTL_CONN_H
#define DROVER_SHM_CTL_CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shm/ident.h"

struct ctl;
struct json;

struct ctl_conn {
	uint64_t id;
	uint32_t slot;
	uint64_t pid;    /* of its worker */
	uint32_t worker; /* row of its worker */
	uint32_t row;    /* its own, counted from the worker's first */
	int fd;          /* its descriptor in the worker */
	const char *state;
	uint64_t state_value;
	bool dead; /* its worker is: this is how it ended */
	bool torn; /* its row was being written when its worker died or stopped */
	uint8_t peer[16];
	unsigned family; /* 4, 6, else a unix socket */
	unsigned port, status;
	uint64_t accepted_us, since_us;
	uint64_t age_ms, since_ms;
	int64_t left_ms; /* until its deadline; 0 if that passed, -1 if it has none */
	uint64_t requests, in, out;
	const char *server, *listener; /* "-" if not known */
	char request[128];
	char request_id[IDENT_ROOM], trace_id[IDENT_ROOM]; /* "" if it has none */
};

/* Connections of a board. Names that they point to live as long. */
struct ctl_listing {
	struct ctl_conn *all;
	size_t count;
	struct ctl_listing_inside *inside;
};

struct ctl_filter {
	struct ctl_test *tests;
	size_t count;
	int sort; /* index of a column, or -1 */
	bool reverse;
};

/* From c->args and c->sort. Returns CTL_OK, or CTL_USAGE once it has said what is wrong. */
int ctl_filter_parse(const struct ctl *c, struct ctl_filter *filter);
void ctl_filter_free(struct ctl_filter *filter);
/* The name of column i; NULL if there are no more. */
const char *ctl_filter_column(size_t i);
/* Does it name a state? */
bool ctl_filter_has_state(const struct ctl_filter *filter);
bool ctl_filter_passes(const struct ctl_filter *filter, const struct ctl_conn *conn);

/* Numbers from the largest, but id, slot and left; texts from A. Does nothing without -s. */
void ctl_conn_sort(const struct ctl_filter *filter, struct ctl_conn *all, size_t n);

/*
 * Loads the connections that pass, as the board of c says now, unsorted and no more than limit (0:
 * all). Returns 0, or -1 with errno; free it in either case.
 */
int ctl_listing_load(struct ctl_listing *l, const struct ctl *c, const struct ctl_filter *filter,
		     uint64_t limit);
void ctl_listing_free(struct ctl_listing *l);

/* "192.0.2.1:80", "[2001:db8::1]:80", "unix". Returns out. */
enum {
	CTL_PEER_BYTES = 56
};
const char *ctl_peer_text(const struct ctl_conn *conn, char out[CTL_PEER_BYTES]);

/* The members that every listing of connections in JSON has, in an object that is begun. */
void ctl_conn_json(const struct ctl *c, struct json *j, const struct ctl_conn *conn);

#endif
