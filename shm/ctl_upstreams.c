/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * droverctl upstreams: the peers of each upstream, how they are and what they did; then queues, and
 * what was not hidden from clients.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "shm/ctl_peer_row.h"
#include "shm/ctl_queues.h"

#define U64 "%" PRIu64

/* The peers of one upstream. */
static void peers_json(const struct ctl *c, struct json *j, const char *upstream)
{
	struct ctl_named n;
	struct ctl_peer p;

	json_array(j, "peers");
	for (bool ok = ctl_named_first(&n, c, "peer", "address"); ok; ok = ctl_named_next(&n)) {
		ctl_peer_load(c, &n, &p);
		if (strcmp(p.upstream, upstream) == 0)
			ctl_peer_json(c, j, &p);
	}
	ctl_named_free(&n);
	json_end(j);
}

static int all_json(const struct ctl *c)
{
	struct ctl_named n;
	struct json j;
	char text[128];

	ctl_json(c, &j);
	json_array(&j, "upstreams");
	for (bool ok = ctl_named_first(&n, c, "upstream", "name"); ok; ok = ctl_named_next(&n)) {
		json_object(&j, NULL);
		json_text(&j, "name", n.name);
		json_text(&j, "balance", reader_row_text(&n.row, "balance", text, sizeof(text)));
		json_bool(&j, "used", reader_row_u64(&n.row, "used") != 0);
		json_u64(&j, "retry_budget_exhausted",
			 reader_row_u64(&n.row, "retry_budget_exhausted"));
		ctl_queues_json(&j, &n);
		peers_json(c, &j, n.name);
		json_end(&j);
	}
	ctl_named_free(&n);
	json_finish(&j);
	return CTL_OK;
}

/* Where failures are no longer hidden from clients. */
static void put_exhausted(const struct ctl *c)
{
	struct ctl_named n;

	for (bool ok = ctl_named_first(&n, c, "upstream", "name"); ok; ok = ctl_named_next(&n)) {
		uint64_t times = reader_row_u64(&n.row, "retry_budget_exhausted");

		if (times != 0)
			printf("%s: " U64 " requests were not tried again: the retry budget was "
			       "used up\n",
			       n.name, times);
	}
	ctl_named_free(&n);
}

int ctl_upstreams(struct ctl *c)
{
	struct print_table *t;
	struct ctl_named n;
	struct ctl_peer p;

	if (ctl_open(c) != CTL_OK)
		return CTL_USAGE;
	if (c->json)
		return all_json(c);
	t = ctl_peer_table(c);
	for (bool ok = ctl_named_first(&n, c, "peer", "address"); ok; ok = ctl_named_next(&n)) {
		ctl_peer_load(c, &n, &p);
		ctl_peer_put(c, t, &p);
	}
	ctl_named_free(&n);
	if (ctl_peer_table_end(c, t) != CTL_OK)
		return CTL_USAGE;
	if (c->raw)
		return CTL_OK;
	if (ctl_queues_show(c) != 0)
		return ctl_fail(c, CTL_USAGE, "%s", strerror(errno));
	put_exhausted(c);
	return CTL_OK;
}
