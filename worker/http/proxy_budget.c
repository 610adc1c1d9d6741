/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * May a request be tried again? See proxy_parts.h. The pool's budget (worker/budget.h) is on its
 * row of the board.
 */
#include "worker/http/proxy_parts.h"

#include "worker/budget.h"
#include "worker/errlog.h"

static struct upstream_row *row_of(const struct http *h, const struct upstream *pool)
{
	return board_upstream(h->cs->board, pool->row);
}

void proxy_budget_earn(const struct http *h, const struct upstream *pool)
{
	const struct budget b = {pool->retry_percent, pool->retry_min};

	budget_earn(&b, &row_of(h, pool)->retry_spent);
}

bool proxy_budget_take(const struct http *h, const struct upstream *pool)
{
	static struct errlog_limit limit = {.burst = 3};
	const struct budget b = {pool->retry_percent, pool->retry_min};
	struct upstream_row *row = row_of(h, pool);

	if (budget_take(&b, &row->retry_spent, &row->retry_allowed_us, proxy_now(h)))
		return true;
	(void)board_shared_add(&row->retry_budget_exhausted, 1);
	errlog_limited(&limit, ERRLOG_WARN,
		       "upstream \"%s\": retry budget used up: failures are answered as they are",
		       pool->name);
	return false;
}
