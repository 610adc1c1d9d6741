/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Identities as text: see ident.h. A log line holds three of them, so digits are made eight at a
 * time in one word.
 */
#include "shm/ident.h"

#include <string.h>

#define EACH_BYTE UINT64_C(0x0101010101010101)

/* The digits of 32 bits, the first in the lowest byte. */
static uint64_t digits(uint32_t bits)
{
	uint64_t v = __builtin_bswap32(bits), letters;

	v = (v | v << 16) & UINT64_C(0x0000ffff0000ffff);
	v = (v | v << 8) & UINT64_C(0x00ff00ff00ff00ff);
	v = (v >> 4 | v << 8) & 0x0f * EACH_BYTE;
	letters = (v + 6 * EACH_BYTE) >> 4 & EACH_BYTE;
	return v + '0' * EACH_BYTE + letters * ('a' - '0' - 10);
}

char *ident_put_hex(char *out, uint64_t word)
{
	uint64_t text[2] = {digits((uint32_t)(word >> 32)), digits((uint32_t)word)};

	memcpy(out, text, sizeof text);
	return out + sizeof text;
}

static size_t put_uuid(uint64_t high, uint64_t low, char out[IDENT_ROOM])
{
	static const unsigned char parts[] = {8, 4, 4, 4, 12};
	char hex[32], *p = hex, *to = out;

	ident_put_hex(ident_put_hex(hex, high), low);
	for (size_t i = 0; i < sizeof parts; p += parts[i++]) {
		if (i > 0)
			*to++ = '-';
		memcpy(to, p, parts[i]);
		to += parts[i];
	}
	*to = '\0';
	return (size_t)(to - out);
}

size_t ident_trace(uint64_t high, uint64_t low, char out[IDENT_ROOM])
{
	char *end = out;

	if ((high | low) != 0)
		end = ident_put_hex(ident_put_hex(out, high), low);
	*end = '\0';
	return (size_t)(end - out);
}

size_t ident_text(unsigned form, uint64_t high, uint64_t low, char out[IDENT_ROOM])
{
	out[0] = '\0';
	if (form == IDENT_HEX)
		return ident_trace(high, low, out);
	if (form == IDENT_UUID)
		return put_uuid(high, low, out);
	if (form != IDENT_CHARS && form != IDENT_CUT)
		return 0;
	memcpy(out, &high, sizeof high);
	memcpy(out + sizeof high, &low, sizeof low);
	out[IDENT_CHARS_MAX] = '\0';
	return strlen(out);
}
