/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reads /proc and /sys/fs/cgroup. Called by droverctl doctor; judges nothing.
 */
#include "shm/ctl_proc.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shm/diagnose.h"

enum {
	TEXT_BYTES = 8192,
	PATH_BYTES = 512
};

/* The start of a file as text. Returns its length, or -1. */
static ssize_t slurp(const char *path, char out[TEXT_BYTES])
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	out[0] = '\0';
	if (fd < 0)
		return -1;
	n = read(fd, out, TEXT_BYTES - 1);
	close(fd);
	out[n > 0 ? n : 0] = '\0';
	return n;
}

static const char *of_process(uint64_t pid, const char *name, char out[PATH_BYTES])
{
	snprintf(out, PATH_BYTES, "/proc/%llu/%s", (unsigned long long)pid, name);
	return out;
}

static uint64_t number_at(const char *text, unsigned nth)
{
	const char *digits = "0123456789";

	for (;; nth--) {
		text += strcspn(text, digits);
		if (*text == '\0')
			return FACTS_UNKNOWN;
		if (nth == 0)
			return strtoull(text, NULL, 10);
		text += strspn(text, digits);
	}
}

uint64_t proc_number(const char *path, unsigned nth)
{
	char text[TEXT_BYTES];

	return slurp(path, text) > 0 ? number_at(text, nth) : FACTS_UNKNOWN;
}

uint64_t proc_behind(const char *path, const char *word)
{
	char text[TEXT_BYTES];
	const char *at;

	if (slurp(path, text) <= 0 || (at = strstr(text, word)) == NULL)
		return FACTS_UNKNOWN;
	return number_at(at + strlen(word), 0);
}

char proc_task(uint64_t pid)
{
	char text[TEXT_BYTES], path[PATH_BYTES];
	const char *at;

	if (slurp(of_process(pid, "stat", path), text) <= 0)
		return 0;
	at = strrchr(text, ')');
	return at != NULL && at[1] == ' ' ? at[2] : 0;
}

uint64_t proc_resident(uint64_t pid)
{
	char path[PATH_BYTES];
	uint64_t pages = proc_number(of_process(pid, "statm", path), 1);

	return pages == FACTS_UNKNOWN ? pages : pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

uint64_t proc_waited_us(uint64_t pid)
{
	char path[PATH_BYTES];
	uint64_t ns = proc_number(of_process(pid, "schedstat", path), 1);

	return ns == FACTS_UNKNOWN ? ns : ns / 1000;
}

uint64_t proc_descriptors(uint64_t pid, void (*each)(unsigned fd, uint64_t inode, void *arg),
			  void *arg)
{
	static const char socket[] = "socket:[";
	char path[PATH_BYTES], link[64];
	struct dirent *entry;
	uint64_t count = 0;
	DIR *dir = opendir(of_process(pid, "fd", path));

	if (dir == NULL)
		return FACTS_UNKNOWN;
	while ((entry = readdir(dir)) != NULL) {
		uint64_t inode = 0;
		ssize_t n;

		if (entry->d_name[0] < '0' || entry->d_name[0] > '9')
			continue;
		count++;
		n = readlinkat(dirfd(dir), entry->d_name, link, sizeof(link) - 1);
		link[n > 0 ? n : 0] = '\0';
		if (strncmp(link, socket, sizeof(socket) - 1) == 0)
			inode = strtoull(link + sizeof(socket) - 1, NULL, 10);
		each((unsigned)strtoul(entry->d_name, NULL, 10), inode, arg);
	}
	closedir(dir);
	return count;
}

/* The fuller of two groups; limits beyond any machine's memory are none. */
static void keep_fuller(uint64_t used, uint64_t cache, uint64_t max, uint64_t *used_out,
			uint64_t *max_out)
{
	if (used == FACTS_UNKNOWN || max == FACTS_UNKNOWN || max == 0 || max >= UINT64_MAX / 4)
		return;
	/* Pages of files that nobody has looked at lately go first, without harm. */
	if (cache != FACTS_UNKNOWN && cache < used)
		used -= cache;
	if (*max_out != FACTS_UNKNOWN &&
	    (double)used / (double)max <= (double)*used_out / (double)*max_out)
		return;
	*used_out = used;
	*max_out = max;
}

static void look_at_group(const char *root, const char *group, bool second, uint64_t *used_out,
			  uint64_t *max_out)
{
	char used[PATH_BYTES], max[PATH_BYTES], stat[PATH_BYTES];

	snprintf(used, sizeof(used), "%s%s/%s", root, group,
		 second ? "memory.current" : "memory.usage_in_bytes");
	snprintf(max, sizeof(max), "%s%s/%s", root, group,
		 second ? "memory.max" : "memory.limit_in_bytes");
	snprintf(stat, sizeof(stat), "%s%s/memory.stat", root, group);
	keep_fuller(proc_number(used, 0),
		    proc_behind(stat, second ? "\ninactive_file " : "total_inactive_file "),
		    proc_number(max, 0), used_out, max_out);
}

/* Lines "0::/path" (version 2) and "4:memory:/path"; every group above counts as well. */
void proc_group(uint64_t pid, uint64_t *used_out, uint64_t *max_out)
{
	char text[TEXT_BYTES], path[PATH_BYTES], *rest, *line;

	*used_out = *max_out = FACTS_UNKNOWN;
	if (slurp(of_process(pid, "cgroup", path), text) <= 0)
		return;
	for (line = strtok_r(text, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest)) {
		bool second = strncmp(line, "0::", 3) == 0;
		char *group = second ? line + 3 : strstr(line, ":memory:");

		if (group == NULL)
			continue;
		group += second ? 0 : strlen(":memory:");
		for (;;) {
			char *slash = strrchr(group, '/');

			look_at_group(second ? "/sys/fs/cgroup" : "/sys/fs/cgroup/memory", group,
				      second, used_out, max_out);
			if (slash == NULL)
				break;
			*slash = '\0';
		}
	}
}

bool proc_net_differs(uint64_t pid)
{
	char path[PATH_BYTES];
	struct stat mine, theirs;

	if (stat("/proc/self/ns/net", &mine) != 0 ||
	    stat(of_process(pid, "ns/net", path), &theirs) != 0)
		return false;
	return mine.st_ino != theirs.st_ino || mine.st_dev != theirs.st_dev;
}

int proc_net_enter(uint64_t pid)
{
	char path[PATH_BYTES];
	int fd = open(of_process(pid, "ns/net", path), O_RDONLY | O_CLOEXEC), status;

	if (fd < 0)
		return -1;
	status = setns(fd, CLONE_NEWNET);
	close(fd);
	return status;
}
