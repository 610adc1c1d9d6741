/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Too few descriptors are never passed over in silence: the operator learns how many are needed,
 * how many there are, and what becomes of worker_connections. Called by boot.c and load.c.
 */
#include "master/limit.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "worker/settings.h"

enum {
	SPARE = 64 /* control channel, epoll, arena, board, a reserve, and files on their way */
};

static uint64_t overhead(const struct settings *s, unsigned sockets)
{
	return (uint64_t)sockets + s->logs_count + 1 + s->file_cache + SPARE;
}

uint64_t limit_needed(const struct settings *s, unsigned sockets)
{
	return s->worker_connections + overhead(s, sockets);
}

/* Connections to peers have descriptors of their own, but a worker can do with fewer of them. */
static uint64_t to_peers(const struct settings *s)
{
	if (s->peers_count == 0)
		return 0;
	return s->upstream_connections != 0 ? s->upstream_connections : s->worker_connections;
}

uint32_t limit_connections(const struct settings *s, unsigned sockets, uint64_t limit)
{
	uint64_t used = overhead(s, sockets);
	uint64_t fit = limit > used ? limit - used : 0;

	if (fit < limit / 2)
		fit = limit / 2;
	if (fit < 1)
		fit = 1;
	return fit < s->worker_connections ? (uint32_t)fit : s->worker_connections;
}

int limit_raise(struct settings *s, unsigned sockets, char *warning, size_t size)
{
	uint64_t needed = limit_needed(s, sockets), best = needed + to_peers(s);
	struct rlimit now, want;

	if (getrlimit(RLIMIT_NOFILE, &now) || now.rlim_cur >= best)
		return 0;
	want = (struct rlimit){.rlim_cur = best,
			       .rlim_max = now.rlim_max > best ? now.rlim_max : best};
	if (!setrlimit(RLIMIT_NOFILE, &want))
		return 0;
	want = (struct rlimit){.rlim_cur = now.rlim_max, .rlim_max = now.rlim_max};
	if (!setrlimit(RLIMIT_NOFILE, &want))
		now.rlim_cur = now.rlim_max;
	if (now.rlim_cur >= needed)
		return 0;
	uint32_t wanted = s->worker_connections;

	s->worker_connections_wanted = wanted;

	s->worker_connections = limit_connections(s, sockets, now.rlim_cur);
	snprintf(warning, size,
		 "worker_connections = %u needs %" PRIu64
		 " descriptors a process, but the limit (RLIMIT_NOFILE, ulimit -n) is "
		 "%" PRIu64 " and cannot be raised: each worker holds %u connections at most",
		 wanted, needed, (uint64_t)now.rlim_cur, s->worker_connections);
	return 1;
}
