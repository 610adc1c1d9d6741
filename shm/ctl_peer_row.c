/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See ctl_peer_row.h. Figures are those of the board alone, added up over all workers.
 */
#include "shm/ctl_peer_row.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "shm/peers.h"

#define U64 "%" PRIu64

/* From the board. */

/* Where its name leads. A board of an older version knows nothing of it. */
static void load_address(const struct ctl *c, const struct ctl_named *n, struct ctl_peer *p)
{
	const struct board_table *t = reader_table(c->reader, "peer_address");
	struct reader_row row = {.bytes = NULL};

	p->resolved[0] = p->resolve_error[0] = '\0';
	if (t == NULL || reader_row_u64(&n->row, "named") == 0)
		return;
	if (reader_copy(c->reader, t, n->row.index, &row) >= 0 && row.status == READER_OK) {
		reader_row_text(&row, "text", p->resolved, sizeof(p->resolved));
		reader_row_text(&row, "error", p->resolve_error, sizeof(p->resolve_error));
	}
	reader_row_free(&row);
}

/* As the error log of the prober says it. */
static void write_reason(const struct reader_row *row, char *out, size_t size)
{
	char name[64];
	uint64_t detail = reader_row_u64(row, "check_detail");

	out[0] = '\0';
	if (reader_row_u64(row, "check_reason") == CHECK_FAILED_NONE)
		return;
	strlcpy(name, reader_row_enum(row, "check_reason"), sizeof(name));
	for (char *s = name; *s != '\0'; s++)
		*s = *s == '_' ? ' ' : *s;
	if (strcmp(name, "unwanted status") == 0)
		snprintf(out, size, "%s " U64, name, detail);
	else if (detail != 0 && strcmp(name, "bad response") != 0)
		snprintf(out, size, "%s: %s", name, strerror((int)detail));
	else
		snprintf(out, size, "%s", name);
}

static void load_told(const struct reader_row *row, struct ctl_peer *p)
{
	p->configured_weight = reader_row_u64(row, "weight");
	p->weight = peers_weight(row);
	p->told_us = reader_row_u64(row, "told_us");
	p->told_uid = reader_row_u64(row, "told_uid");
}

static void load_checks(const struct ctl *c, const struct reader_row *row, struct ctl_peer *p)
{
	p->stale = reader_row_u64(row, "check_on") != 0 && reader_row_u64(row, "checks") != 0 &&
		   reader_row_u64(row, "check_until_us") <= c->view.now_us;
	write_reason(row, p->reason, sizeof(p->reason));
	p->checks = reader_row_u64(row, "checks");
	p->check_failures = reader_row_u64(row, "check_failures");
	p->checked_us = reader_row_u64(row, "checked_us");
	p->check_took_us = reader_row_u64(row, "check_took_us");
}

void ctl_peer_load(const struct ctl *c, const struct ctl_named *n, struct ctl_peer *p)
{
	memset(p, 0, sizeof(*p));
	reader_row_text(&n->row, "upstream", p->upstream, sizeof(p->upstream));
	reader_row_text(&n->row, "address", p->address, sizeof(p->address));
	p->row = n->row.index;
	load_told(&n->row, p);
	load_checks(c, &n->row, p);
	p->max_conns = reader_row_u64(&n->row, "max_conns");
	p->active = reader_row_u64(&n->row, "active");
	p->fails = reader_row_u64(&n->row, "fails");
	p->ejections = reader_row_u64(&n->row, "ejections");
	p->backup = reader_row_u64(&n->row, "backup") != 0;
	load_address(c, n, p);
	p->state = peers_state_name(peers_state(c->reader, &n->row, c->view.now_us, &p->left_us));
	if (n->traffic == NULL)
		return;
	p->open = ctl_named_sum(n, "open");
	p->idle = ctl_named_sum(n, "idle");
	p->requests = ctl_named_sum(n, "requests");
	p->errors = ctl_named_sum(n, "responses_5xx");
	p->failures = ctl_named_sum(n, "connect_failures") + ctl_named_sum(n, "timeouts") +
		      ctl_named_sum(n, "bad_responses");
	p->reused = ctl_named_sum(n, "reused");
	p->retries = ctl_named_sum(n, "retries");
	p->cancelled = ctl_named_sum(n, "cancelled");
	p->in = ctl_named_sum(n, "bytes_in");
	p->out = ctl_named_sum(n, "bytes_out");
	ctl_named_hist(n, "latency", p->latency);
}

/* Counters of different workers are not read at one moment. */
static double reuse_of(const struct ctl_peer *p)
{
	if (p->requests == 0)
		return 0;
	return p->reused >= p->requests ? 1 : (double)p->reused / (double)p->requests;
}

static uint64_t quantile(const struct ctl_peer *p, double q)
{
	return (uint64_t)(hist_quantile(p->latency, q) + 0.5);
}

/* As JSON. */

void ctl_peer_json(const struct ctl *c, struct json *j, const struct ctl_peer *p)
{
	json_object(j, NULL);
	json_text(j, "address", p->address);
	if (p->resolved[0] != '\0')
		json_text(j, "resolved", p->resolved);
	else
		json_null(j, "resolved");
	json_text(j, "resolve_error", p->resolve_error);
	json_text(j, "state", p->state);
	json_bool(j, "backup", p->backup);
	json_u64(j, "failed_left_ms", (p->left_us + 999) / 1000);
	json_u64(j, "fails", p->fails);
	json_u64(j, "ejections", p->ejections);
	json_u64(j, "weight", p->weight);
	json_u64(j, "configured_weight", p->configured_weight);
	ctl_json_time(c, j, "told", p->told_us);
	if (p->told_us != 0)
		json_u64(j, "told_uid", p->told_uid);
	json_u64(j, "checks", p->checks);
	json_u64(j, "check_failures", p->check_failures);
	ctl_json_time(c, j, "checked", p->checked_us);
	json_u64(j, "check_took_us", p->check_took_us);
	json_text(j, "check_reason", p->reason);
	json_u64(j, "max_conns", p->max_conns);
	json_u64(j, "active", p->active);
	json_u64(j, "open", p->open);
	json_u64(j, "idle", p->idle);
	json_u64(j, "requests", p->requests);
	json_u64(j, "5xx", p->errors);
	json_u64(j, "failures", p->failures);
	json_u64(j, "retries", p->retries);
	json_u64(j, "cancelled", p->cancelled);
	json_u64(j, "in", p->in);
	json_u64(j, "out", p->out);
	json_real(j, "reuse", reuse_of(p));
	json_u64(j, "latency_p50_us", quantile(p, 0.5));
	json_u64(j, "latency_p99_us", quantile(p, 0.99));
	json_end(j);
}

/* As a line. */

static void put_state(const struct ctl *c, struct print_table *t, const struct ctl_peer *p)
{
	const char *backup = p->backup && !c->raw ? " (backup)" : "";
	char left[PRINT_SHORT];

	if (strcmp(p->state, "ejected") == 0 && !c->raw)
		print_cell(t, "ejected, %s left%s", print_duration(p->left_us, left), backup);
	else
		print_cell(t, "%s%s", p->state, backup);
}

static void put_latency(const struct ctl *c, struct print_table *t, const struct ctl_peer *p,
			double q)
{
	char text[PRINT_SHORT];

	if (c->raw)
		print_cell(t, U64, quantile(p, q));
	else
		print_cell(t, "%s", print_duration(quantile(p, q), text));
}

/* With the address that its name has; the port is the same. */
static void put_address(const struct ctl *c, struct print_table *t, const struct ctl_peer *p)
{
	const char *port = strrchr(p->resolved, ':');

	if (c->raw || port == NULL)
		print_cell(t, "%s", p->address);
	else
		print_cell(t, "%s (%.*s)", p->address, (int)(port - p->resolved), p->resolved);
}

void ctl_peer_put(const struct ctl *c, struct print_table *t, const struct ctl_peer *p)
{
	print_cell(t, "%s", p->upstream);
	put_address(c, t, p);
	put_state(c, t, p);
	print_cell(t, U64, p->weight);
	print_cell(t, U64, p->active);
	print_cell(t, U64, p->open);
	print_cell(t, U64, p->idle);
	print_cell(t, U64, p->requests);
	print_cell(t, U64, p->errors);
	print_cell(t, U64, p->failures);
	print_cell(t, "%.0f%s", 100 * reuse_of(p), c->raw ? "" : "%");
	put_latency(c, t, p, 0.5);
	put_latency(c, t, p, 0.99);
}

struct print_table *ctl_peer_table(const struct ctl *c)
{
	static const char *const titles[] = {"UPSTREAM", "PEER", "STATE",    "WEIGHT", "ACTIVE",
					     "OPEN",     "IDLE", "REQUESTS", "5XX",    "FAILURES",
					     "REUSE",    "P50",  "P99"};

	return print_table_new(stdout, c->raw, titles, "lllrrrrrrrrrr");
}

int ctl_peer_table_end(const struct ctl *c, struct print_table *t)
{
	if (print_table_end(t, print_width(stdout)) != 0)
		return ctl_fail(c, CTL_USAGE, "%s", strerror(errno));
	return CTL_OK;
}

int ctl_peer_show(const struct ctl *c, const struct ctl_peer *p)
{
	struct print_table *t = ctl_peer_table(c);

	ctl_peer_put(c, t, p);
	return ctl_peer_table_end(c, t);
}
