/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Proxied exchanges: see proxy.h. Bytes are read into the worker's scratch and written from there;
 * only what the reader does not take at once is kept: of the request raw in the client's in_buf and
 * framed in the peer's out_buf, of the response raw in the peer's in_buf and framed in the client's
 * out_buf. Nobody is read from while the other one has something kept, so a slow reader costs two
 * buffers and slows the writer down; but for answers where buffering is asked for (proxy_buffer.c).
 */
#include "worker/http/proxy_parts.h"

#include <string.h>
#include <sys/epoll.h>

#include "worker/errlog.h"
#include "worker/http/body.h"
#include "worker/peer_load.h"

/* The client has taken some of what was kept for it: the peer is waited for again. */
static void await_again(struct http *h, uint32_t i, enum send_result result)
{
	struct up *up = proxy_up(h, i);

	if ((result != SEND_DONE && up->deadline_us != 0) || proxy_room(h, i) == 0)
		return;
	if (up->state == UP_BODY)
		proxy_set_deadline(h, up, proxy_pool(h, up)->between_us);
	/* What it took was an interim response. */
	if (up->state == UP_HEAD && (conn_at(h->cs, i)->flags & CONN_BODY_OPEN) == 0)
		proxy_set_deadline(h, up, proxy_pool(h, up)->response_us);
}

/* What was kept for the client. */
static void flush_down(struct http *h, uint32_t i)
{
	struct conn *c = conn_at(h->cs, i);
	uint64_t before = c->sent;
	enum send_result result;

	if (!proxy_waits(c))
		return;
	result = send_more(h->cs, i);
	if (result == SEND_LOST) {
		proxy_client_gone(h, i);
		return;
	}
	if (result == SEND_FAILED) { /* the temporary file cannot be read */
		(void)exchange_abandon(h, i, CLOSE_ERROR, true);
		return;
	}
	if (c->sent > before)
		conn_extend(h->cs, i);
	if (result == SEND_PAUSED)
		conn_ready(h->cs, i);
	proxy_sent(h, i);
	if (result == SEND_DONE && conn_row(h->cs, i)->state == CONN_SEND)
		conn_set_state(h->cs, i, CONN_RESPOND);
	await_again(h, i, result);
}

bool proxy_holds(const struct http *h, uint32_t i)
{
	const struct up *up = proxy_up(h, i);

	return conn_row(h->cs, i)->state == CONN_BODY &&
	       (up->state == UP_CONNECT || up->out_buf != BUF_NONE);
}

/* What was kept for the peer. It has `between` to take some more of a body. */
static void flush_up(struct http *h, uint32_t i)
{
	struct up *up = proxy_up(h, i);
	uint32_t before = up->out_off;
	bool held = proxy_holds(h, i), all;

	if (up->state == UP_CONNECT || up->out_buf == BUF_NONE)
		return;
	all = proxy_flush(h, up);
	if (!held)
		return;
	conn_begin_anew(h->cs, i);
	if (up->state == UP_HEAD && (all || up->out_off > before))
		proxy_set_deadline(h, up, all ? 0 : proxy_pool(h, up)->between_us);
}

/* Nobody waits for the answer any more: a client that closes its side is taken to be gone, be there
 * the rest of its body to read or not. */
static bool nobody_waits(const struct http *h, uint32_t i)
{
	const struct conn *c = conn_at(h->cs, i);

	return !c->doomed && c->up != 0 && (c->flags & CONN_PEER_DONE) != 0 &&
	       proxy_up(h, i)->state != UP_RELAY;
}

void proxy_go_on(struct http *h, uint32_t i)
{
	struct conn *c = conn_at(h->cs, i);

	if ((c->flags & CONN_CONTINUE) != 0 && !proxy_waits(c) && body_invite(h, i) == STEP_CLOSE)
		return;
	if (nobody_waits(h, i)) {
		proxy_client_gone(h, i);
		return;
	}
	flush_up(h, i);
	proxy_pump_request(h, i);
	if (c->doomed || c->up == 0)
		return;
	flush_down(h, i);
	proxy_pump_response(h, i);
}

void proxy_expire(struct http *h, uint32_t i, enum deadline d)
{
	struct conn *c = conn_at(h->cs, i);
	uint32_t u = c->up - 1;
	bool begun = proxy_has_begun(c, up_at(h->ups, u));
	bool late = conn_row(h->cs, i)->state == CONN_BODY && d != DEADLINE_REQUEST;
	int status = late && !proxy_holds(h, i) ? 408 : 504;

	exchange_expired(h, d);
	if (begun) {
		(void)exchange_abandon(h, i, CLOSE_EXPIRED, true);
		return;
	}
	up_cancel(h->ups, u);
	proxy_answer(h, i, status);
}

/* The head was written when the connection was begun; what is left has become less meanwhile.
 * False: it is nothing, and the exchange is over. */
static bool in_time(struct http *h, uint32_t u)
{
	struct up *up = up_at(h->ups, u);
	uint32_t i = up->conn;
	uint64_t left = proxy_time_left(h, i);

	if (left == 0)
		return true;
	if (left == PROXY_TIME_UP) {
		proxy_expire(h, i, DEADLINE_REQUEST);
		return false;
	}
	if (proxy_now(h) - up->since_us >= 1000 && !proxy_write_anew(h, i, up)) {
		proxy_no_buffer(h, u);
		return false;
	}
	return true;
}

static void connected(struct http *h, uint32_t u)
{
	struct up *up = up_at(h->ups, u);
	int error = up_connected(h->ups, u);

	if (error != 0 && up_try_other(h->ups, u))
		return;
	if (error != 0) {
		errlog(ERRLOG_WARN, "peer %s of upstream \"%s\": connect: %s",
		       h->settings->peers[up->peer].address, proxy_pool(h, up)->name,
		       strerror(error));
		board_add(&peer_traffic(h->ups, up->peer)->connect_failures, 1);
		proxy_peer_failed(h, u, 502, false);
		return;
	}
	up->state = UP_HEAD;
	board_add(&h->cs->row->up_connects, 1);
	board_add(&peer_traffic(h->ups, up->peer)->connects, 1);
	if (!in_time(h, u))
		return;
	(void)proxy_flush(h, up);
	proxy_await(h, up->conn, up);
	if (conn_row(h->cs, up->conn)->state == CONN_BODY)
		conn_begin_anew(h->cs, up->conn);
}

void proxy_event(struct http *h, uint32_t u, uint32_t events)
{
	struct up *up = up_at(h->ups, u);
	uint32_t i = up->conn;

	if ((events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0)
		up->flags |= UP_READABLE;
	if ((events & (EPOLLRDHUP | EPOLLHUP)) != 0)
		up->flags |= UP_PEER_DONE;
	if (up->state == UP_IDLE) {
		/* An edge for room to write says nothing. */
		if ((up->flags & (UP_READABLE | UP_PEER_DONE)) != 0)
			up_close(h->ups, u);
		return;
	}
	http_touch(h, i);
	if (up->state == UP_CONNECT && (events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) != 0)
		connected(h, u);
	if (!conn_at(h->cs, i)->doomed && conn_at(h->cs, i)->up == u + 1)
		proxy_go_on(h, i);
	http_settle(h, i);
}

/* Which of the peer's it is. */
static enum deadline peer_deadline(const struct http *h, const struct up *up)
{
	if (up->state == UP_CONNECT)
		return DEADLINE_CONNECT;
	/* As long as the body comes, it is how the peer takes it. */
	if (up->state == UP_HEAD && (conn_at(h->cs, up->conn)->flags & CONN_BODY_OPEN) == 0)
		return DEADLINE_RESPONSE;
	return DEADLINE_BETWEEN;
}

void proxy_timer(struct http *h, uint32_t u)
{
	struct up *up = up_at(h->ups, u);
	uint32_t i = up->conn;

	if (up->doomed || up->deadline_us == 0)
		return;
	/* On its way to another worker: armed again by whoever has it then. */
	if ((up->flags & UP_MOVING) != 0 ||
	    (i != CONN_NONE && (conn_at(h->cs, i)->flags & CONN_MOVING) != 0))
		return;
	if (up->deadline_us > proxy_now(h)) {
		up_set_deadline(h->ups, u, up->deadline_us);
		return;
	}
	if (up->state == UP_IDLE) {
		up_close(h->ups, u);
		return;
	}
	http_touch(h, i);
	peer_time_cancelled(h->ups, u);
	board_add(&h->cs->row->up_timeouts, 1);
	board_add(&peer_traffic(h->ups, up->peer)->timeouts, 1);
	exchange_expired(h, peer_deadline(h, up));
	proxy_peer_failed(h, u, 504, false);
	http_settle(h, i);
}
