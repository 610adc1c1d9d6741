/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * droverctl: options and the table of commands. What a command does is in shm/ctl_*.c; it reads the
 * board alone, so that it works whatever state the daemon is in.
 */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "shm/ctl.h"
#include "shm/ctl_conn.h"
#include "shm/ctl_top.h"
#include "shm/order.h"
#include "shm/rundir.h"
#include "shm/suggest.h"

#define DIM(a) (sizeof(a) / sizeof((a)[0]))

/* Long options without a letter of their own; in struct command they stand as these. */
enum {
	OPT_BOARD = 1,
	OPT_MDOC = 'M',
	OPT_NOW = 'N',
	OPT_FILTER = 'F',
	OPT_DRY_RUN = 'D'
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
    {"verbose", no_argument, NULL, 'v'},
    {"filter", no_argument, NULL, OPT_FILTER},
    {"dry-run", no_argument, NULL, OPT_DRY_RUN},
    {"openmetrics", no_argument, NULL, 'o'},
    {"interval", required_argument, NULL, 'i'},
    {"count", required_argument, NULL, 'n'},
    {"sort", required_argument, NULL, 's'},
    {"timeout", required_argument, NULL, 't'},
    {"once", no_argument, NULL, '1'},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, 'V'},
    {NULL, 0, NULL, 0},
};

static int ctl_words(struct ctl *c);

static const struct command {
	const char *name;
	int (*run)(struct ctl *c);
	const char *options; /* that it takes beside -r, --board, -j and -H */
	bool args;           /* takes arguments */
	const char *usage;
	const char *help; /* "": not in the list that help prints */
} commands[] = {
    {"status", ctl_status, "", false, "", "one screen: is all well? (exit status 1 if not)"},
    {"stat", ctl_stat, "alinM", true, "[-al] [-i SECONDS [-n COUNT]] [NAME ...]",
     "counters and gauges, rates with -i, a list of all with -l"},
    {"top", ctl_top, "1ains", true, "[-1a] [-i SECONDS] [-n COUNT] [-s COLUMN] [VIEW]",
     "live: workers, rates, latency, slowest requests (-1: once, as text)"},
    {"conns", ctl_conns, "ns", true, "[-n COUNT] [-s COLUMN] [FILTER ...]",
     "connections, as in: conns state=head 'age>60s' peer=192.0.2.0/24"},
    {"kill", ctl_kill, "vFDnst", true,
     "[-v] [--dry-run] [-t SECONDS] CONN ... | --filter [-n COUNT] [-s COLUMN] FILTER ...",
     "end connections by number, or those that a filter finds"},
    {"workers", ctl_workers, "a", false, "[-a]", "worker processes (-a: also those that are gone)"},
    {"listeners", ctl_listeners, "a", false, "[-a]", "listening addresses and their queues"},
    {"servers", ctl_servers, "a", false, "[-a]", "what each server section did"},
    {"upstreams", ctl_upstreams, "a", false, "[-a]",
     "peers of each upstream: how they are, what they did"},
    {"peer", ctl_peer, "t", true, "[-t SECONDS] UPSTREAM PEER [drain | down | up | weight N]",
     "one peer: look at it, or change it without a reload (weight default: as configured)"},
    {"doctor", ctl_doctor, "ai", true, "[-a] [-i SECONDS] [upstream=ADDRESS:PORT ...]",
     "what is wrong, what it means, what to do (exit status 1: warnings, 4: critical)"},
    {"metrics", ctl_metrics, "o", false, "[-o]", "all figures for Prometheus (-o: OpenMetrics)"},
    {"reload", ctl_reload, "t", false, "[-t SECONDS]", "read the configuration anew"},
    {"reopen", ctl_reopen, "t", false, "[-t SECONDS]", "reopen the log files"},
    {"rebalance", ctl_rebalance, "t", false, "[-t SECONDS]",
     "spread idle connections evenly over the workers"},
    {"upgrade", ctl_upgrade, "t", false, "[-t SECONDS]",
     "execute the program's file anew, in the same process"},
    {"stop", ctl_stop, "tN", false, "[--now] [-t SECONDS]", "drain and stop, or stop at once"},
    {"words", ctl_words, "", false, "", ""},
};

enum {
	COMMANDS = DIM(commands)
};

static void print_help(void)
{
	printf(
	    "usage: droverctl [-r RUNDIR | --board FILE] [-j] [-H] COMMAND [OPTION ...] [ARGUMENT "
	    "...]\n\n");
	for (size_t i = 0; i < DIM(commands); i++)
		if (commands[i].help[0] != '\0')
			printf("  %s%s%s\n      %s\n", commands[i].name,
			       commands[i].usage[0] ? " " : "", commands[i].usage,
			       commands[i].help);
	printf(
	    "\n"
	    "  -r RUNDIR     the daemon's run directory\n"
	    "  --board FILE  a board, such as the one that a dead daemon left behind\n"
	    "  -j            JSON\n"
	    "  -H            for scripts: tabs, no titles, plain numbers\n"
	    "  -V, --version\n"
	    "\n"
	    "exit status: 0 well, 1 something is wrong, 2 no daemon or wrong usage, 3 time-out,\n"
	    "             4 critical (doctor)\n");
}

static void print_help_of(const struct command *command)
{
	printf("usage: droverctl [-r RUNDIR | --board FILE] [-j] [-H] %s%s%s\n\n  %s\n\n"
	       "'droverctl help' lists all commands; droverctl(8) has the whole story\n",
	       command->name, command->usage[0] ? " " : "", command->usage, command->help);
}

/* What is wrong with the command line, with -j as JSON, too. */
__attribute__((format(printf, 2, 3))) static int usage(const struct ctl *c, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	ctl_fail(c, CTL_USAGE, "%s", text);
	fprintf(stderr, "droverctl: see 'droverctl help'\n");
	return CTL_USAGE;
}

static const char *option_name(int letter)
{
	for (size_t i = 0; long_options[i].name != NULL; i++)
		if (long_options[i].val == letter)
			return long_options[i].name;
	return "?";
}

static void put_word(const struct ctl *c, struct json *j, const char *kind, const char *of,
		     const char *word, const char *help)
{
	if (!c->json) {
		printf("%s\t%s\t%s\t%s\n", kind, of, word, help);
		return;
	}
	json_object(j, NULL);
	json_text(j, "kind", kind);
	json_text(j, "of", of);
	json_text(j, "word", word);
	json_text(j, "help", help);
	json_end(j);
}

static void put_options(const struct ctl *c, struct json *j, const char *name, const char *letters)
{
	static const char no_letters[] = {OPT_MDOC, OPT_NOW, OPT_FILTER, OPT_DRY_RUN, '\0'};
	char word[32];

	for (size_t i = 0; long_options[i].name != NULL; i++) {
		const struct option *o = &long_options[i];
		const char *value = o->has_arg == required_argument ? "=" : "";

		if (strchr(letters, o->val) == NULL)
			continue;
		if (o->val > ' ' && strchr(no_letters, o->val) == NULL) {
			snprintf(word, sizeof(word), "-%c%s", o->val, value);
			put_word(c, j, "option", name, word, o->name);
		}
		snprintf(word, sizeof(word), "--%s%s", o->name, value);
		put_word(c, j, "option", name, word, o->name);
	}
}

/*
 * Not in the list of commands: what there is to complete, from the tables that also parse it. A
 * line is KIND, OF, WORD, HELP: command, option (OF a command, or of all; "=" if it takes a value),
 * argument (OF a command: what its usage says), column and state (of conns), view (of top), order
 * (of peer).
 */
static int ctl_words(struct ctl *c)
{
	static const char all[] = {'r', OPT_BOARD, 'j', 'H', 'h', 'V', '\0'};
	struct json j;
	const char *column;

	if (c->json) {
		ctl_json(c, &j);
		json_array(&j, "words");
	}
	put_options(c, &j, "", all);
	for (size_t i = 0; i < COMMANDS; i++) {
		const struct command *command = &commands[i];

		if (command->help[0] == '\0')
			continue;
		put_word(c, &j, "command", "", command->name, command->help);
		put_options(c, &j, command->name, command->options);
		if (command->args)
			put_word(c, &j, "argument", command->name, command->usage, "");
	}
	for (size_t i = 0; (column = ctl_filter_column(i)) != NULL; i++)
		put_word(c, &j, "column", "conns", column, "");
	for (unsigned i = CONN_FREE + 1; i < CONN_STATES_COUNT; i++)
		put_word(c, &j, "state", "conns", conn_state_name(i), "");
	for (int i = 0; i < TOP_VIEWS; i++)
		put_word(c, &j, "view", "top", top_view_name((enum top_view)i), "");
	for (unsigned i = ORDER_UP; i <= ORDER_WEIGHT; i++)
		put_word(c, &j, "order", "peer", order_name((enum order_kind)i), "");
	if (c->json)
		json_finish(&j);
	return CTL_OK;
}

/* NULL once it has said that there is none. */
static const struct command *find_command(const struct ctl *c, const char *name)
{
	const char *names[DIM(commands)], *near;

	for (size_t i = 0; i < DIM(commands); i++) {
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
		names[i] = commands[i].name;
	}
	near = suggest_nearest(name, names, DIM(names));
	if (near != NULL)
		usage(c, "no command '%s': did you mean '%s'?", name, near);
	else
		usage(c, "no command '%s'", name);
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
	case 'v':
		c->verbose = true;
		return true;
	case OPT_FILTER:
		c->filter = true;
		return true;
	case OPT_DRY_RUN:
		c->dry_run = true;
		return true;
	case 'o':
		c->openmetrics = true;
		return true;
	case OPT_NOW:
		c->now = true;
		return true;
	case '1':
		c->once = true;
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

/*
 * Options may stand before and after the command: getopt moves them to the front. All are read
 * before the first mistake is told, since a -j may follow it.
 */
static int parse_options(struct ctl *c, int argc, char **argv, char given[UCHAR_MAX + 1])
{
	char wrong[256] = "";
	int letter, index = -1, at = 1;

	opterr = 0;
	for (;
	     (letter = getopt_long(argc, argv, ":r:jHalvi:n:os:t:hV1", long_options, &index)) != -1;
	     at = optind) {
		if (letter == '?' || letter == ':') {
			if (wrong[0] == '\0')
				snprintf(wrong, sizeof(wrong), "%s '%.200s'",
					 letter == ':' ? "no value behind" : "no such option:",
					 argv[at < optind ? optind - 1 : at]);
			continue;
		}
		given[letter] = 1;
		if (letter != 'h' && letter != 'V' && !take_option(c, letter, optarg) &&
		    wrong[0] == '\0')
			snprintf(wrong, sizeof(wrong), "'%.200s' is no value for this option: --%s",
				 optarg, option_name(letter));
	}
	return wrong[0] == '\0' ? CTL_OK : usage(c, "%s", wrong);
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
		return usage(c, "'%s' takes no option --%s", command->name, long_options[i].name);
	}
	if (c->args_count > 0 && !command->args)
		return usage(c, "'%s' takes no argument", command->name);
	if (given['r'] && given[OPT_BOARD])
		return usage(c, "-r and --board exclude each other");
	return CTL_OK;
}

/* A status, unless what was printed could not be written. */
static int written(int status)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return status;
	fprintf(stderr, "droverctl: standard output: %s\n", strerror(errno));
	return CTL_USAGE;
}

/* "help", "help COMMAND" and "COMMAND --help" */
static int help(const struct ctl *c, int argc, char **argv)
{
	const struct command *command;
	int at = optind;

	if (at < argc && strcmp(argv[at], "help") == 0)
		at++;
	if (at == argc) {
		print_help();
		return written(CTL_OK);
	}
	command = find_command(c, argv[at]);
	if (command == NULL)
		return CTL_USAGE;
	print_help_of(command);
	return written(CTL_OK);
}

static int run_command(struct ctl *c, const struct command *command)
{
	char rundir[PATH_MAX];
	int status;

	if (c->board == NULL) {
		if (rundir_default(rundir, sizeof(rundir)) != 0)
			return ctl_fail(c, CTL_USAGE, "run directory: %s", strerror(errno));
		c->board = rundir;
	}
	status = command->run(c);
	ctl_close(c);
	return written(status);
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
	if (given['h'] || (optind < argc && strcmp(argv[optind], "help") == 0))
		return help(&c, argc, argv);
	if (optind == argc)
		return usage(&c, "no command given");
	command = find_command(&c, argv[optind]);
	if (command == NULL)
		return CTL_USAGE;
	c.command = command->name;
	c.args = argv + optind + 1;
	c.args_count = argc - optind - 1;
	if (check_use(&c, command, given) != CTL_OK)
		return CTL_USAGE;
	return run_command(&c, command);
}
