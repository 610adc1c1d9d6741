/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * droverctl stat -l: every field with its kind, unit, level and help; and, from the same
 * descriptions, the manual page drover-counters(7). Needs no daemon: without a board it describes
 * the one that this version would make.
 */
#include "shm/ctl.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#define MDOC_DATE "November 21, 2026"

enum {
	MDOC_WIDTH = 78,
	WHOLE_WIDTH = 80 /* of text in sentences */
};

static const char *kind_name(unsigned kind)
{
	static const char *const names[] = {
	    [BOARD_COUNTER] = "counter", [BOARD_GAUGE] = "gauge", [BOARD_TIME] = "time",
	    [BOARD_ENUM] = "enum",       [BOARD_TEXT] = "text",   [BOARD_ADDR] = "address",
	    [BOARD_HIST] = "histogram",  [BOARD_ID] = "id",
	};

	return kind >= BOARD_COUNTER && kind <= BOARD_ID ? names[kind] : "unknown";
}

static const char *level_name(unsigned level)
{
	static const char *const names[] = {
	    [BOARD_BRIEF] = "brief", [BOARD_FULL] = "full", [BOARD_DEBUG] = "debug"};

	return level >= BOARD_BRIEF && level <= BOARD_DEBUG ? names[level] : "unknown";
}

static bool adds_up(const struct board_field *f)
{
	return f->kind == BOARD_COUNTER || f->kind == BOARD_GAUGE || f->kind == BOARD_HIST;
}

/* The name by which stat prints a field; a star stands for the row's own name. */
static void field_name(const struct board_table *t, const struct board_field *f, char *out,
		       size_t size)
{
	size_t length = strlen(t->name);
	const char *traffic = strstr(t->name, "_traffic");

	if (strcmp(t->name, "worker") == 0 && adds_up(f))
		snprintf(out, size, "%s", f->name);
	else if (traffic != NULL)
		snprintf(out, size, "%.*s.*.%s", (int)(traffic - t->name), t->name, f->name);
	else if (strcmp(t->name, "peer_address") == 0)
		snprintf(out, size, "peer.*.%s", f->name);
	else if (strcmp(t->name, "listener") == 0 || strcmp(t->name, "server") == 0 ||
		 strcmp(t->name, "upstream") == 0 || strcmp(t->name, "peer") == 0)
		snprintf(out, size, "%.*s.*.%s", (int)length, t->name, f->name);
	else
		snprintf(out, size, "%s.%s", t->name, f->name);
}

/* The star of a name stands for any row's; a histogram is called by its figures as well. */
static bool is_called(const char *arg, const struct board_field *f, const char *name)
{
	char figure[160];

	if (fnmatch(arg, name, 0) == 0 || fnmatch(name, arg, 0) == 0)
		return true;
	for (unsigned i = 0; f->kind == BOARD_HIST && i < CTL_HIST_FIGURES; i++) {
		snprintf(figure, sizeof(figure), "%s.%s", name, ctl_hist_name(i));
		if (fnmatch(arg, figure, 0) == 0)
			return true;
	}
	return false;
}

static bool listed(const struct ctl *c, const struct board_field *f, const char *name)
{
	for (int i = 0; i < c->args_count; i++)
		if (is_called(c->args[i], f, name))
			return true;
	return c->args_count == 0;
}

/* Goes over all fields: for (struct walk w = {.r = r}; walk_next(&w);) */
struct walk {
	const struct reader *r;
	size_t table;
	uint32_t field; /* of the next one */
	const struct board_table *t;
	const struct board_field *f;
	char name[128];
};

static bool walk_next(struct walk *w)
{
	for (; w->table < reader_tables(w->r); w->table++, w->field = 0) {
		w->t = reader_table_at(w->r, w->table);
		if (w->field >= w->t->fields)
			continue;
		w->f = reader_field_at(w->r, w->t, w->field++);
		field_name(w->t, w->f, w->name, sizeof(w->name));
		return true;
	}
	return false;
}

static int check_names(const struct ctl *c, const struct reader *r)
{
	for (int i = 0; i < c->args_count; i++) {
		struct walk w = {.r = r};
		bool found = false;

		while (!found && walk_next(&w))
			found = is_called(c->args[i], w.f, w.name);
		if (!found)
			return ctl_fail(c, CTL_USAGE,
					"nothing is called '%s': see 'droverctl stat -l'",
					c->args[i]);
	}
	return CTL_OK;
}

static void put_json(const struct walk *w, struct json *j)
{
	json_object(j, NULL);
	json_text(j, "name", w->name);
	json_text(j, "table", w->t->name);
	json_text(j, "kind", kind_name(w->f->kind));
	json_text(j, "unit", w->f->unit);
	json_text(j, "level", level_name(w->f->level));
	json_text(j, "help", w->f->help);
	json_text(j, "advice", w->f->advice);
	json_end(j);
}

static void put_row(const struct walk *w, struct print_table *out)
{
	print_cell(out, "%s", w->name);
	print_cell(out, "%s", kind_name(w->f->kind));
	print_cell(out, "%s", w->f->unit);
	print_cell(out, "%s", level_name(w->f->level));
	print_cell(out, "%s", w->f->help);
}

/* All that there is to say about a field: for fields that were asked for by name. */
static void put_whole(const struct walk *w, unsigned width)
{
	const char *unit = w->f->unit;
	char text[256];

	snprintf(text, sizeof(text), "%s (%s%s%s, %s)", w->name, kind_name(w->f->kind),
		 unit[0] != '\0' ? ", " : "", unit, level_name(w->f->level));
	print_wrapped(stdout, "", 0, width, text);
	snprintf(text, sizeof(text), "%s.", w->f->help);
	print_wrapped(stdout, "    ", 4, width, text);
	if (w->f->advice[0] == '\0')
		return;
	snprintf(text, sizeof(text), "%s.", w->f->advice);
	print_wrapped(stdout, "    ", 4, width, text);
}

static int list_whole(const struct ctl *c, const struct reader *r)
{
	unsigned width = print_width(stdout);

	for (struct walk w = {.r = r}; walk_next(&w);)
		if (listed(c, w.f, w.name))
			put_whole(&w, width == 0 || width > WHOLE_WIDTH ? WHOLE_WIDTH : width);
	return CTL_OK;
}

static int list_json(const struct ctl *c, const struct reader *r)
{
	struct json j;

	ctl_json(c, &j);
	json_array(&j, "fields");
	for (struct walk w = {.r = r}; walk_next(&w);)
		if (listed(c, w.f, w.name))
			put_json(&w, &j);
	json_finish(&j);
	return CTL_OK;
}

static int list(const struct ctl *c, const struct reader *r)
{
	static const char *const titles[] = {"NAME", "KIND", "UNIT", "LEVEL", "HELP"};
	struct print_table *out;

	if (check_names(c, r) != CTL_OK)
		return CTL_USAGE;
	if (c->json)
		return list_json(c, r);
	if (c->args_count > 0 && !c->raw)
		return list_whole(c, r);
	out = print_table_new(stdout, c->raw, titles, "lllll");
	for (struct walk w = {.r = r}; walk_next(&w);)
		if (listed(c, w.f, w.name))
			put_row(&w, out);
	if (print_table_end(out, print_width(stdout)) != 0)
		return ctl_fail(c, CTL_USAGE, "%s", strerror(errno));
	return CTL_OK;
}

/* A word of text: at the start of a line it must not look like a macro, and a backslash is none. */
static size_t mdoc_word(const char *word, size_t length, bool first)
{
	if (first && (word[0] == '.' || word[0] == '\''))
		fputs("\\&", stdout);
	for (size_t i = 0; i < length; i++) {
		if (word[i] == '\\')
			fputs("\\e", stdout);
		else
			putchar(word[i]);
	}
	return length;
}

/* Text between macros, as sentences, each on a line of its own, in lines of a width that linters
 * like. */
static void mdoc_text(const char *text)
{
	size_t at = 0;
	bool ended = false;

	while (*text != '\0') {
		size_t length = strcspn(text, " ");

		if (at != 0) {
			bool fits = !ended && at + 1 + length < MDOC_WIDTH;

			putchar(fits ? ' ' : '\n');
			at = fits ? at + 1 : 0;
		}
		at += mdoc_word(text, length, at == 0);
		ended = length > 0 && text[length - 1] == '.';
		text += length;
		text += strspn(text, " ");
	}
	fputs(".\n", stdout);
}

static const char mdoc_head[] =
    ".\\\" Made by 'droverctl stat -l --mdoc' from shm/fields.h: change it there.\n"
    ".Dd " MDOC_DATE "\n"
    ".Dt DROVER-COUNTERS 7\n"
    ".Os\n"
    ".Sh NAME\n"
    ".Nm drover-counters\n"
    ".Nd what drover publishes on its board\n"
    ".Sh DESCRIPTION\n"
    "The board, the file\n"
    ".Pa drover.board\n"
    "in the run directory of\n"
    ".Xr drover 8 ,\n"
    "consists of tables.\n"
    "Each field of a table has a kind:\n"
    ".Bl -tag -width histogram\n"
    ".It counter\n"
    "only grows, and survives the process that counts.\n"
    ".It gauge\n"
    "a level, ignored once its writer is dead.\n"
    ".It histogram\n"
    "counters of values by size, shown as the quantiles\n"
    ".Sy .p50 , .p90 , .p99\n"
    "and\n"
    ".Sy .p999\n"
    "and as\n"
    ".Sy .count .\n"
    ".It time\n"
    "microseconds of the monotonic clock; 0 means never.\n"
    ".It enum\n"
    "one of the words that are listed below.\n"
    ".It text , address , id\n"
    "what they say; an id is a number that cannot be added up.\n"
    ".El\n"
    ".Pp\n"
    "The names are those that\n"
    ".Ic droverctl stat\n"
    "takes, where a star stands for the name of a server or the address of a\n"
    "listener; of a peer, for UPSTREAM/ADDRESS.\n"
    "Counters, gauges and histograms of workers are added up over all workers and\n"
    "have no prefix.\n"
    "What begins with\n"
    ".Sy worker\\&.\n"
    "or\n"
    ".Sy conn\\&.\n"
    "is different for each worker and connection, and shown by\n"
    ".Ic droverctl workers\n"
    "and\n"
    ".Ic droverctl conns .\n"
    "Fields of level brief and full are shown by\n"
    ".Ic droverctl stat ,\n"
    "those of level debug with\n"
    ".Fl a .\n"
    "With\n"
    ".Fl l\n"
    "it prints this list from the board of the running daemon.\n";

static const char mdoc_tail[] = ".Sh SEE ALSO\n"
				".Xr drover 8 ,\n"
				".Xr droverctl 8\n";

static void mdoc_enum(const struct reader *r, const char *name)
{
	printf(".It %s\n", name);
	for (uint64_t value = 0; strcmp(reader_enum_text(r, name, value), "?") != 0; value++)
		printf("%s%s", value == 0 ? "" : ", ", reader_enum_text(r, name, value));
	printf(".\n");
}

/* Each enum once, where the first field uses it. */
static bool enum_is_new(const struct reader *r, const struct board_field *f)
{
	for (size_t i = 0; i < reader_tables(r); i++) {
		const struct board_table *t = reader_table_at(r, i);

		for (uint32_t k = 0; k < t->fields; k++) {
			const struct board_field *other = reader_field_at(r, t, k);

			if (other->kind == BOARD_ENUM && strcmp(other->unit, f->unit) == 0)
				return other == f;
		}
	}
	return false;
}

static void mdoc_enums(const struct reader *r)
{
	printf(".Sh WORDS\n.Bl -tag -width worker_state\n");
	for (size_t i = 0; i < reader_tables(r); i++) {
		const struct board_table *t = reader_table_at(r, i);

		for (uint32_t k = 0; k < t->fields; k++) {
			const struct board_field *f = reader_field_at(r, t, k);

			if (f->kind == BOARD_ENUM && enum_is_new(r, f))
				mdoc_enum(r, f->unit);
		}
	}
	printf(".El\n");
}

static void mdoc_table(const struct reader *r, const struct board_table *t)
{
	char name[128];

	printf(".Ss %s\n", t->name);
	mdoc_text(t->help);
	printf(".Bl -tag -width Ds\n");
	for (uint32_t k = 0; k < t->fields; k++) {
		const struct board_field *f = reader_field_at(r, t, k);

		field_name(t, f, name, sizeof(name));
		printf(".It Sy %s Pq %s%s%s , %s\n", name, kind_name(f->kind),
		       f->unit[0] != '\0' ? " , " : "", f->unit, level_name(f->level));
		mdoc_text(f->help);
		if (f->advice[0] != '\0') {
			printf(".Pp\n");
			mdoc_text(f->advice);
		}
	}
	printf(".El\n");
}

static int mdoc(const struct reader *r)
{
	fputs(mdoc_head, stdout);
	printf(".Sh TABLES\n");
	for (size_t i = 0; i < reader_tables(r); i++)
		mdoc_table(r, reader_table_at(r, i));
	mdoc_enums(r);
	fputs(mdoc_tail, stdout);
	return CTL_OK;
}

static int built_in(const struct ctl *c)
{
	static const struct board_sizes least = {1, 1, 1, 1, 1, 1};
	char why[256] = "no memory";
	size_t bytes = 0;
	void *image = board_image(&least, &bytes);
	struct reader *r = NULL;
	int status;

	if (image != NULL)
		r = reader_attach(image, bytes, why, sizeof(why));
	if (r == NULL)
		status = ctl_fail(c, CTL_USAGE, "the list of fields %s", why);
	else
		status = c->mdoc ? mdoc(r) : list(c, r);
	reader_close(r);
	free(image);
	return status;
}

int ctl_fields(struct ctl *c)
{
	char why[512];

	if (c->mdoc)
		return built_in(c);
	c->reader = reader_open(c->board, why, sizeof(why));
	if (c->reader != NULL)
		return list(c, c->reader);
	if (c->board_given)
		return ctl_fail(c, CTL_USAGE, "no board: %s", why);
	return built_in(c);
}

const char *ctl_kind_name(unsigned kind)
{
	return kind_name(kind);
}
