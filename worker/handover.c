/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Both ends of a handover: see handover.h. Called by worker.c between the events of a turn, when
 * every record is a plain record.
 */
#include "worker/handover.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "worker/errlog.h"

enum {
	RESCAN_US = 50000,
	PAUSE_US = 5000,
	FDS_MOST = 253 /* SCM_MAX_FD */
};

/* In a list of what is on its way: an idle connection to a peer, not a client's. */
#define IDLE_UP ((uint32_t)1 << 31)

static_assert((int)MOVED_FDS <= (int)FDS_MOST, "a message has room for its descriptors");

void handover_channel(int fd)
{
	const int bytes = 2 * MOVED_MESSAGE;

	(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
}

void handover_begin(struct handover_out *o, int fd, uint32_t limit)
{
	*o = (struct handover_out){.fd = fd, .limit = limit, .most = MOVED_BATCH};
	handover_channel(fd);
}

bool handover_done(const struct handover_out *o, const struct conns *cs)
{
	return o->acked == o->sent &&
	       (o->stopped || o->sent >= o->limit || o->next_row >= cs->row->conns_high);
}

void handover_stop(struct handover_out *o)
{
	o->stopped = true;
}

/* Which ones a worker that stays gives away: those that are there for long. */
static bool is_lasting(unsigned state)
{
	return state == CONN_IDLE || state == CONN_RELAY;
}

static bool free_to_go(const struct handover_out *o, const struct conns *cs, uint32_t i)
{
	uint8_t state = conn_row(cs, i)->state;

	return state != CONN_FREE && (o->limit == 0 || is_lasting(state)) &&
	       (conn_at(cs, i)->flags & CONN_MOVING) == 0 && moved_portable(cs, i);
}

/* A message being put together. */
struct batch {
	struct moved_header *header;
	size_t len;
	int fds[FDS_MOST];
	int fd_count;
	uint32_t row[MOVED_BATCH];
	char bytes[MOVED_MESSAGE];
};

static struct batch batch;

static bool add(struct conns *cs, uint32_t i)
{
	const struct conn *c = conn_at(cs, i);
	const char *listener = board_listener(cs->board, conn_row(cs, i)->listener)->address;

	if (moved_write(cs, i, listener, cs->settings->servers[c->server].name, batch.bytes,
			sizeof batch.bytes, &batch.len) != 0)
		return false;
	batch.fds[batch.fd_count++] = c->fd;
	if (c->file != OPENFILE_NONE)
		batch.fds[batch.fd_count++] = openfile_fd(&cs->files, c->file);
	if (c->up != 0)
		batch.fds[batch.fd_count++] = up_at(cs->ups, c->up - 1)->fd;
	batch.row[batch.header->count++] = i;
	return true;
}

static void begin_batch(const struct handover_out *o)
{
	batch.header = (struct moved_header *)(void *)batch.bytes;
	*batch.header = (struct moved_header){MOVED_MAGIC, MOVED_VERSION, MOVED_CONNS, o->sent, 0};
	batch.len = sizeof *batch.header;
	batch.fd_count = 0;
}

static bool has_room_for(int fds)
{
	return batch.fd_count + fds <= MOVED_FDS &&
	       (fds < MOVED_FDS_EACH || batch.header->count == 0);
}

static void fill(struct handover_out *o, struct conns *cs, uint32_t most)
{
	uint32_t high = cs->row->conns_high;

	begin_batch(o);
	for (; o->next_row < high && batch.header->count < most; o->next_row++) {
		int fds;

		if (!free_to_go(o, cs, o->next_row))
			continue;
		fds = moved_descriptors_of(cs, o->next_row);
		if (!has_room_for(fds))
			return;
		/* One that fits no message has four buffers that are all but full: it is looked at
		 * again, when some of that has left. */
		if (!add(cs, o->next_row) && batch.header->count > 0)
			return;
		if (fds == MOVED_FDS_EACH)
			most = 0;
	}
}

/* Idle connections to peers. */
static void fill_idle(const struct handover_out *o, struct ups *us, uint32_t most)
{
	begin_batch(o);
	for (uint32_t p = 0; p < us->cs->settings->peers_count; p++) {
		for (uint32_t u = us->idle[p].first; u != UP_NONE; u = up_at(us, u)->link) {
			if (batch.header->count == most ||
			    moved_write_idle(us, u, batch.bytes, sizeof batch.bytes, &batch.len) !=
				0)
				return;
			batch.fds[batch.fd_count++] = up_at(us, u)->fd;
			batch.row[batch.header->count++] = u | IDLE_UP;
		}
	}
}

static ssize_t send_with_fds(int fd, const void *p, size_t len, const int *fds, int count)
{
	alignas(struct cmsghdr) char space[CMSG_SPACE(FDS_MOST * sizeof(int))];
	struct iovec iov = {(void *)(uintptr_t)p, len};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
	ssize_t n;

	if (count > 0) {
		struct cmsghdr *c;

		memset(space, 0, sizeof space);
		m.msg_control = space;
		m.msg_controllen = CMSG_SPACE((size_t)count * sizeof(int));
		c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN((size_t)count * sizeof(int));
		memcpy(CMSG_DATA(c), fds, (size_t)count * sizeof(int));
	}
	do
		n = sendmsg(fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	return n;
}

/* The process at the other end is. */
static bool is_gone(int error)
{
	return error == EPIPE || error == ECONNRESET || error == ECONNREFUSED || error == ENOTCONN;
}

/* The batch is in the channel: its connections wait for their acknowledgement. */
static void in_flight(struct handover_out *o)
{
	for (uint32_t k = 0; k < batch.header->count; k++)
		o->window[(o->sent + k) % HANDOVER_WINDOW] = batch.row[k];
	o->sent += batch.header->count;
	o->messages++;
}

static void mark_batch(struct conns *cs, uint16_t flag, bool on)
{
	for (uint32_t k = 0; k < batch.header->count; k++) {
		struct conn *c = conn_at(cs, batch.row[k]);

		c->flags = on ? c->flags | flag : c->flags & (uint16_t)~flag;
	}
}

static void for_batch(const struct handover_ops *ops, void (*what)(void *, uint32_t))
{
	for (uint32_t k = 0; k < batch.header->count; k++)
		what(ops->arg, batch.row[k]);
}

static void for_idle(struct ups *us, void (*what)(struct ups *, uint32_t))
{
	for (uint32_t k = 0; k < batch.header->count; k++)
		what(us, batch.row[k] & ~IDLE_UP);
}

/* Of a worker that leaves: it ends here, in the polite way. */
static void refused(const struct handover_out *o, struct conns *cs, uint32_t i)
{
	board_add(&cs->row->moved_refused, 1);
	if (o->limit == 0)
		conn_at(cs, i)->flags |= CONN_STAYS;
}

/* The system will not let this one through, and would not the next time. */
static void cannot_go(struct handover_out *o, struct conns *cs, uint32_t i)
{
	refused(o, cs, i);
	if (o->limit != 0)
		handover_stop(o);
}

/* What did not leave is watched here again. Returns whether the channel may still be used. */
static bool not_sent(struct handover_out *o, struct conns *cs, const struct handover_ops *ops,
		     int error)
{
	bool gone = is_gone(error);
	/* The channel is full, or the kernel will not have more descriptors in flight. */
	bool later = error == EAGAIN || error == ENOBUFS || error == ENOMEM ||
		     error == ETOOMANYREFS;

	if (later)
		o->pause_us = cs->clock->now_us + PAUSE_US;
	else if (!gone && batch.header->count > 1)
		o->most = batch.header->count / 2;
	else if (!gone)
		cannot_go(o, cs, batch.row[0]);
	mark_batch(cs, CONN_MOVING, false);
	for_batch(ops, ops->watch);
	return !gone;
}

/* Asked before connections are taken out of epoll for nothing; an event tells when that changes. */
static bool has_room(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLOUT};

	return poll(&p, 1, 0) > 0;
}

static bool window_is_open(const struct handover_out *o)
{
	return o->sent - o->acked < HANDOVER_WINDOW && o->messages < HANDOVER_MESSAGES &&
	       has_room(o->fd);
}

static bool may_send(struct handover_out *o, const struct conns *cs)
{
	if (o->pause_us > cs->clock->now_us)
		return false;
	o->pause_us = 0;
	if (o->stopped)
		return false;
	if (o->limit != 0 && (o->sent >= o->limit || o->next_row >= cs->row->conns_high))
		return false;
	if (o->next_row >= cs->row->conns_high) {
		if (o->rescan_us > cs->clock->now_us)
			return false;
		o->rescan_us = cs->clock->now_us + RESCAN_US;
		o->next_row = 0;
	}
	return window_is_open(o);
}

static uint32_t batch_most(const struct handover_out *o)
{
	uint32_t room = HANDOVER_WINDOW - (o->sent - o->acked);

	if (o->limit != 0 && o->limit - o->sent < room)
		room = o->limit - o->sent;
	return room < o->most ? room : o->most;
}

/* Idle connections to peers go first, so that the requests that move with their clients find them.
 * What cannot be sent now is not worth a wait. */
static void send_idle(struct handover_out *o, struct ups *us)
{
	while (o->limit == 0 && !o->stopped && us->idle_all > 0 && window_is_open(o)) {
		fill_idle(o, us, batch_most(o));
		if (batch.header->count == 0)
			return;
		for_idle(us, up_withdraw);
		if (send_with_fds(o->fd, batch.bytes, batch.len, batch.fds, batch.fd_count) < 0) {
			for_idle(us, up_settle_in);
			return;
		}
		in_flight(o);
	}
}

enum handover_state handover_send(struct handover_out *o, struct conns *cs,
				  const struct handover_ops *ops)
{
	if (cs->ups != NULL)
		send_idle(o, cs->ups);
	while (may_send(o, cs)) {
		uint32_t first = o->next_row;

		fill(o, cs, batch_most(o));
		if (batch.header->count == 0)
			continue;
		/* epoll would go on watching the open file behind the duplicate that travels. */
		for_batch(ops, ops->unwatch);
		/* Before the message: should this process die now, its standby must not serve what
		 * another worker may have. */
		mark_batch(cs, CONN_MOVING, true);
		if (send_with_fds(o->fd, batch.bytes, batch.len, batch.fds, batch.fd_count) < 0) {
			o->next_row = first;
			if (!not_sent(o, cs, ops, errno))
				return handover_read_acks(o, cs, ops);
			continue;
		}
		in_flight(o);
	}
	return HANDOVER_WAITS;
}

uint64_t handover_wait_us(const struct handover_out *o, uint64_t now_us, uint64_t most)
{
	uint64_t at = o->pause_us > now_us ? o->pause_us : o->rescan_us;

	return o->fd >= 0 && at > now_us && at - now_us < most ? at - now_us : most;
}

static void stays(struct conns *cs, uint32_t i, const struct handover_ops *ops)
{
	if ((i & IDLE_UP) != 0) {
		up_settle_in(cs->ups, i & ~IDLE_UP);
		return;
	}
	conn_at(cs, i)->flags &= (uint16_t)~CONN_MOVING;
	ops->watch(ops->arg, i);
}

/* It is the receiver's. */
static void leaves(struct conns *cs, uint32_t i)
{
	if ((i & IDLE_UP) != 0)
		up_close(cs->ups, i & ~IDLE_UP);
	else
		conn_close(cs, i, CLOSE_MOVED, false);
}

static void decide(struct handover_out *o, struct conns *cs, uint32_t i, bool taken,
		   const struct handover_ops *ops)
{
	/* An idle connection to a peer that was refused is one too many. */
	if (taken || (i & IDLE_UP) != 0) {
		leaves(cs, i);
		o->taken += (i & IDLE_UP) == 0;
	} else {
		refused(o, cs, i);
		stays(cs, i, ops);
	}
}

/* Acknowledgements come in order; one that does not fit breaks the channel, and nothing is lost by
 * that. */
static bool acknowledge(struct handover_out *o, struct conns *cs, const struct moved_header *h,
			const char *verdict, const struct handover_ops *ops)
{
	if (h->first != o->acked || h->count > o->sent - o->acked || o->messages == 0)
		return false;
	o->messages--;
	for (uint32_t k = 0; k < h->count; k++)
		decide(o, cs, o->window[o->acked++ % HANDOVER_WINDOW], verdict[k] == 1, ops);
	return true;
}

/* A peer that ended with unread messages is reported before what it has sent: that comes next. */
static bool again(ssize_t n)
{
	return n < 0 && (errno == EINTR || errno == ECONNRESET);
}

enum handover_state handover_read_acks(struct handover_out *o, struct conns *cs,
				       const struct handover_ops *ops)
{
	while (!o->broken) {
		char bytes[sizeof(struct moved_header) + MOVED_BATCH];
		struct moved_header h;
		ssize_t n = recv(o->fd, bytes, sizeof bytes, MSG_DONTWAIT | MSG_TRUNC);

		if (again(n))
			continue;
		if (n < 0 && errno == EAGAIN)
			return HANDOVER_GOES_ON;
		o->broken = n < (ssize_t)sizeof h || n > (ssize_t)sizeof bytes;
		if (o->broken)
			break;
		memcpy(&h, bytes, sizeof h);
		o->broken = h.magic != MOVED_MAGIC || h.version != MOVED_VERSION ||
			    h.kind != MOVED_ACK || (size_t)n != sizeof h + h.count ||
			    !acknowledge(o, cs, &h, bytes + sizeof h, ops);
	}
	return HANDOVER_BROKEN;
}

void handover_end(struct handover_out *o, struct conns *cs, const struct handover_ops *ops)
{
	const struct moved_header h = {MOVED_MAGIC, MOVED_VERSION, MOVED_END, o->sent, 0};

	if (o->fd < 0)
		return;
	(void)handover_read_acks(o, cs, ops);
	(void)send_with_fds(o->fd, &h, sizeof h, NULL, 0);
	close(o->fd);
	o->fd = -1;
	while (o->acked != o->sent) {
		uint32_t i = o->window[o->acked++ % HANDOVER_WINDOW];

		if (o->broken)
			stays(cs, i, ops);
		else
			leaves(cs, i);
	}
}

/* The receiving end. */

static bool same(const struct moved_bytes *b, const char *text)
{
	return b->len > 0 && b->len == strlen(text) && memcmp(b->p, text, b->len) == 0;
}

/* Index of the listener with the address; listeners_count if the configuration has none such. */
static uint32_t find_listener(const struct conns *cs, const struct moved_bytes *address)
{
	uint32_t i;

	for (i = 0; i < cs->settings->listeners_count; i++) {
		if (same(address,
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
	if (last < count && same(name, cs->settings->servers[last].name))
		return last;
	for (last = 0; last < count && !same(name, cs->settings->servers[last].name); last++)
		;
	return last;
}

/* The configuration may say that the peer speaks another protocol by now. */
static bool speaks_alike(const struct settings *s, const struct up *up)
{
	return (up->fcgi.on != 0) == s->upstreams[s->peers[up->peer].upstream].fastcgi;
}

/* The same for a peer. Returns its index, or peers_count. */
static uint32_t find_peer(const struct settings *s, const struct moved_bytes *upstream,
			  const struct moved_bytes *address)
{
	static uint32_t last;
	const struct peer *p = s->peers;

	if (last < s->peers_count && same(address, p[last].address) &&
	    same(upstream, s->upstreams[p[last].upstream].name))
		return last;
	for (last = 0; last < s->peers_count; last++) {
		if (same(address, p[last].address) &&
		    same(upstream, s->upstreams[p[last].upstream].name))
			break;
	}
	return last;
}

static uint32_t find_location(const struct server *s, const struct moved_bytes *match)
{
	uint32_t k;

	for (k = 0; k < s->locations_count; k++) {
		if (s->locations[k].match != NULL && same(match, s->locations[k].match))
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

static uint32_t adopt(struct conns *cs, struct moved_record *r, const int *fds)
{
	bool file = (r->fds & MOVED_FILE) != 0, proxied = (r->fds & MOVED_PEER_FD) != 0;
	int peer_fd = proxied ? fds[file ? 2 : 1] : -1;
	uint32_t i = CONN_NONE, u = UP_NONE;

	r->conn.flags |= CONN_ARRIVING;
	if (settle_in(cs, r, fds)) {
		u = proxied ? settle_up(cs, r, peer_fd) : UP_NONE;
		if (!proxied || u != UP_NONE)
			i = conn_adopt(cs, &r->conn, &r->row, r->state);
	}
	if (i != CONN_NONE && proxied)
		up_join(cs->ups, u, i);
	if (i == CONN_NONE) {
		buf_drop(&cs->bufs, &r->conn.in_buf);
		buf_drop(&cs->bufs, &r->conn.out_buf);
		if (r->conn.file != OPENFILE_NONE)
			openfile_unref(&cs->files, r->conn.file);
		else if (file)
			close(fds[1]);
		if (u != UP_NONE)
			up_close(cs->ups, u);
		else if (proxied)
			close(peer_fd);
		close(fds[0]);
	}
	return i;
}

/* An idle connection to a peer. */
static uint32_t adopt_idle(struct conns *cs, struct moved_record *r, int fd)
{
	uint32_t u = settle_up(cs, r, fd);

	if (u == UP_NONE)
		close(fd);
	return u != UP_NONE ? u | IDLE_UP : CONN_NONE;
}

struct arrived {
	size_t len;
	int fds[FDS_MOST];
	int fd_count;
	char bytes[MOVED_MESSAGE];
};

static struct arrived arrived;

static ssize_t receive(int fd)
{
	alignas(struct cmsghdr) char space[CMSG_SPACE(FDS_MOST * sizeof(int))];
	struct iovec iov = {arrived.bytes, sizeof arrived.bytes};
	struct msghdr m = {
	    .msg_iov = &iov, .msg_iovlen = 1, .msg_control = space, .msg_controllen = sizeof space};
	ssize_t n;

	do
		n = recvmsg(fd, &m, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	while (again(n));
	arrived.fd_count = 0;
	for (struct cmsghdr *c = n >= 0 ? CMSG_FIRSTHDR(&m) : NULL; c != NULL;
	     c = CMSG_NXTHDR(&m, c)) {
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS) {
			arrived.fd_count = (int)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
			memcpy(arrived.fds, CMSG_DATA(c), (size_t)arrived.fd_count * sizeof(int));
		}
	}
	arrived.len = n > 0 ? (size_t)n : 0;
	return (m.msg_flags & MSG_TRUNC) != 0 ? 0 : n;
}

static void close_from(int first)
{
	for (; first < arrived.fd_count; first++)
		close(arrived.fds[first]);
}

/*
 * Opens what the message holds. Where descriptors were cut off (none was left in this process) the
 * rest is refused: its sender still has them.
 */
static void open_records(struct conns *cs, uint32_t count, char *verdict, uint32_t *taken,
			 uint32_t *taken_count)
{
	size_t off = sizeof(struct moved_header);
	int fd = 0;

	for (uint32_t k = 0; k < count; k++) {
		static struct moved_record r;
		int want = moved_descriptors(arrived.bytes, arrived.len, off);
		uint32_t i;

		if (want < 0 || fd + want > arrived.fd_count)
			break;
		if (moved_read(arrived.bytes, arrived.len, &off, &r) == 1) {
			i = r.up.state == UP_IDLE ? adopt_idle(cs, &r, arrived.fds[fd])
						  : adopt(cs, &r, &arrived.fds[fd]);
			if (i != CONN_NONE) {
				verdict[k] = 1;
				taken[(*taken_count)++] = i;
			}
		} else {
			for (int n = 0; n < want; n++)
				close(arrived.fds[fd + n]);
		}
		fd += want;
	}
	close_from(fd);
}

/* The acknowledgement is in the channel: idle connections to peers are served at once, clients'
 * are left in taken[]. */
static uint32_t begin_to_serve(struct conns *cs, uint32_t *taken, uint32_t count)
{
	uint32_t clients = 0;

	for (uint32_t k = 0; k < count; k++) {
		if ((taken[k] & IDLE_UP) != 0) {
			up_settle_in(cs->ups, taken[k] & ~IDLE_UP);
		} else {
			conn_at(cs, taken[k])->flags &= (uint16_t)~CONN_ARRIVING;
			taken[clients++] = taken[k];
		}
	}
	return clients;
}

int handover_receive(int fd, struct conns *cs, uint32_t taken[MOVED_BATCH], uint32_t *count)
{
	char answer[sizeof(struct moved_header) + MOVED_BATCH] = {0};
	struct moved_header h;
	ssize_t n = receive(fd);

	*count = 0;
	if (n < 0 && errno == EAGAIN)
		return 0;
	if (n < (ssize_t)sizeof h) {
		close_from(0);
		return -1;
	}
	memcpy(&h, arrived.bytes, sizeof h);
	if (h.magic != MOVED_MAGIC || h.version != MOVED_VERSION || h.kind != MOVED_CONNS ||
	    h.count > MOVED_BATCH) {
		close_from(0);
		return -1;
	}
	open_records(cs, h.count, answer + sizeof h, taken, count);
	h.kind = MOVED_ACK;
	memcpy(answer, &h, sizeof h);
	/* A sender that is gone has left to us what it sent. */
	if (send_with_fds(fd, answer, sizeof h + h.count, NULL, 0) >= 0 || is_gone(errno)) {
		*count = begin_to_serve(cs, taken, *count);
		return 1;
	}
	/* The sender still counts them as its own. */
	for (; *count > 0; (*count)--)
		leaves(cs, taken[*count - 1]);
	return -1;
}
