/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A generation: one loaded configuration with the sockets and log files that it needs. Made whole
 * or not at all. Children that run with it and the master's own interest each count as a user; the
 * last one frees it. Its sockets are given back earlier, when it is retired: from then on no child
 * is started with it.
 */
#ifndef DROVER_MASTER_GENERATION_H
#define DROVER_MASTER_GENERATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "master/listen.h"
#include "master/logs.h"
#include "worker/settings.h"

struct generation {
	struct generation **list; /* of those alive, which it is on */
	struct generation *next;
	uint32_t number;
	struct settings *settings;
	struct bound **bound; /* by index of settings.listeners; NULL once retired */
	struct logs logs;
	bool foreign; /* of another program: its settings are not all known, nobody is started with
			 it */
	unsigned users;
};

/* The sockets that a worker accepts from, as struct worker_env has them. */
struct share {
	int *fds;
	uint32_t *ids; /* of settings.listeners */
	uint32_t count;
};

/*
 * Binds and opens what the settings name, for so many workers, and puts it on the list with one
 * user. Owns the settings from then on. Returns NULL with the sentence ("file:line: why") in error;
 * then nothing is open that was not before, and the settings still are the caller's.
 */
struct generation *generation_open(struct generation **list, struct settings *s, uint32_t number,
				   uint32_t workers, struct listen_set *set, char *error,
				   size_t size);

/*
 * The same for a configuration that is in force already: its addresses are bound in the set, and
 * its logs are open. Owns the descriptors in logs if it succeeds.
 */
struct generation *generation_restore(struct generation **list, struct settings *s, uint32_t number,
				      struct listen_set *set, const struct logs *logs, char *error,
				      size_t size);

/*
 * Stands for a configuration that workers of another program run with: of its settings, drain_us
 * and hang_us alone are known. NULL: no memory.
 */
struct generation *generation_foreign(struct generation **list, uint32_t number, uint64_t drain_us,
				      uint64_t hang_us);

void generation_use(struct generation *g);

/* Frees it with its last user. */
void generation_release(struct generation *g);

/* In a child of it: closes the logs of all others, which would stay open in files long rotated. */
void generation_forget_others(const struct generation *own);

/* Gives its sockets back: no child is started with it any more. */
void generation_retire(struct generation *g, struct listen_set *set);

/* Sockets enough for so many workers. Returns 0, or -1 with the sentence in error. */
int generation_grow(struct generation *g, uint32_t workers, char *error, size_t size);

/* Backlogs and modes: the generation is in force now. */
void generation_apply(struct generation *g);

/* What the master says goes to its error log from here on. */
void generation_use_log(const struct generation *g);

bool generation_has_groups(const struct generation *g); /* any reuseport address */
unsigned generation_sockets(const struct generation *g);

/* What the worker of a slot accepts from when there are so many workers. Returns 0, or -1 with
 * errno. */
int share_list(struct share *out, const struct generation *g, uint32_t slot, uint32_t workers);
bool share_is(const struct share *s, const struct generation *g, uint32_t slot, uint32_t workers);
void share_free(struct share *s);

#endif
