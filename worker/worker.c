/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The life of a worker: it is made, it turns in its loop, it ends. The files that it consists of
 * are listed in process.h.
 */
#include "worker/worker.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#include "worker/backed.h"
#include "worker/channels.h"
#include "worker/drain.h"
#include "worker/errlog.h"
#include "worker/guard.h"
#include "worker/http/files.h"
#include "worker/http/proxy.h"
#include "worker/loop.h"
#include "worker/process.h"

static int fail(const char *what)
{
	errlog(ERRLOG_ERROR, "worker cannot start: %s: %s", what, strerror(errno));
	return -1;
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
	if (backed_traffic(w->env->board, w->env->row, s) != 0)
		return fail("room for its rows in the run directory");
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
	if (w->epoll_fd < 0 || process_watch_control(w) != 0)
		return fail("epoll");
	w->ups.epoll_fd = w->epoll_fd;
	w->ups.tag = TAG_UP;
	poll_ctl(w);
	if (acceptor_init(&w->acceptor, &w->conns, w->env, w->epoll_fd, TAG_LISTEN) != 0)
		return fail("listening sockets");
	return 0;
}

static void end(struct worker *w)
{
	channels_end(w, &w->out);
	channels_end(w, &w->gift);
	if (w->row->conns > 0)
		(void)http_force(w->http);
	ups_close_idle(&w->ups);
	ups_bury(&w->ups);
	conns_bury(&w->conns);
	if (w->row->state == WORKER_DRAINING)
		drain_tell(w);
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
	process_set_state(w, WORKER_GONE);
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
	process_name_lines(w);
	/* Who is ready is guarded. */
	if (env->settings->standby)
		guard_clone(w);
	process_set_state(w, WORKER_READY);
	process_say(w, CONTROL_READY, 0);
	loop_run(w);
	end(w);
	free(w);
	return 0;
}
