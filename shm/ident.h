/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Identities of a request as a connection's row holds them: two words and a form for the request's
 * id, two words for its trace. Here they become text, the same for logs, headers and droverctl.
 */
#ifndef DROVER_SHM_IDENT_H
#define DROVER_SHM_IDENT_H

#include <stddef.h>
#include <stdint.h>

/* How the two words are written. The values stand on boards and travel: they are never renumbered.
 */
enum ident_form {
	IDENT_NONE = 0,
	IDENT_HEX = 1,   /* 32 lower-case hexadecimal digits */
	IDENT_UUID = 2,  /* the same with dashes: 8-4-4-4-12 */
	IDENT_CHARS = 3, /* up to 16 characters, zero padded */
	IDENT_CUT = 4    /* the first 16 of more characters */
};

enum {
	IDENT_CHARS_MAX = 16,
	IDENT_ROOM = 40 /* of any text made here, with its NUL */
};

/* Sixteen lower-case digits, without a NUL. Returns the end. */
char *ident_put_hex(char *out, uint64_t word);

/* Text of a request's id, with a NUL; "" if there is none. Returns its length. */
size_t ident_text(unsigned form, uint64_t high, uint64_t low, char out[IDENT_ROOM]);

/* Text of a trace's id, with a NUL: 32 digits; "" if all is zero. */
size_t ident_trace(uint64_t high, uint64_t low, char out[IDENT_ROOM]);

#endif
