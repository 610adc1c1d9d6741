/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tests shm/backing.c: pages that cannot be had are an error and no signal. A mapping that is
 * longer than its file stands for a file system that is full: there the kernel does the same.
 */
#include "shm/backing.h"

#include <check.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "shm/arena.h"

static char *base;
static size_t page;

/* Two pages that there may be, and two that there may not. */
static void set_up(void)
{
	int fd = memfd_create("backing", MFD_CLOEXEC);

	page = arena_page();
	ck_assert_int_eq(ftruncate(fd, (off_t)(2 * page)), 0);
	base = mmap(NULL, 4 * page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	ck_assert_ptr_ne(base, MAP_FAILED);
	close(fd);
}

static void tear_down(void)
{
	munmap(base, 4 * page);
}

static bool kernel_can_tell(void)
{
	return madvise(base, page, 22 /* MADV_POPULATE_READ */) == 0 || errno != EINVAL;
}

START_TEST(ranges)
{
	const struct {
		size_t from, bytes;
		int want;
	} of[] = {
	    {0, 1, 0},         {0, 2 * page, 0},      {2 * page - 1, 1, 0},
	    {2 * page, 0, 0},  {2 * page - 1, 2, -1}, /* over the edge */
	    {2 * page, 1, -1}, {3 * page + 5, 7, -1},
	};

	if (!kernel_can_tell())
		return;
	for (size_t i = 0; i < sizeof of / sizeof of[0]; i++) {
		errno = 0;
		ck_assert_int_eq(backing_read(base + of[i].from, of[i].bytes), of[i].want);
		ck_assert_int_eq(backing_write(base + of[i].from, of[i].bytes), of[i].want);
		ck_assert_int_eq(errno, of[i].want == 0 ? 0 : ENOSPC);
	}
	memset(base, 1, 2 * page);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("backing");
	TCase *c = tcase_create("backing");
	SRunner *r;
	int bad;

	tcase_add_checked_fixture(c, set_up, tear_down);
	tcase_add_test(c, ranges);
	suite_add_tcase(s, c);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	bad = srunner_ntests_failed(r) + (srunner_ntests_run(r) == 0);
	srunner_free(r);
	return bad != 0;
}
