/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Values of session cookies: see sticky.h.
 */
#include "worker/sticky.h"

#include <string.h>

static inline uint64_t turned(uint64_t x, int by)
{
	return x << by | x >> (64 - by);
}

static void rounds(uint64_t v[4], int n)
{
	while (n-- > 0) {
		v[0] += v[1];
		v[1] = turned(v[1], 13) ^ v[0];
		v[0] = turned(v[0], 32);
		v[2] += v[3];
		v[3] = turned(v[3], 16) ^ v[2];
		v[0] += v[3];
		v[3] = turned(v[3], 21) ^ v[0];
		v[2] += v[1];
		v[1] = turned(v[1], 17) ^ v[2];
		v[2] = turned(v[2], 32);
	}
}

/* At most 8 bytes, little-endian. */
static uint64_t word_of(const unsigned char *p, size_t len)
{
	uint64_t w = 0;

	for (size_t k = 0; k < len; k++)
		w |= (uint64_t)p[k] << 8 * k;
	return w;
}

uint64_t sticky_siphash(const uint64_t key[2], const void *p, size_t len)
{
	uint64_t v[4] = {
	    key[0] ^ UINT64_C(0x736f6d6570736575), key[1] ^ UINT64_C(0x646f72616e646f6d),
	    key[0] ^ UINT64_C(0x6c7967656e657261), key[1] ^ UINT64_C(0x7465646279746573)};
	const unsigned char *at = p;
	uint64_t m;

	for (size_t left = len;; left -= 8, at += 8) {
		m = left >= 8 ? word_of(at, 8) : word_of(at, left) | (uint64_t)len << 56;
		v[3] ^= m;
		rounds(v, 2);
		v[0] ^= m;
		if (left < 8)
			break;
	}
	v[2] ^= 0xff;
	rounds(v, 4);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

uint64_t sticky_of(const char *secret, const char *address)
{
	static const uint64_t first[2] = {0, 0}, second[2] = {0, 1};
	const uint64_t key[2] = {sticky_siphash(first, secret, strlen(secret)),
				 sticky_siphash(second, secret, strlen(secret))};

	return sticky_siphash(key, address, strlen(address));
}

static const char digits[] = "0123456789abcdef";

void sticky_write(uint64_t sticky, char out[STICKY_DIGITS + 1])
{
	for (int k = STICKY_DIGITS; k-- > 0; sticky >>= 4)
		out[k] = digits[sticky & 15];
	out[STICKY_DIGITS] = '\0';
}

bool sticky_read(const char *p, size_t len, uint64_t *out)
{
	uint64_t v = 0;

	if (len != STICKY_DIGITS)
		return false;
	for (size_t k = 0; k < len; k++) {
		const char *d = p[k] != '\0' ? strchr(digits, p[k]) : NULL;

		if (d == NULL)
			return false;
		v = v << 4 | (uint64_t)(d - digits);
	}
	*out = v;
	return true;
}
