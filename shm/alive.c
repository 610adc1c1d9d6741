/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Looks at processes through /proc and kill(0), for readers that cannot ask the process itself.
 */
#include "shm/alive.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shm/times.h"

enum {
	SLACK_US = 1000000
};

/* Reads a file of /proc/PID; returns its length, or -1. */
static ssize_t read_proc(uint64_t pid, const char *name, char *out, size_t size)
{
	char path[64];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%llu/%s", (unsigned long long)pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	n = read(fd, out, size - 1);
	close(fd);
	out[n < 0 ? 0 : n] = '\0';
	return n;
}

/*
 * Field 3 of /proc/PID/stat is the state, field 22 the start in clock ticks since boot. Field 2,
 * the name, may hold spaces and brackets itself: the fields count from the last bracket.
 */
static bool stat_fields(uint64_t pid, char *state_out, uint64_t *start_us_out)
{
	char text[1024], *at;
	unsigned long long ticks;

	if (read_proc(pid, "stat", text, sizeof(text)) <= 0)
		return false;
	at = strrchr(text, ')');
	if (at == NULL || at[1] == '\0')
		return false;
	at += 2;
	*state_out = *at;
	for (int field = 3; field < 22; field++) {
		at = strchr(at, ' ');
		if (at == NULL)
			return false;
		at++;
	}
	ticks = strtoull(at, NULL, 10);
	*start_us_out = ticks * 1000000 / (uint64_t)sysconf(_SC_CLK_TCK);
	return true;
}

static bool possible(uint64_t pid)
{
	return pid >= 1 && pid <= INT_MAX;
}

bool alive_check(uint64_t pid, uint64_t last_us)
{
	uint64_t start_us, suspended_us;
	char state;

	if (!possible(pid) || (kill((pid_t)pid, 0) != 0 && errno == ESRCH))
		return false;
	if (!stat_fields(pid, &state, &start_us))
		return true;
	if (state == 'Z' || state == 'X')
		return false;
	suspended_us = times_boot_us() - times_mono_us();
	return last_us == 0 || start_us <= last_us + suspended_us + SLACK_US;
}

bool alive_is_drover(uint64_t pid)
{
	char comm[64];

	if (!possible(pid) || read_proc(pid, "comm", comm, sizeof(comm)) <= 0)
		return false;
	return strncmp(comm, "drover", 6) == 0 && strncmp(comm, "droverctl", 9) != 0;
}

bool alive_belongs_to(uint64_t pid, uid_t uid)
{
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%llu", (unsigned long long)pid);
	return stat(path, &st) != 0 || st.st_uid == uid;
}
