/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tests worker/accept.c: what each error of accept(2) means, and how patience grows. The rest is
 * tested through real sockets (t/3*.sh, t/8*.sh).
 */
#include "worker/accept.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	int error;
	enum accept_class class;
} rows[] = {
    {EAGAIN, ACCEPT_NONE},        {EWOULDBLOCK, ACCEPT_NONE},   {EINTR, ACCEPT_RETRY},
    {ECONNABORTED, ACCEPT_RETRY}, {EPERM, ACCEPT_RETRY},        {EPROTO, ACCEPT_RETRY},
    {ENETDOWN, ACCEPT_RETRY},     {ENOPROTOOPT, ACCEPT_RETRY},  {EHOSTDOWN, ACCEPT_RETRY},
    {ENONET, ACCEPT_RETRY},       {EHOSTUNREACH, ACCEPT_RETRY}, {EOPNOTSUPP, ACCEPT_RETRY},
    {ENETUNREACH, ACCEPT_RETRY},  {EMFILE, ACCEPT_NO_FDS},      {ENFILE, ACCEPT_NO_FDS},
    {ENOBUFS, ACCEPT_NO_MEMORY},  {ENOMEM, ACCEPT_NO_MEMORY},   {EBADF, ACCEPT_BROKEN},
    {EINVAL, ACCEPT_BROKEN},      {ENOTSOCK, ACCEPT_BROKEN},
};

START_TEST(test_classify)
{
	ck_assert_msg(accept_classify(rows[_i].error) == rows[_i].class, "%s",
		      strerror(rows[_i].error));
}
END_TEST

START_TEST(test_patience)
{
	ck_assert_uint_eq(accept_patience_us(0), 10000);
	for (unsigned n = 1; n < 100; n++) {
		ck_assert_uint_ge(accept_patience_us(n), accept_patience_us(n - 1));
		ck_assert_uint_le(accept_patience_us(n), 1000000);
	}
	ck_assert_uint_eq(accept_patience_us(99), 1000000);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("accept");
	TCase *c = tcase_create("accept");
	SRunner *r;
	int bad;

	tcase_add_loop_test(c, test_classify, 0, sizeof rows / sizeof rows[0]);
	tcase_add_test(c, test_patience);
	suite_add_tcase(s, c);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	bad = srunner_ntests_failed(r) + (srunner_ntests_run(r) == 0);
	srunner_free(r);
	return bad != 0;
}
