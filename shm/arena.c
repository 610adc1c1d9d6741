/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The arena: see arena.h. Called by the worker at its start; arena_release by its buffers.
 */
#include "shm/arena.h"

#include <errno.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

size_t arena_page(void)
{
	static size_t page;

	if (page == 0)
		page = (size_t)sysconf(_SC_PAGESIZE);
	return page;
}

size_t arena_room(size_t bytes)
{
	return (bytes + arena_page() - 1) & ~(arena_page() - 1);
}

int arena_create(struct arena *a, const char *name, size_t bytes)
{
	void *base;
	int saved;

	*a = (struct arena){.fd = memfd_create(name, MFD_CLOEXEC), .bytes = arena_room(bytes)};
	if (a->fd < 0)
		return -1;
	if (ftruncate(a->fd, (off_t)a->bytes) != 0)
		goto fail;
	base = mmap(NULL, a->bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, a->fd, 0);
	if (base == MAP_FAILED)
		goto fail;
	a->base = base;
	return 0;
fail:
	saved = errno;
	close(a->fd);
	a->fd = -1;
	errno = saved;
	return -1;
}

void arena_destroy(struct arena *a)
{
	if (a->base != NULL)
		munmap(a->base, a->bytes);
	if (a->fd >= 0)
		close(a->fd);
	*a = (struct arena){.fd = -1};
}

void *arena_take(struct arena *a, size_t bytes)
{
	void *p = a->base + a->used;

	if (arena_room(bytes) > a->bytes - a->used) {
		errno = ENOMEM;
		return NULL;
	}
	a->used += arena_room(bytes);
	return p;
}

void arena_release(const struct arena *a, void *p, size_t bytes)
{
	(void)a;
	/* MADV_REMOVE punches a hole in the memfd: every process that maps it sees the pages gone.
	 * Failing costs memory, nothing else. */
	(void)madvise(p, bytes, MADV_REMOVE);
}
