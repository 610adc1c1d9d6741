/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * UTF-8 (RFC 3629): which bytes are a character.
 */
#ifndef DROVER_SHM_UTF8_H
#define DROVER_SHM_UTF8_H

#include <stddef.h>

/*
 * Bytes of the character that text begins with: 1 to 4; 0 if the first byte begins none (overlong
 * forms, surrogates, what lies above U+10FFFF, or cut off by the end). bytes >= 1.
 */
size_t utf8_length(const char *text, size_t bytes);

#endif
