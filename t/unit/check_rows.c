/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tests master/rows.c: rows stay with names and addresses over generations, are kept for those that
 * went, and are given to others only when there is no room.
 */
#include "master/rows.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "master/generation.h"
#include "worker/settings.h"

enum {
	LISTENERS = 4,
	SERVERS = 5,
	MOST = 8
};

static struct board board;
static char folder[64], path[96], error[256];

static void set_up(void)
{
	struct board_sizes sizes = {.slots = 2,
				    .conns_per_worker = 10,
				    .listeners = LISTENERS,
				    .servers = SERVERS,
				    .upstreams = 3,
				    .peers = 4};

	strcpy(folder, "/tmp/check_rows.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/board", folder);
	ck_assert_int_eq(board_create(&board, path, &sizes), 0);
}

static void tear_down(void)
{
	board_unmap(&board);
	unlink(path);
	rmdir(folder);
}

/* A generation that names servers and addresses by one letter each. */
struct made {
	struct generation g;
	struct settings s;
	struct server servers[MOST];
	struct listener listeners[MOST];
	struct bound bounds[MOST], *bound[MOST];
	char names[MOST][2];
};

static struct made make(const char *servers, const char *addresses)
{
	static uint32_t number;
	struct made m = {0};

	m.g.number = ++number;
	m.s.servers_count = (uint32_t)strlen(servers);
	m.s.listeners_count = (uint32_t)strlen(addresses);
	for (uint32_t i = 0; i < m.s.servers_count; i++)
		m.names[i][0] = servers[i];
	for (uint32_t i = 0; i < m.s.listeners_count; i++) {
		snprintf(m.bounds[i].text, sizeof(m.bounds[i].text), "127.0.0.1:%c", addresses[i]);
		m.bounds[i].count = 1;
		m.bounds[i].opened = m.g.number;
	}
	return m;
}

/* Pointers into the struct itself, once it lies where it stays. */
static int assign(struct made *m)
{
	m->g.settings = &m->s;
	m->g.bound = m->bound;
	m->s.servers = m->servers;
	m->s.listeners = m->listeners;
	for (uint32_t i = 0; i < m->s.servers_count; i++)
		m->servers[i].name = m->names[i];
	for (uint32_t i = 0; i < m->s.listeners_count; i++)
		m->bound[i] = &m->bounds[i];
	return rows_assign(&board, &m->g, error, sizeof(error));
}

static void expect_servers(const struct made *m, const char *rows)
{
	for (uint32_t i = 0; i < m->s.servers_count; i++)
		ck_assert_msg(m->servers[i].row == (uint32_t)(rows[i] - '0'),
			      "server %s has row %u, not %c", m->servers[i].name, m->servers[i].row,
			      rows[i]);
}

START_TEST(test_names_keep_rows)
{
	struct made one = make("abc", "1"), two = make("cxa", "1"), three = make("bcax", "1");

	ck_assert_int_eq(assign(&one), 0);
	expect_servers(&one, "012");
	rows_settle(&board, &one.g);
	ck_assert_int_eq(assign(&two), 0);
	expect_servers(&two, "230");
	ck_assert_uint_eq(board_server(&board, 1)->used, 1); /* as long as it is not in force */
	rows_settle(&board, &two.g);
	ck_assert_uint_eq(board_server(&board, 1)->used, 0);
	ck_assert_str_eq(board_server(&board, 1)->name, "b"); /* kept for it */
	ck_assert_uint_eq(board.master->servers, 3);
	ck_assert_int_eq(assign(&three), 0);
	expect_servers(&three, "1203");
	rows_settle(&board, &three.g);
	ck_assert_uint_eq(board_server(&board, 1)->used, 1);
}
END_TEST

/* Five rows. A row whose name is out of use is given away when no other is left, and never one that
 * is in use. */
START_TEST(test_no_room)
{
	struct made one = make("abc", "1"), two = make("cd", "1"), three = make("cdefg", "1"),
		    four = make("cdefgh", "1");

	ck_assert_int_eq(assign(&one), 0);
	rows_settle(&board, &one.g);
	ck_assert_int_eq(assign(&two), 0);
	expect_servers(&two, "23");
	rows_settle(&board, &two.g); /* a and b are out of use, row 4 is new */
	ck_assert_int_eq(assign(&three), 0);
	expect_servers(&three, "23401");
	ck_assert_str_eq(board_server(&board, 0)->name, "f");
	rows_settle(&board, &three.g);
	ck_assert_int_eq(assign(&four), -1);
	ck_assert_msg(strstr(error, "no room for all servers") != NULL, "%s", error);
}
END_TEST

START_TEST(test_listeners)
{
	struct made one = make("a", "12"), two = make("a", "32"), three = make("a", "123");

	ck_assert_int_eq(assign(&one), 0);
	rows_settle(&board, &one.g);
	ck_assert_str_eq(board_listener(&board, 0)->address, "127.0.0.1:1");
	ck_assert_uint_eq(board_listener(&board, 0)->generation, one.g.number);
	ck_assert_uint_eq(board.master->listeners, 2);
	ck_assert_int_eq(assign(&two), 0);
	ck_assert_uint_eq(two.listeners[0].row, 2);
	ck_assert_uint_eq(two.listeners[1].row, 1);
	two.bounds[1].opened = one.g.number;
	rows_settle(&board, &two.g);
	ck_assert_uint_eq(board_listener(&board, 0)->used, 0);
	ck_assert_uint_eq(board_listener(&board, 0)->sockets, 0);
	ck_assert_uint_eq(board_listener(&board, 1)->generation, one.g.number);
	ck_assert_uint_eq(board_listener(&board, 2)->generation, two.g.number);
	ck_assert_int_eq(assign(&three), 0);
	ck_assert_uint_eq(three.listeners[0].row, 0);
	ck_assert_uint_eq(three.listeners[1].row, 1);
	ck_assert_uint_eq(three.listeners[2].row, 2);
}
END_TEST

/* One address twice, as with port 0 before the kernel chose: each has a row of its own. */
START_TEST(test_same_text)
{
	struct made one = make("a", "11");

	ck_assert_int_eq(assign(&one), 0);
	ck_assert_uint_ne(one.listeners[0].row, one.listeners[1].row);
}
END_TEST

/* A generation of upstreams "a:xy b:x": a letter each, with the letters of their peers. */
struct pools {
	struct made made;
	struct upstream upstreams[MOST];
	struct peer peers[MOST];
	char texts[2 * MOST][2];
};

static int assign_pools(struct pools *p, const char *text)
{
	struct settings *s = &p->made.s;
	uint32_t texts = 0;

	memset(p, 0, sizeof(*p));
	p->made = make("s", "1");
	s->upstreams = p->upstreams;
	s->peers = p->peers;
	for (; *text != '\0'; text++) {
		p->texts[texts][0] = *text;
		if (text[1] == ':') {
			p->upstreams[s->upstreams_count++].name = p->texts[texts++];
			text++;
		} else if (*text != ' ') {
			p->peers[s->peers_count++] = (struct peer){.address = p->texts[texts++],
								   .weight = (uint32_t)*text,
								   .addr_len = *text == 'u' ? 0 : 1,
								   .down = *text == 'd',
								   .upstream = s->upstreams_count -
									       1};
		}
	}
	return assign(&p->made);
}

static void expect_pools(const struct pools *p, const char *upstreams, const char *peers)
{
	for (uint32_t i = 0; i < p->made.s.upstreams_count; i++)
		ck_assert_int_eq(p->upstreams[i].row, upstreams[i] - '0');
	for (uint32_t i = 0; i < p->made.s.peers_count; i++)
		ck_assert_int_eq(p->peers[i].row, peers[i] - '0');
}

/* The same address in two upstreams is two peers; both keep their rows, with what failed. */
START_TEST(test_peers_keep_rows)
{
	struct pools one, two, three;

	ck_assert_int_eq(assign_pools(&one, "a:xy b:x"), 0);
	expect_pools(&one, "01", "012");
	rows_settle(&board, &one.made.g);
	ck_assert_str_eq(board_upstream(&board, 1)->name, "b");
	ck_assert_str_eq(board_upstream(&board, 1)->balance, "round_robin");
	ck_assert_str_eq(board_peer(&board, 2)->upstream, "b");
	ck_assert_str_eq(board_peer(&board, 2)->address, "x");
	ck_assert_uint_eq(board_peer(&board, 2)->upstream_row, 1);
	ck_assert_uint_eq(board_peer(&board, 2)->weight, 'x');
	ck_assert_uint_eq(board_peer(&board, 2)->resolved, 1);
	board_peer(&board, 2)->fails = 2;
	board_peer(&board, 0)->fails = 3;
	board_peer(&board, 0)->failed_until_us = 3;
	board_peer(&board, 0)->active = 4;
	/* Addresses of names go with them. */
	for (uint32_t i = 0; i < 3; i += 2) {
		board_peer_address(&board, i)->seq = 2;
		board_peer_address(&board, i)->mark = 7;
		board_peer_address(&board, i)->family = 4;
	}
	ck_assert_int_eq(assign_pools(&two, "b:dx c:"), 0);
	expect_pools(&two, "12", "32");
	rows_settle(&board, &two.made.g);
	ck_assert_uint_eq(board_upstream(&board, 0)->used, 0);
	ck_assert_uint_eq(board_peer(&board, 0)->used, 0);
	ck_assert_uint_eq(board_peer(&board, 2)->used, 1);
	ck_assert_uint_eq(board_peer(&board, 2)->fails, 2);
	ck_assert_uint_eq(board_peer(&board, 3)->down, 1);
	ck_assert_int_eq(assign_pools(&three, "b:dxu"), 0); /* a row is given away */
	expect_pools(&three, "1", "320");
	rows_settle(&board, &three.made.g);
	ck_assert_str_eq(board_peer(&board, 0)->address, "u");
	ck_assert_uint_eq(board_peer(&board, 0)->resolved, 0);
	ck_assert_uint_eq(board_peer(&board, 0)->fails, 0);
	ck_assert_uint_eq(board_peer_address(&board, 0)->mark, 0);
	ck_assert_uint_eq(board_peer_address(&board, 0)->family, 0);
	ck_assert_uint_eq(board_peer_address(&board, 0)->seq, 4);
	ck_assert_uint_eq(board_peer_address(&board, 2)->mark, 7);
	ck_assert_uint_eq(board_peer(&board, 0)->failed_until_us, 0);
	ck_assert_uint_eq(board_peer(&board, 0)->active, 4); /* of requests still in hand */
	ck_assert_uint_eq(board_peer(&board, 0)->seq % 2, 0);
	ck_assert_int_eq(assign_pools(&three, "b:dxuvw"), -1);
	ck_assert_msg(strstr(error, "no room for all peers") != NULL, "%s", error);
}
END_TEST

static const struct {
	uint32_t workers, conns, listeners, servers;
	const char *error; /* a part of it; NULL: fits */
} fits[] = {
    {2, 10, 4, 5, NULL},
    {3, 10, 4, 5,
     "workers = 3, but the board of this daemon has room for 2: 'droverctl upgrade' makes"},
    {2, 11, 4, 5, "worker_connections = 11, but"},
    {2, 10, 5, 5, "listeners = 5, but"},
    {2, 10, 4, 6, "servers = 6, but"},
};

START_TEST(test_fit)
{
	struct settings s = {.workers = fits[_i].workers,
			     .worker_connections = fits[_i].conns,
			     .listeners_count = fits[_i].listeners,
			     .servers_count = fits[_i].servers};

	ck_assert_int_eq(rows_fit(&board, &s, error, sizeof(error)), fits[_i].error ? -1 : 0);
	if (fits[_i].error)
		ck_assert_msg(strstr(error, fits[_i].error) != NULL, "%s", error);
}
END_TEST

START_TEST(test_sizes)
{
	struct settings s = {
	    .workers = 3, .worker_connections = 100, .listeners_count = 2, .servers_count = 2};
	struct board_sizes small = rows_sizes(&s);

	ck_assert_uint_eq(small.slots, 16);
	ck_assert_uint_eq(small.conns_per_worker, 100);
	ck_assert_uint_eq(small.listeners, 64);
	ck_assert_uint_eq(small.servers, 256);
	ck_assert_uint_eq(small.upstreams, 64);
	ck_assert_uint_eq(small.peers, 256);
	s.workers = 200;
	s.listeners_count = 100;
	s.servers_count = 10000;
	s.upstreams_count = 300;
	s.peers_count = 1000;
	struct board_sizes large = rows_sizes(&s);

	ck_assert_uint_eq(large.slots, 256);
	ck_assert_uint_eq(large.listeners, 200);
	ck_assert_uint_eq(large.servers, 20000);
	ck_assert_uint_eq(large.upstreams, 600);
	ck_assert_uint_eq(large.peers, 2000);
}
END_TEST

START_TEST(test_reload_words)
{
	rows_start(&board, 5, 77);
	rows_reload_asked(&board);
	ck_assert_uint_eq(board.master->reloads, 1);
	ck_assert_uint_eq(board.master->reload_result, RESULT_PENDING);
	rows_reload_failed(&board, "a.conf:1: wrong", 9);
	ck_assert_uint_eq(board.master->reload_failures, 1);
	ck_assert_uint_eq(board.master->reload_result, RESULT_PENDING); /* until it is over */
	rows_reload_ended(&board, RESULT_FAILED, 10);
	ck_assert_uint_eq(board.master->reload_result, RESULT_FAILED);
	ck_assert_str_eq(board.master->reload_error, "a.conf:1: wrong");
	rows_upgrade_ended(&board, "no such program", 11);
	ck_assert_uint_eq(board.master->reload_result, RESULT_FAILED);
	rows_upgrade_ended(&board, NULL, 12); /* with what is in the file now */
	ck_assert_uint_eq(board.master->reload_result, RESULT_NONE);
	ck_assert_str_eq(board.master->reload_error, "");
	rows_reload_asked(&board);
	ck_assert_str_eq(board.master->reload_error, "");
	ck_assert_uint_eq(board.master->seq % 2, 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("rows");
	TCase *c = tcase_create("rows");
	SRunner *r;
	int bad;

	tcase_add_checked_fixture(c, set_up, tear_down);
	tcase_add_test(c, test_names_keep_rows);
	tcase_add_test(c, test_no_room);
	tcase_add_test(c, test_listeners);
	tcase_add_test(c, test_same_text);
	tcase_add_test(c, test_peers_keep_rows);
	tcase_add_loop_test(c, test_fit, 0, (int)(sizeof(fits) / sizeof(fits[0])));
	tcase_add_test(c, test_sizes);
	tcase_add_test(c, test_reload_words);
	suite_add_tcase(s, c);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	bad = srunner_ntests_failed(r) + (srunner_ntests_run(r) == 0);
	srunner_free(r);
	return bad != 0;
}
