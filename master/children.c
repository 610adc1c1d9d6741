/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See children.h. What a death means is slot.c's to say. Called by supervise.c, orders.c and
 * start.c.
 */
#include "master/children.h"

#include <signal.h>
#include <sys/wait.h>

#include "master/master.h"
#include "shm/carry.h"

void children_hear(struct master *m)
{
	for (uint32_t i = 0; i < slots_children(&m->slots); i++)
		if (slots_child(&m->slots, i)->control_fd >= 0)
			child_listen(slots_child(&m->slots, i), m->now_us);
}

/* What the workers of another program count on their own board. */
void children_carry(struct master *m)
{
	bool any = false;

	for (uint32_t i = 0; m->realm->carry && i < slots_children(&m->slots); i++) {
		const struct child *c = slots_child(&m->slots, i);

		if (!child_lives(c) || !c->gen->foreign)
			continue;
		carry_worker(m->realm->carry, c->row);
		any = true;
	}
	if (any)
		return;
	carry_close(m->realm->carry);
	m->realm->carry = NULL;
}

void children_bury(struct master *m)
{
	siginfo_t info = {0};
	int status;

	/* Its last words on the board are read when it is dead and still has its place. */
	while (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid > 0) {
		if (m->realm->carry)
			children_carry(m);
		if (waitpid(info.si_pid, &status, WNOHANG) != info.si_pid)
			return;
		if (!upgrade_died(&m->upgrade, info.si_pid, status) &&
		    !prober_child_died(&m->prober, info.si_pid, status, m->now_us))
			slots_died(&m->slots, info.si_pid, status, m->now_us);
		info.si_pid = 0;
	}
	children_carry(m);
	recount_ask(&m->recount);
}

/* Those who are no children of this process. */
void children_bury_adopted(struct master *m)
{
	for (uint32_t i = 0; i < slots_children(&m->slots); i++) {
		struct child *c = slots_child(&m->slots, i);

		if (!child_lives(c) || !child_has_ended(c))
			continue;
		children_carry(m);
		recount_ask(&m->recount);
		slots_died(&m->slots, c->pid, child_end_status(c), m->now_us);
	}
}
