/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Carries what stands on one board over to another of a different layout or size: by the names of
 * tables and fields, as far as both have them. Row n stays row n. While processes of an older
 * program still write to the old board, their rows are carried again and again, and once more when
 * they are gone, so that nothing that they counted is missing.
 */
#ifndef DROVER_SHM_CARRY_H
#define DROVER_SHM_CARRY_H

#include <stddef.h>
#include <stdint.h>

#include "shm/board.h"

struct carry;

/* From the board in file descriptor fd, which may be closed afterwards. The board `to` must stay
 * mapped. Returns NULL with a sentence in why. */
struct carry *carry_open(const struct board *to, int fd, char *why, size_t why_bytes);
void carry_close(struct carry *c); /* NULL is fine */

/* Rows that the old board has, as a lower limit for the new one. */
struct board_sizes carry_sizes(int fd, struct board_sizes least);

/* Every row of every table. Nobody else writes to the new board meanwhile. */
void carry_all(struct carry *c);

/* The rows of one worker, who writes to the old board. */
void carry_worker(struct carry *c, uint32_t row);

#endif
