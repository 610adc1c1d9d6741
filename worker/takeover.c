/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Taking over: see takeover.h. Called once by a standby that has become the worker, before it
 * serves anything.
 */
#include "worker/takeover.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	ID_GAP = 1 << 20
};

static bool is_socket(int fd)
{
	struct stat st;

	return fd >= 0 && fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode);
}

/* Is the record one that can be continued? Between two turns it always is; a suspect one, or one
 * that was in the middle of moving, is not. */
static bool sound(const struct conns *cs, uint32_t i)
{
	const struct conn *c = conn_at(cs, i);
	uint8_t state = conn_row(cs, i)->state;

	return !c->doomed && (c->flags & (CONN_MOVING | CONN_ARRIVING)) == 0 &&
	       (state == CONN_IDLE || state == CONN_HEAD || state == CONN_BODY ||
		state == CONN_SEND || state == CONN_LINGER) &&
	       c->server < cs->settings->servers_count &&
	       c->listener < cs->settings->listeners_count &&
	       bufs_claim(&cs->bufs, c->in_buf, c->in_len) &&
	       bufs_claim(&cs->bufs, c->out_buf, c->out_len) &&
	       bufs_claim(&cs->bufs, c->parts_buf, 0) && c->head_len <= c->in_len &&
	       c->out_off <= c->out_len &&
	       (c->file == OPENFILE_NONE || openfiles_claimable(&cs->files, c->file)) &&
	       is_socket(c->fd);
}

static void note_suspect(const struct conns *cs, uint32_t i, struct takeover *t)
{
	t->row = *conn_row(cs, i);
	t->suspect = t->row.id;
	memcpy(t->request, t->row.request, sizeof t->request);
	t->request[sizeof t->request - 1] = '\0';
}

/* Not continued: its descriptor goes, without a word to the peer where another worker may have it.
 */
static void drop(struct conns *cs, uint32_t i)
{
	struct conn *c = conn_at(cs, i);

	if (!c->doomed && is_socket(c->fd))
		close(c->fd);
	c->fd = -1;
	c->doomed = 0;
	__atomic_store_n(&conn_row(cs, i)->state, (uint8_t)CONN_FREE, __ATOMIC_RELEASE);
}

static void keep(struct conns *cs, uint32_t i)
{
	struct conn *c = conn_at(cs, i);
	struct conn_row *row = conn_row(cs, i);
	struct listener_traffic_row *l = board_listener_traffic(cs->board, cs->worker_row,
								row->listener);

	c->flags &= (uint16_t)~CONN_READY;
	c->link = CONN_NONE;
	timer_node_init(&c->timer);
	/* A row left in the middle of an update: its words are all there, only readers were warned.
	 */
	if ((row->seq & 1) != 0)
		board_write_end(&row->seq);
	if (c->file != OPENFILE_NONE)
		openfiles_claim(&cs->files, c->file);
	if (cs->addrs != NULL && row->family != 1)
		c->addr_cell = addr_take(cs->addrs, row->peer, UINT32_MAX);
	board_add(&cs->row->conns, 1);
	board_add(&cs->row->fds, 1);
	board_add(&l->conns, 1);
	if (row->state == CONN_IDLE)
		board_add(&cs->row->conns_idle, 1);
	if (row->id >= cs->next_id)
		cs->next_id = row->id + ID_GAP;
	conn_settle(cs, i);
}

static void forget_all(struct conns *cs)
{
	timer_init(&cs->timer, &cs->conn[0].timer, sizeof cs->conn[0], cs->clock->now_us);
	cs->free = cs->doomed = cs->ready = CONN_NONE;
	cs->draining = false;
	board_set(&cs->row->conns, 0);
	board_set(&cs->row->conns_idle, 0);
	board_set(&cs->row->fds, 0);
	for (uint32_t k = 0; k < cs->settings->listeners_count; k++)
		board_set(&board_listener_traffic(cs->board, cs->worker_row,
						  cs->settings->listeners[k].row)
			       ->conns,
			  0);
	if (cs->addrs != NULL) {
		addrs_free(cs->addrs);
		cs->addrs = addrs_new(cs->max);
	}
	bufs_forget(&cs->bufs);
	openfiles_forget(&cs->files);
}

void takeover_rebuild(struct conns *cs, struct takeover *t)
{
	uint32_t suspect = cs->row->touching - 1, high = cs->row->conns_high;

	*t = (struct takeover){0};
	forget_all(cs);
	if (high > cs->max)
		high = cs->row->conns_high = cs->max;
	for (uint32_t i = 0; i < high; i++) {
		/* Nodes of the old wheel: nothing may follow their links. */
		timer_node_init(&conn_at(cs, i)->timer);
		if (conn_row(cs, i)->state == CONN_FREE)
			continue;
		if (i == suspect)
			note_suspect(cs, i, t);
		if (i != suspect && sound(cs, i)) {
			keep(cs, i);
			t->kept++;
		} else {
			drop(cs, i);
			t->dropped++;
		}
	}
	bufs_settle(&cs->bufs);
	openfiles_settle(&cs->files);
	/* The lowest record ends on top of the list: what is in use stays dense. */
	for (uint32_t i = high; i-- > 0;) {
		if (conn_row(cs, i)->state == CONN_FREE) {
			conn_at(cs, i)->link = cs->free;
			cs->free = i;
		}
	}
	cs->row->touching = 0;
}

void takeover_close_strays(const struct conns *cs, const int *mine, uint32_t count)
{
	long most = sysconf(_SC_OPEN_MAX);
	unsigned char *claimed = calloc(1, (size_t)most);
	unsigned first = 3;

	if (claimed == NULL)
		return;
	for (uint32_t k = 0; k < count; k++) {
		if (mine[k] >= 0 && mine[k] < most)
			claimed[mine[k]] = 1;
	}
	for (uint32_t i = 0; i < cs->row->conns_high; i++) {
		if (conn_row(cs, i)->state != CONN_FREE && conn_at(cs, i)->fd < most)
			claimed[conn_at(cs, i)->fd] = 1;
	}
	for (uint32_t k = 0; k < cs->files.high; k++) {
		if (cs->files.file[k].refs > 0 && cs->files.file[k].fd < most)
			claimed[cs->files.file[k].fd] = 1;
	}
	for (unsigned fd = 3; fd <= (unsigned)most; fd++) {
		if (fd < (unsigned)most && !claimed[fd])
			continue;
		if (fd > first)
			(void)close_range(first, fd - 1, 0);
		first = fd + 1;
	}
	free(claimed);
}
