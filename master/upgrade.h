/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The first half of an upgrade in place, in the program that is to be replaced: the new one is
 * checked in a child, which must find the configuration good and say that it understands the state
 * that it is to inherit; then it is executed in this process. The second half, in the new program,
 * is inherit.h.
 */
#ifndef DROVER_MASTER_UPGRADE_H
#define DROVER_MASTER_UPGRADE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "master/state.h"

struct realm;

/* What a program says after its check when it understands the state. */
#define UPGRADE_PROOF "the state of the running program is understood"

enum upgrade_outcome {
	UPGRADE_NONE, /* nothing to tell: idle or under way */
	UPGRADE_PASSED,
	UPGRADE_FAILED /* the reason is in why */
};

struct upgrade {
	pid_t pid;  /* of the check; 0: none */
	int out_fd; /* what it says; owned; -1: none */
	bool dead;
	int status; /* of waitpid(2), once dead */
	uint64_t deadline_us;
	char out[4096];
	size_t out_len;
	char why[512];
};

#define UPGRADE_IDLE ((struct upgrade){.out_fd = -1})

/* Starts the check. Returns 0, or -1 with the sentence in why. */
int upgrade_check(struct upgrade *u, const struct realm *r, const struct state *s, uint64_t now_us);

bool upgrade_checks(const struct upgrade *u);

/* waitpid(2) returned pid: was it the check? */
bool upgrade_died(struct upgrade *u, pid_t pid, int status);

/* To be called in each turn; tells the outcome once. */
enum upgrade_outcome upgrade_step(struct upgrade *u, uint64_t now_us);

/* Ends a check under way. */
void upgrade_cancel(struct upgrade *u);

/* Executes the new program in this process. Returns only if that fails: -1 with the sentence in
 * error, and all is as before. */
int upgrade_execute(const struct realm *r, const struct state *s, char *error, size_t size);

#endif
