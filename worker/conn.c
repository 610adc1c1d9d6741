/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Connection records: see conn.h. This file opens, moves, times and buries them; it knows nothing
 * of HTTP. Records are used last in, first out, so those in use stay dense and untouched ones never
 * cost a page.
 */
#include "worker/conn.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shm/backing.h"
#include "worker/errlog.h"
#include "worker/queue.h"
#include "worker/up.h"

#ifndef DROVER_LAYOUT_TEST
static_assert(sizeof(struct conn) <= 192,
	      "a record's private half grew: an idle connection pays for it");
#endif
static_assert(sizeof(struct conn_row) <= 192,
	      "a record's public half grew: an idle connection pays for it");

enum {
	MAX_AGE_QUIET_US = 1000000,
	BACK_ROWS = 128,
	EVICT_SAMPLE = 4096,
	EVICT_YOUNG_US = 1000000
};

#define TO(state) (1u << CONN_##state)

static const uint16_t moves[CONN_STATES_COUNT] = {
    [CONN_FREE] = TO(HANDSHAKE) | TO(HEAD),
    [CONN_HANDSHAKE] = TO(HEAD) | TO(FREE),
    [CONN_IDLE] = TO(HEAD) | TO(LINGER) | TO(FREE),
    [CONN_HEAD] = TO(BODY) | TO(RESPOND) | TO(FREE),
    [CONN_BODY] = TO(RESPOND) | TO(FREE),
    [CONN_RESPOND] = TO(BODY) | TO(SEND) | TO(IDLE) | TO(RELAY) | TO(LINGER) | TO(FREE),
    [CONN_SEND] = TO(RESPOND) | TO(IDLE) | TO(LINGER) | TO(FREE),
    [CONN_RELAY] = TO(LINGER) | TO(FREE),
    [CONN_LINGER] = TO(FREE),
};

static const uint8_t state_deadlines[CONN_STATES_COUNT] = {
    [CONN_FREE] = DEADLINES_COUNT,   [CONN_HANDSHAKE] = DEADLINE_HANDSHAKE,
    [CONN_IDLE] = DEADLINE_IDLE,     [CONN_HEAD] = DEADLINE_HEADER,
    [CONN_BODY] = DEADLINE_BODY,     [CONN_RESPOND] = DEADLINE_REQUEST,
    [CONN_SEND] = DEADLINE_SEND,     [CONN_RELAY] = DEADLINE_RELAY_IDLE,
    [CONN_LINGER] = DEADLINE_LINGER,
};

const char *close_reason_name(enum close_reason reason)
{
	static const char *const names[] = {CLOSE_REASONS(NAMED_TEXT, CLOSE_)};

	return (size_t)reason < sizeof names / sizeof names[0] ? names[reason] : "unknown";
}

const char *close_reason_by(enum close_reason reason)
{
	return reason == CLOSE_CLIENT || reason == CLOSE_CLIENT_ABORT || reason == CLOSE_RESET
		   ? "client"
		   : "server";
}

bool conn_move_allowed(enum conn_state a, enum conn_state b)
{
	return (moves[a] >> b & 1) != 0;
}

enum deadline conn_state_deadline(enum conn_state state)
{
	return (enum deadline)state_deadlines[state];
}

static uint32_t files_max(const struct settings *s)
{
	return s->worker_connections + s->file_cache + 64;
}

size_t conns_room(const struct settings *s)
{
	size_t max = s->worker_connections;

	return arena_room(max * sizeof(struct conn)) +
	       arena_room(files_max(s) * sizeof(struct openfile)) +
	       bufs_room(s->worker_connections);
}

/* A process that died left its rows as they were: they stay readable until its successor in this
 * worker row comes to here. */
static void clear_rows(struct conns *cs)
{
	for (uint32_t i = 0; i < cs->row->conns_high; i++)
		conn_row(cs, i)->state = CONN_FREE;
	cs->row->conns_high = 0;
	cs->row->touching = 0;
}

int conns_init(struct conns *cs, const struct conns_env *env, struct arena *arena)
{
	uint32_t max = env->settings->worker_connections;
	void *files;

	*cs = (struct conns){
	    .settings = env->settings,
	    .clock = env->clock,
	    .row = board_worker(env->board, env->worker_row),
	    .board = env->board,
	    .worker_row = env->worker_row,
	    .public = (char *)board_conns(env->board, env->worker_row),
	    .stride = env->board->conn_stride,
	    .max = max < env->board->sizes.conns_per_worker ? max
							    : env->board->sizes.conns_per_worker,
	    .free = CONN_NONE,
	    .doomed = CONN_NONE,
	    .ready = CONN_NONE,
	    .next_id = env->first_id,
	};
	clear_rows(cs);
	if (!conns_have_room(cs)) /* not even for the first ones */
		return -1;
	cs->conn = arena_take(arena, (size_t)max * sizeof cs->conn[0]);
	files = arena_take(arena, (size_t)files_max(env->settings) * sizeof(struct openfile));
	if (cs->conn == NULL || files == NULL || bufs_init(&cs->bufs, arena, max, cs->row) != 0)
		return -1;
	openfiles_init(&cs->files, files, files_max(env->settings), &cs->row->fds);
	timer_init(&cs->timer, &cs->conn[0].timer, sizeof cs->conn[0], env->clock->now_us);
	if (env->settings->max_conns_per_address > 0) {
		cs->addrs = addrs_new(max);
		if (cs->addrs == NULL)
			return -1;
	}
	conns_count_none(cs);
	board_set(&cs->row->conns_max, cs->max);
	return 0;
}

void conns_free(struct conns *cs)
{
	addrs_free(cs->addrs);
	cs->addrs = NULL;
}

/* Is the first row that was never used one that can be? Some at a time are asked for. */
static bool back_next(struct conns *cs)
{
	static struct errlog_limit limit;

	while (cs->backed <= cs->row->conns_high) {
		uint32_t more = cs->max - cs->backed < BACK_ROWS ? cs->max - cs->backed : BACK_ROWS;

		if (backing_conns(cs->board, cs->worker_row, cs->backed, more) != 0) {
			errlog_limited(&limit, ERRLOG_ERROR,
				       "no more than %u connections for now: no room for their "
				       "rows in the run directory: %s",
				       cs->row->conns_high, strerror(errno));
			return false;
		}
		cs->backed += more;
	}
	return true;
}

bool conns_have_room(struct conns *cs)
{
	return cs->free != CONN_NONE || (cs->row->conns_high < cs->max && back_next(cs));
}

const struct deadline_settings *conn_deadlines(const struct conns *cs, uint32_t i)
{
	return &cs->settings->servers[cs->conn[i].server].deadlines;
}

static void write_peer(struct conn_row *row, const struct sockaddr_storage *peer)
{
	memset(row->peer, 0, sizeof row->peer);
	row->port = 0;
	if (peer->ss_family == AF_INET) {
		const struct sockaddr_in *in = (const struct sockaddr_in *)peer;

		row->family = 4;
		row->peer[10] = row->peer[11] = 0xff;
		memcpy(row->peer + 12, &in->sin_addr, 4);
		row->port = ntohs(in->sin_port);
	} else if (peer->ss_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)peer;

		row->family = 6;
		memcpy(row->peer, &in6->sin6_addr, 16);
		row->port = ntohs(in6->sin6_port);
	} else {
		row->family = 1;
	}
}

static uint64_t jittered(uint64_t us)
{
	return us - us / 10 +
	       (us >= 5 ? arc4random_uniform(us / 5 > UINT32_MAX ? UINT32_MAX : (uint32_t)(us / 5))
			: 0);
}

static uint32_t take_record(struct conns *cs)
{
	uint32_t i = cs->free;

	if (i != CONN_NONE)
		cs->free = cs->conn[i].link;
	else if (conns_have_room(cs))
		__atomic_store_n(&cs->row->conns_high, (i = cs->row->conns_high) + 1,
				 __ATOMIC_RELEASE);
	return i;
}

static struct listener_traffic_row *traffic_of(const struct conns *cs, uint32_t i)
{
	return board_listener_traffic(cs->board, cs->worker_row, conn_row(cs, i)->listener);
}

uint32_t conn_open(struct conns *cs, const struct conn_origin *origin, enum close_reason *reason)
{
	const struct listener *l = &cs->settings->listeners[origin->listener];
	uint32_t i = take_record(cs);
	struct conn *c;
	struct conn_row *row;

	*reason = CLOSE_NO_ROOM;
	if (i == CONN_NONE)
		return CONN_NONE;
	c = conn_at(cs, i);
	row = conn_row(cs, i);
	*c = (struct conn){.fd = origin->fd,
			   .server = l->default_server,
			   .listener = (uint16_t)origin->listener,
			   .file = OPENFILE_NONE,
			   .link = CONN_NONE};
	timer_node_init(&c->timer);
	board_write_begin(&row->seq);
	row->id = cs->next_id++;
	write_peer(row, origin->peer);
	row->fd = (uint32_t)origin->fd;
	row->listener = (uint16_t)l->row;
	row->status = 0;
	row->server = 0;
	row->requests = 0;
	row->accepted_us = cs->clock->now_us;
	row->request_us = 0;
	row->limit_ms = 0;
	row->bytes_in = row->bytes_out = 0;
	row->request[0] = '\0';
	board_write_end(&row->seq);
	if (cs->addrs != NULL && row->family != 1) {
		c->addr_cell = addr_take(cs->addrs, row->peer, cs->settings->max_conns_per_address);
		if (c->addr_cell == ADDR_NONE) {
			c->link = cs->free;
			cs->free = i;
			*reason = CLOSE_ADDRESS_LIMIT;
			return CONN_NONE;
		}
	}
	if (conn_deadlines(cs, i)->at_us[DEADLINE_MAX_AGE] != 0)
		c->max_age_us = cs->clock->now_us +
				jittered(conn_deadlines(cs, i)->at_us[DEADLINE_MAX_AGE]);
	board_add(&cs->row->accepts, 1);
	board_add(&cs->row->conns, 1);
	board_add(&cs->row->fds, 1);
	board_add(&traffic_of(cs, i)->accepts, 1);
	board_add(&traffic_of(cs, i)->conns, 1);
	conn_set_state(cs, i, CONN_HEAD);
	return i;
}

/* What readers see of a connection that came from another worker is what they saw there; only
 * descriptor and rows are ours. */
static void write_adopted(struct conns *cs, uint32_t i, const struct conn_row *from)
{
	const struct conn *c = conn_at(cs, i);
	struct conn_row *row = conn_row(cs, i), copy = *from;

	copy.state = CONN_FREE;
	copy.fd = (uint32_t)c->fd;
	copy.listener = (uint16_t)cs->settings->listeners[c->listener].row;
	copy.server = copy.requests > 0 ? cs->settings->servers[c->server].row + 1 : 0;
	board_write_begin(&row->seq);
	copy.seq = row->seq; /* odd all the while */
	*row = copy;
	board_write_end(&row->seq);
}

uint32_t conn_adopt(struct conns *cs, const struct conn *c, const struct conn_row *from,
		    enum conn_state state)
{
	uint32_t i = take_record(cs);
	struct conn *mine;

	if (i == CONN_NONE)
		return CONN_NONE;
	mine = conn_at(cs, i);
	*mine = *c;
	mine->link = CONN_NONE;
	mine->doomed = 0;
	timer_node_init(&mine->timer);
	write_adopted(cs, i, from);
	/* The limit held when it was accepted. */
	if (cs->addrs != NULL && from->family != 1)
		mine->addr_cell = addr_take(cs->addrs, from->peer, UINT32_MAX);
	board_add(&cs->row->moved_in, 1);
	board_add(&cs->row->conns, 1);
	board_add(&cs->row->fds, 1);
	board_add(&traffic_of(cs, i)->conns, 1);
	conn_count_state(cs, state);
	__atomic_store_n(&conn_row(cs, i)->state, (uint8_t)state, __ATOMIC_RELEASE);
	return i;
}

static uint64_t sooner(uint64_t a, uint64_t b)
{
	return a == 0 || (b != 0 && b < a) ? b : a;
}

uint64_t conn_request_limit(const struct conns *cs, uint32_t i)
{
	return sooner(conn_deadlines(cs, i)->at_us[DEADLINE_REQUEST],
		      (uint64_t)conn_row(cs, i)->limit_ms * 1000);
}

static uint64_t deadline_of(const struct conns *cs, uint32_t i, enum conn_state state)
{
	const struct deadline_settings *d = conn_deadlines(cs, i);
	uint64_t setting = state == CONN_FREE ? 0 : d->at_us[state_deadlines[state]];
	uint64_t request_us = conn_row(cs, i)->request_us;
	uint64_t at = setting != 0 ? cs->clock->now_us + setting : 0;

	if (state == CONN_IDLE && cs->conn[i].max_age_us != 0) {
		/* A close would race the next request of a client that asks often: its next
		 * response will say close. */
		uint64_t quiet = cs->clock->now_us + MAX_AGE_QUIET_US;

		return sooner(at, cs->conn[i].max_age_us > quiet ? cs->conn[i].max_age_us : quiet);
	}
	if (state == CONN_RESPOND)
		at = 0;
	if ((state == CONN_HEAD || state == CONN_BODY || state == CONN_RESPOND ||
	     state == CONN_SEND) &&
	    request_us != 0) {
		uint64_t limit = conn_request_limit(cs, i);

		return limit != 0 ? sooner(at, request_us + limit) : at;
	}
	return at;
}

/* The gauge of those in a state; there is none for free records. */
static uint64_t *gauge_of(const struct conns *cs, enum conn_state state)
{
#define GAUGE(sym, name) [CONN_##sym] = offsetof(struct worker_row, conns_##name)
	static const uint16_t offsets[] = {GAUGE(HANDSHAKE, handshake), GAUGE(IDLE, idle),
					   GAUGE(HEAD, head),           GAUGE(BODY, body),
					   GAUGE(RESPOND, respond),     GAUGE(SEND, send),
					   GAUGE(RELAY, relay),         GAUGE(LINGER, linger)};
#undef GAUGE
	static_assert(sizeof offsets / sizeof offsets[0] == CONN_STATES_COUNT, "each state");

	return (uint64_t *)(void *)((char *)cs->row + offsets[state]);
}

void conn_count_state(struct conns *cs, enum conn_state state)
{
	if (state != CONN_FREE)
		board_add(gauge_of(cs, state), 1);
}

void conns_count_none(struct conns *cs)
{
	for (unsigned s = CONN_HANDSHAKE; s < CONN_STATES_COUNT; s++)
		board_set(gauge_of(cs, (enum conn_state)s), 0);
	board_set(&cs->row->conns, 0);
	for (uint32_t k = 0; k < cs->settings->listeners_count; k++)
		board_set(&board_listener_traffic(cs->board, cs->worker_row,
						  cs->settings->listeners[k].row)
			       ->conns,
			  0);
}

void conn_set_state(struct conns *cs, uint32_t i, enum conn_state state)
{
	struct conn_row *row = conn_row(cs, i);
	enum conn_state old = (enum conn_state)row->state;

	assert(conn_move_allowed(old, state));
	if (old != CONN_FREE)
		board_add(gauge_of(cs, old), UINT64_MAX); /* minus one */
	conn_count_state(cs, state);
	board_write_begin(&row->seq);
	__atomic_store_n(&row->state, (uint8_t)state, __ATOMIC_RELAXED);
	board_set(&row->since_us, cs->clock->now_us);
	board_set(&row->deadline_us, deadline_of(cs, i, state));
	board_write_end(&row->seq);
	cs->conn[i].rate_us = state == CONN_BODY || state == CONN_SEND ? cs->clock->now_us : 0;
	cs->conn[i].rate_bytes = state == CONN_BODY ? row->bytes_in : cs->conn[i].progress;
}

void conn_begin_request(struct conns *cs, uint32_t i)
{
	struct conn_row *row = conn_row(cs, i);
	uint64_t limit = conn_deadlines(cs, i)->at_us[DEADLINE_REQUEST];

	board_set(&row->request_us, cs->clock->now_us);
	row->limit_ms = 0;
	if (limit != 0)
		board_set(&row->deadline_us, sooner(row->deadline_us, row->request_us + limit));
}

void conn_extend(struct conns *cs, uint32_t i)
{
	board_set(&conn_row(cs, i)->deadline_us,
		  deadline_of(cs, i, (enum conn_state)conn_row(cs, i)->state));
}

void conn_set_deadline(struct conns *cs, uint32_t i, uint64_t at_us)
{
	board_set(&conn_row(cs, i)->deadline_us, at_us);
}

/* In these states bytes must move at min_rate. Of what a unix socket holds only whole pieces of up
 * to 64 KiB are seen to leave: no measure for a slow reader. */
static bool rate_matters(const struct conns *cs, uint32_t i)
{
	const struct conn_row *row = conn_row(cs, i);
	const struct deadline_settings *d = conn_deadlines(cs, i);

	return (row->state == CONN_BODY || (row->state == CONN_SEND && row->family != 1)) &&
	       d->min_rate != 0 && d->at_us[DEADLINE_MIN_RATE] != 0;
}

void conn_settle(struct conns *cs, uint32_t i)
{
	const struct conn *c = conn_at(cs, i);
	uint64_t due = conn_row(cs, i)->deadline_us;
	uint64_t armed;

	if (c->doomed)
		return;
	if (rate_matters(cs, i))
		due = sooner(due, c->rate_us + conn_deadlines(cs, i)->at_us[DEADLINE_MIN_RATE]);
	armed = timer_at(&cs->timer, i);
	/* A timer that fires too early is armed again then: moving it at every request would cost
	 * more. */
	if (due != 0 && (armed == 0 || armed > due + ((uint64_t)1 << TIMER_TICK_SHIFT)))
		timer_arm(&cs->timer, i, due);
}

enum deadline conn_due(const struct conns *cs, uint32_t i)
{
	const struct conn_row *row = conn_row(cs, i);
	uint64_t now = cs->clock->now_us;

	if (row->deadline_us == 0 || row->deadline_us > now)
		return DEADLINES_COUNT;
	if (row->state == CONN_IDLE && cs->conn[i].max_age_us != 0 && cs->conn[i].max_age_us <= now)
		return DEADLINE_MAX_AGE;
	if (row->state == CONN_HEAD || row->state == CONN_BODY || row->state == CONN_SEND) {
		uint64_t limit = conn_request_limit(cs, i);

		if (limit != 0 && row->request_us != 0 && row->request_us + limit <= now)
			return DEADLINE_REQUEST;
	}
	return conn_state_deadline((enum conn_state)row->state);
}

bool conn_too_slow(struct conns *cs, uint32_t i, uint64_t bytes)
{
	const struct deadline_settings *d = conn_deadlines(cs, i);
	struct conn *c = conn_at(cs, i);
	uint64_t now = cs->clock->now_us;
	uint64_t elapsed = now - c->rate_us;
	bool slow = false;

	if (!rate_matters(cs, i))
		return false;
	if (c->rate_us != 0) {
		if (elapsed < d->at_us[DEADLINE_MIN_RATE])
			return false;
		slow = (double)(bytes > c->rate_bytes ? bytes - c->rate_bytes : 0) * 1e6 <
		       (double)d->min_rate * (double)elapsed;
	}
	c->rate_us = now;
	c->rate_bytes = bytes;
	return slow;
}

void conn_begin_anew(struct conns *cs, uint32_t i)
{
	conn_extend(cs, i);
	cs->conn[i].rate_us = cs->clock->now_us;
	cs->conn[i].rate_bytes = conn_row(cs, i)->bytes_in;
}

static void count_reason(struct worker_row *row, enum close_reason reason)
{
	/* The close_<name> counters stand in the row in the order of the enum. */
	board_add(&(&row->close_client)[reason], 1);
}

static_assert(offsetof(struct worker_row, close_error) -
		      offsetof(struct worker_row, close_client) ==
		  (CLOSE_REASONS_COUNT - 1) * sizeof(uint64_t),
	      "count_reason indexes the counters by the enum");

void conn_close(struct conns *cs, uint32_t i, enum close_reason reason, bool with_reset)
{
	struct conn *c = conn_at(cs, i);

	if (c->doomed)
		return;
	if (with_reset) {
		const struct linger at_once = {.l_onoff = 1, .l_linger = 0};

		(void)setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
	}
	/* Nobody is left whom the peer's answer could reach; or it is for another worker to read.
	 */
	if (c->up != 0 && reason == CLOSE_MOVED)
		up_close(cs->ups, c->up - 1);
	else if (c->up != 0)
		up_cancel(cs->ups, c->up - 1);
	c->up = 0;
	if ((c->flags & CONN_QUEUED) != 0)
		queue_leave(cs->queues, i, QUEUE_LEFT);
	/* The number may belong to another connection from here on: who takes the descriptor by
	 * what the row says (droverctl kill) looks at the row again after. */
	__atomic_store_n(&conn_row(cs, i)->fd, UINT32_MAX, __ATOMIC_SEQ_CST);
	close(c->fd);
	c->fd = -1;
	c->close_reason = (uint8_t)reason;
	c->doomed = 1;
	count_reason(cs->row, reason);
	board_set(&cs->row->fds, cs->row->fds - 1);
	cs->freed = true;
	/* A record on the ready list is buried when the list has been worked through. */
	if ((c->flags & CONN_READY) == 0) {
		c->link = cs->doomed;
		cs->doomed = i;
	}
}

void conn_ready(struct conns *cs, uint32_t i)
{
	struct conn *c = conn_at(cs, i);

	if (c->doomed || (c->flags & CONN_READY) != 0)
		return;
	c->flags |= CONN_READY;
	c->link = cs->ready;
	cs->ready = i;
}

static void bury(struct conns *cs, uint32_t i)
{
	struct conn *c = conn_at(cs, i);

	timer_cancel(&cs->timer, i);
	buf_drop(&cs->bufs, &c->in_buf);
	buf_drop(&cs->bufs, &c->out_buf);
	buf_drop(&cs->bufs, &c->parts_buf);
	if (c->file != OPENFILE_NONE)
		openfile_unref(&cs->files, c->file);
	if (c->addr_cell != ADDR_NONE)
		addr_drop(cs->addrs, c->addr_cell);
	board_set(&traffic_of(cs, i)->conns, traffic_of(cs, i)->conns - 1);
	board_set(&cs->row->conns, cs->row->conns - 1);
	conn_set_state(cs, i, CONN_FREE);
	c->link = cs->free;
	cs->free = i;
}

void conns_bury(struct conns *cs)
{
	while (cs->doomed != CONN_NONE) {
		uint32_t i = cs->doomed;

		cs->doomed = conn_at(cs, i)->link;
		bury(cs, i);
	}
}

static bool is_evictable(const struct conns *cs, uint32_t i)
{
	const struct conn_row *row = conn_row(cs, i);

	return row->state == CONN_IDLE && !conn_at(cs, i)->doomed &&
	       row->since_us + EVICT_YOUNG_US <= cs->clock->now_us;
}

bool conns_may_evict(const struct conns *cs)
{
	uint32_t high = cs->row->conns_high;
	uint32_t from = high > EVICT_SAMPLE ? arc4random_uniform(high) : 0;

	for (uint32_t k = 0; k < high && k < EVICT_SAMPLE; k++)
		if (is_evictable(cs, (from + k) % high))
			return true;
	return false;
}

unsigned conns_evict_idle(struct conns *cs, unsigned most)
{
	unsigned evicted = 0;
	uint32_t high = cs->row->conns_high;
	uint32_t from = high > EVICT_SAMPLE ? arc4random_uniform(high) : 0;

	while (evicted < most) {
		uint32_t oldest = CONN_NONE;

		for (uint32_t k = 0; k < high && k < EVICT_SAMPLE; k++) {
			uint32_t i = (from + k) % high;

			if (is_evictable(cs, i) &&
			    (oldest == CONN_NONE ||
			     conn_row(cs, i)->since_us < conn_row(cs, oldest)->since_us))
				oldest = i;
		}
		if (oldest == CONN_NONE)
			break;
		conn_close(cs, oldest, CLOSE_NO_ROOM, false);
		evicted++;
	}
	return evicted;
}
