/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See orders.h. Called by loop.c. Descriptors that come with an order belong to who obeys it, or
 * are closed here.
 */
#include "worker/orders.h"

#include <errno.h>
#include <fcntl.h>
#include <stdalign.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "worker/adoption.h"
#include "worker/channels.h"
#include "worker/drain.h"
#include "worker/errlog.h"
#include "worker/process.h"

enum {
	FDS_MOST = 64 /* with one message */
};

static void reopened(struct worker *w, const struct control_msg *m, const int *fds, int count)
{
	const struct settings *s = w->env->settings;

	for (int k = 0; k < count; k++) {
		uint32_t log = (uint32_t)m->arg_us + (uint32_t)k;

		if (log < s->logs_count) {
			accesslog_replace(&w->log, log, fds[k]);
		} else {
			(void)dup3(fds[k], w->env->error_log_fd, O_CLOEXEC);
			close(fds[k]);
			process_say(w, CONTROL_REOPENED, 0);
		}
	}
}

static void close_all(const int *fds, int count)
{
	for (int k = 0; k < count; k++)
		close(fds[k]);
}

static void obey(struct worker *w, const struct control_msg *m, const int *fds, int count)
{
	switch (m->kind) {
	case CONTROL_DRAIN:
		drain_obey(w, m->arg_us, (m->flags & CONTROL_FINAL) != 0, count > 0 ? fds[0] : -1);
		if (count > 1)
			close_all(fds + 1, count - 1);
		return;
	case CONTROL_TAKE:
		for (int k = 0; k < count; k++)
			channels_open(w, fds[k]);
		return;
	case CONTROL_GUARD:
		w->unguarded = true;
		break;
	case CONTROL_GIVE:
		channels_gift(w, m->arg_us, count > 0 ? fds[0] : -1);
		if (count > 1)
			close_all(fds + 1, count - 1);
		return;
	case CONTROL_LAME_DUCK:
		w->http->lame_duck = w->legacy->lame_duck = true;
		break;
	case CONTROL_QUIT:
		w->leave = true;
		break;
	case CONTROL_REOPEN:
		reopened(w, m, fds, count);
		return;
	default:
		errlog(ERRLOG_WARN, "unknown message %u from the master", m->kind);
	}
	close_all(fds, count);
}

static int descriptors_of(struct msghdr *h, int *fds)
{
	int count = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c != NULL; c = CMSG_NXTHDR(h, c)) {
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS) {
			count = (int)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
			memcpy(fds, CMSG_DATA(c), (size_t)count * sizeof(int));
		}
	}
	return count;
}

void orders_read(struct worker *w)
{
	for (;;) {
		alignas(struct cmsghdr) char space[CMSG_SPACE(FDS_MOST * sizeof(int))];
		struct control_msg m;
		struct iovec iov = {&m, sizeof m};
		struct msghdr h = {.msg_iov = &iov,
				   .msg_iovlen = 1,
				   .msg_control = space,
				   .msg_controllen = sizeof space};
		int fds[FDS_MOST];
		ssize_t n = recvmsg(w->env->control_fd, &h, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
		int count;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0) {
			adoption_await(w);
			return;
		}
		count = descriptors_of(&h, fds);
		if (n == (ssize_t)sizeof m && (h.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) == 0) {
			obey(w, &m, fds, count);
			continue;
		}
		/* No descriptor was left for the channel: the order stands all the same. */
		close_all(fds, count);
		if (n == (ssize_t)sizeof m && m.kind == CONTROL_DRAIN)
			obey(w, &m, NULL, 0);
	}
}
