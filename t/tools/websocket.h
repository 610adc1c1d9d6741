/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * WebSocket for the test tools (RFC 6455): the proof of the handshake, and the heads of frames.
 * Header only, because each tool is linked from one .c file.
 */
#ifndef DROVER_T_WEBSOCKET_H
#define DROVER_T_WEBSOCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum {
	WS_TEXT = 1,
	WS_BINARY = 2,
	WS_CLOSE = 8,
	WS_PING = 9,
	WS_PONG = 10,
	WS_HEAD_MAX = 14,
	WS_KEY_LEN = 24,   /* base64 of 16 bytes */
	WS_ACCEPT_LEN = 28 /* of 20 bytes */
};

static inline uint32_t ws_rotated(uint32_t v, int by)
{
	return v << by | v >> (32 - by);
}

/* SHA-1 (RFC 3174) of one block; h goes on. */
static inline void ws_sha1_block(uint32_t h[5], const unsigned char block[64])
{
	static const uint32_t constants[] = {0x5a827999, 0x6ed9eba1, 0x8f1bbcdc, 0xca62c1d6};
	uint32_t w[80], v[5];

	for (int t = 0; t < 16; t++)
		w[t] = (uint32_t)block[4 * t] << 24 | (uint32_t)block[4 * t + 1] << 16 |
		       (uint32_t)block[4 * t + 2] << 8 | block[4 * t + 3];
	for (int t = 16; t < 80; t++)
		w[t] = ws_rotated(w[t - 3] ^ w[t - 8] ^ w[t - 14] ^ w[t - 16], 1);
	memcpy(v, h, sizeof v);
	for (int t = 0; t < 80; t++) {
		uint32_t f = t < 20   ? (v[1] & v[2]) | (~v[1] & v[3])
			     : t < 40 ? v[1] ^ v[2] ^ v[3]
			     : t < 60 ? (v[1] & v[2]) | (v[1] & v[3]) | (v[2] & v[3])
				      : v[1] ^ v[2] ^ v[3];
		uint32_t next = ws_rotated(v[0], 5) + f + v[4] + w[t] + constants[t / 20];

		v[4] = v[3];
		v[3] = v[2];
		v[2] = ws_rotated(v[1], 30);
		v[1] = v[0];
		v[0] = next;
	}
	for (int k = 0; k < 5; k++)
		h[k] += v[k];
}

static inline void ws_base64(const unsigned char *p, size_t len, char *out)
{
	static const char digits[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	for (size_t k = 0; k < len; k += 3) {
		uint32_t v = (uint32_t)p[k] << 16 | (k + 1 < len ? (uint32_t)p[k + 1] << 8 : 0) |
			     (k + 2 < len ? p[k + 2] : 0);

		*out++ = digits[v >> 18];
		*out++ = digits[v >> 12 & 63];
		*out++ = k + 1 < len ? digits[v >> 6 & 63] : '=';
		*out++ = k + 2 < len ? digits[v & 63] : '=';
	}
	*out = '\0';
}

/* What Sec-WebSocket-Accept says to a key of WS_KEY_LEN characters. */
static inline void ws_accept(const char *key, char out[WS_ACCEPT_LEN + 1])
{
	static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
	uint32_t h[5] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
	unsigned char block[128] = {0}, digest[20];
	const size_t len = WS_KEY_LEN + sizeof guid - 1; /* 60: the length is in a second block */

	memcpy(block, key, WS_KEY_LEN);
	memcpy(block + WS_KEY_LEN, guid, sizeof guid - 1);
	block[len] = 0x80;
	block[126] = (unsigned char)(len * 8 >> 8);
	block[127] = (unsigned char)(len * 8);
	ws_sha1_block(h, block);
	ws_sha1_block(h, block + 64);
	for (int k = 0; k < 20; k++)
		digest[k] = (unsigned char)(h[k / 4] >> (24 - k % 4 * 8));
	ws_base64(digest, sizeof digest, out);
}

struct ws_frame {
	int opcode;
	bool last;
	bool masked;
	unsigned char mask[4];
	size_t head_len;
	uint64_t len;
};

/* Is the head of a frame whole? */
static inline bool ws_parse(const unsigned char *p, size_t len, struct ws_frame *f)
{
	size_t more;

	if (len < 2)
		return false;
	f->opcode = p[0] & 15;
	f->last = (p[0] & 0x80) != 0;
	f->masked = (p[1] & 0x80) != 0;
	f->len = p[1] & 0x7f;
	more = f->len == 126 ? 2 : f->len == 127 ? 8 : 0;
	f->head_len = 2 + more + (f->masked ? 4 : 0);
	if (len < f->head_len)
		return false;
	if (more > 0)
		f->len = 0;
	for (size_t k = 0; k < more; k++)
		f->len = f->len << 8 | p[2 + k];
	if (f->masked)
		memcpy(f->mask, p + 2 + more, 4);
	return true;
}

/* The head of a whole message; mask: NULL, or of 4 bytes. Returns its length. */
static inline size_t ws_head(unsigned char out[WS_HEAD_MAX], int opcode, uint64_t len,
			     const unsigned char *mask)
{
	size_t n = 2, more = len < 126 ? 0 : len < 65536 ? 2 : 8;

	out[0] = (unsigned char)(0x80 | opcode);
	out[1] = (unsigned char)((mask != NULL ? 0x80 : 0) | (more == 0   ? (int)len
							      : more == 2 ? 126
									  : 127));
	for (size_t k = 0; k < more; k++)
		out[n++] = (unsigned char)(len >> 8 * (more - 1 - k));
	for (size_t k = 0; mask != NULL && k < 4; k++)
		out[n++] = mask[k];
	return n;
}

#endif
