/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tests shm/carry.c and board_open() of shm/board.c: boards of other sizes and layouts give their
 * rows by name; what was not there stays as it is; a board of this layout is mapped as it is.
 */
#include "shm/carry.h"

#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char folder[64], path[96], new_path[96], error[256];
static struct board old;
static int fd;

static void set_up(void)
{
	struct board_sizes sizes = {.slots = 2,
				    .conns_per_worker = 10,
				    .listeners = 3,
				    .servers = 4,
				    .upstreams = 2,
				    .peers = 3};

	strcpy(folder, "/tmp/check_carry.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/board", folder);
	snprintf(new_path, sizeof(new_path), "%s/board.new", folder);
	ck_assert_int_eq(board_create(&old, path, &sizes), 0);
	fd = board_file(&old, path);
	ck_assert_int_ge(fd, 0);
}

static void tear_down(void)
{
	char prev[128];

	board_unmap(&old);
	close(fd);
	snprintf(prev, sizeof(prev), "%s.prev", path);
	unlink(prev);
	unlink(new_path);
	unlink(path);
	rmdir(folder);
}

static struct conn_row *conn_of(const struct board *b, uint32_t worker, uint32_t i)
{
	return (struct conn_row *)(void *)((char *)board_conns(b, worker) + i * b->conn_stride);
}

static void fill(void)
{
	board_set(&old.master->reloads, 5);
	strcpy(old.master->reload_error, "why");
	board_worker(&old, 3)->requests = 1000;
	board_worker(&old, 3)->latency[7] = 70;
	board_worker(&old, 3)->state = WORKER_DRAINING;
	board_worker(&old, 3)->conns_high = 10;
	strcpy(board_listener(&old, 2)->address, "127.0.0.1:80");
	board_listener_traffic(&old, 3, 2)->accepts = 44;
	board_server_traffic(&old, 1, 3)->requests = 45;
	board_upstream(&old, 1)->turn = 48;
	strcpy(board_peer(&old, 2)->address, "127.0.0.1:81");
	board_peer(&old, 2)->fails = 2;
	board_peer(&old, 2)->active = 5;
	board_peer_traffic(&old, 3, 2)->requests = 49;
	board_peer_traffic(&old, 3, 2)->latency[5] = 50;
	conn_of(&old, 3, 9)->id = 46;
	conn_of(&old, 3, 9)->peer[15] = 47;
}

static void same_things(const struct board *b)
{
	ck_assert_uint_eq(b->master->reloads, 5);
	ck_assert_str_eq(b->master->reload_error, "why");
	ck_assert_uint_eq(board_worker(b, 3)->requests, 1000);
	ck_assert_uint_eq(board_worker(b, 3)->latency[7], 70);
	ck_assert_uint_eq(board_worker(b, 3)->state, WORKER_DRAINING);
	ck_assert_str_eq(board_listener(b, 2)->address, "127.0.0.1:80");
	ck_assert_uint_eq(board_listener_traffic(b, 3, 2)->accepts, 44);
	ck_assert_uint_eq(board_server_traffic(b, 1, 3)->requests, 45);
	ck_assert_uint_eq(board_upstream(b, 1)->turn, 48);
	ck_assert_str_eq(board_peer(b, 2)->address, "127.0.0.1:81");
	ck_assert_uint_eq(board_peer(b, 2)->fails, 2);
	ck_assert_uint_eq(board_peer_traffic(b, 3, 2)->requests, 49);
	ck_assert_uint_eq(board_peer_traffic(b, 3, 2)->latency[5], 50);
	ck_assert_uint_eq(conn_of(b, 3, 9)->id, 46);
	ck_assert_uint_eq(conn_of(b, 3, 9)->peer[15], 47);
}

START_TEST(test_open)
{
	struct board again;

	fill();
	ck_assert_int_eq(board_open(&again, fd), 0);
	same_things(&again);
	board_worker(&again, 0)->requests = 3;
	ck_assert_uint_eq(board_worker(&old, 0)->requests, 3);
	board_unmap(&again);
	((struct board_header *)old.base)->layout++;
	ck_assert_int_eq(board_open(&again, fd), 1);
}
END_TEST

START_TEST(test_open_other)
{
	struct board again;
	struct board_header *h = old.base;
	struct board_field *f = (struct board_field *)(void *)((char *)old.base + h->fields_off);

	f[1].offset += 4;
	ck_assert_int_eq(board_open(&again, fd), 1);
}
END_TEST

START_TEST(test_larger)
{
	struct board_sizes sizes = {
	    .slots = 1, .conns_per_worker = 20, .listeners = 30, .servers = 1};
	struct board b;
	struct carry *c;

	fill();
	sizes = carry_sizes(fd, sizes);
	ck_assert_uint_eq(sizes.slots, 2);
	ck_assert_uint_eq(sizes.conns_per_worker, 20);
	ck_assert_uint_eq(sizes.servers, 4);
	ck_assert_int_eq(board_make(&b, path, &sizes), 0);
	c = carry_open(&b, fd, error, sizeof(error));
	ck_assert_msg(c != NULL, "%s", error);
	carry_all(c);
	same_things(&b);
	ck_assert_uint_eq(board_worker(&b, 3)->seq & 1, 0);
	/* What its writer still counts. */
	board_worker(&old, 3)->requests = 1001;
	board_listener_traffic(&old, 3, 2)->accepts = 50;
	board_worker(&b, 2)->requests = 7;
	carry_worker(c, 3);
	ck_assert_uint_eq(board_worker(&b, 3)->requests, 1001);
	ck_assert_uint_eq(board_listener_traffic(&b, 3, 2)->accepts, 50);
	ck_assert_uint_eq(board_worker(&b, 2)->requests, 7);
	carry_close(c);
	board_unmap(&b);
	ck_assert_int_eq(board_place(path), 0);
	ck_assert_int_eq(board_file(&old, path), -1);
}
END_TEST

/* A program that calls things otherwise: names that it has not got stay as they are here. */
START_TEST(test_names)
{
	struct board_sizes sizes = old.sizes;
	struct board_header *h = old.base;
	struct board_table *t = (struct board_table *)(void *)((char *)old.base + h->tables_off);
	struct board_field *f = (struct board_field *)(void *)((char *)old.base + h->fields_off);
	struct board b;
	struct carry *c;

	fill();
	for (uint32_t i = 0; i < t[1].fields; i++)
		if (!strcmp(f[t[1].first_field + i].name, "requests"))
			strcpy(f[t[1].first_field + i].name, "demands");
	strcpy(t[3].name, "sites");
	ck_assert_int_eq(board_make(&b, path, &sizes), 0);
	board_worker(&b, 3)->requests = 12;
	c = carry_open(&b, fd, error, sizeof(error));
	ck_assert_msg(c != NULL, "%s", error);
	carry_all(c);
	ck_assert_uint_eq(board_worker(&b, 3)->requests, 12);
	ck_assert_uint_eq(board_worker(&b, 3)->latency[7], 70);
	ck_assert_uint_eq(b.master->reloads, 5);
	carry_close(c);
	board_unmap(&b);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("carry");
	TCase *c = tcase_create("carry");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(c, set_up, tear_down);
	tcase_add_test(c, test_open);
	tcase_add_test(c, test_open_other);
	tcase_add_test(c, test_larger);
	tcase_add_test(c, test_names);
	suite_add_tcase(s, c);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? 0 : 1;
}
