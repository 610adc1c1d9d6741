/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tests master/generation.c and master/limit.c: which sockets a worker accepts from, so that none
 * is left alone whatever the number of workers; and how many connections fit into a limit of
 * descriptors.
 */
#include "master/generation.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "master/limit.h"

/* Two addresses: a socket for all (descriptor 10), and a group (descriptors 20 and on). */
static struct generation *group_of(unsigned sockets)
{
	static struct generation g;
	static struct settings s;
	static struct bound single, group, *bound[2];
	static int single_fd, group_fds[16];

	single_fd = 10;
	for (int j = 0; j < 16; j++)
		group_fds[j] = 20 + j;
	single = (struct bound){.fds = &single_fd, .count = 1};
	group = (struct bound){.fds = group_fds, .count = sockets, .reuseport = true};
	bound[0] = &single;
	bound[1] = &group;
	s.listeners_count = 2;
	g = (struct generation){.settings = &s, .bound = bound};
	return &g;
}

static const struct {
	unsigned sockets, workers;
} numbers[] = {
    {1, 1}, {3, 3}, {3, 2}, {3, 1}, {5, 2}, {16, 7}, {2, 5} /* inherited: fewer than workers */,
    {1, 4}};

START_TEST(test_nobody_is_left_alone)
{
	const struct generation *g = group_of(numbers[_i].sockets);
	unsigned served[16] = {0};

	for (uint32_t slot = 0; slot < numbers[_i].workers; slot++) {
		struct share share;

		ck_assert_int_eq(share_list(&share, g, slot, numbers[_i].workers), 0);
		ck_assert_uint_ge(share.count, 2); /* no worker is idle either */
		ck_assert_int_eq(share.fds[0], 10);
		ck_assert_uint_eq(share.ids[0], 0);
		for (uint32_t k = 1; k < share.count; k++) {
			ck_assert_uint_eq(share.ids[k], 1);
			served[share.fds[k] - 20]++;
		}
		ck_assert(share_is(&share, g, slot, numbers[_i].workers));
		share_free(&share);
	}
	for (unsigned j = 0; j < numbers[_i].sockets; j++)
		ck_assert_msg(served[j] >= 1, "socket %u of %u has none of %u workers", j,
			      numbers[_i].sockets, numbers[_i].workers);
}
END_TEST

START_TEST(test_share_changes)
{
	struct share share;

	ck_assert_int_eq(share_list(&share, group_of(3), 0, 3), 0);
	ck_assert(
	    share_is(&share, group_of(4), 0, 4)); /* one more worker is no business of this one */
	ck_assert(!share_is(&share, group_of(3), 0, 2)); /* one less is: it takes over socket 2 */
	share_free(&share);
	ck_assert_int_eq(share_list(&share, group_of(3), 1, 3), 0);
	ck_assert(share_is(&share, group_of(3), 1, 2));
	share_free(&share);
}
END_TEST

START_TEST(test_closed_sockets_are_not_served)
{
	struct generation *g = group_of(2);
	struct share share;

	g->bound[1]->fds[1] = -1;
	ck_assert_int_eq(share_list(&share, g, 1, 2), 0);
	ck_assert_uint_eq(share.count, 1);
	share_free(&share);
	ck_assert_uint_eq(generation_sockets(g), 3);
	ck_assert(generation_has_groups(g));
}
END_TEST

/* 10 sockets, 1 log and the error log, 100 files, 64 to spare: 176 beside the connections. */
static const struct {
	uint32_t wanted;
	uint64_t limit;
	uint32_t fit;
} limits[] = {
    {1000, 1176, 1000}, {1000, 1175, 999}, {1000, 100000, 1000}, {1000, 400, 224}, {1000, 300, 150},
    {1000, 20, 10},     {1000, 1, 1},      {1000, 0, 1},         {1, 2000, 1},
};

START_TEST(test_limits)
{
	struct settings s = {
	    .worker_connections = limits[_i].wanted, .logs_count = 1, .file_cache = 100};

	ck_assert_uint_eq(limit_needed(&s, 10), limits[_i].wanted + 176);
	ck_assert_uint_eq(limit_connections(&s, 10, limits[_i].limit), limits[_i].fit);
}
END_TEST

#define COUNT(a) (int)(sizeof(a) / sizeof((a)[0]))

int main(void)
{
	Suite *s = suite_create("generation");
	TCase *c = tcase_create("generation");
	SRunner *r;
	int bad;

	tcase_add_loop_test(c, test_nobody_is_left_alone, 0, COUNT(numbers));
	tcase_add_test(c, test_share_changes);
	tcase_add_test(c, test_closed_sockets_are_not_served);
	tcase_add_loop_test(c, test_limits, 0, COUNT(limits));
	suite_add_tcase(s, c);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	bad = srunner_ntests_failed(r) + (srunner_ntests_run(r) == 0);
	srunner_free(r);
	return bad != 0;
}
