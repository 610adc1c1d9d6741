/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What comes of an answer of a name server: which address a peer has now, and when its name is
 * looked up again. Pure functions.
 */
#ifndef DROVER_WORKER_NAMES_H
#define DROVER_WORKER_NAMES_H

#include <stdbool.h>
#include <stdint.h>

#include "worker/dns.h"
#include "worker/settings.h"

/* The address in use and the first one of the other family. */
struct names_pair {
	struct dns_addr addr, other;
};

/*
 * Out of an answer with addresses: the address in use stays while it is among them, else it is the
 * first; so with the other. True: the address in use is another one than before.
 */
bool names_choose(const struct dns_answer *a, struct names_pair *pair);

/* For how long the answer is good. */
uint64_t names_good_us(const struct resolve_settings *r, const struct dns_answer *a);

/* How long to wait after so many failures in a row (1 or more). */
uint64_t names_retry_us(const struct resolve_settings *r, unsigned failures);

/* Up to a tenth more, so that not all ask at once. random: any number. */
uint64_t names_jitter_us(uint64_t us, uint32_t random);

/* To and from addresses of sockets. Returns the length, 0 for no address. */
socklen_t names_socket(const struct dns_addr *a, in_port_t port, union peer_addr *out);

/* Stands for an address: never 0, and the same for the same address and port. */
uint32_t names_mark(const struct dns_addr *a, in_port_t port);

/* "192.0.2.1:80", "[::1]:80" */
void names_text(const struct dns_addr *a, in_port_t port, char *out, size_t size);

#endif
