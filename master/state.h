/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What one program leaves to the next when the master is executed anew: listeners, children,
 * numbers, and the descriptors of them all, as lines of text in a memfd. The first line names the
 * version; one that is not known is refused, and so is a line that is not understood, since a
 * descriptor that nobody knows would stay open for ever.
 *
 * Descriptors are numbers here: they belong to whoever is the master at the time, and lose their
 * close-on-exec flag for the moment of the exec only.
 */
#ifndef DROVER_MASTER_STATE_H
#define DROVER_MASTER_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <time.h>

enum {
	STATE_VERSION = 1
};

struct state_listener {
	struct sockaddr_storage addr; /* as configured */
	socklen_t addr_len;
	bool reuseport;
	bool inherited;
	int backlog;
	uint32_t opened;
	uint64_t dev, ino; /* of a unix socket's file; 0: none */
	struct timespec made;
	int *fds; /* -1: closed already */
	uint32_t fds_count;
};

struct state_child {
	uint32_t slot, half, generation;
	pid_t pid, standby, predecessor;
	uint64_t instance;
	int control_fd; /* -1: closed */
	char state[12]; /* as text: numbers of enums differ between versions */
	bool asked;     /* it was told to end */
	uint64_t started_us, ready_us, deadline_us;
	uint64_t until_us; /* end of its drain */
	uint32_t drain_flags;
};

/* What is left to know of a configuration that children still run with. */
struct state_generation {
	uint32_t number;
	uint64_t drain_us, hang_us;
};

struct state {
	char *version;      /* of the program that wrote it */
	uint32_t number;    /* of the generation in force */
	uint32_t last;      /* number given to a generation */
	uint64_t instances; /* started so far */
	uint32_t workers, configured;
	int program_fd;    /* the program that wrote this: the way back */
	int board_fd;      /* the file of its board */
	int lock_fd;       /* on the run directory */
	int pid_fd;        /* on the pid file */
	char *pid_path;    /* of the pid file */
	char *config_file; /* "": none */
	char *config;      /* in force, in full */
	int error_fd;      /* its logs */
	int *log_fds;
	uint32_t log_fds_count;
	struct state_generation *generations;
	uint32_t generations_count;
	struct state_listener *listeners;
	uint32_t listeners_count;
	struct state_child *children;
	uint32_t children_count;
};

#define STATE_EMPTY      \
	((struct state){ \
	    .program_fd = -1, .board_fd = -1, .lock_fd = -1, .pid_fd = -1, .error_fd = -1})

/* Adds a zeroed element to one of the arrays above and returns it; NULL: no memory. */
struct state_generation *state_add_generation(struct state *s);
struct state_listener *state_add_listener(struct state *s);
struct state_child *state_add_child(struct state *s);
int state_add_fd(int **fds, uint32_t *count, int fd);

/* Makes the memfd (close-on-exec). Returns it, or -1 with errno. */
int state_write(const struct state *s);

/* Reads it; the position in fd does not matter. Returns 0, or -1 with the sentence in error and an
 * empty state. */
int state_read(struct state *s, int fd, char *error, size_t size);

/* Sets or clears close-on-exec of every descriptor that it names. Safe in a signal handler. */
void state_close_on_exec(const struct state *s, bool on);

/* Frees the memory, and closes nothing. */
void state_free(struct state *s);

#endif
