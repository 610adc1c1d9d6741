/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tests master/listen.c: addresses bound once and shared, groups that grow, unix sockets stale and
 * alive, and sockets that a service manager passed.
 */
#include "master/listen.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static struct listen_set set;
static char folder[64], error[256];

static void set_up(void)
{
	set = (struct listen_set){0};
	strcpy(folder, "/tmp/check_listen.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
}

static void tear_down(void)
{
	ck_assert_ptr_null(set.first);
	ck_assert_int_eq(rmdir(folder), 0); /* nothing is left behind */
}

static struct listener tcp(const char *host, uint16_t port)
{
	struct listener l = {.address = "tcp", .backlog = 16, .addr_len = sizeof(l.addr.in)};

	l.addr.in.sin_family = AF_INET;
	l.addr.in.sin_port = htons(port);
	inet_pton(AF_INET, host, &l.addr.in.sin_addr);
	return l;
}

static struct listener local(const char *name)
{
	struct listener l = {
	    .address = name, .backlog = 16, .mode = 0640, .addr_len = sizeof(l.addr.un)};

	l.addr.un.sun_family = AF_UNIX;
	snprintf(l.addr.un.sun_path, sizeof(l.addr.un.sun_path), "%s/%s", folder, name);
	return l;
}

static uint16_t port_of(int fd)
{
	struct sockaddr_in in;
	socklen_t len = sizeof(in);

	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&in, &len), 0);
	return ntohs(in.sin_port);
}

static struct bound *get(const struct listener *l, unsigned sockets)
{
	return listen_get(&set, l, ++set.tickets, sockets, error, sizeof(error));
}

static int option(int fd, int level, int name)
{
	int value = 0;
	socklen_t len = sizeof(value);

	ck_assert_int_eq(getsockopt(fd, level, name, &value, &len), 0);
	return value;
}

START_TEST(test_options)
{
	struct listener l = tcp("127.0.0.1", 0);
	struct bound *b = get(&l, 4);
	char text[64];

	ck_assert_ptr_nonnull(b);
	ck_assert_uint_eq(b->count, 1); /* no group: one socket for all */
	ck_assert_int_ne(option(b->fds[0], IPPROTO_TCP, TCP_NODELAY), 0);
	ck_assert_int_ne(option(b->fds[0], SOL_SOCKET, SO_REUSEADDR), 0);
	ck_assert_int_eq(option(b->fds[0], SOL_SOCKET, SO_REUSEPORT), 0);
	ck_assert_int_ne(fcntl(b->fds[0], F_GETFD) & FD_CLOEXEC, 0);
	ck_assert_int_ne(fcntl(b->fds[0], F_GETFL) & O_NONBLOCK, 0);
	snprintf(text, sizeof(text), "127.0.0.1:%u", port_of(b->fds[0]));
	ck_assert_str_eq(b->text, text);
	listen_put(&set, b);
}
END_TEST

START_TEST(test_ipv6_only)
{
	struct listener l = {.address = "v6", .backlog = 16, .addr_len = sizeof(l.addr.in6)};

	l.addr.in6.sin6_family = AF_INET6;
	l.addr.in6.sin6_addr = in6addr_loopback;
	struct bound *b = get(&l, 1);

	if (!b && errno == EADDRNOTAVAIL)
		return; /* no IPv6 here */
	ck_assert_ptr_nonnull(b);
	ck_assert_int_ne(option(b->fds[0], IPPROTO_IPV6, IPV6_V6ONLY), 0);
	ck_assert_msg(!strncmp(b->text, "[::1]:", 6), "%s", b->text);
	listen_put(&set, b);
}
END_TEST

/* Two configurations that name an address share it; each of two entries with port 0 is one of its
 * own. */
START_TEST(test_shared)
{
	struct listener l = tcp("127.0.0.1", 0);
	struct bound *one = get(&l, 1), *two, *again;
	unsigned ticket = ++set.tickets;

	ck_assert_ptr_nonnull(one);
	two = listen_get(&set, &l, ticket, 1, error, sizeof(error));
	ck_assert_ptr_eq(one, two);
	again = listen_get(&set, &l, ticket, 1, error, sizeof(error));
	ck_assert_ptr_nonnull(again);
	ck_assert_ptr_ne(one, again);
	listen_put(&set, again);
	listen_put(&set, one);
	ck_assert_ptr_eq(set.first, two);
	ck_assert_int_ne(option(two->fds[0], SOL_SOCKET, SO_ACCEPTCONN), 0);
	listen_put(&set, two);
	ck_assert_ptr_null(set.first);
}
END_TEST

START_TEST(test_in_use)
{
	struct listener any = tcp("127.0.0.1", 0);
	struct bound *b = get(&any, 1);
	struct listen_set other = {0};
	struct listener same = tcp("127.0.0.1", port_of(b->fds[0]));

	ck_assert_ptr_null(listen_get(&other, &same, 1, 1, error, sizeof(error)));
	ck_assert_str_eq(error, "cannot listen on tcp: Address already in use");
	ck_assert_ptr_null(other.first);
	listen_put(&set, b);
	b = listen_get(&other, &same, 2, 1, error, sizeof(error)); /* free again */
	ck_assert_ptr_nonnull(b);
	listen_put(&other, b);
}
END_TEST

START_TEST(test_group)
{
	struct listener l = tcp("127.0.0.1", 0);
	struct bound *b;

	l.reuseport = true;
	b = get(&l, 3);
	ck_assert_ptr_nonnull(b);
	ck_assert_uint_eq(b->count, 3);
	ck_assert_int_eq(listen_grow(b, 2), 0);
	ck_assert_uint_eq(b->count, 3); /* never shrinks */
	ck_assert_int_eq(listen_grow(b, 5), 0);
	ck_assert_uint_eq(b->count, 5);
	for (unsigned j = 0; j < 5; j++) {
		ck_assert_int_eq(port_of(b->fds[j]), port_of(b->fds[0]));
		ck_assert_int_ne(option(b->fds[j], SOL_SOCKET, SO_REUSEPORT), 0);
		ck_assert_int_ne(option(b->fds[j], IPPROTO_TCP, TCP_NODELAY), 0);
	}
	listen_close_socket(b, 1);
	ck_assert_int_eq(b->fds[1], -1);
	listen_put(&set, b);
}
END_TEST

START_TEST(test_unix)
{
	struct listener l = local("s");
	struct listen_set other = {0};
	struct bound *b = get(&l, 2), *second;
	struct stat st;

	ck_assert_ptr_nonnull(b);
	ck_assert_int_eq(stat(l.addr.un.sun_path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0640);
	ck_assert_int_eq(strncmp(b->text, "unix:/", 6), 0);
	l.mode = 0666;
	listen_apply(b, &l);
	ck_assert_int_eq(stat(l.addr.un.sun_path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0666);

	/* Alive: refused, and left alone. */
	ck_assert_ptr_null(listen_get(&other, &l, 1, 1, error, sizeof(error)));
	ck_assert_str_eq(error, "cannot listen on s: Address already in use");
	ck_assert_int_eq(stat(l.addr.un.sun_path, &st), 0);

	/* Stale: nobody listens behind it. It is replaced, and its first owner does not remove what
	 * is not its own any more. */
	listen_close_socket(b, 0);
	second = listen_get(&other, &l, 2, 1, error, sizeof(error));
	ck_assert_msg(second != NULL, "%s", error);
	listen_put(&set, b);
	ck_assert_int_eq(stat(l.addr.un.sun_path, &st), 0);
	listen_put(&other, second);
	ck_assert_int_eq(stat(l.addr.un.sun_path, &st), -1);
}
END_TEST

START_TEST(test_unix_no_socket)
{
	struct listener l = local("file");
	struct stat st;
	int fd = open(l.addr.un.sun_path, O_WRONLY | O_CREAT, 0600);

	ck_assert_int_ge(fd, 0);
	close(fd);
	ck_assert_ptr_null(get(&l, 1));
	ck_assert_str_eq(error,
			 "cannot listen on file: there is a file of that name which is no socket");
	ck_assert_int_eq(stat(l.addr.un.sun_path, &st), 0);
	unlink(l.addr.un.sun_path);
}
END_TEST

START_TEST(test_queue)
{
	struct listener l = tcp("127.0.0.1", 0);
	struct bound *b = get(&l, 1);
	struct sockaddr_in in;
	socklen_t len = sizeof(in);
	uint64_t now, max;
	int client[3];

	ck_assert_int_eq(getsockname(b->fds[0], (struct sockaddr *)&in, &len), 0);
	for (int i = 0; i < 3; i++) {
		client[i] = socket(AF_INET, SOCK_STREAM, 0);
		ck_assert_int_eq(connect(client[i], (struct sockaddr *)&in, len), 0);
	}
	listen_queue(b, &now, &max);
	ck_assert_uint_eq(now, 3);
	ck_assert_uint_eq(max, 16);
	l.backlog = 32;
	listen_apply(b, &l);
	listen_queue(b, &now, &max);
	ck_assert_uint_eq(now, 3);
	ck_assert_uint_eq(max, 32);
	for (int i = 0; i < 3; i++)
		close(client[i]);
	listen_put(&set, b);
}
END_TEST

/* What follows runs in a process of its own whose descriptors 3 and on are as a service manager
 * leaves them: check has its own there, so that nothing of check may be used. */
#define NEED(what)                                                                  \
	do {                                                                        \
		if (!(what)) {                                                      \
			fprintf(stderr, "inherit: line %d: %s\n", __LINE__, #what); \
			_exit(1);                                                   \
		}                                                                   \
	} while (0)

static int listening(int type)
{
	struct listener l = tcp("127.0.0.1", 0);
	int fd = socket(AF_INET, type, 0);
	int high = fcntl(fd, F_DUPFD, 100); /* out of the way of 3 and on */

	close(fd);
	NEED(bind(high, &l.addr.sa, l.addr_len) == 0);
	NEED(type != SOCK_STREAM || listen(high, 5) == 0);
	return high;
}

static void pass_on(void)
{
	char pid[16];

	snprintf(pid, sizeof(pid), "%d", getpid());
	NEED(dup2(listening(SOCK_STREAM), 3) == 3);
	NEED(dup2(listening(SOCK_DGRAM), 4) == 4);
	setenv("LISTEN_FDS", "2", 1);
	setenv("LISTEN_PID", pid, 1);
	setenv("LISTEN_FDNAMES", "a:b", 1);
}

static void inherit(void)
{
	struct sockaddr_in in;
	socklen_t len = sizeof(in);
	struct bound *b, *fresh;

	pass_on();
	NEED(getsockname(3, (struct sockaddr *)&in, &len) == 0);
	struct listener l = tcp("127.0.0.1", ntohs(in.sin_port)), other = tcp("127.0.0.1", 0);

	NEED(listen_inherit(&set) == 1); /* the datagram socket is refused */
	NEED(fcntl(4, F_GETFD) < 0);
	NEED(!getenv("LISTEN_FDS") && !getenv("LISTEN_PID") && !getenv("LISTEN_FDNAMES"));
	fresh = get(&other, 1);
	b = get(&l, 1);
	NEED(fresh && !fresh->inherited);
	NEED(b && b->inherited && b->fds[0] == 3);
	NEED(fcntl(3, F_GETFD) & FD_CLOEXEC);
	NEED(fcntl(3, F_GETFL) & O_NONBLOCK);
	NEED(listen_unclaimed(&set) == 0);
	listen_put(&set, b);
	listen_put(&set, fresh);
	NEED(!set.first);
	_exit(42);
}

START_TEST(test_inherit)
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		inherit();
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 42, "status %d", status);
}
END_TEST

START_TEST(test_inherit_not_ours)
{
	setenv("LISTEN_FDS", "1", 1);
	setenv("LISTEN_PID", "1", 1);
	ck_assert_int_eq(listen_inherit(&set), 0);
	ck_assert_ptr_null(set.inherited);
	ck_assert_ptr_null(getenv("LISTEN_FDS"));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("listen");
	TCase *c = tcase_create("listen");
	SRunner *r;
	int bad;

	tcase_add_checked_fixture(c, set_up, tear_down);
	tcase_add_test(c, test_options);
	tcase_add_test(c, test_ipv6_only);
	tcase_add_test(c, test_shared);
	tcase_add_test(c, test_in_use);
	tcase_add_test(c, test_group);
	tcase_add_test(c, test_unix);
	tcase_add_test(c, test_unix_no_socket);
	tcase_add_test(c, test_queue);
	tcase_add_test(c, test_inherit);
	tcase_add_test(c, test_inherit_not_ours);
	suite_add_tcase(s, c);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	bad = srunner_ntests_failed(r) + (srunner_ntests_run(r) == 0);
	srunner_free(r);
	return bad != 0;
}
