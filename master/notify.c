/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One datagram to the service manager for each change of state. Its failure is nobody's business: a
 * daemon does not stop because nobody listens. Called by boot.c and by the files of the
 * loop.
 */
#include "master/notify.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static char manager_path[sizeof(((struct sockaddr_un *)0)->sun_path)]; /* as in the environment */
static struct sockaddr_un manager;
static socklen_t manager_len;
static uint64_t watchdog_us;

static void open_watchdog(void)
{
	const char *usec = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");

	if (usec && (!pid || strtol(pid, NULL, 10) == getpid()))
		watchdog_us = strtoull(usec, NULL, 10) / 2;
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
}

void notify_open(void)
{
	const char *path = getenv("NOTIFY_SOCKET");
	size_t len = path ? strlen(path) : 0;

	if (len > 1 && len < sizeof(manager.sun_path) && (path[0] == '/' || path[0] == '@')) {
		manager.sun_family = AF_UNIX;
		memcpy(manager_path, path, len + 1);
		memcpy(manager.sun_path, path, len);
		if (path[0] == '@')
			manager.sun_path[0] = '\0';
		manager_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
		open_watchdog();
	}
	unsetenv("NOTIFY_SOCKET");
}

void notify_export(void)
{
	char text[32];

	if (!manager_len)
		return;
	setenv("NOTIFY_SOCKET", manager_path, 1);
	if (!watchdog_us)
		return;
	snprintf(text, sizeof(text), "%" PRIu64, 2 * watchdog_us);
	setenv("WATCHDOG_USEC", text, 1);
	snprintf(text, sizeof(text), "%ld", (long)getpid());
	setenv("WATCHDOG_PID", text, 1);
}

static void tell(const char *text)
{
	if (!manager_len)
		return;
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return;
	(void)!sendto(fd, text, strlen(text), MSG_NOSIGNAL, (const struct sockaddr *)&manager,
		      manager_len);
	close(fd);
}

void notify_ready(const char *status)
{
	char text[256];

	snprintf(text, sizeof(text), "READY=1\nSTATUS=%s\nMAINPID=%ld\n", status, (long)getpid());
	tell(text);
}

void notify_reloading(uint64_t now_us)
{
	char text[128];

	snprintf(text, sizeof(text), "RELOADING=1\nMONOTONIC_USEC=%" PRIu64 "\nSTATUS=reloading\n",
		 now_us);
	tell(text);
}

void notify_stopping(void)
{
	tell("STOPPING=1\nSTATUS=stopping\n");
}

void notify_status(const char *status)
{
	char text[256];

	snprintf(text, sizeof(text), "STATUS=%s\n", status);
	tell(text);
}

uint64_t notify_watchdog_us(void)
{
	return watchdog_us;
}

void notify_watchdog(void)
{
	tell("WATCHDOG=1\n");
}
