/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A worker's records without a worker: for tests of conn.c, up.c and of all that takes records from
 * one worker to another. Whatever goes wrong here fails the test.
 */
#ifndef DROVER_T_UNIT_RIG_H
#define DROVER_T_UNIT_RIG_H

#include "worker/conn.h"
#include "worker/up.h"

/* A board that no one else can open. */
void rig_board(struct board *b, const struct board_sizes *sizes);

/* Records of both kinds in a new arena, *us those of connections to peers; NULL: none of them. */
void rig_make(struct conns *cs, struct ups *us, struct arena *arena, const struct conns_env *env);
void rig_free(struct conns *cs, struct arena *arena);

/* Closes all connections, and idle ones to peers, and buries them. */
void rig_close_all(struct conns *cs);

/* A client's connection by a unix socket. */
uint32_t rig_open(struct conns *cs, uint32_t listener, int fd);

/* The same with a connection to a peer that is as *up says: an exchange. */
uint32_t rig_exchange(struct conns *cs, int fd, const struct up *up);

/* An idle connection to a peer. */
uint32_t rig_idle(struct ups *us, const struct up *up);

/* From CONN_HEAD into the state, by a way that there is. */
void rig_state(struct conns *cs, uint32_t i, enum conn_state state);

/* That of the exchange. */
struct up *rig_up(const struct conns *cs, uint32_t i);

/* By the id on the board; CONN_NONE: there is none. */
uint32_t rig_find(const struct conns *cs, uint64_t id);

/* A new buffer, with len bytes that seed tells, or with a text. */
void rig_fill(struct conns *cs, uint32_t *buf, uint32_t *len_out, uint32_t len, char seed);
void rig_give(struct conns *cs, uint32_t *buf, uint32_t *len_out, const char *text);

/* A buffer must hold len of the bytes that seed tells, from number skipped on. */
void rig_filled(const struct conns *cs, uint32_t buf, uint32_t len, uint32_t skipped, char seed);

#endif
