/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Questions to name servers, without waiting for them: a thin layer over c-ares, so that nobody
 * else knows that library. /etc/hosts is looked at first, then the servers are asked for A and
 * AAAA. Without c-ares (WITH_CARES=0) dns_libc.c takes its place: dns_ask() is then answered before
 * it returns, and nobody must use it who may not block.
 *
 * The caller has the loop: it is told which descriptors to watch, and tells when they are ready and
 * when dns_wait_ms() is over.
 */
#ifndef DROVER_WORKER_DNS_H
#define DROVER_WORKER_DNS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

struct resolve_settings;
struct dns;

enum {
	DNS_ADDRS = 32,  /* of an answer; more are not looked at */
	DNS_SOCKETS = 64 /* watched at a time: two for each name server, more than anybody has */
};

/* An address of the answer. */
struct dns_addr {
	uint8_t family;    /* 4 or 6; 0 = none */
	uint8_t bytes[16]; /* IPv4 mapped into IPv6 */
};

struct dns_answer {
	const char *error; /* NULL: there are addresses */
	unsigned count;
	struct dns_addr addrs[DNS_ADDRS]; /* in the order of RFC 6724 */
	uint32_t ttl_s;                   /* the least of all records, aliases included */
	bool lasting;                     /* from a file or of no known TTL: ttl_s says nothing */
};

/* The answer lives until the function returns. */
typedef void dns_done(void *arg, const struct dns_answer *a);

/* Belongs to the caller, who leaves it where it is until it is answered. */
struct dns_question {
	struct dns *dns;
	dns_done *done;
	void *arg;
};

/* From now on wait for this: neither in nor out means no more. */
typedef void dns_watch(void *arg, int fd, bool in, bool out);

/* NULL with the reason, which is a constant text. */
struct dns *dns_open(const struct resolve_settings *r, dns_watch *watch, void *arg,
		     const char **why);

/* All that are not answered yet are answered now, with an error. NULL is fine. */
void dns_close(struct dns *d);

/* Asks. done() is called once, possibly before this returns; it must not call anything here. */
void dns_ask(struct dns *d, struct dns_question *q, const char *name, dns_done *done, void *arg);

/* A descriptor is ready, or time has passed (fd -1). */
void dns_ready(struct dns *d, int fd, bool in, bool out);

/* How long to wait at most before dns_ready(d, -1, ...); -1: nothing is asked. */
int dns_wait_ms(struct dns *d);

/* Can it ask without blocking, and its name and version. */
bool dns_is_live(void);
const char *dns_version(void);

#endif
