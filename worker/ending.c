/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See ending.h. Called by loop.c when the socket can be read. Whatever comes by it may be
 * nonsense: it is counted, said once in a while, and harms nothing.
 */
#include "worker/ending.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "worker/errlog.h"
#include "worker/peer.h"

static enum kill_result end_one(const struct ending *e, const struct kill_item *item)
{
	const struct conn_row *row;
	const struct conn *c;

	if (item->row >= e->cs->row->conns_high)
		return KILL_GONE;
	row = conn_row(e->cs, item->row);
	c = conn_at(e->cs, item->row);
	if (row->state == CONN_FREE || row->id != item->id || c->doomed)
		return KILL_GONE;
	if ((c->flags & (CONN_MOVING | CONN_ARRIVING)) != 0)
		return KILL_MOVING;
	if (item->state != KILL_ANY_STATE && item->state != row->state)
		return KILL_CHANGED;
	e->end(e->arg, item->row);
	return c->doomed ? KILL_ENDED : KILL_MOVING;
}

void ending_obey(const struct ending *e, const struct kill_request *q, struct kill_answer *a)
{
	*a = (struct kill_answer){.magic = KILL_MAGIC,
				  .version = KILL_VERSION,
				  .worker = e->row,
				  .count = q->count,
				  .token = q->token};
	for (uint32_t k = 0; k < q->count; k++) {
		a->result[k] = (uint8_t)end_one(e, &q->item[k]);
		a->ended += a->result[k] == KILL_ENDED;
	}
}

static void complain(const struct ending *e, const char *why)
{
	static struct errlog_limit limit;

	board_add(&e->cs->row->gossip, 1);
	errlog_limited(&limit, ERRLOG_WARN, "a message to this worker's socket was %s: ignored",
		       why);
}

static bool is_peer(const struct board *b, const struct order_request *q)
{
	const struct peer_row *row;

	if (q->row >= b->sizes.peers)
		return false;
	row = board_peer(b, q->row);
	return row->used != 0 && strcmp(row->upstream, q->upstream) == 0 &&
	       strcmp(row->address, q->address) == 0;
}

void ending_order(const struct ending *e, const struct order_request *q, uid_t asker,
		  struct order_answer *a)
{
	enum order_kind kind = (enum order_kind)q->kind;
	char weight[16] = "";

	*a = (struct order_answer){.magic = ORDER_MAGIC,
				   .version = ORDER_VERSION,
				   .worker = e->row,
				   .result = ORDER_GONE,
				   .token = q->token};
	if (e->cs->clock->now_us > q->until_us)
		a->result = ORDER_LATE;
	if (a->result == ORDER_LATE || !is_peer(e->cs->board, q))
		return;
	a->result = ORDER_DONE;
	peer_tell(board_peer(e->cs->board, q->row), kind, q->weight, asker, e->cs->clock->now_us);
	if (kind == ORDER_WEIGHT)
		snprintf(weight, sizeof weight, " %u", q->weight);
	errlog(ERRLOG_NOTICE, "peer %s of upstream \"%s\": %s%s, as uid %lu asked by droverctl",
	       q->address, q->upstream, order_name(kind), weight, (unsigned long)asker);
}

/* The sender, as the kernel says. */
static bool may_ask(const struct ending *e, struct msghdr *h, uid_t *uid_out)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c != NULL; c = CMSG_NXTHDR(h, c)) {
		struct ucred from;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_CREDENTIALS)
			continue;
		memcpy(&from, CMSG_DATA(c), sizeof from);
		*uid_out = from.uid;
		return from.uid == 0 || from.uid == e->uid;
	}
	return false;
}

/* One datagram; its first word says what it asks for. */
union request {
	uint32_t magic;
	struct kill_request kill;
	struct order_request order;
};

union answer {
	struct kill_answer kill;
	struct order_answer order;
};

static const char *check(const struct ending *e, const union request *q, size_t bytes)
{
	if (bytes >= sizeof q->magic && q->magic == ORDER_MAGIC)
		return order_check_request(&q->order, bytes, e->row);
	return kill_check_request(&q->kill, bytes, e->row);
}

/* Returns the answer's length. */
static size_t obey(const struct ending *e, const union request *q, uid_t asker, union answer *a)
{
	if (q->magic == ORDER_MAGIC) {
		ending_order(e, &q->order, asker, &a->order);
		return sizeof a->order;
	}
	ending_obey(e, &q->kill, &a->kill);
	if (a->kill.ended > 0)
		errlog(ERRLOG_NOTICE, "ended %u of %u connections, as droverctl asked",
		       a->kill.ended, a->kill.count);
	return kill_answer_bytes(a->kill.count);
}

void ending_serve(const struct ending *e)
{
	static union request q;
	static union answer a;
	/* No room for descriptors: the kernel closes those that somebody sends. */
	alignas(struct cmsghdr) char space[CMSG_SPACE(sizeof(struct ucred))];
	struct sockaddr_un from;
	struct iovec iov = {&q, sizeof q};
	struct msghdr h = {.msg_name = &from,
			   .msg_namelen = sizeof from,
			   .msg_iov = &iov,
			   .msg_iovlen = 1,
			   .msg_control = space,
			   .msg_controllen = sizeof space};
	ssize_t n = recvmsg(e->fd, &h, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	uid_t asker = 0;
	const char *why;
	size_t len;

	if (n < 0)
		return;
	why = (h.msg_flags & MSG_TRUNC) != 0 ? "too long" : check(e, &q, (size_t)n);
	if (why == NULL && !may_ask(e, &h, &asker))
		why = "from somebody who may not";
	if (why != NULL) {
		complain(e, why);
		return;
	}
	len = obey(e, &q, asker, &a);
	/* Who does not wait for it any more will see on the board what came of it. */
	(void)sendto(e->fd, &a, len, MSG_DONTWAIT | MSG_NOSIGNAL, (const struct sockaddr *)&from,
		     h.msg_namelen);
}
