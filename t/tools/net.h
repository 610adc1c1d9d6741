/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the test clients share: the clock, addresses, sockets, descriptors, numbers of the command
 * line. Header only, because each tool is linked from one .c file. Times are CLOCK_MONOTONIC
 * microseconds. Functions that report nothing end the program with status 2: a test tool that
 * cannot do what it was asked must not look like a result.
 */
#ifndef DROVER_T_NET_H
#define DROVER_T_NET_H

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

struct net_addr {
	struct sockaddr_storage sa;
	socklen_t len;
};

static inline uint64_t net_now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

/* Parses the value of an option; complains by the option's letter. */
static inline double net_number(const char *text, int option, double min, double max)
{
	char *end;
	double value;

	errno = 0;
	value = strtod(text, &end);
	if (errno != 0 || end == text || *end != '\0' || !(value >= min && value <= max))
		errx(2, "-%c %s: not a number from %.0f to %.0f", option, text, min, max);
	return value;
}

/* "127.0.0.1:80" or "[::1]:80", numeric only: a test never asks a resolver. */
static inline struct net_addr net_parse(const char *text)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
				 .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
	struct addrinfo *found;
	struct net_addr out = {.len = 0};
	const char *colon = strrchr(text, ':');
	char host[64];
	size_t len;

	if (colon == NULL || colon == text)
		errx(2, "%s: not ADDR:PORT", text);
	len = (size_t)(colon - text);
	if (text[0] == '[' && colon[-1] == ']') {
		text++;
		len -= 2;
	}
	if (len >= sizeof(host))
		errx(2, "%s: not ADDR:PORT", text);
	memcpy(host, text, len);
	host[len] = '\0';
	if (getaddrinfo(host, colon + 1, &hints, &found) != 0)
		errx(2, "%s: not ADDR:PORT with a numeric address", text);
	memcpy(&out.sa, found->ai_addr, found->ai_addrlen);
	out.len = found->ai_addrlen;
	freeaddrinfo(found);
	return out;
}

static inline struct net_addr net_unix(const char *path)
{
	struct net_addr out = {.len = sizeof(struct sockaddr_un)};
	struct sockaddr_un un = {.sun_family = AF_UNIX};

	if (strlen(path) >= sizeof(un.sun_path))
		errx(2, "%s: longer than a socket's path may be", path);
	memcpy(un.sun_path, path, strlen(path) + 1);
	memcpy(&out.sa, &un, sizeof(un));
	return out;
}

/*
 * Leaves the choice of the port to connect(), which can then use every port once for each
 * destination instead of once for each source address. Returns 0 or -1 with errno.
 */
static inline int net_bind_loopback(int fd, unsigned host)
{
	struct sockaddr_in sin = {.sin_family = AF_INET,
				  .sin_addr.s_addr = htonl(0x7f000000 + host)};
	int on = 1;

	if (setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on)) < 0)
		return -1;
	return bind(fd, (const struct sockaddr *)&sin, sizeof(sin));
}

static inline int net_connect(int fd, const struct net_addr *to)
{
	struct sockaddr_storage copy = to->sa;

	return connect(fd, (struct sockaddr *)&copy, to->len);
}

/* Raises the limit of descriptors to `need`, or says how many there may be. */
static inline void net_want_descriptors(unsigned long need)
{
	struct rlimit lim;

	if (getrlimit(RLIMIT_NOFILE, &lim) < 0)
		err(2, "getrlimit");
	if (lim.rlim_cur >= need)
		return;
	if (lim.rlim_max < need && geteuid() == 0) {
		struct rlimit more = {.rlim_cur = need, .rlim_max = need};

		if (setrlimit(RLIMIT_NOFILE, &more) == 0)
			return;
	}
	if (lim.rlim_max < need)
		errx(2,
		     "%lu descriptors needed, but this process may have %lu: use fewer connections "
		     "or "
		     "several processes",
		     need, (unsigned long)lim.rlim_max);
	lim.rlim_cur = need;
	if (setrlimit(RLIMIT_NOFILE, &lim) < 0)
		err(2, "setrlimit");
}

/* Tells whoever waits for FILE; written under another name first, so that FILE is never seen empty.
 */
static inline void net_say_ready(const char *path)
{
	char temp[PATH_MAX];
	FILE *f;

	snprintf(temp, sizeof(temp), "%s.tmp", path);
	f = fopen(temp, "w");
	if (f == NULL || fputs("ready\n", f) < 0 || fclose(f) != 0 || rename(temp, path) < 0)
		err(2, "%s", path);
}

#endif
