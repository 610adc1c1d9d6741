/* SPDX-License-Identifier: BSD-2-Clause */
/* Records of worker/moved.h made by hand, field by field, right or wrong. */
#ifndef DROVER_T_UNIT_HAND_H
#define DROVER_T_UNIT_HAND_H

#include <stddef.h>
#include <stdint.h>

enum {
	HAND_SIZE = 4096
};

struct hand {
	char bytes[HAND_SIZE];
	size_t len;
};

void hand_begin(struct hand *h);
void hand_add(struct hand *h, uint16_t tag, const void *p, size_t len);
void hand_number(struct hand *h, uint16_t tag, uint64_t v);
void hand_text(struct hand *h, uint16_t tag, const char *text);

/* The record is as long as it is. */
void hand_seal(struct hand *h);

#endif
