/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See address.h. Called by up.c, peer.c, resolver.c and the master.
 */
#include "worker/address.h"

#include <string.h>

enum {
	READ_TRIES = 4
};

static bool copy(const struct peer_address_row *row, struct names_pair *out)
{
	uint32_t before = __atomic_load_n(&row->seq, __ATOMIC_ACQUIRE);

	if (before % 2 != 0)
		return false;
	out->addr.family = (uint8_t)row->family;
	out->other.family = (uint8_t)row->other_family;
	memcpy(out->addr.bytes, row->addr, sizeof out->addr.bytes);
	memcpy(out->other.bytes, row->other, sizeof out->other.bytes);
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return __atomic_load_n(&row->seq, __ATOMIC_RELAXED) == before;
}

bool address_read(const struct board *b, uint32_t row, struct names_pair *out)
{
	for (int i = 0; i < READ_TRIES; i++)
		if (copy(board_peer_address(b, row), out))
			return out->addr.family != 0;
	return false;
}

/* A socket address as bytes, for its mark. */
static uint32_t mark_of(const union peer_addr *a)
{
	struct dns_addr d = {.family = a->sa.sa_family == AF_INET ? 4 : 6};

	if (d.family == 4) {
		d.bytes[10] = d.bytes[11] = 0xff;
		memcpy(d.bytes + 12, &a->in.sin_addr, 4);
		return names_mark(&d, a->in.sin_port);
	}
	memcpy(d.bytes, &a->in6.sin6_addr, sizeof d.bytes);
	return names_mark(&d, a->in6.sin6_port);
}

static bool from_settings(const struct peer *p, bool other, struct address *out)
{
	out->len = other ? p->other_len : p->addr_len;
	memcpy(&out->addr, other ? &p->other : &p->addr, out->len);
	out->mark = p->host != NULL && out->len != 0 ? mark_of(&out->addr) : 0;
	return out->len != 0;
}

bool address_of(const struct board *b, const struct peer *p, bool other, struct address *out)
{
	struct names_pair pair;
	const struct dns_addr *a = other ? &pair.other : &pair.addr;

	if (p->host == NULL || !address_read(b, p->row, &pair))
		return from_settings(p, other, out);
	out->len = names_socket(a, p->port, &out->addr);
	out->mark = names_mark(a, p->port);
	return out->len != 0;
}

bool address_stands(const struct board *b, const struct peer *p, uint32_t mark)
{
	const struct peer_address_row *row;
	uint32_t now;

	if (p->host == NULL)
		return true;
	row = board_peer_address(b, p->row);
	now = __atomic_load_n(&row->mark, __ATOMIC_RELAXED);
	if (now != 0)
		return mark == now ||
		       (mark != 0 && mark == __atomic_load_n(&row->other_mark, __ATOMIC_RELAXED));
	return mark != 0 && ((p->addr_len != 0 && mark == mark_of(&p->addr)) ||
			     (p->other_len != 0 && mark == mark_of(&p->other)));
}

void address_write(const struct board *b, const struct peer *p, const struct address_news *n)
{
	struct peer_address_row *row = board_peer_address(b, p->row);
	const struct names_pair *pair = &n->pair;

	board_write_begin(&row->seq);
	__atomic_store_n(&row->mark, names_mark(&pair->addr, p->port), __ATOMIC_RELAXED);
	__atomic_store_n(&row->other_mark, names_mark(&pair->other, p->port), __ATOMIC_RELAXED);
	row->family = pair->addr.family;
	row->other_family = pair->other.family;
	memcpy(row->addr, pair->addr.bytes, sizeof row->addr);
	memcpy(row->other, pair->other.bytes, sizeof row->other);
	row->resolved_us = n->now_us;
	if (n->changed)
		row->changed_us = n->now_us;
	row->failing_us = 0;
	row->ttl_ms = n->good_us / 1000;
	names_text(&pair->addr, p->port, row->text, sizeof row->text);
	row->error[0] = '\0';
	board_write_end(&row->seq);
}

void address_clear(const struct board *b, uint32_t row)
{
	struct peer_address_row *r = board_peer_address(b, row);

	/* Rows without a name are left alone: their pages are not even made. */
	if (r->seq == 0)
		return;
	board_write_begin(&r->seq);
	__atomic_store_n(&r->mark, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&r->other_mark, 0, __ATOMIC_RELAXED);
	r->family = r->other_family = 0;
	memset(r->addr, 0, sizeof r->addr);
	memset(r->other, 0, sizeof r->other);
	r->resolved_us = r->changed_us = r->failing_us = r->next_us = r->ttl_ms = 0;
	r->text[0] = r->error[0] = '\0';
	board_write_end(&r->seq);
}
