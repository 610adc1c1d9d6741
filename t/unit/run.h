/* SPDX-License-Identifier: BSD-2-Clause */
/* What the main() of each unit test ends with. */
#ifndef DROVER_T_UNIT_RUN_H
#define DROVER_T_UNIT_RUN_H

#include <check.h>

/* Runs the suite and frees it. Returns the status of the program: 0 if all went well, and if there
 * was a test at all. */
int run_suite(Suite *s);

#endif
