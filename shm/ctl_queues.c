/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See ctl_queues.h.
 */
#include "shm/ctl_queues.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define U64 "%" PRIu64

/* Those that wait, or waited, for its peers. */
struct queue {
	uint64_t size, now, waited, full, expired, left;
	uint64_t wait[HIST_BUCKETS];
};

static void load_queue(const struct ctl_named *n, struct queue *q)
{
	memset(q, 0, sizeof(*q));
	q->size = reader_row_u64(&n->row, "queue_size");
	if (n->traffic == NULL)
		return;
	q->now = ctl_named_sum(n, "queued");
	q->waited = ctl_named_sum(n, "waited");
	q->full = ctl_named_sum(n, "queue_full");
	q->expired = ctl_named_sum(n, "queue_expired");
	q->left = ctl_named_sum(n, "queue_left");
	ctl_named_hist(n, "wait", q->wait);
}

static uint64_t wait_of(const struct queue *q, double share)
{
	return (uint64_t)(hist_quantile(q->wait, share) + 0.5);
}

void ctl_queues_json(struct json *j, const struct ctl_named *n)
{
	struct queue q;

	load_queue(n, &q);
	json_object(j, "queue");
	json_u64(j, "size", q.size);
	json_u64(j, "now", q.now);
	json_u64(j, "waited", q.waited);
	json_u64(j, "full", q.full);
	json_u64(j, "expired", q.expired);
	json_u64(j, "left", q.left);
	json_u64(j, "wait_p50_us", wait_of(&q, 0.5));
	json_u64(j, "wait_p99_us", wait_of(&q, 0.99));
	json_end(j);
}

static void put_queue(struct print_table *t, const char *upstream, const struct queue *q)
{
	char text[PRINT_SHORT];

	print_cell(t, "%s", upstream);
	print_cell(t, U64, q->size);
	print_cell(t, U64, q->now);
	print_cell(t, U64, q->waited);
	print_cell(t, "%s", print_duration(wait_of(q, 0.5), text));
	print_cell(t, "%s", print_duration(wait_of(q, 0.99), text));
	print_cell(t, U64, q->full);
	print_cell(t, U64, q->expired);
	print_cell(t, U64, q->left);
}

int ctl_queues_show(const struct ctl *c)
{
	static const char *const titles[] = {"QUEUE", "SIZE", "NOW",     "WAITED", "P50",
					     "P99",   "FULL", "EXPIRED", "LEFT"};
	struct print_table *t = NULL;
	struct ctl_named n;
	struct queue q;

	for (bool ok = ctl_named_first(&n, c, "upstream", "name"); ok; ok = ctl_named_next(&n)) {
		load_queue(&n, &q);
		if (q.size == 0 && q.now + q.waited + q.full + q.expired + q.left == 0)
			continue;
		if (t == NULL) {
			putchar('\n');
			t = print_table_new(stdout, false, titles, "lrrrrrrrr");
		}
		put_queue(t, n.name, &q);
	}
	ctl_named_free(&n);
	return t != NULL ? print_table_end(t, print_width(stdout)) : 0;
}
