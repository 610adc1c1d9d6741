/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * droverctl: options and the table of commands. What a command does is in shm/ctl_*.c; it reads the
 * board alone, so that it works whatever state the daemon is in.
 */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "shm/ctl.h"
#include "shm/rundir.h"
#include "shm/suggest.h"

#define DIM(a) (sizeof(a) / sizeof((a)[0]))

/* Long options without a letter of their own; in struct command they stand as these. */
enum {
	OPT_BOARD = 1,
	OPT_MDOC = 'M',
	OPT_NOW = 'N'
};

static const struct option long_options[] = {
    {"run-dir", required_argument, NULL, 'r'},
    {"board", required_argument, NULL, OPT_BOARD},
    {"json", no_argument, NULL, 'j'},
    {"raw", no_argument, NULL, 'H'},
    {"all", no_argument, NULL, 'a'},
    {"list", no_argument, NULL, 'l'},
    {"mdoc", no_argument, NULL, OPT_MDOC},
    {"now", no_argument, NULL, OPT_NOW},
    {"interval", required_argument, NULL, 'i'},
    {"count", required_argument, NULL, 'n'},
    {"sort", required_argument, NULL, 's'},
    {"timeout", required_argument, NULL, 't'},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, 'V'},
    {NULL, 0, NULL, 0},
};

static const struct command {
	const char *name;
	int (*run)(struct ctl *c);
	const char *options; /* that it takes beside -r, --board, -j and -H */
	bool args;           /* takes arguments */
	const char *usage;
	const char *help;
} commands[] = {
    {"status", ctl_status, "", false, "", "one screen: is all well? (exit status 1 if not)"},
    {"stat", ctl_stat, "alinM", true, "[-al] [-i SECONDS [-n COUNT]] [NAME ...]",
     "counters and gauges, rates with -i, a list of all with -l"},
    {"conns", ctl_conns, "ns", true, "[-n COUNT] [-s COLUMN] [FILTER ...]",
     "connections, as in: conns state=head 'age>60s' peer=192.0.2.0/24"},
    {"workers", ctl_workers, "a", false, "[-a]", "worker processes (-a: also those that are gone)"},
    {"listeners", ctl_listeners, "a", false, "[-a]", "listening addresses and their queues"},
    {"servers", ctl_servers, "a", false, "[-a]", "what each server section did"},
    {"upstreams", ctl_upstreams, "a", false, "[-a]",
     "peers of each upstream: how they are, what they did"},
    {"reload", ctl_reload, "t", false, "[-t SECONDS]", "read the configuration anew"},
    {"reopen", ctl_reopen, "t", false, "[-t SECONDS]", "reopen the log files"},
    {"rebalance", ctl_rebalance, "t", false, "[-t SECONDS]",
     "spread idle connections evenly over the workers"},
    {"upgrade", ctl_upgrade, "t", false, "[-t SECONDS]",
     "execute the program's file anew, in the same process"},
    {"stop", ctl_stop, "tN", false, "[--now] [-t SECONDS]", "drain and stop, or stop at once"},
};

static void print_help(void)
{
	printf(
	    "usage: droverctl [-r RUNDIR | --board FILE] [-j] [-H] COMMAND [OPTION ...] [ARGUMENT "
	    "...]\n\n");
	for (size_t i = 0; i < DIM(commands); i++)
		printf("  %s%s%s\n      %s\n", commands[i].name, commands[i].usage[0] ? " " : "",
		       commands[i].usage, commands[i].help);
	printf(
	    "\n"
	    "  -r RUNDIR     the daemon's run directory\n"
	    "  --board FILE  a board, such as the one that a dead daemon left behind\n"
	    "  -j            JSON\n"
	    "  -H            for scripts: tabs, no titles, plain numbers\n"
	    "  -V, --version\n"
	    "\n"
	    "exit status: 0 well, 1 something is wrong, 2 no daemon or wrong usage, 3 time-out\n");
}

static int usage(void)
{
	fprintf(stderr, "droverctl: see 'droverctl help'\n");
	return CTL_USAGE;
}

static const struct command *find_command(const char *name)
{
	const char *names[DIM(commands)], *near;

	for (size_t i = 0; i < DIM(commands); i++) {
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
		names[i] = commands[i].name;
	}
	near = suggest_nearest(name, names, DIM(names));
	if (near != NULL)
		fprintf(stderr, "droverctl: no command '%s': did you mean '%s'?\n", name, near);
	else
		fprintf(stderr, "droverctl: no command '%s'\n", name);
	return NULL;
}

static bool parse_seconds(const char *text, double *out)
{
	uint64_t us;

	if (!ctl_parse_duration(text, &us) || us == 0)
		return false;
	*out = (double)us / 1e6;
	return true;
}

static bool parse_count(const char *text, uint64_t *out)
{
	char *end;

	errno = 0;
	*out = strtoull(text, &end, 10);
	return text[0] >= '0' && text[0] <= '9' && *end == '\0' && errno == 0 && *out != 0;
}

/* Stores one option; false if its value is wrong. */
static bool take_option(struct ctl *c, int letter, const char *value)
{
	switch (letter) {
	case 'j':
		c->json = true;
		return true;
	case 'H':
		c->raw = true;
		return true;
	case 'a':
		c->all = true;
		return true;
	case 'l':
		c->list = true;
		return true;
	case OPT_MDOC:
		c->mdoc = true;
		return true;
	case OPT_NOW:
		c->now = true;
		return true;
	case 's':
		c->sort = value;
		return true;
	case 'n':
		return parse_count(value, &c->limit);
	case 'i':
		return parse_seconds(value, &c->interval_s);
	case 't':
		return parse_seconds(value, &c->timeout_s);
	default: /* -r, --board */
		c->board = value;
		c->board_given = true;
		return true;
	}
}

/* Options may stand before and after the command: getopt moves them to the front. */
static int parse_options(struct ctl *c, int argc, char **argv, char given[UCHAR_MAX + 1])
{
	int letter;

	while ((letter = getopt_long(argc, argv, "r:jHali:n:s:t:hV", long_options, NULL)) != -1) {
		if (letter == '?')
			return usage();
		given[letter] = 1;
		if (letter == 'h' || letter == 'V')
			continue;
		if (!take_option(c, letter, optarg)) {
			fprintf(stderr, "droverctl: '%s' is no value for this option\n", optarg);
			return usage();
		}
	}
	return CTL_OK;
}

/* An option that the command would ignore is a mistake that is better told. */
static int check_use(const struct ctl *c, const struct command *command,
		     const char given[UCHAR_MAX + 1])
{
	for (size_t i = 0; long_options[i].name != NULL; i++) {
		int letter = long_options[i].val;

		if (!given[letter] || letter == OPT_BOARD || strchr("rjHhV", letter) != NULL ||
		    strchr(command->options, letter) != NULL)
			continue;
		fprintf(stderr, "droverctl: '%s' takes no option --%s\n", command->name,
			long_options[i].name);
		return usage();
	}
	if (c->args_count > 0 && !command->args) {
		fprintf(stderr, "droverctl: '%s' takes no argument\n", command->name);
		return usage();
	}
	if (given['r'] && given[OPT_BOARD]) {
		fprintf(stderr, "droverctl: -r and --board exclude each other\n");
		return usage();
	}
	return CTL_OK;
}

static int run_command(struct ctl *c, const struct command *command)
{
	char rundir[PATH_MAX];
	int status;

	if (c->board == NULL) {
		if (rundir_default(rundir, sizeof(rundir)) != 0) {
			fprintf(stderr, "droverctl: run directory: %s\n", strerror(errno));
			return CTL_USAGE;
		}
		c->board = rundir;
	}
	c->command = command->name;
	status = command->run(c);
	ctl_close(c);
	if (fflush(stdout) != 0 || ferror(stdout)) {
		fprintf(stderr, "droverctl: standard output: %s\n", strerror(errno));
		return CTL_USAGE;
	}
	return status;
}

int main(int argc, char **argv)
{
	const struct command *command;
	char given[UCHAR_MAX + 1] = {0};
	struct ctl c = {0};

	if (parse_options(&c, argc, argv, given) != CTL_OK)
		return CTL_USAGE;
	if (given['V']) {
		printf("droverctl " DROVER_VERSION "\n");
		return CTL_OK;
	}
	if (given['h'] || (optind < argc && strcmp(argv[optind], "help") == 0)) {
		print_help();
		return CTL_OK;
	}
	if (optind == argc)
		return usage();
	command = find_command(argv[optind]);
	if (command == NULL)
		return usage();
	c.args = argv + optind + 1;
	c.args_count = argc - optind - 1;
	if (check_use(&c, command, given) != CTL_OK)
		return CTL_USAGE;
	return run_command(&c, command);
}
