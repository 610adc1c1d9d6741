/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See guard.h. Called by loop.c, and by worker.c once before it says that it is ready.
 */
#include "worker/guard.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "worker/blackbox.h"
#include "worker/drain.h"
#include "worker/errlog.h"
#include "worker/http/files.h"
#include "worker/process.h"
#include "worker/takeover.h"

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
					.data.u64 = process_conn_data(w, i)};

		if (conn_row(&w->conns, i)->state == CONN_FREE)
			continue;
		if (epoll_ctl(w->epoll_fd, EPOLL_CTL_MOD, conn_at(&w->conns, i)->fd, &e) != 0)
			process_watch_conn(w, i);
		process_watch_up(w, i);
		http_resume(w->http, i);
	}
	ups_watch_idle(&w->ups);
}

static void tell_of_takeover(const struct takeover *t, const struct blackbox *b, int signal,
			     uint64_t unserved_us)
{
	char peer[LOGLINE_ADDR] = "", served[480] = "none was being served", how[32] = "";

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
	if (w->http->files == NULL)
		_exit(1);
	if (draining)
		acceptor_init_stopped(&w->acceptor, &w->conns, w->env, w->epoll_fd, TAG_LISTEN);
	else if (acceptor_init(&w->acceptor, &w->conns, w->env, w->epoll_fd, TAG_LISTEN) != 0)
		_exit(1);
	/* An orphan had stopped looking there, and will find out again. */
	(void)process_watch_control(w);
	rearm(w);
	accesslog_flush(&w->log);
	process_say(w, CONTROL_TAKEN, (uint64_t)getpid());
	tell_of_takeover(&t, &box, signal, unserved_us);
	blackbox_tell(&box, w->clock.now_us);
	process_name_lines(w);
	if (draining)
		drain_resume(w);
}

void guard_clone(struct worker *w)
{
	for (;;) {
		pid_t pid, self = getpid();

		w->unguarded = false;
		/* Its word may have been lost, but there must never be two. */
		if (standby_lives(w->standby_fd)) {
			process_say(w, CONTROL_STANDBY, (uint64_t)w->standby);
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
			process_say(w, CONTROL_STANDBY, (uint64_t)pid);
			return;
		}
		setproctitle("-drover: standby %u gen %u", w->env->slot, w->env->generation);
		if (!standby_wait(w->pid_fd, w->row) || !standby_claim(&w->legacy->history, self))
			_exit(0);
		setproctitle("-drover: worker %u gen %u", w->env->slot, w->env->generation);
		take_over(w);
	}
}
