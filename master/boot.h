/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From the command line to a serving daemon.
 */
#ifndef DROVER_MASTER_BOOT_H
#define DROVER_MASTER_BOOT_H

struct options;

/* -t and -T: checks the configuration, says what is wrong, prints it if asked to. Returns the exit
 * status. */
int boot_check(const struct options *o);

/* Starts, serves and ends. Returns the exit status. */
int boot_serve(const struct options *o);

#endif
