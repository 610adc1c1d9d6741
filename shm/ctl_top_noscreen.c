/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Takes the place of ctl_top_screen.c in a droverctl that was built without ncurses (WITH_TOP=0).
 */
#include "shm/ctl_top.h"

int top_screen(struct top *t)
{
	return ctl_fail(t->c, CTL_USAGE,
			"this droverctl was built without its live view (WITH_TOP=0): top -1 "
			"prints once, and so 'watch droverctl top -1' is one");
}
