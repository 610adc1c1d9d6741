/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See adopt.h. Whom the kernel names as the sender (SCM_CREDENTIALS) is who it is; the rest of what
 * a worker says is checked where it is used. Called by boot.c, birth.c, slot.c and child.c.
 */
#include "master/adopt.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "master/policy.h"
#include "shm/kill.h"
#include "shm/reader.h"
#include "worker/clock.h"
#include "worker/errlog.h"
#include "worker/orphan.h"

enum {
	ORPHANS_MOST = 1024
};

struct orphan {
	int fd; /* owned; -1: given up */
	uint32_t slot, half;
	pid_t pid;
	bool heard; /* the hello is there */
	bool whole; /* and all its sockets */
	struct orphan_hello hello;
	uint32_t sockets; /* received so far */
};

/* By way of the descriptor: a run directory may have a longer name than an address takes. */
static socklen_t address(struct sockaddr_un *un, int rundir_fd, uint32_t slot, uint32_t half)
{
	*un = (struct sockaddr_un){.sun_family = AF_UNIX};
	snprintf(un->sun_path, sizeof(un->sun_path), "/proc/self/fd/%d/worker.%u.%u", rundir_fd,
		 slot, half);
	return sizeof(*un);
}

void adopt_unlink(int rundir_fd, uint32_t slot, uint32_t half)
{
	char name[48];

	snprintf(name, sizeof(name), "worker.%u.%u", slot, half);
	unlinkat(rundir_fd, name, 0);
	kill_socket_name(name, slot, half);
	unlinkat(rundir_fd, name, 0);
}

static int bind_privately(int fd, const struct sockaddr_un *un, socklen_t len)
{
	mode_t old = umask(0177);
	int bad = bind(fd, (const struct sockaddr *)un, len), e = errno;

	umask(old);
	errno = e;
	return bad;
}

static int close_keeping_errno(int fd)
{
	int e = errno;

	close(fd);
	errno = e;
	return -1;
}

int adopt_listen(int rundir_fd, uint32_t slot, uint32_t half)
{
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_un un;
	socklen_t len = address(&un, rundir_fd, slot, half);

	if (fd < 0)
		return -1;
	adopt_unlink(rundir_fd, slot, half);
	if (!bind_privately(fd, &un, len) && !listen(fd, 4))
		return fd;
	return close_keeping_errno(fd);
}

int adopt_open_ctl(int rundir_fd, uint32_t slot, uint32_t half)
{
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), on = 1;
	struct sockaddr_un un;
	socklen_t len = kill_address(&un, rundir_fd, slot, half);

	if (fd < 0)
		return -1;
	if (!setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) &&
	    !bind_privately(fd, &un, len))
		return fd;
	return close_keeping_errno(fd);
}

static long uid_of(pid_t pid)
{
	char path[64], line[128];
	long uid = -1;

	snprintf(path, sizeof(path), "/proc/%ld/status", (long)pid);
	FILE *in = fopen(path, "re");

	while (in && fgets(line, sizeof(line), in))
		if (sscanf(line, "Uid: %ld", &uid) == 1)
			break;
	if (in)
		fclose(in);
	return uid;
}

static bool is_worker(pid_t pid)
{
	char path[64], name[32] = "";

	snprintf(path, sizeof(path), "/proc/%ld/comm", (long)pid);
	FILE *in = fopen(path, "re");

	if (in && !fgets(name, sizeof(name), in))
		name[0] = '\0';
	if (in)
		fclose(in);
	return !strncmp(name, "drover-w", 8);
}

int adopt_is_kin(pid_t pid, pid_t like)
{
	long uid = pid > 1 ? uid_of(pid) : -1;

	return uid >= 0 && is_worker(pid) && (!like || uid == uid_of(like));
}

/* Calling on them. */

static void call_on(struct orphan *o, int rundir_fd)
{
	struct sockaddr_un un;
	socklen_t len = address(&un, rundir_fd, o->slot, o->half);
	int on = 1;

	o->fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (o->fd < 0)
		return;
	setsockopt(o->fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on));
	if (!connect(o->fd, (const struct sockaddr *)&un, len))
		return;
	if (errno == ECONNREFUSED || errno == ENOENT)
		adopt_unlink(rundir_fd, o->slot, o->half);
	close(o->fd);
	o->fd = -1;
}

static unsigned call_on_all(struct orphan *all, const char *rundir, int rundir_fd)
{
	DIR *dir = opendir(rundir);
	const struct dirent *e;
	unsigned n = 0;

	while (dir && n < ORPHANS_MOST && (e = readdir(dir))) {
		struct orphan o = {.fd = -1};
		char end;

		if (sscanf(e->d_name, "worker.%u.%u%c", &o.slot, &o.half, &end) != 2)
			continue;
		call_on(&o, rundir_fd);
		if (o.fd >= 0)
			all[n++] = o;
	}
	if (dir)
		closedir(dir);
	return n;
}

/* Hearing them. */

static void give_up(struct orphan *o)
{
	if (o->fd >= 0)
		close(o->fd);
	o->fd = -1;
}

static bool same_address(const struct state_listener *l, const struct orphan_socket *s)
{
	return l->addr_len == s->addr_len && !memcmp(&l->addr, &s->addr, s->addr_len);
}

static uint64_t cookie_of(int fd)
{
	uint64_t cookie = 0;
	socklen_t len = sizeof(cookie);

	getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &len);
	return cookie;
}

static uint64_t inode_of(int fd)
{
	struct stat st;

	return fstat(fd, &st) ? 0 : st.st_ino;
}

/* Several workers have the same socket. */
static bool has_socket(const struct state_listener *l, int fd)
{
	for (uint32_t i = 0; i < l->fds_count; i++)
		if (inode_of(l->fds[i]) == inode_of(fd) && cookie_of(l->fds[i]) == cookie_of(fd))
			return true;
	return false;
}

/* Two listeners with port 0 have one configured address: these differ in what they are bound to. */
static bool is_bound_alike(int a, int b)
{
	struct sockaddr_storage one = {0}, other = {0};
	socklen_t one_len = sizeof(one), other_len = sizeof(other);

	return !getsockname(a, (struct sockaddr *)&one, &one_len) &&
	       !getsockname(b, (struct sockaddr *)&other, &other_len) && one_len == other_len &&
	       !memcmp(&one, &other, one_len);
}

static int take_socket(struct state *out, const struct orphan_socket *s, int fd)
{
	struct state_listener *l = NULL;

	for (uint32_t i = 0; i < out->listeners_count && !l; i++)
		if (same_address(&out->listeners[i], s) &&
		    is_bound_alike(out->listeners[i].fds[0], fd))
			l = &out->listeners[i];
	if (l && has_socket(l, fd)) {
		close(fd);
		return 0;
	}
	if (!l) {
		l = state_add_listener(out);
		if (!l)
			return -1;
		l->addr = s->addr;
		l->addr_len = s->addr_len;
		l->backlog = (int)s->backlog;
		l->opened = s->msg.generation;
	}
	l->reuseport = s->reuseport && s->addr.ss_family != AF_UNIX;
	return state_add_fd(&l->fds, &l->fds_count, fd);
}

struct letter {
	union {
		struct control_msg msg;
		struct orphan_hello hello;
		struct orphan_socket socket;
	};
	pid_t pid; /* of its sender, as the kernel says; 0: unknown */
	int fd;    /* that came with it; -1: none */
	size_t len;
};

/* Returns 1; 0: nothing is there; -1: it is gone. */
static int receive(int fd, struct letter *l)
{
	alignas(
	    struct cmsghdr) char space[CMSG_SPACE(sizeof(struct ucred)) + CMSG_SPACE(sizeof(int))];
	struct iovec iov = {l, offsetof(struct letter, pid)};
	struct msghdr h = {.msg_iov = &iov,
			   .msg_iovlen = 1,
			   .msg_control = space,
			   .msg_controllen = sizeof(space)};

	*l = (struct letter){.fd = -1};
	ssize_t n = recvmsg(fd, &h, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	for (struct cmsghdr *c = n > 0 ? CMSG_FIRSTHDR(&h) : NULL; c; c = CMSG_NXTHDR(&h, c)) {
		struct ucred from;

		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
			memcpy(&l->fd, CMSG_DATA(c), sizeof(l->fd));
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_CREDENTIALS)
			continue;
		memcpy(&from, CMSG_DATA(c), sizeof(from));
		l->pid = from.pid;
	}
	l->len = n > 0 ? (size_t)n : 0;
	return n > 0 ? 1 : -1;
}

static bool is_hello(const struct letter *l, const struct orphan *o)
{
	return l->len == sizeof(l->hello) && l->msg.kind == CONTROL_ORPHAN &&
	       l->msg.flags == ORPHAN_VERSION && l->msg.slot == o->slot && l->pid > 0 &&
	       l->hello.row == o->slot * BOARD_HALVES + o->half;
}

/* False: it talks nonsense, or another language. */
static bool take_letter(struct orphan *o, const struct letter *l, struct state *out)
{
	if (!o->heard && is_hello(l, o)) {
		o->heard = true;
		o->pid = l->pid;
		o->hello = l->hello;
	} else if (o->heard && l->len == sizeof(l->socket) && l->msg.kind == CONTROL_SOCKET &&
		   l->fd >= 0 && l->socket.addr_len <= sizeof(l->socket.addr)) {
		if (take_socket(out, &l->socket, l->fd))
			close(l->fd);
		o->sockets++;
	} else {
		if (l->fd >= 0)
			close(l->fd);
		return false;
	}
	o->whole = o->sockets == o->hello.sockets;
	return true;
}

static void hear(struct orphan *o, struct state *out)
{
	struct letter l;
	int n = 0;

	while (!o->whole && (n = receive(o->fd, &l)) > 0) {
		if (take_letter(o, &l, out))
			continue;
		errlog(ERRLOG_WARN,
		       "worker %u of the former master is of a version that cannot be taken over: "
		       "it ends by itself",
		       o->slot);
		n = -1;
		break;
	}
	if (n < 0)
		give_up(o);
}

static void hear_all(struct orphan *all, unsigned n, struct state *out, uint64_t until_us)
{
	struct pollfd polls[ORPHANS_MOST];
	uint64_t now_us;

	while ((now_us = clock_now_us()) < until_us) {
		unsigned waiting = 0;

		for (unsigned i = 0; i < n; i++)
			if (all[i].fd >= 0 && !all[i].whole)
				polls[waiting++] = (struct pollfd){.fd = all[i].fd,
								   .events = POLLIN};
		if (!waiting)
			return;
		poll(polls, waiting, (int)((until_us - now_us) / 1000) + 1);
		for (unsigned i = 0; i < n; i++)
			if (all[i].fd >= 0 && !all[i].whole)
				hear(&all[i], out);
	}
}

/* Their standbys go on, if they have any. The board tells who they are. */
static void end_silent(struct orphan *all, unsigned n, const char *rundir)
{
	char why[256];
	struct reader *r = reader_open(rundir, why, sizeof(why));
	const struct board_table *t = r ? reader_table(r, "worker") : NULL;
	struct reader_row row = {0};

	for (unsigned i = 0; t && i < n; i++) {
		if (all[i].fd < 0 || all[i].whole ||
		    reader_copy(r, t, all[i].slot * BOARD_HALVES + all[i].half, &row) < 0)
			continue;
		pid_t pid = (pid_t)reader_row_u64(&row, "pid");

		if (!adopt_is_kin(pid, 0))
			continue;
		errlog(ERRLOG_ERROR,
		       "worker %u (pid %ld) of the former master does not answer; killing it",
		       all[i].slot, (long)pid);
		kill(pid, SIGKILL);
	}
	reader_row_free(&row);
	reader_close(r);
}

/* What they have said. */

static int note_generation(struct state *out, const struct orphan_hello *h)
{
	for (uint32_t i = 0; i < out->generations_count; i++)
		if (out->generations[i].number == h->msg.generation)
			return 0;
	struct state_generation *g = state_add_generation(out);

	if (!g)
		return -1;
	*g = (struct state_generation){h->msg.generation, h->drain_us, h->hang_us};
	return 0;
}

static int note_child(struct state *out, struct orphan *o, uint64_t now_us)
{
	const struct orphan_hello *h = &o->hello;
	struct state_child *c = state_add_child(out);

	if (!c || note_generation(out, h))
		return -1;
	*c = (struct state_child){
	    .slot = o->slot,
	    .half = o->half,
	    .generation = h->msg.generation,
	    .pid = o->pid,
	    .standby = adopt_is_kin((pid_t)h->standby, o->pid) ? (pid_t)h->standby : 0,
	    .instance = h->msg.arg_us,
	    .control_fd = o->fd,
	    .asked = h->draining,
	    .started_us = h->started_us,
	    .ready_us = now_us,
	    .deadline_us = h->draining ? h->until_us + POLICY_OVERDUE_US : 0,
	    .until_us = h->until_us,
	};
	strlcpy(c->state, h->draining ? "draining" : "ready", sizeof(c->state));
	if (h->msg.generation > out->last)
		out->last = h->msg.generation;
	if (h->msg.arg_us > out->instances)
		out->instances = h->msg.arg_us;
	return 0;
}

/* No connection shall have a number that was there before. */
static void note_board(struct state *out, const char *rundir)
{
	char path[PATH_MAX], why[256];
	struct reader *r;
	struct reader_row row = {0};
	const struct board_table *t;

	snprintf(path, sizeof(path), "%s/%s", rundir, BOARD_FILE);
	out->board_fd = open(path, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
	r = reader_open(path, why, sizeof(why));
	t = r ? reader_table(r, "master") : NULL;
	if (t && reader_copy(r, t, 0, &row) >= 0) {
		uint64_t starts = reader_row_u64(&row, "worker_starts");
		uint64_t number = reader_row_u64(&row, "generation");

		if (starts > out->instances)
			out->instances = starts;
		if (number > out->last && number <= UINT32_MAX / 2)
			out->last = (uint32_t)number;
	}
	reader_row_free(&row);
	reader_close(r);
}

static int note_all(struct state *out, struct orphan *all, unsigned n, const char *rundir)
{
	uint64_t now_us = clock_now_us();
	int found = 0;

	for (unsigned i = 0; i < n; i++) {
		if (all[i].fd >= 0 && !all[i].whole)
			give_up(&all[i]);
		if (all[i].fd < 0)
			continue;
		if (note_child(out, &all[i], now_us))
			return -1;
		found++;
	}
	if (found)
		note_board(out, rundir);
	out->number = out->last;
	return found;
}

int adopt_find(struct state *out, const char *rundir, int rundir_fd)
{
	struct orphan *all = calloc(ORPHANS_MOST, sizeof(*all));
	int found;

	*out = STATE_EMPTY;
	if (!all)
		return -1;
	unsigned n = call_on_all(all, rundir, rundir_fd);

	hear_all(all, n, out, clock_now_us() + POLICY_SECOND_US / 2);
	end_silent(all, n, rundir);
	hear_all(all, n, out, clock_now_us() + POLICY_SECOND_US * 3 / 2);
	found = note_all(out, all, n, rundir);
	free(all);
	return found;
}
