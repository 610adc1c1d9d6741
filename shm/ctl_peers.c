/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * All peers in a line: see ctl_peers.h.
 */
#include "shm/ctl_peers.h"

#include <stdlib.h>
#include <string.h>

#include "shm/peers.h"

/* Whether a peer of the upstream takes requests, by the upstream's row. */
struct ups {
	bool *up;
	uint32_t rows;
};

static void take_peer(struct ctl_peers *p, struct ups *ups, const struct ctl_named *n)
{
	enum peers_state state = peers_state(n->c->reader, &n->row, n->c->view.now_us, NULL);
	uint64_t upstream = reader_row_u64(&n->row, "upstream_row");
	char name[64], address[112];

	if (state == PEERS_UNUSED)
		return;
	p->used++;
	p->up += peers_state_is_up(state);
	if (peers_state_is_up(state) && upstream < ups->rows)
		ups->up[upstream] = true;
	if (!peers_state_is_up(state) && !peers_state_is_meant(state))
		diagnose_list(&p->troubled, "%s %s (%s)",
			      reader_row_text(&n->row, "upstream", name, sizeof(name)),
			      reader_row_text(&n->row, "address", address, sizeof(address)),
			      peers_state_name(state));
}

void ctl_peers_load(const struct ctl *c, struct ctl_peers *p)
{
	const struct board_table *t = reader_table(c->reader, "upstream");
	struct ups ups = {.rows = t != NULL ? t->rows : 0};
	struct ctl_named n;

	memset(p, 0, sizeof(*p));
	ups.up = calloc((size_t)ups.rows + 1, sizeof(*ups.up));
	if (ups.up == NULL)
		return;
	for (bool ok = ctl_named_first(&n, c, "peer", "address"); ok; ok = ctl_named_next(&n))
		take_peer(p, &ups, &n);
	ctl_named_free(&n);
	for (bool ok = ctl_named_first(&n, c, "upstream", "name"); ok; ok = ctl_named_next(&n))
		if (reader_row_u64(&n.row, "used") != 0 && !ups.up[n.row.index])
			diagnose_list(&p->empty, "%s", n.name);
	ctl_named_free(&n);
	free(ups.up);
	(void)diagnose_list_end(&p->troubled);
	(void)diagnose_list_end(&p->empty);
}
