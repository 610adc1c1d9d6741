/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See orders.h. Called by loop.c. Descriptors that come with an order belong to who obeys it, or
 * are closed here.
 */
#include "worker/orders.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "worker/adoption.h"
#include "worker/channels.h"
#include "worker/drain.h"
#include "worker/errlog.h"
#include "worker/fdpass.h"
#include "worker/process.h"

static void reopened(struct worker *w, const struct control_msg *m, const struct fdpass *got)
{
	const struct settings *s = w->env->settings;

	for (int k = 0; k < got->count; k++) {
		uint32_t log = (uint32_t)m->arg_us + (uint32_t)k;

		if (log < s->logs_count) {
			accesslog_replace(&w->log, log, got->fds[k]);
		} else {
			(void)dup3(got->fds[k], w->env->error_log_fd, O_CLOEXEC);
			close(got->fds[k]);
			process_say(w, CONTROL_REOPENED, 0);
		}
	}
}

static void obey(struct worker *w, const struct control_msg *m, const struct fdpass *got)
{
	int first = got->count > 0 ? got->fds[0] : -1;

	switch (m->kind) {
	case CONTROL_DRAIN:
		drain_obey(w, m->arg_us, (m->flags & CONTROL_FINAL) != 0, first);
		fdpass_close(got, 1);
		return;
	case CONTROL_TAKE:
		for (int k = 0; k < got->count; k++)
			channels_open(w, got->fds[k]);
		return;
	case CONTROL_GUARD:
		w->unguarded = true;
		break;
	case CONTROL_GIVE:
		channels_gift(w, m->arg_us, first);
		fdpass_close(got, 1);
		return;
	case CONTROL_LAME_DUCK:
		w->http->lame_duck = w->legacy->lame_duck = true;
		break;
	case CONTROL_QUIT:
		w->leave = true;
		break;
	case CONTROL_REOPEN:
		reopened(w, m, got);
		return;
	default:
		errlog(ERRLOG_WARN, "unknown message %u from the master", m->kind);
	}
	fdpass_close(got, 0);
}

void orders_read(struct worker *w)
{
	for (;;) {
		struct control_msg m;
		struct fdpass got;
		ssize_t n = fdpass_receive(w->env->control_fd, &m, sizeof m, &got);

		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0) {
			adoption_await(w);
			return;
		}
		if (n == (ssize_t)sizeof m && !got.truncated && !got.cut) {
			obey(w, &m, &got);
			continue;
		}
		/* No descriptor was left for the channel: the order stands all the same. */
		fdpass_close(&got, 0);
		got.count = 0;
		if (n == (ssize_t)sizeof m && m.kind == CONTROL_DRAIN)
			obey(w, &m, &got);
	}
}
