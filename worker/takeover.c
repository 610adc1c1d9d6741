/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Taking over: see takeover.h. Called by guard.c, once in a standby that has become the worker,
 * before it serves anything.
 */
#include "worker/takeover.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "worker/http/chunk.h"
#include "worker/http/response.h"
#include "worker/queue.h"
#include "worker/up.h"

static bool is_socket(int fd)
{
	struct stat st;

	return fd >= 0 && fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode);
}

/* Do both halves of the record name the same descriptor, and is that a socket? */
static bool has_socket(const struct conns *cs, uint32_t i)
{
	int fd = conn_at(cs, i)->fd;

	return fd >= 0 && (uint32_t)fd == conn_row(cs, i)->fd && is_socket(fd);
}

/* Both halves of an exchange name each other, and the peer is one of ours. */
static bool sound_up(const struct conns *cs, uint32_t i)
{
	const struct conn *c = conn_at(cs, i);
	const struct settings *s = cs->settings;
	const struct up *up;

	if (cs->ups == NULL || c->up > cs->ups->legacy->high)
		return false;
	up = up_at(cs->ups, c->up - 1);
	return up->conn == i && !up->doomed && (up->flags & ~UP_FLAGS_KNOWN) == 0 &&
	       (up->flags & (UP_MOVING | UP_ARRIVING)) == 0 && up->peer < s->peers_count &&
	       c->server < s->servers_count &&
	       up->location < s->servers[c->server].locations_count && up->method <= HTTP_OTHER &&
	       up->body <= HTTP_BODY_UNTIL_CLOSE && up->out_off <= up->out_len &&
	       up->scanned <= up->in_len && up->chunk.extra <= CHUNK_EXTRA_MAX &&
	       fcgi_is_sound(&up->fcgi) && is_socket(up->fd) && up->fd != c->fd;
}

/* Between two turns a connection is in one of these states, and its peer's in one that goes with
 * it.
 */
static bool sound_state(const struct conns *cs, uint32_t i)
{
	const struct conn *c = conn_at(cs, i);
	enum conn_state state = (enum conn_state)conn_row(cs, i)->state;
	enum up_state up = UP_FREE;

	if (c->up != 0) {
		if (!sound_up(cs, i))
			return false;
		up = (enum up_state)up_at(cs->ups, c->up - 1)->state;
	}
	/* For a peer with room. */
	if ((c->flags & CONN_QUEUED) != 0)
		return state == CONN_RESPOND && c->up == 0 && c->head_len > 0 &&
		       c->parts_buf == BUF_NONE && c->out_buf == BUF_NONE &&
		       c->file == OPENFILE_NONE;
	return state < CONN_STATES_COUNT && (c->up == 0) == (up == UP_FREE) && up_fits(up, state) &&
	       (state != CONN_BODY || c->head_len > 0) &&
	       (c->parts_buf == BUF_NONE ||
		(state == CONN_SEND && c->up == 0 && c->file != OPENFILE_NONE));
}

static bool sound_place(const struct conns *cs, uint32_t i)
{
	const struct settings *s = cs->settings;
	const struct conn *c = conn_at(cs, i);

	return c->server < s->servers_count && c->listener < s->listeners_count &&
	       conn_row(cs, i)->listener == s->listeners[c->listener].row;
}

static bool sound_lengths(const struct conn *c)
{
	return c->head_len <= c->in_len && c->scanned <= c->in_len - c->head_len &&
	       c->out_off <= c->out_len && c->chunk.extra <= CHUNK_EXTRA_MAX;
}

/* What is still to be sent of a file; or the place in a queue, which lies there as well. */
static bool sound_wait(const struct conns *cs, const struct conn *c)
{
	if ((c->flags & CONN_QUEUED) != 0)
		return cs->queues != NULL && c->queued.upstream < cs->settings->upstreams_count;
	return (c->file_left == 0 || c->file != OPENFILE_NONE) && c->file_off <= INT64_MAX &&
	       c->file_left <= INT64_MAX - c->file_off;
}

/* All of its buffers, with those of its peer's side, or none. */
static bool claim_buffers(const struct conns *cs, const struct conn *c)
{
	static const struct up none = {.state = UP_FREE};
	const struct up *up = c->up != 0 ? up_at(cs->ups, c->up - 1) : &none;
	const uint32_t buf[] = {c->in_buf, c->out_buf, c->parts_buf, up->in_buf, up->out_buf};
	const uint32_t len[] = {c->in_len, c->out_len, 0, up->in_len, up->out_len};

	for (unsigned k = 0; k < sizeof buf / sizeof buf[0]; k++) {
		if (bufs_claim(&cs->bufs, buf[k], len[k]))
			continue;
		while (k-- > 0)
			bufs_disclaim(&cs->bufs, buf[k]);
		return false;
	}
	return true;
}

/* Can the record be continued? Buffers are claimed if so. */
static bool sound(const struct conns *cs, uint32_t i)
{
	const struct conn *c = conn_at(cs, i);

	return (c->flags & ~CONN_FLAGS_KNOWN) == 0 && sound_state(cs, i) && sound_place(cs, i) &&
	       sound_lengths(c) && sound_wait(cs, c) &&
	       (c->file == OPENFILE_NONE || openfiles_claimable(&cs->files, c->file)) &&
	       has_socket(cs, i) && claim_buffers(cs, c);
}

static void note_suspect(const struct conns *cs, uint32_t i, struct takeover *t)
{
	t->row = *conn_row(cs, i);
	t->suspect = t->row.id;
	memcpy(t->request, t->row.request, sizeof t->request);
	t->request[sizeof t->request - 1] = '\0';
}

static void reset(int fd)
{
	const struct linger at_once = {.l_onoff = 1, .l_linger = 0};

	(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
	close(fd);
}

/* Not continued here. One that another worker has, or will have, is not disturbed; of any other the
 * peer is to see that something is missing. */
static void drop(struct conns *cs, uint32_t i, struct takeover *t)
{
	struct conn *c = conn_at(cs, i);
	bool away = (c->flags & (CONN_MOVING | CONN_ARRIVING)) != 0;

	if (c->doomed) {
		/* Closed and counted before the crash. */
	} else if (away) {
		board_add(&cs->row->close_moved, 1);
		t->away++;
		if (has_socket(cs, i))
			close(c->fd);
	} else {
		board_add(&cs->row->close_lost, 1);
		t->lost++;
		if (has_socket(cs, i))
			reset(c->fd);
	}
	c->fd = -1;
	c->up = 0;
	c->doomed = 0;
	__atomic_store_n(&conn_row(cs, i)->state, (uint8_t)CONN_FREE, __ATOMIC_RELEASE);
}

/* Nobody is held to have been late while nobody was served. */
static void grant(struct conn *c, struct conn_row *row, uint64_t unserved_us)
{
	if (row->deadline_us != 0)
		board_set(&row->deadline_us, row->deadline_us + unserved_us);
	if (c->rate_us != 0)
		c->rate_us += unserved_us;
}

static void keep(struct conns *cs, uint32_t i, uint64_t unserved_us)
{
	struct conn *c = conn_at(cs, i);
	struct conn_row *row = conn_row(cs, i);
	struct listener_traffic_row *l = board_listener_traffic(cs->board, cs->worker_row,
								row->listener);

	c->flags &= (uint16_t)~CONN_READY;
	c->link = CONN_NONE;
	/* A row left in the middle of an update: its words are all there, only readers were warned.
	 */
	if ((row->seq & 1) != 0)
		board_write_end(&row->seq);
	if (c->file != OPENFILE_NONE)
		openfiles_claim(&cs->files, c->file);
	c->addr_cell = ADDR_NONE;
	if (cs->addrs != NULL && row->family != 1)
		c->addr_cell = addr_take(cs->addrs, row->peer, UINT32_MAX);
	board_add(&cs->row->conns, 1);
	board_add(&cs->row->fds, 1);
	board_add(&l->conns, 1);
	conn_count_state(cs, (enum conn_state)row->state);
	grant(c, row, unserved_us);
	if ((c->flags & CONN_QUEUED) != 0)
		queue_restore(cs->queues, i);
	conn_settle(cs, i);
	if (c->up != 0)
		up_keep(cs->ups, c->up - 1, unserved_us);
}

/* One that no request has, with all that it was sent used. On its way to or from another worker it
 * is that one's, or nobody's. */
static bool sound_idle(const struct conns *cs, const struct up *up)
{
	return up->state == UP_IDLE && !up->doomed && (up->flags & ~UP_FLAGS_KNOWN) == 0 &&
	       (up->flags & (UP_MOVING | UP_ARRIVING)) == 0 && up->conn == CONN_NONE &&
	       up->peer < cs->settings->peers_count && up->in_buf == BUF_NONE &&
	       up->out_buf == BUF_NONE && is_socket(up->fd);
}

static bool is_kept(const struct conns *cs, const struct up *up, uint32_t u)
{
	return up->conn < cs->row->conns_high && conn_row(cs, up->conn)->state != CONN_FREE &&
	       conn_at(cs, up->conn)->up == u + 1;
}

/* Connections to peers, after those of clients: by what the records say alone, since a list may
 * have been in the middle of a change. */
static void rebuild_ups(struct conns *cs, uint64_t unserved_us)
{
	for (uint32_t u = 0; u < cs->ups->legacy->high; u++) {
		struct up *up = up_at(cs->ups, u);

		if (up->state == UP_FREE || is_kept(cs, up, u))
			continue;
		if (sound_idle(cs, up))
			up_keep(cs->ups, u, unserved_us);
		else
			up_drop(cs->ups, u);
	}
	ups_settle(cs->ups);
}

/* Before any of them is armed: nothing may follow links of the old wheel. */
static void forget_ups(struct ups *us)
{
	if (us->legacy->high > us->max)
		us->legacy->high = us->max;
	for (uint32_t u = 0; u < us->legacy->high; u++)
		timer_node_init(&us->up[u].timer);
	ups_forget(us);
}

/* Ids are never used again. Rows keep theirs when they become free, so the last one given is in one
 * of them; those of connections that came from other workers are of other ranges. */
static void skip_id(struct conns *cs, uint64_t id)
{
	if (id >= cs->next_id && id >> 32 == cs->next_id >> 32)
		cs->next_id = id + 1;
}

static void forget_all(struct conns *cs)
{
	timer_init(&cs->timer, &cs->conn[0].timer, sizeof cs->conn[0], cs->clock->now_us);
	cs->free = cs->doomed = cs->ready = CONN_NONE;
	cs->draining = false;
	conns_count_none(cs);
	board_set(&cs->row->fds, 0);
	if (cs->addrs != NULL) {
		addrs_free(cs->addrs);
		cs->addrs = addrs_new(cs->max);
	}
	if (cs->queues != NULL)
		queues_forget(cs->queues);
	bufs_forget(&cs->bufs);
	openfiles_forget(&cs->files);
}

void takeover_rebuild(struct conns *cs, uint64_t unserved_us, struct takeover *t)
{
	uint32_t suspect = cs->row->touching - 1, high = cs->row->conns_high;

	*t = (struct takeover){0};
	forget_all(cs);
	if (cs->ups != NULL)
		forget_ups(cs->ups);
	if (high > cs->max)
		high = cs->row->conns_high = cs->max;
	for (uint32_t i = 0; i < high; i++) {
		const struct conn *c = conn_at(cs, i);

		/* Nodes of the old wheel: nothing may follow their links. */
		timer_node_init(&conn_at(cs, i)->timer);
		skip_id(cs, conn_row(cs, i)->id);
		if (conn_row(cs, i)->state == CONN_FREE)
			continue;
		if (i == suspect)
			note_suspect(cs, i, t);
		if (i != suspect && !c->doomed && (c->flags & (CONN_MOVING | CONN_ARRIVING)) == 0 &&
		    sound(cs, i)) {
			keep(cs, i, unserved_us);
			t->kept++;
		} else {
			drop(cs, i, t);
		}
	}
	if (cs->ups != NULL)
		rebuild_ups(cs, unserved_us);
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

struct claims {
	int *fd;
	size_t count;
};

static void claim(struct claims *l, int fd)
{
	if (fd > STDERR_FILENO)
		l->fd[l->count++] = fd;
}

static uint32_t ups_high(const struct conns *cs)
{
	return cs->ups != NULL ? cs->ups->legacy->high : 0;
}

static int by_number(const void *a, const void *b)
{
	int x = *(const int *)a, y = *(const int *)b;

	return (x > y) - (x < y);
}

static void claim_all(struct claims *l, const struct conns *cs, const int *mine, uint32_t count)
{
	for (uint32_t k = 0; k < count; k++)
		claim(l, mine[k]);
	for (uint32_t i = 0; i < cs->row->conns_high; i++) {
		if (conn_row(cs, i)->state != CONN_FREE)
			claim(l, conn_at(cs, i)->fd);
	}
	for (uint32_t k = 0; k < cs->files.high; k++) {
		if (cs->files.file[k].refs > 0)
			claim(l, cs->files.file[k].fd);
	}
	for (uint32_t u = 0; u < ups_high(cs); u++) {
		if (up_at(cs->ups, u)->state != UP_FREE)
			claim(l, up_at(cs->ups, u)->fd);
	}
}

void takeover_close_strays(const struct conns *cs, const int *mine, uint32_t count)
{
	struct claims l = {
	    calloc(count + cs->row->conns_high + cs->files.high + ups_high(cs) + 1, sizeof(int)),
	    0};
	unsigned first = STDERR_FILENO + 1;

	if (l.fd == NULL)
		return;
	claim_all(&l, cs, mine, count);
	qsort(l.fd, l.count, sizeof l.fd[0], by_number);
	for (size_t k = 0; k < l.count; k++) {
		unsigned fd = (unsigned)l.fd[k];

		if (fd > first)
			(void)close_range(first, fd - 1, 0);
		if (fd >= first)
			first = fd + 1;
	}
	(void)close_range(first, UINT32_MAX, 0);
	free(l.fd);
}
