/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Binds, inherits, matches and closes listening sockets. Low functions return errors; listen_get()
 * writes the one sentence about them. TCP_NODELAY is set on the listening socket, from where
 * accepted ones inherit it on Linux. Called by generation.c, boot.c and stop.c.
 */
#include "master/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	FIRST_PASSED_FD = 3 /* sd_listen_fds(3) */
};

void listen_text(char *out, size_t size, const struct sockaddr_storage *addr, socklen_t len)
{
	const struct sockaddr_in *in = (const struct sockaddr_in *)addr;
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)addr;
	const struct sockaddr_un *un = (const struct sockaddr_un *)addr;
	size_t path_len = len > offsetof(struct sockaddr_un, sun_path)
			      ? len - offsetof(struct sockaddr_un, sun_path)
			      : 0;
	char host[INET6_ADDRSTRLEN];

	switch (addr->ss_family) {
	case AF_INET:
		inet_ntop(AF_INET, &in->sin_addr, host, sizeof(host));
		snprintf(out, size, "%s:%u", host, ntohs(in->sin_port));
		break;
	case AF_INET6:
		inet_ntop(AF_INET6, &in6->sin6_addr, host, sizeof(host));
		snprintf(out, size, "[%s]:%u", host, ntohs(in6->sin6_port));
		break;
	case AF_UNIX:
		if (path_len && un->sun_path[0] == '\0')
			snprintf(out, size, "unix:@%.*s", (int)path_len - 1, un->sun_path + 1);
		else
			snprintf(out, size, "unix:%.*s", (int)path_len, un->sun_path);
		break;
	default:
		snprintf(out, size, "family %u", addr->ss_family);
	}
}

static bool is_unix_file(const struct sockaddr_storage *addr)
{
	return addr->ss_family == AF_UNIX &&
	       ((const struct sockaddr_un *)addr)->sun_path[0] != '\0';
}

static bool same_address(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
	const struct sockaddr_in *in_a = (const struct sockaddr_in *)a,
				 *in_b = (const struct sockaddr_in *)b;
	const struct sockaddr_in6 *in6_a = (const struct sockaddr_in6 *)a,
				  *in6_b = (const struct sockaddr_in6 *)b;
	const struct sockaddr_un *un_a = (const struct sockaddr_un *)a,
				 *un_b = (const struct sockaddr_un *)b;

	if (a->ss_family != b->ss_family)
		return false;
	switch (a->ss_family) {
	case AF_INET:
		return in_a->sin_port == in_b->sin_port &&
		       in_a->sin_addr.s_addr == in_b->sin_addr.s_addr;
	case AF_INET6:
		return in6_a->sin6_port == in6_b->sin6_port &&
		       in6_a->sin6_scope_id == in6_b->sin6_scope_id &&
		       !memcmp(&in6_a->sin6_addr, &in6_b->sin6_addr, sizeof(in6_a->sin6_addr));
	case AF_UNIX: /* the rest of a name is zeroed, abstract or not */
		return !memcmp(un_a->sun_path, un_b->sun_path, sizeof(un_a->sun_path));
	default:
		return false;
	}
}

static void set_options(int fd, sa_family_t family, bool reuseport)
{
	int on = 1;

	if (family == AF_UNIX)
		return;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	if (reuseport)
		setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
}

/* Removes the file of a unix socket that nobody serves any more. Returns 0 if the way is free. */
static int clear_stale(const struct sockaddr_un *un, socklen_t len)
{
	struct stat st;

	if (lstat(un->sun_path, &st))
		return errno == ENOENT ? 0 : -1;
	if (!S_ISSOCK(st.st_mode)) {
		errno = EEXIST;
		return -1;
	}
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	bool stale = connect(fd, (const struct sockaddr *)un, len) && errno == ECONNREFUSED;

	close(fd);
	if (stale)
		return unlink(un->sun_path);
	errno = EADDRINUSE;
	return -1;
}

/* The file appears with no more leave than its mode, and then gets exactly that. */
static int bind_unix(int fd, const struct sockaddr_storage *addr, socklen_t len, mode_t mode)
{
	const struct sockaddr_un *un = (const struct sockaddr_un *)addr;

	if (!is_unix_file(addr))
		return bind(fd, (const struct sockaddr *)addr, len);
	if (clear_stale(un, len))
		return -1;
	mode_t old = umask(0777 & ~mode);
	int bad = bind(fd, (const struct sockaddr *)addr, len);

	umask(old);
	if (!bad && chmod(un->sun_path, mode)) {
		int e = errno;

		unlink(un->sun_path);
		errno = e;
		return -1;
	}
	return bad;
}

static int open_socket(const struct sockaddr_storage *addr, socklen_t len, bool reuseport,
		       mode_t mode, int backlog)
{
	int fd = socket(addr->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	set_options(fd, addr->ss_family, reuseport);
	if (addr->ss_family == AF_UNIX ? bind_unix(fd, addr, len, mode)
				       : bind(fd, (const struct sockaddr *)addr, len))
		goto fail;
	if (listen(fd, backlog))
		goto fail;
	return fd;
fail:;
	int e = errno;

	close(fd);
	errno = e;
	return -1;
}

static void destroy(struct bound *b)
{
	for (unsigned j = 0; j < b->count; j++)
		listen_close_socket(b, j);
	free(b->fds);
	free(b);
}

static int add_fd(struct bound *b, int fd)
{
	int *more = reallocarray(b->fds, b->count + 1, sizeof(*more));

	if (!more)
		return -1;
	b->fds = more;
	b->fds[b->count++] = fd;
	return 0;
}

/* What the kernel says the first socket is bound to: with port 0, its choice. */
static void name_bound(struct bound *b)
{
	struct sockaddr_storage real = {0};
	socklen_t len = sizeof(real);
	struct stat st;

	if (getsockname(b->fds[0], (struct sockaddr *)&real, &len))
		listen_text(b->text, sizeof(b->text), &b->addr, b->addr_len);
	else
		listen_text(b->text, sizeof(b->text), &real, len);
	if (is_unix_file(&b->addr) &&
	    !lstat(((const struct sockaddr_un *)&b->addr)->sun_path, &st)) {
		b->dev = st.st_dev;
		b->ino = st.st_ino;
		b->made = st.st_mtim;
	}
}

/* Behind those that are there: of several that were configured alike (port 0), each finds its own
 * again. */
static void append(struct bound **list, struct bound *b)
{
	while (*list)
		list = &(*list)->next;
	b->next = NULL;
	*list = b;
}

int listen_restore(struct listen_set *set, const struct bound *b, const int *fds, unsigned count)
{
	struct bound *copy = calloc(1, sizeof(*copy));

	if (!copy)
		return -1;
	*copy = *b;
	copy->fds = calloc(count, sizeof(*fds));
	if (!copy->fds) {
		free(copy);
		return -1;
	}
	memcpy(copy->fds, fds, count * sizeof(*fds));
	copy->count = count;
	copy->users = 1;
	copy->ticket = 0;
	name_bound(copy);
	if (b->ino) {
		copy->dev = b->dev;
		copy->ino = b->ino;
		copy->made = b->made;
	}
	append(&set->first, copy);
	return 0;
}

int listen_grow(struct bound *b, unsigned sockets)
{
	struct sockaddr_storage real = {0};
	socklen_t len = sizeof(real);

	if (!b->reuseport || b->inherited || b->count >= sockets)
		return 0;
	if (getsockname(b->fds[0], (struct sockaddr *)&real, &len))
		return -1;
	while (b->count < sockets) {
		int fd = open_socket(&real, len, true, 0, b->backlog);

		if (fd < 0)
			return -1;
		if (add_fd(b, fd)) {
			close(fd);
			errno = ENOMEM;
			return -1;
		}
	}
	return 0;
}

static struct bound *bound_new(const struct sockaddr_storage *addr, socklen_t len, int fd)
{
	struct bound *b = calloc(1, sizeof(*b));

	if (!b)
		return NULL;
	memcpy(&b->addr, addr, len);
	b->addr_len = len;
	if (add_fd(b, fd)) {
		free(b);
		errno = ENOMEM;
		return NULL;
	}
	return b;
}

/* Takes the first of a list that has this address and was not taken with this ticket yet. */
static struct bound **find(struct bound **list, const struct sockaddr_storage *addr,
			   unsigned ticket)
{
	for (; *list; list = &(*list)->next)
		if (same_address(&(*list)->addr, addr) && (*list)->ticket != ticket)
			return list;
	return NULL;
}

/* Moves an inherited address to the set's own. */
static struct bound *claim(struct listen_set *set, const struct sockaddr_storage *addr)
{
	struct bound **at = find(&set->inherited, addr, set->tickets + 1);

	if (!at)
		return NULL;
	struct bound *b = *at;

	*at = b->next;
	append(&set->first, b);
	return b;
}

static struct bound *bind_new(struct listen_set *set, const struct listener *l,
			      const struct sockaddr_storage *addr)
{
	bool reuseport = l->reuseport && addr->ss_family != AF_UNIX;
	int fd = open_socket(addr, l->addr_len, reuseport, l->mode, l->backlog);

	if (fd < 0)
		return NULL;
	struct bound *b = bound_new(addr, l->addr_len, fd);

	if (!b) {
		close(fd);
		return NULL;
	}
	b->reuseport = reuseport;
	append(&set->first, b);
	return b;
}

static void unlink_from(struct bound **list, struct bound *b)
{
	while (*list && *list != b)
		list = &(*list)->next;
	if (*list)
		*list = b->next;
}

static const char *why(int e)
{
	return e == EEXIST ? "there is a file of that name which is no socket" : strerror(e);
}

struct bound *listen_get(struct listen_set *set, const struct listener *l, unsigned ticket,
			 unsigned sockets, char *error, size_t size)
{
	struct sockaddr_storage addr = {0};

	memcpy(&addr, &l->addr, l->addr_len);
	struct bound **known = find(&set->first, &addr, ticket);
	struct bound *b = known ? *known : NULL;

	if (!b) {
		b = claim(set, &addr);
		if (!b)
			b = bind_new(set, l, &addr);
		if (!b)
			goto fail;
		b->backlog = l->backlog;
		name_bound(b);
	}
	if (listen_grow(b, sockets))
		goto fail;
	b->users++;
	b->ticket = ticket;
	return b;
fail:
	snprintf(error, size, "cannot listen on %s: %s", l->address, why(errno));
	if (b && !b->users) {
		b->users = 1;
		listen_put(set, b);
	}
	return NULL;
}

void listen_apply(struct bound *b, const struct listener *l)
{
	if (b->inherited)
		return;
	if (b->backlog != l->backlog)
		for (unsigned j = 0; j < b->count; j++)
			listen(b->fds[j], l->backlog);
	b->backlog = l->backlog;
	if (is_unix_file(&b->addr))
		chmod(((const struct sockaddr_un *)&b->addr)->sun_path, l->mode);
}

/* Whether the socket's file is still the one that was bound here, and not that of a successor,
 * which may have its inode number. */
static bool owns_file(const struct bound *b)
{
	struct stat st;

	return is_unix_file(&b->addr) && !b->inherited && b->ino &&
	       !lstat(((const struct sockaddr_un *)&b->addr)->sun_path, &st) &&
	       st.st_dev == b->dev && st.st_ino == b->ino && st.st_mtim.tv_sec == b->made.tv_sec &&
	       st.st_mtim.tv_nsec == b->made.tv_nsec;
}

void listen_put(struct listen_set *set, struct bound *b)
{
	if (--b->users)
		return;
	unlink_from(&set->first, b);
	if (owns_file(b))
		unlink(((const struct sockaddr_un *)&b->addr)->sun_path);
	destroy(b);
}

void listen_close_socket(struct bound *b, unsigned j)
{
	if (b->fds[j] >= 0)
		close(b->fds[j]);
	b->fds[j] = -1;
}

unsigned listen_unclaimed(struct listen_set *set)
{
	unsigned n = 0;

	while (set->inherited) {
		struct bound *b = set->inherited;

		set->inherited = b->next;
		n += b->count;
		destroy(b);
	}
	return n;
}

static bool is_listening_stream(int fd)
{
	int type = 0, accepts = 0;
	socklen_t len = sizeof(type);

	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) || type != SOCK_STREAM)
		return false;
	len = sizeof(accepts);
	return !getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &accepts, &len) && accepts;
}

/* Several sockets of one address are a reuseport group. */
static int adopt(struct listen_set *set, int fd)
{
	struct sockaddr_storage addr = {0};
	socklen_t len = sizeof(addr);
	int on = 1;

	if (!is_listening_stream(fd) || getsockname(fd, (struct sockaddr *)&addr, &len))
		return -1;
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	if (addr.ss_family != AF_UNIX)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	struct bound **same = find(&set->inherited, &addr, set->tickets + 1);

	if (same) {
		(*same)->reuseport = true;
		return add_fd(*same, fd);
	}
	struct bound *b = bound_new(&addr, len, fd);

	if (!b)
		return -1;
	b->inherited = true;
	b->next = set->inherited;
	set->inherited = b;
	return 0;
}

int listen_inherit(struct listen_set *set)
{
	const char *pid = getenv("LISTEN_PID"), *fds = getenv("LISTEN_FDS");
	int n = 0, refused = 0;

	if (pid && fds && strtol(pid, NULL, 10) == getpid())
		n = (int)strtol(fds, NULL, 10);
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
	if (n < 0 || n > 1024) {
		errno = EINVAL;
		return -1;
	}
	for (int fd = FIRST_PASSED_FD; fd < FIRST_PASSED_FD + n; fd++) {
		if (adopt(set, fd)) {
			close(fd);
			refused++;
		}
	}
	return refused;
}

void listen_queue(const struct bound *b, uint64_t *now_out, uint64_t *max_out)
{
	*now_out = *max_out = 0;
	for (unsigned j = 0; j < b->count; j++) {
		struct tcp_info info = {0};
		socklen_t len = sizeof(info);

		if (b->fds[j] < 0)
			continue;
		if (b->addr.ss_family == AF_UNIX ||
		    getsockopt(b->fds[j], IPPROTO_TCP, TCP_INFO, &info, &len)) {
			*max_out += (uint64_t)b->backlog;
			continue;
		}
		*now_out += info.tcpi_unacked;
		*max_out += info.tcpi_sacked;
	}
}

static bool is_kept(int fd, const int *keep, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (keep[i] == fd)
			return true;
	return false;
}

static void forget_list(const struct bound *b, const int *keep, unsigned n)
{
	for (; b; b = b->next)
		for (unsigned j = 0; j < b->count; j++)
			if (b->fds[j] >= 0 && !is_kept(b->fds[j], keep, n))
				close(b->fds[j]);
}

void listen_forget(const struct listen_set *set, const int *keep, unsigned n)
{
	forget_list(set->first, keep, n);
	forget_list(set->inherited, keep, n);
}
