/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The command line of drover.
 */
#ifndef DROVER_MASTER_OPTIONS_H
#define DROVER_MASTER_OPTIONS_H

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>

#ifndef DROVER_VERSION
#define DROVER_VERSION "unversioned"
#endif
#ifndef DROVER_SYSCONFDIR
#define DROVER_SYSCONFDIR "/etc"
#endif

/* The configuration that is read when neither a file nor a folder is named. */
#define OPTIONS_CONFIG DROVER_SYSCONFDIR "/drover/drover.conf"

/* Does not move once it is filled: paths point into it. */
struct options {
	const char *config; /* absolute path of the configuration, or NULL if a folder is served
			       without one */
	const char *dir;    /* absolute path of that folder, or NULL */
	const char *listen; /* -l: where to serve it; NULL: the default */
	const char *rundir; /* absolute path */
	bool check;         /* -t */
	bool print;         /* -T */
	bool version;       /* -V */
	bool help;          /* -h */
	bool foreground;    /* -F, or a folder is served */
	char paths[3][PATH_MAX];
	char program[PATH_MAX]; /* absolute path that it was started as, which an upgrade executes;
				   "": it cannot be told */
};

enum {
	OPTIONS_ARGS = 9
};

/* The command line that starts the same again with all paths absolute, or checks it (-t). It points
 * into o. */
void options_args(const struct options *o, bool check, const char *argv[OPTIONS_ARGS]);

/* Returns 0, or -1 after saying on standard error what is wrong (exit status 2). */
int options_parse(struct options *o, int argc, char **argv);

void options_usage(FILE *out);

#endif
