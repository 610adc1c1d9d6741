/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The second half of an upgrade in place, in the program that was executed: from the state that the
 * one before it left (state.h) to a realm and its children. The workers of before serve on until
 * those of this program are all ready; until then everything can be given back by the way back
 * (wayback.h). A program that comes back that way restores what it had and goes on.
 */
#ifndef DROVER_MASTER_INHERIT_H
#define DROVER_MASTER_INHERIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "master/slot.h"
#include "master/state.h"

struct options;
struct realm;
struct settings;

struct heir {
	struct state state;
	int state_fd;   /* owned */
	bool restoring; /* this program was executed again, since the other one failed */
	bool adopting;  /* the master of before died: its workers are no children of this process */
	bool new_board; /* another file, which is not in its place yet */
	bool test_workers_fail;
	char why[512]; /* restoring: why */
};

/* Is there something to inherit? To be asked first thing, since the environment tells. */
bool inherit_asked(void);

/* For a check (-t): whether the state can be understood, which is said on standard output. Returns
 * 0, or -1 after saying why on standard error. */
int inherit_check(void);

/* Reads the state and opens the way back. Returns 0, or -1 with the sentence in error. */
int inherit_open(struct heir *h, const struct options *o, char *error, size_t size);

/* From the workers of a master that died (adopt.h); *state is the heir's from then on. */
void inherit_orphans(struct heir *h, struct state *state);

/*
 * Fills the realm, whose options are set; of orphans, one whose daemon is locked, with the settings
 * in *s. They are the realm's, and *s is NULL, from the moment that it has a generation. Returns 0,
 * or -1 with the sentence in error.
 */
int inherit_realm(struct realm *r, struct heir *h, struct settings **s, char *error, size_t size);

/* Says of the children that are not there any more that they died. */
void inherit_mourn(const struct heir *h, struct slots *s, uint64_t now_us);

/* Ends all children of this process that are in no slot: the other program had started them. */
void inherit_end_strangers(struct slots *s);

/* The workers of this program serve: no way back from here. */
void inherit_settle(struct realm *r);

/* In a child: closes what is here. */
void inherit_forget(const struct heir *h);

/* Frees it. */
void inherit_close(struct heir *h);

#endif
