/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See ending.h. Called by worker.c when the socket can be read. Whatever comes by it may be
 * nonsense: it is counted, said once in a while, and harms nothing.
 */
#include "worker/ending.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "worker/errlog.h"

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

/* The sender, as the kernel says. */
static bool may_ask(const struct ending *e, struct msghdr *h)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c != NULL; c = CMSG_NXTHDR(h, c)) {
		struct ucred from;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_CREDENTIALS)
			continue;
		memcpy(&from, CMSG_DATA(c), sizeof from);
		return from.uid == 0 || from.uid == e->uid;
	}
	return false;
}

void ending_serve(const struct ending *e)
{
	static struct kill_request q;
	static struct kill_answer a;
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
	const char *why;

	if (n < 0)
		return;
	why = (h.msg_flags & MSG_TRUNC) != 0 ? "too long"
					     : kill_check_request(&q, (size_t)n, e->row);
	if (why == NULL && !may_ask(e, &h))
		why = "from somebody who may not";
	if (why != NULL) {
		complain(e, why);
		return;
	}
	ending_obey(e, &q, &a);
	if (a.ended > 0)
		errlog(ERRLOG_NOTICE, "ended %u of %u connections, as droverctl asked", a.ended,
		       a.count);
	/* Who does not wait for it any more will see on the board what came of it. */
	(void)sendto(e->fd, &a, kill_answer_bytes(a.count), MSG_DONTWAIT | MSG_NOSIGNAL,
		     (const struct sockaddr *)&from, h.msg_namelen);
}
