/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The prober's loop: see prober.h. Called by master/prober_child.c in the child.
 */
#include "worker/prober.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "worker/check.h"
#include "worker/clock.h"
#include "worker/errlog.h"
#include "worker/fdpass.h"
#include "worker/resolver.h"
#include "worker/worker.h"

enum {
	SECOND_US = 1000000
};

static const struct prober_module modules[] = {
    {"check", check_wanted, check_start},
    {"resolver", resolver_wanted, resolver_start},
};

#define MODULES (sizeof modules / sizeof modules[0])

bool prober_wanted(const struct settings *s)
{
	for (size_t i = 0; i < MODULES; i++)
		if (modules[i].wanted(s))
			return true;
	return false;
}

/* Descriptors. */

int prober_watch(struct prober *p, struct prober_watch *w, int fd, uint32_t events)
{
	struct epoll_event e = {.events = events, .data.ptr = w};

	if (epoll_ctl(p->epoll_fd, EPOLL_CTL_ADD, fd, &e) != 0)
		return -1;
	w->fd = fd;
	return 0;
}

int prober_rewatch(struct prober *p, struct prober_watch *w, uint32_t events)
{
	struct epoll_event e = {.events = events, .data.ptr = w};

	return epoll_ctl(p->epoll_fd, EPOLL_CTL_MOD, w->fd, &e);
}

void prober_unwatch(struct prober *p, struct prober_watch *w)
{
	if (w->fd < 0)
		return;
	(void)epoll_ctl(p->epoll_fd, EPOLL_CTL_DEL, w->fd, NULL);
	w->fd = -1;
	for (int i = p->events_at; i < p->events_count; i++)
		if (p->events[i].data.ptr == w)
			p->events[i].data.ptr = NULL;
}

/* Timers. */

static int more_timers(struct prober *p)
{
	uint32_t room = p->timers_room != 0 ? 2 * p->timers_room : 64;
	struct prober_timer *all = reallocarray(p->timers, room, sizeof *all);

	if (all == NULL)
		return -1;
	p->timers = all;
	p->timers_room = room;
	p->wheel.nodes = (char *)&all[0].node;
	return 0;
}

uint32_t prober_timer(struct prober *p, void (*fire)(void *arg), void *arg)
{
	if (p->timers_count == p->timers_room && more_timers(p) != 0)
		return PROBER_TIMER_NONE;
	p->timers[p->timers_count] = (struct prober_timer){.fire = fire, .arg = arg};
	timer_node_init(&p->timers[p->timers_count].node);
	return p->timers_count++;
}

void prober_arm(struct prober *p, uint32_t timer, uint64_t at_us)
{
	timer_arm(&p->wheel, timer, at_us);
}

void prober_cancel(struct prober *p, uint32_t timer)
{
	timer_cancel(&p->wheel, timer);
}

static void fire(void *arg, uint32_t i)
{
	struct prober *p = arg;

	p->timers[i].fire(p->timers[i].arg);
}

/* The master. */

static void hear(void *arg, uint32_t events)
{
	struct prober *p = arg;
	struct control_msg m = {0};
	struct fdpass got;
	ssize_t n = fdpass_receive(p->control.fd, &m, sizeof m, &got);

	(void)events;
	if (n < 0 && errno == EAGAIN)
		return;
	/* Whoever is the master next has a prober of its own. */
	if (n != (ssize_t)sizeof m || m.kind == CONTROL_QUIT)
		p->leave = true;
	/* The new error log, which is the only one that it has. */
	else if (m.kind == CONTROL_REOPEN && got.count == 1)
		(void)dup3(got.fds[0], p->env->error_log_fd, O_CLOEXEC);
	fdpass_close(&got, 0);
}

/* The loop. */

static bool is_named(const struct prober *p)
{
	return __atomic_load_n(&p->board->master->prober_pid, __ATOMIC_ACQUIRE) ==
	       (uint64_t)getpid();
}

static void serve(struct prober *p)
{
	for (p->events_at = 0; p->events_at < p->events_count;) {
		const struct epoll_event *e = &p->events[p->events_at++];
		struct prober_watch *w = e->data.ptr;

		if (w != NULL)
			w->ready(w->arg, e->events);
	}
	p->events_count = p->events_at = 0;
}

static void turn(struct prober *p)
{
	uint64_t wait_us = timer_wait_us(&p->wheel, clock_now_us(), SECOND_US);
	int n = epoll_wait(p->epoll_fd, p->events, PROBER_EVENTS, (int)((wait_us + 999) / 1000));

	p->now_us = clock_now_us();
	p->events_count = n > 0 ? n : 0;
	if (!is_named(p)) {
		p->leave = true;
		return;
	}
	board_set(&p->board->master->prober_beat_us, p->now_us);
	serve(p);
	if (!p->leave)
		timer_run(&p->wheel, p->now_us, fire, p);
	errlog_tick(p->now_us, false);
}

static int start(struct prober *p)
{
	p->now_us = clock_now_us();
	p->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (p->epoll_fd < 0 || more_timers(p) != 0)
		return -1;
	timer_init(&p->wheel, &p->timers[0].node, sizeof p->timers[0], p->now_us);
	p->control = (struct prober_watch){.ready = hear, .arg = p};
	if (prober_watch(p, &p->control, p->env->control_fd, EPOLLIN) != 0)
		return -1;
	for (size_t i = 0; i < MODULES; i++)
		if (modules[i].wanted(p->settings) && modules[i].start(p) != 0)
			return -1;
	return 0;
}

int prober_run(const struct prober_env *env)
{
	static struct prober p;

	p = (struct prober){
	    .env = env, .settings = env->settings, .board = env->board, .epoll_fd = -1};
	if (start(&p) != 0) {
		errlog(ERRLOG_ERROR, "the prober cannot start: %s", strerror(errno));
		return 1;
	}
	while (!p.leave)
		turn(&p);
	errlog_tick(p.now_us, true);
	return 0;
}
