/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Names of peers at the loading of a configuration: all are looked up side by side, and after a
 * short time the daemon goes on without those that did not answer. Afterwards it is the prober who
 * looks them up (worker/resolver.h). It must never keep the daemon from starting.
 */
#ifndef DROVER_MASTER_RESOLVE_H
#define DROVER_MASTER_RESOLVE_H

#include <stdint.h>

struct board;
struct conf_messages;
struct peer;
struct settings;

enum {
	RESOLVE_START_MS = 2000, /* nobody is served yet */
	RESOLVE_RELOAD_MS = 500  /* the master does nothing else meanwhile */
};

/*
 * Fills addr (and other, if there are addresses of both families) of peers with names; b: those
 * whose address is on this board already are left out; NULL: none. What cannot be resolved is told
 * to warn().
 */
void resolve_names(struct settings *s, const struct board *b, unsigned limit_ms,
		   void (*warn)(void *arg, const struct peer *p, const char *why), void *arg);

/* The same with warnings among the messages, and in the error log. */
void resolve_said(struct settings *s, struct conf_messages *m);
void resolve_logged(struct settings *s, const struct board *b, unsigned limit_ms);

#endif
