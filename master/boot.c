/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The order of starting: configuration, run directory, pid file, limit of descriptors, background,
 * listeners, logs, board, and then the master's loop. What fails is said on standard error, also
 * for a daemon whose parent waits for it. Called by main.c.
 */
#include "master/boot.h"

#include <err.h>
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "master/adopt.h"
#include "master/conf.h"
#include "master/inherit.h"
#include "master/limit.h"
#include "master/load.h"
#include "master/notify.h"
#include "master/options.h"
#include "master/realm.h"
#include "master/resolve.h"
#include "master/rows.h"
#include "master/supervise.h"
#include "master/wayback.h"
#include "shm/carry.h"
#include "worker/errlog.h"

static struct settings *read_settings(const struct options *o)
{
	struct conf_messages m = {0};
	struct settings *s = load_settings(o, &m);

	if (s)
		resolve_said(s, &m);
	conf_messages_print(&m, stderr);
	conf_messages_free(&m);
	return s;
}

int boot_check(const struct options *o)
{
	struct settings *s = read_settings(o);

	if (!s)
		return 1;
	if (o->print)
		conf_print(s, stdout);
	else
		printf("%s: the configuration is good\n", o->dir ? o->dir : o->config);
	settings_free(s);
	if (inherit_asked() && inherit_check())
		return 1;
	return fflush(stdout) ? 1 : 0;
}

/* What can be said before there is a log. */
static void warn_early(const struct options *o, const struct settings *s)
{
	if (!o->foreground && (!strcmp(s->error_log, "stderr") || !strcmp(s->error_log, "stdout")))
		warnx(
		    "warning: error_log is %s, which leads nowhere in the background: name a file",
		    s->error_log);
	if (s->user && geteuid() != 0 && s->uid != geteuid())
		warnx("warning: user '%s' is not changed to, since drover was not started by root",
		      s->user);
}

static int take_inherited(struct listen_set *set)
{
	int refused = listen_inherit(set);

	if (refused > 0)
		warnx("warning: %d inherited descriptors are no listening stream sockets and were "
		      "closed",
		      refused);
	return refused < 0 ? -1 : 0;
}

static int open_board(struct realm *r, char *error, size_t size)
{
	struct board_sizes sizes = rows_sizes(r->gen->settings);
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", r->options->rundir, BOARD_FILE);
	if (board_create(&r->board, path, &sizes)) {
		r->board.base = NULL;
		snprintf(error, size, "cannot make the board in %s: %s", r->options->rundir,
			 strerror(errno));
		return -1;
	}
	return rows_assign(&r->board, r->gen, error, size);
}

static void tell_unclaimed(struct realm *r)
{
	unsigned unclaimed = listen_unclaimed(&r->listeners);

	if (unclaimed)
		errlog(ERRLOG_WARN,
		       "%u inherited sockets are in no listen of the configuration and were closed",
		       unclaimed);
}

static bool find_orphans(const struct realm *r, struct heir *h)
{
	struct state state;
	int found;

	errlog_open(STDERR_FILENO, ERRLOG_NOTICE, -1); /* until there is a log */
	found = adopt_find(&state, r->options->rundir, r->daemon.lock_fd);
	if (found <= 0) {
		state_free(&state);
		return false;
	}
	inherit_orphans(h, &state);
	return true;
}

static int open_generation(struct realm *r, struct heir *h, struct settings **s, char *error,
			   size_t size)
{
	char warning[512] = "";
	if (limit_raise(*s, (*s)->listeners_count, warning, sizeof(warning)) &&
	    (!r->options->foreground || strcmp((*s)->error_log, "stderr")))
		warnx("warning: %s", warning); /* else the log says it in the same place */
	if (!r->options->foreground && daemon_fork(&r->daemon)) {
		snprintf(error, size, "cannot go into the background: %s", strerror(errno));
		return -1;
	}
	/* Those whom a master has left behind serve, and have the sockets. */
	if (find_orphans(r, h)) {
		if (inherit_realm(r, h, s, error, size))
			return -1;
	} else {
		r->gen = generation_open(&r->generations, *s, 1, (*s)->workers, &r->listeners,
					 error, size);
		if (!r->gen)
			return -1;
		*s = NULL; /* the generation's from here on */
	}
	generation_use_log(r->gen);
	if (*warning)
		errlog(ERRLOG_WARN, "%s", warning);
	if (r->heir)
		errlog(ERRLOG_NOTICE,
		       "found %u workers of a master that died: taking over from them",
		       h->state.children_count);
	tell_unclaimed(r);
	return 0;
}

static int lock(struct daemon *d, const struct options *o, const struct settings *s, char *error,
		size_t size)
{
	const struct conf_pos *pos = &s->pid_file_pos;
	char place[PATH_MAX + 16] = "";

	if (pos->line > 0)
		snprintf(place, sizeof(place), "%s:%d: ", pos->file, pos->line);
	return daemon_lock(d, o->rundir, s->pid_file, place, error, size);
}

static int prepare(struct realm *r, struct heir *h, struct settings **s, char *error, size_t size)
{
	if (daemon_make_rundir(r->options->rundir, error, size))
		return -1;
	if (lock(&r->daemon, r->options, *s, error, size))
		return -1;
	if (take_inherited(&r->listeners)) {
		snprintf(error, size, "LISTEN_FDS makes no sense");
		return -1;
	}
	if (open_generation(r, h, s, error, size))
		return -1;
	if (daemon_write_pid(&r->daemon, error, size))
		return -1;
	return r->heir ? 0 : open_board(r, error, size);
}

static void give_back(struct realm *r)
{
	while (r->generations) {
		r->generations->users = 1;
		generation_retire(r->generations, &r->listeners);
		generation_release(r->generations);
	}
	/* What it was to inherit is still with those who have it: no file is removed. */
	while (r->listeners.first) {
		r->listeners.first->users = 1;
		r->listeners.first->ino = 0;
		listen_put(&r->listeners, r->listeners.first);
	}
	if (r->heir)
		inherit_close(r->heir);
	listen_unclaimed(&r->listeners);
	carry_close(r->carry);
	if (r->board.base)
		board_unmap(&r->board);
	daemon_close(&r->daemon);
}

/* Goes on where another program in this process left off, or hands back to it. */
static int serve_on(const struct options *o)
{
	struct realm r = {.options = o, .daemon = DAEMON_NONE};
	struct heir heir;
	struct settings *s = NULL;
	char error[1024];
	int status = 1;

	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	if (inherit_open(&heir, o, error, sizeof(error)))
		goto fail;
	notify_open();
	if (inherit_realm(&r, &heir, &s, error, sizeof(error)))
		goto fail;
	status = supervise(&r);
	give_back(&r);
	return status;
fail:
	wayback_take(error);
	errlog(ERRLOG_ALERT, "cannot go on: %s", error);
	warnx("cannot go on: %s", error);
	return 1;
}

int boot_serve(const struct options *o)
{
	if (inherit_asked())
		return serve_on(o);
	struct realm r = {.options = o, .daemon = DAEMON_NONE};
	struct settings *s = read_settings(o);
	struct heir heir;
	char error[1024];
	int status = 1;

	if (!s)
		return 1;
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN); /* a log at its size limit is an error to be read */
	notify_open();
	warn_early(o, s);
	if (prepare(&r, &heir, &s, error, sizeof(error)))
		daemon_report(&r.daemon, 1, error);
	else
		status = supervise(&r);
	give_back(&r);
	settings_free(s);
	return status;
}
