/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Listening addresses and their sockets. An address is bound once and shared by the generations
 * that name it: each listen_get() adds a user, each listen_put() takes one away, and the last one
 * closes (and unlinks a unix socket).
 *
 * A reuseport address is a group of sockets, one for each worker. The master keeps all of them open
 * for the address's life, since closing one resets the handshakes that it has queued; a group grows
 * and never shrinks. Socket j is served by the worker of slot j % workers, so that none starves
 * when there are fewer workers than sockets.
 */
#ifndef DROVER_MASTER_LISTEN_H
#define DROVER_MASTER_LISTEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "worker/settings.h"

struct bound {
	struct bound *next;
	struct sockaddr_storage addr; /* as configured: a port 0 stays 0 */
	socklen_t addr_len;
	bool reuseport;
	bool inherited;  /* the service manager made it: its file is not ours to unlink */
	int *fds;        /* owned; non-blocking, close-on-exec */
	unsigned count;  /* >= 1; 1 unless reuseport */
	unsigned users;  /* generations that hold it */
	unsigned ticket; /* of the last taker: one configuration takes an address once */
	int backlog;
	uint32_t opened; /* number of the generation that opened it; set by generation.c */
	uint32_t row;    /* of the board; set by rows.c */
	dev_t dev;       /* of a unix socket's file */
	ino_t ino;
	struct timespec made;
	char text[112]; /* as bound: host:port, [host]:port or unix:path */
};

/* All that is bound; zeroed at first. */
struct listen_set {
	struct bound *first;
	struct bound *inherited; /* came over LISTEN_FDS, claimed by nobody so far */
	unsigned tickets; /* given out; a configuration's attempt to bind is one ticket, never 0 */
};

/* Takes over the sockets that a service manager passed (LISTEN_FDS, LISTEN_PID; LISTEN_FDNAMES is
 * ignored) and clears these variables. What is no listening stream socket is closed and counted.
 * Returns that number, or -1 with errno. */
int listen_inherit(struct listen_set *set);

/*
 * The sockets of a configured listener: bound already, inherited, or bound now. `sockets` is how
 * many a reuseport group is to have at least. Returns NULL with the sentence in error, and nothing
 * changed.
 */
struct bound *listen_get(struct listen_set *set, const struct listener *l, unsigned ticket,
			 unsigned sockets, char *error, size_t size);

/* More sockets for a reuseport group; nothing for others. Returns 0, or -1 with errno and the old
 * count. */
int listen_grow(struct bound *b, unsigned sockets);

/* Backlog and mode of a configuration that is in force now. */
void listen_apply(struct bound *b, const struct listener *l);

void listen_put(struct listen_set *set, struct bound *b);

/* Closes socket j before its address ends: its fds[j] is -1 from then on. */
void listen_close_socket(struct bound *b, unsigned j);

/*
 * Enters an address that is bound already, with its sockets, which it owns from then on, and one
 * user: to be given back by listen_put(). b has addr, addr_len, reuseport, inherited, backlog,
 * opened, dev, ino and made (ino 0: the file that is there now). Returns 0, or -1 with errno.
 */
int listen_restore(struct listen_set *set, const struct bound *b, const int *fds, unsigned count);

/* Closes inherited sockets that no listener claimed; returns how many. */
unsigned listen_unclaimed(struct listen_set *set);

/* Accept queue now and its limit, summed over the sockets (TCP_INFO); a unix socket tells its limit
 * only. */
void listen_queue(const struct bound *b, uint64_t *now_out, uint64_t *max_out);

/* In a child: closes the descriptors but those of keep[], and nothing else. */
void listen_forget(const struct listen_set *set, const int *keep, unsigned n);

/* host:port, [host]:port, unix:path or unix:@name. */
void listen_text(char *out, size_t size, const struct sockaddr_storage *addr, socklen_t len);

#endif
