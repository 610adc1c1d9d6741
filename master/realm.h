/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a start has made and the master's loop works with.
 */
#ifndef DROVER_MASTER_REALM_H
#define DROVER_MASTER_REALM_H

#include "master/daemon.h"
#include "master/generation.h"
#include "master/listen.h"
#include "master/options.h"
#include "shm/board.h"

struct carry;
struct heir;

struct realm {
	const struct options *options;
	struct daemon daemon;
	struct board board; /* base NULL: not made yet */
	struct listen_set listeners;
	struct generation *generations; /* alive */
	struct generation *gen;         /* in force */
	struct heir *heir;              /* of the program before this one, while it matters; NULL */
	struct carry *carry; /* from the board that older workers write to; NULL: it is this one */
};

#endif
