/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What changes in a running daemon: its configuration (reload), its number of workers, its program
 * (the first half of an upgrade). One of them at a time; what is asked for meanwhile comes after.
 */
#ifndef DROVER_MASTER_CHANGE_H
#define DROVER_MASTER_CHANGE_H

struct master;

/* To be called in each turn of a running daemon, in this order: the check of a new program, which
 * is executed if it passes; then the roll under way, and the next change when that is over. */
void change_upgrade_step(struct master *m);
void change_turn(struct master *m);

/* A reload or an upgrade that was asked for comes to nothing, for this reason. */
void change_reload_failed(struct master *m, const char *why);
void change_upgrade_failed(struct master *m, const char *why);

/* All that is under way or was asked for comes to nothing, and no slot wants a worker any more. */
void change_abandon(struct master *m, const char *why);

#endif
