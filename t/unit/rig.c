/* SPDX-License-Identifier: BSD-2-Clause */
/* See rig.h. */
#include "t/unit/rig.h"

#include <check.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

void rig_board(struct board *b, const struct board_sizes *sizes)
{
	char path[64];

	snprintf(path, sizeof path, "/tmp/drover-rig.%d", (int)getpid());
	ck_assert_int_eq(board_create(b, path, sizes), 0);
	unlink(path);
}

void rig_make(struct conns *cs, struct ups *us, struct arena *arena, const struct conns_env *env)
{
	size_t room = conns_room(env->settings) + (us != NULL ? ups_room(env->settings) : 0);

	ck_assert_int_eq(arena_create(arena, "test", room), 0);
	ck_assert_int_eq(conns_init(cs, env, arena), 0);
	if (us != NULL)
		ck_assert_int_eq(ups_init(us, cs, arena), 0);
	cs->ups = us;
}

void rig_free(struct conns *cs, struct arena *arena)
{
	if (cs->ups != NULL)
		ups_free(cs->ups);
	conns_free(cs);
	arena_destroy(arena);
}

void rig_close_all(struct conns *cs)
{
	for (uint32_t i = 0; i < cs->row->conns_high; i++)
		if (conn_row(cs, i)->state != CONN_FREE)
			conn_close(cs, i, CLOSE_CLIENT, false);
	if (cs->ups != NULL) {
		ups_close_idle(cs->ups);
		ups_bury(cs->ups);
	}
	conns_bury(cs);
}

uint32_t rig_open(struct conns *cs, uint32_t listener, int fd)
{
	const struct sockaddr_storage peer = {.ss_family = AF_UNIX};
	const struct conn_origin origin = {.listener = listener, .fd = fd, .peer = &peer};
	enum close_reason reason;
	uint32_t i = conn_open(cs, &origin, &reason);

	ck_assert_uint_ne(i, CONN_NONE);
	return i;
}

uint32_t rig_exchange(struct conns *cs, int fd, const struct up *up)
{
	uint32_t i = rig_open(cs, 0, fd), u = up_adopt(cs->ups, up);

	ck_assert_uint_ne(u, UP_NONE);
	up_join(cs->ups, u, i);
	return i;
}

uint32_t rig_idle(struct ups *us, const struct up *up)
{
	uint32_t u = up_adopt(us, up);

	ck_assert_uint_ne(u, UP_NONE);
	up_settle_in(us, u);
	return u;
}

void rig_state(struct conns *cs, uint32_t i, enum conn_state state)
{
	if (state == CONN_BODY) {
		conn_set_state(cs, i, CONN_BODY);
		return;
	}
	conn_set_state(cs, i, CONN_RESPOND);
	if (state != CONN_RESPOND)
		conn_set_state(cs, i, state);
}

struct up *rig_up(const struct conns *cs, uint32_t i)
{
	return up_at(cs->ups, conn_at(cs, i)->up - 1);
}

uint32_t rig_find(const struct conns *cs, uint64_t id)
{
	for (uint32_t i = 0; i < cs->row->conns_high; i++)
		if (conn_row(cs, i)->state != CONN_FREE && conn_row(cs, i)->id == id)
			return i;
	return CONN_NONE;
}

static char byte_of(char seed, uint32_t k)
{
	return (char)(seed + (char)(k * 7));
}

void rig_fill(struct conns *cs, uint32_t *buf, uint32_t *len_out, uint32_t len, char seed)
{
	*buf = buf_take(&cs->bufs, len);
	ck_assert_uint_ne(*buf, BUF_NONE);
	for (uint32_t k = 0; k < len; k++)
		buf_data(&cs->bufs, *buf)[k] = byte_of(seed, k);
	*len_out = len;
}

void rig_give(struct conns *cs, uint32_t *buf, uint32_t *len_out, const char *text)
{
	*buf = buf_take(&cs->bufs, strlen(text));
	ck_assert_uint_ne(*buf, BUF_NONE);
	*len_out = (uint32_t)strlen(text);
	memcpy(buf_data(&cs->bufs, *buf), text, *len_out);
}

void rig_filled(const struct conns *cs, uint32_t buf, uint32_t len, uint32_t skipped, char seed)
{
	uint32_t k = 0;

	while (k < len && buf_data(&cs->bufs, buf)[k] == byte_of(seed, k + skipped))
		k++;
	ck_assert_uint_eq(k, len);
}
