/* SPDX-License-Identifier: BSD-2-Clause */
/* See run.h. */
#include "t/unit/run.h"

int run_suite(Suite *s)
{
	SRunner *r = srunner_create(s);
	int bad;

	srunner_run_all(r, CK_ENV);
	bad = srunner_ntests_failed(r) + (srunner_ntests_run(r) == 0);
	srunner_free(r);
	return bad != 0;
}
