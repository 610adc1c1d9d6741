/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The table of open files: see openfile.h. Called by the file cache and by whoever sends a file.
 */
#include "worker/openfile.h"

#include <assert.h>
#include <fcntl.h>
#include <unistd.h>

#include "shm/board.h"

void openfiles_init(struct openfiles *t, struct openfile *memory, uint32_t max,
		    uint64_t *open_gauge)
{
	*t = (struct openfiles){
	    .file = memory, .max = max, .free = OPENFILE_NONE, .open = open_gauge};
}

uint32_t openfile_add(struct openfiles *t, int fd)
{
	uint32_t i = t->free;

	if (i != OPENFILE_NONE)
		t->free = t->file[i].next_free;
	else if (t->high < t->max)
		i = t->high++;
	else
		return OPENFILE_NONE;
	t->file[i] = (struct openfile){.fd = fd, .refs = 1, .next_free = OPENFILE_NONE};
	board_add(t->open, 1);
	return i;
}

void openfile_ref(struct openfiles *t, uint32_t i)
{
	assert(i < t->high && t->file[i].refs > 0);
	t->file[i].refs++;
}

void openfile_unref(struct openfiles *t, uint32_t i)
{
	struct openfile *f = &t->file[i];

	assert(i < t->high && f->refs > 0);
	if (--f->refs > 0)
		return;
	close(f->fd);
	f->fd = -1;
	f->next_free = t->free;
	t->free = i;
	board_set(t->open, *t->open - 1);
}

void openfiles_forget(struct openfiles *t)
{
	for (uint32_t i = 0; i < t->max && t->file[i].fd != 0; i++)
		t->file[i].refs = 0;
	t->high = t->max;
	t->free = OPENFILE_NONE;
}

bool openfiles_claimable(const struct openfiles *t, uint32_t i)
{
	return i < t->max && t->file[i].fd > 0 && fcntl(t->file[i].fd, F_GETFD) >= 0;
}

void openfiles_claim(struct openfiles *t, uint32_t i)
{
	if (t->file[i].refs++ == 0)
		board_add(t->open, 1);
}

void openfiles_settle(struct openfiles *t)
{
	uint32_t high = 0;

	for (uint32_t i = 0; i < t->max && t->file[i].fd != 0; i++) {
		if (t->file[i].refs > 0)
			high = i + 1;
	}
	for (uint32_t i = high; i-- > 0;) {
		if (t->file[i].refs > 0)
			continue;
		t->file[i] = (struct openfile){.fd = -1, .next_free = t->free};
		t->free = i;
	}
	t->high = high;
}
