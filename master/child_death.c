/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See child_death.h. Called by child.c.
 */
#include "master/child_death.h"

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "master/child.h"
#include "worker/blackbox.h"
#include "worker/errlog.h"

void child_death_how(int status, char *out, size_t size)
{
	if (status == CHILD_UNKNOWN)
		snprintf(out, size, "ended");
	else if (WIFSIGNALED(status))
		snprintf(out, size, "killed by signal %d (%s)%s", WTERMSIG(status),
			 sigabbrev_np(WTERMSIG(status)) ? sigabbrev_np(WTERMSIG(status)) : "?",
			 WCOREDUMP(status) ? ", core dumped" : "");
	else
		snprintf(out, size, "exited with status %d", WEXITSTATUS(status));
}

static const char *because(enum child_cause cause)
{
	switch (cause) {
	case CAUSE_LATE_START:
		return ", as it was not ready in time";
	case CAUSE_LATE_DRAIN:
		return ", as it did not end with its drain";
	case CAUSE_HANG:
		return ", as it hung";
	case CAUSE_NONE:
	case CAUSE_ASKED:
		break;
	}
	return "";
}

void child_death_tell(struct child *c, pid_t pid, int status, const char *more)
{
	char how[64], suspect[BLACKBOX_TEXT];

	child_death_how(status, how, sizeof(how));
	blackbox_suspect(c->board, c->row, (uint64_t)pid, suspect);
	snprintf(c->epitaph, sizeof(c->epitaph), "worker %u (pid %ld, generation %u) %s%s%s",
		 c->slot, (long)pid, c->gen->number, how, because(c->cause), more);
	errlog(ERRLOG_ERROR, "%s%s%s", c->epitaph, suspect[0] != '\0' ? ", was working on " : "",
	       suspect);
	board_add(&c->board->master->worker_deaths, 1);
}

void child_death_tell_requests(const struct child *c, uint64_t now_us)
{
	static struct blackbox box;

	if (board_worker(c->board, c->row)->pid != (uint64_t)c->pid)
		return;
	blackbox_read(&box, c->board, c->row);
	blackbox_tell(&box, now_us);
}

void child_death_mark(const struct child *c, enum worker_state state)
{
	struct worker_row *row = board_worker(c->board, c->row);

	board_write_begin(&row->seq);
	row->state = state;
	row->slot = c->slot;
	row->generation = c->gen->number;
	row->pid = (uint64_t)c->pid;
	row->started_us = c->started_us;
	board_write_end(&row->seq);
}
