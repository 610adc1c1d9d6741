/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * In the place of shm/ctl_sockdiag.c where libmnl was not wanted (make WITH_MNL=0).
 */
#include <stdio.h>

#include "shm/ctl_sockdiag.h"

int sockdiag_dump(const struct sockdiag_query *q, char *why, size_t why_bytes)
{
	(void)q;
	snprintf(why, why_bytes, "built without libmnl (make WITH_MNL=0)");
	return -1;
}
