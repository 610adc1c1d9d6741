/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What all commands of droverctl need: the board and its view, error messages, JSON's first
 * members, durations and sizes from the command line.
 */
#include "shm/ctl.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum {
	MESSAGE_MAX = 1024
};

int ctl_fail(const struct ctl *c, int status, const char *fmt, ...)
{
	char text[MESSAGE_MAX], safe[4 * MESSAGE_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	fprintf(stderr, "droverctl: %s\n", print_escape(text, strlen(text), safe, sizeof(safe)));
	if (c->json) {
		struct json j;

		ctl_json(c, &j);
		json_text(&j, "error", text);
		json_i64(&j, "exit", status);
		json_finish(&j);
	}
	return status;
}

/* What may help somebody who is told that the board cannot be opened. */
static const char *way_out(const struct ctl *c, int error)
{
	if (error == ENOENT && !c->board_given)
		return " (if drover runs, name its run directory with -r)";
	if (error == EACCES)
		return " (root may read it, and the user and group that drover was started as)";
	return "";
}

int ctl_open(struct ctl *c)
{
	char why[512];

	errno = 0;
	c->reader = reader_open(c->board, why, sizeof(why));
	if (c->reader == NULL)
		return ctl_fail(c, CTL_USAGE, "no board: %s%s", why, way_out(c, errno));
	if (view_load(&c->view, c->reader) != 0)
		return ctl_fail(c, CTL_USAGE, "%s", strerror(errno));
	return CTL_OK;
}

int ctl_look(struct ctl *c, bool *fresh_out)
{
	bool fresh = reader_stale(c->reader);

	if (fresh_out != NULL)
		*fresh_out = fresh;
	if (fresh) {
		ctl_close(c);
		return ctl_open(c);
	}
	if (view_load(&c->view, c->reader) != 0)
		return ctl_fail(c, CTL_USAGE, "%s", strerror(errno));
	return CTL_OK;
}

void ctl_close(struct ctl *c)
{
	view_free(&c->view);
	reader_close(c->reader);
	c->reader = NULL;
}

void ctl_json(const struct ctl *c, struct json *j)
{
	json_init(j, stdout);
	json_object(j, NULL);
	json_text(j, "schema", "drover/1");
	if (c->command != NULL)
		json_text(j, "command", c->command);
	else
		json_null(j, "command");
}

void ctl_json_time(const struct ctl *c, struct json *j, const char *name, uint64_t us)
{
	char key[80];

	snprintf(key, sizeof(key), "%s_age_ms", name);
	if (us == 0)
		json_null(j, key);
	else
		json_u64(j, key, view_age_us(&c->view, us) / 1000);
	snprintf(key, sizeof(key), "%s_unix_ms", name);
	if (us == 0)
		json_null(j, key);
	else
		json_u64(j, key, reader_unix_ms(c->reader, us));
}

struct unit {
	const char *name;
	double times;
};

/* A plain decimal number, no sign or exponent, and one of the units. */
static bool parse_scaled(const char *text, const struct unit *units, uint64_t *out)
{
	size_t digits = strspn(text, "0123456789.");
	char *end;
	double n = strtod(text, &end);

	if (digits == 0 || (size_t)(end - text) != digits)
		return false;
	for (; units->name != NULL; units++)
		if (strcmp(text + digits, units->name) == 0) {
			n *= units->times;
			if (!(n < 9e18))
				return false;
			*out = (uint64_t)(n + 0.5);
			return true;
		}
	return false;
}

bool ctl_parse_duration(const char *text, uint64_t *us_out)
{
	static const struct unit units[] = {
	    {"", 1e6},   {"s", 1e6},    {"us", 1},      {"ms", 1e3},
	    {"m", 60e6}, {"h", 3600e6}, {"d", 86400e6}, {NULL, 0},
	};

	return parse_scaled(text, units, us_out);
}

bool ctl_parse_size(const char *text, uint64_t *bytes_out)
{
	static const struct unit units[] = {
	    {"", 1},        {"k", 1024},        {"K", 1024},        {"m", 1048576},
	    {"M", 1048576}, {"g", 1073741824.}, {"G", 1073741824.}, {NULL, 0},
	};

	return parse_scaled(text, units, bytes_out);
}
