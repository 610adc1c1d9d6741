/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reads the command line. Paths are made absolute here, once, since the daemon leaves the working
 * directory and a reload must find the same file again. Called by main.c.
 */
#include "master/options.h"

#include <err.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shm/rundir.h"

void options_usage(FILE *out)
{
	fputs("usage: drover [-FhTtV] [-c FILE] [-r RUNDIR]\n"
	      "       drover [-hTtV] [-l ADDRESS:PORT] [-r RUNDIR] DIR\n"
	      "  -c FILE           configuration (default " OPTIONS_CONFIG ")\n"
	      "  -F                stay in the foreground\n"
	      "  -h                this help\n"
	      "  -l ADDRESS:PORT   where to serve DIR (default 127.0.0.1:8080)\n"
	      "  -r RUNDIR         folder of the board and the pid file\n"
	      "  -t                check the configuration and exit\n"
	      "  -T                the same, and print it in full\n"
	      "  -V                print the version\n"
	      "  DIR               serve this folder, without a configuration, in the foreground\n",
	      out);
}

/* The path as seen from "/", in a buffer; it need not exist. */
static const char *absolute(const char *path, char out[PATH_MAX])
{
	char cwd[PATH_MAX];
	int len;

	if (path[0] == '/')
		return path;
	if (!getcwd(cwd, sizeof(cwd)))
		err(1, "cannot tell the working directory, which '%s' is relative to", path);
	len = snprintf(out, PATH_MAX, "%s/%s", cwd, path);
	if (len < 0 || len >= PATH_MAX)
		errx(1, "the path of '%s' is too long", path);
	return out;
}

static int __attribute__((format(printf, 1, 2))) misuse(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vwarnx(fmt, ap);
	va_end(ap);
	options_usage(stderr);
	return -1;
}

/* What is asked of a program before its manual is read. */
static const struct option long_options[] = {
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, 'V'},
    {NULL, 0, NULL, 0},
};

static int read_flags(struct options *o, int argc, char **argv)
{
	int c;

	opterr = 0;
	while ((c = getopt_long(argc, argv, "+:c:Fhl:r:tTV", long_options, NULL)) != -1) {
		switch (c) {
		case 'c':
			o->config = optarg;
			break;
		case 'F':
			o->foreground = true;
			break;
		case 'h':
			o->help = true;
			break;
		case 'l':
			o->listen = optarg;
			break;
		case 'r':
			o->rundir = optarg;
			break;
		case 't':
			o->check = true;
			break;
		case 'T':
			o->print = true;
			break;
		case 'V':
			o->version = true;
			break;
		case ':':
			return misuse("option -%c needs an argument", optopt);
		default:
			if (optopt == 0)
				return misuse("there is no option %s", argv[optind - 1]);
			return misuse("there is no option -%c", optopt);
		}
	}
	return 0;
}

/* What belongs together, and what is missing. */
static int settle(struct options *o, int argc, char **argv)
{
	if (optind < argc)
		o->dir = argv[optind++];
	if (optind < argc)
		return misuse("only one folder can be served this way, and '%s' is one more",
			      argv[optind]);
	if (o->dir && o->config)
		return misuse("either a configuration (-c) or a folder, not both");
	if (o->listen && !o->dir)
		return misuse("-l needs a folder to serve");
	if (o->dir) {
		o->dir = absolute(o->dir, o->paths[0]);
		o->foreground = true;
	} else {
		o->config = absolute(o->config ? o->config : OPTIONS_CONFIG, o->paths[0]);
	}
	if (!o->rundir && rundir_default(o->paths[1], sizeof(o->paths[1])))
		return misuse("the name of the run directory is too long");
	o->rundir = absolute(o->rundir ? o->rundir : o->paths[1], o->paths[2]);
	return 0;
}

void options_args(const struct options *o, bool check, const char *argv[OPTIONS_ARGS])
{
	int n = 0;

	argv[n++] = o->program;
	if (check)
		argv[n++] = "-t";
	else if (o->foreground && !o->dir)
		argv[n++] = "-F";
	argv[n++] = "-r";
	argv[n++] = o->rundir;
	if (o->listen) {
		argv[n++] = "-l";
		argv[n++] = o->listen;
	}
	if (o->config) {
		argv[n++] = "-c";
		argv[n++] = o->config;
	} else {
		argv[n++] = o->dir;
	}
	argv[n] = NULL;
}

/* A name without a slash was found by PATH. */
static void find_program(struct options *o, const char *name)
{
	const char *path = getenv("PATH");
	char *dirs = path ? strdup(path) : NULL, *rest = dirs, *dir;
	char try[PATH_MAX];

	while (dirs && (dir = strsep(&rest, ":"))) {
		snprintf(try, sizeof(try), "%s/%s", *dir ? dir : ".", name);
		if (access(try, X_OK))
			continue;
		const char *found = absolute(try, o->program);

		if (found != o->program)
			snprintf(o->program, sizeof(o->program), "%s", found);
		break;
	}
	free(dirs);
}

int options_parse(struct options *o, int argc, char **argv)
{
	*o = (struct options){0};
	if (argc > 0 && strchr(argv[0], '/')) {
		const char *path = absolute(argv[0], o->program);

		if (path != o->program)
			snprintf(o->program, sizeof(o->program), "%s", path);
	} else if (argc > 0) {
		find_program(o, argv[0]);
	}
	if (read_flags(o, argc, argv))
		return -1;
	if (o->help || o->version)
		return 0;
	return settle(o, argc, argv);
}
