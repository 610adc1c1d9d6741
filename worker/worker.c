/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The worker: one thread, one event loop. It owns the epoll descriptor and the clock, and calls the
 * files that know what to do: accept.c, http/serve.c, the timers. A callback never frees a record;
 * the loop buries what was closed at the end of its turn.
 */
#include "worker/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "shm/ident.h"
#include "worker/accept.h"
#include "worker/accesslog.h"
#include "worker/blackbox.h"
#include "worker/clock.h"
#include "worker/conn.h"
#include "worker/ending.h"
#include "worker/errlog.h"
#include "worker/handover.h"
#include "worker/http/files.h"
#include "worker/http/proxy.h"
#include "worker/http/serve.h"
#include "worker/orphan.h"
#include "worker/queue.h"
#include "worker/standby.h"
#include "worker/takeover.h"

/* Event data: what kind of thing in the upper bits, which one in the lower half. */
#define TAG_SHIFT   56
#define TAG_CONN    ((uint64_t)0 << TAG_SHIFT)
#define TAG_LISTEN  ((uint64_t)1 << TAG_SHIFT)
#define TAG_CONTROL ((uint64_t)2 << TAG_SHIFT)
#define TAG_GIVE    ((uint64_t)3 << TAG_SHIFT) /* the channel that connections leave by */
#define TAG_ADOPT   ((uint64_t)5 << TAG_SHIFT) /* a new master */
#define TAG_UP      ((uint64_t)6 << TAG_SHIFT) /* a connection to a peer */
#define TAG_CTL     ((uint64_t)7 << TAG_SHIFT) /* droverctl kill */
#define TAG_TAKE \
	((uint64_t)4 << TAG_SHIFT) /* those that they come by: the lower half is the descriptor */

enum {
	EVENTS_A_TURN = 512,
	ID_BITS = 24, /* of a connection's number, between tag and record */
	SECOND_US = 1000000,
	ALONE_US = 2 * SECOND_US, /* a draining worker waits so long for another successor */
	LOG_FDS_MOST = 64
};

/* What became of the connections of a drain. */
struct outcome {
	uint64_t moved, finished, idle, forced, refused;
};

/* In the arena: what a worker leaves to its standby besides the records. */
struct legacy {
	struct standby_history history;
	uint64_t drain_us; /* CLOCK_MONOTONIC, of a drain, or when an orphan drains; 0: neither */
	struct outcome before; /* when the drain began */
	bool final;            /* drained as CONTROL_FINAL */
	bool lame_duck;
};

struct worker {
	const struct worker_env *env;
	struct worker_row *row;
	struct clock clock;
	struct arena arena;
	struct conns conns;
	struct acceptor acceptor;
	struct accesslog log;
	struct ups ups;
	struct queues queues;
	struct http *http;
	int epoll_fd;
	bool orphan;
	bool leave;
	uint64_t tick_us; /* when the next second's work is due */
	struct legacy *legacy;
	bool unguarded;           /* the standby died: clone another one before the next turn */
	int pid_fd;               /* of this process, for its standby; owned */
	int standby_fd;           /* of the standby; owned; -1: none */
	pid_t standby;            /* the process behind it */
	struct handover_out out;  /* while the connections of this worker move to another one */
	struct handover_out gift; /* while some of them do */
	uint32_t takes;           /* channels that connections come by */
	uint64_t alone_us;        /* another successor is waited for until then; 0: not */
	uint64_t lag_us;          /* longest turn since the last tick */
	struct epoll_event events[EVENTS_A_TURN];
};

static int fail(const char *what)
{
	errlog(ERRLOG_ERROR, "worker cannot start: %s: %s", what, strerror(errno));
	return -1;
}

static int poll_control(struct worker *w)
{
	struct epoll_event e = {.events = EPOLLIN, .data.u64 = TAG_CONTROL};

	return epoll_ctl(w->epoll_fd, EPOLL_CTL_ADD, w->env->control_fd, &e);
}

/* A worker without it serves as well as others. */
static void poll_ctl(struct worker *w)
{
	struct epoll_event e = {.events = EPOLLIN, .data.u64 = TAG_CTL};

	if (w->env->ctl_fd >= 0)
		(void)epoll_ctl(w->epoll_fd, EPOLL_CTL_ADD, w->env->ctl_fd, &e);
}

static void publish_identity(struct worker *w)
{
	struct rlimit limit;

	board_write_begin(&w->row->seq);
	w->row->slot = w->env->slot;
	w->row->generation = w->env->generation;
	w->row->pid = (uint64_t)getpid();
	w->row->started_us = w->clock.now_us;
	w->row->drain_us = 0;
	board_write_end(&w->row->seq);
	board_set(&w->row->beat_us, w->clock.now_us);
	board_set(&w->row->fds, 0);
	board_set(&w->row->lag_us, 0);
	board_set(&w->row->file_cache_entries, 0);
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
		board_set(&w->row->fds_max, limit.rlim_cur);
}

/* Whom a line of the error log is about: the connection that is being served. */
static void subject(const void *arg, char *out, size_t size)
{
	const struct worker *w = arg;
	uint32_t touching = w->row->touching;
	const struct conn_row *row;
	char id[IDENT_ROOM] = "";

	if (touching == 0 || touching > w->conns.max)
		return;
	row = conn_row(&w->conns, touching - 1);
	if (row->request_us != 0)
		ident_text(row->id_form, row->request_high, row->request_low, id);
	snprintf(out, size, "conn=%llu %s%s%s", (unsigned long long)row->id,
		 id[0] != '\0' ? "req=" : "", id, id[0] != '\0' ? " " : "");
}

static void set_state(struct worker *w, enum worker_state state)
{
	__atomic_store_n(&w->row->state, (uint32_t)state, __ATOMIC_RELEASE);
}

static int start(struct worker *w)
{
	const struct settings *s = w->env->settings;
	const struct conns_env conns_env = {.settings = s,
					    .clock = &w->clock,
					    .board = w->env->board,
					    .worker_row = w->env->row,
					    .first_id = w->env->next_conn_id};

	clock_read(&w->clock);
	publish_identity(w);
	if (arena_create(&w->arena, "drover-arena",
			 conns_room(s) + ups_room(s) + accesslog_room(s) +
			     arena_room(sizeof *w->legacy)) != 0)
		return fail("arena");
	w->legacy = arena_take(&w->arena, sizeof *w->legacy);
	w->legacy->history.owner = getpid();
	standby_note_crashes(&w->legacy->history);
	if (conns_init(&w->conns, &conns_env, &w->arena) != 0)
		return fail("connection records");
	if (ups_init(&w->ups, &w->conns, &w->arena) != 0)
		return fail("records of connections to peers");
	w->conns.ups = &w->ups;
	if (queues_init(&w->queues, &w->conns) != 0)
		return fail("queues of upstreams");
	w->conns.queues = &w->queues;
	if (accesslog_init(&w->log, s, &w->arena, w->env->log_fds, w->row) != 0)
		return fail("access log");
	w->http = calloc(1, sizeof *w->http);
	if (w->http == NULL)
		return fail("memory");
	w->http->cs = &w->conns;
	w->http->settings = s;
	w->http->log = &w->log;
	w->http->ups = &w->ups;
	if (trace_key_draw(&w->http->key) != 0)
		return fail("random numbers");
	w->http->files = files_new(s, &w->conns.files, w->row);
	if (w->http->files == NULL)
		return fail("file cache");
	pages_init(&w->http->pages, w->env->board, &w->conns.files);
	w->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (w->epoll_fd < 0 || poll_control(w) != 0)
		return fail("epoll");
	w->ups.epoll_fd = w->epoll_fd;
	w->ups.tag = TAG_UP;
	poll_ctl(w);
	if (acceptor_init(&w->acceptor, &w->conns, w->env, w->epoll_fd, TAG_LISTEN) != 0)
		return fail("listening sockets");
	return 0;
}

static void say_with(struct worker *w, enum control_kind kind, uint64_t arg_us)
{
	const struct control_msg m = {
	    .kind = kind, .generation = w->env->generation, .slot = w->env->slot, .arg_us = arg_us};

	if (!w->orphan)
		(void)send(w->env->control_fd, &m, sizeof m, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void say(struct worker *w, enum control_kind kind)
{
	say_with(w, kind, 0);
}

/* The record, and enough of the connection's number to tell it from the next one there: a socket
 * that another process still holds for a moment goes on reporting after it was closed here. */
static uint64_t conn_data(const struct worker *w, uint32_t i)
{
	const uint64_t number = conn_row(&w->conns, i)->id & (((uint64_t)1 << ID_BITS) - 1);

	return TAG_CONN | number << 32 | i;
}

/* Edge-triggered and once for the life of the connection: no further epoll_ctl is needed. */
static void poll_conn(struct worker *w, uint32_t i)
{
	struct conn *c = conn_at(&w->conns, i);
	struct epoll_event e = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
				.data.u64 = conn_data(w, i)};

	if (c->doomed)
		return;
	if (epoll_ctl(w->epoll_fd, EPOLL_CTL_ADD, c->fd, &e) != 0) {
		conn_close(&w->conns, i, CLOSE_NO_ROOM, true);
		return;
	}
	c->flags |= CONN_POLLED;
}

/* Handover: a connection leaves epoll, or comes (back) to it. */
static void unwatch(void *arg, uint32_t i)
{
	struct worker *w = arg;
	const struct conn *c = conn_at(&w->conns, i);

	(void)epoll_ctl(w->epoll_fd, EPOLL_CTL_DEL, c->fd, NULL);
	if (c->up != 0)
		up_unwatch(&w->ups, c->up - 1);
}

/* The peer's side of what it does. */
static void watch_up(struct worker *w, uint32_t i)
{
	const struct conn *c = conn_at(&w->conns, i);

	if (!c->doomed && c->up != 0 && up_watch(&w->ups, c->up - 1) != 0)
		conn_close(&w->conns, i, CLOSE_NO_ROOM, true);
}

static void watch(void *arg, uint32_t i)
{
	struct worker *w = arg;

	poll_conn(w, i);
	watch_up(w, i);
	http_resume(w->http, i);
}

static struct handover_ops handover_ops(struct worker *w)
{
	return (struct handover_ops){.unwatch = unwatch, .watch = watch, .arg = w};
}

static void open_conn(struct worker *w, uint32_t i)
{
	http_open(w->http, i);
	poll_conn(w, i);
}

static void accept_batch(struct worker *w, uint32_t k)
{
	uint32_t want = acceptor_batch(&w->acceptor), taken;

	for (taken = 0; taken < want; taken++) {
		uint32_t i = acceptor_take(&w->acceptor, k);

		if (i == CONN_NONE)
			break;
		open_conn(w, i);
	}
	acceptor_learn(&w->acceptor, taken);
}

/* Nobody accepts after this worker: what waits in the queues is served before they are closed. */
static void accept_the_rest(struct worker *w)
{
	for (uint32_t k = 0; k < w->env->listen_count; k++) {
		uint32_t i;

		while ((i = acceptor_take(&w->acceptor, k)) != CONN_NONE)
			open_conn(w, i);
	}
}

/* The polite way, for what does not move. */
static void drain_in_place(struct worker *w)
{
	uint64_t until_us = w->legacy->drain_us;
	uint64_t left = until_us > w->clock.now_us ? until_us - w->clock.now_us : 0;

	if (w->conns.draining)
		return;
	/* Idle clients get a moment for one more request, which is answered with Connection: close;
	 * spread, so that they do not all come back at once. */
	http_drain(w->http, left / 3 < SECOND_US ? left / 3 : SECOND_US);
	errlog(ERRLOG_INFO, "draining %llu connections", (unsigned long long)w->row->conns);
}

static void stop_giving(struct worker *w, struct handover_out *o)
{
	const struct handover_ops ops = handover_ops(w);

	handover_end(o, &w->conns, &ops);
}

static int start_giving(struct worker *w, struct handover_out *o, int fd, uint32_t limit)
{
	struct epoll_event e = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.u64 = TAG_GIVE};

	if (epoll_ctl(w->epoll_fd, EPOLL_CTL_ADD, fd, &e) != 0)
		return -1;
	handover_begin(o, fd, limit);
	return 0;
}

static enum handover_state go_on_giving(struct worker *w, struct handover_out *o)
{
	const struct handover_ops ops = handover_ops(w);
	enum handover_state state = handover_read_acks(o, &w->conns, &ops);

	if (state != HANDOVER_BROKEN)
		state = handover_send(o, &w->conns, &ops);
	ups_bury(&w->ups);
	conns_bury(&w->conns);
	return state;
}

/* The connections of a draining worker have nowhere to go: the master is asked for another
 * successor. */
static void be_alone(struct worker *w)
{
	if (w->orphan) {
		drain_in_place(w);
		return;
	}
	w->alone_us = w->clock.now_us + ALONE_US;
	say(w, CONTROL_ALONE);
}

/* Goes on handing over everything. */
static void give(struct worker *w)
{
	if (w->out.fd < 0)
		return;
	if (go_on_giving(w, &w->out) == HANDOVER_BROKEN) {
		errlog(ERRLOG_WARN, "the successor is gone: %llu connections have not moved",
		       (unsigned long long)w->row->conns);
		stop_giving(w, &w->out);
		be_alone(w);
	} else if (w->row->conns == 0 && w->takes == 0) {
		stop_giving(w, &w->out);
	}
}

/* Goes on giving some idle connections to a worker that has fewer. */
static void give_some(struct worker *w)
{
	if (w->gift.fd < 0)
		return;
	if (go_on_giving(w, &w->gift) != HANDOVER_BROKEN && !handover_done(&w->gift, &w->conns))
		return;
	stop_giving(w, &w->gift);
	conns_bury(&w->conns);
	say_with(w, CONTROL_GIVEN, w->gift.taken);
}

static void start_gift(struct worker *w, uint64_t count, int fd)
{
	bool may = w->row->state == WORKER_READY && w->gift.fd < 0 && count > 0 &&
		   count <= UINT32_MAX;

	if (fd >= 0 && may && start_giving(w, &w->gift, fd, (uint32_t)count) == 0)
		return;
	if (fd >= 0)
		close(fd);
	say_with(w, CONTROL_GIVEN, 0);
}

/* Connections may come from another worker by fd. */
static void start_taking(struct worker *w, int fd)
{
	struct epoll_event e = {.events = EPOLLIN, .data.u64 = TAG_TAKE | (uint32_t)fd};

	if (epoll_ctl(w->epoll_fd, EPOLL_CTL_ADD, fd, &e) != 0) {
		close(fd);
		return;
	}
	handover_channel(fd);
	w->takes++;
}

/* A few messages a turn: who is served here already must not wait for a whole herd to come in. */
static void take(struct worker *w, int fd)
{
	enum {
		MESSAGES_A_TURN = 4
	};
	uint32_t taken[MOVED_BATCH], count;

	for (int k = 0; k < MESSAGES_A_TURN; k++) {
		int more = handover_receive(fd, &w->conns, taken, &count);

		for (uint32_t n = 0; n < count; n++)
			watch(w, taken[n]);
		if (more > 0)
			continue;
		if (more < 0) {
			/* The master may hold it for another moment: epoll would go on with it. */
			(void)epoll_ctl(w->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
			close(fd);
			w->takes--;
		}
		return;
	}
}

static struct outcome outcome_now(const struct worker *w)
{
	return (struct outcome){.moved = w->row->close_moved,
				.finished = w->row->drained_finished,
				.idle = w->row->drained_idle,
				.forced = w->row->drained_forced,
				.refused = w->row->moved_refused};
}

static void tell_outcome(const struct worker *w)
{
	struct outcome now = outcome_now(w);
	const struct outcome *b = &w->legacy->before;
	bool all_moved = now.finished == b->finished && now.idle == b->idle &&
			 now.forced == b->forced && now.refused == b->refused;

	errlog(all_moved ? ERRLOG_INFO : ERRLOG_NOTICE,
	       "drained in %llu ms: %llu connections moved, %llu ended after their response, "
	       "%llu closed idle, %llu cut; %llu could not move",
	       (unsigned long long)(clock_now_us() - w->row->drain_us) / 1000,
	       (unsigned long long)(now.moved - b->moved),
	       (unsigned long long)(now.finished - b->finished),
	       (unsigned long long)(now.idle - b->idle),
	       (unsigned long long)(now.forced - b->forced),
	       (unsigned long long)(now.refused - b->refused));
}

/* By moving to the worker at the other end of successor_fd, or (-1) by ending. */
static void send_away(struct worker *w, int successor_fd)
{
	w->alone_us = 0;
	if (successor_fd >= 0 && w->out.fd < 0 && !w->conns.draining &&
	    start_giving(w, &w->out, successor_fd, 0) == 0)
		return;
	if (successor_fd >= 0)
		close(successor_fd);
	if (w->out.fd < 0)
		drain_in_place(w);
}

/* Leaves when the last connection has gone. The order may come again, with another deadline or
 * another successor. */
static void drain(struct worker *w, uint64_t deadline_us, bool final, int successor_fd)
{
	bool begins = w->row->state != WORKER_DRAINING;

	w->legacy->drain_us = deadline_us;
	if (begins) {
		acceptor_stop(&w->acceptor);
		handover_stop(&w->gift);
		w->legacy->before = outcome_now(w);
		w->legacy->final = final;
		board_set(&w->row->drain_us, w->clock.now_us);
		set_state(w, WORKER_DRAINING);
		if (final)
			accept_the_rest(w);
	}
	if (begins || w->alone_us != 0)
		send_away(w, successor_fd);
	else if (successor_fd >= 0)
		close(successor_fd);
}

static void reopened(struct worker *w, const struct control_msg *m, const int *fds, int count)
{
	const struct settings *s = w->env->settings;

	for (int k = 0; k < count; k++) {
		uint32_t log = (uint32_t)m->arg_us + (uint32_t)k;

		if (log < s->logs_count) {
			accesslog_replace(&w->log, log, fds[k]);
		} else {
			(void)dup3(fds[k], w->env->error_log_fd, O_CLOEXEC);
			close(fds[k]);
			say(w, CONTROL_REOPENED);
		}
	}
}

static void close_all(const int *fds, int count)
{
	for (int k = 0; k < count; k++)
		close(fds[k]);
}

static void obey(struct worker *w, const struct control_msg *m, const int *fds, int count)
{
	switch (m->kind) {
	case CONTROL_DRAIN:
		drain(w, m->arg_us, (m->flags & CONTROL_FINAL) != 0, count > 0 ? fds[0] : -1);
		if (count > 1)
			close_all(fds + 1, count - 1);
		return;
	case CONTROL_TAKE:
		for (int k = 0; k < count; k++)
			start_taking(w, fds[k]);
		return;
	case CONTROL_GUARD:
		w->unguarded = true;
		break;
	case CONTROL_GIVE:
		start_gift(w, m->arg_us, count > 0 ? fds[0] : -1);
		if (count > 1)
			close_all(fds + 1, count - 1);
		return;
	case CONTROL_LAME_DUCK:
		w->http->lame_duck = w->legacy->lame_duck = true;
		break;
	case CONTROL_QUIT:
		w->leave = true;
		break;
	case CONTROL_REOPEN:
		reopened(w, m, fds, count);
		return;
	default:
		errlog(ERRLOG_WARN, "unknown message %u from the master", m->kind);
	}
	close_all(fds, count);
}

static void await_master(struct worker *w)
{
	struct epoll_event e = {.events = EPOLLIN, .data.u64 = TAG_ADOPT};

	orphan_heed_term(true);
	if (w->env->adopt_fd >= 0)
		(void)epoll_ctl(w->epoll_fd, EPOLL_CTL_ADD, w->env->adopt_fd, &e);
}

/* A new master has come: it drains this worker as one of a generation before. */
static void be_adopted(struct worker *w)
{
	const struct worker_env *e = w->env;
	bool draining = w->row->state == WORKER_DRAINING;
	const struct orphan_hello hello = {
	    .msg = {.kind = CONTROL_ORPHAN,
		    .flags = ORPHAN_VERSION,
		    .generation = e->generation,
		    .slot = e->slot,
		    .arg_us = e->instance},
	    .row = e->row,
	    .standby = standby_lives(w->standby_fd) ? (uint32_t)w->standby : 0,
	    .draining = draining,
	    .sockets = e->listen_count,
	    .started_us = w->row->started_us,
	    .until_us = draining ? w->legacy->drain_us : 0,
	    .drain_us = e->settings->drain_us,
	    .hang_us = e->settings->hang_us,
	};
	int fd = orphan_accept(e->adopt_fd, e->master_uid);

	if (fd < 0)
		return;
	/* Its number stays: the standby knows the channel by it, too. */
	if (orphan_introduce(fd, e, &hello) != 0 || dup3(fd, e->control_fd, O_CLOEXEC) < 0 ||
	    poll_control(w) != 0) {
		errlog(ERRLOG_WARN, "a new master could not be told: %s", strerror(errno));
		close(fd);
		return;
	}
	close(fd);
	(void)epoll_ctl(w->epoll_fd, EPOLL_CTL_DEL, e->adopt_fd, NULL);
	orphan_heed_term(false);
	w->orphan = false;
	if (!draining)
		w->legacy->drain_us = 0;
	errlog(ERRLOG_NOTICE, "a new master has come");
}

/* The master is gone: serve on, so that a new one can take over; if none comes, drain and leave. */
static void be_orphan(struct worker *w)
{
	const struct settings *s = w->env->settings;

	w->orphan = true;
	(void)epoll_ctl(w->epoll_fd, EPOLL_CTL_DEL, w->env->control_fd, NULL);
	await_master(w);
	/* A drain under way keeps its own deadline, and the standby of an orphan that of the
	 * orphan. */
	if (w->legacy->drain_us == 0)
		w->legacy->drain_us = w->clock.now_us + s->orphan_us;
	errlog(ERRLOG_WARN, "the master is gone: serving on for %llu s, then draining",
	       (unsigned long long)(s->orphan_us / SECOND_US));
}

static void kill_conn(void *arg, uint32_t i)
{
	struct worker *w = arg;

	http_kill(w->http, i);
}

static void serve_ctl(struct worker *w)
{
	const struct ending e = {.fd = w->env->ctl_fd,
				 .row = w->env->row,
				 .uid = w->env->master_uid,
				 .cs = &w->conns,
				 .end = kill_conn,
				 .arg = w};

	ending_serve(&e);
}

static int descriptors_of(struct msghdr *h, int *fds)
{
	int count = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c != NULL; c = CMSG_NXTHDR(h, c)) {
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS) {
			count = (int)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
			memcpy(fds, CMSG_DATA(c), (size_t)count * sizeof(int));
		}
	}
	return count;
}

static void read_control(struct worker *w)
{
	for (;;) {
		alignas(struct cmsghdr) char space[CMSG_SPACE(LOG_FDS_MOST * sizeof(int))];
		struct control_msg m;
		struct iovec iov = {&m, sizeof m};
		struct msghdr h = {.msg_iov = &iov,
				   .msg_iovlen = 1,
				   .msg_control = space,
				   .msg_controllen = sizeof space};
		int fds[LOG_FDS_MOST];
		ssize_t n = recvmsg(w->env->control_fd, &h, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
		int count;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0) {
			be_orphan(w);
			return;
		}
		count = descriptors_of(&h, fds);
		if (n == (ssize_t)sizeof m && (h.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) == 0) {
			obey(w, &m, fds, count);
			continue;
		}
		/* No descriptor was left for the channel: the order stands all the same. */
		close_all(fds, count);
		if (n == (ssize_t)sizeof m && m.kind == CONTROL_DRAIN)
			obey(w, &m, NULL, 0);
	}
}

static void serve_up(struct worker *w, uint64_t data, uint32_t events)
{
	uint32_t u = up_of_event(&w->ups, data);

	if (u != UP_NONE)
		proxy_event(w->http, u, events);
}

static void serve_events(struct worker *w, int count)
{
	for (int k = 0; k < count; k++) {
		uint64_t data = w->events[k].data.u64;
		uint64_t tag = data >> TAG_SHIFT << TAG_SHIFT;
		uint32_t which = (uint32_t)data;

		if (tag == TAG_CONN && data != conn_data(w, which))
			continue;
		if (tag == TAG_CONN)
			http_event(w->http, which, w->events[k].events);
		else if (tag == TAG_UP)
			serve_up(w, data, w->events[k].events);
		else if (tag == TAG_LISTEN)
			accept_batch(w, which);
		else if (tag == TAG_TAKE)
			take(w, (int)which);
		else if (tag == TAG_ADOPT)
			be_adopted(w);
		else if (tag == TAG_CTL)
			serve_ctl(w);
		else if (tag == TAG_GIVE)
			continue; /* give() looks at its channel every turn */
		else
			read_control(w);
	}
}

/* Those that used up their share of the last turn. */
static void serve_ready(struct worker *w)
{
	uint32_t i = w->conns.ready, next;

	w->conns.ready = CONN_NONE;
	for (; i != CONN_NONE; i = next) {
		struct conn *c = conn_at(&w->conns, i);

		next = c->link;
		c->flags &= (uint16_t)~CONN_READY;
		if (c->doomed) {
			c->link = w->conns.doomed;
			w->conns.doomed = i;
			continue;
		}
		if ((c->flags & CONN_MOVING) == 0)
			http_go_on(w->http, i);
	}
}

static void fire(void *arg, uint32_t i)
{
	struct worker *w = arg;

	http_timer(w->http, i);
}

static void fire_up(void *arg, uint32_t u)
{
	struct worker *w = arg;

	proxy_timer(w->http, u);
}

static void tick(struct worker *w)
{
	if (w->clock.now_us < w->tick_us)
		return;
	w->tick_us = w->clock.now_us + SECOND_US;
	board_set(&w->row->lag_us, w->lag_us);
	w->lag_us = 0;
	accesslog_flush(&w->log);
	errlog_tick(w->clock.now_us, false);
	bufs_trim(&w->conns.bufs);
	files_tick(w->http->files, &w->clock);
	pages_tick(&w->http->pages, w->clock.now_us);
}

static void check_drain(struct worker *w)
{
	bool draining = w->row->state == WORKER_DRAINING, over;

	if (!draining && !w->orphan)
		return;
	over = w->legacy->drain_us <= w->clock.now_us ||
	       (w->orphan && !draining && orphan_was_told_to_end());
	if (!draining) {
		if (over)
			drain(w, w->clock.now_us + w->env->settings->drain_us, false, -1);
		return;
	}
	if (w->alone_us != 0 && w->alone_us <= w->clock.now_us)
		send_away(w, -1);
	if (over && w->row->conns > 0) {
		stop_giving(w, &w->out);
		stop_giving(w, &w->gift);
		(void)http_force(w->http);
	}
	conns_bury(&w->conns);
	/* Who gives to this worker would have to give up: what still comes is passed on. */
	if (w->row->conns == 0 && (w->takes == 0 || over))
		w->leave = true;
}

static uint64_t until(const struct worker *w, uint64_t at_us, uint64_t most)
{
	return at_us > w->clock.now_us && at_us - w->clock.now_us < most ? at_us - w->clock.now_us
									 : most;
}

static int wait_ms(const struct worker *w)
{
	uint64_t us = SECOND_US, hang_us = w->env->settings->hang_us;

	if (w->conns.ready != CONN_NONE)
		return 0;
	/* An idle worker has a heartbeat, too. */
	if (hang_us != 0 && hang_us / 4 < us)
		us = hang_us / 4;
	us = timer_wait_us(&w->conns.timer, w->clock.now_us, us);
	us = timer_wait_us(&w->ups.timer, w->clock.now_us, us);
	/* Other workers make room, too. */
	if (w->queues.waiting != 0 && us > QUEUE_LOOK_US)
		us = QUEUE_LOOK_US;
	us = acceptor_wait_us(&w->acceptor, us);
	us = until(w, w->legacy->drain_us, us);
	us = until(w, w->alone_us, us);
	us = handover_wait_us(&w->out, w->clock.now_us, us);
	us = handover_wait_us(&w->gift, w->clock.now_us, us);
	return (int)((us + 999) / 1000);
}

static void close_strays(const struct worker *w)
{
	const struct worker_env *e = w->env;
	uint32_t count = 0;
	int *mine = calloc(e->listen_count + e->settings->logs_count + 8, sizeof *mine);

	if (mine == NULL)
		return;
	for (uint32_t k = 0; k < e->listen_count; k++)
		mine[count++] = e->listen_fds[k];
	for (uint32_t k = 0; k < e->settings->logs_count; k++)
		mine[count++] = w->log.buffer[k]->fd;
	mine[count++] = e->control_fd;
	mine[count++] = e->adopt_fd;
	mine[count++] = e->ctl_fd;
	mine[count++] = e->error_log_fd;
	mine[count++] = w->epoll_fd;
	mine[count++] = w->arena.fd;
	takeover_close_strays(&w->conns, mine, count);
	free(mine);
}

/* Descriptors stay registered with epoll, but edges that the dead worker had fetched would not come
 * again. */
static void rearm(struct worker *w)
{
	for (uint32_t i = 0; i < w->row->conns_high; i++) {
		struct epoll_event e = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
					.data.u64 = conn_data(w, i)};

		if (conn_row(&w->conns, i)->state == CONN_FREE)
			continue;
		if (epoll_ctl(w->epoll_fd, EPOLL_CTL_MOD, conn_at(&w->conns, i)->fd, &e) != 0)
			poll_conn(w, i);
		watch_up(w, i);
		http_resume(w->http, i);
	}
	ups_watch_idle(&w->ups);
}

static void tell_of_takeover(const struct takeover *t, const struct blackbox *b, int signal,
			     uint64_t unserved_us)
{
	char peer[48] = "", served[480] = "none was being served", how[32] = "";

	if (t->suspect != 0) {
		logline_addr(&t->row, peer);
		snprintf(served, sizeof served,
			 "it was serving connection %llu from %s: \"%s\" (%s)",
			 (unsigned long long)t->suspect, peer, t->request, b->suspect);
	}
	if (signal != 0)
		snprintf(how, sizeof how, ", which died of %s", sigabbrev_np(signal));
	errlog(ERRLOG_WARN,
	       "took over from process %llu of generation %u%s, %llu ms after it was last seen: %u "
	       "connections go on, %u are with other workers, %u are lost; %s",
	       (unsigned long long)b->pid, b->generation, how,
	       (unsigned long long)unserved_us / 1000, t->kept, t->away, t->lost, served);
}

/* What this process has of the old worker's heap is of any age: descriptors that it names are not
 * what they were. */
static void forget_heap(struct worker *w)
{
	files_abandon(w->http->files);
	pages_abandon(&w->http->pages);
	w->http->files = NULL;
	w->http->lame_duck = w->legacy->lame_duck;
	w->out.fd = w->gift.fd = -1;
	w->takes = 0;
	w->alone_us = 0;
	w->pid_fd = w->standby_fd = -1;
	w->unguarded = w->orphan = w->leave = false;
	w->tick_us = 0;
}

/* The standby wakes as the worker. */
static void take_over(struct worker *w)
{
	static struct blackbox box;
	int signal = w->legacy->history.signal;
	uint64_t unserved_us;
	bool draining = w->row->state == WORKER_DRAINING;
	struct takeover t;

	clock_read(&w->clock);
	/* What it was doing is read before anything changes it. */
	blackbox_read(&box, w->env->board, w->env->row);
	blackbox_leave(&box, w->row);
	errlog_open(w->env->error_log_fd, w->env->settings->log_level, (int)w->env->slot);
	errlog_set_subject(NULL, NULL);
	if (standby_must_give_up(&w->legacy->history, w->clock.now_us)) {
		errlog(ERRLOG_ERROR,
		       "third crash within ten seconds: the slot begins anew, with no connections");
		blackbox_tell(&box, w->clock.now_us);
		_exit(1);
	}
	unserved_us = w->clock.now_us - w->row->beat_us;
	board_write_begin(&w->row->seq);
	w->row->pid = (uint64_t)getpid();
	board_write_end(&w->row->seq);
	board_set(&w->row->beat_us, w->clock.now_us);
	board_add(&w->row->takeovers, 1);
	forget_heap(w);
	takeover_rebuild(&w->conns, unserved_us, &t);
	close_strays(w);
	w->http->files = files_new(w->env->settings, &w->conns.files, w->row);
	if (w->http->files == NULL ||
	    acceptor_init(&w->acceptor, &w->conns, w->env, w->epoll_fd, TAG_LISTEN) != 0)
		_exit(1);
	/* An orphan had stopped looking there, and will find out again. */
	(void)poll_control(w);
	if (draining)
		acceptor_stop(&w->acceptor);
	rearm(w);
	accesslog_flush(&w->log);
	say(w, CONTROL_TAKEN);
	tell_of_takeover(&t, &box, signal, unserved_us);
	blackbox_tell(&box, w->clock.now_us);
	errlog_set_subject(subject, w);
	if (draining && w->legacy->final)
		accept_the_rest(w);
	if (draining)
		be_alone(w);
}

/*
 * Clones the standby. Returns in the worker; and once more, in the standby, when the worker has
 * died and the standby has taken its place, with a standby of its own.
 */
static void guard(struct worker *w)
{
	for (;;) {
		pid_t pid, self = getpid();

		w->unguarded = false;
		/* Its word may have been lost, but there must never be two. */
		if (standby_lives(w->standby_fd)) {
			say_with(w, CONTROL_STANDBY, (uint64_t)w->standby);
			return;
		}
		if (w->standby_fd >= 0)
			close(w->standby_fd);
		w->standby_fd = -1;
		if (w->pid_fd < 0)
			w->pid_fd = (int)syscall(SYS_pidfd_open, self, 0);
		pid = w->pid_fd >= 0 ? standby_clone(&w->standby_fd) : -1;
		if (pid < 0) {
			errlog(ERRLOG_WARN, "no standby: %s", strerror(errno));
			return;
		}
		if (pid > 0) {
			w->standby = pid;
			say_with(w, CONTROL_STANDBY, (uint64_t)pid);
			return;
		}
		setproctitle("-drover: standby %u gen %u", w->env->slot, w->env->generation);
		if (!standby_wait(w->pid_fd, w->row) || !standby_claim(&w->legacy->history, self))
			_exit(0);
		setproctitle("-drover: worker %u gen %u", w->env->slot, w->env->generation);
		take_over(w);
	}
}

static void turn(struct worker *w)
{
	int count = epoll_wait(w->epoll_fd, w->events, EVENTS_A_TURN, wait_ms(w));
	uint64_t length;

	clock_read(&w->clock);
	board_set(&w->row->beat_us, w->clock.now_us);
	w->conns.freed = false;
	if (count > 0) {
		board_add(&w->row->events, (uint64_t)count);
		serve_events(w, count);
	}
	if (w->conns.ready != CONN_NONE)
		serve_ready(w);
	timer_run(&w->conns.timer, w->clock.now_us, fire, w);
	timer_run(&w->ups.timer, w->clock.now_us, fire_up, w);
	if (w->queues.waiting != 0)
		proxy_queue_run(w->http);
	ups_bury(&w->ups);
	conns_bury(&w->conns);
	give(w);
	give_some(w);
	acceptor_turn(&w->acceptor);
	tick(w);
	check_drain(w);
	length = clock_now_us() - w->clock.now_us;
	if (length > w->lag_us)
		w->lag_us = length;
	board_add(&w->row->turns, 1);
	board_add(&w->row->turn[hist_bucket(length)], 1);
	board_add(&w->row->turn_sum, length);
}

static void end(struct worker *w)
{
	stop_giving(w, &w->out);
	stop_giving(w, &w->gift);
	if (w->row->conns > 0)
		(void)http_force(w->http);
	ups_close_idle(&w->ups);
	ups_bury(&w->ups);
	conns_bury(&w->conns);
	if (w->row->state == WORKER_DRAINING)
		tell_outcome(w);
	errlog_tick(w->clock.now_us, true);
	errlog_set_subject(NULL, NULL);
	accesslog_flush(&w->log);
	files_free(w->http->files);
	pages_free(&w->http->pages);
	accesslog_free(&w->log);
	acceptor_free(&w->acceptor);
	queues_free(&w->queues);
	ups_free(&w->ups);
	conns_free(&w->conns);
	arena_destroy(&w->arena);
	close(w->epoll_fd);
	free(w->http);
	set_state(w, WORKER_GONE);
}

int worker_run(const struct worker_env *env)
{
	struct worker *w = calloc(1, sizeof *w);

	if (w == NULL)
		return 1;
	/* Writing to a closed socket and to a file at its size limit are errors to be read, not
	 * deaths. */
	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGXFSZ, SIG_IGN);
	w->env = env;
	w->row = board_worker(env->board, env->row);
	w->epoll_fd = -1;
	w->out.fd = w->gift.fd = -1;
	w->pid_fd = w->standby_fd = -1;
	errlog_open(env->error_log_fd, env->settings->log_level, (int)env->slot);
	errlog_set_counter(&w->row->errlog_suppressed);
	if (start(w) != 0)
		return 1;
	errlog_set_subject(subject, w);
	set_state(w, WORKER_READY);
	if (env->settings->standby)
		guard(w);
	say(w, CONTROL_READY);
	while (!w->leave) {
		if (w->unguarded)
			guard(w);
		turn(w);
	}
	end(w);
	free(w);
	return 0;
}
