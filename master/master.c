/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See master.h.
 */
#include "master/master.h"

#include <stdio.h>

#include "master/inherit.h"
#include "master/notify.h"
#include "master/rows.h"

void master_status(const struct master *m, char *out, size_t size)
{
	snprintf(out, size, "generation %u, %u of %u workers ready", m->realm->gen->number,
		 slots_serving(&m->slots), m->workers);
}

void master_tell_running(const struct master *m)
{
	char text[128];

	rows_state(&m->realm->board, MASTER_RUNNING);
	master_status(m, text, sizeof(text));
	notify_ready(text);
}

void master_set_workers(struct master *m, uint32_t workers)
{
	m->workers = workers;
	board_set(&m->realm->board.master->workers_wanted, workers);
}

void master_want_all(struct master *m, struct generation *gen, uint32_t workers)
{
	for (uint32_t i = 0; i < m->slots.room; i++)
		slot_want(&m->slots.slot[i], i < workers ? gen : NULL, workers);
}

bool master_is_upgrading(const struct master *m)
{
	return m->realm->heir && !m->realm->heir->adopting;
}
