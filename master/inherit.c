/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See inherit.h. Called by boot.c, and by start.c and change.c for the end of it.
 */
#include "master/inherit.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "master/conf.h"
#include "master/estate.h"
#include "master/limit.h"
#include "master/load.h"
#include "master/notify.h"
#include "master/realm.h"
#include "master/resolve.h"
#include "master/rows.h"
#include "master/upgrade.h"
#include "master/wayback.h"
#include "shm/carry.h"
#include "worker/errlog.h"

bool inherit_asked(void)
{
	return getenv(WAYBACK_INHERIT);
}

static int read_names(int *state_fd, int *program_fd)
{
	const char *text = getenv(WAYBACK_INHERIT);

	return text && sscanf(text, "%d %d", state_fd, program_fd) == 2 ? 0 : -1;
}

int inherit_check(void)
{
	struct state s;
	char error[256];
	int state_fd, program_fd;

	if (read_names(&state_fd, &program_fd)) {
		fputs("drover: " WAYBACK_INHERIT " makes no sense\n", stderr);
		return -1;
	}
	if (state_read(&s, state_fd, error, sizeof(error))) {
		fprintf(stderr, "drover: %s\n", error);
		return -1;
	}
	state_free(&s);
	puts(UPGRADE_PROOF);
	return 0;
}

#ifdef DROVER_LAYOUT_TEST
/* The program made for tests fails in the way that the file $DROVER_TEST_FAIL says. */
static void fail_as_told(struct heir *h)
{
	const char *path = getenv("DROVER_TEST_FAIL");
	char how[16] = "";
	FILE *in = path ? fopen(path, "re") : NULL;

	if (!in)
		return;
	if (fscanf(in, "%15s", how) != 1)
		how[0] = '\0';
	fclose(in);
	if (!strcmp(how, "crash"))
		kill(getpid(), SIGSEGV);
	else if (!strcmp(how, "abort"))
		abort();
	else if (!strcmp(how, "exit"))
		exit(0);
	else if (!strcmp(how, "hang"))
		alarm(1), pause();
	h->test_workers_fail = !strcmp(how, "workers");
}
#endif

int inherit_open(struct heir *h, const struct options *o, char *error, size_t size)
{
	const char *why = getenv(WAYBACK_RETURNED);
	int program_fd;

	*h = (struct heir){.state = STATE_EMPTY, .state_fd = -1, .restoring = why};
	if (read_names(&h->state_fd, &program_fd)) {
		snprintf(error, size, WAYBACK_INHERIT " makes no sense");
		return -1;
	}
	if (why)
		snprintf(h->why, sizeof(h->why), "%s", why);
	else
		wayback_open(o, h->state_fd, program_fd);
	unsetenv(WAYBACK_INHERIT);
	unsetenv(WAYBACK_RETURNED);
	prctl(PR_SET_NAME, "drover"); /* a program executed by descriptor is named by its number */
#ifdef DROVER_LAYOUT_TEST
	if (!why)
		fail_as_told(h);
#endif
	if (state_read(&h->state, h->state_fd, error, size))
		return -1;
	if (why)
		state_close_on_exec(&h->state, true);
	else
		wayback_knows(&h->state);
	fcntl(h->state_fd, F_SETFD, FD_CLOEXEC);
	return 0;
}

void inherit_orphans(struct heir *h, struct state *state)
{
	*h = (struct heir){.state = *state, .state_fd = -1, .adopting = true};
	*state = STATE_EMPTY;
}

/* The realm. */

static struct settings *read_settings(const struct realm *r, const struct heir *h, char *error,
				      size_t size)
{
	const struct state *s = &h->state;
	struct conf_messages m = {0};
	struct settings *settings;

	if (h->restoring)
		settings = conf_parse_text(*s->config_file ? s->config_file : "configuration",
					   s->config, strlen(s->config), NULL, &m);
	else
		settings = load_settings(r->options, &m);
	if (!settings)
		snprintf(error, size, "%s", conf_messages_first(&m));
	else if (h->restoring && !*s->config_file)
		settings->file = NULL;
	conf_messages_free(&m);
	return settings;
}

static struct generation *open_generation(struct realm *r, struct heir *h, struct settings *s,
					  char *error, size_t size)
{
	const struct state *from = &h->state;
	uint32_t workers = from->workers != from->configured ? from->workers : s->workers;
	struct logs logs = {.count = from->log_fds_count, .error_fd = from->error_fd};

	if (!h->restoring)
		return generation_open(&r->generations, s, from->last + 1, workers, &r->listeners,
				       error, size);
	snprintf(error, size, "the logs are not those of the configuration");
	if (from->log_fds_count != s->logs_count)
		return NULL;
	logs.fds = calloc(logs.count + 1, sizeof(*logs.fds));
	if (!logs.fds)
		return NULL;
	for (uint32_t i = 0; i < logs.count; i++)
		logs.fds[i] = from->log_fds[i];
	struct generation *g = generation_restore(&r->generations, s, from->number, &r->listeners,
						  &logs, error, size);

	if (!g)
		free(logs.fds);
	return g;
}

/* Another file, at first beside the old one, with all that stands on that. */
static int make_board(struct realm *r, struct heir *h, const struct settings *s, char *error,
		      size_t size)
{
	struct board_sizes sizes = rows_sizes(s);
	char path[PATH_MAX], why[256];

	if (h->state.board_fd >= 0)
		sizes = carry_sizes(h->state.board_fd, sizes);
	snprintf(path, sizeof(path), "%s/%s", r->options->rundir, BOARD_FILE);
	if (board_make(&r->board, path, &sizes)) {
		r->board.base = NULL;
		snprintf(error, size, "cannot make a board in %s: %s", r->options->rundir,
			 strerror(errno));
		return -1;
	}
	h->new_board = true;
	if (h->state.board_fd < 0)
		return 0; /* somebody removed it: nothing is to be carried */
	r->carry = carry_open(&r->board, h->state.board_fd, why, sizeof(why));
	if (!r->carry) {
		snprintf(error, size, "the board cannot be carried over: %s", why);
		return -1;
	}
	carry_all(r->carry);
	return 0;
}

static int open_board(struct realm *r, struct heir *h, const struct settings *s, char *error,
		      size_t size)
{
	char why[256];
	int bad = h->state.board_fd < 0 ? 1 : board_open(&r->board, h->state.board_fd);

	if (bad)
		r->board.base = NULL;
	if (bad < 0) {
		snprintf(error, size, "the board cannot be mapped: %s", strerror(errno));
		return -1;
	}
	if (bad == 0 && rows_fit(&r->board, s, why, sizeof(why)) == 0)
		return 0;
	if (bad == 0)
		board_unmap(&r->board);
	return make_board(r, h, s, error, size);
}

static void take_daemon(struct realm *r, struct heir *h)
{
	r->daemon = DAEMON_NONE;
	r->daemon.lock_fd = h->state.lock_fd;
	r->daemon.pid_fd = h->state.pid_fd;
	snprintf(r->daemon.pid_path, sizeof(r->daemon.pid_path), "%s", h->state.pid_path);
}

int inherit_realm(struct realm *r, struct heir *h, struct settings **s, char *error, size_t size)
{
	char warning[512] = "";

	r->heir = h;
	if (!h->adopting) {
		take_daemon(r, h);
		*s = read_settings(r, h, error, size);
		if (!*s)
			return -1;
		limit_raise(*s, (*s)->listeners_count, warning, sizeof(warning));
	}
	if (estate_restore_listeners(&r->listeners, &h->state)) {
		snprintf(error, size, "no memory for the listeners");
		return -1;
	}
	if (open_board(r, h, *s, error, size))
		return -1;
	r->gen = open_generation(r, h, *s, error, size);
	if (!r->gen)
		return -1;
	*s = NULL;
	generation_use_log(r->gen);
	if (*warning)
		errlog(ERRLOG_WARN, "%s", warning);
	if (h->restoring)
		estate_release_listeners(&r->listeners, &h->state);
	if (estate_restore_generations(r, &h->state)) {
		snprintf(error, size, "no memory for the generations");
		return -1;
	}
	if (rows_assign(&r->board, r->gen, error, size))
		return -1;
	/* The workers of before serve meanwhile, and the board knows most of them. */
	resolve_logged(r->gen->settings, &r->board, RESOLVE_RELOAD_MS);
	return 0;
}

/* Children. */

static bool is_ours(pid_t pid)
{
	siginfo_t info;

	return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

/* The other program has buried them. How they ended is not known any more. */
void inherit_mourn(const struct heir *h, struct slots *s, uint64_t now_us)
{
	for (uint32_t i = 0; i < h->state.children_count; i++) {
		const struct state_child *c = &h->state.children[i];

		if (c->standby > 0 && !is_ours(c->standby))
			slots_died(s, c->standby, 0, now_us);
		if (!is_ours(c->pid))
			slots_died(s, c->pid, 0, now_us);
	}
}

static bool is_known(struct slots *s, pid_t pid)
{
	for (uint32_t i = 0; i < slots_children(s); i++) {
		const struct child *c = slots_child(s, i);

		if (child_lives(c) && (c->pid == pid || c->standby == pid || c->predecessor == pid))
			return true;
	}
	return false;
}

static unsigned end_unknown(struct slots *s)
{
	char path[64];
	unsigned ended = 0;
	long pid;

	snprintf(path, sizeof(path), "/proc/self/task/%ld/children", (long)getpid());
	FILE *in = fopen(path, "re");

	while (in && fscanf(in, "%ld", &pid) == 1) {
		if (is_known(s, (pid_t)pid))
			continue;
		kill((pid_t)pid, SIGKILL);
		ended++;
	}
	if (in)
		fclose(in);
	return ended;
}

/* A worker may clone a standby while it is ended, hence the rounds. They are buried as others are.
 */
void inherit_end_strangers(struct slots *s)
{
	for (int round = 0; round < 3 && end_unknown(s); round++)
		;
}

/* The end of it. */

static void close_inherited(struct heir *h)
{
	if (h->state.program_fd >= 0)
		close(h->state.program_fd);
	if (h->state.board_fd >= 0)
		close(h->state.board_fd);
	if (!h->restoring && !h->adopting) { /* else they are the generation's */
		for (uint32_t i = 0; i < h->state.log_fds_count; i++)
			close(h->state.log_fds[i]);
		if (h->state.error_fd >= 0)
			close(h->state.error_fd);
	}
	if (h->state_fd >= 0)
		close(h->state_fd);
}

/* They live as long as their workers. */
static void release_foreign(struct generation *g)
{
	for (struct generation *next; g; g = next) {
		next = g->next;
		if (g->foreign)
			generation_release(g);
	}
}

void inherit_settle(struct realm *r)
{
	char path[PATH_MAX];

	if (!r->heir->restoring && !r->heir->adopting)
		wayback_close();
	snprintf(path, sizeof(path), "%s/%s", r->options->rundir, BOARD_FILE);
	if (r->heir->new_board && board_place(path))
		errlog(ERRLOG_ERROR, "the new board cannot be put in its place %s: %s", path,
		       strerror(errno));
	if (!r->heir->restoring)
		estate_release_listeners(&r->listeners, &r->heir->state);
	release_foreign(r->generations);
	inherit_close(r->heir);
	r->heir = NULL;
}

void inherit_forget(const struct heir *h)
{
	struct heir copy = *h;

	if (h->test_workers_fail)
		_exit(1);
	close_inherited(&copy);
}

void inherit_close(struct heir *h)
{
	close_inherited(h);
	state_free(&h->state);
	h->state_fd = -1;
}
