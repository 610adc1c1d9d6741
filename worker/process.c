/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See process.h.
 */
#include "worker/process.h"

#include <stdio.h>
#include <sys/socket.h>

#include "shm/ident.h"
#include "worker/errlog.h"

void process_set_state(struct worker *w, enum worker_state state)
{
	__atomic_store_n(&w->row->state, (uint32_t)state, __ATOMIC_RELEASE);
}

void process_say(struct worker *w, enum control_kind kind, uint64_t arg)
{
	const struct control_msg m = {
	    .kind = kind, .generation = w->env->generation, .slot = w->env->slot, .arg_us = arg};

	if (!w->orphan)
		(void)send(w->env->control_fd, &m, sizeof m, MSG_NOSIGNAL | MSG_DONTWAIT);
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

void process_name_lines(struct worker *w)
{
	errlog_set_subject(subject, w);
}

int process_watch_control(struct worker *w)
{
	struct epoll_event e = {.events = EPOLLIN, .data.u64 = TAG_CONTROL};

	return epoll_ctl(w->epoll_fd, EPOLL_CTL_ADD, w->env->control_fd, &e);
}

/* Edge-triggered and once for the life of the connection: no further epoll_ctl is needed. */
void process_watch_conn(struct worker *w, uint32_t i)
{
	struct conn *c = conn_at(&w->conns, i);
	struct epoll_event e = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
				.data.u64 = process_conn_data(w, i)};

	if (c->doomed)
		return;
	if (epoll_ctl(w->epoll_fd, EPOLL_CTL_ADD, c->fd, &e) != 0) {
		conn_close(&w->conns, i, CLOSE_NO_ROOM, true);
		return;
	}
	c->flags |= CONN_POLLED;
}

void process_open_conn(struct worker *w, uint32_t i)
{
	http_open(w->http, i);
	process_watch_conn(w, i);
}

void process_watch_up(struct worker *w, uint32_t i)
{
	const struct conn *c = conn_at(&w->conns, i);

	if (!c->doomed && c->up != 0 && up_watch(&w->ups, c->up - 1) != 0)
		conn_close(&w->conns, i, CLOSE_NO_ROOM, true);
}
