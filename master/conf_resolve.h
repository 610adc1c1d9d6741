/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Names of peers, looked up while the configuration is loaded. It must never keep the daemon from
 * starting: what does not resolve is unresolved, and slow name servers get a few seconds in all.
 */
#ifndef DROVER_MASTER_CONF_RESOLVE_H
#define DROVER_MASTER_CONF_RESOLVE_H

#include <netinet/in.h>
#include <stdint.h>

struct peer;

enum {
	CONF_RESOLVE_MS = 5000 /* of all names of one load */
};

/* Time used so far. */
struct conf_resolve {
	uint64_t spent_us;
};

/*
 * Fills addr (and other, if the name has addresses of both families) of a peer. Returns NULL, or
 * why it could not.
 */
const char *conf_resolve(struct conf_resolve *r, const char *host, in_port_t port,
			 struct peer *out);

#endif
