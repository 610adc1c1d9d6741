/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What /proc and the control groups tell of a process and of the machine, for droverctl doctor:
 * looking there costs the process nothing. Numbers that cannot be had are FACTS_UNKNOWN.
 */
#ifndef DROVER_SHM_CTL_PROC_H
#define DROVER_SHM_CTL_PROC_H

#include <stdbool.h>
#include <stdint.h>

/* The nth number (from 0) of a file. */
uint64_t proc_number(const char *path, unsigned nth);
/* The first number behind a word: "MemTotal:" of /proc/meminfo. */
uint64_t proc_behind(const char *path, const char *word);

char proc_task(uint64_t pid); /* R, S, D, T ...; 0: not known */
uint64_t proc_resident(uint64_t pid);
uint64_t proc_waited_us(uint64_t pid); /* for a processor, since it started */

/* Calls each(fd, inode of the socket or 0, arg) for each descriptor of the process. Returns their
 * number, or FACTS_UNKNOWN with errno. */
uint64_t proc_descriptors(uint64_t pid, void (*each)(unsigned fd, uint64_t inode, void *arg),
			  void *arg);

/* Memory of the control groups around the process, of the one with the least left. */
void proc_group(uint64_t pid, uint64_t *used_out, uint64_t *max_out);

/* True if the process is in another network namespace; enter it. 0, or -1 with errno. */
bool proc_net_differs(uint64_t pid);
int proc_net_enter(uint64_t pid);

#endif
