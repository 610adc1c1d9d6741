/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tests worker/accept.c: what each error of accept4() means, how patience grows, what becomes of
 * clients when there is no descriptor, and that a socket is watched or not, never in between. The
 * clock is the test's.
 */
#include "worker/accept.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "t/unit/rig.h"
#include "t/unit/run.h"

enum {
	CONNS = 8,
	SOCKETS = 2,
	TAG = 256
};

static struct location location;
static struct server server = {
    .name = "s", .locations = &location, .locations_count = 1, .log = -1};
static struct listener listeners[SOCKETS] = {{.address = "one"}, {.address = "two", .row = 1}};
static struct settings settings = {.worker_connections = CONNS,
				   .file_cache = 4,
				   .listeners = listeners,
				   .listeners_count = SOCKETS,
				   .servers = &server,
				   .servers_count = 1};
static struct clock now;
static struct board board;
static struct arena arena;
static struct conns cs;
static struct acceptor acceptor;
static int listen_fds[SOCKETS], epoll_fd;
static const uint32_t listen_ids[SOCKETS] = {0, 1};
static struct worker_env env = {
    .listen_fds = listen_fds, .listen_ids = listen_ids, .listen_count = SOCKETS};

static int open_listener(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(listen(fd, 16), 0);
	return fd;
}

/* A client of the first socket: its connection waits in the queue. */
static int come(void)
{
	struct sockaddr_in in;
	socklen_t len = sizeof in;
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(getsockname(listen_fds[0], (struct sockaddr *)&in, &len), 0);
	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&in, len), 0);
	return fd;
}

static void set_up(void)
{
	const struct board_sizes sizes = {1, CONNS, SOCKETS, 1, 1, 1};
	const struct conns_env conns_env = {&settings, &now, &board, 0, 1000};

	now.now_us = 500000000;
	rig_board(&board, &sizes);
	rig_make(&cs, NULL, &arena, &conns_env);
	for (int k = 0; k < SOCKETS; k++)
		listen_fds[k] = open_listener();
	epoll_fd = epoll_create1(0);
	ck_assert_int_ge(epoll_fd, 0);
	ck_assert_int_eq(acceptor_init(&acceptor, &cs, &env, epoll_fd, TAG), 0);
}

static void tear_down(void)
{
	acceptor_free(&acceptor);
	rig_close_all(&cs);
	rig_free(&cs, &arena);
	board_unmap(&board);
	for (int k = 0; k < SOCKETS; k++)
		if (listen_fds[k] >= 0)
			close(listen_fds[k]);
	close(epoll_fd);
}

/* How many sockets epoll tells of. */
static int told(void)
{
	struct epoll_event events[SOCKETS];

	return epoll_wait(epoll_fd, events, SOCKETS, 0);
}

/* The table of accept(2), and nothing else. */
START_TEST(test_classify)
{
	static const struct {
		int error;
		enum accept_class class;
	} table[] = {
	    {EAGAIN, ACCEPT_NONE},        {EINTR, ACCEPT_RETRY},       {ECONNABORTED, ACCEPT_RETRY},
	    {EPERM, ACCEPT_RETRY},        {EPROTO, ACCEPT_RETRY},      {ENETDOWN, ACCEPT_RETRY},
	    {ENOPROTOOPT, ACCEPT_RETRY},  {EHOSTDOWN, ACCEPT_RETRY},   {ENONET, ACCEPT_RETRY},
	    {EHOSTUNREACH, ACCEPT_RETRY}, {EOPNOTSUPP, ACCEPT_RETRY},  {ENETUNREACH, ACCEPT_RETRY},
	    {ETIMEDOUT, ACCEPT_RETRY},    {ECONNRESET, ACCEPT_RETRY},  {EMFILE, ACCEPT_NO_FDS},
	    {ENFILE, ACCEPT_NO_FDS},      {ENOBUFS, ACCEPT_NO_MEMORY}, {ENOMEM, ACCEPT_NO_MEMORY},
	    {EBADF, ACCEPT_BROKEN},       {EINVAL, ACCEPT_BROKEN},     {ENOTSOCK, ACCEPT_BROKEN},
	    {EFAULT, ACCEPT_BROKEN},
	};

	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
		ck_assert_msg(accept_classify(table[i].error) == table[i].class, "%s",
			      strerrorname_np(table[i].error));
}
END_TEST

START_TEST(test_patience)
{
	uint64_t sum = 0;

	ck_assert_uint_eq(accept_patience_us(0), 10000);
	for (unsigned n = 1; n < 100; n++) {
		uint64_t before = accept_patience_us(n - 1), us = accept_patience_us(n);

		ck_assert_uint_eq(us, before * 2 < 1000000 ? before * 2 : 1000000);
		sum += us;
	}
	ck_assert_uint_gt(sum, 90 * 1000000);
	ck_assert_uint_eq(accept_patience_us(UINT32_MAX), 1000000);
}
END_TEST

START_TEST(test_take)
{
	int client = come();
	uint32_t i;

	ck_assert_int_eq(told(), 1);
	i = acceptor_take(&acceptor, 0);
	ck_assert_uint_ne(i, CONN_NONE);
	ck_assert_uint_eq(conn_row(&cs, i)->family, 4);
	ck_assert_uint_eq(acceptor_take(&acceptor, 0), CONN_NONE);
	ck_assert_uint_eq(cs.row->accept_pauses, 0);
	close(client);
}
END_TEST

/* A full batch doubles the next one, up to a limit; one that was not filled makes it smaller. */
START_TEST(test_batch)
{
	for (unsigned n = 1; n < 64; n *= 2) {
		ck_assert_uint_eq(acceptor_batch(&acceptor), n);
		acceptor_learn(&acceptor, n);
	}
	acceptor_learn(&acceptor, 64);
	ck_assert_uint_eq(acceptor_batch(&acceptor), 64);
	acceptor_learn(&acceptor, 5);
	ck_assert_uint_eq(acceptor_batch(&acceptor), 5);
	acceptor_learn(&acceptor, 0);
	ck_assert_uint_eq(acceptor_batch(&acceptor), 1);
}
END_TEST

/* Leaves no descriptor to open, until limits are set to what they were. */
static struct rlimit no_descriptors(void)
{
	int next = dup(epoll_fd);
	struct rlimit was, none;

	ck_assert_int_ge(next, 0);
	close(next);
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &was), 0);
	none = (struct rlimit){(rlim_t)next, was.rlim_max};
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
	return was;
}

/* Without a descriptor accepting pauses for longer and longer; whoever waits for long is told so
 * by means of the reserve, one at each look. */
START_TEST(test_no_descriptors)
{
	int first = come(), second = come();
	struct rlimit was = no_descriptors();
	char answer[256];
	ssize_t n;

	for (unsigned pauses = 0; pauses < 6; pauses++) {
		ck_assert_uint_eq(acceptor_take(&acceptor, 0), CONN_NONE);
		ck_assert_uint_eq(cs.row->accept_no_fds, pauses + 1);
		ck_assert_uint_eq(cs.row->accept_pauses, pauses + 1);
		ck_assert_int_eq(told(), 0);
		ck_assert_uint_eq(acceptor_wait_us(&acceptor, 5000000), accept_patience_us(pauses));
		now.now_us += accept_patience_us(pauses) - 1;
		acceptor_turn(&acceptor);
		ck_assert_int_eq(told(), 0);
		now.now_us += 1;
		acceptor_turn(&acceptor);
		ck_assert_int_eq(told(), 1);
	}
	ck_assert_uint_eq(cs.row->accept_turned_away, 0);
	ck_assert_uint_eq(acceptor_take(&acceptor, 0), CONN_NONE);
	ck_assert_uint_eq(cs.row->accept_turned_away, 1);
	ck_assert_int_ge(acceptor.reserve_fd, 0);
	n = recv(first, answer, sizeof answer - 1, 0);
	ck_assert_int_gt(n, 0);
	answer[n] = '\0';
	ck_assert_msg(strncmp(answer, "HTTP/1.1 503 ", 13) == 0, "%s", answer);
	ck_assert_ptr_nonnull(strstr(answer, "\r\nConnection: close\r\n"));
	ck_assert_int_eq(recv(first, answer, sizeof answer, 0), 0);
	/* As soon as there is one, the next is served. */
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &was), 0);
	now.now_us += 1000000;
	acceptor_turn(&acceptor);
	ck_assert_uint_ne(acceptor_take(&acceptor, 0), CONN_NONE);
	ck_assert_uint_eq(acceptor.pauses, 0);
	close(first);
	close(second);
}
END_TEST

/* When not all can be watched, none is, so that nobody is woken for what is not accepted. */
START_TEST(test_half_watched)
{
	int client = come();

	acceptor.pauses = 3;
	cs.freed = true;
	acceptor_stop(&acceptor);
	acceptor.stopped = false;
	close(listen_fds[1]);
	listen_fds[1] = -1;
	acceptor_turn(&acceptor);
	ck_assert_uint_eq(cs.row->accept_pauses, 1);
	ck_assert(!acceptor.watching);
	ck_assert_int_eq(told(), 0);
	close(client);
}
END_TEST

/* A client and the order to drain, told of in the same turn: nothing is accepted from what was a
 * socket. */
START_TEST(test_given_up)
{
	int client = come();

	ck_assert_int_eq(told(), 1);
	acceptor_stop(&acceptor);
	acceptor_give_up(&acceptor);
	ck_assert_uint_eq(acceptor_take(&acceptor, 0), CONN_NONE);
	ck_assert_uint_eq(cs.row->accept_retries, 0);
	ck_assert_uint_eq(cs.row->accept_pauses, 0);
	close(client);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("acceptor");
	TCase *c = tcase_create("acceptor");

	tcase_add_checked_fixture(c, set_up, tear_down);
	tcase_add_test(c, test_classify);
	tcase_add_test(c, test_patience);
	tcase_add_test(c, test_take);
	tcase_add_test(c, test_batch);
	tcase_add_test(c, test_no_descriptors);
	tcase_add_test(c, test_half_watched);
	tcase_add_test(c, test_given_up);
	suite_add_tcase(s, c);
	return run_suite(s);
}
