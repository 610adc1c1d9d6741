/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The log files of a configuration, opened by the master, since a worker has no leave to, and given
 * to workers by inheritance and, after a reopening, over the control channel.
 */
#ifndef DROVER_MASTER_LOGS_H
#define DROVER_MASTER_LOGS_H

#include <stddef.h>
#include <stdint.h>

struct settings;

struct logs {
	int *fds;       /* by index of settings.logs; owned; never -1 once open */
	uint32_t count; /* of settings.logs */
	int error_fd;   /* owned; -1: not open */
};

#define LOGS_CLOSED ((struct logs){.error_fd = -1})

/* Opens all: appending, mode 0640, never blocking. Returns 0, or -1 with the sentence in error and
 * nothing open. */
int logs_open(struct logs *l, const struct settings *s, char *error, size_t size);

/* Opens all anew; one that cannot be opened keeps its descriptor. Returns how many those are; the
 * last one's sentence is in error. */
unsigned logs_reopen(struct logs *l, const struct settings *s, char *error, size_t size);

void logs_close(struct logs *l);
/* In a child to which they are nothing: closes the descriptors alone. */
void logs_forget(const struct logs *l);

#endif
