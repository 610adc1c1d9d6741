/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See adoption.h. Called by orders.c and loop.c.
 */
#include "worker/adoption.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "worker/errlog.h"
#include "worker/orphan.h"
#include "worker/process.h"

static void await_master(struct worker *w)
{
	struct epoll_event e = {.events = EPOLLIN, .data.u64 = TAG_ADOPT};

	orphan_heed_term(true);
	if (w->env->adopt_fd >= 0)
		(void)epoll_ctl(w->epoll_fd, EPOLL_CTL_ADD, w->env->adopt_fd, &e);
}

/* The master is gone: serve on, so that a new one can take over; if none comes, drain and leave. */
void adoption_await(struct worker *w)
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
	       (unsigned long long)(s->orphan_us / PROCESS_SECOND_US));
}

void adoption_check(struct worker *w)
{
	uint64_t since_us = w->legacy->drain_us - w->env->settings->orphan_us;

	/* The channel of a dying master closes before its children have another parent. */
	if (w->row->state == WORKER_DRAINING || getppid() != w->env->master_pid ||
	    w->clock.now_us < since_us + PROCESS_SECOND_US)
		return;
	errlog(ERRLOG_WARN, "the master lives and does not know this worker: draining");
	w->legacy->drain_us = w->clock.now_us;
}

/* A new master has come: it drains this worker as one of a generation before. */
void adoption_accept(struct worker *w)
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
	    .sockets = w->legacy->deaf ? 0 : e->listen_count,
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
	    process_watch_control(w) != 0) {
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
