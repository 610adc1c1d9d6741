/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The check on names of peers: which of them cannot be looked up, and for how long.
 */
#include <inttypes.h>
#include <stdio.h>

#include "shm/diagnose.h"

enum {
	LONG_S = 30 /* a few attempts of the prober: name servers are restarted at times */
};

static void describe(struct diagnose_list *l, const struct facts_name *n)
{
	char from[80] = "";

	if (n->address[0] != '\0')
		snprintf(from, sizeof(from), ", still %.63s", n->address);
	diagnose_list(l, "%.111s of upstream \"%.63s\" (for %" PRIu64 " s: %.63s%s)", n->name,
		      n->upstream, n->failing_us / 1000000, n->error, from);
}

static void cure(struct diagnosis *d)
{
	diagnose_cure(d, "Ask the name servers yourself (dig NAME); drover asks those of resolve { "
			 "servers }, else of /etc/resolv.conf. A slip in the name is mended by a "
			 "reload.");
}

void diagnose_names(const struct facts *f, struct diagnosis *d)
{
	struct diagnose_list unused = {0}, old = {0};

	for (size_t i = 0; i < f->names_count; i++) {
		const struct facts_name *n = &f->names[i];

		if (n->failing_us / 1000000 >= LONG_S)
			describe(n->address[0] != '\0' ? &old : &unused, n);
	}
	if (unused.count > 0) {
		diagnose_add(d, DIAGNOSE_CRITICAL);
		diagnose_seen(d, "Names of peers that have no address: %s.",
			      diagnose_list_end(&unused));
		diagnose_means(d, "These peers get no requests: the others of their upstream bear "
				  "the load, or there is none.");
		cure(d);
	}
	if (old.count > 0) {
		diagnose_add(d, DIAGNOSE_WARNING);
		diagnose_seen(d, "Names of peers that cannot be looked up any more: %s.",
			      diagnose_list_end(&old));
		diagnose_means(d, "Their last addresses stay in use. If the peers move meanwhile, "
				  "nobody will know.");
		cure(d);
	}
	if (unused.count + old.count == 0) {
		diagnose_add(d, DIAGNOSE_FINE);
		diagnose_seen(d, "No name of a peer has been unknown to name servers for long.");
	}
}
