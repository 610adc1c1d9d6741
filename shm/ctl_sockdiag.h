/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * TCP sockets as the kernel's sock_diag tells them over netlink, those of given endpoints only: the
 * kernel filters, so that a hundred thousand sockets of others cost nothing, and each one is passed
 * on as it comes, so that any number needs no memory here.
 *
 * shm/ctl_sockdiag.c needs libmnl; built without, shm/ctl_nosockdiag.c says so in its place.
 */
#ifndef DROVER_SHM_CTL_SOCKDIAG_H
#define DROVER_SHM_CTL_SOCKDIAG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* An address, IPv4 mapped into IPv6; all zero is any, any IPv4 one if v4. */
struct sockdiag_endpoint {
	uint8_t addr[16];
	uint16_t port;
	bool any, v4;
};

/* "192.0.2.1:80", "[2001:db8::1]:80"; false if it is neither. */
bool sockdiag_parse(const char *text, struct sockdiag_endpoint *out);
/* The other way round; cut to fit. Returns out. */
char *sockdiag_text(const uint8_t addr[16], uint16_t port, char *out, size_t size);
/* Index of the endpoint that an address belongs to, its own before one for any; n if to none. */
size_t sockdiag_find(const struct sockdiag_endpoint *all, size_t n, const uint8_t addr[16],
		     uint16_t port);

struct sockdiag_socket {
	unsigned state; /* enum facts_tcp */
	uint8_t local[16], peer[16];
	uint16_t local_port, peer_port;
	uint32_t inode;          /* 0: of no process (any more, or not yet accepted) */
	uint32_t rqueue, wqueue; /* of a listening socket: its queue and the queue's limit */
	bool probing;            /* the peer's window is closed, and is asked for again and again */
	bool has_drops, has_info; /* the kernel told: */
	uint32_t drops;           /* connections turned away by a listening socket */
	uint32_t tries;           /* the last segment was sent again so many times */
	uint64_t segments, retrans;
	uint64_t quiet_ms; /* since anything was sent */
};

enum sockdiag_side {
	SOCKDIAG_LOCAL,
	SOCKDIAG_PEER
};

struct sockdiag_query {
	const struct sockdiag_endpoint *endpoints;
	size_t count;
	enum sockdiag_side side; /* which end of a connection has to be one of the endpoints */
	uint32_t states;         /* bits 1 << enum facts_tcp */
	bool info, drops;        /* ask for them */
	void (*begin)(
	    void *arg); /* what came so far is void: the kernel begins anew; may be NULL */
	void (*each)(const struct sockdiag_socket *s, size_t endpoint, void *arg);
	void *arg;
};

/* Returns 0, or -1 with a sentence in why. */
int sockdiag_dump(const struct sockdiag_query *q, char *why, size_t why_bytes);

#endif
