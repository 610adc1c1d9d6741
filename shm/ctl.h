/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What droverctl's commands share: the options, the board that is looked at, and how a command says
 * that it cannot go on. Each command is a function of struct ctl that returns the exit status.
 */
#ifndef DROVER_SHM_CTL_H
#define DROVER_SHM_CTL_H

#include <stdbool.h>
#include <stdint.h>

#include "shm/json.h"
#include "shm/print.h"
#include "shm/reader.h"
#include "shm/view.h"

enum ctl_exit {
	CTL_OK = 0,
	CTL_WRONG = 1,   /* something is wrong with the daemon, or what was asked of it failed */
	CTL_USAGE = 2,   /* no board, no master, or a wrong command line: nothing was done */
	CTL_TIMEOUT = 3, /* it was asked, and did not finish in time */
	CTL_CRITICAL = 4 /* doctor alone: worse than CTL_WRONG, clients suffer */
};

struct ctl {
	const char *command; /* NULL until it is known */
	char **args;         /* what stands behind the command */
	int args_count;
	const char *board; /* file or run directory */
	bool board_given;  /* not the default */

	bool json;         /* -j */
	bool raw;          /* -H: tabs, no titles, plain numbers */
	bool all;          /* -a */
	bool list;         /* -l */
	bool mdoc;         /* --mdoc */
	bool now;          /* --now */
	bool verbose;      /* -v */
	bool filter;       /* --filter */
	bool dry_run;      /* --dry-run */
	bool openmetrics;  /* -o */
	double interval_s; /* -i; 0 = not given */
	uint64_t limit;    /* -n; 0 = not given */
	const char *sort;  /* -s */
	double timeout_s;  /* -t; 0 = not given */
	bool once;         /* -1 */

	struct reader *reader;
	struct view view;
};

/* Opens the board and looks at it. Returns CTL_OK, or CTL_USAGE once it has said why not. */
int ctl_open(struct ctl *c);
/* Looks again; opens anew if the daemon has made another board since (*fresh_out then, if not
 * NULL). */
int ctl_look(struct ctl *c, bool *fresh_out);
void ctl_close(struct ctl *c);

/* Says on stderr (and with -j on stdout as well) what is wrong. Returns status. */
int ctl_fail(const struct ctl *c, int status, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Begins the object that every command's JSON is. */
void ctl_json(const struct ctl *c, struct json *j);
/* NAME_age_ms and NAME_unix_ms of a time; both null if it is 0 (never). */
void ctl_json_time(const struct ctl *c, struct json *j, const char *name, uint64_t us);

/* "2s", "1.5", "500ms", "10m", "1h" as microseconds; "4k", "1m" as bytes. False if it is none. */
bool ctl_parse_duration(const char *text, uint64_t *us_out);
bool ctl_parse_size(const char *text, uint64_t *bytes_out);

/* The worker's state as printed: "ready", "dead", "ready(hung)", "draining(torn)". */
const char *ctl_worker_state(const struct view_worker *w, char out[PRINT_SHORT]);

/*
 * Goes over rows that have a name (listener, server, upstream, peer: "UPSTREAM/ADDRESS"), each with
 *its traffic added up over all workers: struct ctl_named n; for (int ok = ctl_named_first(&n, c,
 *"server", "name"); ok; ok = ctl_named_next(&n)) ... and ctl_named_free(). Rows that are no longer
 *in use are left out unless -a is given.
 */
struct ctl_named {
	const struct ctl *c;
	const struct board_table *table, *traffic; /* either may be NULL: the board has none */
	const char *key;
	char name[192];
	struct reader_row row;
	uint32_t next;  /* row->index is that of the present one */
	uint64_t *sums; /* of traffic's fields */
	char *bytes;
};

bool ctl_named_first(struct ctl_named *n, const struct ctl *c, const char *table, const char *key);
bool ctl_named_next(struct ctl_named *n);
void ctl_named_free(struct ctl_named *n);
uint64_t ctl_named_sum(const struct ctl_named *n, const char *field);
/* Adds up a histogram of the traffic. */
void ctl_named_hist(const struct ctl_named *n, const char *field, uint64_t sum[HIST_BUCKETS]);

/* Everything that `stat` knows, under the names by which it is asked for. */
struct ctl_item {
	char *name; /* of a histogram: what stands before .p50 */
	const struct board_field *field;
	uint64_t value;
	char *text;     /* TEXT and ENUM */
	uint64_t *hist; /* HIST */
};

struct ctl_items {
	struct ctl_item *all;
	size_t count, room;
};

/* Returns 0, or -1 with errno = ENOMEM; free them in either case. */
int ctl_items_collect(const struct ctl *c, struct ctl_items *items);
void ctl_items_free(struct ctl_items *items);

/* The figures that a histogram is printed as: .p50, .p90, .p99, .p999 and .count. */
enum {
	CTL_HIST_FIGURES = 5
};
const char *ctl_hist_name(unsigned i);
uint64_t ctl_hist_figure(const uint64_t hist[HIST_BUCKETS], unsigned i);

/*
 * The commands. Those that only read return CTL_OK unless said otherwise.
 */
int ctl_status(struct ctl *c); /* CTL_WRONG if anything is */
int ctl_stat(struct ctl *c);
int ctl_conns(struct ctl *c);
int ctl_kill(struct ctl *c); /* CTL_WRONG if one could not be ended */
int ctl_workers(struct ctl *c);
int ctl_listeners(struct ctl *c);
int ctl_servers(struct ctl *c);
int ctl_upstreams(struct ctl *c);
int ctl_peer(struct ctl *c);   /* CTL_TIMEOUT if no worker answered */
int ctl_doctor(struct ctl *c); /* CTL_WRONG after a warning, CTL_CRITICAL after worse */
int ctl_metrics(struct ctl *c);
int ctl_reload(struct ctl *c);
int ctl_reopen(struct ctl *c);
int ctl_rebalance(struct ctl *c);
int ctl_stop(struct ctl *c);
int ctl_upgrade(struct ctl *c);

/* stat -l: the fields of the board, or those of this program if there is no board or with --mdoc.
 */
int ctl_fields(struct ctl *c);
const char *ctl_kind_name(unsigned kind); /* "counter" */

int ctl_top(struct ctl *c);

#endif
