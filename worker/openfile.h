/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Files that responses are sent from: flat records in the worker's arena, one descriptor each,
 * counted references (one of the cache, one of each connection that is sending it). A connection's
 * record names them by index, so a standby or a successor finds the descriptor.
 */
#ifndef DROVER_WORKER_OPENFILE_H
#define DROVER_WORKER_OPENFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OPENFILE_NONE UINT32_MAX

struct openfile {
	int32_t fd; /* owned; -1 = free */
	uint32_t refs;
	uint32_t next_free;
	uint32_t spare;
};

struct openfiles {
	struct openfile *file; /* in the arena */
	uint32_t max;
	uint32_t high;  /* records ever used */
	uint32_t free;  /* head of the free list */
	uint64_t *open; /* gauge: descriptors held */
};

/* memory: max records, zeroed. */
void openfiles_init(struct openfiles *t, struct openfile *memory, uint32_t max,
		    uint64_t *open_gauge);

/* Takes fd over with one reference. OPENFILE_NONE if the table is full: fd is still the caller's.
 */
uint32_t openfile_add(struct openfiles *t, int fd);
void openfile_ref(struct openfiles *t, uint32_t i);
/* Closes the descriptor with the last reference. */
void openfile_unref(struct openfiles *t, uint32_t i);

/*
 * After a crash the counts are made anew: forget all, claim once for each record that names a file,
 * and settle: what nobody claimed is free (its descriptor is closed with the other strays).
 */
void openfiles_forget(struct openfiles *t);
bool openfiles_claimable(const struct openfiles *t, uint32_t i);
void openfiles_claim(struct openfiles *t, uint32_t i);
void openfiles_settle(struct openfiles *t);

static inline int openfile_fd(const struct openfiles *t, uint32_t i)
{
	return t->file[i].fd;
}

#endif
