/* SPDX-License-Identifier: BSD-2-Clause */
/* See hand.h. */
#include "t/unit/hand.h"

#include <string.h>

#include "worker/moved.h"

static void append(struct hand *h, const void *p, size_t len)
{
	memcpy(h->bytes + h->len, p, len);
	h->len += len;
}

void hand_begin(struct hand *h)
{
	h->len = sizeof(uint32_t);
}

void hand_add(struct hand *h, uint16_t tag, const void *p, size_t len)
{
	uint16_t n = tag < MOVED_LONG ? (uint16_t)len : 0;
	uint32_t length = (uint32_t)len;

	append(h, &tag, sizeof tag);
	append(h, &n, sizeof n);
	if (tag >= MOVED_LONG)
		append(h, &length, sizeof length);
	append(h, p, len);
}

void hand_number(struct hand *h, uint16_t tag, uint64_t v)
{
	hand_add(h, tag, &v, sizeof v);
}

void hand_text(struct hand *h, uint16_t tag, const char *text)
{
	hand_add(h, tag, text, strlen(text));
}

void hand_seal(struct hand *h)
{
	uint32_t len = (uint32_t)h->len;

	memcpy(h->bytes, &len, sizeof len);
}
