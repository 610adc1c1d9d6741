/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The master's own row. Called by the files of its loop.
 */
#include <string.h>
#include <unistd.h>

#include "master/generation.h"
#include "master/rows.h"
#include "worker/settings.h"

void rows_start(const struct board *b, uint64_t now_us, uint64_t pid)
{
	struct master_row *m = b->master;

	board_write_begin(&m->seq);
	m->state = MASTER_STARTING;
	m->pid = pid;
	m->started_us = m->beat_us = now_us;
	m->slots = b->sizes.slots;
	strlcpy(m->version, DROVER_VERSION, sizeof(m->version));
	board_write_end(&m->seq);
}

void rows_state(const struct board *b, enum master_state state)
{
	board_write_begin(&b->master->seq);
	b->master->state = state;
	board_write_end(&b->master->seq);
}

void rows_in_force(const struct board *b, const struct generation *g, uint64_t now_us)
{
	struct master_row *m = b->master;

	board_write_begin(&m->seq);
	m->generation = g->number;
	m->configured_us = now_us;
	m->drain_ms = g->settings->drain_us / 1000;
	m->conns_wanted = g->settings->worker_connections_wanted;
	strlcpy(m->config, g->settings->file ? g->settings->file : "", sizeof(m->config));
	board_write_end(&m->seq);
}

void rows_reload_asked(const struct board *b)
{
	struct master_row *m = b->master;

	board_write_begin(&m->seq);
	m->reloads++;
	m->reload_result = RESULT_PENDING;
	m->reload_error[0] = '\0';
	board_write_end(&m->seq);
}

void rows_reload_failed(const struct board *b, const char *why, uint64_t now_us)
{
	struct master_row *m = b->master;

	board_write_begin(&m->seq);
	m->reload_failures++;
	m->reload_us = now_us;
	strlcpy(m->reload_error, why, sizeof(m->reload_error));
	board_write_end(&m->seq);
}

void rows_reload_ended(const struct board *b, enum result result, uint64_t now_us)
{
	struct master_row *m = b->master;

	board_write_begin(&m->seq);
	m->reload_result = result;
	m->reload_us = now_us;
	board_write_end(&m->seq);
}

void rows_upgrade_asked(const struct board *b)
{
	struct master_row *m = b->master;

	board_write_begin(&m->seq);
	m->upgrades++;
	m->upgrade_result = RESULT_PENDING;
	m->upgrade_error[0] = '\0';
	board_write_end(&m->seq);
}

/* An upgrade has read the configuration anew: that a reload failed before says nothing any more. */
static void forget_failed_reload(struct master_row *m)
{
	if (m->reload_result != RESULT_FAILED)
		return;
	m->reload_result = RESULT_NONE;
	m->reload_error[0] = '\0';
}

void rows_upgrade_ended(const struct board *b, const char *why, uint64_t now_us)
{
	struct master_row *m = b->master;

	board_write_begin(&m->seq);
	if (!why)
		forget_failed_reload(m);
	m->upgrade_failures += why != NULL;
	m->upgrade_result = why ? RESULT_FAILED : RESULT_OK;
	m->upgrade_us = now_us;
	strlcpy(m->upgrade_error, why ? why : "", sizeof(m->upgrade_error));
	board_write_end(&m->seq);
}

void rows_inherit(const struct board *b, enum master_state state, uint64_t now_us)
{
	struct master_row *m = b->master;

	board_write_begin(&m->seq);
	m->state = state;
	m->pid = (uint64_t)getpid();
	m->beat_us = now_us;
	m->slots = b->sizes.slots;
	strlcpy(m->version, DROVER_VERSION, sizeof(m->version));
	board_write_end(&m->seq);
}

void rows_rebalanced(const struct board *b, enum result result, uint64_t conns)
{
	struct master_row *m = b->master;

	board_write_begin(&m->seq);
	m->rebalances++;
	m->rebalance_result = result;
	m->rebalanced += conns;
	board_write_end(&m->seq);
}

void rows_reopened(const struct board *b, enum result result)
{
	struct master_row *m = b->master;

	board_write_begin(&m->seq);
	m->reopens++;
	m->reopen_result = result;
	board_write_end(&m->seq);
}
