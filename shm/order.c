/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See order.h. Checks only; who sends and obeys is in shm/ctl_peer.c and worker/ending.c.
 */
#include "shm/order.h"

#include <string.h>

static const char *check_head(uint32_t magic, uint32_t version)
{
	if (magic != ORDER_MAGIC)
		return "of another kind";
	return version != ORDER_VERSION ? "of another version" : NULL;
}

const char *order_check_request(const struct order_request *q, size_t bytes, uint32_t worker)
{
	const char *why;

	if (bytes < offsetof(struct order_request, kind))
		return "too short";
	why = check_head(q->magic, q->version);
	if (why != NULL)
		return why;
	if (bytes != sizeof(*q))
		return "of another length than it should be";
	if (q->worker != worker)
		return "for another worker";
	if (q->kind < ORDER_UP || q->kind >= ORDER_KINDS)
		return "of an order that is none";
	if (q->weight > ORDER_WEIGHT_MOST || (q->weight != 0 && q->kind != ORDER_WEIGHT))
		return "of a weight that is none";
	if (memchr(q->upstream, '\0', sizeof(q->upstream)) == NULL ||
	    memchr(q->address, '\0', sizeof(q->address)) == NULL)
		return "of a name without an end";
	return NULL;
}

const char *order_check_answer(const struct order_answer *a, size_t bytes)
{
	const char *why;

	if (bytes != sizeof(*a))
		return "of another length than it should be";
	why = check_head(a->magic, a->version);
	if (why != NULL)
		return why;
	return a->result < ORDER_DONE || a->result >= ORDER_RESULTS ? "with a result that is none"
								    : NULL;
}

const char *order_name(enum order_kind kind)
{
	static const char *const names[ORDER_KINDS] = {
	    [ORDER_UP] = "up",
	    [ORDER_DRAIN] = "drain",
	    [ORDER_DOWN] = "down",
	    [ORDER_WEIGHT] = "weight",
	    [ORDER_WEIGHT_DEFAULT] = "weight default",
	};

	return kind < ORDER_KINDS && names[kind] != NULL ? names[kind] : "?";
}
