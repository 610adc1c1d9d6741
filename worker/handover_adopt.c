/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Records that arrive become connections of this worker: see handover.h. Names in them are looked
 * up in this worker's own configuration, and what is not there is refused.
 */
#include "worker/handover_parts.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Index of the listener with the address; listeners_count if the configuration has none such. */
static uint32_t find_listener(const struct conns *cs, const struct moved_bytes *address)
{
	uint32_t i;

	for (i = 0; i < cs->settings->listeners_count; i++) {
		if (moved_same(address,
			       board_listener(cs->board, cs->settings->listeners[i].row)->address))
			break;
	}
	return i;
}

/* The same for a server section. Neighbours mostly come from one server: the last find is tried
 * first. */
static uint32_t find_server(const struct conns *cs, uint32_t listener,
			    const struct moved_bytes *name)
{
	static uint32_t last;
	uint32_t count = cs->settings->servers_count;

	if (name->len == 0)
		return cs->settings->listeners[listener].default_server;
	if (last < count && moved_same(name, cs->settings->servers[last].name))
		return last;
	for (last = 0; last < count && !moved_same(name, cs->settings->servers[last].name); last++)
		;
	return last;
}

/* The configuration may say that the peer speaks another protocol by now. */
static bool speaks_alike(const struct settings *s, const struct up *up)
{
	return (up->fcgi.on != 0) == s->upstreams[s->peers[up->peer].upstream].fastcgi;
}

static bool is_peer(const struct settings *s, uint32_t i, const struct moved_bytes *upstream,
		    const struct moved_bytes *address)
{
	const struct peer *p = &s->peers[i];

	return moved_same(address, p->address) &&
	       moved_same(upstream, s->upstreams[p->upstream].name);
}

/* The same for a peer. Returns its index, or peers_count. */
static uint32_t find_peer(const struct settings *s, const struct moved_bytes *upstream,
			  const struct moved_bytes *address)
{
	static uint32_t last;

	if (last < s->peers_count && is_peer(s, last, upstream, address))
		return last;
	for (last = 0; last < s->peers_count && !is_peer(s, last, upstream, address); last++)
		;
	return last;
}

static uint32_t find_location(const struct server *s, const struct moved_bytes *match)
{
	uint32_t k;

	for (k = 0; k < s->locations_count; k++) {
		if (s->locations[k].match != NULL && moved_same(match, s->locations[k].match))
			break;
	}
	return k;
}

static bool keep_bytes(struct conns *cs, const struct moved_bytes *b, uint32_t *buf)
{
	if (b->len == 0)
		return true;
	*buf = buf_take(&cs->bufs, b->len);
	if (*buf == BUF_NONE)
		return false;
	memcpy(buf_data(&cs->bufs, *buf), b->p, b->len);
	return true;
}

static bool same_file(int a, int b)
{
	struct stat one, other;

	return fstat(a, &one) == 0 && fstat(b, &other) == 0 && one.st_ino == other.st_ino &&
	       one.st_dev == other.st_dev;
}

/* Many connections often send the same file: they come with a descriptor each and share one. */
static uint32_t keep_file(struct openfiles *files, int fd)
{
	static uint32_t last;

	if (last < files->high && files->file[last].refs > 0 &&
	    same_file(files->file[last].fd, fd)) {
		openfile_ref(files, last);
		close(fd);
		return last;
	}
	last = openfile_add(files, fd);
	return last;
}

/* Completes the record with what is this worker's own: listener, server, buffers, descriptors. */
static bool settle_in(struct conns *cs, struct moved_record *r, const int *fds)
{
	struct conn *c = &r->conn;
	uint32_t listener;

	c->fd = fds[0];
	c->file = OPENFILE_NONE;
	listener = find_listener(cs, &r->listener);
	if (listener == cs->settings->listeners_count)
		return false;
	c->listener = (uint16_t)listener;
	c->server = find_server(cs, c->listener, &r->server);
	if (c->server == cs->settings->servers_count)
		return false;
	if (!keep_bytes(cs, &r->in, &c->in_buf) || !keep_bytes(cs, &r->out, &c->out_buf))
		return false;
	c->in_len = r->in.len;
	c->out_len = r->out.len;
	if ((r->fds & MOVED_FILE) != 0) {
		c->file = keep_file(&cs->files, fds[1]);
		if (c->file == OPENFILE_NONE)
			return false;
	}
	return true;
}

static int peer_fd(const struct moved_record *r, const int *fds)
{
	return fds[(r->fds & MOVED_FILE) != 0 ? 2 : 1];
}

/* The same for the connection to a peer, which is then a record of its own. A descriptor is its
 * caller's until then. */
static uint32_t settle_up(struct conns *cs, struct moved_record *r, int fd)
{
	const struct server *s = &cs->settings->servers[r->conn.server];
	struct up *up = &r->up;
	bool idle = up->state == UP_IDLE;
	uint32_t u = UP_NONE;

	if (cs->ups == NULL)
		return UP_NONE;
	up->fd = fd;
	up->peer = find_peer(cs->settings, &r->upstream, &r->up_peer);
	up->location = idle ? 0 : find_location(s, &r->location);
	up->in_len = r->up_in.len;
	up->out_len = r->up_out.len;
	if (up->peer < cs->settings->peers_count && speaks_alike(cs->settings, up) &&
	    (idle || up->location < s->locations_count) && keep_bytes(cs, &r->up_in, &up->in_buf) &&
	    keep_bytes(cs, &r->up_out, &up->out_buf))
		u = up_adopt(cs->ups, up);
	if (u == UP_NONE) {
		buf_drop(&cs->bufs, &up->in_buf);
		buf_drop(&cs->bufs, &up->out_buf);
	}
	return u;
}

/* This worker cannot have it: what has been made of the record goes again, u with it. */
static void let_go(struct conns *cs, struct moved_record *r, const int *fds, uint32_t u)
{
	buf_drop(&cs->bufs, &r->conn.in_buf);
	buf_drop(&cs->bufs, &r->conn.out_buf);
	if (r->conn.file != OPENFILE_NONE)
		openfile_unref(&cs->files, r->conn.file);
	else if ((r->fds & MOVED_FILE) != 0)
		close(fds[1]);
	if (u != UP_NONE)
		up_close(cs->ups, u);
	else if ((r->fds & MOVED_PEER_FD) != 0)
		close(peer_fd(r, fds));
	close(fds[0]);
}

static uint32_t adopt_client(struct conns *cs, struct moved_record *r, const int *fds)
{
	bool proxied = (r->fds & MOVED_PEER_FD) != 0, settled;
	uint32_t i = CONN_NONE, u = UP_NONE;

	r->conn.flags |= CONN_ARRIVING;
	settled = settle_in(cs, r, fds);
	if (settled && proxied)
		u = settle_up(cs, r, peer_fd(r, fds));
	if (settled && (!proxied || u != UP_NONE))
		i = conn_adopt(cs, &r->conn, &r->row, r->state);
	if (i == CONN_NONE)
		let_go(cs, r, fds, u);
	else if (proxied)
		up_join(cs->ups, u, i);
	return i;
}

/* An idle connection to a peer. */
static uint32_t adopt_idle(struct conns *cs, struct moved_record *r, int fd)
{
	uint32_t u = settle_up(cs, r, fd);

	if (u == UP_NONE)
		close(fd);
	return u != UP_NONE ? u | HANDOVER_IDLE_UP : CONN_NONE;
}

uint32_t handover_adopt(struct conns *cs, struct moved_record *r, const int *fds)
{
	return r->up.state == UP_IDLE ? adopt_idle(cs, r, fds[0]) : adopt_client(cs, r, fds);
}
