/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is heard of the children, of all of them at once: what they say, and that they have died.
 */
#ifndef DROVER_MASTER_CHILDREN_H
#define DROVER_MASTER_CHILDREN_H

struct master;

/* Reads what they say. */
void children_hear(struct master *m);

/* Buries the dead: those whom SIGCHLD told of, and those who are no children of this process. */
void children_bury(struct master *m);
void children_bury_adopted(struct master *m);

/* What the workers of another program count on their own board is carried to ours, until they are
 * gone. */
void children_carry(struct master *m);

#endif
