/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One file into memory, for the configuration and its error pages.
 */
#include "master/conf_read.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "master/pool.h"

static int check_kind(const struct stat *st, size_t max)
{
	if (S_ISDIR(st->st_mode))
		errno = EISDIR;
	else if (!S_ISREG(st->st_mode))
		errno = ENXIO;
	else if (st->st_size < 0 || (uintmax_t)st->st_size > max)
		errno = EFBIG;
	else
		return 0;
	return -1;
}

/* The file may grow or shrink meanwhile: at most size bytes. */
static ssize_t read_all(int fd, char *buf, size_t size)
{
	size_t have = 0;

	while (have < size) {
		ssize_t n = read(fd, buf + have, size - have);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		if (n == 0)
			break;
		have += (size_t)n;
	}
	return (ssize_t)have;
}

char *conf_read(struct pool *pool, const char *path, size_t max, size_t *len, struct stat *st)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY), saved;
	struct stat own;
	jmp_buf *out = pool_escape(pool, NULL);
	char *buf = NULL;
	ssize_t n = -1;

	if (st == NULL)
		st = &own;
	if (fd >= 0 && fstat(fd, st) == 0 && check_kind(st, max) == 0) {
		errno = ENOMEM;
		buf = pool_alloc(pool, (size_t)st->st_size + 1);
	}
	if (buf != NULL)
		n = read_all(fd, buf, (size_t)st->st_size);
	saved = errno;
	if (fd >= 0)
		close(fd);
	pool_escape(pool, out);
	errno = saved;
	if (n < 0)
		return NULL;
	buf[n] = '\0';
	*len = (size_t)n;
	return buf;
}

const char *conf_read_why(int error)
{
	if (error == EISDIR)
		return "it is a directory";
	if (error == ENXIO)
		return "it is not a regular file";
	if (error == EFBIG)
		return "it is too large";
	return strerror(error);
}
