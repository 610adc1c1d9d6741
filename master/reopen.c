/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reopens logs. A log that cannot be opened keeps its old descriptor, so nothing is lost by a wrong
 * USR1. Called by supervise.c and orders.c.
 */
#include "master/reopen.h"

#include <errno.h>
#include <string.h>

#include "master/child_tell.h"
#include "master/policy.h"
#include "worker/errlog.h"
#include "worker/worker.h"

static unsigned open_all(struct generation *generations)
{
	unsigned failed = 0;
	char error[512];

	for (struct generation *g = generations; g; g = g->next) {
		if (g->foreign)
			continue;
		unsigned bad = logs_reopen(&g->logs, g->settings, error, sizeof(error));

		if (bad)
			errlog(ERRLOG_ERROR, "reopening: %s%s", error, bad > 1 ? ", and more" : "");
		failed += bad;
	}
	return failed;
}

/* The access logs in order, the error log as the last one. */
static int send_logs(const struct child *c)
{
	const struct logs *l = &c->gen->logs;
	int fds[CHILD_FDS];
	uint32_t total = l->count + 1;

	for (uint32_t first = 0; first < total; first += CHILD_FDS) {
		uint32_t n = total - first < CHILD_FDS ? total - first : CHILD_FDS;

		for (uint32_t i = 0; i < n; i++)
			fds[i] = first + i < l->count ? l->fds[first + i] : l->error_fd;
		if (child_tell_fds(c, CONTROL_REOPEN, first, fds, n))
			return -1;
	}
	return 0;
}

void reopen_begin(struct reopen *r, struct generation *generations, struct slots *s,
		  uint64_t now_us)
{
	if (r->waiting) {
		r->again = true;
		return;
	}
	*r = (struct reopen){.waiting = true, .deadline_us = now_us + POLICY_REOPEN_US};
	r->failed = open_all(generations);
	for (uint32_t i = 0; i < slots_children(s); i++) {
		struct child *c = slots_child(s, i);

		if (!child_stays(c) && c->state != CHILD_DRAINING)
			continue;
		if (c->gen->foreign)
			continue; /* it leaves, and its logs are not known here */
		c->reopening = !send_logs(c);
		if (c->reopening)
			continue;
		errlog(ERRLOG_WARN, "worker %u (pid %ld) could not be given its logs: %s", c->slot,
		       (long)c->pid, strerror(errno));
		r->failed++;
	}
}

static unsigned count_waiting(struct slots *s)
{
	unsigned n = 0;

	for (uint32_t i = 0; i < slots_children(s); i++)
		n += slots_child(s, i)->reopening;
	return n;
}

enum reopen_outcome reopen_step(struct reopen *r, struct generation *generations, struct slots *s,
				uint64_t now_us)
{
	if (!r->waiting)
		return REOPEN_NONE;
	unsigned late = count_waiting(s);

	if (late && now_us < r->deadline_us)
		return REOPEN_NONE;
	if (late)
		errlog(ERRLOG_WARN, "reopening: %u workers did not take their new logs in time",
		       late);
	for (uint32_t i = 0; i < slots_children(s); i++)
		slots_child(s, i)->reopening = false;
	r->waiting = false;
	r->failed += late;
	if (r->again) {
		r->again = false;
		reopen_begin(r, generations, s, now_us);
		return REOPEN_NONE;
	}
	return r->failed ? REOPEN_FAILED : REOPEN_DONE;
}
