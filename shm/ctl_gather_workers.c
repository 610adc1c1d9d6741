/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Workers, as the board and /proc show them: figures between the looks, and descriptors against
 * records. Called by shm/ctl_facts.c.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "shm/alive.h"
#include "shm/ctl_gather.h"
#include "shm/ctl_proc.h"

enum {
	FDS_MOST = 1 << 21,
	BLOCK_ROWS = 64
};

/* A worker whose descriptors are being read. */
struct scan {
	struct gather *g;
	struct facts_worker *w;
};

bool gather_in_proc(const struct view_worker *w)
{
	return view_lives(w) && alive_is_drover(w->pid);
}

/* What the board's numbers of states are here. */
static void learn_states(struct gather *g)
{
	for (unsigned i = 0; i < VIEW_STATES; i++)
		for (unsigned k = 0; k < CONN_STATES_COUNT; k++)
			if (strcmp(reader_enum_text(g->c->reader, "conn_state", i),
				   conn_state_name(k)) == 0)
				g->states[i] = k + 1;
}

static void tally_add(struct tally all[TALLIES], const uint8_t addr[16])
{
	struct tally *empty = NULL;

	for (size_t i = 0; i < TALLIES; i++) {
		if (all[i].count > 0 && memcmp(all[i].addr, addr, 16) == 0) {
			all[i].count++;
			return;
		}
		if (all[i].count == 0)
			empty = &all[i];
	}
	if (empty != NULL) {
		memcpy(empty->addr, addr, 16);
		empty->count = 1;
		return;
	}
	for (size_t i = 0; i < TALLIES; i++)
		all[i].count--;
}

static void claim(struct gather *g, uint64_t fd)
{
	if (fd >= g->claimed_room) {
		size_t room = g->claimed_room == 0 ? 4096 : g->claimed_room;
		uint8_t *more;

		while (room <= fd && room < FDS_MOST)
			room *= 2;
		if (fd >= FDS_MOST || (more = realloc(g->claimed, room)) == NULL)
			return;
		memset(more + g->claimed_room, 0, room - g->claimed_room);
		g->claimed = more;
		g->claimed_room = room;
	}
	g->claimed[fd] = 1;
}

struct conn_fields {
	const struct board_field *state, *fd, *peer;
};

static void take_record(struct gather *g, const struct conn_fields *c, const char *bytes)
{
	uint64_t number = reader_u64(bytes, c->state);
	unsigned state = number < VIEW_STATES ? g->states[number] : 0;
	uint8_t addr[16];

	if (state == CONN_FREE + 1)
		return;
	claim(g, reader_u64(bytes, c->fd));
	if (!g->second)
		return;
	if (state > 0)
		g->f->states[state - 1]++;
	reader_addr(bytes, c->peer, addr);
	tally_add(g->tally, addr);
}

/* The worker's records: which descriptors they claim, what they wait for, whose they are. */
static void read_records(struct gather *g, const struct view_worker *v)
{
	struct reader *r = g->c->reader;
	const struct board_table *t = reader_table(r, "conn");
	const struct conn_fields c = {reader_field(r, t, "state"), reader_field(r, t, "fd"),
				      reader_field(r, t, "peer")};
	uint32_t used = view_conns_used(v, t), n;
	char *block;

	if (g->claimed_room > 0)
		memset(g->claimed, 0, g->claimed_room);
	if (used == 0 || c.state == NULL || c.fd == NULL || c.peer == NULL ||
	    (block = malloc((size_t)BLOCK_ROWS * t->stride)) == NULL)
		return;
	for (uint32_t i = 0; i < used; i += n) {
		n = used - i < BLOCK_ROWS ? used - i : BLOCK_ROWS;
		reader_block(r, t, view_group_first(v, t) + i, n, block);
		for (uint32_t k = 0; k < n; k++)
			take_record(g, &c, block + (size_t)k * t->stride);
	}
	free(block);
}

static void take_descriptor(unsigned fd, uint64_t inode, void *arg)
{
	struct scan *s = arg;
	struct gather *g = s->g;
	bool ours = fd < g->claimed_room && g->claimed[fd] != 0;
	size_t at;

	if (inode == 0)
		return;
	if (!g->second) {
		if (!ours)
			set_add(&g->unclaimed, inode);
		return;
	}
	at = set_find(&g->unclaimed, inode);
	if (!ours && at < g->unclaimed.count && g->unclaimed.mark[at])
		s->w->lost++;
	at = set_find(&g->stayed, inode);
	if (at < g->stayed.count && !g->stayed.mark[at]) {
		g->stayed.mark[at] = true;
		s->w->close_wait++;
		s->w->close_wait_lost += !ours;
	}
}

/* Records first, then descriptors; both looks must find one without a record before it counts. */
static void read_descriptors(struct gather *g, const struct view_worker *v, struct facts_worker *w)
{
	struct scan s = {.g = g, .w = w};
	uint64_t count;

	read_records(g, v);
	if (!gather_in_proc(v))
		return;
	w->lost = 0;
	count = proc_descriptors(v->pid, take_descriptor, &s);
	if (count == FACTS_UNKNOWN)
		snprintf(g->f->proc_unknown, sizeof(g->f->proc_unknown),
			 "/proc/%llu/fd: %s (it takes root, or the daemon's user)",
			 (unsigned long long)v->pid, strerror(errno));
	w->fds_open = count;
	if (count == FACTS_UNKNOWN || !g->second || g->f->sockets.unknown[0] != '\0')
		w->lost = FACTS_UNKNOWN;
}

static uint64_t turns_since(const struct gather *g, const struct view_worker *v,
			    const struct then *then)
{
	const struct board_table *t = v->row.table;
	const struct board_field *f = reader_field(g->c->reader, t, "turn");
	uint64_t now[HIST_BUCKETS] = {0};
	unsigned i = HIST_BUCKETS;

	if (f != NULL)
		reader_hist(v->row.bytes, f, now);
	while (i > 0 && now[i - 1] <= then->turn[i - 1])
		i--;
	/* What a bucket holds is at least as long as the one below it ends. */
	return i > 1 ? hist_bound(i - 2) : 0;
}

static void remember_worker(struct gather *g, const struct view_worker *v, struct then *then)
{
	const struct board_field *turn = reader_field(g->c->reader, v->row.table, "turn");

	memset(then, 0, sizeof(*then));
	then->pid = v->pid;
	then->requests = v->requests;
	then->waited_us = then->resident = FACTS_UNKNOWN;
	if (turn != NULL)
		reader_hist(v->row.bytes, turn, then->turn);
	if (gather_in_proc(v)) {
		then->waited_us = proc_waited_us(v->pid);
		then->resident = proc_resident(v->pid);
	}
}

/* What needs both looks. */
static void fill_since(struct gather *g, const struct view_worker *v, struct facts_worker *w)
{
	const struct then *then = v->index < g->then_count ? &g->then[v->index] : NULL;
	uint64_t waited;

	if (then == NULL || then->pid != v->pid)
		return;
	w->again = true;
	w->requests = v->requests - then->requests;
	w->turn_us = turns_since(g, v, then);
	w->before = then->resident;
	waited = gather_in_proc(v) ? proc_waited_us(v->pid) : FACTS_UNKNOWN;
	if (waited != FACTS_UNKNOWN && then->waited_us != FACTS_UNKNOWN &&
	    waited >= then->waited_us)
		w->waited_us = waited - then->waited_us;
}

static bool slot_is_filled(const struct view *v, uint32_t slot)
{
	for (uint32_t i = 0; i < v->workers_count; i++)
		if (v->workers[i].slot == slot && view_lives(&v->workers[i]))
			return true;
	return false;
}

static void fill_worker(struct gather *g, const struct view_worker *v, struct facts_worker *w)
{
	const struct view *view = &g->c->view;

	*w = (struct facts_worker){.slot = v->slot,
				   .pid = v->pid,
				   .life = v->life,
				   .ready = strcmp(v->state, "ready") == 0,
				   .draining = strcmp(v->state, "draining") == 0,
				   .torn = v->row.status == READER_TORN,
				   .filled = !view_lives(v) && slot_is_filled(view, v->slot),
				   .heard_us = view_age_us(view, v->heard_us),
				   .draining_us = view_age_us(view, v->drain_us),
				   .conns = v->conns,
				   .conns_max = reader_row_u64(&v->row, "conns_max"),
				   .fds = reader_row_u64(&v->row, "fds"),
				   .fds_max = reader_row_u64(&v->row, "fds_max"),
				   .lag_us = reader_row_u64(&v->row, "lag_us"),
				   .fds_open = FACTS_UNKNOWN,
				   .lost = FACTS_UNKNOWN,
				   .resident = FACTS_UNKNOWN,
				   .before = FACTS_UNKNOWN,
				   .waited_us = FACTS_UNKNOWN};
	fill_since(g, v, w);
	if (gather_in_proc(v)) {
		w->task = proc_task(v->pid);
		w->resident = proc_resident(v->pid);
	}
	if (view_lives(v)) {
		read_descriptors(g, v, w);
		g->f->lives = true;
	}
}

static void fill_heaviest(struct gather *g)
{
	static const uint8_t none[16];
	const struct tally *best = &g->tally[0];
	char *colon;

	for (size_t i = 1; i < TALLIES; i++)
		if (g->tally[i].count > best->count)
			best = &g->tally[i];
	if (best->count == 0 || memcmp(best->addr, none, sizeof(none)) == 0)
		return;
	g->f->heaviest_conns = best->count;
	sockdiag_text(best->addr, 0, g->f->heaviest, sizeof(g->f->heaviest));
	colon = strrchr(g->f->heaviest, ':');
	if (colon != NULL)
		*colon = '\0';
}

int gather_remember(struct gather *g)
{
	const struct view *v = &g->c->view;
	struct facts_worker spare = {0};

	free(g->then);
	g->then_count = v->workers_count;
	g->then = calloc((size_t)v->workers_count + 1, sizeof(*g->then));
	if (g->then == NULL)
		return -1;
	learn_states(g);
	g->unclaimed.count = 0;
	for (uint32_t i = 0; i < v->workers_count; i++) {
		remember_worker(g, &v->workers[i], &g->then[i]);
		if (view_lives(&v->workers[i]))
			read_descriptors(g, &v->workers[i], &spare);
	}
	set_sort(&g->unclaimed);
	return 0;
}

int gather_workers(struct gather *g)
{
	const struct view *v = &g->c->view;

	g->f->workers = calloc((size_t)v->workers_count + 1, sizeof(*g->f->workers));
	if (g->f->workers == NULL)
		return -1;
	set_sort(&g->stayed);
	for (uint32_t i = 0; i < v->workers_count; i++)
		if (v->workers[i].life != VIEW_NONE)
			fill_worker(g, &v->workers[i], &g->f->workers[g->f->workers_count++]);
	fill_heaviest(g);
	return 0;
}
