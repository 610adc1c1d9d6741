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

struct ctl;

struct ctl_conn {
	uint64_t id;
	uint32_t slot;
	uint64_t pid; /* of its worker */
	const char *state;
	bool dead; /* its worker is: this is how it ended */
	bool torn; /* its row was being written when its worker died or stopped */
	uint8_t peer[16];
	unsigned family; /* 4, 6, else a unix socket */
	unsigned port, status;
	uint64_t accepted_us, since_us;
	uint64_t age_ms;
	int64_t left_ms; /* until its deadline; 0 if that passed, -1 if it has none */
	uint64_t requests, in, out;
	const char *server; /* "-" if not known */
	char request[128];
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
bool ctl_filter_passes(const struct ctl_filter *filter, const struct ctl_conn *conn);

/* Numbers from the largest, but id, slot and left; texts from A. Does nothing without -s. */
void ctl_conn_sort(const struct ctl_filter *filter, struct ctl_conn *all, size_t n);

#endif
