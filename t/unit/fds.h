/* SPDX-License-Identifier: BSD-2-Clause */
/* Descriptors of the test itself: for tests in which none may be left over. */
#ifndef DROVER_T_UNIT_FDS_H
#define DROVER_T_UNIT_FDS_H

#include <stdbool.h>

/* How many are open, the one that counts them included. */
unsigned fds_count(void);

bool fds_is_open(int fd);

/* Connected sockets: one end is returned, the other left in *far_end. They do not wait. */
int fds_pair(int *far_end);

/* What is written at peer is read at fd. */
void fds_talk(int fd, int peer);

/* How the end of a connection sees it: 'o' open, 'e' ended. */
char fds_seen_by(int end);

#endif
