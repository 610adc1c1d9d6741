/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The table of well-formed byte sequences of RFC 3629, section 4.
 */
#include "shm/utf8.h"

#include <stdbool.h>

/* A first byte's range, and that of the second; all further bytes are 80..bf. */
static const struct {
	unsigned char first, last, second_low, second_high, length;
} forms[] = {
    {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3}, {0xe1, 0xec, 0x80, 0xbf, 3},
    {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3}, {0xf0, 0xf0, 0x90, 0xbf, 4},
    {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
};

static bool within(unsigned char c, unsigned char low, unsigned char high)
{
	return c >= low && c <= high;
}

size_t utf8_length(const char *text, size_t bytes)
{
	const unsigned char *s = (const unsigned char *)text;

	if (s[0] < 0x80)
		return 1;
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		if (!within(s[0], forms[i].first, forms[i].last))
			continue;
		if (bytes < forms[i].length ||
		    !within(s[1], forms[i].second_low, forms[i].second_high))
			return 0;
		for (size_t k = 2; k < forms[i].length; k++)
			if (!within(s[k], 0x80, 0xbf))
				return 0;
		return forms[i].length;
	}
	return 0;
}
