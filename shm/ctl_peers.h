/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * All peers in a line, for droverctl status and top.
 */
#ifndef DROVER_SHM_CTL_PEERS_H
#define DROVER_SHM_CTL_PEERS_H

#include "shm/ctl.h"
#include "shm/diagnose.h"

struct ctl_peers {
	unsigned used, up;
	struct diagnose_list troubled; /* not in use, though nobody meant it so: "api 10.0.0.1:80
					  (ejected)" */
	struct diagnose_list empty;    /* upstreams of which no peer takes requests */
};

void ctl_peers_load(const struct ctl *c, struct ctl_peers *p);

#endif
