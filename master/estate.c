/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See estate.h. Called by change.c in the program that leaves, and by inherit.c in the one that
 * comes.
 */
#include "master/estate.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "master/conf.h"
#include "master/inherit.h"
#include "master/realm.h"
#include "worker/errlog.h"

/* Listeners. What is the same on both sides is copied in one place. */

#define COPY_LISTENER(to, from)                      \
	do {                                         \
		(to)->addr = (from)->addr;           \
		(to)->addr_len = (from)->addr_len;   \
		(to)->reuseport = (from)->reuseport; \
		(to)->inherited = (from)->inherited; \
		(to)->backlog = (from)->backlog;     \
		(to)->opened = (from)->opened;       \
		(to)->dev = (from)->dev;             \
		(to)->ino = (from)->ino;             \
		(to)->made = (from)->made;           \
	} while (0)

static int describe_listener(struct state *out, const struct bound *b)
{
	struct state_listener *l = state_add_listener(out);

	if (!l)
		return -1;
	COPY_LISTENER(l, b);
	for (unsigned j = 0; j < b->count; j++)
		if (state_add_fd(&l->fds, &l->fds_count, b->fds[j]))
			return -1;
	return 0;
}

int estate_restore_listeners(struct listen_set *set, const struct state *s)
{
	for (uint32_t i = 0; i < s->listeners_count; i++) {
		const struct state_listener *l = &s->listeners[i];
		struct bound b = {.row = 0};

		COPY_LISTENER(&b, l);
		if (listen_restore(set, &b, l->fds, l->fds_count))
			return -1;
	}
	return 0;
}

void estate_release_listeners(struct listen_set *set, const struct state *s)
{
	for (uint32_t i = 0; i < s->listeners_count; i++) {
		for (struct bound *b = set->first; b; b = b->next) {
			if (b->fds[0] != s->listeners[i].fds[0])
				continue;
			listen_put(set, b);
			break;
		}
	}
}

/* Children, and the generations that they run with. */

#define COPY_CHILD(to, from)                             \
	do {                                             \
		(to)->pid = (from)->pid;                 \
		(to)->standby = (from)->standby;         \
		(to)->predecessor = (from)->predecessor; \
		(to)->instance = (from)->instance;       \
		(to)->control_fd = (from)->control_fd;   \
		(to)->started_us = (from)->started_us;   \
		(to)->ready_us = (from)->ready_us;       \
		(to)->deadline_us = (from)->deadline_us; \
		(to)->until_us = (from)->until_us;       \
		(to)->drain_flags = (from)->drain_flags; \
	} while (0)

static int describe_child(struct state *out, const struct child *c)
{
	struct state_child *to = state_add_child(out);

	if (!to)
		return -1;
	COPY_CHILD(to, c);
	to->slot = c->slot;
	to->half = c->row % BOARD_HALVES;
	to->generation = c->gen->number;
	to->asked = c->cause == CAUSE_ASKED;
	strlcpy(to->state, child_state_name(c->state), sizeof(to->state));
	return 0;
}

static struct generation *generation_of(const struct realm *r, uint32_t number)
{
	for (struct generation *g = r->generations; g; g = g->next)
		if (g->number == number)
			return g;
	return NULL;
}

static enum child_state state_of(const char *name)
{
	for (unsigned i = 0; i < CHILD_STATES; i++)
		if (!strcmp(child_state_name((enum child_state)i), name))
			return (enum child_state)i;
	return CHILD_STUCK; /* one that this version does not know: it is waited for, no more */
}

static int restore_child(const struct realm *r, struct slots *s, const struct state_child *from)
{
	struct generation *g = generation_of(r, from->generation);
	struct slot *slot = from->slot < s->room ? &s->slot[from->slot] : NULL;
	struct child *c = slot && from->half < BOARD_HALVES ? &slot->child[from->half] : NULL;

	if (!g || !c || child_lives(c)) {
		errlog(ERRLOG_ERROR, "worker %u (pid %ld) cannot be taken over: it has no place",
		       from->slot, (long)from->pid);
		if (from->control_fd >= 0)
			close(from->control_fd); /* an orphan drains by itself */
		return 0;
	}
	if (!g->foreign && share_list(&c->share, g, slot->index, r->heir->state.workers))
		return -1;
	c->pid = from->pid;
	c->control_fd = from->control_fd;
	if (r->heir->adopting && child_adopt(c)) {
		errlog(ERRLOG_ERROR, "worker %u (pid %ld) of the former master is gone", c->slot,
		       (long)c->pid);
		close(c->control_fd);
		c->control_fd = -1;
		c->pid = 0;
		return 0;
	}
	generation_use(g);
	c->gen = g;
	c->state = state_of(from->state);
	c->cause = from->asked ? CAUSE_ASKED : CAUSE_NONE;
	COPY_CHILD(c, from);
	if (from->instance > slot->instance) {
		slot->instance = from->instance;
		slot->last_half = from->half;
	}
	return 0;
}

int estate_restore_children(const struct realm *r, struct slots *s)
{
	const struct state *state = &r->heir->state;

	s->instances = state->instances;
	for (uint32_t i = 0; i < state->children_count; i++)
		if (restore_child(r, s, &state->children[i]))
			return -1;
	return 0;
}

int estate_restore_generations(struct realm *r, const struct state *s)
{
	for (uint32_t i = 0; i < s->generations_count; i++) {
		const struct state_generation *g = &s->generations[i];

		if (g->number == r->gen->number)
			continue;
		if (!generation_foreign(&r->generations, g->number, g->drain_us, g->hang_us))
			return -1;
	}
	return 0;
}

/* The whole. */

static char *print_settings(const struct settings *s)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	if (!out)
		return NULL;
	conf_print(s, out);
	if (fclose(out)) {
		free(text);
		return NULL;
	}
	return text;
}

/* The way back reads the configuration in force from this text: better to see now that it can. */
static int describe_settings(struct state *out, const struct settings *s, char *error, size_t size)
{
	struct conf_messages m = {0};
	struct settings *again = NULL;

	out->config_file = strdup(s->file ? s->file : "");
	out->config = print_settings(s);
	if (out->config_file && out->config)
		again = conf_parse_text("configuration", out->config, strlen(out->config), NULL,
					&m);
	if (!again)
		snprintf(error, size, "the configuration in force cannot be written down: %s",
			 conf_messages_first(&m));
	conf_messages_free(&m);
	settings_free(again);
	return again ? 0 : -1;
}

static int describe_lists(struct state *out, const struct realm *r, struct slots *s)
{
	for (const struct generation *g = r->generations; g; g = g->next) {
		struct state_generation *to = state_add_generation(out);

		if (!to)
			return -1;
		to->number = g->number;
		to->drain_us = g->settings->drain_us;
		to->hang_us = g->settings->hang_us;
	}
	for (const struct bound *b = r->listeners.first; b; b = b->next)
		if (describe_listener(out, b))
			return -1;
	for (uint32_t i = 0; i < slots_children(s); i++)
		if (child_lives(slots_child(s, i)) && describe_child(out, slots_child(s, i)))
			return -1;
	for (uint32_t i = 0; i < r->gen->logs.count; i++)
		if (state_add_fd(&out->log_fds, &out->log_fds_count, r->gen->logs.fds[i]))
			return -1;
	return 0;
}

int estate_describe(struct state *out, const struct realm *r, struct slots *s, uint32_t workers,
		    uint32_t last_number, char *error, size_t size)
{
	char path[PATH_MAX];

	*out = STATE_EMPTY;
	out->version = strdup(DROVER_VERSION);
	out->number = r->gen->number;
	out->last = last_number;
	out->instances = s->instances;
	out->workers = workers;
	out->configured = r->gen->settings->workers;
	out->lock_fd = r->daemon.lock_fd;
	out->pid_fd = daemon_pid_fd(&r->daemon);
	out->pid_path = strdup(r->daemon.pid_path);
	out->error_fd = r->gen->logs.error_fd;
	if (describe_settings(out, r->gen->settings, error, size))
		goto fail;
	snprintf(error, size, "no memory");
	if (!out->version || !out->pid_path || describe_lists(out, r, s))
		goto fail;
	snprintf(path, sizeof(path), "%s/%s", r->options->rundir, BOARD_FILE);
	out->board_fd = board_file(&r->board, path);
	if (out->board_fd < 0) {
		snprintf(error, size, "the board %s is not there any more: %s", path,
			 strerror(errno));
		goto fail;
	}
	out->program_fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	if (out->program_fd >= 0)
		return 0;
	snprintf(error, size, "the way back cannot be kept open: /proc/self/exe: %s",
		 strerror(errno));
fail:
	estate_forget(out);
	return -1;
}

void estate_forget(struct state *s)
{
	if (s->program_fd >= 0)
		close(s->program_fd);
	if (s->board_fd >= 0)
		close(s->board_fd);
	state_free(s);
}
