/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Filters and order of droverctl conns. A column is one row of the table below: its name, how its
 * value is written on the command line, and where it stands in a struct ctl_conn.
 */
#include "shm/ctl_conn.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "shm/ctl.h"
#include "shm/suggest.h"

#define DIM(a) (sizeof(a) / sizeof((a)[0]))

enum kind {
	KIND_NUMBER,
	KIND_SIZE,
	KIND_DURATION,
	KIND_TEXT,
	KIND_STATE,
	KIND_PEER
};

enum column {
	ID,
	SLOT,
	STATE,
	PEER,
	AGE,
	LEFT,
	REQUESTS,
	IN,
	OUT,
	SERVER,
	REQUEST,
	PID,
	STATUS,
	BYTES,
	PORT,
	LISTENER,
	SINCE,
	REQUEST_ID,
	TRACE_ID
};

static const struct {
	const char *name;
	enum kind kind;
	bool ascending; /* when sorted by it */
} columns[] = {
    [ID] = {"id", KIND_NUMBER, true},
    [SLOT] = {"slot", KIND_NUMBER, true},
    [STATE] = {"state", KIND_STATE, true},
    [PEER] = {"peer", KIND_PEER, true},
    [AGE] = {"age", KIND_DURATION, false},
    [LEFT] = {"left", KIND_DURATION, true},
    [REQUESTS] = {"requests", KIND_NUMBER, false},
    [IN] = {"in", KIND_SIZE, false},
    [OUT] = {"out", KIND_SIZE, false},
    [SERVER] = {"server", KIND_TEXT, true},
    [REQUEST] = {"request", KIND_TEXT, true},
    [PID] = {"pid", KIND_NUMBER, true},
    [STATUS] = {"status", KIND_NUMBER, true},
    [BYTES] = {"bytes", KIND_SIZE, false},
    [PORT] = {"port", KIND_NUMBER, true},
    [LISTENER] = {"listener", KIND_TEXT, true},
    [SINCE] = {"since", KIND_DURATION, false},
    [REQUEST_ID] = {"request_id", KIND_TEXT, true},
    [TRACE_ID] = {"trace_id", KIND_TEXT, true},
};

enum op {
	EQUAL,
	NOT_EQUAL,
	ABOVE,
	BELOW,
	AT_LEAST,
	AT_MOST
};

struct ctl_test {
	enum column column;
	enum op op;
	uint64_t number;
	const char *text; /* a pattern */
	uint8_t peer[16];
	unsigned prefix; /* bits of peer */
};

static uint64_t number_of(const struct ctl_conn *conn, enum column column)
{
	switch (column) {
	case ID:
		return conn->id;
	case SLOT:
		return conn->slot;
	case AGE:
		return conn->age_ms;
	case LEFT: /* no deadline is later than every deadline */
		return conn->left_ms < 0 ? UINT64_MAX : (uint64_t)conn->left_ms;
	case REQUESTS:
		return conn->requests;
	case IN:
		return conn->in;
	case OUT:
		return conn->out;
	case PID:
		return conn->pid;
	case STATUS:
		return conn->status;
	case BYTES:
		return conn->in + conn->out;
	case PORT:
		return conn->port;
	case SINCE:
		return conn->since_ms;
	case STATE:
	case PEER:
	case SERVER:
	case REQUEST:
	case LISTENER:
	case REQUEST_ID:
	case TRACE_ID:
		break;
	}
	return 0;
}

static const char *text_of(const struct ctl_conn *conn, enum column column)
{
	if (column == STATE)
		return conn->state;
	if (column == LISTENER)
		return conn->listener;
	if (column == REQUEST_ID || column == TRACE_ID)
		return column == REQUEST_ID ? conn->request_id : conn->trace_id;
	return column == SERVER ? conn->server : conn->request;
}

const char *ctl_filter_column(size_t i)
{
	return i < DIM(columns) ? columns[i].name : NULL;
}

static int find_column(const struct ctl *c, const char *name, size_t length)
{
	const char *names[DIM(columns)], *near;
	char word[64];

	snprintf(word, sizeof(word), "%.*s", (int)length, name);
	for (size_t i = 0; i < DIM(columns); i++) {
		names[i] = columns[i].name;
		if (strcmp(word, columns[i].name) == 0)
			return (int)i;
	}
	near = suggest_nearest(word, names, DIM(columns));
	if (near != NULL)
		ctl_fail(c, CTL_USAGE, "connections have no '%s': did you mean '%s'?", word, near);
	else
		ctl_fail(c, CTL_USAGE, "connections have no '%s'", word);
	return -1;
}

/* Both families as 16 bytes, IPv4 mapped; a prefix then counts from the front of those. */
static bool parse_peer(const char *text, struct ctl_test *test)
{
	char addr[INET6_ADDRSTRLEN];
	const char *slash = strchr(text, '/');
	size_t length = slash != NULL ? (size_t)(slash - text) : strlen(text);
	unsigned long bits, most = 128;
	char *end;

	if (length >= sizeof(addr))
		return false;
	memcpy(addr, text, length);
	addr[length] = '\0';
	memset(test->peer, 0, sizeof(test->peer));
	if (inet_pton(AF_INET6, addr, test->peer) != 1) {
		if (inet_pton(AF_INET, addr, test->peer + 12) != 1)
			return false;
		memset(test->peer + 10, 0xff, 2);
		most = 32;
	}
	test->prefix = 128;
	if (slash == NULL)
		return true;
	bits = strtoul(slash + 1, &end, 10);
	if (slash[1] < '0' || slash[1] > '9' || *end != '\0' || bits > most)
		return false;
	test->prefix = (unsigned)(128 - most + bits);
	return true;
}

static bool parse_number(const char *text, uint64_t *out)
{
	char *end;

	errno = 0;
	*out = strtoull(text, &end, 10);
	return text[0] >= '0' && text[0] <= '9' && *end == '\0' && errno == 0;
}

static bool parse_state(const struct ctl *c, const char *text, struct ctl_test *test)
{
	uint64_t value;

	test->text = text;
	return strpbrk(text, "*?[") != NULL ||
	       reader_enum_value(c->reader, "conn_state", text, &value);
}

static bool parse_value(const struct ctl *c, const char *text, struct ctl_test *test)
{
	bool ordered = test->op != EQUAL && test->op != NOT_EQUAL;

	switch (columns[test->column].kind) {
	case KIND_NUMBER:
		return parse_number(text, &test->number);
	case KIND_SIZE:
		return ctl_parse_size(text, &test->number);
	case KIND_DURATION:
		if (!ctl_parse_duration(text, &test->number))
			return false;
		test->number /= 1000;
		return true;
	case KIND_TEXT:
		test->text = text;
		return !ordered;
	case KIND_STATE:
		return !ordered && parse_state(c, text, test);
	case KIND_PEER:
		return !ordered && parse_peer(text, test);
	}
	return false;
}

/* Takes the operator off the front of text: returns its length, or 0 if there is none. */
static size_t parse_op(const char *text, enum op *out)
{
	static const struct {
		const char *text;
		enum op op;
	} ops[] = {{"!=", NOT_EQUAL}, {">=", AT_LEAST}, {"<=", AT_MOST},
		   {"=", EQUAL},      {">", ABOVE},     {"<", BELOW}};

	for (size_t i = 0; i < DIM(ops); i++) {
		size_t length = strlen(ops[i].text);

		if (strncmp(text, ops[i].text, length) == 0) {
			*out = ops[i].op;
			return length;
		}
	}
	return 0;
}

/* NAME, operator, value */
static int parse_test(const struct ctl *c, const char *arg, struct ctl_test *test)
{
	size_t length = strcspn(arg, "=!<>"), op_length;
	const char *value;
	int column;

	memset(test, 0, sizeof(*test));
	op_length = parse_op(arg + length, &test->op);
	if (length == 0 || op_length == 0)
		return ctl_fail(c, CTL_USAGE, "'%s' is no filter: write state=head or 'age>60s'",
				arg);
	column = find_column(c, arg, length);
	if (column < 0)
		return CTL_USAGE;
	test->column = (enum column)column;
	value = arg + length + op_length;
	if (!parse_value(c, value, test))
		return ctl_fail(c, CTL_USAGE, "'%s': '%s' is nothing that %s can be compared with",
				arg, value, columns[column].name);
	return CTL_OK;
}

int ctl_filter_parse(const struct ctl *c, struct ctl_filter *filter)
{
	filter->sort = -1;
	filter->count = 0;
	filter->tests = calloc((size_t)c->args_count + 1, sizeof(*filter->tests));
	if (filter->tests == NULL)
		return ctl_fail(c, CTL_USAGE, "%s", strerror(errno));
	for (int i = 0; i < c->args_count; i++) {
		if (parse_test(c, c->args[i], &filter->tests[i]) != CTL_OK)
			return CTL_USAGE;
		filter->count++;
	}
	if (c->sort != NULL) {
		const char *name = c->sort;

		filter->reverse = name[0] == '-';
		name += filter->reverse;
		filter->sort = find_column(c, name, strlen(name));
		if (filter->sort < 0)
			return CTL_USAGE;
	}
	return CTL_OK;
}

void ctl_filter_free(struct ctl_filter *filter)
{
	free(filter->tests);
	filter->tests = NULL;
	filter->count = 0;
}

static bool same_prefix(const uint8_t a[16], const uint8_t b[16], unsigned bits)
{
	unsigned whole = bits / 8, rest = bits % 8;

	if (memcmp(a, b, whole) != 0)
		return false;
	return rest == 0 || (a[whole] ^ b[whole]) >> (8 - rest) == 0;
}

/* EQUAL is true for what the test names, whatever its operator is. */
static bool is_equal(const struct ctl_test *test, const struct ctl_conn *conn)
{
	switch (columns[test->column].kind) {
	case KIND_TEXT:
	case KIND_STATE:
		return fnmatch(test->text, text_of(conn, test->column), 0) == 0;
	case KIND_PEER:
		return (conn->family == 4 || conn->family == 6) &&
		       same_prefix(test->peer, conn->peer, test->prefix);
	case KIND_NUMBER:
	case KIND_SIZE:
	case KIND_DURATION:
		break;
	}
	return number_of(conn, test->column) == test->number;
}

static bool holds(const struct ctl_test *test, const struct ctl_conn *conn)
{
	switch (test->op) {
	case EQUAL:
		return is_equal(test, conn);
	case NOT_EQUAL:
		return !is_equal(test, conn);
	case ABOVE:
		return number_of(conn, test->column) > test->number;
	case BELOW:
		return number_of(conn, test->column) < test->number;
	case AT_LEAST:
		return number_of(conn, test->column) >= test->number;
	case AT_MOST:
		return number_of(conn, test->column) <= test->number;
	}
	return false;
}

bool ctl_filter_has_state(const struct ctl_filter *filter)
{
	for (size_t i = 0; i < filter->count; i++)
		if (filter->tests[i].column == STATE)
			return true;
	return false;
}

bool ctl_filter_passes(const struct ctl_filter *filter, const struct ctl_conn *conn)
{
	for (size_t i = 0; i < filter->count; i++)
		if (!holds(&filter->tests[i], conn))
			return false;
	return true;
}

static int compare(const void *left, const void *right, void *arg)
{
	const struct ctl_conn *a = left, *b = right;
	const struct ctl_filter *filter = arg;
	enum column column = (enum column)filter->sort;
	int order;

	if (columns[column].kind == KIND_PEER) {
		order = memcmp(a->peer, b->peer, sizeof(a->peer));
	} else if (columns[column].kind == KIND_TEXT || columns[column].kind == KIND_STATE) {
		order = strcmp(text_of(a, column), text_of(b, column));
	} else {
		uint64_t x = number_of(a, column), y = number_of(b, column);

		order = (x > y) - (x < y);
	}
	if (!columns[column].ascending)
		order = -order;
	if (filter->reverse)
		order = -order;
	return order != 0 ? order : (a->id > b->id) - (a->id < b->id);
}

void ctl_conn_sort(const struct ctl_filter *filter, struct ctl_conn *all, size_t n)
{
	struct ctl_filter copy = *filter;

	if (filter->sort >= 0)
		qsort_r(all, n, sizeof(*all), compare, &copy);
}
