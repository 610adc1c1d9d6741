/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the cookie of a session says of its peer: 16 hexadecimal digits, SipHash-2-4 (Aumasson and
 * Bernstein, INDOCRYPT 2012) of the peer's address as configured. The hash's key is made of the
 * text of sticky { key }, or else of the upstream's name: then it is the same wherever the same
 * configuration is in force, over reloads, upgrades, restarts and machines, and hides the address
 * from clients that do not guess both. Computed when the configuration is loaded.
 */
#ifndef DROVER_WORKER_STICKY_H
#define DROVER_WORKER_STICKY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	STICKY_DIGITS = 16
};

uint64_t sticky_siphash(const uint64_t key[2], const void *p, size_t len);

/* secret: the configured key, or the upstream's name. */
uint64_t sticky_of(const char *secret, const char *address);

/* The digits and a NUL. */
void sticky_write(uint64_t sticky, char out[STICKY_DIGITS + 1]);

/* False: it is no such value. */
bool sticky_read(const char *p, size_t len, uint64_t *out);

#endif
