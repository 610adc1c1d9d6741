/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Connections to peers: see up.h. This file opens, keeps and buries them; it knows nothing of HTTP.
 */
#include "worker/up.h"

#include <assert.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "shm/active.h"
#include "worker/address.h"
#include "worker/balance.h"
#include "worker/peer.h"
#include "worker/peer_load.h"

static_assert(sizeof(struct up) <= 192, "a record of a connection to a peer grew");

enum {
	NUMBER_BITS = 24
};

static uint32_t ups_max(const struct settings *s)
{
	if (s->peers_count == 0)
		return 0;
	return s->upstream_connections != 0 ? s->upstream_connections : s->worker_connections;
}

size_t ups_room(const struct settings *s)
{
	return arena_room(((size_t)ups_max(s) + 1) * sizeof(struct up)) +
	       arena_room(sizeof(struct ups_legacy));
}

const char *up_state_name(enum up_state state)
{
	static const char *const names[] = {
	    [UP_FREE] = "free", [UP_CONNECT] = "connect", [UP_HEAD] = "head",
	    [UP_BODY] = "body", [UP_RELAY] = "relay",     [UP_IDLE] = "idle"};

	return (size_t)state < sizeof names / sizeof names[0] ? names[state] : "unknown";
}

bool up_fits(enum up_state state, enum conn_state conn)
{
#define IN(state) (1u << CONN_##state)
	static const uint16_t fits[] = {
	    [UP_FREE] = IN(IDLE) | IN(HEAD) | IN(BODY) | IN(SEND) | IN(LINGER),
	    [UP_CONNECT] = IN(BODY) | IN(RESPOND) | IN(SEND),
	    [UP_HEAD] = IN(BODY) | IN(RESPOND) | IN(SEND),
	    [UP_BODY] = IN(RESPOND) | IN(SEND),
	    [UP_RELAY] = IN(RELAY),
	    [UP_IDLE] = 0,
	};
#undef IN

	return (size_t)state < sizeof fits / sizeof fits[0] && (fits[state] >> conn & 1) != 0;
}

static void less(uint64_t *gauge)
{
	board_set(gauge, *gauge - 1);
}

/* What a process that died had in hand is nobody's any more. */
void ups_forget(struct ups *us)
{
	board_bury_peers(us->cs->board, us->cs->worker_row);
	board_set(&us->cs->row->up_conns, 0);
	board_set(&us->cs->row->up_idle, 0);
	us->open = us->idle_all = 0;
	us->reserved = UP_NONE;
	us->served = UP_NONE;
	us->free = us->doomed = UP_NONE;
	timer_init(&us->timer, &us->up[0].timer, sizeof us->up[0], us->cs->clock->now_us);
	for (uint32_t p = 0; p < us->cs->settings->peers_count; p++)
		us->idle[p] = (struct up_list){.first = UP_NONE, .last = UP_NONE};
}

int ups_init(struct ups *us, struct conns *cs, struct arena *arena)
{
	*us = (struct ups){.cs = cs,
			   .max = ups_max(cs->settings),
			   .epoll_fd = -1,
			   .reserved = UP_NONE,
			   .served = UP_NONE};
	us->up = arena_take(arena, ((size_t)us->max + 1) * sizeof us->up[0]);
	us->legacy = arena_take(arena, sizeof *us->legacy);
	us->idle = calloc((size_t)cs->settings->peers_count + 1, sizeof us->idle[0]);
	us->balance = balance_new(cs->settings);
	if (us->up == NULL || us->legacy == NULL || us->idle == NULL || us->balance == NULL)
		return -1;
	ups_forget(us);
	return 0;
}

void ups_free(struct ups *us)
{
	balance_free(us->balance);
	us->balance = NULL;
	free(us->idle);
	us->idle = NULL;
}

static uint64_t data_of(const struct ups *us, uint32_t u)
{
	return us->tag | (uint64_t)(us->up[u].number & ((1u << NUMBER_BITS) - 1)) << 32 | u;
}

uint32_t up_of_event(const struct ups *us, uint64_t data)
{
	uint32_t u = (uint32_t)data;

	return u < us->legacy->high && !us->up[u].doomed && data == data_of(us, u) ? u : UP_NONE;
}

static uint32_t take_record(struct ups *us)
{
	uint32_t u = us->free;

	if (u != UP_NONE)
		us->free = us->up[u].link;
	else if (us->legacy->high < us->max)
		u = us->legacy->high++;
	return u;
}

/* The one that was closed last. */
static void bury_first(struct ups *us)
{
	uint32_t u = us->doomed;
	struct up *up = up_at(us, u);

	us->doomed = up->link;
	timer_cancel(&us->timer, u);
	buf_drop(&us->cs->bufs, &up->in_buf);
	buf_drop(&us->cs->bufs, &up->out_buf);
	up->state = UP_FREE;
	up->link = us->free;
	us->free = u;
	us->open--;
}

void ups_bury(struct ups *us)
{
	while (us->doomed != UP_NONE)
		bury_first(us);
}

/* Idle lists. */

/* Between two neighbours, or at an end. */
static void idle_insert(struct ups *us, uint32_t u, uint32_t before, uint32_t after)
{
	struct up_list *l = &us->idle[us->up[u].peer];

	us->up[u].prev = before;
	us->up[u].link = after;
	*(before != UP_NONE ? &us->up[before].link : &l->first) = u;
	*(after != UP_NONE ? &us->up[after].prev : &l->last) = u;
	l->count++;
	us->idle_all++;
	board_add(&peer_traffic(us, us->up[u].peer)->idle, 1);
	board_add(&us->cs->row->up_idle, 1);
}

static void idle_add(struct ups *us, uint32_t u)
{
	idle_insert(us, u, UP_NONE, us->idle[us->up[u].peer].first);
}

static void idle_remove(struct ups *us, uint32_t u)
{
	struct up_list *l = &us->idle[us->up[u].peer];
	struct up *up = up_at(us, u);

	if (up->prev != UP_NONE)
		us->up[up->prev].link = up->link;
	else
		l->first = up->link;
	if (up->link != UP_NONE)
		us->up[up->link].prev = up->prev;
	else
		l->last = up->prev;
	l->count--;
	us->idle_all--;
	up->link = up->prev = UP_NONE;
	less(&peer_traffic(us, up->peer)->idle);
	less(&us->cs->row->up_idle);
}

/* Opening. */

/* Starts to connect. Returns the descriptor, or -1 with errno. */
static int dial(const struct address *a)
{
	static const int on = 1;
	int fd, error;

	fd = socket(a->addr.sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	if (a->addr.sa.sa_family != AF_UNIX)
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	if (connect(fd, &a->addr.sa, a->len) == 0 || errno == EINPROGRESS)
		return fd;
	error = errno;
	close(fd);
	errno = error;
	return -1;
}

static void count_open(struct ups *us, uint32_t u)
{
	us->open++;
	board_add(&peer_traffic(us, us->up[u].peer)->open, 1);
	board_add(&us->cs->row->up_conns, 1);
	board_add(&us->cs->row->fds, 1);
}

/* The same to the peer's address, or to the other one if that is refused at once. */
static int dial_peer(const struct ups *us, uint32_t peer, struct address *a, uint16_t *flags)
{
	const struct peer *p = &us->cs->settings->peers[peer];
	int fd;

	*flags = 0;
	if (!address_of(us->cs->board, p, false, a)) {
		errno = EADDRNOTAVAIL;
		return -1;
	}
	fd = dial(a);
	if (fd >= 0 || p->host == NULL || !address_of(us->cs->board, p, true, a))
		return fd;
	*flags = UP_OTHER;
	return dial(a);
}

static int poll_up(struct ups *us, uint32_t u, int how)
{
	struct epoll_event e = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
				.data.u64 = data_of(us, u)};

	return epoll_ctl(us->epoll_fd, how, us->up[u].fd, &e);
}

/* As take_record(); if there is none left, an idle connection gives way: of the peer that has most
 * of them the one that has been idle for longest. */
static uint32_t make_record(struct ups *us)
{
	const struct up_list *most = &us->idle[0];
	uint32_t u = take_record(us);

	if (u != UP_NONE || us->idle_all == 0)
		return u;
	for (uint32_t p = 1; p < us->cs->settings->peers_count; p++)
		if (us->idle[p].count > most->count)
			most = &us->idle[p];
	up_close(us, most->last);
	bury_first(us);
	return take_record(us);
}

static uint32_t open_new(struct ups *us, uint32_t peer)
{
	uint32_t u = make_record(us);
	struct address a;
	struct up *up;
	uint16_t flags;
	int fd;

	if (u == UP_NONE) {
		errno = ENOBUFS;
		return UP_NONE;
	}
	up = up_at(us, u);
	fd = dial_peer(us, peer, &a, &flags);
	if (fd < 0) {
		board_add(&peer_traffic(us, peer)->connect_failures, 1);
		up->state = UP_FREE;
		up->link = us->free;
		us->free = u;
		return UP_NONE;
	}
	*up = (struct up){.fd = fd,
			  .link = UP_NONE,
			  .prev = UP_NONE,
			  .conn = CONN_NONE,
			  .peer = peer,
			  .address = a.mark,
			  .number = ++us->legacy->numbers,
			  .flags = flags,
			  .state = UP_CONNECT,
			  .opened_us = us->cs->clock->now_us};
	timer_node_init(&up->timer);
	count_open(us, u);
	if (poll_up(us, u, EPOLL_CTL_ADD) == 0)
		return u;
	up_close(us, u);
	return UP_NONE;
}

bool up_try_other(struct ups *us, uint32_t u)
{
	struct up *up = up_at(us, u);
	const struct peer *p = up_peer(us, u);
	struct address a;
	int fd;

	if (p->host == NULL || (up->flags & UP_OTHER) != 0 ||
	    !address_of(us->cs->board, p, true, &a))
		return false;
	fd = dial(&a);
	if (fd < 0)
		return false;
	close(up->fd);
	up->fd = fd;
	up->address = a.mark;
	up->number =
	    ++us->legacy->numbers; /* what epoll still says of the one before is not for it */
	up->flags = (uint16_t)((up->flags & ~(UP_READABLE | UP_PEER_DONE)) | UP_OTHER);
	return poll_up(us, u, EPOLL_CTL_ADD) == 0;
}

/* It was opened to an address that the peer has no more. */
static bool is_astray(const struct ups *us, const struct up *up)
{
	return !address_stands(us->cs->board, &us->cs->settings->peers[up->peer], up->address);
}

static bool is_empty(const struct up *up)
{
	char c;

	return recv(up->fd, &c, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN;
}

/* Nothing has come since it became idle: neither its end nor what would be taken for the answer to
 * the next request, and both may have come since epoll was asked. */
static bool is_quiet(const struct up *up)
{
	return (up->flags & UP_PEER_DONE) == 0 && is_empty(up);
}

static uint32_t reuse(struct ups *us, uint32_t peer)
{
	uint32_t u;

	while ((u = us->idle[peer].first) != UP_NONE) {
		struct up *up = up_at(us, u);

		if (!is_astray(us, up) && is_quiet(up)) {
			idle_remove(us, u);
			up->state = UP_HEAD;
			up->flags = 0;
			up->deadline_us = 0;
			return u;
		}
		up_close(us, u);
	}
	return UP_NONE;
}

uint32_t up_take(struct ups *us, uint32_t peer, bool fresh)
{
	uint32_t u = fresh ? UP_NONE : reuse(us, peer);

	return u != UP_NONE ? u : open_new(us, peer);
}

/* A request in hand, for all workers to see. */
static void count_active(struct ups *us, uint32_t u)
{
	active_add(peer_row(us, us->up[u].peer), peer_traffic(us, us->up[u].peer));
}

void up_join(struct ups *us, uint32_t u, uint32_t conn)
{
	us->up[u].conn = conn;
	conn_at(us->cs, conn)->up = u + 1;
	count_active(us, u);
}

void up_assign(struct ups *us, uint32_t u, uint32_t conn)
{
	struct up *up = up_at(us, u);
	struct peer_traffic_row *t = peer_traffic(us, up->peer);

	if (us->reserved == up->peer) {
		us->reserved = UP_NONE; /* counted already */
		up->conn = conn;
		conn_at(us->cs, conn)->up = u + 1;
	} else {
		up_join(us, u, conn);
	}
	board_add(&t->requests, 1);
	if (up->requests++ > 0) {
		board_add(&t->reused, 1);
		board_add(&us->cs->row->up_reused, 1);
	}
}

static void uncount_active(struct ups *us, uint32_t u)
{
	active_less(peer_row(us, us->up[u].peer), peer_traffic(us, us->up[u].peer));
}

void up_served(struct ups *us, uint32_t u)
{
	uncount_active(us, u);
	us->served = u;
}

void up_part(struct ups *us, uint32_t u)
{
	struct up *up = up_at(us, u);

	if (up->conn == CONN_NONE)
		return;
	if (us->served != u)
		uncount_active(us, u);
	us->served = UP_NONE;
	conn_at(us->cs, up->conn)->up = 0;
	up->conn = CONN_NONE;
}

int up_connected(struct ups *us, uint32_t u)
{
	int error = 0;
	socklen_t len = sizeof error;

	if (getsockopt(us->up[u].fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0)
		return errno;
	return error;
}

/* Ending. */

/* May the connection, not yet in a record perhaps, be kept idle? */
static bool may_stay(const struct ups *us, const struct up *up)
{
	const struct settings *s = us->cs->settings;
	const struct upstream *p = &s->upstreams[s->peers[up->peer].upstream];
	uint64_t now = us->cs->clock->now_us;

	/* Its end may have come together with the response: no other event will tell of it. */
	return (up->flags & UP_PEER_DONE) == 0 && !us->cs->draining && p->keepalive_conns > 0 &&
	       !is_astray(us, up) &&
	       (p->keepalive_requests == 0 || up->requests < p->keepalive_requests) &&
	       (p->keepalive_max_age_us == 0 || now - up->opened_us < p->keepalive_max_age_us);
}

/* What lies behind the response is never the start of another one, and no edge would tell of it if
 * the last read ended just there. */
static bool is_read_out(struct up *up)
{
	if ((up->flags & UP_READABLE) != 0 && !is_empty(up))
		return false;
	up->flags &= (uint16_t)~UP_READABLE;
	return true;
}

/* When an idle connection has been kept for long enough; 0: never. */
static uint64_t idle_until(const struct ups *us, const struct up *up, const struct upstream *p)
{
	uint64_t idle = p->keepalive_idle_us != 0 ? us->cs->clock->now_us + p->keepalive_idle_us
						  : 0;
	uint64_t age = p->keepalive_max_age_us != 0 ? up->opened_us + p->keepalive_max_age_us : 0;

	return idle == 0 || (age != 0 && age < idle) ? age : idle;
}

void up_release(struct ups *us, uint32_t u)
{
	struct up *up = up_at(us, u);
	const struct upstream *p = up_upstream(us, u);

	if (up->doomed)
		return;
	up_part(us, u);
	buf_drop(&us->cs->bufs, &up->in_buf);
	if ((up->flags & UP_KEEP) == 0 || !may_stay(us, up) || up->out_buf != BUF_NONE ||
	    !is_read_out(up)) {
		up_close(us, u);
		return;
	}
	up->in_len = up->scanned = 0;
	/* The one that has been idle for longest makes room. */
	if (us->idle[up->peer].count >= p->keepalive_conns)
		up_close(us, us->idle[up->peer].last);
	up->state = UP_IDLE;
	idle_add(us, u);
	up_set_deadline(us, u, idle_until(us, up, p));
}

void up_close(struct ups *us, uint32_t u)
{
	struct up *up = up_at(us, u);

	if (up->doomed)
		return;
	if (up->state == UP_IDLE && (up->flags & UP_MOVING) == 0)
		idle_remove(us, u);
	up_part(us, u);
	close(up->fd);
	up->fd = -1;
	up->doomed = 1;
	less(&peer_traffic(us, up->peer)->open);
	less(&us->cs->row->up_conns);
	up->link = us->doomed;
	us->doomed = u;
	board_set(&us->cs->row->fds, us->cs->row->fds - 1);
	us->cs->freed = true;
}

void up_cancel(struct ups *us, uint32_t u)
{
	peer_time_cancelled(us, u);
	board_add(&us->cs->row->up_cancelled, 1);
	board_add(&peer_traffic(us, us->up[u].peer)->cancelled, 1);
	up_close(us, u);
}

void ups_close_idle(struct ups *us)
{
	for (uint32_t p = 0; p < us->cs->settings->peers_count; p++)
		while (us->idle[p].first != UP_NONE)
			up_close(us, us->idle[p].first);
}

void up_set_deadline(struct ups *us, uint32_t u, uint64_t at_us)
{
	uint64_t armed = timer_at(&us->timer, u);

	us->up[u].deadline_us = at_us;
	/* One that fires too early is armed again then. */
	if (at_us != 0 && (armed == 0 || armed > at_us + ((uint64_t)1 << TIMER_TICK_SHIFT)))
		timer_arm(&us->timer, u, at_us);
}

/* Handover. */

uint32_t up_adopt(struct ups *us, const struct up *from)
{
	bool idle = from->state == UP_IDLE;
	uint32_t u;
	struct up *up;

	if (idle && (!may_stay(us, from) ||
		     us->idle[from->peer].count >=
			 us->cs->settings->upstreams[us->cs->settings->peers[from->peer].upstream]
			     .keepalive_conns))
		return UP_NONE;
	u = idle ? take_record(us) : make_record(us);
	if (u == UP_NONE)
		return UP_NONE;
	up = up_at(us, u);
	*up = *from;
	up->number = ++us->legacy->numbers;
	up->conn = CONN_NONE;
	up->link = up->prev = UP_NONE;
	up->doomed = 0;
	timer_node_init(&up->timer);
	count_open(us, u);
	if (idle) {
		up->flags |= UP_ARRIVING;
		/* They come as they were used, the last one first, and ours are younger. */
		idle_insert(us, u, us->idle[up->peer].last, UP_NONE);
		board_add(&us->cs->row->up_moved, 1);
	}
	return u;
}

void up_withdraw(struct ups *us, uint32_t u)
{
	idle_remove(us, u);
	us->up[u].flags |= UP_MOVING;
	up_unwatch(us, u);
}

void up_settle_in(struct ups *us, uint32_t u)
{
	if ((us->up[u].flags & UP_MOVING) != 0)
		idle_add(us, u);
	us->up[u].flags &= (uint16_t) ~(UP_MOVING | UP_ARRIVING);
	if (up_watch(us, u) != 0)
		up_close(us, u);
}

void up_unwatch(struct ups *us, uint32_t u)
{
	(void)epoll_ctl(us->epoll_fd, EPOLL_CTL_DEL, us->up[u].fd, NULL);
}

int up_watch(struct ups *us, uint32_t u)
{
	/* Its timer may have gone off on the way. */
	up_set_deadline(us, u, us->up[u].deadline_us);
	/* After a crash it is still there, but edges that were fetched would not come again. */
	if (poll_up(us, u, EPOLL_CTL_MOD) == 0)
		return 0;
	return poll_up(us, u, EPOLL_CTL_ADD);
}

/* After a crash. */

void up_keep(struct ups *us, uint32_t u, uint64_t unserved_us)
{
	struct up *up = up_at(us, u);

	timer_node_init(&up->timer);
	up->link = up->prev = UP_NONE;
	up->flags &= (uint16_t)~UP_READY;
	count_open(us, u);
	if (up->state == UP_IDLE)
		idle_add(us, u);
	else
		count_active(us, u);
	if (up->deadline_us != 0)
		up_set_deadline(us, u, up->deadline_us + unserved_us);
}

void up_drop(struct ups *us, uint32_t u)
{
	struct up *up = up_at(us, u);

	up->fd = -1;
	up->doomed = 0;
	up->in_buf = up->out_buf = BUF_NONE;
	up->state = UP_FREE;
}

void ups_settle(struct ups *us)
{
	us->free = UP_NONE;
	for (uint32_t u = us->legacy->high; u-- > 0;) {
		if (us->up[u].state == UP_FREE) {
			us->up[u].link = us->free;
			us->free = u;
		}
	}
}

void ups_watch_idle(struct ups *us)
{
	for (uint32_t u = 0; u < us->legacy->high; u++) {
		if (us->up[u].state == UP_IDLE && !us->up[u].doomed && up_watch(us, u) != 0)
			up_close(us, u);
	}
}
