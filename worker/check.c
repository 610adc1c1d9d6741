/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Active checks: see check.h.
 */
#include "worker/check.h"

bool check_wanted(const struct settings *s)
{
	for (uint32_t i = 0; i < s->upstreams_count; i++)
		if (s->upstreams[i].check.on)
			return true;
	return false;
}

int check_start(struct prober *p)
{
	(void)p;
	return 0;
}
